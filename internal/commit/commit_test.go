package commit_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"plexy/internal/access"
	"plexy/internal/clock"
	"plexy/internal/commit"
	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
	"plexy/internal/merchant"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
)

const shop = "mer_shop"

// spoilt is a storage whose commits can be made to wait or to fail.
type spoilt struct {
	storage.Storage
	commit func(next func() error) error
}

func (s *spoilt) Commit(ctx context.Context, lane int, fn func(context.Context, storage.Batch) error) error {
	next := func() error { return s.Storage.Commit(ctx, lane, fn) }
	if s.commit == nil {
		return next()
	}
	return s.commit(next)
}

type house struct {
	t       *testing.T
	storage *spoilt
	commit  *commit.Committer
	ids     *id.Maker
	alarms  atomic.Int64
}

// newHouse opens a store with one merchant and one wallet that holds funds.
func newHouse(t *testing.T, funds int64) *house {
	h := &house{t: t, storage: &spoilt{Storage: memory.New()}, ids: id.NewMaker()}
	ctx := t.Context()
	must(t, h.storage.Install(ctx, storage.Installation{Environment: "sandbox", Generation: 1}))
	must(t, h.storage.CreateMerchant(ctx,
		merchant.Merchant{ID: shop, Name: "Shop", Settings: merchant.Defaults()},
		access.Key{ID: "key_1", Merchant: shop}, machine.Audit{ID: "aud_1"}))
	o, err := commit.RunOne(ctx, h.storage, clock.System{}, machine.Instruction{Command: machine.Fund{
		Direction: machine.TopUp, Who: alice, Currency: "KZT", Amount: funds,
		Opening: machine.Opening{WalletStem: h.ids.Stem(), Book: 5, Customer: wallet.Customer{
			ID: "cus_alice", KeyID: "1", IINIndex: "iin-alice", PhoneIndex: "phone-alice",
			IINSealed: []byte("-"), PhoneSealed: []byte("-"),
		}},
		By: machine.By{ID: "aud_2"},
	}})
	must(t, err)
	if o.Reason != "" {
		t.Fatalf("top-up refused: %s", o.Reason)
	}
	h.commit = commit.New(commit.Config{
		Storage: h.storage, Clock: clock.System{}, Alarm: func(string, error) { h.alarms.Add(1) },
	})
	t.Cleanup(h.commit.Close)
	return h
}

var alice = machine.Who{IIN: []string{"iin-alice"}, Phone: []string{"phone-alice"}, Generation: 1}

func (h *house) authorize(key string, amount int64) machine.Instruction {
	return machine.Instruction{
		Scope: shop, Key: key, Fingerprint: [32]byte{byte(amount)},
		Command: machine.Authorize{
			Stem: h.ids.Stem(), Book: 5, Merchant: shop, Currency: "KZT", OrderReference: "ORDER-1",
			Amount: amount, Who: alice,
		},
		Render: func(o machine.Outcome) machine.Reply {
			return machine.Reply{Status: 201, Body: []byte(o.Transaction.ID + " " + string(o.Transaction.Status))}
		},
	}
}

func (h *house) pending() int64 {
	_, wallets, err := h.storage.Customer(h.t.Context(), alice.IIN)
	must(h.t, err)
	return -wallets[0].Account.Totals.Pending()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTwoHundredCallersWithOneKeyHaveOneEffect(t *testing.T) {
	h := newHouse(t, 1000)
	var replayed atomic.Int64
	bodies := sync.Map{}
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			o, err := h.commit.Submit(context.Background(), 5, h.authorize("one", 7))
			if err != nil {
				t.Error(err)
			}
			if o.Replayed {
				replayed.Add(1)
			}
			bodies.Store(string(o.Reply.Body), true)
		})
	}
	wg.Wait()
	if n := replayed.Load(); n != 199 {
		t.Errorf("%d replays, want 199", n)
	}
	n := 0
	bodies.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d different answers to one key, want 1", n)
	}
	if got := h.pending(); got != 7 {
		t.Errorf("%d is held, want 7", got)
	}
}

func TestManyHoldsNeverSpendMoreThanThereIs(t *testing.T) {
	h := newHouse(t, 5000)
	var done atomic.Int64
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			o, err := h.commit.Submit(context.Background(), 5, h.authorize(fmt.Sprint("k", i), 1000))
			if err == nil && o.Transaction.Status == wallet.Success {
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if n := done.Load(); n != 5 {
		t.Errorf("%d holds of 1000 on 5000 succeeded, want 5", n)
	}
}

func TestABrokenInstructionFailsAlone(t *testing.T) {
	h := newHouse(t, 1000)
	gate, entered := make(chan struct{}), make(chan struct{}, 100)
	h.storage.commit = func(next func() error) error { entered <- struct{}{}; <-gate; return next() }
	results := make(chan error, 9)
	submit := func(in machine.Instruction) {
		_, err := h.commit.Submit(context.Background(), 5, in)
		results <- err
	}
	go submit(h.authorize("first", 1)) // holds the loop at the gate while the others queue up
	<-entered
	for i := range 8 {
		in := h.authorize(fmt.Sprint("k", i), 1)
		if i == 4 {
			in.Render = func(machine.Outcome) machine.Reply { panic("broken") }
		}
		go submit(in)
	}
	waitFor(t, func() bool { return h.commit.Depth() == 8 })
	close(gate)
	broken := 0
	for range 9 {
		switch err := <-results; {
		case errors.Is(err, commit.ErrInternal):
			broken++
		case err != nil:
			t.Error(err)
		}
	}
	if broken != 1 || h.pending() != 8 {
		t.Errorf("%d broken and %d held, want 1 and 8", broken, h.pending())
	}
	if h.alarms.Load() == 0 {
		t.Error("nobody was alarmed")
	}
}

func TestTroubleIsSaidPlainly(t *testing.T) {
	for _, c := range []struct {
		trouble, want error
		runs          int
	}{
		{storage.ErrTransient, commit.ErrBusy, 3},
		{storage.ErrUnavailable, commit.ErrBusy, 1},
		{storage.ErrUncertain, commit.ErrUnknown, 1},
		{storage.ErrConflict, commit.ErrBusy, 20},
	} {
		h := newHouse(t, 1000)
		runs := 0
		h.storage.commit = func(func() error) error { runs++; return fmt.Errorf("commit: %w", c.trouble) }
		_, err := h.commit.Submit(t.Context(), 5, h.authorize("k", 1))
		if !errors.Is(err, c.want) || runs != c.runs {
			t.Errorf("%v: got %v after %d runs, want %v after %d", c.trouble, err, runs, c.want, c.runs)
		}
	}
}

func TestTransientTroubleIsRunAgain(t *testing.T) {
	h := newHouse(t, 1000)
	failures := 2
	h.storage.commit = func(next func() error) error {
		if failures--; failures >= 0 {
			return storage.ErrTransient
		}
		return next()
	}
	o, err := h.commit.Submit(t.Context(), 5, h.authorize("k", 3))
	if err != nil || o.Transaction.Status != wallet.Success || h.pending() != 3 {
		t.Errorf("got %v, %v with %d held", o.Transaction.Status, err, h.pending())
	}
}

func TestDeadlineSaysWhatIsKnown(t *testing.T) {
	h := newHouse(t, 1000)
	gate := make(chan struct{})
	h.storage.commit = func(next func() error) error { <-gate; return next() }
	ctx, cancel := context.WithCancel(context.Background())
	first := make(chan error, 1)
	go func() {
		_, err := h.commit.Submit(ctx, 5, h.authorize("same", 1))
		first <- err
	}()
	waitFor(t, func() bool { return h.commit.Busy(machine.ReplyKey{Scope: shop, Key: "same"}) })
	gone, hangUp := context.WithCancel(context.Background())
	hangUp()
	if _, err := h.commit.Submit(gone, 5, h.authorize("same", 1)); !errors.Is(err, commit.ErrInProgress) {
		t.Errorf("second caller got %v, want ErrInProgress", err)
	}
	cancel()
	if err := <-first; !errors.Is(err, commit.ErrUnknown) {
		t.Errorf("first caller got %v, want ErrUnknown", err)
	}
	close(gate)
	// Both hung up, and yet it is done, once.
	o, err := h.commit.Submit(t.Context(), 5, h.authorize("same", 1))
	if err != nil || !o.Replayed || h.pending() != 1 {
		t.Errorf("got replayed=%v, %v with %d held, want a replay with 1", o.Replayed, err, h.pending())
	}
}

func TestFullQueueIsBusy(t *testing.T) {
	h := newHouse(t, 1_000_000)
	gate := make(chan struct{})
	h.storage.commit = func(next func() error) error { <-gate; return next() }
	gone, hangUp := context.WithCancel(context.Background())
	hangUp()
	busy := 0
	for range commit.QueueLimit + commit.BatchLimit + 2 {
		if _, err := h.commit.Submit(gone, 5, h.authorize("", 1)); errors.Is(err, commit.ErrBusy) {
			busy++
		}
	}
	if busy == 0 {
		t.Error("nobody was told that the queue is full")
	}
	close(gate)
	h.commit.Close()
	if got := h.pending(); got != int64(commit.QueueLimit+commit.BatchLimit+2-busy) {
		t.Errorf("%d were held, but all but %d were accepted", got, busy)
	}
}

func TestCloseFinishesWhatWasAccepted(t *testing.T) {
	h := newHouse(t, 1000)
	var accepted atomic.Int64
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			_, err := h.commit.Submit(context.Background(), 5, h.authorize(fmt.Sprint("k", i), 1))
			switch {
			case err == nil:
				accepted.Add(1)
			case !errors.Is(err, commit.ErrClosed):
				t.Error(err)
			}
		})
	}
	h.commit.Close()
	wg.Wait()
	if h.pending() != accepted.Load() {
		t.Errorf("%d held, %d answered", h.pending(), accepted.Load())
	}
}

func TestStaleIndexesAreSentBack(t *testing.T) {
	h := newHouse(t, 1000)
	in := h.authorize("k", 1)
	c := in.Command.(machine.Authorize)
	c.Who.Generation = 7
	in.Command = c
	if _, err := h.commit.Submit(t.Context(), 5, in); !errors.Is(err, commit.ErrStale) {
		t.Errorf("got %v, want ErrStale", err)
	}
	o, err := h.commit.Submit(t.Context(), 5, h.authorize("k", 1))
	if err != nil || o.Replayed || !strings.HasSuffix(string(o.Reply.Body), "SUCCESS") {
		t.Errorf("the key was burnt: %+v, %v", o.Reply, err)
	}
}

// waitFor yields until the condition holds; the test's own deadline bounds it.
func waitFor(t *testing.T, condition func() bool) {
	for !condition() {
		if t.Context().Err() != nil {
			t.Fatal("waited in vain")
		}
		runtime.Gosched()
	}
}
