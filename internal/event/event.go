// Package event is what merchants hear of: committed records with their number in the merchant's feed, the
// endpoints that want to hear, and the deliveries to them. These are records and their rules; nothing here
// sends anything.
package event

import (
	"slices"
	"strconv"
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/core/payment"
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
	Transaction wallet.Transaction // as the record left it; zero where Payment is set
	Payment     *payment.Payment   // of a card payment, as the record left it; else nil
	Minor       bool               // its merchant wants amounts of payments in minor units
}

// New returns the event of a record, with the transaction rewound from what it is by now.
func New(number int64, r journal.Record, now wallet.Transaction) Event {
	return Event{Number: number, Record: r, Transaction: Then(now, r)}
}

// OfPayment returns the event of a payment's record, with the payment rewound from what it is by now.
func OfPayment(number int64, r journal.Record, now payment.Payment) Event {
	then := ThenPayment(now, r)
	return Event{Number: number, Record: r, Payment: &then}
}

// ID returns the id of the event: evt_, the object's ULID, the object's sequence. It names the message in
// every attempt to deliver it.
func (e Event) ID() string { return ID(e.Record.Object, e.Record.Sequence) }

const prefix = "evt_"

// ID returns the id of the event with the given sequence on object.
func ID(object string, sequence int64) string {
	return prefix + journal.ULID(object) + "_" + strconv.FormatInt(sequence, 10)
}

// Parse returns the record that an event's id names, and whether it is such an id: nothing else may be
// looked for, since there are texts that a database does not take. Merchants hear of wallet transactions
// and of card payments only, so the object is one of them.
func Parse(text string) (journal.Ref, bool) {
	rest, ok := strings.CutPrefix(text, prefix)
	ulid, digits, _ := strings.Cut(rest, "_")
	object, known := journal.UUID(ulid)
	if !known {
		object = id.Transaction + ulid
		_, known = id.Book(id.Transaction, object)
	}
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

// ThenPayment returns the payment as the record left it, from what it is by now: what never changes, and what
// the record says of the rest. What was under way with the acquirer at that time is not kept.
func ThenPayment(p payment.Payment, r journal.Record) payment.Payment {
	a := r.After
	p.Authorized, p.Captured, p.Released, p.Refunded = a.Authorized, a.Captured, a.Canceled, a.Refunded
	p.Authorizing, p.Capturing, p.Releasing, p.Refunding = 0, 0, 0, 0
	p.Open, p.Unknown, p.AuthenticateBy = 0, 0, 0
	p.Sequence, p.UpdatedAt = r.Sequence, r.At
	for _, at := range []*int64{&p.AuthedAt, &p.ConfirmedAt, &p.ProcessedAt} {
		if *at > r.At {
			*at = 0
		}
	}
	switch payment.Status(a.State) {
	case payment.StatusCreated:
		p.Stage, p.ResponseCode, p.CVVStatus, p.AuthCode, p.RRN = payment.Opened, "", "", "", ""
		p.NetworkReference, p.Secure3D, p.ECI = "", false, ""
	case payment.StatusRejected:
		p.Stage = payment.Rejected
	case payment.StatusFailed:
		p.Stage = payment.Failed
	default:
		p.Stage = payment.Approved
	}
	if p.Stage != payment.Rejected && p.Stage != payment.Failed {
		p.Failure = ""
	}
	return p
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
	{"transaction.created", "A card payment was begun; the bank has not answered yet."},
	{"transaction.authorized", "The bank holds the amount, or says that the verified card is good."},
	{"transaction.charged", "Captured, in whole or in part; again when a part of it was given up or refunded."},
	{"transaction.rejected", "The bank declined, or the payer was not authenticated."},
	{"transaction.failed", "It certainly did not happen, for a technical reason."},
	{"transaction.cancelled", "All that was held was given up."},
	{"transaction.refunded", "A refund was accepted, or nothing is left to refund of a payment."},
}

// Known reports whether name is of the table.
func Known(name string) bool {
	return slices.ContainsFunc(kinds, func(k Kind) bool { return k.Name == name })
}
