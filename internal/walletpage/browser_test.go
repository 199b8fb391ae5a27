package walletpage_test

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"plexy/internal/app"
	"plexy/internal/config"
	"plexy/internal/customer"
	"plexy/internal/pgtest"
)

// axe is axe-core 4.14.1 (testdata/axe), which finds what a person with other eyes or hands cannot use.
//
//go:embed testdata/axe/axe.min.js
var axe string

// browserLimit bounds one test in the browser; nothing in it waits for a time to pass.
const browserLimit = time.Minute

// site is the whole program in this process, with its sandbox's outbox, and a browser before it.
type site struct {
	*testing.T
	ctx     context.Context // of the browser's tab
	url     string
	key     string
	staff   *app.App
	phone   customer.Phone
	holder  app.Holder
	shots   string
	keyMade int
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

// onBothStores runs a test over SQLite and PostgreSQL.
func onBothStores(t *testing.T, test func(*site)) {
	path := chromium(t)
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			database := ""
			if name == "postgres" {
				database = pgtest.Database(t)
			}
			test(newSite(t, path, database))
		})
	}
}

func newSite(t *testing.T, browser, database string) *site {
	t.Helper()
	s := &site{T: t, shots: t.ArtifactDir()}
	environment := []string{"PLEXY_DATA=" + t.TempDir(), "PLEXY_LISTEN=127.0.0.1:0",
		"PLEXY_RATE_LIMIT=0"} // tests ask until it is there
	if database != "" {
		environment = append(environment, "PLEXY_DATABASE="+database)
	}
	cfg := must(config.Load(config.Input{Environ: environment}))(t)
	running := must(app.Start(t.Context(), cfg, app.Output{Log: io.Discard, Banner: io.Discard}))(t)
	t.Cleanup(func() { s.ok(running.Stop()) })
	s.url = "http://" + running.Address()
	s.staff = must(app.Open(t.Context(), cfg, app.Options{Actor: "tester"}))(t)
	t.Cleanup(func() { s.ok(s.staff.Close()) })
	s.key = must(s.staff.CreateMerchant(t.Context(), "Кофейня «Арай»", "test"))(t).APIKey
	iin, phone := customer.Example(7)
	s.phone, s.holder = phone, app.Holder{Phone: phone.Reveal(), IIN: iin.Reveal(), Currency: "KZT"}
	must(s.staff.Fund(t.Context(), app.Funding{Direction: app.TopUp, Holder: s.holder, Amount: 12_345_678}))(t)
	must(s.staff.SetApproval(t.Context(), s.holder, app.ApprovalMode{Mode: "owner"}, "test"))(t)
	s.browse(browser)
	return s
}

// browse starts a browser of its own with one tab.
func (s *site) browse(path string) {
	limited, cancel := context.WithTimeout(context.Background(), browserLimit)
	s.Cleanup(cancel)
	allocator, end := chromedp.NewExecAllocator(limited, chromedp.ExecPath(path),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("lang", "en"), chromedp.UserDataDir(s.TempDir()))
	s.Cleanup(end)
	tab, closed := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	s.Cleanup(closed)
	s.ctx = tab
	s.do(chromedp.Navigate("about:blank"))
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

// click presses what the selector names and waits for the page that follows.
func (s *site) click(selector string) {
	s.Helper()
	s.follow(chromedp.Click(chromedp.CSS(selector)))
}

// follow does something that leads to another page, and waits for that page.
func (s *site) follow(actions ...chromedp.Action[chromedp.Void]) {
	s.Helper()
	_, err := chromedp.RunResponse(s.ctx, actions...)
	s.ok(err)
}

// evaluate returns the value of an expression on the page.
func evaluate[T any](s *site, expression string, options ...chromedp.EvaluateOption) T {
	s.Helper()
	return must(chromedp.Run(s.ctx, chromedp.Evaluate[T](expression, options...)))(s)
}

// text is what the page shows, with plain spaces.
func (s *site) text() string {
	s.Helper()
	text := evaluate[string](s, "document.body.innerText")
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

// api asks the merchant's API and returns the answer's fields.
func (s *site) api(method, path, body string) map[string]any {
	s.Helper()
	request := must(http.NewRequestWithContext(s.Context(), method, s.url+path, strings.NewReader(body)))(s)
	request.Header.Set("Authorization", s.key)
	request.Header.Set("Content-Type", "application/json")
	s.keyMade++
	request.Header.Set("Idempotency-Key", fmt.Sprintf("%s-%d", s.Name(), s.keyMade))
	response := must(http.DefaultClient.Do(request))(s)
	defer response.Body.Close()
	var fields map[string]any
	s.ok(json.NewDecoder(response.Body).Decode(&fields))
	if response.StatusCode >= 300 {
		s.Fatalf("%s %s: %d %v", method, path, response.StatusCode, fields)
	}
	return fields
}

// authorize asks the owner for an amount and returns the transaction's id.
func (s *site) authorize(amount int, order string) string {
	s.Helper()
	made := s.api("POST", "/v1/wallet/authorize", fmt.Sprintf(
		`{"amount":%d,"phoneNumber":%q,"iin":%q,"orderReference":%q,"currency":"KZT"}`,
		amount, s.holder.Phone, s.holder.IIN, order))
	if made["walletTransactionStatus"] != "NEW" {
		s.Fatalf("authorize came to %v", made)
	}
	return made["walletTransactionId"].(string)
}

// status is the transaction's status and why it failed, as the merchant sees it.
func (s *site) status(id string) string {
	s.Helper()
	got := s.api("GET", "/v1/wallet/transaction/"+id, "")
	return fmt.Sprint(got["walletTransactionStatus"], " ", got["failureReason"])
}

// message waits for a message of a kind that is not among the seen ones, and returns its text.
func (s *site) message(kind string, seen map[string]bool) string {
	s.Helper()
	ticks := time.NewTicker(20 * time.Millisecond)
	defer ticks.Stop()
	for ; s.ctx.Err() == nil; <-ticks.C {
		for _, one := range s.api("GET", "/v1/sandbox/outbox?limit=100", "")["items"].([]any) {
			m := one.(map[string]any)
			if id := m["id"].(string); m["kind"] == kind && !seen[id] {
				seen[id] = true
				if m["to"] != s.phone.Masked() {
					s.Errorf("it went to %v", m["to"])
				}
				return m["text"].(string)
			}
		}
	}
	s.Fatalf("no message of kind %s came", kind)
	return ""
}

// logIn logs the owner in, as people do with a mouse.
func (s *site) logIn(seen map[string]bool) {
	s.Helper()
	s.do(chromedp.Navigate(s.url+"/wallet"), chromedp.SendKeys(chromedp.CSS("#phone"), "8 701 000 00 07"))
	s.click("main button")
	code := sixDigits.FindString(s.message("login_code", seen))
	s.do(chromedp.SendKeys(chromedp.CSS("#code"), code))
	s.click("main button")
	s.says("Your wallet", "123 456.78 ₸")
}

// answer is the selector of a button of one transaction.
func answer(action, transaction string) string {
	return `form[action="/wallet/` + action + `"]:has(input[value="` + transaction + `"]) button`
}

// The owner is told, logs in, approves one and declines another; the merchant sees SUCCESS and FAILED.
func TestBrowserApproveAndDecline(t *testing.T) {
	onBothStores(t, func(s *site) {
		seen := map[string]bool{}
		yes := s.authorize(15_000, "ORDER-YES")
		if told := s.message("approval_request", seen); !strings.Contains(told, "ORDER-YES") ||
			!strings.Contains(told, s.url+"/wallet") || !strings.Contains(told, "«Арай»") {
			s.Errorf("the owner was told: %s", told)
		}
		s.logIn(seen)
		s.says("Waits for your decision", "150.00 ₸", "ORDER-YES")
		no := s.authorize(7_000, "ORDER-NO")
		s.message("approval_request", seen)
		s.click(answer("approve", yes))
		s.says("Approved. The money is held for the shop.", "123 306.78 ₸", "ORDER-NO")
		if got := s.status(yes); got != "SUCCESS <nil>" {
			s.Errorf("the merchant sees %s", got)
		}
		s.follow(chromedp.Reload())
		s.click(answer("decline", no))
		s.says("Declined. Nothing was taken.", "Nothing waits for your decision", "123 306.78 ₸")
		if got := s.status(no); got != "FAILED declined_by_owner" {
			s.Errorf("the merchant sees %s", got)
		}
		s.click(`form[action="/wallet/log-out"] button`)
		s.says("You have logged out")
		s.follow(chromedp.NavigateBack())
		s.follow(chromedp.Reload()) // going back shows nothing: pages are not kept
		if text := s.text(); strings.Contains(text, "123 306.78") {
			s.Errorf("after the log-out the page shows: %s", text)
		}
	})
}

// focused describes what has the focus, and whether one can see that.
type focused struct {
	Name    string `json:"name"`
	Visible bool   `json:"visible"`
}

const focusScript = `(() => { const e = document.activeElement; const s = getComputedStyle(e);
	return {name: (e.id || e.closest('form')?.getAttribute('action') || e.innerText).trim(),
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

// typed waits until the field has the focus, as it has by itself where it is the page's point, and types over
// what is in it.
func (s *site) typed(field, text string) {
	s.Helper()
	focused := chromedp.Poll[bool]("document.activeElement.id === '" + field + "'")
	_, err := chromedp.Run(s.ctx, focused)
	for range 4 { // the browser may still be putting the new page in the old one's place
		if err == nil || !strings.Contains(err.Error(), "Cannot find context") {
			break
		}
		_, err = chromedp.Run(s.ctx, focused)
	}
	s.ok(err)
	s.do(chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.KeyEvent(text))
}

// Everything works with the keyboard alone, and one sees where one is.
func TestBrowserKeyboardOnly(t *testing.T) {
	s := newSite(t, chromium(t), "")
	seen := map[string]bool{}
	tx := s.authorize(15_000, "ORDER-KEYS")
	s.do(chromedp.Navigate(s.url + "/wallet"))
	s.typed("phone", "x")
	s.follow(chromedp.KeyEvent(kb.Enter)) // the field has the focus from the start
	s.says("There is a problem", "Error: Enter a phone number")
	s.tabTo("/wallet/log-in") // from the field, which has it again, to the button
	s.do(chromedp.Focus(chromedp.CSS("#phone")))
	s.typed("phone", "+7 701 000 00 07")
	s.follow(chromedp.KeyEvent(kb.Enter))
	s.typed("code", sixDigits.FindString(s.message("login_code", seen)))
	s.follow(chromedp.KeyEvent(kb.Enter))
	s.says("Your wallet", "ORDER-KEYS")
	s.tabTo("Skip to the content") // the first stop of a page
	s.tabTo("Plexy wallet")
	s.tabTo("/wallet/log-out")
	s.tabTo("/wallet/decline")
	s.tabTo("/wallet/approve")
	s.follow(chromedp.KeyEvent(kb.Enter))
	s.says("Approved.")
	if got := s.status(tx); got != "SUCCESS <nil>" {
		s.Errorf("the merchant sees %s", got)
	}
	s.tabTo("Whole statement")
	s.follow(chromedp.KeyEvent(kb.Enter))
	s.tabTo("q")
	s.typed("q", "keys")
	s.follow(chromedp.KeyEvent(kb.Enter))
	s.says("ORDER-KEYS")
	if text := s.text(); strings.Contains(text, "Topped up") {
		s.Errorf("the search shows all: %s", text)
	}
}

// view is one way to look at a page.
type view struct {
	name  string
	width int64
	dark  bool
}

var views = []view{
	{"360-light", 360, false}, {"360-dark", 360, true}, {"1280-light", 1280, false}, {"1280-dark", 1280, true},
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
// enough, and the picture shows something, dark where it should be.
func TestBrowserEveryPageInEveryView(t *testing.T) {
	s := newSite(t, chromium(t), "")
	seen := map[string]bool{}
	s.authorize(15_000, "ORDER-100045")
	pages := []struct {
		name string
		open func()
	}{
		{"login", func() { s.do(chromedp.Navigate(s.url + "/wallet?lang=en")) }},
		{"login-wrong", func() {
			s.do(chromedp.SendKeys(chromedp.CSS("#phone"), "1"))
			s.click("main button")
		}},
		{"code", func() {
			s.do(chromedp.Navigate(s.url+"/wallet"), chromedp.SendKeys(chromedp.CSS("#phone"), s.phone.Reveal()))
			s.click("main button")
		}},
		{"code-wrong", func() {
			s.do(chromedp.SendKeys(chromedp.CSS("#code"), "1"))
			s.click("main button")
		}},
		{"overview", func() {
			code := sixDigits.FindString(s.message("login_code", seen))
			s.do(chromedp.SendKeys(chromedp.CSS("#code"), code))
			s.click("main button")
		}},
		{"approved", func() { s.click(`form[action="/wallet/approve"] button`) }},
		{"overview-kk", func() { s.do(chromedp.Navigate(s.url + "/wallet?lang=kk")) }},
		{"overview-ru", func() { s.do(chromedp.Navigate(s.url + "/wallet?lang=ru")) }},
		{"statement", func() { s.do(chromedp.Navigate(s.url + "/wallet/statement?lang=en")) }},
		{"statement-wrong", func() { s.do(chromedp.Navigate(s.url + "/wallet/statement?from=x")) }},
		{"sorry", func() { s.do(chromedp.Navigate(s.url + "/wallet/nothing")) }},
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

// accessible runs axe on the page.
func (s *site) accessible(name string) {
	s.Helper()
	if !evaluate[bool](s, "typeof axe === 'object'") {
		evaluate[int](s, axe+"\n;0")
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

const sizeScript = `(() => { const touched = 'button, input:not([type=hidden]), nav a, .button';
	const small = [...document.querySelectorAll(touched)]
	.filter(e => e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML);
	return {wide: document.documentElement.scrollWidth, small: small}; })()`

// fits checks that nothing must be scrolled sideways and that what is touched has 44 pixels.
func (s *site) fits(name string, v view) {
	s.Helper()
	size := evaluate[struct {
		Wide  int64    `json:"wide"`
		Small []string `json:"small"`
	}](s, sizeScript)
	if size.Wide > v.width {
		s.Errorf("%s is %d pixels wide in a window of %d", name, size.Wide, v.width)
	}
	for _, small := range size.Small {
		s.Errorf("%s %s: too small to touch: %s", name, v.name, small)
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
