package acquiring

import (
	"context"
	"errors"
	"fmt"

	"plexy/internal/connector"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/storage"
)

// Capture takes all or part of what is held. Before it, whatever is unknown of the payment is asked after.
func (a *Acquiring) Capture(ctx context.Context, m Modification) (Result, error) {
	return a.modify(ctx, m, func(at machine.Modification) machine.Command {
		return machine.AskCapture{Modification: at}
	})
}

// Cancel gives up all or part of what is held, as Capture does.
func (a *Acquiring) Cancel(ctx context.Context, m Modification) (Result, error) {
	return a.modify(ctx, m, func(at machine.Modification) machine.Command {
		return machine.AskCancel{Modification: at}
	})
}

// Refund gives back all or part of what was captured, as Capture does.
func (a *Acquiring) Refund(ctx context.Context, m Modification) (Result, error) {
	return a.modify(ctx, m, func(at machine.Modification) machine.Command {
		return machine.AskRefund{Modification: at, Returning: payment.Returning{
			ID: a.o.NewID(), Reference: m.OrderReference, Description: m.Description,
		}}
	})
}

func (a *Acquiring) modify(ctx context.Context, m Modification,
	ask func(machine.Modification) machine.Command) (Result, error) {
	m.Origin.IdempotencyKey = m.Key
	p, err := a.o.Keeper.Payment(ctx, m.Merchant, m.Payment)
	if err != nil && !errors.Is(err, storage.ErrNotFound) { // the core says that there is none
		return Result{}, err
	}
	if !a.enter() {
		return Result{}, ErrBusy
	}
	begun := false
	defer func() {
		if !begun {
			<-a.places
		}
	}()
	if p.Unknown > 0 {
		a.find(ctx, p)
	}
	out, err := a.submit(ctx, m.Payment, machine.Instruction{
		Command: ask(machine.Modification{
			Merchant: m.Merchant, Payment: m.Payment, Operation: a.o.NewID(), Amount: m.Amount,
		}),
		Scope: m.Merchant, Key: m.Key, Fingerprint: m.Fingerprint, Origin: m.Origin, Render: render,
	})
	if err != nil {
		return Result{}, err
	}
	known, old, err := a.outcome(ctx, m.Merchant, out)
	if old || err != nil || known.Reason != "" {
		return known, err
	}
	begun = true
	return a.carry(ctx, known, func(ctx context.Context) (Result, error) {
		p, o := known.Payment, known.Operation
		done, err := a.settle(ctx, p, o, a.change(ctx, p, o))
		if err != nil {
			return known, nil // asked after
		}
		r := Result{Payment: done.Payment, Operation: done.Operation, Refund: known.Refund}
		if o.Verb == payment.Refund && done.Other.ID != "" {
			r.Refund = done.Other
		}
		return r, nil
	})
}

// find asks after everything that is unknown of a payment.
func (a *Acquiring) find(ctx context.Context, p payment.Payment) {
	all, err := a.o.Keeper.OperationsOf(ctx, p.ID)
	if err != nil {
		return // the modification is refused, and may be tried again
	}
	for _, o := range all {
		if o.State == payment.Sent && o.Unknown && ctx.Err() == nil {
			asked := storage.Asked{Payment: p, Operation: o}
			_, _ = a.ended(ctx, asked, a.inquire(ctx, asked)) // what fails is asked again, and was logged
		}
	}
}

// ended writes an answer down if it is a final one, and reports whether it was.
func (a *Acquiring) ended(ctx context.Context, asked storage.Asked, said connector.Answer) (bool, error) {
	said = a.whole(ctx, asked.Payment, asked.Operation, said)
	if !said.Outcome.Final() {
		return false, nil
	}
	done, err := a.settle(ctx, asked.Payment, asked.Operation, said)
	if err != nil {
		return false, err
	}
	if asked.Operation.Verb == payment.Authorize {
		a.decided(ctx, done.Payment)
	}
	return true, nil
}

// Callback takes a message that the acquirer of that name sent of its own accord. ErrNoConnector: no such
// acquirer, or it sends none; connector.ErrForged and connector.ErrMalformed: what it was. What was heard
// before, and what is about nothing of ours, changes nothing and is no error.
func (a *Acquiring) Callback(
	ctx context.Context, name string, header func(name string) string, body []byte,
) error {
	via, can := a.by[name].(connector.Callbacks)
	if !can {
		return ErrNoConnector
	}
	notice, err := read(via, header, body)
	if err != nil {
		return err
	}
	return a.Hear(ctx, name, notice)
}

// Hear takes what a connector of that name learned about an operation of its own accord, as Callback does.
func (a *Acquiring) Hear(ctx context.Context, name string, notice connector.Notice) error {
	a.o.Observe("callback", notice.Answer.Outcome)
	asked, err := a.o.Keeper.Asked(ctx, notice.Operation)
	if errors.Is(err, storage.ErrNotFound) || err == nil && asked.Payment.Connector != name {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find what a callback is about: %w", err)
	}
	_, err = a.ended(ctx, asked, notice.Answer)
	return err
}

// read lets a connector read a message; one that panics over it cannot read it.
func read(via connector.Callbacks, header func(string) string, body []byte) (n connector.Notice, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %T", connector.ErrMalformed, p)
		}
	}()
	return via.Callback(header, body)
}
