// Package connectortest is the suite that every connector passes: what it answers is what its acquirer did.
//
// It needs an acquirer, or a simulator of one, that can be made to misbehave, and a look into its books.
// Where the contract leaves a connector free (an acquirer that cannot be asked has operations undone) the
// suite asks for agreement of answer and books, not for one answer.
package connectortest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"plexy/internal/card"
	"plexy/internal/connector"
	"plexy/internal/core/money"
)

// Trouble is what happens to the next call of the connector.
type Trouble int

// The troubles.
const (
	// Vanish: it does not arrive, and the connector cannot know that.
	Vanish Trouble = iota
	// LoseAnswer: it arrives and is done, and the connection breaks.
	LoseAnswer
	// Stall: it arrives and is done, and the answer comes long after every context has ended.
	Stall
	// TurnAway: the acquirer says, or it is plain, that nothing was taken in.
	TurnAway
	// Twice: it arrives two times.
	Twice
)

// World is one acquirer with nothing in its books, and the connector to it.
type World struct {
	Connector connector.Connector
	// Good is approved, for every amount that the suite uses; Bad is declined.
	Good, Bad card.Card
	Currency  money.Currency
	Acceptor  connector.Acceptor
	Now       int64 // about the time of the acquirer, in microseconds
	// Repeats says that the acquirer cannot be asked about changes: Inquire repeats one, which then has its
	// effect if it had none before.
	Repeats bool
	// Next makes trouble for the next call, and only for that.
	Next func(Trouble)
	// Restart returns a connector to the same acquirer that knows nothing of what went before. The acquirer has
	// been restarted too, and Connector is not used any more.
	Restart func() connector.Connector
	// Books are the acquirer's, of the authorization with this operation id.
	Books func(authorization string) Books
}

// Books are what an acquirer has of one authorization, in minor units.
type Books struct{ Authorized, Captured, Released, Refunded int64 }

// Run judges the connector of the worlds that fresh makes.
func Run(t *testing.T, fresh func(t *testing.T) World) {
	for _, c := range []struct {
		promise string
		test    func(*trial)
	}{
		{"a payment lives its life", life},
		{"one step captures at once", oneStep},
		{"a verification moves nothing", verification},
		{"a decline has a code and no effect", decline},
		{"the same operation twice is one effect and one answer", again},
		{"the same operation at once is one effect and one answer", atOnce},
		{"there is room for what is left and no more", room},
		{"two operations race for the last money", race},
		{"what cannot be asked is not sent", nonsense},
		{"an inquiry tells the truth", inquiries},
		{"an inquiry tells the truth after a restart", restarted},
		{"what is said not to have been sent never happens", tooLate},
		{"an ended context is never a decline", contexts},
		{"trouble is unknown until it is asked after", troubles},
		{"answers hold nothing of the card", secrets},
		{"payouts are paid once", payouts},
		{"a forged callback is refused", forged},
	} {
		t.Run(c.promise, func(t *testing.T) { c.test(&trial{T: t, World: fresh(t)}) })
	}
}

// amount is what the suite's payments are for: no magic amount, and divisible.
const amount = 123_457

// trial is one run of one test in a world of its own.
type trial struct {
	*testing.T
	World
	made int
}

// id makes ids of the right length that differ.
func (w *trial) id() string {
	w.made++
	return fmt.Sprintf("01936f00-0000-7000-8000-%012d", w.made)
}

func (w *trial) order(minor int64) connector.Order {
	return connector.Order{Operation: w.id(), Payment: w.id(), Merchant: "mer_suite", At: w.Now,
		Amount: minor, Currency: w.Currency, Acceptor: w.Acceptor}
}

func (w *trial) authorization() connector.Authorization {
	return connector.Authorization{Order: w.order(amount), Card: w.Good}
}

// held authorizes and insists that it is approved.
func (w *trial) held(oneStep bool) (connector.Authorization, connector.Original) {
	w.Helper()
	a := w.authorization()
	a.OneStep = oneStep
	answer := w.Connector.Authorize(w.Context(), a)
	w.want(answer, connector.Approved)
	return a, connector.Original{Operation: a.Operation, At: a.At, Amount: answer.Approved,
		AuthCode: answer.AuthCode, RRN: answer.RRN, NetworkReference: answer.NetworkReference,
		Trace: answer.Trace}
}

func (w *trial) change(of connector.Original, minor int64) connector.Change {
	return connector.Change{Order: w.order(minor), Original: of}
}

// operation is one request, of whatever verb, and what belongs to it.
type operation struct {
	verb connector.Verb
	do   func(context.Context, connector.Connector) connector.Answer
	ask  connector.Inquiry
}

// operations are one operation of every verb, each of them possible.
func (w *trial) operations() []operation {
	w.Helper()
	a := w.authorization()
	all := []operation{{connector.Authorize,
		func(ctx context.Context, c connector.Connector) connector.Answer { return c.Authorize(ctx, a) },
		connector.Inquiry{Order: a.Order, Verb: connector.Authorize, Card: w.kept()}}}
	for _, verb := range []connector.Verb{connector.Capture, connector.Cancel, connector.Refund} {
		_, original := w.held(verb == connector.Refund)
		r := w.change(original, 457)
		all = append(all, operation{verb,
			func(ctx context.Context, c connector.Connector) connector.Answer { return send(ctx, c, verb, r) },
			connector.Inquiry{Order: r.Order, Verb: verb, Original: original}})
	}
	return all
}

// kept is the card as it is kept: without CVV.
func (w *trial) kept() card.Card {
	kept := w.Good
	kept.CVV = card.CVV{}
	return kept
}

func send(ctx context.Context, c connector.Connector, v connector.Verb, r connector.Change) connector.Answer {
	switch v {
	case connector.Capture:
		return c.Capture(ctx, r)
	case connector.Cancel:
		return c.Cancel(ctx, r)
	}
	return c.Refund(ctx, r)
}

// happened reports whether the acquirer's books hold the effect of the operation.
func (w *trial) happened(o operation) bool {
	w.Helper()
	account, effect, want := o.ask.Original.Operation, int64(0), o.ask.Amount
	if o.verb == connector.Authorize {
		account = o.ask.Operation
	}
	b := w.Books(account)
	switch o.verb {
	case connector.Authorize:
		effect = b.Authorized
	case connector.Capture:
		effect = b.Captured
	case connector.Cancel:
		effect = b.Released
	case connector.Refund:
		effect = b.Refunded
	}
	if effect != 0 && effect != want {
		w.Fatalf("the acquirer's books have %d of a %s of %d", effect, o.verb, want)
	}
	return effect != 0
}

// agrees checks that a final answer is what the acquirer did.
func (w *trial) agrees(o operation, a connector.Answer) {
	w.Helper()
	if !a.Outcome.Final() {
		w.Fatalf("%s: the outcome is %s (%s), and should be known", o.verb, a.Outcome, a.Note)
	}
	if done := w.happened(o); done != (a.Outcome == connector.Approved) {
		w.Errorf("%s: the answer is %s, and in the acquirer's books it happened: %t", o.verb, a.Outcome, done)
	}
}

func (w *trial) want(a connector.Answer, outcome connector.Outcome) {
	w.Helper()
	if a.Outcome != outcome {
		w.Fatalf("the outcome is %s %s (%s), want %s", a.Outcome, a.Code, a.Note, outcome)
	}
	switch {
	case outcome == connector.Approved && !a.Code.Approves():
		w.Fatalf("approved with the code %q", a.Code)
	case outcome == connector.Declined && (a.Code.Approves() || len(a.Code) != 2):
		w.Fatalf("declined with the code %q", a.Code)
	}
}

func (w *trial) booked(authorization string, want Books) {
	w.Helper()
	if got := w.Books(authorization); got != want {
		w.Errorf("the acquirer's books are %+v, want %+v", got, want)
	}
}

// together calls fn n times at once and returns when all have.
func together(n int, fn func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { fn(i) })
	}
	all.Wait()
}
