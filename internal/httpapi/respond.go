package httpapi

import (
	"net/http"
	"strconv"

	"plexy/internal/clock"
	"plexy/internal/core/machine"
	"plexy/internal/core/reject"
	"plexy/internal/server"
	"plexy/internal/view"
)

// problem is why a request is refused: the reason, and the field, header or part that it concerns.
type problem struct {
	reason  reject.Reason
	source  string
	message string // instead of the reason's own, where more can be said; nothing in it needs escaping
}

// answerOf says how a class of refusals is answered: Plexy's "API Errors" page for codes and types, the
// issue for which class has which.
type answerOf struct {
	status int
	code   int64
	kind   string
	retry  bool // whether asking again may help: Should-Retry and Retry-After
}

var answers = [...]answerOf{
	reject.Invalid:         {http.StatusBadRequest, 3, "apiError", false},
	reject.Unauthenticated: {http.StatusUnauthorized, 3, "apiError", false},
	reject.NotFound:        {http.StatusNotFound, 4, "apiError", false},
	reject.Gone:            {http.StatusGone, 4, "apiError", false},
	reject.NotAllowed:      {http.StatusMethodNotAllowed, 3, "apiError", false},
	reject.TooLarge:        {http.StatusRequestEntityTooLarge, 3, "apiError", false},
	reject.Unsupported:     {http.StatusUnsupportedMediaType, 3, "apiError", false},
	reject.InProgress:      {http.StatusConflict, 5, "validationError", true},
	reject.Refused:         {http.StatusUnprocessableEntity, 5, "validationError", false},
	reject.Limited:         {http.StatusTooManyRequests, 1, "apiError", true},
	reject.Busy:            {http.StatusServiceUnavailable, 1, "apiError", true},
	reject.Internal:        {http.StatusInternalServerError, 2, "apiError", false},
	// What the acquirer refused to do with a payment. A payment that was not authorized is no error.
	reject.Unpaid: {http.StatusUnprocessableEntity, 5, "validationError", false},
	// A declined authorize is a transaction and not an error; the class has an answer so that none is missing,
	// and it is the one for "our fault".
	reject.Declined: {http.StatusInternalServerError, 2, "apiError", false},
}

// Header values shared by all answers. Nobody may change them.
var (
	yes       = []string{"true"}
	no        = []string{"false"}
	oneSecond = []string{"1"}
)

// refuse answers with an error that was decided before an instruction existed, or instead of its outcome.
func refuse(x *server.Exchange, p problem) {
	row := reject.Of(p.reason)
	if p.message != "" {
		row.Message = p.message
	}
	a := answers[row.Class]
	h := x.Header()
	h["Should-Retry"] = no
	if a.retry {
		h["Should-Retry"] = yes
		h["Retry-After"] = oneSecond
	}
	x.Reply(a.status, appendError(nil, row, p.source, x.ID))
}

// appendError writes Plexy's envelope and the two fields of ours. Messages, sources and ids are our own
// plain text and need no escaping.
func appendError(b []byte, row reject.Row, source, requestID string) []byte {
	a := answers[row.Class]
	if b == nil {
		b = make([]byte, 0, 288)
	}
	b = append(b, `{"code":`...)
	b = strconv.AppendInt(b, a.code, 10)
	b = append(b, `,"message":"`...)
	b = append(b, row.Message...)
	b = append(b, `","source":"`...)
	b = append(b, source...)
	b = append(b, `","type":"`...)
	b = append(b, a.kind...)
	b = append(b, `","reason":"`...)
	b = append(b, row.Reason...)
	b = append(b, `","requestId":"`...)
	b = append(b, requestID...)
	return append(b, `"}`...)
}

// Envelope renders the failures that the server answers by itself.
func Envelope(f server.Failure, requestID string) []byte {
	p := problem{reason: reject.InternalError, source: "server"}
	switch f {
	case server.NotReady:
		p.reason = reject.NotReady
	case server.MethodNotAllowed:
		p = problem{reason: reject.MethodNotAllowed, source: "method"}
	case server.Malformed:
		p = problem{reason: reject.RequestInvalid, source: "request"}
	}
	return appendError(nil, reject.Of(p.reason), p.source, requestID)
}

const walletSource = "wallet_transaction_id"

// sourceOf names what a refusal of the machine concerns.
func sourceOf(r reject.Reason) string {
	switch r {
	case reject.IdempotencyKeyReused, reject.IdempotencyInProgress:
		return "Idempotency-Key"
	case reject.OrderReferenceExists, reject.LinkReferenceExists:
		return "orderReference"
	case reject.ExpiresAtPassed:
		return "expiresAt"
	case reject.LinkNotFound, reject.LinkAlreadyPaid, reject.LinkCancelled, reject.LinkBusy, reject.LinkExpired:
		return "payment_link_id"
	case reject.AmountExceedsRemaining, reject.AmountExceedsCaptured, reject.AmountOutOfRange:
		return "amount"
	case reject.TransactionNotFound, reject.TransactionFailed, reject.TransactionPending,
		reject.HoldExpired, reject.NothingRemaining, reject.NothingCaptured:
		return walletSource
	case reject.PaymentNotFound, reject.OperationPending, reject.AlreadyRefunded:
		return "transaction_id"
	case reject.MandateNotFound, reject.MandateExpired, reject.MandateNotDue:
		return "recurring.parentTransactionId"
	case reject.CardTokenNotFound:
		return "cardData.tokenId"
	}
	return "server"
}

// refusal renders what the machine refused, as it is stored under the idempotency key. When the key was
// used for something else, the message says when, and nothing about what (rule I-7).
func refusal(o machine.Outcome, requestID string) machine.Reply {
	row := reject.Of(o.Reason)
	if row.Class == reject.Declined {
		row = reject.Of(reject.InternalError)
	}
	if o.Reason == reject.IdempotencyKeyReused {
		if message := reused(o.First.At).message; message != "" {
			row.Message = message
		}
	}
	return machine.Reply{
		Status: answers[row.Class].status,
		Body:   appendError(nil, row, sourceOf(o.Reason), requestID),
	}
}

// reused is the problem that a key was used for something else at a time; 0 when that is not known.
func reused(at int64) problem {
	p := problem{reason: reject.IdempotencyKeyReused, source: "Idempotency-Key"}
	if at != 0 {
		p.message = "This Idempotency-Key was used for a different request at " +
			clock.Time(at).Format(view.TimeLayout) + "."
	}
	return p
}

// answer writes the outcome of an instruction.
func (c *call) answer(o *machine.Outcome) {
	h := c.Header()
	h["Should-Retry"] = no
	if o.Reason != "" && answers[reject.Of(o.Reason).Class].retry {
		h["Should-Retry"], h["Retry-After"] = yes, oneSecond
	}
	if o.Replayed {
		c.replayed(o)
	}
	c.Reply(o.Reply.Status, o.Reply.Body)
}

// replayed says that the answer is one that was given before.
func (c *call) replayed(o *machine.Outcome) {
	h := c.Header()
	h["Idempotent-Replayed"] = yes
	if o.First.RequestID != "" {
		h["Original-Request-Id"] = []string{o.First.RequestID}
	}
}
