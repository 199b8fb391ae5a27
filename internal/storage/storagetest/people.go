package storagetest

import (
	"sync"
	"sync/atomic"

	"plexy/internal/access"
	"plexy/internal/id"
	"plexy/internal/storage"
)

func holders(w *world) {
	w.install()
	made := w.fund("alice", 100)
	w.run(w.topUp("alice", "EUR", 5, ""))
	w.fund("bob", 7)
	c, err := w.CustomerByPhone(w.ctx, []string{"p-nobody", "p-alice"})
	w.ok(err)
	w.same(c.IINIndex, "i-alice")
	again, wallets, err := w.Holdings(w.ctx, c.ID)
	w.ok(err)
	w.same(again, c)
	w.same(len(wallets), 2)
	w.same(string(wallets[0].Account.Currency), "EUR")
	w.same(wallets[1], made)
	holder, err := w.Holder(w.ctx, made.ID)
	w.ok(err)
	w.same(holder, c)
	for _, phone := range [][]string{nil, {"p-nobody"}, {"i-alice"}} {
		_, err = w.CustomerByPhone(w.ctx, phone)
		w.is(err, storage.ErrNotFound)
	}
	_, _, err = w.Holdings(w.ctx, "cus_none")
	w.is(err, storage.ErrNotFound)
	for _, none := range []string{"", "wlt_", id.Wallet + w.stem() + "00", c.ID} {
		_, err = w.Holder(w.ctx, none)
		w.is(err, storage.ErrNotFound)
	}
}

// code is one of alice's, named by text.
func (w *world) code(name string) access.Code {
	return access.Code{
		Hash: access.HashOf(name), Customer: "cus_alice", Phone: access.HashOf("p"), Shown: "+7701*****67",
		Digits: access.HashOf("d" + name), CreatedAt: w.now, ExpiresAt: w.now + access.CodeLife,
	}
}

func (w *world) addCode(c access.Code, quotas ...storage.Quota) bool {
	w.Helper()
	added, err := w.AddCode(w.ctx, c, quotas)
	w.ok(err)
	return added
}

func codeTries(w *world) {
	c := w.code("a")
	w.same(w.addCode(c), true)
	got, err := w.CodeOf(w.ctx, c.Hash, w.now)
	w.ok(err)
	w.same(got, c)
	// Tries at once are counted one by one, and no try is given away twice.
	var granted atomic.Int64
	var all sync.WaitGroup
	for range 3 * access.CodeTries {
		all.Go(func() {
			if _, err := w.TryCode(w.ctx, c.Hash, w.now); err == nil {
				granted.Add(1)
			}
		})
	}
	all.Wait()
	w.same(granted.Load(), int64(access.CodeTries))
	_, err = w.CodeOf(w.ctx, c.Hash, w.now)
	w.is(err, storage.ErrNotFound)

	late := w.code("b")
	w.same(w.addCode(late), true)
	got, err = w.TryCode(w.ctx, late.Hash, late.ExpiresAt-1)
	w.ok(err)
	late.Tries = 1
	w.same(got, late)
	_, err = w.TryCode(w.ctx, late.Hash, late.ExpiresAt)
	w.is(err, storage.ErrNotFound)
	_, err = w.TryCode(w.ctx, access.HashOf("none"), w.now)
	w.is(err, storage.ErrNotFound)
}

func (w *world) logIn(name string) access.LogIn {
	return access.LogIn{
		Hash: access.HashOf(name), Customer: "cus_alice", Phone: access.HashOf("p"),
		CreatedAt: w.now, SeenAt: w.now,
	}
}

func codeOnce(w *world) {
	c := w.code("a")
	w.same(w.addCode(c), true)
	var opened atomic.Int64
	var all sync.WaitGroup
	for n := range 4 {
		l := w.logIn(string(rune('a' + n)))
		all.Go(func() {
			if w.LogIn(w.ctx, c.Hash, l) == nil {
				opened.Add(1)
			}
		})
	}
	all.Wait()
	w.same(opened.Load(), int64(1))
	_, err := w.TryCode(w.ctx, c.Hash, w.now)
	w.is(err, storage.ErrNotFound)
	w.is(w.LogIn(w.ctx, c.Hash, w.logIn("z")), storage.ErrNotFound)
	_, err = w.LogInByHash(w.ctx, access.HashOf("z"))
	w.is(err, storage.ErrNotFound)
}

func codeQuotas(w *world) {
	wide := storage.Quota{Name: "address", Until: w.now + 1000, Most: 5}
	narrow := storage.Quota{Name: "phone", Until: w.now + 1000, Most: 2}
	other := storage.Quota{Name: "other phone", Until: w.now + 1000, Most: 10}
	w.same(w.addCode(w.code("1"), wide, narrow), true)
	w.same(w.addCode(w.code("2"), wide, narrow), true)
	w.same(w.addCode(w.code("3"), wide, narrow), false)
	_, err := w.CodeOf(w.ctx, w.code("3").Hash, w.now)
	w.is(err, storage.ErrNotFound)
	// What was refused by one quota was not counted in another: three are left, and not two.
	for _, name := range []string{"4", "5", "6"} {
		w.same(w.addCode(w.code(name), wide, other), true)
	}
	w.same(w.addCode(w.code("7"), wide, other), false)
	wide.Until++
	w.same(w.addCode(w.code("8"), wide, other), true)
	// Racing for the last ones, nobody gets more than there are.
	last := storage.Quota{Name: "last", Until: w.now + 1000, Most: 3}
	var added atomic.Int64
	var all sync.WaitGroup
	for n := range 8 {
		c := w.code("race" + string(rune('a'+n)))
		all.Go(func() {
			if ok, err := w.AddCode(w.ctx, c, []storage.Quota{last}); ok && err == nil {
				added.Add(1)
			}
		})
	}
	all.Wait()
	w.same(added.Load(), int64(3))
}

func logIns(w *world) {
	c := w.code("a")
	w.same(w.addCode(c), true)
	l := w.logIn("a")
	w.ok(w.LogIn(w.ctx, c.Hash, l))
	w.ok(w.SeeLogIn(w.ctx, l.Hash, w.now+7))
	w.ok(w.SeeLogIn(w.ctx, l.Hash, w.now+3)) // a clock that is behind does not take it back
	got, err := w.LogInByHash(w.ctx, l.Hash)
	w.ok(err)
	l.SeenAt += 7
	w.same(got, l)
	w.ok(w.EndLogIn(w.ctx, l.Hash))
	w.ok(w.EndLogIn(w.ctx, l.Hash))
	_, err = w.LogInByHash(w.ctx, l.Hash)
	w.is(err, storage.ErrNotFound)
}

func languages(w *world) {
	got, err := w.Language(w.ctx, "cus_alice")
	w.ok(err)
	w.same(got, "")
	w.ok(w.SetLanguage(w.ctx, "cus_alice", "kk"))
	w.ok(w.SetLanguage(w.ctx, "cus_alice", "en"))
	got, err = w.Language(w.ctx, "cus_alice")
	w.ok(err)
	w.same(got, "en")
}

func (w *world) message(n string) storage.Message {
	return storage.Message{
		ID: "ntf_" + n, Kind: "login_code", To: "+7701*****67", Language: "kk", Subject: "Код ₸",
		Text: "line\n'123456'", CreatedAt: w.now, SweepAt: w.now + second,
	}
}

func messages(w *world) {
	for _, n := range []string{"2", "1", "3"} {
		w.ok(w.KeepMessage(w.ctx, w.message(n)))
	}
	w.is(w.KeepMessage(w.ctx, w.message("3")), storage.ErrConflict)
	got, err := w.Messages(w.ctx, 2)
	w.ok(err)
	w.same(got, []storage.Message{w.message("3"), w.message("2")})
}

func tellings(w *world) {
	askedShop(w)
	untold := func(at int64) []storage.Telling {
		w.Helper()
		found, err := w.Untold(w.ctx, at, 10)
		w.ok(err)
		return found
	}
	w.same(len(untold(w.now)), 0)
	first := w.ask(sale{merchant: "mer_1", payer: "alice", amount: 1})
	other := w.ask(sale{merchant: "mer_1", payer: "alice", amount: 2})
	w.same(untold(w.now), []storage.Telling{{Transaction: first}, {Transaction: other}})
	some, err := w.Untold(w.ctx, w.now, 1)
	w.ok(err)
	w.same(some, []storage.Telling{{Transaction: first}})
	w.run(w.approve(other, "alice")) // what was answered needs no telling
	w.same(untold(w.now), []storage.Telling{{Transaction: first}})

	t := storage.Telling{Transaction: first}
	var claimed atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if ok, err := w.ClaimTelling(w.ctx, t, w.now+second); ok && err == nil {
				claimed.Add(1)
			}
		})
	}
	all.Wait()
	w.same(claimed.Load(), int64(1))
	t.Tries = 1
	w.same(len(untold(w.now+second-1)), 0)
	w.same(untold(w.now+second), []storage.Telling{t})
	ok, err := w.ClaimTelling(w.ctx, t, w.now+second)
	w.ok(err)
	w.same(ok, true)
	w.ok(w.Told(w.ctx, t.Transaction.ID, w.now))
	t.Tries = 2
	w.same(len(untold(w.now+2*second)), 0)
	ok, err = w.ClaimTelling(w.ctx, t, w.now+second)
	w.ok(err)
	w.same(ok, false)

	// After six tries nobody tries any more.
	last := storage.Telling{Transaction: w.ask(sale{merchant: "mer_1", payer: "alice", amount: 3})}
	for ; last.Tries < 6; last.Tries++ {
		w.same(untold(w.now), []storage.Telling{last})
		_, err = w.ClaimTelling(w.ctx, last, w.now)
		w.ok(err)
	}
	w.same(len(untold(w.now)), 0)
}

func sweepPeople(w *world) {
	old := storage.Quota{Name: "a", Until: w.now + second, Most: 1}
	c := w.code("a")
	w.same(w.addCode(c, old), true)
	w.ok(w.LogIn(w.ctx, c.Hash, w.logIn("a")))
	w.same(w.addCode(w.code("b")), true)
	w.same(w.addCode(w.code("c"), storage.Quota{Name: "a", Until: w.now + access.LogInLife, Most: 1}), true)
	w.ok(w.KeepMessage(w.ctx, w.message("1")))
	n, err := w.SweepPeople(w.ctx, w.now, 10)
	w.ok(err)
	w.same(n, 0)
	// A quota's row and a message are past, and the quota of the same name is not.
	n, err = w.SweepPeople(w.ctx, w.now+second, 10)
	w.ok(err)
	w.same(n, 2)
	w.same(w.addCode(w.code("d"), storage.Quota{Name: "a", Until: w.now + access.LogInLife, Most: 1}), false)
	n, err = w.SweepPeople(w.ctx, w.now+access.CodeLife, 2)
	w.ok(err)
	w.same(n, 2)
	n, err = w.SweepPeople(w.ctx, w.now+access.LogInLife, 10)
	w.ok(err)
	w.same(n, 3) // the third code, the log-in, the other quota
	_, err = w.LogInByHash(w.ctx, access.HashOf("a"))
	w.is(err, storage.ErrNotFound)
}
