package storagetest

import (
	"fmt"
	"slices"

	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/merchant"
)

func loadPayers(w *world) {
	w.install()
	alice, bob := w.fund("alice", 10), w.fund("bob", 20)
	usd := w.run(w.topUp("bob", "USD", 5, ""))[0].Wallet
	state := w.load(machine.Keys{
		Vault: true, Phones: []string{"p-none", "p-alice"},
		Payers: []machine.Holder{{IIN: []string{"i-old", "i-bob", "i-older"}, Currency: money.KZT}},
	})
	w.same(state.Generation, int64(1))
	w.same(state.ByIIN["i-bob"], bob.Customer)
	w.same(state.ByPhone["p-bob"], bob.Customer)
	w.same(state.ByPhone["p-alice"], alice.Customer)
	w.same(state.Wallets[bob.ID], bob)
	w.same(state.WalletOf[machine.Holding{Customer: bob.Customer, Currency: money.KZT}], bob.ID)
	if _, loaded := state.Wallets[usd.ID]; loaded {
		w.Fatal("a wallet in another currency was loaded, and so locked")
	}

	// Without a currency all wallets are asked for; and nobody at all is not an error.
	state = w.load(machine.Keys{Payers: []machine.Holder{{IIN: []string{"i-bob"}},
		{IIN: []string{"i-none"}}}})
	w.same(len(state.Wallets), 2)
	w.same(len(w.load(machine.Keys{}).Wallets), 0)

	w.addMerchant("1", merchant.Defaults())
	mismatch := w.authorize(sale{merchant: "mer_1", payer: "bob", amount: 1})
	c := mismatch.Command.(machine.Authorize)
	c.Who.Phone = []string{"p-alice"}
	mismatch.Command = c
	w.same(w.run(mismatch)[0].Transaction.Failure, reject.IdentityMismatch)
	c.Stem, c.Who.Phone = "wt_"+w.stem(), []string{"p-none"}
	mismatch.Command = c
	w.same(w.run(mismatch)[0].Transaction.Failure, reject.WalletNotFound)
}

func loadTransactions(w *world) {
	shop(w)
	t := w.sell(sale{merchant: "mer_1", payer: "alice", amount: 10})
	state := w.load(machine.Keys{Transactions: []string{"wt_none", t.ID, t.ID, "nonsense"}})
	w.same(len(state.Transactions), 1)
	w.same(state.Transactions[t.ID], t)
	_, wallets, err := w.Customer(w.ctx, []string{"i-alice"})
	w.ok(err)
	w.same(state.Wallets[t.Wallet], wallets[0])

	// Two instructions of one batch on the same rows: the second sees the first.
	o := w.run(w.capture(t, 6), w.capture(t, 6), w.capture(t, 4))
	w.refused(o[1], reject.AmountExceedsRemaining)
	w.same(o[2].Transaction.Captured, int64(10))
	got, err := w.Transaction(w.ctx, "mer_1", t.ID)
	w.ok(err)
	w.same(got, o[2].Transaction)
}

func loadOrderReferences(w *world) {
	shop(w)
	w.addMerchant("2", merchant.Defaults())
	first := w.sell(sale{merchant: "mer_1", payer: "alice", amount: 1, reference: "A"})
	w.run(w.authorize(sale{merchant: "mer_1", payer: "nobody", amount: 1, reference: "F"}))
	ask := func() map[machine.OrderReference]bool {
		w.Helper()
		return w.load(machine.Keys{Merchants: []string{"mer_1", "mer_2"},
			OrderReferences: []machine.OrderReference{
				{Merchant: "mer_1", Reference: "A"}, {Merchant: "mer_1", Reference: "F"},
				{Merchant: "mer_1", Reference: "B"}, {Merchant: "mer_2", Reference: "A"},
			}}).OrderReferences
	}
	taken := func(reference string) bool {
		w.Helper()
		return ask()[machine.OrderReference{Merchant: "mer_1", Reference: reference}]
	}
	w.sell(sale{merchant: "mer_1", payer: "alice", amount: 1, reference: "A"})

	// From the moment it rejects repeats, what was sold before counts too; what failed never does.
	strict := merchant.Settings{HoldMicros: 5 * second, RejectRepeats: true, ApprovalMicros: tenMinutes}
	w.ok(w.SetMerchant(w.ctx, "mer_1", strict, w.audit()))
	w.same([]bool{taken("A"), taken("F"), taken("B")}, []bool{true, false, false})
	w.refused(w.run(w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 1, reference: "A"}))[0],
		reject.OrderReferenceExists)
	b := w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 1, reference: "B"})
	again := w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 1, reference: "B"})
	o := w.run(b, again)
	w.refused(o[0], "")
	w.refused(o[1], reject.OrderReferenceExists)
	w.same(taken("B"), true)
	w.same(ask()[machine.OrderReference{Merchant: "mer_2", Reference: "A"}], false)
	terms := w.load(machine.Keys{Merchants: []string{"mer_1", "mer_none"}}).Terms
	w.same(terms, map[string]wallet.Terms{
		"mer_1": {Merchant: "mer_1", HoldMicros: 5 * second, RejectRepeats: true, ApprovalMicros: tenMinutes},
	})

	// A capture does not free the reference, and neither does a cancel.
	w.run(w.capture(first, 1))
	w.same(taken("A"), true)
}

func loadReplies(w *world) {
	shop(w)
	in := w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 1, key: "K"})
	o := w.run(in)[0]
	top := w.run(w.topUp("alice", money.KZT, 9, "T-1"))[0]
	key := machine.ReplyKey{Scope: "mer_1", Key: "K"}
	state := w.load(machine.Keys{
		Replies:    []machine.ReplyKey{key, {Scope: "mer_2", Key: "K"}, {Scope: "mer_1", Key: "L"}, key},
		References: []string{"T-1", "T-2"},
	})
	w.same(state.Replies, map[machine.ReplyKey]machine.Stored{
		key: {Fingerprint: in.Fingerprint, Reply: o.Reply, At: w.now, RequestID: "req_K"},
	})
	w.same(state.References, map[string]machine.Reference{"T-1": {
		Name: "T-1", Direction: machine.TopUp, Wallet: top.Wallet.ID, Amount: 9, Reply: top.Reply, At: w.now,
	}})
	other := w.keyed("mer_1", "K", machine.Capture{Target: machine.Target{Merchant: "mer_1", ID: "wt_x"}})
	w.refused(w.run(other)[0], reject.IdempotencyKeyReused)
	w.refused(w.run(w.topUp("alice", money.KZT, 10, "T-1"))[0], reject.ReferenceReused)
}

func manyKeys(w *world) {
	shop(w)
	const batches, size = 12, 250
	keyOf := func(i int) string { return fmt.Sprintf("%08x-key-%d", uint32(i)*2654435761, i) }
	replies := map[string]machine.Reply{}
	for b := range batches {
		var in []machine.Instruction
		for i := range size {
			in = append(in, w.authorize(sale{merchant: "mer_1", payer: "nobody", amount: 1,
				key: keyOf(b*size + i)}))
		}
		for i, o := range w.run(in...) {
			replies[keyOf(b*size+i)] = o.Reply
		}
		w.now += second
	}
	var ask machine.Keys
	for i := range batches*size + 500 {
		ask.Replies = append(ask.Replies, machine.ReplyKey{Scope: "mer_1", Key: keyOf(i)})
	}
	slices.Reverse(ask.Replies)
	for part := range slices.Chunk(ask.Replies, 500) {
		state := w.load(machine.Keys{Replies: part})
		for _, k := range part {
			want, stored := replies[k.Key]
			got, found := state.Replies[k]
			if found != stored {
				w.Fatalf("key %s: found %v, stored %v", k.Key, found, stored)
			}
			w.same(got.Reply, want)
		}
	}
}

func staleReplies(w *world) {
	shop(w)
	first := w.run(w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 1, key: "K"}))[0]
	in := w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 1, key: "K"})
	w.now += machine.Retention - 1
	o := w.run(in)[0]
	w.same(o.Replayed, true)
	w.same(o.Reply, first.Reply)

	w.now++
	second := w.run(in)[0]
	w.same(second.Replayed, false)
	if second.Transaction.ID == first.Transaction.ID {
		w.Fatal("no new transaction after the retention")
	}
	w.now += machine.Retention - 1
	again := w.run(in)[0]
	w.same(again.Replayed, true)
	w.same(again.Reply, second.Reply)
	n := 0
	for range w.replies() {
		n++
	}
	w.same(n, 1)
}

func sweep(w *world) {
	shop(w)
	at := map[string]int64{}
	for i := range 10 {
		key := fmt.Sprint("K", i)
		at[key] = w.now
		w.run(w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 1, key: key}))
		w.now += second
	}
	n, err := w.SweepReplies(w.ctx, at["K0"], 100)
	w.ok(err)
	w.same(n, 0)
	swept := 0
	for range 10 {
		n, err := w.SweepReplies(w.ctx, at["K6"], 4)
		w.ok(err)
		if n > 4 {
			w.Fatalf("swept %d of at most 4", n)
		}
		swept += n
	}
	w.same(swept, 6)
	left := w.replies()
	for key, when := range at {
		_, kept := left[machine.ReplyKey{Scope: "mer_1", Key: key}]
		w.same(kept, when >= at["K6"])
	}
	o := w.run(w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 1, key: "K1"}),
		w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 1, key: "K9"}))
	w.same([]bool{o[0].Replayed, o[1].Replayed}, []bool{false, true})
}
