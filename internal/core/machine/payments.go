package machine

import (
	"plexy/internal/core/journal"
	"plexy/internal/core/link"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
)

// pay decides about payments.
func pay(s *State, at Stamp, in Instruction) Outcome {
	switch c := in.Command.(type) {
	case BeginPayment:
		return begin(s, at, in, c)
	case Authenticated:
		return authenticated(s, at, in, c)
	case Abandon:
		p, ok := s.Payments[c.Payment]
		if !ok {
			return Outcome{Reason: reject.PaymentNotFound}
		}
		change, no := payment.Abandon(p, c.Early, at.At)
		return s.finishPayment(in, p, change, no)
	case AskCapture:
		return modify(s, at, in, c.Modification, payment.AskCapture)
	case AskCancel:
		return modify(s, at, in, c.Modification, payment.AskCancel)
	case AskRefund:
		return modify(s, at, in, c.Modification,
			func(p payment.Payment, a payment.Ask, at int64) (payment.Change, reject.Reason) {
				return payment.AskRefund(p, c.Returning, a, at)
			})
	case ClearPayment:
		p, ok := s.Payments[c.Payment]
		if !ok {
			return Outcome{Reason: reject.PaymentNotFound}
		}
		change, no := payment.Clear(p, c.Operation, at.At)
		return s.finishPayment(in, p, change, no)
	case RecordAnswer:
		return recordAnswer(s, at, in, c)
	case SettleOperation:
		return settleOperation(s, at, in, c)
	case PutOff:
		return putOff(s, at, in, c)
	case RecordSettlement:
		p, ok := s.Payments[c.Payment]
		if !ok {
			return Outcome{Reason: reject.PaymentNotFound}
		}
		change, no := payment.Settle(p, c.Amount, c.Fee, at.At)
		return s.finishPayment(in, p, change, no)
	case FailRefund:
		return failRefund(s, at, in, c)
	}
	panic("machine: a command that pay does not know")
}

func begin(s *State, at Stamp, in Instruction, c BeginPayment) Outcome {
	f := c.Facts
	var l link.Link
	if f.Link != "" {
		var ok bool
		if l, ok = s.Links[f.Link]; !ok || l.Merchant != f.Merchant {
			return Outcome{Reason: reject.LinkNotFound}
		}
		next, no := link.Begin(l, f.ID, at.At)
		if no != "" {
			return Outcome{Reason: no, Pay: &Pay{Link: l}}
		}
		l = next
		f.Amount, f.Currency, f.AutoClearing = l.Amount, l.Currency, l.AutoClearing
		f.Description = l.Description
		if l.OrderReference != "" {
			f.OrderReference = l.OrderReference
		}
	}
	var initial payment.Payment
	if f.Recurring.Type == payment.Unscheduled {
		var ok bool
		initial, ok = s.Payments[f.Parent]
		if !ok || initial.Merchant != f.Merchant {
			return Outcome{Reason: reject.PaymentNotFound}
		}
		if no := payment.Series(initial, at.At); no != "" {
			return Outcome{Reason: no, Pay: &Pay{Payment: initial}}
		}
	}
	change, no := payment.Begin(f, c.Operation, c.Authenticate, at.At)
	if no == "" && l.ID != "" {
		s.putLink(l)
	}
	if no == "" && initial.ID != "" {
		change = change.Recur(initial)
	}
	return s.finishPayment(in, payment.Payment{}, change, no)
}

func authenticated(s *State, at Stamp, in Instruction, c Authenticated) Outcome {
	p, ok := s.Payments[c.Payment]
	if !ok {
		return Outcome{Reason: reject.PaymentNotFound}
	}
	change, no := payment.Authenticated(p, c.Verdict, c.ECI, c.Operation, at.At)
	return s.finishPayment(in, p, change, no)
}

type modification func(payment.Payment, payment.Ask, int64) (payment.Change, reject.Reason)

func modify(s *State, at Stamp, in Instruction, m Modification, ask modification) Outcome {
	p, ok := s.Payments[m.Payment]
	if !ok || p.Merchant != m.Merchant {
		return Outcome{Reason: reject.PaymentNotFound}
	}
	change, no := ask(p, payment.Ask{Operation: m.Operation, Amount: m.Amount}, at.At)
	return s.finishPayment(in, p, change, no)
}

// attempted finds what an Attempt names.
func (s *State) attempted(a Attempt) (payment.Payment, payment.Operation, bool) {
	p, ok := s.Payments[a.Payment]
	o, known := s.Operations[a.Operation]
	return p, o, ok && known && o.Payment == p.ID
}

func recordAnswer(s *State, at Stamp, in Instruction, c RecordAnswer) Outcome {
	p, o, ok := s.attempted(c.Attempt)
	if !ok {
		return Outcome{Reason: reject.PaymentNotFound}
	}
	other := s.answered(p, o)
	change := payment.Record(p, o, other, c.Answer, at.At)
	if change.Contradicts && o.Contradictions == 0 && c.Audit != "" {
		s.audit(at, By{ID: c.Audit, Actor: "acquirer:" + p.Connector}, Audit{
			Action: "payment.contradiction", Object: o.ID,
			Before: string(o.State), After: string(c.Answer.State),
		})
	}
	out := s.finishPayment(in, p, change, "")
	if out.Pay.Operation.ID == "" {
		out.Pay.Operation, out.Pay.Other = o, other
	}
	return out
}

// answered finds what the answer to an operation changes beside its payment.
func (s *State) answered(p payment.Payment, o payment.Operation) payment.Payment {
	want := o.Refund
	if o.Verb == payment.Authorize && p.Recurring.Type == payment.Unscheduled {
		want = p.Parent
	}
	other, loaded := s.Payments[want]
	if want != "" && !loaded {
		panic("machine: an answer without what it changes")
	}
	return other
}

func settleOperation(s *State, at Stamp, in Instruction, c SettleOperation) Outcome {
	p, o, ok := s.attempted(c.Attempt)
	if !ok {
		return Outcome{Reason: reject.PaymentNotFound}
	}
	change, no := payment.SettleByHand(p, o, s.answered(p, o), c.Found, at.At)
	if no == "" && change.Payment.ID != "" {
		after := "state=" + string(change.Operation.State)
		if c.Found.RRN != "" {
			after += " rrn=" + c.Found.RRN
		}
		s.audit(at, c.By, Audit{
			Action: "payment.settle", Object: o.ID, Before: "state=" + string(o.State) + " unknown", After: after,
		})
	}
	out := s.finishPayment(in, p, change, no)
	if out.Pay.Operation.ID == "" {
		out.Pay.Operation = o
	}
	return out
}

func putOff(s *State, at Stamp, in Instruction, c PutOff) Outcome {
	p, o, ok := s.attempted(c.Attempt)
	if !ok {
		return Outcome{Reason: reject.PaymentNotFound}
	}
	if c.Claim && (o.State != payment.Sent || o.Checks != c.Seen) {
		return Outcome{Reason: reject.AlreadyDecided, Pay: &Pay{Payment: p, Operation: o}}
	}
	out := s.finishPayment(in, p, payment.PutOff(p, o, at.At), "")
	if out.Pay.Operation.ID == "" {
		out.Pay.Operation = o
	}
	return out
}

func failRefund(s *State, at Stamp, in Instruction, c FailRefund) Outcome {
	p, ok := s.Payments[c.Payment]
	refund, known := s.Payments[c.Refund]
	if !ok || !known {
		return Outcome{Reason: reject.PaymentNotFound}
	}
	change, no := payment.FailRefund(p, refund, at.At)
	out := s.finishPayment(in, p, change, no)
	if out.Pay.Other.ID == "" {
		out.Pay.Other = refund
	}
	return out
}

// finishPayment puts an accepted change of p into the working set, with the link that it pays or frees. After
// the first lines nothing can refuse.
func (s *State) finishPayment(
	in Instruction, p payment.Payment, c payment.Change, no reject.Reason,
) Outcome {
	if no != "" || c.Payment.ID == "" {
		return Outcome{Reason: no, Pay: &Pay{Payment: p}}
	}
	if _, known := s.Operations[c.Operation.ID]; !known && c.Operation.ID != "" {
		c.Operation.Origin = in.Origin
	}
	done := &Pay{Payment: c.Payment, Operation: c.Operation, Other: c.Other, Contradicts: c.Contradicts}
	if c.Payment != p {
		s.putPayment(c.Payment)
	}
	if c.Operation.ID != "" {
		s.putOperation(c.Operation)
	}
	if c.Other.ID != "" {
		s.putPayment(c.Other)
	}
	if c.Payment.Link != "" && c.Payment.Kind != payment.RefundOf {
		done.Link = s.followLink(p.Stage, c.Payment)
	}
	for _, e := range c.Entries {
		done.Records = append(done.Records, s.enter(e, in.Origin))
	}
	out := Outcome{Pay: done}
	if len(done.Records) > 0 {
		out.Record = done.Records[0]
	}
	return out
}

// followLink makes the payment's link paid or free when the payment was decided.
func (s *State) followLink(was payment.Stage, p payment.Payment) link.Link {
	l, ok := s.Links[p.Link]
	decided := p.Stage != was && p.Stage != payment.Opened && p.Stage != payment.Challenged
	switch {
	case !decided:
		return l
	case !ok:
		panic("machine: a payment was decided without its link")
	case p.Stage == payment.Approved:
		l = link.Pay(l, p.ID, p.UpdatedAt)
	default:
		l = link.Free(l, p.ID, p.UpdatedAt)
	}
	s.putLink(l)
	return l
}

// enter writes the record of an entry. Only a payment's first record has the idempotency key of its request:
// one key has one effect, and of all other effects the operation names it.
func (s *State) enter(e payment.Entry, origin journal.Origin) journal.Record {
	p := e.Of
	r := journal.Record{
		Object: p.ID, Sequence: p.Sequence, Book: p.Book, Type: e.Type, Merchant: p.Merchant,
		At: p.UpdatedAt, Amount: e.Amount, Currency: p.Currency, Posting: e.Posting, Origin: origin,
		After: journal.After{
			State: string(p.Status()), Authorized: p.Authorized, Captured: p.Captured,
			Canceled: p.Released, Refunded: p.Refunded,
		},
	}
	if e.Ours {
		r.Merchant = ""
	}
	if e.Type != journal.Created {
		r.Origin.IdempotencyKey = ""
	}
	s.Changes.Records = append(s.Changes.Records, r)
	return r
}
