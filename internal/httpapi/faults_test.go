package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"plexy/internal/httpapi"
	"plexy/internal/sandbox"
	"plexy/internal/server"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
	"plexy/internal/verify"
)

// playground is a sandbox's rig behind a real listener.
type playground struct {
	*rig
	sandbox *fakeSandbox
	url     string
	http    *http.Client
}

func newPlayground(t *testing.T, store storage.Storage) *playground {
	p := &playground{}
	p.rig = newRigOn(t, store, func(r *rig, o *httpapi.Options, _ *server.Options) {
		p.sandbox = newFakeSandbox(r.clock)
		o.Sandbox = p.sandbox
	})
	s := httptest.NewServer(p.handler)
	t.Cleanup(s.Close)
	p.url = s.URL
	// On a kept connection Go's client tries again by itself, and nobody could count the attempts.
	p.http = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return p
}

// once sends a request once; an error means that there was no answer.
func (p *playground) once(q ask) (*answer, error) {
	request, err := http.NewRequest(q.method, p.url+q.path, strings.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	request.Header = q.header.Clone()
	if request.Header == nil {
		request.Header = http.Header{}
	}
	request.Header.Set("Authorization", q.key)
	request.Header.Set("Content-Type", "application/json")
	response, err := p.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	a := &answer{status: response.StatusCode, header: response.Header, body: string(body)}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return a, d.Decode(&a.fields)
}

// settle follows the documented rule: the same request with the same key again, until there is an answer
// that does not say Should-Retry: true. It returns the answer and how many attempts it took.
func (p *playground) settle(q ask) (*answer, int, error) {
	var last error
	for attempt := 1; attempt <= 4; attempt++ {
		a, err := p.once(q)
		if err == nil && a.header.Get("Should-Retry") != "true" {
			return a, attempt, nil
		}
		if last = err; err == nil {
			last = fmt.Errorf("%d %s", a.status, a.body)
		}
	}
	return nil, 4, last
}

// cell is one fault with one operation, of a merchant and a customer of its own.
type cell struct {
	*playground
	fault, operation string
	bySetting        bool // dialled by the merchant, not by a header
	customer         int
	merchantID, key  string
	q                ask
	tx               string // the transaction that is operated on
}

const (
	cellFunds    = 10_000
	cellOrder    = 1_000
	cellCaptured = 600
	cellAmount   = 100
)

// TestEveryFaultEndsInTheTruth walks the whole matrix: whatever is dialled for whatever operation, a client
// that follows the retry rule ends with one effect, and knows it.
func TestEveryFaultEndsInTheTruth(t *testing.T) {
	for name, open := range map[string]func(*testing.T) storage.Storage{
		"memory":   func(*testing.T) storage.Storage { return memory.New() },
		"sqlite":   openSQLite,
		"postgres": openPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlayground(t, open(t))
			t.Run("cells", func(t *testing.T) { p.matrix(t) })
			report := must(verify.RunAt(t.Context(), p.store, p.clock.Now()))(t)
			if !report.OK() {
				var text strings.Builder
				report.WriteTo(&text)
				t.Errorf("the books are not in order: %s", text.String())
			}
		})
	}
}

func (p *playground) matrix(t *testing.T) {
	customer := 100
	for _, fault := range append(sandbox.Faults(), "none") {
		for _, operation := range sandbox.Operations() {
			if testing.Short() && fault == sandbox.Slow && operation != "capture" && operation != "get" {
				continue // a second each
			}
			for _, bySetting := range []bool{false, true} {
				customer++
				text := string(fault)
				if fault == sandbox.Slow {
					text = "slow=1"
				}
				c := &cell{playground: p, fault: text, operation: operation, bySetting: bySetting, customer: customer}
				c.prepare(t)
				t.Run(fmt.Sprintf("%s/%s/%t", fault, operation, bySetting), func(t *testing.T) {
					t.Parallel()
					c.run(t)
				})
			}
		}
	}
}

// prepare makes what the operation needs, while nothing is dialled.
func (c *cell) prepare(t *testing.T) {
	t.Helper()
	c.merchantID, c.key = c.merchant(t, fmt.Sprint("Shop ", c.customer))
	c.fund(t, c.customer, "KZT", cellFunds)
	order := ask{"POST", "/v1/wallet/authorize", c.key, orderOf(c.customer, cellOrder, "ORDER"), idem("first")}
	if c.operation != "authorize" {
		c.tx = c.do(order).text("walletTransactionId")
	}
	if c.operation == "refund" {
		path := "/v1/wallet/" + c.tx + "/capture"
		c.do(ask{"POST", path, c.key, fmt.Sprintf(`{"amount":%d}`, cellCaptured), nil})
	}
	switch c.operation {
	case "authorize":
		c.q = order
	case "get":
		c.q = ask{"GET", "/v1/wallet/transaction/" + c.tx, c.key, "", nil}
	case "list":
		c.q = ask{"GET", "/v1/wallet/transactions/?limit=5", c.key, "", nil}
	default:
		body := fmt.Sprintf(`{"amount":%d}`, cellAmount)
		c.q = ask{"POST", "/v1/wallet/" + c.tx + "/" + c.operation, c.key, body, idem("second")}
	}
	if c.bySetting {
		d, err := sandbox.ParseDial(c.operation + ":" + c.fault)
		check(t, err)
		c.sandbox.faults.Store(c.merchantID, d)
		return
	}
	if c.q.header = c.q.header.Clone(); c.q.header == nil {
		c.q.header = http.Header{}
	}
	c.q.header.Set("Plexy-Fault", c.fault)
}

// plain reads with nothing dialled.
func (c *cell) plain(path string) *answer {
	a, err := c.once(ask{"GET", path, c.key, "", http.Header{"Plexy-Fault": {"none"}}})
	if err != nil {
		return &answer{body: err.Error()}
	}
	return a
}

func (c *cell) run(t *testing.T) {
	began := time.Now()
	if c.fault == "out_of_order" {
		done, gone := make(chan struct{}), make(chan struct{})
		defer func() { close(done); <-gone }()
		go func() { // later requests, until one has overtaken it
			defer close(gone)
			for {
				select {
				case <-done:
					return
				default:
					c.plain("/v1/wallet/transactions/")
				}
			}
		}()
	}
	a, attempts, err := c.settle(c.q)
	if err != nil {
		t.Fatalf("it never ends: %v", err)
	}
	again := map[string]int{"not_sent": 2, "lost_answer": 2, "error_500": 2, "error_503": 2}
	if want := max(1, again[c.fault]); attempts != want {
		t.Errorf("it took %d attempts, want %d", attempts, want)
	}
	if took := time.Since(began); c.fault == "slow=1" && took < time.Second {
		t.Errorf("a slow answer came after %v", took)
	}
	if marked := a.header.Get("Plexy-Fault"); attempts == 1 && c.fault != "none" &&
		!strings.HasPrefix(c.fault, marked) || (attempts > 1 || c.fault == "none") && marked != "" {
		t.Errorf("after %d attempts the answer is marked %q", attempts, marked)
	}
	c.compare(t, a)
}

// compare checks that there was exactly one effect and that the client knows it.
func (c *cell) compare(t *testing.T, a *answer) {
	if c.q.method == http.MethodPost {
		done := map[string]bool{"lost_answer": true, "error_500": true, "duplicated": true}[c.fault]
		if replayed := a.header.Get("Idempotent-Replayed") == "true"; replayed != done {
			t.Errorf("replayed is %t", replayed)
		}
		if c.operation == "authorize" {
			c.tx = a.text("walletTransactionId")
		}
	}
	truth := c.plain("/v1/wallet/transaction/" + c.tx)
	listed := c.plain("/v1/wallet/transactions/")
	items, _ := listed.fields["items"].([]any)
	if truth.status != 200 || len(items) != 1 {
		t.Fatalf("there are %d transactions; the one is %d %s", len(items), truth.status, truth.body)
	}
	kinds := map[string]int{}
	operations, _ := truth.fields["operations"].([]any)
	for _, o := range operations {
		kinds[o.(map[string]any)["type"].(string)]++
	}
	want := map[string]int{"authorize": 1}
	if c.operation == "refund" {
		want["capture"] = 1
	}
	if c.q.method == http.MethodPost {
		want[c.operation] = 1
	}
	if fmt.Sprint(kinds) != fmt.Sprint(want) {
		t.Errorf("the effects are %v, want %v", kinds, want)
	}
	view := a
	if c.operation == "list" {
		seen, _ := a.fields["items"].([]any)
		if len(seen) != 1 {
			t.Fatalf("the client sees %s", a.body)
		}
		view = &answer{fields: seen[0].(map[string]any)}
	}
	for _, field := range []string{
		"walletTransactionId", "walletTransactionStatus", "state", "authorizedAmount", "capturedAmount",
		"canceledAmount", "refundedAmount", "remainingAmount", "updatedAt",
	} {
		if fmt.Sprint(view.fields[field]) != fmt.Sprint(truth.fields[field]) {
			t.Errorf("%s is %v for the client and %v in truth", field, view.fields[field], truth.fields[field])
		}
	}
}

func TestUnknownFaults(t *testing.T) {
	p := newPlayground(t, memory.New())
	p.fund(t, 1, "KZT", 1_000)
	for _, values := range [][]string{{"lost"}, {""}, {"capture:slow"}, {"slow=99"}, {"slow", "slow"}} {
		header := idem("k")
		header["Plexy-Fault"] = values
		a := p.do(ask{"POST", "/v1/wallet/authorize", p.shop, orderOf(1, 10, "O"), header})
		if a.status != 400 || a.reason() != "fault_invalid" || a.text("source") != "Plexy-Fault" {
			t.Errorf("%q: %d %s", values, a.status, a.body)
		}
	}
	if n := p.transactions(); n != 0 {
		t.Errorf("%d transactions were made", n)
	}
}

// TestFaultsOfOneOperation: a setting for one operation leaves the others alone, and a request can say none.
func TestFaultsOfOneOperation(t *testing.T) {
	p := newPlayground(t, memory.New())
	p.fund(t, 1, "KZT", 1_000)
	d := must(sandbox.ParseDial("capture:error_503"))(t)
	p.sandbox.faults.Store(p.shopID, d)
	tx := p.authorize(1, 100, "O").text("walletTransactionId")
	if a := p.operate(tx, "cancel", 10); a.status != 200 {
		t.Errorf("a cancel: %d %s", a.status, a.body)
	}
	capture := ask{"POST", "/v1/wallet/" + tx + "/capture", p.shop, `{"amount":10}`, http.Header{}}
	capture.header.Set("Plexy-Fault", "none")
	if a := p.do(capture); a.status != 200 {
		t.Errorf("a capture that says none: %d %s", a.status, a.body)
	}
	if a := p.operate(tx, "capture", 10); a.status != 503 || a.header.Get("Plexy-Fault") != "error_503" ||
		a.header.Get("Retry-After") == "" {
		t.Errorf("a capture: %d %v", a.status, a.header)
	}
}

// TestDuplicatedWithoutAKey: without an Idempotency-Key what is sent twice happens twice. That is what the
// key is for.
func TestDuplicatedWithoutAKey(t *testing.T) {
	p := newPlayground(t, memory.New())
	p.fund(t, 1, "KZT", 1_000)
	tx := p.authorize(1, 100, "O").text("walletTransactionId")
	a := p.do(ask{"POST", "/v1/wallet/" + tx + "/capture", p.shop, `{"amount":10}`,
		http.Header{"Plexy-Fault": {"duplicated"}}})
	if a.status != 200 || a.number("capturedAmount") != 20 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestProductionKnowsNoFaults: the header means nothing there.
func TestProductionKnowsNoFaults(t *testing.T) {
	r := newRig(t)
	r.fund(t, 1, "KZT", 1_000)
	for i, fault := range []string{"error_503", "not_sent", "nonsense"} {
		header := idem(fmt.Sprint(i))
		header["Plexy-Fault"] = []string{fault}
		a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, orderOf(1, 10, "O"), header})
		if a.status != 201 || a.header.Get("Plexy-Fault") != "" {
			t.Errorf("%s: %d %s", fault, a.status, a.body)
		}
	}
}

// TestOutOfOrder: what was sent later is decided earlier.
func TestOutOfOrder(t *testing.T) {
	p := newPlayground(t, memory.New())
	p.fund(t, 1, "KZT", 1_000)
	wrote := make(chan struct{})
	trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(wrote) }}
	request := must(http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodPost,
		p.url+"/v1/wallet/authorize", strings.NewReader(orderOf(1, 10, "sent first"))))(t)
	request.Header = http.Header{
		"Plexy-Fault": {"out_of_order"}, "Idempotency-Key": {"1"}, "Authorization": {p.shop},
		"Content-Type": {"application/json"},
	}
	answered := make(chan error, 1)
	go func() {
		response, err := p.http.Do(request)
		if err == nil {
			err = response.Body.Close()
		}
		answered <- err
	}()
	<-wrote
	p.authorize(1, 10, "sent second")
	check(t, <-answered)
	items, _ := p.get("/v1/wallet/transactions/").fields["items"].([]any)
	if len(items) != 2 || items[0].(map[string]any)["orderReference"] != "sent first" {
		t.Errorf("newest first there are %v", items)
	}
}
