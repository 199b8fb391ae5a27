package acquiring

import (
	"context"
	"errors"
	"sync"

	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/shopper"
	"plexy/internal/storage"
)

// Bounds of one round of a background task.
const (
	roundBatch = 64 // rows looked for at a time
	roundMost  = 16 // times; what is left waits for the next round
	together   = 8  // calls to acquirers at once
)

// round does something about what is due, a batch at a time, until a batch is not full, nothing came of one,
// or there were enough. Errors are joined; what failed is due again.
func round[T any](ctx context.Context, due func(context.Context, int64, int) ([]T, error), now int64,
	do func(context.Context, T) (bool, error)) (err error) {
	for n := 0; n < roundMost && ctx.Err() == nil; n++ {
		all, failed := due(ctx, now, roundBatch)
		if failed != nil {
			return failed
		}
		var mu sync.Mutex
		var running sync.WaitGroup
		places, done := make(chan struct{}, together), 0
		for _, one := range all {
			places <- struct{}{}
			running.Go(func() {
				defer func() { <-places }()
				did, failed := do(ctx, one)
				mu.Lock()
				defer mu.Unlock()
				if did {
					done++
				}
				if err == nil {
					err = failed // they are seldom different
				}
			})
		}
		running.Wait()
		if err != nil || done == 0 || len(all) < roundBatch {
			return err
		}
	}
	return err
}

// AskDue asks after the operations whose time for that has come: those whose outcome is unknown, and those of
// a process that ended before it had the answer. Whoever notes first that an operation is asked after asks.
func (a *Acquiring) AskDue(ctx context.Context) error {
	return round(ctx, a.o.Keeper.DueOperations, a.o.Clock.Now(),
		func(ctx context.Context, asked storage.Asked) (bool, error) {
			out, err := a.submit(ctx, asked.Payment.ID, machine.Instruction{Command: machine.PutOff{
				Attempt: machine.AttemptOf(asked.Payment, asked.Operation), Claim: true, Seen: asked.Operation.Checks,
			}})
			if err != nil || out.Reason != "" {
				return false, err
			}
			asked.Payment, asked.Operation = out.Pay.Payment, out.Pay.Operation
			_, err = a.ended(ctx, asked, a.inquire(ctx, asked))
			return true, err
		})
}

// ClearDue captures what is to be captured by itself now.
func (a *Acquiring) ClearDue(ctx context.Context) error {
	return round(ctx, a.o.Keeper.DueClearings, a.o.Clock.Now(),
		func(ctx context.Context, p payment.Payment) (bool, error) {
			done, err := a.clear(ctx, p, "")
			return done.Payment.ID != "", err
		})
}

// AbandonDue fails the payments whose payers did not come back from 3-D Secure in time.
func (a *Acquiring) AbandonDue(ctx context.Context) error {
	a.secrets.forget(a.o.Clock.Now())
	return round(ctx, a.o.Keeper.DueAuthentications, a.o.Clock.Now(),
		func(ctx context.Context, p payment.Payment) (bool, error) {
			done, err := a.abandon(ctx, p, false, journal.Origin{})
			return done.Payment.AuthenticateBy == 0, err
		})
}

// ExpireDue ends the links whose time is over.
func (a *Acquiring) ExpireDue(ctx context.Context) error {
	return round(ctx, a.o.Keeper.DueLinks, a.o.Clock.Now(),
		func(ctx context.Context, link string) (bool, error) {
			out, err := a.submit(ctx, link, machine.Instruction{Command: machine.ExpireLink{ID: link}})
			return err == nil && out.Reason == "", err
		})
}

// SweepCards puts away held cards whose time has come: of payments that were decided, that were never begun,
// or that have been undecided for too long.
func (a *Acquiring) SweepCards(ctx context.Context) error {
	now := a.o.Clock.Now()
	return round(ctx, a.o.Keeper.LapsedCards, now, func(ctx context.Context, h shopper.Held) (bool, error) {
		p, err := a.o.Keeper.AnyPayment(ctx, h.Payment)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			return true, a.o.Keeper.DropHeldCard(ctx, h.Payment)
		case err != nil:
			return false, err
		case p.Stage != payment.Opened && p.Stage != payment.Challenged:
			return true, a.release(ctx, p)
		case now >= h.CreatedAt+holdMost:
			return true, a.o.Keeper.DropHeldCard(ctx, h.Payment)
		}
		h.LapsesAt = now + holdFor
		return a.o.Keeper.SetHeldCard(ctx, h)
	})
}
