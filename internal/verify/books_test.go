package verify_test

import (
	"context"
	"fmt"
	"testing"

	"plexy/internal/access"
	"plexy/internal/clock"
	"plexy/internal/commit"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
	"plexy/internal/merchant"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
)

const start, hold = 1_760_000_000_000_000, 60_000_000

// town is a store with a shop, people and a bit of everything that can happen to money.
type town struct {
	testing.TB
	s     *memory.Store
	clock *clock.Manual
	made  int
	// Named transactions, one of each kind; wallets by person.
	sold    map[string]wallet.Transaction
	wallets map[string]string
	paid    map[string]string // payments, refunds and links by name
}

func (w *town) stem(kind string) string {
	w.made++
	return fmt.Sprintf("%s01K0%020d", kind, w.made)
}

func who(person string) machine.Who {
	return machine.Who{IIN: []string{"i-" + person}, Phone: []string{"p-" + person}, Generation: 1}
}

func (w *town) run(lane int, in machine.Instruction) machine.Outcome {
	w.Helper()
	b := commit.Batch{Storage: w.s, Clock: w.clock, Lane: lane, Instructions: []machine.Instruction{in}}
	out, err := b.Run(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	return out[0]
}

func (w *town) fund(person string, d machine.Direction, amount int64, reference string) machine.Outcome {
	w.Helper()
	o := w.run(0, machine.Instruction{
		Render: func(machine.Outcome) machine.Reply { return machine.Reply{Status: 200} },
		Command: machine.Fund{
			Direction: d, Who: who(person), Currency: money.KZT, Amount: amount, Reference: reference,
			Opening: machine.Opening{
				WalletStem: w.stem(id.Wallet), Book: 500 + len(person),
				Customer: wallet.Customer{ID: "cus_" + person, IINIndex: "i-" + person,
					PhoneIndex: "p-" + person},
			},
			By: machine.By{ID: w.stem(id.Audit)},
		},
	})
	if o.Reason != "" {
		w.Fatalf("%s: %s", d, o.Reason)
	}
	w.wallets[person] = o.Wallet.ID
	return o
}

// ask runs a merchant's command under a key of its own.
func (w *town) ask(c machine.Command) machine.Outcome {
	w.Helper()
	key := w.stem("key-")
	in := machine.Instruction{
		Command: c, Scope: "mer_1", Key: key,
		Origin: journal.Origin{RequestID: "req-" + key, IdempotencyKey: key},
		Render: func(o machine.Outcome) machine.Reply {
			if o.Reason != "" {
				return machine.Reply{Status: 422}
			}
			return machine.Reply{Status: 200, Body: []byte(o.Transaction.ID)}
		},
	}
	return w.run(w.made%2, in)
}

func (w *town) sell(name, person string, amount int64) wallet.Transaction {
	w.Helper()
	t := w.ask(machine.Authorize{
		Stem: w.stem(id.Transaction), Book: 7, Merchant: "mer_1", Currency: money.KZT,
		OrderReference: name, Amount: amount, Who: who(person),
	}).Transaction
	w.sold[name] = t
	return t
}

func target(t wallet.Transaction, amount int64) machine.Target {
	return machine.Target{Merchant: "mer_1", ID: t.ID, Amount: amount}
}

// waiting lets carol, who approves everything, be asked, and what she is asked for come to every end.
func (w *town) waiting() {
	w.Helper()
	w.fund("carol", machine.TopUp, 1_000, "")
	do := func(c machine.Command) {
		w.Helper()
		if o := w.run(1, machine.Instruction{Command: c}); o.Reason != "" {
			w.Fatalf("%T: %s", c, o.Reason)
		}
	}
	do(machine.SetApproval{
		Who: who("carol"), Currency: money.KZT, Approval: wallet.Owner, By: machine.By{ID: w.stem(id.Audit)},
	})
	carols := func(name string) machine.Owned {
		return machine.Owned{Customer: "cus_carol", ID: w.sell(name, "carol", 600).ID}
	}
	silent := carols("silent")
	w.clock.Advance(hold)
	do(machine.Lapse{ID: silent.ID})
	yes, broke := carols("yes"), carols("broke")
	for _, owned := range []machine.Owned{yes, broke} {
		do(machine.Approve{Owned: owned})
		w.clock.Advance(1_000)
		do(machine.Complete{Merchant: "mer_1", ID: owned.ID})
	}
	w.ask(machine.Capture{Target: target(w.sold["yes"], 600)})
	w.fund("carol", machine.TopUp, 1_000, "")
	do(machine.Decline{Owned: carols("no")})
	carols("given up")
	w.ask(machine.Cancel{Target: target(w.sold["given up"], 600)})
	do(machine.Approve{Owned: carols("approved")})
	carols("asked")
	w.ask(machine.Capture{Target: target(w.sold["asked"], 1)}) // refused: it is not decided
	do(machine.Authorize{
		Stem: w.stem(id.Transaction), Merchant: "mer_1", Currency: money.KZT, OrderReference: "sandbox", Amount: 5,
		Who: who("carol"), Course: &wallet.Course{
			Status: wallet.Processing, AfterMicros: 7, Failure: reject.LimitExceeded,
		},
	})
}

// newTown lets everything happen once.
func newTown(tb testing.TB) *town {
	w := &town{
		TB: tb, s: memory.NewLanes(2), clock: clock.NewManual(start),
		sold: map[string]wallet.Transaction{}, wallets: map[string]string{},
	}
	ctx := context.Background()
	m := merchant.Merchant{ID: "mer_1", Settings: merchant.Settings{HoldMicros: hold, ApprovalMicros: hold}}
	for _, err := range []error{
		w.s.Install(ctx, storage.Installation{Environment: "sandbox", Generation: 1}),
		w.s.CreateMerchant(ctx, m, access.Key{ID: "key_1", Merchant: m.ID}, machine.Audit{ID: "aud_1"}),
	} {
		if err != nil {
			tb.Fatal(err)
		}
	}
	w.fund("alice", machine.TopUp, 100_000, "T-1")
	w.fund("bob", machine.TopUp, 5_000, "")
	w.fund("bob", machine.Withdraw, 1_000, "W-1")
	w.fund("bob", machine.Adjust, -500, "A-1")
	w.fund("bob", machine.Adjust, 250, "")

	full := w.sell("full", "alice", 1_000)
	w.clock.Advance(1_000)
	w.ask(machine.Capture{Target: target(full, 1_000)})
	w.clock.Advance(1_000)
	w.ask(machine.Refund{Target: target(full, 300)})
	part := w.sell("part", "alice", 2_000)
	w.ask(machine.Capture{Target: target(part, 700)})
	w.ask(machine.Cancel{Target: target(part, 300)})
	w.sell("open", "bob", 10)
	w.sell("nobody", "carol", 10)
	w.sell("poor", "bob", 1_000_000)
	w.clock.Advance(hold)
	w.ask(machine.Cancel{Target: target(part, 1)}) // refused: it has lapsed
	if o := w.run(1, machine.Instruction{Command: machine.Expire{ID: part.ID}}); o.Reason != "" {
		tb.Fatal(o.Reason)
	}
	w.waiting()
	w.cards()
	late := w.sell("late", "alice", 50)
	w.ask(machine.Refund{Target: target(late, 1)}) // refused: nothing captured
	for name, want := range map[string]reject.Reason{
		"full": "", "nobody": reject.WalletNotFound, "poor": reject.InsufficientFunds,
	} {
		if got := w.sold[name].Failure; got != want {
			tb.Fatalf("%s: failure %q, want %q", name, got, want)
		}
	}
	return w
}
