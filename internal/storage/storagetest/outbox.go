package storagetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
	"plexy/internal/event"
	"plexy/internal/merchant"
	"plexy/internal/storage"
)

// numberAll numbers until nothing is left and returns how many events that made.
func (w *world) numberAll() (n int) {
	w.Helper()
	for {
		some, err := w.Number(w.ctx, w.now, 3)
		w.ok(err)
		if some == 0 {
			return n
		}
		n += some
	}
}

// feed returns all events of a merchant, and checks that their numbers have no gaps and that an object's
// events come in order of sequence.
func (w *world) feed(merchant string) (all []event.Event) {
	w.Helper()
	sequences := map[string]int64{}
	for {
		page, err := w.Events(w.ctx, merchant, int64(len(all)), 4)
		w.ok(err)
		for _, e := range page {
			if e.Number != int64(len(all))+1 || e.Record.Sequence != sequences[e.Record.Object]+1 {
				w.Fatalf("event %d of %s is number %d, sequence %d of %s", len(all)+1, merchant, e.Number,
					e.Record.Sequence, e.Record.Object)
			}
			sequences[e.Record.Object]++
			all = append(all, e)
		}
		if len(page) < 4 {
			return all
		}
	}
}

func eventNumbers(w *world) {
	w.install()
	one, two := w.addMerchant("one", merchant.Defaults()), w.addMerchant("two", merchant.Defaults())
	w.fund("ann", 1000)
	for i := range 5 { // the platform's own records, which nobody hears of
		w.fund(person(fmt.Sprint("silent", i)), 1000)
	}
	first := w.sell(sale{merchant: one.ID, payer: "ann", amount: 100})
	w.now += second
	w.sell(sale{merchant: two.ID, payer: "ann", amount: 50})
	if n, err := w.Number(w.ctx, w.now, 3); err != nil || n != 2 {
		w.Fatalf("%d events were numbered (%v), want the 2 of merchants", n, err)
	}
	w.run(w.capture(first, 30), w.capture(first, 20))
	refused := w.run(w.authorize(sale{merchant: one.ID, payer: "ann", amount: 5000}))[0].Transaction
	if n := w.numberAll(); n != 3 {
		w.Fatalf("%d more events, want 3", n)
	}
	got := w.feed(one.ID)
	if len(got) != 4 || len(w.feed(two.ID)) != 1 {
		w.Fatalf("the feed has %d events, want 4", len(got))
	}
	as := first // what the first event tells is how it was then, not how it is by now
	w.same(got[0].Transaction, as)
	as.Captured, as.Sequence, as.UpdatedAt = 30, 2, w.now
	w.same(got[1].Transaction, as)
	w.same(got[3].Transaction, refused)
	record, err := w.Record(w.ctx, journal.Ref{Object: first.ID, Sequence: 2})
	w.ok(err)
	w.same(got[1].Record, record)

	found, err := w.Event(w.ctx, one.ID, journal.Ref{Object: first.ID, Sequence: 3})
	w.ok(err)
	w.same(found, got[2])
	for _, ref := range []journal.Ref{{Object: first.ID, Sequence: 4}, {Object: "wt_none", Sequence: 1}} {
		_, err = w.Event(w.ctx, one.ID, ref)
		w.is(err, storage.ErrNotFound)
	}
	_, err = w.Event(w.ctx, two.ID, journal.Ref{Object: first.ID, Sequence: 1})
	w.is(err, storage.ErrNotFound)
}

// eventRace numbers while all lanes commit: no event may be lost, numbered twice or out of order.
func eventRace(w *world) {
	w.install()
	m := w.addMerchant("busy", merchant.Defaults())
	var held []wallet.Transaction
	for i := range 8 {
		w.fund(person(fmt.Sprintf("p%d", i)), 100_000)
		held = append(held, w.sell(sale{merchant: m.ID, payer: person(fmt.Sprintf("p%d", i)), amount: 1000}))
	}
	const rounds = 20
	var writing, numbering sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		numbering.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					if _, err := w.Number(w.ctx, w.now, 7); err != nil {
						w.Errorf("number: %v", err)
						return
					}
				}
			}
		})
	}
	for lane := range w.Lanes() {
		writing.Go(func() {
			for round := range rounds {
				in := w.capture(held[(lane+round)%len(held)], 1)
				_, err := w.try(lane, in, w.capture(held[(lane*3+round)%len(held)], 1))
				for errors.Is(err, storage.ErrConflict) { // who decides optimistically may say so
					_, err = w.try(lane, in, w.capture(held[(lane*3+round)%len(held)], 1))
				}
				if err != nil {
					w.Errorf("capture: %v", err)
				}
			}
		})
	}
	writing.Wait()
	close(done)
	numbering.Wait()
	w.numberAll()
	if n, want := len(w.feed(m.ID)), len(held)+2*rounds*w.Lanes(); n != want {
		w.Fatalf("%d events, want %d", n, want)
	}
}

func (w *world) addEndpoint(m merchant.Merchant, name string, types ...string) event.Endpoint {
	w.Helper()
	e := event.NewEndpoint("whe_"+name, m.ID, w.now)
	e.URL, e.Types = "https://example.com/"+name, types
	w.ok(w.CreateEndpoint(w.ctx, e, w.audit()))
	return e
}

func endpoints(w *world) {
	m, other := w.addMerchant("m", merchant.Defaults()), w.addMerchant("o", merchant.Defaults())
	b := w.addEndpoint(m, "B", "wallet.transaction.captured", "wallet.transaction.failed")
	a := w.addEndpoint(m, "A")
	got, err := w.EndpointsOf(w.ctx, m.ID)
	w.ok(err)
	w.same(got, []event.Endpoint{a, b})
	_, err = w.Endpoint(w.ctx, other.ID, a.ID)
	w.is(err, storage.ErrNotFound)

	a.URL, a.Types, a.Ordered, a.State, a.Why = "https://example.com/x", []string{"y"}, false, event.Disabled, "no"
	a.Secret, a.PreviousUntil, a.UpdatedAt = 2, w.now+5, w.now+6
	a.Signatures = []event.Signature{event.HMAC, event.Ed25519}
	a.Waits = []time.Duration{time.Second, 90 * time.Second, 24 * time.Hour}
	a.Concurrency, a.Form = event.MaxConcurrency, event.Form{Version: 7, Thin: true}
	a.Token = 3
	late := a // what reads the endpoint now and writes it after somebody else has
	w.ok(w.SetEndpoint(w.ctx, a, w.audit()))
	a.Revision++
	one, err := w.Endpoint(w.ctx, m.ID, a.ID)
	w.ok(err)
	w.same(one, a)
	before := w.auditRows()
	late.URL, late.Secret, late.PreviousUntil = "https://example.com/y", 1, 0
	w.is(w.SetEndpoint(w.ctx, late, w.audit()), storage.ErrConflict)
	one, err = w.Endpoint(w.ctx, m.ID, a.ID)
	w.ok(err)
	w.same(one, a)
	w.same(w.auditRows(), before)
	a.Signatures, a.Waits, a.Form = []event.Signature{event.Ed25519}, nil, event.Form{Version: 1}
	w.ok(w.SetEndpoint(w.ctx, a, w.audit()))
	a.Revision++
	one, err = w.Endpoint(w.ctx, m.ID, a.ID)
	w.ok(err)
	w.same(one, a)
	stolen := a
	stolen.Merchant = other.ID
	w.is(w.SetEndpoint(w.ctx, stolen, w.audit()), storage.ErrNotFound)
	w.is(w.DeleteEndpoint(w.ctx, other.ID, a.ID, w.audit()), storage.ErrNotFound)
	w.ok(w.DeleteEndpoint(w.ctx, m.ID, a.ID, w.audit()))
	_, err = w.Endpoint(w.ctx, m.ID, a.ID)
	w.is(err, storage.ErrNotFound)

	w.is(w.CreateEndpoint(w.ctx, event.NewEndpoint("whe_Z", "mer_none", w.now), w.audit()), storage.ErrNotFound)
	for i := 1; i < event.MaxEndpoints; i++ {
		w.addEndpoint(m, fmt.Sprintf("C%02d", i))
	}
	w.is(w.CreateEndpoint(w.ctx, event.NewEndpoint("whe_Z", m.ID, w.now), w.audit()), storage.ErrConflict)
}

func (w *world) auditRows() int {
	w.Helper()
	rows, err := w.Audits(w.ctx, 1000)
	w.ok(err)
	return len(rows)
}

// endpointRaces: of many who make endpoints at once no more succeed than there is room for, and of many who
// change one, each as often as it is told that somebody else was faster, nobody's change is lost.
func endpointRaces(w *world) {
	m := w.addMerchant("m", merchant.Defaults())
	const room = 3
	for i := range event.MaxEndpoints - room {
		w.addEndpoint(m, fmt.Sprintf("C%02d", i))
	}
	w.same(w.together(func(i int) error {
		return w.CreateEndpoint(w.ctx, event.NewEndpoint(fmt.Sprint("whe_R", i), m.ID, w.now), machine.Audit{
			ID: fmt.Sprint("aud_R", i), At: w.now,
		})
	}), room)
	all, err := w.EndpointsOf(w.ctx, m.ID)
	w.ok(err)
	w.same(len(all), event.MaxEndpoints)

	e := all[0]
	w.same(w.together(func(i int) error { // all from what was read before
		mine := e
		mine.URL = fmt.Sprint("https://example.com/", i)
		return w.SetEndpoint(w.ctx, mine, machine.Audit{ID: fmt.Sprint("aud_S", i), At: w.now})
	}), 1)
	w.same(w.together(func(i int) error {
		for {
			mine, err := w.Endpoint(w.ctx, m.ID, e.ID)
			if err != nil {
				return err
			}
			mine.Types = append(mine.Types, fmt.Sprint("type", i))
			err = w.SetEndpoint(w.ctx, mine, machine.Audit{ID: fmt.Sprint("aud_T", i), At: w.now})
			if !errors.Is(err, storage.ErrConflict) {
				return err
			}
		}
	}), racers)
	e, err = w.Endpoint(w.ctx, m.ID, e.ID)
	w.ok(err)
	slices.Sort(e.Types)
	w.same(len(slices.Compact(e.Types)), racers)
	w.same(e.Revision, int64(2+racers))
}

// together runs fn in as many goroutines as race, and returns how many got through; the others must have been
// told of a conflict.
func (w *world) together(fn func(int) error) (through int) {
	w.Helper()
	errs := make([]error, racers)
	var running sync.WaitGroup
	for i := range racers {
		running.Go(func() { errs[i] = fn(i) })
	}
	running.Wait()
	for _, err := range errs {
		if err == nil {
			through++
		} else if !errors.Is(err, storage.ErrConflict) {
			w.Fatal(err)
		}
	}
	return through
}

// told is a world with one endpoint and n events of one transaction waiting for it.
func told(w *world, n int) (event.Endpoint, []event.Event) {
	w.Helper()
	w.install()
	m := w.addMerchant("m", merchant.Defaults())
	e := w.addEndpoint(m, "E")
	w.fund("ann", 1000)
	t := w.sell(sale{merchant: m.ID, payer: "ann", amount: 500, currency: money.KZT})
	for range n - 1 {
		w.run(w.capture(t, 1))
	}
	w.numberAll()
	return e, w.feed(m.ID)
}

func deliveriesMade(w *world) {
	w.install()
	m := w.addMerchant("m", merchant.Defaults())
	w.fund("ann", 1000)
	w.sell(sale{merchant: m.ID, payer: "ann", amount: 1})
	w.numberAll() // before anybody listened
	all := w.addEndpoint(m, "ALL")
	w.addEndpoint(m, "SOME", "wallet.transaction.captured")
	off := w.addEndpoint(m, "OFF")
	off.State = event.Disabled
	w.ok(w.SetEndpoint(w.ctx, off, w.audit()))
	w.addEndpoint(w.addMerchant("o", merchant.Defaults()), "OTHER")
	t := w.sell(sale{merchant: m.ID, payer: "ann", amount: 2})
	w.run(w.capture(t, 1))
	w.numberAll()
	for name, want := range map[string]string{
		"whe_ALL": "[3 2]", "whe_SOME": "[3]", "whe_OFF": "[]", "whe_OTHER": "[]",
	} {
		ds, err := w.DeliveriesOf(w.ctx, storage.DeliveryQuery{Endpoint: name, Limit: 10})
		w.ok(err)
		numbers := []int64{}
		for _, d := range ds {
			numbers = append(numbers, d.Number)
		}
		w.same(fmt.Sprint(numbers), want)
	}
	ds, err := w.DeliveriesOfRecord(w.ctx, journal.Ref{Object: t.ID, Sequence: 1})
	w.ok(err)
	record, err := w.Record(w.ctx, journal.Ref{Object: t.ID, Sequence: 1})
	w.ok(err)
	w.same(ds, []event.Delivery{event.NewDelivery(all, 2, record, w.now)})
	page, err := w.DeliveriesOf(w.ctx, storage.DeliveryQuery{
		Endpoint: "whe_ALL", Before: event.DeliveryID("whe_ALL", 3), State: event.Waiting, Limit: 10,
	})
	w.ok(err)
	w.same(page, ds)
}

// due returns what is due for the endpoint now.
func (w *world) due(endpoint string) []storage.Due {
	w.Helper()
	due, err := w.DueDeliveries(w.ctx, endpoint, w.now, 10)
	w.ok(err)
	return due
}

func deliveriesFinished(w *world) {
	e, events := told(w, 3)
	due := w.due(e.ID)
	if len(due) != 3 || due[0].Behind != 1 || due[1].Behind != 1 || due[2].Behind != 2 {
		w.Fatalf("due: %+v, want 3, one behind the other", due)
	}
	w.same(due[1].Event, events[1])

	// The second is put off, the first fails once and is then delivered, which makes the second due.
	off := due[1].Delivery
	off.DueAt = w.now + 60*second
	failed := due[0].Delivery
	failed.Attempts, failed.DueAt, failed.Body = 1, w.now+5*second, []byte("{body}")
	attempt := event.Attempt{Delivery: failed.ID, Number: 1, At: w.now, Micros: 7, Status: 500, Error: "no",
		Response: []byte("oops")}
	w.ok(w.Finish(w.ctx, w.now, []storage.Result{{Delivery: off}, {Delivery: failed, Attempt: attempt}},
		[]storage.Health{{Endpoint: e.ID, FailingSince: w.now}}))
	if due := w.due(e.ID); len(due) != 1 || due[0].Delivery.Number != 3 {
		w.Fatalf("due: %+v, want only the third", due)
	}
	w.now += 5 * second
	due = w.due(e.ID)
	w.same(due[len(due)-1].Delivery.Body, []byte("{body}"))
	done := due[len(due)-1].Delivery
	done.State, done.Attempts, done.Body = event.Delivered, 2, nil
	second := event.Attempt{Delivery: done.ID, Number: 2, At: w.now, Micros: 9, Status: 200}
	result := storage.Result{Delivery: done, Attempt: second, Unblock: true}
	w.ok(w.Finish(w.ctx, w.now, []storage.Result{result}, []storage.Health{{Endpoint: e.ID}}))
	w.ok(w.Finish(w.ctx, w.now, []storage.Result{result}, nil)) // said twice, it is done once
	if due := w.due(e.ID); len(due) != 2 || due[1].Delivery.Number != 2 || due[1].Behind != 2 {
		w.Fatalf("due: %+v, want the third and the second", due)
	}
	attempts, err := w.AttemptsOf(w.ctx, done.ID)
	w.ok(err)
	w.same(attempts, []event.Attempt{attempt, second})
	done.UpdatedAt = w.now
	got, err := w.Delivery(w.ctx, e.ID, done.ID)
	w.ok(err)
	w.same(got, done)
	_, err = w.Delivery(w.ctx, "whe_other", done.ID)
	w.is(err, storage.ErrNotFound)

	// What is put off when nothing is in the way any more is not.
	late := w.due(e.ID)[1].Delivery
	late.DueAt = w.now + 60*1_000_000
	w.ok(w.Finish(w.ctx, w.now, []storage.Result{{Delivery: late}}, nil))
	if due := w.due(e.ID); len(due) != 2 {
		w.Fatalf("due: %+v, want both", due)
	}
	// Unless there is no room for it.
	w.ok(w.Finish(w.ctx, w.now, []storage.Result{{Delivery: late, Later: true}}, nil))
	if due := w.due(e.ID); len(due) != 1 || due[0].Delivery.ID == late.ID {
		w.Fatalf("due: %+v, want the other one", due)
	}
	w.ok(w.Finish(w.ctx, w.now, nil, []storage.Health{{Endpoint: e.ID, FailingSince: 9, Disable: "gone"}}))
	after, err := w.Endpoint(w.ctx, e.Merchant, e.ID)
	w.ok(err)
	if after.State != event.Disabled || after.Why != "gone" || after.FailingSince != 9 {
		w.Fatalf("endpoint: %+v, want it disabled", after)
	}
	w.is(w.SetEndpoint(w.ctx, e, w.audit()), storage.ErrConflict) // read before: it would be enabled again
}

func claims(w *world) {
	e, _ := told(w, 1)
	const lease = 10 * second
	owned := func(owner string) []storage.Work {
		w.Helper()
		work, err := w.Owned(w.ctx, owner, w.now)
		w.ok(err)
		return work
	}
	own := func(owner string) {
		w.Helper()
		w.ok(w.Own(w.ctx, storage.Claim{Owner: owner, Now: w.now, Until: w.now + lease, DueAt: w.now}))
	}
	own("one")
	own("two")
	w.same(owned("one"), []storage.Work{{Endpoint: e, NextDue: w.now}})
	w.same(owned("two"), []storage.Work(nil))
	due := w.now
	w.now += lease * 3 / 4
	own("one") // renewed
	w.now += lease * 3 / 4
	own("two")
	w.same(owned("one"), []storage.Work{{Endpoint: e, NextDue: due}})
	w.now += lease // and now it is over
	w.same(owned("one"), []storage.Work(nil))
	own("two")
	w.same(owned("two"), []storage.Work{{Endpoint: e, NextDue: due}})
	w.ok(w.Disown(w.ctx, "two"))
	w.same(owned("two"), []storage.Work(nil))
	own("one")
	w.same(owned("one"), []storage.Work{{Endpoint: e, NextDue: due}})
}

func replays(w *world) {
	e, events := told(w, 4)
	var results []storage.Result
	for i, due := range w.due(e.ID)[:3] { // dead, delivered, dead, and one that waits
		d := due.Delivery
		d.Attempts, d.OutOfOrder = 1, true
		d.State = []event.DeliveryState{event.Dead, event.Delivered, event.Dead}[i]
		results = append(results, storage.Result{Delivery: d, Attempt: event.Attempt{Delivery: d.ID, Number: 1}})
	}
	w.ok(w.Finish(w.ctx, w.now, results, nil))
	w.now += second
	all := storage.ReplayQuery{Endpoint: e, From: 1, To: 1 << 62, Limit: 10, Dead: true}
	again := func(q storage.ReplayQuery, wantN int, wantLast int64) {
		w.Helper()
		n, last, err := w.Replay(w.ctx, w.now, q)
		w.ok(err)
		if n != wantN || last != wantLast {
			w.Fatalf("replayed %d up to %d, want %d up to %d", n, last, wantN, wantLast)
		}
	}
	one := all
	one.Limit = 1
	again(one, 1, 1)
	again(all, 1, 3)
	again(all, 0, 0)
	again(storage.ReplayQuery{Endpoint: e, From: 2, To: 4, Limit: 10}, 1, 4)
	d, err := w.Delivery(w.ctx, e.ID, event.DeliveryID(e.ID, 2))
	w.ok(err)
	if !d.Replay || d.State != event.Waiting || d.DueAt != w.now || d.Base != 1 || d.Attempts != 1 ||
		d.OutOfOrder {
		w.Fatalf("replayed: %+v", d)
	}
	late := w.addEndpoint(merchant.Merchant{ID: e.Merchant}, "LATE", events[1].Record.Event())
	again(storage.ReplayQuery{Endpoint: late, From: 1, To: 3, Limit: 10}, 2, 3)
	if due := w.due(late.ID); len(due) != 2 || !due[0].Delivery.Replay || due[0].Behind != 2 {
		w.Fatalf("due: %+v, want what it missed", due)
	}
	test := event.NewDelivery(e, 0, journal.Record{}, w.now)
	test.Name, test.Body = "wallet.transaction.captured", []byte("{}")
	w.ok(w.CreateDelivery(w.ctx, test))
	w.is(w.CreateDelivery(w.ctx, test), storage.ErrConflict)
	if due := w.due(e.ID); len(due) != 5 {
		w.Fatalf("due: %+v, want 4 events and a test", due)
	}
}

func deliveriesSwept(w *world) {
	e, _ := told(w, 2)
	d := w.due(e.ID)[0].Delivery
	d.State, d.Attempts = event.Delivered, 1
	result := storage.Result{Delivery: d, Attempt: event.Attempt{Delivery: d.ID, Number: 1}}
	w.ok(w.Finish(w.ctx, w.now, []storage.Result{result}, nil))
	sweep := func(want int) {
		w.Helper()
		n, err := w.SweepDeliveries(w.ctx, w.now, 10)
		w.ok(err)
		if n != want {
			w.Fatalf("swept %d, want %d", n, want)
		}
	}
	sweep(0)
	w.now += second
	sweep(1)
	_, err := w.Delivery(w.ctx, e.ID, d.ID)
	w.is(err, storage.ErrNotFound)
	attempts, err := w.AttemptsOf(w.ctx, d.ID)
	w.ok(err)
	w.same(len(attempts), 0)
	w.ok(w.DeleteEndpoint(w.ctx, e.Merchant, e.ID, w.audit()))
	w.now += second
	sweep(1) // what waited for it
}
