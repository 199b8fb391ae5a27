package wallet

import (
	"strconv"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/reject"
)

// Approval says which authorizations the wallet's owner must approve: the smallest amount that does, in
// minor units. 0 is none of them.
type Approval int64

// The two ends. ApprovalAbove makes what lies between.
const (
	Auto  Approval = 0 // the wallet decides by itself
	Owner Approval = 1 // every amount waits for the owner
)

// ApprovalAbove asks the owner about every amount above n minor units; n is from 0, which is Owner, to one
// less than the largest int64.
func ApprovalAbove(n int64) Approval { return Approval(n + 1) }

// Asks reports whether an amount waits for the owner.
func (a Approval) Asks(amount int64) bool { return a > 0 && amount >= int64(a) }

// Above returns the largest amount that does not wait, and false when none does.
func (a Approval) Above() (n int64, asks bool) { return int64(a) - 1, a > 0 }

// String says it as staff do: auto, owner, or owner above N.
func (a Approval) String() string {
	switch a {
	case Auto:
		return "auto"
	case Owner:
		return "owner"
	}
	return "owner above " + strconv.FormatInt(int64(a)-1, 10)
}

// Course is how a transaction goes when the sandbox, and not the wallet, says so. The wallet must still be
// able to pay.
type Course struct {
	// Status is New for one that waits for its owner whatever the wallet says, Processing for one that is
	// decided AfterMicros later, and Failed for one that is refused at once with Failure.
	Status      Status
	AfterMicros int64
	// Failure is one of the reasons for which a wallet refuses an authorize. What a Processing one comes to is
	// not WalletNotFound or IdentityMismatch, which are known at once; "" lets the wallet decide when the time
	// has come.
	Failure reject.Reason
}

// Refusal returns why the transaction is refused at once, or "". A course that no wallet could take is a
// mistake of ours and panics.
func (c *Course) Refusal() reject.Reason {
	nobody := c.Failure == reject.WalletNotFound || c.Failure == reject.IdentityMismatch
	wallets := nobody || c.Failure == reject.WalletBlocked || c.Failure == reject.LimitExceeded ||
		c.Failure == reject.InsufficientFunds
	switch {
	case c.Status == Failed && wallets:
		return c.Failure
	case c.Status == New && c.Failure == "",
		c.Status == Processing && c.AfterMicros >= 0 && (c.Failure == "" || wallets && !nobody):
		return ""
	}
	panic("wallet: a course that no wallet could take")
}

// pending is a transaction that is payable and not decided yet. Nothing is held: a request that the owner
// has not seen must not be able to lock the owner's money. While it is PROCESSING, Failure is what it will
// come to, and ExpiresAt when it is due.
func (r Request) pending(t Transaction, at int64) Change {
	kind := journal.Created
	t.Status, t.ExpiresAt = New, at+r.ApprovalMicros
	if c := r.Course; c != nil && c.Status == Processing {
		kind = journal.Processing
		t.Status, t.ExpiresAt, t.Failure = Processing, at+c.AfterMicros, c.Failure
	}
	return Change{Transaction: t, Type: kind, Amount: t.Amount}
}

// Approve is the owner's yes to a transaction that is NEW: it becomes PROCESSING, and Complete decides it.
// One that was approved before is left as it is: the Change is zero. After its time the answer is
// ApprovalExpired, whether or not Lapse has run.
func Approve(t Transaction, at int64) (Change, reject.Reason) {
	at = t.notBefore(at)
	if t.Status == Processing || t.Status == Success {
		return Change{}, ""
	}
	if no := t.closed(at); no != "" {
		return Change{}, no
	}
	t.Status, t.ExpiresAt = Processing, at
	return t.noted(journal.Approved, at), ""
}

// Decline is the owner's no to a transaction that is NEW: it becomes FAILED. One that was declined before is
// left as it is: the Change is zero. What was approved cannot be declined any more.
func Decline(t Transaction, at int64) (Change, reject.Reason) {
	at = t.notBefore(at)
	switch {
	case t.Status == Processing || t.Status == Success:
		return Change{}, reject.AlreadyDecided
	case t.Status == Failed && t.Failure == reject.DeclinedByOwner:
		return Change{}, ""
	}
	if no := t.closed(at); no != "" {
		return Change{}, no
	}
	return t.fail(reject.DeclinedByOwner, at), ""
}

// closed says why the owner cannot answer any more.
func (t Transaction) closed(at int64) reject.Reason {
	switch {
	case t.Status == New && t.LapsedAt(at), t.Failure == reject.ApprovalExpired:
		return reject.ApprovalExpired
	case t.Status == Failed:
		return reject.TransactionFailed
	}
	return ""
}

// Lapse fails a transaction that is NEW and whose owner has not answered in time. It changes nothing before
// that time, nor what somebody else decided.
func Lapse(t Transaction, at int64) (Change, reject.Reason) {
	at = t.notBefore(at)
	if t.Status != New || !t.LapsedAt(at) {
		return Change{}, t.settled()
	}
	return t.fail(reject.ApprovalExpired, at), ""
}

// Complete decides a transaction that is PROCESSING and due: the hold is placed now, by the rules that hold
// for any authorization, and lives for holdMicros from now; or it fails with the reason why not. It changes
// nothing before its time, nor what somebody else decided.
func Complete(t Transaction, w Wallet, holdMicros, at int64) (Change, reject.Reason) {
	at = t.notBefore(at)
	if t.Status != Processing || !t.LapsedAt(at) {
		return Change{}, t.settled()
	}
	p := ledger.Posting{
		Move: ledger.Hold, Debit: w.ID, Credit: ledger.Payable(t.Merchant, t.Currency),
		Amount: t.Amount, Currency: t.Currency,
	}
	no := t.Failure
	if no == "" {
		w, no = w.hold(p, at)
	}
	if no != "" {
		return t.fail(no, at), ""
	}
	t.Status, t.Authorized, t.ExpiresAt = Success, t.Amount, at+holdMicros
	return t.changed(w, step{journal.Authorized, p.Move, t.Amount, at}, p), ""
}

// settled says why there is nothing to decide about a transaction now.
func (t Transaction) settled() reject.Reason {
	switch t.Status {
	case Failed:
		return reject.TransactionFailed
	case Success:
		return reject.AlreadyDecided
	}
	return reject.TransactionPending
}

// fail ends a transaction that was not decided.
func (t Transaction) fail(no reject.Reason, at int64) Change {
	t.Status, t.Failure, t.ExpiresAt = Failed, no, 0
	return t.noted(journal.Failed, at)
}

// noted completes a Change that moves no money: one more record of the transaction.
func (t Transaction) noted(kind journal.Type, at int64) Change {
	t.Sequence++
	t.UpdatedAt = at
	return Change{Transaction: t, Type: kind, Amount: t.Amount}
}
