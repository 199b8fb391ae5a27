package storagetest

import (
	"plexy/internal/shopper"
	"plexy/internal/storage"
)

func heldCards(w *world) {
	w.install()
	h := shopper.Held{Card: w.card("s1", "x"), Keep: true, Version: 1, LapsesAt: w.now + 10}
	h.Payment, h.NetworkReference = w.uuid(), ""
	bare := shopper.Held{Card: shopper.Card{ID: w.uuid(), Payment: w.uuid()}, LapsesAt: w.now + 5}
	for _, one := range []shopper.Held{h, bare} {
		w.ok(w.HoldCard(w.ctx, one, 1))
		got, err := w.HeldCard(w.ctx, one.Payment)
		w.ok(err)
		w.same(got, one)
	}
	again := h
	again.ID = w.uuid()
	w.is(w.HoldCard(w.ctx, again, 1), storage.ErrConflict)
	again.Payment = w.uuid()
	w.is(w.HoldCard(w.ctx, again, 2), storage.ErrStale)
	_, err := w.HeldCard(w.ctx, again.Payment)
	w.is(err, storage.ErrNotFound)

	next := h
	next.Secure, next.Answered, next.LapsesAt = []byte("step"), "digest", w.now+2
	for n, want := range []bool{true, false} { // the second one has not seen the first
		set, err := w.SetHeldCard(w.ctx, next)
		w.ok(err)
		if w.same(set, want); n == 0 {
			next.Answered = "other"
		}
	}
	got, err := w.HeldCard(w.ctx, h.Payment)
	w.ok(err)
	next.Answered, next.Version = "digest", 2
	w.same(got, next)

	due, err := w.LapsedCards(w.ctx, w.now+5, 9)
	w.ok(err)
	w.same(due, []shopper.Held{next, bare})
	due, err = w.LapsedCards(w.ctx, w.now+5, 1)
	w.ok(err)
	w.same(due, []shopper.Held{next})
	for range 2 {
		w.ok(w.DropHeldCard(w.ctx, h.Payment))
	}
	_, err = w.HeldCard(w.ctx, h.Payment)
	w.is(err, storage.ErrNotFound)
	set, err := w.SetHeldCard(w.ctx, next)
	w.ok(err)
	w.same(set, false)
}
