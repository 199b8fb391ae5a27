package httpapi

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/reject"
	"plexy/internal/event"
	"plexy/internal/id"
	"plexy/internal/storage"
	"plexy/internal/view"
)

const (
	endpointPath = "/v1/webhook-endpoints/{endpoint_id}"
	// defaultOverlap and maxOverlap bound how long the secret before is signed with, too: hours.
	defaultOverlap, maxOverlap = 24, 168
	hour                       = 3600 * 1_000_000
	// changeTries is how often a change is made anew because somebody else was faster; each time one is done.
	changeTries = 20
	// replayBatch is how many events one request replays at most.
	replayBatch = 1000
)

func endpointRoutes() []Route {
	get, post := http.MethodGet, http.MethodPost
	return []Route{
		{Method: post, Template: "/v1/webhook-endpoints", Body: true, serve: (*API).createEndpoint},
		{Method: get, Template: "/v1/webhook-endpoints", serve: (*API).listEndpoints},
		{Method: get, Template: endpointPath, serve: onEndpoint((*API).getEndpoint)},
		{Method: http.MethodPatch, Template: endpointPath, Body: true, serve: onEndpoint((*API).changeEndpoint)},
		{Method: http.MethodDelete, Template: endpointPath, serve: onEndpoint((*API).deleteEndpoint)},
		{Method: post, Template: endpointPath + "/rotate-secret", Body: true,
			serve: onEndpoint((*API).rotateSecret)},
		{Method: post, Template: endpointPath + "/test", Body: true, serve: onEndpoint((*API).testEndpoint)},
		{Method: post, Template: endpointPath + "/replay", Body: true, serve: onTold((*API).replay)},
		{Method: get, Template: endpointPath + "/deliveries", Query: true,
			serve: onTold((*API).listDeliveries)},
		{Method: get, Template: endpointPath + "/deliveries/{delivery_id}", serve: onTold((*API).getDelivery)},
	}
}

// onEndpoint finds the merchant's endpoint that the path names.
func onEndpoint(serve func(*API, *call, event.Endpoint)) func(*API, *call) {
	return func(a *API, c *call) {
		if _, ok := id.Book(id.Endpoint, c.id); !ok {
			refuse(c.Exchange, noEndpoint)
			return
		}
		e, err := a.options.Outbox.Endpoint(c.ctx, c.Merchant, c.id)
		if c.failed(err, noEndpoint) {
			return
		}
		serve(a, c, e)
	}
}

// onTold finds the merchant's endpoint that the path names, or, under the name callback, the one through
// which the addresses are told that its payments name: it is not written while nothing was delivered so.
func onTold(serve func(*API, *call, event.Endpoint)) func(*API, *call) {
	own := onEndpoint(serve)
	return func(a *API, c *call) {
		if c.id != "callback" {
			own(a, c)
			return
		}
		e, err := a.options.Outbox.Endpoint(c.ctx, c.Merchant, event.CallbacksID(c.Merchant))
		if errors.Is(err, storage.ErrNotFound) {
			e, err = event.NewCallbacks(c.Merchant, a.options.Clock.Now()), nil
		}
		if !c.failed(err, noEndpoint) {
			serve(a, c, e)
		}
	}
}

var (
	noEndpoint = problem{reason: reject.EndpointNotFound, source: "endpoint_id"}
	noDelivery = problem{reason: reject.DeliveryNotFound, source: "delivery_id"}
)

// failed answers an error: missing when there is no such record. It reports whether there was one.
func (c *call) failed(err error, missing problem) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, storage.ErrNotFound):
		refuse(c.Exchange, missing)
	case errors.Is(err, storage.ErrUncertain):
		c.trouble(err, reject.OutcomeUnknown)
	default:
		c.trouble(err, reject.QueueFull)
	}
	return true
}

// audit begins the audit row of what a merchant changes by API.
func (a *API) audit(c *call, action, object string) machine.Audit {
	return machine.Audit{
		ID: a.options.NewID(id.Audit), At: a.options.Clock.Now(), Actor: "api key " + c.Key,
		Action: action, Object: object,
	}
}

// createEndpoint answers POST /v1/webhook-endpoints. Token and secret are shown this once.
func (a *API) createEndpoint(c *call) {
	m, p := c.body.members()
	e := event.NewEndpoint(a.options.NewID(id.Endpoint), c.Merchant, a.options.Clock.Now())
	if p.reason == "" {
		p = a.take(m, &e)
	}
	if _, sent := m["url"]; p.reason == "" && !sent {
		p = problem{reason: reject.URLInvalid, source: "url"}
	}
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	audit := a.audit(c, "create webhook endpoint", e.ID)
	audit.After = e.URL
	err := a.options.Outbox.CreateEndpoint(c.ctx, e, audit)
	if errors.Is(err, storage.ErrConflict) {
		refuse(c.Exchange, problem{reason: reject.TooManyEndpoints, source: "server"})
		return
	}
	if c.failed(err, noEndpoint) {
		return
	}
	b := a.appendToken(a.appendEndpoint(nil, &e), &e)
	c.done(http.StatusCreated, a.appendSecret(b, &e))
}

// listEndpoints answers GET /v1/webhook-endpoints.
func (a *API) listEndpoints(c *call) {
	all, err := a.options.Outbox.EndpointsOf(c.ctx, c.Merchant)
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	b := []byte(`{"items":[`)
	for i := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = a.appendEndpoint(b, &all[i])
	}
	c.read(append(b, `]}`...))
}

func (a *API) getEndpoint(c *call, e event.Endpoint) { c.read(a.appendEndpoint(nil, &e)) }

// changeEndpoint answers PATCH: what is not sent stays.
func (a *API) changeEndpoint(c *call, e event.Endpoint) {
	m, p := c.body.members()
	if trial := e; p.reason == "" {
		p = a.take(m, &trial)
	}
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	// What was taken once is taken again: it does not depend on what the endpoint is.
	e, ok := a.set(c, e, "change webhook endpoint", func(e *event.Endpoint) { _ = a.take(m, e) })
	if ok {
		c.done(http.StatusOK, a.appendEndpoint(nil, &e))
	}
}

// set writes a change of an endpoint and returns it as it now is; false when it has answered why not. When
// somebody else changes it at the same time, the change is made anew to what they left, so that nothing is
// lost.
func (a *API) set(
	c *call, e event.Endpoint, action string, change func(*event.Endpoint),
) (event.Endpoint, bool) {
	for range changeTries {
		was := e
		change(&e)
		e.UpdatedAt = a.options.Clock.Now()
		audit := a.audit(c, action, e.ID)
		audit.Before, audit.After = string(a.appendEndpoint(nil, &was)), string(a.appendEndpoint(nil, &e))
		err := a.options.Outbox.SetEndpoint(c.ctx, e, audit)
		if !errors.Is(err, storage.ErrConflict) {
			if was.State == event.Disabled && e.State == event.Enabled {
				e.FailingSince = 0
			}
			return e, !c.failed(err, noEndpoint)
		}
		e, err = a.options.Outbox.Endpoint(c.ctx, c.Merchant, e.ID)
		if c.failed(err, noEndpoint) {
			return e, false
		}
	}
	c.trouble(storage.ErrConflict, reject.QueueFull)
	return e, false
}

func (a *API) deleteEndpoint(c *call, e event.Endpoint) {
	audit := a.audit(c, "delete webhook endpoint", e.ID)
	audit.Before = e.URL
	if c.failed(a.options.Outbox.DeleteEndpoint(c.ctx, c.Merchant, e.ID, audit), noEndpoint) {
		return
	}
	c.done(http.StatusOK, append(append([]byte(`{"id":"`), e.ID...), `","deleted":true}`...))
}

// rotateSecret answers POST …/rotate-secret: a new secret, and the one before is signed with for a while. The
// token stays, and is not shown again.
func (a *API) rotateSecret(c *call, e event.Endpoint) {
	m, p := c.body.members()
	overlap := int64(defaultOverlap)
	if raw, sent := m["overlapHours"]; sent && p.reason == "" {
		n, ok := wholeNumber(string(raw), maxOverlap)
		if overlap = n; !ok {
			p = problem{reason: reject.OverlapInvalid, source: "overlapHours"}
		}
	}
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	before := e.Secret
	e, ok := a.set(c, e, "rotate webhook secret", func(e *event.Endpoint) {
		// Else somebody else does the same right now, and with two new ones the one in use would sign no more.
		if e.Secret == before {
			e.Secret, e.PreviousUntil = before+1, a.options.Clock.Now()+overlap*hour
		}
	})
	if ok {
		c.done(http.StatusOK, a.appendSecret(a.appendEndpoint(nil, &e), &e))
	}
}

// testEndpoint answers POST …/test: an example of the event is queued for the endpoint alone.
func (a *API) testEndpoint(c *call, e event.Endpoint) {
	m, p := c.body.members()
	name := "wallet.transaction.captured"
	if raw, sent := m["eventType"]; sent && p.reason == "" {
		var ok bool
		if name, ok = stringOf(raw); !ok || !event.Known(name) {
			p = problem{reason: reject.EventTypeInvalid, source: "eventType"}
		}
	}
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	now := a.options.Clock.Now()
	d := event.NewDelivery(e, 0, journal.Record{}, now)
	d.ID, d.Name = a.options.NewID(event.DeliveryPrefix(e.ID)), name
	example := event.Example(name, e.Merchant, now)
	d.Body = view.EventAs(nil, &example, e.Form)
	if c.failed(a.options.Outbox.CreateDelivery(c.ctx, d), noEndpoint) {
		return
	}
	c.done(http.StatusAccepted, append(appendDelivery(nil, &d), '}'))
}

// replay answers POST …/replay: one event, a range of numbers, or all whose delivery is dead.
func (a *API) replay(c *call, e event.Endpoint) {
	m, p := c.body.members()
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	q := storage.ReplayQuery{Endpoint: e, From: 1, To: 1<<63 - 1, Limit: replayBatch}
	if name, one := m["eventId"]; one && !m.any("from", "to", "failed") {
		missing := problem{reason: reject.EventNotFound, source: "eventId"}
		text, _ := stringOf(name)
		ref, ok := event.Parse(text)
		if !ok {
			refuse(c.Exchange, missing)
			return
		}
		found, err := a.options.Outbox.Event(c.ctx, e.Merchant, ref)
		if c.failed(err, missing) {
			return
		}
		q.From, q.To = found.Number, found.Number
	} else if p := replayRange(m, &q); p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	if !q.Dead { // what is dead has its delivery, whatever the feed keeps
		err := a.kept(c.ctx, e.Merchant, q.From)
		if old := (sweptError{}); errors.As(err, &old) {
			refuse(c.Exchange, old.notKept("from"))
			return
		}
		if c.failed(err, noEndpoint) {
			return
		}
	}
	n, last, err := a.options.Outbox.Replay(c.ctx, a.options.Clock.Now(), q)
	if c.failed(err, noEndpoint) {
		return
	}
	// Numbers have no gaps, so they tell how many events were looked at: a full batch means that there may be
	// more of them.
	looked := last - q.From + 1
	if q.Dead {
		looked = int64(n)
	}
	c.done(http.StatusAccepted, appendReplayed(nil, n, last, looked >= replayBatch && last < q.To))
}

// replayRange reads from which number to which events are sent again, and whether only those that failed.
func replayRange(m members, q *storage.ReplayQuery) problem {
	ok, bounded := true, false
	for _, bound := range []struct {
		name string
		to   *int64
	}{{"from", &q.From}, {"to", &q.To}} {
		if raw, sent := m[bound.name]; sent {
			n, good := wholeNumber(string(raw), 1<<62)
			*bound.to, bounded, ok = n, true, ok && good && n > 0
		}
	}
	if raw, sent := m["failed"]; sent {
		q.Dead, ok = true, ok && string(raw) == "true"
	}
	if m.any("eventId") || !ok || !bounded && !q.Dead || q.From > q.To {
		return problem{reason: reject.ReplayInvalid, source: "body"}
	}
	return problem{}
}

// listDeliveries answers GET …/deliveries, newest event first.
func (a *API) listDeliveries(c *call, e event.Endpoint) {
	q := storage.DeliveryQuery{Endpoint: e.ID, Limit: defaultLimit}
	values, err := url.ParseQuery(c.request.URL.RawQuery)
	if p := deliveryFilters(values, &q); p.reason != "" || err != nil {
		if p.reason == "" {
			p = problem{reason: reject.CursorInvalid, source: "cursor"}
		}
		refuse(c.Exchange, p)
		return
	}
	file, p := formatOf(values)
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	if file {
		a.exportDeliveries(c, q)
		return
	}
	limit := q.Limit
	q.Limit++
	all, err := a.options.Outbox.DeliveriesOf(c.ctx, q)
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	more := len(all) > limit
	all = all[:min(limit, len(all))]
	b := []byte(`{"items":[`)
	for i := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendDelivery(b, &all[i]), '}')
	}
	b = append(b, `],"nextCursor":`...)
	if !more {
		c.read(append(b, `null}`...))
		return
	}
	b = append(append(b, '"'), all[len(all)-1].ID...)
	c.read(append(b, `"}`...))
}

// deliveryFilters reads the parameters of the list of deliveries. A cursor is the id of the last delivery.
func deliveryFilters(values url.Values, q *storage.DeliveryQuery) problem {
	for _, name := range []string{"limit", "cursor", "state"} {
		sent := values[name]
		if len(sent) == 0 {
			continue
		}
		ok, p := len(sent) == 1, problem{reason: reject.LimitInvalid, source: name}
		switch name {
		case "limit":
			n, good := wholeNumber(sent[0], maxLimit)
			q.Limit, ok = int(n), ok && good && n > 0
		case "cursor":
			p.reason = reject.CursorInvalid
			q.Before, ok = sent[0], ok && isDelivery(q.Endpoint, sent[0])
		case "state":
			p.reason, p.message = reject.StateInvalid, "state must be waiting, delivered or dead."
			q.State = event.DeliveryState(sent[0])
			switch q.State {
			case event.Waiting, event.Delivered, event.Dead:
			default:
				ok = false
			}
		}
		if !ok {
			return p
		}
	}
	return problem{}
}

// isDelivery reports whether text can be the id of a delivery to the endpoint: with the number of an event in
// 16 digits, or with a ULID of a test's own. Nothing else may be looked for.
func isDelivery(endpoint, text string) bool {
	rest, ok := strings.CutPrefix(text, event.DeliveryPrefix(endpoint))
	if !ok || len(rest) != 16 && len(rest) != ulidSize {
		return false
	}
	for _, r := range rest {
		if (r < '0' || r > '9') && (len(rest) == 16 || r < 'A' || r > 'Z') {
			return false
		}
	}
	return true
}

// getDelivery answers GET …/deliveries/{delivery_id}, with its attempts.
func (a *API) getDelivery(c *call, e event.Endpoint) {
	if !isDelivery(e.ID, c.subID) {
		refuse(c.Exchange, noDelivery)
		return
	}
	d, err := a.options.Outbox.Delivery(c.ctx, e.ID, c.subID)
	if c.failed(err, noDelivery) {
		return
	}
	attempts, err := a.options.Outbox.AttemptsOf(c.ctx, d.ID)
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	c.read(appendAttempts(appendDelivery(nil, &d), attempts))
}

// done sends the answer to a change of records.
func (c *call) done(status int, body []byte) {
	c.Header()["Should-Retry"] = no
	c.Reply(status, body)
}
