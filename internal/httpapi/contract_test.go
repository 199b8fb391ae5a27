package httpapi_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"plexy/api"
	"plexy/internal/commit"
	"plexy/internal/core/machine"
	"plexy/internal/core/reject"
	"plexy/internal/httpapi"
	"plexy/internal/server"
	"plexy/internal/storage"
)

// contract is api/openapi.yaml, loaded.
type contract struct {
	t   *testing.T
	doc *openapi3.T
	// answered are the answers that were seen: "operationId status reason".
	answered map[string]bool
}

func loadContract(t *testing.T) *contract {
	t.Helper()
	loader := openapi3.NewLoader()
	doc := must(loader.LoadFromData(api.OpenAPI))(t)
	check(t, doc.Validate(t.Context(), openapi3.EnableExamplesValidation(),
		openapi3.EnableSchemaFormatValidation()))
	return &contract{t: t, doc: doc, answered: map[string]bool{}}
}

// operations calls fn for every operation of the file.
func (c *contract) operations(fn func(method, path string, o *openapi3.Operation)) {
	for path, item := range c.doc.Paths.Map() {
		for method, o := range item.Operations() {
			fn(method, path, o)
		}
	}
}

// observe checks one request and its answer against the file, as the rig's seen hook.
func (c *contract) observe(r *http.Request, body []byte, a *answer) {
	c.t.Helper()
	for path, item := range c.doc.Paths.Map() {
		parameters, ok := matchPath(path, r.URL.Path)
		operation := item.GetOperation(r.Method)
		if !ok || operation == nil {
			continue
		}
		input := &openapi3filter.RequestValidationInput{
			Request: r, PathParams: parameters, QueryParams: r.URL.Query(),
			Route: &routers.Route{Spec: c.doc, Path: path, PathItem: item, Method: r.Method, Operation: operation},
			Options: &openapi3filter.Options{
				AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true,
			},
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil && a.status < 300 {
			c.t.Errorf("%s %s was accepted, and the file forbids it: %v", r.Method, path, err)
		}
		output := &openapi3filter.ResponseValidationInput{
			RequestValidationInput: input, Status: a.status, Header: a.header,
			Body: io.NopCloser(strings.NewReader(a.body)), Options: input.Options,
		}
		if err := openapi3filter.ValidateResponse(context.Background(), output); err != nil {
			c.t.Errorf("%s %s: %d %s is not what the file says: %v", r.Method, path, a.status, a.body, err)
		}
		c.answered[fmt.Sprint(operation.OperationID, " ", a.status, " ", a.reason())] = true
		return
	}
}

// matchPath matches a path of the file, whose only parameter is the transaction's id.
func matchPath(template, path string) (map[string]string, bool) {
	before, after, has := strings.Cut(template, "{wallet_transaction_id}")
	if !has {
		return nil, template == path
	}
	id, ok := strings.CutPrefix(path, before)
	if !ok {
		return nil, false
	}
	id, ok = strings.CutSuffix(id, after)
	return map[string]string{"wallet_transaction_id": id}, ok && id != "" && !strings.Contains(id, "/")
}

// reasonsOf are the reasons that an answer of the file may have; {""} for an answer that is no error.
func reasonsOf(t *testing.T, response *openapi3.Response) []string {
	t.Helper()
	schema := response.Content["application/json"].Schema.Value
	for _, part := range schema.AllOf {
		if reason := part.Value.Properties["reason"]; reason != nil && len(reason.Value.Enum) > 0 {
			var all []string
			for _, r := range reason.Value.Enum {
				all = append(all, r.(string))
			}
			return all
		}
	}
	return []string{""}
}

func TestTheFileAndTheRouteTableAreTheSame(t *testing.T) {
	c := loadContract(t)
	inFile := map[string]*openapi3.Operation{}
	c.operations(func(method, path string, o *openapi3.Operation) { inFile[method+" "+path] = o })
	for _, route := range httpapi.Routes() {
		name := route.Method + " " + route.Template
		o := inFile[name]
		if o == nil {
			t.Errorf("%s is in the code and not in the file", name)
			continue
		}
		delete(inFile, name)
		mode := httpapi.Ignored
		for _, p := range o.Parameters {
			if p.Value.Name == "Idempotency-Key" && p.Value.Required {
				mode = httpapi.Required
			} else if p.Value.Name == "Idempotency-Key" {
				mode = httpapi.Honoured
			}
		}
		if mode != route.Idempotency {
			t.Errorf("%s: idempotency differs", name)
		}
		if (o.RequestBody != nil) != route.Body {
			t.Errorf("%s: one of code and file knows a body", name)
		}
	}
	for _, path := range []string{server.Healthz, server.Readyz} {
		if inFile["GET "+path] == nil {
			t.Errorf("GET %s is not in the file", path)
		}
		delete(inFile, "GET "+path)
	}
	for name := range inFile {
		t.Errorf("%s is in the file and not in the code", name)
	}
}

// notOverHTTP are refusals that only the command line meets, or a wallet's owner.
var notOverHTTP = []reject.Reason{
	reject.MerchantNotFound, reject.ReferenceReused, reject.PhoneTaken, reject.AlreadyDecided,
}

func TestTheFileAndTheTableOfReasonsAreTheSame(t *testing.T) {
	c := loadContract(t)
	inFile := map[string]bool{}
	c.operations(func(_, _ string, o *openapi3.Operation) {
		for _, response := range o.Responses.Map() {
			for _, reason := range reasonsOf(t, response.Value) {
				inFile[reason] = true
			}
		}
	})
	delete(inFile, "")
	outside, _ := c.doc.Extensions["x-reasons-outside-routes"].([]any)
	for _, reason := range outside {
		inFile[reason.(string)] = true
	}
	var declined []string
	for _, row := range reject.Table() {
		switch {
		case row.Class == reject.Declined:
			declined = append(declined, string(row.Reason))
		case slices.Contains(notOverHTTP, row.Reason):
		case !inFile[string(row.Reason)]:
			t.Errorf("reason %s is in the code and not in the file", row.Reason)
		}
		delete(inFile, string(row.Reason))
	}
	for reason := range inFile {
		t.Errorf("reason %s is in the file and not in the code", reason)
	}
	var failures []string
	for _, f := range c.doc.Components.Schemas["FailureReason"].Value.Enum {
		if f != nil {
			failures = append(failures, f.(string))
		}
	}
	if !slices.Equal(failures, declined) {
		t.Errorf("failureReason in the file %v, in the code %v", failures, declined)
	}
}

// TestEveryAnswerOfTheFileIsGiven drives every route to every answer that the file tells of, and checks
// each request and answer against the file.
func TestEveryAnswerOfTheFileIsGiven(t *testing.T) {
	c := loadContract(t)
	driveGood(t, c)
	c.operations(func(method, path string, o *openapi3.Operation) {
		for status, response := range o.Responses.Map() {
			for _, reason := range reasonsOf(t, response.Value) {
				if reason == "" {
					continue
				}
				d := drive{method: method, path: path, reason: reject.Reason(reason)}
				d.run(t, c)
				name := fmt.Sprint(o.OperationID, " ", status, " ", reason)
				if reason == "method_not_allowed" {
					continue // of another method, so of no operation: run has checked it
				}
				if !c.answered[name] {
					t.Errorf("the file tells of an answer that was not given: %s", name)
				}
			}
		}
	})
}

// driveGood walks through everything that succeeds, and through refusals of the real machine.
func driveGood(t *testing.T, c *contract) {
	r := newRig(t)
	r.seen = c.observe
	r.fund(t, 1, "KZT", 100_000)
	tx := r.authorize(1, 15_000, "ORDER-1").text("walletTransactionId")
	r.authorize(1, 1_000_000, "ORDER-2")
	r.authorize(9, 1, "ORDER-3")
	example := c.doc.Paths.Value("/v1/wallet/authorize").Post.RequestBody.Value.Content["application/json"].
		Examples["authorize"].Value.Value
	a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, jsonOf(t, example), idem("example")})
	if a.status != 201 {
		t.Errorf("the file's own example: %d %s", a.status, a.body)
	}
	for _, operation := range []string{"capture", "cancel", "refund", "capture", "refund"} {
		r.operate(tx, operation, 1_000)
	}
	r.operate(tx, "capture", 1_000_000)
	r.owner(t, 1, 0)
	asked := r.authorize(1, 500, "ORDER-4").text("walletTransactionId")
	r.get("/v1/wallet/transaction/" + asked)
	r.operate(asked, "cancel", 500)
	r.clock.Advance(week.Microseconds())
	r.operate(tx, "capture", 1)
	for _, path := range []string{
		"/v1/wallet/transaction/" + tx, "/v1/wallet/transactions", "/v1/wallet/transactions/?limit=1",
		"/v1/wallet/transactions/?status=FAILED&createdFrom=2026-01-01T00:00:00Z", "/healthz", "/readyz",
	} {
		if a := r.get(path); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

// drive is one answer to be provoked.
type drive struct {
	method, path string
	reason       reject.Reason
}

// run provokes the answer on a rig of its own, with a committer that says what it is told.
func (d drive) run(t *testing.T, c *contract) {
	t.Helper()
	path := strings.Replace(d.path, "{wallet_transaction_id}", "wt_01JDM3Z7V8H8Q2X9K0R1ABCD12", 1)
	q := ask{method: d.method, path: path, header: http.Header{}}
	if d.method == "POST" {
		q.body = replaced("", "")
		q.header = idem("k")
	}
	keyed, rate := true, 0
	ready := func(context.Context) error { return nil }
	switch d.reason {
	case reject.MethodNotAllowed:
		q.method = "PUT"
	case reject.APIKeyMissing:
		keyed = false
	case reject.RateLimited:
		rate = 1
	case reject.NotReady:
		ready = func(context.Context) error { return io.ErrUnexpectedEOF }
	default:
		d.spoil(&q)
	}
	r := newRig(t, func(r *rig, o *httpapi.Options, s *server.Options) {
		o.Commit, o.Rate, s.Ready = committer(d.decide), rate, ready
		switch d.reason {
		case reject.QueueFull:
			o.Reader = noReader{r.store, storage.ErrUnavailable}
		case reject.InternalError:
			o.Reader = noReader{r.store, nil} // panics
		}
	})
	if keyed && q.key == "" {
		q.key = r.shop
	}
	if rate > 0 {
		r.do(q) // takes the only token
	}
	r.seen = c.observe
	if a := r.do(q); a.reason() != string(d.reason) {
		t.Errorf("%s %s: %d %s, want reason %s", d.method, d.path, a.status, a.body, d.reason)
	}
}

// spoil puts the fault into a request.
func (d drive) spoil(q *ask) {
	wrong := map[reject.Reason]string{
		reject.AmountInvalid: replaced("amount", "0"), reject.PhoneInvalid: replaced("phoneNumber", `"1"`),
		reject.IINInvalid: replaced("iin", `"1"`), reject.CurrencyInvalid: replaced("currency", `"kzt"`),
		reject.BodyInvalid: "{", reject.BodyTooLarge: strings.Repeat(" ", 256<<10+1),
	}
	if body, ok := wrong[d.reason]; ok {
		q.body = body
		return
	}
	switch d.reason {
	case reject.APIKeyUnknown:
		q.key = "pr_00000000000000000000000000000000"
	case reject.ContentTypeNotJSON:
		q.header.Set("Content-Type", "text/plain")
	case reject.IdempotencyKeyMissing:
		q.header.Del("Idempotency-Key")
	case reject.IdempotencyKeyInvalid:
		q.header.Set("Idempotency-Key", "a b")
	case reject.LimitInvalid:
		q.path += "?limit=0"
	case reject.CursorInvalid:
		q.path += "?cursor=0"
	case reject.StatusInvalid:
		q.path += "?status=0"
	case reject.CreatedFromInvalid:
		q.path += "?createdFrom=0"
	case reject.CreatedToInvalid:
		q.path += "?createdTo=0"
	case reject.OrderReferenceInvalid:
		if q.body = replaced("orderReference", `""`); q.method == "GET" {
			q.body, q.path = "", q.path+"?orderReference="
		}
	}
}

// decide is what the committer says: the reason as the machine would, or trouble.
func (d drive) decide(_ context.Context, in machine.Instruction) (machine.Outcome, error) {
	if err := d.trouble(); err != nil {
		return machine.Outcome{}, err
	}
	o := machine.Outcome{Reason: d.reason}
	o.Reply = in.Render(o)
	return o, nil
}

func (d drive) trouble() error {
	switch d.reason {
	case reject.QueueFull:
		return commit.ErrBusy
	case reject.OutcomeUnknown:
		return commit.ErrUnknown
	case reject.IdempotencyInProgress:
		return commit.ErrInProgress
	case reject.InternalError:
		return commit.ErrInternal
	}
	return nil
}
