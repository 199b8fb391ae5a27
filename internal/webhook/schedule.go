package webhook

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"

	"plexy/internal/event"
)

// Schedule is how long after an attempt that failed the next one comes. The first delay is before the first
// attempt. After as many attempts as there are delays a delivery is dead.
type Schedule []time.Duration

// Standard returns the schedule of an installation: 11 attempts over some 76 hours. A sandbox tries again
// sooner at first, since somebody is waiting at a screen.
func Standard(sandbox bool) Schedule {
	first, second := 5*time.Second, time.Minute
	if sandbox {
		first, second = time.Second, 5*time.Second
	}
	return Schedule{
		0, first, second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour,
		14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// Of returns the schedule of an endpoint: its own, whose first attempt comes at once like any other's, or s
// if it has none.
func (s Schedule) Of(e *event.Endpoint) Schedule {
	if len(e.Waits) == 0 {
		return s
	}
	return append(Schedule{0}, e.Waits...)
}

// jitter is how far a delay may be from the schedule, in millionths of it, either way: 15 %. Deliveries that
// failed together do not come back together.
const jitter = 150_000

// Next tells how long after the last of so many attempts at a delivery the next one comes, and whether
// there is none any more: the delivery is dead. A receiver's Retry-After is honoured up to MaxRetryAfter,
// but never makes the delay shorter than the schedule's. The jitter follows from the delivery's id and the
// number of the attempt: asked again, the answer is the same.
func (s Schedule) Next(attempts int, delivery string, retryAfter time.Duration) (time.Duration, bool) {
	if attempts >= len(s) {
		return 0, true
	}
	digest := sha256.Sum256([]byte(delivery + " " + strconv.Itoa(attempts)))
	off := int64(binary.BigEndian.Uint64(digest[:8])%(2*jitter+1)) - jitter
	// In microseconds, or a day times a million would not fit.
	planned := s[attempts].Microseconds()
	delay := time.Duration(planned+planned*off/1_000_000) * time.Microsecond
	return max(delay, min(retryAfter, MaxRetryAfter)), false
}
