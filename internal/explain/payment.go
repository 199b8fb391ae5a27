package explain

import (
	"context"
	"errors"
	"fmt"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/payment"
	"plexy/internal/storage"
)

// PaymentSource is where the story of a card payment is read from.
type PaymentSource interface {
	Source
	storage.Payments
}

// PaymentStory is everything that belongs to one card payment. What its acquirer was asked for and did not do
// left no step, and is among the operations.
type PaymentStory struct {
	Payment payment.Payment
	Steps   []Step
	// Operations are what the acquirer was asked for it, in order; of a refund the one that made it.
	Operations []payment.Operation
}

// readings bounds how often a payment is read that changes while it is read.
const readings = 5

// OfPayment reads the story of the merchant's card payment; storage.ErrNotFound when it has no such one.
func OfPayment(ctx context.Context, from PaymentSource, merchant, id string) (PaymentStory, error) {
	for n := 1; ; n++ {
		s, err := readPayment(ctx, from, merchant, id)
		if err != nil || n == readings {
			return s, err
		}
		now, err := from.Payment(ctx, merchant, id)
		if err != nil || now == s.Payment {
			return s, err
		}
	}
}

func readPayment(ctx context.Context, from PaymentSource, merchant, id string) (s PaymentStory, err error) {
	if s.Payment, err = from.Payment(ctx, merchant, id); err != nil {
		return s, err
	}
	asked := id
	if s.Payment.Kind == payment.RefundOf {
		asked = s.Payment.Parent
	}
	operations, err := from.OperationsOf(ctx, asked)
	if err != nil {
		return s, err
	}
	for _, o := range operations {
		if asked == id || o.Refund == id {
			s.Operations = append(s.Operations, o)
		}
	}
	records, err := from.Operations(ctx, id)
	if err != nil && !errors.Is(err, storage.ErrNotFound) { // a refund that is not accepted has none
		return s, err
	}
	before := journal.After{}
	for _, r := range records {
		if r.Sequence > s.Payment.Sequence {
			break // it happened after the payment was read
		}
		step := Step{Record: r, Before: before}
		before = r.After
		if r.Merchant != "" { // the rest is the platform's, and told to nobody
			if err := step.tell(ctx, from, merchant); err != nil {
				return s, err
			}
		}
		s.Steps = append(s.Steps, step)
	}
	return s, nil
}

// OperationOf returns the operation whose answer made a step; false for a step that no answer made.
func (s PaymentStory) OperationOf(step Step) (payment.Operation, bool) {
	for _, o := range s.Operations {
		onRefund := s.Payment.Kind == payment.RefundOf
		if o.Sequence == step.Record.Sequence && (o.Verb == payment.Refund) == onRefund {
			return o, true
		}
	}
	return payment.Operation{}, false
}

// Check returns why the story is not whole or does not add up, or nil. told says that every step that is the
// merchant's must have the number of its event by now.
func (s PaymentStory) Check(told bool) error {
	p := s.Payment
	if len(s.Steps) == 0 {
		if p.Kind == payment.RefundOf && p.Stage != payment.Approved {
			return s.checkOperations()
		}
		return errors.New("there is no step")
	}
	held, at, number := int64(0), int64(0), int64(0)
	status := payment.Status("")
	if p.Kind == payment.RefundOf {
		status = payment.StatusCreated
	}
	for i, step := range s.Steps {
		r := step.Record
		next := payment.Status(r.After.State)
		switch {
		case r.Object != p.ID || r.Sequence != int64(i)+1:
			return fmt.Errorf("step %d is sequence %d of %s", i+1, r.Sequence, r.Object)
		case r.At < at:
			return fmt.Errorf("step %d happened before the step before it", i+1)
		case r.Merchant != p.Merchant && r.Merchant != "":
			return fmt.Errorf("step %d is another merchant's", i+1)
		case r.Type == journal.Created && r.Origin.RequestID == "":
			return fmt.Errorf("step %d does not say whose request it was", i+1)
		case !payment.MayBecome(status, next):
			return fmt.Errorf("step %d made %q of %q", i+1, next, status)
		case told && r.Merchant != "" && step.Number <= number:
			return fmt.Errorf("step %d is event %d, after event %d", i+1, step.Number, number)
		}
		moved, err := s.moved(step)
		if err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		held, at, number, status = held+moved, r.At, max(number, step.Number), next
		if err := step.attempted(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return errors.Join(s.checkEnd(held), s.checkOperations())
}

// checkEnd compares what the last step left with what the payment is.
func (s PaymentStory) checkEnd(held int64) error {
	p, last := s.Payment, s.Steps[len(s.Steps)-1].Record
	is := journal.After{
		State: string(p.Status()), Authorized: p.Authorized, Captured: p.Captured, Canceled: p.Released,
		Refunded: p.Refunded,
	}
	if p.Status() == payment.Status3D { // going there is no step
		is.State = string(payment.StatusCreated)
	}
	switch {
	case last.Sequence != p.Sequence || last.After != is:
		return fmt.Errorf("the last step left %+v, and the payment is %+v", last.After, is)
	case held != p.Remaining():
		return fmt.Errorf("%d minor units are held by the entries, and %d remain", held, p.Remaining())
	}
	return nil
}

// checkOperations compares what the acquirer was asked for with the payment's counters and steps.
func (s PaymentStory) checkOperations() error {
	p := s.Payment
	done, flight := map[payment.Verb]int64{}, map[payment.Verb]int64{}
	open := int64(0)
	for _, o := range s.Operations {
		switch o.State {
		case payment.Sent:
			flight[o.Verb] += o.Amount
			open++
		case payment.Accepted:
			done[o.Verb] += o.Amount
		}
	}
	if p.Kind == payment.RefundOf {
		if len(s.Operations) != 1 || (done[payment.Refund] == p.Amount) != (len(s.Steps) > 0) {
			return fmt.Errorf("the refund has %d operations and %d steps", len(s.Operations), len(s.Steps))
		}
		return nil
	}
	switch {
	case open != p.Open || flight[payment.Authorize] != p.Authorizing ||
		flight[payment.Capture] != p.Capturing || flight[payment.Cancel] != p.Releasing ||
		flight[payment.Refund] != p.Refunding:
		return fmt.Errorf("%d operations are open, and the payment says %d", open, p.Open)
	case done[payment.Authorize] != p.Authorized || done[payment.Capture] != p.Captured ||
		done[payment.Cancel] != p.Released || done[payment.Refund] < p.Refunded: // refunds may fail later
		return fmt.Errorf("the acquirer did %v, and the payment says otherwise", done)
	}
	return nil
}

// moved checks that the entry of a step, the change of the payment and the operation behind it are the same
// money, and returns by how much what is held grew.
func (s PaymentStory) moved(step Step) (held int64, err error) {
	was, is, r := step.Before, step.Record.After, step.Record
	change := [4]int64{
		is.Authorized - was.Authorized, is.Captured - was.Captured, is.Canceled - was.Canceled,
		is.Refunded - was.Refunded,
	}
	refund := s.Payment.Kind == payment.RefundOf
	want, move := [4]int64{}, ledger.Move("")
	switch r.Type {
	case journal.Authorized:
		want[0], move, held = r.Amount, ledger.Hold, r.Amount
	case journal.Charged:
		want[1], move, held = r.Amount, ledger.Settle, -r.Amount
	case journal.Cancelled:
		want[2], move, held = r.Amount, ledger.Release, -r.Amount
	case journal.Settled, journal.FeeKept:
		move = ledger.Post
	case journal.Refunded, journal.RefundFailed:
		switch {
		case refund:
			move = ledger.Post
		case r.Type == journal.Refunded:
			want[3] = r.Amount
		default:
			want[3] = -r.Amount
		}
	}
	posted := r.Posting
	if r.Amount == 0 {
		move = ""
	}
	switch {
	case change != want:
		return 0, fmt.Errorf("%s of %d changed the payment by %v", r.Type, r.Amount, change)
	case posted.Move != move || move != "" && (posted.Amount != r.Amount || posted.Debit == posted.Credit):
		return 0, fmt.Errorf("the entry moves %d (%s), the step %d", posted.Amount, posted.Move, r.Amount)
	}
	if !answers(r.Type, refund) {
		return held, nil
	}
	if o, ok := s.OperationOf(step); !ok || o.State != payment.Accepted || o.Amount != r.Amount {
		return 0, fmt.Errorf("no operation of %d that the acquirer did is behind it", r.Amount)
	}
	return held, nil
}

// answers reports whether a step of the type is made by an acquirer's yes.
func answers(kind journal.Type, refund bool) bool {
	switch kind {
	case journal.Authorized, journal.Charged, journal.Cancelled:
		return true
	case journal.Refunded:
		return refund
	}
	return false
}
