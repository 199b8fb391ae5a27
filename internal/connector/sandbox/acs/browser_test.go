package acs_test

import (
	"html/template"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"plexy/internal/connector"
	"plexy/internal/connector/sandbox/acs"
	"plexy/internal/pagetest"
)

// shopPage posts a step's form into its frame, or in its own window, as shops do.
var shopPage = template.Must(template.New("").Parse(`<!doctype html><title>shop</title>
{{if .Framed}}<iframe name="bank" id="bank" width="390" height="400"></iframe>{{end}}
<form id="go" method="post" action="{{.URL}}" {{if .Framed}}target="bank"{{end}}>
{{range .Fields}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">{{end}}</form>
<script>
{{if .Framed}}document.getElementById("bank").onload = () => { document.title = "framed" };{{end}}
document.getElementById("go").submit()
</script>`))

// shop is another site than the bank's, with a page that begins a challenge, and what it was told.
func shop(t *testing.T, step *connector.Step, framed bool) (*httptest.Server, chan string) {
	t.Helper()
	told := make(chan string, 1)
	pages := http.NewServeMux()
	pages.HandleFunc("GET /pay", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = shopPage.Execute(w, struct {
			connector.Form
			Framed bool
		}{step.Form, framed})
	})
	back := func(field string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte("<!doctype html><title>back</title>"))
			told <- r.PostFormValue(field)
		}
	}
	pages.Handle("POST /back", back("cres"))
	pages.Handle("POST /method", back("threeDSMethodData"))
	server := httptest.NewServer(pages)
	t.Cleanup(server.Close)
	return server, told
}

// TestInABrowser: a challenge in a frame of another site and in a window of its own, by keyboard only, and
// the method's page in a frame.
func TestInABrowser(t *testing.T) {
	for _, c := range []struct {
		name, digits string
		framed       bool
	}{
		{"a challenge in a frame", "4111111111111111", true},
		{"a challenge in the window", "4111111111111111", false},
		{"the method in a frame", "5200000000001005", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var pages acs.Pages
			bank := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				pages.ServeHTTP(w, r)
			}))
			t.Cleanup(bank.Close)
			step := connector.Step{}
			server, told := shop(t, &step, c.framed)
			r := newRig(t, bank.URL, server.URL)
			pages.Bank = r.bank
			step = r.start(c.digits)
			tab := pagetest.Open(t)
			tab.Do(chromedp.Navigate(server.URL + "/pay"))
			if step.Kind == connector.Challenge {
				ready := "document.title === 'framed'"
				if !c.framed {
					ready = "document.activeElement.id === 'code'"
				}
				tab.Until(ready)
				if c.framed {
					tab.Do(chromedp.KeyEvent(kb.Tab)) // into the frame: the first thing in it is the field
				}
				tab.Do(chromedp.KeyEvent("555"), chromedp.KeyEvent(kb.Enter))
			}
			select {
			case brought := <-told:
				settle(t, r, step, brought)
			case <-tab.Ctx.Done():
				t.Fatal("the browser never came back to the shop")
			}
		})
	}
}

// TestEverybodyCanUseIt: every screen, in every window and colour.
func TestEverybodyCanUseIt(t *testing.T) {
	tab := pagetest.Open(t)
	for _, digits := range []string{
		"4111111111111111", "4200000000000000", "4640170131116658", "5283901669012672", "5440382741349178",
	} {
		var pages acs.Pages
		bank := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pages.ServeHTTP(w, r)
		}))
		t.Cleanup(bank.Close)
		step := connector.Step{}
		server, _ := shop(t, &step, false)
		r := newRig(t, bank.URL, server.URL)
		pages.Bank = r.bank
		step = r.start(digits)
		tab.Do(chromedp.Navigate(server.URL + "/pay"))
		tab.Until("document.title.startsWith('Confirm')")
		tab.EveryView(digits)
	}
}

// settle checks what the browser brought back.
func settle(t *testing.T, r rig, step connector.Step, brought string) {
	t.Helper()
	if step.Kind == connector.Method {
		if brought == "" {
			t.Error("the method's page posted nothing")
		}
		return
	}
	p := r.bank.Continue(t.Context(), step.Session, connector.Return{CRes: brought}).Proof
	if p.Status != connector.Authenticated || p.ECI != "05" {
		t.Errorf("%+v", p)
	}
}
