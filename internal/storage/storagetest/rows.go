package storagetest

import (
	"context"
	"math"
	"slices"

	"plexy/internal/access"
	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
	"plexy/internal/merchant"
	"plexy/internal/storage"
)

// day is one day in microseconds.
const day = 24 * 60 * 60 * second

func roundTripTransaction(w *world) {
	w.install()
	w.addMerchant("1", merchant.Defaults())
	w.fund("alice", 100_000)
	held := w.sell(sale{merchant: "mer_1", payer: "alice", amount: 10_000, reference: "ЗАКАЗ 1 🧾"})
	w.now += 777
	out := w.run(
		w.capture(held, 4_000),
		w.keyed("mer_1", "", machine.Cancel{Target: machine.Target{Merchant: "mer_1", ID: held.ID,
			Amount: 1_000}}),
		w.keyed("mer_1", "", machine.Refund{Target: machine.Target{Merchant: "mer_1", ID: held.ID,
			Amount: 300}}),
	)
	want := out[2].Transaction
	w.same(want.Sequence, int64(4))
	got, err := w.Transaction(w.ctx, "mer_1", held.ID)
	w.ok(err)
	w.same(got, want)
	w.same(w.load(machine.Keys{Transactions: []string{held.ID}}).Transactions[held.ID], want)

	w.now = want.ExpiresAt
	expired := w.run(machine.Instruction{Command: machine.Expire{ID: held.ID}})[0]
	got, err = w.Transaction(w.ctx, "mer_1", held.ID)
	w.ok(err)
	w.same(got, expired.Transaction)
	w.same(got.Expired, int64(5_000))
}

func roundTripWallet(w *world) {
	w.install()
	w.fund("alice", 500)
	usd := w.run(w.topUp("alice", "USD", 7, ""))[0].Wallet
	limits := wallet.Limits{PerTransaction: math.MaxInt64, PerDay: math.MaxInt64 - 1}
	by := machine.By{ID: id.Audit + w.stem() + "00"}
	block := machine.By{ID: id.Audit + w.stem() + "00"}
	w.run(
		machine.Instruction{Command: machine.SetLimits{
			Who: person("alice").who(), Currency: money.KZT, Limits: limits, By: by,
		}},
		machine.Instruction{Command: machine.SetCondition{
			Who: person("alice").who(), Currency: money.KZT, Condition: wallet.Blocked, By: block,
		}},
	)
	c, wallets, err := w.Customer(w.ctx, []string{"i-alice"})
	w.ok(err)
	want := person("alice").customer()
	want.CreatedAt = start
	w.same(c, want)
	w.same(len(wallets), 2)
	w.same(wallets[1], usd)
	kzt := wallets[0]
	w.same(kzt.Limits, limits)
	w.same(kzt.Condition, wallet.Blocked)
	w.same(kzt.Account, ledger.Account{
		ID: kzt.ID, Book: person("alice").bookOf(), Currency: money.KZT, Capped: true,
		Totals: ledger.Totals{CreditsPosted: 500}, Version: 1,
	})
	w.same(kzt.Last, journal.Ref{Object: kzt.ID, Sequence: 1})
	state := w.load(machine.Keys{Payers: []machine.Holder{{IIN: []string{"i-alice"}, Currency: money.KZT}}})
	w.same(state.Wallets[kzt.ID], kzt)
	w.same(len(state.Wallets), 1)
}

func roundTripRecords(w *world) {
	w.install()
	w.addMerchant("1", merchant.Defaults())
	funded := w.fund("alice", 1_000)
	held := w.sell(sale{merchant: "mer_1", payer: "alice", amount: 600, key: "K-1"})
	w.now++
	captured := w.run(w.capture(held, 600))[0]
	records, err := w.Operations(w.ctx, held.ID)
	w.ok(err)
	w.same(len(records), 2)
	payable := ledger.Payable("mer_1", money.KZT)
	w.same(records[0], journal.Record{
		Object: held.ID, Sequence: 1, Book: held.Book, Type: journal.Authorized, Merchant: "mer_1",
		Wallet: funded.ID, At: start, Amount: 600, Currency: money.KZT,
		Posting: ledger.Posting{
			Move: ledger.Hold, Debit: funded.ID, Credit: payable, Amount: 600, Currency: money.KZT,
		},
		Debit:    ledger.Running{Version: 2, Pending: -600, Posted: 1_000},
		Credit:   ledger.Running{Version: 1, Pending: 600, Posted: 0},
		After:    journal.After{State: "authorized", Authorized: 600},
		Origin:   journal.Origin{RequestID: "req_K-1", APIKeyID: "key_1", IdempotencyKey: "K-1"},
		Previous: journal.Ref{Object: funded.ID, Sequence: 1},
	})
	w.same(records[1].Previous, journal.Ref{Object: held.ID, Sequence: 1})
	w.same(records[1].Debit, captured.Record.Debit)
	w.same(records[1].At, int64(start+1))
	one, err := w.Record(w.ctx, journal.Ref{Object: held.ID, Sequence: 2})
	w.ok(err)
	w.same(one, records[1])
	own, err := w.Operations(w.ctx, funded.ID)
	w.ok(err)
	w.same(len(own), 1)
	w.same(own[0].Previous, journal.Ref{})
	w.same(own[0].Type, journal.ToppedUp)
}

func emptyNotNull(w *world) {
	w.install()
	w.addMerchant("1", merchant.Defaults())
	o := w.run(w.authorize(sale{merchant: "mer_1", payer: "nobody", amount: 5}))[0]
	w.same(o.Transaction.Failure, reject.WalletNotFound)
	got, err := w.Transaction(w.ctx, "mer_1", o.Transaction.ID)
	w.ok(err)
	w.same(got, o.Transaction)
	w.same(got.Wallet, "")
	w.same(got.Book, 1023)
	records, err := w.Operations(w.ctx, got.ID)
	w.ok(err)
	w.same(records, []journal.Record{o.Record})
	w.same(records[0].Posting, ledger.Posting{})
	w.same(w.load(machine.Keys{Transactions: []string{got.ID}}).Transactions[got.ID], got)

	in := w.keyed("mer_1", "empty", machine.Expire{ID: got.ID})
	in.Command = machine.Capture{Target: machine.Target{Merchant: "mer_1", ID: got.ID, Amount: 1}}
	in.Render = func(machine.Outcome) machine.Reply { return machine.Reply{Status: 422} }
	w.refused(w.run(in)[0], reject.TransactionFailed)
	replay := w.run(in)[0]
	w.same(replay.Replayed, true)
	w.same(replay.Reply, machine.Reply{Status: 422})
}

func sixtyFourBits(w *world) {
	w.install()
	w.addMerchant("1", merchant.Defaults())
	rich := w.fund("alice", math.MaxInt64)
	w.same(rich.Account.Totals.Available(), int64(math.MaxInt64))
	w.refused(w.run(w.topUp("alice", money.KZT, 1, ""))[0], reject.AmountOutOfRange)
	t := w.sell(sale{merchant: "mer_1", payer: "alice", amount: math.MaxInt64})
	w.run(w.capture(t, math.MaxInt64))
	got, err := w.Transaction(w.ctx, "mer_1", t.ID)
	w.ok(err)
	w.same(got.Captured, int64(math.MaxInt64))
	stripes, err := w.Stripes(w.ctx, ledger.Payable("mer_1", money.KZT))
	w.ok(err)
	w.same(len(stripes), 1)
	w.same(stripes[0].Totals, ledger.Totals{CreditsPosted: math.MaxInt64})
	bank, err := w.Stripes(w.ctx, ledger.Bank(money.KZT))
	w.ok(err)
	w.same(bank[0].Running(), ledger.Running{Version: 1, Posted: -math.MaxInt64})
}

func microseconds(w *world) {
	w.install()
	w.addMerchant("1", merchant.Settings{HoldMicros: 1_000_001, ApprovalMicros: 1})
	w.fund("alice", 10)
	t := w.sell(sale{merchant: "mer_1", payer: "alice", amount: 10})
	got, err := w.Transaction(w.ctx, "mer_1", t.ID)
	w.ok(err)
	w.same([]int64{got.CreatedAt, got.UpdatedAt, got.ExpiresAt}, []int64{start, start, start + 1_000_001})
	due, err := w.DueHolds(w.ctx, start+1_000_000, 10)
	w.ok(err)
	w.same(len(due), 0)
	due, err = w.DueHolds(w.ctx, start+1_000_001, 10)
	w.ok(err)
	w.same(due, []string{t.ID})
}

// spellings are different texts that careless comparisons take for one.
var spellings = []string{
	"straße", "STRASSE", "strasse", "Order", "order", "ORDER", "order ", " order", "order\u00a0",
	"réf", "re\u0301f", "ref", "ї", "Ї", "ı", "i", "I", "İ", "1", "01", "１", "a%", "a_", "aa", "🙂", "🙂\u200d",
	"null", "NULL", "''", `\`, `\\`, "😀", "\U0010ffff", "﷽",
}

func textEquality(w *world) {
	w.install()
	w.addMerchant("1", rejecting)
	w.fund("alice", 1_000_000)
	ids := map[string]string{}
	for _, text := range spellings {
		o := w.run(w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 1, reference: text}))[0]
		w.refused(o, "")
		ids[text] = o.Transaction.ID
		o = w.run(w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 1, reference: text}))[0]
		w.refused(o, reject.OrderReferenceExists)
		found, err := w.Transactions(w.ctx, storage.Query{Merchant: "mer_1", OrderReference: text, Limit: 9})
		w.ok(err)
		w.same(len(found), 1)
		w.same(found[0].ID, ids[text])

		first := w.run(w.topUp("bob", money.KZT, 1, text))[0]
		w.refused(first, "")
		again := w.run(w.topUp("bob", money.KZT, 1, text))[0]
		w.same(again.Replayed, true)
		w.same(again.Reply, first.Reply)
	}
	for _, text := range []string{"Key", "key", "KEY", "k", "K", "!", "~", `"k"`, "%"} {
		first := w.run(w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 1, reference: "k" + text,
			key: text}))
		w.same(first[0].Replayed, false)
		stored := w.load(machine.Keys{Replies: []machine.ReplyKey{{Scope: "mer_1", Key: text}}})
		w.same(stored.Replies[machine.ReplyKey{Scope: "mer_1", Key: text}].Reply, first[0].Reply)
	}
	_, wallets, err := w.Customer(w.ctx, []string{"i-bob"})
	w.ok(err)
	w.same(wallets[0].Account.Totals.CreditsPosted, int64(len(spellings)))
	_, _, err = w.Customer(w.ctx, []string{"I-BOB", "i-bob "})
	w.is(err, storage.ErrNotFound)
}

func textOrder(w *world) {
	w.install()
	w.addMerchant("shop", merchant.Defaults())
	for _, text := range slices.Backward(spellings) {
		m := merchant.Merchant{ID: text, Name: text, Settings: merchant.Defaults()}
		key := access.Key{ID: text, Merchant: "mer_shop", Hash: access.HashOf("first " + text)}
		w.ok(w.CreateMerchant(w.ctx, m, access.Key{
			ID: "of " + text, Merchant: text, Hash: access.HashOf(text),
		}, w.audit()))
		w.ok(w.CreateKey(w.ctx, key, w.audit()))
		p := person("x" + text)
		w.run(w.topUp(p, money.KZT, 1, text))
	}
	var merchants, keys, references, customers []string
	all, err := w.Merchants(w.ctx)
	w.ok(err)
	for _, m := range all {
		merchants = append(merchants, m.ID)
	}
	w.same(merchants, slices.Sorted(slices.Values(append(slices.Clone(spellings), "mer_shop"))))
	of, err := w.APIKeys(w.ctx, "mer_shop")
	w.ok(err)
	for _, k := range of {
		keys = append(keys, k.ID)
	}
	w.same(keys, slices.Sorted(slices.Values(append(slices.Clone(spellings), "key_shop"))))
	sealed, err := w.CustomersUnder(w.ctx, "vk_1", "", 1000)
	w.ok(err)
	for _, c := range sealed {
		customers = append(customers, c.ID)
	}
	w.same(slices.IsSorted(customers), true)
	w.same(len(customers), len(spellings))
	w.ok(w.Snapshot(w.ctx, func(ctx context.Context, b storage.Books) error {
		return b.References(ctx, func(r machine.Reference) error {
			references = append(references, r.Name)
			return nil
		})
	}))
	w.same(slices.IsSorted(references), true)
	w.same(len(references), len(spellings))
}

func copies(w *world) {
	w.install()
	w.addMerchant("1", merchant.Defaults())
	body := []byte("first")
	in := w.keyed("mer_1", "k", machine.Authorize{
		Stem: id.Transaction + w.stem(), Merchant: "mer_1", Currency: money.KZT,
		OrderReference: "r", Amount: 1, Who: person("alice").who(),
	})
	in.Render = func(machine.Outcome) machine.Reply { return machine.Reply{Status: 201, Body: body} }
	w.run(in)
	body[0] = 'X'
	for range 2 {
		got := w.run(in)[0]
		w.same(string(got.Reply.Body), "first")
		got.Reply.Body[0] = 'Y'
	}
	w.fund("alice", 1)
	c, _, err := w.Customer(w.ctx, []string{"i-alice"})
	w.ok(err)
	c.IINSealed[0] = 99
	c, _, err = w.Customer(w.ctx, []string{"i-alice"})
	w.ok(err)
	w.same(c.IINSealed, []byte{0, 1, 2, 255})
}
