package storagetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
	"plexy/internal/storage"
)

// racers is how many goroutines race, and attempts how often one of them may lose.
const racers, attempts = 8, 200

func races(w *world) {
	w.install()
	w.addMerchant("1", rejecting)
	w.fund("alice", 1_000_000)
	effects := func(o []machine.Outcome) (n int) {
		for _, one := range o {
			if one.Reason == "" && !one.Replayed {
				n++
			}
		}
		return n
	}
	w.same(effects(w.race(func(int) machine.Instruction {
		return w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 1, reference: "K", key: "K"})
	})), 1)
	w.same(effects(w.race(func(i int) machine.Instruction {
		return w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 1, reference: "A",
			key: fmt.Sprint(i)})
	})), 1)
	w.same(effects(w.race(func(int) machine.Instruction {
		return w.topUp("bob", money.KZT, 7, "T")
	})), 1)
	w.same(effects(w.race(func(int) machine.Instruction {
		return w.topUp("carol", money.KZT, 1, "")
	})), racers)
	_, wallets, err := w.Customer(w.ctx, []string{"i-carol"})
	w.ok(err)
	w.same(len(wallets), 1)
	w.same(wallets[0].Account.Totals.CreditsPosted, int64(racers))
	_, wallets, err = w.Customer(w.ctx, []string{"i-bob"})
	w.ok(err)
	w.same(wallets[0].Account.Totals.CreditsPosted, int64(7))

	// One hold of 10 cannot be captured by eight captures of 3 more than three times.
	t := w.sell(sale{merchant: "mer_1", payer: "alice", amount: 10, reference: "C"})
	w.same(effects(w.race(func(int) machine.Instruction { return w.capture(t, 3) })), 3)
}

// race runs an instruction from each of several goroutines, over all lanes, until each has an outcome.
func (w *world) race(make func(int) machine.Instruction) []machine.Outcome {
	w.Helper()
	outcomes := slices.Repeat([]machine.Outcome{{}}, racers)
	failures := slices.Repeat([]error{nil}, racers)
	in := slices.Repeat([]machine.Instruction{{}}, racers)
	for i := range in {
		in[i] = make(i) // here, because the world's ids are not for goroutines
	}
	var running sync.WaitGroup
	for i := range racers {
		running.Add(1)
		go func() {
			defer running.Done()
			for range attempts {
				o, err := w.try(i%w.Lanes(), in[i])
				outcomes[i], failures[i] = o[0], err
				if !errors.Is(err, storage.ErrConflict) && !errors.Is(err, storage.ErrTransient) {
					return
				}
			}
		}()
	}
	running.Wait()
	w.ok(errors.Join(failures...))
	return outcomes
}

func snapshotIsolation(w *world) {
	shop(w)
	t := w.sell(sale{merchant: "mer_1", payer: "alice", amount: 10, key: "K"})
	w.ok(w.Snapshot(w.ctx, func(ctx context.Context, b storage.Books) error {
		wallets := 0
		if err := b.Wallets(ctx, func(wallet.Wallet) error { wallets++; return nil }); err != nil {
			return err
		}
		w.same(wallets, 1)
		w.run(w.capture(t, 10), w.topUp("bob", money.KZT, 1, "T"),
			w.authorize(sale{merchant: "mer_1", payer: "alice", amount: 10, key: "L"}))
		rows := map[string]int{}
		err := errors.Join(
			b.Journal(ctx, func(journal.Record) error { rows["records"]++; return nil }),
			b.Transactions(ctx, func(got wallet.Transaction) error {
				rows["transactions"]++
				w.same(got, t)
				return nil
			}),
			b.Wallets(ctx, func(wallet.Wallet) error { rows["wallets"]++; return nil }),
			b.Stripes(ctx, func(a ledger.Account) error {
				rows["stripes"]++
				w.same(a.Version,
					int64(1))
				return nil
			}),
			b.Replies(ctx, func(machine.ReplyKey, machine.Stored) error { rows["replies"]++; return nil }),
			b.References(ctx, func(machine.Reference) error { rows["references"]++; return nil }),
		)
		w.same(rows, map[string]int{
			"records": 2, "transactions": 1, "wallets": 1, "stripes": 2, "replies": 1,
		})
		return err
	}))
	got, err := w.Transaction(w.ctx, "mer_1", t.ID)
	w.ok(err)
	w.same(got.Captured, int64(10))
}

// nestedWalks turns the pages of one walk inside another, as verification does.
func nestedWalks(w *world) {
	shop(w)
	made := len(sellMany(w, 7))
	boom := errors.New("enough")
	w.ok(w.Snapshot(w.ctx, func(ctx context.Context, b storage.Books) error {
		inner, outer := 0, 0
		err := b.Transactions(ctx, func(wallet.Transaction) error {
			outer++
			err := b.Journal(ctx, func(r journal.Record) error {
				if inner++; inner%3 == 0 {
					return boom
				}
				return nil
			})
			w.is(err, boom)
			return nil
		})
		w.same([]int{outer, inner}, []int{made, 3 * made})
		return err
	}))
}

func walksOrdered(w *world) {
	shop(w)
	var in []machine.Instruction
	for i := range 2_100 {
		s := sale{merchant: "mer_1", payer: "alice", amount: 1, key: fmt.Sprintf("%d", (i*7919)%2_100)}
		in = append(in, w.authorize(s))
	}
	for part := range slices.Chunk(in, 300) {
		w.run(part...)
	}
	w.ok(w.Snapshot(w.ctx, func(ctx context.Context, b storage.Books) error {
		var ids []string
		if err := b.Transactions(ctx, func(t wallet.Transaction) error {
			ids = append(ids, t.ID)
			return nil
		}); err != nil {
			return err
		}
		w.same([]any{len(ids), slices.IsSorted(ids)}, []any{2_100, true})
		var objects []string
		if err := b.Journal(ctx, func(r journal.Record) error {
			objects = append(objects, r.Object)
			return nil
		}); err != nil {
			return err
		}
		w.same([]any{len(objects), slices.IsSorted(objects)}, []any{2_101, true})
		return nil
	}))
	w.same(len(w.replies()), 2_100)
}

// replies walks the stored replies; no key may come twice.
func (w *world) replies() map[machine.ReplyKey]machine.Stored {
	w.Helper()
	found := map[machine.ReplyKey]machine.Stored{}
	w.ok(w.Snapshot(w.ctx, func(ctx context.Context, b storage.Books) error {
		return b.Replies(ctx, func(k machine.ReplyKey, s machine.Stored) error {
			if _, twice := found[k]; twice {
				return fmt.Errorf("reply %v is there twice", k)
			}
			found[k] = s
			return nil
		})
	}))
	return found
}
