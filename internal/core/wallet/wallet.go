package wallet

import (
	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/money"
)

// Condition says whether a wallet may be spent from.
type Condition string

// The two conditions. A blocked wallet can still receive money.
const (
	Active  Condition = "active"
	Blocked Condition = "blocked"
)

// Wallet is one customer's money in one currency. Its ledger account is part of it: a wallet is a capped
// account that never falls below zero.
type Wallet struct {
	ID        string
	Book      int
	Customer  string
	Condition Condition
	Limits    Limits
	Approval  Approval
	Spent     Spent
	Account   ledger.Account
	Sequence  int64       // of its last record as an object of its own
	Last      journal.Ref // the newest record of its statement
	CreatedAt int64       // microseconds
}

// Limits bound what a wallet may authorize, in minor units; 0 means no bound.
type Limits struct{ PerTransaction, PerDay int64 }

// Spent is what was authorized on one calendar day of Kazakhstan. Day counts days since 1970-01-01.
type Spent struct {
	Day    int64
	Amount int64 // minor units
}

// Customer is one person: one IIN with one phone. Only sealed bytes and blind indexes are kept.
type Customer struct {
	ID          string
	KeyID       string // data key that sealed and indexed the row
	IINIndex    string
	PhoneIndex  string
	IINSealed   []byte
	PhoneSealed []byte
	CreatedAt   int64 // microseconds
}

const day = 24 * 60 * 60 * 1_000_000

// kazakhstan is UTC+5 all year and everywhere in the country since 1 March 2024.
const kazakhstan = 5 * 60 * 60 * 1_000_000

// DayOf returns the calendar day of Kazakhstan at the given time, in days since 1970-01-01.
func DayOf(at int64) int64 { return (at + kazakhstan) / day }

// today returns the day that something at the given time counts on. A clock that is just behind midnight
// when another has passed it counts on the new day: two processes do not open the limit twice in turns.
func (w Wallet) today(at int64) int64 {
	today := DayOf(at)
	if w.Spent.Day == today+1 {
		return w.Spent.Day
	}
	return today
}

// spend returns the wallet with amount added to what was spent today.
func (w Wallet) spend(amount, at int64) Wallet {
	if today := w.today(at); w.Spent.Day != today {
		w.Spent = Spent{Day: today}
	}
	w.Spent.Amount += amount
	return w
}

// unspend gives back to the daily limit what was held today and is released today.
func (w Wallet) unspend(amount, heldAt, at int64) Wallet {
	today := DayOf(at)
	if w.Spent.Day == today && DayOf(heldAt) == today {
		w.Spent.Amount -= min(amount, w.Spent.Amount)
	}
	return w
}

// exceeds reports whether authorizing amount would break a limit of the wallet.
func (w Wallet) exceeds(amount, at int64) bool {
	if w.Limits.PerTransaction > 0 && amount > w.Limits.PerTransaction {
		return true
	}
	if w.Limits.PerDay == 0 {
		return false
	}
	spent := int64(0)
	if w.Spent.Day == w.today(at) {
		spent = w.Spent.Amount
	}
	return amount > w.Limits.PerDay-spent
}

// Adjustments is the platform's account against which wallets are corrected, in one currency.
func Adjustments(c money.Currency) string { return "platform:adjustments:" + string(c) }

// Terms are what a merchant has settled about its wallet transactions.
type Terms struct {
	Merchant string
	// HoldMicros is how long a hold lives before what remains of it is released, in microseconds.
	HoldMicros int64
	// ApprovalMicros is how long a wallet's owner may take to approve or decline, in microseconds.
	ApprovalMicros int64
	// RejectRepeats refuses an order reference that a transaction which did not fail already has.
	RejectRepeats bool
}
