package proof_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// stopGrace is how long a stop under load may take; every request has less time than that.
const stopGrace = 15 * time.Second

// TestStopUnderLoad asks the server to end while callers without keys talk to it. It ends in order, and
// what it has done is exactly what its callers heard of: nothing that it accepted goes unanswered.
func TestStopUnderLoad(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		c, v := newClient(s), s.servers[0]
		const callers = 32
		payers := s.fund(4, 1_000_000_000)
		var held [callers]transaction
		for i := range held {
			held[i] = c.hold(payers[i%len(payers)], 10_000_000)
		}
		var captured [callers]int64
		for range volume(t, 5) {
			var wait sync.WaitGroup
			var heard atomic.Int64
			for i := range callers {
				wait.Go(func() {
					n := untilGone(t, c, held[i].ID, &heard)
					captured[i] += n
				})
			}
			began := time.Now()
			for heard.Load() < 200 && time.Since(began) < readyLimit {
				time.Sleep(pollEvery)
			}
			began = time.Now()
			if err := v.stop(); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > stopGrace {
				t.Errorf("the stop took %v", took)
			}
			wait.Wait()
			if _, err := v.start(); err != nil {
				t.Fatal(err)
			}
			for i, h := range held {
				got := c.get(h.ID)
				if n := int64(count(got.Operations, "capture")); n != captured[i] || got.Captured != captured[i] {
					t.Errorf("caller %d heard of %d captures of 1; the transaction has %d of them, %d in sum", i,
						captured[i], n, got.Captured)
					captured[i] = got.Captured
				}
			}
		}
		s.verify()
	})
}

// untilGone captures 1 again and again, without a key, until the server does not answer any more. It
// returns how many captures it heard of.
func untilGone(t *testing.T, c *client, id string, heard *atomic.Int64) int64 {
	n := int64(0)
	for {
		a := c.do(operate("capture", id, 1).withKey(""))
		switch {
		case a.err != nil:
			return n
		case a.status == http.StatusOK:
			n++
			heard.Add(1)
		case !a.untouched(): // a server on its way out may say that it does nothing more
			t.Errorf("an answer during the stop: %s", a)
			return n
		}
	}
}
