package proof_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestEnginesAgree runs one script on both engines: the answers are the same, apart from ids and times.
func TestEnginesAgree(t *testing.T) {
	var told [2]string
	for i, engine := range []string{onSQLite, onPostgres} {
		s := newSite(t, engine)
		s.serve()
		told[i] = script(s)
	}
	a, b := strings.Split(told[0], "\n"), strings.Split(told[1], "\n")
	if len(a) < 80 || len(a) != len(b) {
		t.Fatalf("the script has %d lines on SQLite and %d on PostgreSQL", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Errorf("line %d\nSQLite:     %s\nPostgreSQL: %s", i+1, a[i], b[i])
		}
	}
}

// script does some of everything and returns what it was answered, with ids and times made comparable.
func script(s *site) string {
	s.Helper()
	c, n := newClient(s), names{}
	var text strings.Builder
	say := func(a answer) answer {
		s.Helper()
		if a.err != nil {
			s.Fatal(a.err)
		}
		fmt.Fprintf(&text, "%d %v %s %s\n", a.status, a.replayed, a.header.Get("Should-Retry"), n.plain(a.body))
		return a
	}
	rich, poor, nobody := s.fund(1, 100_000)[0], s.fund(1, 50)[0], s.person()
	payers := []payer{rich, poor, nobody, {rich.phone, poor.iin}, {rich.phone, "123"}, {"12", rich.iin}}
	for i, p := range payers {
		r := authorize(p, 1000, fmt.Sprint("ORDER-Ж-", i))
		say(c.do(r))
		say(c.do(r))
		say(c.do(authorize(p, 1001, "OTHER").withKey(r.key)))
		say(c.do(r.withKey("")))
	}
	held := say(c.do(authorize(rich, 5000, "ORDER \"quoted\" \\ <&> 日本")))
	for _, o := range []struct {
		kind   string
		amount int64
	}{
		{"refund", 1}, {"capture", 2000}, {"capture", 4000}, {"cancel", 500}, {"refund", 3000}, {"refund", 700},
		{"capture", 2500}, {"capture", 1}, {"cancel", 1}, {"refund", 3800}, {"refund", 1}, {"capture", 0},
	} {
		r := operate(o.kind, held.ID, o.amount)
		say(c.do(r))
		say(c.do(r))
		say(c.do(r.withKey("")))
	}
	say(c.do(read(held.ID)))
	say(c.do(read("wt_01JDM3Z7V8H8Q2X9K0R1ABCD12")))
	say(c.do(read("nonsense")))
	other := s.newMerchant("Other")
	foreign := read(held.ID)
	foreign.apiKey = other.Key
	say(c.do(foreign))
	s.merchantSettings("order_reference=reject")
	say(c.do(authorize(rich, 10, "TWICE")))
	say(c.do(authorize(rich, 10, "TWICE")))
	for _, query := range []string{
		"limit=3", "limit=100", "status=FAILED", "status=SUCCESS&limit=1", "orderReference=TWICE", "status=NEW",
		"limit=0", "limit=101", "cursor=!", "cursor=eyJvZmZzZXQiOjJ9", "status=success", "createdFrom=yesterday",
		"createdFrom=2000-01-01T00:00:00Z&createdTo=2001-01-01T00:00:00Z",
		"createdFrom=2000-01-01T00:00:00%2B05:00",
	} {
		say(c.do(request{method: http.MethodGet, path: "/v1/wallet/transactions/?" + query}))
	}
	fmt.Fprintln(&text, n.plain(s.run("wallet", "show", "--phone", rich.phone, "--iin", rich.iin,
		"--currency", "KZT", "--json")))
	fmt.Fprintln(&text, n.plain(s.run("merchant", "show", s.merchant.ID, "--json")))
	s.verify()
	return text.String()
}

// names replaces ids by their number in order of appearance, and times and cursors by a word.
type names map[string]string

var (
	anID     = regexp.MustCompile(`\b(wt|op|req|wlt|cus|mer|key)_[0-9A-Z]{26}`)
	aTime    = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`)
	aCursor  = regexp.MustCompile(`"nextCursor":"[^"]+"`)
	newlines = strings.NewReplacer("\n", " ")
)

func (n names) plain(body []byte) string {
	text := anID.ReplaceAllStringFunc(newlines.Replace(string(body)), func(id string) string {
		if n[id] == "" {
			n[id] = fmt.Sprintf("%s#%d", id[:strings.IndexByte(id, '_')], len(n)+1)
		}
		return n[id]
	})
	return aCursor.ReplaceAllString(aTime.ReplaceAllString(text, "TIME"), `"nextCursor":"CURSOR"`)
}
