// Package explain tells the story of one transaction: in order, each request, what it changed, the entry it
// made, the event that told of it, and every attempt to deliver that. It only reads.
package explain

import (
	"context"
	"errors"
	"fmt"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/wallet"
	"plexy/internal/event"
	"plexy/internal/storage"
)

// Source is where the story is read from.
type Source interface {
	storage.Reader
	storage.Outbox
}

// Story is everything that belongs to one transaction. A request that was refused changed nothing and is not
// in it: its answer is kept under its idempotency key.
type Story struct {
	Transaction wallet.Transaction
	Steps       []Step
}

// Step is one change.
type Step struct {
	Record journal.Record // request, entry and what the transaction was after it
	Before journal.After  // what it was before; zero at first
	Number int64          // of the event; 0 while it has none
	Told   []Telling
}

// Telling is one delivery of the step's event.
type Telling struct {
	Delivery event.Delivery
	Attempts []event.Attempt
}

// Of reads the story of the merchant's transaction; storage.ErrNotFound when it has no such one.
func Of(ctx context.Context, from Source, merchant, id string) (Story, error) {
	t, err := from.Transaction(ctx, merchant, id)
	if err != nil {
		return Story{}, err
	}
	records, err := from.Operations(ctx, id)
	if err != nil {
		return Story{}, err
	}
	s := Story{Transaction: t}
	before := journal.After{}
	for _, r := range records {
		if r.Sequence > t.Sequence {
			break // it happened after the transaction was read
		}
		step := Step{Record: r, Before: before}
		before = r.After
		if err := step.tell(ctx, from, merchant); err != nil {
			return Story{}, err
		}
		s.Steps = append(s.Steps, step)
	}
	return s, nil
}

// tell adds who was told of the step.
func (s *Step) tell(ctx context.Context, from Source, merchant string) error {
	ref := journal.Ref{Object: s.Record.Object, Sequence: s.Record.Sequence}
	e, err := from.Event(ctx, merchant, ref)
	if errors.Is(err, storage.ErrNotFound) {
		return nil // a moment after its commit it has no number yet
	}
	if err != nil {
		return err
	}
	s.Number = e.Number
	deliveries, err := from.DeliveriesOfRecord(ctx, ref)
	if err != nil {
		return err
	}
	for _, d := range deliveries {
		attempts, err := from.AttemptsOf(ctx, d.ID)
		if err != nil {
			return err
		}
		s.Told = append(s.Told, Telling{Delivery: d, Attempts: attempts})
	}
	return nil
}

// attempted checks that every attempt at every delivery is there.
func (s *Step) attempted() error {
	for _, telling := range s.Told {
		if n := len(telling.Attempts); n != telling.Delivery.Attempts {
			return fmt.Errorf("delivery %s has %d attempts and counts %d", telling.Delivery.ID, n,
				telling.Delivery.Attempts)
		}
	}
	return nil
}

// Check returns why the story is not whole or does not add up, or nil. told says that every step must have
// the number of its event by now.
func (s Story) Check(told bool) error {
	if len(s.Steps) == 0 {
		return errors.New("there is no step")
	}
	t := s.Transaction
	held, at, number := int64(0), int64(0), int64(0)
	for i, step := range s.Steps {
		r := step.Record
		switch {
		case r.Object != t.ID || r.Sequence != int64(i)+1:
			return fmt.Errorf("step %d is sequence %d of %s", i+1, r.Sequence, r.Object)
		case r.At < at:
			return fmt.Errorf("step %d happened before the step before it", i+1)
		case r.Merchant != t.Merchant || r.Origin.RequestID == "":
			return fmt.Errorf("step %d does not say whose request it was", i+1)
		case told && step.Number <= number:
			return fmt.Errorf("step %d is event %d, after event %d", i+1, step.Number, number)
		}
		moved, err := step.moved()
		if err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		held, at, number = held+moved, r.At, step.Number
		if err := step.attempted(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	last := s.Steps[len(s.Steps)-1].Record
	is := journal.After{
		State: string(t.State()), Authorized: t.Authorized, Captured: t.Captured, Canceled: t.Canceled,
		Expired: t.Expired, Refunded: t.Refunded,
	}
	switch {
	case last.Sequence != t.Sequence || last.After != is:
		return fmt.Errorf("the last step left %+v, and the transaction is %+v", last.After, is)
	case held != t.Remaining():
		return fmt.Errorf("%d minor units are held by the entries, and %d remain", held, t.Remaining())
	}
	return nil
}

// moved checks that the entry of a step and the change of the transaction are the same money, and returns by
// how much what is held grew.
func (s Step) moved() (held int64, err error) {
	was, is, p := s.Before, s.Record.After, s.Record.Posting
	up := func(before, after int64) int64 { return after - before }
	authorized, captured := up(was.Authorized, is.Authorized), up(was.Captured, is.Captured)
	released := up(was.Canceled, is.Canceled) + up(was.Expired, is.Expired)
	refunded := up(was.Refunded, is.Refunded)
	amounts := map[ledger.Move]int64{
		ledger.Hold: authorized, ledger.Settle: captured, ledger.Release: released, ledger.Post: refunded,
	}
	for move, amount := range amounts {
		want := int64(0)
		if move == p.Move {
			want = p.Amount
		}
		if amount != want {
			return 0, fmt.Errorf("the entry moves %d (%s), the transaction changed by %d", p.Amount, p.Move, amount)
		}
	}
	if p.Moves() && (p.Amount != s.Record.Amount || p.Debit == p.Credit) {
		return 0, fmt.Errorf("the entry moves %d from %s to %s, the operation says %d",
			p.Amount, p.Debit, p.Credit, s.Record.Amount)
	}
	return authorized - captured - released, nil
}
