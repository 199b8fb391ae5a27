package httpapi_test

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/event"
	"plexy/internal/httpapi"
	"plexy/internal/server"
	"plexy/internal/storage"
	"plexy/internal/webhook"
)

// overheard is an outbox that only notes what it was asked: what the decoders made of what came in. It has
// every endpoint and an event after every number, so that nobody waits.
type overheard struct {
	storage.Outbox
	made   *event.Endpoint
	replay *storage.ReplayQuery
	after  *int64
	limit  int
}

const overheardEndpoint = "whe_01JDM5B2N7R4T6V8X0Z1ABCD34"

func (o *overheard) Endpoint(_ context.Context, merchant, id string) (event.Endpoint, error) {
	e := event.NewEndpoint(id, merchant, 1)
	e.URL = "https://x"
	return e, nil
}

func (o *overheard) CreateEndpoint(_ context.Context, e event.Endpoint, _ machine.Audit) error {
	o.made = &e
	return nil
}

func (o *overheard) Event(_ context.Context, _ string, ref journal.Ref) (event.Event, error) {
	return event.Event{Number: 7, Record: journal.Record{Object: ref.Object, Sequence: ref.Sequence}}, nil
}

func (o *overheard) Events(
	_ context.Context, merchant string, after int64, limit int,
) ([]event.Event, error) {
	o.after, o.limit = &after, limit
	kinds := event.Kinds()
	var page []event.Event
	for i := range min(limit, len(kinds)) {
		kind := kinds[i].Name[strings.LastIndexByte(kinds[i].Name, '.')+1:]
		page = append(page, event.Event{Number: after + int64(i) + 1, Record: journal.Record{
			Object: "wt_01JDM3Z7V8H8Q2X9K0R1ABCD12", Merchant: merchant, Type: journal.Type(kind),
		}})
	}
	return page, nil
}

func (o *overheard) Replay(_ context.Context, _ int64, q storage.ReplayQuery) (int, int64, error) {
	o.replay = &q
	return 0, 0, nil
}

func (o *overheard) LowestEvent(context.Context, string) (int64, error) { return 1, nil }

func newOverheard(f *testing.F) (*captured, *overheard) {
	o := &overheard{}
	c := &captured{rig: newRig(f, func(_ *rig, options *httpapi.Options, _ *server.Options) {
		options.Outbox = o
	})}
	return c, o
}

func FuzzEndpointBody(f *testing.F) {
	for _, bodies := range badEndpoints {
		for _, body := range bodies {
			f.Add([]byte(body))
		}
	}
	f.Add([]byte(`{"url":"https://shop.example/plexy","eventTypes":["wallet.transaction.failed"],"ordered":false}`))
	f.Add([]byte(`{"url":"https://x","signatures":["ed25519"],"retrySchedule":["5s","1h30m"]}`))
	f.Add([]byte(`{"url":"https://x","signatures":["ed25519","hmac"],"maxConcurrency":64}`))
	f.Add([]byte(`{"url":"https://x","apiVersion":"1","thin":true,"retrySchedule":null}`))
	f.Add([]byte(`{"\u0075rl":"http:\/\/localhost:3000\/","state":"disabled","eventTypes":null}`))
	c, o := newOverheard(f)
	guard := webhook.NewGuard(webhook.Rules{Sandbox: true})
	f.Fuzz(func(t *testing.T, body []byte) {
		o.made = nil
		a := c.ask(t, ask{"POST", endpointsPath, c.shop, string(body), nil})
		if o.made == nil {
			if a.status != 400 && a.status != 413 {
				t.Fatalf("refused with %d %s", a.status, a.body)
			}
			return
		}
		// Whatever was accepted, the standard library reads the same from it.
		var sent map[string]json.RawMessage
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Fatalf("accepted %q, which is no JSON object: %v", body, err)
		}
		address, types, ordered := "", []string(nil), true
		thin, most, signatures, waits := false, 8, []string{"hmac"}, []string(nil)
		for name, to := range map[string]any{
			"url": &address, "eventTypes": &types, "ordered": &ordered, "thin": &thin, "maxConcurrency": &most,
			"signatures": &signatures, "retrySchedule": &waits,
		} {
			if raw := sent[name]; raw != nil && json.Unmarshal(raw, to) != nil {
				t.Fatalf("accepted %q with %s", body, raw)
			}
		}
		e := o.made
		if a.status != 201 || e.URL != address || !slices.Equal(e.Types, types) || e.Ordered != ordered ||
			e.Merchant != c.shopID || e.State != event.Enabled && e.State != event.Disabled {
			t.Fatalf("%q was read as %+v, answered %d %s", body, e, a.status, a.body)
		}
		slices.Sort(signatures)
		slices.Reverse(signatures) // the order in which they are kept
		if e.Form != (event.Form{Version: 1, Thin: thin}) || e.Concurrency != most || most < 1 || most > 64 ||
			len(e.Waits) != len(waits) || len(waits) > 20 || len(signatures) == 0 ||
			!slices.Equal(event.SignatureNames(e.Signatures), signatures) {
			t.Fatalf("%q was read as %+v", body, e)
		}
		for i, wait := range e.Waits {
			if said, err := time.ParseDuration(waits[i]); err != nil || said != wait || wait < event.MinWait ||
				wait > event.MaxWait {
				t.Fatalf("%q was read as %v", body, e.Waits)
			}
		}
		if err := guard.Check(e.URL); err != nil || slices.ContainsFunc(e.Types, isUnknown) {
			t.Fatalf("%q was accepted: %+v, %v", body, e, err)
		}
	})
}

func isUnknown(name string) bool { return !event.Known(name) }

func FuzzReplayBody(f *testing.F) {
	for _, body := range badRequests["/replay"]["replay_invalid body"] {
		f.Add([]byte(body))
	}
	f.Add([]byte(`{"eventId":"evt_01JDM3Z7V8H8Q2X9K0R1ABCD12_2","x":[1]}`))
	f.Add([]byte(`{"from":4611686018427387904}`))
	f.Add([]byte(`{"failed":true,"from":3,"to":9}`))
	c, o := newOverheard(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		o.replay = nil
		a := c.ask(t, ask{"POST", endpointsPath + "/" + overheardEndpoint + "/replay", c.shop, string(body), nil})
		if o.replay == nil {
			if a.status != 400 && a.status != 404 && a.status != 413 {
				t.Fatalf("refused with %d %s", a.status, a.body)
			}
			return
		}
		q := o.replay
		if a.status != 202 || !json.Valid(body) || q.From < 1 || q.From > q.To || q.Limit != 1000 ||
			q.Endpoint.ID != overheardEndpoint || q.Endpoint.Merchant != c.shopID {
			t.Fatalf("%q was read as %+v, answered %d %s", body, q, a.status, a.body)
		}
	})
}

func FuzzFeedQuery(f *testing.F) {
	for _, query := range []string{
		"", "after=5&limit=3", "limit=0", "type=wallet.transaction.captured&wait=30", "wait=31", "after=%31", "a;b",
		"after=4611686018427387904", "&&==&%", "after=1&after=1", "type=",
	} {
		f.Add(query)
	}
	c, o := newOverheard(f)
	f.Fuzz(func(t *testing.T, query string) {
		o.after = nil
		u := &url.URL{Path: "/v1/events", RawQuery: strings.Map(printable, query)}
		a := c.ask(t, ask{"GET", u.String(), c.shop, "", nil})
		if (o.after == nil) != (a.status == 400) {
			t.Fatalf("%q: %d %s", query, a.status, a.body)
		}
		if o.after == nil {
			return
		}
		found := items(a)
		if *o.after < 0 || o.limit < 1 || o.limit > 500 || len(found) > 100 || a.number("nextAfter") <= *o.after {
			t.Fatalf("%q was read as %d, %d and answered %s", query, *o.after, o.limit, a.body)
		}
	})
}
