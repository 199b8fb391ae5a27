package clock

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Setting is how a sandbox's time differs from the machine's. It is kept in the database; the zero Setting
// is no difference.
type Setting struct {
	Version      int64 // how often it was changed: of two, the higher one is in force
	OffsetMicros int64 // added to the machine's time while the clock runs
	FrozenAt     int64 // the moment at which the clock stands still, in microseconds; 0 while it runs
}

// Change says what to do with a test clock: first stand still (true) or go on (false), then move forward.
type Change struct {
	Freeze  *bool
	Advance time.Duration
}

// Bounds of a test clock.
const (
	// MaxAdvance is the longest step of one Change: ten years of 365 days.
	MaxAdvance = 10 * 365 * 24 * time.Hour
	// Latest is the last moment that a test clock shows, 2100-01-01T00:00:00Z, in microseconds.
	Latest = 4_102_444_800_000_000
	// Ahead is how far before a clock the moment lies at which it is frozen, in microseconds. A process
	// follows the database within less than this, so none has shown that moment yet, and nobody's time runs
	// back when it stops there.
	Ahead = 1_000_000
)

// Trouble with a Change; compare with errors.Is.
var (
	// ErrAdvance: the step is not between a microsecond and MaxAdvance, or leads beyond Latest.
	ErrAdvance = errors.New("a test clock advances by 1us to 87600h at a time, and not beyond the year 2099")
	// ErrNoChange: neither to freeze nor to advance was asked for.
	ErrNoChange = errors.New("a test clock can be frozen, released and advanced")
)

// Changed returns the setting after a change. now is what the clock shows under s and machine what the
// machine's shows. Asked for what is so already, s itself comes back.
func (s Setting) Changed(c Change, now, machine int64) (Setting, error) {
	if c.Advance < 0 || c.Advance > MaxAdvance || c.Advance > 0 && c.Advance < time.Microsecond {
		return s, ErrAdvance
	}
	if c.Freeze == nil && c.Advance == 0 {
		return s, ErrNoChange
	}
	next := s
	if c.Freeze != nil && *c.Freeze != (s.FrozenAt != 0) {
		next.FrozenAt = 0
		next.OffsetMicros = now - machine
		if *c.Freeze {
			next.FrozenAt = now + Ahead
		}
	}
	step := c.Advance.Microseconds()
	if now+Ahead+step > Latest {
		return s, ErrAdvance
	}
	if next.FrozenAt != 0 {
		next.FrozenAt += step
	} else {
		next.OffsetMicros += step
	}
	if next != s {
		next.Version++
	}
	return next, nil
}

// Test is a sandbox's clock: the machine's plus what the database says. Now costs an atomic load more than
// the machine's clock. It never goes back because a setting changed.
type Test struct {
	machine Clock
	mu      sync.Mutex // one Follow at a time
	shown   atomic.Pointer[shown]
}

// shown is a setting in force. floor is the highest time that was shown before it, in microseconds: the
// clocks of the machines differ a little, and a setting was made by the clock of one of them.
type shown struct {
	Setting
	floor int64
}

// NewTest returns a test clock that shows the machine's time until it follows a setting.
func NewTest(machine Clock) *Test {
	t := &Test{machine: machine}
	t.shown.Store(&shown{})
	return t
}

// Now returns the sandbox's time in microseconds.
func (t *Test) Now() int64 {
	s := t.shown.Load()
	if s.FrozenAt != 0 {
		return max(s.FrozenAt, s.floor)
	}
	return max(t.machine.Now()+s.OffsetMicros, s.floor)
}

// Setting returns the setting in force.
func (t *Test) Setting() Setting { return t.shown.Load().Setting }

// Follow puts a setting into force, unless a newer one is, and reports whether it did.
func (t *Test) Follow(s Setting) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.Version <= t.shown.Load().Version {
		return false
	}
	t.shown.Store(&shown{s, t.Now()})
	return true
}

// ErrDuration says that a text is no duration.
var ErrDuration = errors.New("not a duration such as 90s, 168h or 7d")

// Duration reads a duration: Go's spelling (90s, 1h30m, 168h), or a whole number of days (7d, at most 65535).
func Duration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, ErrDuration
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, ErrDuration
	}
	return d, nil
}
