package checkout_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"plexy/internal/core/payment"
	"plexy/internal/pagetest"
)

// shopPage does what the published plug-in does: it makes a PlexyPayApi whatever comes, opens a link with it,
// and goes on when it hears how it ended.
const shopPage = `<!doctype html><title>shop</title><body><script src="%s/pay/api.js"></script><script>
	window.ended = [];
	const plexy = new window.PlexyPayApi();
	plexy.openPopup("%s/%s");
	plexy.on("close", ({ status }) => ended.push(status));
</script>`

// A shop of another site opens the page over its own: who pays comes back with success, who was declined and
// closes with failure, who just closes with neither. A shop that may not frame the page sends payers to it.
func TestBrowserPopup(t *testing.T) {
	body := ""
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, body)
	}))
	t.Cleanup(shop.Close)
	origin := strings.Replace(shop.URL, "127.0.0.1", "localhost", 1) // another site than ours
	s := newSite(t, "frame_origins="+origin)
	script := must(http.Get(s.url + "/pay/api.js"))(t)
	s.OK(script.Body.Close())
	if h := script.Header; script.StatusCode != 200 || h.Get("Cross-Origin-Resource-Policy") != "cross-origin" ||
		h.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("the script comes as %d %v", script.StatusCode, h)
	}
	// visit opens the shop's page; the frame in it is of a link of its own.
	visit := func() (link string, inside *site) {
		link = s.link()
		body = fmt.Sprintf(shopPage, s.url, s.url, link)
		s.Do(chromedp.Navigate(origin))
		s.Until("document.querySelector('dialog[open] iframe')")
		inside = s.in(s.Inside(s.url))
		inside.Until("document.querySelector('#pay')")
		return link, inside
	}
	pay := func(inside *site, number string) {
		inside.put(map[string]string{"number": number, "expiry": "12/29", "cvv": "123", "holder": "ARAY"},
			"#pay button")
	}
	ended := func(status string) {
		s.Helper()
		s.Until(fmt.Sprintf(`ended.length === 1 && ended[0] === %q && !document.querySelector("dialog")`, status))
	}

	link, inside := visit()
	pay(inside, plainCard)
	ended("success")
	s.one(link, payment.StatusAuthorized)

	_, inside = visit()
	pay(inside, refusedCard)
	inside.Arrive("The payment was declined")
	if n := pagetest.Evaluate[int](s.Tab, "ended.length"); n != 0 {
		t.Error("who was declined cannot try again")
	}
	s.Do(chromedp.Click(chromedp.CSS("dialog > button")))
	ended("failure")

	visit()
	s.Do(chromedp.Click(chromedp.CSS("dialog > button")))
	ended("cancel")

	s.Do(chromedp.Navigate(shop.URL)) // the same page at an origin that may not show ours in a frame
	s.Until(fmt.Sprintf("location.origin === %q && document.querySelector('#pay')", s.url))
}
