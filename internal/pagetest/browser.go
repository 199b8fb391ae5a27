package pagetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browserLimit bounds one test in the browser; nothing in it waits for a time to pass.
const browserLimit = 2 * time.Minute

// Tab is a tab of a browser, or a frame of another site in one. What goes wrong with it fails its test.
type Tab struct {
	*testing.T
	Ctx context.Context // ends with the test, or after two minutes

	browser context.Context
	shots   string // where pictures go
}

// Chromium finds the browser, and skips the test where there is none. In CI it must be there.
func Chromium(t *testing.T) string {
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

// Open starts a browser of its own with one tab.
func Open(t *testing.T) *Tab {
	t.Helper()
	path := Chromium(t)
	limited, cancel := context.WithTimeout(context.Background(), browserLimit)
	t.Cleanup(cancel)
	allocator, end := chromedp.NewExecAllocator(limited, chromedp.ExecPath(path),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("lang", "en"), chromedp.UserDataDir(t.TempDir()))
	t.Cleanup(end)
	ctx, closed := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(closed)
	tab := &Tab{T: t, Ctx: ctx, browser: ctx, shots: t.ArtifactDir()}
	tab.Do(chromedp.Navigate("about:blank"))
	return tab
}

// Beside opens another tab of the same browser.
func (t *Tab) Beside() *Tab {
	t.Helper()
	ctx, closed := chromedp.NewContext(t.browser)
	t.Cleanup(closed)
	other := *t
	other.Ctx = ctx
	other.Do(chromedp.Navigate("about:blank"))
	return &other
}

// Inside is the frame on the page whose address begins so. It is of another site, and so a tab of its own.
func (t *Tab) Inside(address string) *Tab {
	t.Helper()
	for t.Ctx.Err() == nil {
		targets, err := chromedp.Targets(t.Ctx)
		t.OK(err)
		for _, one := range targets {
			if one.Type == "iframe" && strings.HasPrefix(one.URL, address) {
				frame, closed := chromedp.NewContext(t.Ctx, chromedp.WithTargetID(one.TargetID))
				t.Cleanup(closed)
				other := *t
				other.Ctx = frame
				return &other
			}
		}
	}
	t.Fatal("there is no frame")
	return nil
}

// OK ends the test on an error.
func (t *Tab) OK(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Do does what people do, one thing after the other.
func (t *Tab) Do(actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	t.OK(chromedp.Do(t.Ctx, actions...))
}

// Evaluate returns the value of an expression on the page.
func Evaluate[T any](t *Tab, expression string, options ...chromedp.EvaluateOption) T {
	t.Helper()
	value, err := chromedp.Run(t.Ctx, chromedp.Evaluate[T](expression, options...))
	t.OK(err)
	return value
}

// Until waits until an expression on the page is true, whichever page that is by then.
func (t *Tab) Until(expression string) {
	t.Helper()
	for t.Ctx.Err() == nil {
		found, err := chromedp.Run(t.Ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && found {
			return
		}
	}
	t.Fatalf("%s never came true:\n%s", expression, t.Text())
}

// Arrive waits for the page with the heading.
func (t *Tab) Arrive(heading string) {
	t.Helper()
	t.Until(fmt.Sprintf("document.readyState === 'complete' && document.querySelector('h1')?.innerText === %q",
		heading))
}

// Text is what the page shows, with plain spaces.
func (t *Tab) Text() string {
	t.Helper()
	text, err := chromedp.Run(t.Ctx, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		return err.Error()
	}
	return plain(text)
}

// Says ends the test unless the page shows each of the texts.
func (t *Tab) Says(want ...string) {
	t.Helper()
	text := t.Text()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Fatalf("the page does not say %q:\n%s", w, text)
		}
	}
}

const focusScript = `(() => { const e = document.activeElement; const s = getComputedStyle(e);
	return {names: [e.id, e.closest('form')?.getAttribute('action'), e.innerText].map(n => (n || '').trim()),
		visible: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2}; })()`

// TabTo presses Tab until the focus is on what has the id or the words, or is in the form with the action;
// every stop on the way must be seen.
func (t *Tab) TabTo(name string) {
	t.Helper()
	for range 40 {
		t.Do(chromedp.KeyEvent(kb.Tab))
		at := Evaluate[struct {
			Names   []string `json:"names"`
			Visible bool     `json:"visible"`
		}](t, focusScript)
		if !at.Visible {
			t.Errorf("the focus on %q cannot be seen", at.Names)
		}
		for _, n := range at.Names {
			if n == name {
				return
			}
		}
	}
	t.Fatalf("the keyboard does not reach %q:\n%s", name, t.Text())
}

// WithoutScripts lets no page run one from now on.
func (t *Tab) WithoutScripts() {
	t.Helper()
	_, err := chromedp.Call(t.Ctx, emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: true})
	t.OK(err)
}
