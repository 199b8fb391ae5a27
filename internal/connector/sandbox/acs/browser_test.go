package acs_test

import (
	"bytes"
	"context"
	"html/template"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"plexy/internal/connector"
	"plexy/internal/connector/sandbox/acs"
)

// browserLimit bounds one test in the browser; nothing in it waits for a time to pass.
const browserLimit = time.Minute

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

// tab starts a browser of its own with one tab.
func tab(t *testing.T) context.Context {
	t.Helper()
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil && browser == "" {
			browser = path
		}
	}
	if browser == "" && os.Getenv("CI") != "" {
		t.Fatal("there is no Chromium; make test installs it as root on Debian")
	}
	if browser == "" {
		t.Skip("there is no Chromium; install the package chromium to test the pages in a browser")
	}
	limited, cancel := context.WithTimeout(context.Background(), browserLimit)
	t.Cleanup(cancel)
	allocator, end := chromedp.NewExecAllocator(limited, chromedp.ExecPath(browser),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("lang", "en"), chromedp.UserDataDir(t.TempDir()))
	t.Cleanup(end)
	ctx, closed := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(closed)
	return ctx
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
			ctx := tab(t)
			try := func(actions ...chromedp.Action[chromedp.Void]) {
				t.Helper()
				if err := chromedp.Do(ctx, actions...); err != nil {
					t.Fatal(err)
				}
			}
			try(chromedp.Navigate(server.URL + "/pay"))
			if step.Kind == connector.Challenge {
				ready := "document.title === 'framed'"
				if !c.framed {
					ready = "document.activeElement.id === 'code'"
				}
				wait(t, ctx, ready)
				if c.framed {
					try(chromedp.KeyEvent(kb.Tab)) // into the frame: the first thing in it is the field
				}
				shot(t, ctx, c.name)
				try(chromedp.KeyEvent("555"), chromedp.KeyEvent(kb.Enter))
			}
			select {
			case brought := <-told:
				settle(t, r, step, brought)
			case <-ctx.Done():
				t.Fatal("the browser never came back to the shop")
			}
		})
	}
}

// wait waits until an expression is true on the page.
func wait(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression))
	for range 4 { // the browser may still be putting the new page in the old one's place
		if err == nil || !strings.Contains(err.Error(), "Cannot find context") {
			break
		}
		_, err = chromedp.Run(ctx, chromedp.Poll[bool](expression))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestEverybodyCanUseIt: axe-core finds nothing on any screen.
func TestEverybodyCanUseIt(t *testing.T) {
	axe, err := os.ReadFile("../../../walletpage/testdata/axe/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	ctx := tab(t)
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
		if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/pay")); err != nil {
			t.Fatal(err)
		}
		wait(t, ctx, "document.title.startsWith('Confirm')")
		type violation struct {
			ID    string `json:"id"`
			Nodes []struct {
				HTML string `json:"html"`
				Why  string `json:"failureSummary"`
			} `json:"nodes"`
		}
		found, err := chromedp.Run(ctx, chromedp.Evaluate[struct {
			Rules      int         `json:"rules"`
			Violations []violation `json:"violations"`
		}](string(axe)+";axe.run().then(r => ({rules: r.passes.length, violations: r.violations}))",
			chromedp.EvalAwaitPromise))
		if err != nil || found.Rules < 10 || len(found.Violations) > 0 {
			t.Errorf("%s: %d rules, %v, %+v", digits, found.Rules, err, found.Violations)
		}
		shot(t, ctx, digits)
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

// shot keeps a picture for a person to look at.
func shot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil || !bytes.HasPrefix(picture, []byte("\x89PNG")) {
		t.Fatalf("a picture of %d bytes, %v", len(picture), err)
	}
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), name+".png"), picture, 0o600); err != nil {
		t.Fatal(err)
	}
}
