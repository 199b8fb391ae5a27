package acquiring

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"plexy/internal/card"
	"plexy/internal/connector"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/merchant"
	"plexy/internal/shopper"
	"plexy/internal/storage"
	"plexy/internal/vault"
)

// way is a payment on its way: what is not in the books and needed to go on.
type way struct {
	r         Request
	shop      merchant.Merchant
	via       connector.Connector
	card      card.Card
	row       shopper.Card // of a typed card that is to be stored; its ID is "" when it is not
	held      bool         // the card is among the held ones
	initiator connector.Initiator
	mandate   string
}

// Pay makes a payment and takes it as far as it goes without the payer's browser. When ctx ends first, the
// payment is shown as it is and goes on by itself.
//
// Errors are those of commit.Committer.Submit, and ErrBusy: nothing was decided, or the outcome is not known,
// and the same request with the same key may be made again. All else is a Result.
func (a *Acquiring) Pay(ctx context.Context, r Request) (Result, error) {
	r.Origin.IdempotencyKey = r.Key
	if r.MOTO {
		r.Exemption = "" // there is nobody to exempt
	}
	w, no, err := a.prepare(ctx, r)
	if err != nil {
		return Result{}, err
	}
	if no != "" {
		return a.refused(ctx, r, no)
	}
	if !a.enter() {
		return Result{}, ErrBusy
	}
	begun := false
	defer func() {
		if !begun {
			<-a.places
		}
	}()
	f := w.r.Facts
	if w.row.ID != "" {
		if err := a.hold(ctx, shopper.Held{Card: w.row, Keep: true}, w.card); err != nil {
			return Result{}, fmt.Errorf("hold a card: %w", err)
		}
		w.held = true
	}
	command := machine.BeginPayment{Facts: f, Operation: a.o.NewID(), Authenticate: a.authenticates(w)}
	out, err := a.submit(ctx, f.ID, machine.Instruction{
		Command: command, Scope: f.Merchant, Key: r.Key, Fingerprint: r.Fingerprint, Origin: r.Origin,
		Render: render,
	})
	if err != nil {
		return Result{}, err // a held card lapses
	}
	known, old, err := a.outcome(ctx, f.Merchant, out)
	if old || err != nil || known.Reason != "" {
		a.unhold(ctx, w)
		return known, err
	}
	begun = true
	return a.carry(ctx, known, func(ctx context.Context) (Result, error) {
		if command.Authenticate {
			return a.authenticate(ctx, w, known.Payment)
		}
		return a.authorize(ctx, w, known.Payment, known.Operation, nil)
	})
}

// unhold erases a held card of a payment that was not begun; what fails lapses.
func (a *Acquiring) unhold(ctx context.Context, w way) {
	if w.held {
		if err := a.o.Keeper.DropHeldCard(ctx, w.r.Facts.ID); err != nil {
			a.o.Log.Warn("a held card lapses by itself", "error", err.Error())
		}
	}
}

// kept is the reply under an idempotency key: a replay is answered from how things are then.
type kept struct {
	Payment   string        `json:"payment,omitempty"`
	Operation string        `json:"operation,omitempty"`
	Refund    string        `json:"refund,omitempty"`
	Reason    reject.Reason `json:"reason,omitempty"`
}

func render(o machine.Outcome) machine.Reply {
	k := kept{Reason: o.Reason}
	if o.Reason == "" && o.Pay != nil {
		k.Payment, k.Operation = o.Pay.Payment.ID, o.Pay.Operation.ID
		if o.Pay.Operation.Verb == payment.Refund {
			k.Refund = o.Pay.Other.ID
		}
	}
	body, err := json.Marshal(k)
	if err != nil {
		panic("acquiring: ids and names cannot fail to encode")
	}
	status := 200 // which verify-ledger tells done from refused by
	if o.Reason != "" {
		status = 422
	}
	return machine.Reply{Status: status, Body: body}
}

// outcome is what an instruction came to; old says that it was done before, and the Result is of now.
func (a *Acquiring) outcome(ctx context.Context, merchant string, out machine.Outcome) (
	r Result, old bool, err error) {
	if !out.Replayed {
		r = Result{Reason: out.Reason, First: out.First}
		if out.Pay != nil {
			r.Payment, r.Operation = out.Pay.Payment, out.Pay.Operation
			if r.Operation.Verb == payment.Refund {
				r.Refund = out.Pay.Other
			}
		}
		return r, false, nil
	}
	var k kept
	if err := json.Unmarshal(out.Reply.Body, &k); err != nil {
		return r, true, fmt.Errorf("read a kept reply: %w", err)
	}
	if k.Reason != "" {
		return Result{Reason: k.Reason, Replayed: true, First: out.First}, true, nil
	}
	if r, err = a.Look(ctx, merchant, k.Payment); err != nil {
		return r, true, err
	}
	if k.Operation != "" {
		asked, err := a.o.Keeper.Asked(ctx, k.Operation)
		if err != nil && !errors.Is(err, storage.ErrNotFound) { // 3-D Secure may have come to nothing
			return r, true, err
		}
		r.Operation = asked.Operation
	}
	if k.Refund != "" {
		if r.Refund, err = a.o.Keeper.Payment(ctx, merchant, k.Refund); err != nil {
			return r, true, err
		}
	}
	r.Replayed, r.First = true, out.First
	return r, true, nil
}

// refused answers a request that cannot be begun. Its key may have been used when it could: then the answer
// is what it was. The question is asked with an instruction that finds nothing to do.
func (a *Acquiring) refused(ctx context.Context, r Request, no reject.Reason) (Result, error) {
	if r.Key == "" {
		return Result{Reason: no}, nil
	}
	nothing := a.o.NewID()
	out, err := a.submit(ctx, nothing, machine.Instruction{
		Command: machine.ClearPayment{Payment: nothing}, Scope: r.Facts.Merchant, Key: r.Key,
		Fingerprint: r.Fingerprint,
	})
	if err != nil {
		return Result{}, err
	}
	if !out.Replayed && out.Reason != reject.IdempotencyKeyReused {
		return Result{Reason: no}, nil
	}
	known, _, err := a.outcome(ctx, r.Facts.Merchant, out)
	return known, err
}

// authenticates reports whether the payer goes through 3-D Secure.
func (a *Acquiring) authenticates(w way) bool {
	_, can := w.via.(connector.Authenticator)
	return can && !w.r.MOTO && !w.r.SkipThreeDS && w.r.Exemption == "" && w.initiator != connector.Merchant
}

// prepare finds out how a payment is made: acquirer, card and times. It refuses what lacks one of them.
func (a *Acquiring) prepare(ctx context.Context, r Request) (w way, no reject.Reason, err error) {
	f := &r.Facts
	w.via = a.by[a.o.Default]
	if w.via == nil {
		return w, reject.AcquirerMissing, nil
	}
	f.Connector = w.via.Name()
	if f.ID == "" {
		f.ID = a.o.NewID()
	}
	if f.Kind == "" {
		f.Kind = payment.Auth
	}
	if w.shop, err = a.o.Keeper.Merchant(ctx, f.Merchant); err != nil {
		return w, missing(err, reject.MerchantNotFound), unless(err)
	}
	if err := a.clearing(ctx, w.shop.Settings, f); err != nil {
		return w, "", err
	}
	if f.Recurring.Type == payment.Unscheduled {
		first, err := a.o.Keeper.Payment(ctx, f.Merchant, f.Parent)
		if err != nil {
			return w, missing(err, reject.PaymentNotFound), unless(err)
		}
		w.initiator, w.mandate = connector.Merchant, first.NetworkReference
		if r.Token == "" {
			r.Token = first.CardToken
		}
	}
	if r.Token != "" {
		no, err = a.withToken(ctx, &r, &w)
	} else {
		no, err = a.withCard(ctx, &r, &w)
	}
	w.r = r
	return w, no, err
}

// clearing sets when the payment is captured by itself.
func (a *Acquiring) clearing(ctx context.Context, set merchant.Settings, f *payment.Facts) error {
	auto := f.AutoClearing
	if f.Link != "" {
		l, err := a.o.Keeper.AnyLink(ctx, f.Link)
		if err != nil && !errors.Is(err, storage.ErrNotFound) { // the core says that there is none
			return err
		}
		auto = l.AutoClearing
	}
	switch {
	case f.Kind == payment.Sale:
		f.ClearMicros = 0
	case auto:
		f.ClearMicros = set.ClearingAutoMicros
	default:
		f.ClearMicros = set.ClearingManualMicros
	}
	return nil
}

// missing is the refusal of what was not found; "" when err is another.
func missing(err error, no reject.Reason) reject.Reason {
	if errors.Is(err, storage.ErrNotFound) {
		return no
	}
	return ""
}

// unless is err, unless it says that something was not found.
func unless(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
}

// withToken takes a stored card.
func (a *Acquiring) withToken(ctx context.Context, r *Request, w *way) (reject.Reason, error) {
	c, row, err := a.stored(ctx, r.Facts.Merchant, r.Token)
	if err != nil {
		return missing(err, reject.CardTokenNotFound), unless(err)
	}
	c.CVV = r.Card.CVV
	w.card, r.Store = c, false
	if w.initiator == "" {
		w.initiator = connector.Payer
	}
	r.Facts.CardToken = row.ID
	r.Facts.Card = payment.Card{Brand: row.Brand, Last4: row.Last4, Expiry: c.Expiry.String()}
	return "", nil
}

// withCard takes a typed card. One that the shopper has stored already, with the same expiry, is not stored a
// second time.
func (a *Acquiring) withCard(ctx context.Context, r *Request, w *way) (reject.Reason, error) {
	if r.Card.Number.IsZero() {
		return reject.CardTokenNotFound, nil // the door has checked what was typed
	}
	f := &r.Facts
	w.card = r.Card
	f.Card = payment.Card{
		Brand: string(r.Card.Number.Brand()), Last4: r.Card.Number.Last4(), Expiry: r.Card.Expiry.String(),
	}
	f.CardToken = ""
	if f.Recurring.Type == payment.Initial {
		r.Store = true // or nothing could follow
	}
	if !r.Store {
		return "", nil
	}
	w.initiator = connector.First
	if f.Shopper != "" {
		switch known, err := a.known(ctx, *f, r.Card); {
		case err == nil:
			f.CardToken = known.ID
			return "", nil
		case !errors.Is(err, storage.ErrNotFound):
			return "", err
		}
	}
	f.CardToken = a.o.NewID()
	w.row = shopper.Card{ID: f.CardToken, Merchant: f.Merchant, Shopper: f.Shopper, Payment: f.ID}
	return "", nil
}

// known finds the shopper's own stored card with this number and expiry.
func (a *Acquiring) known(ctx context.Context, f payment.Facts, c card.Card) (row shopper.Card, err error) {
	err = a.sealing(ctx, func(v *vault.Vault) error {
		var prints []string
		for _, print := range v.CardPrints(f.Merchant, c.Number) {
			prints = append(prints, string(print))
		}
		row, err = a.o.Keeper.CardByPrint(ctx, f.Merchant, f.Shopper, prints)
		return err
	})
	if err == nil && (row.ExpiryYear != c.Expiry.Year || row.ExpiryMonth != c.Expiry.Month) {
		err = storage.ErrNotFound
	}
	return row, err
}

// authorize asks the issuer and writes down what it said; a sale is captured at once.
func (a *Acquiring) authorize(ctx context.Context, w way, p payment.Payment, o payment.Operation,
	proof *connector.Proof) (Result, error) {
	said := a.ask(ctx, w, p, o, proof)
	done, err := a.settle(ctx, p, o, said)
	if w.held {
		a.decided(ctx, done.Payment)
	}
	r := Result{Payment: done.Payment, Operation: done.Operation}
	if p = done.Payment; err != nil || p.ClearAt == 0 || p.ClearMicros > 0 {
		return r, nil
	}
	if cleared, err := a.clear(ctx, p, w.r.Origin.RequestID); err == nil && cleared.Payment.ID != "" {
		r.Payment = cleared.Payment
	}
	return r, nil
}

// ask makes the call of an authorization.
func (a *Acquiring) ask(ctx context.Context, w way, p payment.Payment, o payment.Operation,
	proof *connector.Proof) connector.Answer {
	order := a.orderFor(w.shop, p, o)
	return a.call(ctx, "authorize", CallLimit, func(ctx context.Context) connector.Answer {
		return w.via.Authorize(ctx, connector.Authorization{
			Order: order, Card: w.card, Verification: p.Kind == payment.Verification, MOTO: w.r.MOTO,
			Exemption: w.r.Exemption, Initiator: w.initiator, Mandate: w.mandate, Proof: proof, PayerIP: p.PayerIP,
		})
	})
}

// clear captures what is held of a payment whose time has come.
func (a *Acquiring) clear(ctx context.Context, p payment.Payment, request string) (machine.Pay, error) {
	out, err := a.submit(ctx, p.ID, machine.Instruction{
		Command: machine.ClearPayment{Payment: p.ID, Operation: a.o.NewID()},
		Origin:  journal.Origin{RequestID: request},
	})
	if err != nil || out.Reason != "" {
		return machine.Pay{}, err // somebody came first, or it can wait for the next look
	}
	p, o := out.Pay.Payment, out.Pay.Operation
	return a.settle(ctx, p, o, a.change(ctx, p, o))
}
