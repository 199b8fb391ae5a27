// Package link is the life of a payment link: active until one payer has paid, until it expires or until it
// is cancelled. While one payer's payment is under way no other may begin one. Every function takes values
// and returns values.
package link

import (
	"plexy/internal/core/journal"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
)

// Status is the public status of a link.
type Status string

// The statuses. Only Active is left again.
const (
	Active    Status = "active"
	Paid      Status = "paid"
	Expired   Status = "expired"
	Cancelled Status = "cancelled"
)

// Facts are what never changes about a link.
type Facts struct {
	ID             string // pl_ and 32 hexadecimal digits of a UUIDv7
	Merchant       string
	Currency       money.Currency
	Amount         int64 // minor units, more than 0
	OrderReference string
	Description    string
	Shopper        string // the merchant's customer who is to pay; "" for anybody
	AutoClearing   bool
	Validation     bool   // as the merchant sent it; it has no effect here
	Recurring      string // how the first payment begins a series, as the door wrote it; "" for none
	Metadata       string // the merchant's JSON object, as the door wrote it; "" for none
	CreatedBy      string // the API key, or who else made it
}

// Link is one payment link. Times are microseconds since 1970-01-01 UTC.
type Link struct {
	Facts
	Book                            int // see journal.BookOf
	Status                          Status
	Busy                            string         // the payment under way; "" for none
	Payment                         string         // the payment that paid it; "" for none
	ExpiresAt, CreatedAt, UpdatedAt int64          // ExpiresAt 0 for never
	Origin, Ended                   journal.Origin // which request made it, and which one cancelled it
}

// maxAmount is that of a payment: an account can count millions of those.
const maxAmount = 1_000_000_000_000

// Create makes a link. AmountOutOfRange: the amount is none, or too large for a payment. ExpiresAtPassed: it
// would never have been active.
func Create(f Facts, expiresAt, at int64) (Link, reject.Reason) {
	if f.Amount <= 0 || f.Amount > maxAmount {
		return Link{}, reject.AmountOutOfRange
	}
	if expiresAt != 0 && expiresAt <= at {
		return Link{}, reject.ExpiresAtPassed
	}
	return Link{
		Facts: f, Book: journal.BookOf(f.ID), Status: Active, ExpiresAt: expiresAt, CreatedAt: at, UpdatedAt: at,
	}, ""
}

// lapsed reports whether the link's time is over, run or not run Expire.
func (l Link) lapsed(at int64) bool { return l.ExpiresAt > 0 && at >= l.ExpiresAt }

// open refuses what may only be done with an active link, in order of precedence.
func (l Link) open(at int64) reject.Reason {
	switch {
	case l.Status == Paid:
		return reject.LinkAlreadyPaid
	case l.Status == Cancelled:
		return reject.LinkCancelled
	case l.Busy != "":
		return reject.LinkBusy
	case l.Status == Expired || l.lapsed(at):
		return reject.LinkExpired
	}
	return ""
}

// StatusAt is the status to show at the given time: a link whose time is over shows as expired, whether or
// not Expire has run, unless a payment is under way that may still pay it.
func (l Link) StatusAt(at int64) Status {
	if l.Status == Active && l.Busy == "" && l.lapsed(at) {
		return Expired
	}
	return l.Status
}

// notBefore returns the time at which something happens to the link: never before what happened last.
func (l Link) notBefore(at int64) int64 { return max(l.UpdatedAt, at) }

// Begin takes the link for a payment.
func Begin(l Link, payment string, at int64) (Link, reject.Reason) {
	at = l.notBefore(at)
	if no := l.open(at); no != "" {
		return l, no
	}
	l.Busy, l.UpdatedAt = payment, at
	return l, ""
}

// Pay makes the link paid by the payment that has it.
func Pay(l Link, payment string, at int64) Link {
	if l.Busy != payment {
		panic("link: paid by a payment that did not have it")
	}
	l.Status, l.Busy, l.Payment, l.UpdatedAt = Paid, "", payment, l.notBefore(at)
	return l
}

// Free gives the link back: the payment that had it came to nothing.
func Free(l Link, payment string, at int64) Link {
	if l.Busy == payment {
		l.Busy, l.UpdatedAt = "", l.notBefore(at)
	}
	return l
}

// Cancel ends the link.
func Cancel(l Link, at int64) (Link, reject.Reason) {
	at = l.notBefore(at)
	if no := l.open(at); no != "" {
		return l, no
	}
	l.Status, l.UpdatedAt = Cancelled, at
	return l, ""
}

// SetExpiry changes when the link expires, in microseconds.
func SetExpiry(l Link, expiresAt, at int64) (Link, reject.Reason) {
	at = l.notBefore(at)
	if no := l.open(at); no != "" && no != reject.LinkBusy {
		return l, no
	}
	l.ExpiresAt, l.UpdatedAt = expiresAt, at
	return l, ""
}

// Expire ends a link whose time is over. It waits for a payment that is under way: LinkBusy; and changes
// nothing before its time: LinkNotDue.
func Expire(l Link, at int64) (Link, reject.Reason) {
	at = l.notBefore(at)
	switch no := l.open(at); {
	case no == "":
		return l, reject.LinkNotDue
	case l.Status != Active || no == reject.LinkBusy:
		return l, no
	}
	l.Status, l.UpdatedAt = Expired, at
	return l, ""
}
