// Package event is what merchants hear of: committed records with their number in the merchant's feed, the
// endpoints that want to hear, and the deliveries to them. These are records and their rules; nothing here
// sends anything.
package event

import (
	"slices"
	"strconv"
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
)

// Version is the present form of the bodies. A body of one version always looks the same, whichever release
// made it: a change of form is a new version, and endpoints stay at theirs (rule W-10); see Versions.
const Version = 1

// Event is a record of the journal with its number: the n-th event of its merchant.
type Event struct {
	Number      int64 // 1, 2, 3 … per merchant, without gaps (rule W-1)
	Record      journal.Record
	Transaction wallet.Transaction // as the record left it
}

// New returns the event of a record, with the transaction rewound from what it is by now.
func New(number int64, r journal.Record, now wallet.Transaction) Event {
	return Event{Number: number, Record: r, Transaction: Then(now, r)}
}

// ID returns the id of the event: evt_, the object's ULID, the object's sequence. It names the message in
// every attempt to deliver it.
func (e Event) ID() string { return ID(e.Record.Object, e.Record.Sequence) }

const prefix = "evt_"

// ID returns the id of the event with the given sequence on object.
func ID(object string, sequence int64) string {
	_, ulid, _ := strings.Cut(object, "_")
	return prefix + ulid + "_" + strconv.FormatInt(sequence, 10)
}

// Parse returns the record that an event's id names, and whether it is such an id: nothing else may be
// looked for, since there are texts that a database does not take. Merchants hear of wallet transactions
// only, so the object is one.
func Parse(text string) (journal.Ref, bool) {
	rest, ok := strings.CutPrefix(text, prefix)
	ulid, digits, _ := strings.Cut(rest, "_")
	object := id.Transaction + ulid
	_, known := id.Book(id.Transaction, object)
	sequence, err := strconv.ParseInt(digits, 10, 64)
	if !ok || !known || err != nil || sequence < 1 || strconv.FormatInt(sequence, 10) != digits {
		return journal.Ref{}, false
	}
	return journal.Ref{Object: object, Sequence: sequence}, true
}

// Then returns the transaction as the record left it, from what it is by now: what never changes, and what
// the record says of the rest.
func Then(t wallet.Transaction, r journal.Record) wallet.Transaction {
	a := r.After
	t.Authorized, t.Captured, t.Canceled, t.Expired, t.Refunded =
		a.Authorized, a.Captured, a.Canceled, a.Expired, a.Refunded
	t.Sequence, t.UpdatedAt = r.Sequence, r.At
	if a.Authorized == 0 {
		t.ExpiresAt = 0 // nothing was held yet, and until when an owner could answer is not kept
	}
	switch wallet.State(a.State) {
	case wallet.StateFailed:
		t.Status = wallet.Failed
	case wallet.StatePending:
		t.Status, t.Failure = wallet.Processing, ""
		if r.Type == journal.Created {
			t.Status = wallet.New
		}
	default:
		t.Status, t.Failure = wallet.Success, ""
	}
	return t
}

// Kind is one name of the table of events.
type Kind struct {
	Name string
	What string // one line for people
}

// Kinds lists every event that a merchant can hear of; the API description and the docs repeat it, and a
// test compares.
func Kinds() []Kind { return slices.Clone(kinds) }

var kinds = []Kind{
	{"wallet.transaction.created", "The wallet's owner is asked to approve; nothing is held yet."},
	{"wallet.transaction.approved", "The wallet's owner approved; it is being decided."},
	{"wallet.transaction.processing", "It is decided later, as the sandbox was asked to."},
	{"wallet.transaction.authorized", "The amount is held on the wallet."},
	{"wallet.transaction.failed", "The transaction failed for good; failureReason says why."},
	{"wallet.transaction.captured", "A part or all of what is held became the merchant's."},
	{"wallet.transaction.canceled", "A part or all of what is held was given up by the merchant."},
	{"wallet.transaction.refunded", "A part or all of what was captured went back to the wallet."},
	{"wallet.transaction.expired", "What was still held when its time ran out was released."},
}

// Known reports whether name is of the table.
func Known(name string) bool {
	return slices.ContainsFunc(kinds, func(k Kind) bool { return k.Name == name })
}
