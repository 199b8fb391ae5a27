package sim

import (
	"math"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
)

// result is what one command did or why not.
type result struct {
	reason      reject.Reason
	transaction wallet.Transaction
	wallet      wallet.Wallet
	at          int64 // of the record; 0 without one
	again       *reference
}

// step is the model of one instruction: the idempotency key first, then the decision, then the reply.
func (d *draft) step(in machine.Instruction) answer {
	key := machine.ReplyKey{Scope: in.Scope, Key: in.Key}
	if in.Key != "" {
		if k := d.replies.get(key); k != (kept{}) && d.at-k.at < thirtyDays {
			if k.fingerprint != in.Fingerprint {
				return d.say(in, result{reason: reject.IdempotencyKeyReused})
			}
			return answer{status: k.status, body: k.body, replayed: true, rendered: true}
		}
	}
	res := d.command(in)
	if res.again != nil {
		return answer{status: res.again.status, body: res.again.body, replayed: true, rendered: true}
	}
	a := d.say(in, res)
	if f, ok := in.Command.(machine.Fund); ok && f.Reference != "" && res.reason == "" && a.rendered {
		d.references.put(f.Reference, reference{
			direction: f.Direction, wallet: res.wallet.ID, amount: f.Amount, status: a.status, body: a.body,
		})
	}
	if in.Key != "" && (res.reason == "" || refusal(res.reason)) && a.rendered {
		d.replies.put(key, kept{
			fingerprint: in.Fingerprint, status: a.status, body: a.body,
			request: in.Origin.RequestID, at: max(d.at, res.at),
		})
	}
	return a
}

const thirtyDays = 30 * 24 * 3600 * 1_000_000

// refusal reports whether a key keeps this answer: the state or the amount forbids it, not the address.
func refusal(no reject.Reason) bool {
	return no != reject.TransactionNotFound && no != reject.MerchantNotFound && no != reject.WalletNotFound &&
		no != reject.IdentityMismatch && no != reject.WalletBlocked && no != reject.InsufficientFunds &&
		no != reject.ApprovalExpired
}

// say renders the answer with the bytes that the sender must see.
func (d *draft) say(in machine.Instruction, res result) answer {
	a := answer{reason: string(res.reason)}
	if in.Render == nil {
		return a
	}
	a.rendered = true
	a.status, a.body = compose(string(res.reason), res.transaction, res.wallet, stateOf(res.transaction))
	return a
}

func (d *draft) command(in machine.Instruction) result {
	switch c := in.Command.(type) {
	case machine.Authorize:
		return d.authorize(in, c)
	case machine.Capture:
		return d.operate(in, c.Target, journal.Captured)
	case machine.Cancel:
		return d.operate(in, c.Target, journal.Canceled)
	case machine.Refund:
		return d.refund(in, c.Target)
	case machine.Expire:
		return d.expire(in, c)
	case machine.Approve:
		return d.answer(in, c.Owned, true)
	case machine.Decline:
		return d.answer(in, c.Owned, false)
	case machine.Lapse:
		return d.lapse(in, c)
	case machine.Complete:
		return d.complete(in, c)
	case machine.Fund:
		return d.fund(in, c)
	case machine.Open:
		return d.openWallet(c)
	case machine.SetCondition:
		return d.edit(c.Who, c.Currency, func(w *wallet.Wallet) { w.Condition = c.Condition })
	case machine.SetLimits:
		return d.edit(c.Who, c.Currency, func(w *wallet.Wallet) { w.Limits = c.Limits })
	case machine.SetApproval:
		return d.edit(c.Who, c.Currency, func(w *wallet.Wallet) { w.Approval = c.Approval })
	case machine.Rebind:
		return d.rebind(c)
	}
	panic("sim: a command without a model")
}

// payer finds the wallet of a person, or says why not. The wallet is returned even to the wrong phone:
// its book decides where the failed transaction lives.
func (d *draft) payer(who machine.Who, c money.Currency) (wallet.Wallet, reject.Reason) {
	person := d.customers.get(who.IIN[0])
	owner := d.phones.get(who.Phone[0])
	w := wallet.Wallet{}
	if person.id != "" {
		if id := d.holdings.get(machine.Holding{Customer: person.id, Currency: c}); id != "" {
			w = d.wallets.get(id)
		}
	}
	switch {
	case person.id == "" || owner == "" || w.ID == "":
		return w, reject.WalletNotFound
	case owner != person.id:
		return w, reject.IdentityMismatch
	}
	return w, ""
}

func (d *draft) authorize(in machine.Instruction, c machine.Authorize) result {
	terms, known := d.m.terms[c.Merchant]
	if !known {
		return result{reason: reject.MerchantNotFound}
	}
	ref := machine.OrderReference{Merchant: c.Merchant, Reference: c.OrderReference}
	if terms.RejectRepeats && d.taken.get(ref) {
		return result{reason: reject.OrderReferenceExists}
	}
	w, no := d.payer(c.Who, c.Currency)
	t := wallet.Transaction{
		Book: c.Book, Merchant: c.Merchant, Currency: c.Currency, OrderReference: c.OrderReference,
		Amount: c.Amount, Sequence: 1, CreatedAt: d.at, UpdatedAt: d.at,
	}
	if w.ID != "" {
		t.Book = w.Book
	}
	t.ID = c.Stem + bookText(t.Book)
	if c.Course != nil && w.ID != "" {
		no = ""
		if c.Course.Status == wallet.Failed {
			no = c.Course.Failure
		}
	}
	if no != reject.WalletNotFound && no != reject.IdentityMismatch {
		t.Wallet = w.ID
	}
	if no == "" {
		no = afford(&w, c.Amount, d.at)
	}
	if no != "" {
		t.Status, t.Failure = wallet.Failed, no
		d.transactions.put(t.ID, t)
		d.note(in, t, journal.Failed, journal.Record{Amount: c.Amount})
		return result{transaction: t, at: d.at}
	}
	if c.Course != nil || w.Approval > 0 && c.Amount >= int64(w.Approval) {
		return d.asked(in, c, t)
	}
	t.Status, t.Authorized, t.ExpiresAt = wallet.Success, c.Amount, d.at+terms.HoldMicros
	d.taken.put(ref, true)
	d.transactions.put(t.ID, t)
	w = d.post(in, t, w, move{journal.Authorized, ledger.Hold, w.ID, payable(c.Merchant, c.Currency),
		c.Amount})
	return result{transaction: t, wallet: w, at: d.at}
}

// afford asks whether the wallet may spend, and counts it against the day.
func afford(w *wallet.Wallet, amount, at int64) reject.Reason {
	today := almaty(at)
	if w.Spent.Day == today+1 {
		today++ // a clock just behind midnight
	}
	spent := int64(0)
	if w.Spent.Day == today {
		spent = w.Spent.Amount
	}
	t := w.Account.Totals
	switch {
	case w.Condition == wallet.Blocked:
		return reject.WalletBlocked
	case w.Limits.PerTransaction > 0 && amount > w.Limits.PerTransaction:
		return reject.LimitExceeded
	case w.Limits.PerDay > 0 && amount > w.Limits.PerDay-spent:
		return reject.LimitExceeded
	case amount > t.CreditsPosted-t.DebitsPosted-t.DebitsPending:
		return reject.InsufficientFunds
	}
	w.Spent = wallet.Spent{Day: today, Amount: spent + amount}
	return ""
}

// almaty is the calendar day in Kazakhstan, five hours ahead of UTC.
func almaty(at int64) int64 { return (at/1_000_000 + 5*3600) / 86_400 }

// giveBack returns to the day's limit what was held today and is released today.
func (d *draft) giveBack(w *wallet.Wallet, amount, heldAt, at int64) {
	today := almaty(at)
	if w.Spent.Day == today && almaty(heldAt) == today {
		w.Spent.Amount = max(0, w.Spent.Amount-amount)
	}
}

// operate captures or cancels.
func (d *draft) operate(in machine.Instruction, target machine.Target, kind journal.Type) result {
	t := d.transactions.get(target.ID)
	if t.ID == "" || t.Merchant != target.Merchant {
		return result{reason: reject.TransactionNotFound}
	}
	at := max(d.at, t.UpdatedAt)
	rest := held(t)
	switch {
	case t.Status == wallet.Failed, t.Status == wallet.New && late(t, at):
		return result{reason: reject.TransactionFailed, transaction: t}
	case t.Status == wallet.New && kind == journal.Canceled && target.Amount == t.Amount:
		return d.fails(in, t, reject.CanceledByMerchant)
	case waits(t):
		return result{reason: reject.TransactionPending, transaction: t}
	case t.Expired > 0 || rest > 0 && at >= t.ExpiresAt:
		return result{reason: reject.HoldExpired, transaction: t}
	case rest == 0:
		return result{reason: reject.NothingRemaining, transaction: t}
	case target.Amount > rest:
		return result{reason: reject.AmountExceedsRemaining, transaction: t}
	}
	w := d.wallets.get(t.Wallet)
	m := move{kind, ledger.Settle, w.ID, payable(t.Merchant, t.Currency), target.Amount}
	if kind == journal.Captured {
		t.Captured += target.Amount
	} else {
		t.Canceled += target.Amount
		m.move = ledger.Release
		d.giveBack(&w, target.Amount, t.CreatedAt, at)
	}
	return d.changed(in, t, w, m)
}

func (d *draft) refund(in machine.Instruction, target machine.Target) result {
	t := d.transactions.get(target.ID)
	switch {
	case t.ID == "" || t.Merchant != target.Merchant:
		return result{reason: reject.TransactionNotFound}
	case t.Status == wallet.Failed, t.Status == wallet.New && late(t, max(d.at, t.UpdatedAt)):
		return result{reason: reject.TransactionFailed, transaction: t}
	case waits(t):
		return result{reason: reject.TransactionPending, transaction: t}
	case t.Captured == 0:
		return result{reason: reject.NothingCaptured, transaction: t}
	case target.Amount > t.Captured-t.Refunded:
		return result{reason: reject.AmountExceedsCaptured, transaction: t}
	}
	w := d.wallets.get(t.Wallet)
	if target.Amount > math.MaxInt64-w.Account.Totals.CreditsPosted {
		return result{reason: reject.AmountOutOfRange, transaction: t}
	}
	t.Refunded += target.Amount
	return d.changed(in, t, w,
		move{journal.Refunded, ledger.Post, payable(t.Merchant, t.Currency), w.ID, target.Amount})
}

func (d *draft) expire(in machine.Instruction, c machine.Expire) result {
	t := d.transactions.get(c.ID)
	if t.ID == "" {
		return result{reason: reject.TransactionNotFound}
	}
	at := max(d.at, t.UpdatedAt)
	rest := held(t)
	if rest == 0 || at < t.ExpiresAt {
		return result{reason: reject.NothingRemaining, transaction: t}
	}
	w := d.wallets.get(t.Wallet)
	d.giveBack(&w, rest, t.CreatedAt, at)
	t.Expired += rest
	return d.changed(in, t, w,
		move{journal.Expired, ledger.Release, w.ID, payable(t.Merchant, t.Currency), rest})
}

// changed writes a transaction's next record.
func (d *draft) changed(in machine.Instruction, t wallet.Transaction, w wallet.Wallet, m move) result {
	t.Sequence++
	t.UpdatedAt = max(d.at, t.UpdatedAt)
	d.transactions.put(t.ID, t)
	w = d.post(in, t, w, m)
	return result{transaction: t, wallet: w, at: t.UpdatedAt}
}

// move is one posting with the operation that it is.
type move struct {
	kind          journal.Type
	move          ledger.Move
	debit, credit string
	amount        int64
}

// post writes a posting into the wallet and notes the record. t is zero for a wallet's own records.
func (d *draft) post(in machine.Instruction, t wallet.Transaction, w wallet.Wallet, m move) wallet.Wallet {
	p := ledger.Posting{
		Move: m.move, Debit: m.debit, Credit: m.credit, Amount: m.amount, Currency: w.Account.Currency,
	}
	pending, posted := effect(p)
	r := journal.Record{Amount: m.amount, Posting: p, Previous: w.Last}
	w.Account.Version++
	if m.debit == w.ID {
		w.Account.Totals.DebitsPending += pending
		w.Account.Totals.DebitsPosted += posted
		r.Debit = balance(w.Account)
	} else {
		w.Account.Totals.CreditsPending += pending
		w.Account.Totals.CreditsPosted += posted
		r.Credit = balance(w.Account)
	}
	if t.ID == "" {
		w.Sequence++
		r.Object, r.Sequence, r.Book, r.Wallet, r.At = w.ID, w.Sequence, w.Book, w.ID, d.at
		r.After = journal.After{State: string(w.Condition)}
	}
	w.Last = d.noteAs(in, t, m.kind, r, w)
	d.wallets.put(w.ID, w)
	return w
}

// note appends a record about a transaction without an entry.
func (d *draft) note(in machine.Instruction, t wallet.Transaction, kind journal.Type, r journal.Record) {
	d.noteAs(in, t, kind, r, wallet.Wallet{})
}

func (d *draft) noteAs(
	in machine.Instruction, t wallet.Transaction, kind journal.Type, r journal.Record, w wallet.Wallet,
) journal.Ref {
	r.Type, r.Origin, r.Currency = kind, in.Origin, w.Account.Currency
	if t.ID != "" {
		r.Object, r.Sequence, r.Book, r.Merchant = t.ID, t.Sequence, t.Book, t.Merchant
		r.Wallet, r.At, r.Currency = t.Wallet, t.UpdatedAt, t.Currency
		r.After = journal.After{
			State: stateOf(t), Authorized: t.Authorized, Captured: t.Captured, Canceled: t.Canceled,
			Expired: t.Expired, Refunded: t.Refunded,
		}
	}
	if f, ok := in.Command.(machine.Fund); ok && r.Origin.IdempotencyKey == "" {
		r.Origin.IdempotencyKey = f.Reference
	}
	d.records = append(d.records, r)
	return journal.Ref{Object: r.Object, Sequence: r.Sequence}
}

func (d *draft) fund(in machine.Instruction, c machine.Fund) result {
	if was := d.references.get(c.Reference); c.Reference != "" && was != (reference{}) {
		w, no := d.payer(c.Who, c.Currency)
		if no != "" || was.wallet != w.ID || was.amount != c.Amount || was.direction != c.Direction {
			return result{reason: reject.ReferenceReused}
		}
		return result{wallet: w, again: &was}
	}
	w, no := d.payer(c.Who, c.Currency)
	if no == reject.WalletNotFound && c.Direction == machine.TopUp {
		w, no = d.opened(c.Who, c.Currency, c.Opening)
	}
	if no != "" {
		return result{reason: no}
	}
	amount, m := c.Amount, move{journal.ToppedUp, ledger.Post, bank(c.Currency), w.ID, c.Amount}
	switch c.Direction {
	case machine.Withdraw:
		amount, m.kind, m.debit, m.credit = -amount, journal.Withdrawn, w.ID, bank(c.Currency)
	case machine.Adjust:
		m.kind, m.debit = journal.Adjusted, adjustments(c.Currency)
		if amount < 0 {
			m.debit, m.credit, m.amount = w.ID, m.debit, -amount
		}
	}
	t := w.Account.Totals
	switch {
	case c.Direction == machine.Withdraw && w.Condition == wallet.Blocked:
		return result{reason: reject.WalletBlocked}
	case amount < 0 && -amount > t.CreditsPosted-t.DebitsPosted-t.DebitsPending:
		return result{reason: reject.InsufficientFunds}
	case amount > 0 && amount > math.MaxInt64-t.CreditsPosted:
		return result{reason: reject.AmountOutOfRange}
	}
	w = d.post(in, wallet.Transaction{}, w, m)
	d.audits++
	return result{wallet: w, at: d.at}
}

// opened opens a wallet for a customer with this phone, known or new.
func (d *draft) opened(who machine.Who, c money.Currency, o machine.Opening) (wallet.Wallet, reject.Reason) {
	person, owner := d.customers.get(who.IIN[0]), d.phones.get(who.Phone[0])
	if owner != person.id {
		return wallet.Wallet{}, reject.IdentityMismatch
	}
	if person.id == "" {
		person = customer{o.Customer.ID, who.Phone[0]}
		d.customers.put(who.IIN[0], person)
		d.phones.put(who.Phone[0], person.id)
	}
	id := o.WalletStem + bookText(o.Book)
	w := wallet.Wallet{
		ID: id, Book: o.Book, Customer: person.id, Condition: wallet.Active, CreatedAt: d.at,
		Account: ledger.Account{ID: id, Book: o.Book, Currency: c, Capped: true},
	}
	d.holdings.put(machine.Holding{Customer: person.id, Currency: c}, id)
	d.wallets.put(id, w)
	return w, ""
}

func (d *draft) openWallet(c machine.Open) result {
	w, no := d.payer(c.Who, c.Currency)
	if no == reject.WalletNotFound {
		if w, no = d.opened(c.Who, c.Currency, c.Opening); no == "" {
			d.audits++
		}
	}
	return result{reason: no, wallet: w}
}

// edit changes what is not money about a wallet.
func (d *draft) edit(who machine.Who, c money.Currency, change func(*wallet.Wallet)) result {
	w, no := d.payer(who, c)
	if no != "" {
		return result{reason: no}
	}
	change(&w)
	d.wallets.put(w.ID, w)
	d.audits++
	return result{wallet: w}
}

func (d *draft) rebind(c machine.Rebind) result {
	person, owner := d.customers.get(c.Who.IIN[0]), d.phones.get(c.Who.Phone[0])
	switch {
	case person.id == "" || person.id != c.Customer:
		return result{reason: reject.WalletNotFound}
	case owner == person.id:
		return result{}
	case owner != "":
		return result{reason: reject.PhoneTaken}
	}
	if d.phones.get(person.phone) == person.id {
		d.phones.put(person.phone, "")
	}
	person.phone = c.Who.Phone[0]
	d.customers.put(c.Who.IIN[0], person)
	d.phones.put(person.phone, person.id)
	d.audits++
	return result{}
}
