package commit

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

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

	keys     machine.Keys      // of the last run, as
	outcomes []machine.Outcome // these are: their room is used again
	// How long the last run took until it was saved, and from there until it was durable; 0 when it failed.
	work, flush time.Duration
}

// Run commits the batch once and returns the outcomes in order, valid until it runs again. Nothing was
// saved when it returns an error, unless that is storage.ErrUncertain. A broken assertion panics.
func (b *Batch) Run(ctx context.Context) ([]machine.Outcome, error) {
	begun := clock.System{}.Now()
	saved := begun
	b.work, b.flush = 0, 0
	b.keys.Reset()
	for _, in := range b.Instructions {
		b.keys.Add(in)
	}
	err := b.Storage.Commit(ctx, b.Lane, func(ctx context.Context, batch storage.Batch) error {
		state, err := batch.Load(ctx, &b.keys)
		if err != nil {
			return err
		}
		// The stamp is taken under the locks, so that what waited for them is not older than what it saw.
		at := machine.Stamp{At: b.Clock.Now()}
		b.outcomes = b.outcomes[:0]
		for _, in := range b.Instructions {
			b.outcomes = append(b.outcomes, machine.Step(state, at, in))
		}
		if !state.Changed() {
			return nil
		}
		err = batch.Save(ctx, state)
		saved = clock.System{}.Now()
		return err
	})
	if err != nil {
		return nil, err
	}
	b.work = time.Duration(saved-begun) * time.Microsecond
	b.flush = time.Duration(clock.System{}.Now()-saved) * time.Microsecond
	return b.outcomes, nil
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
func (b *Batch) persist(ctx context.Context) (outcomes []machine.Outcome, err error) {
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

// run commits the tickets' instructions and answers their callers. An assertion that breaks, and a batch
// that cannot be saved as a whole, are met by running each instruction alone, so that only the guilty one
// suffers. b is the lane's, with room from the batch before.
func (c *Committer) run(b *Batch, batch []*ticket) {
	b.Instructions = b.Instructions[:0]
	for _, t := range batch {
		b.Instructions = append(b.Instructions, t.in)
	}
	start := clock.System{}.Now() // what it took is the machine's time, whatever a sandbox's clock shows
	outcomes, err := commit(b)
	elapsed := time.Duration(clock.System{}.Now()-start) * time.Microsecond
	switch {
	case err == nil:
		c.answer(batch, outcomes, nil)
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrTransient):
		c.cfg.Alarm("batch not saved", err)
		c.answer(batch, nil, ErrBusy)
	case errors.Is(err, storage.ErrUncertain):
		c.cfg.Alarm("batch uncertain", err)
		c.answer(batch, nil, ErrUnknown)
	case len(batch) > 1:
		c.cfg.Alarm("batch broken; running each instruction alone", err)
		for i := range batch {
			c.run(b, batch[i:i+1])
		}
		return
	case errors.Is(err, storage.ErrConflict):
		c.answer(batch, nil, ErrBusy)
	default:
		c.cfg.Alarm("instruction set aside", err)
		c.answer(batch, nil, ErrInternal)
	}
	c.cfg.Observe(Report{
		Lane: b.Lane, Elapsed: elapsed, Instructions: b.Instructions, Outcomes: outcomes, Err: err,
	})
	clear(b.outcomes) // nothing of one caller is kept longer than the batch
	clear(b.Instructions)
}

// commit turns a broken assertion into an error: the transaction of the batch is rolled back by then.
func commit(b *Batch) (outcomes []machine.Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("assertion: %v\n%s", p, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), batchDeadline)
	defer cancel()
	return b.persist(ctx)
}
