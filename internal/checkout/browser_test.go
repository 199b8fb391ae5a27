package checkout_test

import (
	"bytes"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	storagedomain "github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/uuid"
	qr "github.com/piglig/go-qr"

	"plexy/internal/app"
	"plexy/internal/clock"
	"plexy/internal/commit"
	"plexy/internal/config"
	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/pagetest"
	"plexy/internal/pgtest"
	"plexy/internal/storage"
)

// Test cards of the sandbox.
const (
	plainCard    = "4242424242424242" // any other card: succeeds without a question
	refusedCard  = "5105105105105100"
	askedCard    = "4111111111111111" // a code is typed
	visitedCard  = "4000000000001000" // the method's page first
	bothCard     = "5200000000001005" // the method's page, then a code
	rejectedCard = "4907639999990022" // by the issuer, without a question
)

// site is the whole program in this process, and a browser before it.
type site struct {
	*pagetest.Tab
	url   string
	staff *app.App
	shop  string
}

func newSite(t *testing.T, settings ...string) *site { return newSiteOn(t, "", settings...) }

// newSiteOn is a program with a browser before it.
func newSiteOn(t *testing.T, database string, settings ...string) *site {
	t.Helper()
	pagetest.Chromium(t)
	s := program(t, database, settings...)
	s.Tab = pagetest.Open(t)
	return s
}

// in is the same program before another tab.
func (s *site) in(tab *pagetest.Tab) *site {
	other := *s
	other.Tab = tab
	return &other
}

// program is the whole program, without a browser.
func program(t *testing.T, database string, settings ...string) *site {
	t.Helper()
	s := &site{Tab: &pagetest.Tab{T: t}}
	environment := []string{"PLEXY_DATA=" + t.TempDir(), "PLEXY_LISTEN=127.0.0.1:0"}
	if database != "" {
		environment = append(environment, "PLEXY_DATABASE="+database)
	}
	cfg := must(config.Load(config.Input{Environ: environment}))(t)
	running := must(app.Start(t.Context(), cfg, app.Output{Log: io.Discard, Banner: io.Discard}))(t)
	t.Cleanup(func() { s.OK(running.Stop()) })
	s.url = "http://" + running.Address()
	s.staff = must(app.Open(t.Context(), cfg, app.Options{Actor: "tester"}))(t)
	t.Cleanup(func() { s.OK(s.staff.Close()) })
	s.shop = must(s.staff.CreateMerchant(t.Context(), "Кофейня «Арай»", "test"))(t).MerchantID
	if len(settings) > 0 {
		must(s.staff.SetMerchant(t.Context(), s.shop, settings, "test"))(t)
	}
	return s
}

func (s *site) run(c machine.Command) {
	s.Helper()
	o, err := commit.RunOne(s.Context(), s.staff.Storage, clock.System{}, machine.Instruction{Command: c})
	s.OK(err)
	if o.Reason != "" {
		s.Fatalf("%T: %s", c, o.Reason)
	}
}

// link makes a link over 12 345.67 ₸ and returns its id.
func (s *site) link(changes ...func(*link.Facts)) string {
	s.Helper()
	id := uuid.Must(uuid.NewV7()).String()
	f := link.Facts{
		ID: "pl_" + strings.ReplaceAll(id, "-", ""), Merchant: s.shop, Currency: money.KZT, Amount: 1_234_567,
		OrderReference: "ORDER-" + id[len(id)-6:], Description: "Кофе в зёрнах, 2 кг", AutoClearing: true,
		Metadata: shopPages,
	}
	for _, change := range changes {
		change(&f)
	}
	s.run(machine.CreateLink{Facts: f, ExpiresAt: clock.System{}.Now() + 50*60*minute})
	return f.ID
}

// payments are those of a link, the newest first.
func (s *site) payments(link string) []payment.Payment {
	s.Helper()
	found, _, err := s.staff.Storage.Payments(s.Context(),
		storage.PaymentQuery{Merchant: s.shop, Link: link, Limit: 100})
	s.OK(err)
	return found
}

// one fails unless the link has one payment, of the status.
func (s *site) one(link string, status payment.Status) {
	s.Helper()
	if found := s.payments(link); len(found) != 1 || found[0].Status() != status {
		s.Errorf("the link has %d payments: %+v", len(found), found)
	}
}

func (s *site) open(link string) {
	s.Helper()
	s.Do(chromedp.Navigate(s.url + "/" + link))
}

// typed is what a payer types, field by field.
func typed(number string) [][2]string {
	return [][2]string{{"number", number}, {"expiry", "1229"}, {"cvv", "123"}, {"holder", "ARAY SERIK"}}
}

// fill types a card into the form.
func (s *site) fill(number string) {
	s.Helper()
	for _, field := range typed(number) {
		s.Do(chromedp.SendKeys(chromedp.CSS("#"+field[0]), field[1]))
	}
}

func (s *site) press() {
	s.Helper()
	s.Do(chromedp.Click(chromedp.CSS("#pay button")))
}

// answer types a code at the bank and sends it.
func (s *site) answer(code string) {
	s.Helper()
	s.Until("document.querySelector('#code')")
	s.Do(chromedp.SendKeys(chromedp.CSS("#code"), code), chromedp.KeyEvent(kb.Enter))
}

// Cards that succeed, are declined or rejected, with and without the bank's questions, on both stores.
func TestBrowserPays(t *testing.T) {
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			database := ""
			if name == "postgres" {
				database = pgtest.Database(t)
			}
			s := newSiteOn(t, database)
			for _, c := range []struct {
				name, number, code, heading string
				status                      payment.Status
				says                        []string
			}{
				{"plain", plainCard, "", "Paid", payment.StatusAuthorized,
					[]string{"Receipt", "12 345.67 ₸", "Visa •••• 4242"}},
				{"declined", refusedCard, "", "The payment was declined", payment.StatusRejected,
					[]string{"Only the bank can say why", "Nothing was taken"}},
				{"rejected", rejectedCard, "", "The payment was declined", payment.StatusRejected, nil},
				{"right code", askedCard, "555", "Paid", payment.StatusAuthorized, []string{"Visa •••• 1111"}},
				{"wrong code", askedCard, "111", "The payment was declined", payment.StatusRejected,
					[]string{"could not confirm that it is you"}},
				{"method", visitedCard, "", "Paid", payment.StatusAuthorized, nil},
				{"both", bothCard, "555", "Paid", payment.StatusAuthorized, []string{"Mastercard •••• 1005"}},
			} {
				link := s.link()
				s.open(link)
				s.fill(c.number)
				s.press()
				if c.code != "" {
					s.answer(c.code)
				}
				s.Arrive(c.heading)
				s.Says(c.says...)
				s.one(link, c.status)
				if c.name == "plain" || c.name == "declined" {
					s.back(link, c.status)
				}
			}
		})
	}
}

// back goes back after a payment, and reloads what comes: paid stays paid, declined may be tried again.
func (s *site) back(link string, status payment.Status) {
	s.Helper()
	here := pagetest.Evaluate[string](s.Tab, "location.href")
	s.Do(chromedp.NavigateBack())
	s.Do(chromedp.Reload())
	if status == payment.StatusAuthorized {
		s.Arrive("Already paid")
		s.Do(chromedp.Click(chromedp.CSS("main a.button")))
		s.Arrive("Paid")
	} else {
		s.Until("document.querySelector('#number')?.value === ''")
	}
	s.Do(chromedp.Navigate(here))
	s.Do(chromedp.Reload())
	s.one(link, status)
}

// A double click, and two whole sends of the same form, make one payment; a second tab is told.
func TestBrowserSendsOnce(t *testing.T) {
	s := newSite(t)
	double := s.link()
	s.open(double)
	s.fill(plainCard)
	s.Do(chromedp.DoubleClick(chromedp.CSS("#pay button")))
	s.Arrive("Paid")
	s.one(double, payment.StatusAuthorized)

	twice := s.link()
	s.open(twice)
	other := s.in(s.Beside())
	other.open(twice)
	other.fill(plainCard)
	s.fill(plainCard)
	pagetest.Evaluate[int](s.Tab, `(() => { const f = document.querySelector('#pay');
		HTMLFormElement.prototype.submit.call(f); HTMLFormElement.prototype.submit.call(f); return 1; })()`)
	s.Arrive("Paid")
	other.press()
	other.Arrive("Already paid")
	s.one(twice, payment.StatusAuthorized)
}

// A bank that decides later: the page says so, and shows the end by itself.
func TestBrowserSlowBank(t *testing.T) {
	s := newSite(t)
	link := s.link(func(f *link.Facts) { f.Amount = 8_800_011 }) // pending for 5 seconds, then approved
	s.open(link)
	s.fill(plainCard)
	s.press()
	s.Arrive("The bank has not answered yet")
	s.Says("Do not pay again", "88 000.11 ₸")
	other := s.in(s.Beside())
	other.open(link) // the same browser is led to its payment
	other.Arrive("The bank has not answered yet")
	s.Arrive("Paid")
	other.Arrive("Paid")
	s.one(link, payment.StatusAuthorized)
}

// The payer goes back from the bank's page: nothing drags the payer there again, another card may be tried,
// and a bank's answer that comes late in another tab changes nothing.
func TestBrowserLeavesTheBank(t *testing.T) {
	s := newSite(t)
	link := s.link()
	s.open(link)
	s.fill(askedCard)
	s.press()
	s.Until("document.querySelector('#code')")
	late := s.in(s.Beside())
	late.open(link) // the same browser is led to its payment, and on to the bank
	late.Until("document.querySelector('#code')")
	s.Do(chromedp.NavigateBack())
	s.Arrive("Confirm with your bank")
	s.Says("Кофейня «Арай»", "12 345.67 ₸")
	s.Do(chromedp.Reload())
	s.Arrive("Confirm with your bank")
	s.Do(chromedp.Click(chromedp.CSS("form:not([data-send]) button")))
	s.Until("document.querySelector('#number')?.value === ''")
	late.answer("555")
	late.Arrive("The payment was declined")
	late.Says("You stopped the payment")
	s.fill(plainCard)
	s.press()
	s.Arrive("Paid")
	if found := s.payments(link); len(found) != 2 || found[0].Status() != payment.StatusAuthorized ||
		found[1].Status() != payment.StatusRejected || found[1].Failure != reject.AuthenticationCancelled {
		t.Errorf("%d payments: %+v", len(found), found)
	}
}

// A receipt is printed on white and without what is for the screen, also by who reads in the dark.
func TestBrowserPrints(t *testing.T) {
	s := newSite(t)
	s.open(s.link())
	s.fill(plainCard)
	s.press()
	s.Arrive("Paid")
	must(chromedp.Call(s.Ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Media: "print", Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	}))(s)
	got := pagetest.Evaluate[string](s.Tab, `[getComputedStyle(document.body).backgroundColor,
		getComputedStyle(document.body).color, ...['.hero', '.top', '[data-print]'].map(
		e => document.querySelector(e).checkVisibility())].join(" ")`)
	if got != "rgb(255, 255, 255) rgb(0, 0, 0) true false false" {
		t.Errorf("on paper: %s", got)
	}
}

// What is typed is formatted and checked while it is typed, and a wrong form does not leave the browser.
func TestBrowserChecksWhatIsTyped(t *testing.T) {
	s := newSite(t)
	link := s.link()
	s.open(link)
	s.Do(chromedp.SendKeys(chromedp.CSS("#number"), "424242"))
	s.Until("document.querySelector('#brand').textContent === 'Visa'")
	s.Do(chromedp.SendKeys(chromedp.CSS("#number"), "4242424241"))
	s.Do(chromedp.SendKeys(chromedp.CSS("#expiry"), "729"))
	s.Until("document.querySelector('#number').value === '4242 4242 4242 4241'")
	s.Until("document.querySelector('#expiry').value === '07/29'")
	s.Says("Error: Check the card number")
	s.press()
	s.Until("document.activeElement.id === 'number'")
	s.Says("Error: Enter the 3 digits", "Error: Enter the name on the card")
	s.Do(chromedp.KeyEvent(kb.End), chromedp.KeyEvent(kb.Backspace), chromedp.KeyEvent("2"))
	s.Until("!document.querySelector('#number-error')")
	s.Do(chromedp.SendKeys(chromedp.CSS("#cvv"), "123"), chromedp.SendKeys(chromedp.CSS("#holder"), "ARAY"))
	if len(s.payments(link)) != 0 {
		t.Error("a wrong form was sent")
	}
	s.press()
	s.Arrive("Paid")
	s.one(link, payment.StatusAuthorized)
	amex := s.link()
	s.open(amex)
	s.Do(chromedp.SendKeys(chromedp.CSS("#number"), "378282246310005"))
	s.Until("document.querySelector('#number').value === '3782 822463 10005'")
	s.Until("document.querySelector('#brand').textContent === 'American Express'")
}

// Everything works with the keyboard alone, in the order of the page, and one sees where one is.
func TestBrowserKeyboardOnly(t *testing.T) {
	s := newSite(t)
	link := s.link()
	s.open(link)
	s.TabTo("Skip to the content")
	s.TabTo("Plexy")
	for _, field := range typed(askedCard) {
		s.TabTo(field[0])
		s.Do(chromedp.KeyEvent(field[1]))
	}
	s.Do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter)) // the button
	s.answer("555")
	s.Arrive("Paid")
	s.one(link, payment.StatusAuthorized)
	s.TabTo("Back to shop.kz")
	s.TabTo("Print")
}

// Without a script everything is there: the form, what is wrong with it, the bank's question by buttons.
func TestBrowserWithoutScripts(t *testing.T) {
	s := newSite(t)
	s.WithoutScripts()
	link := s.link()
	s.open(link)
	s.fill("4111111111111112")
	s.press()
	s.Until("document.querySelector('#number-error')")
	s.Says("There is a problem", "Check the card number")
	for field, want := range map[string]string{
		"number": "", "cvv": "", "expiry": "12/29", "holder": "ARAY SERIK",
	} {
		if got := pagetest.Evaluate[string](s.Tab, "document.querySelector('#"+field+"').value"); got != want {
			t.Errorf("the field %s has %q", field, got)
		}
	}
	s.Do(chromedp.SendKeys(chromedp.CSS("#number"), bothCard), chromedp.SendKeys(chromedp.CSS("#cvv"), "123"))
	s.press()
	s.Arrive("Contacting your bank")
	s.Do(chromedp.Click(chromedp.CSS("[data-after-visit] button")))
	s.Arrive("Confirm with your bank")
	s.Do(chromedp.Click(chromedp.CSS("[data-send] button")))
	s.answer("555")
	s.Until("document.querySelector('#back button')")
	s.Do(chromedp.Click(chromedp.CSS("#back button")))
	s.Arrive("Paid")
	s.Says("Receipt", "12 345.67 ₸")
	s.one(link, payment.StatusAuthorized)
}

// A page of another site shows the link in a frame, pays in it, and hears what happened; one that is not
// allowed shows nothing and hears nothing.
func TestBrowserInAFrame(t *testing.T) {
	frame := ""
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><title>shop</title><iframe src=%q width="400" height="900"
			sandbox="allow-forms allow-scripts allow-same-origin allow-popups"></iframe>
			<script>window.heard = [];
			addEventListener("message", e => heard.push(e.origin + " " + JSON.stringify(e.data)))</script>`, frame)
	}))
	t.Cleanup(shop.Close)
	origin := strings.Replace(shop.URL, "127.0.0.1", "localhost", 1) // another site than ours
	s := newSite(t, "frame_origins="+origin)
	link := s.link()
	frame = s.url + "/checkout/pl/" + link
	s.Do(chromedp.Navigate(origin))
	heard := func(state string) {
		s.Helper()
		s.Until(fmt.Sprintf(`heard.some(m => m.startsWith(%q) && m.includes('"state":"%s"') && m.includes(%q))`,
			s.url+" {", state, link))
	}
	heard("active")
	inside := s.in(s.Inside(s.url))
	card := map[string]string{"number": askedCard, "expiry": "12/29", "cvv": "123", "holder": "ARAY"}
	inside.put(card, "#pay button")
	heard("challenge")
	inside.Until("document.querySelector('#code')")
	pagetest.Evaluate[int](inside.Tab, "history.back(), 0") // there is no cookie that knows the payment
	inside.Arrive("Confirm with your bank")
	inside.put(nil, "form:not([data-send]) button")
	inside.Until("document.querySelector('#number')")
	inside.put(card, "#pay button")
	inside.Until("document.querySelector('#code')")
	inside.put(map[string]string{"code": "555"}, "button.main")
	inside.Arrive("Paid")
	heard("paid")
	if found := s.payments(link); len(found) != 2 || found[0].Status() != payment.StatusAuthorized ||
		found[1].Failure != reject.AuthenticationCancelled {
		t.Errorf("%d payments: %+v", len(found), found)
	}

	s.Do(chromedp.Navigate(shop.URL)) // the same page at an origin that is not allowed
	s.Until("document.querySelector('iframe') && document.readyState === 'complete'")
	if n := pagetest.Evaluate[int](s.Tab, "heard.length"); n != 0 {
		t.Errorf("a foreign page heard %d messages", n)
	}
}

// put fills fields and presses a button by the page's own means: keys go to the page around a frame.
func (s *site) put(values map[string]string, button string) {
	s.Helper()
	s.Until("document.readyState === 'complete'")
	for id, value := range values {
		pagetest.Evaluate[string](s.Tab, fmt.Sprintf("document.querySelector('#%s').value = %q", id, value))
	}
	pagetest.Evaluate[bool](s.Tab, fmt.Sprintf("document.querySelector(%q).click() === undefined", button))
}

// Every page in every view: axe finds nothing, nothing is wider than the window, what is touched is large
// enough, the amount is the largest thing, and the picture shows something, dark where it should be.
func TestBrowserEveryPageInEveryView(t *testing.T) {
	s := newSite(t)
	pay := func(number string) {
		s.open(s.link())
		s.fill(number)
		s.press()
	}
	paid, cancelled := s.link(), s.link()
	s.run(machine.CancelLink{Merchant: s.shop, ID: cancelled})
	long := s.link(func(f *link.Facts) {
		f.Amount, f.Description = 123_456_789_012, strings.Repeat("Кофе", 30)
		f.Recurring = `{"type":"cof_initial","frequency":30,"expiry":"2030-01-01T00:00:00Z"}`
	})
	slow := s.link(func(f *link.Facts) { f.Amount = 8_800_013 }) // pending for an hour
	pages := []struct {
		name string
		open func()
	}{
		{"form", func() { s.open(paid) }},
		{"form-kk", func() { s.open(paid + "?lang=kk") }},
		{"form-ru", func() { s.open(paid + "?lang=ru") }},
		{"form-long", func() { s.open(long + "?lang=en") }},
		{"form-qr", func() {
			s.open(paid + "?lang=en")
			s.Do(chromedp.Click(chromedp.CSS("details summary")))
			s.Until("document.querySelector('.qr').complete && document.querySelector('.qr').naturalWidth > 0")
			s.scanned(s.url + "/" + paid)
		}},
		{"form-wrong", func() { s.open(paid); s.press() }},
		{"paid", func() { s.open(paid); s.fill(plainCard); s.press(); s.Arrive("Paid") }},
		{"link-paid", func() { s.open(paid) }},
		{"link-cancelled", func() { s.open(cancelled) }},
		{"declined", func() { pay(refusedCard); s.Arrive("The payment was declined") }},
		{"sorry", func() { s.open("checkout/pl/none") }},
		{"waiting", func() {
			s.open(slow)
			s.fill(plainCard)
			s.press()
			s.Arrive("The bank has not answered yet")
		}},
		{"link-busy", func() {
			s.forget()
			s.open(slow)
			s.Arrive("A payment is under way")
		}},
		{"challenge", func() {
			pay(askedCard)
			s.Until("document.querySelector('#code')")
			s.Do(chromedp.NavigateBack())
			s.Arrive("Confirm with your bank")
		}},
	}
	for _, p := range pages {
		p.open()
		s.EveryView(p.name)
	}
}

// forget takes all cookies of ours, and what scripts of ours keep.
func (s *site) forget() {
	s.Helper()
	must(chromedp.Call(s.Ctx, storagedomain.ClearDataForOrigin, storagedomain.ClearDataForOriginParams{
		Origin: s.url, StorageTypes: "all",
	}))(s)
	pagetest.Evaluate[int](s.Tab, "sessionStorage.clear(), 0")
}

// scanned takes a picture of the QR code and reads it as a phone does.
func (s *site) scanned(want string) {
	s.Helper()
	taken := must(chromedp.Run(s.Ctx, chromedp.Screenshot(chromedp.CSS(".qr"))))(s)
	picture := must(png.Decode(bytes.NewReader(taken)))(s)
	if text := must(qr.Decode(picture))(s); text != want {
		s.Errorf("the QR code says %s", text)
	}
}
