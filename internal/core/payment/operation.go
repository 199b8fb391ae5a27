package payment

import (
	"plexy/internal/core/journal"
	"plexy/internal/core/reject"
)

// Verb is what an operation asks of the acquirer.
type Verb string

// The verbs.
const (
	Authorize Verb = "authorize"
	Capture   Verb = "capture"
	Cancel    Verb = "cancel"
	Refund    Verb = "refund"
)

// State is what became of an operation.
type State string

// The states. Only Sent is left again.
const (
	Sent     State = "sent"     // asked, or about to be asked; the answer is not known
	Accepted State = "approved" // the acquirer did it
	Declined State = "declined" // the acquirer refused
	Undone   State = "failed"   // it certainly did not happen: not sent, or not known to the acquirer
)

// Operation is one thing asked of the acquirer for a payment. It is written before the acquirer is asked.
// Its id is the acquirer's key against doing it twice.
type Operation struct {
	ID      string // a bare UUIDv7
	Payment string // whose counters it changes
	Refund  string // of a Refund: the payment that the refund is; else ""
	Book    int    // the payment's
	Number  int64  // 1, 2, 3 … per payment
	Verb    Verb
	Amount  int64 // minor units; 0 only to authorize a Verification
	State   State

	// Unknown is set on a Sent one when the acquirer did not say, or says that it is pending: it is asked
	// again at NextCheckAt, Checks times so far, and NextCheckAt is 0 when only a person can help.
	Unknown      bool
	UnknownSince int64
	NextCheckAt  int64
	Checks       int64

	// Contradictions counts answers that were not believed: a second one that says something else, or one
	// with another amount.
	Contradictions int64
	ByHand         bool // settled by a person, not by the acquirer

	Code, AuthCode, RRN, NetworkReference, CVVStatus string // see Answer

	Origin               journal.Origin // which request asked for it
	Sequence             int64          // of the record it wrote, on Refund or else on Payment; 0 for none
	CreatedAt, UpdatedAt int64
}

// Answer is what an acquirer said about an operation, whoever brought it: the call itself, an inquiry or a
// callback.
type Answer struct {
	State            State  // Accepted, Declined or Undone
	Amount           int64  // as the acquirer says, in minor units; 0 when it does not say
	Code             string // two characters, ISO 8583 field 39 as in plexy-api.md §2.2
	AuthCode         string
	RRN              string // retrieval reference number
	NetworkReference string
	CVVStatus        string
	Reason           reject.Reason // of an Undone one, why; "" for AcquirerUnavailable
}

// answerMicros is how long the answer to a call may take before the operation is asked after. It is longer
// than any connector waits, so that nobody asks after what is just being asked.
const answerMicros = 2 * minute

// pauses are how long to wait before an unknown operation is asked after again (practice.md §5.4): growing
// ones, then daily for five days, then it is left to a person.
var pauses = []int64{5 * second, 30 * second, 2 * minute, 10 * minute, hour, day, day, day, day, day}

// nextCheck returns when to ask again after checks times; 0 when only a person can help.
func nextCheck(checks, at int64) int64 {
	if checks > int64(len(pauses)) {
		return 0
	}
	return at + pauses[checks-1]
}
