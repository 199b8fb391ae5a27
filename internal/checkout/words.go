package checkout

import (
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"

	"plexy/internal/card"
	"plexy/internal/web"
)

// What the templates say with more than one text.

func titled(f *web.Frame, title string, wrong map[string]string) string {
	if len(wrong) > 0 {
		return f.T("error") + " " + title
	}
	return title
}

// faults lists what is wrong, in the order of the fields.
func (e entry) faults(f *web.Frame) (found []web.Fault) {
	for _, field := range fields {
		if key := e.Wrong[field]; key != "" {
			found = append(found, web.Fault{Field: field, Text: f.T(key)})
		}
	}
	return found
}

func (e entry) class(field string) string {
	if e.Wrong[field] != "" {
		return "field wrong"
	}
	return "field"
}

func (e entry) described(field string) string {
	ids := field + "-hint"
	if e.Wrong[field] != "" {
		ids += " " + field + "-error"
	}
	return ids
}

func (e entry) text(f *web.Frame, field string) string {
	if key := e.Wrong[field]; key != "" {
		return f.T(key)
	}
	return ""
}

// left says how much time there is, in its two largest units.
func left(f *web.Frame, micros int64) string {
	minutes := max(micros/60_000_000, 1)
	days, hours := minutes/(24*60), minutes/60%24
	count := func(key string, n int64) string { return f.T(key, "n", strconv.FormatInt(n, 10)) }
	switch {
	case days > 0 && hours > 0:
		return count("left.days", days) + " " + count("left.hours", hours)
	case days > 0:
		return count("left.days", days)
	case hours > 0 && minutes%60 > 0:
		return count("left.hours", hours) + " " + count("left.minutes", minutes%60)
	case hours > 0:
		return count("left.hours", hours)
	}
	return count("left.minutes", minutes)
}

// brandNames are how the brands write themselves.
var brandNames = map[string]string{
	"visa": "Visa", "mastercard": "Mastercard", "amex": "American Express", "unionpay": "UnionPay", "mir": "Мир",
	"maestro": "Maestro", "jcb": "JCB", "diners": "Diners Club", "discover": "Discover", "belkart": "Белкарт",
	"uzcard": "Uzcard", "humo": "Humo",
}

// cardName is a card as its holder knows it.
func cardName(brand, last4 string) string {
	if name := brandNames[brand]; name != "" {
		brand = name
	}
	return strings.TrimSpace(brand + " •••• " + last4)
}

// scheme is a brand for the script: what its numbers begin with, how long they are, where they have gaps.
type scheme struct {
	Name   string   `json:"name"`
	Ranges [][2]int `json:"ranges"`
	Digits []int    `json:"digits"`
	Gaps   []int    `json:"gaps"`
	CVV    int      `json:"cvv"`
	NoCVV  bool     `json:"noCvv,omitempty"`
}

// schemes is the table of brands as the script reads it from the page, so that there is one table.
var schemes = sync.OnceValue(func() string {
	var all []scheme
	for _, s := range card.Schemes() {
		one := scheme{Name: brandNames[string(s.Brand)], Gaps: s.Gaps, CVV: s.CVV, NoCVV: s.CVVOptional,
			Digits: s.Only}
		for n := s.MinDigits; s.Only == nil && n <= s.MaxDigits; n++ {
			one.Digits = append(one.Digits, n)
		}
		for _, p := range s.Prefixes {
			one.Ranges = append(one.Ranges, [2]int{p.First, p.Last})
		}
		all = append(all, one)
	}
	return encoded(all)
})

// encoded is a value as JSON, for an attribute.
func encoded(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic("checkout: a value of our own cannot be encoded")
	}
	return string(text)
}

// message is what the parent page hears: which link, which payment, and where it is.
func (t tell) message() string {
	return encoded(struct {
		Source  string `json:"source"`
		State   string `json:"state"`
		Link    string `json:"paymentLinkId"`
		Payment string `json:"transactionId,omitempty"`
	}{"plexy-checkout", t.State, t.Link, t.Payment})
}
