package checkout_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/pagetest"
	"plexy/internal/shopper"
)

func TestPay(t *testing.T) {
	r := newRig(t)
	id := r.link()
	v := r.visitor()
	form := v.get("/" + id)
	form.says("Pay Кофейня «Арай»", "12 345.67 ₸", "Кофе, 2 кг <b>", "ORDER-", "Pay before 21 Feb 2026, 15:15",
		"time left: 2 d", "Pay 12 345.67 ₸", "Cancel and return to shop.kz")
	if form.leads("Cancel and return to shop.kz") != "https://shop.kz/cart" {
		t.Error("cancel leads elsewhere")
	}
	done := v.pay(id, goodCard)
	done.says("Paid", "Thank you. Your payment to Кофейня «Арай» was successful.", "Receipt", "12 345.67 ₸",
		"Visa •••• 4242", "19 Feb 2026, 15:15", "123456", "605010000001", r.payments()[0].ID)
	if done.leads("Back to shop.kz") != "https://shop.kz/thanks?x=1" {
		t.Errorf("success leads elsewhere: %s", done.body)
	}
	f := r.bank.last.Facts
	if f.Link != id || f.Merchant != r.shop || f.CallbackURL != "https://shop.kz/hook" || f.PayerIP != "127.0.0.1" ||
		f.Kind != payment.Auth || r.bank.last.Store || f.ID != r.payments()[0].ID {
		t.Errorf("acquiring was asked %+v", f)
	}
	back := r.bank.last.Return
	if len(back) > 256 || !strings.HasPrefix(back, r.url+"/checkout/pl/"+id+"/"+f.ID+".") ||
		!strings.HasSuffix(back, "/back") {
		t.Errorf("the bank's way back is %s", back)
	}
	// The link says so to everybody, and shows the receipt to this browser only.
	again := v.get("/checkout/pl/" + id)
	if again.title() != "Already paid" || again.leads("Show the receipt") == "" {
		t.Errorf("the payer sees %s", pagetest.Text(again.root))
	}
	if other := r.visitor().get("/" + id); other.title() != "Already paid" ||
		other.leads("Show the receipt") != "" || strings.Contains(other.body, f.ID) {
		t.Errorf("another sees %s", pagetest.Text(other.root))
	}
}

func TestDeclinedAndAgain(t *testing.T) {
	r := newRig(t)
	id := r.link()
	v := r.visitor()
	no := v.pay(id, declinedCard)
	no.says("The payment was declined", "There is not enough money on the card.", "Nothing was taken.")
	if no.leads("Back to shop.kz") != "https://shop.kz/sorry" {
		t.Error("failure leads elsewhere")
	}
	again := v.get(no.leads("Try again or use another card"))
	action, form := again.payForm()
	v.post(action, filled(form, goodCard)).says("Paid")
	if found := r.payments(); len(found) != 2 || found[0].Status() != payment.StatusAuthorized {
		t.Errorf("%d payments", len(found))
	}
	if late := v.get(no.location); late.leads("Try again or use another card") != "" {
		t.Error("a paid link can be tried again")
	}
}

// What is typed wrong is said at its field; number and CVV never come back, the rest does.
func TestWrongFields(t *testing.T) {
	r := newRig(t)
	id := r.link()
	for name, c := range map[string]struct {
		field, value string
		says         string
		keeps        string
	}{
		"no number":            {"number", " ", "Enter the card number.", "ARAY"},
		"mistyped":             {"number", "4242 4242 4242 4241", "a digit is wrong or missing", "ARAY"},
		"no card":              {"number", "abc", "a digit is wrong or missing", "12/29"},
		"no expiry":            {"expiry", "", "Enter month and year", "ARAY"},
		"no month":             {"expiry", "13/29", "Enter month and year", "ARAY"},
		"past":                 {"expiry", "01/26", "This card has expired", `value="01/26"`},
		"a number as expiry":   {"expiry", "4242424242424242", "Enter month and year", "ARAY"},
		"no CVV":               {"cvv", "", "Enter the 3 digits", "ARAY"},
		"long CVV":             {"cvv", "9876", "Enter the 3 digits", "12/29"},
		"no holder":            {"holder", "", "Enter the name on the card", "12/29"},
		"a number as a holder": {"holder", "4242 4242 4242 4242", "Enter the name on the card", "12/29"},
	} {
		action, form := r.visitor().get("/" + id).payForm()
		key := form.Get("key")
		form = filled(form, goodCard)
		form.Set("holder", "ARAY")
		form.Set(c.field, c.value)
		p := r.visitor().post(action, form)
		p.says("There is a problem", c.says)
		title := pagetest.Text(p.all("title")[0])
		if p.status != http.StatusUnprocessableEntity || !strings.HasPrefix(title, "Error: ") {
			t.Errorf("%s: %d %s", name, p.status, title)
		}
		if strings.Contains(p.body, "4242") || strings.Contains(p.body, "9876") ||
			strings.Contains(p.body, `value="123"`) {
			t.Errorf("%s: number or CVV came back", name)
		}
		if !strings.Contains(p.body, c.keeps) {
			t.Errorf("%s: %s was forgotten", name, c.keeps)
		}
		_, again := p.payForm()
		if again.Get("key") != key || again.Get("number") != "" || again.Get("cvv") != "" {
			t.Errorf("%s: the form is now %v", name, again)
		}
	}
	if len(r.payments()) != 0 {
		t.Error("a payment was begun")
	}
}

// The same form, twice at once or later, makes one payment and leads to the same page.
func TestOneFormOnePayment(t *testing.T) {
	for name, card := range map[string]string{
		"paid": goodCard, "declined": declinedCard, "unknown": silentCard, "challenged": challengeCard,
	} {
		r := newRig(t)
		v := r.visitor()
		action, form := v.get("/" + r.link()).payForm()
		form = filled(form, card)
		var wait sync.WaitGroup
		places := make([]string, 8)
		for i := range places {
			wait.Go(func() { places[i] = r.framed().do(http.MethodPost, action, form).location })
		}
		wait.Wait()
		for _, place := range append(places, v.do(http.MethodPost, action, form).location) {
			if place != places[0] || !strings.Contains(place, r.payments()[0].ID) {
				t.Errorf("%s leads to %s and to %s", name, places[0], place)
			}
		}
		if n := len(r.payments()); n != 1 {
			t.Errorf("%s: %d payments", name, n)
		}
	}
}

// Two tabs have two forms: one pays, the other is told, whichever browser it is in.
func TestTwoTabs(t *testing.T) {
	r := newRig(t)
	id := r.link()
	v, other := r.visitor(), r.visitor()
	action, one := v.get("/" + id).payForm()
	_, two := v.get("/" + id).payForm()
	_, three := other.get("/" + id).payForm()
	r.bank.held = make(chan struct{})
	done := make(chan *page)
	go func() { done <- v.do(http.MethodPost, action, filled(one, goodCard)) }()
	for busy := false; !busy; {
		busy = must(r.store.AnyLink(t.Context(), id))(t).Busy != ""
	}
	if p := other.post(action, filled(three, goodCard)); p.title() != "A payment is under way" {
		t.Errorf("another payer sees %s", p.title())
	}
	if p := other.get("/" + id); p.title() != "A payment is under way" {
		t.Errorf("another payer sees %s", p.title())
	}
	other.do("GET", "/checkout/pl/"+id+"/state", nil).says(`{"state":"busy"}`)
	close(r.bank.held)
	<-done
	other.do("GET", "/checkout/pl/"+id+"/state", nil).says(`{"state":"paid"}`)
	if p := v.post(action, filled(two, goodCard)); p.title() != "Already paid" {
		t.Errorf("the second tab sees %s", p.title())
	}
	if n := len(r.payments()); n != 1 {
		t.Errorf("%d payments", n)
	}
}

// A bank that does not answer: the payer is told to wait and not to pay again; going back leads there, too.
func TestSlowBank(t *testing.T) {
	r := newRig(t)
	id := r.link()
	v := r.visitor()
	p := v.pay(id, silentCard)
	p.says("The bank has not answered yet", "Do not pay again")
	if back := v.get("/" + id); back.title() != p.title() {
		t.Errorf("going back leads to %s", back.title())
	}
	v.do("GET", strings.Split(p.location, "?")[0]+"/state", nil).says(`{"state":"waiting"}`)
	paid := r.payments()[0]
	ops := must(r.store.OperationsOf(t.Context(), paid.ID))(t)
	r.bank.answer(&machine.Pay{Payment: paid, Operation: ops[0]}, payment.Answer{State: payment.Accepted})
	v.do("GET", p.location+"/state", nil).says(`{"state":"paid"}`)
	v.get(p.location).says("Paid", "Receipt")
}

func TestChallenge(t *testing.T) {
	for cres, want := range map[string]string{"yes": "Paid", "no": "The payment was declined"} {
		r := newRig(t)
		id := r.link()
		v := r.framed()
		p := v.pay(id, challengeCard)
		p.says("Confirm with your bank", "Go to the bank")
		policy := p.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "form-action 'self' https://bank.example;") {
			t.Errorf("the bank may not be gone to: %s", policy)
		}
		if f := p.all("form")[0]; pagetest.Attribute(f, "action") != "https://bank.example/acs" ||
			values(f).Get("creq") != `a"<b` {
			t.Errorf("the form is %s", p.body)
		}
		if again := v.get(p.location); again.title() != p.title() {
			t.Errorf("reloading leads to %s", again.title())
		}
		way, _ := url.Parse(r.bank.last.Return)
		v.header.Set("Sec-Fetch-Site", "cross-site")
		v.header.Set("Origin", "null")
		if empty := v.post(way.Path, url.Values{}); empty.title() != p.title() {
			t.Errorf("nothing leads to %s", empty.title())
		}
		for range 2 { // the bank's page is reloaded
			v.post(way.Path, url.Values{"cres": {cres}}).says(want)
		}
		v.get(way.Path).says(want)
		if n := len(r.payments()); n != 1 {
			t.Errorf("%d payments", n)
		}
	}
}

// Who gives the bank's question up is shown the form again; an answer that comes late changes nothing, and
// giving up changes nothing once the bank has answered. Nobody else can give it up.
func TestLeave(t *testing.T) {
	r := newRig(t)
	id := r.link()
	v := r.framed()
	p := v.pay(id, challengeCard)
	p.says("Confirm with your bank", "Pay another way")
	v.header.Set("Sec-Fetch-Site", "cross-site")
	if foreign := v.post(p.location+"/leave", url.Values{}); foreign.status != http.StatusForbidden {
		t.Errorf("another site's form: %d", foreign.status)
	}
	if status := r.payments()[0].Status(); status != payment.Status3D {
		t.Errorf("it is %s", status)
	}
	v.header.Set("Sec-Fetch-Site", "same-origin")
	form := v.post(p.location+"/leave", url.Values{})
	form.says("Payment card")
	left := r.payments()[0]
	if left.Status() != payment.StatusRejected || left.Failure != reject.AuthenticationCancelled {
		t.Errorf("the payment is %s: %s", left.Status(), left.Failure)
	}
	late := v.post(p.location+"/back", url.Values{"cres": {"yes"}})
	late.says("The payment was declined", "You stopped the payment")
	v.post(p.location+"/leave", url.Values{}).says("Payment card")
	v.get(p.location + "/leave").says("The payment was declined")
	action, values := form.payForm()
	paid := v.post(action, filled(values, challengeCard))
	v.post(paid.location+"/back", url.Values{"cres": {"yes"}}).says("Paid")
	v.post(paid.location+"/leave", url.Values{}).says("Paid")
	if found := r.payments(); len(found) != 2 || found[0].Status() != payment.StatusAuthorized {
		t.Errorf("%d payments: %+v", len(found), found)
	}
}

// The method's page is visited in a frame where there is a script; without one the payer goes on by a button.
func TestMethod(t *testing.T) {
	r := newRig(t)
	v := r.visitor()
	p := v.pay(r.link(), methodCard)
	p.says("Contacting your bank", "Continue")
	if policy := p.header.Get("Content-Security-Policy"); !strings.Contains(policy,
		"frame-src 'self' https://bank.example;") {
		t.Errorf("the bank may not be framed: %s", policy)
	}
	end := v.post(p.location+"/method", url.Values{"threeDSMethodData": {"x"}})
	policy := end.header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "frame-ancestors 'self'") ||
		end.header.Get("X-Frame-Options") != "" || !strings.Contains(end.body, "data-visited") {
		t.Errorf("the frame ends with %s", policy)
	}
	p = v.post(p.location, url.Values{"method": {"N"}})
	p.says("Confirm with your bank")
	v.post(p.location+"/back", url.Values{"cres": {"yes"}}).says("Paid")
}

// Links that cannot be paid say so, and take no form.
func TestClosedLinks(t *testing.T) {
	r := newRig(t)
	for state, end := range map[string]func(id string){
		"This link has expired": func(string) { r.clock.Advance(48 * 60 * minute) },
		"This link was cancelled": func(id string) {
			r.run(machine.CancelLink{Merchant: r.shop, ID: id})
		},
	} {
		id := r.link()
		v := r.visitor()
		action, form := v.get("/" + id).payForm()
		end(id)
		if p := v.get("/" + id); p.title() != state || !strings.Contains(p.body, "Nothing was taken.") {
			t.Errorf("%s: %s", state, p.title())
		}
		p := v.post(action, filled(form, goodCard))
		if p.title() != state && p.status != http.StatusForbidden { // the form was open for two days
			t.Errorf("%s: the form leads to %d %s", state, p.status, p.title())
		}
	}
	if n := len(r.payments()); n != 0 {
		t.Errorf("%d payments", n)
	}
}

func TestForeignForms(t *testing.T) {
	r := newRig(t)
	id, other := r.link(), r.link()
	v := r.visitor()
	action, form := v.get("/" + id).payForm()
	_, foreign := v.get("/" + other).payForm()
	for name, change := range map[string]func(url.Values){
		"no key":             func(f url.Values) { f.Del("key") },
		"another link's key": func(f url.Values) { f.Set("key", foreign.Get("key")) },
		"an altered key":     func(f url.Values) { f.Set("key", "a"+f.Get("key")) },
		"too long":           func(f url.Values) { f.Set("x", strings.Repeat("x", 17<<10)) },
	} {
		again := url.Values{"key": {form.Get("key")}}
		filled(again, goodCard)
		change(again)
		if p := v.post(action, again); p.status != http.StatusForbidden {
			t.Errorf("%s: %d", name, p.status)
		}
	}
	v.header.Set("Sec-Fetch-Site", "cross-site")
	if p := v.post(action, filled(form, goodCard)); p.status != http.StatusForbidden {
		t.Errorf("another site's form: %d", p.status)
	}
	v.header.Del("Sec-Fetch-Site")
	r.clock.Advance(25 * 60 * minute)
	if p := v.post(action, filled(form, goodCard)); p.status != http.StatusForbidden {
		t.Errorf("yesterday's form: %d", p.status)
	}
	if n := len(r.payments()); n != 0 {
		t.Errorf("%d payments", n)
	}
}

// Addresses that are none of ours, or of another link's payment, show nothing.
func TestAddresses(t *testing.T) {
	r := newRig(t)
	id, other := r.link(), r.link()
	v := r.visitor()
	paid := v.pay(id, goodCard).location
	for _, path := range []string{"/checkout", "/checkout/pl/x", "/checkout/pl/" + id + "/a/b/c", paid + "x",
		strings.Replace(paid, id, other, 1), "/checkout/pl/" + id + "/x", paid + "/qr.svg", "/" + id + "/",
		"/pl_" + strings.Repeat("0", 32), "/checkout/pl/" + id + "/" + strings.Repeat("0", 36) + ".x"} {
		p := v.get(path)
		if p.status != http.StatusNotFound || p.title() != "There is no such page" ||
			strings.Contains(p.body, "12 345") {
			t.Errorf("%s: %d %s", path, p.status, p.title())
		}
	}
	for path, allow := range map[string]string{
		"/" + id: "GET, HEAD, POST", "/checkout/pl/" + id + "/state": "GET, HEAD",
	} {
		if p := v.do("PUT", path, nil); p.status != http.StatusMethodNotAllowed || p.header.Get("Allow") != allow {
			t.Errorf("%s: %d %s", path, p.status, p.header.Get("Allow"))
		}
	}
}

func TestTrouble(t *testing.T) {
	r := newRig(t)
	v := r.visitor()
	id := r.link()
	action, form := v.get("/" + id).payForm()
	r.bank.err = errors.New("the disk is full")
	if p := v.post(action, filled(form, goodCard)); p.status != http.StatusServiceUnavailable ||
		strings.Contains(p.body, "disk") {
		t.Errorf("%d", p.status)
	}
	r.bank.err = nil
	r.bank.no = reject.AcquirerMissing
	if p := v.post(action, filled(form, goodCard)); p.status != http.StatusServiceUnavailable {
		t.Errorf("without an acquirer: %d", p.status)
	}
	r.bank.no = ""
	v.post(action, filled(form, goodCard)).says("Paid") // the same form again
}

// A link that a payment session made: the payment carries the session and its order, and a sale is one.
func TestSession(t *testing.T) {
	for clearing, kind := range map[bool]payment.Kind{true: payment.Sale, false: payment.Auth} {
		r := newRig(t)
		id := r.link(func(f *link.Facts) {
			f.OrderReference, f.CreatedBy, f.AutoClearing = "", shopper.SessionMaker("s-1"), clearing
			f.Metadata = `{"successUrl":"https://shop.kz/ok","orderReference":"WC-17"}`
		})
		r.ok(r.store.CreateSession(t.Context(), shopper.Session{
			ID: "s-1", Merchant: r.shop, Link: id, CallbackURL: "https://shop.kz/callback",
			Terminal: "term_1",
		}, 1))
		v := r.visitor()
		v.get("/" + id).says("WC-17")
		v.pay(id, goodCard)
		f := r.bank.last.Facts
		if f.Session != "s-1" || f.OrderReference != "WC-17" || f.Kind != kind ||
			f.CallbackURL != "https://shop.kz/callback" || f.Terminal != "term_1" {
			t.Errorf("acquiring was asked %+v", f)
		}
	}
}

// A link that a merchant made: its payment has no session, and is told of where the link says.
func TestNoSession(t *testing.T) {
	r := newRig(t)
	id := r.link(func(f *link.Facts) {
		f.CreatedBy, f.Metadata = "key_1", `{"callbackUrl":"https://shop.kz/told"}`
	})
	r.visitor().pay(id, goodCard)
	if f := r.bank.last.Facts; f.Session != "" || f.CallbackURL != "https://shop.kz/told" {
		t.Errorf("acquiring was asked %+v", f)
	}
}

// A link is no way to find out which cards are good: ten tries in an hour.
func TestTries(t *testing.T) {
	r := newRig(t)
	id, other := r.link(), r.link()
	v := r.visitor()
	for range 10 {
		v.pay(id, declinedCard).says("The payment was declined")
	}
	p := v.pay(id, goodCard)
	if p.status != http.StatusTooManyRequests || p.header.Get("Retry-After") != "3600" {
		t.Errorf("the eleventh is answered %d", p.status)
	}
	v.pay(other, goodCard).says("Paid")
	r.clock.Advance(61 * minute)
	action, form := v.get("/" + id).payForm()
	for range 2 {
		v.post(action, filled(form, goodCard)).says("Paid")
	}
}

// The card is saved only where the link begins a series, and the payer reads what is agreed to.
func TestRecurring(t *testing.T) {
	r := newRig(t)
	id := r.link(func(f *link.Facts) {
		f.Recurring = `{"type":"cof_initial","frequency":30,"expiry":"2027-02-19T10:15:00Z"}`
	})
	v := r.visitor()
	v.get("/"+id).says("The card will be saved.", "Кофейня «Арай» may charge this card again",
		"At most once in 30 days. Until 19 Feb 2027")
	v.pay(id, goodCard).says("Paid")
	got := r.bank.last.Facts.Recurring
	if !r.bank.last.Store || got.Type != payment.Initial || got.Frequency != 30 || got.ExpiresAt == 0 {
		t.Errorf("%+v", r.bank.last.Facts.Recurring)
	}
}
