package httpapi

import (
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"plexy/internal/core/link"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/event"
	"plexy/internal/id"
	"plexy/internal/view"
)

// Bounds of what a merchant may write about a link.
const (
	maxDescription  = 500      // characters
	maxLinkMetadata = 16 << 10 // bytes of JSON
	maxFrequency    = 3650     // days
)

// wantedLink is a body of POST /v1/payment-links as it was understood.
type wantedLink struct {
	amount       int64
	currency     money.Currency
	description  string
	reference    string
	expiresAt    int64
	shopper      string
	metadata     string
	recurring    payment.Recurring
	autoClearing bool
	validation   bool
}

// object reads a body that is one JSON object, as members does. Nothing at all and an empty list, which
// clients in PHP send for an object without members, are an empty one.
func (b *body) object() (members, problem) {
	if emptyList(b.buffer.Bytes()) {
		return members{}, problem{}
	}
	return b.members()
}

func emptyList(raw []byte) bool {
	text := strings.TrimSpace(string(raw[:min(len(raw), 64)]))
	return len(raw) <= 64 && strings.HasPrefix(text, "[") && strings.TrimSpace(text[1:]) == "]"
}

// objectOf reads a member that is an object, null, an empty list or missing.
func objectOf(raw jsontext.Value) (members, bool) {
	if absent(raw) || emptyList(raw) {
		return members{}, true
	}
	if raw.Kind() != '{' {
		return nil, false
	}
	m, p := membersOf(raw)
	return m, p.reason == ""
}

// absent reports whether nothing was said: the member is missing or null.
func absent(raw jsontext.Value) bool { return raw == nil || raw.Kind() == 'n' }

// takeLink reads the body of a link, field by field; the first that is wrong is the problem.
func (a *API) takeLink(m members, w *wantedLink) problem {
	for _, field := range []struct {
		name   string
		reason reject.Reason
		take   func(jsontext.Value) bool
	}{
		{"amount", reject.AmountInvalid, func(raw jsontext.Value) (ok bool) {
			w.amount, ok = parseDigits(raw)
			return ok && w.amount > 0
		}},
		{"currency", reject.CurrencyInvalid, func(raw jsontext.Value) bool {
			return takeCurrency(raw, &w.currency)
		}},
		{"description", reject.DescriptionInvalid, func(raw jsontext.Value) bool {
			return takeText(raw, &w.description, maxDescription)
		}},
		{"orderReference", reject.OrderReferenceInvalid, func(raw jsontext.Value) bool {
			return takeReference(raw, &w.reference)
		}},
		{"expiresAt", reject.ExpiresAtInvalid, func(raw jsontext.Value) (ok bool) {
			if absent(raw) {
				return true
			}
			w.expiresAt, ok = timeOf(raw)
			return ok
		}},
		{"customerId", reject.CustomerNotFound, func(raw jsontext.Value) (ok bool) {
			if absent(raw) {
				return true
			}
			w.shopper, ok = stringOf(raw)
			return ok && (w.shopper == "" || id.IsUUID(w.shopper))
		}},
		{"recurring", reject.RecurringInvalid, func(raw jsontext.Value) bool {
			return takeRecurring(raw, &w.recurring)
		}},
		{"autoClearing", reject.AutoClearingInvalid, func(raw jsontext.Value) bool {
			return absent(raw) || takeBool(raw, &w.autoClearing)
		}},
		{"validation", reject.ValidationInvalid, func(raw jsontext.Value) bool {
			return absent(raw) || takeBool(raw, &w.validation)
		}},
	} {
		if !field.take(m[field.name]) {
			return problem{reason: field.reason, source: field.name}
		}
	}
	return a.takeMetadata(m["metadata"], &w.metadata)
}

func takeCurrency(raw jsontext.Value, to *money.Currency) (ok bool) {
	code, _ := stringOf(raw)
	*to, ok = money.Lookup(code)
	return ok
}

// takeText reads a text of at most so many characters; null and a missing one are "". It may have lines, and
// no other control characters.
func takeText(raw jsontext.Value, to *string, most int) bool {
	if absent(raw) {
		return true
	}
	text, ok := stringOf(raw)
	*to = text
	return ok && utf8.RuneCountInString(text) <= most && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t'
	})
}

func takeReference(raw jsontext.Value, to *string) bool {
	if absent(raw) {
		return true
	}
	text, ok := stringOf(raw)
	*to = text
	return ok && validReference(text)
}

// timeOf reads a time. One before 1970 is as much in the past as the first moment after it began.
func timeOf(raw jsontext.Value) (int64, bool) {
	text, _ := stringOf(raw)
	at, ok := parseTime(text)
	return max(at, 1), ok
}

// takeRecurring reads how the link's payment begins a series. parentTransactionId, which the documentation's
// example has there too, says nothing about a first payment and is not looked at.
func takeRecurring(raw jsontext.Value, r *payment.Recurring) bool {
	m, ok := objectOf(raw)
	if !ok || len(m) == 0 {
		return ok
	}
	kind, _ := stringOf(m["type"])
	r.Type = payment.RecurringType(kind)
	if sent := m["expiry"]; !absent(sent) {
		r.ExpiresAt, ok = timeOf(sent)
	}
	if sent := m["frequency"]; ok && !absent(sent) {
		r.Frequency, ok = wholeNumber(string(sent), maxFrequency)
		ok = ok && r.Frequency > 0
	}
	return ok && r.Type == payment.Initial
}

// pageURLs are the addresses in the metadata that a shopper's browser is sent to.
var pageURLs = []string{"successUrl", "failureUrl", "cancelUrl"}

// takeMetadata reads a link's metadata and keeps it as it was sent, without spaces. What it says about
// addresses must be such; null and "" are none.
func (a *API) takeMetadata(raw jsontext.Value, to *string) problem {
	invalid := problem{reason: reject.MetadataInvalid, source: "metadata"}
	m, ok := objectOf(raw)
	if !ok || len(raw) > maxLinkMetadata {
		return invalid
	}
	if len(m) == 0 {
		return problem{}
	}
	for _, name := range append(pageURLs, "callbackUrl") {
		check := checkPage
		if name == "callbackUrl" {
			check = a.options.CheckURL
		}
		if why := addressOf(m[name], new(string), check); why != "" {
			source := "metadata." + name
			return problem{reason: reject.MetadataInvalid, source: source, message: source + " " + why + "."}
		}
	}
	kept := raw.Clone()
	if kept.Compact() != nil {
		return invalid
	}
	*to = string(kept)
	return problem{}
}

// addressOf reads an address and says what is wrong with it, to stand behind its name; null, "" and a missing
// one are none.
func addressOf(raw jsontext.Value, to *string, check func(string) error) (why string) {
	if absent(raw) {
		return ""
	}
	text, ok := stringOf(raw)
	if !ok {
		return "must be a URL"
	}
	if text == "" {
		return ""
	}
	*to = text
	if err := check(text); err != nil {
		return plain(err.Error())
	}
	return ""
}

// notPage says why a browser cannot be sent to an address.
type notPage string

func (n notPage) Error() string { return string(n) }

// checkPage takes any address of the web: a browser goes there, not we.
func checkPage(text string) error {
	u, err := url.Parse(text)
	switch {
	case len(text) > event.MaxURL:
		return notPage("must have at most " + strconv.Itoa(event.MaxURL) + " characters")
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return notPage("must be a whole URL that begins with https:// or http://")
	}
	return nil
}

// facts are those of the link, as far as the body says.
func (w *wantedLink) facts() link.Facts {
	return link.Facts{
		Currency: w.currency, Amount: w.amount, OrderReference: w.reference, Description: w.description,
		Shopper: w.shopper, AutoClearing: w.autoClearing, Validation: w.validation,
		Recurring: view.Recurring(w.recurring), Metadata: w.metadata,
	}
}

// meaning is the fingerprint of the request. Neither spaces nor the order of members change it.
func (w *wantedLink) meaning(all *meanings, route string) [32]byte {
	m := all.begin(route, "")
	m.number(w.amount)
	for _, part := range []string{
		string(w.currency), w.description, w.reference, w.shopper, view.Recurring(w.recurring),
		inOrder(w.metadata), strconv.FormatBool(w.autoClearing), strconv.FormatBool(w.validation),
	} {
		m.text(part)
	}
	m.number(w.expiresAt)
	return all.end(m)
}

// inOrder writes JSON with the members of objects in order.
func inOrder(text string) string {
	v := jsontext.Value(text)
	if len(v) == 0 || v.Format(jsontext.ReorderRawObjects(true)) != nil {
		return text
	}
	return string(v)
}

// newLinkID makes a link's id of a UUIDv7.
func newLinkID(uuid string) string { return id.Link + strings.ReplaceAll(uuid, "-", "") }
