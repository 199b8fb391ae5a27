package httpapi_test

import (
	"testing"

	"plexy/internal/httpapi"
	"plexy/internal/server"
	"plexy/internal/storage"
)

func message(id string) storage.Message {
	return storage.Message{
		ID: id, Kind: "login_code", To: "+7701*****67", Language: "kk", Subject: "Кіру коды",
		Text: `482913 "қазір"`, CreatedAt: noon, SweepAt: noon + 1,
	}
}

func TestOutbox(t *testing.T) {
	r := newRig(t, func(r *rig, o *httpapi.Options, _ *server.Options) { o.Sandbox = newFakeSandbox(r.clock) })
	if a := r.get("/v1/sandbox/outbox"); a.body != `{"items":[]}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	check(t, r.store.KeepMessage(t.Context(), message("ntf_1")))
	check(t, r.store.KeepMessage(t.Context(), message("ntf_2")))
	a := r.get("/v1/sandbox/outbox?limit=1")
	want := `{"items":[{"id":"ntf_2","kind":"login_code","to":"+7701*****67","language":"kk",` +
		`"subject":"Кіру коды","text":"482913 \"қазір\"","createdAt":"2026-02-19T10:18:58.123456Z"}]}`
	if a.status != 200 || a.body != want {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, limit := range []string{"0", "101", "x", "", "1&limit=2"} {
		if a := r.get("/v1/sandbox/outbox?limit=" + limit); a.reason() != "limit_invalid" {
			t.Errorf("limit %q: %d %s", limit, a.status, a.body)
		}
	}
}

// Production has no outbox: the path is like any other that nobody knows, with a key or without.
func TestProductionHasNoOutbox(t *testing.T) {
	r := newRig(t)
	for _, key := range []string{r.shop, ""} {
		a := r.do(ask{"GET", "/v1/sandbox/outbox", key, "", nil})
		if a.status != 404 || a.reason() != "route_unknown" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}
