package payment

import (
	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/reject"
)

// Record settles an operation with the acquirer's answer. other is the refund of a Refund, or the first
// payment of the series that an authorization belongs to. Once an operation is answered no other answer
// changes it, so call, inquiry and callback may come in any order, and again (rule V14): the same answer is
// the zero Change; another one, or one about another amount, is counted and not believed.
func Record(p Payment, o Operation, other Payment, a Answer, at int64) Change {
	at = p.notBefore(at)
	if a.State == Accepted && a.Amount != 0 && a.Amount != o.Amount {
		return doubt(p, o, at)
	}
	if o.State != Sent {
		if a.State == o.State {
			return Change{}
		}
		return doubt(p, o, at)
	}
	p.close(&o, a, at)
	switch o.Verb {
	case Authorize:
		return p.authorized(o, other, a, at)
	case Capture:
		return p.captured(o, at)
	case Cancel:
		return p.canceled(o, at)
	case Refund:
		return p.refunded(o, other, a, at)
	}
	panic("payment: an unknown verb")
}

// SettleByHand settles an operation whose outcome is unknown with what a person found out: RRN is the only
// thing that is known beside the State. What the acquirer says after it is treated as after any answer. It is
// the zero Change when a person settled it so before. AlreadyDecided: it has another outcome, or the acquirer
// settled it; OperationPending: it is only just being asked for.
func SettleByHand(p Payment, o Operation, other Payment, a Answer, at int64) (Change, reject.Reason) {
	switch {
	case o.State != Sent && o.ByHand && o.State == a.State && o.RRN == a.RRN:
		return Change{}, ""
	case o.State != Sent:
		return Change{}, reject.AlreadyDecided
	case !o.Unknown:
		return Change{}, reject.OperationPending
	}
	o.ByHand = true
	return Record(p, o, other, Answer{State: a.State, RRN: a.RRN}, at), ""
}

// doubt counts an answer that is not believed.
func doubt(p Payment, o Operation, at int64) Change {
	o.Contradictions++
	o.UpdatedAt = at
	return Change{Payment: p, Operation: o, Contradicts: true}
}

// close ends the operation.
func (p *Payment) close(o *Operation, a Answer, at int64) {
	if o.Unknown {
		p.Unknown--
	}
	p.Open--
	p.UpdatedAt = at
	*p.inFlight(o.Verb) -= o.Amount
	o.State, o.Unknown, o.NextCheckAt, o.UpdatedAt = a.State, false, 0, at
	o.Code, o.AuthCode, o.RRN = a.Code, a.AuthCode, a.RRN
	o.NetworkReference, o.CVVStatus = a.NetworkReference, a.CVVStatus
}

// refusal says why an operation that was not done was not.
func (a Answer) refusal() (Stage, reject.Reason) {
	switch {
	case a.State == Declined:
		return Rejected, reject.CardDeclined
	case a.Reason != "":
		return Failed, a.Reason
	}
	return Failed, reject.AcquirerUnavailable
}

func (p Payment) authorized(o Operation, initial Payment, a Answer, at int64) Change {
	p.ResponseCode, p.CVVStatus, p.AuthCode, p.RRN = a.Code, a.CVVStatus, a.AuthCode, a.RRN
	p.NetworkReference = a.NetworkReference
	if o.State != Accepted {
		stage, why := a.refusal()
		c := p.end(stage, why, at)
		o.Sequence = c.Payment.Sequence
		c.Operation = o
		return c.unrecur(initial)
	}
	p.Stage, p.Authorized, p.AuthedAt = Approved, o.Amount, at
	if p.Authorized > 0 {
		p.ClearAt = at + p.ClearMicros
	} else {
		p.ProcessedAt = at
	}
	e := p.note(journal.Authorized, o.Amount, at).moves(ledger.Hold, p.receivable(), p.payable())
	o.Sequence = p.Sequence
	c := Change{Payment: p, Operation: o, Entries: []Entry{e}}
	if initial.ID != "" {
		initial.RecurredAt = max(initial.RecurredAt, at)
		c.Other = initial
	}
	return c
}

// put tells what an automatic capture does next after the operation, and whether the payment is done.
func (p *Payment) put(o Operation, at int64) {
	switch {
	case p.Remaining() == 0:
		p.ClearAt = 0
	case o.State != Accepted && o.Verb == Capture && p.ClearAt > 0 && at >= p.ClearAt:
		if p.ClearAt = at + clearingPause; p.ClearAt > p.AuthedAt+longestHold {
			p.ClearAt = 0
		}
	}
	if p.Remaining() == 0 && p.ProcessedAt == 0 {
		p.ProcessedAt = at
	}
}

func (p Payment) captured(o Operation, at int64) Change {
	if o.State != Accepted {
		p.put(o, at)
		return Change{Payment: p, Operation: o}
	}
	p.Captured += o.Amount
	if p.ConfirmedAt == 0 {
		p.ConfirmedAt = at
	}
	p.put(o, at)
	e := p.note(journal.Charged, o.Amount, at).moves(ledger.Settle, p.receivable(), p.payable())
	o.Sequence = p.Sequence
	return Change{Payment: p, Operation: o, Entries: []Entry{e}}
}

func (p Payment) canceled(o Operation, at int64) Change {
	if o.State != Accepted {
		return Change{Payment: p, Operation: o}
	}
	p.Released += o.Amount
	p.put(o, at)
	e := p.note(journal.Cancelled, o.Amount, at).moves(ledger.Release, p.receivable(), p.payable())
	o.Sequence = p.Sequence
	return Change{Payment: p, Operation: o, Entries: []Entry{e}}
}

// refunded ends a refund. The money is on the refund's own record; the payment's says what is left of it. A
// refund that was not accepted leaves no record: nothing happened to the payment.
func (p Payment) refunded(o Operation, refund Payment, a Answer, at int64) Change {
	at = max(at, refund.UpdatedAt)
	refund.ResponseCode, refund.AuthCode, refund.RRN = a.Code, a.AuthCode, a.RRN
	refund.NetworkReference = a.NetworkReference
	refund.UpdatedAt, refund.ProcessedAt = at, at
	if o.State != Accepted {
		refund.Stage, refund.Failure = a.refusal()
		return Change{Payment: p, Operation: o, Other: refund}
	}
	refund.Stage = Approved
	p.Refunded += o.Amount
	first := refund.note(journal.Refunded, o.Amount, at).
		moves(ledger.Post, p.payable(), ledger.RefundTransit(p.Currency))
	second := p.note(journal.Refunded, o.Amount, at)
	o.Sequence = refund.Sequence
	return Change{Payment: p, Operation: o, Other: refund, Entries: []Entry{first, second}}
}

// PutOff notes that an operation's outcome is still not known, and when to ask after it next. It is the zero
// Change for one that is answered.
func PutOff(p Payment, o Operation, at int64) Change {
	at = p.notBefore(at)
	if o.State != Sent {
		return Change{}
	}
	if !o.Unknown {
		o.Unknown, o.UnknownSince = true, at
		p.Unknown++
	}
	o.Checks++
	o.NextCheckAt, o.UpdatedAt = nextCheck(o.Checks, at), at
	p.UpdatedAt = at
	return Change{Payment: p, Operation: o}
}

// Settle notes that the acquirer paid amount out of what was captured, of which it kept fee; of a refund,
// that it kept amount, and fee, from what it paid out. So each line of its account stands alone: it owes what
// was captured and not paid out, whatever it kept for refunds. AmountExceedsCaptured: more than there is
// (rule V12); TransactionPending and TransactionFailed: it was never captured or accepted.
func Settle(p Payment, amount, fee, at int64) (Change, reject.Reason) {
	at = p.notBefore(at)
	most := p.Captured
	if p.Kind == RefundOf {
		most = p.Amount
	}
	switch {
	case p.Stage == Rejected || p.Stage == Failed:
		return Change{}, reject.TransactionFailed
	case p.Stage != Approved:
		return Change{}, reject.TransactionPending
	case amount <= 0 || fee < 0 || fee > amount || amount > most-p.Settled:
		return Change{}, reject.AmountExceedsCaptured
	}
	p.Settled += amount
	var c Change
	bank, fees := ledger.Bank(p.Currency), ledger.AcquirerFee(p.Connector, p.Currency)
	debit, credit, rest := bank, p.receivable(), amount-fee
	if p.Kind == RefundOf {
		debit, credit, rest = ledger.RefundTransit(p.Currency), bank, amount
	}
	if rest > 0 {
		e := p.note(journal.Settled, rest, at)
		c.Entries = append(c.Entries, e.moves(ledger.Post, debit, credit))
	}
	if fee > 0 {
		e := p.note(journal.FeeKept, fee, at)
		c.Entries = append(c.Entries, e.moves(ledger.Post, fees, credit))
	}
	for i := range c.Entries {
		c.Entries[i].Ours = true
	}
	c.Payment = p
	return c, ""
}

// FailRefund takes back a refund that was accepted and failed later: the merchant has its money again. It is
// the zero Change when that was noted before. AlreadyDecided: the acquirer has kept the money.
func FailRefund(p, refund Payment, at int64) (Change, reject.Reason) {
	at = max(p.notBefore(at), refund.UpdatedAt)
	switch {
	case refund.Kind != RefundOf || refund.Parent != p.ID:
		return Change{}, reject.PaymentNotFound
	case refund.Stage == Failed && refund.Failure == reject.RefundFailed:
		return Change{}, ""
	case refund.Stage == Rejected || refund.Stage == Failed:
		return Change{}, reject.TransactionFailed
	case refund.Stage != Approved:
		return Change{}, reject.TransactionPending
	case refund.Settled > 0:
		return Change{}, reject.AlreadyDecided
	}
	refund.Stage, refund.Failure = Failed, reject.RefundFailed
	p.Refunded -= refund.Amount
	first := refund.note(journal.RefundFailed, refund.Amount, at).
		moves(ledger.Post, ledger.RefundTransit(p.Currency), p.payable())
	first.Ours = true // its order's receivers would take a failed transaction for a failed order
	second := p.note(journal.RefundFailed, refund.Amount, at)
	return Change{Payment: p, Other: refund, Entries: []Entry{first, second}}, ""
}
