package sim

import (
	"context"
	"errors"
	"fmt"

	"plexy/internal/clock"
	"plexy/internal/commit"
	"plexy/internal/core/machine"
	"plexy/internal/storage"
)

// fate is what happens to one commit.
type fate int

const (
	goesWell    fate = iota
	dies             // the process dies after Save, before the commit: nothing is there
	stumbles         // the database fails before the commit: nothing is there, and the batch is run again
	losesAnswer      // everything is there, and nobody is told
)

// What the port answers when a commit does not go well.
var (
	errDied = errors.New("sim: the process died")
	errLost = errors.New("sim: the answer was lost")
)

// process is one of the processes that share the database.
type process struct {
	s     *Simulator
	name  string
	clock *clock.Manual
	store storage.Storage
	skew  int64 // of its clock, in microseconds

	// Of the commit that is under way:
	batch     []machine.Instruction
	fate      fate
	between   func() // runs between load and save
	draft     *draft
	committed bool
}

// Bug changes what a process loads or saves, to see that the auditor finds it. Loaded runs after Load,
// Saving before Save, Committed after the commit; each may be nil.
type Bug struct {
	Loaded    func(*machine.State)
	Saving    func(*machine.State)
	Committed func(storage.Storage)
}

// port is the process's storage: the real one, with fate and bugs in between.
type port struct {
	storage.Storage
	p *process
}

func (o port) Commit(
	ctx context.Context, lane int, fn func(context.Context, storage.Batch) error,
) error {
	p := o.p
	err := o.Storage.Commit(ctx, lane, func(ctx context.Context, b storage.Batch) error {
		if err := fn(ctx, portBatch{b, p}); err != nil {
			return err
		}
		switch p.fate {
		case dies:
			return errDied
		case stumbles:
			return storage.ErrTransient
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.committed = true
	if bug := p.s.cfg.Bug.Committed; bug != nil {
		bug(o.Storage)
	}
	if p.fate == losesAnswer {
		return errLost
	}
	return nil
}

type portBatch struct {
	storage.Batch
	p *process
}

func (b portBatch) Load(ctx context.Context, keys *machine.Keys) (*machine.State, error) {
	p := b.p
	state, err := b.Batch.Load(ctx, keys)
	if err != nil {
		return nil, err
	}
	p.draft = p.s.model.decide(p.clock.Now(), p.batch)
	if bug := p.s.cfg.Bug.Loaded; bug != nil {
		bug(state)
	}
	if between := p.between; between != nil {
		p.between = nil
		between()
	}
	return state, nil
}

func (b portBatch) Save(ctx context.Context, state *machine.State) error {
	if bug := b.p.s.cfg.Bug.Saving; bug != nil {
		bug(state)
	}
	return b.Batch.Save(ctx, state)
}

// submission is one batch on its way.
type submission struct {
	p     *process
	batch []machine.Instruction
	fate  fate
	// between is submitted by the other process after this batch has loaded and before it saves.
	between func()
}

// submit commits the batch as its process would, and audits what it came to. It returns the outcomes, or
// none when nobody was told; done says whether the batch took effect.
func (s *Simulator) submit(sub submission) (outcomes []machine.Outcome, done bool) {
	p := sub.p
	raced := sub.between != nil
	for try := 0; s.found == nil; try++ {
		p.batch, p.fate, p.between, p.draft, p.committed = sub.batch, sub.fate, sub.between, nil, false
		// Any lane will do: the number of lanes may have changed since a hold was made.
		outcomes, err := p.run(s.random.IntN(s.lanes))
		switch {
		case p.committed && s.found == nil:
			s.count(p, outcomes, err)
			s.settle(p, outcomes)
			return outcomes, true
		case s.found != nil:
		case errors.Is(err, errDied):
			s.tally.died++
			s.untouched(p)
			s.revive(p)
			return nil, false
		case errors.Is(err, storage.ErrTransient):
			s.tally.stumbled++
			s.untouched(p)
			sub.fate, sub.between = goesWell, nil
		case errors.Is(err, storage.ErrConflict) && raced:
			s.tally.conflicts++
			raced, sub.between = false, nil
		default:
			s.fail("commit", "%s: try %d: %v", p.name, try, err)
		}
	}
	return nil, false
}

// count keeps the statistics of a batch that committed.
func (s *Simulator) count(p *process, outcomes []machine.Outcome, err error) {
	s.tally.batches++
	s.tally.instructions += len(p.batch)
	if err != nil {
		s.tally.lost++
	}
	for _, o := range outcomes {
		if o.Replayed {
			s.tally.replays++
		} else if o.Reason != "" {
			s.tally.refusals++
		}
		s.tally.ending(o.Record, o.Transaction.Failure)
	}
}

// run commits the batch once. An assertion that breaks is found by the auditor, not by a crash.
func (p *process) run(lane int) (outcomes []machine.Outcome, err error) {
	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("assertion: %v", broken)
		}
	}()
	return (&commit.Batch{
		Storage: port{p.store, p}, Clock: p.clock, Lane: lane, Instructions: p.batch,
	}).Run(p.s.ctx)
}
