package acquiring_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"plexy/internal/acquiring"
	"plexy/internal/card"
	"plexy/internal/connector"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/id"
	"plexy/internal/shopper"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
	"plexy/internal/vault"
)

// secure is a payment that goes through 3-D Secure.
func (r *rig) secure(digits string, amount int64) acquiring.Request {
	r.Helper()
	q := r.request(payment.Auth, amount)
	q.SkipThreeDS, q.Card = false, cardOf(r, digits, "123")
	return q
}

// answers gives the bank's page a code and returns the CRes that it posts.
func (r *rig) answers(s *connector.Step, code string) string {
	r.Helper()
	if s == nil || s.Kind != connector.Challenge {
		r.Fatalf("there is no challenge: %+v", s)
	}
	fields := map[string]string{}
	for _, f := range s.Form.Fields {
		fields[f.Name] = f.Value
	}
	if _, ok := acquiring.PaymentOf(fields["threeDSSessionData"]); !ok {
		r.Errorf("the form's session data is %q", fields["threeDSSessionData"])
	}
	c, err := r.bank.Open(s.Form.URL[strings.LastIndexByte(s.Form.URL, '/')+1:], fields["creq"])
	r.ok(err)
	_, end, err := r.bank.Answer(c.Token, []string{code}, false)
	r.ok(err)
	return end.CRes
}

func (r *rig) goesOn(a *acquiring.Acquiring, p payment.Payment, back connector.Return) acquiring.Result {
	r.Helper()
	done, err := a.Continue(r.Context(), acquiring.Continuation{
		Merchant: "mer_1", Payment: p.ID, Origin: r.origin(), Return: back,
	})
	r.ok(err)
	return done
}

// gone checks that nothing is kept of a payment's card.
func (r *rig) gone(p payment.Payment) {
	r.Helper()
	if h, err := r.store.HeldCard(r.Context(), p.ID); err != storage.ErrNotFound {
		r.Errorf("a card is still held: %+v, %v", h, err)
	}
}

func TestTheChallenge(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) {
		begun := r.pay(r.secure(challenge, 3_000))
		p := begun.Payment
		r.want("at first", p.Status(), payment.Status3D)
		shown, err := r.Look(t.Context(), "mer_1", p.ID)
		r.ok(err)
		if shown.Step == nil || shown.Step.Form.URL != begun.Step.Form.URL {
			t.Errorf("after a reload: %+v", shown.Step)
		}
		h, err := r.store.HeldCard(t.Context(), p.ID)
		r.ok(err)
		text, err := json.Marshal(h)
		r.ok(err)
		if strings.Contains(string(text)+string(h.Secure), challenge) || len(h.NumberSealed) == 0 {
			t.Error("the number is not sealed")
		}
		cres := r.answers(begun.Step, "555")
		other, err := r.Continue(t.Context(), acquiring.Continuation{Merchant: "mer_2", Payment: p.ID})
		r.ok(err)
		r.want("another merchant", other.Reason, reject.PaymentNotFound)
		r.want("nothing brought", r.goesOn(r.Acquiring, p, connector.Return{}).Payment.Status(), payment.Status3D)
		done := r.goesOn(r.Acquiring, p, connector.Return{CRes: cres})
		r.want("the status", done.Payment.Status(), payment.StatusAuthorized)
		r.want("the CVV was there", done.Payment.CVVStatus, "M")
		r.want("authenticated", done.Payment.Secure3D && done.Payment.ECI == "05", true)
		r.want("the same again", r.goesOn(r.Acquiring, p, connector.Return{CRes: cres}).Payment.Status(),
			payment.StatusAuthorized)
		r.gone(p)
		r.true(p.ID)

		begun = r.pay(r.secure(challenge, 3_000))
		done = r.goesOn(r.Acquiring, begun.Payment, connector.Return{CRes: r.answers(begun.Step, "111")})
		r.want("a wrong code", done.Payment.Failure, reject.AuthenticationFailed)
		r.gone(begun.Payment)
		r.want("no challenge", r.pay(r.secure(plain, 10)).Payment.Secure3D, true)
	})
}

// TestOnlyTheFirstAnswerCounts: one that was made up before ends it, and the right one comes too late.
func TestOnlyTheFirstAnswerCounts(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) {
		begun := r.pay(r.secure(challenge, 3_000))
		right := r.answers(begun.Step, "555")
		r.dials("acquirer_3ds:not_sent") // the made up one is taken, and nobody answers
		done := r.goesOn(r.Acquiring, begun.Payment, connector.Return{CRes: "bWFkZSB1cA"})
		r.dials("none")
		if done.Payment.Status() == payment.Status3D {
			done = r.goesOn(r.Acquiring, begun.Payment, connector.Return{CRes: right})
			r.want("the second one", done.Payment.Status(), payment.Status3D)
			done = r.goesOn(r.Acquiring, begun.Payment, connector.Return{CRes: "bWFkZSB1cA"})
		}
		r.want("the first one", done.Payment.Status(), payment.StatusFailed)
		r.true(begun.Payment.ID)
	})
}

// TestAnotherServerGoesOn with the sealed card, and without the CVV.
func TestAnotherServerGoesOn(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) {
		begun := r.pay(r.secure(challenge, 3_000))
		done := r.goesOn(r.beside(), begun.Payment, connector.Return{CRes: r.answers(begun.Step, "555")})
		r.want("the status", done.Payment.Status(), payment.StatusAuthorized)
		r.want("the CVV", done.Payment.CVVStatus, "")
		r.true(begun.Payment.ID)
	})
}

// TestTheMethod is shown first where somebody can show it, and left out where nobody can.
func TestTheMethod(t *testing.T) {
	const both = "5200000000001005"
	r := newRig(t, memory.New())
	q := r.secure(both, 3_000)
	begun := r.pay(q)
	q = r.secure(both, 3_000)
	q.MethodReturn = "https://shop.test/method"
	shown := r.pay(q)
	r.want("the first step", shown.Step.Kind, connector.Method)
	done := r.goesOn(r.Acquiring, shown.Payment, connector.Return{MethodDone: "Y"})
	again := r.goesOn(r.Acquiring, shown.Payment, connector.Return{MethodDone: "Y"})
	r.want("the same step", again.Step.Form.URL, done.Step.Form.URL)
	for _, one := range []acquiring.Result{begun, done} {
		end := r.goesOn(r.Acquiring, one.Payment, connector.Return{CRes: r.answers(one.Step, "555")})
		r.want("the end", end.Payment.Status(), payment.StatusAuthorized)
	}
}

// TestAbandoned 3-D Secure fails after 15 minutes of the application's clock, and is a no of the payer's who
// says so before.
func TestAbandoned(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) {
		begun := r.pay(r.secure(challenge, 3_000))
		cres := r.answers(begun.Step, "555")
		r.clock.Advance(15*minute - second)
		r.rounds(r.Acquiring)
		r.want("before", r.payment(begun.Payment.ID).Status(), payment.Status3D)
		r.clock.Advance(second)
		late := r.goesOn(r.Acquiring, begun.Payment, connector.Return{CRes: cres})
		r.want("late", late.Payment.Authorized, int64(0))
		r.rounds(r.Acquiring)
		r.want("after", r.true(begun.Payment.ID).Failure, reject.AuthenticationAbandoned)
		r.gone(begun.Payment)

		begun = r.pay(r.secure(challenge, 3_000))
		left, err := r.GiveUp(t.Context(), "", begun.Payment.ID, r.origin())
		r.ok(err)
		r.want("left", left.Payment.Status(), payment.StatusRejected)
		r.want("why", left.Payment.Failure, reject.AuthenticationCancelled)
		r.gone(begun.Payment)
	})
}

// TestGivingUpAgainstAnAnswer: the payer's answer comes from one tab while another gives up. Either it is
// paid or it is over, never both, and nothing of the card is left.
func TestGivingUpAgainstAnAnswer(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) {
		for n := range 20 {
			begun := r.pay(r.secure(challenge, 3_000))
			cres := r.answers(begun.Step, "555")
			var wait sync.WaitGroup
			answer := func() { r.goesOn(r.Acquiring, begun.Payment, connector.Return{CRes: cres}) }
			leave := func() {
				if _, err := r.GiveUp(t.Context(), "mer_1", begun.Payment.ID, r.origin()); err != nil {
					t.Error(err)
				}
			}
			if n%2 == 0 { // whoever is started last is more often the first
				answer, leave = leave, answer
			}
			wait.Go(answer)
			wait.Go(leave)
			wait.Wait()
			p := r.true(begun.Payment.ID)
			paid := p.Status() == payment.StatusAuthorized && p.Authorized == 3_000 && p.Failure == ""
			over := p.Status() == payment.StatusRejected && p.Authorized == 0 &&
				p.Failure == reject.AuthenticationCancelled
			if !paid && !over {
				t.Errorf("it is %s: %s, %d", p.Status(), p.Failure, p.Authorized)
			}
			late := r.goesOn(r.Acquiring, begun.Payment, connector.Return{CRes: cres})
			r.want("a late answer", late.Payment.Status(), p.Status())
			r.gone(begun.Payment)
		}
		r.addsUp()
	})
}

// TestGivingUpFirst: an answer that comes after it asks the issuer nothing, and rings no alarm.
func TestGivingUpFirst(t *testing.T) {
	r := newRig(t, memory.New())
	begun := r.pay(r.secure(challenge, 3_000))
	cres := r.answers(begun.Step, "555")
	left, err := r.GiveUp(t.Context(), "", begun.Payment.ID, r.origin())
	r.ok(err)
	late := r.goesOn(r.Acquiring, begun.Payment, connector.Return{CRes: cres})
	r.want("a late answer", late.Payment, left.Payment)
	asked, err := r.store.OperationsOf(t.Context(), begun.Payment.ID)
	r.ok(err)
	r.want("what the acquirer was asked", len(asked), 0)
}

// lying authenticates for another amount.
type lying struct {
	connector.Connector
	proof connector.Proof
}

func (l lying) Start(context.Context, connector.Authentication) connector.Step {
	return connector.Step{Proof: l.proof}
}

func (l lying) Continue(context.Context, string, connector.Return) connector.Step {
	return connector.Step{Proof: l.proof}
}

// TestProofs: what does not prove this payment's amount, or proves nothing, authorizes nothing.
func TestProofs(t *testing.T) {
	r := newRig(t, memory.New())
	for _, c := range []struct {
		proof  connector.Proof
		status payment.Status
	}{
		{connector.Proof{Status: connector.Authenticated, Amount: 500, Currency: "KZT"}, payment.StatusAuthorized},
		{connector.Proof{Status: connector.Authenticated, Amount: 499, Currency: "KZT"}, payment.StatusFailed},
		{connector.Proof{Status: connector.Authenticated, Amount: 500, Currency: "USD"}, payment.StatusFailed},
		{connector.Proof{Status: connector.Attempted, Amount: 500, Currency: "KZT"}, payment.StatusAuthorized},
		{connector.Proof{Status: connector.NotProven, Reason: "13"}, payment.StatusAuthorized},
		{connector.Proof{Status: connector.Unavailable}, payment.StatusAuthorized},
		{connector.Proof{Status: connector.Unavailable, Challenged: true}, payment.StatusFailed},
		{connector.Proof{Status: connector.NotProven}, payment.StatusRejected},
		{connector.Proof{Status: connector.Rejected}, payment.StatusRejected},
	} {
		a := r.beside(lying{r.bank, c.proof})
		done, err := a.Pay(t.Context(), r.secure(plain, 500))
		r.ok(err)
		if done.Payment.Status() != c.status {
			t.Errorf("%+v: %s, want %s", c.proof, done.Payment.Status(), c.status)
		}
		r.want("authenticated", done.Payment.Secure3D,
			c.status == payment.StatusAuthorized && c.proof.Verdict() == connector.Proceed)
	}
}

// TestStoredCards: stored with the approval, charged by token, and by the merchant as was agreed.
func TestStoredCards(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		q := r.secure(challenge, 1_000)
		q.Facts.Shopper = r.ids.UUID()
		q.Facts.Recurring = payment.Recurring{Type: payment.Initial, Frequency: 28, ExpiresAt: noon + 60*day}
		begun := r.pay(q)
		token := begun.Payment.CardToken
		if _, err := r.store.Card(ctx, "mer_1", token); err != storage.ErrNotFound {
			t.Errorf("it is stored before it is approved: %v", err)
		}
		r.rotate() // the keys change in between
		first := r.goesOn(r.Acquiring, begun.Payment, connector.Return{CRes: r.answers(begun.Step, "555")}).Payment
		row, err := r.store.Card(ctx, "mer_1", token)
		r.ok(err)
		r.want("sealed under", row.KeyID, r.vaults.Current().KeyID())
		r.want("the reference of the mandate", row.NetworkReference, first.NetworkReference)
		r.gone(first)

		q.Key = r.key()
		again := r.pay(q)
		r.want("the same card again", again.Payment.CardToken, token)

		byToken := r.request(payment.Auth, 50)
		byToken.Card, byToken.Token = card.Card{}, token
		p := r.pay(byToken).Payment
		r.want("by token", []any{p.Card.Last4, p.CVVStatus}[0], any("1111"))

		charge := func() acquiring.Result {
			next := r.request(payment.Auth, 900)
			next.SkipThreeDS, next.Card = false, card.Card{}
			next.Facts.Parent, next.Facts.Recurring.Type = first.ID, payment.Unscheduled
			next.Token = token
			done, err := r.Pay(ctx, next)
			r.ok(err)
			return done
		}
		r.want("the first charge", charge().Payment.Status(), payment.StatusAuthorized)
		r.want("too early", charge().Reason, reject.MandateNotDue)
		r.clock.Advance(28 * day)
		r.want("the second charge", charge().Payment.Status(), payment.StatusAuthorized)
		r.clock.Advance(40 * day)
		r.want("too late", charge().Reason, reject.MandateExpired)
		r.addsUp()
	})
}

// rotate puts a new data key before the old one, as the first half of a rotation does.
func (r *rig) rotate() {
	r.Helper()
	in, err := r.store.Installation(r.Context())
	r.ok(err)
	var keys []vault.WrappedKey
	for _, k := range in.Keys {
		keys = append(keys, vault.WrappedKey{ID: k.ID, Wrapped: k.Wrapped, State: k.State})
	}
	next, err := vault.Rotate(r.vaults.master, keys)
	r.ok(err)
	in.Keys = nil
	for _, k := range next {
		in.Keys = append(in.Keys, storage.VaultKey{ID: k.ID, Wrapped: k.Wrapped, State: k.State, CreatedAt: noon})
	}
	r.ok(r.store.RotateVault(r.Context(), in.Generation, in.Keys, machine.Audit{
		ID: r.ids.New(id.Audit), At: noon, Actor: "test", Action: "test",
	}))
}

// TestADeclinedCardIsNotStored, and one whose payment never began is erased.
func TestADeclinedCardIsNotStored(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) {
		q := r.request(payment.Auth, 20_510)
		q.Store = true
		p := r.pay(q).Payment
		r.gone(p)
		if _, err := r.store.Card(t.Context(), "mer_1", p.CardToken); err != storage.ErrNotFound {
			t.Errorf("a declined card is stored: %v", err)
		}
		r.dials("acquirer_authorize:lost_answer")
		q = r.request(payment.Auth, 600)
		q.Store = true
		p = r.pay(q).Payment
		r.clock.Advance(2 * hour)
		r.ok(r.SweepCards(t.Context()))
		if _, err := r.store.HeldCard(t.Context(), p.ID); err != nil {
			t.Errorf("the card of a payment that may yet be approved: %v", err)
		}
		r.quiet()
		if _, err := r.store.Card(t.Context(), "mer_1", p.CardToken); err != nil {
			t.Errorf("the card of a payment that was approved late: %v", err)
		}
		orphan := shopper.Held{Card: shopper.Card{ID: r.ids.UUID(), Merchant: "mer_1", Payment: r.ids.UUID()}}
		r.ok(r.store.HoldCard(t.Context(), orphan, 1))
		r.rounds(r.Acquiring)
		r.gone(payment.Payment{Facts: payment.Facts{ID: orphan.Payment}})
		r.true(p.ID)
	})
}
