package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plexy/internal/access"
	"plexy/internal/clock"
	"plexy/internal/commit"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
	"plexy/internal/merchant"
	"plexy/internal/storage"
	"plexy/internal/storage/postgres"
)

// BenchmarkAuthorize measures what the keeper and the committer do for 64 callers of one hot merchant.
func BenchmarkAuthorize(b *testing.B) {
	for _, lanes := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("lanes=%d", lanes), func(b *testing.B) { benchmarkAuthorize(b, lanes) })
	}
}

func benchmarkAuthorize(b *testing.B, lanes int) {
	s := openStore(b, postgres.Config{URL: freshDatabase(b), Lanes: lanes})
	w := newShop(b, s, 10_000)
	var batches, size atomic.Int64
	c := commit.New(commit.Config{
		Storage: s, Clock: clock.System{},
		Observe: func(r commit.Report) { batches.Add(1); size.Add(int64(r.Size)) },
		Alarm:   func(what string, err error) { b.Errorf("%s: %v", what, err) },
	})
	defer c.Close()
	b.ReportAllocs()
	b.ResetTimer()
	started := time.Now()
	var next atomic.Int64
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				p := int(n*7919) % w.people
				o, err := c.Submit(context.Background(), bookOf(p), w.authorize(p, int(n), 1))
				if err != nil || o.Transaction.Status != wallet.Success {
					b.Errorf("%v %s %s", err, o.Reason, o.Transaction.Failure)
					return
				}
			}
		})
	}
	callers.Wait()
	b.ReportMetric(float64(b.N)/time.Since(started).Seconds(), "ops/s")
	b.ReportMetric(float64(size.Load())/float64(max(1, batches.Load())), "ops/batch")
}

// shop is one merchant with many customers, for tests that make instructions without a door.
type shop struct {
	storage.Storage
	ids    *id.Maker
	people int
}

const shopMerchant = "mer_1"

func newShop(tb testing.TB, s storage.Storage, people int) *shop {
	tb.Helper()
	w := &shop{Storage: s, ids: id.NewMaker(), people: people}
	ctx := context.Background()
	must(tb, s.Install(ctx, storage.Installation{Environment: "sandbox", Generation: 1, CreatedAt: 1}))
	m := merchant.Merchant{ID: shopMerchant, Name: "shop", Settings: merchant.Defaults(), CreatedAt: 1}
	k := accessKey(m.ID)
	must(tb, s.CreateMerchant(ctx, m, k, machine.Audit{ID: w.ids.New(id.Audit), At: 1}))
	for from := 0; from < people; from += 500 {
		var in []machine.Instruction
		for p := from; p < min(from+500, people); p++ {
			in = append(in, w.topUp(p, 1_000_000_000, ""))
		}
		_, err := run(ctx, s, 0, in...)
		must(tb, err)
	}
	return w
}

func bookOf(person int) int { return person * 613 % id.Books }

func who(person int) machine.Who {
	return machine.Who{
		IIN: []string{fmt.Sprintf("iin-index-%032d", person)}, Phone: []string{fmt.Sprintf("phone-index-%032d", person)},
		Generation: 1,
	}
}

func (w *shop) topUp(person int, amount int64, reference string) machine.Instruction {
	return machine.Instruction{
		Command: machine.Fund{
			Direction: machine.TopUp, Who: who(person), Currency: money.KZT, Amount: amount, Reference: reference,
			Opening: machine.Opening{
				WalletStem: id.Wallet + w.ids.Stem(), Book: bookOf(person), Customer: wallet.Customer{
					ID: w.ids.New(id.Customer), KeyID: "vk_1", IINIndex: who(person).IIN[0],
					PhoneIndex: who(person).Phone[0], IINSealed: []byte("sealed"), PhoneSealed: []byte("sealed"),
				},
			},
			By: machine.By{ID: w.ids.New(id.Audit), Actor: "tester", Reason: "test"},
		},
		Origin: journal.Origin{RequestID: w.ids.New(id.Request)},
		Render: render,
	}
}

func (w *shop) authorize(person, n int, amount int64) machine.Instruction {
	return w.keyed(w.ids.Stem(), machine.Authorize{
		Stem: id.Transaction + w.ids.Stem(), Book: bookOf(person), Merchant: shopMerchant, Currency: money.KZT,
		OrderReference: fmt.Sprintf("ORDER-%06d", n), Amount: amount, Who: who(person),
	})
}

// keyed wraps a command of the merchant; an empty key is none.
func (w *shop) keyed(key string, c machine.Command) machine.Instruction {
	request := w.ids.New(id.Request)
	return machine.Instruction{
		Command: c, Scope: shopMerchant, Key: key, Fingerprint: [32]byte{1}, Render: render,
		Origin: journal.Origin{RequestID: request, APIKeyID: "key_01JABCDEFGHJKMNPQRSTVWXYZ0", IdempotencyKey: key},
	}
}

func target(t wallet.Transaction, amount int64) machine.Target {
	return machine.Target{Merchant: t.Merchant, ID: t.ID, Amount: amount}
}

func render(o machine.Outcome) machine.Reply {
	return machine.Reply{Status: 201, Body: fmt.Appendf(nil,
		`{"walletTransactionId":%q,"walletTransactionStatus":"SUCCESS","amount":1,"currency":"KZT","reason":%q,`+
			`"state":"authorized","authorizedAmount":1,"capturedAmount":0,"canceledAmount":0,"expiredAmount":0}`,
		o.Transaction.ID, o.Reason)}
}

// run commits the instructions as one batch of a lane.
func run(ctx context.Context, s storage.Storage, lane int, in ...machine.Instruction) ([]machine.Outcome, error) {
	return commit.Batch{Storage: s, Clock: clock.System{}, Lane: lane, Instructions: in}.Run(ctx)
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func accessKey(merchant string) access.Key {
	return access.Key{ID: "key_1", Merchant: merchant, Hash: access.HashOf(merchant)}
}
