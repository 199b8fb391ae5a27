package app

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"plexy/internal/core/journal"
	"plexy/internal/event"
	"plexy/internal/id"
	"plexy/internal/storage"
	"plexy/internal/view"
	"plexy/internal/webhook"
)

// Endpoint is a webhook endpoint as staff see it.
type Endpoint struct {
	EndpointID string   `json:"endpointId"`
	MerchantID string   `json:"merchantId"`
	URL        string   `json:"url"`
	EventTypes []string `json:"eventTypes"`
	Ordered    bool     `json:"ordered"`
	Signatures []string `json:"signatures"`          // hmac, ed25519
	PublicKey  string   `json:"publicKey,omitempty"` // of ed25519
	// RetrySchedule is how long after an attempt that failed the next one comes; null is the installation's.
	RetrySchedule  []string `json:"retrySchedule"`
	MaxConcurrency int      `json:"maxConcurrency"`
	APIVersion     string   `json:"apiVersion"`
	Thin           bool     `json:"thin"`
	State          string   `json:"state"`
	StateReason    string   `json:"stateReason,omitempty"`
	FailingSince   *string  `json:"failingSince"` // RFC 3339; null while deliveries succeed
	CreatedAt      string   `json:"createdAt"`
	Token          string   `json:"token,omitempty"` // shown once
	Secret         string   `json:"secret,omitempty"`
}

// Delivery is a delivery as staff see it: with what the receiver said.
type Delivery struct {
	DeliveryID string    `json:"deliveryId"`
	Event      string    `json:"eventId,omitempty"` // none for a test event
	Number     int64     `json:"eventNumber"`
	Name       string    `json:"eventName"`
	State      string    `json:"state"`
	Attempts   int       `json:"attempts"`
	DueAt      string    `json:"dueAt"`
	URL        string    `json:"url,omitempty"` // the address that its payment names; none: its endpoint's
	Tried      []Attempt `json:"attemptList,omitempty"`
}

// Attempt is one attempt at a delivery.
type Attempt struct {
	Number   int    `json:"number"`
	At       string `json:"at"`
	Millis   int64  `json:"durationMillis"`
	Status   int    `json:"status"` // 0: no answer
	Error    string `json:"error,omitempty"`
	Response string `json:"response,omitempty"` // the first 4 KiB
}

func (a *App) endpointView(e event.Endpoint, secrets bool) (Endpoint, error) {
	key, err := webhook.NewKey(a.master.WebhookKey())
	if err != nil {
		return Endpoint{}, err
	}
	v := Endpoint{
		EndpointID: e.ID, MerchantID: e.Merchant, URL: e.URL, EventTypes: e.Types, Ordered: e.Ordered,
		Signatures: event.SignatureNames(e.Signatures), PublicKey: key.PublicKey(&e),
		MaxConcurrency: e.Concurrency, APIVersion: event.VersionText(e.Form.Version), Thin: e.Form.Thin,
		State: string(e.State), StateReason: e.Why, CreatedAt: rfc3339(e.CreatedAt),
	}
	if len(e.Waits) > 0 {
		v.RetrySchedule = event.WaitTexts(e.Waits)
	}
	if e.FailingSince != 0 {
		since := rfc3339(e.FailingSince)
		v.FailingSince = &since
	}
	if secrets {
		v.Token, v.Secret = key.Token(e.ID, e.Token).Reveal(), key.Secret(e.ID, e.Secret).Reveal()
	}
	return v, nil
}

// EndpointChange says what to change of an endpoint; nil leaves it.
type EndpointChange struct {
	URL        *string
	EventTypes []string // nil leaves them; empty is all
	Ordered    *bool
	Signatures []string
	// RetrySchedule is durations such as 5s or 1m; empty is the installation's schedule.
	RetrySchedule  []string
	MaxConcurrency *int
	APIVersion     *string
	Thin           *bool
	Enabled        *bool
}

func (a *App) applyTo(e *event.Endpoint, c EndpointChange) error {
	if c.URL != nil {
		if err := webhook.NewGuard(a.webhookRules()).Check(*c.URL); err != nil {
			return usage("the URL %v", err)
		}
		e.URL = *c.URL
	}
	for _, name := range c.EventTypes {
		if !event.Known(name) {
			return usage("there is no event %q", name)
		}
	}
	if c.EventTypes != nil {
		e.Types = c.EventTypes
	}
	if c.Ordered != nil {
		e.Ordered = *c.Ordered
	}
	if c.Enabled != nil {
		e.State, e.Why = event.Enabled, ""
		if !*c.Enabled {
			e.State, e.Why = event.Disabled, "by staff"
		}
	}
	return wish(e, c)
}

// wish puts into the endpoint how it wants to be told.
func wish(e *event.Endpoint, c EndpointChange) error {
	ok := true
	if c.Signatures != nil {
		if e.Signatures, ok = event.ParseSignatures(c.Signatures); !ok {
			return usage("signatures are hmac, ed25519 or both, each once")
		}
	}
	if c.RetrySchedule != nil {
		e.Waits = nil
		if len(c.RetrySchedule) > 0 {
			e.Waits, ok = event.ParseWaits(c.RetrySchedule)
		}
		if !ok {
			return usage("a retry schedule is 1 to %d durations such as 5s or 1m, in whole seconds from 1s to 24h",
				event.MaxWaits)
		}
	}
	if c.MaxConcurrency != nil {
		if *c.MaxConcurrency < 1 || *c.MaxConcurrency > event.MaxConcurrency {
			return usage("the concurrency is 1 to %d", event.MaxConcurrency)
		}
		e.Concurrency = *c.MaxConcurrency
	}
	if c.APIVersion != nil {
		if e.Form.Version, ok = event.ParseVersion(*c.APIVersion); !ok {
			return usage("there is no API version %q, only: %s", *c.APIVersion, event.VersionTexts())
		}
	}
	if c.Thin != nil {
		e.Form.Thin = *c.Thin
	}
	return nil
}

// CreateEndpoint makes an endpoint; its token and secret are shown this once.
func (a *App) CreateEndpoint(
	ctx context.Context, merchant string, c EndpointChange, reason string,
) (Endpoint, error) {
	e := event.NewEndpoint(a.ids.New(id.Endpoint), merchant, a.clock.Now())
	if err := a.applyTo(&e, c); err != nil {
		return Endpoint{}, err
	}
	audit := a.audit("webhook.create", e.ID, reason)
	audit.After = "url=" + e.URL
	switch err := a.Storage.CreateEndpoint(ctx, e, audit); {
	case errors.Is(err, storage.ErrNotFound):
		return Endpoint{}, fmt.Errorf("%w: there is no merchant %q", ErrRefused, merchant)
	case errors.Is(err, storage.ErrConflict):
		return Endpoint{}, fmt.Errorf("%w: a merchant can have %d endpoints", ErrRefused, event.MaxEndpoints)
	case err != nil:
		return Endpoint{}, err
	}
	return a.endpointView(e, true)
}

// Endpoints lists the merchant's endpoints.
func (a *App) Endpoints(ctx context.Context, merchant string) ([]Endpoint, error) {
	if _, err := a.merchant(ctx, merchant); err != nil {
		return nil, err
	}
	all, err := a.Storage.EndpointsOf(ctx, merchant)
	out := make([]Endpoint, 0, len(all))
	for _, e := range all {
		v, err := a.endpointView(e, false)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, err
}

func (a *App) endpoint(ctx context.Context, merchant, endpoint string) (event.Endpoint, error) {
	e, err := a.Storage.Endpoint(ctx, merchant, endpoint)
	if errors.Is(err, storage.ErrNotFound) || e.Callbacks() {
		return e, fmt.Errorf("%w: merchant %q has no endpoint %q", ErrRefused, merchant, endpoint)
	}
	return e, err
}

// SetEndpoint changes an endpoint.
func (a *App) SetEndpoint(
	ctx context.Context, merchant, endpoint string, c EndpointChange, reason string,
) (Endpoint, error) {
	e, err := a.endpoint(ctx, merchant, endpoint)
	if err != nil {
		return Endpoint{}, err
	}
	apply := func(e *event.Endpoint) error { return a.applyTo(e, c) }
	return a.changeEndpoint(ctx, e, endpointEdit{"webhook.set", reason, apply})
}

// RotateEndpoint gives an endpoint a new secret, shown this once; deliveries are signed with the one before,
// too, for as long as overlap says (0 to 7 days).
func (a *App) RotateEndpoint(
	ctx context.Context, merchant, endpoint string, overlap time.Duration, reason string,
) (Endpoint, error) {
	if overlap < 0 || overlap > 7*24*time.Hour {
		return Endpoint{}, usage("the overlap is 0s to 168h")
	}
	e, err := a.endpoint(ctx, merchant, endpoint)
	if err != nil {
		return Endpoint{}, err
	}
	before := e.Secret
	rotate := func(e *event.Endpoint) error {
		// Else somebody else does the same right now, and with two new ones the one in use would sign no more.
		if e.Secret == before {
			e.Secret, e.PreviousUntil = before+1, a.clock.Now()+overlap.Microseconds()
		}
		return nil
	}
	return a.changeEndpoint(ctx, e, endpointEdit{"webhook.rotate", reason, rotate})
}

// endpointEdit is a change of an endpoint by staff.
type endpointEdit struct {
	action, reason string // for the audit
	apply          func(*event.Endpoint) error
}

// changeTries is how often a change is made anew because somebody else was faster; each time one is done.
const changeTries = 20

// changeEndpoint writes a change of an endpoint that was read. When somebody else changes it at the same
// time, the change is made anew to what they left, so that nothing is lost.
func (a *App) changeEndpoint(ctx context.Context, e event.Endpoint, edit endpointEdit) (Endpoint, error) {
	first := e.Secret
	for range changeTries {
		was := e
		if err := edit.apply(&e); err != nil {
			return Endpoint{}, err
		}
		e.UpdatedAt = a.clock.Now()
		audit := a.audit(edit.action, e.ID, edit.reason)
		audit.Before, audit.After = describe(was), describe(e)
		err := a.Storage.SetEndpoint(ctx, e, audit)
		if err == nil {
			if was.State == event.Disabled && e.State == event.Enabled {
				e.FailingSince = 0
			}
			v, err := a.endpointView(e, first != e.Secret)
			v.Token = "" // it stays the same and was shown once
			return v, err
		}
		if !errors.Is(err, storage.ErrConflict) {
			return Endpoint{}, err
		}
		if e, err = a.endpoint(ctx, e.Merchant, e.ID); err != nil {
			return Endpoint{}, err
		}
	}
	return Endpoint{}, fmt.Errorf("%w: the endpoint is being changed by others; try again", ErrRefused)
}

// describe says in an audit what can be set of an endpoint.
func describe(e event.Endpoint) string {
	return fmt.Sprintf("url=%s types=%s ordered=%t signatures=%s waits=%s concurrency=%d version=%d thin=%t "+
		"state=%s secret=%d", e.URL, event.JoinTypes(e.Types), e.Ordered,
		strings.Join(event.SignatureNames(e.Signatures), ","), strings.Join(event.WaitTexts(e.Waits), ","),
		e.Concurrency, e.Form.Version, e.Form.Thin, e.State, e.Secret)
}

// TestEndpoint queues a made-up event for an endpoint alone.
func (a *App) TestEndpoint(ctx context.Context, merchant, endpoint, name string) (Delivery, error) {
	e, err := a.endpoint(ctx, merchant, endpoint)
	if err != nil {
		return Delivery{}, err
	}
	if !event.Known(name) {
		return Delivery{}, usage("there is no event %q", name)
	}
	now := a.clock.Now()
	example := event.Example(name, e.Merchant, now)
	d := event.NewDelivery(e, 0, journal.Record{}, now)
	d.ID, d.Name = a.ids.New(event.DeliveryPrefix(e.ID)), name
	d.Body = view.EventAs(nil, &example, e.Form)
	return deliveryView(d), a.Storage.CreateDelivery(ctx, d)
}

// DeleteEndpoint removes an endpoint.
func (a *App) DeleteEndpoint(ctx context.Context, merchant, endpoint, reason string) error {
	e, err := a.endpoint(ctx, merchant, endpoint)
	if err != nil {
		return err
	}
	audit := a.audit("webhook.delete", e.ID, reason)
	audit.Before = "url=" + e.URL
	return a.Storage.DeleteEndpoint(ctx, merchant, e.ID, audit)
}

// Deliveries lists deliveries to an endpoint, newest event first; state is "" for all.
func (a *App) Deliveries(
	ctx context.Context, merchant, endpoint, state string, limit int,
) ([]Delivery, error) {
	e, err := a.told(ctx, merchant, endpoint)
	if err != nil {
		return nil, err
	}
	all, err := a.Storage.DeliveriesOf(ctx, storage.DeliveryQuery{
		Endpoint: e.ID, State: event.DeliveryState(state), Limit: limit,
	})
	out := make([]Delivery, 0, len(all))
	for _, d := range all {
		out = append(out, deliveryView(d))
	}
	return out, err
}

func deliveryView(d event.Delivery) Delivery {
	v := Delivery{
		DeliveryID: d.ID, Number: d.Number, Name: d.Name, State: string(d.State), Attempts: d.Attempts,
		DueAt: rfc3339(d.DueAt), URL: d.URL,
	}
	if d.Object != "" {
		v.Event = event.ID(d.Object, d.Sequence)
	}
	return v
}

// Delivery shows one delivery with its attempts.
func (a *App) Delivery(ctx context.Context, merchant, endpoint, delivery string) (Delivery, error) {
	e, err := a.told(ctx, merchant, endpoint)
	if err != nil {
		return Delivery{}, err
	}
	d, err := a.Storage.Delivery(ctx, e.ID, delivery)
	if errors.Is(err, storage.ErrNotFound) {
		return Delivery{}, fmt.Errorf("%w: there is no delivery %q to this endpoint", ErrRefused, delivery)
	}
	if err != nil {
		return Delivery{}, err
	}
	tried, err := a.Storage.AttemptsOf(ctx, d.ID)
	v := deliveryView(d)
	v.Tried = attemptViews(tried)
	return v, err
}

func attemptViews(tried []event.Attempt) []Attempt {
	views := make([]Attempt, 0, len(tried))
	for _, t := range tried {
		views = append(views, Attempt{
			Number: t.Number, At: rfc3339(t.At), Millis: t.Micros / 1000, Status: t.Status, Error: t.Error,
			Response: string(t.Response),
		})
	}
	return views
}

// Again says which events are sent again: those with numbers from From to To (0: no end), or of these only
// the ones whose delivery is dead.
type Again struct {
	From, To int64
	Dead     bool
}

// Replay sends events to an endpoint again. It returns how many deliveries that made due.
func (a *App) Replay(ctx context.Context, merchant, endpoint string, what Again) (n int, err error) {
	e, err := a.told(ctx, merchant, endpoint)
	if err != nil {
		return 0, err
	}
	if err := a.kept(ctx, merchant, what); err != nil {
		return 0, err
	}
	to := what.To
	if to == 0 {
		to = math.MaxInt64
	}
	q := storage.ReplayQuery{Endpoint: e, From: what.From, To: to, Dead: what.Dead, Limit: sweepBatch}
	for {
		some, last, err := a.Storage.Replay(ctx, a.clock.Now(), q)
		n += some
		if err != nil || last == 0 || last >= to {
			return n, err
		}
		q.From = last + 1
	}
}
