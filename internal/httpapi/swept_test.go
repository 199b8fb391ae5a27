package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"plexy/internal/core/journal"
	"plexy/internal/event"
	"plexy/internal/httpapi"
	"plexy/internal/server"
	"plexy/internal/storage"
)

// sweptOutbox is a feed that keeps nothing before number 4712.
type sweptOutbox struct{ storage.Outbox }

func (sweptOutbox) LowestEvent(context.Context, string) (int64, error) { return 4712, nil }

// swept has a feed of numbers 1 to 4, of which 3 and 4 are kept.
func swept(t *testing.T, r *rig) (all, first string) {
	t.Helper()
	all, _ = shopOf(t, r, 1)
	first = items(r.get("/v1/events"))[0]["id"].(string)
	r.clock.Advance(1)
	tx := r.authorize(1, 100, "later").text("walletTransactionId")
	r.operate(tx, "capture", 100)
	r.number(t)
	n, err := r.store.SweepEvents(t.Context(), r.clock.Now(), 100)
	if err != nil || n != 2 {
		t.Fatalf("swept %d, %v", n, err)
	}
	return all, first
}

func TestAFeedThatForgets(t *testing.T) { onEveryStore(t, testAFeedThatForgets) }

func testAFeedThatForgets(t *testing.T, r *rig) {
	all, first := swept(t, r)
	const message = "Events of this age are not kept; the lowest number available is 3."
	for _, query := range []string{"", "?after=0", "?after=1&limit=1", "?wait=5&after=1",
		"?type=wallet.transaction.captured"} {
		a := r.get("/v1/events" + query)
		if a.status != 410 || a.reason() != "events_swept" || a.text("source") != "after" ||
			a.text("message") != message {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
	for query, want := range map[string]int{"after=2": 2, "after=3": 1, "after=4": 0,
		"after=2&type=wallet.transaction.captured": 1} {
		if a := r.get("/v1/events?" + query); a.status != 200 || len(items(a)) != want {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
	if a := r.get("/v1/events/" + first); a.status != 404 || a.reason() != "event_not_found" {
		t.Errorf("a swept event: %d %s", a.status, a.body)
	}
	for body, want := range map[string]string{
		`{"from":1,"to":2}`:           "410 events_swept from",
		`{"from":2}`:                  "410 events_swept from",
		`{"to":4}`:                    "410 events_swept from",
		`{"eventId":"` + first + `"}`: "404 event_not_found eventId",
		`{"from":3}`:                  "202  ",
		`{"failed":true}`:             "202  ",
	} {
		a := r.at("POST", all, "/replay", body)
		if got := fmt.Sprint(a.status, " ", a.reason(), " ", a.text("source")); got != want {
			t.Errorf("replay %s: %s, want %s", body, a.body, want)
		}
	}
	// When all is swept a reader that has seen everything goes on.
	n, err := r.store.SweepEvents(t.Context(), r.clock.Now()+1, 100)
	if err != nil || n != 2 {
		t.Fatalf("swept %d, %v", n, err)
	}
	a := r.get("/v1/events?after=3")
	if a.status != 410 || !strings.Contains(a.text("message"), "available is 5.") {
		t.Errorf("after=3: %d %s", a.status, a.body)
	}
	if a := r.get("/v1/events?after=4"); a.status != 200 || len(items(a)) != 0 {
		t.Errorf("after=4: %d %s", a.status, a.body)
	}
}

// A feed that waits hears when what it would go on with was swept meanwhile.
func TestAFeedIsSweptWhileItWaits(t *testing.T) {
	r, w := newWatched(t)
	shopOf(t, r, 1)
	w.meddle = func(ctx context.Context, look int) {
		if look == 2 {
			r.authorize(1, 100, "later")
			if _, err := r.store.Number(ctx, r.clock.Now(), 10); err != nil {
				t.Error(err)
			}
			if _, err := r.store.SweepEvents(ctx, r.clock.Now()+1, 100); err != nil {
				t.Error(err)
			}
		}
	}
	if a := r.get("/v1/events?after=2&wait=30"); a.status != 410 || a.reason() != "events_swept" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestDeliveriesAsAFile(t *testing.T) { onEveryStore(t, testDeliveriesAsAFile) }

func testDeliveriesAsAFile(t *testing.T, r *rig) {
	all, _ := shopOf(t, r, 1)
	attempt(t, r, all) // the second dies
	for range 600 {    // more than a page
		d := event.NewDelivery(event.Endpoint{ID: all, Merchant: r.shopID}, 0, journal.Record{}, r.clock.Now())
		d.ID, d.Name = r.ids.New(event.DeliveryPrefix(all)), "wallet.transaction.captured"
		check(t, r.store.CreateDelivery(t.Context(), d))
	}
	a := r.at("GET", all, "/deliveries?format=csv&state=dead", "")
	lines := strings.Split(strings.TrimSuffix(a.body, "\r\n"), "\r\n")
	if a.status != 200 || len(lines) != 2 || !strings.HasPrefix(lines[1], event.DeliveryID(all, 2)+",evt_") ||
		!strings.Contains(lines[1], ",2,wallet.transaction.captured,dead,1,false,false,") {
		t.Errorf("dead letters: %d %s", a.status, a.body)
	}
	if a.header.Get("Content-Type") != "text/csv; charset=utf-8" || a.header.Get("Should-Retry") != "false" ||
		a.header.Get("Cache-Control") != "no-store" ||
		!strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment;") {
		t.Errorf("headers: %v", a.header)
	}
	a = r.at("GET", all, "/deliveries?format=csv", "")
	lines = strings.Split(strings.TrimSuffix(a.body, "\r\n"), "\r\n")
	if len(lines) != 603 || !strings.HasPrefix(lines[602], event.DeliveryID(all, 1)) {
		t.Errorf("all deliveries: %d lines, the last %s", len(lines), lines[len(lines)-1])
	}
	a = r.at("GET", all, "/deliveries?format=csv&cursor="+event.DeliveryID(all, 2), "")
	if n := strings.Count(a.body, "\r\n"); n != 2 {
		t.Errorf("from a cursor on: %s", a.body)
	}
	if a := r.at("GET", all, "/deliveries?format=json&limit=1", ""); a.status != 200 || len(items(a)) != 1 {
		t.Errorf("json: %d %s", a.status, a.body)
	}
	for query, want := range map[string]string{
		"format=xml": "format_invalid", "format=": "format_invalid", "format=csv&format=csv": "format_invalid",
		"format=csv&limit=10": "limit_invalid", "format=csv&state=lost": "state_invalid",
		"format=csv&cursor=x": "cursor_invalid",
	} {
		if a := r.at("GET", all, "/deliveries?"+query, ""); a.status != 400 || a.reason() != want {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}

// breaking is an outbox whose second page of deliveries cannot be read.
type breaking struct {
	storage.Outbox
	pages int
}

func (b *breaking) DeliveriesOf(ctx context.Context, q storage.DeliveryQuery) ([]event.Delivery, error) {
	if b.pages++; b.pages > 1 {
		return nil, storage.ErrUnavailable
	}
	return make([]event.Delivery, q.Limit), nil
}

// A file that cannot be finished has no end, so nobody takes a part for the whole.
func TestAFileThatBreaks(t *testing.T) {
	r := newRig(t, func(r *rig, o *httpapi.Options, _ *server.Options) {
		o.Outbox = &breaking{Outbox: r.store}
	})
	id := r.endpoint(`{"url":"https://shop.example/all"}`).text("id")
	s := httptest.NewServer(r.handler)
	defer s.Close()
	q := must(http.NewRequest("GET", s.URL+"/v1/webhook-endpoints/"+id+"/deliveries?format=csv", nil))(t)
	q.Header.Set("Authorization", r.shop)
	response := must(http.DefaultClient.Do(q))(t)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if response.StatusCode != 200 || len(body) == 0 || err == nil {
		t.Errorf("%d, %d bytes, and then %v: a part of a file looks whole", response.StatusCode, len(body), err)
	}
}
