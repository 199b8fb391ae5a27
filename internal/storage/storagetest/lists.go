package storagetest

import (
	"fmt"
	"math"
	"slices"

	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
	"plexy/internal/merchant"
	"plexy/internal/storage"
)

// shop installs, makes merchant mer_1 and gives alice plenty of money.
func shop(w *world) {
	w.install()
	w.addMerchant("1", merchant.Defaults())
	w.fund("alice", 1_000_000)
}

// sellMany makes n sales of mer_1, a second apart, each third of them FAILED; newest first.
func sellMany(w *world, n int) []wallet.Transaction {
	var made []wallet.Transaction
	for i := range n {
		w.now += second
		s := sale{merchant: "mer_1", payer: "alice", amount: 1, reference: fmt.Sprintf("R-%d", i%4)}
		if i%3 == 2 {
			s.amount = math.MaxInt64
		}
		made = append(made, w.run(w.authorize(s))[0].Transaction)
	}
	slices.Reverse(made)
	return made
}

func (w *world) list(q storage.Query) []wallet.Transaction {
	w.Helper()
	q.Merchant = "mer_1"
	if q.Limit == 0 {
		q.Limit = 100
	}
	found, err := w.Transactions(w.ctx, q)
	w.ok(err)
	return found
}

func listCursor(w *world) {
	shop(w)
	w.addMerchant("2", merchant.Defaults())
	want := sellMany(w, 20)
	w.run(w.authorize(sale{merchant: "mer_2", payer: "alice", amount: 1}))
	w.same(w.list(storage.Query{}), want)

	// Whatever arrives while somebody turns the pages, what was there comes exactly once.
	var got []wallet.Transaction
	before := ""
	for {
		page := w.list(storage.Query{Before: before, Limit: 3})
		got = append(got, page...)
		if len(page) < 3 {
			break
		}
		before = page[len(page)-1].ID
		sellMany(w, 2)
	}
	w.same(got, want)
	w.same(len(w.list(storage.Query{Before: "wt_"})), 0)
}

func listFilters(w *world) {
	shop(w)
	all := sellMany(w, 40)
	keep := func(match func(wallet.Transaction) bool) (kept []wallet.Transaction) {
		for _, t := range all {
			if match(t) {
				kept = append(kept, t)
			}
		}
		return kept
	}
	w.same(w.list(storage.Query{Status: wallet.Failed}),
		keep(func(t wallet.Transaction) bool { return t.Status == wallet.Failed }))
	w.same(w.list(storage.Query{OrderReference: "R-1"}),
		keep(func(t wallet.Transaction) bool { return t.OrderReference == "R-1" }))
	w.same(len(w.list(storage.Query{Status: wallet.Processing})), 0)
	w.same(len(w.list(storage.Query{OrderReference: "R"})), 0)
	from, to, before := all[30].CreatedAt, all[5].CreatedAt, all[8].ID
	w.same(w.list(storage.Query{
		Status: wallet.Success, OrderReference: "R-3", CreatedFrom: from, CreatedTo: to, Before: before,
	}), keep(func(t wallet.Transaction) bool {
		return t.Status == wallet.Success && t.OrderReference == "R-3" &&
			t.CreatedAt >= from && t.CreatedAt < to && t.ID < before
	}))
}

func listTimes(w *world) {
	shop(w)
	all := sellMany(w, 10)
	w.same(w.list(storage.Query{CreatedFrom: all[4].CreatedAt}), all[:5])
	w.same(w.list(storage.Query{CreatedFrom: all[4].CreatedAt + 1}), all[:4])
	w.same(w.list(storage.Query{CreatedTo: all[4].CreatedAt}), all[5:])
	w.same(w.list(storage.Query{CreatedTo: all[4].CreatedAt + 1}), all[4:])
	w.same(w.list(storage.Query{CreatedFrom: 1, CreatedTo: math.MaxInt64}), all)
	w.same(len(w.list(storage.Query{CreatedFrom: math.MaxInt64})), 0)
	w.same(len(w.list(storage.Query{CreatedTo: -1})), 0)
}

func listOffset(w *world) {
	shop(w)
	all := sellMany(w, 9)
	w.same(w.list(storage.Query{Offset: 2, Limit: 3}), all[2:5])
	w.same(w.list(storage.Query{Offset: 8}), all[8:])
	w.same(len(w.list(storage.Query{Offset: 9})), 0)
	w.same(len(w.list(storage.Query{Offset: 10_000})), 0)
	w.same(w.list(storage.Query{Offset: 1, Before: all[3].ID, Limit: 2}), all[5:7])
}

func dueHolds(w *world) {
	w.install()
	w.fund("alice", 1_000)
	var held []wallet.Transaction
	for i, hold := range []int64{30, 10, 20, 10} {
		m := w.addMerchant(fmt.Sprint(i), merchant.Settings{HoldMicros: hold, ApprovalMicros: second})
		held = append(held, w.sell(sale{merchant: m.ID, payer: "alice", amount: 10}))
	}
	due := func(at int64, limit int) []string {
		w.Helper()
		ids, err := w.DueHolds(w.ctx, at, limit)
		w.ok(err)
		return ids
	}
	w.same(len(due(start+9, 10)), 0)
	w.same(due(start+10, 10), []string{held[1].ID, held[3].ID})
	w.same(due(start+1000, 10), []string{held[1].ID, held[3].ID, held[2].ID, held[0].ID})
	w.same(due(start+1000, 1), []string{held[1].ID})

	w.run(w.capture(held[1], 10), w.capture(held[3], 9))
	w.now += 1000
	w.run(machine.Instruction{Command: machine.Expire{ID: held[2].ID}})
	w.same(due(start+1000, 10), []string{held[3].ID, held[0].ID})
	w.now = start
	failed := w.run(w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 1_000_000}))[0].Transaction
	w.same(failed.Status, wallet.Failed)
	w.same(due(math.MaxInt64, 10), []string{held[3].ID, held[0].ID})
}

func stripePrefix(w *world) {
	w.install()
	w.fund("alice", 1_000)
	w.run(w.topUp("alice", "USD", 1_000, ""))
	for _, name := range []string{"1", "10", "1x", "x1"} {
		w.addMerchant(name, merchant.Defaults())
		w.sell(sale{merchant: "mer_" + name, payer: "alice", amount: 1})
	}
	w.sell(sale{merchant: "mer_1", payer: "alice", amount: 1, currency: "USD"})
	ids := func(prefix string) (found []string) {
		w.Helper()
		stripes, err := w.Stripes(w.ctx, prefix)
		w.ok(err)
		for _, a := range stripes {
			found = append(found, a.ID)
		}
		return found
	}
	w.same(ids("merchant:mer_1:payable:"),
		[]string{ledger.Payable("mer_1", money.KZT), ledger.Payable("mer_1", "USD")})
	w.same(ids("merchant:mer_1"), []string{
		ledger.Payable("mer_10", money.KZT), ledger.Payable("mer_1", money.KZT),
		ledger.Payable("mer_1", "USD"), ledger.Payable("mer_1x", money.KZT),
	})
	w.same(len(ids("merchant:mer%")), 0)
	w.same(len(ids("merchant:mer_1:payable:EUR")), 0)
	w.same(len(ids("")), 7)
	w.same(ids("platform:bank:"), []string{ledger.Bank(money.KZT), ledger.Bank("USD")})
}
