package sandbox

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// overtakeLimit is how long a request waits at most for a later one to overtake it.
	overtakeLimit = 2 * time.Second
	// struckKept bounds the requests that are remembered as struck. When there are more all are forgotten, and
	// may be struck a second time.
	struckKept = 10_000
)

// Striker remembers which requests a fault has struck, and which wait to be overtaken. It is safe for any
// number of goroutines, and of this process only: it is no fact about money.
type Striker struct {
	mu      sync.Mutex
	struck  map[string]bool
	waiting map[string]chan struct{} // by merchant; closed when another request of it was answered

	waiters atomic.Int32 // how many wait, so that everybody else need not look
}

// NewStriker returns a striker that has struck nobody.
func NewStriker() *Striker {
	return &Striker{struck: map[string]bool{}, waiting: map[string]chan struct{}{}}
}

// Strikes reports whether a request is struck: every other attempt of the same request is, the first one
// included, so that a client that tries again gets through whatever is dialled.
func (s *Striker) Strikes(request string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.struck[request] {
		delete(s.struck, request)
		return false
	}
	if len(s.struck) >= struckKept {
		clear(s.struck)
	}
	s.struck[request] = true
	return true
}

// Answered lets those go on who wait to be overtaken by a request of the merchant.
func (s *Striker) Answered(merchant string) {
	if s.waiters.Load() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if passed := s.waiting[merchant]; passed != nil {
		close(passed)
		delete(s.waiting, merchant)
	}
}

// Overtaken waits until another request of the merchant was answered, for two seconds, or until ctx ends.
func (s *Striker) Overtaken(ctx context.Context, merchant string) {
	s.waiters.Add(1)
	defer s.waiters.Add(-1)
	s.mu.Lock()
	passed := s.waiting[merchant]
	if passed == nil {
		passed = make(chan struct{})
		s.waiting[merchant] = passed
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, overtakeLimit)
	defer cancel()
	select {
	case <-passed:
	case <-ctx.Done():
	}
}
