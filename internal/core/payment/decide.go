package payment

import (
	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/reject"
)

// Change is what a decision does: the payment as it becomes, and what else changes with it.
type Change struct {
	Payment   Payment
	Operation Operation // as it becomes; its ID is "" when none is concerned
	Other     Payment   // the refund, or the first of the series, as it becomes; its ID is "" when none is
	Entries   []Entry   // what the journal says, in order
	// Contradicts is set when an answer was not believed: it changed nothing but the operation's count.
	Contradicts bool
}

// Entry is one record of the journal.
type Entry struct {
	Of      Payment // as it is after the record
	Type    journal.Type
	Amount  int64
	Posting ledger.Posting // zero when no money moves
	Ours    bool           // concerns the platform's books only: no event for the merchant
}

// note makes the payment's next record.
func (p *Payment) note(kind journal.Type, amount, at int64) Entry {
	p.Sequence++
	p.UpdatedAt = at
	return Entry{Of: *p, Type: kind, Amount: amount}
}

// moves completes an entry with its posting; nothing moves when the amount is 0.
func (e Entry) moves(m ledger.Move, debit, credit string) Entry {
	if e.Amount > 0 {
		e.Posting = ledger.Posting{
			Move: m, Debit: debit, Credit: credit, Amount: e.Amount, Currency: e.Of.Currency,
		}
	}
	return e
}

// receivable is what the payment's acquirer owes us.
func (p Payment) receivable() string { return ledger.Receivable(p.Connector, p.Currency) }

// payable is what we owe the payment's merchant.
func (p Payment) payable() string { return ledger.Payable(p.Merchant, p.Currency) }

// notBefore returns the time at which something happens to the payment: never before what happened to it
// last, whatever the clocks of the processes say (rule V15).
func (p Payment) notBefore(at int64) int64 { return max(p.UpdatedAt, at) }

// intend writes down what the acquirer is about to be asked for.
func (p *Payment) intend(verb Verb, id string, amount, at int64) Operation {
	p.Operations++
	p.Open++
	p.UpdatedAt = at
	*p.inFlight(verb) += amount
	return Operation{
		ID: id, Payment: p.ID, Book: p.Book, Number: p.Operations, Verb: verb, Amount: amount, State: Sent,
		NextCheckAt: at + answerMicros, CreatedAt: at, UpdatedAt: at,
	}
}

// inFlight is the counter of what a verb has under way.
func (p *Payment) inFlight(verb Verb) *int64 {
	switch verb {
	case Authorize:
		return &p.Authorizing
	case Capture:
		return &p.Capturing
	case Cancel:
		return &p.Releasing
	case Refund:
		return &p.Refunding
	}
	panic("payment: an unknown verb")
}

// Begin makes a payment. With authenticate the payer goes through 3-D Secure first, and Authenticated asks
// the bank; without, operation is the authorization to send. AmountOutOfRange: the amount is none, or above
// MaxAmount.
func Begin(f Facts, operation string, authenticate bool, at int64) (Change, reject.Reason) {
	if (f.Amount <= 0) != (f.Kind == Verification) || f.Amount < 0 || f.Amount > MaxAmount {
		return Change{}, reject.AmountOutOfRange
	}
	switch f.Kind {
	case RefundOf:
		panic("payment: a refund is asked for, not begun")
	case Sale:
		f.ClearMicros = 0
	}
	p := Payment{Facts: f, Book: journal.BookOf(f.ID), Stage: Opened, CreatedAt: at}
	c := Change{Entries: []Entry{p.note(journal.Created, f.Amount, at)}}
	if authenticate {
		p.Stage, p.AuthenticateBy = Challenged, at+AuthenticationMicros
	} else {
		c.Operation = p.intend(Authorize, operation, f.Amount, at)
	}
	c.Payment = p
	return c, ""
}

// Series says whether a payment may follow initial, the first one of its series, now: MandateNotFound,
// MandateExpired, or MandateNotDue when the last one was too short a time ago, or is under way.
func Series(initial Payment, at int64) reject.Reason {
	r := initial.Recurring
	switch {
	case r.Type != Initial || initial.Stage != Approved:
		return reject.MandateNotFound
	case r.ExpiresAt > 0 && at >= r.ExpiresAt:
		return reject.MandateExpired
	case initial.RecurredAt > 0 && at < initial.RecurredAt+r.Frequency*day:
		return reject.MandateNotDue
	}
	return ""
}

// Recur completes the change that begins a payment which follows initial. The time for the next one counts
// from now, or two that are begun at once, or one beside one whose outcome is not known, would both be taken;
// where this one comes to nothing it counts again from what it did before, which the payment keeps for that.
func (c Change) Recur(initial Payment) Change {
	if initial.Recurring.Frequency > 0 {
		c.Payment.RecurredAt = initial.RecurredAt
		initial.RecurredAt = max(initial.RecurredAt, c.Payment.CreatedAt)
		c.Other = initial
	}
	return c
}

// unrecur takes Recur back, unless a later one counts.
func (c Change) unrecur(initial Payment) Change {
	if initial.Recurring.Frequency > 0 && initial.RecurredAt == c.Payment.CreatedAt {
		initial.RecurredAt = c.Payment.RecurredAt
		c.Other = initial
	}
	return c
}

// Verdict is what 3-D Secure said of the payer.
type Verdict string

// The verdicts.
const (
	Passed  Verdict = "passed"  // authenticated
	Skipped Verdict = "skipped" // not enrolled, or not available: goes on, at the merchant's risk
	Denied  Verdict = "denied"  // the payer or the bank said no
	Broken  Verdict = "broken"  // a technical failure
)

// Authenticated ends 3-D Secure: the bank is asked next with the operation of the given id, or the payment is
// over. After that it changes nothing: AlreadyDecided.
func Authenticated(p Payment, v Verdict, eci, operation string, at int64) (Change, reject.Reason) {
	at = p.notBefore(at)
	if p.AuthenticateBy == 0 {
		return Change{}, reject.AlreadyDecided
	}
	p.AuthenticateBy, p.ECI, p.Secure3D = 0, eci, v == Passed
	switch v {
	case Passed, Skipped:
		o := p.intend(Authorize, operation, p.Amount, at)
		return Change{Payment: p, Operation: o}, ""
	case Denied:
		return p.end(Rejected, reject.AuthenticationFailed, at), ""
	case Broken:
		return p.end(Failed, reject.AuthenticationUnavailable, at), ""
	}
	panic("payment: an unknown verdict")
}

// Abandon ends a payment without its 3-D Secure: it failed when the payer never came back, and is rejected,
// as after any no of the payer's, when the payer has given it up (early). It changes nothing before the time
// for it, nor once the payer came back: TransactionPending, AlreadyDecided.
func Abandon(p Payment, early bool, at int64) (Change, reject.Reason) {
	at = p.notBefore(at)
	switch {
	case p.AuthenticateBy == 0:
		return Change{}, reject.AlreadyDecided
	case !early && at < p.AuthenticateBy:
		return Change{}, reject.TransactionPending
	}
	p.AuthenticateBy = 0
	if early {
		return p.end(Rejected, reject.AuthenticationCancelled, at), ""
	}
	return p.end(Failed, reject.AuthenticationAbandoned, at), ""
}

// end ends a payment that was never authorized.
func (p Payment) end(s Stage, why reject.Reason, at int64) Change {
	p.Stage, p.Failure, p.ProcessedAt = s, why, at
	kind := journal.Rejected
	if s == Failed {
		kind = journal.Failed
	}
	e := p.note(kind, p.Amount, at)
	return Change{Payment: p, Entries: []Entry{e}}
}

// Ask is what a merchant, or the clock, asks of an authorized payment.
type Ask struct {
	Operation string // id of the operation
	Amount    int64  // minor units; 0 for all there is
}

// closed refuses what may only be asked of an authorized payment. While the outcome of one operation is
// unknown there is no second one: the acquirer is asked after the first.
func (p Payment) closed() reject.Reason {
	switch {
	case p.Stage == Rejected || p.Stage == Failed:
		return reject.TransactionFailed
	case p.Stage != Approved:
		return reject.TransactionPending
	case p.Unknown > 0:
		return reject.OperationPending
	}
	return ""
}

// held finds the amount of a capture or a cancel (rule V2). Refusals in order of precedence.
func (p Payment) held(amount int64) (int64, reject.Reason) {
	if no := p.closed(); no != "" {
		return 0, no
	}
	free := p.Free()
	switch {
	case free == 0 && p.Remaining() > 0:
		return 0, reject.OperationPending
	case free == 0:
		return 0, reject.NothingRemaining
	case amount > free:
		return 0, reject.AmountExceedsRemaining
	case amount == 0:
		return free, ""
	}
	return amount, ""
}

// AskCapture means to capture an amount of what is held.
func AskCapture(p Payment, a Ask, at int64) (Change, reject.Reason) { return p.ask(Capture, a, at) }

// AskCancel means to give up an amount of what is held.
func AskCancel(p Payment, a Ask, at int64) (Change, reject.Reason) { return p.ask(Cancel, a, at) }

func (p Payment) ask(verb Verb, a Ask, at int64) (Change, reject.Reason) {
	amount, no := p.held(a.Amount)
	if no != "" {
		return Change{}, no
	}
	o := p.intend(verb, a.Operation, amount, p.notBefore(at))
	return Change{Payment: p, Operation: o}, ""
}

// Clear means to capture what is still held because its time has come. Before that, or when something is
// under way, it changes nothing: NothingRemaining, OperationPending.
func Clear(p Payment, operation string, at int64) (Change, reject.Reason) {
	at = p.notBefore(at)
	if p.ClearAt == 0 || at < p.ClearAt {
		return Change{}, reject.NothingRemaining
	}
	return p.ask(Capture, Ask{Operation: operation}, at)
}

// Returning is what a refund says of itself. What is "" is as in the payment that it gives back of.
type Returning struct {
	ID          string // of the refund, a bare UUIDv7
	Reference   string // order reference
	Description string
}

// AskRefund means to give back an amount of what was captured. The refund is a payment of its own.
func AskRefund(p Payment, r Returning, a Ask, at int64) (Change, reject.Reason) {
	at = p.notBefore(at)
	if no := p.closed(); no != "" {
		return Change{}, no
	}
	free := p.Balance() - p.Refunding
	switch {
	case p.Captured == 0:
		return Change{}, reject.NothingCaptured
	case free == 0 && p.Refunding > 0:
		return Change{}, reject.OperationPending
	case free == 0:
		return Change{}, reject.AlreadyRefunded
	case a.Amount > free:
		return Change{}, reject.AmountExceedsCaptured
	case a.Amount == 0:
		a.Amount = free
	}
	f := p.Facts
	f.ID, f.Parent, f.Kind, f.Amount, f.Recurring = r.ID, p.ID, RefundOf, a.Amount, Recurring{}
	if r.Reference != "" {
		f.OrderReference = r.Reference
	}
	if r.Description != "" {
		f.Description = r.Description
	}
	refund := Payment{
		Facts: f, Book: journal.BookOf(f.ID), Stage: Opened, CreatedAt: at, UpdatedAt: at,
	}
	o := p.intend(Refund, a.Operation, a.Amount, at)
	o.Refund = refund.ID
	return Change{Payment: p, Operation: o, Other: refund}, ""
}
