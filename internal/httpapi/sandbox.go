package httpapi

import (
	"context"
	"errors"
	"strconv"

	"plexy/internal/clock"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/customer"
	"plexy/internal/sandbox"
)

// Sandbox is what only a sandbox can do.
type Sandbox interface {
	// Clock shows the test clock.
	Clock(ctx context.Context) (TestClock, error)
	// SetClock changes the test clock and shows it; why says who asked, for the audit row. It returns
	// clock.ErrAdvance and clock.ErrNoChange as they are.
	SetClock(ctx context.Context, c clock.Change, why string) (TestClock, error)
	// Fault returns what a merchant has dialled, at most half a second old. It is asked on every request.
	Fault(merchant string) sandbox.Dial
	// Payer returns the IIN of the test person with a magic phone number, whose wallet in the currency is open
	// and has money; false when the number belongs to somebody else here and is not magic therefore.
	Payer(ctx context.Context, p sandbox.Payer, currency money.Currency) (customer.IIN, bool, error)
	// MagicWallet reports whether a wallet is a test person's.
	MagicWallet(ctx context.Context, wallet string) (bool, error)
}

// TestClock is the test clock as the API shows it.
type TestClock struct {
	Now    string // RFC 3339
	Frozen bool
	Offset string // from the machine's clock, such as 168h0m0s
}

// showClock answers GET /v1/sandbox/clock.
func (a *API) showClock(c *call) {
	c.tellClock(a.options.Sandbox.Clock(c.ctx))
}

// setClock answers POST /v1/sandbox/clock.
func (a *API) setClock(c *call) {
	change, p := c.body.clockChange()
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	c.tellClock(a.options.Sandbox.SetClock(c.ctx, change, "request "+c.ID+" with "+c.Key))
}

// tellClock answers with the clock as it is now, or with why there is none.
func (c *call) tellClock(t TestClock, err error) {
	switch {
	case errors.Is(err, clock.ErrAdvance):
		refuse(c.Exchange, problem{reason: reject.ClockInvalid, source: "advance"})
		return
	case errors.Is(err, clock.ErrNoChange):
		refuse(c.Exchange, problem{reason: reject.ClockInvalid, source: "body"})
		return
	case err != nil:
		c.trouble(err, reject.QueueFull)
		return
	}
	b := append(make([]byte, 0, 96), `{"now":"`...)
	b = append(b, t.Now...)
	b = strconv.AppendBool(append(b, `","frozen":`...), t.Frozen)
	b = append(b, `,"offset":"`...)
	b = append(b, t.Offset...)
	c.read(append(b, `"}`...))
}

// clockChange reads {"freeze":true|false,"advance":"168h"}, one of them or both.
func (b *body) clockChange() (change clock.Change, p problem) {
	sent, p := b.members()
	if p.reason != "" {
		return change, p
	}
	switch raw, given := sent["freeze"]; {
	case !given:
	case string(raw) == "true" || string(raw) == "false":
		freeze := string(raw) == "true"
		change.Freeze = &freeze
	default:
		return change, problem{reason: reject.ClockInvalid, source: "freeze"}
	}
	raw, given := sent["advance"]
	if !given {
		return change, problem{}
	}
	text, ok := stringOf(raw)
	step, err := clock.Duration(text)
	if !ok || err != nil || step <= 0 {
		return change, problem{reason: reject.ClockInvalid, source: "advance"}
	}
	change.Advance = step
	return change, problem{}
}
