package webhook

import (
	"context"
	"testing"
	"time"

	"plexy/internal/access"
	"plexy/internal/clock"
	"plexy/internal/core/machine"
	"plexy/internal/event"
	"plexy/internal/merchant"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
)

// TestEndWritesWhatArrived: of two attempts that end while the worker does, one was delivered and is written;
// the other was cut off and is as if it had never been made.
func TestEndWritesWhatArrived(t *testing.T) {
	ctx, store := context.Background(), memory.New()
	m := merchant.Merchant{ID: "mer_1", Settings: merchant.Defaults()}
	key := access.Key{ID: "key_1", Merchant: m.ID}
	if err := store.CreateMerchant(ctx, m, key, machine.Audit{}); err != nil {
		t.Fatal(err)
	}
	e := event.NewEndpoint("whe_1", m.ID, 1)
	if err := store.CreateEndpoint(ctx, e, machine.Audit{}); err != nil {
		t.Fatal(err)
	}
	w := NewWorker(WorkerOptions{
		Store: store, Clock: clock.NewManual(1), Machine: clock.NewManual(1), Owner: "srv_1",
		Alarm: func(what string, err error) { t.Errorf("alarm: %s: %v", what, err) },
	})
	l := newLane(e, true)
	w.lanes[e.ID] = l
	for id, r := range map[string]Result{
		"whd_1_a": {Outcome: Delivered, Status: 200, Duration: time.Millisecond},
		"whd_1_b": {Error: "interrupted"},
	} {
		d := event.Delivery{ID: id, Endpoint: e.ID, Merchant: m.ID, State: event.Waiting, Body: []byte("{}")}
		if err := store.CreateDelivery(ctx, d); err != nil {
			t.Fatal(err)
		}
		l.flight, w.flight = l.flight+1, w.flight+1
		w.done <- attempted{lane: l, due: storage.Due{Delivery: d}, body: d.Body, at: 1, result: r}
	}
	w.end()
	for id, want := range map[string]event.DeliveryState{"whd_1_a": event.Delivered, "whd_1_b": event.Waiting} {
		d, err := store.Delivery(ctx, e.ID, id)
		attempts := 0
		if want == event.Delivered {
			attempts = 1
		}
		if err != nil || d.State != want || d.Attempts != attempts {
			t.Errorf("%s is %s after %d attempts (%v), want %s", id, d.State, d.Attempts, err, want)
		}
	}
}
