// Package commit is group commit: it gathers concurrent instructions into one durable transaction and
// hands each caller its outcome after the disk has it. It is the only writer of money.
//
// While one batch is on its way to disk the next one forms by itself, so a lonely request pays no delay and a
// crowd shares one flush.
package commit

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"plexy/internal/clock"
	"plexy/internal/core/machine"
	"plexy/internal/storage"
)

// Trouble that a caller of Submit can meet; compare with errors.Is. None of them is a decision: the same
// instruction with the same key may be submitted again.
var (
	// ErrBusy: the queue is full, or the database cannot be reached. Nothing was done.
	ErrBusy = errors.New("commit: busy")
	// ErrUnknown: the deadline came before the outcome was known. It may be done, or may yet be.
	ErrUnknown = errors.New("commit: outcome unknown")
	// ErrInProgress: the deadline came while another request with the same key was still being decided.
	ErrInProgress = errors.New("commit: another request with this key is being decided")
	// ErrStale: the vault's keys changed; make the instruction anew with the current indexes.
	ErrStale = errors.New("commit: indexes are of an old vault generation")
	// ErrInternal: this instruction broke an assertion. It was set aside and nothing was saved.
	ErrInternal = errors.New("commit: internal error")
	// ErrClosed: the committer has stopped accepting.
	ErrClosed = errors.New("commit: closed")
)

// Limits of a committer.
const (
	QueueLimit    = 4096 // instructions waiting in one lane; one more is ErrBusy
	BatchLimit    = 512  // instructions in one batch
	tries         = 3    // runs of one batch after transient failures
	conflictTries = 20   // runs after losing to another process; each loss means somebody else advanced
	batchDeadline = 8 * time.Second

	// After a batch of a crowd its callers come back one by one. Who comes first would be a batch alone, and
	// the others would wait for it: so the lane lets some gather, for a moment.
	crowd      = 8
	gathered   = 20
	gatherings = 5
	gathering  = 200 * time.Microsecond

	// With a disk in this very process a batch of everybody leaves nobody to work for while it is written,
	// and then everybody wants the processor at once. So a batch takes no more than it needs to be worth its
	// flush, and the others are served meanwhile (measured on SQLite: a sixteenth of the rate): see pace.
	leastBatch = 32
)

// Config is what a Committer needs. Observe and Alarm may be nil.
type Config struct {
	Storage storage.Storage
	Clock   clock.Clock
	// OwnThread gives each lane a thread of its own: for a storage that waits for the disk in this very
	// process. The system wakes a thread that mostly sleeps sooner than one that has just served requests
	// (measured on SQLite: a twentieth of the rate). Its batches are as large as their flush is worth.
	OwnThread bool
	// Observe is told about each batch after its callers were answered.
	Observe func(Report)
	// Alarm is told about instructions that broke an assertion and about failures of the database.
	Alarm func(what string, err error)
}

// Report describes one batch. Its slices are used again by the next batch: they are the observer's only
// while Observe runs.
type Report struct {
	Lane         int
	Elapsed      time.Duration
	Instructions []machine.Instruction
	Outcomes     []machine.Outcome // of each instruction; none when the batch was not saved
	Err          error
}

// Committer runs one loop per lane of its storage.
type Committer struct {
	cfg   Config
	lanes []chan *ticket

	mu       sync.Mutex
	closed   bool
	inFlight map[machine.ReplyKey]int

	loops sync.WaitGroup
}

// ticket is one caller's place in the queue.
type ticket struct {
	in      machine.Instruction
	outcome machine.Outcome
	err     error
	done    chan struct{} // holds one token once the outcome or the error is there
}

// tickets are used again: an outcome carries a whole transaction with its wallet and record.
var tickets = sync.Pool{New: func() any { return &ticket{done: make(chan struct{}, 1)} }}

// leave takes what the ticket was given for and gives the ticket back.
func (t *ticket) leave() (machine.Outcome, error) {
	outcome, err := t.outcome, t.err
	t.in, t.outcome, t.err = machine.Instruction{}, machine.Outcome{}, nil
	tickets.Put(t)
	return outcome, err
}

// New starts the loops of a Committer. Close stops them.
func New(cfg Config) *Committer {
	if cfg.Observe == nil {
		cfg.Observe = func(Report) {}
	}
	if cfg.Alarm == nil {
		cfg.Alarm = func(string, error) {}
	}
	c := &Committer{cfg: cfg, inFlight: map[machine.ReplyKey]int{}}
	for lane := range cfg.Storage.Lanes() {
		queue := make(chan *ticket, QueueLimit)
		c.lanes = append(c.lanes, queue)
		c.loops.Add(1)
		go c.loop(lane, queue)
	}
	return c
}

// Submit queues the instruction and waits for its outcome until ctx ends. book (0 to 1023) chooses the
// lane, so that instructions on one wallet seldom wait for each other's locks. Once queued, the
// instruction goes on whether or not the caller still waits: a client that hangs up does not cancel
// money.
func (c *Committer) Submit(ctx context.Context, book int, in machine.Instruction) (machine.Outcome, error) {
	t := tickets.Get().(*ticket)
	t.in = in
	key := machine.ReplyKey{Scope: in.Scope, Key: in.Key}
	second, err := c.enqueue(t, book*len(c.lanes)/1024, key)
	if err != nil {
		return machine.Outcome{}, err
	}
	select {
	case <-t.done:
		return t.leave()
	case <-ctx.Done():
	}
	select {
	case <-t.done: // both were ready: the outcome is worth more
		return t.leave()
	default: // the loop still holds the ticket: it is not used again
	}
	if second {
		return machine.Outcome{}, ErrInProgress
	}
	return machine.Outcome{}, ErrUnknown
}

// enqueue puts t into its lane and says whether another instruction with the same key was under way.
func (c *Committer) enqueue(t *ticket, lane int, key machine.ReplyKey) (second bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false, ErrClosed
	}
	select {
	case c.lanes[lane] <- t:
	default:
		return false, ErrBusy
	}
	if key.Key == "" {
		return false, nil
	}
	c.inFlight[key]++
	return c.inFlight[key] > 1, nil
}

// Depth returns how many instructions wait in all lanes.
func (c *Committer) Depth() int {
	n := 0
	for _, queue := range c.lanes {
		n += len(queue)
	}
	return n
}

// Busy reports whether an instruction with this key is under way.
func (c *Committer) Busy(key machine.ReplyKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inFlight[key] > 0
}

// Close stops accepting, finishes everything that was accepted, and returns.
func (c *Committer) Close() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		for _, queue := range c.lanes {
			close(queue)
		}
	}
	c.mu.Unlock()
	c.loops.Wait()
}

func (c *Committer) loop(lane int, queue chan *ticket) {
	defer c.loops.Done()
	if c.cfg.OwnThread {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	batch := make([]*ticket, 0, BatchLimit)
	b := Batch{Storage: c.cfg.Storage, Clock: c.cfg.Clock, Lane: lane}
	p := pace{limit: BatchLimit}
	if c.cfg.OwnThread {
		p.limit = leastBatch
	}
	for first := range queue {
		for i := 0; i < gatherings && len(batch) >= crowd && len(queue)+1 < gathered; i++ {
			clock.Pause(context.Background(), gathering)
		}
		batch = fill(append(batch[:0], first), queue, p.limit)
		c.run(&b, batch)
		if c.cfg.OwnThread {
			p.learn(len(batch), b.work, b.flush)
		}
	}
}

// pace is how many instructions a lane takes at once.
type pace struct{ limit int }

// learn looks at a batch that was as large as it might be. A flush that takes more than seven tenths of the
// time of the work before it needs more of it to be worth it, up to BatchLimit: on a slow disk a batch takes
// everybody. One that takes less leaves room for smaller batches, down to leastBatch: below that what a batch
// costs by itself counts more than what its flush does.
func (p *pace) learn(size int, work, flush time.Duration) {
	switch {
	case size < p.limit || work == 0:
	case 10*flush > 7*work:
		p.limit = min(p.limit+p.limit/8, BatchLimit)
	default:
		p.limit = max(p.limit-p.limit/16, leastBatch)
	}
}

// fill takes everything that already waits, up to a limit.
func fill(batch []*ticket, queue chan *ticket, limit int) []*ticket {
	for len(batch) < limit {
		select {
		case t, ok := <-queue:
			if !ok {
				return batch
			}
			batch = append(batch, t)
		default:
			return batch
		}
	}
	return batch
}

// answer hands each caller the outcome, or err.
func (c *Committer) answer(batch []*ticket, outcomes []machine.Outcome, err error) {
	c.mu.Lock()
	for _, t := range batch {
		if t.in.Key == "" {
			continue
		}
		key := machine.ReplyKey{Scope: t.in.Scope, Key: t.in.Key}
		if c.inFlight[key]--; c.inFlight[key] == 0 {
			delete(c.inFlight, key)
		}
	}
	c.mu.Unlock()
	for i, t := range batch {
		t.err = err
		if err == nil {
			if t.outcome = outcomes[i]; t.outcome.Stale {
				t.err = ErrStale
			}
		}
		t.done <- struct{}{} // never waits: there is one token a ticket
	}
}
