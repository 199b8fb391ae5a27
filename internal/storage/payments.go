package storage

import (
	"context"

	"plexy/internal/core/link"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
)

// MaxTotal is how far a list is counted that is restricted by anything but the merchant: a total is exact up
// to here, and MaxTotal stands for that or more, so that a page of it costs the same however much is stored.
// The total of all payments or links of a merchant is always exact.
const MaxTotal = 10_000

// PaymentQuery asks for payments of one merchant, newest first (in falling order of id). Zero fields do not
// restrict.
type PaymentQuery struct {
	Merchant               string
	Link                   string
	Shopper                string
	Parent                 string // refunds of it and payments of its series
	OrderReference         string
	Status                 payment.Status
	CreatedFrom, CreatedTo int64 // microseconds: from inclusive, to exclusive
	Offset                 int   // rows to skip, at most MaxTotal in a restricted list
	Limit                  int
}

// All reports whether q asks for all payments of the merchant.
func (q PaymentQuery) All() bool {
	return q == PaymentQuery{Merchant: q.Merchant, Offset: q.Offset, Limit: q.Limit}
}

// LinkQuery asks for links of one merchant, newest first (in falling order of id). Zero fields do not
// restrict.
type LinkQuery struct {
	Merchant               string
	Status                 link.Status // as stored: one whose time is over is active until it was expired
	CreatedFrom, CreatedTo int64       // microseconds: from inclusive, to exclusive
	Offset                 int         // rows to skip, at most MaxTotal in a restricted list
	Limit                  int
}

// All reports whether q asks for all links of the merchant.
func (q LinkQuery) All() bool {
	return q == LinkQuery{Merchant: q.Merchant, Offset: q.Offset, Limit: q.Limit}
}

// LinkCount is how many links of a merchant have a status in a currency, and their amounts together.
type LinkCount struct {
	Status   link.Status
	Currency money.Currency
	Links    int64
	Amount   int64 // minor units
}

// Asked is an operation with the payment whose counters it changes.
type Asked struct {
	Operation payment.Operation
	Payment   payment.Payment
}

// Payments answers questions about card payments and payment links. It never decides about money.
//
// What a keeper stores of them: every field of payment.Payment, payment.Operation and link.Link, and beside a
// payment its Status(), which queries filter by. Unique are the ids, and the order reference of a merchant's
// links where it is not "". A Batch loads what machine.Keys names under Links, Payments, Operations and
// LinkReferences (with State.AddLink and so on) and saves what machine.Changes lists under NewLinks, Links,
// NewPayments, Payments, NewOperations and Operations. It locks links, then payments, each in order of id;
// operations are guarded by their payment's lock. Records of payments have no wallet, and both sides of their
// posting are stripes (journal.Record.Stripes). The amount of a record of a verification is 0.
type Payments interface {
	// Payment returns the merchant's payment, or ErrNotFound.
	Payment(ctx context.Context, merchant, id string) (payment.Payment, error)
	// AnyPayment returns a payment for the platform's own purposes, or ErrNotFound.
	AnyPayment(ctx context.Context, id string) (payment.Payment, error)
	// Payments returns at most q.Limit payments, and how many there are in all (see MaxTotal).
	Payments(ctx context.Context, q PaymentQuery) ([]payment.Payment, int64, error)
	// OperationsOf returns what was asked of the acquirer for a payment, in order of number. The records of
	// the payment are Reader.Operations.
	OperationsOf(ctx context.Context, payment string) ([]payment.Operation, error)
	// Asked returns an operation with its payment, or ErrNotFound.
	Asked(ctx context.Context, operation string) (Asked, error)

	// Link returns the merchant's link, or ErrNotFound.
	Link(ctx context.Context, merchant, id string) (link.Link, error)
	// AnyLink returns a link for whoever has its id: the payer.
	AnyLink(ctx context.Context, id string) (link.Link, error)
	// LinkByReference returns the merchant's link with an order reference, or ErrNotFound.
	LinkByReference(ctx context.Context, merchant, reference string) (link.Link, error)
	// Links returns at most q.Limit links, and how many there are in all (see MaxTotal).
	Links(ctx context.Context, q LinkQuery) ([]link.Link, int64, error)
	// LinkStatistics counts the merchant's links that were made in the time from (inclusive) to (exclusive,
	// 0 for no end), in order of status and currency. Whole days, of UTC, are counted already; of a first and a
	// last day that are not whole it reads the links.
	LinkStatistics(ctx context.Context, merchant string, from, to int64) ([]LinkCount, error)

	// DueOperations returns at most limit operations that are sent, whose NextCheckAt is not 0 and has come;
	// the longest due first.
	DueOperations(ctx context.Context, at int64, limit int) ([]Asked, error)
	// UnknownOperations returns at most limit operations whose outcome is unknown, the oldest first.
	UnknownOperations(ctx context.Context, limit int) ([]Asked, error)
	// ContradictedOperations returns at most limit operations of which an answer was not believed and that
	// changed at the time since or later, the newest first.
	ContradictedOperations(ctx context.Context, since int64, limit int) ([]Asked, error)
	// DueClearings returns at most limit payments whose ClearAt is not 0 and has come and that have no open
	// operation; the longest due first.
	DueClearings(ctx context.Context, at int64, limit int) ([]payment.Payment, error)
	// DueAuthentications returns at most limit payments whose AuthenticateBy is not 0 and has come; the
	// longest due first.
	DueAuthentications(ctx context.Context, at int64, limit int) ([]payment.Payment, error)
	// DueLinks returns at most limit ids of links that are active and not busy, whose ExpiresAt is not 0 and
	// has come; the longest due first.
	DueLinks(ctx context.Context, at int64, limit int) ([]string, error)
}

// PaymentBooks walks card payments for verification, in the same snapshot as Books.
type PaymentBooks interface {
	// Payments walks in order of id, the same order as Journal. The status is the stored one.
	Payments(ctx context.Context, fn func(payment.Payment, payment.Status) error) error
	// Operations walks in order of payment and number.
	Operations(ctx context.Context, fn func(payment.Operation) error) error
	// Links walks in order of id.
	Links(ctx context.Context, fn func(link.Link) error) error
}
