// Package clock is the one place that asks what time it is. Everybody else receives a Clock, so that
// tests and the simulator decide about time.
package clock

import (
	"context"
	"sync/atomic"
	"time"
)

// Clock tells the time as microseconds since 1970-01-01 UTC, the unit in which all times are stored.
type Clock interface {
	// Now returns the present moment; it may jump, both ways.
	Now() int64
}

// System is the machine's clock.
type System struct{}

// Now returns the machine's time in microseconds.
func (System) Now() int64 { return time.Now().UnixMicro() }

// Skewed is the machine's clock moved by a fixed amount, to test processes whose clocks disagree.
type Skewed struct{ ByMicroseconds int64 }

// Now returns the machine's time plus the skew, in microseconds.
func (s Skewed) Now() int64 { return time.Now().UnixMicro() + s.ByMicroseconds }

// Manual is a clock that stands still until it is set.
type Manual struct{ now atomic.Int64 }

// NewManual returns a clock that shows at, in microseconds.
func NewManual(at int64) *Manual {
	m := &Manual{}
	m.now.Store(at)
	return m
}

// Now returns the time last set, in microseconds.
func (m *Manual) Now() int64 { return m.now.Load() }

// Set moves the clock to at, in microseconds; it may go backwards.
func (m *Manual) Set(at int64) { m.now.Store(at) }

// Advance moves the clock by the given number of microseconds.
func (m *Manual) Advance(byMicroseconds int64) { m.now.Add(byMicroseconds) }

// Time returns at as a time.Time in UTC.
func Time(at int64) time.Time { return time.UnixMicro(at).UTC() }

// Ticks sends on the channel each time the given time of the machine has passed, until stop is called.
// It is for housekeeping only: nothing that decides about money waits for it.
func Ticks(every time.Duration) (ticks <-chan time.Time, stop func()) {
	t := time.NewTicker(every)
	return t.C, t.Stop
}

// NewTimer returns a timer of the machine's time, for a wait that one who waits often repeats.
func NewTimer(d time.Duration) *time.Timer { return time.NewTimer(d) }

// Pause waits until the given time of the machine has passed or ctx ends, and reports whether it passed. Like
// Ticks it is for housekeeping only.
func Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
