package webhook_test

import (
	"testing"
	"time"

	"plexy/internal/event"
	"plexy/internal/sandbox"
	"plexy/internal/webhook"
)

// TestDialledFaults walks every fault: whatever goes wrong, both events of an object arrive in the end, and
// the attempts tell what happened.
func TestDialledFaults(t *testing.T) {
	for fault, want := range map[sandbox.Fault]struct {
		arrivals []int64 // sequences, as they come
		attempts int     // at the first event
		marked   bool    // the first to come is marked out of order
	}{
		sandbox.NotSent:    {[]int64{1, 2}, 2, false},
		sandbox.Error500:   {[]int64{1, 2}, 2, false},
		sandbox.Error503:   {[]int64{1, 2}, 2, false},
		sandbox.LostAnswer: {[]int64{1, 1, 2, 2}, 2, false},
		sandbox.Slow:       {[]int64{1, 2}, 1, false},
		sandbox.Duplicated: {[]int64{1, 1, 2, 2}, 1, false},
		sandbox.OutOfOrder: {[]int64{2, 1}, 1, true},
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			w, s := newWorld(t), open(t)
			e := w.endpoint(s.url)
			w.dial = sandbox.Dial{Fault: fault, Seconds: 1, Operation: sandbox.Webhook}
			held := w.hold()
			w.capture(held)
			w.start()
			turning := make(chan struct{})
			defer close(turning)
			go w.turn(turning)
			for i, sequence := range want.arrivals {
				v := s.say(204)
				if v.id != event.ID(held.ID, sequence) {
					t.Fatalf("arrival %d is %s, want sequence %d", i, v.id, sequence)
				}
				if marked := v.Get(webhook.MarkOutOfOrder) != ""; marked != (want.marked && i == 0) {
					t.Errorf("arrival %d is marked out of order: %t", i, marked)
				}
			}
			w.delivered(e, 2)
			if n := w.delivery(e, 1).Attempts; n != want.attempts {
				t.Errorf("%d attempts at the first event, want %d", n, want.attempts)
			}
		})
	}
}

// turn moves the clock until it is told to stop, so that retries come due.
func (w *world) turn(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
			w.later(100 * time.Millisecond)
			time.Sleep(pollEvery)
		}
	}
}

// A fault that is dialled for requests is none of deliveries.
func TestFaultsOfRequestsLeaveDeliveriesAlone(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), open(t)
	e := w.endpoint(s.url)
	w.dial = sandbox.Dial{Fault: sandbox.NotSent}
	w.start()
	w.hold()
	s.say(204)
	w.delivered(e, 1)
}
