package httpapi

import (
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"plexy/internal/core/journal"
	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/shopper"
	"plexy/internal/vault"
	"plexy/internal/view"
)

// Bounds of a payment session.
const (
	maxTerminal, maxLocale, maxCart = 64, 16, 255 // characters
	// visitMicros is how long the hosted page can be paid: 24 hours.
	visitMicros = int64(24 * time.Hour / time.Microsecond)
	// signedMicros is how long callbacks of it may still come: 30 days, which is as long as a bank holds money.
	signedMicros = 30 * visitMicros
)

// takeSession reads the body that older clients send (clients-contract.md §3). customerDetails, items and
// whatever else is in it is not looked at, and nothing of it is kept.
func (a *API) takeSession(m members, s *shopper.Session) problem {
	kind, _ := stringOf(m["transactionType"])
	if s.Type = kind; kind != shopper.TypeAuth && kind != shopper.TypeSale {
		return problem{reason: reject.TransactionTypeInvalid, source: "transactionType"}
	}
	if !takeText(m["terminalId"], &s.Terminal, maxTerminal) {
		return problem{reason: reject.TerminalInvalid, source: "terminalId"}
	}
	if !takeText(m["locale"], &s.Locale, maxLocale) || strings.ContainsFunc(s.Locale, notInTag) {
		return problem{reason: reject.LocaleInvalid, source: "locale"}
	}
	urls, ok := objectOf(m["urls"])
	if !ok {
		return problem{reason: reject.URLInvalid, source: "urls", message: "urls must be a JSON object."}
	}
	for _, u := range []struct {
		name  string
		to    *string
		check func(string) error
	}{
		{"cancel", &s.CancelURL, checkPage}, {"success", &s.SuccessURL, checkPage},
		{"failure", &s.FailureURL, checkPage}, {"callback", &s.CallbackURL, a.options.CheckURL},
	} {
		if why := addressOf(urls[u.name], u.to, u.check); why != "" {
			source := "urls." + u.name
			return problem{reason: reject.URLInvalid, source: source, message: source + " " + why + "."}
		}
	}
	order, ok := objectOf(m["orderDetails"])
	if !ok {
		return problem{reason: reject.BodyInvalid, source: "orderDetails",
			message: "orderDetails must be a JSON object."}
	}
	return takeOrderDetails(order, s)
}

// notInTag tells what no language tag has.
func notInTag(r rune) bool {
	return r >= utf8.RuneSelf || !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_", r|0x20)
}

func takeOrderDetails(m members, s *shopper.Session) problem {
	if !takeCurrency(m["currency"], &s.Currency) {
		return problem{reason: reject.CurrencyInvalid, source: "orderDetails.currency"}
	}
	var ok bool
	if s.Amount, ok = money.ParseMajor(string(m["amount"]), s.Currency); !ok || s.Amount <= 0 {
		return problem{reason: reject.AmountInvalid, source: "orderDetails.amount",
			message: "amount must be a number in major units, more than 0, without an exponent."}
	}
	for _, field := range []struct {
		name   string
		reason reject.Reason
		take   func(jsontext.Value) bool
	}{
		{"description", reject.DescriptionInvalid, func(raw jsontext.Value) bool {
			return takeText(raw, &s.Description, maxDescription)
		}},
		{"orderReference", reject.OrderReferenceInvalid, func(raw jsontext.Value) bool {
			return takeReference(raw, &s.OrderReference)
		}},
		{"cartReference", reject.OrderReferenceInvalid, func(raw jsontext.Value) bool {
			return takeText(raw, &s.CartReference, maxCart)
		}},
	} {
		if !field.take(m[field.name]) {
			return problem{reason: field.reason, source: "orderDetails." + field.name}
		}
	}
	return problem{}
}

// createSession answers POST /v1/payment-sessions: a payment link whose page ends in the addresses of the
// session. The link has no order reference of its own, because a shop begins a session for each visit to one
// order, and a link's reference is its only one for ever; payments of it carry the session's.
func (a *API) createSession(c *call) {
	m, p := c.body.object()
	var s shopper.Session
	if p.reason == "" {
		p = a.takeSession(m, &s)
	}
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	now := a.options.Clock.Now()
	s.ID, s.Merchant, s.Link = a.options.NewUUID(), c.Merchant, newLinkID(a.options.NewUUID())
	s.CreatedAt, s.ExpiresAt = now, now+signedMicros
	// The session first: whoever finds the link finds it. Where the link is refused, or made already under
	// the same key, it stays behind, and nothing leads to it.
	if err := a.keepSession(c, &s); c.failed(err, noLink) {
		return
	}
	in := c.instruction(sessionMeaning(a.meanings, c.route.Template, &s))
	in.Command = machine.CreateLink{Facts: sessionLink(&s), ExpiresAt: now + visitMicros}
	requestID, page := c.ID, a.options.PublicURL()+"/"+s.Link
	in.Render = func(o machine.Outcome) machine.Reply {
		if o.Reason != "" {
			return refusal(o, requestID)
		}
		b := view.Text([]byte(`{"redirectUrl":`), page)
		return machine.Reply{Status: http.StatusCreated, Body: append(b, '}')}
	}
	c.finish(a.options.Commit.Submit(c.ctx, journal.BookOf(s.Link), in))
}

// keepSession writes a session, with the API key of the request sealed: its callbacks are signed with it.
func (a *API) keepSession(c *call, s *shopper.Session) error {
	secret := []byte(secretOf(c.request.Header.Get("Authorization")))
	return a.freshly(c, func(v *vault.Vault) (err error) {
		if s.Signer, err = v.Seal(vault.PurposeSessionSigner, s.ID, secret); err != nil {
			return err
		}
		s.KeyID = v.KeyID()
		return a.options.Shoppers.CreateSession(c.ctx, *s, v.Generation())
	})
}

func sessionLink(s *shopper.Session) link.Facts {
	b := []byte{'{'}
	for _, member := range []struct{ name, text string }{
		{"successUrl", s.SuccessURL}, {"failureUrl", s.FailureURL}, {"cancelUrl", s.CancelURL},
		{"orderReference", s.OrderReference},
	} {
		if member.text == "" {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = view.Text(append(view.Text(b, member.name), ':'), member.text)
	}
	return link.Facts{
		ID: s.Link, Merchant: s.Merchant, Currency: s.Currency, Amount: s.Amount, Description: s.Description,
		AutoClearing: s.Type == shopper.TypeSale, Metadata: string(append(b, '}')),
		CreatedBy: shopper.SessionMaker(s.ID),
	}
}

func sessionMeaning(all *meanings, route string, s *shopper.Session) [32]byte {
	m := all.begin(route, "")
	m.number(s.Amount)
	for _, part := range []string{
		s.Type, s.Terminal, s.Locale, s.CancelURL, s.SuccessURL, s.FailureURL, s.CallbackURL, string(s.Currency),
		s.OrderReference, s.CartReference, s.Description,
	} {
		m.text(part)
	}
	return all.end(m)
}
