package webhook

import (
	"context"
	"net/http"
	"time"

	"plexy/internal/clock"
	"plexy/internal/event"
	"plexy/internal/sandbox"
)

// overtaken is how long a delivery waits to be overtaken by another one.
const overtaken = 2 * time.Second

// places is how many attempts to an endpoint may be under way: as many as its receiver has shown to bear and
// its merchant wants, but more than the usual number only while half of the server's places are free, so that
// a few endpoints that want many cannot take them all. What is to be overtaken must not stand in the way.
func (w *Worker) places(l *lane) int {
	if w.o.Fault != nil && w.o.Fault(l.endpoint.Merchant).For(sandbox.Webhook).Fault == sandbox.OutOfOrder {
		return event.UsualConcurrency
	}
	n := min(l.window.Size(), l.endpoint.Concurrency)
	if w.flight >= maxFlight/2 {
		n = min(n, event.UsualConcurrency)
	}
	return n
}

// dialled is what a merchant has dialled for a delivery. Only its first attempt is struck, and the first
// after a replay: so everything arrives in the end.
func (w *Worker) dialled(d event.Delivery) sandbox.Dial {
	if w.o.Fault == nil || d.Attempts > d.Base {
		return sandbox.Dial{}
	}
	return w.o.Fault(d.Merchant).For(sandbox.Webhook)
}

// send makes an attempt, or what a sandbox makes of it on demand. It looks as it would in production: an
// attempt that failed is counted, and the delivery is tried again.
func (w *Worker) send(ctx context.Context, url string, m Message, dial sandbox.Dial) Result {
	switch dial.Fault {
	case sandbox.NotSent:
		return Result{Error: "dialled: it was not sent"}
	case sandbox.Error500:
		return Result{Status: http.StatusInternalServerError, Error: "dialled: the receiver answered 500"}
	case sandbox.Error503:
		return Result{
			Status: http.StatusServiceUnavailable, Outcome: SlowDown, Error: "dialled: the receiver answered 503",
		}
	case sandbox.LostAnswer:
		r := w.o.Sender.Send(ctx, url, m)
		return Result{Duration: r.Duration, Error: "dialled: the answer was lost"}
	case sandbox.Slow:
		clock.Pause(ctx, time.Duration(dial.Seconds)*time.Second)
	case sandbox.OutOfOrder:
		if m.ID[len(m.ID)-1]%2 == 1 { // every other one, by the last digit of its sequence
			clock.Pause(ctx, overtaken)
		}
	case sandbox.Duplicated:
		w.o.Sender.Send(ctx, url, m)
	}
	return w.o.Sender.Send(ctx, url, m)
}
