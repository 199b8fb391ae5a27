package app

import (
	"context"
	"io"
	"testing"
	"time"

	"plexy/internal/access"
	"plexy/internal/clock"
	"plexy/internal/commit"
	"plexy/internal/config"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
	"plexy/internal/merchant"
	"plexy/internal/metric"
	"plexy/internal/server"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
	"plexy/internal/vault"
)

const noon = 1_790_000_000_000_000 // microseconds: a day in 2026

// worker is a server's background over the memory keeper and a clock that stands still.
type worker struct {
	*Server
	clock *clock.Manual
	store *memory.Store
}

func newWorker(t *testing.T) *worker {
	t.Helper()
	w := &worker{clock: clock.NewManual(noon), store: memory.New()}
	a := newApp(config.Defaults(), Options{Actor: "tester"})
	a.Storage, a.clock = w.store, w.clock
	var err error
	if a.master, err = vault.ParseMaster(vault.NewMaster()); err != nil {
		t.Fatal(err)
	}
	if err := a.install(context.Background(), true); err != nil {
		t.Fatal(err)
	}
	a.test = clock.NewTest(w.clock)
	w.Server = &Server{app: a, metrics: metric.New(), log: server.NewLog(io.Discard, nil)}
	w.committer = commit.New(commit.Config{Storage: w.store, Clock: w.clock})
	t.Cleanup(func() { w.committer.Close(); w.log.Close() })
	return w
}

// hold authorizes 1 on the payer's wallet under the given idempotency key.
func (w *worker) hold(t *testing.T, merchantID, key string, p payer) string {
	t.Helper()
	stem := id.Transaction + w.app.ids.Stem()
	who := p.who(w.app.vaults.Current())
	o, err := commit.RunOne(context.Background(), w.store, w.clock, machine.Instruction{
		Command: machine.Authorize{
			Stem: stem, Merchant: merchantID, Currency: money.KZT, OrderReference: "o", Amount: 1, Who: who,
		},
		Scope: merchantID, Key: key, Origin: journal.Origin{RequestID: "req", IdempotencyKey: key},
		Render: func(machine.Outcome) machine.Reply { return machine.Reply{Status: 201, Body: []byte("{}")} },
	})
	if err != nil || o.Transaction.Status != wallet.Success {
		t.Fatalf("hold: %+v %v", o, err)
	}
	return o.Transaction.ID
}

// TestExpireCatchesUp: after a stop of any length one look releases everything that is due, in batches.
func TestExpireCatchesUp(t *testing.T) {
	ctx := context.Background()
	w := newWorker(t)
	shop, err := w.app.CreateMerchant(ctx, "Shop", "")
	if err != nil {
		t.Fatal(err)
	}
	h := exampleHolder(1)
	p, err := h.check()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.app.Fund(ctx, Funding{Direction: TopUp, Holder: h, Amount: 10_000}); err != nil {
		t.Fatal(err)
	}
	const holds = 2*expireBatch + 30
	for range holds {
		w.hold(t, shop.MerchantID, "", p)
	}
	w.clock.Advance(merchant.Defaults().HoldMicros - 1)
	later := w.hold(t, shop.MerchantID, "", p)
	if err := w.expire(ctx); err != nil || w.held(t, h) != holds+1 {
		t.Errorf("before the time %d are held, %v", w.held(t, h), err)
	}
	w.clock.Advance(1)
	if err := w.expire(ctx); err != nil || w.held(t, h) != 1 {
		t.Errorf("after the time %d are held, %v; want the one that was made later", w.held(t, h), err)
	}
	records, err := w.store.Operations(ctx, later)
	if err != nil || len(records) != 1 {
		t.Errorf("the later hold has %d records, %v", len(records), err)
	}
	if err := w.expire(ctx); err != nil || w.held(t, h) != 1 {
		t.Errorf("a second look changed what is held: %d, %v", w.held(t, h), err)
	}
}

func (w *worker) held(t *testing.T, h Holder) int64 {
	t.Helper()
	d, err := w.app.ShowWallet(context.Background(), h)
	if err != nil {
		t.Fatal(err)
	}
	return d.Wallet.Pending
}

// TestSweep: a reply is kept for 30 days and an hour, and then goes.
func TestSweep(t *testing.T) {
	ctx := context.Background()
	w := newWorker(t)
	shop, err := w.app.CreateMerchant(ctx, "Shop", "")
	if err != nil {
		t.Fatal(err)
	}
	h := exampleHolder(1)
	p, err := h.check()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.app.Fund(ctx, Funding{Direction: TopUp, Holder: h, Amount: 10_000}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b", "c"} {
		w.hold(t, shop.MerchantID, key, p)
	}
	w.clock.Advance(machine.Retention + sweepMargin)
	if err := w.sweep(ctx); err != nil || w.replies(t) != 3 {
		t.Errorf("at the hour %d replies are kept, %v", w.replies(t), err)
	}
	w.clock.Advance(1)
	if err := w.sweep(ctx); err != nil || w.replies(t) != 0 {
		t.Errorf("after the hour %d replies are kept, %v", w.replies(t), err)
	}
}

func (w *worker) replies(t *testing.T) (n int) {
	t.Helper()
	err := w.store.Snapshot(context.Background(), func(ctx context.Context, b storage.Books) error {
		return b.Replies(ctx, func(machine.ReplyKey, machine.Stored) error { n++; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestKeyCache: what was found is believed for half a second at most, a miss never, and a commit of another
// process ends everything.
func TestKeyCache(t *testing.T) {
	ctx := context.Background()
	w := newWorker(t)
	shop, err := w.app.CreateMerchant(ctx, "Shop", "")
	if err != nil {
		t.Fatal(err)
	}
	drops := uint64(0)
	cache := newKeyCache(w.store, w.clock, func() uint64 { return drops })
	live := func(secret string) bool {
		k, err := cache.KeyByHash(ctx, access.HashOf(secret))
		return err == nil && k.RevokedAt == 0
	}
	key, secret := w.app.newKey(shop.MerchantID)
	if live(secret) {
		t.Error("a key that is not there was found")
	}
	if err := w.store.CreateKey(ctx, key, w.app.audit("key.create", key.ID, "")); err != nil {
		t.Fatal(err)
	}
	if !live(secret) {
		t.Error("a key does not work at once: its miss was remembered")
	}
	if err := w.app.RevokeKey(ctx, key.ID, ""); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(keyLife - 1)
	if !live(secret) {
		t.Error("the cache does not remember for its half second")
	}
	drops++
	if live(secret) {
		t.Error("another process committed and the cache still believes what it knew")
	}
	other, secret := w.app.newKey(shop.MerchantID)
	if err := w.store.CreateKey(ctx, other, w.app.audit("key.create", other.ID, "")); err != nil {
		t.Fatal(err)
	}
	if !live(secret) {
		t.Fatal("the second key does not work")
	}
	if err := w.app.RevokeKey(ctx, other.ID, ""); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(keyLife)
	if live(secret) {
		t.Error("a revoked key is believed after half a second")
	}
}

// TestKeyCacheAndASetBackClock: a clock that jumps back does not lengthen a key's life.
func TestKeyCacheAndASetBackClock(t *testing.T) {
	ctx := context.Background()
	w := newWorker(t)
	shop, err := w.app.CreateMerchant(ctx, "Shop", "")
	if err != nil {
		t.Fatal(err)
	}
	cache := newKeyCache(w.store, w.clock, nil)
	hash := access.HashOf(shop.APIKey)
	key, err := cache.KeyByHash(ctx, hash)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.app.RevokeKey(ctx, key.ID, ""); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(-3600 * 1_000_000)
	if key, err = cache.KeyByHash(ctx, hash); err != nil || key.RevokedAt == 0 {
		t.Errorf("an hour back the cache answers %+v, %v", key, err)
	}
}

func TestKeyCacheIsBounded(t *testing.T) {
	w := newWorker(t)
	cache := newKeyCache(w.store, w.clock, nil)
	for n := range keysAtMost {
		cache.entries[access.Hash{byte(n), byte(n >> 8)}] = cachedKey{}
	}
	shop, err := w.app.CreateMerchant(context.Background(), "Shop", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cache.KeyByHash(context.Background(), access.HashOf(shop.APIKey)); err != nil {
		t.Fatal(err)
	}
	if len(cache.entries) != 1 {
		t.Errorf("a full cache holds %d keys after one more", len(cache.entries))
	}
}

// TestTasksRunWhenTheClockMoves: nobody waits for the next tick of a task after an advance.
func TestTasksRunWhenTheClockMoves(t *testing.T) {
	w := newWorker(t)
	ctx, cancel := context.WithCancel(context.Background())
	tasks := &tasks{cancel: cancel}
	ran := make(chan struct{}, 1)
	w.every(ctx, tasks, "look", 1000*time.Hour, func(context.Context) error {
		ran <- struct{}{}
		return nil
	})
	for range 3 {
		select {
		case <-ran:
		case <-time.After(30 * time.Second):
			t.Fatal("the task does not run")
		}
		w.app.setClock(clock.Setting{Version: w.app.test.Setting().Version + 1})
	}
	tasks.stop()
}
