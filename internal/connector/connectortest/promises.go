package connectortest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"plexy/internal/card"
	"plexy/internal/connector"
)

func life(w *trial) {
	a, original := w.held(false)
	if len(original.AuthCode) != 6 || len(original.RRN) != 12 || len(original.Trace) > 64 {
		w.Errorf("auth code %q, RRN %q, trace %q", original.AuthCode, original.RRN, original.Trace)
	}
	w.booked(a.Operation, Books{Authorized: amount})
	for _, part := range []int64{100_000, 3_000} { // several captures are possible
		w.want(w.Connector.Capture(w.Context(), w.change(original, part)), connector.Approved)
	}
	w.booked(a.Operation, Books{Authorized: amount, Captured: 103_000})
	for _, part := range []int64{457, 20_000} {
		w.want(w.Connector.Cancel(w.Context(), w.change(original, part)), connector.Approved)
	}
	for _, part := range []int64{1, 102_999} {
		w.want(w.Connector.Refund(w.Context(), w.change(original, part)), connector.Approved)
	}
	w.booked(a.Operation, Books{Authorized: amount, Captured: 103_000, Released: 20_457, Refunded: 103_000})
}

func oneStep(w *trial) {
	a, original := w.held(true)
	w.booked(a.Operation, Books{Authorized: amount, Captured: amount})
	w.want(w.Connector.Capture(w.Context(), w.change(original, 1)), connector.Declined)
	w.want(w.Connector.Refund(w.Context(), w.change(original, amount)), connector.Approved)
	w.booked(a.Operation, Books{Authorized: amount, Captured: amount, Refunded: amount})
}

func verification(w *trial) {
	a := w.authorization()
	a.Amount, a.Verification = 0, true
	w.want(w.Connector.Authorize(w.Context(), a), connector.Approved)
	w.booked(a.Operation, Books{})
	b := a
	b.Order, b.Card = w.order(0), w.Bad
	w.want(w.Connector.Authorize(w.Context(), b), connector.Declined)
}

func decline(w *trial) {
	a := w.authorization()
	a.Card = w.Bad
	answer := w.Connector.Authorize(w.Context(), a)
	w.want(answer, connector.Declined)
	if answer.Approved != 0 {
		w.Errorf("declined, and %d approved", answer.Approved)
	}
	w.booked(a.Operation, Books{})
	original := connector.Original{Operation: a.Operation, At: a.At, Amount: amount, RRN: answer.RRN,
		Trace: answer.Trace}
	w.want(w.Connector.Capture(w.Context(), w.change(original, 1)), connector.Declined)
	w.booked(a.Operation, Books{})
}

// alike leaves out of an answer what may differ between two that say the same.
func alike(a connector.Answer) connector.Answer {
	a.Note = ""
	return a
}

func again(w *trial) {
	for _, o := range w.operations() {
		first := o.do(w.Context(), w.Connector)
		w.want(first, connector.Approved)
		for range 3 {
			if got := o.do(w.Context(), w.Connector); alike(got) != alike(first) {
				w.Errorf("%s: first %+v, then %+v", o.verb, first, got)
			}
		}
		w.agrees(o, first)
	}
	a := w.authorization()
	a.Card = w.Bad
	first := w.Connector.Authorize(w.Context(), a)
	if got := w.Connector.Authorize(w.Context(), a); alike(got) != alike(first) {
		w.Errorf("a decline is first %+v, then %+v", first, got)
	}
}

func atOnce(w *trial) {
	for _, o := range w.operations() {
		answers := make([]connector.Answer, 8)
		together(len(answers), func(i int) { answers[i] = o.do(w.Context(), w.Connector) })
		for _, answer := range answers {
			w.want(answer, connector.Approved)
			if alike(answer) != alike(answers[0]) {
				w.Errorf("%s: at once %+v and %+v", o.verb, answers[0], answer)
			}
		}
		w.agrees(o, answers[0])
	}
}

func room(w *trial) {
	ctx, c := w.Context(), w.Connector
	a, original := w.held(false)
	w.want(c.Refund(ctx, w.change(original, 1)), connector.Declined) // nothing is captured yet
	w.want(c.Capture(ctx, w.change(original, 100_000)), connector.Approved)
	w.want(c.Capture(ctx, w.change(original, 23_458)), connector.Declined)
	w.want(c.Cancel(ctx, w.change(original, 23_458)), connector.Declined)
	w.want(c.Refund(ctx, w.change(original, 100_001)), connector.Declined)
	w.want(c.Cancel(ctx, w.change(original, 23_457)), connector.Approved)
	w.want(c.Capture(ctx, w.change(original, 1)), connector.Declined)
	w.want(c.Cancel(ctx, w.change(original, 1)), connector.Declined)
	w.want(c.Refund(ctx, w.change(original, 60_000)), connector.Approved)
	w.want(c.Refund(ctx, w.change(original, 40_001)), connector.Declined)
	w.booked(a.Operation, Books{Authorized: amount, Captured: 100_000, Released: 23_457, Refunded: 60_000})

	stranger := connector.Original{Operation: w.id(), At: w.Now, Amount: amount, AuthCode: "000000",
		RRN: "000000000000"}
	for _, verb := range []connector.Verb{connector.Capture, connector.Cancel, connector.Refund} {
		w.want(send(ctx, c, verb, w.change(stranger, 1)), connector.Declined)
	}
}

func race(w *trial) {
	for _, verb := range []connector.Verb{connector.Capture, connector.Cancel, connector.Refund} {
		a, original := w.held(verb == connector.Refund)
		var requests []connector.Change
		for range 4 {
			requests = append(requests, w.change(original, 50_000)) // there is room for two
		}
		answers := make([]connector.Answer, len(requests))
		together(len(requests), func(i int) { answers[i] = send(w.Context(), w.Connector, verb, requests[i]) })
		approved := 0
		for _, answer := range answers {
			if answer.Outcome == connector.Approved {
				approved++
			} else {
				w.want(answer, connector.Declined)
			}
		}
		b := w.Books(a.Operation)
		b.Authorized = 0
		if verb == connector.Refund {
			b.Captured = 0
		}
		if approved != 2 || b.Captured+b.Released+b.Refunded != 100_000 {
			w.Errorf("%d of 4 %ss were approved, the books are %+v", approved, verb, b)
		}
	}
}

func nonsense(w *trial) {
	a, original := w.held(false)
	for name, spoil := range map[string]func(*connector.Order){
		"an amount below zero":    func(o *connector.Order) { o.Amount = -1 },
		"no such currency":        func(o *connector.Order) { o.Currency = "XXX" },
		"a currency in lowercase": func(o *connector.Order) { o.Currency = "kzt" },
		"no operation id":         func(o *connector.Order) { o.Operation = "" },
		"no amount":               func(o *connector.Order) { o.Amount = 0 },
	} {
		bad := w.authorization()
		spoil(&bad.Order)
		if got := w.Connector.Authorize(w.Context(), bad); got.Outcome != connector.NotSent {
			w.Errorf("authorize with %s: %s", name, got.Outcome)
		}
		for _, verb := range []connector.Verb{connector.Capture, connector.Cancel, connector.Refund} {
			change := w.change(original, 5)
			spoil(&change.Order)
			if got := send(w.Context(), w.Connector, verb, change); got.Outcome != connector.NotSent {
				w.Errorf("%s with %s: %s", verb, name, got.Outcome)
			}
		}
	}
	above := w.change(original, amount+1)
	if got := w.Connector.Capture(w.Context(), above); got.Outcome != connector.NotSent {
		w.Errorf("a capture above the original: %s", got.Outcome)
	}
	w.booked(a.Operation, Books{Authorized: amount})
}

func inquiries(w *trial) {
	for _, o := range w.operations() {
		w.want(o.do(w.Context(), w.Connector), connector.Approved)
		for range 2 {
			w.agrees(o, w.Connector.Inquire(w.Context(), o.ask))
		}
	}
	for _, o := range w.operations() { // nobody has heard of these
		answer := w.Connector.Inquire(w.Context(), o.ask)
		w.want(answer, w.notArrived(o.verb))
		w.agrees(o, answer)
	}
	a := w.authorization()
	a.Card = w.Bad
	w.want(w.Connector.Authorize(w.Context(), a), connector.Declined)
	answer := w.Connector.Inquire(w.Context(), connector.Inquiry{Order: a.Order, Verb: connector.Authorize})
	if answer.Outcome != connector.Declined && answer.Outcome != connector.NotSent {
		w.Errorf("a declined authorization is %s when it is asked after", answer.Outcome)
	}
	w.booked(a.Operation, Books{})
}

func restarted(w *trial) {
	operations := w.operations()
	for _, o := range operations {
		w.Next(LoseAnswer)
		w.unknown(o, o.do(w.Context(), w.Connector))
	}
	after := w.Restart()
	for _, o := range operations {
		w.agrees(o, after.Inquire(w.Context(), o.ask))
	}
}

func tooLate(w *trial) {
	for _, o := range w.operations() {
		w.Next(Vanish)
		w.unknown(o, o.do(w.Context(), w.Connector))
		found := w.notArrived(o.verb)
		w.want(w.Connector.Inquire(w.Context(), o.ask), found)
		late := o.do(w.Context(), w.Connector) // the request that was thought to be lost
		if found == connector.Approved {
			w.agrees(o, late)
		} else if late.Outcome == connector.Approved || w.happened(o) {
			w.Errorf("%s: it was said not to have been sent, and is then %s", o.verb, late.Outcome)
		}
	}
}

// notArrived is what an inquiry finds out about an operation that did not arrive.
func (w *trial) notArrived(v connector.Verb) connector.Outcome {
	if w.Repeats && v != connector.Authorize {
		return connector.Approved
	}
	return connector.NotSent
}

// unknown checks that nobody claims to know.
func (w *trial) unknown(o operation, a connector.Answer) {
	w.Helper()
	if a.Outcome != connector.Unknown {
		w.Fatalf("%s: nobody can know, and the outcome is %s %s", o.verb, a.Outcome, a.Code)
	}
	if a.Approved != 0 || a.Note == "" {
		w.Errorf("%s: unknown, with %d approved and the note %q", o.verb, a.Approved, a.Note)
	}
}

func contexts(w *trial) {
	for _, o := range w.operations() {
		ended, end := context.WithCancel(w.Context())
		end()
		answer := o.do(ended, w.Connector)
		switch answer.Outcome {
		case connector.Unknown:
		case connector.NotSent:
			w.agrees(o, answer)
		default:
			w.Errorf("%s with an ended context is %s", o.verb, answer.Outcome)
		}
		if got := w.Connector.Inquire(ended, o.ask); got.Outcome == connector.Declined ||
			got.Outcome == connector.Approved {
			w.Errorf("an inquiry with an ended context is %s", got.Outcome)
		}
	}
	for _, o := range w.operations() {
		w.Next(Stall)
		short, end := context.WithTimeout(w.Context(), 50*time.Millisecond)
		w.unknown(o, o.do(short, w.Connector))
		end()
		w.agrees(o, w.Connector.Inquire(w.Context(), o.ask))
	}
}

func troubles(w *trial) {
	for _, trouble := range []Trouble{Vanish, LoseAnswer, TurnAway, Twice} {
		for _, o := range w.operations() {
			w.Next(trouble)
			answer := o.do(w.Context(), w.Connector)
			switch trouble {
			case TurnAway:
				w.want(answer, connector.NotSent)
				w.agrees(o, answer)
				continue
			case Twice:
				w.want(answer, connector.Approved)
			default:
				w.unknown(o, answer)
			}
			w.agrees(o, w.Connector.Inquire(w.Context(), o.ask))
		}
	}
	for _, o := range w.operations() { // trouble on the inquiry itself
		w.Next(LoseAnswer)
		w.unknown(o, o.do(w.Context(), w.Connector))
		w.Next(Vanish)
		if got := w.Connector.Inquire(w.Context(), o.ask); got.Outcome != connector.Unknown {
			w.Errorf("%s: an inquiry that did not arrive is answered %s", o.verb, got.Outcome)
		}
		w.agrees(o, w.Connector.Inquire(w.Context(), o.ask))
	}
}

func secrets(w *trial) {
	var said []string
	for _, one := range []card.Card{w.Good, w.Bad} {
		a := w.authorization()
		a.Card = one
		said = append(said, fmt.Sprintf("%+v", w.Connector.Authorize(w.Context(), a)))
		for _, trouble := range []Trouble{Vanish, LoseAnswer, TurnAway} {
			a.Order = w.order(amount)
			w.Next(trouble)
			said = append(said, fmt.Sprintf("%+v", w.Connector.Authorize(w.Context(), a)))
		}
		for _, text := range said {
			if strings.Contains(text, one.Number.Reveal()) {
				w.Error("an answer holds the card's number")
			}
		}
	}
}

func payouts(w *trial) {
	p, ok := w.Connector.(connector.Payouts)
	if !ok {
		w.Skip("it has no payouts")
	}
	d := connector.Disbursement{Order: w.order(amount), Card: w.kept()}
	first := p.PayOut(w.Context(), d)
	w.want(first, connector.Approved)
	if got := p.PayOut(w.Context(), d); alike(got) != alike(first) {
		w.Errorf("first %+v, then %+v", first, got)
	}
	ask := connector.Inquiry{Order: d.Order, Verb: connector.Payout}
	after := w.Restart()
	w.want(after.Inquire(w.Context(), ask), connector.Approved)
	ask.Order = w.order(amount)
	w.want(after.Inquire(w.Context(), ask), connector.NotSent)
	d.Order = ask.Order
	if got := after.(connector.Payouts).PayOut(w.Context(), d); got.Outcome == connector.Approved {
		w.Error("a payout that was said not to have been sent is approved")
	}
}

func forged(w *trial) {
	c, ok := w.Connector.(connector.Callbacks)
	if !ok {
		w.Skip("its acquirer does not call back")
	}
	none := func(string) string { return "" }
	junk := func(string) string { return strings.Repeat("0", 64) }
	for _, header := range []func(string) string{none, junk} {
		for _, body := range []string{"", "{}", "null", "[]", "\x00", `{"operationId":"x","outcome":"approved"}`} {
			n, err := c.Callback(header, []byte(body))
			if !errors.Is(err, connector.ErrForged) && !errors.Is(err, connector.ErrMalformed) {
				w.Errorf("%q is read as %+v, %v", body, n, err)
			}
		}
	}
}
