package httpapi_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"plexy/internal/core/machine"
	"plexy/internal/event"
	"plexy/internal/httpapi"
	"plexy/internal/server"
	"plexy/internal/storage"
	"plexy/internal/webhook"
)

func TestHowAnEndpointWantsToBeTold(t *testing.T) { onEveryStore(t, testHowAnEndpointWantsToBeTold) }

func testHowAnEndpointWantsToBeTold(t *testing.T, r *rig) {
	made := r.endpoint(`{"url":"https://shop.example/plexy","signatures":["ed25519","hmac"],` +
		`"retrySchedule":["5s","60s","1h30m","3600s","24h"],"maxConcurrency":64,"apiVersion":"1","thin":true}`)
	id := made.text("id")
	const told = `"signatures":["hmac","ed25519"],"publicKey":"%s",` +
		`"retrySchedule":["5s","1m","1h30m","1h","24h"],"maxConcurrency":64,"apiVersion":"1","thin":true,`
	key := made.text("publicKey")
	for _, a := range []*answer{made, r.get(endpointsPath + "/" + id), r.get(endpointsPath)} {
		if want := fmt.Sprintf(told, key); !strings.Contains(a.body, want) {
			t.Errorf("want %s in %s", want, a.body)
		}
	}
	rotated := r.at("POST", id, "/rotate-secret", "")
	if again := rotated.text("publicKey"); again == key || !strings.HasPrefix(again, "whpk_") {
		t.Errorf("the key was %s and is %s", key, again)
	}
	if got := must(r.store.Endpoint(t.Context(), r.shopID, id))(t); rotated.text("publicKey") !=
		r.hooks.PrivateKey(id, got.Secret).Public() {
		t.Errorf("the key shown is not that of version %d", got.Secret)
	}
	for _, step := range []struct{ body, want string }{
		{`{"retrySchedule":null}`, `"retrySchedule":null`},
		{`{"maxConcurrency":1}`, `"maxConcurrency":1,`},
		{`{"thin":false}`, `"thin":false`},
		{`{"signatures":["hmac"]}`, `"signatures":["hmac"],"publicKey":null`},
		{`{"signatures":["ed25519"]}`, `"signatures":["ed25519"],"publicKey":"` + rotated.text("publicKey") + `"`},
		{`{"retrySchedule":["1s"]}`, `"retrySchedule":["1s"]`},
	} {
		if a := r.at("PATCH", id, "", step.body); a.status != 200 || !strings.Contains(a.body, step.want) {
			t.Errorf("%s: %d %s, want %s", step.body, a.status, a.body, step.want)
		}
	}
	const last = `"retrySchedule":["1s"],"maxConcurrency":1,"apiVersion":"1","thin":false`
	if got := r.get(endpointsPath + "/" + id).body; !strings.Contains(got, last) {
		t.Errorf("in the end: %s", got)
	}
}

// TestThePublishedKeyVerifies: the key that the API shows fits what a delivery is signed with, as
// crypto/ed25519 alone sees it.
func TestThePublishedKeyVerifies(t *testing.T) {
	r := newRig(t)
	id := r.endpoint(`{"url":"https://shop.example/plexy","signatures":["ed25519"]}`).text("id")
	r.at("POST", id, "/rotate-secret", "")
	shown := r.get(endpointsPath + "/" + id).text("publicKey")
	public, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(shown, "whpk_"))
	if err != nil || len(public) != ed25519.PublicKeySize {
		t.Fatalf("%s: %v", shown, err)
	}
	e := must(r.store.Endpoint(t.Context(), r.shopID, id))(t)
	m := webhook.Message{ID: "evt_1", Body: []byte(`{"id":"evt_1"}`), Token: r.hooks.Token(id, 1)}
	r.hooks.Signers(&m, &e, r.clock.Now())
	h, err := webhook.Headers(m, 1_795_000_000_000_000)
	check(t, err)
	present, before, two := strings.Cut(h.Get("webhook-signature"), " ")
	fits := func(signature string) bool {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(signature, "v1a,"))
		check(t, err)
		return ed25519.Verify(public, []byte(`evt_1.1795000000.{"id":"evt_1"}`), raw)
	}
	if !two || !fits(present) || fits(before) {
		t.Errorf("of %s the first must fit the key shown, the second the one before", h.Get("webhook-signature"))
	}
}

func TestTheVersionIsRefusedWithTheList(t *testing.T) {
	r := newRig(t)
	a := r.do(ask{"POST", endpointsPath, r.shop, `{"url":"https://x","apiVersion":"2"}`, nil})
	if want := "apiVersion must be one of these: " + event.VersionTexts() + "."; a.text("message") != want {
		t.Errorf("%s, want %s", a.body, want)
	}
}

// contended is an outbox in which somebody else is faster, so many times.
type contended struct {
	storage.Outbox
	others func(event.Endpoint) event.Endpoint // what the others make of the endpoint
	times  atomic.Int64
}

func (c *contended) SetEndpoint(ctx context.Context, e event.Endpoint, audit machine.Audit) error {
	if c.times.Add(-1) < 0 {
		return c.Outbox.SetEndpoint(ctx, e, audit)
	}
	now, err := c.Outbox.Endpoint(ctx, e.Merchant, e.ID)
	if err == nil {
		err = c.Outbox.SetEndpoint(ctx, c.others(now), machine.Audit{ID: fmt.Sprint("aud_", c.times.Load())})
	}
	return errors.Join(err, c.Outbox.SetEndpoint(ctx, e, audit))
}

func newContended(t *testing.T, times int64, others func(event.Endpoint) event.Endpoint) (*rig, *contended) {
	c := &contended{others: others}
	r := newRig(t, func(r *rig, o *httpapi.Options, _ *server.Options) {
		c.Outbox = r.store
		o.Outbox = c
	})
	t.Cleanup(func() { c.times.Store(0) })
	c.times.Store(times)
	return r, c
}

// TestNoChangeIsLost: others change other fields between a change's reading and its writing.
func TestNoChangeIsLost(t *testing.T) {
	r, c := newContended(t, 3, func(e event.Endpoint) event.Endpoint {
		e.Concurrency++
		e.State, e.Why = event.Disabled, "the receiver answered 410 Gone"
		return e
	})
	id := r.endpoint(`{"url":"https://shop.example/plexy"}`).text("id")
	a := r.at("PATCH", id, "", `{"thin":true}`)
	if a.status != 200 || a.number("maxConcurrency") != 11 || !strings.Contains(a.body, `"thin":true`) ||
		a.text("state") != "disabled" || a.text("stateReason") != "the receiver answered 410 Gone" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if now := r.get(endpointsPath + "/" + id); now.body != a.body {
		t.Errorf("answered\n%s\nand it is\n%s", a.body, now.body)
	}
	audits := r.audits(t)
	if len(audits) != 2 || !strings.Contains(audits[0].Before, `"maxConcurrency":11`) {
		t.Errorf("audits: %+v", audits)
	}

	c.times.Store(1 << 40) // and now for ever
	if a := r.at("PATCH", id, "", `{"thin":false}`); a.status != 503 || a.reason() != "busy" {
		t.Errorf("always too late: %d %s", a.status, a.body)
	}
}

// TestTwoRotationsAtOnceAreOne: otherwise the secret that receivers know would end with the second.
func TestTwoRotationsAtOnceAreOne(t *testing.T) {
	r, _ := newContended(t, 1, func(e event.Endpoint) event.Endpoint {
		e.Secret, e.PreviousUntil = e.Secret+1, noon+7*hourMicros
		return e
	})
	id := r.endpoint(`{"url":"https://shop.example/plexy"}`).text("id")
	a := r.at("POST", id, "/rotate-secret", "")
	if a.status != 200 || a.text("secret") != r.hooks.Secret(id, 2).Reveal() ||
		a.text("previousSecretUntil") != "2026-02-19T17:18:58.123456Z" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

const hourMicros = 3_600_000_000

// TestChangesAtOnceAreAllKept sends them over the door, on every store.
func TestChangesAtOnceAreAllKept(t *testing.T) { onEveryStore(t, testChangesAtOnceAreAllKept) }

func testChangesAtOnceAreAllKept(t *testing.T, r *rig) {
	id := r.endpoint(`{"url":"https://shop.example/plexy"}`).text("id")
	changes := []string{
		`"url":"https://shop.example/moved"`, `"ordered":false`, `"signatures":["ed25519"]`,
		`"retrySchedule":["7s"]`, `"maxConcurrency":3`, `"thin":true`, `"state":"disabled"`,
	}
	var running sync.WaitGroup
	for _, change := range changes {
		running.Go(func() {
			if a := r.at("PATCH", id, "", "{"+change+"}"); a.status != http.StatusOK {
				t.Errorf("%s: %d %s", change, a.status, a.body)
			}
		})
	}
	running.Wait()
	body := r.get(endpointsPath + "/" + id).body
	for _, change := range changes {
		if !strings.Contains(body, change) {
			t.Errorf("%s was lost: %s", change, body)
		}
	}
	if !json.Valid([]byte(body)) {
		t.Errorf("no JSON: %s", body)
	}
}
