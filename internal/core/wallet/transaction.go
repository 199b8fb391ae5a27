// Package wallet is the life of a wallet and of a wallet transaction: authorize, capture, cancel, refund,
// expiry, and the money that comes and goes outside a transaction. Every function takes values and
// returns values; nothing here knows storage, time or HTTP.
package wallet

import (
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
)

// Status is the public status of a transaction, in the seed's words.
type Status string

// The four statuses of the seed.
const (
	New        Status = "NEW"        // waits for the wallet's owner, nothing held yet
	Processing Status = "PROCESSING" // the owner has approved: about to be decided, nothing held yet
	Success    Status = "SUCCESS"    // the last operation succeeded
	Failed     Status = "FAILED"     // refused for good
)

// State says where the money of a transaction is. It is computed from the amounts and never stored on
// its own.
type State string

// The states, in the order in which they are tried.
const (
	StateFailed            State = "failed"
	StatePending           State = "pending"
	StateRefunded          State = "refunded"
	StatePartiallyRefunded State = "partially_refunded"
	StatePartiallyCaptured State = "partially_captured"
	StateCaptured          State = "captured"
	StateAuthorized        State = "authorized"
	StateExpired           State = "expired"
	StateCanceled          State = "canceled"
)

// Transaction is one wallet transaction. Amounts are minor units of Currency; times are microseconds
// since 1970-01-01 UTC.
type Transaction struct {
	ID             string
	Book           int
	Merchant       string
	Wallet         string // "" when none was found
	Currency       money.Currency
	OrderReference string
	Amount         int64 // what authorize asked for
	Status         Status
	Failure        reject.Reason // of a FAILED one; of a PROCESSING one what it will come to, mostly ""

	Authorized, Captured, Canceled, Expired, Refunded int64

	Sequence                        int64 // of its last record
	CreatedAt, UpdatedAt, ExpiresAt int64 // ExpiresAt: see LapsedAt; 0 when FAILED
}

// Remaining is what is still held: authorized and neither captured, canceled nor expired.
func (t Transaction) Remaining() int64 { return t.Authorized - t.Captured - t.Canceled - t.Expired }

// Refundable is what was captured and not yet refunded.
func (t Transaction) Refundable() int64 { return t.Captured - t.Refunded }

// State computes the state from the amounts: the first that matches, in the order of the constants.
func (t Transaction) State() State {
	remaining := t.Remaining()
	switch {
	case t.Status == Failed:
		return StateFailed
	case t.Status == New || t.Status == Processing:
		return StatePending
	case t.Captured > 0 && t.Refunded == t.Captured && remaining == 0:
		return StateRefunded
	case t.Refunded > 0:
		return StatePartiallyRefunded
	case t.Captured > 0 && remaining > 0:
		return StatePartiallyCaptured
	case t.Captured > 0:
		return StateCaptured
	case remaining > 0:
		return StateAuthorized
	case t.Expired > 0:
		return StateExpired
	default:
		return StateCanceled
	}
}

// LapsedAt reports whether the time of the transaction has come, run or not run what is then to be done: of a
// SUCCESS one the hold may no longer be used, of a NEW one the owner may no longer answer, and a PROCESSING
// one is due to be decided.
func (t Transaction) LapsedAt(at int64) bool { return t.ExpiresAt > 0 && at >= t.ExpiresAt }

// undecided refuses every operation on a transaction that failed or is not decided yet. One that nobody
// answered in time has failed, whether or not Lapse has run.
func (t Transaction) undecided(at int64) reject.Reason {
	switch {
	case t.Status == Failed, t.Status == New && t.LapsedAt(at):
		return reject.TransactionFailed
	case t.Status == New, t.Status == Processing:
		return reject.TransactionPending
	}
	return ""
}

// held refuses a capture or a cancel of amount, in order of precedence. A hold that was used up before
// its time ran out has nothing remaining; one that lapsed with money in it has expired.
func (t Transaction) held(amount, at int64) reject.Reason {
	if no := t.undecided(at); no != "" {
		return no
	}
	remaining := t.Remaining()
	switch {
	case t.Expired > 0, remaining > 0 && t.LapsedAt(at):
		return reject.HoldExpired
	case remaining == 0:
		return reject.NothingRemaining
	case amount > remaining:
		return reject.AmountExceedsRemaining
	}
	return ""
}

// moves lists which status may follow which. Success and Failed are terminal: what happens to the money
// of a successful transaction changes its state, never its status. Nobody's money is held without the
// owner's yes, so there is no way from New to Success but through Processing.
var moves = map[Status][]Status{
	"":         {New, Processing, Success, Failed},
	New:        {Processing, Failed},
	Processing: {Success, Failed},
}

// MayBecome reports whether a transaction may go from one status to another; "" is before it existed.
func MayBecome(from, to Status) bool {
	for _, next := range moves[from] {
		if next == to {
			return true
		}
	}
	return from == to && from != ""
}
