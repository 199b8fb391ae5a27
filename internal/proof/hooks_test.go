package proof_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"plexy/receiver"
)

// quietLimit is how long what waits may take to arrive once nothing disturbs it: longer than an event waits
// for the one before it, and than a lease, and than a circuit breaker stays open in a sandbox.
const quietLimit = 100 * time.Second

// endpoint is what the API tells of one, with its secrets as they are shown once.
type endpoint struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Token  string `json:"token"`
	Secret string `json:"secret"`
}

// event is one of the feed, as far as the tests compare it.
type event struct {
	ID       string `json:"id"`
	Number   int64  `json:"number"`
	Sequence int64  `json:"sequence"`
	Name     string `json:"name"`
	Merchant string `json:"merchantId"`
	Data     struct {
		ID string `json:"walletTransactionId"`
	} `json:"data"`
}

// delivery is what the API tells of one, with its attempts when it was asked for alone.
type delivery struct {
	ID       string `json:"id"`
	EventID  string `json:"eventId"`
	State    string `json:"state"`
	Attempts int    `json:"attempts"`
	List     []struct {
		Error string `json:"error"`
	} `json:"attemptList"`
}

// must asks the site and decodes the answer, which must have the status.
func must[T any](c *client, status int, r request) T {
	c.site.Helper()
	a := c.settle(r)
	if a.err != nil || a.status != status {
		c.site.Fatalf("%s %s: %s", r.method, r.path, a)
	}
	return decoded[T](c.site, a.body)
}

func decoded[T any](t testing.TB, body []byte) (into T) {
	t.Helper()
	if err := json.Unmarshal(body, &into); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return into
}

const endpointsPath = "/v1/webhook-endpoints"

// listen makes an endpoint of the site's merchant.
func (c *client) listen(url string, ordered bool) endpoint {
	c.site.Helper()
	body := fmt.Sprintf(`{"url":%q,"ordered":%v}`, url, ordered)
	return must[endpoint](c, http.StatusCreated, request{
		method: http.MethodPost, path: endpointsPath, body: body,
	})
}

// feed reads all events of the site's merchant.
func (c *client) feed() (all []event) {
	c.site.Helper()
	for {
		path := fmt.Sprintf("/v1/events?limit=100&after=%d", len(all))
		page := must[struct{ Items []event }](c, http.StatusOK, request{method: http.MethodGet, path: path})
		all = append(all, page.Items...)
		if len(page.Items) < 100 {
			return all
		}
	}
}

// deliveries reads one page of an endpoint's deliveries in a state, and each with its attempts.
func (c *client) deliveries(e endpoint, state string) []delivery {
	c.site.Helper()
	path := endpointsPath + "/" + e.ID + "/deliveries"
	list := must[struct{ Items []delivery }](c, http.StatusOK, request{
		method: http.MethodGet, path: path + "?limit=100&state=" + state,
	})
	for i, d := range list.Items {
		list.Items[i] = must[delivery](c, http.StatusOK, request{method: http.MethodGet, path: path + "/" + d.ID})
	}
	return list.Items
}

// inbox is a merchant's server that hears of events. It verifies every delivery as merchants do, and
// remembers what it was told and in which order.
type inbox struct {
	testing.TB
	url    string
	answer func(in *inbox, w http.ResponseWriter, r *http.Request, id string) // nil answers 204

	mu       sync.Mutex
	kit      *receiver.Receiver
	bodies   map[string]string // by webhook-id, as they came first
	events   map[string]receiver.Event
	came     map[string]time.Time
	accepted map[string]bool // answered with 2xx, as far as we know
	times    map[string]int
	whole    map[string]int64 // by object: so many of its first events came
	strays   int              // events that came before an older one of their object, unmarked
}

// openInbox opens an inbox on this machine.
func openInbox(t testing.TB) *inbox {
	t.Helper()
	in := &inbox{
		TB: t, bodies: map[string]string{}, events: map[string]receiver.Event{}, came: map[string]time.Time{},
		accepted: map[string]bool{}, times: map[string]int{}, whole: map[string]int64{},
	}
	server := httptest.NewServer(in)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	in.url = server.URL
	return in
}

// know gives the inbox what it verifies with.
func (in *inbox) know(token string, secrets ...string) {
	in.Helper()
	kit, err := receiver.New(token, secrets...)
	if err != nil {
		in.Fatal(err)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.kit = kit
}

// ServeHTTP takes a delivery.
func (in *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // its sender was killed
	}
	id := r.Header.Get("webhook-id")
	if err := in.note(r.Header, id, body); err != nil {
		in.Errorf("a delivery of %s: %v", id, err)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if in.answer != nil {
		in.answer(in, w, r, id)
		return
	}
	in.accept(id)
	w.WriteHeader(http.StatusNoContent)
}

func (in *inbox) note(header http.Header, id string, body []byte) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	e, err := in.kit.Verify(header, body, time.Now())
	if err != nil {
		return err
	}
	in.times[id]++
	if first, again := in.bodies[id]; again {
		if first != string(body) {
			return fmt.Errorf("another body than at first:\n%s\n%s", first, body)
		}
		return nil
	}
	if e.ID != id {
		return fmt.Errorf("its body is of %s", e.ID)
	}
	var data struct {
		ID string `json:"walletTransactionId"`
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return err
	}
	in.bodies[id], in.events[id], in.came[id] = string(body), e, time.Now()
	if header.Get("Plexy-Out-Of-Order") == "" && e.Sequence > in.whole[data.ID]+1 {
		in.strays++
	}
	for in.bodies[eventID(data.ID, in.whole[data.ID]+1)] != "" {
		in.whole[data.ID]++
	}
	return nil
}

// eventID is the id of an object's event.
func eventID(object string, sequence int64) string {
	return fmt.Sprintf("evt_%s_%d", object[len("wt_"):], sequence)
}

func (in *inbox) accept(id string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.accepted[id] = true
}

// size is how many events were accepted.
func (in *inbox) size() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.accepted)
}

// seen is how often an event came.
func (in *inbox) seen(id string) int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.times[id]
}

// moody answers as receivers do that are not well: most deliveries are accepted, some of those though their
// sender does not hear of it. It fails an event twice at most, so that no schedule has to wait for minutes.
func moody(in *inbox, w http.ResponseWriter, _ *http.Request, id string) {
	mood := rand.IntN(100)
	if in.seen(id) > 2 {
		mood = 0
	}
	switch {
	case mood < 75:
		in.accept(id)
		w.WriteHeader(http.StatusOK)
	case mood < 80:
		in.accept(id)
		panic(http.ErrAbortHandler)
	case mood < 85:
		panic(http.ErrAbortHandler)
	case mood < 90:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// until waits for what must come true, and says where it stands if it does not.
func until(t testing.TB, limit time.Duration, what string, come func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !come(); time.Sleep(4 * pollEvery) {
		if time.Now().After(end) {
			t.Fatalf("after %v still not: %s", limit, what)
		}
	}
}

// auditEvents compares three tales of what happened: what the clients know that they did, the feed, and what
// each inbox was told.
func (sh *shop) auditEvents(inboxes ...*inbox) {
	t := sh.site
	t.Helper()
	want := sh.foretold()
	until(t, quietLimit, "every event has its number", func() bool { return len(sh.client.feed()) >= len(want) })
	feed := sh.client.feed()
	for i, e := range feed {
		if e.Number != int64(i)+1 {
			t.Fatalf("event %d of the feed has number %d", i+1, e.Number)
		}
		key := fmt.Sprint(e.Data.ID, " ", e.Sequence)
		if want[key] != e.Name || e.Merchant != t.merchant.ID {
			t.Errorf("the feed tells of %s as %s of %s, the clients know of %q", key, e.Name, e.Merchant, want[key])
		}
		delete(want, key)
	}
	for key, name := range want {
		t.Errorf("the feed does not tell of %s, %s", key, name)
	}
	for _, in := range inboxes {
		in.audit(t, feed)
	}
}

// foretold is each event that must be: the object and its sequence, and the name.
func (sh *shop) foretold() map[string]string {
	sh.site.Helper()
	names := map[string]string{
		"authorize": "wallet.transaction.authorized", "capture": "wallet.transaction.captured",
		"cancel": "wallet.transaction.canceled", "refund": "wallet.transaction.refunded",
	}
	want := map[string]string{}
	for id, s := range sh.allSales() {
		if s.failed {
			want[id+" 1"] = "wallet.transaction.failed"
		}
		for i, o := range s.operations {
			want[fmt.Sprint(id, " ", i+1)] = names[o.Type]
		}
	}
	return want
}

// audit waits until the inbox has accepted as many events as the feed has, and compares.
func (in *inbox) audit(t testing.TB, feed []event) {
	t.Helper()
	began := time.Now()
	until(t, quietLimit, "every event was accepted", func() bool { return in.size() >= len(feed) })
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, e := range feed {
		got, ok := in.events[e.ID]
		if !ok || got.Number != e.Number || got.Sequence != e.Sequence || got.Name != e.Name {
			t.Errorf("the inbox was told %+v, the feed has %+v", got, e)
		}
	}
	if len(in.events) != len(feed) {
		t.Errorf("the inbox was told of %d events, the feed has %d", len(in.events), len(feed))
	}
	attempts := 0
	for n := range maps.Values(in.times) {
		attempts += n
	}
	t.Logf("%d events in %d attempts, the last %v after the load", len(feed), attempts,
		time.Since(began).Round(time.Millisecond))
}

// allDelivered waits until no delivery waits, and makes sure that none is dead.
func (c *client) allDelivered(e endpoint) {
	c.site.Helper()
	until(c.site, quietLimit, "nothing waits", func() bool { return len(c.deliveries(e, "waiting")) == 0 })
	if dead := c.deliveries(e, "dead"); len(dead) > 0 {
		c.site.Errorf("%d deliveries are dead, such as %+v", len(dead), dead[0])
	}
}

// percentile is the value below which a share of the durations lies.
func percentile(all []time.Duration, share float64) time.Duration {
	slices.Sort(all)
	return all[min(len(all)-1, int(share*float64(len(all))))]
}
