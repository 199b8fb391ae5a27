package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/event"
	"plexy/internal/storage"
	"plexy/internal/webhook"
	"plexy/receiver"
)

// pay commits one command about payments, which must be done.
func (w *world) pay(c machine.Command) machine.Outcome {
	w.Helper()
	var keys machine.Keys
	in := machine.Instruction{Command: c, Render: func(machine.Outcome) machine.Reply { return machine.Reply{} }}
	keys.Add(in)
	var o machine.Outcome
	w.ok(w.store.Commit(context.Background(), 0, func(ctx context.Context, b storage.Batch) error {
		state, err := b.Load(ctx, &keys)
		if err != nil {
			return err
		}
		o = machine.Step(state, machine.Stamp{At: w.clock.Now()}, in)
		return b.Save(ctx, state)
	}))
	if o.Reason != "" {
		w.Fatalf("refused: %s", o.Reason)
	}
	return o
}

// uuid returns a UUIDv7.
func (w *world) uuid(n int) string { return fmt.Sprintf("019a2a22-1b0d-7732-9672-%012x", n) }

// authorized makes a payment with the facts, and the bank approves it: two events.
func (w *world) authorized(f payment.Facts) payment.Payment {
	w.Helper()
	f.Merchant, f.Currency, f.Connector, f.Amount = w.shop.ID, money.KZT, "sandbox", 10_050
	f.OrderReference = "ORDER-1"
	if f.Kind == "" {
		f.Kind = payment.Auth
	}
	begun := w.pay(machine.BeginPayment{Facts: f, Operation: "op-" + f.ID}).Pay
	return w.answer(begun)
}

// answer has the bank approve an operation.
func (w *world) answer(asked *machine.Pay) payment.Payment {
	w.Helper()
	return w.pay(machine.RecordAnswer{
		Attempt: machine.Attempt{Payment: asked.Payment.ID, Operation: asked.Operation.ID},
		Answer:  payment.Answer{State: payment.Accepted, Code: "00"}, Audit: "aud",
	}).Pay.Payment
}

func (w *world) capturePayment(p payment.Payment) payment.Payment {
	w.Helper()
	return w.answer(w.pay(machine.AskCapture{Modification: machine.Modification{
		Merchant: w.shop.ID, Payment: p.ID, Operation: "cap-" + p.ID,
	}}).Pay)
}

// TestCallbackIsDelivered: to the payment's own address, signed with the merchant's own secret, in order, and
// what one address answers does not end the others.
func TestCallbackIsDelivered(t *testing.T) {
	t.Parallel()
	w, one, two, endpoint := newWorld(t), open(t), open(t), open(t)
	w.endpoint(endpoint.url, func(e *event.Endpoint) { e.Types = []string{"transaction.charged"} })
	w.start()
	p := w.authorized(payment.Facts{ID: w.uuid(1), CallbackURL: one.url})
	c := event.NewCallbacks(w.shop.ID, noon)
	kit, err := receiver.New(w.hooks.Token(c.ID, 1).Reveal(), w.hooks.Secret(c.ID, 1).Reveal())
	w.ok(err)
	w.capturePayment(p)
	for i, name := range []string{"created", "authorized", "charged"} {
		v := one.say(200)
		got, err := kit.Verify(v.Header, []byte(v.body), time.Now())
		if err != nil || got.Name != "transaction."+name || got.ID != event.ID(p.ID, int64(i+1)) {
			t.Fatalf("the address got %+v, %v, want %s", got, err, name)
		}
		var data struct {
			ID, Status, MerchantReference, OrderReference string
			Amount                                        json.Number
		}
		w.ok(json.Unmarshal(got.Data, &data))
		if data.ID != p.ID || data.Status != name || data.MerchantReference != "ORDER-1" ||
			data.OrderReference != "ORDER-1" || data.Amount != "100.5" {
			t.Errorf("data: %+v", data)
		}
	}
	v := endpoint.say(200)
	if !strings.Contains(v.body, "transaction.charged") || v.Get(webhook.LegacySignature) != "" {
		t.Errorf("the endpoint got %s", v.body)
	}
	w.delivered(c, 3)

	// An address that is gone ends its own delivery only.
	w.authorized(payment.Facts{ID: w.uuid(2), CallbackURL: two.url})
	two.say(410)
	two.say(410)
	for n := int64(4); n <= 5; n++ {
		w.until("dead", func() bool { return w.delivery(c, n).State == event.Dead })
	}
	w.authorized(payment.Facts{ID: w.uuid(3), CallbackURL: one.url})
	one.say(200)
	one.say(200)
	if e := w.again(c); e.State != event.Enabled || e.FailingSince != 0 {
		t.Errorf("the merchant's callbacks are %+v", e)
	}
	w.replay(storage.ReplayQuery{Endpoint: w.again(c), From: 1, To: 100, Dead: true, Limit: 100}, 2)
	if v := two.say(200); v.Get(webhook.MarkReplay) != "true" {
		t.Errorf("headers: %v", v.Header)
	}
	two.say(200)
	w.replay(storage.ReplayQuery{Endpoint: w.again(c), From: 2, To: 2, Limit: 100}, 1)
	one.say(200)
}

// TestSessionCallback: the address of a payment session hears what its plug-in understands, signed with the
// key that began the session; the second attempt as the first.
func TestSessionCallback(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), open(t)
	const key = "pr_00112233445566778899aabbccddeeff"
	c := event.NewCallbacks(w.shop.ID, noon)
	broken := atomic.Bool{}
	w.sessionKey = func(_ context.Context, session string) (string, error) {
		switch {
		case broken.Load():
			return "", errRefused
		case session == "s":
			return key, nil
		}
		return "", storage.ErrNotFound
	}
	w.start()
	held := w.authorized(payment.Facts{ID: w.uuid(1), Session: "s", CallbackURL: s.url})
	v := s.say(500)
	sign := func(v visit, want string) {
		t.Helper()
		signature, err := webhook.LegacySign(key, []byte(v.body))
		if err != nil || v.Get(webhook.LegacySignature) != signature || !strings.Contains(v.body, want) {
			t.Errorf("%s is signed %q (%v)", v.body, v.Get(webhook.LegacySignature), err)
		}
	}
	sign(v, `"success":true,"settled":false`)
	w.tried(c, 2, 1)
	w.later(2 * time.Second)
	again := s.say(200)
	sign(again, v.body)
	w.capturePayment(held)
	sign(s.say(200), `"success":true,"settled":true`)

	// A sale is told of once, when it is charged.
	sold := w.authorized(payment.Facts{ID: w.uuid(2), Session: "s", CallbackURL: s.url, Kind: payment.Sale})
	w.capturePayment(sold)
	sign(s.say(200), `"success":true,"settled":true`)

	// A key that is not kept any more is done without; one that cannot be read now is waited for.
	w.authorized(payment.Facts{ID: w.uuid(3), Session: "old", CallbackURL: s.url})
	if v := s.say(200); v.Get(webhook.LegacySignature) != "" || v.Get("webhook-signature") == "" {
		t.Errorf("headers: %v", v.Header)
	}
	broken.Store(true)
	w.authorized(payment.Facts{ID: w.uuid(4), Session: "s", CallbackURL: s.url})
	if d := w.tried(c, 10, 1); d.State != event.Waiting {
		t.Errorf("delivery: %+v", d)
	}
	broken.Store(false)
	w.later(2 * time.Second)
	sign(s.say(200), `"success":true,"settled":false`)
	w.quiet(s, 2)
}

// TestADeadCallbackHoldsNobodyUp: an address hangs, another one fails until its breaker opens, and many
// deliveries wait for each. Payments that name a third one are told of at once.
func TestADeadCallbackHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	w, hangs, fails, lives := newWorld(t), open(t), open(t), open(t)
	w.start()
	n := 0
	pay := func(url string) {
		n++
		w.authorized(payment.Facts{ID: w.uuid(n), CallbackURL: url})
	}
	for range 150 { // more than are kept in memory
		pay(hangs.url)
	}
	hanging := hangs.next() // and is not answered
	for range 150 {
		pay(fails.url)
	}
	for range webhook.OpenAfter {
		fails.say(500)
	}
	w.quiet(fails, 2) // its breaker is open
	for range 5 {
		pay(lives.url)
		lives.say(200)
		lives.say(200)
	}
	w.quiet(fails, 2)
	w.quiet(hangs, 2) // one attempt at a time
	hanging.answer <- answer{status: 200}
	hangs.say(200)
}
