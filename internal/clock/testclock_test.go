package clock_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plexy/internal/clock"
)

const (
	noon = 1_771_496_338_123_456
	hour = int64(time.Hour / time.Microsecond)
)

func freeze(on bool) clock.Change { return clock.Change{Freeze: &on} }

// change does to the clock what a server does, and returns what it shows then.
func change(t *testing.T, c *clock.Test, machine clock.Clock, what clock.Change) int64 {
	t.Helper()
	next, err := c.Setting().Changed(what, c.Now(), machine.Now())
	if err != nil {
		t.Fatal(err)
	}
	c.Follow(next)
	return c.Now()
}

func TestATestClockFreezesAdvancesAndGoesOn(t *testing.T) {
	machine := clock.NewManual(noon)
	c := clock.NewTest(machine)
	if c.Now() != noon {
		t.Fatal("an untouched test clock is not the machine's")
	}
	if got := change(t, c, machine, clock.Change{Advance: 168 * time.Hour}); got != noon+168*hour {
		t.Errorf("after an advance of 168h it shows %d", got-noon)
	}
	machine.Advance(5)
	if got := c.Now(); got != noon+168*hour+5 {
		t.Errorf("it does not run: %d", got-noon)
	}
	frozen := change(t, c, machine, freeze(true))
	machine.Advance(hour)
	if got := c.Now(); got != frozen || got != noon+168*hour+5+clock.Ahead {
		t.Errorf("frozen it shows %d and then %d", frozen-noon, got-noon)
	}
	if got := change(t, c, machine, freeze(true)); got != frozen {
		t.Error("freezing twice moved it")
	}
	if got := change(t, c, machine, clock.Change{Advance: time.Second}); got != frozen+1_000_000 {
		t.Errorf("a frozen clock advanced to %d", got-frozen)
	}
	if got := change(t, c, machine, freeze(false)); got != frozen+1_000_000 {
		t.Errorf("released, it jumped by %d", got-frozen-1_000_000)
	}
	machine.Advance(7)
	if got := c.Now(); got != frozen+1_000_007 {
		t.Errorf("released, it does not go on: %d", got-frozen)
	}
}

func TestWhatATestClockRefuses(t *testing.T) {
	machine := clock.NewManual(noon)
	c := clock.NewTest(machine)
	for _, d := range []time.Duration{-1, -time.Hour, time.Nanosecond, clock.MaxAdvance + 1} {
		if _, err := c.Setting().Changed(clock.Change{Advance: d}, noon, noon); !errors.Is(err, clock.ErrAdvance) {
			t.Errorf("advance by %v: %v", d, err)
		}
	}
	if _, err := c.Setting().Changed(clock.Change{}, noon, noon); !errors.Is(err, clock.ErrNoChange) {
		t.Errorf("no change: %v", err)
	}
	last := 0
	for ; last < 100; last++ {
		next, err := c.Setting().Changed(clock.Change{Advance: clock.MaxAdvance}, c.Now(), noon)
		if err != nil {
			break
		}
		c.Follow(next)
	}
	if c.Now() >= clock.Latest || last < 5 || last > 10 {
		t.Errorf("after %d steps of ten years it shows %v", last, clock.Time(c.Now()))
	}
}

// TestMachinesWhoseClocksDiffer: a setting made by one machine never takes another one's time back.
func TestMachinesWhoseClocksDiffer(t *testing.T) {
	for _, skew := range []int64{-3_000_000, 3_000_000} {
		here, there := clock.NewManual(noon), clock.NewManual(noon+skew)
		a, b := clock.NewTest(here), clock.NewTest(there)
		before := b.Now()
		for _, what := range []clock.Change{
			freeze(true), {Advance: time.Millisecond}, freeze(false), freeze(true), freeze(false),
		} {
			change(t, a, here, what)
			b.Follow(a.Setting())
			if now := b.Now(); now < before {
				t.Errorf("with clocks %d apart %+v took the time back by %d", skew, what, before-now)
			}
			before = b.Now()
			here.Advance(10)
			there.Advance(10)
		}
	}
}

func TestAnOlderSettingIsNotFollowed(t *testing.T) {
	c := clock.NewTest(clock.NewManual(noon))
	if !c.Follow(clock.Setting{Version: 2, OffsetMicros: hour}) {
		t.Error("a new setting was not followed")
	}
	if c.Follow(clock.Setting{Version: 1}) || c.Follow(clock.Setting{Version: 2}) || c.Now() != noon+hour {
		t.Error("an old setting was followed")
	}
}

// counter is a machine's clock that never stands still.
type counter struct{ at atomic.Int64 }

func (c *counter) Now() int64 { return c.at.Add(1) }

// TestNeverBackWhileManyFollow: whatever order settings arrive in, a reader's time only grows.
func TestNeverBackWhileManyFollow(t *testing.T) {
	machine := &counter{}
	c := clock.NewTest(machine)
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		reading.Go(func() {
			for last := c.Now(); ; {
				now := c.Now()
				if now < last {
					t.Errorf("the time went back by %d", last-now)
					return
				}
				last = now
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 4 {
		writing.Go(func() {
			for n := range 200 {
				what := clock.Change{Advance: time.Millisecond}
				if n%4 == i {
					what = freeze(n%8 < 4)
				}
				next, err := c.Setting().Changed(what, c.Now(), machine.Now())
				if err != nil {
					t.Error(err)
				}
				c.Follow(next)
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"168h": 168 * time.Hour, "7d": 168 * time.Hour, "1h30m": 90 * time.Minute, "0d": 0, "-1s": -time.Second,
	} {
		if got, err := clock.Duration(text); err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "7", "1.5d", "P7D", "65536d", "1y"} {
		if _, err := clock.Duration(text); !errors.Is(err, clock.ErrDuration) {
			t.Errorf("%q was read: %v", text, err)
		}
	}
}
