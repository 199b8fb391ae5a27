// Package journal is the record of what happened: one record per change, holding the operation, its
// posting with the running balances it left, and the event with its object as it then was. Operation,
// entry and event are one row, so none can exist without the others (rule V10).
package journal

import (
	"strconv"
	"strings"

	"plexy/internal/core/ledger"
	"plexy/internal/core/money"
)

// Type is what happened to the object. Together with the object's kind it names the event.
type Type string

// What happens to a wallet transaction.
const (
	Created    Type = "created"    // waits for the wallet's owner: NEW
	Approved   Type = "approved"   // by the owner: PROCESSING
	Processing Type = "processing" // decided later, as the sandbox was asked: PROCESSING
	Authorized Type = "authorized"
	Failed     Type = "failed"
	Captured   Type = "captured"
	Canceled   Type = "canceled"
	Refunded   Type = "refunded"
	Expired    Type = "expired"
)

// What happens to a wallet's money outside a transaction.
const (
	ToppedUp  Type = "topped_up"
	Withdrawn Type = "withdrawn"
	Adjusted  Type = "adjusted"
)

// What happens to a card payment, besides Created, Authorized, Failed and Refunded.
const (
	Charged      Type = "charged"   // a part or all of what is held was captured
	Cancelled    Type = "cancelled" // a part or all of what is held was given up; Plexy spells it so there
	Rejected     Type = "rejected"
	RefundFailed Type = "refund_failed" // a refund that was accepted failed later
	Settled      Type = "settled"       // the acquirer paid us out, or kept what was refunded
	FeeKept      Type = "fee"           // of which it kept something for itself
)

// Record is one change. It is written once and never changed.
type Record struct {
	Object   string // wallet transaction (wt_…), wallet (wlt_…) or payment (bare UUIDv7) that changed
	Sequence int64  // 1, 2, 3 … per object, given under the object's lock
	Book     int    // the object's book, 0 to 1023
	Type     Type
	Merchant string // whose feed the event belongs to; "" is the platform's own
	Wallet   string // the wallet concerned; "" when none was found, and of payments
	At       int64  // microseconds since 1970-01-01 UTC
	Amount   int64  // of this operation, in minor units; 0 only when a card is verified
	Currency money.Currency

	// The entry. Debit and Credit are the accounts' balances right after it; an uncapped side (see Stripes)
	// is the stripe StripeBook of its account and is filled in by the storage keeper, which owns the stripes.
	Posting       ledger.Posting
	Debit, Credit ledger.Running
	StripeBook    int

	After  After
	Origin Origin

	// Previous is the wallet's record before this one: a wallet's statement is this chain, walked back
	// from the wallet, so that no index grows in random places while money moves.
	Previous Ref
}

// Ref names a record.
type Ref struct {
	Object   string // "" names none
	Sequence int64
}

// After is the object as the change left it. For a wallet only State is used: its money is in the
// running balance. For a payment State is its status, and Canceled what was released.
type After struct {
	State                                             string
	Authorized, Captured, Canceled, Expired, Refunded int64 // minor units
}

// Origin says which request asked for the change.
type Origin struct {
	RequestID      string
	APIKeyID       string // "" for the platform itself
	IdempotencyKey string
}

// Stripes says which sides of the posting are stripes of uncapped accounts. The wallet's side is not: a
// wallet is a capped account of its own. A payment has no wallet, so both sides are.
func (r Record) Stripes() (debit, credit bool) {
	if !r.Posting.Moves() {
		return false, false
	}
	return r.Posting.Debit != r.Wallet, r.Posting.Credit != r.Wallet
}

// Event returns the event's name, such as wallet.transaction.captured or wallet.topped_up. A payment's is
// named by the status that the change left it in, transaction.charged: so says Plexy's documentation, and so
// a receiver that only compares names takes no partial refund for the loss of an order.
func (r Record) Event() string {
	kind, _, marked := strings.Cut(r.Object, "_")
	switch {
	case !marked:
		return "transaction." + r.After.State
	case kind == "wt":
		return "wallet.transaction." + string(r.Type)
	}
	return "wallet." + string(r.Type)
}

// OperationID returns the id of the operation that the record is: op_, the object's ULID, the sequence.
func (r Record) OperationID() string { return OperationID(r.Object, r.Sequence) }

// Signed returns the amount in minor units as it was asked for: an adjustment that took money from its wallet
// is negative.
func (r Record) Signed() int64 {
	if r.Type == Adjusted && r.Posting.Debit == r.Wallet {
		return -r.Amount
	}
	return r.Amount
}

// OperationID returns the id of the operation with the given sequence on object.
func OperationID(object string, sequence int64) string {
	return "op_" + ULID(object) + "_" + strconv.FormatInt(sequence, 10)
}
