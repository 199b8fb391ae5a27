package storagetest

import (
	"context"
	"math"

	"plexy/internal/access"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/merchant"
	"plexy/internal/storage"
)

func installation(w *world) {
	_, err := w.Installation(w.ctx)
	w.is(err, storage.ErrNotFound)
	want := storage.Installation{
		Environment: "production", MasterCheck: "päss", Generation: 1, CreatedAt: w.now,
		Keys: []storage.VaultKey{
			{ID: "vk_1", Wrapped: []byte{0, 255}, State: "retiring", CreatedAt: w.now},
			{ID: "vk_2", Wrapped: []byte{}, State: "active", CreatedAt: w.now + 1},
		},
	}
	w.ok(w.Install(w.ctx, want))
	got, err := w.Installation(w.ctx)
	w.ok(err)
	w.same(got, want)
	w.is(w.Install(w.ctx, storage.Installation{Environment: "sandbox", Generation: 1}), storage.ErrConflict)
	got, err = w.Installation(w.ctx)
	w.ok(err)
	w.same(got, want)
	w.ok(w.Ready(w.ctx))
}

func rotation(w *world) {
	w.install()
	keys := []storage.VaultKey{
		{ID: "vk_1", Wrapped: []byte{1}, State: "retiring", CreatedAt: w.now},
		{ID: "vk_2", Wrapped: []byte{2}, State: "active", CreatedAt: w.now + 1},
	}
	w.ok(w.RotateVault(w.ctx, 1, keys, w.audit()))
	w.is(w.RotateVault(w.ctx, 1, keys[:1], w.audit()), storage.ErrConflict)
	in, err := w.Installation(w.ctx)
	w.ok(err)
	w.same(in.Generation, int64(2))
	w.same(in.Keys, keys)
	rows, err := w.Audits(w.ctx, 10)
	w.ok(err)
	w.same(len(rows), 1)
	w.same(w.load(machine.Keys{Vault: true}).Generation, int64(2))

	old := machine.Authorize{Merchant: "mer_none", Who: person("alice").who()}
	o := w.run(machine.Instruction{Command: old, Scope: "mer_none", Render: render})[0]
	if !o.Stale || o.Generation != 2 {
		w.Fatalf("an instruction of generation 1 was decided under generation 2: %+v", o)
	}
}

func reseal(w *world) {
	w.install()
	for _, p := range []person{"alice", "bob", "carol"} {
		w.fund(p, 100)
	}
	rows, err := w.CustomersUnder(w.ctx, "vk_1", "", 2)
	w.ok(err)
	w.same(len(rows), 2)
	rest, err := w.CustomersUnder(w.ctx, "vk_1", rows[1].ID, 2)
	w.ok(err)
	w.same(len(rest), 1)
	rows = append(rows, rest...)
	now := make([]wallet.Customer, len(rows))
	for i, c := range rows {
		now[i] = c
		now[i].KeyID, now[i].IINIndex, now[i].PhoneIndex = "vk_2", "new-"+c.IINIndex, "new-"+c.PhoneIndex
		now[i].IINSealed, now[i].PhoneSealed = []byte("x"), []byte{}
	}
	was := rows
	was[1].PhoneIndex = "rebound meanwhile"
	n, err := w.Reseal(w.ctx, was, now)
	w.ok(err)
	w.same(n, 2)
	n, err = w.Reseal(w.ctx, was, now)
	w.ok(err)
	w.same(n, 0)
	for i, index := range []string{"new-i-alice", "i-bob", "new-i-carol"} {
		c, wallets, err := w.Customer(w.ctx, []string{"nobody", index})
		w.ok(err)
		w.same(len(wallets), 1)
		if i != 1 {
			now[i].CreatedAt = c.CreatedAt
			w.same(c, now[i])
		}
	}
	_, _, err = w.Customer(w.ctx, []string{"i-alice"})
	w.is(err, storage.ErrNotFound)
	left, err := w.CustomersUnder(w.ctx, "vk_1", "", 10)
	w.ok(err)
	w.same(len(left), 1)
}

func merchants(w *world) {
	strict := merchant.Settings{HoldMicros: 1, RejectRepeats: true, ApprovalMicros: 7}
	one := w.addMerchant("1", strict)
	two := w.addMerchant("2", merchant.Defaults())
	got, err := w.Merchant(w.ctx, one.ID)
	w.ok(err)
	w.same(got, one)
	w.is(w.CreateMerchant(w.ctx, one, access.Key{ID: "key_x", Merchant: one.ID}, w.audit()),
		storage.ErrConflict)
	taken := access.Key{ID: "key_y", Merchant: "mer_3", Hash: access.HashOf(two.ID)}
	w.is(w.CreateMerchant(w.ctx, merchant.Merchant{ID: "mer_3", Settings: strict}, taken, w.audit()),
		storage.ErrConflict)
	_, err = w.Merchant(w.ctx, "mer_3")
	w.is(err, storage.ErrNotFound)

	two.Settings = merchant.Settings{
		HoldMicros: math.MaxInt64, RejectRepeats: true, ApprovalMicros: math.MaxInt64 - 1,
		ContactEmail: "иван@shop.kz", ContactLanguage: "ru", FrameOrigins: "https://shop.kz https://b.kz:8443",
	}
	w.ok(w.SetMerchant(w.ctx, two.ID, two.Settings, w.audit()))
	w.is(w.SetMerchant(w.ctx, "mer_3", strict, w.audit()), storage.ErrNotFound)
	all, err := w.Merchants(w.ctx)
	w.ok(err)
	w.same(all, []merchant.Merchant{one, two})
	rows, err := w.Audits(w.ctx, 100)
	w.ok(err)
	w.same(len(rows), 3)
}

func keys(w *world) {
	m := w.addMerchant("1", merchant.Defaults())
	w.addMerchant("2", merchant.Defaults())
	k := access.Key{ID: "key_z", Merchant: m.ID, Hash: access.HashOf("z"), CreatedAt: w.now}
	w.ok(w.CreateKey(w.ctx, k, w.audit()))
	w.is(w.CreateKey(w.ctx, k, w.audit()), storage.ErrConflict)
	w.is(w.CreateKey(w.ctx, access.Key{ID: "key_o", Merchant: "mer_none"}, w.audit()), storage.ErrNotFound)

	all, err := w.APIKeys(w.ctx, m.ID)
	w.ok(err)
	w.same(len(all), 2)
	w.same(all[1], k)
	got, err := w.KeyByHash(w.ctx, k.Hash)
	w.ok(err)
	w.same(got, k)

	w.ok(w.RevokeKey(w.ctx, k.ID, w.now+5, w.audit()))
	w.ok(w.RevokeKey(w.ctx, k.ID, w.now+9, w.audit()))
	w.is(w.RevokeKey(w.ctx, "key_none", w.now, w.audit()), storage.ErrNotFound)
	got, err = w.KeyByHash(w.ctx, k.Hash)
	w.ok(err)
	w.same(got.RevokedAt, w.now+5)
}

func audits(w *world) {
	m := w.addMerchant("1", merchant.Defaults())
	var want []machine.Audit
	for _, text := range []string{"", "a 'quote' \\ and %", "смена телефона 🔑", "line\nline"} {
		w.now += second
		a := w.audit()
		a.Before, a.After, a.Reason, a.Object = text, text+"!", text, m.ID
		w.ok(w.SetMerchant(w.ctx, m.ID, m.Settings, a))
		want = append([]machine.Audit{a}, want...)
	}
	got, err := w.Audits(w.ctx, 3)
	w.ok(err)
	w.same(got, want[:3])
	got, err = w.Audits(w.ctx, 100)
	w.ok(err)
	w.same(got[:4], want)
	w.same(len(got), 5)
}

func notFound(w *world) {
	w.install()
	w.addMerchant("1", merchant.Defaults())
	w.fund("alice", 100)
	t := w.sell(sale{merchant: "mer_1", payer: "alice", amount: 1})
	_, err := w.Transaction(w.ctx, "mer_2", t.ID)
	w.is(err, storage.ErrNotFound)
	for _, id := range []string{"", "wt_", "nonsense", t.ID[:len(t.ID)-1] + "U", t.ID + "0",
		"wt_ДДДДДДДДДДДДД"} {
		_, err = w.Transaction(w.ctx, "mer_1", id)
		w.is(err, storage.ErrNotFound)
		_, err = w.Record(w.ctx, journal.Ref{Object: id, Sequence: 1})
		w.is(err, storage.ErrNotFound)
		records, err := w.Operations(w.ctx, id)
		w.ok(err)
		w.same(len(records), 0)
	}
	_, err = w.Record(w.ctx, journal.Ref{Object: t.ID, Sequence: 2})
	w.is(err, storage.ErrNotFound)
	_, _, err = w.Customer(w.ctx, nil)
	w.is(err, storage.ErrNotFound)
	_, _, err = w.Customer(w.ctx, []string{"i-nobody"})
	w.is(err, storage.ErrNotFound)
	_, err = w.Merchant(w.ctx, "mer_2")
	w.is(err, storage.ErrNotFound)
	_, err = w.KeyByHash(w.ctx, access.HashOf("none"))
	w.is(err, storage.ErrNotFound)
	none, err := w.Transactions(w.ctx, storage.Query{Merchant: "mer_2", Limit: 10})
	w.ok(err)
	w.same(len(none), 0)
	due, err := w.DueHolds(w.ctx, w.now, 10)
	w.ok(err)
	w.same(len(due), 0)
	boom := storage.ErrUnavailable
	w.is(w.Snapshot(w.ctx, func(context.Context, storage.Books) error { return boom }), boom)
}
