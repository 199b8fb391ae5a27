// Package payment is the life of a card payment: begun, authenticated, authorized, captured, canceled,
// refunded, settled by the acquirer. What the acquirer is asked for is written down before it is asked, and
// its answer after, so every change has two halves: an intent that raises a counter of what is in flight, and
// an answer that lowers it again. Every function takes values and returns values.
package payment

import (
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
)

// Kind says what a payment is for.
type Kind string

// The kinds. A refund is a payment of its own, whose parent is the payment that it gives back of.
const (
	Auth         Kind = "auth"         // hold now, capture later
	Sale         Kind = "sale"         // hold and capture at once
	Verification Kind = "verification" // ask whether the card is good; moves no money
	RefundOf     Kind = "refund"
)

// Stage is what the amounts cannot tell about a payment.
type Stage string

// The stages.
const (
	Opened     Stage = "opened"     // the bank has not answered yet
	Challenged Stage = "challenged" // the payer is, or was, in 3-D Secure; the bank has not answered yet
	Approved   Stage = "approved"   // by the bank: the amounts tell the rest
	Rejected   Stage = "rejected"   // by the bank or by 3-D Secure
	Failed     Stage = "failed"     // it certainly did not happen, for a technical reason
)

// Status is the public status, in Plexy's words (plexy-api.md §3.1).
type Status string

// The statuses.
const (
	StatusCreated    Status = "created"
	Status3D         Status = "3d"
	StatusAuthorized Status = "authorized"
	StatusCharged    Status = "charged"
	StatusRejected   Status = "rejected"
	StatusFailed     Status = "failed"
	StatusCancelled  Status = "cancelled"
	StatusRefunded   Status = "refunded"
)

// MaxAmount bounds the amount of one payment, in minor units: an account can count millions of those.
const MaxAmount = 1_000_000_000_000

// Times of a payment, in microseconds.
const (
	// AuthenticationMicros is how long a payer may take in 3-D Secure: 15 minutes.
	AuthenticationMicros = 15 * minute
	// clearingPause is how long an automatic capture that the acquirer refused waits for the next try.
	clearingPause = 6 * hour
	// longestHold is how long any card network holds money: nothing is captured by itself after it.
	longestHold = 30 * day

	second = 1_000_000
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// Facts are what never changes about a payment.
type Facts struct {
	ID        string // a bare UUIDv7
	Merchant  string
	Link      string // "" when it was not paid through a link
	Session   string // "" when it was not begun in a payment session
	Shopper   string // the merchant's customer; "" for none
	CardToken string // the stored card that paid, or that is to be stored; "" for none
	Connector string // name of the acquirer's connector
	Terminal  string

	Currency       money.Currency
	Amount         int64 // minor units; 0 only of a Verification
	OrderReference string
	Description    string
	Kind           Kind

	AutoClearing bool
	ClearMicros  int64 // how long after its authorization it is captured by itself; 0, as of a Sale, for at once

	Recurring Recurring
	Parent    string // the payment that began the series, or that this refund gives back of; "" for none

	Card        Card
	PayerIP     string
	CallbackURL string // where this payment's webhooks go besides the merchant's endpoints; "" for none
}

// Recurring is a payment's part in a series. The first payment of one says what the payer agreed to.
type Recurring struct {
	Type      RecurringType
	Frequency int64 // of a first one: least number of days between two of the series; 0 for any
	ExpiresAt int64 // of a first one: until when (microseconds) there may be more; 0 for ever
}

// RecurringType says which payment of a series it is.
type RecurringType string

// The two types; "" is no series.
const (
	Initial     RecurringType = "cof_initial" // the payer was there and agreed
	Unscheduled RecurringType = "ucof"        // by the merchant, without the payer
)

// Card is what may be known of a card outside the vault.
type Card struct {
	Brand  string // such as visa
	Last4  string
	Expiry string // MM/YY
}

// Payment is one card payment. Amounts are minor units of Currency; times are microseconds since 1970-01-01
// UTC, 0 for what did not happen.
type Payment struct {
	Facts
	Book  int // see journal.BookOf
	Stage Stage

	Authorized, Captured, Released, Refunded     int64
	Authorizing, Capturing, Releasing, Refunding int64 // asked of the acquirer and not answered
	// Settled is what the acquirer paid out of what was captured; of a refund, what it kept of it.
	Settled int64
	// Operations counts all there were, Open those without an answer, Unknown the unknown ones of them.
	Operations, Open, Unknown int64

	Failure                         reject.Reason
	ResponseCode, CVVStatus         string // of the authorization; see Answer
	AuthCode, RRN, NetworkReference string
	Secure3D                        bool   // the payer was authenticated
	ECI                             string // electronic commerce indicator, as 3-D Secure gave it

	AuthenticateBy int64 // when 3-D Secure is given up; 0 when it is over
	ClearAt        int64 // when it is captured by itself; 0 for never
	RecurredAt     int64 // of a first one: when the last of its series was authorized, or begun; see Recur

	Sequence                           int64 // of its last record
	CreatedAt, UpdatedAt               int64
	AuthedAt, ConfirmedAt, ProcessedAt int64 // authorized · captured first · nothing more to come
}

// Remaining is what is still held: authorized and neither captured nor released.
func (p Payment) Remaining() int64 { return p.Authorized - p.Captured - p.Released }

// Free is what may still be captured or released: what is held and not asked for yet.
func (p Payment) Free() int64 { return p.Remaining() - p.Capturing - p.Releasing }

// Balance is what was captured and not yet refunded: the API's balance.
func (p Payment) Balance() int64 { return p.Captured - p.Refunded }

// Status computes the public status. It is the only place that does (rule V7).
func (p Payment) Status() Status {
	switch {
	case p.Stage == Failed:
		return StatusFailed
	case p.Stage == Rejected:
		return StatusRejected
	case p.Stage == Challenged:
		return Status3D
	case p.Stage == Opened:
		return StatusCreated
	case p.Kind == RefundOf:
		return StatusRefunded
	case p.Captured > 0 && p.Refunded == p.Captured && p.Remaining() == 0:
		return StatusRefunded
	case p.Captured > 0:
		return StatusCharged
	case p.Authorized > 0 && p.Released == p.Authorized:
		return StatusCancelled
	}
	return StatusAuthorized
}

// moves lists which status may follow which; "" is before it existed. Refunded is left again when a refund
// that was accepted fails later.
var moves = map[Status][]Status{
	"":               {StatusCreated, Status3D},
	StatusCreated:    {StatusAuthorized, StatusRejected, StatusFailed, StatusRefunded},
	Status3D:         {StatusAuthorized, StatusRejected, StatusFailed},
	StatusAuthorized: {StatusCharged, StatusCancelled},
	StatusCharged:    {StatusRefunded},
	StatusRefunded:   {StatusCharged, StatusFailed},
}

// MayBecome reports whether a payment may go from one status to another; "" is before it existed.
func MayBecome(from, to Status) bool {
	for _, next := range moves[from] {
		if next == to {
			return true
		}
	}
	return from == to && from != ""
}
