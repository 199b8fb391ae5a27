package webhook_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"plexy/internal/event"
	"plexy/internal/webhook"
)

func TestStandardSchedule(t *testing.T) {
	for _, c := range []struct {
		sandbox bool
		want    string
	}{
		{false, "[0s 5s 1m0s 5m0s 30m0s 2h0m0s 5h0m0s 10h0m0s 14h0m0s 20h0m0s 24h0m0s]"},
		{true, "[0s 1s 5s 5m0s 30m0s 2h0m0s 5h0m0s 10h0m0s 14h0m0s 20h0m0s 24h0m0s]"},
	} {
		s := webhook.Standard(c.sandbox)
		if got := fmt.Sprint([]time.Duration(s)); got != c.want {
			t.Errorf("sandbox %v: %s", c.sandbox, got)
		}
		for attempts, planned := range s {
			low, high := planned, planned
			for n := range 2000 {
				delay, dead := s.Next(attempts, fmt.Sprint("dlv_", n), 0)
				if dead || delay < planned*85/100 || delay > planned*115/100 {
					t.Fatalf("after %d attempts %v, planned %v", attempts, delay, planned)
				}
				low, high = min(low, delay), max(high, delay)
			}
			if planned > 0 && (low > planned*86/100 || high < planned*114/100) {
				t.Errorf("after %d attempts all of 2000 delays are in %v…%v, planned %v", attempts, low, high, planned)
			}
		}
		for _, attempts := range []int{11, 12, 1000} {
			if _, dead := s.Next(attempts, "dlv_1", time.Hour); !dead {
				t.Errorf("after %d attempts a delivery still lives", attempts)
			}
		}
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	s := webhook.Standard(false)
	for _, c := range []struct {
		attempts   int
		asked      time.Duration
		low, above time.Duration
	}{
		{1, 0, 4250 * time.Millisecond, 5750 * time.Millisecond},
		{1, time.Second, 4250 * time.Millisecond, 5750 * time.Millisecond}, // never sooner than planned
		{1, 30 * time.Minute, 30 * time.Minute, 30 * time.Minute},
		{1, time.Hour, time.Hour, time.Hour},
		{1, 100 * time.Hour, time.Hour, time.Hour},
		{5, 100 * time.Hour, 102 * time.Minute, 138 * time.Minute},
		{1, -time.Hour, 4250 * time.Millisecond, 5750 * time.Millisecond},
	} {
		delay, dead := s.Next(c.attempts, "dlv_1", c.asked)
		if dead || delay < c.low || delay > c.above {
			t.Errorf("after %d attempts, asked for %v: %v", c.attempts, c.asked, delay)
		}
	}
}

// TestNextThrowsNoDice: a delay is a function of delivery and attempt.
func TestNextThrowsNoDice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := webhook.Standard(rapid.Bool().Draw(t, "sandbox"))
		attempts := rapid.IntRange(0, 15).Draw(t, "attempts")
		id := rapid.String().Draw(t, "id")
		asked := time.Duration(rapid.Int64().Draw(t, "asked"))
		delay, dead := s.Next(attempts, id, asked)
		again, deadAgain := s.Next(attempts, id, asked)
		if delay != again || dead != deadAgain || dead != (attempts >= len(s)) || delay < 0 {
			t.Fatalf("%v %v, then %v %v", delay, dead, again, deadAgain)
		}
		if !dead && (delay < min(asked, webhook.MaxRetryAfter) || delay < s[attempts]*85/100) {
			t.Fatalf("%v is too soon", delay)
		}
	})
}

const second = int64(1_000_000)

func TestBreaker(t *testing.T) {
	for _, c := range []struct {
		name    string
		sandbox bool
		pauses  []int64 // seconds
	}{
		{"production", false, []int64{5, 10, 20, 40, 80, 160, 320, 600, 600}},
		{"sandbox", true, []int64{1, 2, 4, 8, 10, 10}},
	} {
		b := webhook.NewBreaker(c.sandbox)
		now := int64(at)
		for n := range webhook.OpenAfter {
			if b.Open() || !b.Allow(now) {
				t.Fatalf("%s: open after %d failures", c.name, n)
			}
			b.Failure(now, 0)
		}
		for _, pause := range c.pauses {
			opened := now
			if !b.Open() || b.Allow(opened) || b.Allow(opened+pause*second-1) {
				t.Fatalf("%s: lets through within its pause of %d s", c.name, pause)
			}
			now = opened + pause*second
			if got := b.ReadyAt(opened); got != now {
				t.Errorf("%s: ready after %d µs, want %d s", c.name, got-opened, pause)
			}
			if !b.Allow(now) {
				t.Fatalf("%s: no probe after %d s", c.name, pause)
			}
			if b.Allow(now) || b.Allow(now+second) {
				t.Fatalf("%s: two probes at once", c.name)
			}
			now += second / 2
			b.Failure(now, 0)
		}
		b.Success()
		if b.Open() || !b.Allow(now) || !b.Allow(now) {
			t.Errorf("%s: a success does not close it", c.name)
		}
	}
}

func TestBreakerStories(t *testing.T) {
	opened := func() webhook.Breaker {
		b := webhook.NewBreaker(false)
		for range webhook.OpenAfter {
			b.Failure(at, 0)
		}
		return b
	}
	t.Run("a success between failures", func(t *testing.T) {
		b := webhook.NewBreaker(false)
		for range 100 {
			b.Failure(at, 0)
			b.Failure(at, 0)
			b.Success()
		}
		if b.Open() {
			t.Error("opened")
		}
	})
	t.Run("stragglers do not lengthen the pause", func(t *testing.T) {
		b := opened()
		for range 7 {
			b.Failure(at+second, 0)
		}
		if got := b.ReadyAt(at); got != at+5*second {
			t.Errorf("ready after %d µs", got-at)
		}
	})
	t.Run("a probe that is never heard of", func(t *testing.T) {
		b := opened()
		now := at + 5*second
		limit := (2 * webhook.AttemptLimit).Microseconds()
		if !b.Allow(now) || b.Allow(now+limit-1) || !b.Allow(now+limit) {
			t.Error("not one probe each 30 s")
		}
	})
	t.Run("a clock that is set back", func(t *testing.T) {
		b := opened()
		if !b.Allow(at - 3600*second) {
			t.Error("waits for the old time to come again")
		}
	})
	t.Run("a receiver that asks for a pause", func(t *testing.T) {
		b := webhook.NewBreaker(false)
		b.Failure(at, 90*time.Second)
		if !b.Open() || b.ReadyAt(at) != at+90*second {
			t.Errorf("ready after %d µs", b.ReadyAt(at)-at)
		}
		b = webhook.NewBreaker(true)
		b.Failure(at, time.Hour)
		if b.ReadyAt(at) != at+10*second {
			t.Errorf("in a sandbox ready after %d µs", b.ReadyAt(at)-at)
		}
	})
}

// TestBreakerHoldsBack: whatever happens, a breaker that is told of nothing but failures lets through at most
// OpenAfter attempts and then one per pause, and never keeps anybody waiting longer than its longest pause or
// a lost probe.
func TestBreakerHoldsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sandbox := rapid.Bool().Draw(t, "sandbox")
		longest := 600 * second
		if sandbox {
			longest = 10 * second
		}
		b := webhook.NewBreaker(sandbox)
		now := int64(at)
		under, failures := 0, 0
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				now += rapid.Int64Range(0, 700*second).Draw(t, "wait")
			case 1:
				if under > 0 {
					under, failures = under-1, 0
					b.Success()
					if b.Open() {
						t.Fatal("open after a success")
					}
				}
			case 2:
				if under > 0 {
					under--
					failures++
					b.Failure(now, time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "asked")))
				}
			default:
				open, ready := b.Open(), b.ReadyAt(now)
				if open && ready > now+max(longest, 30*second) {
					t.Fatalf("nobody may come before %d µs have passed", ready-now)
				}
				allowed := b.Allow(now)
				if allowed != (ready <= now) {
					t.Fatal("Allow and ReadyAt disagree")
				}
				if allowed && open && b.Allow(now) {
					t.Fatal("two probes at once")
				}
				if allowed {
					under++
				}
			}
			if failures >= webhook.OpenAfter && !b.Open() {
				t.Fatalf("closed after %d failures in a row", failures)
			}
		}
	})
}

func TestWindow(t *testing.T) {
	var w webhook.Window
	for n := range 12 {
		if got, want := w.Size(), min(n+1, event.UsualConcurrency); got != want {
			t.Fatalf("after %d successes %d, want %d", n, got, want)
		}
		w.Success(event.UsualConcurrency)
	}
	w.Failure()
	if w.Size() != 1 {
		t.Errorf("after a failure %d", w.Size())
	}
	for _, most := range []int{event.MaxConcurrency, 1} { // one of which there is one at a time answers, too
		if w.Success(most); w.Size() != 2 {
			t.Errorf("after a failure and a success %d, %d at most", w.Size(), most)
		}
	}
	for range 100 {
		w.Success(event.MaxConcurrency)
	}
	if w.Size() != event.MaxConcurrency {
		t.Errorf("after many successes %d", w.Size())
	}
	if w.Success(3); w.Size() != 3 {
		t.Errorf("it wants fewer now and has %d", w.Size())
	}
}
