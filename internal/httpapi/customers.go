package httpapi

import (
	"errors"
	"net/http"

	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/reject"
	"plexy/internal/id"
	"plexy/internal/shopper"
	"plexy/internal/storage"
	"plexy/internal/vault"
	"plexy/internal/view"
)

const (
	customersPath = "/v1/customers"
	// maxTokens is how many card tokens of a customer are shown.
	maxTokens = 100
)

func customerRoutes() []Route {
	get := http.MethodGet
	const one = customersPath + "/{customer_id}"
	return []Route{
		{Method: http.MethodPost, Template: customersPath, Idempotency: Honoured, Body: true,
			serve: (*API).createCustomer},
		{Method: get, Template: customersPath, Query: true, serve: (*API).listCustomers},
		{Method: get, Template: one, serve: onCustomer((*API).getCustomer)},
		{Method: get, Template: one + "/card-tokens", serve: onCustomer((*API).listCardTokens)},
		{Method: http.MethodDelete, Template: one + "/card-tokens/{token_id}",
			serve: onCustomer((*API).deleteCardToken)},
		{Method: get, Template: one + "/transactions", Query: true, serve: onCustomer((*API).customerTransactions)},
	}
}

var (
	noCustomer = problem{reason: reject.CustomerNotFound, source: "customer_id"}
	noToken    = problem{reason: reject.CardTokenNotFound, source: "token_id"}
)

// onCustomer finds the merchant's customer that the path names.
func onCustomer(serve func(*API, *call, shopper.Shopper)) func(*API, *call) {
	return func(a *API, c *call) {
		if !id.IsUUID(c.id) {
			refuse(c.Exchange, noCustomer)
			return
		}
		s, err := a.options.Shoppers.Shopper(c.ctx, c.Merchant, c.id)
		if !c.failed(err, noCustomer) {
			serve(a, c, s)
		}
	}
}

// wantedCustomer is a body of POST /v1/customers as it was understood.
type wantedCustomer struct {
	email    shopper.Email
	phone    shopper.Phone
	name     shopper.Name
	metadata string
}

func (w *wantedCustomer) take(m members) problem {
	text, _ := stringOf(m["email"])
	var err error
	if w.email, err = shopper.ParseEmail(text); err != nil {
		return problem{reason: reject.EmailInvalid, source: "email"}
	}
	name := "phone"
	if m.any("phoneNumber") && !m.any("phone") { // as the wallet calls it
		name = "phoneNumber"
	}
	text, _ = stringOf(m[name])
	if w.phone, err = shopper.ParsePhone(text); err != nil {
		return problem{reason: reject.ContactPhoneInvalid, source: name}
	}
	if raw := m["name"]; !absent(raw) {
		text, _ = stringOf(raw)
		if w.name, err = shopper.ParseName(text); err != nil {
			return problem{reason: reject.NameInvalid, source: "name"}
		}
	}
	raw := m["metadata"]
	all, ok := objectOf(raw)
	kept := raw.Clone()
	if !ok || len(raw) > shopper.MaxMetadata || len(all) > 0 && kept.Compact() != nil {
		return problem{reason: reject.MetadataInvalid, source: "metadata",
			message: "metadata must be a JSON object of at most 4096 bytes."}
	}
	if len(all) > 0 {
		w.metadata = string(kept)
	}
	return problem{}
}

// createCustomer answers POST /v1/customers.
func (a *API) createCustomer(c *call) {
	m, p := c.body.object()
	var w wantedCustomer
	if p.reason == "" {
		p = w.take(m)
	}
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	uuid, ok := a.named(c, &w)
	if !ok {
		return
	}
	made, err := a.makeCustomer(c, uuid, &w)
	if errors.Is(err, storage.ErrConflict) {
		// The one of this very request, when an earlier try of it got that far, or a stranger.
		if made, err = a.options.Shoppers.Shopper(c.ctx, c.Merchant, uuid); errors.Is(err, storage.ErrNotFound) {
			refuse(c.Exchange, problem{reason: reject.CustomerExists, source: "email"})
			return
		}
	}
	if !c.failed(err, noCustomer) {
		c.done(http.StatusCreated, view.Shopper(nil, &made, w.person()))
	}
}

func (w *wantedCustomer) person() view.Person {
	return view.Person{Email: w.email.Reveal(), Phone: w.phone.Reveal(), Name: w.name.Reveal()}
}

// named gives the customer that is to be made its id: under an idempotency key always the same. What is kept
// there is that id alone; the answer, which tells who the customer is, is written anew each time. It is false
// when it has answered why not.
func (a *API) named(c *call, w *wantedCustomer) (uuid string, ok bool) {
	uuid = a.options.NewUUID()
	if c.key == "" {
		return uuid, true
	}
	f := a.meanings.begin(c.route.Template, "")
	for _, part := range []string{w.email.Reveal(), w.phone.Reveal(), w.name.Reveal(), inOrder(w.metadata)} {
		f.text(part)
	}
	return a.remember(c, a.meanings.end(f), uuid)
}

// remember keeps a UUID under the request's key and returns it, or the one that an earlier request of the
// same meaning kept there. It is false when it has answered why not.
func (a *API) remember(c *call, fingerprint [32]byte, uuid string) (kept string, ok bool) {
	in := c.instruction(fingerprint)
	requestID := c.ID
	in.Command, in.Render = machine.Remember{}, func(o machine.Outcome) machine.Reply {
		if o.Reason != "" {
			return refusal(o, requestID)
		}
		return machine.Reply{Status: machine.StatusElsewhere, Body: []byte(uuid)}
	}
	o, err := a.options.Commit.Submit(c.ctx, journal.BookOf(uuid), in)
	if err != nil || o.Reason != "" || !id.IsUUID(string(o.Reply.Body)) {
		c.finish(o, err)
		return "", false
	}
	if o.Replayed {
		c.replayed(&o)
	}
	return string(o.Reply.Body), true
}

// makeCustomer seals and writes a customer.
func (a *API) makeCustomer(c *call, uuid string, w *wantedCustomer) (shopper.Shopper, error) {
	s := shopper.Shopper{
		ID: uuid, Merchant: c.Merchant, Metadata: w.metadata, CreatedAt: a.options.Clock.Now(),
	}
	return s, a.freshly(c, func(v *vault.Vault) (err error) {
		s.KeyID = v.KeyID()
		emails := v.Indexes(vault.PurposeShopperEmail, w.email.Reveal())
		phones := v.Indexes(vault.PurposeShopperPhone, w.phone.Reveal())
		pairs := make([]shopper.Pair, len(emails))
		for i := range emails {
			pairs[i] = shopper.Pair{Email: string(emails[i]), Phone: string(phones[i])}
		}
		s.EmailIndex, s.PhoneIndex = pairs[0].Email, pairs[0].Phone
		for _, field := range []struct {
			to            *[]byte
			purpose, text string
		}{
			{&s.EmailSealed, vault.PurposeShopperEmail, w.email.Reveal()},
			{&s.PhoneSealed, vault.PurposeShopperPhone, w.phone.Reveal()},
			{&s.NameSealed, vault.PurposeShopperName, w.name.Reveal()},
		} {
			if *field.to = nil; field.text == "" {
				continue
			}
			if *field.to, err = v.Seal(field.purpose, uuid, []byte(field.text)); err != nil {
				return err
			}
		}
		return a.options.Shoppers.CreateShopper(c.ctx, s, pairs, v.Generation())
	})
}

// freshly does something with the current vault, and again with a newer one when its keys were rotated
// meanwhile.
func (a *API) freshly(c *call, do func(*vault.Vault) error) (err error) {
	for range staleTries {
		err = do(a.options.Vaults.Current())
		if !errors.Is(err, storage.ErrStale) && !errors.Is(err, vault.ErrKey) {
			return err
		}
		if err := a.options.Vaults.Refresh(c.ctx); err != nil {
			return err
		}
	}
	return err
}

// personOf opens who a customer is. The record is read again when it was sealed anew under our hands.
func (a *API) personOf(c *call, s *shopper.Shopper) (p view.Person, err error) {
	err = a.freshly(c, func(v *vault.Vault) error {
		for _, field := range []struct {
			to      *string
			purpose string
			sealed  []byte
		}{
			{&p.Email, vault.PurposeShopperEmail, s.EmailSealed},
			{&p.Phone, vault.PurposeShopperPhone, s.PhoneSealed},
			{&p.Name, vault.PurposeShopperName, s.NameSealed},
		} {
			if len(field.sealed) == 0 {
				continue
			}
			text, err := v.Unseal(s.KeyID, field.purpose, s.ID, field.sealed)
			if errors.Is(err, vault.ErrKey) {
				now, lost := a.options.Shoppers.Shopper(c.ctx, s.Merchant, s.ID)
				if lost != nil {
					return lost
				}
				*s = now
			}
			if err != nil {
				return err
			}
			*field.to = string(text)
		}
		return nil
	})
	return p, err
}

// getCustomer answers GET /v1/customers/{customer_id}.
func (a *API) getCustomer(c *call, s shopper.Shopper) {
	p, err := a.personOf(c, &s)
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	c.read(view.Shopper(nil, &s, p))
}

// listCustomers answers GET /v1/customers, newest first.
func (a *API) listCustomers(c *call) {
	p, no := pageOf(c.query(), 0)
	if no.reason != "" {
		refuse(c.Exchange, no)
		return
	}
	found, total, err := a.options.Shoppers.Shoppers(c.ctx, c.Merchant, p.offset(), p.size)
	people := make([]view.Person, len(found))
	for i := 0; i < len(found) && err == nil; i++ {
		people[i], err = a.personOf(c, &found[i])
	}
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	i := -1
	c.read(appendPage(p, int64(total), found, func(b []byte, s *shopper.Shopper) []byte {
		i++
		return view.Shopper(b, s, people[i])
	}))
}

// listCardTokens answers GET …/card-tokens, newest first.
func (a *API) listCardTokens(c *call, s shopper.Shopper) {
	cards, err := a.options.Shoppers.Cards(c.ctx, c.Merchant, s.ID, maxTokens)
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	b := []byte(`{"data":[`)
	for i := range cards {
		if i > 0 {
			b = append(b, ',')
		}
		b = view.CardToken(b, &cards[i])
	}
	c.read(append(b, `]}`...))
}

// deleteCardToken answers DELETE …/card-tokens/{token_id}: the card cannot be charged again, and what was
// sealed of it is erased.
func (a *API) deleteCardToken(c *call, s shopper.Shopper) {
	if !id.IsUUID(c.subID) {
		refuse(c.Exchange, noToken)
		return
	}
	card, err := a.options.Shoppers.Card(c.ctx, c.Merchant, c.subID)
	if err == nil && (card.Shopper != s.ID || card.DeletedAt != 0) {
		err = storage.ErrNotFound
	}
	if err == nil {
		err = a.options.Shoppers.DeleteCard(c.ctx, c.Merchant, card.ID, a.options.Clock.Now())
	}
	if !c.failed(err, noToken) {
		c.done(http.StatusOK, append(append([]byte(`{"id":"`), card.ID...), `","deleted":true}`...))
	}
}

// customerTransactions answers GET …/transactions, newest first.
func (a *API) customerTransactions(c *call, s shopper.Shopper) {
	p, no := pageOf(c.query(), storage.MaxTotal)
	if no.reason != "" {
		refuse(c.Exchange, no)
		return
	}
	found, total, err := a.options.Payments.Payments(c.ctx, storage.PaymentQuery{
		Merchant: c.Merchant, Shopper: s.ID, Offset: p.offset(), Limit: p.size,
	})
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	c.read(appendPage(p, total, found, view.ListedPayment))
}
