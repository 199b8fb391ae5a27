package storagetest

import (
	"context"
	"errors"
	"math"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/id"
	"plexy/internal/storage"
)

func (w *world) records(object string) []journal.Record {
	w.Helper()
	records, err := w.Operations(w.ctx, object)
	w.ok(err)
	return records
}

func runningBalances(w *world) {
	shop(w)
	// Three records on one stripe in one batch, then another batch: the chain has no gap and no repeat.
	o := w.run(
		w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 100}),
		w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 20}),
	)
	first, second := o[0].Transaction, o[1].Transaction
	w.run(w.capture(first, 60), w.keyed("mer_1", "", machine.Refund{
		Target: machine.Target{Merchant: "mer_1", ID: first.ID, Amount: 5},
	}))
	w.same(w.records(second.ID)[0].Credit, ledger.Running{Version: 2, Pending: 120})
	records := w.records(first.ID)
	w.same(records[0].Credit, ledger.Running{Version: 1, Pending: 100})
	w.same(records[1].Credit, ledger.Running{Version: 3, Pending: 60, Posted: 60})
	w.same(records[2].Debit, ledger.Running{Version: 4, Pending: 60, Posted: 55})
	w.same(records[2].Credit.Posted, int64(1_000_000-60+5))
	stripes, err := w.Stripes(w.ctx, "merchant:mer_1:")
	w.ok(err)
	w.same(stripes, []ledger.Account{{
		ID: ledger.Payable("mer_1", money.KZT), Book: 0, Currency: money.KZT, Version: 4,
		Totals: ledger.Totals{DebitsPosted: 5, CreditsPending: 60, CreditsPosted: 60},
	}})
}

func laneStripes(w *world) {
	shop(w)
	lanes := w.Lanes()
	if lanes < 1 {
		w.Fatalf("%d lanes", lanes)
	}
	for lane := range lanes {
		for range 2 {
			o, err := w.try(lane, w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 1}))
			w.ok(err)
			r := w.records(o[0].Transaction.ID)[0]
			w.same(r.StripeBook, lane*id.Books/lanes)
		}
	}
	stripes, err := w.Stripes(w.ctx, "merchant:mer_1:")
	w.ok(err)
	w.same(len(stripes), lanes)
	for lane, a := range stripes {
		w.same([]int64{int64(a.Book), a.Version, a.Totals.CreditsPending},
			[]int64{int64(lane * id.Books / lanes), 2, 2})
	}
}

func rollback(w *world) {
	shop(w)
	before := w.contents()
	boom := errors.New("boom")
	in := []machine.Instruction{
		w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 9, key: "K"}),
		w.topUp("bob", money.KZT, 10, "T"),
	}
	var keys machine.Keys
	for _, one := range in {
		keys.Add(one)
	}
	var made string
	err := w.Commit(w.ctx, 0, func(ctx context.Context, b storage.Batch) error {
		state, err := b.Load(ctx, &keys)
		if err != nil {
			return err
		}
		for _, one := range in {
			if o := machine.Step(state, machine.Stamp{At: w.now}, one); o.Transaction.ID != "" {
				made = o.Transaction.ID
			}
		}
		if err := b.Save(ctx, state); err != nil {
			return err
		}
		return boom
	})
	w.is(err, boom)
	w.same(w.contents(), before)
	_, err = w.Transaction(w.ctx, "mer_1", made)
	w.is(err, storage.ErrNotFound)
	_, _, err = w.Customer(w.ctx, []string{"i-bob"})
	w.is(err, storage.ErrNotFound)
	rows, err := w.Audits(w.ctx, 10)
	w.ok(err)
	w.same(len(rows), 2) // of the merchant and of alice's money

	// The very same instructions go through when nothing fails.
	for _, o := range w.run(in...) {
		w.refused(o, "")
		w.same(o.Replayed, false)
	}
}

// overflowRollback makes the last row of a batch fail in the database: the bank's stripe cannot count
// any further. Nothing that the batch wrote before may stay.
func overflowRollback(w *world) {
	w.install()
	w.fund("alice", math.MaxInt64)
	before := w.contents()
	_, err := w.try(0, w.topUp("bob", money.KZT, 1, "T"), w.topUp("carol", "USD", 1, ""))
	if err == nil {
		w.Fatal("a stripe went beyond 64 bits")
	}
	if errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrTransient) {
		w.Fatalf("an overflow is not worth another run: %v", err)
	}
	w.same(w.contents(), before)
	w.refused(w.run(w.topUp("dan", "USD", 1, ""))[0], "") // the keeper still works
}

// conflicts saves batches that believe a unique row to be free because they did not ask.
func conflicts(w *world) {
	w.install()
	w.addMerchant("1", rejecting)
	alice := w.run(w.topUp("alice", money.KZT, 1_000, "T"))[0].Wallet
	w.sell(sale{merchant: "mer_1", payer: "alice", amount: 1, reference: "A"})
	before := w.contents()
	named := func(in machine.Instruction, edit func(*machine.Keys)) {
		w.Helper()
		var keys machine.Keys
		keys.Add(in)
		edit(&keys)
		err := w.Commit(w.ctx, 0, func(ctx context.Context, b storage.Batch) error {
			state, err := b.Load(ctx, &keys)
			if err != nil {
				return err
			}
			if o := machine.Step(state, machine.Stamp{At: w.now}, in); o.Reason != "" || o.Replayed {
				w.Fatalf("the batch was to believe that all is free: %+v", o)
			}
			return b.Save(ctx, state)
		})
		w.is(err, storage.ErrConflict)
		w.same(w.contents(), before)
	}
	named(w.topUp("alice", money.KZT, 5, "T"), func(k *machine.Keys) { k.References = nil })
	named(w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 1, reference: "A"}),
		func(k *machine.Keys) { k.OrderReferences = nil })
	blind := func(k *machine.Keys) { k.Payers, k.Phones = nil, nil }
	named(w.topUp("alice", money.KZT, 5, ""), blind)

	// Somebody else with alice's phone, or with her IIN.
	phone := w.topUp("mallory", money.KZT, 5, "")
	c := phone.Command.(machine.Fund)
	c.Who.Phone, c.Opening.Customer.PhoneIndex = []string{"p-alice"}, "p-alice"
	phone.Command = c
	named(phone, func(k *machine.Keys) { k.Phones = nil })

	// Her second wallet in the currency: the customer is there, the wallet is not asked for.
	second := w.topUp("alice", money.KZT, 5, "")
	named(second, func(k *machine.Keys) { k.Payers[0].Currency = "USD" })
	w.same(alice.Account.Totals.CreditsPosted, int64(1_000))
}

func cancelled(w *world) {
	shop(w)
	before := w.contents()
	ctx, cancel := context.WithCancel(w.ctx)
	in := w.topUp("bob", money.KZT, 1, "")
	var keys machine.Keys
	keys.Add(in)
	err := w.Commit(ctx, 0, func(ctx context.Context, b storage.Batch) error {
		state, err := b.Load(ctx, &keys)
		if err != nil {
			return err
		}
		machine.Step(state, machine.Stamp{At: w.now}, in)
		cancel()
		return b.Save(ctx, state)
	})
	if err == nil {
		w.Fatal("a cancelled commit reported success")
	}
	w.same(w.contents(), before)
	w.run(in)
}

func reopen(w *world) {
	r, ok := w.Storage.(Reopener)
	if !ok {
		w.Log("this keeper keeps nothing beyond its process")
		return
	}
	shop(w)
	w.ok(w.SetMerchant(w.ctx, "mer_1", rejecting, w.audit()))
	in := w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 10, reference: "R", key: "K"})
	first := w.run(in)[0]
	before := w.contents()
	installed, err := w.Installation(w.ctx)
	w.ok(err)
	rows, err := w.Audits(w.ctx, 100)
	w.ok(err)

	w.Storage = r.Reopen(w.TB)
	w.same(w.contents(), before)
	w.ok(w.Ready(w.ctx))
	got, err := w.Installation(w.ctx)
	w.ok(err)
	w.same(got, installed)
	again, err := w.Audits(w.ctx, 100)
	w.ok(err)
	w.same(again, rows)
	o := w.run(in, w.capture(first.Transaction, 10),
		w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 10, reference: "R", key: "L"}))
	w.same(o[0].Replayed, true)
	w.same(o[0].Reply, first.Reply)
	w.refused(o[2], "order_reference_exists")
}
