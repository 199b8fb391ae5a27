package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"plexy/internal/event"
	"plexy/internal/notify"
	"plexy/internal/storage"
)

// ailing is a worker with a shop that has an endpoint and somebody to tell.
type ailing struct {
	*worker
	carrier  *telephone
	shop     string
	endpoint string
}

func newAiling(t *testing.T, settings ...string) *ailing {
	t.Helper()
	ctx := context.Background()
	a := &ailing{worker: newWorker(t), carrier: new(telephone)}
	a.app.machine, a.app.environment = a.clock, "sandbox"
	a.messages = notify.NewPost(a.carrier, slog.New(slog.DiscardHandler))
	t.Cleanup(a.messages.Close)
	shop, err := a.app.CreateMerchant(ctx, "Shop", "")
	if err != nil {
		t.Fatal(err)
	}
	a.shop = shop.MerchantID
	if len(settings) > 0 {
		if _, err := a.app.SetMerchant(ctx, a.shop, settings, ""); err != nil {
			t.Fatal(err)
		}
	}
	url := "https://shop.kz/hook"
	e, err := a.app.CreateEndpoint(ctx, a.shop, EndpointChange{URL: &url}, "")
	if err != nil {
		t.Fatal(err)
	}
	a.endpoint = e.EndpointID
	return a
}

// shows writes what deliveries have shown of the endpoint.
func (a *ailing) shows(t *testing.T, h storage.Health) {
	t.Helper()
	h.Endpoint = a.endpoint
	if err := a.store.Finish(context.Background(), a.clock.Now(), nil, []storage.Health{h}); err != nil {
		t.Fatal(err)
	}
}

// passes lets the time pass, looks, and returns the kinds of the messages that were sent since the last look.
func (a *ailing) passes(t *testing.T, d time.Duration) string {
	t.Helper()
	before := len(a.carrier.carried)
	a.clock.Advance(d.Microseconds())
	for range 2 {
		if err := a.tellFailing(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	var kinds []string
	for _, m := range a.carrier.carried[before:] {
		kinds = append(kinds, string(m.Kind))
	}
	return strings.Join(kinds, " ")
}

// A merchant is told after an hour, after a day and when the endpoint is given up, once each, and anew after
// a success.
func TestMerchantsAreToldOfFailingEndpoints(t *testing.T) {
	a := newAiling(t, "contact_email=owner@shop.kz")
	began := a.clock.Now()
	a.shows(t, storage.Health{FailingSince: began})
	for i, step := range []struct {
		after time.Duration
		want  string
	}{
		{time.Hour - time.Microsecond, ""}, {time.Microsecond, "webhook_failing"}, {time.Hour, ""},
		{22*time.Hour - time.Microsecond, ""}, {time.Microsecond, "webhook_failing"}, {3 * 24 * time.Hour, ""},
	} {
		if got := a.passes(t, step.after); got != step.want {
			t.Fatalf("step %d: told of %q, want %q", i, got, step.want)
		}
	}
	a.shows(t, storage.Health{FailingSince: began, Disable: event.WhySilent})
	if got := a.passes(t, 0); got != "webhook_disabled" {
		t.Errorf("given up: told of %q", got)
	}
	for i, want := range []string{"for 1 h", "for 24 h", "is disabled"} {
		m := a.carrier.carried[i]
		if !strings.HasSuffix(m.Subject, want) || m.To.Email.Reveal() != "owner@shop.kz" || m.Language != "en" {
			t.Errorf("message %d: %+v", i, m)
		}
		for _, part := range []string{a.endpoint, "https://shop.kz/hook", "21 Sep 2026, 19:13 (UTC+5)"} {
			if !strings.Contains(m.Text, part) {
				t.Errorf("message %d lacks %q: %s", i, part, m.Text)
			}
		}
	}
	enabled := true
	ctx := context.Background()
	if _, err := a.app.SetEndpoint(ctx, a.shop, a.endpoint, EndpointChange{Enabled: &enabled}, ""); err != nil {
		t.Fatal(err)
	}
	if got := a.passes(t, time.Hour); got != "" {
		t.Errorf("an endpoint that does not fail: told of %q", got)
	}
	a.shows(t, storage.Health{FailingSince: a.clock.Now()})
	if got := a.passes(t, 30*time.Hour); got != "webhook_failing" { // of the stage that counts, and only of that
		t.Errorf("a day later: told of %q", got)
	}
	a.shows(t, storage.Health{FailingSince: a.clock.Now() - 1, Disable: event.WhyGone})
	if got := a.passes(t, 0); got != "webhook_gone" {
		t.Errorf("gone: told of %q", got)
	}
}

// Two servers tell once, whoever is first, and in the merchant's language.
func TestOneServerTellsOfAnEndpoint(t *testing.T) {
	a := newAiling(t, "contact_email=owner@shop.kz", "contact_language=ru")
	a.shows(t, storage.Health{FailingSince: a.clock.Now()})
	a.clock.Advance(time.Hour.Microseconds())
	var servers sync.WaitGroup
	for range 4 {
		servers.Go(func() {
			if err := a.tellFailing(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	servers.Wait()
	if len(a.carrier.carried) != 1 || !strings.Contains(a.carrier.carried[0].Text, "вебхуков") {
		t.Errorf("told: %+v", a.carrier.carried)
	}
}

// A try that failed is made again under the same name; without an address nobody is told, and with one that
// comes later the merchant is.
func TestTellingOfAnEndpointIsTriedAgain(t *testing.T) {
	a := newAiling(t)
	a.shows(t, storage.Health{FailingSince: a.clock.Now()})
	if got := a.passes(t, time.Hour); got != "" || a.carrier.tries != 0 {
		t.Errorf("nobody was there to be told, and was told of %q", got)
	}
	shown, err := a.app.SetMerchant(context.Background(), a.shop, []string{"contact_email=owner@shop.kz"}, "")
	if err != nil || shown.Settings["contact_email"] != "o***@shop.kz" {
		t.Fatalf("%+v %v", shown, err)
	}
	a.carrier.errors = []error{errors.New("no line"), errors.New("no line")}
	for range 3 {
		a.passes(t, time.Minute)
	}
	if a.carrier.tries != 3 || len(a.carrier.carried) != 1 {
		t.Errorf("%d tries, told of %+v", a.carrier.tries, a.carrier.carried)
	}
	rows, err := a.store.Audits(context.Background(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if strings.Contains(row.Before+row.After, "owner@") {
			t.Errorf("the audit has the address: %+v", row)
		}
	}
}

// Events are swept when the setting says so, by the application's clock.
func TestEventsAreSweptWhenToldTo(t *testing.T) {
	ctx := context.Background()
	a := newAsked(t)
	a.authorize(t, 1, nil)
	if _, err := a.store.Number(ctx, a.clock.Now(), 10); err != nil {
		t.Fatal(err)
	}
	lowest := func(want int64) {
		t.Helper()
		if err := a.sweepEvents(ctx); err != nil {
			t.Fatal(err)
		}
		if got, err := a.store.LowestEvent(ctx, a.shop); err != nil || got != want {
			t.Errorf("the lowest number is %d, %v; want %d", got, err, want)
		}
	}
	a.clock.Advance((721 * time.Hour).Microseconds())
	lowest(1)
	a.app.Config.KeepEvents = 721 * time.Hour
	lowest(1)
	a.clock.Advance(1)
	lowest(2)
}
