package sim_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"plexy/internal/access"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/core/wallet"
	"plexy/internal/event"
	"plexy/internal/explain"
	"plexy/internal/merchant"
	"plexy/internal/sim"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
)

// explained is how many transactions are drawn at least.
const explained = 1000

// TestEveryTransactionCanBeExplained draws transactions from a simulated world and checks that the story of
// each is whole and adds up: every change with its request, its entry, its event and its deliveries.
func TestEveryTransactionCanBeExplained(t *testing.T) {
	seed := firstSeed()
	t.Logf("make sim SEED=%d", seed)
	s := memory.NewLanes(2)
	_, err := sim.Run(t.Context(), sim.Config{
		Seed: seed, Steps: 20_000, Stores: [2]storage.Storage{s, s}, Interleave: true, AuditEvery: 20_000,
	})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(seed, 0))
	drawn, err := draw(t.Context(), s, random)
	if err != nil {
		t.Fatal(err)
	}
	if err := tellAll(t.Context(), s, random); err != nil {
		t.Fatal(err)
	}
	if len(drawn) < explained {
		t.Fatalf("the world has %d transactions, too few", len(drawn))
	}
	kinds, attempts := map[journal.Type]bool{}, 0
	types := []journal.Type{
		journal.Authorized, journal.Failed, journal.Captured, journal.Canceled, journal.Refunded, journal.Expired,
		journal.Created, journal.Approved, journal.Processing,
	}
	for i, transaction := range drawn {
		if i >= explained && len(kinds) == len(types) { // some worlds have few of a type
			break
		}
		story, err := explain.Of(t.Context(), s, transaction.Merchant, transaction.ID)
		if err == nil {
			err = story.Check(true)
		}
		if err != nil {
			t.Fatalf("%s: %v\n%+v", transaction.ID, err, story)
		}
		for _, step := range story.Steps {
			kinds[step.Record.Type] = true
			if len(step.Told) != 1 {
				t.Fatalf("%s: step %d was told %d times, one endpoint listens", transaction.ID, step.Record.Sequence,
					len(step.Told))
			}
			attempts += len(step.Told[0].Attempts)
		}
		altered(t, story)
	}
	for _, kind := range types {
		if !kinds[kind] {
			t.Errorf("none of the stories has a step of type %s", kind)
		}
	}
	if attempts == 0 {
		t.Error("none of the stories has an attempt to deliver")
	}
}

// altered shows that the check can fail: each story is spoiled in several ways, and found out every time.
func altered(t *testing.T, s explain.Story) {
	t.Helper()
	spoil := func(what string, change func(*explain.Story)) {
		t.Helper()
		bad := s
		bad.Steps = append([]explain.Step(nil), s.Steps...)
		change(&bad)
		if bad.Check(true) == nil {
			t.Fatalf("a story with %s passed: %+v", what, bad)
		}
	}
	last := len(s.Steps) - 1
	spoil("its last step missing", func(s *explain.Story) { s.Steps = s.Steps[:last] })
	spoil("another amount", func(s *explain.Story) { s.Transaction.Captured++ })
	spoil("no request", func(s *explain.Story) { s.Steps[last].Record.Origin.RequestID = "" })
	spoil("an event without number", func(s *explain.Story) { s.Steps[last].Number = 0 })
	spoil("an attempt missing", func(s *explain.Story) { s.Steps[last].Told[0].Delivery.Attempts++ })
	if s.Steps[last].Record.Posting.Moves() {
		spoil("another entry", func(s *explain.Story) { s.Steps[last].Record.Posting.Amount++ })
	}
}

// draw returns all transactions in random order.
func draw(ctx context.Context, s storage.Storage, random *rand.Rand) (all []wallet.Transaction, err error) {
	err = s.Snapshot(ctx, func(ctx context.Context, b storage.Books) error {
		return b.Transactions(ctx, func(t wallet.Transaction) error {
			all = append(all, t)
			return nil
		})
	})
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all, err
}

// tellAll gives every merchant an endpoint, numbers all events, and attempts some deliveries.
func tellAll(ctx context.Context, s storage.Storage, random *rand.Rand) error {
	merchants, err := s.Merchants(ctx)
	if err != nil {
		return err
	}
	for i, m := range merchants {
		e := event.NewEndpoint(fmt.Sprintf("whe_%d", i), m.ID, 1)
		e.URL, e.Ordered = "https://example.com/", false
		if err := s.CreateEndpoint(ctx, e, machine.Audit{ID: e.ID}); err != nil {
			return err
		}
	}
	for n := 1; n > 0; {
		if n, err = s.Number(ctx, 1, 1<<20); err != nil {
			return err
		}
	}
	for i := range merchants {
		due, err := s.DueDeliveries(ctx, fmt.Sprintf("whe_%d", i), 1, 500)
		if err != nil {
			return err
		}
		var results []storage.Result
		for _, d := range due {
			for tried := range random.IntN(3) {
				d.Delivery.Attempts = tried + 1
				results = append(results, storage.Result{
					Delivery: d.Delivery, Attempt: event.Attempt{Delivery: d.Delivery.ID, Number: tried + 1, Status: 500},
				})
			}
		}
		if err := s.Finish(ctx, 1, results, nil); err != nil {
			return err
		}
	}
	return nil
}

// TestEveryCardPaymentCanBeExplained does the same for card payments and their refunds. One world in twelve
// has no refund that failed later, so there are several.
func TestEveryCardPaymentCanBeExplained(t *testing.T) {
	seed := firstSeed()
	t.Logf("seed %d", seed)
	types, kinds := map[journal.Type]bool{}, map[payment.Kind]int{}
	for world := range uint64(5) {
		explainCards(t, seed+world, types, kinds)
	}
	for _, kind := range []journal.Type{
		journal.Created, journal.Authorized, journal.Rejected, journal.Failed, journal.Charged, journal.Cancelled,
		journal.Refunded, journal.RefundFailed, journal.Settled, journal.FeeKept,
	} {
		if !types[kind] {
			t.Errorf("none of the stories has a step of type %s", kind)
		}
	}
	if kinds[payment.Auth] < 1_500 || kinds[payment.RefundOf] < 150 {
		t.Errorf("too few were drawn: %v", kinds)
	}
}

func explainCards(t *testing.T, seed uint64, types map[journal.Type]bool, kinds map[payment.Kind]int) {
	t.Helper()
	s := memory.NewLanes(2)
	shop := merchant.Merchant{ID: "mer_0", Name: "Shop", Settings: merchant.Defaults(), CreatedAt: 1}
	key := access.Key{ID: "key_0", Merchant: shop.ID, CreatedAt: 1}
	if err := s.CreateMerchant(t.Context(), shop, key, machine.Audit{ID: "aud_0"}); err != nil {
		t.Fatal(err)
	}
	if _, err := sim.PlayCards(t.Context(), sim.CardConfig{
		Seed: seed, Steps: 8_000, Store: s, Interleave: true, AuditEvery: 8_000,
	}); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(seed, 1))
	if err := tellAll(t.Context(), s, random); err != nil {
		t.Fatal(err)
	}
	var drawn []payment.Payment
	if err := s.Snapshot(t.Context(), func(ctx context.Context, b storage.Books) error {
		return b.(storage.PaymentBooks).Payments(ctx, func(p payment.Payment, _ payment.Status) error {
			drawn = append(drawn, p)
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	for _, p := range drawn {
		story, err := explain.OfPayment(t.Context(), s, p.Merchant, p.ID)
		if err == nil {
			err = story.Check(true)
		}
		if err != nil {
			t.Fatalf("%s: %v\n%+v", p.ID, err, story)
		}
		for _, step := range story.Steps {
			types[step.Record.Type] = true
		}
		kinds[p.Kind]++
		alteredPayment(t, story)
	}
}

// alteredPayment spoils the story of a payment in several ways; each is found out.
func alteredPayment(t *testing.T, s explain.PaymentStory) {
	t.Helper()
	spoil := func(what string, change func(*explain.PaymentStory)) {
		t.Helper()
		bad := s
		bad.Steps = append([]explain.Step(nil), s.Steps...)
		bad.Operations = append([]payment.Operation(nil), s.Operations...)
		change(&bad)
		if bad.Check(true) == nil {
			t.Fatalf("a story with %s passed: %+v", what, bad)
		}
	}
	if len(s.Operations) > 0 {
		spoil("an operation missing", func(s *explain.PaymentStory) {
			if s.Operations = s.Operations[1:]; s.Payment.Authorized+s.Payment.Open == 0 {
				s.Payment.Open++ // it was refused, and left nothing that could be missed
			}
		})
	}
	if len(s.Steps) == 0 {
		return
	}
	last := len(s.Steps) - 1
	spoil("its last step missing", func(s *explain.PaymentStory) { s.Steps = s.Steps[:last] })
	spoil("another amount", func(s *explain.PaymentStory) { s.Payment.Captured++ })
	spoil("another status", func(s *explain.PaymentStory) { s.Steps[last].Record.After.State = "created?" })
	if s.Steps[last].Record.Merchant != "" {
		spoil("an event without number", func(s *explain.PaymentStory) { s.Steps[last].Number = 0 })
	}
	if s.Steps[last].Record.Posting.Moves() {
		spoil("another entry", func(s *explain.PaymentStory) { s.Steps[last].Record.Posting.Amount++ })
	}
}
