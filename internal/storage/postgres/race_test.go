package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/merchant"
	"plexy/internal/storage"
	"plexy/internal/storage/postgres"
	"plexy/internal/verify"
)

// twoProcesses opens the same database twice, as two servers would.
func twoProcesses(t *testing.T, people int) (*shop, []storage.Storage) {
	t.Helper()
	url := freshDatabase(t)
	one, two := openStore(t, postgres.Config{URL: url}), openStore(t, postgres.Config{URL: url})
	return newShop(t, one, people), []storage.Storage{one, two}
}

// everywhere runs the instructions at once, each on one of the lanes of one of the processes.
func everywhere(t *testing.T, stores []storage.Storage, in []machine.Instruction) []machine.Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	outcomes, failures := make([]machine.Outcome, len(in)), make([]error, len(in))
	var all sync.WaitGroup
	for i := range in {
		all.Go(func() {
			s := stores[i%len(stores)]
			outcomes[i], failures[i] = insist(ctx, s, i/len(stores)%s.Lanes(), in[i])
		})
	}
	all.Wait()
	for _, err := range failures {
		must(t, err)
	}
	return outcomes
}

func done(outcomes []machine.Outcome) (n int) {
	for _, o := range outcomes {
		if o.Reason == "" && !o.Replayed && o.Transaction.Status != wallet.Failed {
			n++
		}
	}
	return n
}

// inOrder recomputes the books.
func inOrder(t *testing.T, s storage.Storage) {
	t.Helper()
	report, err := verify.Run(context.Background(), s)
	must(t, err)
	if !report.OK() {
		t.Fatalf("the books are not in order: %+v", report.Violations)
	}
}

func TestOneKeyInTwoProcesses(t *testing.T) {
	w, stores := twoProcesses(t, 2)
	t.Run("one payer", func(t *testing.T) {
		in := make([]machine.Instruction, 32)
		for i := range in {
			in[i] = w.keyed("same", w.authorize(0, 1, 100).Command)
		}
		outcomes := everywhere(t, stores, in)
		if n := done(outcomes); n != 1 {
			t.Errorf("one key had %d effects", n)
		}
		for _, o := range outcomes {
			if string(o.Reply.Body) != string(outcomes[0].Reply.Body) {
				t.Errorf("two answers under one key: %s and %s", o.Reply.Body, outcomes[0].Reply.Body)
			}
		}
	})
	t.Run("two payers", func(t *testing.T) {
		in := make([]machine.Instruction, 32)
		for i := range in {
			in[i] = w.keyed("two", w.authorize(i%2, 1, 100).Command)
			in[i].Fingerprint = [32]byte{byte(i % 2)}
		}
		outcomes := everywhere(t, stores, in)
		reused := 0
		for _, o := range outcomes {
			if o.Reason == reject.IdempotencyKeyReused {
				reused++
			}
		}
		if done(outcomes) != 1 || reused != 16 {
			t.Errorf("%d effects, %d refusals; want 1 and 16", done(outcomes), reused)
		}
	})
	inOrder(t, stores[0])
}

func TestOneWalletInTwoProcesses(t *testing.T) {
	w, stores := twoProcesses(t, 1)
	held := everywhere(t, stores, []machine.Instruction{w.authorize(0, 1, 10_000)})[0].Transaction
	everywhere(t, stores, []machine.Instruction{w.keyed("", machine.Capture{Target: target(held, 10_000)})})
	in := make([]machine.Instruction, 64)
	for i := range in {
		in[i] = w.keyed(fmt.Sprint("refund", i), machine.Refund{Target: target(held, 600)})
	}
	if n := done(everywhere(t, stores, in)); n != 16 {
		t.Errorf("%d refunds of 600 on 10000", n)
	}
	inOrder(t, stores[1])
}

func TestRejectedRepeatsInTwoProcesses(t *testing.T) {
	w, stores := twoProcesses(t, 8)
	set := merchant.Defaults()
	set.RejectRepeats = true
	must(t, w.SetMerchant(t.Context(), shopMerchant, set, machine.Audit{ID: "aud_reject"}))
	in := make([]machine.Instruction, 32)
	for i := range in {
		in[i] = w.authorize(i%8, 7, 10)
	}
	outcomes := everywhere(t, stores, in)
	if n := done(outcomes); n != 1 {
		t.Errorf("one order reference was sold %d times", n)
	}
	for _, o := range outcomes {
		if o.Reason != "" && o.Reason != reject.OrderReferenceExists {
			t.Errorf("refused with %s", o.Reason)
		}
	}
	inOrder(t, stores[0])
}

// A customer gets another phone while a sale under the old one waits for the wallet. The sale comes after
// the rebinding, so it must not find the customer by what was read before.
func TestReboundWhileWaiting(t *testing.T) {
	url := freshDatabase(t)
	watch := connect(t, url)
	armed := false
	rebinder := openStore(t, postgres.Config{URL: url, Fail: func(point string) error {
		if armed && point == postgres.BeforeCommit {
			eventually(t, "the sale waits for the wallet", func() bool {
				return column[int64](t, watch, "select count(*) from pg_stat_activity "+
					"where application_name = 'plexy batches' and wait_event_type = 'Lock'")[0] == 1
			})
		}
		return nil
	}})
	w := newShop(t, rebinder, 1)
	seller := openStore(t, postgres.Config{URL: url})
	_, err := run(t.Context(), seller, 0, w.authorize(0, 1, 1)) // its lane is connected
	must(t, err)
	customer, _, err := w.Customer(t.Context(), who(0).IIN)
	must(t, err)
	next := who(0)
	next.Phone = []string{"another phone"}
	armed = true
	var selling sync.WaitGroup
	var sold machine.Outcome
	begun := make(chan struct{})
	selling.Go(func() {
		<-begun
		outcomes, err := run(t.Context(), seller, 0, w.authorize(0, 2, 1))
		if err != nil {
			t.Error(err)
			return
		}
		sold = outcomes[0]
	})
	rebind := w.keyed("", machine.Rebind{
		Who: next, Customer: customer.ID, KeyID: customer.KeyID, Sealed: []byte("new"),
		By: machine.By{ID: w.ids.New("aud_")},
	})
	rebind.Render = func(machine.Outcome) machine.Reply {
		close(begun) // its locks are held by now
		return machine.Reply{}
	}
	_, err = run(t.Context(), rebinder, 0, rebind)
	must(t, err)
	selling.Wait()
	if sold.Transaction.Failure != reject.WalletNotFound {
		t.Errorf("sold under the phone of before: %+v", sold.Transaction)
	}
	again := w.authorize(0, 3, 1).Command.(machine.Authorize)
	again.Who = next
	outcomes, err := run(t.Context(), seller, 0, w.keyed("again", again))
	must(t, err)
	if done(outcomes) != 1 {
		t.Errorf("the new phone is not known: %+v", outcomes[0].Transaction)
	}
}

// eventually asks until the answer is yes: what another process waits for tells nobody.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !yes(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after a minute: %s", what)
		}
	}
}

// TestRandomMix runs batches of everything over few wallets, and so over the same rows, in two processes
// with two lanes each. Nothing may wait for ever, and the books must be in order.
func TestRandomMix(t *testing.T) {
	const people, rounds, batch = 12, 60, 12
	w, stores := twoProcesses(t, people)
	var mu sync.Mutex
	var sold []wallet.Transaction
	random := func(r *rand.Rand, n int) machine.Instruction {
		mu.Lock()
		defer mu.Unlock()
		amount := 1 + r.Int64N(50)
		if len(sold) == 0 || r.IntN(3) == 0 {
			return w.authorize(r.IntN(people), n, amount)
		}
		target := target(sold[r.IntN(len(sold))], amount)
		switch r.IntN(5) {
		case 0:
			return w.keyed(fmt.Sprint("k", r.IntN(200)), machine.Capture{Target: target})
		case 1:
			return w.keyed("", machine.Cancel{Target: target})
		case 2:
			return w.keyed("", machine.Refund{Target: target})
		case 3:
			return w.topUp(people+r.IntN(20), amount, fmt.Sprint("t", r.IntN(50)))
		}
		return w.keyed("", machine.SetLimits{
			Who: who(r.IntN(people)), Currency: money.KZT, By: machine.By{ID: w.ids.New("aud_")},
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(worker)))
			for n := range rounds {
				in := make([]machine.Instruction, batch)
				for i := range in {
					in[i] = random(r, n)
				}
				outcomes, err := insistAll(ctx, stores[worker%2], worker/2, in)
				if err != nil {
					t.Errorf("worker %d, round %d: %v", worker, n, err)
					return
				}
				mu.Lock()
				for _, o := range outcomes {
					if o.Record.Sequence == 1 && o.Transaction.Status == wallet.Success {
						sold = append(sold, o.Transaction)
					}
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	inOrder(t, stores[0])
}
