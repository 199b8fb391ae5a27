package storagetest

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"

	"plexy/internal/core/money"
	"plexy/internal/shopper"
	"plexy/internal/storage"
)

// uuid returns a UUIDv7 that carries the world's time and grows with every call.
func (w *world) uuid() string {
	w.made++
	ms := w.now / 1000
	return fmt.Sprintf("%08x-%04x-7%03x-8000-%012x", ms>>16, ms&0xffff, w.made>>8&0xfff, w.made)
}

// shopper is somebody of a merchant, sealed under a key.
func (w *world) shopper(merchant, name, key string) shopper.Shopper {
	return shopper.Shopper{
		ID: w.uuid(), Merchant: merchant, KeyID: key, EmailIndex: key + "-e-" + name,
		PhoneIndex: key + "-p-" + name, EmailSealed: []byte{0, 1, 255}, PhoneSealed: []byte(name),
		Metadata: `{"a":"\"ключ\""}`, CreatedAt: w.now,
	}
}

func pairOf(s shopper.Shopper) shopper.Pair {
	return shopper.Pair{Email: s.EmailIndex, Phone: s.PhoneIndex}
}

func (w *world) createShopper(s shopper.Shopper) error {
	return w.CreateShopper(w.ctx, s, []shopper.Pair{pairOf(s)}, 1)
}

func shoppers(w *world) {
	w.install()
	a, b := w.shopper("mer_1", "a", "vk_1"), w.shopper("mer_1", "b", "vk_1")
	a.NameSealed = []byte("name")
	w.ok(w.createShopper(a))
	w.ok(w.createShopper(b))
	for _, want := range []shopper.Shopper{a, b} {
		got, err := w.Shopper(w.ctx, "mer_1", want.ID)
		w.ok(err)
		w.same(got, want)
		got, err = w.ShopperByPair(w.ctx, "mer_1", []shopper.Pair{{Email: "x", Phone: "y"}, pairOf(want)})
		w.ok(err)
		w.same(got, want)
	}
	// The pair is unique, and each half of it is not; another merchant's shoppers are other ones.
	again := w.shopper("mer_1", "a", "vk_1")
	w.is(w.createShopper(again), storage.ErrConflict)
	half := w.shopper("mer_1", "c", "vk_1")
	half.EmailIndex = a.EmailIndex
	w.ok(w.createShopper(half))
	again.Merchant = "mer_2"
	w.ok(w.createShopper(again))
	// One who is still indexed by another key is found too.
	turned := w.shopper("mer_1", "b", "vk_2")
	w.is(w.CreateShopper(w.ctx, turned, []shopper.Pair{pairOf(turned), pairOf(b)}, 1), storage.ErrConflict)
	w.is(w.CreateShopper(w.ctx, turned, []shopper.Pair{pairOf(turned)}, 2), storage.ErrStale)

	_, err := w.Shopper(w.ctx, "mer_2", a.ID)
	w.is(err, storage.ErrNotFound)
	_, err = w.Shopper(w.ctx, "mer_1", "")
	w.is(err, storage.ErrNotFound)
	crossed := shopper.Pair{Email: a.EmailIndex, Phone: b.PhoneIndex}
	for _, pairs := range [][]shopper.Pair{nil, {crossed}} {
		_, err = w.ShopperByPair(w.ctx, "mer_1", pairs)
		w.is(err, storage.ErrNotFound)
	}
	_, err = w.ShopperByPair(w.ctx, "mer_2", []shopper.Pair{pairOf(b)})
	w.is(err, storage.ErrNotFound)
}

// shopperLists asks for pages over several days: what a page is does not depend on how it is found.
func shopperLists(w *world) {
	w.install()
	var made []shopper.Shopper
	for i := range 23 {
		s := w.shopper("mer_1", fmt.Sprint(i), "vk_1")
		w.ok(w.createShopper(s))
		w.ok(w.createShopper(w.shopper("mer_2", fmt.Sprint(i), "vk_1")))
		made = append([]shopper.Shopper{s}, made...)
		w.now += 5 * 60 * 60 * second
	}
	for offset := range len(made) + 3 {
		got, total, err := w.Shoppers(w.ctx, "mer_1", offset, 4)
		w.ok(err)
		w.same(total, len(made))
		from := min(offset, len(made))
		w.same(got, made[from:min(from+4, len(made))])
	}
	none, total, err := w.Shoppers(w.ctx, "mer_3", 0, 4)
	w.ok(err)
	w.same(total, 0)
	w.same(len(none), 0)
}

func shopperRace(w *world) {
	w.install()
	var made, refused atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		s := w.shopper("mer_1", "a", "vk_1")
		all.Go(func() {
			if w.createShopper(s) == nil {
				made.Add(1)
			} else {
				refused.Add(1)
			}
		})
	}
	all.Wait()
	w.same([]int64{made.Load(), refused.Load()}, []int64{1, 7})
	_, total, err := w.Shoppers(w.ctx, "mer_1", 0, 10)
	w.ok(err)
	w.same(total, 1)
}

func (w *world) card(owner, print string) shopper.Card {
	return shopper.Card{
		ID: w.uuid(), Merchant: "mer_1", Shopper: owner, Brand: "visa", Last4: "0007", ExpiryMonth: 12,
		ExpiryYear: 2031, KeyID: "vk_1", Print: print, NumberSealed: []byte{7, 0, 255},
		HolderSealed: []byte("h"), Payment: "pay", NetworkReference: "ref", CreatedAt: w.now,
	}
}

func savedCards(w *world) {
	w.install()
	one, two, guest := w.card("s1", "x"), w.card("s1", "y"), w.card("", "x")
	again, foreign := w.card("s1", "x"), w.card("s1", "x")
	foreign.Merchant = "mer_2"
	for _, c := range []shopper.Card{one, two, guest, again, foreign} {
		w.ok(w.AddCard(w.ctx, c, 1))
	}
	w.is(w.AddCard(w.ctx, one, 1), storage.ErrConflict)
	w.is(w.AddCard(w.ctx, w.card("s1", "z"), 2), storage.ErrStale)
	got, err := w.Card(w.ctx, "mer_1", guest.ID)
	w.ok(err)
	w.same(got, guest)
	_, err = w.Card(w.ctx, "mer_2", guest.ID)
	w.is(err, storage.ErrNotFound)
	list, err := w.Cards(w.ctx, "mer_1", "s1", 2)
	w.ok(err)
	w.same(list, []shopper.Card{again, two})
	for _, c := range []struct {
		owner  string
		prints []string
		want   shopper.Card
	}{{"s1", []string{"none", "x"}, again}, {"", []string{"x"}, guest}, {"s1", []string{"y"}, two}} {
		got, err = w.CardByPrint(w.ctx, "mer_1", c.owner, c.prints)
		w.ok(err)
		w.same(got, c.want)
	}
	_, err = w.CardByPrint(w.ctx, "mer_1", "s1", nil)
	w.is(err, storage.ErrNotFound)

	w.is(w.DeleteCard(w.ctx, "mer_2", again.ID, w.now), storage.ErrNotFound)
	w.ok(w.DeleteCard(w.ctx, "mer_1", again.ID, w.now+1))
	w.is(w.DeleteCard(w.ctx, "mer_1", again.ID, w.now+2), storage.ErrNotFound)
	again.DeletedAt, again.KeyID, again.Print, again.NumberSealed, again.HolderSealed = w.now+1, "", "", nil, nil
	got, err = w.Card(w.ctx, "mer_1", again.ID)
	w.ok(err)
	w.same(got, again)
	list, err = w.Cards(w.ctx, "mer_1", "s1", 9)
	w.ok(err)
	w.same(list, []shopper.Card{two, one})
	got, err = w.CardByPrint(w.ctx, "mer_1", "s1", []string{"x"})
	w.ok(err)
	w.same(got, one)
}

func (w *world) session() shopper.Session {
	return shopper.Session{
		ID: w.uuid(), Merchant: "mer_1", Link: "pl_1", Type: shopper.TypeSale, Terminal: "t", Locale: "en-gb",
		SuccessURL: "s", FailureURL: "f", CancelURL: "c", CallbackURL: "b", Amount: 5, Currency: money.KZT,
		OrderReference: "o", CartReference: "cart", Description: "Ұн", KeyID: "vk_1", Signer: []byte{1, 0},
		CreatedAt: w.now, ExpiresAt: w.now + second,
	}
}

func sessions(w *world) {
	w.install()
	var made []shopper.Session
	for i := range 4 {
		s := w.session()
		s.ExpiresAt += int64(i)
		w.ok(w.CreateSession(w.ctx, s, 1))
		made = append(made, s)
	}
	w.is(w.CreateSession(w.ctx, made[0], 1), storage.ErrConflict)
	w.is(w.CreateSession(w.ctx, w.session(), 0), storage.ErrStale)
	_, err := w.Session(w.ctx, "none")
	w.is(err, storage.ErrNotFound)
	for _, want := range []int{0, 2, 1, 0} {
		n, err := w.SweepSessions(w.ctx, made[0].ExpiresAt, 2)
		w.ok(err)
		w.same(n, want)
		if want == 0 {
			w.now += 1
			made[0].ExpiresAt += 3
		}
	}
	for i, want := range made {
		if i == 0 {
			want.ExpiresAt -= 6
		}
		if i < 3 {
			want.KeyID, want.Signer = "", nil
		}
		got, err := w.Session(w.ctx, want.ID)
		w.ok(err)
		w.same(got, want)
	}
}

func directKeys(w *world) {
	w.install()
	var made []shopper.DirectKey
	for range 3 {
		k := shopper.DirectKey{
			ID: w.uuid(), Public: "PEM", KeyID: "vk_1", Private: []byte{0, 9}, CreatedAt: w.now,
		}
		w.ok(w.AddDirectKey(w.ctx, k, 1, w.audit()))
		made = append([]shopper.DirectKey{k}, made...)
	}
	w.is(w.AddDirectKey(w.ctx, made[0], 1, w.audit()), storage.ErrConflict)
	w.is(w.AddDirectKey(w.ctx, shopper.DirectKey{ID: w.uuid()}, 2, w.audit()), storage.ErrStale)
	w.is(w.RetireDirectKey(w.ctx, "none", w.now, w.audit()), storage.ErrNotFound)
	w.ok(w.RetireDirectKey(w.ctx, made[1].ID, w.now+1, w.audit()))
	w.ok(w.RetireDirectKey(w.ctx, made[1].ID, w.now+2, w.audit()))
	w.ok(w.RetireDirectKey(w.ctx, made[2].ID, w.now+2, w.audit()))
	made[1].RetiredAt, made[2].RetiredAt = w.now+1, w.now+2
	got, err := w.DirectKeys(w.ctx)
	w.ok(err)
	w.same(got, made)
	n, err := w.DropDirectKeys(w.ctx, w.now+2)
	w.ok(err)
	w.same(n, 1)
	got, err = w.DirectKeys(w.ctx)
	w.ok(err)
	w.same(got, []shopper.DirectKey{made[0], made[2]})
	rows, err := w.Audits(w.ctx, 10)
	w.ok(err)
	w.same(len(rows), 5)
}

// sealedRecords seals one record of each kind anew, and leaves those alone that are not as they were.
func sealedRecords(w *world) {
	w.install()
	gone := w.card("s1", "y")
	for range 3 {
		s := w.shopper("mer_1", fmt.Sprint(w.made), "vk_1")
		s.NameSealed = []byte("n")
		w.ok(w.createShopper(s))
		w.ok(w.AddCard(w.ctx, w.card("s1", "x"), 1))
		held := shopper.Held{Card: w.card("s1", "x")}
		held.Payment = w.uuid()
		w.ok(w.HoldCard(w.ctx, held, 1))
		w.ok(w.CreateSession(w.ctx, w.session(), 1))
		k := shopper.DirectKey{ID: w.uuid(), Public: "PEM", KeyID: "vk_1", Private: []byte{1}, CreatedAt: w.now}
		w.ok(w.AddDirectKey(w.ctx, k, 1, w.audit()))
	}
	w.ok(w.AddCard(w.ctx, gone, 1))
	w.ok(w.DeleteCard(w.ctx, gone.Merchant, gone.ID, w.now))
	for _, kind := range storage.SealedKinds {
		was, err := w.SealedUnder(w.ctx, kind, "vk_1", "", 2)
		w.ok(err)
		w.same(len(was), 2)
		rest, err := w.SealedUnder(w.ctx, kind, "vk_1", was[1].ID, 9)
		w.ok(err)
		w.same(len(rest), 1)
		was = append(was, rest...)
		var now []storage.Sealed
		for _, v := range was {
			next := storage.Sealed{ID: v.ID, Merchant: v.Merchant, KeyID: "vk_2"}
			for _, index := range v.Indexes {
				next.Indexes = append(next.Indexes, "new-"+index)
			}
			for _, field := range v.Fields {
				next.Fields = append(next.Fields, append([]byte("new-"), field...))
			}
			now = append(now, next)
		}
		left := was[1]
		was[1].Fields = append([][]byte{[]byte("other")}, left.Fields[1:]...)
		n, err := w.ResealRecords(w.ctx, kind, was, now)
		w.ok(err)
		w.same(n, 2)
		n, err = w.ResealRecords(w.ctx, kind, was, now)
		w.ok(err)
		w.same(n, 0)
		got, err := w.SealedUnder(w.ctx, kind, "vk_2", "", 9)
		w.ok(err)
		w.same(got, []storage.Sealed{now[0], now[2]})
		got, err = w.SealedUnder(w.ctx, kind, "vk_1", "", 9)
		w.ok(err)
		w.same(len(got), 1)
		w.same(bytes.Equal(got[0].Fields[0], left.Fields[0]), true)
		got, err = w.SealedUnder(w.ctx, kind, "", "", 9)
		w.ok(err)
		w.same(len(got), 0)
	}
}
