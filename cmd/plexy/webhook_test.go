package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"plexy/internal/app"
	"plexy/receiver"
)

// inbox is a merchant's receiver: it verifies what comes and keeps it.
type inbox struct {
	*httptest.Server
	mu       sync.Mutex
	receiver *receiver.Receiver
	events   []receiver.Event
	refuse   bool // answers 500
}

func newInbox(t testing.TB) *inbox {
	in := &inbox{}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in.mu.Lock()
		verifies, refuse := in.receiver, in.refuse
		in.mu.Unlock()
		if verifies == nil || refuse {
			http.Error(w, "not now", http.StatusInternalServerError)
			return
		}
		verifies.Handler(func(_ context.Context, e receiver.Event) error {
			in.mu.Lock()
			defer in.mu.Unlock()
			in.events = append(in.events, e)
			return nil
		}).ServeHTTP(w, r)
	}))
	t.Cleanup(in.Close)
	return in
}

// trust sets what deliveries are verified with.
func (in *inbox) trust(t testing.TB, token, secret string) {
	t.Helper()
	r, err := receiver.New(token, secret)
	if err != nil {
		t.Fatal(err)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.receiver = r
}

func (in *inbox) setRefuse(refuse bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.refuse = refuse
}

// got waits until so many events have come, and returns their names and numbers.
func (in *inbox) got(t testing.TB, n int) (names []string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d events come", n), func() error {
		in.mu.Lock()
		defer in.mu.Unlock()
		if len(in.events) < n {
			return fmt.Errorf("%d so far", len(in.events))
		}
		names = nil
		for _, e := range in.events {
			names = append(names, fmt.Sprint(e.Number, " ", strings.TrimPrefix(e.Name, "wallet.transaction.")))
		}
		return nil
	})
	return names
}

// shop makes a merchant and a funded person.
func (r *rig) shop() app.NewMerchant {
	r.Helper()
	var m app.NewMerchant
	r.record(&m, "merchant", "create", "--name", "Shop")
	p := person(1)
	r.do("wallet", "top-up", "--phone", p.phone, "--iin", p.iin, "--currency", "KZT", "--amount", "100000")
	return m
}

func (s *running) sell(key string) string {
	s.Helper()
	status, made, err := s.authorize(key, person(1), 100)
	if err != nil || status != 201 {
		s.Fatalf("authorize: %d %+v %v", status, made, err)
	}
	return made.ID
}

func TestWebhooksByCommand(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve()
		shop, in := r.shop(), newInbox(t)
		r.refuse(2, "must begin with https://", "webhook", "create", "--merchant", shop.MerchantID, "--url", "ftp://x/")
		r.refuse(2, "no event", "webhook", "create", "--merchant", shop.MerchantID, "--url", in.URL,
			"--event-types", "wallet.sneezed")
		r.refuse(3, "no merchant", "webhook", "create", "--merchant", "mer_none", "--url", in.URL)
		var e app.Endpoint
		r.record(&e, "webhook", "create", "--merchant", shop.MerchantID, "--url", in.URL)
		in.trust(t, e.Token, e.Secret)
		s.sell(shop.APIKey)
		if got := in.got(t, 1); got[0] != "1 authorized" {
			t.Errorf("received %v", got)
		}
		// Rotated without an overlap, the secret of before is good for nothing.
		var rotated app.Endpoint
		r.record(&rotated, "webhook", "rotate", "--merchant", shop.MerchantID, e.EndpointID, "--overlap", "0s")
		if rotated.Secret == e.Secret || rotated.Token != "" {
			t.Errorf("rotate printed %+v", rotated)
		}
		in.trust(t, e.Token, rotated.Secret)
		s.sell(shop.APIKey)
		in.got(t, 2)

		var set app.Endpoint
		out := r.record(&set, "webhook", "set", "--merchant", shop.MerchantID, e.EndpointID, "--state", "disabled")
		if set.State != "disabled" || strings.Contains(out, "whsec_") {
			t.Errorf("set printed %s", out)
		}
		s.sell(shop.APIKey) // number 3: nobody is told
		s.numbered(shop.APIKey, 3)
		r.do("webhook", "set", "--merchant", shop.MerchantID, e.EndpointID, "--state", "enabled")
		var n counted
		r.record(&n, "webhook", "replay", "--merchant", shop.MerchantID, e.EndpointID, "--from", "2")
		if n.Replayed != 2 {
			t.Errorf("replayed %d, want the delivered one and the one that was missed", n.Replayed)
		}
		if got := strings.Join(in.got(t, 4)[2:], ", "); got != "2 authorized, 3 authorized" {
			t.Errorf("replay brought %s", got)
		}
		var test app.Delivery
		r.record(&test, "webhook", "test", "--merchant", shop.MerchantID, e.EndpointID,
			"--event-type", "wallet.transaction.failed")
		if got := in.got(t, 5)[4]; got != "0 failed" {
			t.Errorf("the test event came as %s", got)
		}
		r.refuse(2, "no event", "webhook", "test", "--merchant", shop.MerchantID, e.EndpointID, "--event-type", "x")
		r.checkDeliveries(shop.MerchantID, e.EndpointID)
		r.do("webhook", "delete", "--merchant", shop.MerchantID, e.EndpointID)
		r.refuse(3, "no endpoint", "webhook", "delete", "--merchant", shop.MerchantID, e.EndpointID)
		var left []app.Endpoint
		r.record(&left, "webhook", "list", "--merchant", shop.MerchantID)
		if len(left) != 0 {
			t.Errorf("left: %+v", left)
		}
	})
}

// checkDeliveries reads them by command: 3 events were delivered, one of them twice, and a test.
func (r *rig) checkDeliveries(merchant, endpoint string) {
	r.Helper()
	var all []app.Delivery
	eventually(r, "deliveries are noted", func() error {
		all = nil // what an earlier look found stays in fields that are left out
		r.record(&all, "webhook", "deliveries", "--merchant", merchant, endpoint, "--state", "delivered")
		if len(all) != 4 || all[0].Event != "" || all[2].Attempts != 2 {
			return fmt.Errorf("deliveries: %+v", all)
		}
		return nil
	})
	file := r.do("webhook", "deliveries", "--merchant", merchant, endpoint, "--csv", "--state", "delivered")
	if strings.Count(file, "\r\n") != 5 || !strings.HasPrefix(file, "deliveryId,") ||
		!strings.Contains(file, all[2].DeliveryID+","+all[2].Event+",2,") {
		r.Errorf("as a file: %s", file)
	}
	r.refuse(2, "without --limit", "webhook", "deliveries", "--merchant", merchant, endpoint, "--csv",
		"--limit", "1")
	var one app.Delivery
	r.record(&one, "webhook", "deliveries", "--merchant", merchant, endpoint, "--delivery", all[2].DeliveryID)
	if len(one.Tried) != 2 || one.Tried[0].Status != 204 && one.Tried[0].Status != 200 {
		r.Errorf("delivery: %+v", one)
	}
}

// numbered waits until the merchant's feed has so many events.
func (s *running) numbered(key string, n int) {
	s.Helper()
	eventually(s, "events get their numbers", func() error {
		url := fmt.Sprintf("http://%s/v1/events?after=%d", s.address, n-1)
		request, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", key)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body := make([]byte, 64)
		if _, err := response.Body.Read(body); err != nil || strings.HasPrefix(string(body), `{"items":[]`) {
			return fmt.Errorf("not yet: %s", body)
		}
		return nil
	})
}

// TestWishesByCommand sets how an endpoint wants to be told, and receives by the public key alone.
func TestWishesByCommand(t *testing.T) {
	r := newRig(t)
	s := r.serve()
	shop, in := r.shop(), newInbox(t)
	create := []string{"webhook", "create", "--merchant", shop.MerchantID, "--url", in.URL}
	for want, flags := range map[string][]string{
		"hmac, ed25519 or both": {"--signatures", ""},
		"each once":             {"--signatures", "hmac,hmac"},
		"1 to 20 durations":     {"--retry-schedule", "5s,0s"},
		"whole seconds":         {"--retry-schedule", "1500ms"},
		"1 to 64":               {"--max-concurrency", "65"},
		"only: 1":               {"--api-version", "2"},
	} {
		r.refuse(2, want, append(create, flags...)...)
	}
	var e app.Endpoint
	r.record(&e, append(create, "--signatures", "ed25519", "--retry-schedule", "5s,60s",
		"--max-concurrency", "2", "--api-version", "1", "--thin")...)
	made := fmt.Sprintf("%v %v %d %s %t", e.Signatures, e.RetrySchedule, e.MaxConcurrency, e.APIVersion, e.Thin)
	if made != "[ed25519] [5s 1m] 2 1 true" {
		t.Errorf("made %+v", e)
	}
	in.trust(t, e.Token, e.PublicKey)
	s.sell(shop.APIKey)
	in.got(t, 1)
	if data := string(in.events[0].Data); !strings.HasPrefix(data, `{"id":"wt_`) {
		t.Errorf("received %s", data)
	}
	set := []string{"webhook", "set", "--merchant", shop.MerchantID, e.EndpointID}
	r.record(&e, append(set, "--retry-schedule", "", "--thin=false", "--signatures", "ed25519,hmac")...)
	if fmt.Sprint(e.Signatures, e.RetrySchedule, e.MaxConcurrency, e.Thin) != "[hmac ed25519] [] 2 false" {
		t.Errorf("set to %+v", e)
	}
	r.refuse(2, "only: 1", append(set, "--api-version", "9", "--thin")...)
	var all []app.Endpoint
	r.record(&all, "webhook", "list", "--merchant", shop.MerchantID)
	if len(all) != 1 || all[0].Thin || all[0].PublicKey != e.PublicKey {
		t.Errorf("in the end: %+v", all)
	}
}

func TestListen(t *testing.T) {
	r := newRig(t)
	s := r.serve()
	shop, in := r.shop(), newInbox(t)
	for range 3 {
		s.sell(shop.APIKey)
	}
	s.numbered(shop.APIKey, 3)
	r.refuse(2, "api_key", "listen", "--forward", in.URL)
	t.Setenv("PLEXY_API_KEY", shop.APIKey)
	ctx, cancel := context.WithCancel(t.Context())
	out, ended := &buffer{}, make(chan int)
	go func() {
		ended <- run(ctx, []string{"listen", "--forward", in.URL, "--api", "http://" + s.address}, out, out)
	}()
	said := regexp.MustCompile(`after number (\d+) to .*\nsecret (\S+), token (\S+)\n`)
	var words []string
	eventually(t, "it says where it begins and how it signs", func() error {
		if words = said.FindStringSubmatch(out.String()); words == nil {
			return fmt.Errorf("it said %q", out.String())
		}
		return nil
	})
	if words[1] != "3" {
		t.Errorf("it begins after %s, want the newest", words[1])
	}
	in.trust(t, words[3], words[2])
	s.sell(shop.APIKey)
	if got := in.got(t, 1); got[0] != "4 authorized" {
		t.Errorf("forwarded %v", got)
	}
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("it ended with %d: %s", code, out.String())
	}
	if strings.Contains(out.String(), shop.APIKey) {
		t.Error("it shows the API key")
	}
}

// A command that was told nothing of the environment keeps the rules of the installation's.
func TestWebhooksOfProductionAreHTTPS(t *testing.T) {
	r := newRig(t)
	var m app.NewMerchant
	r.record(&m, "merchant", "create", "--name", "Shop", "--environment", "production")
	r.refuse(2, "http is for a sandbox",
		"webhook", "create", "--merchant", m.MerchantID, "--url", "http://shop.example/")
	r.do("webhook", "create", "--merchant", m.MerchantID, "--url", "https://shop.example/")
}
