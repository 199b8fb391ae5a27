package httpapi

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"plexy/internal/core/machine"
	"plexy/internal/core/reject"
	"plexy/internal/server"
)

// Idempotency says what a route does with the Idempotency-Key header.
type Idempotency int

// The three ways.
const (
	Ignored  Idempotency = iota // reads
	Honoured                    // used when it is there
	Required                    // 400 without it
)

// Route is one line of the table of routes: all that the API answers, besides the server's health routes.
type Route struct {
	Method      string
	Template    string // as in the API description; a name in braces stands for one path segment
	Idempotency Idempotency
	Body        bool // whether the route reads a JSON body
	Query       bool // whether it reads parameters of the query; a route with a body reads none
	Waits       bool // whether it may wait for news
	Sandbox     bool // whether it exists in a sandbox only
	Open        bool // whether it needs no API key: it tells what is in the documentation
	Bare        bool // whether no body at all is one, too: then nobody asks what type it is
	Tail        bool // whether the last id is all that follows, slashes as well
	Bank        bool // whether it may wait for a bank: it has longer, and goes on when its caller has gone

	// Operation is the route's name on the fault dial of a sandbox; "" where there is none.
	Operation string

	serve func(*API, *call)
}

const idSegment = "{wallet_transaction_id}"

// Routes returns the table of routes. The API description is compared with it by a test.
func Routes() []Route { return slices.Clone(routes) }

var routes []Route

func init() { // not an initializer: the handlers lead back to the table
	operation := func(name string, command func(machine.Target) machine.Command) Route {
		return Route{
			Method: http.MethodPost, Template: "/v1/wallet/" + idSegment + "/" + name,
			Idempotency: Honoured, Body: true, Operation: name,
			serve: func(a *API, c *call) { a.operate(c, command) },
		}
	}
	routes = []Route{
		{Method: http.MethodPost, Template: "/v1/wallet/authorize", Idempotency: Required, Body: true,
			Operation: "authorize", serve: (*API).authorize},
		operation("capture", func(t machine.Target) machine.Command { return machine.Capture{Target: t} }),
		operation("cancel", func(t machine.Target) machine.Command { return machine.Cancel{Target: t} }),
		operation("refund", func(t machine.Target) machine.Command { return machine.Refund{Target: t} }),
		{Method: http.MethodGet, Template: "/v1/wallet/transaction/" + idSegment, Operation: "get",
			serve: (*API).get},
		{Method: http.MethodGet, Template: "/v1/wallet/transaction/" + idSegment + "/explain",
			serve: (*API).explain},
		{Method: http.MethodGet, Template: "/v1/wallet/transactions/", Query: true, Operation: "list",
			serve: (*API).list},
		{Method: http.MethodGet, Template: "/v1/wallet/transactions", Query: true, Operation: "list",
			serve: (*API).list},
		{Method: http.MethodGet, Template: "/v1/events", Query: true, Waits: true, serve: (*API).feed},
		{Method: http.MethodGet, Template: "/v1/events/{event_id}", serve: (*API).event},
		{Method: http.MethodGet, Template: "/v1/sandbox/clock", Sandbox: true, serve: (*API).showClock},
		{Method: http.MethodPost, Template: "/v1/sandbox/clock", Sandbox: true, Body: true,
			serve: (*API).setClock},
		{Method: http.MethodGet, Template: "/v1/sandbox/values", Sandbox: true, Open: true,
			serve: (*API).showMagic},
		{Method: http.MethodGet, Template: "/sandbox", Sandbox: true, Open: true, serve: (*API).showPage},
		{Method: http.MethodGet, Template: "/v1/sandbox/outbox", Query: true, Sandbox: true,
			serve: (*API).outbox},
	}
	routes = append(routes, endpointRoutes()...)
	routes = append(routes, paymentRoutes()...)
	routes = append(routes, linkRoutes()...)
	routes = append(routes, customerRoutes()...)
	routes = append(routes,
		Route{Method: http.MethodGet, Template: "/v1/keys", serve: (*API).directKey},
		Route{Method: http.MethodPost, Template: "/v1/payment-sessions", Idempotency: Honoured, Body: true,
			serve: (*API).createSession})
}

// matcher is a Route cut at its ids, so that matching allocates nothing.
type matcher struct {
	Route
	literals []string // the text before, between and after the ids
}

// matchers returns the routes of an installation: all of a sandbox, or those of production.
func matchers(sandbox bool) []matcher {
	all := make([]matcher, 0, len(routes))
	for _, r := range routes {
		if sandbox || !r.Sandbox {
			all = append(all, matcher{r, segment.Split(r.Template, -1)})
		}
	}
	return all
}

// segment is an id in a template.
var segment = regexp.MustCompile(`\{[a-z_]+\}`)

// bankWait is how long a request may wait for a bank besides the time that others have.
const bankWait = 10 * time.Second

// maxIDs is how many ids a template has at most.
const maxIDs = 2

// match reports whether path is of this route, and the ids in it. Any text without a slash can stand for an
// id: whether it is one is not the route's question.
func (m *matcher) match(path string) (ids [maxIDs]string, ok bool) {
	for i, literal := range m.literals {
		if !strings.HasPrefix(path, literal) {
			return ids, false
		}
		path = path[len(literal):]
		if i == len(m.literals)-1 {
			break
		}
		end := strings.IndexByte(path, '/')
		if end < 0 || m.Tail && i == len(m.literals)-2 {
			end = len(path)
		}
		if end == 0 {
			return ids, false
		}
		ids[i], path = path[:end], path[end:]
	}
	return ids, path == ""
}

// route finds the route of a request. When there is none, the methods that the path would accept are
// returned, joined for the Allow header; "" when the path is unknown.
func (a *API) route(r *http.Request) (found *matcher, ids [maxIDs]string, allow string) {
	for i := range a.routes {
		m := &a.routes[i]
		matched, ok := m.match(r.URL.Path)
		if !ok {
			continue
		}
		if m.Method == r.Method {
			return m, matched, ""
		}
		if strings.Contains(allow, m.Method) { // a fixed name and an id may stand at the same place
			continue
		}
		if allow != "" {
			allow += ", "
		}
		allow += m.Method
	}
	return nil, ids, allow
}

// Serve answers one request: the checks that all routes share, then the route's own.
func (a *API) Serve(x *server.Exchange, r *http.Request) {
	m, ids, allow := a.route(r)
	if m == nil {
		if allow == "" {
			refuse(x, problem{reason: reject.RouteUnknown, source: "path"})
			return
		}
		x.Header().Set("Allow", allow)
		refuse(x, problem{reason: reject.MethodNotAllowed, source: "method"})
		return
	}
	x.Route = m.Template
	c := calls.Get().(*call)
	defer c.leave()
	c.Exchange, c.request, c.route, c.id, c.subID = x, r, &m.Route, ids[0], ids[1]
	switch {
	case m.Bank:
		ctx, cancel := x.Patiently(r.Context(), bankWait)
		defer cancel()
		c.ctx = ctx
	case m.Body:
		c.ctx = x.Limit() // an instruction goes on when its caller has gone
	case m.Waits:
		ctx, cancel := x.Waiting(x.Caller(r), maxWait)
		defer cancel()
		c.ctx = ctx
	default:
		ctx, cancel := x.Deadline(r.Context())
		defer cancel()
		c.ctx = ctx
	}
	if m.Open {
		m.serve(a, c)
		return
	}
	if no := a.authenticate(c); no.reason != "" {
		refuse(x, no)
		return
	}
	if !a.limiter.allow(c.Key, a.options.Machine.Now()) {
		refuse(x, problem{reason: reject.RateLimited, source: "Authorization"})
		return
	}
	if a.dial != nil && m.Operation != "" {
		a.performInSandbox(c)
		return
	}
	a.perform(c)
}

// call is one request on a known route, as far as it has been understood. It is used again by other
// requests, so what outlives the request may not point to it.
type call struct {
	*server.Exchange
	request *http.Request
	ctx     context.Context // ends at the request's deadline
	route   *Route
	id      string // the path's, not checked
	subID   string // the second one of the path
	key     string // the idempotency key; "" for none
	body    *body
}

var calls = sync.Pool{New: func() any { return &call{body: new(body)} }}

// leave gives the call back with nothing of the request in it but the room that its body took.
func (c *call) leave() {
	*c = call{body: c.body}
	calls.Put(c)
}
