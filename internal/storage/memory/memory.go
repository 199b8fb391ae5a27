// Package memory is the keeper for tests and for the simulator: the contract of internal/storage over
// plain maps. It decides between two writers optimistically: a batch remembers which rows it loaded, and
// what it saves is refused with ErrConflict when one of them is not the same any more. So a single
// goroutine can play several processes that interleave between Load and Save.
package memory

import (
	"context"
	"errors"
	"sync"

	"plexy/internal/core/machine"
	"plexy/internal/storage"
)

// books is the number of books; the stripes of the lanes divide them.
const books = 1024

// Faults are what a test lets go wrong; nil hooks do nothing. A hook may panic to play a process that
// dies: what was committed before stays, what was not is gone.
type Faults struct {
	// BeforeSave runs at the start of Save; its error is returned and nothing is saved.
	BeforeSave func() error
	// BeforeCommit runs when everything was said and nothing is visible yet; its error is returned by
	// Commit and nothing is saved.
	BeforeCommit func() error
	// AfterCommit runs when everything is saved; its error is returned by Commit all the same, as when
	// the answer of the database is lost.
	AfterCommit func() error
}

// Store keeps everything in memory. It is safe for use by several goroutines.
type Store struct {
	mu     sync.RWMutex
	lanes  int
	closed bool
	faults Faults
	t      *Tables
}

var _ storage.Storage = (*Store)(nil)

// New returns an empty store with one lane.
func New() *Store { return NewLanes(1) }

// NewLanes returns an empty store with the given number of lanes, 1 to 1024. Each lane has stripes of
// its own, under the first book of its share of the books.
func NewLanes(lanes int) *Store {
	return &Store{lanes: min(max(lanes, 1), books), t: newTables()}
}

// SetFaults replaces the hooks that let things go wrong.
func (s *Store) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// Tamper lets a test change rows behind the books' back, to see that verification finds it. Rows are
// immutable: a test puts a changed copy in a row's place.
func (s *Store) Tamper(fn func(*Tables)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn(s.t)
	s.t.reindex()
}

// Lanes returns the number of lanes.
func (s *Store) Lanes() int { return s.lanes }

// Ready returns nil until the store is closed.
func (s *Store) Ready(context.Context) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return storage.ErrUnavailable
	}
	return nil
}

// Close makes every later commit fail with ErrUnavailable.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// Commit runs fn over one batch and applies what it saved when fn returns nil.
func (s *Store) Commit(ctx context.Context, lane int, fn func(context.Context, storage.Batch) error) error {
	if lane < 0 || lane >= s.lanes {
		return errors.New("memory: no such lane")
	}
	if err := s.Ready(ctx); err != nil {
		return err
	}
	b := &batch{s: s, stripeBook: lane * books / s.lanes}
	if err := fn(ctx, b); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.RLock()
	faults := s.faults
	s.mu.RUnlock()
	if b.saved != nil && faults.BeforeCommit != nil {
		if err := faults.BeforeCommit(); err != nil {
			return err
		}
	}
	if err := b.apply(); err != nil {
		return err
	}
	if b.saved != nil && faults.AfterCommit != nil {
		return faults.AfterCommit()
	}
	return nil
}

// Load reads what keys names, and remembers it for the check at Save.
func (b *batch) Load(_ context.Context, keys *machine.Keys) (*machine.State, error) {
	if b.loaded != nil {
		return nil, errors.New("memory: Load is called once a batch")
	}
	b.s.mu.RLock()
	defer b.s.mu.RUnlock()
	b.loaded = newLoaded()
	return b.load(keys), nil
}

// Save checks that what was loaded still holds and keeps the state for the end of the commit; it fills
// the stripe side of each record.
func (b *batch) Save(_ context.Context, state *machine.State) error {
	if b.loaded == nil || b.saved != nil {
		return errors.New("memory: Save is called at most once, after Load")
	}
	b.s.mu.RLock()
	faults := b.s.faults
	b.s.mu.RUnlock()
	if faults.BeforeSave != nil {
		if err := faults.BeforeSave(); err != nil {
			return err
		}
	}
	b.s.mu.RLock()
	defer b.s.mu.RUnlock()
	if err := b.check(state); err != nil {
		return err
	}
	if _, err := b.fillStripes(state); err != nil {
		return err
	}
	b.saved = state
	return nil
}
