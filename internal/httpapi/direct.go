package httpapi

import (
	"context"
	"crypto/sha256"
	"errors"

	"plexy/internal/acquiring"
	"plexy/internal/card"
	"plexy/internal/connector"
	"plexy/internal/core/journal"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/id"
	"plexy/internal/shopper"
	"plexy/internal/storage"
	"plexy/internal/vault"
)

// Acquiring carries out card payments; *acquiring.Acquiring is one.
type Acquiring interface {
	// Pay makes a payment.
	Pay(ctx context.Context, r acquiring.Request) (acquiring.Result, error)
	// Continue goes on with 3-D Secure.
	Continue(ctx context.Context, c acquiring.Continuation) (acquiring.Result, error)
	// Capture takes of what is held.
	Capture(ctx context.Context, m acquiring.Modification) (acquiring.Result, error)
	// Cancel gives up of what is held.
	Cancel(ctx context.Context, m acquiring.Modification) (acquiring.Result, error)
	// Refund gives back of what was captured.
	Refund(ctx context.Context, m acquiring.Modification) (acquiring.Result, error)
}

// direct answers POST /v1/payments/direct.
func (a *API) direct(c *call) {
	var b payBody
	if p := c.into(&b); p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	a.pay(c, &b)
}

// merchantInitiated answers POST /v1/payments/recurring/merchant/initiated: the same, for one of a series.
func (a *API) merchantInitiated(c *call) {
	var b payBody
	p := c.into(&b)
	if p.reason == "" && b.Recurring.kind() != payment.Unscheduled {
		p = wrong("recurring.recurringType", "ucof")
	}
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	a.pay(c, &b)
}

// pay makes the payment of a body that was read.
func (a *API) pay(c *call, b *payBody) {
	r, p := a.paymentOf(c, b)
	if p.reason == "" {
		p = a.refersTo(c, &r)
	}
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	if p = a.cardOf(c, b, &r); p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	r.Key, r.Origin, r.Fingerprint = c.key, c.origin(), a.meaningOf(c, &r)
	result, err := a.options.Acquiring.Pay(c.ctx, r)
	named := "cardData.tokenId"
	if r.Facts.Parent != "" { // whose card it is
		named = parentSource
	}
	c.paid(result, err, named, r.Card.Holder)
}

// origin says which request asks.
func (c *call) origin() journal.Origin {
	return journal.Origin{RequestID: c.ID, APIKeyID: c.Key, IdempotencyKey: c.key}
}

// kinds are what transactionType may say.
var kinds = map[string]payment.Kind{
	"auth": payment.Auth, "sale": payment.Sale, "verification": payment.Verification,
}

// paymentOf reads everything of a body but the card.
func (a *API) paymentOf(c *call, b *payBody) (r acquiring.Request, p problem) {
	r.Facts = payment.Facts{
		Merchant: c.Merchant, Shopper: b.Customer, Terminal: string(b.Terminal),
		OrderReference: b.Order.Reference, Description: b.Order.Description, PayerIP: b.Browser.IP,
	}
	f := &r.Facts
	if f.Recurring, f.Parent, p = a.seriesOf(b); p.reason != "" {
		return r, p
	}
	merchants := f.Recurring.Type == payment.Unscheduled // without the payer
	if b.TransactionType == "" && merchants {
		b.TransactionType = "sale"
	}
	var ok bool
	if f.Kind, ok = kinds[b.TransactionType]; !ok || merchants && f.Kind == payment.Verification {
		return r, wrong("transactionType", "auth, sale or verification; the last only with the payer there")
	}
	f.AutoClearing = f.Kind == payment.Sale
	if f.Currency, ok = money.Lookup(b.Order.Currency); !ok {
		return r, problem{reason: reject.CurrencyInvalid, source: "orderDetails.currency"}
	}
	if isSent(b.Order.Amount) || f.Kind != payment.Verification {
		if f.Amount, p = majorAmount(b.Order.Amount, "orderDetails.amount", f.Currency); p.reason != "" {
			return r, p
		}
	}
	if (f.Amount == 0) != (f.Kind == payment.Verification) {
		return r, problem{reason: reject.AmountInvalid, source: "orderDetails.amount",
			message: "amount must be more than 0, and 0 of a verification."}
	}
	if p = b.texts(); p.reason != "" {
		return r, p
	}
	return r, a.securely(b, &r)
}

// securely reads what 3-D Secure needs, and why it may be left out.
func (a *API) securely(b *payBody, r *acquiring.Request) problem {
	if b.Method != "" && b.Method != "card" {
		return wrong("paymentMethod", "card")
	}
	if b.Exemption != "" && b.Exemption != string(connector.LowValue) {
		return wrong("scaExemption", "low_value")
	}
	r.Store = b.SaveCard || r.Facts.Recurring.Type == payment.Initial
	r.MOTO, r.SkipThreeDS = b.MOTO, b.SkipThreeDS || r.Facts.Recurring.Type == payment.Unscheduled
	if !b.MOTO { // which wins over the exemption
		r.Exemption = connector.Exemption(b.Exemption)
	}
	if b.Return != "" || !r.SkipThreeDS && !r.MOTO && r.Exemption == "" {
		if !a.pageURL(b.Return, maxReturn) {
			return wrong("threeDSNotificationUrl", "an https address of at most 256 characters")
		}
	}
	r.Return = b.Return
	w := b.Browser
	r.Browser = connector.Browser{
		Accept: string(w.Accept), Language: string(w.Language), ColorDepth: string(w.ColorDepth),
		ScreenHeight: string(w.ScreenHeight), ScreenWidth: string(w.ScreenWidth), TimeZone: string(w.TimeZone),
		UserAgent: string(w.UserAgent), JavaEnabled: w.JavaEnabled == "true", IP: w.IP,
	}
	return problem{}
}

// kind is which payment of a series it is to be.
func (b *recurringBody) kind() payment.RecurringType {
	if b.Type == "" {
		return payment.RecurringType(b.LinkType)
	}
	return payment.RecurringType(b.Type)
}

// seriesOf reads the recurring block; none is no series.
func (a *API) seriesOf(b *payBody) (r payment.Recurring, parent string, p problem) {
	in := &b.Recurring
	switch r.Type = in.kind(); r.Type {
	case "":
		return payment.Recurring{}, "", problem{}
	case payment.Unscheduled:
		if in.Parent == "" {
			return r, "", wrong(parentSource, "the transaction that began the series")
		}
		return r, in.Parent, problem{}
	case payment.Initial:
	default:
		return r, "", wrong("recurring.recurringType", "cof_initial or ucof")
	}
	if in.Frequency < 0 || in.Frequency > maxPause {
		return r, "", wrong("recurring.frequency", "whole days from 0 to 3650")
	}
	r.Frequency = in.Frequency
	if in.Expiry != "" {
		at, ok := parseTime(in.Expiry)
		if !ok || at <= a.options.Clock.Now() {
			return r, "", wrong("recurring.expiry", "an RFC 3339 time in the future")
		}
		r.ExpiresAt = at
	}
	return r, "", problem{}
}

// refersTo looks up what a request names besides the card: the first payment of its series, and its customer.
// A first payment that is not there is left to who carries out, who knows what the request's key was used
// for.
func (a *API) refersTo(c *call, r *acquiring.Request) problem {
	if parent := r.Facts.Parent; parent != "" {
		if !id.IsUUID(parent) {
			return noPayment(parentSource)
		}
		initial, err := a.options.Payments.Payment(c.ctx, c.Merchant, parent)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			return problem{}
		case err == nil && (initial.CardToken == "" || initial.Stage != payment.Approved):
			return problem{reason: reject.MandateNotFound, source: parentSource}
		}
		r.Token, r.Facts.Shopper = initial.CardToken, initial.Shopper
		return c.missing(err, problem{})
	}
	customer := r.Facts.Shopper
	if customer == "" {
		return problem{}
	}
	gone := problem{reason: reject.CustomerNotFound, source: "customerId"}
	if !id.IsUUID(customer) {
		return gone
	}
	_, err := a.options.Shoppers.Shopper(c.ctx, c.Merchant, customer)
	return c.missing(err, gone)
}

const parentSource = "recurring.parentTransactionId"

// missing is the problem with what was looked up: gone when it is not there.
func (c *call) missing(err error, gone problem) problem {
	switch {
	case err == nil:
		return problem{}
	case errors.Is(err, storage.ErrNotFound):
		return gone
	}
	c.Trouble = err
	return problem{reason: reject.QueueFull, source: "server"}
}

// cardOf reads the card: encrypted fields, or the id of a stored one, perhaps with its CVV. In a series the
// card is that of the first payment.
func (a *API) cardOf(c *call, b *payBody, r *acquiring.Request) problem {
	e := b.Card
	if e.KeyID == "" {
		e.KeyID = b.KeyID
	}
	if r.Facts.Parent != "" {
		if e.Token != "" && e.Token != r.Token {
			return problem{reason: reject.CardTokenNotFound, source: "cardData.tokenId"}
		}
		return problem{}
	}
	if r.Token = e.Token; r.Token != "" {
		if !id.IsUUID(r.Token) {
			return problem{reason: reject.CardTokenNotFound, source: "cardData.tokenId"}
		}
		stored, err := a.options.Shoppers.Card(c.ctx, c.Merchant, r.Token)
		switch {
		case err != nil: // who carries out says so, who knows what the request's key was used for
		case r.Facts.Shopper == "":
			r.Facts.Shopper = stored.Shopper
		case stored.Shopper != "" && stored.Shopper != r.Facts.Shopper:
			return problem{reason: reject.CardTokenNotFound, source: "cardData.tokenId"}
		}
		if e = (cardBody{CVV: e.CVV, KeyID: e.KeyID}); e.CVV == "" {
			return problem{}
		}
	}
	for _, field := range []struct{ name, text string }{
		{"encryptedCardNumber", e.Number}, {"encryptedExpiryMonth", e.Month}, {"encryptedExpiryYear", e.Year},
	} {
		if field.text == "" && r.Token == "" {
			return problem{reason: reject.CardInvalid, source: "cardData." + field.name}
		}
	}
	return a.decrypt(c, e, &r.Card)
}

// decrypt reads the encrypted fields of a card. Every key that may be meant is tried, whatever the others
// came to, so that time does not tell which one fits; the newest one says what is wrong.
func (a *API) decrypt(c *call, e cardBody, to *card.Card) problem {
	keys, p := a.keysOf(c, e.KeyID)
	if p.reason != "" {
		return p
	}
	good, why := false, error(nil)
	for i, key := range keys {
		read, err := key.Decrypt(a.options.Padding, vault.EncryptedCard{
			Number: e.Number, Month: e.Month, Year: e.Year, CVV: e.CVV, Holder: e.Holder,
		})
		if i == 0 {
			why = err
		}
		if err == nil && !good {
			good, *to = true, read
		}
	}
	var bad vault.BadField
	switch {
	case good:
		return problem{}
	case errors.As(why, &bad):
		return problem{reason: reject.CardInvalid, source: "cardData." + string(bad)}
	}
	return problem{reason: reject.CardInvalid, source: "cardData.encryptedCardNumber",
		message: "The card number was mistyped: its check digit does not fit."}
}

// keysOf finds the keys with which a card may be encrypted, the newest first: the one that was named, or else
// the one that clients are given now and those that were retired a day ago at most, which clients may still
// have. Opening one is slow, so opened ones are kept.
func (a *API) keysOf(c *call, id string) ([]*vault.DirectKey, problem) {
	all, err := a.options.Shoppers.DirectKeys(c.ctx)
	if p := c.missing(err, problem{}); p.reason != "" {
		return nil, p
	}
	var found []*vault.DirectKey
	for _, k := range all {
		if id != "" && id != k.ID {
			continue
		}
		key, p := a.openKey(c, k)
		if p.reason != "" {
			return nil, p
		}
		if k.RetiredAt == 0 {
			found = append([]*vault.DirectKey{key}, found...)
		} else {
			found = append(found, key)
		}
	}
	if len(found) == 0 {
		return nil, problem{reason: reject.CardInvalid, source: "keyId",
			message: "keyId must be that of a key that this API gave out, and the card be encrypted with it."}
	}
	return found, problem{}
}

func (a *API) openKey(c *call, k shopper.DirectKey) (*vault.DirectKey, problem) {
	if known, ok := a.opened.Load(k.ID); ok {
		return known.(*vault.DirectKey), problem{}
	}
	key, err := a.options.Vaults.Current().OpenDirectKey(k.KeyID, k.ID, k.Private)
	if err != nil { // sealed anew a moment ago
		if err = a.options.Vaults.Refresh(c.ctx); err == nil {
			key, err = a.options.Vaults.Current().OpenDirectKey(k.KeyID, k.ID, k.Private)
		}
	}
	if p := c.missing(err, problem{}); p.reason != "" {
		return nil, p
	}
	a.opened.Store(k.ID, key)
	return key, problem{}
}

// meaningOf is the fingerprint of a payment's request: what is to be paid and with which card. The number
// goes into the keyed hash, since clients encrypt anew when they try again; the CVV does not, as nothing of
// it is kept.
func (a *API) meaningOf(c *call, r *acquiring.Request) [sha256.Size]byte {
	f := &r.Facts
	m := a.meanings.begin(c.route.Template, "")
	m.text(string(f.Kind))
	m.number(f.Amount)
	for _, text := range []string{
		string(f.Currency), f.OrderReference, f.Description, f.Shopper, f.Terminal, f.Parent,
		string(f.Recurring.Type), r.Token, r.Card.Number.Reveal(), r.Card.Holder, string(r.Exemption), r.Return,
	} {
		m.text(text)
	}
	for _, number := range []int64{
		f.Recurring.Frequency, f.Recurring.ExpiresAt, int64(r.Card.Expiry.Year), int64(r.Card.Expiry.Month),
		truth(r.MOTO), truth(r.SkipThreeDS), truth(r.Store),
	} {
		m.number(number)
	}
	return a.meanings.end(m)
}

func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// finishSecure answers POST /v1/3ds/callback. The same cres again has the same answer, with a key or without;
// a key that stands for another one is refused.
func (a *API) finishSecure(c *call) {
	var b returnBody
	if p := c.into(&b); p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	if b.CRes == "" || len(b.CRes) > maxCRes {
		refuse(c.Exchange, wrong("cres", "what the bank's page posted"))
		return
	}
	if !id.IsUUID(b.Payment) {
		refuse(c.Exchange, noPayment("transactionId"))
		return
	}
	if c.key != "" {
		f := a.meanings.begin(c.route.Template, b.Payment)
		f.text(b.CRes)
		if _, ok := a.remember(c, a.meanings.end(f), b.Payment); !ok {
			return
		}
	}
	result, err := a.options.Acquiring.Continue(c.ctx, acquiring.Continuation{
		Merchant: c.Merchant, Payment: b.Payment, Origin: c.origin(), Return: connector.Return{CRes: b.CRes},
	})
	c.paid(result, err, "transactionId", "")
}

func noPayment(source string) problem {
	return problem{reason: reject.PaymentNotFound, source: source}
}
