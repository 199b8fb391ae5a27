package sqlstore

import (
	"strconv"
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/core/link"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
)

// The columns of card payments, in the order in which their Scan functions read and their Values functions
// give them: first what never changes of a row, then the rest.
const (
	PaymentColumns = paymentFacts + ", " + PaymentState
	paymentFacts   = "id, book, merchant_id, link_id, session_id, shopper_id, card_token_id, connector, " +
		"terminal, currency, amount, order_reference, description, kind, auto_clearing, clear_micros, " +
		"recurring_type, recurring_frequency, recurring_expires_at, parent_id, card_brand, card_last4, " +
		"card_expiry, payer_ip, callback_url, created_at"
	PaymentState = "stage, status, authorized, captured, released, refunded, authorizing, capturing, " +
		"releasing, refunding, settled, operations, open_operations, unknown_operations, failure, response_code, " +
		"cvv_status, auth_code, rrn, network_reference, secure3d, eci, authenticate_by, clear_at, recurred_at, " +
		"sequence, updated_at, authed_at, confirmed_at, processed_at"

	OperationColumns = operationFacts + ", " + OperationState
	operationFacts   = "id, book, payment_id, refund_id, number, verb, amount, request_id, api_key_id, " +
		"idempotency_key, created_at"
	OperationState = "state, in_doubt, unknown_since, next_check_at, checks, contradictions, code, auth_code, " +
		"rrn, network_reference, cvv_status, sequence, updated_at, by_hand"

	LinkColumns = linkFacts + ", " + LinkState
	linkFacts   = "id, book, merchant_id, currency, amount, order_reference, description, shopper_id, " +
		"auto_clearing, validation, recurring, metadata, created_by, request_id, api_key_id, idempotency_key, " +
		"created_at"
	LinkState = "status, busy, payment_id, expires_at, updated_at, ended_request_id, ended_api_key_id, " +
		"ended_idempotency_key"
)

// Small is a value of a column that is narrower in PostgreSQL than an int64: a book.
type Small int64

// StoredPayment is a payment with the status that is stored beside it.
type StoredPayment struct {
	payment.Payment
	Status payment.Status
}

// PaymentValues gives PaymentColumns.
func PaymentValues(p payment.Payment) []any {
	return []any{
		p.ID, Small(p.Book), p.Merchant, p.Link, p.Session, p.Shopper, p.CardToken, p.Connector, p.Terminal,
		string(p.Currency), p.Amount, p.OrderReference, p.Description, string(p.Kind), p.AutoClearing,
		p.ClearMicros, string(p.Recurring.Type), p.Recurring.Frequency, p.Recurring.ExpiresAt, p.Parent,
		p.Card.Brand, p.Card.Last4, p.Card.Expiry, p.PayerIP, p.CallbackURL, p.CreatedAt,

		string(p.Stage), string(p.Status()), p.Authorized, p.Captured, p.Released, p.Refunded,
		p.Authorizing, p.Capturing, p.Releasing, p.Refunding, p.Settled, p.Operations, p.Open, p.Unknown,
		string(p.Failure), p.ResponseCode, p.CVVStatus, p.AuthCode, p.RRN, p.NetworkReference, p.Secure3D, p.ECI,
		p.AuthenticateBy, p.ClearAt, p.RecurredAt, p.Sequence, p.UpdatedAt, p.AuthedAt, p.ConfirmedAt,
		p.ProcessedAt,
	}
}

// ScanPayment reads PaymentColumns.
func ScanPayment(r Row) payment.Payment { return ScanStoredPayment(r).Payment }

// ScanStoredPayment reads PaymentColumns.
func ScanStoredPayment(r Row) StoredPayment {
	p := StoredPayment{Payment: payment.Payment{Facts: payment.Facts{ID: r.Text()}, Book: int(r.Int64())}}
	p.Merchant, p.Link, p.Session, p.Shopper, p.CardToken = r.Text(), r.Text(), r.Text(), r.Text(), r.Text()
	p.Connector, p.Terminal, p.Currency, p.Amount = r.Text(), r.Text(), money.Currency(r.Text()), r.Int64()
	p.OrderReference, p.Description, p.Kind = r.Text(), r.Text(), payment.Kind(r.Text())
	p.AutoClearing, p.ClearMicros = r.Bool(), r.Int64()
	p.Recurring = payment.Recurring{
		Type: payment.RecurringType(r.Text()), Frequency: r.Int64(), ExpiresAt: r.Int64(),
	}
	p.Parent = r.Text()
	p.Card = payment.Card{Brand: r.Text(), Last4: r.Text(), Expiry: r.Text()}
	p.PayerIP, p.CallbackURL, p.CreatedAt = r.Text(), r.Text(), r.Int64()

	p.Stage, p.Status = payment.Stage(r.Text()), payment.Status(r.Text())
	p.Authorized, p.Captured, p.Released, p.Refunded = r.Int64(), r.Int64(), r.Int64(), r.Int64()
	p.Authorizing, p.Capturing, p.Releasing, p.Refunding = r.Int64(), r.Int64(), r.Int64(), r.Int64()
	p.Settled, p.Operations, p.Open, p.Unknown = r.Int64(), r.Int64(), r.Int64(), r.Int64()
	p.Failure, p.ResponseCode, p.CVVStatus = reject.Reason(r.Text()), r.Text(), r.Text()
	p.AuthCode, p.RRN, p.NetworkReference = r.Text(), r.Text(), r.Text()
	p.Secure3D, p.ECI, p.AuthenticateBy = r.Bool(), r.Text(), r.Int64()
	p.ClearAt, p.RecurredAt, p.Sequence, p.UpdatedAt = r.Int64(), r.Int64(), r.Int64(), r.Int64()
	p.AuthedAt, p.ConfirmedAt, p.ProcessedAt = r.Int64(), r.Int64(), r.Int64()
	return p
}

// OperationValues gives OperationColumns.
func OperationValues(o payment.Operation) []any {
	return []any{
		o.ID, Small(o.Book), o.Payment, o.Refund, o.Number, string(o.Verb), o.Amount,
		o.Origin.RequestID, o.Origin.APIKeyID, o.Origin.IdempotencyKey, o.CreatedAt,

		string(o.State), o.Unknown, o.UnknownSince, o.NextCheckAt, o.Checks, o.Contradictions, o.Code,
		o.AuthCode, o.RRN, o.NetworkReference, o.CVVStatus, o.Sequence, o.UpdatedAt, o.ByHand,
	}
}

// ScanOperation reads OperationColumns.
func ScanOperation(r Row) payment.Operation {
	return payment.Operation{
		ID: r.Text(), Book: int(r.Int64()), Payment: r.Text(), Refund: r.Text(), Number: r.Int64(),
		Verb: payment.Verb(r.Text()), Amount: r.Int64(), Origin: scanOrigin(r), CreatedAt: r.Int64(),
		State: payment.State(r.Text()), Unknown: r.Bool(), UnknownSince: r.Int64(), NextCheckAt: r.Int64(),
		Checks: r.Int64(), Contradictions: r.Int64(), Code: r.Text(), AuthCode: r.Text(), RRN: r.Text(),
		NetworkReference: r.Text(), CVVStatus: r.Text(), Sequence: r.Int64(), UpdatedAt: r.Int64(),
		ByHand: r.Bool(),
	}
}

// LinkValues gives LinkColumns.
func LinkValues(l link.Link) []any {
	return []any{
		l.ID, Small(l.Book), l.Merchant, string(l.Currency), l.Amount, l.OrderReference, l.Description,
		l.Shopper, l.AutoClearing, l.Validation, l.Recurring, l.Metadata, l.CreatedBy,
		l.Origin.RequestID, l.Origin.APIKeyID, l.Origin.IdempotencyKey, l.CreatedAt,

		string(l.Status), l.Busy, l.Payment, l.ExpiresAt, l.UpdatedAt,
		l.Ended.RequestID, l.Ended.APIKeyID, l.Ended.IdempotencyKey,
	}
}

// ScanLink reads LinkColumns.
func ScanLink(r Row) link.Link {
	l := link.Link{Facts: link.Facts{ID: r.Text()}, Book: int(r.Int64())}
	l.Merchant, l.Currency, l.Amount = r.Text(), money.Currency(r.Text()), r.Int64()
	l.OrderReference, l.Description, l.Shopper = r.Text(), r.Text(), r.Text()
	l.AutoClearing, l.Validation = r.Bool(), r.Bool()
	l.Recurring, l.Metadata, l.CreatedBy = r.Text(), r.Text(), r.Text()
	l.Origin, l.CreatedAt = scanOrigin(r), r.Int64()
	l.Status, l.Busy, l.Payment = link.Status(r.Text()), r.Text(), r.Text()
	l.ExpiresAt, l.UpdatedAt, l.Ended = r.Int64(), r.Int64(), scanOrigin(r)
	return l
}

func scanOrigin(r Row) journal.Origin {
	return journal.Origin{RequestID: r.Text(), APIKeyID: r.Text(), IdempotencyKey: r.Text()}
}

// paymentBook returns the book of a payment or an operation, and whether the text is such an id at all.
func paymentBook(id string) (int64, bool) {
	if strings.Contains(id, "_") || journal.ULID(id) == "" {
		return 0, false
	}
	return int64(journal.BookOf(id)), true
}

// linkBook returns the book of a link, and whether the text is the id of one at all.
func linkBook(id string) (int64, bool) {
	digits, marked := strings.CutPrefix(id, linkPrefix)
	if !marked || len(digits) != 32 || strings.Trim(digits, "0123456789abcdef") != "" {
		return 0, false
	}
	return int64(journal.BookOf(id)), true
}

const linkPrefix = "pl_"

// Assign returns the assignments "column = $n" for the columns of state, where n is the place that the column
// has among columns.
func Assign(columns, state string) string {
	places := map[string]int{}
	for i, column := range strings.Split(columns, ", ") {
		places[column] = i + 1
	}
	var set []string
	for column := range strings.SplitSeq(state, ", ") {
		set = append(set, column+" = $"+strconv.Itoa(places[column]))
	}
	return strings.Join(set, ", ")
}
