package sandbox

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"plexy/internal/connector"
	magic "plexy/internal/sandbox"
)

// SignatureHeader carries a callback's signature: the HMAC-SHA-256 of its body, in hex.
const SignatureHeader = "Sandbox-Signature"

const (
	// maxOutgoing bounds the callbacks that wait; more are never sent, and Inquire has to find out.
	maxOutgoing = 10_000
	// behind is how long a callback out of order lets others go first.
	behind = 2 * time.Second
)

// outgoing are the callbacks that wait in this process. They are lost with it, as anybody's may be.
type outgoing struct {
	mu      sync.Mutex
	waiting []callback
}

// callback is one message about one operation.
type callback struct {
	request request
	due     int64 // microseconds
}

// notice is the body of a callback.
type notice struct {
	ID        string              `json:"id"`
	Operation string              `json:"operationId"`
	Outcome   string              `json:"outcome"`
	Code      connector.Code      `json:"responseCode"`
	Approved  int64               `json:"approvedAmount"`
	AuthCode  string              `json:"authCode"`
	RRN       string              `json:"rrn"`
	Network   string              `json:"networkReference"`
	CVV       connector.CVVStatus `json:"cvvStatus"`
}

// announce remembers to call back about a step that was just made.
func (a *Acquirer) announce(r request, s step, now int64) {
	late := s.DecidedAt > now
	if a.options.Post == nil || r.inquiry || !late && !a.options.CallBackAlways {
		return
	}
	a.later(callback{request: request{verb: r.verb, order: r.order, account: r.account}, due: s.DecidedAt})
}

func (a *Acquirer) later(c callback) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) < maxOutgoing {
		a.waiting = append(a.waiting, c)
	}
}

// CallBack posts the callbacks that are due and returns how many it posted. What could not be posted is due
// again at the next call.
func (a *Acquirer) CallBack(ctx context.Context) int {
	now := a.options.Clock.Now()
	a.mu.Lock()
	var due []callback
	a.waiting = slices.DeleteFunc(a.waiting, func(c callback) bool {
		if c.due > now {
			return false
		}
		due = append(due, c)
		return true
	})
	a.mu.Unlock()
	posted := 0
	for _, c := range due {
		n, again := a.post(ctx, c, now)
		posted += n
		if again > 0 {
			c.due = again
			a.later(c)
		}
	}
	return posted
}

// post posts one callback as its fault has it: how often it was posted, and when it is due again, or 0.
func (a *Acquirer) post(ctx context.Context, c callback, now int64) (n int, again int64) {
	kept, err := a.books.read(ctx, c.request.account)
	if err != nil {
		return 0, now
	}
	s, isNew := kept.decide(c.request, now)
	if isNew {
		return 0, 0 // its books were emptied under it
	}
	body, header := a.written(s, now)
	times := 1
	switch d := a.dialled(c.request.order.Merchant, magic.Callback, s.Operation); d.Fault {
	case magic.NotSent, magic.Error500, magic.Error503:
		return 0, now
	case magic.Slow:
		return 0, now + int64(d.Seconds)*time.Second.Microseconds()
	case magic.OutOfOrder:
		return 0, now + behind.Microseconds()
	case magic.LostAnswer:
		again = now
	case magic.Duplicated:
		times = 2
	}
	for range times {
		if a.options.Post(ctx, header, body) != nil {
			return n, now
		}
		n++
	}
	return n, again
}

// written is a callback about a step, and its headers.
func (a *Acquirer) written(s step, now int64) (body []byte, header func(string) string) {
	answer := s.answer(now)
	body, err := json.Marshal(notice{
		ID: "notice-" + s.Operation, Operation: s.Operation, Outcome: answer.Outcome.String(), Code: answer.Code,
		Approved: answer.Approved, AuthCode: answer.AuthCode, RRN: answer.RRN, Network: answer.NetworkReference,
		CVV: answer.CVV,
	})
	if err != nil {
		panic("sandbox: texts and numbers cannot fail to encode")
	}
	signature := hex.EncodeToString(a.mac("callback", string(body)))
	return body, func(name string) string {
		if name == SignatureHeader {
			return signature
		}
		return ""
	}
}

// Callback verifies and reads a callback.
func (a *Acquirer) Callback(header func(string) string, body []byte) (connector.Notice, error) {
	signature, err := hex.DecodeString(header(SignatureHeader))
	if err != nil || !hmac.Equal(signature, a.mac("callback", string(body))) {
		return connector.Notice{}, connector.ErrForged
	}
	var n notice
	if err := json.Unmarshal(body, &n); err != nil {
		return connector.Notice{}, fmt.Errorf("%w: it is no JSON of ours", connector.ErrMalformed)
	}
	outcome, ok := connector.ParseOutcome(n.Outcome)
	if !ok {
		return connector.Notice{}, fmt.Errorf("%w: outcome", connector.ErrMalformed)
	}
	return connector.Notice{ID: n.ID, Operation: n.Operation, Answer: connector.Answer{
		Outcome: outcome, Code: n.Code, Approved: n.Approved, AuthCode: n.AuthCode, RRN: n.RRN,
		NetworkReference: n.Network, CVV: n.CVV,
	}}, nil
}
