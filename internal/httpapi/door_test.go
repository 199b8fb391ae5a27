package httpapi_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"plexy/internal/access"
	"plexy/internal/core/reject"
	"plexy/internal/event"
	"plexy/internal/httpapi"
	"plexy/internal/id"
	"plexy/internal/server"
)

func TestUnknownRoutesAndMethodsAreAnsweredInJSON(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{
		"/", "/v1", "/v1/wallet", "/v1/wallet/", "/v1/wallet/authorize/", "/v2/wallet/authorize",
		"/v1/wallet/transactions//", "/v1/wallet//capture", "/v1/wallet/a/b/capture", "/v1/wallet/transaction/",
		"/v1/wallet/transaction/a/b", "/V1/wallet/authorize", "/v1/wallet/wt_1/void", "/metrics",
		"/v1/wallet/wt_1/capture/", "/v1/wallet/a%2Fb/capture", "//v1/wallet/authorize", "/v1/./wallet/authorize",
	} {
		for _, method := range []string{"GET", "POST"} {
			a := r.do(ask{method, path, r.shop, "{}", nil})
			if a.status != 404 || a.reason() != "route_unknown" || a.number("code") != 4 {
				t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
			}
		}
	}
	for path, allow := range map[string]string{
		"/v1/wallet/authorize":           "POST",
		"/v1/wallet/wt_1/capture":        "POST",
		"/v1/wallet/wt_1/cancel":         "POST",
		"/v1/wallet/wt_1/refund":         "POST",
		"/v1/wallet/transaction/wt_1":    "GET",
		"/v1/wallet/transactions/":       "GET",
		"/v1/wallet/transactions":        "GET",
		"/v1/events":                     "GET",
		"/v1/events/evt_1":               "GET",
		"/v1/wallet/transaction/capture": "POST, GET",
	} {
		for _, method := range []string{"DELETE", "PUT", "PATCH", "OPTIONS", "HEAD", "get", "TRACE"} {
			a := r.do(ask{method, path, "", "", nil}) // no key: the method is checked first
			if a.status != 405 || a.header.Get("Allow") != allow || a.reason() != "method_not_allowed" ||
				a.number("code") != 3 {
				t.Errorf("%s %s: %d, Allow %q, %s", method, path, a.status, a.header.Get("Allow"), a.body)
			}
		}
	}
}

func TestKeys(t *testing.T) {
	r := newRig(t)
	revoked := access.Key{ID: r.ids.New(id.Key), Merchant: r.shopID}
	secret := access.NewSecret()
	revoked.Hash = access.HashOf(secret)
	check(t, r.store.CreateKey(t.Context(), revoked, auditOf(r)))
	list := func(header ...string) *answer {
		return r.do(ask{"GET", "/v1/wallet/transactions", "", "", http.Header{"Authorization": header}})
	}
	for _, header := range []string{
		r.shop, "Bearer " + r.shop, "bearer " + r.shop, "Bearer  " + r.shop, secret,
	} {
		if a := list(header); a.status != 200 {
			t.Errorf("a good key: %d %s", a.status, a.body)
		}
	}
	check(t, r.store.RevokeKey(t.Context(), revoked.ID, noon, auditOf(r)))
	for name, c := range map[string]struct {
		header []string
		reason string
	}{
		"none":       {nil, "api_key_missing"},
		"empty":      {[]string{""}, "api_key_missing"},
		"unknown":    {[]string{access.NewSecret()}, "api_key_unknown"},
		"revoked":    {[]string{secret}, "api_key_unknown"},
		"not a key":  {[]string{"hello"}, "api_key_unknown"},
		"Bearer":     {[]string{"Bearer "}, "api_key_unknown"},
		"basic":      {[]string{"Basic " + r.shop}, "api_key_unknown"},
		"capitals":   {[]string{strings.ToUpper(r.shop)}, "api_key_unknown"},
		"two":        {[]string{r.shop, r.shop}, "api_key_unknown"},
		"with space": {[]string{r.shop + " "}, "api_key_unknown"},
	} {
		a := list(c.header...)
		if a.status != 401 || a.reason() != c.reason || a.text("source") != "Authorization" ||
			a.number("code") != 3 || a.text("type") != "apiError" {
			t.Errorf("%s: %d %s, want 401 %s", name, a.status, a.body, c.reason)
		}
		if strings.Contains(a.body, "pr_") {
			t.Errorf("%s: the answer shows a key: %s", name, a.body)
		}
	}
}

func TestARevokedKeyGetsNoReplay(t *testing.T) { onEveryStore(t, testARevokedKeyGetsNoReplay) }

func testARevokedKeyGetsNoReplay(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 1000)
	key := access.Key{ID: r.ids.New(id.Key), Merchant: r.shopID}
	secret := access.NewSecret()
	key.Hash = access.HashOf(secret)
	check(t, r.store.CreateKey(t.Context(), key, auditOf(r)))
	order := ask{"POST", "/v1/wallet/authorize", secret, orderOf(1, 10, "O"), idem("k")}
	if a := r.do(order); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	check(t, r.store.RevokeKey(t.Context(), key.ID, noon, auditOf(r)))
	if a := r.do(order); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestRateLimitIsPerKey(t *testing.T) {
	r := newRig(t, func(_ *rig, o *httpapi.Options, _ *server.Options) { o.Rate = 3 })
	list := func(key string) *answer { return r.do(ask{"GET", "/v1/wallet/transactions", key, "", nil}) }
	for range 3 {
		if a := list(r.shop); a.status != 200 {
			t.Fatalf("within the burst: %d %s", a.status, a.body)
		}
	}
	a := list(r.shop)
	if a.status != 429 || a.reason() != "rate_limited" || a.number("code") != 1 ||
		a.header.Get("Retry-After") != "1" || a.header.Get("Should-Retry") != "true" {
		t.Errorf("over the limit: %d %v %s", a.status, a.header, a.body)
	}
	if a := list(r.rival); a.status != 200 {
		t.Errorf("another key: %d %s", a.status, a.body)
	}
	r.clock.Advance(334_000) // a third of a second: one token
	if a := list(r.shop); a.status != 200 {
		t.Errorf("after waiting: %d %s", a.status, a.body)
	}
	if a := list(r.shop); a.status != 429 {
		t.Errorf("one token, two requests: %d %s", a.status, a.body)
	}
}

// TestOrderOfChecks removes one fault after the other from a request that has them all: each time the
// answer is about the next.
func TestOrderOfChecks(t *testing.T) {
	r := newRig(t, func(_ *rig, o *httpapi.Options, _ *server.Options) { o.Rate = 10 })
	r.fund(t, 1, "KZT", 1000)
	used := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, orderOf(1, 10, "O"), idem("used")})
	if used.status != 201 {
		t.Fatalf("%d %s", used.status, used.body)
	}
	tx := used.text("walletTransactionId")
	for r.get("/v1/wallet/transactions").status == 200 { // no token is left
	}
	good := replaced("", "")
	large := strings.Repeat("x", 256<<10+1)
	badFields := func(n int) string { // the last n of the five fields are wrong
		names := []string{"amount", "phoneNumber", "iin", "orderReference", "currency"}
		body := `{`
		for i, name := range names {
			if i > 0 {
				body += `,`
			}
			value := `"wrong"`
			if i < 5-n {
				value = rawOf(name)
			} else if name == "orderReference" {
				value = `""`
			}
			body += `"` + name + `":` + value
		}
		return body + `}`
	}
	text := http.Header{"Content-Type": {"text/plain"}}
	nothing := http.Header{}
	const path, none, nonsense = "/v1/wallet/authorize", "/v1/nothing", "/v1/wallet/nonsense/capture"
	capture, refund := "/v1/wallet/"+tx+"/capture", "/v1/wallet/"+tx+"/refund"
	for i, c := range []struct {
		ask    ask
		wait   bool // let the bucket fill first
		status int
		reason string
	}{
		{ask{"DELETE", none, "no", large, text}, false, 404, "route_unknown"},
		{ask{"DELETE", path, "no", large, text}, false, 405, "method_not_allowed"},
		{ask{"POST", path, "no", large, text}, false, 401, "api_key_unknown"},
		{ask{"POST", path, r.shop, large, text}, false, 429, "rate_limited"},
		{ask{"POST", path, r.shop, large, text}, true, 413, "body_too_large"},
		{ask{"POST", path, r.shop, `{"amount":`, text}, true, 415, "content_type_not_json"},
		{ask{"POST", path, r.shop, `{"amount":`, nothing}, true, 400, "idempotency_key_missing"},
		{ask{"POST", path, r.shop, `{"amount":0`, idem("used")}, true, 400, "body_invalid"},
		{ask{"POST", path, r.shop, badFields(5), idem("used")}, true, 400, "amount_invalid"},
		{ask{"POST", path, r.shop, badFields(4), idem("used")}, true, 400, "phone_number_invalid"},
		{ask{"POST", path, r.shop, badFields(3), idem("used")}, true, 400, "iin_invalid"},
		{ask{"POST", path, r.shop, badFields(2), idem("used")}, true, 400, "order_reference_invalid"},
		{ask{"POST", path, r.shop, badFields(1), idem("used")}, true, 400, "currency_invalid"},
		{ask{"POST", path, r.shop, good, idem("used")}, true, 422, "idempotency_key_reused"},
		{ask{"POST", nonsense, r.shop, `{"amount":0}`, idem("used")}, true, 400, "amount_invalid"},
		{ask{"POST", nonsense, r.shop, `{"amount":11}`, idem("used")}, true, 422, "idempotency_key_reused"},
		{ask{"POST", nonsense, r.shop, `{"amount":11}`, idem("fresh")}, true, 404, "wallet_transaction_not_found"},
		{ask{"POST", refund, r.shop, `{"amount":11}`, idem("fresh")}, true, 422, "nothing_captured"},
		{ask{"POST", capture, r.shop, `{"amount":11}`, idem("fresh2")}, true, 422, "amount_exceeds_remaining"},
	} {
		if c.wait {
			r.clock.Advance(1_000_000)
		}
		a := r.do(c.ask)
		if a.status != c.status || a.reason() != c.reason {
			t.Errorf("step %d: %d %s, want %d %s", i, a.status, a.body, c.status, c.reason)
		}
	}
}

// TestIsolation asks every route for what is another merchant's.
func TestIsolation(t *testing.T) { onEveryStore(t, testIsolation) }

func testIsolation(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 1000)
	const endpoints = "/v1/webhook-endpoints"
	endpoint := r.do(ask{"POST", endpoints, r.shop, `{"url":"http://localhost:3000/hook"}`, nil}).text("id")
	tx := r.authorize(1, 500, "SECRET").text("walletTransactionId")
	r.operate(tx, "capture", 100)
	r.number(t)
	foreign := []foreignID{
		{"wallet_transaction_id", tx, "wallet_transaction_not_found"},
		{"event_id", event.ID(tx, 1), "event_not_found"},
		{"endpoint_id", endpoint, "webhook_endpoint_not_found"},
		{"delivery_id", event.DeliveryID(endpoint, 1), "delivery_not_found"},
		{"transaction_id", cardPaymentOf(t, r, "SECRET"), "payment_not_found"},
		{"payment_link_id", r.link(t, `{"amount":1,"currency":"KZT","orderReference":"SECRET"}`).text("id"),
			"payment_link_not_found"},
		{"order_reference", "SECRET", "payment_link_not_found"},
		{"customer_id", r.customer(somebody, "").text("id"), "customer_not_found"},
		{"token_id", driven["token_id"], "card_token_not_found"},
	}
	r.card(t, foreign[7].id, driven["token_id"])
	look := func() (all string) {
		for _, path := range []string{
			"/v1/wallet/transaction/" + tx, "/v1/events/" + foreign[1].id, endpoints,
			endpoints + "/" + endpoint + "/deliveries/" + foreign[3].id, linksPath + "/" + foreign[5].id,
			customersPath + "/" + foreign[7].id + "/card-tokens",
		} {
			a := r.get(path)
			if a.status != 200 {
				t.Fatalf("%s: %d %s", path, a.status, a.body)
			}
			all += a.body
		}
		return all
	}
	before := look()

	own := r.do(ask{"POST", endpoints, r.rival, `{"url":"http://localhost:3000/hook"}`, nil}).text("id")
	asked := 0
	for _, route := range httpapi.Routes() {
		if strings.Contains(route.Template, "{") {
			asked++
			testIsolationOf(t, r, route, foreign, own)
		}
	}
	if asked != 31 {
		t.Errorf("%d routes have an id, want 31", asked)
	}
	testIsolationOfLists(t, r, own, foreign[1].id)
	if after := look(); after != before {
		t.Errorf("another merchant changed it:\n%s\n%s", before, after)
	}
	// One merchant's idempotency key says nothing to another.
	mine := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, orderOf(1, 10, "A"), idem("shared")})
	theirs := r.do(ask{"POST", "/v1/wallet/authorize", r.rival, orderOf(1, 20, "B"), idem("shared")})
	if mine.status != 201 || theirs.status != 201 || theirs.number("amount") != 20 {
		t.Errorf("one key, two merchants: %s %s", mine.body, theirs.body)
	}
}

// foreignID is an id of another merchant's, its name in paths, and what is answered.
type foreignID struct{ name, id, reason string }

// testIsolationOf asks a route as the rival for the ids, and for what no id looks like. own is the rival's
// endpoint.
func testIsolationOf(t *testing.T, r *rig, route httpapi.Route, foreign []foreignID, own string) {
	t.Helper()
	for _, f := range foreign {
		path := strings.Replace(route.Template, "{endpoint_id}/deliveries/{delivery_id}",
			own+"/deliveries/{delivery_id}", 1)
		if f.name == "token_id" {
			theirs := r.do(ask{"POST", customersPath, r.rival, somebody, idem("isolation")}).text("id")
			path = strings.Replace(path, "{customer_id}", theirs, 1)
		}
		if f.name == "endpoint_id" {
			path = strings.Replace(route.Template, "{delivery_id}", foreign[3].id, 1)
		}
		if !strings.Contains(path, "{"+f.name+"}") {
			continue
		}
		if f.name == "order_reference" && !strings.HasPrefix(path, linksPath) {
			f.reason = "payment_not_found"
		}
		for _, id := range []string{
			f.id, strings.Replace(f.id, "_01", "_02", 1), "nonsense", strings.ToLower(f.id), f.id + "0", f.id[:4],
			"%00", "%FF", f.id + "%00", f.id[:len(f.id)-1] + "%00",
		} {
			a := r.do(ask{route.Method, strings.Replace(path, "{"+f.name+"}", id, 1), r.rival,
				`{"amount":1,"failed":true,"state":"disabled","expiresAt":"2027-01-01T00:00:00Z"}`,
				idem("k" + id[:2] + route.Template[len(route.Template)-3:])})
			want := `{"code":4,"message":"` + reject.Of(reject.Reason(f.reason)).Message + `","source":"` + f.name +
				`","type":"apiError","reason":"` + f.reason + `","requestId":"` + a.header.Get("X-Request-Id") + `"}`
			if a.status != 404 || a.body != want {
				t.Errorf("%s %s for %s: %d %s", route.Method, path, id, a.status, a.body)
			}
		}
	}
}

// testIsolationOfLists looks for what is another's in the rival's lists, and tries to have it sent.
func testIsolationOfLists(t *testing.T, r *rig, own, event string) {
	t.Helper()
	for path, none := range map[string]string{
		"/v1/wallet/transactions/":                      `{"items":[],"nextCursor":null}`,
		"/v1/wallet/transactions?orderReference=SECRET": `{"items":[],"nextCursor":null}`,
		"/v1/events": `{"items":[],"nextAfter":0}`,
		"/v1/webhook-endpoints/" + own + "/deliveries": `{"items":[],"nextCursor":null}`,
	} {
		a := r.do(ask{"GET", path, r.rival, "", nil})
		if a.status != 200 || a.body != none {
			t.Errorf("%s of another: %d %s", path, a.status, a.body)
		}
	}
	replay := "/v1/webhook-endpoints/" + own + "/replay"
	a := r.do(ask{"POST", replay, r.rival, `{"eventId":"` + event + `"}`, nil})
	if a.status != 404 || a.reason() != "event_not_found" || a.text("source") != "eventId" {
		t.Errorf("another's event was sent again: %d %s", a.status, a.body)
	}
	a = r.do(ask{"POST", replay, r.rival, `{"from":1}`, nil})
	if a.status != 202 || a.number("replayed") != 0 {
		t.Errorf("another's events were sent again: %d %s", a.status, a.body)
	}
}

func TestADatabaseThatIsAwayIsNoLie(t *testing.T) {
	away := errors.New("no route to host")
	r := newRig(t, func(r *rig, o *httpapi.Options, _ *server.Options) {
		o.Reader = noReader{r.store, away}
	})
	for _, path := range []string{
		"/v1/wallet/transactions", "/v1/wallet/transaction/wt_01JDM3Z7V8H8Q2X9K0R1ABCD12",
	} {
		a := r.get(path)
		if a.status != 503 || a.reason() != "busy" || a.number("code") != 1 ||
			a.header.Get("Retry-After") != "1" || strings.Contains(a.body, "route to host") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	blind := newRig(t, func(_ *rig, o *httpapi.Options, _ *server.Options) { o.Keys = noKeys{away} })
	if a := blind.get("/v1/wallet/transactions"); a.status != 503 || a.reason() != "busy" {
		t.Errorf("keys cannot be read: %d %s", a.status, a.body)
	}
}
