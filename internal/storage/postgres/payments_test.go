package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"plexy/internal/clock"
	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/storage"
	"plexy/internal/storage/postgres"
)

func (w *shop) createLink(reference string) machine.Instruction {
	id := uuid.Must(uuid.NewV7()).String()
	return w.keyed("", machine.CreateLink{Facts: link.Facts{
		ID: "pl_" + strings.ReplaceAll(id, "-", ""), Merchant: shopMerchant, Currency: money.KZT, Amount: 10,
		OrderReference: reference,
	}})
}

func (w *shop) beginPayment(link string) machine.Instruction {
	return w.keyed("", machine.BeginPayment{
		Facts: payment.Facts{
			ID: uuid.Must(uuid.NewV7()).String(), Merchant: shopMerchant, Link: link, Connector: "sandbox",
			Currency: money.KZT, Amount: 10, Kind: payment.Auth,
		},
		Operation: uuid.Must(uuid.NewV7()).String(),
	})
}

func (w *shop) answer(p *machine.Pay) machine.Instruction {
	return w.keyed("", machine.RecordAnswer{
		Attempt: machine.Attempt{Payment: p.Payment.ID, Operation: p.Operation.ID, Link: p.Payment.Link},
		Answer:  payment.Answer{State: payment.Accepted},
	})
}

// What makes no record is looked for by the rows that it makes or changes.
func TestConnectionLostInCommitOfAPayment(t *testing.T) {
	address := freshDatabase(t)
	p, through := newProxy(t, address)
	w := newShop(t, openStore(t, postgres.Config{URL: address}), 0)
	cutOff := openStore(t, postgres.Config{URL: through, Lanes: 1})
	must1 := func(in machine.Instruction) *machine.Pay {
		t.Helper()
		o, err := insist(t.Context(), cutOff, 0, in)
		must(t, err)
		if o.Reason != "" {
			t.Fatal(o.Reason)
		}
		return o.Pay
	}
	made := must1(w.createLink("A")).Link
	begun := must1(w.beginPayment(""))
	attempt := machine.Attempt{Payment: begun.Payment.ID, Operation: begun.Operation.ID}
	for _, tt := range []struct {
		name string
		in   func() machine.Instruction
		same func(*machine.Pay) error // whether it is stored
	}{
		{"a link is made", func() machine.Instruction { return w.createLink("") }, func(p *machine.Pay) error {
			return differ(w.AnyLink(t.Context(), p.Link.ID))(p.Link)
		}},
		{"a link is changed", func() machine.Instruction {
			return w.keyed("", machine.SetLinkExpiry{
				Merchant: shopMerchant, ID: made.ID, ExpiresAt: clock.System{}.Now() + 1_000_000_000,
			})
		}, func(p *machine.Pay) error { return differ(w.AnyLink(t.Context(), made.ID))(p.Link) }},
		{"an operation is put off", func() machine.Instruction {
			return w.keyed("", machine.PutOff{Attempt: attempt})
		}, func(p *machine.Pay) error { return differ(w.AnyPayment(t.Context(), p.Payment.ID))(p.Payment) }},
	} {
		for where, want := range map[cut]error{beforehand: storage.ErrTransient, afterwards: nil} {
			t.Run(fmt.Sprint(tt.name, " ", where), func(t *testing.T) {
				in := tt.in()
				p.next.Store(int32(where))
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				outcomes, err := run(ctx, cutOff, 0, in)
				if !errors.Is(err, want) || (err == nil) != (want == nil) {
					t.Fatalf("the attempt returned %v, want %v", err, want)
				}
				if err != nil {
					o, err := insist(ctx, cutOff, 0, in)
					must(t, err)
					outcomes = []machine.Outcome{o}
				}
				must(t, tt.same(outcomes[0].Pay))
			})
		}
	}
}

func differ[T comparable](got T, err error) func(want T) error {
	return func(want T) error {
		if err == nil && got != want {
			err = fmt.Errorf("stored is %+v, answered was %+v", got, want)
		}
		return err
	}
}

// Batches of two processes lock wallets, links and payments in one order, whatever the order in which their
// instructions name them: nobody waits in a circle, and what is counted is what was made.
func TestPaymentsAndWalletsInTwoProcesses(t *testing.T) {
	w, stores := twoProcesses(t, 8)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	const links = 40
	var in []machine.Instruction
	for i := range links {
		in = append(in, w.createLink(fmt.Sprint("LINK-", i)))
	}
	outcomes, err := run(ctx, stores[0], 0, in...)
	must(t, err)
	// Every link is wanted by four payers at once, in batches that name links and wallets in opposite orders.
	var begun sync.Map
	var all sync.WaitGroup
	failures := make([]error, 4)
	for worker := range 4 {
		all.Go(func() {
			var batch []machine.Instruction
			for i := range links {
				batch = append(batch, w.beginPayment(outcomes[i].Pay.Link.ID), w.authorize(i%8, i, 1))
			}
			if worker%2 == 1 {
				slices.Reverse(batch)
			}
			for part := range slices.Chunk(batch, 16) {
				done, err := insistAll(ctx, stores[worker%2], worker/2, part)
				if err != nil {
					failures[worker] = err
					return
				}
				for _, o := range done {
					if o.Pay != nil && o.Reason == "" {
						begun.Store(o.Pay.Payment.ID, o.Pay)
					}
				}
			}
		})
	}
	all.Wait()
	must(t, errors.Join(failures...))
	answerAll(ctx, t, w, stores, &begun)
	w.calm(t)
	paid, total, err := w.Links(ctx, storage.LinkQuery{Merchant: shopMerchant, Limit: 100})
	must(t, err)
	for _, l := range paid {
		if l.Status != link.Paid {
			t.Errorf("a link is %s", l.Status)
		}
	}
	_, payments, err := w.Payments(ctx, storage.PaymentQuery{Merchant: shopMerchant, Limit: 1})
	must(t, err)
	if total != links || payments != links || len(paid) != links {
		t.Errorf("%d links and %d payments are counted, %d listed; want %d", total, payments, len(paid), links)
	}
}

// Nobody waits in a circle for links, payments and wallets that everybody wants all the time.
func TestLocksOfPaymentsHaveAnOrder(t *testing.T) {
	w, stores := twoProcesses(t, 4)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var links, payments []machine.Instruction
	for range 8 {
		links, payments = append(links, w.createLink("")), append(payments, w.beginPayment(""))
	}
	made, err := run(ctx, stores[0], 0, links...)
	must(t, err)
	begun, err := run(ctx, stores[0], 0, payments...)
	must(t, err)
	var all sync.WaitGroup
	failures := make([]error, 4)
	for worker := range 4 {
		all.Go(func() {
			for n := 0; n < 40 && failures[worker] == nil; n++ {
				var batch []machine.Instruction
				for i := range made {
					pay := begun[i].Pay
					if worker == 3 { // who names no wallet is not kept in line by their locks
						batch = append(batch, w.authorize(i%4, n, 1))
					}
					batch = append(batch, w.keyed("", machine.SetLinkExpiry{
						Merchant: shopMerchant, ID: made[i].Pay.Link.ID, ExpiresAt: int64(n + 1),
					}), w.keyed("", machine.PutOff{Attempt: machine.Attempt{
						Payment: pay.Payment.ID, Operation: pay.Operation.ID,
					}}))
				}
				if worker%2 == 1 {
					slices.Reverse(batch)
				}
				_, failures[worker] = insistAll(ctx, stores[worker%2], worker/2, batch)
			}
		})
	}
	all.Wait()
	must(t, errors.Join(failures...))
	w.calm(t)
}

// answerAll answers every payment from all lanes at once: one of them is the first.
func answerAll(ctx context.Context, t *testing.T, w *shop, stores []storage.Storage, begun *sync.Map) {
	t.Helper()
	var answers []machine.Instruction
	begun.Range(func(_, p any) bool {
		answers = append(answers, w.answer(p.(*machine.Pay)))
		return true
	})
	var written atomic.Int64
	var all sync.WaitGroup
	failures := make([]error, 4)
	for worker := range 4 {
		all.Go(func() {
			mine := slices.Clone(answers)
			if worker%2 == 1 {
				slices.Reverse(mine)
			}
			done, err := insistAll(ctx, stores[worker%2], worker/2, mine)
			failures[worker] = err
			for _, o := range done {
				written.Add(int64(len(o.Pay.Records)))
			}
		})
	}
	all.Wait()
	must(t, errors.Join(failures...))
	if written.Load() != int64(len(answers)) {
		t.Errorf("%d answers left %d records", len(answers), written.Load())
	}
}

// calm stops the test if the server had to break a circle of locks.
func (w *shop) calm(t *testing.T) {
	t.Helper()
	if n := postgres.Deadlocks(t, w.Storage.(*postgres.Store)); n != 0 {
		t.Errorf("%d deadlocks", n)
	}
}
