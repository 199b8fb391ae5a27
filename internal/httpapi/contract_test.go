package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
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
	"plexy/internal/event"
	"plexy/internal/httpapi"
	"plexy/internal/id"
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
	if path, item, parameters := c.pathOf(r); item != nil {
		operation := item.GetOperation(r.Method)
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
	}
}

// pathOf finds the path of the file that a request is for: of those that match the one with the fewest names.
func (c *contract) pathOf(r *http.Request) (path string, item *openapi3.PathItem, found map[string]string) {
	for template, candidate := range c.doc.Paths.Map() {
		parameters, ok := matchPath(template, r.URL.Path)
		if ok && candidate.GetOperation(r.Method) != nil && (item == nil || len(parameters) < len(found)) {
			path, item, found = template, candidate, parameters
		}
	}
	return path, item, found
}

// matchPath matches a path of the file, where a name in braces stands for one segment.
func matchPath(template, path string) (map[string]string, bool) {
	names, texts := strings.Split(template, "/"), strings.Split(path, "/")
	if len(names) != len(texts) {
		return nil, false
	}
	parameters := map[string]string{}
	for i, name := range names {
		if strings.HasPrefix(name, "{") && texts[i] != "" {
			parameters[strings.Trim(name, "{}")] = texts[i]
		} else if name != texts[i] {
			return nil, false
		}
	}
	return parameters, true
}

// reasonsOf are the reasons that an answer of the file may have; {""} for an answer that is no error.
func reasonsOf(t *testing.T, response *openapi3.Response) []string {
	t.Helper()
	if response.Content["application/json"] == nil {
		return []string{""} // a page
	}
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
		query := slices.ContainsFunc(o.Parameters, func(p *openapi3.ParameterRef) bool {
			return p.Value.In == "query"
		})
		if query != route.Query || route.Query && route.Body {
			t.Errorf("%s: one of code and file knows a query, or it has a body, too", name)
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
	reject.MerchantNotFound, reject.ReferenceReused, reject.PhoneTaken, reject.AlreadyDecided, reject.LinkNotDue,
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
		case row.Class == reject.Unpaid:
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

// TestTheFileAndTheTableOfEventsAreTheSame: names, meanings and order.
func TestTheFileAndTheTableOfEventsAreTheSame(t *testing.T) {
	names := loadContract(t).doc.Components.Schemas["EventName"].Value
	var inFile, inCode []string
	for _, name := range names.Enum {
		inFile = append(inFile, name.(string))
	}
	table := ""
	for _, kind := range event.Kinds() {
		inCode = append(inCode, kind.Name)
		table += fmt.Sprintf("| `%s` | %s |\n", kind.Name, kind.What)
	}
	if !slices.Equal(inFile, inCode) {
		t.Errorf("events in the file %v, in the code %v", inFile, inCode)
	}
	const head = "| --- | --- |\n"
	if _, inFile, _ := strings.Cut(names.Description, head); inFile != table {
		t.Errorf("the table of events in the file is\n%s\nand should be\n%s", inFile, table)
	}
}

func TestTheFileAndTheBoundsAreTheSame(t *testing.T) {
	schemas := loadContract(t).doc.Components.Schemas
	for _, s := range []*openapi3.SchemaRef{
		schemas["EventTypes"], schemas["WebhookEndpoint"].Value.Properties["eventTypes"],
	} {
		if *s.Value.MaxItems != uint64(len(event.Kinds())) {
			t.Errorf("%d types in the file, %d in the code", *s.Value.MaxItems, len(event.Kinds()))
		}
	}
	if longest := schemas["EndpointURL"].Value.MaxLength; *longest != event.MaxURL {
		t.Errorf("a URL can have %d characters in the file, %d in the code", *longest, event.MaxURL)
	}
	if waits := schemas["RetrySchedule"].Value; *waits.MaxItems != event.MaxWaits {
		t.Errorf("a schedule can have %d waits in the file, %d in the code", *waits.MaxItems, event.MaxWaits)
	}
	if most := schemas["MaxConcurrency"].Value.Max; *most != event.MaxConcurrency {
		t.Errorf("%v attempts can be under way in the file, %d in the code", *most, event.MaxConcurrency)
	}
	var versions []string
	for _, version := range schemas["ApiVersion"].Value.Enum {
		versions = append(versions, version.(string))
	}
	if strings.Join(versions, ", ") != event.VersionTexts() {
		t.Errorf("versions in the file %v, in the code %s", versions, event.VersionTexts())
	}
}

// driveGood walks through everything that succeeds, and through refusals of the real machine.
func driveGood(t *testing.T, c *contract) {
	r := newRig(t, func(r *rig, o *httpapi.Options, _ *server.Options) { o.Sandbox = newFakeSandbox(r.clock) })
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
	check(t, r.store.KeepMessage(t.Context(), message("ntf_01JDM3Z7V8H8Q2X9K0R1ABCD12")))
	for _, path := range []string{
		"/v1/wallet/transaction/" + tx, "/v1/wallet/transaction/" + tx + "/explain",
		"/v1/wallet/transactions", "/v1/wallet/transactions/?limit=1",
		"/v1/wallet/transactions/?status=FAILED&createdFrom=2026-01-01T00:00:00Z", "/healthz", "/readyz",
		"/v1/sandbox/clock", "/v1/sandbox/values",
		"/v1/sandbox/outbox?limit=100",
	} {
		if a := r.get(path); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for _, body := range []string{`{"advance":"168h"}`, `{"freeze":true}`, `{"freeze":false,"advance":"7d"}`} {
		if a := r.do(ask{"POST", "/v1/sandbox/clock", r.shop, body, nil}); a.status != 200 {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	driveWebhooks(t, c, r, driveEvents(t, r))
	driveCards(t, c)
	driveLinks(t, c, r)
	driveCustomers(t, c, r)
}

// driveEvents reads what the operations of the rig have left in the feed, and returns one event's id.
func driveEvents(t *testing.T, r *rig) string {
	r.number(t)
	page := r.get("/v1/events?limit=100")
	kinds, id := map[any]bool{}, ""
	for _, e := range items(page) {
		kinds[e["name"]], id = true, e["id"].(string)
		if a := r.get("/v1/events/" + id); a.status != 200 {
			t.Errorf("%s: %d %s", id, a.status, a.body)
		}
	}
	if len(kinds) < 5 {
		t.Errorf("the feed has events of %d kinds only: %v", len(kinds), kinds)
	}
	for _, query := range []string{
		"after=2&limit=1&wait=1", "type=wallet.transaction.captured", "after=4611686018427387904",
	} {
		if a := r.get("/v1/events?" + query); a.status != 200 {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
	return id
}

// driveWebhooks walks through the life of endpoints, with the bodies that the file has as examples.
func driveWebhooks(t *testing.T, c *contract, r *rig, eventID string) {
	const endpoints, one = "/v1/webhook-endpoints", "/v1/webhook-endpoints/{endpoint_id}"
	endpoint := ""
	send := func(method, path string, status int) (last *answer) {
		t.Helper()
		item := c.doc.Paths.Value(path)
		for _, body := range examplesOf(t, item.GetOperation(method)) {
			body = strings.Replace(body, "evt_01JDM3Z7V8H8Q2X9K0R1ABCD12_2", eventID, 1)
			last = r.do(ask{method, strings.Replace(path, "{endpoint_id}", endpoint, 1), r.shop, body, nil})
			if last.status != status {
				t.Errorf("%s %s %s: %d %s", method, path, body, last.status, last.body)
			}
		}
		return last
	}
	endpoint = send("POST", endpoints, 201).text("id")
	all := r.get(endpoints)
	if all.status != 200 || len(items(all)) != 3 {
		t.Fatalf("endpoints: %d %s", all.status, all.body)
	}
	driveThin(t, c, r, items(all))
	send("POST", one+"/replay", 202)
	for _, kind := range event.Kinds() {
		body := `{"eventType":"` + kind.Name + `"}`
		a := r.do(ask{"POST", endpoints + "/" + endpoint + "/test", r.shop, body, nil})
		if a.status != 202 {
			t.Errorf("a test of %s: %d %s", kind.Name, a.status, a.body)
		}
	}
	send("POST", one+"/test", 202)
	send("POST", one+"/rotate-secret", 200)
	send("PATCH", one, 200)
	tried := attempt(t, r, endpoint)
	for _, path := range []string{
		"", "/deliveries", "/deliveries?limit=1", "/deliveries?state=dead", "/deliveries/" + tried[0],
		"/deliveries/" + tried[1], "/deliveries?cursor=" + tried[0],
	} {
		if a := r.get(endpoints + "/" + endpoint + path); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	sent, err := r.store.DeliveriesOf(t.Context(), storage.DeliveryQuery{Endpoint: endpoint, Limit: 100})
	check(t, err)
	for _, d := range sent {
		if d.Object == "" {
			schema := "Event"
			if strings.HasPrefix(d.Name, "transaction.") {
				schema = "PaymentEvent"
			}
			c.fits(schema, d.Body)
		}
	}
	ulid, _, _ := strings.Cut(strings.TrimPrefix(eventID, "evt_"), "_")
	if a := r.get("/v1/wallet/transaction/wt_" + ulid + "/explain"); !strings.Contains(a.body, endpoint[4:]) {
		t.Errorf("nobody was told of %s: %d %s", ulid, a.status, a.body)
	}
	send("DELETE", one, 200)
}

// driveThin sends a test to the thin one of the endpoints.
func driveThin(t *testing.T, c *contract, r *rig, endpoints []map[string]any) {
	for _, e := range endpoints {
		if e["thin"] != true {
			continue
		}
		id := e["id"].(string)
		if a := r.do(ask{"POST", "/v1/webhook-endpoints/" + id + "/test", r.shop, "{}", nil}); a.status != 202 {
			t.Errorf("a test of a thin endpoint: %d %s", a.status, a.body)
		}
		sent, err := r.store.DeliveriesOf(t.Context(), storage.DeliveryQuery{Endpoint: id, Limit: 1})
		check(t, err)
		c.fits("ThinEvent", sent[0].Body)
		return
	}
	t.Error("no example of the file makes a thin endpoint")
}

// examplesOf are the bodies that the file has as examples of a request, and none where none is needed.
func examplesOf(t *testing.T, o *openapi3.Operation) (bodies []string) {
	if o.RequestBody == nil {
		return []string{""}
	}
	for _, e := range o.RequestBody.Value.Content["application/json"].Examples {
		bodies = append(bodies, jsonOf(t, e.Value.Value))
	}
	slices.Sort(bodies)
	if !o.RequestBody.Value.Required {
		bodies = append(bodies, "")
	}
	return bodies
}

// attempt notes attempts at an endpoint's deliveries as a worker would: one got no answer, and then 204; the
// other never got one and is dead. It returns their ids.
func attempt(t *testing.T, r *rig, endpoint string) []string {
	t.Helper()
	due, err := r.store.DueDeliveries(t.Context(), endpoint, r.clock.Now(), 2)
	check(t, err)
	if len(due) < 2 {
		t.Fatalf("%d deliveries are due", len(due))
	}
	good, bad := due[0].Delivery, due[1].Delivery
	note := func(d *event.Delivery, state event.DeliveryState, status int, why string) {
		d.State, d.Attempts = state, d.Attempts+1
		check(t, r.store.Finish(t.Context(), r.clock.Now(), []storage.Result{{Delivery: *d, Attempt: event.Attempt{
			Delivery: d.ID, Number: d.Attempts, At: r.clock.Now(), Micros: 1500, Status: status, Error: why,
			Response: []byte("for staff only"),
		}}}, []storage.Health{{Endpoint: endpoint, FailingSince: r.clock.Now()}}))
	}
	note(&good, event.Waiting, 0, "the connection was refused")
	note(&good, event.Delivered, 204, "")
	note(&bad, event.Dead, 503, "answered 503")
	return []string{good.ID, bad.ID}
}

// fits checks JSON against a schema of the file.
func (c *contract) fits(schema string, text []byte) {
	c.t.Helper()
	var value any
	check(c.t, json.Unmarshal(text, &value))
	if err := c.doc.Components.Schemas[schema].Value.VisitJSON(value); err != nil {
		c.t.Errorf("%s is no %s: %v", text, schema, err)
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
	q := ask{method: d.method, path: d.path, header: http.Header{}}
	for name, id := range driven {
		q.path = strings.Replace(q.path, "{"+name+"}", id, 1)
	}
	if d.method == "POST" || d.method == "PATCH" {
		q.body = d.goodBody()
		q.header = idem("k")
	}
	if strings.HasPrefix(q.path, "/v1/sandbox/") {
		q.body = `{"freeze":true}`
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
		if !d.spoilPay(&q) {
			d.spoil(&q)
		}
	}
	r := newRig(t, func(r *rig, o *httpapi.Options, s *server.Options) {
		o.Commit, o.Rate, s.Ready = committer(d.decide), rate, ready
		sandbox := newFakeSandbox(r.clock)
		o.Sandbox = sandbox
		switch d.reason {
		case reject.QueueFull:
			sandbox.why = storage.ErrUnavailable
			o.Reader, o.Outbox = noReader{r.store, storage.ErrUnavailable}, noOutbox{r.store, storage.ErrUnavailable}
			o.Messages = noReader{r.store, storage.ErrUnavailable}
			o.Payments, o.Shoppers = noPayments{why: storage.ErrUnavailable}, noShoppers{why: storage.ErrUnavailable}
		case reject.EventsSwept:
			o.Outbox = sweptOutbox{r.store}
		case reject.OutcomeUnknown:
			o.Outbox = noChanges{r.store, storage.ErrUncertain}
			o.Shoppers = noShopperChanges{r.store, storage.ErrUncertain}
		case reject.InternalError:
			sandbox.Test = nil                                                  // panics, as do
			o.Reader, o.Outbox = noReader{r.store, nil}, noOutbox{r.store, nil} // panic
			o.Messages = noReader{r.store, nil}
			o.Payments, o.Shoppers = noPayments{}, noShoppers{}
		}
		if isOfCards(d.path) {
			o.Payments, o.Shoppers = drivenPayments{r.store, d}, drivenShoppers{r.store}
			o.Acquiring = drivenAcquiring{d}
		}
	})
	d.prepare(t, r)
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

// driven are the ids of what a drive asks for. Of these only the endpoint and the customer with its card are
// there.
var driven = map[string]string{
	"wallet_transaction_id": "wt_01JDM3Z7V8H8Q2X9K0R1ABCD12",
	"event_id":              "evt_01JDM3Z7V8H8Q2X9K0R1ABCD12_2",
	"endpoint_id":           "whe_01JDM5B2N7R4T6V8X0Z1ABCD34",
	"delivery_id":           "whd_01JDM5B2N7R4T6V8X0Z1ABCD34_0000000000004711",
	"transaction_id":        "019a2a22-1b0d-7732-9672-134baf97b06c",
	"payment_link_id":       "pl_019a2a21f46f706ea202a75adabcbb80",
	"order_reference":       "ORD123456",
	"customer_id":           "019a2a22-1b0d-7732-9672-134baf97b06c",
	"token_id":              "019a2a22-1b0d-7732-9672-134baf97b06d",
}

// goodBody is what the route accepts.
func (d drive) goodBody() string {
	if body := goodPay(d.path); body != "" {
		return body
	}
	if strings.HasPrefix(d.path, "/v1/webhook-endpoints") {
		return `{"url":"http://localhost:3000/hook","failed":true}` // each route ignores what is another's
	}
	if isOfCards(d.path) {
		return d.cardBody()
	}
	return replaced("", "")
}

// prepare makes the endpoint that is asked for, or as many as there can be.
func (d drive) prepare(t *testing.T, r *rig) {
	t.Helper()
	d.prepareCustomer(t, r)
	endpoint := event.NewEndpoint(driven["endpoint_id"], r.shopID, r.clock.Now())
	endpoint.URL = "https://shop.example/plexy"
	if d.reason != reject.EndpointNotFound {
		check(t, r.store.CreateEndpoint(t.Context(), endpoint, auditOf(r)))
	}
	for n := 1; d.reason == reject.TooManyEndpoints && n < event.MaxEndpoints; n++ {
		endpoint.ID = r.ids.New(id.Endpoint)
		check(t, r.store.CreateEndpoint(t.Context(), endpoint, auditOf(r)))
	}
}

// spoil puts the fault into a request.
func (d drive) spoil(q *ask) {
	wrong := map[reject.Reason]string{
		reject.AmountInvalid: replaced("amount", "0"), reject.PhoneInvalid: replaced("phoneNumber", `"1"`),
		reject.IINInvalid: replaced("iin", `"1"`), reject.CurrencyInvalid: replaced("currency", `"kzt"`),
		reject.BodyInvalid: "{", reject.BodyTooLarge: strings.Repeat(" ", 256<<10+1),
		reject.URLInvalid: `{"url":"ftp://shop.example"}`, reject.EventTypesInvalid: `{"eventTypes":["paid"]}`,
		reject.OrderedInvalid: `{"ordered":1}`, reject.OverlapInvalid: `{"overlapHours":169}`,
		reject.EventsSwept:       `{"from":1}`,
		reject.SignaturesInvalid: `{"signatures":[]}`, reject.RetryScheduleInvalid: `{"retrySchedule":["0s"]}`,
		reject.MaxConcurrencyInvalid: `{"maxConcurrency":65}`, reject.ThinInvalid: `{"thin":1}`,
		reject.APIVersionInvalid: `{"apiVersion":"2"}`,
		reject.ReplayInvalid:     `{}`, reject.ClockInvalid: `{"advance":"a week"}`,
	}
	if isOfCards(d.path) && d.spoilCards(q) {
		return
	}
	if body, ok := wrong[d.reason]; ok {
		q.body = body
		return
	}
	query := map[reject.Reason]string{
		reject.LimitInvalid: "limit", reject.CursorInvalid: "cursor", reject.StatusInvalid: "status",
		reject.CreatedFromInvalid: "createdFrom", reject.CreatedToInvalid: "createdTo",
		reject.OrderReferenceInvalid: "orderReference", reject.AfterInvalid: "after", reject.WaitInvalid: "wait",
		reject.EventTypeInvalid: "type", reject.StateInvalid: "state", reject.FormatInvalid: "format",
	}
	if name, ok := query[d.reason]; ok && d.method == "GET" {
		q.path += "?" + name + "=" + strings.Repeat("x", 256)
		return
	}
	switch d.reason {
	case reject.CardNumberForbidden:
		if q.body = `{"note":"4111 1111 1111 1111"}`; d.method == "GET" {
			q.body, q.path = "", q.path+"?orderReference=4111111111111111"
		}
	case reject.APIKeyUnknown:
		q.key = "pr_00000000000000000000000000000000"
	case reject.ContentTypeNotJSON:
		q.header.Set("Content-Type", "text/plain")
	case reject.FaultInvalid:
		q.header.Set("Plexy-Fault", "bad luck")
	case reject.IdempotencyKeyMissing:
		q.header.Del("Idempotency-Key")
	case reject.IdempotencyKeyInvalid:
		q.header.Set("Idempotency-Key", "a b")
	case reject.OrderReferenceInvalid:
		q.body = replaced("orderReference", `""`)
	case reject.EventTypeInvalid:
		q.body = `{"eventType":"paid"}`
	case reject.StateInvalid:
		q.body = `{"url":"https://shop.example","state":"paused"}`
	case reject.EventNotFound:
		if q.method == "POST" {
			q.body = `{"eventId":"` + driven["event_id"] + `"}`
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
