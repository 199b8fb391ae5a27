package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"plexy/internal/config"
	"plexy/internal/core/reject"
	"plexy/internal/notify"
	"plexy/internal/server"
	"plexy/internal/storage"
)

// telephone is a carrier that plays the errors it was given, and keeps what it carried.
type telephone struct {
	mu      sync.Mutex
	errors  []error
	carried []notify.Message
	tries   int
}

func (c *telephone) Carry(_ context.Context, m notify.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tries++
	if len(c.errors) > 0 {
		err := c.errors[0]
		c.errors = c.errors[1:]
		if err != nil {
			return err
		}
	}
	c.carried = append(c.carried, m)
	return nil
}

func newTelling(t *testing.T, carrier *telephone) *asked {
	t.Helper()
	a := newAsked(t)
	a.app.Config.PublicURL, a.app.machine = "https://pay.example", a.clock
	a.messages = notify.NewPost(carrier, slog.New(slog.DiscardHandler))
	t.Cleanup(a.messages.Close)
	return a
}

// pass looks once for who is to be told, and tells.
func (a *asked) pass(t *testing.T) {
	t.Helper()
	if err := a.tell(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// An owner is told once of each transaction that waits, in the language chosen last, and of nothing else.
func TestOwnersAreTold(t *testing.T) {
	ctx, carrier := context.Background(), new(telephone)
	a := newTelling(t, carrier)
	a.pass(t)
	tx := a.authorize(t, 15_000_00, nil)
	if tx.Failure != reject.InsufficientFunds {
		t.Fatalf("%+v", tx)
	}
	tx = a.authorize(t, 50_00, nil)
	for range 3 {
		a.pass(t)
	}
	if len(carrier.carried) != 1 {
		t.Fatalf("told %d times", len(carrier.carried))
	}
	m := carrier.carried[0]
	if m.Kind != notify.ApprovalRequest || m.To.Phone != a.payer.phone || m.Language != "kk" ||
		m.ID != "ntf_"+strings.TrimPrefix(tx.ID, "wt_") {
		t.Errorf("%+v", m)
	}
	for _, want := range []string{"Shop", "50,00\u00a0₸", "https://pay.example/wallet", "(o "} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("the message lacks %q: %s", want, m.Text)
		}
	}
	if err := a.store.SetLanguage(ctx, a.customer, "en"); err != nil {
		t.Fatal(err)
	}
	a.authorize(t, 1, nil)
	a.pass(t)
	if len(carrier.carried) != 2 || !strings.Contains(carrier.carried[1].Text, "asks for 0.01") {
		t.Errorf("in English: %+v", carrier.carried)
	}
}

// More than one look has room for are all told.
func TestManyOwnersAreTold(t *testing.T) {
	carrier := new(telephone)
	a := newTelling(t, carrier)
	for range 2*tellBatch + 5 {
		a.authorize(t, 1, nil)
	}
	a.pass(t)
	if len(carrier.carried) != 2*tellBatch+5 {
		t.Errorf("told of %d", len(carrier.carried))
	}
}

// A carrier's trouble is tried again after a pause that grows, six times in all; a refusal is final.
func TestTellingIsTriedAgain(t *testing.T) {
	trouble := errors.New("no line")
	for name, c := range map[string]struct {
		errors       []error
		tries, heard int
	}{
		"the third time": {[]error{trouble, trouble}, 3, 1},
		"never":          {[]error{trouble, trouble, trouble, trouble, trouble, trouble, trouble, trouble}, 6, 0},
		"refused":        {[]error{notify.ErrRefused}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			carrier := &telephone{errors: c.errors}
			a := newTelling(t, carrier)
			a.authorize(t, 1, nil)
			a.pass(t)
			a.pass(t)
			if carrier.tries != 1 {
				t.Fatalf("%d tries without a pause", carrier.tries)
			}
			for range 60 { // ten minutes
				a.clock.Advance(10 * 1_000_000)
				a.pass(t)
			}
			if carrier.tries != c.tries || len(carrier.carried) != c.heard {
				t.Errorf("%d tries, heard %d times; want %d and %d", carrier.tries, len(carrier.carried),
					c.tries, c.heard)
			}
		})
	}
}

// A process that died between its claim and its try, or before it noted that the owner was told, loses
// nothing: another one tells, after the pause.
func TestTellingOutlivesItsProcess(t *testing.T) {
	ctx, carrier := context.Background(), new(telephone)
	a := newTelling(t, carrier)
	tx := a.authorize(t, 1, nil)
	claimed, err := a.store.ClaimTelling(ctx, storage.Telling{Transaction: tx}, a.clock.Now()+tellPause)
	if err != nil || !claimed {
		t.Fatal(claimed, err)
	}
	a.pass(t)
	if carrier.tries != 0 {
		t.Error("somebody else's claim was not kept")
	}
	a.clock.Advance(tellPause)
	a.pass(t)
	if len(carrier.carried) != 1 {
		t.Errorf("told %d times", len(carrier.carried))
	}
}

// Nobody is told of what cannot be answered any more.
func TestNobodyIsToldTooLate(t *testing.T) {
	carrier := new(telephone)
	a := newTelling(t, carrier)
	tx := a.authorize(t, 1, nil)
	a.clock.Set(tx.ExpiresAt - tooLate)
	a.pass(t)
	a.pass(t)
	if carrier.tries != 0 {
		t.Errorf("%d tries", carrier.tries)
	}
}

// Production has no outbox, and without a carrier no pages for owners; a sandbox has both. Payers always have
// theirs.
func TestWhatThereIsInProduction(t *testing.T) {
	for environment, want := range map[string]bool{config.Sandbox: true, config.Production: false} {
		w := newWorker(t)
		cfg, err := config.Load(config.Input{Environ: []string{"PLEXY_ENVIRONMENT=" + environment}})
		if err != nil {
			t.Fatal(err)
		}
		w.app.Config = cfg
		if w.messages, err = w.post(); err != nil {
			t.Fatal(err)
		}
		mounts, err := w.mounts()
		has := func(path string) bool {
			return slices.ContainsFunc(mounts, func(m server.Mount) bool { return m.Path == path })
		}
		if err != nil || !has("/checkout") || !has("/web") || has("/wallet") != want ||
			(w.outbox() != nil) != want {
			t.Errorf("%s: %d mounts, outbox %v, %v", environment, len(mounts), w.outbox(), err)
		}
		if w.messages != nil {
			w.messages.Close()
		}
	}
}
