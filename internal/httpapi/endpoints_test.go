package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"plexy/internal/access"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/event"
	"plexy/internal/httpapi"
	"plexy/internal/id"
	"plexy/internal/server"
	"plexy/internal/storage"
)

const endpointsPath = "/v1/webhook-endpoints"

// endpoint makes one for the shop and returns the answer, which must be 201.
func (r *rig) endpoint(body string) *answer {
	r.t.Helper()
	a := r.do(ask{"POST", endpointsPath, r.shop, body, nil})
	if a.status != 201 {
		r.t.Fatalf("make an endpoint: %d %s", a.status, a.body)
	}
	return a
}

// at asks one of the shop's endpoints; path is what follows its id.
func (r *rig) at(method, endpoint, path, body string) *answer {
	return r.do(ask{method, endpointsPath + "/" + endpoint + path, r.shop, body, nil})
}

// audits are what was changed by API, newest first: action and object.
func (r *rig) audits(t *testing.T) (all []machine.Audit) {
	t.Helper()
	rows, err := r.store.Audits(t.Context(), 1000)
	check(t, err)
	for _, row := range rows {
		if strings.HasPrefix(row.Actor, "api key ") {
			all = append(all, row)
		}
	}
	return all
}

func TestTheLifeOfAnEndpoint(t *testing.T) { onEveryStore(t, testTheLifeOfAnEndpoint) }

func testTheLifeOfAnEndpoint(t *testing.T, r *rig) {
	made := r.endpoint(`{"url":"https://shop.example/plexy?a=\"b\"","ignored":1}`)
	id := made.text("id")
	const at = `"2026-02-19T10:18:58.123456Z"`
	form := func(url, types, ordered, state, why, updated string) string {
		return `{"id":"` + id + `","url":"` + url + `","eventTypes":[` + types + `],"ordered":` + ordered +
			`,"signatures":["hmac"],"publicKey":null,"retrySchedule":null,"maxConcurrency":8,"apiVersion":"1",` +
			`"thin":false,"state":"` + state + `","stateReason":` + why + `,"failingSince":null,` +
			`"previousSecretUntil":null,"createdAt":` + at + `,"updatedAt":` + updated + `}`
	}
	plain := form(`https://shop.example/plexy?a=\"b\"`, "", "true", "enabled", "null", at)
	if want := strings.TrimSuffix(plain, "}") + `,"token":"` + r.hooks.Token(id, 1).Reveal() + `","secret":"` +
		r.hooks.Secret(id, 1).Reveal() + `"}`; made.body != want {
		t.Errorf("made\n%s\nwant\n%s", made.body, want)
	}
	second := r.endpoint(`{"url":"http://localhost:3000/hook","eventTypes":["wallet.transaction.failed"],` +
		`"ordered":false,"state":"disabled"}`)
	if second.text("stateReason") != "by the merchant" || second.text("state") != "disabled" {
		t.Errorf("made disabled: %s", second.body)
	}

	r.clock.Advance(2_000_000)
	const later = `"2026-02-19T10:19:00.123456Z"`
	both := `"wallet.transaction.captured","wallet.transaction.refunded"`
	const moved, why = "https://shop.example/moved", `"by the merchant"`
	for _, step := range []struct{ method, body, want string }{
		{"GET", "", plain},
		{"PATCH", `{"url":"` + moved + `"}`, form(moved, "", "true", "enabled", "null", later)},
		{"PATCH", `{"eventTypes":[` + both + `]}`, form(moved, both, "true", "enabled", "null", later)},
		{"PATCH", `{"ordered":false}`, form(moved, both, "false", "enabled", "null", later)},
		{"PATCH", `{"state":"disabled"}`, form(moved, both, "false", "disabled", why, later)},
		{"PATCH", `{"eventTypes":null}`, form(moved, "", "false", "disabled", why, later)},
		{"PATCH", `{}`, form(moved, "", "false", "disabled", why, later)},
		{"GET", "", form(moved, "", "false", "disabled", why, later)},
		{"PATCH", `{"state":"enabled"}`, form(moved, "", "false", "enabled", "null", later)},
		{"GET", "", form(moved, "", "false", "enabled", "null", later)},
	} {
		if a := r.at(step.method, id, "", step.body); a.status != 200 || a.body != step.want {
			t.Errorf("%s %s: %d\n%s\nwant\n%s", step.method, step.body, a.status, a.body, step.want)
		}
	}
	all := items(r.get(endpointsPath))
	if len(all) != 2 || all[0]["id"] != id || all[1]["id"] != second.text("id") {
		t.Errorf("the list, oldest first: %v", all)
	}

	if a := r.at("DELETE", id, "", ""); a.status != 200 || a.body != `{"id":"`+id+`","deleted":true}` {
		t.Errorf("delete: %d %s", a.status, a.body)
	}
	for _, method := range []string{"GET", "PATCH", "DELETE"} {
		if a := r.at(method, id, "", "{}"); a.status != 404 || a.reason() != "webhook_endpoint_not_found" {
			t.Errorf("%s of what was deleted: %d %s", method, a.status, a.body)
		}
	}
	if all := items(r.get(endpointsPath)); len(all) != 1 {
		t.Errorf("the list after deleting: %v", all)
	}
	checkAudits(t, r, id)
}

// checkAudits looks at the audit rows of testTheLifeOfAnEndpoint.
func checkAudits(t *testing.T, r *rig, endpoint string) {
	t.Helper()
	rows, keys := r.audits(t), must(r.store.APIKeys(t.Context(), r.shopID))(t)
	if len(rows) != 10 {
		t.Fatalf("%d audit rows, want one for each of 10 changes", len(rows))
	}
	newest, oldest := rows[0], rows[len(rows)-1]
	if newest.Action != "delete webhook endpoint" || newest.Object != endpoint ||
		newest.Before != "https://shop.example/moved" || newest.At != r.clock.Now() {
		t.Errorf("the newest audit row is %+v", newest)
	}
	if oldest.Action != "create webhook endpoint" || oldest.Object != endpoint || oldest.At != noon ||
		oldest.Actor != "api key "+keys[0].ID {
		t.Errorf("the oldest audit row is %+v", oldest)
	}
	if row := rows[1]; row.Action != "change webhook endpoint" ||
		!strings.Contains(row.Before, `"state":"disabled"`) || !strings.Contains(row.After, `"state":"enabled"`) {
		t.Errorf("the audit row of a change is %+v", row)
	}
}

// TestSecretsAreShownOnce collects everything that is kept or shown after a secret was, and looks for it
// there.
func TestSecretsAreShownOnce(t *testing.T) {
	r := newRig(t)
	r.fund(t, 1, "KZT", 10_000)
	made := r.endpoint(`{"url":"https://shop.example/plexy"}`)
	endpoint := made.text("id")
	secrets := []string{made.text("token"), made.text("secret")}
	for _, step := range []struct{ body, until string }{
		{`{}`, "2026-02-20T10:18:58.123456Z"},
		{``, "2026-02-20T10:18:58.123456Z"},
		{`{"overlapHours":0}`, "2026-02-19T10:18:58.123456Z"},
		{`{"overlapHours":168}`, "2026-02-26T10:18:58.123456Z"},
	} {
		a := r.at("POST", endpoint, "/rotate-secret", step.body)
		if a.status != 200 || a.text("previousSecretUntil") != step.until || a.fields["token"] != nil {
			t.Errorf("rotate with %q: %d %s", step.body, a.status, a.body)
		}
		if strings.Contains(strings.Join(secrets, " "), a.text("secret")) {
			t.Errorf("rotated to a secret that was there: %s", a.body)
		}
		secrets = append(secrets, a.text("secret"))
	}
	if got := must(r.store.Endpoint(t.Context(), r.shopID, endpoint))(t); got.Secret != 5 ||
		r.hooks.Secret(endpoint, got.Secret).Reveal() != secrets[5] {
		t.Errorf("deliveries are signed with version %d", got.Secret)
	}
	secrets = append(secrets, r.shop)

	r.authorize(1, 100, "O")
	r.number(t)
	seen := r.at("POST", endpoint, "/test", "").body
	attempt(t, r, endpoint)
	for _, path := range []string{
		endpointsPath, endpointsPath + "/" + endpoint, endpointsPath + "/" + endpoint + "/deliveries", "/v1/events",
		endpointsPath + "/" + endpoint + "/deliveries/" + event.DeliveryID(endpoint, 1),
	} {
		a := r.get(path)
		if a.status != 200 {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
		seen += a.body
	}
	seen += r.at("PATCH", endpoint, "", `{"state":"disabled"}`).body
	seen += r.at("POST", endpoint, "/replay", `{"from":1}`).body
	seen += r.at("DELETE", endpoint, "", "").body
	seen += fmt.Sprintf("%+v", r.audits(t))
	r.flush()
	seen += r.log.String()
	if !strings.Contains(seen, `"route":"/v1/webhook-endpoints/{endpoint_id}/rotate-secret"`) ||
		!strings.Contains(seen, "rotate webhook secret") || !strings.Contains(seen, "connection was refused") {
		t.Fatalf("log, audits or attempts are missing:\n%s", seen)
	}
	for i, secret := range secrets {
		if len(secret) < 32 || strings.Contains(seen, secret) || strings.Contains(seen, secret[6:]) {
			t.Errorf("secret %d is seen again", i)
		}
	}
	if strings.Contains(seen, "for staff only") {
		t.Error("what a receiver answered is shown to whoever has the merchant's key")
	}
}

// badEndpoints are bodies that no endpoint is made or changed by, under reason and source.
var badEndpoints = map[string][]string{
	"body_invalid body": {
		`[]`, `null`, `{`, `{}{}`, `"x"`, ` `, `{"url":1,"url":2}`, "{\"url\":\"\xff\"}",
		`{"x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`,
	},
	"url_invalid url": {
		`{"url":5}`, `{"url":null}`, `{"url":""}`, `{"url":"shop.example"}`, `{"url":"https://"}`,
		`{"url":"ftp://shop.example"}`, `{"url":"https://a:b@shop.example"}`, `{"url":"https://shop.example/#x"}`,
		`{"url":"https://shop.example:25"}`, `{"url":"https://10.0.0.1/"}`, `{"url":"http://169.254.169.254/"}`,
		`{"url":"https://shop.example/\u0000"}`, `{"url":"https://shop.example/` + strings.Repeat("x", 2048) + `"}`,
	},
	"event_types_invalid eventTypes": {
		`{"url":"https://x","eventTypes":"wallet.transaction.captured"}`,
		`{"url":"https://x","eventTypes":["wallet.transaction.paid"]}`,
		`{"url":"https://x","eventTypes":[null]}`, `{"url":"https://x","eventTypes":[1]}`,
		`{"url":"https://x","eventTypes":{}}`,
		`{"url":"https://x","eventTypes":[` + strings.Repeat(`"wallet.transaction.failed",`, 20) +
			`"wallet.transaction.failed"]}`,
	},
	"ordered_invalid ordered": {`{"url":"https://x","ordered":"true"}`, `{"url":"https://x","ordered":null}`},
	"signatures_invalid signatures": {
		`{"url":"https://x","signatures":[]}`, `{"url":"https://x","signatures":null}`,
		`{"url":"https://x","signatures":"hmac"}`, `{"url":"https://x","signatures":["none"]}`,
		`{"url":"https://x","signatures":["hmac","hmac"]}`, `{"url":"https://x","signatures":["hmac",""]}`,
		`{"url":"https://x","signatures":["HMAC"]}`, `{"url":"https://x","signatures":["hmac","ed25519","rsa"]}`,
	},
	"retry_schedule_invalid retrySchedule": {
		`{"url":"https://x","retrySchedule":[]}`, `{"url":"https://x","retrySchedule":"5s"}`,
		`{"url":"https://x","retrySchedule":["0s"]}`, `{"url":"https://x","retrySchedule":["999ms"]}`,
		`{"url":"https://x","retrySchedule":["1500ms"]}`, `{"url":"https://x","retrySchedule":["24h1s"]}`,
		`{"url":"https://x","retrySchedule":["5s","-5s"]}`, `{"url":"https://x","retrySchedule":["5"]}`,
		`{"url":"https://x","retrySchedule":[5]}`, `{"url":"https://x","retrySchedule":[null]}`,
		`{"url":"https://x","retrySchedule":["1d"]}`, `{"url":"https://x","retrySchedule":["9999999999h"]}`,
		`{"url":"https://x","retrySchedule":[` + strings.Repeat(`"1s",`, 20) + `"1s"]}`,
	},
	"max_concurrency_invalid maxConcurrency": {
		`{"url":"https://x","maxConcurrency":0}`, `{"url":"https://x","maxConcurrency":65}`,
		`{"url":"https://x","maxConcurrency":-1}`, `{"url":"https://x","maxConcurrency":"8"}`,
		`{"url":"https://x","maxConcurrency":8.0}`, `{"url":"https://x","maxConcurrency":null}`,
	},
	"api_version_invalid apiVersion": {
		`{"url":"https://x","apiVersion":"2"}`, `{"url":"https://x","apiVersion":1}`,
		`{"url":"https://x","apiVersion":"01"}`, `{"url":"https://x","apiVersion":""}`,
		`{"url":"https://x","apiVersion":null}`, `{"url":"https://x","apiVersion":"v1"}`,
	},
	"thin_invalid thin":   {`{"url":"https://x","thin":"true"}`, `{"url":"https://x","thin":null}`},
	"state_invalid state": {`{"url":"https://x","state":"paused"}`, `{"url":"https://x","state":null}`},
}

// badRequests are the same for the other routes of an endpoint, by path.
var badRequests = map[string]map[string][]string{
	"/rotate-secret": {
		"overlap_invalid overlapHours": {
			`{"overlapHours":-1}`, `{"overlapHours":169}`, `{"overlapHours":"1"}`, `{"overlapHours":null}`,
			`{"overlapHours":1.0}`, `{"overlapHours":1e1}`,
		},
		"body_invalid body": {`[]`},
	},
	"/test": {
		"event_type_invalid eventType": {
			`{"eventType":"paid"}`, `{"eventType":1}`, `{"eventType":null}`, `{"eventType":""}`,
		},
		"body_invalid body": {`[]`},
	},
	"/replay": {
		"replay_invalid body": {
			`{}`, ``, `{"from":0}`, `{"to":0}`, `{"from":2,"to":1}`, `{"from":"1"}`, `{"from":1.5}`, `{"from":null}`,
			`{"failed":false}`, `{"failed":"true"}`, `{"failed":true,"from":0}`, `{"eventId":"evt_1","from":1}`,
			`{"eventId":"evt_1","failed":true}`, `{"from":4611686018427387905}`,
		},
		"body_invalid body": {`[]`},
	},
}

func TestBadInputOfEndpointsNamesTheFieldAndChangesNothing(t *testing.T) {
	r := newRig(t)
	endpoint := r.endpoint(`{"url":"https://shop.example/plexy"}`).text("id")
	one := endpointsPath + "/" + endpoint
	look := func() string {
		return fmt.Sprint(r.get(endpointsPath).body, r.get(one+"/deliveries").body, len(r.audits(t)))
	}
	before := look()
	refuse := func(method, path, want string, bodies ...string) {
		t.Helper()
		for _, body := range bodies {
			a := r.do(ask{method, path, r.shop, body, nil})
			if got := a.reason() + " " + a.text("source"); a.status != 400 || got != want ||
				a.number("code") != 3 || a.text("message") == "" {
				t.Errorf("%s %s %.80s: %d %s, want %s", method, path, body, a.status, a.body, want)
			}
		}
	}
	for want, bodies := range badEndpoints {
		refuse("POST", endpointsPath, want, bodies...)
		refuse("PATCH", one, want, bodies...)
	}
	refuse("POST", endpointsPath, "url_invalid url", `{}`, ``)
	for path, all := range badRequests {
		for want, bodies := range all {
			refuse("POST", one+path, want, bodies...)
		}
	}
	for want, queries := range map[string][]string{
		"limit_invalid limit": {"limit=0", "limit=101", "limit=1&limit=1"},
		"cursor_invalid cursor": {
			"cursor=", "cursor=x", "a;b", "cursor=" + event.DeliveryID("whe_01JDM5B2N7R4T6V8X0Z1ABCD34", 1),
			"cursor=whd_" + endpoint[4:] + "_%00",
		},
		"state_invalid state": {"state=", "state=failed", "state=dead&state=dead"},
	} {
		for _, query := range queries {
			refuse("GET", one+"/deliveries?"+query, want, "")
		}
	}
	if after := look(); after != before {
		t.Errorf("bad input changed something:\n%s\n%s", before, after)
	}
	r.endpoint(`{"url":"https://x"}`) // what the bad ones are made of is good
}

func TestTheURLIsRefusedWithItsReason(t *testing.T) {
	r := newRig(t)
	for url, want := range map[string]string{
		"https://192.168.1.1/":   "url must not lead to a private address.",
		"https://shop.example#x": "url must not have a fragment (#).",
		"mailto:a@shop.example":  "url must be a whole URL, such as https://shop.example/plexy.",
	} {
		a := r.do(ask{"POST", endpointsPath, r.shop, `{"url":"` + url + `"}`, nil})
		if a.text("message") != want {
			t.Errorf("%s: %s, want %s", url, a.body, want)
		}
	}
}

func TestAMerchantHasSixteenEndpoints(t *testing.T) {
	onEveryStore(t, testAMerchantHasSixteenEndpoints)
}

func testAMerchantHasSixteenEndpoints(t *testing.T, r *rig) {
	last := ""
	for range 16 {
		last = r.endpoint(`{"url":"https://shop.example/plexy"}`).text("id")
	}
	more := ask{"POST", endpointsPath, r.shop, `{"url":"https://shop.example/plexy"}`, nil}
	if a := r.do(more); a.status != 422 || a.reason() != "too_many_webhook_endpoints" || a.number("code") != 5 ||
		a.header.Get("Should-Retry") != "false" {
		t.Errorf("the 17th: %d %s", a.status, a.body)
	}
	if all := items(r.get(endpointsPath)); len(all) != 16 {
		t.Errorf("%d endpoints", len(all))
	}
	rivals := more
	rivals.key = r.rival
	if a := r.do(rivals); a.status != 201 {
		t.Errorf("another merchant's first: %d %s", a.status, a.body)
	}
	r.at("DELETE", last, "", "")
	if a := r.do(more); a.status != 201 {
		t.Errorf("the 16th after deleting one: %d %s", a.status, a.body)
	}
}

func TestARevokedKeyAndTheRateBoundTheNewRoutes(t *testing.T) {
	r := newRig(t, func(r *rig, o *httpapi.Options, _ *server.Options) {
		o.Rate, o.Sandbox = 2, newFakeSandbox(r.clock)
	})
	key, secret := access.Key{ID: r.ids.New(id.Key), Merchant: r.shopID}, access.NewSecret()
	key.Hash = access.HashOf(secret)
	check(t, r.store.CreateKey(t.Context(), key, auditOf(r)))
	check(t, r.store.RevokeKey(t.Context(), key.ID, noon, auditOf(r)))
	endpoint := r.endpoint(`{"url":"https://shop.example/plexy"}`).text("id")
	before := r.get(endpointsPath).body // and the bucket is empty
	asked := 0
	for _, route := range httpapi.Routes() {
		if strings.HasPrefix(route.Template, "/v1/wallet/") || route.Open {
			continue
		}
		asked++
		path := strings.NewReplacer("{endpoint_id}", endpoint, "{event_id}", "evt_1", "{delivery_id}", "whd_1").
			Replace(route.Template)
		body := `{"url":"https://other.example","failed":true}`
		if a := r.do(ask{route.Method, path, secret, body, nil}); a.status != 401 {
			t.Errorf("%s %s with a revoked key: %d %s", route.Method, path, a.status, a.body)
		}
		if a := r.do(ask{route.Method, path, r.shop, body, nil}); a.status != 429 || a.reason() != "rate_limited" {
			t.Errorf("%s %s over the rate: %d %s", route.Method, path, a.status, a.body)
		}
	}
	if asked < 12 {
		t.Errorf("%d routes were asked", asked)
	}
	r.clock.Advance(1_000_000)
	if after := r.get(endpointsPath).body; after != before {
		t.Errorf("what was refused changed something:\n%s\n%s", before, after)
	}
}

// TestWhereNoBodyIsNeededNoTypeIsAsked: and where one is sent or needed, it is.
func TestWhereNoBodyIsNeededNoTypeIsAsked(t *testing.T) {
	r := newRig(t)
	endpoint := r.endpoint(`{"url":"https://shop.example/plexy"}`).text("id")
	untyped := http.Header{"Content-Type": nil}
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", endpointsPath + "/" + endpoint + "/test", "", 202},
		{"POST", endpointsPath + "/" + endpoint + "/rotate-secret", "", 200},
		{"PATCH", endpointsPath + "/" + endpoint, "", 200},
		{"POST", endpointsPath + "/" + endpoint + "/test", "{}", 415},
		{"PATCH", endpointsPath + "/" + endpoint, `{"state":"disabled"}`, 415},
		{"POST", "/v1/wallet/wt_01JDM3Z7V8H8Q2X9K0R1ABCD12/capture", "", 415},
	} {
		if a := r.do(ask{c.method, c.path, r.shop, c.body, untyped}); a.status != c.status {
			t.Errorf("%s %s %s: %d %s, want %d", c.method, c.path, c.body, a.status, a.body, c.status)
		}
	}
}

// forgetful is an outbox that finds endpoints and no events.
type forgetful struct{ storage.Outbox }

func (forgetful) Event(context.Context, string, journal.Ref) (event.Event, error) {
	return event.Event{}, errors.New("no route to host")
}

func TestAReplayTellsTroubleFromWhatIsNotThere(t *testing.T) {
	r := newRig(t, func(r *rig, o *httpapi.Options, _ *server.Options) { o.Outbox = forgetful{r.store} })
	endpoint := r.endpoint(`{"url":"https://shop.example/plexy"}`).text("id")
	a := r.at("POST", endpoint, "/replay", `{"eventId":"evt_01JDM3Z7V8H8Q2X9K0R1ABCD12_2"}`)
	if a.status != 503 || a.reason() != "busy" || strings.Contains(a.body, "route") {
		t.Errorf("%d %s", a.status, a.body)
	}
}
