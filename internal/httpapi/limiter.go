package httpapi

import (
	"sync"

	"golang.org/x/time/rate"

	"plexy/internal/clock"
)

// bucketsKept bounds the buckets of one generation. A bucket that is forgotten begins full again, so the
// bound only matters with more than this many keys in use at once, and then it is generous.
const bucketsKept = 10_000

// limiter is one token bucket per API key. A nil limiter allows everything.
type limiter struct {
	perSecond int

	mu      sync.Mutex
	current map[string]*rate.Limiter
	old     map[string]*rate.Limiter // what was used before current filled up
}

func newLimiter(perSecond int) *limiter {
	if perSecond <= 0 {
		return nil
	}
	return &limiter{perSecond: perSecond, current: map[string]*rate.Limiter{}}
}

// allow takes one token of the key's bucket, and reports whether there was one. now is in microseconds.
func (l *limiter) allow(keyID string, now int64) bool {
	return l == nil || l.bucket(keyID).AllowN(clock.Time(now), 1)
}

func (l *limiter) bucket(keyID string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b, ok := l.current[keyID]; ok {
		return b
	}
	b, ok := l.old[keyID]
	if !ok {
		b = rate.NewLimiter(rate.Limit(l.perSecond), l.perSecond)
	}
	if len(l.current) >= bucketsKept {
		l.old, l.current = l.current, map[string]*rate.Limiter{}
	}
	l.current[keyID] = b
	return b
}
