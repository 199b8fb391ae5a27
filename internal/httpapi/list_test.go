package httpapi_test

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// pages walks over all pages and returns the ids, calling between after each page.
func (r *rig) pages(query string, between func()) []string {
	r.t.Helper()
	var ids []string
	cursor := ""
	for range 1000 {
		path := "/v1/wallet/transactions/?" + query
		if cursor != "" {
			path += "&cursor=" + cursor
		}
		a := r.get(path)
		if a.status != 200 {
			r.t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
		for _, item := range items(a) {
			ids = append(ids, item["walletTransactionId"].(string))
		}
		if a.fields["nextCursor"] == nil {
			return ids
		}
		if cursor = a.text("nextCursor"); url.QueryEscape(cursor) != cursor {
			r.t.Errorf("cursor %q needs escaping", cursor)
		}
		between()
	}
	r.t.Fatal("the list does not end")
	return nil
}

func TestEveryTransactionComesExactlyOnceWhateverArrives(t *testing.T) {
	onEveryStore(t, testEveryTransactionComesExactlyOnceWhateverArrives)
}

func testEveryTransactionComesExactlyOnceWhateverArrives(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 1_000_000)
	var made []string
	make1 := func() {
		r.clock.Advance(1000)
		made = append(made, r.authorize(1, 1, "O").text("walletTransactionId"))
	}
	for range 25 {
		make1()
	}
	for _, limit := range []int{3, 7, 25, 1, 100} {
		there := slices.Clone(made)
		slices.Reverse(there)
		got := r.pages(fmt.Sprintf("limit=%d", limit), make1)
		if !slices.Equal(got, there) {
			t.Errorf("limit %d: %d ids, want the %d that were there", limit, len(got), len(there))
		}
	}
	if a := r.get("/v1/wallet/transactions"); len(items(a)) != 20 {
		t.Errorf("default page has %d items, want 20", len(items(a)))
	}
	a := r.get("/v1/wallet/transactions/?limit=100")
	if len(items(a)) != len(made) || !strings.HasSuffix(a.body, `],"nextCursor":null}`) {
		t.Errorf("one page of all: %d items, %v", len(items(a)), a.fields["nextCursor"])
	}
}

func TestFiltersCombine(t *testing.T) { onEveryStore(t, testFiltersCombine) }

func testFiltersCombine(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 1000)
	second := time.Second.Microseconds()
	for i := range 6 { // amounts 100 and, failing, 5000 in turns; references A, A, A, B, B, B
		r.authorize(1, []int64{100, 5000}[i%2], []string{"A", "B"}[i/3])
		r.clock.Advance(second)
	}
	at := func(n int) string {
		return time.UnixMicro(noon + int64(n)*second).UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	for query, want := range map[string]int{
		"":                               6,
		"status=SUCCESS":                 3,
		"status=FAILED":                  3,
		"status=NEW":                     0,
		"status=PROCESSING":              0,
		"orderReference=A":               3,
		"orderReference=a":               0,
		"orderReference=A&status=FAILED": 1,
		"createdFrom=" + at(2):           4,
		"createdTo=" + at(2):             2,
		"createdFrom=" + at(2) + "&createdTo=" + at(3):                      1,
		"createdFrom=" + at(3) + "&createdTo=" + at(2):                      0,
		"createdFrom=" + at(1) + "&orderReference=B&status=SUCCESS&limit=5": 1,
		"createdFrom=2026-02-19T15:18:58.123456%2B05:00":                    6,
		"createdFrom=2026-02-19T15:18:58.123456+05:00":                      6, // a plus that was not escaped
		"createdFrom=2026-02-19T10:18:58.1234561Z":                          5, // a tenth of a microsecond later
		"createdTo=2026-02-19T10:18:58.1234561Z":                            1,
		"createdFrom=1969-12-31T23:59:59Z":                                  6,
		"createdTo=1969-12-31T23:59:59Z":                                    0,
		"createdTo=1970-01-01T00:00:00Z":                                    0,
		"createdTo=9999-12-31T23:59:59Z":                                    6,
		"unknown=1&unknown=2&%zz=1&&=&STATUS=x":                             6,
	} {
		a := r.get("/v1/wallet/transactions?" + query)
		if a.status != 200 || len(items(a)) != want {
			t.Errorf("%s: %d with %d items, want %d: %s", query, a.status, len(items(a)), want, a.body)
		}
	}
	if got := r.pages("status=SUCCESS&limit=1", func() {}); len(got) != 3 {
		t.Errorf("paging over a filter: %d", len(got))
	}
}

func TestBadQueriesNameTheParameter(t *testing.T) {
	r := newRig(t)
	r.fund(t, 1, "KZT", 1000)
	r.authorize(1, 1, "A")
	r.authorize(1, 1, "A")
	page := r.get("/v1/wallet/transactions?limit=1&orderReference=A")
	cursor := page.text("nextCursor")
	offset := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for query, want := range map[string]string{
		"limit=0": "limit", "limit=101": "limit", "limit=-1": "limit", "limit=abc": "limit", "limit=": "limit",
		"limit=1.5": "limit", "limit=1e1": "limit", "limit=+5": "limit", "limit=05": "limit",
		"limit=99999999999999999999": "limit", "limit=5&limit=5": "limit", "limit=%zz": "limit",
		"cursor=": "cursor", "cursor=!!!": "cursor", "cursor=abc": "cursor",
		"cursor=" + strings.Repeat("A", 600): "cursor",
		"cursor=" + offset(`{"offset":-1}`):  "cursor", "cursor=" + offset(`{"offset":10001}`): "cursor",
		"cursor=" + offset(`{"offset":1.5}`): "cursor", "cursor=" + offset(`{"offset":"2"}`): "cursor",
		"cursor=" + offset(`{"offset":2}x`): "cursor", "cursor=" + offset(`{"Offset":2}`): "cursor",
		"cursor=" + offset(`{}`): "cursor", "cursor=" + cursor: "cursor", // of other filters
		"orderReference=A&cursor=" + cursor + "&cursor=" + cursor: "cursor",
		"orderReference=A&cursor=" + cursor[1:]:                   "cursor",
		"orderReference=A&cursor=" + cursor + "A":                 "cursor",
		"orderReference=": "orderReference", "orderReference=%00": "orderReference",
		"orderReference=%FF": "orderReference", "orderReference=a&orderReference=b": "orderReference",
		"orderReference=" + strings.Repeat("a", 256): "orderReference",
		"status=": "status", "status=success": "status", "status=DONE": "status", "status=NEW&status=NEW": "status",
		"createdFrom=": "createdFrom", "createdFrom=yesterday": "createdFrom",
		"createdFrom=2026-02-19":          "createdFrom",
		"createdFrom=2026-02-19T10:18:58": "createdFrom", "createdFrom=2026-02-30T00:00:00Z": "createdFrom",
		"createdFrom=1771496338": "createdFrom", "createdFrom=2026-02-19T25:00:00Z": "createdFrom",
		"createdTo=2026-02-19T10:18:58,5Z": "createdTo", "createdTo=x": "createdTo",
		"createdTo=x&limit=0":               "limit", // in the order of the table
		"createdTo=x&createdFrom=x&status=": "status",
	} {
		a := r.get("/v1/wallet/transactions/?" + query)
		if a.status != 400 || a.text("source") != want || a.number("code") != 3 ||
			!strings.HasSuffix(a.reason(), "_invalid") {
			t.Errorf("%s: %d %s, want 400 of %s", query, a.status, a.body, want)
		}
	}
	if a := r.get("/v1/wallet/transactions?orderReference=A&limit=7&cursor=" + cursor); len(items(a)) != 1 {
		t.Errorf("the good cursor, with another limit: %d %s", a.status, a.body)
	}
}

func TestTheSeedsSampleCursorSkips(t *testing.T) { onEveryStore(t, testTheSeedsSampleCursorSkips) }

func testTheSeedsSampleCursorSkips(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 1000)
	var made []string
	for range 5 {
		made = append(made, r.authorize(1, 1, "O").text("walletTransactionId"))
	}
	slices.Reverse(made)
	for _, cursor := range []string{
		"eyJvZmZzZXQiOjJ9", // the seed's
		url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(`{"offset": 2}`))),
	} {
		a := r.get("/v1/wallet/transactions/?limit=2&cursor=" + cursor)
		if a.status != 200 || len(items(a)) != 2 || items(a)[0]["walletTransactionId"] != made[2] {
			t.Fatalf("%s: %d %s", cursor, a.status, a.body)
		}
		b := r.get("/v1/wallet/transactions/?limit=2&cursor=" + a.text("nextCursor"))
		if len(items(b)) != 1 || items(b)[0]["walletTransactionId"] != made[4] || b.fields["nextCursor"] != nil {
			t.Errorf("the page after it: %d %s", b.status, b.body)
		}
	}
	end := base64.RawURLEncoding.EncodeToString([]byte(`{"offset":10000}`))
	if a := r.get("/v1/wallet/transactions/?cursor=" + end); a.body != `{"items":[],"nextCursor":null}` {
		t.Errorf("beyond the end: %s", a.body)
	}
}
