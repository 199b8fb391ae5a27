package webhook

import (
	"context"
	"sync"
	"time"

	"plexy/internal/clock"
	"plexy/internal/storage"
)

// How the sequencer shares the store with payments.
const (
	numberEvery = 200 * time.Millisecond // looks for what other processes have committed
	numberBatch = 512                    // events in one transaction, so that no payment waits long
	// restAfter is how long it rests after a full batch, in durations of that batch: while payments come
	// faster than that, events fall behind and catch up later.
	restAfter = 3
	longRest  = 250 * time.Millisecond
)

// Sequencer gives committed events their numbers, and tells who waits for them.
type Sequencer struct {
	store storage.Outbox
	clock clock.Clock
	alarm func(task string, err error)
	wake  chan struct{}

	mu   sync.Mutex
	news chan struct{} // closed and replaced with each batch of events
}

// NewSequencer makes a sequencer; alarm hears of errors, after which it tries again.
func NewSequencer(store storage.Outbox, c clock.Clock, alarm func(task string, err error)) *Sequencer {
	return &Sequencer{
		store: store, clock: c, alarm: alarm, wake: make(chan struct{}, 1), news: make(chan struct{}),
	}
}

// Wake says that something was committed here. It never waits.
func (s *Sequencer) Wake() { poke(s.wake) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is awake already
	}
}

// News returns a channel that is closed when this server has given the next events their numbers.
func (s *Sequencer) News() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.news
}

// Run numbers until ctx ends.
func (s *Sequencer) Run(ctx context.Context) {
	ticks, stop := clock.Ticks(numberEvery)
	defer stop()
	for ctx.Err() == nil {
		began := clock.System{}.Now()
		n, err := s.store.Number(ctx, s.clock.Now(), numberBatch)
		if err != nil && ctx.Err() == nil {
			s.alarm("number events", err)
		}
		if n > 0 {
			s.tell()
		}
		if n >= numberBatch {
			took := time.Duration(clock.System{}.Now()-began) * time.Microsecond
			clock.Pause(ctx, min(restAfter*took, longRest))
			continue
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-ticks:
		}
	}
}

func (s *Sequencer) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.news)
	s.news = make(chan struct{})
}
