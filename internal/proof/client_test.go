package proof_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

const (
	// answerLimit is longer than any deadline of the server, so that silence means a lost connection.
	answerLimit = 40 * time.Second
	// settleLimit is how long a client goes on asking before the test calls the service down.
	settleLimit = 60 * time.Second
)

// client talks to the servers of a site over kept connections.
type client struct {
	site *site
	http *http.Client
	turn atomic.Int64

	decided, refused atomic.Int64 // answers that were decisions, and 503s
}

func newClient(s *site) *client {
	transport := &http.Transport{
		MaxIdleConnsPerHost: 512, DisableCompression: true, IdleConnTimeout: time.Minute,
	}
	s.Cleanup(transport.CloseIdleConnections)
	return &client{site: s, http: &http.Client{Transport: transport, Timeout: answerLimit}}
}

// request is one call of the API.
type request struct {
	method, path string
	key          string // Idempotency-Key; "" for none
	body         string
	apiKey       string // "" is the site's merchant
}

// transaction is a wallet transaction as the API shows it, and the error envelope's reason.
type transaction struct {
	ID             string      `json:"walletTransactionId"`
	Status         string      `json:"walletTransactionStatus"`
	OrderReference string      `json:"orderReference"`
	Amount         int64       `json:"amount"`
	Currency       string      `json:"currency"`
	State          string      `json:"state"`
	Authorized     int64       `json:"authorizedAmount"`
	Captured       int64       `json:"capturedAmount"`
	Canceled       int64       `json:"canceledAmount"`
	Expired        int64       `json:"expiredAmount"`
	Refunded       int64       `json:"refundedAmount"`
	Remaining      int64       `json:"remainingAmount"`
	FailureReason  string      `json:"failureReason"`
	CreatedAt      string      `json:"createdAt"`
	ExpiresAt      string      `json:"expiresAt"`
	OperationID    string      `json:"operationId"`
	Operations     []operation `json:"operations"`
	Reason         string      `json:"reason"`
}

type operation struct {
	ID     string `json:"operationId"`
	Type   string `json:"type"`
	Amount int64  `json:"amount"`
}

// answer is what came of a request. Without an HTTP answer err is set.
type answer struct {
	transaction
	status   int
	body     []byte
	replayed bool
	header   http.Header
	err      error
	server   *server
}

func (a answer) String() string {
	if a.err != nil {
		return "no answer: " + a.err.Error()
	}
	return fmt.Sprintf("%d %s", a.status, a.body)
}

// settled says whether the answer is one: a decision, and not "try again" or silence.
func (a answer) settled() bool {
	if a.err != nil {
		return false
	}
	switch a.status {
	case http.StatusServiceUnavailable, http.StatusConflict, http.StatusTooManyRequests:
		return false
	}
	return true
}

// untouched says whether the server promises that it did nothing.
func (a answer) untouched() bool {
	return a.err == nil && a.status == http.StatusServiceUnavailable && a.Reason == "busy"
}

// wrong says why an answer may never be given, whatever happens to the machine; "" if it may.
func (a answer) wrong() string {
	if a.err != nil {
		return ""
	}
	switch a.status {
	case http.StatusOK, http.StatusCreated, http.StatusUnprocessableEntity:
	case http.StatusConflict:
		if a.Reason != "idempotency_in_progress" {
			return a.String()
		}
	case http.StatusServiceUnavailable:
		retry := a.header.Get("Should-Retry") == "true" && a.header.Get("Retry-After") != ""
		if !retry || a.Reason != "busy" && a.Reason != "outcome_unknown" {
			return a.String()
		}
	default:
		return a.String()
	}
	return ""
}

// send sends the request once, to one server.
func (c *client) send(v *server, r request) answer {
	a := c.exchange(v, r)
	a.server = v
	if a.err == nil {
		a.err = c.decode(&a)
	}
	switch {
	case a.settled():
		c.decided.Add(1)
	case a.err == nil && a.status == http.StatusServiceUnavailable:
		c.refused.Add(1)
	}
	return a
}

func (c *client) exchange(v *server, r request) answer {
	req, err := http.NewRequest(r.method, "http://"+v.address+r.path, strings.NewReader(r.body))
	if err != nil {
		return answer{err: err}
	}
	// Without GetBody net/http cannot send a request a second time behind our back.
	req.GetBody = nil
	if r.method == http.MethodGet {
		req.Body, req.ContentLength = nil, 0
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	apiKey := r.apiKey
	if apiKey == "" {
		apiKey = c.site.merchant.Key
	}
	req.Header.Set("Authorization", apiKey)
	response, err := c.http.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{
		status: response.StatusCode, body: body, header: response.Header, err: err,
		replayed: response.Header.Get("Idempotent-Replayed") == "true",
	}
}

func (c *client) decode(a *answer) error {
	if err := json.Unmarshal(a.body, &a.transaction); err != nil {
		return fmt.Errorf("not JSON: %w: %q", err, a.body)
	}
	return nil
}

// next returns the servers in turn.
func (c *client) next() *server {
	return c.site.servers[int(c.turn.Add(1))%len(c.site.servers)]
}

// do sends the request once, to the next server.
func (c *client) do(r request) answer { return c.send(c.next(), r) }

// settle sends the request, the same each time, to one server after another until there is a decision.
// Only requests with a key, and reads, may be sent like this.
func (c *client) settle(r request) answer {
	deadline := time.Now().Add(settleLimit)
	pause := 2 * time.Millisecond
	for {
		a := c.do(r)
		if a.settled() {
			return a
		}
		if bad := a.wrong(); bad != "" {
			a.err = errors.New("a wrong answer: " + bad)
			return a
		}
		if time.Now().After(deadline) {
			a.err = fmt.Errorf("no decision within %v; last: %s", settleLimit, a)
			return a
		}
		time.Sleep(pause + rand.N(pause)) // an honest client backs off
		pause = min(2*pause, 50*time.Millisecond)
	}
}

func newKey() string { return uuid.NewString() }

// authorize asks for amount of the payer, under a fresh key.
func authorize(p payer, amount int64, reference string) request {
	return request{
		method: http.MethodPost, path: "/v1/wallet/authorize", key: newKey(),
		body: fmt.Sprintf(`{"amount":%d,"phoneNumber":%q,"iin":%q,"orderReference":%q,"currency":"KZT"}`,
			amount, p.phone, p.iin, reference),
	}
}

// operate asks for a capture, cancel or refund, under a fresh key.
func operate(kind, id string, amount int64) request {
	return request{
		method: http.MethodPost, path: "/v1/wallet/" + id + "/" + kind, key: newKey(),
		body: fmt.Sprintf(`{"amount":%d}`, amount),
	}
}

func read(id string) request {
	return request{method: http.MethodGet, path: "/v1/wallet/transaction/" + id}
}

// withKey returns the request under another key; "" for none.
func (r request) withKey(key string) request {
	r.key = key
	return r
}

// hold authorizes and must succeed.
func (c *client) hold(p payer, amount int64) transaction {
	c.site.Helper()
	a := c.settle(authorize(p, amount, "ORDER-"+newKey()))
	if a.err != nil || a.status != http.StatusCreated || a.Status != "SUCCESS" {
		c.site.Fatalf("authorize: %s", a)
	}
	return a.transaction
}

// mustDo does an operation that must succeed.
func (c *client) mustDo(kind, id string, amount int64) transaction {
	c.site.Helper()
	a := c.settle(operate(kind, id, amount))
	if a.err != nil || a.status != http.StatusOK {
		c.site.Fatalf("%s %s: %s", kind, id, a)
	}
	return a.transaction
}

// get reads a transaction that must be there.
func (c *client) get(id string) transaction {
	c.site.Helper()
	a := c.settle(read(id))
	if a.err != nil || a.status != http.StatusOK {
		c.site.Fatalf("get %s: %s", id, a)
	}
	return a.transaction
}

// page is one page of the list.
type page struct {
	Items      []transaction `json:"items"`
	NextCursor *string       `json:"nextCursor"`
}

// list reads all pages with the given query ("" for none).
func (c *client) list(query string) []transaction {
	c.site.Helper()
	var all []transaction
	cursor := ""
	for {
		path := "/v1/wallet/transactions/?limit=100&" + query + cursor
		a := c.settle(request{method: http.MethodGet, path: path})
		var p page
		if err := json.Unmarshal(a.body, &p); a.err != nil || a.status != http.StatusOK || err != nil {
			c.site.Fatalf("list: %s", a)
		}
		all = append(all, p.Items...)
		if p.NextCursor == nil {
			return all
		}
		cursor = "&cursor=" + *p.NextCursor
	}
}

// crowd sends requests all at once and returns the answers in the same order.
func (c *client) crowd(requests []request, send func(request) answer) []answer {
	answers := make([]answer, len(requests))
	var wait sync.WaitGroup
	start := make(chan struct{})
	for i, r := range requests {
		wait.Go(func() {
			<-start
			answers[i] = send(r)
		})
	}
	close(start)
	wait.Wait()
	return answers
}

func sameBytes(a, b answer) bool { return a.status == b.status && bytes.Equal(a.body, b.body) }

// items decodes the answer as a page of the list.
func (a answer) items() []transaction {
	var p page
	if json.Unmarshal(a.body, &p) != nil {
		return nil
	}
	return p.Items
}
