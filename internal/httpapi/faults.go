package httpapi

import (
	"bytes"
	"errors"
	"maps"
	"net/http"
	"time"

	"plexy/internal/clock"
	"plexy/internal/core/reject"
	"plexy/internal/sandbox"
	"plexy/internal/server"
)

// faultHeader dials a fault for one request, and names the one that struck in its answer.
const faultHeader = "Plexy-Fault"

// errFault stands in the log where a fault made the answer a 5xx.
var errFault = errors.New("a fault of the sandbox's dial")

// perform reads the body, where there is one, looks at the query, where one is read, and lets the route
// answer.
func (a *API) perform(c *call) {
	var no problem
	switch {
	case c.route.Body:
		no = c.receive()
	case c.route.Query:
		no = guardQuery(c.request.URL.RawQuery)
	}
	if no.reason != "" {
		refuse(c.Exchange, no)
		return
	}
	c.route.serve(a, c)
}

// performInSandbox does the same with what the request or its merchant has dialled.
func (a *API) performInSandbox(c *call) {
	defer a.dial.Answered(c.Merchant)
	dialled, no := a.dialled(c)
	if no.reason != "" {
		refuse(c.Exchange, no)
		return
	}
	if dialled.Fault == "" || !a.dial.Strikes(attemptOf(c)) {
		a.perform(c)
		return
	}
	c.Header()[faultHeader] = []string{string(dialled.Fault)}
	a.strike(c, dialled)
}

// dialled is the fault of the request's header or, without one, of its merchant's setting.
func (a *API) dialled(c *call) (sandbox.Dial, problem) {
	values := c.request.Header[faultHeader]
	if len(values) == 0 {
		return a.options.Sandbox.Fault(c.Merchant).For(c.route.Operation), problem{}
	}
	d, err := sandbox.ParseFault(values[0])
	if err != nil || len(values) > 1 {
		return d, problem{reason: reject.FaultInvalid, source: faultHeader}
	}
	return d, problem{}
}

// attemptOf names what a request is an attempt of: its Idempotency-Key or, without one, its method, path and
// query.
func attemptOf(c *call) string {
	if keys := c.request.Header["Idempotency-Key"]; len(keys) > 0 && c.route.Idempotency != Ignored {
		return c.Merchant + " key " + keys[0]
	}
	return c.Merchant + " " + c.request.Method + " " + c.request.URL.RequestURI()
}

// strike performs the call as its fault has it.
func (a *API) strike(c *call, d sandbox.Dial) {
	switch d.Fault {
	case sandbox.NotSent:
		c.Abandon()
	case sandbox.LostAnswer:
		c.aside(a.perform)
		c.Abandon()
	case sandbox.Slow:
		kept := c.aside(a.perform)
		clock.Pause(c.request.Context(), time.Duration(d.Seconds)*time.Second)
		kept.send(c)
	case sandbox.Duplicated:
		a.duplicate(c)
	case sandbox.OutOfOrder:
		a.dial.Overtaken(c.request.Context(), c.Merchant)
		a.perform(c)
	case sandbox.Error500:
		c.aside(a.perform)
		c.Trouble = errFault
		refuseForNow(c.Exchange)
	case sandbox.Error503:
		c.Trouble = errFault
		refuse(c.Exchange, problem{reason: reject.QueueFull, source: "server"})
	}
}

// duplicate lets the route answer the same request twice, and sends the second answer.
func (a *API) duplicate(c *call) {
	if !c.route.Body {
		c.aside(a.perform)
		a.perform(c)
		return
	}
	if no := c.receive(); no.reason != "" {
		refuse(c.Exchange, no)
		return
	}
	sent := bytes.Clone(c.body.buffer.Bytes()) // what is read is used up
	c.aside(func(c *call) { c.route.serve(a, c) })
	c.body.buffer.Reset()
	c.body.buffer.Write(sent)
	c.route.serve(a, c)
}

// kept is an answer that was not sent yet. It is an http.ResponseWriter.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *kept) Header() http.Header { return k.header }

func (k *kept) WriteHeader(status int) { k.status = status }

func (k *kept) Write(body []byte) (int, error) { return k.body.Write(body) }

// aside lets do answer the call and keeps the answer.
func (c *call) aside(do func(*call)) *kept {
	k := &kept{header: http.Header{}}
	out := c.Exchange
	other := *out
	other.ResponseWriter = k
	c.Exchange = &other
	do(c)
	c.Exchange = out
	c.Trouble = other.Trouble
	return k
}

// send sends the answer after all.
func (k *kept) send(c *call) {
	maps.Copy(c.Header(), k.header)
	c.Reply(k.status, k.body.Bytes())
}

// refuseForNow answers with a 500 that is worth another try, unlike one of our own: here it is known what
// will come of it.
func refuseForNow(x *server.Exchange) {
	h := x.Header()
	h["Should-Retry"], h["Retry-After"] = yes, oneSecond
	x.Reply(http.StatusInternalServerError, appendError(nil, reject.Of(reject.InternalError), "server", x.ID))
}
