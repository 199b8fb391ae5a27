package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"plexy/internal/commit"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/id"
)

const linksPath = "/v1/payment-links"

// step runs an instruction without a key.
func (r *rig) step(t testing.TB, c machine.Command) machine.Outcome {
	t.Helper()
	return must(commit.RunOne(context.Background(), r.store, r.clock, machine.Instruction{Command: c}))(t)
}

// begin makes a payment of the shop and asks the acquirer for it; it returns both ids.
func (r *rig) begin(t testing.TB, f payment.Facts) (paymentID, operation string) {
	t.Helper()
	uuids := id.NewMakerAt(r.clock.Now)
	f.ID, f.Merchant, f.Connector, f.Kind = uuids.UUID(), r.shopID, "sandbox", payment.Auth
	if f.Link == "" {
		f.Amount, f.Currency = 12_627, money.KZT
	}
	operation = uuids.UUID()
	if o := r.step(t, machine.BeginPayment{Facts: f, Operation: operation}); o.Reason != "" {
		t.Fatalf("no payment: %s", o.Reason)
	}
	return f.ID, operation
}

// pay pays a link of the shop.
func (r *rig) pay(t *testing.T, link string) (paymentID string) {
	t.Helper()
	paymentID, operation := r.begin(t, payment.Facts{Link: link})
	o := r.step(t, machine.RecordAnswer{
		Attempt: machine.Attempt{Payment: paymentID, Operation: operation, Link: link},
		Answer:  payment.Answer{State: payment.Accepted, Code: "00"},
	})
	if o.Reason != "" || o.Pay.Payment.Status() != payment.StatusAuthorized {
		t.Fatalf("not paid: %s %+v", o.Reason, o.Pay)
	}
	return paymentID
}

// link makes a payment link of the shop; the answer must be 201.
func (r *rig) link(t *testing.T, body string) *answer {
	t.Helper()
	a := r.do(ask{"POST", linksPath, r.shop, body, nil})
	if a.status != 201 {
		t.Fatalf("make a link: %d %s", a.status, a.body)
	}
	return a
}

func (r *rig) linkAt(method, link, path, body string) *answer {
	return r.do(ask{method, linksPath + "/" + link + path, r.shop, body, nil})
}

func TestTheLifeOfALink(t *testing.T) { onEveryStore(t, testTheLifeOfALink) }

func testTheLifeOfALink(t *testing.T, r *rig) {
	made := r.link(t, `{"amount":2200000,"currency":"KZT","description":"Оплата \"заказа\" №42",`+
		`"orderReference":"INV/2026 №1","expiresAt":"2026-02-20T10:00:00.000Z","metadata":{"successUrl":"https://x/ok","callbackUrl":"",`+
		` "shopId":9007199254740993,"nested":{"b":[1.50,null]}},"recurring":{"type":"cof_initial","frequency":30,`+
		`"expiry":"2027-03-14T00:00:00Z","parentTransactionId":"x"},"validation":false,"customerId":null,"more":1}`)
	link := made.text("id")
	form := func(status, expires, updated string) string {
		return `{"id":"` + link + `","url":"https://pay.example/` + link + `","status":"` + status + `","amount":2200000,` +
			`"currency":"KZT","description":"Оплата \"заказа\" №42","orderReference":"INV/2026 №1",` +
			`"customerId":null,` +
			`"expiresAt":"` + expires + `","createdAt":"2026-02-19T10:18:58.123456Z","updatedAt":"` + updated + `",` +
			`"metadata":{"successUrl":"https://x/ok","callbackUrl":"","shopId":9007199254740993,` +
			`"nested":{"b":[1.50,null]}},"recurring":{"type":"cof_initial","expiry":"2027-03-14T00:00:00.000000Z",` +
			`"frequency":30},"autoClearing":true,"validation":false,"createdBy":"` + made.text("createdBy") +
			`","transactionId":null}`
	}
	const day, later = "2026-02-20T10:00:00.000000Z", "2026-02-19T10:19:00.123456Z"
	plain := form("active", day, "2026-02-19T10:18:58.123456Z")
	if made.body != plain || !id.IsLink(link) || !strings.HasPrefix(made.text("createdBy"), "key_") {
		t.Errorf("made\n%s\nwant\n%s", made.body, plain)
	}
	for _, path := range []string{"/" + link, "/by-order-reference/INV%2F2026%20%E2%84%961",
		"/by-order-reference/INV/2026%20%E2%84%961"} {
		if a := r.get(linksPath + path); a.status != 200 || a.body != plain {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	r.clock.Advance(2_000_000)
	a := r.linkAt("PATCH", link, "", `{"expiresAt":"2026-02-21T00:00:00+05:00"}`)
	if want := form("active", "2026-02-20T19:00:00.000000Z", later); a.status != 200 || a.body != want {
		t.Errorf("later: %d\n%s\nwant\n%s", a.status, a.body, want)
	}
	a = r.linkAt("POST", link, "/cancel", `[]`)
	cancelled := form("cancelled", "2026-02-20T19:00:00.000000Z", later)
	if a.status != 200 || a.body != cancelled {
		t.Errorf("cancel: %d %s", a.status, a.body)
	}
	for _, again := range []*answer{r.linkAt("DELETE", link, "", ""), r.linkAt("POST", link, "/cancel", ""),
		r.linkAt("PATCH", link, "", `{"expiresAt":"2026-02-21T00:00:00Z"}`)} {
		if again.status != 422 || again.reason() != "link_cancelled" || again.text("source") != "payment_link_id" {
			t.Errorf("of a cancelled link: %d %s", again.status, again.body)
		}
	}
	// A reference is taken for ever, and an absent one never.
	a = r.do(ask{"POST", linksPath, r.shop, `{"amount":1,"currency":"KZT","orderReference":"INV/2026 №1"}`, nil})
	if a.status != 422 || a.reason() != "payment_link_reference_exists" || a.text("source") != "orderReference" {
		t.Errorf("the same reference: %d %s", a.status, a.body)
	}
	for range 2 {
		a = r.link(t, `{"amount":1,"currency":"USD","metadata":[],"recurring":[],"expiresAt":null,`+
			`"autoClearing":false}`)
	}
	if a.body == "" || a.fields["orderReference"] != nil || a.fields["expiresAt"] != nil ||
		a.fields["recurring"] != nil || a.fields["autoClearing"] != false || a.text("description") != "" {
		t.Errorf("a link with nothing in it: %s", a.body)
	}
}

// TestWaysToCancel: what clients send with it, with and without a type.
func TestWaysToCancel(t *testing.T) {
	r := newRig(t)
	for _, way := range []ask{
		{method: "POST", path: "/cancel", body: `[]`}, {method: "POST", path: "/cancel", body: `{}`},
		{method: "POST", path: "/cancel"}, {method: "DELETE"}, {method: "DELETE", body: `{"x":1}`},
		{method: "POST", path: "/cancel", header: http.Header{"Content-Type": nil}},
		{method: "POST", path: "/cancel", header: http.Header{"Content-Type": nil, "Idempotency-Key": {"c"}}},
	} {
		link := r.link(t, `{"amount":1,"currency":"KZT"}`).text("id")
		way.path, way.key = linksPath+"/"+link+way.path, r.shop
		if a := r.do(way); a.status != 200 || a.text("status") != "cancelled" {
			t.Errorf("%s %s %q %v: %d %s", way.method, way.path, way.body, way.header, a.status, a.body)
		}
	}
}

func TestLinksAndTheClock(t *testing.T) { onEveryStore(t, testLinksAndTheClock) }

func testLinksAndTheClock(t *testing.T, r *rig) {
	body := `{"amount":1,"currency":"KZT","expiresAt":"` +
		time.UnixMicro(noon).UTC().Add(time.Hour).Format(time.RFC3339Nano) + `"}`
	made := r.do(ask{"POST", linksPath, r.shop, body, idem("k")})
	link := made.text("id")
	r.clock.Advance(time.Hour.Microseconds() - 1)
	if a := r.linkAt("GET", link, "", ""); a.text("status") != "active" {
		t.Errorf("a moment before: %s", a.body)
	}
	r.clock.Advance(1)
	// Nobody has closed it yet.
	for _, a := range []*answer{r.linkAt("GET", link, "", ""), r.get(linksPath)} {
		if a.status != 200 || !strings.Contains(a.body, `"status":"expired"`) {
			t.Errorf("at the moment: %d %s", a.status, a.body)
		}
	}
	for _, a := range []*answer{r.linkAt("DELETE", link, "", ""),
		r.linkAt("PATCH", link, "", `{"expiresAt":"2026-03-01T00:00:00Z"}`)} {
		if a.status != 422 || a.reason() != "link_expired" {
			t.Errorf("of an expired link: %d %s", a.status, a.body)
		}
	}
	for _, ask := range []ask{
		{method: "PATCH", path: linksPath + "/" + link, body: `{"expiresAt":"2026-02-19T11:18:58.123456Z"}`},
		{method: "POST", path: linksPath, body: body},
		{method: "POST", path: linksPath, body: `{"amount":1,"currency":"KZT","expiresAt":"1960-01-01T00:00:00Z"}`},
	} {
		ask.key = r.shop
		if a := r.do(ask); a.status != 422 || a.reason() != "expires_at_passed" || a.text("source") != "expiresAt" {
			t.Errorf("%s %s: %d %s", ask.method, ask.body, a.status, a.body)
		}
	}
	// What was answered is answered again, whatever time it is.
	again := r.do(ask{"POST", linksPath, r.shop, body, idem("k")})
	if again.status != 201 || again.body != made.body || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the stored answer: %d %s", again.status, again.body)
	}
	if o := r.step(t, machine.ExpireLink{ID: link}); o.Reason != "" {
		t.Error(o.Reason)
	}
	if a := r.linkAt("GET", link, "", ""); a.text("status") != "expired" {
		t.Errorf("closed: %s", a.body)
	}
}

func TestLinksThatArePaid(t *testing.T) { onEveryStore(t, testLinksThatArePaid) }

func testLinksThatArePaid(t *testing.T, r *rig) {
	link := r.link(t, `{"amount":500,"currency":"KZT","orderReference":"A"}`).text("id")
	busy := r.link(t, `{"amount":700,"currency":"KZT"}`).text("id")
	r.link(t, `{"amount":900,"currency":"USD"}`)
	paid := r.pay(t, link)
	r.begin(t, payment.Facts{Link: busy})
	if a := r.linkAt("GET", link, "", ""); a.text("status") != "paid" || a.text("transactionId") != paid {
		t.Errorf("paid: %s", a.body)
	}
	if a := r.linkAt("DELETE", link, "", ""); a.status != 422 || a.reason() != "link_already_paid" {
		t.Errorf("cancel what was paid: %d %s", a.status, a.body)
	}
	for range 2 { // such an answer is not kept
		a := r.do(ask{"POST", linksPath + "/" + busy + "/cancel", r.shop, "", idem("c")})
		if a.status != 409 || a.reason() != "link_busy" || a.header.Get("Should-Retry") != "true" ||
			a.header.Get("Retry-After") == "" || a.header.Get("Idempotent-Replayed") != "" {
			t.Errorf("cancel while it is being paid: %d %s %v", a.status, a.body, a.header)
		}
	}
	want := `{"items":[{"status":"active","currency":"KZT","count":1,"amount":700},` +
		`{"status":"active","currency":"USD","count":1,"amount":900},` +
		`{"status":"paid","currency":"KZT","count":1,"amount":500}]}`
	for query, want := range map[string]string{
		"": want, "?createdFrom=2026-02-19T10:18:58.123456Z": want, "?createdTo=2026-02-19T10:18:58.123457Z": want,
		"?createdFrom=2026-02-19T10:18:58.123457Z": `{"items":[]}`,
		"?createdTo=1960-01-01T00:00:00Z":          `{"items":[]}`,
	} {
		if a := r.get(linksPath + "/statistics" + query); a.status != 200 || a.body != want {
			t.Errorf("%s: %d %s, want %s", query, a.status, a.body, want)
		}
	}
}

func TestLinksInPages(t *testing.T) { onEveryStore(t, testLinksInPages) }

func testLinksInPages(t *testing.T, r *rig) {
	for i := range 5 {
		r.link(t, fmt.Sprintf(`{"amount":%d,"currency":"KZT"}`, i+1))
		r.clock.Advance(1000)
	}
	seen := ""
	for page := 1; page <= 4; page++ {
		a := r.get(fmt.Sprintf("%s?page=%d&size=2&sort=x", linksPath, page))
		all, _ := a.fields["data"].([]any)
		if a.status != 200 || a.number("total") != 5 || a.number("page") != int64(page) || a.number("size") != 2 {
			t.Errorf("page %d: %d %s", page, a.status, a.body)
		}
		for _, l := range all {
			seen += fmt.Sprint(l.(map[string]any)["amount"], " ")
		}
	}
	if seen != "5 4 3 2 1 " {
		t.Errorf("the pages hold %s", seen)
	}
	for query, reason := range map[string]string{
		"page=0": "page_invalid", "page=x": "page_invalid", "page=1&page=2": "page_invalid",
		"page=": "page_invalid", "page=1000000001": "page_invalid",
		"size=0": "size_invalid", "size=101": "size_invalid", "size=+5": "size_invalid",
	} {
		if a := r.get(linksPath + "?" + query); a.status != 400 || a.reason() != reason {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
	if a := r.get(linksPath + "?page=1000000000&size=100"); a.status != 200 || a.number("total") != 5 {
		t.Errorf("far down: %d %s", a.status, a.body)
	}
}

// TestLinksOfOthers: whatever id or reference is asked for, another merchant's is as if it were not there.
func TestLinksOfOthers(t *testing.T) { onEveryStore(t, testLinksOfOthers) }

func testLinksOfOthers(t *testing.T, r *rig) {
	link := r.link(t, `{"amount":1,"currency":"KZT","orderReference":"A"}`).text("id")
	for _, path := range []string{
		"/" + link, "/by-order-reference/A", "/pl_1", "/pl_" + strings.Repeat("0", 32), "/x%00y",
		"/by-order-reference/" + strings.Repeat("x", 256), "/by-order-reference/%00",
	} {
		for _, method := range []string{"GET", "PATCH", "DELETE", "POST"} {
			if strings.HasPrefix(path, "/by") && method != "GET" {
				continue
			}
			q := ask{method, linksPath + path, r.rival, `{"expiresAt":"2027-01-01T00:00:00Z"}`, nil}
			if method == "POST" {
				q.path, q.header = q.path+"/cancel", idem("k"+fmt.Sprint(len(path)))
			}
			if a := r.do(q); a.status != 404 || a.reason() != "payment_link_not_found" {
				t.Errorf("%s %s: %d %s", q.method, q.path, a.status, a.body)
			}
		}
	}
	a := r.do(ask{"GET", linksPath, r.rival, "", nil})
	if a.number("total") != 0 || strings.Contains(a.body, link) {
		t.Errorf("the rival's list: %s", a.body)
	}
	a = r.do(ask{"POST", linksPath, r.rival, `{"amount":1,"currency":"KZT","orderReference":"A"}`, nil})
	if a.status != 201 {
		t.Errorf("the rival's own order A: %d %s", a.status, a.body)
	}
}

func TestLinksAndIdempotency(t *testing.T) { onEveryStore(t, testLinksAndIdempotency) }

func testLinksAndIdempotency(t *testing.T, r *rig) {
	send := func(key, body string) *answer { return r.do(ask{"POST", linksPath, r.shop, body, idem(key)}) }
	const body = `{"amount":1,"currency":"KZT","orderReference":"A","metadata":{"a":1,"b":{"c":2,"d":3}}}`
	first := send("k", body)
	again := send("k", `{"metadata": {"b":{"d":3,"c":2},"a":1},"orderReference":"A", "currency":"KZT",`+
		`"amount":1,"autoClearing":true}`)
	if first.status != 201 || again.status != 201 || again.body != first.body ||
		again.header.Get("Idempotent-Replayed") != "true" ||
		again.header.Get("Original-Request-Id") != first.header.Get("X-Request-Id") {
		t.Errorf("again: %d %s %v", again.status, again.body, again.header)
	}
	for _, other := range []string{
		`"amount":2`, `"currency":"USD"`, `"orderReference":"B"`, `"description":"x"`, `"validation":true`,
		`"expiresAt":"2027-01-01T00:00:00Z"`, `"metadata":{"a":1}`, `"recurring":{"type":"cof_initial"}`,
		`"autoClearing":false`,
	} {
		a := send("k", having(body, other))
		if a.status != 422 || a.reason() != "idempotency_key_reused" {
			t.Errorf("%s: %d %s", other, a.status, a.body)
		}
	}
	refused := send("d", `{"amount":1,"currency":"KZT","orderReference":"A"}`)
	again = send("d", `{"amount":1,"currency":"KZT","orderReference":"A"}`)
	if refused.status != 422 || again.body != refused.body || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("a refusal is kept: %d %s", again.status, again.body)
	}
	if a := r.get(linksPath); a.number("total") != 1 {
		t.Errorf("%d links were made", a.number("total"))
	}
}

func TestBadLinks(t *testing.T) {
	r := newRig(t)
	long := strings.Repeat("я", 501)
	for reason, members := range map[reject.Reason][]string{
		reject.AmountInvalid: {`"amount":0`, `"amount":-1`, `"amount":1.5`, `"amount":1e3`, `"amount":"100"`,
			`"amount":null`, `"amount":99999999999999999999`},
		reject.AmountOutOfRange: {`"amount":1000000000001`, `"amount":9223372036854775807`},
		reject.CurrencyInvalid:  {`"currency":"kzt"`, `"currency":"XXX"`, `"currency":398`, `"currency":null`},
		reject.DescriptionInvalid: {`"description":"` + long + `"`, `"description":"\u0000"`, `"description":1`,
			`"description":"\u007f"`},
		reject.OrderReferenceInvalid: {`"orderReference":""`, `"orderReference":1`, `"orderReference":"a\nb"`,
			`"orderReference":"` + strings.Repeat("x", 256) + `"`},
		reject.ExpiresAtInvalid: {`"expiresAt":""`, `"expiresAt":1772000000`, `"expiresAt":"2027-01-01"`,
			`"expiresAt":"2027-01-01T00:00:00"`},
		reject.ExpiresAtPassed: {`"expiresAt":"2026-02-19T10:18:58.123456Z"`, `"expiresAt":"1970-01-01T00:00:00Z"`,
			`"expiresAt":"0001-01-01T00:00:00Z"`},
		reject.CustomerNotFound: {`"customerId":"x"`, `"customerId":5`,
			`"customerId":"` + driven["customer_id"] + `"`},
		reject.RecurringInvalid: {`"recurring":"cof_initial"`, `"recurring":{"frequency":30}`,
			`"recurring":{"type":"ucof"}`,
			`"recurring":{"type":"cof_initial","frequency":0}`, `"recurring":{"type":"cof_initial","frequency":1.5}`,
			`"recurring":{"type":"cof_initial","expiry":"x"}`,
			`"recurring":{"type":"cof_initial","expiry":"2020-01-01T00:00:00Z"}`},
		reject.AutoClearingInvalid: {`"autoClearing":"true"`, `"autoClearing":0`},
		reject.ValidationInvalid:   {`"validation":"false"`},
		reject.MetadataInvalid: {`"metadata":"x"`, `"metadata":[1]`,
			`"metadata":{"successUrl":"javascript:alert(1)"}`,
			`"metadata":{"failureUrl":"/failure"}`, `"metadata":{"cancelUrl":5}`,
			`"metadata":{"callbackUrl":"http://10.0.0.1/"}`, `"metadata":{"callbackUrl":"ftp://x"}`,
			`"metadata":{"successUrl":"https://x/` + strings.Repeat("x", 2048) + `"}`,
			`"metadata":{"x":"` + strings.Repeat("x", 16<<10) + `"}`},
	} {
		for _, member := range members {
			a := r.do(ask{"POST", linksPath, r.shop, having(`{"amount":1,"currency":"KZT"}`, member), nil})
			name, _, _ := strings.Cut(strings.TrimPrefix(member, `"`), `"`)
			if a.reason() != string(reason) || !strings.HasPrefix(a.text("source"), name) ||
				a.status != 400 && a.status != 422 && a.status != 404 {
				t.Errorf("%.80s: %d %s", member, a.status, a.body)
			}
		}
	}
	for _, body := range []string{``, `[]`, ` [ ] `} {
		if a := r.do(ask{"POST", linksPath, r.shop, body, nil}); a.status != 400 || a.reason() != "amount_invalid" {
			t.Errorf("%q: %d %s", body, a.status, a.body)
		}
	}
	for _, body := range []string{`[1]`, `null`, `{"amount":1,"amount":2}`, `{}{}`, `"x"`} {
		if a := r.do(ask{"POST", linksPath, r.shop, body, nil}); a.status != 400 || a.reason() != "body_invalid" {
			t.Errorf("%q: %d %s", body, a.status, a.body)
		}
	}
	for _, body := range []string{`{}`, `[]`, ``, `{"expiresAt":null}`, `{"expiresAt":"soon"}`} {
		a := r.linkAt("PATCH", driven["payment_link_id"], "", body)
		if a.status != 400 || a.reason() != "expires_at_invalid" {
			t.Errorf("PATCH %q: %d %s", body, a.status, a.body)
		}
	}
	if a := r.get(linksPath); a.number("total") != 0 {
		t.Errorf("something was made: %s", a.body)
	}
}

// FuzzLinkBody: whatever is accepted, the standard library reads the same from it.
func FuzzLinkBody(f *testing.F) {
	for _, body := range []string{
		`{"amount":1,"currency":"KZT"}`, `[]`, `{"amount":1,"currency":"KZT","metadata":{"successUrl":"https://x"}}`,
		`{"amount":1,"currency":"KZT","orderReference":"\u0410","expiresAt":"2027-01-01T00:00:00.5+05:00"}`,
		`{"amount":1,"currency":"USD","recurring":{"type":"cof_initial","frequency":7},"autoClearing":false}`,
		`{"amount":1,"currency":"KZT","metadata":[ ],"description":null,"validation":true}`,
	} {
		f.Add([]byte(body))
	}
	c := newCaptured(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		a := c.ask(t, ask{"POST", linksPath, c.shop, string(body), nil})
		if c.in == nil {
			if a.status != 400 && a.status != 413 && a.status != 404 {
				t.Fatalf("refused with %d %s", a.status, a.body)
			}
			return
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal(body, &all); err != nil {
			t.Fatalf("accepted %q: %v", body, err)
		}
		amount, currency, description, reference := int64(0), "", "", ""
		for name, to := range map[string]any{
			"amount": &amount, "currency": &currency, "description": &description, "orderReference": &reference,
		} {
			if raw := all[name]; raw != nil && json.Unmarshal(raw, to) != nil {
				t.Fatalf("accepted %q with %s", body, raw)
			}
		}
		made := c.in.Command.(machine.CreateLink)
		l := made.Facts
		if l.Amount != amount || amount < 1 || string(l.Currency) != currency || l.Merchant != c.shopID ||
			l.Description != description || l.OrderReference != reference || made.ExpiresAt < 0 ||
			l.Metadata != "" && !json.Valid([]byte(l.Metadata)) || !id.IsLink(l.ID) {
			t.Fatalf("%q was read as %+v", body, made)
		}
	})
}
