package commit

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"plexy/internal/clock"
	"plexy/internal/core/machine"
	"plexy/internal/storage"
)

// Batch is a set of instructions to commit together, for callers that drive the committing themselves:
// the simulator and the command line. Run decides and saves them without any goroutine.
type Batch struct {
	Storage      storage.Storage
	Clock        clock.Clock
	Lane         int
	Instructions []machine.Instruction
}

// Run commits the batch once and returns the outcomes in order. Nothing was saved when it returns an
// error, unless that is storage.ErrUncertain. A broken assertion panics.
func (b Batch) Run(ctx context.Context) ([]machine.Outcome, error) {
	var keys machine.Keys
	for _, in := range b.Instructions {
		keys.Add(in)
	}
	outcomes := make([]machine.Outcome, len(b.Instructions))
	err := b.Storage.Commit(ctx, b.Lane, func(ctx context.Context, batch storage.Batch) error {
		state, err := batch.Load(ctx, &keys)
		if err != nil {
			return err
		}
		// The stamp is taken under the locks, so that what waited for them is not older than what it saw.
		at := machine.Stamp{At: b.Clock.Now()}
		for i, in := range b.Instructions {
			outcomes[i] = machine.Step(state, at, in)
		}
		if !state.Changed() {
			return nil
		}
		return batch.Save(ctx, state)
	})
	if err != nil {
		return nil, err
	}
	return outcomes, nil
}

// RunOne commits one instruction, as often as other processes win the race for the same rows, and
// returns its outcome. ErrStale means that it must be made anew.
func RunOne(
	ctx context.Context, s storage.Storage, c clock.Clock, in machine.Instruction,
) (machine.Outcome, error) {
	batch := Batch{Storage: s, Clock: c, Instructions: []machine.Instruction{in}}
	outcomes, err := batch.persist(ctx)
	if err != nil {
		return machine.Outcome{}, err
	}
	if outcomes[0].Stale {
		return machine.Outcome{}, ErrStale
	}
	return outcomes[0], nil
}

// persist runs the batch until it is committed, within the bounds on tries.
func (b Batch) persist(ctx context.Context) (outcomes []machine.Outcome, err error) {
	for try, lost := 0, 0; try < tries && lost < conflictTries; {
		outcomes, err = b.Run(ctx)
		switch {
		case errors.Is(err, storage.ErrConflict):
			lost++
		case errors.Is(err, storage.ErrTransient):
			try++
		default:
			return outcomes, err
		}
		if ctx.Err() != nil {
			return nil, err
		}
	}
	return nil, err
}

// run commits the batch and puts an outcome or an error on every ticket. An assertion that breaks, and a
// batch that cannot be saved as a whole, are met by running each instruction alone, so that only the
// guilty one suffers.
func (c *Committer) run(lane int, batch []*ticket) error {
	err := c.commit(lane, batch)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, storage.ErrUncertain): // first: why it is uncertain may be trouble of another class
		c.cfg.Alarm("batch uncertain", err)
		fail(batch, ErrUnknown)
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrTransient):
		c.cfg.Alarm("batch not saved", err)
		fail(batch, ErrBusy)
	case len(batch) > 1:
		c.cfg.Alarm("batch broken; running each instruction alone", err)
		for i := range batch {
			c.run(lane, batch[i:i+1])
		}
	case errors.Is(err, storage.ErrConflict):
		fail(batch, ErrBusy)
	default:
		c.cfg.Alarm("instruction set aside", err)
		fail(batch, ErrInternal)
	}
	return err
}

func fail(batch []*ticket, err error) {
	for _, t := range batch {
		t.err = err
	}
}

// commit turns a broken assertion into an error: the transaction of the batch is rolled back by then.
func (c *Committer) commit(lane int, batch []*ticket) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("assertion: %v\n%s", p, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), batchDeadline)
	defer cancel()
	b := Batch{Storage: c.cfg.Storage, Clock: c.cfg.Clock, Lane: lane}
	for _, t := range batch {
		b.Instructions = append(b.Instructions, t.in)
	}
	outcomes, err := b.persist(ctx)
	if err != nil {
		return err
	}
	for i, t := range batch {
		if t.outcome = outcomes[i]; t.outcome.Stale {
			t.err = ErrStale
		}
	}
	return nil
}
