package acs_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"plexy/internal/card"
	"plexy/internal/clock"
	"plexy/internal/connector"
	"plexy/internal/connector/sandbox"
	"plexy/internal/connector/sandbox/acs"
	"plexy/internal/core/money"
	"plexy/internal/locale"
	"plexy/internal/storage/memory"
)

const id = "01936f00-0000-7000-8000-000000000001"

// rig is the pages with the bank behind them, and the shop that they return to.
type rig struct {
	*testing.T
	bank *sandbox.Acquirer
	shop string
}

func newRig(t *testing.T, address, shop string) rig {
	t.Helper()
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC).UnixMicro()
	return rig{t, sandbox.New(sandbox.Options{Books: memory.New(), Clock: clock.NewManual(at),
		Key: []byte("a key of thirty-two bytes, or so"), Address: address + acs.Path}), shop}
}

// start begins an authentication with a card.
func (r rig) start(digits string) connector.Step {
	r.Helper()
	number, err := card.ParseNumber(digits)
	if err != nil {
		r.Fatal(err)
	}
	return r.bank.Start(r.Context(), connector.Authentication{
		Order: connector.Order{Operation: id, Payment: id, Merchant: "mer_1", At: 1, Amount: 1_234_567,
			Currency: money.KZT, Acceptor: connector.Acceptor{Name: "Shop <b>&"}},
		Card:         card.Card{Number: number, Expiry: card.Expiry{Month: 12, Year: 2029}},
		Notification: r.shop + "/back", MethodReturn: r.shop + "/method", SessionData: `"><script>`,
	})
}

// post sends a form to a page.
func (r rig) post(address string, form url.Values) *httptest.ResponseRecorder {
	r.Helper()
	to, err := url.Parse(address)
	if err != nil {
		r.Fatal(err)
	}
	request := httptest.NewRequest(http.MethodPost, to.Path, strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept-Language", "en")
	w := httptest.NewRecorder()
	acs.Pages{Bank: r.bank}.ServeHTTP(w, request)
	return w
}

func values(f connector.Form) url.Values {
	all := url.Values{}
	for _, field := range f.Fields {
		all.Set(field.Name, field.Value)
	}
	return all
}

// read finds the one form of a page: where it goes and what it carries without anybody typing.
func (r rig) read(w *httptest.ResponseRecorder) (action string, form url.Values) {
	r.Helper()
	page, err := html.Parse(strings.NewReader(w.Body.String()))
	if err != nil {
		r.Fatal(err)
	}
	form = url.Values{}
	for n := range page.Descendants() {
		attributes := map[string]string{}
		for _, a := range n.Attr {
			attributes[a.Key] = a.Val
		}
		switch {
		case n.Data == "form":
			action = attributes["action"]
		case n.Data == "input" && attributes["type"] == "hidden":
			form.Set(attributes["name"], attributes["value"])
		}
	}
	return action, form
}

// TestAChallengeWithoutScript goes through every page by its forms, as a browser does that runs no script.
func TestAChallengeWithoutScript(t *testing.T) {
	r := newRig(t, "http://bank.test", "https://shop.test:8443")
	for digits, codes := range map[string][]string{
		"4111111111111111": {"555"}, "4200000000000000": {"555"}, "4640170131116658": {" 555 "},
		"5283901669012672": {"555"}, "5440382741349178": {"777", "555"},
	} {
		s := r.start(digits)
		w := r.post(s.Form.URL, values(s.Form))
		amount := locale.English.Amount(1_234_567, money.KZT)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), amount) ||
			!strings.Contains(w.Body.String(), digits[12:]) || strings.Contains(w.Body.String(), digits) {
			t.Fatalf("%s: %d %s", digits, w.Code, w.Body)
		}
		action, form := r.read(w)
		wrong := url.Values{"code": {"000"}, "do": {"submit"}}
		for name, value := range form {
			if name != "do" {
				wrong[name] = value
			}
		}
		w = r.post(action, wrong)
		if !strings.Contains(w.Body.String(), "not right") {
			t.Errorf("%s: a wrong answer is answered %s", digits, w.Body)
		}
		action, form = r.read(w)
		form["code"] = codes
		form.Set("do", "submit")
		w = r.post(action, form)
		action, form = r.read(w)
		if action != "https://shop.test:8443/back" || form.Get("threeDSSessionData") != `"><script>` {
			t.Errorf("%s: the way back is %s %v", digits, action, form)
		}
		p := r.bank.Continue(t.Context(), s.Session, connector.Return{CRes: form.Get("cres")}).Proof
		if p.Status != connector.Authenticated {
			t.Errorf("%s: %+v", digits, p)
		}
	}
}

// TestCancelIsTheLastWord, also where other buttons say something by themselves.
func TestCancelIsTheLastWord(t *testing.T) {
	r := newRig(t, "http://bank.test", "https://shop.test")
	for _, digits := range []string{"4111111111111111", "4200000000000000"} {
		s := r.start(digits)
		action, form := r.read(r.post(s.Form.URL, values(s.Form)))
		form.Add("do", "cancel")
		_, form = r.read(r.post(action, form))
		p := r.bank.Continue(t.Context(), s.Session, connector.Return{CRes: form.Get("cres")}).Proof
		if p.Status != connector.NotProven || p.CancelledBy != "01" {
			t.Errorf("%s: %+v", digits, p)
		}
	}
}

// TestTheMethodsPage reports back to where the shop said.
func TestTheMethodsPage(t *testing.T) {
	r := newRig(t, "http://bank.test", "https://shop.test")
	s := r.start("4000000000001000")
	w := r.post(s.Form.URL, values(s.Form))
	action, form := r.read(w)
	if w.Code != http.StatusOK || action != "https://shop.test/method" || form.Get("threeDSMethodData") == "" {
		t.Errorf("%d %s %v", w.Code, action, form)
	}
}

// TestThePolicy: nothing foreign is loaded, forms go here and to the shop, and everybody may frame the page.
func TestThePolicy(t *testing.T) {
	r := newRig(t, "http://bank.test", "https://shop.test:8443")
	s := r.start("4111111111111111")
	ask := r.post(s.Form.URL, values(s.Form))
	action, form := r.read(ask)
	form.Set("do", "cancel")
	end := r.post(action, form)
	for page, want := range map[*httptest.ResponseRecorder][]string{
		ask: {"default-src 'none'", "form-action 'self';", "frame-ancestors *", "style-src 'sha256-"},
		end: {"default-src 'none'", "form-action 'self' https://shop.test:8443;", "script-src 'sha256-"},
	} {
		policy := page.Header().Get("Content-Security-Policy")
		for _, part := range want {
			if !strings.Contains(policy, part) {
				t.Errorf("the policy %q lacks %s", policy, part)
			}
		}
		if strings.Contains(policy, "unsafe") || page.Header().Get("X-Frame-Options") != "" ||
			page.Header().Get("Cache-Control") != "no-store" || strings.Contains(page.Body.String(), "<b>") {
			t.Errorf("%v %s", page.Header(), page.Body)
		}
	}
	if strings.Contains(ask.Header().Get("Content-Security-Policy"), "script-src") {
		t.Error("the challenge runs scripts")
	}
}

// TestLanguages: the page speaks the one that the browser prefers.
func TestLanguages(t *testing.T) {
	r := newRig(t, "http://bank.test", "https://shop.test")
	for _, digits := range []string{"4200000000000000", "5283901669012672", "5440382741349178"} {
		s := r.start(digits)
		for language, want := range map[string]string{"ru-RU": "Подтвердите", "kk": "растаңыз", "en": "Confirm"} {
			request := httptest.NewRequest(http.MethodPost, strings.TrimPrefix(s.Form.URL, "http://bank.test"),
				strings.NewReader(values(s.Form).Encode()))
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.Header.Set("Accept-Language", language)
			w := httptest.NewRecorder()
			acs.Pages{Bank: r.bank}.ServeHTTP(w, request)
			if !strings.Contains(w.Body.String(), want) ||
				!strings.Contains(w.Body.String(), `<html lang="`+language[:2]+`">`) {
				t.Errorf("%s in %s: %s", digits, language, w.Body)
			}
		}
	}
}

// TestWhatIsNoPage says so, and shows nothing of what was sent.
func TestWhatIsNoPage(t *testing.T) {
	r := newRig(t, "http://bank.test", "https://shop.test")
	s := r.start("4111111111111111")
	for _, c := range []struct {
		path   string
		form   url.Values
		status int
	}{
		{"/acs/challenge/x", values(s.Form), 400},
		{"/acs/challenge/", values(s.Form), 404},
		{"/acs/other/x", nil, 404},
		{"/acs", nil, 404},
		{"/acs/method/x", nil, 400},
		{strings.TrimPrefix(s.Form.URL, "http://bank.test"), url.Values{"creq": {"<i>x"}}, 400},
		{strings.TrimPrefix(s.Form.URL, "http://bank.test"), nil, 400},
		{strings.TrimPrefix(s.Form.URL, "http://bank.test"),
			url.Values{"threeDSSessionData": {strings.Repeat("x", 4097)}}, 400},
		{strings.TrimPrefix(s.Form.URL, "http://bank.test"), url.Values{"x": {strings.Repeat("x", 1<<17)}}, 400},
	} {
		if w := r.post(c.path, c.form); w.Code != c.status || strings.Contains(w.Body.String(), "<i>") {
			t.Errorf("%.40s: %d %s", c.path, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	acs.Pages{Bank: r.bank}.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/acs/challenge/x", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodPost {
		t.Errorf("GET is answered %d", w.Code)
	}
}
