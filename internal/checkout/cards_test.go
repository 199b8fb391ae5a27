package checkout_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"plexy/internal/core/link"
	"plexy/internal/core/payment"
	"plexy/internal/pagetest"
	"plexy/internal/sandbox"
)

// Every test card, and what the payer does in its challenge, paid at the page of the whole program by a payer
// without a script.
func TestEveryTestCard(t *testing.T) {
	const yes, no, fails = payment.StatusAuthorized, payment.StatusRejected, payment.StatusFailed
	const right, also, wrong = sandbox.CodeRight, sandbox.CodeAlsoRight, sandbox.CodeWrong
	s := program(t, "")
	seen := map[string]bool{}
	for _, c := range []struct {
		number string
		codes  []string // typed, chosen or pressed; "cancel" cancels; nil: there must be no challenge
		status payment.Status
		says   string
	}{
		{"4111111111111111", []string{right}, yes, "Paid"},
		{"4111111111111111", []string{wrong}, no, "could not confirm that it is you"},
		{"4111111111111111", []string{"cancel"}, no, "could not confirm that it is you"},
		{"5555555555554444", []string{right}, yes, "Mastercard •••• 4444"},
		{"4200000000000000", []string{right}, yes, "Paid"},
		{"4200000000000000", []string{wrong}, no, "could not confirm"},
		{"4640170131116658", []string{right}, yes, "Paid"},
		{"4640170131116658", []string{wrong}, no, "could not confirm"},
		{"5283901669012672", []string{right}, yes, "Paid"},
		{"5283901669012672", []string{wrong}, no, "could not confirm"},
		{"5440382741349178", []string{right, also}, yes, "Paid"},
		{"5440382741349178", []string{right, wrong}, no, "could not confirm"},
		{"4001880000000055", []string{right}, no, "could not confirm"},
		{"4918914107195005", []string{right}, yes, "Paid"},
		{"5168159443230322", []string{right}, fails, "The bank cannot confirm payments right now"},
		{"5200000000001005", []string{right}, yes, "Paid"},
		{"4907639999909022", nil, yes, "Paid"},
		{"4907639999990022", nil, no, "could not confirm"},
		{"4907630099999922", nil, no, "could not confirm"},
		{"5283901906612672", nil, no, "could not confirm"},
		{"5283901901266672", nil, yes, "Paid"}, // not enrolled: at the merchant's risk
		{"5105105105105100", nil, no, "Only the bank can say why"},
		{"4000000000001000", nil, yes, "Paid"},
		{"4000000000002008", nil, yes, "Paid"}, // the directory is silent: at the merchant's risk
		{"4000000000003006", nil, yes, "Paid"},
		{"4242424242424242", nil, yes, "Paid"}, // every other one
		{"378282246310005", nil, yes, "American Express •••• 0005"},
	} {
		seen[c.number] = true
		id := s.link()
		p := s.shopper().through(id, c.number, "123", c.codes)
		p.says(c.says)
		s.one(id, c.status)
	}
	for _, c := range sandbox.Cards() {
		if !seen[c.Number] {
			t.Errorf("%s was not tried: %s", c.Number, c.Words)
		}
	}
}

// Amounts of the form 20CC0 have the code CC, a CVV of 444 does not match, and a number that fails Luhn's
// check does not leave the page.
func TestAmountsAndCVV(t *testing.T) {
	s := program(t, "")
	for _, c := range []struct {
		amount int64
		number string
		cvv    string
		status payment.Status
		code   string
		says   string
	}{
		{20_050, "4242424242424242", "123", payment.StatusRejected, "05", "Only the bank can say why"},
		{2_005_000, "4242424242424242", "123", payment.StatusRejected, "05", "Only the bank can say why"},
		{20_510, "4242424242424242", "123", payment.StatusRejected, "51", "not enough money on the card"},
		{2_051_000, "4242424242424242", "123", payment.StatusRejected, "51", "not enough money on the card"},
		{20_540, "4242424242424242", "123", payment.StatusRejected, "54", "The card has expired"},
		{20_100, "4242424242424242", "123", payment.StatusRejected, "10", "Only the bank can say why"},
		{100_000, "4242424242424242", sandbox.BadCVV, payment.StatusRejected, "", "security code does not match"},
		{100_000, "4242424242424242", "999", payment.StatusAuthorized, "00", "Paid"},
	} {
		id := s.link(func(f *link.Facts) { f.Amount = c.amount })
		p := s.shopper().through(id, c.number, c.cvv, nil)
		p.says(c.says)
		s.one(id, c.status)
		if got := s.payments(id)[0].ResponseCode; c.code != "" && got != c.code {
			t.Errorf("%d: the code is %q", c.amount, got)
		}
	}
	id := s.link()
	if p := s.shopper().through(id, sandbox.LuhnFails, "123", nil); p.status != http.StatusUnprocessableEntity {
		t.Errorf("a number that fails Luhn's check: %d %s", p.status, p.title())
	}
	if n := len(s.payments(id)); n != 0 {
		t.Errorf("%d payments", n)
	}
}

// shopper is a payer without a script before the program.
func (s *site) shopper() *visitor {
	return (&rig{T: s.T, url: s.url}).visitor()
}

// through pays a link and does what the pages ask for, until none asks any more.
func (v *visitor) through(link, number, cvv string, codes []string) *page {
	v.Helper()
	action, form := v.get("/" + link).payForm()
	form = filled(form, number)
	form.Set("cvv", cvv)
	if strings.HasPrefix(number, "3") {
		form.Set("cvv", "1"+cvv)
	}
	p := v.post(action, form)
	asked := false
	for range 8 {
		next := v.wanted(p)
		if next == nil {
			break
		}
		fields := values(next)
		if buttons := pagetest.Within(next, "button"); len(buttons) > 1 { // the challenge
			asked = true
			fields.Del("code")
			fields["code"], fields["do"] = codes, []string{"submit"}
			if slices.Contains(codes, "cancel") {
				fields["code"], fields["do"] = nil, []string{"cancel"}
			}
		}
		p = v.post(strings.TrimPrefix(pagetest.Attribute(next, "action"), v.url), fields)
	}
	if asked != (codes != nil) {
		v.Errorf("%s: asked %v", number, asked)
	}
	return p
}

// wanted is the form by which a page goes on: to the bank, on from the method, the challenge, back from it.
func (v *visitor) wanted(p *page) *html.Node {
	for _, f := range p.all("form") {
		marks := url.Values{}
		for _, a := range f.Attr {
			marks.Set(a.Key, a.Val)
		}
		if marks.Has("data-send") || marks.Has("data-after-visit") || marks.Get("id") == "back" ||
			strings.Contains(marks.Get("action"), "/acs/challenge/") {
			return f
		}
	}
	return nil
}
