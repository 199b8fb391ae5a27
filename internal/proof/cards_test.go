package proof_test

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// TestCardNumbersAreKeptNowhere pays by card many times, at the page and with cards that are kept for later,
// and looks for the numbers in everything that the program leaves behind (PCI DSS 3.3 to 3.5, rule T19).
func TestCardNumbersAreKeptNowhere(t *testing.T) {
	for engine, payments := range map[string]int{onSQLite: 1000, onPostgres: 200} {
		t.Run(engine, func(t *testing.T) {
			n := 0
			_, straw := remains(t, engine, func(s *site) (left map[string][]byte) {
				left, n = cardsLeft(t, s, volume(t, payments))
				return left
			})
			searchCards(t, straw, n)
		})
	}
}

func searchCards(t *testing.T, straw map[string][]byte, cards int) {
	t.Helper()
	var n needles
	for i := range cards {
		n.card(fmt.Sprint("card ", i), cardAt(i))
	}
	n.absent(t, straw)
	for _, where := range []string{"log", "answers and pages"} {
		noCards(t, where, straw[where])
	}
	noCards(t, "metrics", measured.ReplaceAll(straw["metrics"], nil))
}

// measured are the values on a page of metrics. A sum of seconds has up to 17 digits, of which one in a few
// hundred looks like a card number; the needles search the values, too.
var measured = regexp.MustCompile(`(?m) [-+.0-9e]+$`)

// cardsLeft makes so many payments, each with another card, and returns what they leave behind, apart from
// the database, and how many cards there were.
func cardsLeft(t *testing.T, s *site, payments int) (map[string][]byte, int) {
	t.Helper()
	v, metrics := s.addServer(), freeAddress(s)
	v.args = append(v.args, "--metrics-listen", metrics)
	if _, err := v.start(); err != nil {
		t.Fatal(err)
	}
	p := &cardPayer{t: t, client: newClient(s), site: "http://" + v.address}
	paid := 0
	for i := range payments {
		if p.pay(i) {
			paid++
		}
	}
	if paid < payments*9/10 {
		last := p.seen.Bytes()[max(0, p.seen.Len()-2000):]
		t.Fatalf("only %d of %d payments were paid:\n%s", paid, payments, last)
	}
	for _, path := range []string{"/v1/transactions?page=1&size=100", "/v1/events?after=0&limit=100"} {
		fmt.Fprintln(&p.seen, p.client.do(request{method: http.MethodGet, path: path}))
	}
	for _, arguments := range [][]string{
		{"verify"}, {"payments", "unknown"}, {"config", "print"}, {"merchant", "show", s.merchant.ID},
	} {
		out, err := s.plexy(arguments...)
		if err != nil {
			t.Fatalf("%v: %v %s", arguments, err, out)
		}
		p.seen.Write(out)
	}
	response, err := http.Get("http://" + metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"answers and pages": p.seen.Bytes(), "metrics": page, "log": []byte(v.log()),
	}, payments
}

// cardPayer pays links at their page, as a browser without scripts does.
type cardPayer struct {
	t      *testing.T
	client *client
	site   string
	seen   bytes.Buffer
}

var linkIDs = regexp.MustCompile(`"id":"(pl_[0-9a-f]{32})"`)

// pay makes a link and pays it with the n-th card. Every third card is kept for a series, and every fifth
// form has a mistake at first.
func (p *cardPayer) pay(n int) bool {
	p.t.Helper()
	series := ""
	if n%3 == 0 {
		series = `,"recurring":{"type":"cof_initial","frequency":1,"expiry":"2036-01-01T00:00:00Z"}`
	}
	made := p.client.do(request{
		method: http.MethodPost, path: "/v1/payment-links",
		body: fmt.Sprintf(`{"amount":%d,"currency":"KZT","description":"Coffee"%s}`, 10_000+100*n, series),
	})
	id := linkIDs.FindSubmatch(made.body)
	if id == nil {
		p.t.Fatalf("a link: %v", made)
	}
	page := p.read(http.Get(p.site + "/" + string(id[1])))
	if n%5 == 0 {
		page = p.send(page, cardAt(n), "13/29")
	}
	return strings.Contains(p.send(page, cardAt(n), "12/33"), `notice good`)
}

// send fills the form of a page for cards.
func (p *cardPayer) send(page, number, expiry string) string {
	p.t.Helper()
	for _, form := range forms.FindAllStringSubmatch(page, -1) {
		if !strings.Contains(form[2], `name="cvv"`) {
			continue
		}
		values := url.Values{}
		for _, input := range inputs.FindAllString(form[2], -1) {
			if n, v := named.FindStringSubmatch(input), valued.FindStringSubmatch(input); n != nil && v != nil {
				values.Set(n[1], html.UnescapeString(v[1]))
			}
		}
		values.Set("number", number)
		values.Set("expiry", expiry)
		values.Set("cvv", "987")
		values.Set("holder", "AIGERIM K")
		return p.read(http.PostForm(p.site+html.UnescapeString(form[1]), values))
	}
	p.t.Fatalf("there is no form for a card:\n%s", page)
	return ""
}

func (p *cardPayer) read(response *http.Response, err error) string {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	// On lines of their own: an id may end in digits that with a status behind them look like a card number.
	fmt.Fprintf(&p.seen, "%s\n%d\n%v\n", response.Request.URL, response.StatusCode, response.Header)
	p.seen.Write(body)
	return string(body)
}
