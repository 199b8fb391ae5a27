package checkout_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	"plexy/internal/pgtest"
	"plexy/internal/storage"
)

// axeFile is axe-core, which finds what a person with other eyes or hands cannot use.
const axeFile = "../walletpage/testdata/axe/axe.min.js"

// browserLimit bounds one test in the browser; nothing in it waits for a time to pass.
const browserLimit = 2 * time.Minute

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
	*testing.T
	ctx    context.Context // of the browser's tab
	url    string
	staff  *app.App
	shop   string
	shots  string
	browse context.Context // of the browser
}

// chromium finds the browser. In CI it must be there.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("there is no Chromium; make test installs it as root on Debian")
	}
	t.Skip("there is no Chromium; install the package chromium to test the pages in a browser")
	return ""
}

func newSite(t *testing.T, settings ...string) *site { return newSiteOn(t, "", settings...) }

// newSiteOn is a program with a browser before it.
func newSiteOn(t *testing.T, database string, settings ...string) *site {
	t.Helper()
	path := chromium(t)
	s := program(t, database, settings...)
	s.shots = t.ArtifactDir()
	limited, cancel := context.WithTimeout(context.Background(), browserLimit)
	t.Cleanup(cancel)
	allocator, end := chromedp.NewExecAllocator(limited, chromedp.ExecPath(path),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("lang", "en"), chromedp.UserDataDir(t.TempDir()))
	t.Cleanup(end)
	tab, closed := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(closed)
	s.ctx, s.browse = tab, tab
	s.do(chromedp.Navigate("about:blank"))
	return s
}

// program is the whole program, without a browser.
func program(t *testing.T, database string, settings ...string) *site {
	t.Helper()
	s := &site{T: t}
	environment := []string{"PLEXY_DATA=" + t.TempDir(), "PLEXY_LISTEN=127.0.0.1:0"}
	if database != "" {
		environment = append(environment, "PLEXY_DATABASE="+database)
	}
	cfg := must(config.Load(config.Input{Environ: environment}))(t)
	running := must(app.Start(t.Context(), cfg, app.Output{Log: io.Discard, Banner: io.Discard}))(t)
	t.Cleanup(func() { s.ok(running.Stop()) })
	s.url = "http://" + running.Address()
	s.staff = must(app.Open(t.Context(), cfg, app.Options{Actor: "tester"}))(t)
	t.Cleanup(func() { s.ok(s.staff.Close()) })
	s.shop = must(s.staff.CreateMerchant(t.Context(), "Кофейня «Арай»", "test"))(t).MerchantID
	if len(settings) > 0 {
		must(s.staff.SetMerchant(t.Context(), s.shop, settings, "test"))(t)
	}
	return s
}

// tab opens another tab of the same browser.
func (s *site) tab() *site {
	s.Helper()
	other := *s
	tab, closed := chromedp.NewContext(s.browse)
	s.Cleanup(closed)
	other.ctx = tab
	other.do(chromedp.Navigate("about:blank"))
	return &other
}

func (s *site) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) do(actions ...chromedp.Action[chromedp.Void]) {
	s.Helper()
	s.ok(chromedp.Do(s.ctx, actions...))
}

func (s *site) run(c machine.Command) {
	s.Helper()
	o, err := commit.RunOne(s.Context(), s.staff.Storage, clock.System{}, machine.Instruction{Command: c})
	s.ok(err)
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
	s.ok(err)
	return found
}

// one fails unless the link has one payment, of the status.
func (s *site) one(link string, status payment.Status) {
	s.Helper()
	if found := s.payments(link); len(found) != 1 || found[0].Status() != status {
		s.Errorf("the link has %d payments: %+v", len(found), found)
	}
}

// evaluate returns the value of an expression on the page.
func evaluate[T any](s *site, expression string, options ...chromedp.EvaluateOption) T {
	s.Helper()
	return must(chromedp.Run(s.ctx, chromedp.Evaluate[T](expression, options...)))(s)
}

// until waits until an expression on the page is true, whichever page that is by then.
func (s *site) until(expression string) {
	s.Helper()
	for s.ctx.Err() == nil {
		found, err := chromedp.Run(s.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && found {
			return
		}
	}
	s.Fatalf("%s never came true:\n%s", expression, s.text())
}

// arrive waits for the page with the heading.
func (s *site) arrive(heading string) {
	s.Helper()
	s.until(fmt.Sprintf("document.readyState === 'complete' && document.querySelector('h1')?.innerText === %q",
		heading))
}

// text is what the page shows, with plain spaces.
func (s *site) text() string {
	s.Helper()
	text, err := chromedp.Run(s.ctx, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(text)
}

func (s *site) says(want ...string) {
	s.Helper()
	text := s.text()
	for _, w := range want {
		if !strings.Contains(text, w) {
			s.Fatalf("the page does not say %q:\n%s", w, text)
		}
	}
}

func (s *site) open(link string) {
	s.Helper()
	s.do(chromedp.Navigate(s.url + "/" + link))
}

// typed is what a payer types, field by field.
func typed(number string) [][2]string {
	return [][2]string{{"number", number}, {"expiry", "1229"}, {"cvv", "123"}, {"holder", "ARAY SERIK"}}
}

// fill types a card into the form.
func (s *site) fill(number string) {
	s.Helper()
	for _, field := range typed(number) {
		s.do(chromedp.SendKeys(chromedp.CSS("#"+field[0]), field[1]))
	}
}

func (s *site) press() {
	s.Helper()
	s.do(chromedp.Click(chromedp.CSS("#pay button")))
}

// answer types a code at the bank and sends it.
func (s *site) answer(code string) {
	s.Helper()
	s.until("document.querySelector('#code')")
	s.do(chromedp.SendKeys(chromedp.CSS("#code"), code), chromedp.KeyEvent(kb.Enter))
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
				s.arrive(c.heading)
				s.says(c.says...)
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
	here := evaluate[string](s, "location.href")
	s.do(chromedp.NavigateBack())
	s.do(chromedp.Reload())
	if status == payment.StatusAuthorized {
		s.arrive("Already paid")
		s.do(chromedp.Click(chromedp.CSS("main a.button")))
		s.arrive("Paid")
	} else {
		s.until("document.querySelector('#number')?.value === ''")
	}
	s.do(chromedp.Navigate(here))
	s.do(chromedp.Reload())
	s.one(link, status)
}

// A double click, and two whole sends of the same form, make one payment; a second tab is told.
func TestBrowserSendsOnce(t *testing.T) {
	s := newSite(t)
	double := s.link()
	s.open(double)
	s.fill(plainCard)
	s.do(chromedp.DoubleClick(chromedp.CSS("#pay button")))
	s.arrive("Paid")
	s.one(double, payment.StatusAuthorized)

	twice := s.link()
	s.open(twice)
	other := s.tab()
	other.open(twice)
	other.fill(plainCard)
	s.fill(plainCard)
	evaluate[int](s, `(() => { const f = document.querySelector('#pay');
		HTMLFormElement.prototype.submit.call(f); HTMLFormElement.prototype.submit.call(f); return 1; })()`)
	s.arrive("Paid")
	other.press()
	other.arrive("Already paid")
	s.one(twice, payment.StatusAuthorized)
}

// A bank that decides later: the page says so, and shows the end by itself.
func TestBrowserSlowBank(t *testing.T) {
	s := newSite(t)
	link := s.link(func(f *link.Facts) { f.Amount = 8_800_011 }) // pending for 5 seconds, then approved
	s.open(link)
	s.fill(plainCard)
	s.press()
	s.arrive("The bank has not answered yet")
	s.says("Do not pay again", "88 000.11 ₸")
	other := s.tab()
	other.open(link) // the same browser is led to its payment
	other.arrive("The bank has not answered yet")
	s.arrive("Paid")
	other.arrive("Paid")
	s.one(link, payment.StatusAuthorized)
}

// The payer goes back from the bank's page: nothing drags the payer there again, another card may be tried, and
// a bank's answer that comes late in another tab changes nothing.
func TestBrowserLeavesTheBank(t *testing.T) {
	s := newSite(t)
	link := s.link()
	s.open(link)
	s.fill(askedCard)
	s.press()
	s.until("document.querySelector('#code')")
	late := s.tab()
	late.open(link) // the same browser is led to its payment, and on to the bank
	late.until("document.querySelector('#code')")
	s.do(chromedp.NavigateBack())
	s.arrive("Confirm with your bank")
	s.says("Кофейня «Арай»", "12 345.67 ₸")
	s.do(chromedp.Reload())
	s.arrive("Confirm with your bank")
	s.do(chromedp.Click(chromedp.CSS("form:not([data-send]) button")))
	s.until("document.querySelector('#number')?.value === ''")
	late.answer("555")
	late.arrive("The payment was declined")
	late.says("You stopped the payment")
	s.fill(plainCard)
	s.press()
	s.arrive("Paid")
	if found := s.payments(link); len(found) != 2 || found[0].Status() != payment.StatusAuthorized ||
		found[1].Status() != payment.StatusRejected || found[1].Failure != reject.AuthenticationCancelled {
		t.Errorf("%d payments: %+v", len(found), found)
	}
}

// What is typed is formatted and checked while it is typed, and a wrong form does not leave the browser.
func TestBrowserChecksWhatIsTyped(t *testing.T) {
	s := newSite(t)
	link := s.link()
	s.open(link)
	s.do(chromedp.SendKeys(chromedp.CSS("#number"), "424242"))
	s.until("document.querySelector('#brand').textContent === 'Visa'")
	s.do(chromedp.SendKeys(chromedp.CSS("#number"), "4242424241"))
	s.do(chromedp.SendKeys(chromedp.CSS("#expiry"), "729"))
	s.until("document.querySelector('#number').value === '4242 4242 4242 4241'")
	s.until("document.querySelector('#expiry').value === '07/29'")
	s.says("Error: Check the card number")
	s.press()
	s.until("document.activeElement.id === 'number'")
	s.says("Error: Enter the 3 digits", "Error: Enter the name on the card")
	s.do(chromedp.KeyEvent(kb.End), chromedp.KeyEvent(kb.Backspace), chromedp.KeyEvent("2"))
	s.until("!document.querySelector('#number-error')")
	s.do(chromedp.SendKeys(chromedp.CSS("#cvv"), "123"), chromedp.SendKeys(chromedp.CSS("#holder"), "ARAY"))
	if len(s.payments(link)) != 0 {
		t.Error("a wrong form was sent")
	}
	s.press()
	s.arrive("Paid")
	s.one(link, payment.StatusAuthorized)
	amex := s.link()
	s.open(amex)
	s.do(chromedp.SendKeys(chromedp.CSS("#number"), "378282246310005"))
	s.until("document.querySelector('#number').value === '3782 822463 10005'")
	s.until("document.querySelector('#brand').textContent === 'American Express'")
}

// focused describes what has the focus, and whether one can see that.
type focused struct {
	Name    string `json:"name"`
	Visible bool   `json:"visible"`
}

const focusScript = `(() => { const e = document.activeElement; const s = getComputedStyle(e);
	return {name: (e.id || e.innerText || '').trim(),
		visible: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2}; })()`

// tabTo presses Tab until the focus is on the named element; every stop on the way must be seen.
func (s *site) tabTo(name string) {
	s.Helper()
	for range 40 {
		s.do(chromedp.KeyEvent(kb.Tab))
		f := evaluate[focused](s, focusScript)
		if !f.Visible {
			s.Errorf("the focus on %q cannot be seen", f.Name)
		}
		if f.Name == name {
			return
		}
	}
	s.Fatalf("the keyboard does not reach %q:\n%s", name, s.text())
}

// Everything works with the keyboard alone, in the order of the page, and one sees where one is.
func TestBrowserKeyboardOnly(t *testing.T) {
	s := newSite(t)
	link := s.link()
	s.open(link)
	s.tabTo("Skip to the content")
	s.tabTo("Plexy checkout")
	for _, field := range typed(askedCard) {
		s.tabTo(field[0])
		s.do(chromedp.KeyEvent(field[1]))
	}
	s.do(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter)) // the button
	s.answer("555")
	s.arrive("Paid")
	s.one(link, payment.StatusAuthorized)
	s.tabTo("Back to shop.kz")
	s.tabTo("Print")
}

// Without a script everything is there: the form, what is wrong with it, the bank's question by buttons.
func TestBrowserWithoutScripts(t *testing.T) {
	s := newSite(t)
	must(chromedp.Call(s.ctx, emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: true}))(t)
	link := s.link()
	s.open(link)
	s.fill("4111111111111112")
	s.press()
	s.until("document.querySelector('#number-error')")
	s.says("There is a problem", "Check the card number")
	for field, want := range map[string]string{
		"number": "", "cvv": "", "expiry": "12/29", "holder": "ARAY SERIK",
	} {
		if got := evaluate[string](s, "document.querySelector('#"+field+"').value"); got != want {
			t.Errorf("the field %s has %q", field, got)
		}
	}
	s.do(chromedp.SendKeys(chromedp.CSS("#number"), bothCard), chromedp.SendKeys(chromedp.CSS("#cvv"), "123"))
	s.press()
	s.arrive("Contacting your bank")
	s.do(chromedp.Click(chromedp.CSS("[data-after-visit] button")))
	s.arrive("Confirm with your bank")
	s.do(chromedp.Click(chromedp.CSS("[data-send] button")))
	s.answer("555")
	s.until("document.querySelector('#back button')")
	s.do(chromedp.Click(chromedp.CSS("#back button")))
	s.arrive("Paid")
	s.says("Receipt", "12 345.67 ₸")
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
	s.do(chromedp.Navigate(origin))
	heard := func(state string) {
		s.Helper()
		s.until(fmt.Sprintf(`heard.some(m => m.startsWith(%q) && m.includes('"state":"%s"') && m.includes(%q))`,
			s.url+" {", state, link))
	}
	heard("active")
	inside := s.inside()
	card := map[string]string{"number": askedCard, "expiry": "12/29", "cvv": "123", "holder": "ARAY"}
	inside.put(card, "#pay button")
	heard("challenge")
	inside.until("document.querySelector('#code')")
	evaluate[int](inside, "history.back(), 0") // there is no cookie that knows the payment
	inside.arrive("Confirm with your bank")
	inside.put(nil, "form:not([data-send]) button")
	inside.until("document.querySelector('#number')")
	inside.put(card, "#pay button")
	inside.until("document.querySelector('#code')")
	inside.put(map[string]string{"code": "555"}, "button.main")
	inside.arrive("Paid")
	heard("paid")
	if found := s.payments(link); len(found) != 2 || found[0].Status() != payment.StatusAuthorized ||
		found[1].Failure != reject.AuthenticationCancelled {
		t.Errorf("%d payments: %+v", len(found), found)
	}

	s.do(chromedp.Navigate(shop.URL)) // the same page at an origin that is not allowed
	s.until("document.querySelector('iframe') && document.readyState === 'complete'")
	if n := evaluate[int](s, "heard.length"); n != 0 {
		t.Errorf("a foreign page heard %d messages", n)
	}
}

// inside is the frame of ours on the page, which is of another site and therefore a tab of its own.
func (s *site) inside() *site {
	s.Helper()
	other := *s
	for s.ctx.Err() == nil {
		for _, t := range must(chromedp.Targets(s.ctx))(s) {
			if t.Type == "iframe" && strings.HasPrefix(t.URL, s.url) {
				frame, closed := chromedp.NewContext(s.ctx, chromedp.WithTargetID(t.TargetID))
				s.Cleanup(closed)
				other.ctx = frame
				return &other
			}
		}
	}
	s.Fatal("there is no frame")
	return nil
}

// put fills fields and presses a button by the page's own means: keys go to the page around a frame.
func (s *site) put(values map[string]string, button string) {
	s.Helper()
	s.until("document.readyState === 'complete'")
	for id, value := range values {
		evaluate[string](s, fmt.Sprintf("document.querySelector('#%s').value = %q", id, value))
	}
	evaluate[bool](s, fmt.Sprintf("document.querySelector(%q).click() === undefined", button))
}

// view is one way to look at a page.
type view struct {
	name  string
	width int64
	dark  bool
}

var views = []view{
	{"320-light", 320, false}, {"360-light", 360, false}, {"360-dark", 360, true}, {"1280-light", 1280, false}, {"1280-dark", 1280, true},
}

// look sets the size and the colours of the window.
func (s *site) look(v view) {
	s.Helper()
	scheme := "light"
	if v.dark {
		scheme = "dark"
	}
	must(chromedp.Call(s.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: v.width, Height: 800, DeviceScaleFactor: 1, Mobile: v.width < 500,
	}))(s)
	must(chromedp.Call(s.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		},
	}))(s)
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
			s.do(chromedp.Click(chromedp.CSS("details summary")))
			s.until("document.querySelector('.qr').complete && document.querySelector('.qr').naturalWidth > 0")
			s.scanned(s.url + "/" + paid)
		}},
		{"form-wrong", func() { s.open(paid); s.press() }},
		{"paid", func() { s.open(paid); s.fill(plainCard); s.press(); s.arrive("Paid") }},
		{"link-paid", func() { s.open(paid) }},
		{"link-cancelled", func() { s.open(cancelled) }},
		{"declined", func() { pay(refusedCard); s.arrive("The payment was declined") }},
		{"sorry", func() { s.open("checkout/pl/none") }},
		{"waiting", func() {
			s.open(slow)
			s.fill(plainCard)
			s.press()
			s.arrive("The bank has not answered yet")
		}},
		{"link-busy", func() {
			s.forget()
			s.open(slow)
			s.arrive("A payment is under way")
		}},
		{"challenge", func() {
			pay(askedCard)
			s.until("document.querySelector('#code')")
			s.do(chromedp.NavigateBack())
			s.arrive("Confirm with your bank")
		}},
		{"acs-text", func() { pay(askedCard); s.until("document.querySelector('#code')") }},
		{"acs-multi", func() { pay("5440382741349178"); s.until("document.querySelector('.choice')") }},
		{"acs-app", func() { pay("4200000000000000"); s.until("document.querySelector('button[value=\"555\"]')") }},
	}
	for _, p := range pages {
		p.open()
		var light float64
		for _, v := range views {
			s.look(v)
			s.accessible(p.name + " " + v.name)
			s.fits(p.name, v)
			brightness := s.shoot(p.name, v)
			if !v.dark {
				light = brightness
			} else if brightness > light/2 {
				s.Errorf("%s %s is not dark: %.2f against %.2f", p.name, v.name, brightness, light)
			}
		}
	}
}

// forget takes all cookies of ours, and what scripts of ours keep.
func (s *site) forget() {
	s.Helper()
	must(chromedp.Call(s.ctx, storagedomain.ClearDataForOrigin, storagedomain.ClearDataForOriginParams{
		Origin: s.url, StorageTypes: "all",
	}))(s)
	evaluate[int](s, "sessionStorage.clear(), 0")
}

// scanned takes a picture of the QR code and reads it as a phone does.
func (s *site) scanned(want string) {
	s.Helper()
	taken := must(chromedp.Run(s.ctx, chromedp.Screenshot(chromedp.CSS(".qr"))))(s)
	picture := must(png.Decode(bytes.NewReader(taken)))(s)
	if text := must(qr.Decode(picture))(s); text != want {
		s.Errorf("the QR code says %s", text)
	}
}

// accessible runs axe on the page.
func (s *site) accessible(name string) {
	s.Helper()
	if !evaluate[bool](s, "typeof axe === 'object'") {
		evaluate[int](s, string(must(os.ReadFile(axeFile))(s))+"\n;0")
	}
	found := evaluate[struct {
		Rules      int `json:"rules"`
		Violations []struct {
			ID    string `json:"id"`
			Help  string `json:"help"`
			Nodes []struct {
				HTML string `json:"html"`
				Why  string `json:"failureSummary"`
			} `json:"nodes"`
		} `json:"violations"`
	}](s, "axe.run().then(r => ({rules: r.passes.length, violations: r.violations}))", chromedp.EvalAwaitPromise)
	if found.Rules < 10 {
		s.Errorf("%s: axe applied %d rules; it did not look", name, found.Rules)
	}
	for _, v := range found.Violations {
		s.Errorf("%s: %s (%s): %+v", name, v.ID, v.Help, v.Nodes)
	}
}

const sizeScript = `(() => { const touched = 'button, input:not([type=hidden]):not(label input), ' +
	'label:has(input), nav a, .button, summary';
	const small = [...document.querySelectorAll(touched)]
	.filter(e => !e.hidden && e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML);
	const size = e => parseFloat(getComputedStyle(e).fontSize);
	const hero = document.querySelector('.hero');
	const larger = hero ? [...document.querySelectorAll('main *')]
	.filter(e => e !== hero && size(e) >= size(hero)).map(e => e.outerHTML) : [];
	return {wide: document.documentElement.scrollWidth, small: small, larger: larger}; })()`

// fits checks that nothing must be scrolled sideways, that what is touched has 44 pixels, and that nothing is
// as large as the amount.
func (s *site) fits(name string, v view) {
	s.Helper()
	size := evaluate[struct {
		Wide   int64    `json:"wide"`
		Small  []string `json:"small"`
		Larger []string `json:"larger"`
	}](s, sizeScript)
	if size.Wide > v.width {
		s.Errorf("%s is %d pixels wide in a window of %d", name, size.Wide, v.width)
	}
	for _, small := range size.Small {
		s.Errorf("%s %s: too small to touch: %s", name, v.name, small)
	}
	for _, larger := range size.Larger {
		s.Errorf("%s %s: larger than the amount: %s", name, v.name, larger)
	}
}

// shoot takes a picture, keeps it among the test's artifacts, checks that it shows something of the right
// size, and returns how bright it is, from 0 to 1.
func (s *site) shoot(name string, v view) float64 {
	s.Helper()
	taken := must(chromedp.Run(s.ctx, chromedp.FullScreenshot(100)))(s)
	s.ok(os.WriteFile(filepath.Join(s.shots, name+"-"+v.name+".png"), taken, 0o644))
	picture := must(png.Decode(bytes.NewReader(taken)))(s)
	size := picture.Bounds()
	if int64(size.Dx()) != v.width || size.Dy() < 300 {
		s.Errorf("%s %s: the picture has %v", name, v.name, size)
	}
	colours, bright := histogram(picture)
	if colours < 20 {
		s.Errorf("%s %s: the picture has %d colours: there is no text on it", name, v.name, colours)
	}
	return bright
}

// histogram counts the colours of a picture and says how bright it is on average.
func histogram(picture image.Image) (colours int, bright float64) {
	seen := map[[3]uint32]bool{}
	size := picture.Bounds()
	for y := size.Min.Y; y < size.Max.Y; y++ {
		for x := size.Min.X; x < size.Max.X; x++ {
			r, g, b, _ := picture.At(x, y).RGBA()
			seen[[3]uint32{r, g, b}] = true
			bright += float64(r+g+b) / (3 * 0xffff)
		}
	}
	return len(seen), bright / float64(size.Dx()*size.Dy())
}
