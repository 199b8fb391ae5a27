package checkout

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"

	"plexy/internal/acquiring"
	"plexy/internal/card"
	"plexy/internal/connector"
	"plexy/internal/core/journal"
	"plexy/internal/core/link"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/shopper"
	"plexy/internal/storage"
	"plexy/internal/web"
)

// entry is the form: what goes back into it, and what was wrong with it. It has no number and no CVV.
type entry struct {
	Key            string
	Expiry, Holder string
	Wrong          map[string]string // field → key of the text
}

// The fields of the form, in their order.
const (
	keyField    = "key"
	numberField = "number"
	expiryField = "expiry"
	cvvField    = "cvv"
	holderField = "holder"
)

var fields = []string{numberField, expiryField, cvvField, holderField}

func (d *Door) showForm(v *visit, status int, e entry) {
	o := d.offer(v)
	recurring, _ := readRecurring(v.link.Recurring)
	left := v.link.ExpiresAt - d.options.Clock.Now()
	d.compose(v, status, func(f *web.Frame) web.Page {
		return web.Page{
			Title: titled(f, f.T("pay.title", "merchant", o.Merchant), e.Wrong),
			Main: form(f, formView{
				offer: o, entry: e, Action: v.here(), QR: v.path(string(codePart)), Left: left, Recurring: recurring,
			}),
		}
	})
}

// formView is what the page with the form shows.
type formView struct {
	offer
	entry
	Action, QR string
	Left       int64 // microseconds until the link expires; of no meaning when it never does
	Recurring  payment.Recurring
}

// readCard reads the form. What was typed as number and CVV is in the card and nowhere else afterwards.
func (d *Door) readCard(v *visit) (c card.Card, e entry) {
	typed := v.Request.PostForm
	e = entry{Wrong: map[string]string{}}
	var err error
	number := typed.Get(numberField)
	switch c.Number, err = card.ParseNumber(number); {
	case strings.TrimSpace(number) == "":
		e.Wrong[numberField] = "number.empty"
	case err != nil:
		e.Wrong[numberField] = "number.wrong"
	}
	switch c.Expiry, err = card.ParseExpiry(typed.Get(expiryField)); {
	case err != nil:
		e.Wrong[expiryField] = "expiry.wrong"
	case c.Expiry.Expired(d.options.Clock.Now()):
		e.Wrong[expiryField], e.Expiry = "expiry.past", c.Expiry.String()
	default:
		e.Expiry = c.Expiry.String()
	}
	cvv := strings.TrimSpace(typed.Get(cvvField))
	brand := c.Number.Brand()
	scheme, _ := brand.Scheme()
	switch c.CVV, err = card.ParseCVV(cvv); {
	case cvv == "" && scheme.CVVOptional:
	case err != nil || !c.CVV.Fits(brand):
		e.Wrong[cvvField] = "cvv.wrong"
	}
	if c.Holder, err = card.ParseHolder(typed.Get(holderField)); err != nil {
		e.Wrong[holderField] = "holder.wrong"
	}
	e.Holder = c.Holder // "" for what is none, so that a number in the wrong field is not shown either
	for _, name := range []string{numberField, cvvField} {
		typed.Del(name)
		v.Request.Form.Del(name)
	}
	return c, e
}

// pay takes the form. One key makes one payment, however often the form comes.
func (d *Door) pay(v *visit) {
	if !v.Sent() {
		d.pages.Sorry(v.Visit, http.StatusForbidden, "form", v.here())
		return
	}
	key := v.Request.PostForm.Get(keyField)
	c, e := d.readCard(v)
	if !d.goodKey(v.Link, key) {
		d.pages.Sorry(v.Visit, http.StatusForbidden, "form", v.here())
		return
	}
	if len(e.Wrong) > 0 {
		e.Key = key // nothing was begun with it
		d.showForm(v, http.StatusUnprocessableEntity, e)
		return
	}
	if d.limited(v) {
		return
	}
	r, err := d.options.Acquiring.Pay(v.ctx, d.request(v, key, c))
	switch {
	case err != nil: // the same form may be sent again
		d.trouble(v, err)
	case r.Reason == "":
		d.remember(v, r.Payment.ID)
		v.Redirect(v.path(d.ticket(v.Link, r.Payment.ID)))
	case ofLink(r.Reason):
		v.Redirect(v.here()) // which says so
	default:
		d.trouble(v, fmt.Errorf("a payment was not begun: %s", r.Reason))
	}
}

// limited answers when the link was tried too often of late. One that is paid or being paid is not asked
// about: the form may be the one that does it, sent twice.
func (d *Door) limited(v *visit) bool {
	if d.stateOf(v.link) != string(link.Active) {
		return false
	}
	_, tries, err := d.options.Reader.Payments(v.ctx, storage.PaymentQuery{
		Merchant: v.link.Merchant, Link: v.Link, Limit: 1,
		CreatedFrom: d.options.Clock.Now() - triesSpan.Microseconds(),
	})
	switch {
	case err != nil:
		d.trouble(v, err)
	case tries >= maxTries:
		v.Header().Set("Retry-After", retryAfter)
		d.pages.Sorry(v.Visit, http.StatusTooManyRequests, "limited", v.here())
	default:
		return false
	}
	return true
}

// ofLink reports whether a refusal is about the link, whose page says it better.
func ofLink(no reject.Reason) bool {
	switch no {
	case reject.LinkBusy, reject.LinkAlreadyPaid, reject.LinkCancelled, reject.LinkExpired:
		return true
	}
	return false
}

// request is what the form asks for. The payment's id is made here, because the bank's way back carries it.
func (d *Door) request(v *visit, key string, c card.Card) acquiring.Request {
	recurring, parent := readRecurring(v.link.Recurring)
	id := d.options.NewPayment()
	ip := ""
	if machine, ok := d.options.Site.Machine(v.Request); ok {
		ip = machine.String()
	}
	session, begun := shopper.SessionOf(v.link.CreatedBy)
	kind := payment.Auth
	if begun && v.link.AutoClearing {
		kind = payment.Sale // which is what a session's transactionType sale means
	}
	back := d.options.PublicURL() + Path + "/pl/" + v.Link + "/" + d.ticket(v.Link, id)
	language := ""
	if v.Chosen {
		language = "?lang=" + string(v.Language)
	}
	return acquiring.Request{
		// The card is no part of the fingerprint: a digest of a number is as good as the number.
		Key: "checkout " + v.Link + " " + key, Fingerprint: sha256.Sum256([]byte("checkout " + v.Link)),
		Origin: journal.Origin{RequestID: v.ID},
		Facts: payment.Facts{
			ID: id, Merchant: v.link.Merchant, Link: v.Link, Session: session, Shopper: v.link.Shopper,
			Currency: v.link.Currency, Amount: v.link.Amount, OrderReference: v.order(),
			Description: v.link.Description, Kind: kind, AutoClearing: v.link.AutoClearing, Recurring: recurring,
			Parent: parent, PayerIP: ip, CallbackURL: v.meta.Callback, Terminal: v.meta.Terminal,
		},
		Card: c, Store: recurring.Type != "", Browser: browser(v.Request, ip),
		Return: back + "/back" + language, MethodReturn: back + "/method",
	}
}

// browser is what the browser says of itself, some of it only where there is a script.
func browser(r *http.Request, ip string) connector.Browser {
	said := func(name string) string {
		value := r.PostForm.Get(name)
		if len(value) > 6 || strings.Trim(value, "-0123456789") != "" {
			return ""
		}
		return value
	}
	short := func(value string, most int) string { return value[:min(most, len(value))] }
	language, _, _ := strings.Cut(r.Header.Get("Accept-Language"), ",")
	language, _, _ = strings.Cut(language, ";")
	return connector.Browser{
		Accept: short(r.Header.Get("Accept"), 2048), UserAgent: short(r.UserAgent(), 2048),
		Language: short(strings.TrimSpace(language), 8), IP: ip, ColorDepth: said("colorDepth"),
		ScreenHeight: said("screenHeight"), ScreenWidth: said("screenWidth"), TimeZone: said("timeZone"),
	}
}
