package sandbox_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"plexy/internal/card"
	"plexy/internal/clock"
	"plexy/internal/connector"
	"plexy/internal/connector/connectortest"
	"plexy/internal/connector/sandbox"
	"plexy/internal/core/money"
	magic "plexy/internal/sandbox"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
	"plexy/internal/storage/sqlite"
)

// noon is a moment in 2026, in microseconds.
var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC).UnixMicro()

// rig is an acquirer with its books, its clock and its dial.
type rig struct {
	*sandbox.Acquirer
	options sandbox.Options
	store   storage.Bank
	clock   *clock.Manual
	dial    magic.Dial
}

func newRig(t *testing.T) *rig {
	t.Helper()
	store := memory.New()
	r := &rig{store: store, clock: clock.NewManual(noon)}
	r.options = sandbox.Options{
		Books: store, Clock: r.clock, Key: []byte("a key of thirty-two bytes, or so"),
		Address: "http://bank.test/acs",
		Fault:   func(string) magic.Dial { return r.dial },
	}
	r.Acquirer = sandbox.New(r.options)
	return r
}

func aCard(t *testing.T, digits, cvv string) card.Card {
	t.Helper()
	number, err := card.ParseNumber(digits)
	if err != nil {
		t.Fatal(err)
	}
	c := card.Card{Number: number, Expiry: card.Expiry{Month: 12, Year: 2029}, Holder: "A Payer"}
	if cvv != "" {
		if c.CVV, err = card.ParseCVV(cvv); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// TestItKeepsTheContract in memory, and with the bank's books in a database that is closed and opened again.
func TestItKeepsTheContract(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		connectortest.Run(t, func(t *testing.T) connectortest.World {
			store := memory.New()
			return worldOf(t, func() storage.Bank { return store })
		})
	})
	t.Run("sqlite", func(t *testing.T) {
		connectortest.Run(t, func(t *testing.T) connectortest.World {
			path := filepath.Join(t.TempDir(), "plexy.db")
			if _, err := sqlite.Migrate(t.Context(), path, false); err != nil {
				t.Fatal(err)
			}
			var store *sqlite.Store
			t.Cleanup(func() { _ = store.Close() })
			return worldOf(t, func() storage.Bank {
				if store != nil {
					if err := store.Close(); err != nil {
						t.Fatal(err)
					}
				}
				var err error
				if store, err = sqlite.Open(t.Context(), sqlite.Config{Path: path}); err != nil {
					t.Fatal(err)
				}
				return store
			})
		})
	})
}

// worldOf is a world whose bank keeps its books in what open returns, also after a restart.
func worldOf(t *testing.T, open func() storage.Bank) connectortest.World {
	t.Helper()
	r := newRig(t)
	var mu sync.Mutex
	var next magic.Dial
	r.options.Fault = func(string) magic.Dial { // one call, then none
		mu.Lock()
		defer mu.Unlock()
		d := next
		next = magic.Dial{}
		return d
	}
	var bank *sandbox.Acquirer
	restart := func() connector.Connector {
		r.options.Books = open()
		bank = sandbox.New(r.options)
		return bank
	}
	return connectortest.World{
		Connector: restart(), Restart: restart,
		Good: aCard(t, "4242424242424242", "123"), Bad: aCard(t, "5105105105105100", "123"),
		Currency: money.KZT, Now: noon, Acceptor: connector.Acceptor{Merchant: "SUITE", Terminal: "T1"},
		Next: func(trouble connectortest.Trouble) {
			next = magic.Dial{Operation: magic.Acquirer, Fault: map[connectortest.Trouble]magic.Fault{
				connectortest.Vanish: magic.NotSent, connectortest.LoseAnswer: magic.LostAnswer,
				connectortest.Stall: magic.Slow, connectortest.TurnAway: magic.Error503,
				connectortest.Twice: magic.Duplicated,
			}[trouble], Seconds: 3600}
		},
		Books: func(id string) connectortest.Books {
			b, err := bank.Booked(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return connectortest.Books(b)
		},
	}
}
