package proof_test

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"testing"
)

var (
	forms  = regexp.MustCompile(`(?s)<form[^>]*action="([^"]*)"[^>]*>(.*?)</form>`)
	inputs = regexp.MustCompile(`<input[^>]*>`)
	named  = regexp.MustCompile(`\bname="([^"]*)"`)
	valued = regexp.MustCompile(`\bvalue="([^"]*)"`)
	codes  = regexp.MustCompile(`"text":"[^"]*?\b([0-9]{6})\b`)
	links  = regexp.MustCompile(`href="(/wallet[^"]*)"`)
)

// pagesOf logs the payer in at the wallet page, as a browser does, and returns every page that is linked
// from the first one.
func pagesOf(t *testing.T, sh *shop, p payer) []byte {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	site := "http://" + sh.client.site.servers[0].address
	var seen bytes.Buffer
	read := func(response *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %v", response.Request.URL.Path, response.StatusCode, err)
		}
		fmt.Fprintln(&seen, response.Request.URL, response.Header)
		seen.Write(body)
		return string(body)
	}
	send := func(page, action, name, value string) string {
		t.Helper()
		for _, form := range forms.FindAllStringSubmatch(page, -1) {
			if form[1] != action {
				continue
			}
			values := url.Values{}
			for _, input := range inputs.FindAllString(form[2], -1) {
				if n, v := named.FindStringSubmatch(input), valued.FindStringSubmatch(input); n != nil && v != nil {
					values.Set(n[1], html.UnescapeString(v[1]))
				}
			}
			values.Set(name, value)
			return read(browser.PostForm(site+action, values))
		}
		t.Fatalf("there is no form %s on %s", action, page)
		return ""
	}
	asked := send(read(browser.Get(site+"/wallet")), "/wallet/log-in", "phone", p.phone)
	var code [][]byte
	sh.await(t, "the code comes", func() bool { // it is sent beside the answer
		told := sh.client.do(request{method: http.MethodGet, path: "/v1/sandbox/outbox?limit=1"})
		code = codes.FindSubmatch(told.body)
		return code != nil
	})
	home := send(asked, "/wallet/code", "code", string(code[1]))
	visited := map[string]bool{}
	for _, link := range links.FindAllStringSubmatch(home, -1) {
		if to := html.UnescapeString(link[1]); !visited[to] {
			visited[to] = true
			read(browser.Get(site + to))
		}
	}
	if len(visited) < 2 {
		t.Fatalf("the first page leads to %v only:\n%s", visited, home)
	}
	return seen.Bytes()
}
