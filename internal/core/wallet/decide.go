package wallet

import (
	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
)

// Change is what a decision does: the transaction and its wallet as they become, and what the journal
// says about it. Found is false where there is no wallet to change.
type Change struct {
	Transaction Transaction
	Wallet      Wallet
	Found       bool
	Type        journal.Type
	Amount      int64
	Posting     ledger.Posting
	Balance     ledger.Running // of the wallet, after the posting
}

// Request is what a merchant asks authorize for, without who pays.
type Request struct {
	ID             string
	Book           int
	Merchant       string
	Currency       money.Currency
	OrderReference string
	Amount         int64
	HoldMicros     int64   // how long the merchant's holds live
	ApprovalMicros int64   // how long a wallet's owner may take to answer
	Course         *Course // of the sandbox; nil lets the wallet decide
}

// Payer is what was found of the one who pays. Refusal is WalletNotFound or IdentityMismatch when the
// wallet may not be used; Wallet is then not looked at.
type Payer struct {
	Wallet  Wallet
	Refusal reject.Reason
}

// Authorize holds the amount on the payer's wallet, or makes a failed transaction that says why not. Where
// the wallet's owner must approve, and the wallet could pay now, it makes one that is NEW and holds nothing.
// A well-formed request always makes a transaction (issue: "A well-formed authorize always makes one").
func Authorize(r Request, payer Payer, at int64) Change {
	t := Transaction{
		ID: r.ID, Book: r.Book, Merchant: r.Merchant, Currency: r.Currency,
		OrderReference: r.OrderReference, Amount: r.Amount,
		Sequence: 1, CreatedAt: at, UpdatedAt: at,
	}
	no, w := payer.Refusal, payer.Wallet
	p := ledger.Posting{
		Move: ledger.Hold, Debit: w.ID, Credit: ledger.Payable(r.Merchant, r.Currency),
		Amount: r.Amount, Currency: r.Currency,
	}
	if no == "" {
		w, no = w.hold(p, at)
	}
	if no != "" {
		if payer.Refusal != reject.WalletNotFound && payer.Refusal != reject.IdentityMismatch {
			t.Wallet = payer.Wallet.ID
		}
		t.Status, t.Failure = Failed, no
		return Change{Transaction: t, Type: journal.Failed, Amount: r.Amount}
	}
	t.Wallet = w.ID
	if r.Course != nil || w.Approval.Asks(r.Amount) {
		return r.pending(t, at)
	}
	t.Status = Success
	t.Authorized, t.ExpiresAt = r.Amount, at+r.HoldMicros
	return Change{
		Transaction: t, Wallet: w, Found: true, Type: journal.Authorized,
		Amount: r.Amount, Posting: p, Balance: w.Account.Running(),
	}
}

// hold reserves the posting's amount on the wallet; refusals in order of precedence.
func (w Wallet) hold(p ledger.Posting, at int64) (Wallet, reject.Reason) {
	if w.Condition == Blocked {
		return w, reject.WalletBlocked
	}
	if w.exceeds(p.Amount, at) {
		return w, reject.LimitExceeded
	}
	account, no := w.Account.Debit(p)
	if no != "" {
		return w, no
	}
	w.Account = account
	return w.spend(p.Amount, at), ""
}

// Capture makes amount of what is held final: the merchant is owed it. The rest stays held.
func Capture(t Transaction, w Wallet, amount, at int64) (Change, reject.Reason) {
	at = t.notBefore(at)
	if no := t.held(amount, at); no != "" {
		return Change{}, no
	}
	t.Captured += amount
	return settle(t, w, step{journal.Captured, ledger.Settle, amount, at})
}

// Cancel gives up amount of what is held. Of a transaction that waits for the wallet's owner it can give up
// the whole, and then nobody is asked any more.
func Cancel(t Transaction, w Wallet, amount, at int64) (Change, reject.Reason) {
	at = t.notBefore(at)
	if t.Status == New && amount == t.Amount && !t.LapsedAt(at) {
		return t.fail(reject.CanceledByMerchant, at), ""
	}
	if no := t.held(amount, at); no != "" {
		return Change{}, no
	}
	t.Canceled += amount
	return settle(t, w.unspend(amount, t.CreatedAt, at), step{journal.Canceled, ledger.Release, amount, at})
}

// Expire releases what remains of a hold whose time has come. It refuses with NothingRemaining when
// there is nothing to release (also when somebody else already did) and changes nothing before its time.
func Expire(t Transaction, w Wallet, at int64) (Change, reject.Reason) {
	at = t.notBefore(at)
	rest := t.Remaining()
	if t.Status != Success || rest == 0 || !t.LapsedAt(at) {
		return Change{}, reject.NothingRemaining
	}
	t.Expired += rest
	return settle(t, w.unspend(rest, t.CreatedAt, at), step{journal.Expired, ledger.Release, rest, at})
}

// Refund gives captured money back to the wallet. It never asks what the merchant's balance is, and a
// blocked wallet can still be refunded to.
func Refund(t Transaction, w Wallet, amount, at int64) (Change, reject.Reason) {
	at = t.notBefore(at)
	if no := t.undecided(at); no != "" {
		return Change{}, no
	}
	if t.Captured == 0 {
		return Change{}, reject.NothingCaptured
	}
	if amount > t.Refundable() {
		return Change{}, reject.AmountExceedsCaptured
	}
	p := ledger.Posting{
		Move: ledger.Post, Debit: ledger.Payable(t.Merchant, t.Currency), Credit: w.ID,
		Amount: amount, Currency: t.Currency,
	}
	account, no := w.Account.Credit(p)
	if no != "" {
		return Change{}, no
	}
	w.Account = account
	t.Refunded += amount
	return t.changed(w, step{journal.Refunded, p.Move, amount, at}, p), ""
}

// step is one part of an operation that every Change needs.
type step struct {
	kind   journal.Type
	move   ledger.Move
	amount int64
	at     int64
}

// settle applies a posting from the wallet to the merchant's payable.
func settle(t Transaction, w Wallet, s step) (Change, reject.Reason) {
	p := ledger.Posting{
		Move: s.move, Debit: w.ID, Credit: ledger.Payable(t.Merchant, t.Currency),
		Amount: s.amount, Currency: t.Currency,
	}
	account, no := w.Account.Debit(p)
	if no != "" {
		return Change{}, no
	}
	w.Account = account
	return t.changed(w, s, p), ""
}

// notBefore returns the time at which something happens to the transaction. Time never runs backwards
// within one transaction, whatever the clocks of the processes say: a hold that one process saw lapse is
// not captured by another whose clock is behind (rule V15).
func (t Transaction) notBefore(at int64) int64 { return max(t.UpdatedAt, at) }

// changed completes a Change: one more record of the transaction.
func (t Transaction) changed(w Wallet, s step, p ledger.Posting) Change {
	t.Sequence++
	t.UpdatedAt = s.at
	return Change{
		Transaction: t, Wallet: w, Found: true, Type: s.kind,
		Amount: s.amount, Posting: p, Balance: w.Account.Running(),
	}
}
