package httpapi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"plexy/internal/event"
	"plexy/internal/storage"
)

// shopOf makes an endpoint for all events and one for captures, and n captured transactions: 2n events.
func shopOf(t *testing.T, r *rig, n int) (all, captures string) {
	t.Helper()
	r.fund(t, 1, "KZT", 1_000_000)
	all = r.endpoint(`{"url":"https://shop.example/all"}`).text("id")
	captures = r.endpoint(`{"url":"https://shop.example/captures","eventTypes":["wallet.transaction.captured"]}`).
		text("id")
	for i := range n {
		tx := r.authorize(1, 100, "O"+strconv.Itoa(i)).text("walletTransactionId")
		if a := r.operate(tx, "capture", 100); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	r.number(t)
	return all, captures
}

// numbers are the numbers of the events of a list of deliveries: "5 4 3"; a test's is T.
func numbers(a *answer) string {
	var all []string
	for _, d := range items(a) {
		text := fmt.Sprint(d["eventNumber"])
		if d["isTest"] == true {
			text = "T"
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func TestDeliveriesAreListed(t *testing.T) { onEveryStore(t, testDeliveriesAreListed) }

func testDeliveriesAreListed(t *testing.T, r *rig) {
	all, captures := shopOf(t, r, 3)
	if got := numbers(r.at("GET", captures, "/deliveries", "")); got != "6 4 2" {
		t.Errorf("deliveries of captures: %s", got)
	}
	for range 2 {
		if a := r.at("POST", all, "/test", ""); a.status != 202 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	got, cursor := "", ""
	for pages := 0; ; pages++ {
		page := r.at("GET", all, "/deliveries?limit=3"+cursor, "")
		got += numbers(page) + "|"
		if page.fields["nextCursor"] == nil {
			break
		}
		cursor = "&cursor=" + page.text("nextCursor")
		r.at("POST", all, "/test", "") // what arrives meanwhile moves nothing
	}
	if got != "T T 6|5 4 3|2 1|" {
		t.Errorf("pages of deliveries: %s", got)
	}
	tried := attempt(t, r, all)
	for _, c := range []struct{ state, want string }{
		{"delivered", numberOf(tried[0])}, {"dead", numberOf(tried[1])},
	} {
		if got := numbers(r.at("GET", all, "/deliveries?state="+c.state, "")); got != c.want {
			t.Errorf("%s: %s, want %s", c.state, got, c.want)
		}
	}
	if got := numbers(r.at("GET", captures, "/deliveries?state=waiting", "")); got != "6 4 2" {
		t.Errorf("attempts at one endpoint changed another's: %s", got)
	}
}

// numberOf is the event's number in the id of a delivery.
func numberOf(delivery string) string {
	return strings.TrimLeft(delivery[strings.LastIndexByte(delivery, '_')+1:], "0")
}

func TestADeliveryTellsOfItsAttempts(t *testing.T) {
	r := newRig(t)
	all, captures := shopOf(t, r, 1)
	const now = `"2026-02-19T10:18:58.123456Z"`
	form := func(delivery, number, kind, state, attempts, next, list string) string {
		e := items(r.get("/v1/events?limit=1&after=" + strconv.Itoa(int(number[0]-'1'))))[0]
		return `{"id":"` + delivery + `","eventId":"` + e["id"].(string) + `","eventNumber":` + number +
			`,"isTest":false,"eventName":"wallet.transaction.` + kind + `","state":"` + state + `","attempts":` +
			attempts + `,"nextAttemptAt":` + next + `,"isReplay":false,"outOfOrder":false,"createdAt":` + now +
			`,"updatedAt":` + now + `,"attemptList":[` + list + `]}`
	}
	one, two := event.DeliveryID(all, 1), event.DeliveryID(all, 2)
	want := form(one, "1", "authorized", "waiting", "0", now, "")
	if a := r.at("GET", all, "/deliveries/"+one, ""); a.body != want {
		t.Errorf("before an attempt:\n%s\nwant\n%s", a.body, want)
	}
	if tried := attempt(t, r, all); !slices.Equal(tried, []string{one, two}) {
		t.Fatalf("attempts at %v", tried)
	}
	attemptOf := func(number, status, why string) string {
		return `{"number":` + number + `,"at":` + now + `,"durationMillis":1,"status":` + status +
			`,"error":` + why + `}`
	}
	want = form(one, "1", "authorized", "delivered", "2", "null",
		attemptOf("1", "null", `"the connection was refused"`)+","+attemptOf("2", "204", "null"))
	if a := r.at("GET", all, "/deliveries/"+one, ""); a.body != want {
		t.Errorf("delivered:\n%s\nwant\n%s", a.body, want)
	}
	want = form(two, "2", "captured", "dead", "1", "null", attemptOf("1", "503", `"answered 503"`))
	if a := r.at("GET", all, "/deliveries/"+two, ""); a.body != want {
		t.Errorf("dead:\n%s\nwant\n%s", a.body, want)
	}
	a := r.at("GET", captures, "/deliveries/"+two, "")
	if a.status != 404 || a.reason() != "delivery_not_found" {
		t.Errorf("by way of another endpoint: %d %s", a.status, a.body)
	}
	if a := r.at("GET", all, "", ""); a.text("failingSince") == "" {
		t.Errorf("an endpoint that fails: %s", a.body)
	}
}

func TestATestIsForOneEndpointAndInNoFeed(t *testing.T) {
	r := newRig(t)
	all, captures := shopOf(t, r, 0)
	for _, kind := range event.Kinds() {
		r.clock.Advance(1_000_000)
		a := r.at("POST", captures, "/test", `{"eventType":"`+kind.Name+`"}`) // whatever types it wants
		if a.status != 202 || a.text("eventName") != kind.Name || a.fields["isTest"] != true ||
			a.fields["eventId"] != nil || a.text("nextAttemptAt") != a.text("createdAt") {
			t.Errorf("%d %s", a.status, a.body)
		}
		due, err := r.store.DueDeliveries(t.Context(), captures, r.clock.Now(), 100)
		check(t, err)
		var body struct {
			Name       string
			MerchantID string `json:"merchantId"`
			Number     int64
		}
		check(t, json.Unmarshal(due[len(due)-1].Delivery.Body, &body))
		if body.Name != kind.Name || body.MerchantID != r.shopID || body.Number != 0 {
			t.Errorf("the body of a test of %s is %s", kind.Name, due[len(due)-1].Delivery.Body)
		}
		if again := r.at("GET", captures, "/deliveries/"+a.text("id"), ""); again.text("id") != a.text("id") {
			t.Errorf("the test's delivery: %d %s", again.status, again.body)
		}
	}
	if a := r.at("POST", captures, "/test", ""); a.text("eventName") != "wallet.transaction.captured" {
		t.Errorf("without a type: %s", a.body)
	}
	if got := numbers(r.at("GET", all, "/deliveries", "")); got != "" {
		t.Errorf("the other endpoint got %s", got)
	}
	if a := r.get("/v1/events"); len(items(a)) != 0 {
		t.Errorf("the feed shows a test: %s", a.body)
	}
}

// finishAll makes every delivery of the endpoint that waits what state says.
func finishAll(t *testing.T, r *rig, endpoint string, state event.DeliveryState) {
	t.Helper()
	due, err := r.store.DueDeliveries(t.Context(), endpoint, r.clock.Now(), 10_000)
	check(t, err)
	var results []storage.Result
	for _, d := range due {
		d.Delivery.State, d.Delivery.Attempts = state, d.Delivery.Attempts+1
		results = append(results, storage.Result{Delivery: d.Delivery, Attempt: event.Attempt{
			Delivery: d.Delivery.ID, Number: d.Delivery.Attempts, Error: "no answer in time",
		}})
	}
	check(t, r.store.Finish(t.Context(), r.clock.Now(), results, nil))
}

func TestReplay(t *testing.T) { onEveryStore(t, testReplay) }

func testReplay(t *testing.T, r *rig) {
	all, captures := shopOf(t, r, 3) // six events, three of them captures
	replay := func(endpoint, body string, want int64) {
		t.Helper()
		a := r.at("POST", endpoint, "/replay", body)
		if a.status != 202 || a.number("replayed") != want || a.fields["nextFrom"] != nil {
			t.Errorf("replay %s: %d %s, want %d", body, a.status, a.body, want)
		}
	}
	waiting := func(endpoint, want string) {
		t.Helper()
		if got := numbers(r.at("GET", endpoint, "/deliveries?state=waiting", "")); got != want {
			t.Errorf("%q wait, want %q", got, want)
		}
	}
	third := items(r.get("/v1/events?after=2&limit=1"))[0]["id"].(string)
	replay(all, `{"from":1}`, 0) // all of them wait
	finishAll(t, r, all, event.Delivered)
	waiting(all, "")
	replay(all, `{"failed":true}`, 0)
	replay(all, `{"from":2,"to":4}`, 3)
	waiting(all, "4 3 2")
	replay(all, `{"to":2,"ignored":true}`, 1)
	replay(all, `{"eventId":"`+third+`","ignored":true}`, 0) // it waits
	finishAll(t, r, all, event.Dead)
	replay(all, `{"eventId":"`+third+`"}`, 1)
	replay(all, `{"failed":true,"from":2,"to":3}`, 1)
	replay(all, `{"failed":true}`, 2)
	waiting(all, "4 3 2 1")
	d := r.at("GET", all, "/deliveries/"+event.DeliveryID(all, 3), "")
	if d.fields["isReplay"] != true || d.number("attempts") != 2 || len(d.fields["attemptList"].([]any)) != 2 {
		t.Errorf("what is sent again keeps its attempts: %s", d.body)
	}

	finishAll(t, r, captures, event.Delivered)
	replay(captures, `{"from":1,"to":100}`, 3)
	replay(captures, `{"eventId":"`+third+`"}`, 0) // an authorize, which it does not want
	waiting(captures, "6 4 2")

	late := r.endpoint(`{"url":"https://shop.example/late"}`).text("id")
	waiting(late, "")
	replay(late, `{"from":3}`, 4) // what happened before it was there
	waiting(late, "6 5 4 3")
	if d := r.at("GET", late, "/deliveries/"+event.DeliveryID(late, 3), ""); d.text("eventId") != third {
		t.Errorf("a delivery that was made late: %s", d.body)
	}
}

func TestALargeReplayGoesInPieces(t *testing.T) {
	r := newRig(t)
	all, captures := shopOf(t, r, 501) // 1002 events
	replay := func(endpoint, body, want string) {
		t.Helper()
		if a := r.at("POST", endpoint, "/replay", body); a.body != want {
			t.Errorf("replay %s: %d %s, want %s", body, a.status, a.body, want)
		}
	}
	finishAll(t, r, all, event.Dead)
	replay(all, `{"failed":true}`, `{"replayed":1000,"nextFrom":1001}`)
	replay(all, `{"failed":true,"from":1001}`, `{"replayed":2,"nextFrom":null}`)
	finishAll(t, r, all, event.Delivered)
	replay(all, `{"from":1}`, `{"replayed":1000,"nextFrom":1001}`)
	replay(all, `{"from":1001}`, `{"replayed":2,"nextFrom":null}`)
	finishAll(t, r, all, event.Delivered)
	replay(all, `{"from":2,"to":1001}`, `{"replayed":1000,"nextFrom":null}`)
	finishAll(t, r, captures, event.Delivered)
	replay(captures, `{"to":1002}`, `{"replayed":500,"nextFrom":1001}`) // looked at 1000
	replay(captures, `{"to":1002,"from":1001}`, `{"replayed":1,"nextFrom":null}`)
}
