package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"plexy/internal/clock"
)

// Exchange is one request being answered: the response writer, the request's id, and what the request log
// will say about it. Doors fill in Route, Merchant and Key as they learn them. It lives as long as the
// handler runs and must not be kept.
type Exchange struct {
	http.ResponseWriter

	// ID names the request: in X-Request-Id, in error answers, in the log and in the ledger's entries.
	ID string
	// Route is the template of the route, such as /v1/wallet/{wallet_transaction_id}/capture. It stays
	// empty when no route matched; never put a path into it.
	Route string
	// Merchant and Key are the ids of the merchant and of the API key, once known.
	Merchant, Key string
	// Trouble is why the answer is a 5xx. It is logged, never shown.
	Trouble error

	status    int
	written   int64
	abandoned bool
	server    *Server
}

// statusAbandoned is what the log says of a request whose connection was closed instead of an answer.
const statusAbandoned = 444

// Abandon makes the server close the connection without an answer when the handler returns; what the handler
// has sent already stays sent. The log shows it with status 444.
func (x *Exchange) Abandon() { x.abandoned = true }

// WriteHeader sends the status line and the headers. Only the first call counts.
func (x *Exchange) WriteHeader(status int) {
	if x.status == 0 && status >= 200 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body.
func (x *Exchange) Write(body []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(body)
	x.written += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (x *Exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// Header values shared by all answers. Nobody may change them; appending makes a copy.
var (
	typeJSON = []string{"application/json"}
	noStore  = []string{"no-store"}
	noSniff  = []string{"nosniff"}
)

// Reply sends a whole JSON answer. A caller that went away is not an error here: nothing can be done.
func (x *Exchange) Reply(status int, body []byte) {
	h := x.Header()
	h["Content-Type"] = typeJSON
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	if len(body) > 2048 { // below that net/http finds the length by itself
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	x.WriteHeader(status)
	x.Write(body)
}

// Deadline returns a context that ends when the time for handling a request is over, or when parent ends.
// The caller must call the function returned beside it.
func (x *Exchange) Deadline(parent context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(parent, x.server.options.HandleTimeout)
}

// Limit returns a context that ends when the time for handling a request is over, and not when the caller
// goes away: for what goes on without its caller. It may end up to a hundredth of that time early, because
// requests that begin together share one: a context with a timer costs as much as decoding a body.
func (x *Exchange) Limit() context.Context { return x.server.limit() }

// Caller returns a context that ends when the caller of r, the request of this exchange, hangs up. The
// context of r may not: to look whether somebody is still there costs more than most requests take.
func (x *Exchange) Caller(r *http.Request) context.Context {
	if a, ok := x.ResponseWriter.(*answer); ok {
		return a.talk.caller()
	}
	return r.Context()
}

// Waiting lets the request take longer than others, by the given time and what handling one may take, and
// returns a context that ends then, when the caller goes away, or when the server stops. The caller must call
// the function returned beside it.
func (x *Exchange) Waiting(parent context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	by += x.server.options.HandleTimeout
	x.extend(by)
	ctx, cancel := context.WithTimeout(parent, by)
	forget := context.AfterFunc(x.server.running, cancel)
	return ctx, func() { forget(); cancel() }
}

// Patiently lets the request take longer than others, by the given time and what handling one may take, and
// returns a context that ends then: neither when the caller goes away nor when the server stops. The caller
// must call the function returned beside it.
func (x *Exchange) Patiently(parent context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	by += x.server.options.HandleTimeout
	x.extend(by)
	return context.WithTimeout(context.WithoutCancel(parent), by)
}

// extend moves the connection's deadlines for a request that takes so long, and a little for its answer.
// Where there is no connection, as in a test, there is no deadline either.
func (x *Exchange) extend(by time.Duration) {
	control := http.NewResponseController(x.ResponseWriter)
	until := clock.Time(clock.System{}.Now()).Add(by + x.server.options.HandleTimeout)
	_ = control.SetReadDeadline(until)
	_ = control.SetWriteDeadline(until)
}

// limit is a context that many requests share. No more join it once joining has ended.
type limit struct{ context, joining context.Context }

func (s *Server) limit() context.Context {
	if l := s.shared.Load(); l != nil && l.joining.Err() == nil {
		return l.context
	}
	l := &limit{
		context: endingAfter(s.options.HandleTimeout),
		joining: endingAfter(s.options.HandleTimeout / 100),
	}
	s.shared.Store(l) // if two requests come here at once, one of the limits is only its maker's
	return l.context
}

// endingAfter ends by its timer only: nobody can end what others share.
func endingAfter(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	context.AfterFunc(ctx, cancel)
	return ctx
}
