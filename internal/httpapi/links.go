package httpapi

import (
	"net/http"

	"plexy/internal/core/journal"
	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/reject"
	"plexy/internal/id"
	"plexy/internal/storage"
	"plexy/internal/view"
)

const linksPath = "/v1/payment-links"

func linkRoutes() []Route {
	get, post := http.MethodGet, http.MethodPost
	const one = linksPath + "/{payment_link_id}"
	return []Route{
		{Method: post, Template: linksPath, Idempotency: Honoured, Body: true, serve: (*API).createLink},
		{Method: get, Template: linksPath, Query: true, serve: (*API).listLinks},
		{Method: get, Template: linksPath + "/statistics", Query: true, serve: (*API).linkStatistics},
		{Method: get, Template: linksPath + "/by-order-reference/{order_reference}", Tail: true,
			serve: (*API).linkByReference},
		{Method: get, Template: one, serve: (*API).getLink},
		{Method: http.MethodPatch, Template: one, Body: true, serve: (*API).setLinkExpiry},
		{Method: http.MethodDelete, Template: one, serve: (*API).cancelLink},
		{Method: post, Template: one + "/cancel", Idempotency: Honoured, Body: true, Bare: true,
			serve: (*API).cancelLink},
	}
}

var noLink = problem{reason: reject.LinkNotFound, source: "payment_link_id"}

// nobodysLink is what an instruction asks for in place of an id that no link can have: the stored key comes
// before the id in the order of checks, so the machine answers, and it must not be asked for arbitrary text.
const nobodysLink = id.Link + "00000000000000000000000000000000"

// createLink answers POST /v1/payment-links.
func (a *API) createLink(c *call) {
	m, p := c.body.object()
	w := wantedLink{autoClearing: true}
	if p.reason == "" {
		p = a.takeLink(m, &w)
	}
	if ends := w.recurring.ExpiresAt; p.reason == "" && ends != 0 && ends <= a.options.Clock.Now() {
		p = problem{reason: reject.RecurringInvalid, source: "recurring.expiry",
			message: "recurring.expiry must be in the future."}
	}
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	if w.shopper != "" {
		_, err := a.options.Shoppers.Shopper(c.ctx, c.Merchant, w.shopper)
		if c.failed(err, problem{reason: reject.CustomerNotFound, source: "customerId"}) {
			return
		}
	}
	f := w.facts()
	f.ID, f.Merchant, f.CreatedBy = newLinkID(a.options.NewUUID()), c.Merchant, c.Key
	in := c.instruction(w.meaning(a.meanings, c.route.Template))
	in.Command = machine.CreateLink{Facts: f, ExpiresAt: w.expiresAt}
	in.Render = a.renderLink(c.ID, http.StatusCreated)
	c.finish(a.options.Commit.Submit(c.ctx, journal.BookOf(f.ID), in))
}

// renderLink renders the outcome of an instruction about a link; see renderAuthorized.
func (a *API) renderLink(requestID string, status int) func(machine.Outcome) machine.Reply {
	public := a.options.PublicURL()
	return func(o machine.Outcome) machine.Reply {
		if o.Reason != "" {
			return refusal(o, requestID)
		}
		l := &o.Pay.Link
		return machine.Reply{Status: status, Body: view.Link(nil, l, public, l.UpdatedAt)}
	}
}

// cancelLink answers DELETE of a link, and POST …/cancel, whatever is sent with it.
func (a *API) cancelLink(c *call) {
	a.changeLink(c, func(id string) machine.Command { return machine.CancelLink{Merchant: c.Merchant, ID: id} })
}

// setLinkExpiry answers PATCH of a link: expiresAt is what can be changed.
func (a *API) setLinkExpiry(c *call) {
	m, p := c.body.object()
	at, ok := int64(0), false
	if p.reason == "" {
		if at, ok = timeOf(m["expiresAt"]); !ok {
			p = problem{reason: reject.ExpiresAtInvalid, source: "expiresAt"}
		} else if at <= a.options.Clock.Now() {
			p = problem{reason: reject.ExpiresAtPassed, source: "expiresAt"}
		}
	}
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	a.changeLink(c, func(id string) machine.Command {
		return machine.SetLinkExpiry{Merchant: c.Merchant, ID: id, ExpiresAt: at}
	})
}

func (a *API) changeLink(c *call, command func(id string) machine.Command) {
	target := c.id
	if !id.IsLink(target) {
		if c.key == "" {
			refuse(c.Exchange, noLink)
			return
		}
		target = nobodysLink
	}
	in := c.instruction(a.meanings.end(a.meanings.begin(c.route.Template, c.id)))
	in.Command = command(target)
	in.Render = a.renderLink(c.ID, http.StatusOK)
	c.finish(a.options.Commit.Submit(c.ctx, journal.BookOf(target), in))
}

// getLink answers GET /v1/payment-links/{id}.
func (a *API) getLink(c *call) {
	if !id.IsLink(c.id) {
		refuse(c.Exchange, noLink)
		return
	}
	l, err := a.options.Payments.Link(c.ctx, c.Merchant, c.id)
	a.answerLink(c, l, err, noLink)
}

// linkByReference answers GET /v1/payment-links/by-order-reference/{order_reference}.
func (a *API) linkByReference(c *call) {
	missing := problem{reason: reject.LinkNotFound, source: "order_reference"}
	if !validReference(c.id) {
		refuse(c.Exchange, missing)
		return
	}
	l, err := a.options.Payments.LinkByReference(c.ctx, c.Merchant, c.id)
	a.answerLink(c, l, err, missing)
}

func (a *API) answerLink(c *call, l link.Link, err error, missing problem) {
	if !c.failed(err, missing) {
		c.read(view.Link(nil, &l, a.options.PublicURL(), a.options.Clock.Now()))
	}
}

// listLinks answers GET /v1/payment-links, newest first.
func (a *API) listLinks(c *call) {
	p, no := pageOf(c.query(), 0)
	if no.reason != "" {
		refuse(c.Exchange, no)
		return
	}
	found, total, err := a.options.Payments.Links(c.ctx, storage.LinkQuery{
		Merchant: c.Merchant, Offset: p.offset(), Limit: p.size,
	})
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	public, now := a.options.PublicURL(), a.options.Clock.Now()
	c.read(appendPage(p, total, found, func(b []byte, l *link.Link) []byte {
		return view.Link(b, l, public, now)
	}))
}

// linkStatistics answers GET /v1/payment-links/statistics: how many links there are, and of how much, by
// status and currency.
func (a *API) linkStatistics(c *call) {
	var bounds [2]int64
	values := c.query()
	for i, bound := range []struct {
		name   string
		reason reject.Reason
	}{{"createdFrom", reject.CreatedFromInvalid}, {"createdTo", reject.CreatedToInvalid}} {
		sent := values[bound.name]
		if len(sent) == 0 {
			continue
		}
		at, ok := parseTime(sent[0])
		if bounds[i] = max(at, 1); !ok || len(sent) > 1 {
			refuse(c.Exchange, problem{reason: bound.reason, source: bound.name})
			return
		}
	}
	counts, err := a.options.Payments.LinkStatistics(c.ctx, c.Merchant, bounds[0], bounds[1])
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	b := []byte(`{"items":[`)
	for i, n := range counts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, `{"status":"`...), n.Status...)
		b = append(append(b, `","currency":"`...), n.Currency...)
		b = view.Minor(b, `","count":`, n.Links)
		b = append(view.Minor(b, `,"amount":`, n.Amount), '}')
	}
	c.read(append(b, `]}`...))
}
