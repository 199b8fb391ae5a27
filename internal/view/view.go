// Package view is how things look from outside: the JSON of the API and of the webhooks, which show the same
// things. Every function appends to b. The form is pinned by api/openapi.yaml.
package view

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"plexy/internal/clock"
	"plexy/internal/core/journal"
	"plexy/internal/core/wallet"
	"plexy/internal/event"
)

// TimeLayout is RFC 3339 in UTC with all six digits that are stored, so that a time from an answer can be
// given back as createdFrom or createdTo and mean exactly that moment.
const TimeLayout = "2006-01-02T15:04:05.000000Z"

// Size is what one rendered transaction takes with a usual order reference, rounded up to a size that
// the allocator gives out anyway: these bodies are kept for replays.
const Size = 480

// Transaction writes a transaction: the seed's fields first, then ours. amount is what authorize
// asked for or, in the answer to an operation, that operation's; operation is then its id.
func Transaction(b []byte, t *wallet.Transaction, amount int64, operation string) []byte {
	b = append(b, `{"walletTransactionId":"`...)
	b = append(b, t.ID...)
	b = append(b, `","walletTransactionStatus":"`...)
	b = append(b, t.Status...)
	b = append(b, `","orderReference":`...)
	b = Text(b, t.OrderReference)
	b = Minor(b, `,"amount":`, amount)
	b = append(b, `,"currency":"`...)
	b = append(b, t.Currency...)
	if operation != "" {
		b = append(b, `","operationId":"`...)
		b = append(b, operation...)
	}
	b = append(b, `","state":"`...)
	b = append(b, t.State()...)
	b = Minor(b, `","authorizedAmount":`, t.Authorized)
	b = Minor(b, `,"capturedAmount":`, t.Captured)
	b = Minor(b, `,"canceledAmount":`, t.Canceled)
	b = Minor(b, `,"expiredAmount":`, t.Expired)
	b = Minor(b, `,"refundedAmount":`, t.Refunded)
	b = Minor(b, `,"remainingAmount":`, t.Remaining())
	if t.Status != wallet.Failed {
		b = append(b, `,"failureReason":null`...)
	} else {
		b = append(b, `,"failureReason":"`...)
		b = append(b, t.Failure...)
		b = append(b, '"')
	}
	b = Time(b, `,"createdAt":"`, t.CreatedAt)
	b = Time(b, `,"updatedAt":"`, t.UpdatedAt)
	if t.ExpiresAt == 0 || t.Status == wallet.Processing { // nothing expires of what is being decided
		return append(b, `,"expiresAt":null}`...)
	}
	return append(Time(b, `,"expiresAt":"`, t.ExpiresAt), '}')
}

// Operations adds the operations to a rendered transaction. Records newer than the transaction as it
// was read are left out, so that the amounts and the list tell the same story; a failed transaction moved
// nothing and has none.
func Operations(b []byte, t *wallet.Transaction, records []journal.Record) []byte {
	b = append(b[:len(b)-1], `,"operations":[`...)
	first := true
	for i := range records {
		r := &records[i]
		kind, ok := operationTypes[r.Type]
		if !ok || r.Sequence > t.Sequence {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, `{"operationId":"`...)
		b = append(b, r.OperationID()...)
		b = append(b, `","type":"`...)
		b = append(b, kind...)
		b = Minor(b, `","amount":`, r.Amount)
		b = append(Time(b, `,"createdAt":"`, r.At), '}')
	}
	return append(b, `]}`...)
}

// operationTypes are the public words for what happened.
var operationTypes = map[journal.Type]string{
	journal.Authorized: "authorize",
	journal.Captured:   "capture",
	journal.Canceled:   "cancel",
	journal.Refunded:   "refund",
	journal.Expired:    "expire",
	journal.Charged:    "capture",
	journal.Cancelled:  "cancel",
}

// Minor writes an integer after the quoted name: an amount in minor units, or a number.
func Minor(b []byte, name string, minor int64) []byte {
	return strconv.AppendInt(append(b, name...), minor, 10)
}

// Time writes at in TimeLayout. Package time is three times as fast with a layout that it knows, and
// ours is that one with six digits before the Z.
func Time(b []byte, name string, at int64) []byte {
	t := clock.Time(at)
	b = t.AppendFormat(append(b, name...), time.RFC3339)
	b[len(b)-1] = '.'
	for unit := 100_000; unit > 0; unit /= 10 {
		b = append(b, byte('0'+t.Nanosecond()/1000/unit%10))
	}
	return append(b, 'Z', '"')
}

// Text writes a JSON string. What is not valid UTF-8 cannot have come in; it would be replaced.
func Text(b []byte, text string) []byte {
	quoted, err := jsontext.AppendQuote(b, text)
	if err != nil {
		return append(b, `"\ufffd"`...)
	}
	return quoted
}

// Event appends an event as the feed shows it: in the present form, event.Version.
func Event(b []byte, e *event.Event) []byte { return EventAs(b, e, event.Form{Version: event.Version}) }

// EventAs appends an event as webhooks carry it: Plexy's name, merchantId and data first, then what is ours.
// The form says how much data there is; it is of one of event.Versions, and there is only one so far.
func EventAs(b []byte, e *event.Event, form event.Form) []byte {
	r := &e.Record
	b = append(b, `{"name":"`...)
	b = append(b, r.Event()...)
	b = append(b, `","merchantId":"`...)
	b = append(b, r.Merchant...)
	b = append(b, `","id":"`...)
	b = append(b, e.ID()...)
	b = Minor(b, `","number":`, e.Number)
	b = Minor(b, `,"sequence":`, r.Sequence)
	b = Minor(b, `,"version":`, form.Version)
	b = Time(b, `,"createdAt":"`, r.At)
	if kind, ok := operationTypes[r.Type]; ok {
		b = append(b, `,"operation":{"operationId":"`...)
		b = append(b, r.OperationID()...)
		b = append(b, `","type":"`...)
		b = append(b, kind...)
		b = append(Minor(b, `","amount":`, r.Amount), '}')
	} else {
		b = append(b, `,"operation":null`...)
	}
	if form.Thin {
		b = append(append(b, `,"data":{"id":"`...), r.Object...)
		return append(Minor(b, `","sequence":`, r.Sequence), "}}"...)
	}
	if e.Payment != nil {
		return append(paymentData(append(b, `,"data":`...), e), '}')
	}
	return append(Transaction(append(b, `,"data":`...), &e.Transaction, e.Transaction.Amount, ""), '}')
}

// EventSize is what one rendered event of a wallet takes with a usual order reference, rounded up.
const EventSize = 896

// PaymentEventSize is that of a card payment.
const PaymentEventSize = 1536
