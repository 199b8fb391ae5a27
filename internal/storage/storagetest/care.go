package storagetest

import (
	"fmt"
	"sync"
	"sync/atomic"

	"plexy/internal/core/journal"
	"plexy/internal/event"
	"plexy/internal/merchant"
	"plexy/internal/storage"
)

const (
	hour   = 3600 * second
	oneDay = 24 * hour
)

// eventsSwept has two merchants with events of several days, and sweeps them in steps.
func eventsSwept(w *world) {
	w.install()
	one, two := w.addMerchant("one", merchant.Defaults()), w.addMerchant("two", merchant.Defaults())
	e := w.addEndpoint(one, "E")
	w.fund("ann", 1000)
	old := w.now
	first := w.sell(sale{merchant: one.ID, payer: "ann", amount: 100})
	w.run(w.capture(first, 10), w.capture(first, 20))
	w.sell(sale{merchant: two.ID, payer: "ann", amount: 100})
	w.numberAll()
	w.now += oneDay
	w.run(w.capture(first, 30))
	w.numberAll()
	waiting := w.due(e.ID)
	sweep := func(before int64, limit, want int) {
		w.Helper()
		n, err := w.SweepEvents(w.ctx, before, limit)
		w.ok(err)
		w.same(n, want)
	}
	lowest := func(m merchant.Merchant, want int64) {
		w.Helper()
		got, err := w.LowestEvent(w.ctx, m.ID)
		w.ok(err)
		w.same(got, want)
	}
	lowest(one, 1)
	sweep(old, 10, 0)
	sweep(old+1, 2, 2)
	lowest(one, 3)
	lowest(two, 1)
	sweep(old+1, 10, 2)
	sweep(old+1, 10, 0)
	lowest(one, 4)
	lowest(two, 2)

	got, err := w.Events(w.ctx, one.ID, 0, 10)
	w.ok(err)
	if len(got) != 1 || got[0].Number != 4 || got[0].Transaction.Captured != 60 {
		w.Fatalf("the feed still has %+v, want number 4", got)
	}
	_, err = w.Event(w.ctx, one.ID, journal.Ref{Object: first.ID, Sequence: 1})
	w.is(err, storage.ErrNotFound)
	_, err = w.Record(w.ctx, journal.Ref{Object: first.ID, Sequence: 1}) // the ledger forgets nothing
	w.ok(err)
	w.same(w.due(e.ID), waiting) // what is under way still goes out as it was
	n, last, err := w.Replay(w.ctx, w.now, storage.ReplayQuery{Endpoint: e, From: 1, To: 9, Limit: 10})
	w.ok(err)
	w.same(fmt.Sprint(n, last), "0 4")

	// Nothing is numbered again, and numbers go on where they were; also when all of them are swept.
	if n := w.numberAll(); n != 0 {
		w.Fatalf("%d events were numbered again", n)
	}
	sweep(w.now+1, 10, 1)
	lowest(one, 5)
	w.run(w.capture(first, 5))
	w.sell(sale{merchant: two.ID, payer: "ann", amount: 5})
	w.numberAll()
	for m, number := range map[string]int64{one.ID: 5, two.ID: 2} {
		got, err := w.Events(w.ctx, m, 0, 10)
		w.ok(err)
		if len(got) != 1 || got[0].Number != number {
			w.Fatalf("the feed goes on with %+v, want number %d", got, number)
		}
	}
}

// A record that is newer than the ones after it, by the clocks of two servers, keeps those too.
func sweptInOrder(w *world) {
	w.install()
	m := w.addMerchant("m", merchant.Defaults())
	w.fund("ann", 1000)
	t := w.sell(sale{merchant: m.ID, payer: "ann", amount: 100})
	w.numberAll()
	w.now += second
	w.run(w.capture(t, 1))
	w.numberAll()
	w.now -= second
	w.sell(sale{merchant: m.ID, payer: "ann", amount: 7})
	w.numberAll()
	n, err := w.SweepEvents(w.ctx, w.now+1, 10)
	w.ok(err)
	w.same(n, 1)
	got, err := w.Events(w.ctx, m.ID, 1, 10)
	w.ok(err)
	w.same(len(got), 2)
}

// Sweeping goes on while events are numbered, by several processes at once: nothing is lost or given twice.
func sweepRace(w *world) {
	w.install()
	m := w.addMerchant("m", merchant.Defaults())
	w.fund("ann", 100_000)
	t := w.sell(sale{merchant: m.ID, payer: "ann", amount: 10_000})
	w.numberAll()
	done := make(chan struct{})
	var sweeping sync.WaitGroup
	for range 2 {
		sweeping.Go(func() {
			for last := int64(0); ; {
				select {
				case <-done:
					return
				default:
				}
				if _, err := w.SweepEvents(w.ctx, w.now+1, 2); err != nil {
					w.Errorf("sweep: %v", err)
					return
				}
				if lowest, err := w.LowestEvent(w.ctx, m.ID); err != nil || lowest < last {
					w.Errorf("the lowest number is %d (%v), it was %d", lowest, err, last)
				} else {
					last = lowest
				}
			}
		})
	}
	for range 20 {
		w.run(w.capture(t, 1))
		w.numberAll()
	}
	close(done)
	sweeping.Wait()
	w.numberAll() // what was passed by while a sweep was at it
	for n := 1; n > 0; {
		var err error
		n, err = w.SweepEvents(w.ctx, w.now+1, 50)
		w.ok(err)
	}
	lowest, err := w.LowestEvent(w.ctx, m.ID)
	w.ok(err)
	w.same(lowest, int64(22))
}

// health writes what deliveries have shown of an endpoint.
func (w *world) health(h storage.Health) {
	w.Helper()
	w.ok(w.Finish(w.ctx, w.now, nil, []storage.Health{h}))
}

// untold is of whom merchants are to be told.
func (w *world) untold(at, now int64) []storage.EndpointTelling {
	w.Helper()
	got, err := w.UntoldEndpoints(w.ctx, at, now, 10)
	w.ok(err)
	return got
}

// claim takes a try at telling, and checks whether it was there to be taken.
func (w *world) claim(t storage.EndpointTelling, next int64, want bool) {
	w.Helper()
	got, err := w.ClaimEndpointTelling(w.ctx, t, next)
	w.ok(err)
	w.same(got, want)
}

// failingEndpoint makes an endpoint whose merchant is to be told, and one whose merchant has no address; both
// fail from now on. It returns what is to be told after an hour.
func failingEndpoint(w *world) (merchant.Merchant, storage.EndpointTelling) {
	s := merchant.Defaults()
	s.ContactEmail, s.ContactLanguage = "owner@shop.kz", "ru"
	m := w.addMerchant("m", s)
	e := w.addEndpoint(m, "E")
	w.addEndpoint(w.addMerchant("silent", merchant.Defaults()), "S")
	w.health(storage.Health{Endpoint: "whe_S", FailingSince: w.now})
	w.health(storage.Health{Endpoint: e.ID, FailingSince: w.now})
	e.FailingSince = w.now
	return m, storage.EndpointTelling{Endpoint: e, Stage: event.FailingHour, To: s.ContactEmail, Language: "ru"}
}

// endpointTellings follows an endpoint that fails for an hour, a day and for good, and fails again.
func endpointTellings(w *world) {
	m, want := failingEndpoint(w)
	e, began := want.Endpoint, w.now
	untold, claim, health := w.untold, w.claim, w.health
	w.same(untold(began+hour-1, 0), []storage.EndpointTelling(nil))
	w.same(untold(began+hour, 0), []storage.EndpointTelling{want})

	one := want
	one.Message = "ntf_1"
	var claimed atomic.Int64
	var servers sync.WaitGroup
	for range 4 {
		servers.Go(func() {
			if mine, err := w.ClaimEndpointTelling(w.ctx, one, 100); mine && err == nil {
				claimed.Add(1)
			}
		})
	}
	servers.Wait()
	w.same(claimed.Load(), int64(1))
	claim(one, 100, false)
	w.same(untold(began+hour, 99), []storage.EndpointTelling(nil))
	one.Tries = 1
	w.same(untold(began+hour, 100), []storage.EndpointTelling{one})
	claim(one, 200, true)
	w.ok(w.EndpointTold(w.ctx, one, began+hour))
	one.Tries = 2
	claim(one, 300, false)
	w.same(untold(began+oneDay-1, 999), []storage.EndpointTelling(nil))

	want.Stage = event.FailingDay
	w.same(untold(began+oneDay, 0), []storage.EndpointTelling{want})
	day := want
	for day.Message = "ntf_2"; day.Tries < 6; day.Tries++ {
		claim(day, 0, true)
	}
	w.same(untold(began+oneDay, 999), []storage.EndpointTelling(nil)) // after six tries
	w.ok(w.EndpointTold(w.ctx, one, 1))                               // too late, and of another stage

	health(storage.Health{Endpoint: e.ID, FailingSince: began, Disable: event.WhySilent})
	want.Stage, want.Endpoint.State, want.Endpoint.Why = event.GivenUp, event.Disabled, event.WhySilent
	want.Endpoint.Revision++
	w.same(untold(began+oneDay, 0), []storage.EndpointTelling{want})
	claim(one, 400, false)
	given := want
	given.Message = "ntf_3"
	claim(given, 0, true)
	w.ok(w.EndpointTold(w.ctx, given, began+oneDay))
	w.same(untold(began+9*oneDay, 999), []storage.EndpointTelling(nil))

	// Enabled again it begins anew, and what a person disabled is not told of.
	e.UpdatedAt, e.Revision = w.now, want.Endpoint.Revision
	w.ok(w.SetEndpoint(w.ctx, e, w.audit()))
	w.same(untold(began+9*oneDay, 999), []storage.EndpointTelling(nil))
	health(storage.Health{Endpoint: e.ID, FailingSince: began + oneDay})
	again := untold(began+oneDay+hour, 0)
	if len(again) != 1 || again[0].Stage != event.FailingHour || again[0].Message != "" || again[0].Tries != 0 {
		w.Fatalf("after a success: %+v", again)
	}
	e.State, e.Why = event.Disabled, "by staff"
	e.Revision = again[0].Endpoint.Revision
	w.ok(w.SetEndpoint(w.ctx, e, w.audit()))
	w.same(untold(began+9*oneDay, 999), []storage.EndpointTelling(nil))
	w.ok(w.DeleteEndpoint(w.ctx, m.ID, e.ID, w.audit()))
}
