package webhook

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"plexy/internal/clock"
	"plexy/internal/storage"
)

// How the sequencer shares the store with payments.
const (
	numberEvery = 200 * time.Millisecond // looks for what other processes have committed
	numberBatch = 512                    // events in one transaction, so that no payment waits long
	// restAfter is how long it rests while payments crowd, in durations of what it did last: a twenty-fifth of
	// the time is then for events, which fall behind and catch up when there are fewer payments.
	restAfter = 24
	longRest  = 10 * time.Second       // and always while nobody waits for events
	markEvery = 100 * time.Millisecond // while it rests
	wantedFor = 10 * time.Second       // so long after somebody has waited for events, somebody may again
)

// Sequencer gives committed events their numbers, and tells who waits for them.
type Sequencer struct {
	store storage.Outbox
	clock clock.Clock
	busy  func() bool
	alarm func(task string, err error)
	wake  chan struct{}

	wanted atomic.Int64 // when somebody last waited for events, by the machine's clock

	mu   sync.Mutex
	news chan struct{} // closed and replaced with each batch of events
}

// NewSequencer makes a sequencer. busy says whether payments queue up; alarm hears of errors, after which it
// tries again.
func NewSequencer(
	store storage.Outbox, c clock.Clock, busy func() bool, alarm func(task string, err error),
) *Sequencer {
	return &Sequencer{
		store: store, clock: c, busy: busy, alarm: alarm, wake: make(chan struct{}, 1), news: make(chan struct{}),
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

// Want says that somebody waits for events.
func (s *Sequencer) Want() { s.wanted.Store(clock.System{}.Now()) }

// News returns a channel that is closed when this server has given the next events their numbers. Who asks
// for it waits for events.
func (s *Sequencer) News() <-chan struct{} {
	s.Want()
	return s.next()
}

func (s *Sequencer) next() <-chan struct{} {
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
		if n > 0 && s.busy() {
			s.rest(ctx, time.Duration(clock.System{}.Now()-began)*time.Microsecond)
			continue
		}
		if n >= numberBatch {
			continue
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-ticks:
		}
	}
}

// rest leaves the store to payments, after work that took so long, until they do not crowd any more.
func (s *Sequencer) rest(ctx context.Context, took time.Duration) {
	for rested := time.Duration(0); rested < s.pause(took) && s.busy() && ctx.Err() == nil; rested += markEvery {
		clock.Pause(ctx, markEvery)
		if err := s.store.Mark(ctx); err != nil && ctx.Err() == nil {
			s.alarm("number events", err)
		}
	}
}

// pause is how long a rest may be.
func (s *Sequencer) pause(took time.Duration) time.Duration {
	if now := (clock.System{}).Now(); now-s.wanted.Load() > wantedFor.Microseconds() {
		return longRest
	}
	return min(restAfter*took, longRest)
}

func (s *Sequencer) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.news)
	s.news = make(chan struct{})
}
