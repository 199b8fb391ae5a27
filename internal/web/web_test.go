package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"plexy/internal/clock"
	"plexy/internal/locale"
	"plexy/internal/server"
	"plexy/internal/web"
)

// door shows the shared page for everything, and counts the forms that were let in.
type door struct {
	site   *web.Site
	pages  *web.Pages
	posted int
}

func (d *door) Serve(x *server.Exchange, r *http.Request) {
	v := d.site.Begin(x, r)
	if r.Method == http.MethodPost && v.Posted() {
		d.posted++
		v.Redirect("/done")
		return
	}
	x.Header().Set("Test-Token", v.Token())
	d.pages.Sorry(v, http.StatusNotFound, "missing", "/")
}

// own are a door's files: no texts and no pages but the shared ones.
var own = fstest.MapFS{
	"texts/kk.json": {Data: []byte("{}")}, "texts/ru.json": {Data: []byte("{}")},
	"texts/en.json": {Data: []byte("{}")},
}

// open makes a server with the door, on an origin that is https or not.
func open(t *testing.T, o web.Options) (*door, http.Handler) {
	t.Helper()
	o.Key = []byte("a key of the test")
	site, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{site: site, pages: web.NewPages(own)}
	log := server.NewLog(io.Discard, nil)
	t.Cleanup(log.Close)
	return d, server.New(server.Options{
		Door: d, Mounts: []server.Mount{{Path: web.AssetPath, Door: web.Assets{}}}, Clock: clock.System{}, Log: log,
		NewRequestID: func() string { return "req" },
	}).Handler()
}

func ask(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestHeadersLetNothingForeignIn(t *testing.T) {
	_, h := open(t, web.Options{Secure: true, Origin: "https://pay.example"})
	a := ask(h, httptest.NewRequest("GET", "https://pay.example/", nil))
	policy := a.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "style-src 'self'", "form-action 'self'",
		"frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "http") {
		t.Errorf("the policy is loose: %s", policy)
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
		"Cache-Control": "no-store", "Strict-Transport-Security": "max-age=31536000",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
}

func TestCookies(t *testing.T) {
	for _, secure := range []bool{true, false} {
		_, h := open(t, web.Options{Secure: secure})
		a := ask(h, httptest.NewRequest("GET", "/?lang=ru", nil))
		if len(a.Cookies()) != 2 {
			t.Fatal(a.Cookies())
		}
		for _, c := range a.Cookies() {
			if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure != secure || c.Path != "/" ||
				c.Domain != "" || strings.HasPrefix(c.Name, "__Host-") != secure {
				t.Errorf("secure %v: %s", secure, c)
			}
		}
	}
}

// A form is let in from a page of ours that this visitor was shown, and from nowhere else.
func TestForms(t *testing.T) {
	d, h := open(t, web.Options{Origin: "https://pay.example"})
	first := ask(h, httptest.NewRequest("GET", "https://pay.example/", nil))
	cookie, token := first.Cookies()[0], first.Header.Get("Test-Token")
	other := ask(h, httptest.NewRequest("GET", "https://pay.example/", nil))
	for name, c := range map[string]struct {
		token  string
		header map[string]string
		cookie *http.Cookie
		let    bool
	}{
		"ours":               {token, map[string]string{"Sec-Fetch-Site": "same-origin"}, cookie, true},
		"an old browser":     {token, map[string]string{"Origin": "https://pay.example"}, cookie, true},
		"no browser":         {token, nil, cookie, true},
		"another site":       {token, map[string]string{"Sec-Fetch-Site": "cross-site"}, cookie, false},
		"another site, old":  {token, map[string]string{"Origin": "https://evil.example"}, cookie, false},
		"no token":           {"", nil, cookie, false},
		"another's token":    {other.Header.Get("Test-Token"), nil, cookie, false},
		"no cookie":          {token, nil, nil, false},
		"another's cookie":   {token, nil, other.Cookies()[0], false},
		"a neighbour's site": {token, map[string]string{"Sec-Fetch-Site": "same-site"}, cookie, false},
	} {
		before := d.posted
		r := httptest.NewRequest("POST", "https://pay.example/", strings.NewReader("token="+url.QueryEscape(c.token)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for name, value := range c.header {
			r.Header.Set(name, value)
		}
		if c.cookie != nil {
			r.AddCookie(c.cookie)
		}
		a := ask(h, r)
		if let := d.posted > before; let != c.let || let != (a.StatusCode == http.StatusSeeOther) {
			t.Errorf("%s: let in %v, %d", name, let, a.StatusCode)
		}
	}
	r := httptest.NewRequest("POST", "/", strings.NewReader("token="+token+"&x="+strings.Repeat("x", 17<<10)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(cookie)
	if ask(h, r).StatusCode == http.StatusSeeOther {
		t.Error("a form of 17 KiB was let in")
	}
}

func TestAddress(t *testing.T) {
	site, err := web.New(web.Options{TrustedProxies: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ remote, forwarded, want string }{
		{"203.0.113.7:1", "", "203.0.113.7"},
		{"203.0.113.7:1", "198.51.100.1", "203.0.113.7"}, // not a proxy of ours: it may write what it likes
		{"10.1.1.1:1", "198.51.100.1", "198.51.100.1"},
		{"10.1.1.1:1", "1.1.1.1, 198.51.100.1", "198.51.100.1"}, // the first was written by the client
		{"10.1.1.1:1", "1.1.1.1, 198.51.100.1, 10.2.2.2", "198.51.100.1"},
		{"10.1.1.1:1", "10.9.9.9", "10.9.9.9"},
		{"10.1.1.1:1", "nonsense", "10.1.1.1"},
		{"10.1.1.1:1", "", "10.1.1.1"},
		{"[::ffff:10.1.1.1]:1", "198.51.100.1", "198.51.100.1"},
		{"[fd00::1]:1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"[2001:db8::1]:1", "198.51.100.1", "2001:db8::/64"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := site.Address(r); got != c.want {
			t.Errorf("%s for %q is %s, want %s", c.remote, c.forwarded, got, c.want)
		}
	}
}

func TestAssets(t *testing.T) {
	_, h := open(t, web.Options{})
	page := ask(h, httptest.NewRequest("GET", "/", nil))
	body, err := io.ReadAll(page.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`href="(/web/[^"]+)"`).FindAllSubmatch(body, -1)
	if len(found) != 2 {
		t.Fatalf("%s", body)
	}
	for _, f := range found {
		a := ask(h, httptest.NewRequest("GET", string(f[1]), nil))
		if a.StatusCode != 200 || !strings.Contains(a.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", f[1], a.StatusCode, a.Header)
		}
	}
	for _, path := range []string{"/web", "/web/", "/web/../x", "/web/layout.html"} {
		if a := ask(h, httptest.NewRequest("GET", path, nil)); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
	if a := ask(h, httptest.NewRequest("POST", "/web/plexy.css", nil)); a.StatusCode != 405 {
		t.Error(a.StatusCode)
	}
}

// The three languages have the same keys: reading them checks it, and this test reads them all.
func TestSharedTexts(t *testing.T) {
	_, h := open(t, web.Options{})
	for _, l := range locale.Languages() {
		a := ask(h, httptest.NewRequest("GET", "/?lang="+string(l), nil))
		if a.StatusCode != http.StatusNotFound || a.Header.Get("Content-Language") != string(l) {
			t.Errorf("%s: %d %s", l, a.StatusCode, a.Header.Get("Content-Language"))
		}
	}
}
