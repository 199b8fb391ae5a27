package acquiring

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"

	"github.com/go-json-experiment/json"

	"plexy/internal/card"
	"plexy/internal/connector"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/shopper"
	"plexy/internal/storage"
)

// secured is where the 3-D Secure of a payment stands, as it is kept between the steps.
type secured struct {
	Step      connector.Step      `json:"step"`
	Initiator connector.Initiator `json:"initiator,omitempty"`
}

// maxSteps bounds the steps that need no browser.
const maxSteps = 4

// SessionData is the threeDSSessionData of a payment; PaymentOf reads it back.
func SessionData(payment string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(payment))
}

// PaymentOf returns the payment id in a threeDSSessionData, as the bank's page brought it back; false when it
// is none. Some banks pad it or write it in the other alphabet of base64.
func PaymentOf(sessionData string) (payment string, ok bool) {
	for _, encoding := range []*base64.Encoding{
		base64.RawURLEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.StdEncoding,
	} {
		if id, err := encoding.DecodeString(sessionData); err == nil && len(id) == 36 {
			return string(id), true
		}
	}
	return "", false
}

// step takes one step of 3-D Secure; a connector that answers nothing, or panics, is asked a second time.
func (a *Acquiring) step(
	ctx context.Context, take func(context.Context) connector.Step,
) (next connector.Step) {
	for range 2 {
		next = connector.Step{Kind: connector.Silence}
		a.call(ctx, "3ds", secureLimit, func(ctx context.Context) connector.Answer {
			if next = take(ctx); next.Kind == connector.Silence {
				return connector.Lost("")
			}
			return connector.Answer{Outcome: connector.Approved}
		})
		if next.Kind != connector.Silence {
			return next
		}
	}
	return next
}

// authenticate begins 3-D Secure of a payment that was just begun.
func (a *Acquiring) authenticate(ctx context.Context, w way, p payment.Payment) (Result, error) {
	via := w.via.(connector.Authenticator)
	order := a.orderFor(w.shop, p, payment.Operation{ID: p.ID, Amount: p.Amount, CreatedAt: p.CreatedAt})
	next := a.step(ctx, func(ctx context.Context) connector.Step {
		return via.Start(ctx, connector.Authentication{
			Order: order, Card: w.card, Browser: w.r.Browser, Initiator: w.initiator, Exemption: w.r.Exemption,
			Notification: w.r.Return, MethodReturn: w.r.MethodReturn, SessionData: SessionData(p.ID),
			Frame: w.r.Frame,
		})
	})
	for n := 0; next.Kind == connector.Method && w.r.MethodReturn == "" && n < maxSteps; n++ {
		session := next.Session
		next = a.step(ctx, func(ctx context.Context) connector.Step {
			return via.Continue(ctx, session, connector.Return{MethodDone: "N"})
		})
	}
	if next.Kind == connector.Method || next.Kind == connector.Challenge {
		return a.wait(ctx, w, p, next)
	}
	if next.Kind == connector.Silence { // nothing was begun: as if it could not be performed
		next.Proof = connector.Proof{Status: connector.Unavailable}
	}
	return a.finish(ctx, w, p, next.Proof)
}

// wait keeps what the next step needs, and shows that step.
func (a *Acquiring) wait(ctx context.Context, w way, p payment.Payment, next connector.Step) (Result, error) {
	a.secrets.keep(p.ID, w.card.CVV, a.o.Clock.Now())
	where, err := json.Marshal(secured{next, w.initiator})
	if err != nil {
		return Result{Payment: p}, fmt.Errorf("write a step of 3-D Secure: %w", err)
	}
	h := shopper.Held{Secure: where}
	h.ID, h.Merchant, h.Payment = a.o.NewID(), p.Merchant, p.ID
	switch {
	case w.held:
		if h, err = a.o.Keeper.HeldCard(ctx, p.ID); err == nil {
			h.Secure = where
			_, err = a.o.Keeper.SetHeldCard(ctx, h)
		}
	case w.r.Token != "":
		err = a.hold(ctx, h, card.Card{})
	default:
		err = a.hold(ctx, h, w.card)
	}
	if err != nil {
		return Result{Payment: p}, fmt.Errorf("keep a step of 3-D Secure: %w", err)
	}
	return Result{Payment: p, Step: &next}, nil
}

// Look shows a payment as it is, with the Step that its payer's browser must do while it waits in 3-D Secure.
// merchant "" is the browser itself. PaymentNotFound: the merchant has none with this id.
func (a *Acquiring) Look(ctx context.Context, merchant, payment string) (Result, error) {
	p, err := a.o.Keeper.AnyPayment(ctx, payment)
	if errors.Is(err, storage.ErrNotFound) || err == nil && merchant != "" && p.Merchant != merchant {
		return Result{Reason: reject.PaymentNotFound}, nil
	}
	if err != nil || p.AuthenticateBy == 0 || a.o.Clock.Now() >= p.AuthenticateBy {
		return Result{Payment: p}, err
	}
	_, at, err := a.waiting(ctx, p)
	if errors.Is(err, storage.ErrNotFound) { // its first step is being made
		return Result{Payment: p}, nil
	}
	return Result{Payment: p, Step: &at.Step}, err
}

// waiting returns where the 3-D Secure of a payment stands; ErrNotFound when it has not begun or is over.
func (a *Acquiring) waiting(ctx context.Context, p payment.Payment) (shopper.Held, secured, error) {
	var at secured
	h, err := a.o.Keeper.HeldCard(ctx, p.ID)
	if err != nil {
		return h, at, err
	}
	if len(h.Secure) == 0 {
		return h, at, storage.ErrNotFound
	}
	if err := json.Unmarshal(h.Secure, &at); err != nil {
		return h, at, fmt.Errorf("read a step of 3-D Secure: %w", err)
	}
	return h, at, nil
}

// Continue goes on with a payment that waits in 3-D Secure. Only the first CRes counts; another one, and
// whatever comes when the payment does not wait, changes nothing and shows the payment as it is.
func (a *Acquiring) Continue(ctx context.Context, c Continuation) (Result, error) {
	known, err := a.Look(ctx, c.Merchant, c.Payment)
	if err != nil || known.Reason != "" || known.Step == nil {
		return known, err
	}
	p, via := known.Payment, a.by[known.Payment.Connector]
	if _, can := via.(connector.Authenticator); !can {
		return known, nil
	}
	h, at, err := a.waiting(ctx, p)
	if err != nil {
		return known, unless(err)
	}
	brought := connector.Return{MethodDone: c.Return.MethodDone}
	if at.Step.Kind == connector.Challenge {
		brought = connector.Return{CRes: c.Return.CRes}
		if h, err = a.first(ctx, h, c.Return.CRes); err != nil || h.Payment == "" {
			return known, err
		}
	}
	if brought == (connector.Return{}) {
		return known, nil
	}
	w := way{via: via, initiator: at.Initiator, r: Request{Origin: c.Origin}}
	if w.shop, err = a.o.Keeper.Merchant(ctx, p.Merchant); err != nil {
		return known, err
	}
	if !a.enter() {
		return Result{}, ErrBusy
	}
	return a.carry(ctx, Result{Payment: p}, func(ctx context.Context) (Result, error) {
		return a.goOn(ctx, waits{known, h, at}, w, brought)
	})
}

// first takes a CRes if it is the first one, or the first one again; otherwise the zero Held.
func (a *Acquiring) first(ctx context.Context, h shopper.Held, cres string) (shopper.Held, error) {
	if cres == "" {
		return shopper.Held{}, nil
	}
	sum := sha256.Sum256([]byte(cres))
	digest := hex.EncodeToString(sum[:])
	if h.Answered == "" {
		next := h
		next.Answered = digest
		set, err := a.o.Keeper.SetHeldCard(ctx, next)
		if err != nil {
			return h, err
		}
		if set {
			next.Version++
			return next, nil
		}
		if h, err = a.o.Keeper.HeldCard(ctx, h.Payment); err != nil {
			return shopper.Held{}, unless(err) // it went on without us
		}
	}
	if h.Answered != digest {
		return shopper.Held{}, nil
	}
	return h, nil
}

// waits is a payment that waits for the browser: as it is shown, and as it is kept.
type waits struct {
	known Result
	held  shopper.Held
	at    secured
}

// goOn takes the step after the browser's.
func (a *Acquiring) goOn(ctx context.Context, s waits, w way, brought connector.Return) (Result, error) {
	known, h, at, p := s.known, s.held, s.at, s.known.Payment
	next := a.step(ctx, func(ctx context.Context) connector.Step {
		return w.via.(connector.Authenticator).Continue(ctx, at.Step.Session, brought)
	})
	switch next.Kind {
	case connector.Silence:
		return known, nil // the browser may bring the same again
	case connector.Method, connector.Challenge:
		var err error
		at.Step = next
		if h.Secure, err = json.Marshal(at); err != nil {
			return known, fmt.Errorf("write a step of 3-D Secure: %w", err)
		}
		if set, err := a.o.Keeper.SetHeldCard(ctx, h); err != nil || !set {
			shown, failed := a.Look(ctx, "", p.ID) // somebody was faster
			return shown, errors.Join(err, failed)
		}
		return Result{Payment: p, Step: &next}, nil
	}
	c, err := a.cardOf(ctx, p)
	if err != nil {
		if shown, failed := a.Look(ctx, "", p.ID); failed == nil && shown.Payment.AuthenticateBy == 0 {
			return shown, nil // it was given up meanwhile, and its card is erased
		}
		a.alarm("the card of an authenticated payer is not there", slog.String("payment", p.ID),
			slog.String("error", err.Error()))
		next.Proof = connector.Proof{Status: connector.Unavailable, Challenged: true}
	}
	c.CVV = a.secrets.take(p.ID)
	w.card, w.held = c, true
	return a.finish(ctx, w, p, next.Proof)
}

// judge says what the core may make of a proof. One about another amount or currency proves nothing.
func (a *Acquiring) judge(p payment.Payment, proof connector.Proof) payment.Verdict {
	switch v := proof.Verdict(); {
	case v == connector.Proceed && (proof.Amount != p.Amount || proof.Currency != p.Currency):
		a.alarm("an authentication is about another amount", slog.String("payment", p.ID))
		return payment.Broken
	case v == connector.Proceed:
		return payment.Passed
	case v == connector.Unshifted:
		return payment.Skipped
	case proof.Status == connector.Unavailable:
		return payment.Broken
	}
	return payment.Denied
}

// finish ends 3-D Secure, and asks the issuer if it may.
func (a *Acquiring) finish(
	ctx context.Context, w way, p payment.Payment, proof connector.Proof,
) (Result, error) {
	verdict := a.judge(p, proof)
	out, err := a.submit(ctx, p.ID, machine.Instruction{
		Command: machine.Authenticated{
			Attempt: machine.Attempt{Payment: p.ID, Operation: a.o.NewID(), Link: p.Link},
			Verdict: verdict, ECI: proof.ECI,
		},
		Origin: journal.Origin{RequestID: w.r.Origin.RequestID, APIKeyID: w.r.Origin.APIKeyID},
	})
	if err != nil {
		return Result{Payment: p}, err
	}
	if out.Reason != "" { // it was decided, or given up, meanwhile
		return a.Look(ctx, "", p.ID)
	}
	p = out.Pay.Payment
	if out.Pay.Operation.ID == "" {
		a.decided(ctx, p)
		return Result{Payment: p, Proof: &proof}, nil
	}
	told := &proof
	if verdict != payment.Passed {
		told = nil
	}
	r, err := a.authorize(ctx, w, p, out.Pay.Operation, told)
	r.Proof = &proof
	return r, err
}

// GiveUp rejects a payment whose payer has left 3-D Secure for good, such as to pay with another card. Once
// the payer came back, and while there is no step that the browser could take, it changes nothing. merchant
// "" is the browser itself.
func (a *Acquiring) GiveUp(
	ctx context.Context, merchant, payment string, origin journal.Origin,
) (Result, error) {
	known, err := a.Look(ctx, merchant, payment)
	if err != nil || known.Reason != "" || known.Step == nil {
		return known, err
	}
	return a.abandon(ctx, known.Payment, true, origin)
}

func (a *Acquiring) abandon(ctx context.Context, p payment.Payment, early bool, origin journal.Origin) (
	Result, error) {
	out, err := a.submit(ctx, p.ID, machine.Instruction{
		Command: machine.Abandon{Attempt: machine.Attempt{Payment: p.ID, Link: p.Link}, Early: early},
		Origin:  journal.Origin{RequestID: origin.RequestID, APIKeyID: origin.APIKeyID},
	})
	if err != nil {
		return Result{Payment: p}, err
	}
	if out.Reason != "" {
		return a.Look(ctx, "", p.ID)
	}
	a.decided(ctx, out.Pay.Payment)
	return Result{Payment: out.Pay.Payment}, nil
}
