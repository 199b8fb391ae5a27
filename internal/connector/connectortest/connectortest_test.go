package connectortest_test

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plexy/internal/card"
	"plexy/internal/clock"
	"plexy/internal/connector"
	"plexy/internal/connector/connectortest"
	"plexy/internal/connector/sandbox"
	"plexy/internal/core/money"
	magic "plexy/internal/sandbox"
	"plexy/internal/storage/memory"
)

// liar names the liar that a process of this test is to be; "" for none.
const liar = "PLEXY_TEST_LIAR"

// honest is the pretend acquirer; the liars below change one thing of it.
type honest struct{ connector.Connector }

// forgetful asks for every call as if it were a new operation.
type forgetful struct {
	honest
	made atomic.Int64
}

func (f *forgetful) Capture(ctx context.Context, c connector.Change) connector.Answer {
	id := []byte(c.Operation)
	id[0] = byte('a' + f.made.Add(1)%20)
	c.Operation = string(id)
	return f.honest.Capture(ctx, c)
}

// hasty takes silence for a no.
type hasty struct{ honest }

func (h hasty) Refund(ctx context.Context, c connector.Change) connector.Answer {
	a := h.honest.Refund(ctx, c)
	if a.Outcome == connector.Unknown {
		return connector.Refused("91")
	}
	return a
}

// hopeful takes silence for a yes.
type hopeful struct{ honest }

func (h hopeful) Authorize(ctx context.Context, r connector.Authorization) connector.Answer {
	a := h.honest.Authorize(ctx, r)
	if a.Outcome == connector.Unknown {
		return connector.Answer{Outcome: connector.Approved, Code: connector.CodeApproved, Approved: r.Amount}
	}
	return a
}

// deaf says of everything that nobody has heard of it.
type deaf struct{ honest }

func (deaf) Inquire(context.Context, connector.Inquiry) connector.Answer {
	return connector.Unsent("deaf")
}

// careless promises that nothing will come of what was not heard of, and has made sure of nothing.
type careless struct{ honest }

func (c careless) Inquire(ctx context.Context, q connector.Inquiry) connector.Answer {
	known := q
	known.Operation = "ffffffff" + q.Operation[8:]
	if q.Verb == connector.Capture {
		return c.honest.Inquire(ctx, known)
	}
	return c.honest.Inquire(ctx, q)
}

// blabbing puts the card into its notes.
type blabbing struct{ honest }

func (b blabbing) Authorize(ctx context.Context, r connector.Authorization) connector.Answer {
	a := b.honest.Authorize(ctx, r)
	a.Note += r.Card.Number.Reveal()
	return a
}

var liars = map[string]func(honest) connector.Connector{
	"forgetful": func(h honest) connector.Connector { return &forgetful{honest: h} },
	"hasty":     func(h honest) connector.Connector { return hasty{h} },
	"hopeful":   func(h honest) connector.Connector { return hopeful{h} },
	"deaf":      func(h honest) connector.Connector { return deaf{h} },
	"careless":  func(h honest) connector.Connector { return careless{h} },
	"blabbing":  func(h honest) connector.Connector { return blabbing{h} },
	"nobody":    func(h honest) connector.Connector { return h },
}

// TestTheSuiteFindsLiars runs the suite in processes of their own, and is content when it fails there.
func TestTheSuiteFindsLiars(t *testing.T) {
	if name := os.Getenv(liar); name != "" {
		connectortest.Run(t, func(t *testing.T) connectortest.World { return worldOf(t, liars[name]) })
		return
	}
	for name := range liars {
		t.Run(name, func(t *testing.T) {
			suite := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTheSuiteFindsLiars$")
			suite.Env = append(os.Environ(), liar+"="+name)
			out, err := suite.CombinedOutput()
			if (err == nil) != (name == "nobody") {
				t.Errorf("the suite says %v:\n%s", err, out)
			}
		})
	}
}

func worldOf(t *testing.T, as func(honest) connector.Connector) connectortest.World {
	t.Helper()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC).UnixMicro()
	var mu sync.Mutex
	next := magic.Dial{}
	acquirer := sandbox.New(sandbox.Options{
		Books: memory.New(), Clock: clock.NewManual(now), Key: []byte("a key of thirty-two bytes, or so"),
		Fault: func(string) magic.Dial {
			mu.Lock()
			defer mu.Unlock()
			d := next
			next = magic.Dial{}
			return d
		},
	})
	c := as(honest{acquirer})
	return connectortest.World{
		Connector: c, Good: aCard(t, "4242424242424242"), Bad: aCard(t, "5105105105105100"), Currency: money.KZT,
		Now: now, Restart: func() connector.Connector { return c },
		Next: func(trouble connectortest.Trouble) {
			next = magic.Dial{Operation: magic.Acquirer, Seconds: 3600, Fault: []magic.Fault{
				magic.NotSent, magic.LostAnswer, magic.Slow, magic.Error503, magic.Duplicated,
			}[trouble]}
		},
		Books: func(id string) connectortest.Books {
			b, err := acquirer.Booked(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return connectortest.Books(b)
		},
	}
}

func aCard(t *testing.T, digits string) card.Card {
	t.Helper()
	number, err := card.ParseNumber(digits)
	if err != nil {
		t.Fatal(err)
	}
	return card.Card{Number: number, Expiry: card.Expiry{Month: 12, Year: 2029}}
}
