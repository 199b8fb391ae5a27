package httpapi

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"plexy/internal/clock"
	"plexy/internal/core/journal"
	"plexy/internal/core/wallet"
)

// timeLayout is RFC 3339 in UTC with all six digits that are stored, so that a time from an answer can be
// given back as createdFrom or createdTo and mean exactly that moment.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// viewSize is what one rendered transaction takes with a usual order reference, rounded up to a size that
// the allocator gives out anyway: these bodies are kept for replays.
const viewSize = 480

// appendTransaction writes a transaction: the seed's fields first, then ours. amount is what authorize
// asked for or, in the answer to an operation, that operation's; operation is then its id.
func appendTransaction(b []byte, t *wallet.Transaction, amount int64, operation string) []byte {
	b = append(b, `{"walletTransactionId":"`...)
	b = append(b, t.ID...)
	b = append(b, `","walletTransactionStatus":"`...)
	b = append(b, t.Status...)
	b = append(b, `","orderReference":`...)
	b = appendText(b, t.OrderReference)
	b = appendMinor(b, `,"amount":`, amount)
	b = append(b, `,"currency":"`...)
	b = append(b, t.Currency...)
	if operation != "" {
		b = append(b, `","operationId":"`...)
		b = append(b, operation...)
	}
	b = append(b, `","state":"`...)
	b = append(b, t.State()...)
	b = appendMinor(b, `","authorizedAmount":`, t.Authorized)
	b = appendMinor(b, `,"capturedAmount":`, t.Captured)
	b = appendMinor(b, `,"canceledAmount":`, t.Canceled)
	b = appendMinor(b, `,"expiredAmount":`, t.Expired)
	b = appendMinor(b, `,"refundedAmount":`, t.Refunded)
	b = appendMinor(b, `,"remainingAmount":`, t.Remaining())
	if t.Failure == "" {
		b = append(b, `,"failureReason":null`...)
	} else {
		b = append(b, `,"failureReason":"`...)
		b = append(b, t.Failure...)
		b = append(b, '"')
	}
	b = appendTime(b, `,"createdAt":"`, t.CreatedAt)
	b = appendTime(b, `,"updatedAt":"`, t.UpdatedAt)
	if t.ExpiresAt == 0 {
		return append(b, `,"expiresAt":null}`...)
	}
	return append(appendTime(b, `,"expiresAt":"`, t.ExpiresAt), '}')
}

// appendOperations adds the operations to a rendered transaction. Records newer than the transaction as it
// was read are left out, so that the amounts and the list tell the same story; a failed transaction moved
// nothing and has none.
func appendOperations(b []byte, t *wallet.Transaction, records []journal.Record) []byte {
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
		b = appendMinor(b, `","amount":`, r.Amount)
		b = append(appendTime(b, `,"createdAt":"`, r.At), '}')
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
}

func appendMinor(b []byte, name string, minor int64) []byte {
	return strconv.AppendInt(append(b, name...), minor, 10)
}

// appendTime writes at in timeLayout. Package time is three times as fast with a layout that it knows, and
// ours is that one with six digits before the Z.
func appendTime(b []byte, name string, at int64) []byte {
	t := clock.Time(at)
	b = t.AppendFormat(append(b, name...), time.RFC3339)
	b[len(b)-1] = '.'
	for unit := 100_000; unit > 0; unit /= 10 {
		b = append(b, byte('0'+t.Nanosecond()/1000/unit%10))
	}
	return append(b, 'Z', '"')
}

// appendText writes a JSON string. What is not valid UTF-8 cannot have come in; it would be replaced.
func appendText(b []byte, text string) []byte {
	quoted, err := jsontext.AppendQuote(b, text)
	if err != nil {
		return append(b, `"\ufffd"`...)
	}
	return quoted
}
