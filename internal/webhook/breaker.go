package webhook

import "time"

// How a Breaker opens and for how long.
const (
	// OpenAfter is how many attempts in a row must fail.
	OpenAfter = 5

	firstPause          = 5 * time.Second
	longestPause        = 10 * time.Minute
	firstPauseSandbox   = time.Second
	longestPauseSandbox = 10 * time.Second

	// probeLimit is when a probe that was never heard of again is given up: longer than an attempt takes.
	probeLimit = 2 * AttemptLimit
)

// Breaker is the circuit breaker of one endpoint. Closed, it lets everything through. After OpenAfter
// failures in a row it opens and lets nothing through for a pause. Then it lets one attempt through, the
// probe: success closes it, failure opens it for twice as long, up to 10 minutes, in a sandbox 10 seconds.
//
// It is a value without lock or clock: who shares one, locks it. Times are microseconds of one clock, which
// may be set back.
type Breaker struct {
	first, longest time.Duration
	failures       int           // in a row, while closed
	pause          time.Duration // 0 while closed
	wait           time.Duration // how long from since nothing goes through
	since          int64
	probing        bool
}

// NewBreaker returns a closed breaker.
func NewBreaker(sandbox bool) Breaker {
	if sandbox {
		return Breaker{first: firstPauseSandbox, longest: longestPauseSandbox}
	}
	return Breaker{first: firstPause, longest: longestPause}
}

// Allow tells whether an attempt may begin now. After true the caller makes the attempt and reports Success
// or Failure.
func (b *Breaker) Allow(now int64) bool {
	if b.pause == 0 {
		return true
	}
	if b.ReadyAt(now) > now {
		return false
	}
	b.probing, b.since, b.wait = true, now, probeLimit
	return true
}

// ReadyAt tells when Allow will next say yes, if nothing is reported before: now, or later.
func (b *Breaker) ReadyAt(now int64) int64 {
	// A clock that was set back shows a moment before since. Waiting for since again could take for ever.
	if b.pause == 0 || now < b.since {
		return now
	}
	return max(now, b.since+b.wait.Microseconds())
}

// Success reports an attempt that was delivered: the receiver is there.
func (b *Breaker) Success() { *b = Breaker{first: b.first, longest: b.longest} }

// Failure reports an attempt that was not delivered. If the receiver asked for a pause (0: it did not), the
// breaker opens at once, for that long if the longest pause allows it.
func (b *Breaker) Failure(now int64, retryAfter time.Duration) {
	b.failures++
	switch {
	case b.probing:
		b.pause *= 2
	case b.pause == 0 && (b.failures >= OpenAfter || retryAfter > 0):
		b.pause = b.first
	default:
		return // still closed; or one that began before it opened, and tells nothing new
	}
	b.pause = min(max(b.pause, retryAfter), b.longest)
	b.probing, b.since, b.wait = false, now, b.pause
}

// Open tells whether the breaker is open, or waits for its probe.
func (b *Breaker) Open() bool { return b.pause > 0 }

// Window is how many attempts to one endpoint its receiver has shown to bear at once: 1 at first, one more
// with each success up to what the endpoint wants, and 1 again after a failure. A slow or dead receiver so
// holds one place, not all of them.
type Window struct{ grown int }

// Size returns how many attempts may be under way as far as the receiver is concerned, 1 to
// event.MaxConcurrency; more than 1 means that the last one was delivered.
func (w *Window) Size() int { return 1 + w.grown }

// Success lets the window grow by one, up to most; and to two in any case, which says that the receiver
// answers.
func (w *Window) Success(most int) { w.grown = max(1, min(w.grown+1, most-1)) }

// Failure closes the window to one.
func (w *Window) Failure() { w.grown = 0 }
