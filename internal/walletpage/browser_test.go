package walletpage_test

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"plexy/internal/app"
	"plexy/internal/config"
	"plexy/internal/customer"
	"plexy/internal/pagetest"
	"plexy/internal/pgtest"
)

// site is the whole program in this process, with its sandbox's outbox, and a browser before it.
type site struct {
	*pagetest.Tab
	url     string
	key     string
	staff   *app.App
	phone   customer.Phone
	holder  app.Holder
	keyMade int
}

// onBothStores runs a test over SQLite and PostgreSQL.
func onBothStores(t *testing.T, test func(*site)) {
	pagetest.Chromium(t)
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			database := ""
			if name == "postgres" {
				database = pgtest.Database(t)
			}
			test(newSite(t, database))
		})
	}
}

func newSite(t *testing.T, database string) *site {
	t.Helper()
	s := &site{Tab: pagetest.Open(t)}
	environment := []string{"PLEXY_DATA=" + t.TempDir(), "PLEXY_LISTEN=127.0.0.1:0",
		"PLEXY_RATE_LIMIT=0"} // tests ask until it is there
	if database != "" {
		environment = append(environment, "PLEXY_DATABASE="+database)
	}
	cfg := must(config.Load(config.Input{Environ: environment}))(t)
	running := must(app.Start(t.Context(), cfg, app.Output{Log: io.Discard, Banner: io.Discard}))(t)
	t.Cleanup(func() { s.OK(running.Stop()) })
	s.url = "http://" + running.Address()
	s.staff = must(app.Open(t.Context(), cfg, app.Options{Actor: "tester"}))(t)
	t.Cleanup(func() { s.OK(s.staff.Close()) })
	s.key = must(s.staff.CreateMerchant(t.Context(), "Кофейня «Арай»", "test"))(t).APIKey
	iin, phone := customer.Example(7)
	s.phone, s.holder = phone, app.Holder{Phone: phone.Reveal(), IIN: iin.Reveal(), Currency: "KZT"}
	must(s.staff.Fund(t.Context(), app.Funding{Direction: app.TopUp, Holder: s.holder, Amount: 12_345_678}))(t)
	must(s.staff.SetApproval(t.Context(), s.holder, app.ApprovalMode{Mode: "owner"}, "test"))(t)
	return s
}

// click presses what the selector names and waits for the page that follows.
func (s *site) click(selector string) {
	s.Helper()
	s.follow(chromedp.Click(chromedp.CSS(selector)))
}

// follow does something that leads to another page, and waits for that page.
func (s *site) follow(actions ...chromedp.Action[chromedp.Void]) {
	s.Helper()
	_, err := chromedp.RunResponse(s.Ctx, actions...)
	s.OK(err)
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
	s.OK(json.NewDecoder(response.Body).Decode(&fields))
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
	for ; s.Ctx.Err() == nil; <-ticks.C {
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
	s.Do(chromedp.Navigate(s.url+"/wallet"), chromedp.SendKeys(chromedp.CSS("#phone"), "8 701 000 00 07"))
	s.click("main button")
	code := sixDigits.FindString(s.message("login_code", seen))
	s.Do(chromedp.SendKeys(chromedp.CSS("#code"), code))
	s.click("main button")
	s.Says("Your wallet", "123 456.78 ₸")
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
		s.Says("Waits for your decision", "150.00 ₸", "ORDER-YES")
		no := s.authorize(7_000, "ORDER-NO")
		s.message("approval_request", seen)
		s.click(answer("approve", yes))
		s.Says("Approved. The money is held for the shop.", "123 306.78 ₸", "ORDER-NO")
		if got := s.status(yes); got != "SUCCESS <nil>" {
			s.Errorf("the merchant sees %s", got)
		}
		s.follow(chromedp.Reload())
		s.click(answer("decline", no))
		s.Says("Declined. Nothing was taken.", "Nothing waits for your decision", "123 306.78 ₸")
		if got := s.status(no); got != "FAILED declined_by_owner" {
			s.Errorf("the merchant sees %s", got)
		}
		s.click(`form[action="/wallet/log-out"] button`)
		s.Says("You have logged out")
		s.follow(chromedp.NavigateBack())
		s.follow(chromedp.Reload()) // going back shows nothing: pages are not kept
		if text := s.Text(); strings.Contains(text, "123 306.78") {
			s.Errorf("after the log-out the page shows: %s", text)
		}
	})
}

// typed waits until the field has the focus, as it has by itself where it is the page's point, and types over
// what is in it.
func (s *site) typed(field, text string) {
	s.Helper()
	focused := chromedp.Poll[bool]("document.activeElement.id === '" + field + "'")
	_, err := chromedp.Run(s.Ctx, focused)
	for range 4 { // the browser may still be putting the new page in the old one's place
		if err == nil || !strings.Contains(err.Error(), "Cannot find context") {
			break
		}
		_, err = chromedp.Run(s.Ctx, focused)
	}
	s.OK(err)
	s.Do(chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)), chromedp.KeyEvent(text))
}

// Everything works with the keyboard alone, and one sees where one is.
func TestBrowserKeyboardOnly(t *testing.T) {
	s := newSite(t, "")
	seen := map[string]bool{}
	tx := s.authorize(15_000, "ORDER-KEYS")
	s.Do(chromedp.Navigate(s.url + "/wallet"))
	s.typed("phone", "x")
	s.follow(chromedp.KeyEvent(kb.Enter)) // the field has the focus from the start
	s.Says("There is a problem", "Error: Enter a phone number")
	s.TabTo("/wallet/log-in") // from the field, which has it again, to the button
	s.Do(chromedp.Focus(chromedp.CSS("#phone")))
	s.typed("phone", "+7 701 000 00 07")
	s.follow(chromedp.KeyEvent(kb.Enter))
	s.typed("code", sixDigits.FindString(s.message("login_code", seen)))
	s.follow(chromedp.KeyEvent(kb.Enter))
	s.Says("Your wallet", "ORDER-KEYS")
	s.TabTo("Skip to the content") // the first stop of a page
	s.TabTo("Plexy wallet")
	s.TabTo("/wallet/log-out")
	s.TabTo("/wallet/decline")
	s.TabTo("/wallet/approve")
	s.follow(chromedp.KeyEvent(kb.Enter))
	s.Says("Approved.")
	if got := s.status(tx); got != "SUCCESS <nil>" {
		s.Errorf("the merchant sees %s", got)
	}
	s.TabTo("Whole statement")
	s.follow(chromedp.KeyEvent(kb.Enter))
	s.TabTo("q")
	s.typed("q", "keys")
	s.follow(chromedp.KeyEvent(kb.Enter))
	s.Says("ORDER-KEYS")
	if text := s.Text(); strings.Contains(text, "Topped up") {
		s.Errorf("the search shows all: %s", text)
	}
}

// Every page in every view: axe finds nothing, nothing is wider than the window, what is touched is large
// enough, and the picture shows something, dark where it should be.
func TestBrowserEveryPageInEveryView(t *testing.T) {
	s := newSite(t, "")
	seen := map[string]bool{}
	s.authorize(15_000, "ORDER-100045")
	pages := []struct {
		name string
		open func()
	}{
		{"login", func() { s.Do(chromedp.Navigate(s.url + "/wallet?lang=en")) }},
		{"login-wrong", func() {
			s.Do(chromedp.SendKeys(chromedp.CSS("#phone"), "1"))
			s.click("main button")
		}},
		{"code", func() {
			s.Do(chromedp.Navigate(s.url+"/wallet"), chromedp.SendKeys(chromedp.CSS("#phone"), s.phone.Reveal()))
			s.click("main button")
		}},
		{"code-wrong", func() {
			s.Do(chromedp.SendKeys(chromedp.CSS("#code"), "1"))
			s.click("main button")
		}},
		{"overview", func() {
			code := sixDigits.FindString(s.message("login_code", seen))
			s.Do(chromedp.SendKeys(chromedp.CSS("#code"), code))
			s.click("main button")
		}},
		{"approved", func() { s.click(`form[action="/wallet/approve"] button`) }},
		{"overview-kk", func() { s.Do(chromedp.Navigate(s.url + "/wallet?lang=kk")) }},
		{"overview-ru", func() { s.Do(chromedp.Navigate(s.url + "/wallet?lang=ru")) }},
		{"statement", func() { s.Do(chromedp.Navigate(s.url + "/wallet/statement?lang=en")) }},
		{"statement-wrong", func() { s.Do(chromedp.Navigate(s.url + "/wallet/statement?from=x")) }},
		{"sorry", func() { s.Do(chromedp.Navigate(s.url + "/wallet/nothing")) }},
	}
	for _, p := range pages {
		p.open()
		s.EveryView(p.name)
	}
}
