package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plexy/internal/clock"
	"plexy/internal/core/journal"
	"plexy/internal/event"
	"plexy/internal/httpapi"
	"plexy/internal/server"
	"plexy/internal/storage"
)

// rawItems are the items of a page as they were sent.
func rawItems(t *testing.T, a *answer) (all []string) {
	t.Helper()
	var page struct{ Items []json.RawMessage }
	check(t, json.Unmarshal([]byte(a.body), &page))
	for _, item := range page.Items {
		all = append(all, string(item))
	}
	return all
}

// TestTheFeedTellsWhatTheAPIAnswered: every change is one event, in the order of its object, with the
// transaction as the answer to the change showed it.
func TestTheFeedTellsWhatTheAPIAnswered(t *testing.T) {
	onEveryStore(t, testTheFeedTellsWhatTheAPIAnswered)
}

func testTheFeedTellsWhatTheAPIAnswered(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 100_000)
	shown := map[string][]map[string]any{} // answers by transaction
	note := func(a *answer) string {
		t.Helper()
		if a.status >= 300 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		r.clock.Advance(1_000_000)
		id := a.text("walletTransactionId")
		shown[id] = append(shown[id], a.fields)
		return id
	}
	one := note(r.authorize(1, 10_000, "ONE"))
	two := note(r.authorize(1, 5_000, "TWO"))
	note(r.operate(one, "capture", 4_000))
	note(r.operate(two, "cancel", 1_000))
	note(r.authorize(1, 1_000_000, "TOO MUCH"))
	note(r.operate(one, "refund", 500))
	note(r.operate(one, "cancel", 6_000))
	r.authorize(1, 9_999, "NOT YET NUMBERED BEFORE THE END")
	const changes = 8

	if a := r.get("/v1/events"); a.body != `{"items":[],"nextAfter":0}` {
		t.Fatalf("events before they have numbers: %s", a.body)
	}
	if a := r.get("/v1/events/" + event.ID(one, 1)); a.status != 404 {
		t.Errorf("an event before it has its number: %d %s", a.status, a.body)
	}
	r.number(t)
	after, number := "0", int64(0)
	for pages := 0; ; pages++ {
		page := r.get("/v1/events?limit=3&after=" + after)
		for i, e := range items(page) {
			number++
			if e["number"] != json.Number(strconv.FormatInt(number, 10)) {
				t.Fatalf("number %v, want %d", e["number"], number)
			}
			sameEvent(t, e, shown)
			if a := r.get("/v1/events/" + e["id"].(string)); a.body != rawItems(t, page)[i] {
				t.Errorf("the event alone is\n%s\nand in the feed\n%s", a.body, rawItems(t, page)[i])
			}
		}
		if after = strconv.FormatInt(page.number("nextAfter"), 10); len(items(page)) == 0 {
			if pages != 3 || after != strconv.Itoa(changes) {
				t.Errorf("the end after %d pages: %s", pages, page.body)
			}
			break
		}
	}
	if number != changes {
		t.Errorf("%d events, want %d", number, changes)
	}
}

// sameEvent compares an event with the answer that was given to its change.
func sameEvent(t *testing.T, e map[string]any, shown map[string][]map[string]any) {
	t.Helper()
	data, _ := e["data"].(map[string]any)
	answers := shown[data["walletTransactionId"].(string)]
	sequence, _ := e["sequence"].(json.Number).Int64()
	if int(sequence) > len(answers) {
		return // made later
	}
	want := maps.Clone(answers[sequence-1])
	operation, _ := e["operation"].(map[string]any)
	switch id, is := want["operationId"]; {
	case is && (operation["operationId"] != id || operation["amount"] != want["amount"]):
		t.Errorf("operation %v, answered was %v", operation, want)
	case want["walletTransactionStatus"] == "FAILED" && operation != nil:
		t.Errorf("a refusal moved something: %v", operation)
	}
	delete(want, "operationId")
	want["amount"] = answers[0]["amount"]
	if got, want := jsonOf(t, data), jsonOf(t, want); got != want {
		t.Errorf("event %v has the data\n%s\nand answered was\n%s", e["id"], got, want)
	}
}

func TestTheFeedOfOneType(t *testing.T) {
	r := newRig(t)
	r.fund(t, 1, "KZT", 100_000)
	for range 3 {
		tx := r.authorize(1, 100, "O").text("walletTransactionId")
		r.operate(tx, "capture", 100)
	}
	r.authorize(1, 100, "LAST")
	r.number(t)
	const captured = "type=wallet.transaction.captured"
	for query, want := range map[string]string{
		captured:                            "2 4 6, next 7",
		captured + "&limit=2":               "2 4, next 4",
		captured + "&after=4":               "6, next 7",
		captured + "&after=7":               "next 7",
		"type=wallet.transaction.refunded":  "next 7",
		"limit=1&after=5":                   "6, next 6",
		"after=7":                           "next 7",
		"after=1000":                        "next 1000",
		"limit=100&unknown=1&after=6&x=%20": "7, next 7",
	} {
		a := r.get("/v1/events?" + query)
		got := ""
		for _, e := range items(a) {
			got += fmt.Sprint(e["number"], " ")
		}
		if got = strings.TrimSpace(got); got != "" {
			got += ", "
		}
		if got += fmt.Sprint("next ", a.number("nextAfter")); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

func TestBadQueriesOfTheFeed(t *testing.T) {
	r := newRig(t)
	for query, want := range map[string]string{
		"after=-1": "after_invalid after", "after=": "after_invalid after", "after=x": "after_invalid after",
		"after=01": "after_invalid after", "after=1.0": "after_invalid after", "after=%2B1": "after_invalid after",
		"after=4611686018427387905": "after_invalid after", "after=1&after=1": "after_invalid after",
		"after=%zz": "after_invalid after", "limit=0": "limit_invalid limit", "limit=101": "limit_invalid limit",
		"limit=": "limit_invalid limit", "limit=5&limit=5": "limit_invalid limit",
		"type=": "event_type_invalid type", "type=wallet.topped_up": "event_type_invalid type",
		"type=wallet.transaction.captured&type=wallet.transaction.captured": "event_type_invalid type",
		"wait=31": "wait_invalid wait", "wait=-1": "wait_invalid wait", "wait=0.5": "wait_invalid wait",
		"wait=1&wait=1": "wait_invalid wait", "wait=99&limit=0&after=x": "after_invalid after",
	} {
		a := r.get("/v1/events?" + query)
		if got := a.reason() + " " + a.text("source"); a.status != 400 || got != want {
			t.Errorf("%s: %d %s, want %s", query, a.status, a.body, want)
		}
	}
}

// watched is an outbox that tells of every look into the feed, once it is over.
type watched struct {
	storage.Outbox
	looked chan struct{}
	// meddle, when set, is called with the number of the look before it.
	meddle func(ctx context.Context, look int)
	looks  atomic.Int64
}

func (w *watched) Events(
	ctx context.Context, merchant string, after int64, limit int,
) ([]event.Event, error) {
	if look := w.looks.Add(1); w.meddle != nil {
		w.meddle(ctx, int(look))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer func() { w.looked <- struct{}{} }()
	return w.Outbox.Events(ctx, merchant, after, limit)
}

// newWatched is a rig whose feed is watched.
func newWatched(t *testing.T, more ...change) (*rig, *watched) {
	w := &watched{looked: make(chan struct{}, 10_000)}
	return newRig(t, append(more, func(r *rig, o *httpapi.Options, _ *server.Options) {
		w.Outbox = r.store
		o.Outbox = w
	})...), w
}

// TestNewsAreAnsweredAtOnce: a feed that waits looks by itself every half second, so what comes sooner came
// by the news. One of five may be enough on a busy machine; without news none could be.
func TestNewsAreAnsweredAtOnce(t *testing.T) {
	r, w := newWatched(t)
	r.fund(t, 1, "KZT", 100_000)
	soon := false
	for n := range 5 {
		answered := make(chan *answer)
		go func() { answered <- r.get(fmt.Sprintf("/v1/events?wait=30&after=%d", n)) }()
		<-w.looked
		r.authorize(1, 100, "O")
		began := clock.System{}.Now()
		r.number(t)
		a := <-answered
		if len(items(a)) != 1 || a.number("nextAfter") != int64(n)+1 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		soon = soon || clock.System{}.Now()-began < 250_000
		for len(w.looked) > 0 {
			<-w.looked
		}
	}
	if !soon {
		t.Error("five times news were not heard, but found")
	}
}

func TestNewsOfAnotherServerAreFound(t *testing.T) {
	r, w := newWatched(t)
	r.fund(t, 1, "KZT", 100_000)
	answered := make(chan *answer)
	go func() { answered <- r.get("/v1/events?wait=30") }()
	<-w.looked
	r.authorize(1, 100, "O")
	must(r.store.Number(t.Context(), r.clock.Now(), 10))(t) // and nobody tells of it here
	if a := <-answered; len(items(a)) != 1 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestAFeedGoesOnWaitingForItsOwn: events of other types are news, and not the ones that are waited for.
func TestAFeedGoesOnWaitingForItsOwn(t *testing.T) {
	r, w := newWatched(t)
	r.fund(t, 1, "KZT", 100_000)
	answered := make(chan *answer)
	go func() { answered <- r.get("/v1/events?wait=30&type=wallet.transaction.captured") }()
	<-w.looked
	tx := r.authorize(1, 100, "O").text("walletTransactionId")
	r.number(t)
	<-w.looked // at the authorize
	r.operate(tx, "capture", 100)
	r.number(t)
	if a := <-answered; len(items(a)) != 1 || a.number("nextAfter") != 2 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestAFeedWithoutNewsIsEmptyWhenItsTimeIsOver(t *testing.T) {
	r := newRig(t)
	began := clock.System{}.Now()
	a := r.get("/v1/events?wait=1&after=3")
	took := time.Duration(clock.System{}.Now()-began) * time.Microsecond
	if a.status != 200 || a.body != `{"items":[],"nextAfter":3}` || took < time.Second {
		t.Errorf("after %v: %d %s", took, a.status, a.body)
	}
}

// TestAMerchantHasSomeSeatsToWait: another merchant's are not among them, and who has answered is up.
func TestAMerchantHasSomeSeatsToWait(t *testing.T) {
	r, w := newWatched(t)
	r.fund(t, 1, "KZT", 100_000)
	const seats = 32
	answered := make(chan *answer, seats)
	for range seats {
		go func() { answered <- r.get("/v1/events?wait=30") }()
		<-w.looked
	}
	a := r.get("/v1/events?wait=30")
	if a.status != 429 || a.reason() != "rate_limited" || a.text("source") != "wait" ||
		a.header.Get("Retry-After") == "" || a.header.Get("Should-Retry") != "true" {
		t.Errorf("one too many: %d %s", a.status, a.body)
	}
	if a := r.get("/v1/events"); a.status != 200 {
		t.Errorf("without waiting: %d %s", a.status, a.body)
	}
	if a := r.do(ask{"GET", "/v1/events?wait=1", r.rival, "", nil}); a.status != 200 {
		t.Errorf("another merchant: %d %s", a.status, a.body)
	}
	r.authorize(1, 100, "O")
	r.number(t)
	for range seats {
		if a := <-answered; len(items(a)) != 1 {
			t.Errorf("one that waited: %d %s", a.status, a.body)
		}
	}
	if a := r.get("/v1/events?wait=30"); a.status != 200 {
		t.Errorf("when all have gone: %d %s", a.status, a.body)
	}
}

// TestAStoppingServerAnswersAFeedThatWaits: between two looks, and in the middle of one.
func TestAStoppingServerAnswersAFeedThatWaits(t *testing.T) {
	for name, look := range map[string]int{"between": 1, "looking": 2} {
		t.Run(name, func(t *testing.T) {
			var options *server.Options
			r, w := newWatched(t, func(_ *rig, _ *httpapi.Options, s *server.Options) { options = s })
			looking := make(chan struct{})
			w.meddle = func(ctx context.Context, n int) {
				if n == 2 {
					close(looking)
					<-ctx.Done()
				}
			}
			options.Listen = "127.0.0.1:0"
			s := must(server.Start(*options))(t)
			answered := make(chan string)
			go func() { answered <- read(t, "http://"+s.Address()+"/v1/events?wait=30", r.shop) }()
			<-w.looked
			if look == 2 {
				r.news.tell()
				<-looking
			}
			stopped := make(chan error)
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				stopped <- s.Shutdown(ctx)
			}()
			if got := <-answered; got != `200 {"items":[],"nextAfter":0}` {
				t.Errorf("answered %s", got)
			}
			if err := <-stopped; err != nil {
				t.Errorf("the feed held the server up: %v", err)
			}
		})
	}
}

// read gets a URL and returns status and body.
func read(t *testing.T, url, key string) string {
	q := must(http.NewRequest("GET", url, nil))(t)
	q.Header.Set("Authorization", key)
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return err.Error()
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", a.StatusCode, body)
}

// TestALongFeedOfOneTypeIsAnsweredInPieces: nobody waits for the end of a search.
func TestALongFeedOfOneTypeIsAnsweredInPieces(t *testing.T) {
	r := newRig(t, func(r *rig, o *httpapi.Options, _ *server.Options) { o.Outbox = endless{r.store} })
	a := r.get("/v1/events?type=wallet.transaction.captured&wait=30&after=10")
	if a.body != `{"items":[],"nextAfter":5010}` {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// endless is a feed of authorizes without an end.
type endless struct{ storage.Outbox }

func (endless) Events(_ context.Context, _ string, after int64, limit int) ([]event.Event, error) {
	page := make([]event.Event, limit)
	for i := range page {
		page[i] = event.Event{Number: after + int64(i) + 1, Record: journal.Record{
			Object: "wt_01JDM3Z7V8H8Q2X9K0R1ABCD12", Type: journal.Authorized,
		}}
	}
	return page, nil
}
