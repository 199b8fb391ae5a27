// Package acs is the pretend bank's side of 3-D Secure in the payer's browser: the challenge, and the page of
// the 3DS method. Both come by a form that the shop posts, in a frame or in a window, and end in a form that
// goes back to the shop. Where there is a script it sends that form; without one the payer presses a button.
//
// Nothing is kept: what a page needs is sealed in its address and its forms. It is for a sandbox only.
package acs

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/a-h/templ"

	"plexy/internal/connector/sandbox"
	"plexy/internal/locale"
	magic "plexy/internal/sandbox"
	"plexy/internal/server"
)

//go:embed texts
var files embed.FS

// catalogue is read when the first page is asked for.
var catalogue = sync.OnceValue(func() locale.Catalogue {
	folder, err := fs.Sub(files, "texts")
	if err == nil {
		var c locale.Catalogue
		if c, err = locale.Read(folder); err == nil {
			return c
		}
	}
	panic("acs: the texts that are embedded cannot be read: " + err.Error())
})

// words are the texts in the language that the browser prefers.
type words struct{ locale.Language }

func (w words) T(key string, pairs ...string) string {
	return catalogue().Text(w.Language, key, pairs...)
}

// hint says what to choose: both codes where several are right.
func (w words) hint(texts string) string {
	pairs := []string{"right", magic.CodeRight, "wrong", magic.CodeWrong}
	if texts == "multi" {
		pairs = append(pairs, "also", magic.CodeAlsoRight)
	}
	return w.T(texts+".hint", pairs...)
}

// Path is where the pages are; mount them there. Options.Address of the acquirer is the site's address and
// this path.
const Path = "/acs"

// Bounds of a posted form.
const (
	maxForm        = 64 << 10 // bytes
	maxSessionData = 4096     // characters that are given back as they came
)

// Bank is who decides; *sandbox.Acquirer is one.
type Bank interface {
	// Open returns the challenge that the address and the CReq open.
	Open(token, creq string) (sandbox.Challenged, error)
	// Answer goes on with a challenge, or ends it.
	Answer(token string, codes []string, cancelled bool) (sandbox.Challenged, *sandbox.Ended, error)
	// Visit returns what the method's page posts, and where.
	Visit(token string) (returnTo, data string, err error)
}

// Pages are the pages. They are an http.Handler and a server.Door.
type Pages struct{ Bank Bank }

var (
	_ http.Handler = Pages{}
	_ server.Door  = Pages{}
)

// Serve answers one request of a server with doors.
func (p Pages) Serve(x *server.Exchange, r *http.Request) {
	x.Route = Path
	p.ServeHTTP(x, r)
}

// ServeHTTP answers one request.
func (p Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	page, token, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, Path+"/"), "/")
	serve, known := map[string]func(http.ResponseWriter, *http.Request, string){
		"challenge": p.challenge, "method": p.method,
	}[page]
	switch {
	case !known || token == "":
		sorry(w, r, http.StatusNotFound, "missing")
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		sorry(w, r, http.StatusMethodNotAllowed, "method")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.ParseForm() != nil || len(r.PostForm.Get("threeDSSessionData")) > maxSessionData {
		sorry(w, r, http.StatusBadRequest, "form")
		return
	}
	serve(w, r, token)
}

// challenge shows a challenge, or takes an answer to it: then the form says what to do.
func (p Pages) challenge(w http.ResponseWriter, r *http.Request, token string) {
	f := form{CReq: r.PostForm.Get("creq"), SessionData: r.PostForm.Get("threeDSSessionData")}
	done := r.PostForm["do"]
	if len(done) == 0 {
		c, err := p.Bank.Open(token, f.CReq)
		p.ask(w, r, f, c, err)
		return
	}
	var codes []string
	for _, code := range r.PostForm["code"] {
		codes = append(codes, strings.TrimSpace(code))
	}
	c, end, err := p.Bank.Answer(token, codes, slices.Contains(done, "cancel"))
	if end == nil || err != nil {
		p.ask(w, r, f, c, err)
		return
	}
	show(w, r, view{
		Title: "title.back", ReturnTo: end.ReturnTo, Script: true,
		Main: back(in(r), end.ReturnTo, []field{{"cres", end.CRes}, {"threeDSSessionData", f.SessionData}}),
	})
}

func (p Pages) ask(w http.ResponseWriter, r *http.Request, f form, c sandbox.Challenged, err error) {
	if err != nil {
		sorry(w, r, http.StatusBadRequest, "foreign")
		return
	}
	f.Action = Path + "/challenge/" + c.Token
	show(w, r, view{Title: "title.ask", Main: question(in(r), f, c)})
}

// method is the page in a hidden frame: it would look at the browser, and reports back at once.
func (p Pages) method(w http.ResponseWriter, r *http.Request, token string) {
	to, data, err := p.Bank.Visit(token)
	if err != nil {
		sorry(w, r, http.StatusBadRequest, "foreign")
		return
	}
	if to == "" {
		show(w, r, view{Title: "title.seen", Main: nothing(in(r))})
		return
	}
	show(w, r, view{
		Title: "title.seen", ReturnTo: to, Script: true,
		Main: back(in(r), to, []field{{"threeDSMethodData", data}}),
	})
}

// form is what every form of a challenge carries on.
type form struct{ Action, CReq, SessionData string }

type field struct{ Name, Value string }

// view is one page.
type view struct {
	Title    string // its text's key
	ReturnTo string // where its form goes, besides here; "" for nowhere
	Script   bool   // its form sends itself
	Status   int    // 0 for 200
	Main     templ.Component
}

// in is how to say things to whoever sent a request.
func in(r *http.Request) words { return words{locale.Accepted(r.Header.Get("Accept-Language"))} }

func sorry(w http.ResponseWriter, r *http.Request, status int, what string) {
	show(w, r, view{Title: "title.sorry", Status: status, Main: apology(in(r), what)})
}

// show sends a page. It may be framed by every site, as the challenge of a bank is; it loads nothing, runs
// only the script that is named by its hash, and sends forms only here and to where the shop said.
func show(w http.ResponseWriter, r *http.Request, v view) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy(v))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	var b bytes.Buffer
	if err := layout(in(r), v).Render(r.Context(), &b); err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	if v.Status != 0 {
		w.WriteHeader(v.Status)
	}
	_, _ = w.Write(b.Bytes()) // a browser that went away is no trouble
}

func policy(v view) string {
	to := "'self'"
	if u, err := url.Parse(v.ReturnTo); err == nil && u.Host != "" {
		to += " " + u.Scheme + "://" + u.Host
	}
	script := ""
	if v.Script {
		script = "script-src '" + hash(sendScript) + "'; "
	}
	return "default-src 'none'; style-src '" + hash(style) + "'; " + script + "form-action " + to +
		"; base-uri 'none'; frame-ancestors *"
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// sendScript sends the form that leads back.
const sendScript = `document.getElementById("back").submit()`

// style is small on purpose: the frame may be 250 pixels wide.
const style = `
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#8c959f;--ground:#fff;--panel:#f6f8fa;
--accent:#0a5c36;--on:#fff;--bad:#a40e26}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa4af;--line:#6e7681;--ground:#0d1117;
--panel:#161b22;--accent:#3fb27f;--on:#06110b;--bad:#ff8182}}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);
font:17px/1.5 system-ui,sans-serif}
main{max-width:26rem;margin:0 auto;padding:16px}h1{font-size:21px;line-height:1.2;margin:0 0 12px}
.bank{color:var(--soft);font-size:13px;margin:0 0 16px}.amount{font-size:28px;font-weight:600;line-height:1.2;
font-variant-numeric:tabular-nums;margin:0;overflow-wrap:anywhere}
p{margin:0 0 12px}fieldset{border:0;margin:0 0 16px;padding:0}legend,label.top{font-weight:600;padding:0;
display:block}.hint{color:var(--soft);font-size:15px;margin:0 0 8px}.wrong{color:var(--bad);font-weight:600}
input[type=text]{font:inherit;width:100%;min-height:44px;padding:8px 12px;border:1px solid var(--line);
border-radius:6px;background:var(--ground);color:var(--ink);letter-spacing:.1em;margin:0 0 16px}
.choice{display:flex;align-items:center;gap:12px;min-height:44px}.choice input{width:20px;height:20px}
button{font:inherit;font-weight:600;width:100%;min-height:44px;border-radius:6px;border:1px solid var(--line);
background:var(--ground);color:var(--ink);margin:0 0 8px;cursor:pointer}
button.main{background:var(--accent);border-color:var(--accent);color:var(--on)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.panel{background:var(--panel);border-radius:12px;padding:16px;margin:0 0 16px}
`
