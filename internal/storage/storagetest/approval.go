package storagetest

import (
	"context"
	"math"
	"slices"

	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
	"plexy/internal/merchant"
	"plexy/internal/storage"
)

// tenMinutes is how long owners may take at mer_1, in microseconds.
const tenMinutes = 600 * second

// rejecting are the settings of a merchant that rejects repeats.
var rejecting = merchant.Settings{HoldMicros: day, RejectRepeats: true, ApprovalMicros: tenMinutes}

// asking sets what p must approve.
func (w *world) asking(p person, a wallet.Approval) machine.Instruction {
	return machine.Instruction{Command: machine.SetApproval{
		Who: p.who(), Currency: money.KZT, Approval: a,
		By: machine.By{ID: id.Audit + w.stem() + "00", Actor: "tester", Reason: "test"},
	}}
}

func (w *world) approve(t wallet.Transaction, p person) machine.Instruction {
	return w.keyed(t.Merchant, "", machine.Approve{
		Owned: machine.Owned{Customer: p.customer().ID, ID: t.ID},
	})
}

func (w *world) complete(t wallet.Transaction) machine.Instruction {
	return w.keyed(t.Merchant, "", machine.Complete{Merchant: t.Merchant, ID: t.ID})
}

// ask authorizes and expects the owner to be asked.
func (w *world) ask(s sale) wallet.Transaction {
	w.Helper()
	t := w.run(w.authorize(s))[0].Transaction
	if t.Status != wallet.New {
		w.Fatalf("authorize came to %s %s, want NEW", t.Status, t.Failure)
	}
	return t
}

// askedShop is a shop and alice, who approves everything.
func askedShop(w *world) {
	shop(w)
	w.run(w.asking("alice", wallet.Owner))
}

func roundTripApproval(w *world) {
	w.install()
	w.addMerchant("1", merchant.Defaults())
	w.fund("alice", 1_000)
	// A wallet that is made and set in one batch, beside one that is set twice.
	w.run(w.topUp("bob", money.KZT, 50, ""), w.asking("bob", wallet.ApprovalAbove(math.MaxInt64-1)),
		w.asking("alice", wallet.Owner), w.asking("alice", wallet.ApprovalAbove(100)))
	approvals := func() []wallet.Approval {
		w.Helper()
		var read, loaded, walked [2]wallet.Approval
		state := w.load(machine.Keys{Payers: []machine.Holder{
			{IIN: []string{"i-alice"}, Currency: money.KZT}, {IIN: []string{"i-bob"}, Currency: money.KZT},
		}})
		for i, p := range []person{"alice", "bob"} {
			_, wallets, err := w.Customer(w.ctx, []string{"i-" + string(p)})
			w.ok(err)
			read[i], loaded[i] = wallets[0].Approval, state.Wallets[wallets[0].ID].Approval
			w.ok(w.Snapshot(w.ctx, func(ctx context.Context, b storage.Books) error {
				return b.Wallets(ctx, func(one wallet.Wallet) error {
					if one.ID == wallets[0].ID {
						walked[i] = one.Approval
					}
					return nil
				})
			}))
		}
		w.same([][2]wallet.Approval{loaded, walked}, [][2]wallet.Approval{read, read})
		return read[:]
	}
	w.same(approvals(), []wallet.Approval{101, math.MaxInt64})
	// Money that moves leaves it as it is.
	w.sell(sale{merchant: "mer_1", payer: "alice", amount: 100})
	w.sell(sale{merchant: "mer_1", payer: "bob", amount: 50})
	w.same(approvals(), []wallet.Approval{101, math.MaxInt64})
	w.run(w.asking("bob", wallet.Auto))
	w.same(approvals(), []wallet.Approval{101, wallet.Auto})
}

func roundTripPending(w *world) {
	askedShop(w)
	same := func(want wallet.Transaction) {
		w.Helper()
		got, err := w.Transaction(w.ctx, "mer_1", want.ID)
		w.ok(err)
		w.same(got, want)
		w.same(w.load(machine.Keys{Transactions: []string{want.ID}}).Transactions[want.ID], want)
	}
	asked := w.ask(sale{merchant: "mer_1", payer: "alice", amount: 40, key: "K"})
	same(asked)
	w.same(asked.ExpiresAt, int64(start+tenMinutes))
	w.now += 3
	approved := w.run(w.approve(asked, "alice"))[0].Transaction
	same(approved)
	w.same([]int64{approved.Sequence, approved.ExpiresAt}, []int64{2, start + 3})
	w.now += 4
	done := w.run(w.complete(asked))[0].Transaction
	same(done)
	w.same([]any{done.Status, done.Authorized, done.CreatedAt, done.UpdatedAt},
		[]any{wallet.Success, int64(40), int64(start), int64(start + 7)})
	records, err := w.Operations(w.ctx, asked.ID)
	w.ok(err)
	w.same(len(records), 3)
	for i, kind := range []journal.Type{journal.Created, journal.Approved, journal.Authorized} {
		w.same([]any{records[i].Type, records[i].Posting.Moves()}, []any{kind, i == 2})
	}
	w.same(records[0].After, journal.After{State: "pending"})
	w.same(records[0].Previous, journal.Ref{}) // without an entry it is in no statement

	in := w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 40})
	c := in.Command.(machine.Authorize)
	c.Course = &wallet.Course{
		Status: wallet.Processing, AfterMicros: 5, Failure: reject.LimitExceeded,
	}
	in.Command = c
	later := w.run(in)[0].Transaction
	same(later)
	w.same([]any{later.Status, later.Failure, later.ExpiresAt},
		[]any{wallet.Processing, reject.LimitExceeded, w.now + 5})
}

func dueDecisions(w *world) {
	askedShop(w)
	w.addMerchant("2", merchant.Settings{HoldMicros: day, ApprovalMicros: 10})
	due := func(at int64, limit int) (found []storage.Undecided) {
		w.Helper()
		found, err := w.DueDecisions(w.ctx, at, limit)
		w.ok(err)
		return found
	}
	one := w.ask(sale{merchant: "mer_1", payer: "alice", amount: 10})
	two := w.ask(sale{merchant: "mer_2", payer: "alice", amount: 10})
	three := w.ask(sale{merchant: "mer_2", payer: "alice", amount: 10})
	w.run(w.asking("alice", wallet.Auto))
	w.sell(sale{merchant: "mer_2", payer: "alice", amount: 10})                        // has its own time
	w.run(w.authorize(sale{merchant: "mer_2", payer: "alice", amount: math.MaxInt64})) // FAILED has none
	waits := func(t wallet.Transaction, s wallet.Status) storage.Undecided {
		return storage.Undecided{ID: t.ID, Merchant: t.Merchant, Status: s}
	}
	w.same(len(due(start+9, 10)), 0)
	w.same(due(start+10, 10), []storage.Undecided{waits(two, wallet.New), waits(three, wallet.New)})
	w.same(due(start+10, 1), []storage.Undecided{waits(two, wallet.New)})
	w.now = start + 5
	w.run(w.approve(three, "alice"), w.approve(one, "alice"))
	w.same(due(start+tenMinutes, 10), []storage.Undecided{
		waits(one, wallet.Processing), waits(three, wallet.Processing), waits(two, wallet.New),
	})
	w.same(len(due(start+4, 10)), 0)
	w.run(w.complete(three))
	w.now = start + 10
	w.run(machine.Instruction{Command: machine.Lapse{ID: two.ID}})
	w.same(due(math.MaxInt64, 10), []storage.Undecided{waits(one, wallet.Processing)})
	w.run(w.complete(one))
	w.same(len(due(math.MaxInt64, 10)), 0)
}

func waiting(w *world) {
	askedShop(w)
	w.fund("bob", 100)
	w.run(w.asking("bob", wallet.Owner))
	_, wallets, err := w.Customer(w.ctx, []string{"i-alice"})
	w.ok(err)
	list := func(at int64, limit int) []wallet.Transaction {
		w.Helper()
		found, err := w.Waiting(w.ctx, wallets[0].ID, at, limit)
		w.ok(err)
		return found
	}
	w.same(len(list(w.now, 10)), 0)
	var asked []wallet.Transaction
	for range 4 {
		w.now += second
		asked = append(asked, w.ask(sale{merchant: "mer_1", payer: "alice", amount: 10}))
		w.ask(sale{merchant: "mer_1", payer: "bob", amount: 10})
	}
	slices.Reverse(asked)
	w.same(list(w.now, 10), asked)
	w.same(list(w.now, 3), asked[:3])
	// From the end of its time on it does not wait any more, whether or not that was noted.
	w.same(list(asked[2].ExpiresAt-1, 10), asked[:3])
	w.same(list(asked[2].ExpiresAt, 10), asked[:2])
	w.run(w.approve(asked[0], "alice"), w.keyed("mer_1", "", machine.Decline{
		Owned: machine.Owned{Customer: person("alice").customer().ID, ID: asked[2].ID},
	}))
	w.same(list(w.now, 10), []wallet.Transaction{asked[1], asked[3]})
}

// releasedReferences: an order reference is taken while its transaction waits, and free once it failed, as
// often as that happens.
func releasedReferences(w *world) {
	w.install()
	w.addMerchant("1", rejecting)
	w.fund("alice", 100)
	w.run(w.asking("alice", wallet.Owner))
	owned := func(t wallet.Transaction) machine.Owned {
		return machine.Owned{Customer: person("alice").customer().ID, ID: t.ID}
	}
	same := sale{merchant: "mer_1", payer: "alice", amount: 60, reference: "SAME"}
	for _, end := range []func(wallet.Transaction){
		func(t wallet.Transaction) { w.run(w.keyed("mer_1", "", machine.Decline{Owned: owned(t)})) },
		func(t wallet.Transaction) {
			w.run(w.keyed("mer_1", "", machine.Cancel{
				Target: machine.Target{Merchant: "mer_1", ID: t.ID, Amount: 60},
			}))
		},
		func(t wallet.Transaction) {
			w.now += tenMinutes
			w.run(w.keyed("mer_1", "", machine.Lapse{ID: t.ID}))
		},
		func(t wallet.Transaction) { // approved, and the money is gone when it is completed
			fast := w.ask(sale{merchant: "mer_1", payer: "alice", amount: 60, reference: "FAST"})
			w.run(w.approve(fast, "alice"), w.complete(fast), w.approve(t, "alice"), w.complete(t))
		},
	} {
		t := w.ask(same)
		w.refused(w.run(w.authorize(same))[0], reject.OrderReferenceExists)
		end(t)
		got, err := w.Transaction(w.ctx, "mer_1", t.ID)
		w.ok(err)
		w.same(got.Status, wallet.Failed)
	}
	same.amount = 40
	last := w.ask(same)
	w.run(w.approve(last, "alice"), w.complete(last))
	w.refused(w.run(w.authorize(same))[0], reject.OrderReferenceExists)
}

// decisions counts the records that outcomes of a race wrote, by type.
func decisions(o []machine.Outcome) map[journal.Type]int {
	n := map[journal.Type]int{}
	for _, one := range o {
		if one.Record.Sequence > 0 {
			n[one.Record.Type]++
		}
	}
	return n
}

// approvalRaces lets everybody who may decide about a transaction do it at once: one of them does.
func approvalRaces(w *world) {
	askedShop(w)
	sell := sale{merchant: "mer_1", payer: "alice", amount: 10}

	t := w.ask(sell)
	w.same(decisions(w.race(func(int) machine.Instruction { return w.approve(t, "alice") })),
		map[journal.Type]int{journal.Approved: 1})
	w.same(decisions(w.race(func(int) machine.Instruction { return w.complete(t) })),
		map[journal.Type]int{journal.Authorized: 1})

	// Approved, declined or canceled: one of the three, and once.
	for range 10 {
		t := w.ask(sell)
		o := w.race(func(i int) machine.Instruction {
			switch i % 3 {
			case 0:
				return w.approve(t, "alice")
			case 1:
				return w.keyed("mer_1", "", machine.Decline{
					Owned: machine.Owned{Customer: person("alice").customer().ID, ID: t.ID},
				})
			}
			return w.keyed("mer_1", "", machine.Cancel{
				Target: machine.Target{Merchant: "mer_1", ID: t.ID, Amount: 10},
			})
		})
		n := decisions(o)
		w.same(n[journal.Approved]+n[journal.Failed], 1)
		records, err := w.Operations(w.ctx, t.ID)
		w.ok(err)
		w.same(len(records), 2)
	}

	// At the end of its time an approval comes too late, however it meets the lapse.
	late := w.ask(sell)
	w.now = late.ExpiresAt
	o := w.race(func(i int) machine.Instruction {
		if i%2 == 0 {
			return w.approve(late, "alice")
		}
		return machine.Instruction{Command: machine.Lapse{ID: late.ID}}
	})
	w.same(decisions(o), map[journal.Type]int{journal.Failed: 1})
	for i := 0; i < racers; i += 2 {
		w.refused(o[i], reject.ApprovalExpired)
	}

	// Eight requests were approved and there is money for three of them.
	w.fund("bob", 35)
	w.run(w.asking("bob", wallet.Owner))
	var asked []wallet.Transaction
	for range racers {
		t := w.ask(sale{merchant: "mer_1", payer: "bob", amount: 10})
		w.run(w.approve(t, "bob"))
		asked = append(asked, t)
	}
	w.same(decisions(w.race(func(i int) machine.Instruction { return w.complete(asked[i]) })),
		map[journal.Type]int{journal.Authorized: 3, journal.Failed: racers - 3})
	_, wallets, err := w.Customer(w.ctx, []string{"i-bob"})
	w.ok(err)
	w.same(wallets[0].Account.Totals.Available(), int64(5))
}
