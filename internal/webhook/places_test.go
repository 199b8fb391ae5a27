package webhook

import (
	"testing"

	"plexy/internal/event"
)

// TestManyPlacesOnlyWhileThereAreMany: an endpoint that wants more than the usual number has it while half of
// the server's places are free, so that a few such endpoints do not take them all.
func TestManyPlacesOnlyWhileThereAreMany(t *testing.T) {
	for _, c := range []struct{ wants, successes, flight, want int }{
		{64, 0, 0, 1}, {64, 10, 0, 11}, {64, 100, maxFlight/2 - 1, 64}, {64, 100, maxFlight / 2, 8},
		{8, 100, 0, 8}, {3, 100, maxFlight, 3}, {1, 100, 0, 1},
	} {
		e := event.NewEndpoint("whe_1", "mer_1", 1)
		e.Concurrency = c.wants
		w, l := &Worker{flight: c.flight}, newLane(e, true)
		for range c.successes {
			l.window.Success(e.Concurrency)
		}
		if got := w.places(l); got != c.want {
			t.Errorf("%+v: %d places", c, got)
		}
	}
}
