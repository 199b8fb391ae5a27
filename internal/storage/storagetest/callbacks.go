package storagetest

import (
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/event"
	"plexy/internal/merchant"
	"plexy/internal/storage"
)

// callbacks: an event of a payment that names an address is delivered there, through one endpoint of its
// merchant that nobody sees among its own; nothing else is.
func callbacks(w *cards) {
	e := w.addEndpoint(merchant.Merchant{ID: "mer_1"}, "OWN", "transaction.charged")
	plain, called := w.facts("mer_1", 1_000), w.facts("mer_1", 1_000)
	plain.CallbackURL, called.Session, called.CallbackURL = "", "", "https://shop.example/one"
	session, sale := w.facts("mer_1", 1_000), w.facts("mer_1", 1_000)
	session.ID, sale.ID, sale.Kind = w.uuid(78), w.uuid(79), payment.Sale
	w.pay(plain)
	c := event.NewCallbacks("mer_1", 0)
	w.numberAll()
	_, err := w.Endpoint(w.ctx, "mer_1", c.ID)
	w.is(err, storage.ErrNotFound) // it is not written while nobody needs it
	for _, f := range []payment.Facts{called, session, sale} {
		p := w.pay(f)
		w.answers(w.act("mer_1", machine.AskCapture{Modification: w.ask(p, 0)}), payment.Accepted)
	}
	back := w.act("mer_1", machine.AskRefund{
		Modification: machine.Modification{
			Merchant: "mer_1", Payment: called.ID, Operation: w.uuid(0), Amount: 400,
		},
		Returning: payment.Returning{ID: w.uuid(1)},
	})
	w.answers(back, payment.Accepted)
	w.numberAll()
	got, err := w.Endpoint(w.ctx, "mer_1", c.ID)
	w.ok(err)
	c.CreatedAt, c.UpdatedAt = got.CreatedAt, got.UpdatedAt
	w.same(got, c)
	own, err := w.EndpointsOf(w.ctx, "mer_1")
	w.ok(err)
	w.same(own, []event.Endpoint{e})
	w.is(w.DeleteEndpoint(w.ctx, "mer_1", c.ID, w.audit()), storage.ErrNotFound)

	told := map[string][]string{}
	due, err := w.DueDeliveries(w.ctx, c.ID, w.now, 100)
	w.ok(err)
	for _, d := range due {
		w.same(d.Delivery.URL, d.Event.Payment.CallbackURL)
		w.same(d.Delivery.ID, event.DeliveryID(c.ID, d.Delivery.Number))
		w.same([]any{d.Event.Number, d.Event.Minor}, []any{d.Delivery.Number, false})
		told[d.Delivery.Object] = append(told[d.Delivery.Object], d.Delivery.Name)
	}
	w.same(told, map[string][]string{
		called.ID: {
			"transaction.created", "transaction.authorized", "transaction.charged", "transaction.charged",
		},
		back.Other.ID: {"transaction.refunded"},
		session.ID:    {"transaction.authorized", "transaction.charged"},
		sale.ID:       {"transaction.charged"},
	})
	for _, d := range w.due(e.ID) {
		w.same(d.Delivery.URL, "")
	}
	w.claimAndSettle(c, due[0])
	w.minorAmounts()
}

// claimAndSettle: they are claimed, finished, listed and sent again as any others.
func (w *cards) claimAndSettle(c event.Endpoint, first storage.Due) {
	w.Helper()
	w.ok(w.Own(w.ctx, storage.Claim{Owner: "one", Now: w.now, Until: w.now + 10*second, DueAt: w.now}))
	work, err := w.Owned(w.ctx, "one", w.now)
	w.ok(err)
	w.same(len(work), 2)
	w.same(work[0].Endpoint, c) // whc_ comes before whe_
	done := first.Delivery
	done.State, done.Attempts = event.Dead, 1
	w.ok(w.Finish(w.ctx, w.now, []storage.Result{{
		Delivery: done, Attempt: event.Attempt{Delivery: done.ID, Number: 1, At: w.now, Response: []byte{}},
	}}, nil))
	dead, err := w.DeliveriesOf(w.ctx, storage.DeliveryQuery{Endpoint: c.ID, State: event.Dead, Limit: 10})
	w.ok(err)
	w.same(len(dead), 1)
	w.same(dead[0].URL, first.Delivery.URL)
	n, _, err := w.Replay(w.ctx, w.now, storage.ReplayQuery{Endpoint: c, From: 1, To: 1000, Limit: 1000})
	w.ok(err)
	w.same(n, 1) // the others wait, and what names no address is not sent
	before, err := w.DeliveriesOf(w.ctx, storage.DeliveryQuery{Endpoint: c.ID, Limit: 100})
	w.ok(err)
	w.same(len(before), 8)
}

// minorAmounts: the merchant's wish comes with each event of a payment.
func (w *cards) minorAmounts() {
	w.Helper()
	set := merchant.Defaults()
	set.WebhookMinor = true
	w.ok(w.SetMerchant(w.ctx, "mer_1", set, w.audit()))
	m, err := w.Merchant(w.ctx, "mer_1")
	w.ok(err)
	w.same(m.Settings, set)
	events, err := w.Events(w.ctx, "mer_1", 0, 100)
	w.ok(err)
	for _, e := range events {
		w.same(e.Minor, true)
		one, err := w.Event(w.ctx, "mer_1", journal.Ref{Object: e.Record.Object, Sequence: e.Record.Sequence})
		w.ok(err)
		w.same(one.Minor, true)
	}
	due, err := w.DueDeliveries(w.ctx, event.CallbacksID("mer_1"), w.now, 1)
	w.ok(err)
	w.same(due[0].Event.Minor, true)
}
