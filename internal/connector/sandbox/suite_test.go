package sandbox_test

import (
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"plexy/internal/clock"
	"plexy/internal/connector"
	"plexy/internal/connector/connectortest"
	"plexy/internal/connector/sandbox"
	"plexy/internal/core/money"
	magic "plexy/internal/sandbox"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
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

func card(t *testing.T, digits, cvv string) connector.Card {
	t.Helper()
	number, err := connector.NewNumber(digits)
	if err != nil {
		t.Fatal(err)
	}
	c := connector.Card{Number: number, Month: 12, Year: 2029, Holder: "A Payer"}
	if cvv != "" {
		if c.CVV, err = connector.NewCVV(cvv); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// books adds up what the bank has written.
func (r *rig) books(t *testing.T, id string) (b connectortest.Books) {
	t.Helper()
	row, err := r.store.BankRow(t.Context(), id)
	if err != nil {
		return b
	}
	var kept struct {
		Steps []struct {
			Verb     connector.Verb    `json:"verb"`
			Outcome  connector.Outcome `json:"outcome"`
			Approved int64             `json:"approved"`
			OneStep  bool              `json:"oneStep"`
		} `json:"steps"`
	}
	if err := json.Unmarshal(row.Body, &kept); err != nil {
		t.Fatal(err)
	}
	for _, s := range kept.Steps {
		if s.Outcome != connector.Approved {
			continue
		}
		switch s.Verb {
		case connector.Authorize:
			b.Authorized += s.Approved
			if s.OneStep {
				b.Captured += s.Approved
			}
		case connector.Capture:
			b.Captured += s.Approved
		case connector.Cancel:
			b.Released += s.Approved
		case connector.Refund:
			b.Refunded += s.Approved
		}
	}
	return b
}

func TestItKeepsTheContract(t *testing.T) {
	connectortest.Run(t, func(t *testing.T) connectortest.World {
		r := newRig(t)
		var next magic.Dial
		var mu sync.Mutex
		r.options.Fault = func(string) magic.Dial { // one call, then none
			mu.Lock()
			defer mu.Unlock()
			d := next
			next = magic.Dial{}
			return d
		}
		return connectortest.World{
			Connector: sandbox.New(r.options),
			Good:      card(t, "4242424242424242", "123"), Bad: card(t, "5105105105105100", "123"),
			Currency: money.KZT, Now: noon,
			Acceptor: connector.Acceptor{Merchant: "SUITE", Terminal: "T1"},
			Next: func(trouble connectortest.Trouble) {
				next = magic.Dial{Operation: magic.Acquirer, Fault: map[connectortest.Trouble]magic.Fault{
					connectortest.Vanish: magic.NotSent, connectortest.LoseAnswer: magic.LostAnswer,
					connectortest.Stall: magic.Slow, connectortest.TurnAway: magic.Error503,
					connectortest.Twice: magic.Duplicated,
				}[trouble], Seconds: 3600}
			},
			Restart: func() connector.Connector {
				r.options.Books = r.store
				return sandbox.New(r.options)
			},
			Books: func(id string) connectortest.Books { return r.books(t, id) },
		}
	})
}
