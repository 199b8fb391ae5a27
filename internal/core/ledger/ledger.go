// Package ledger is double-entry bookkeeping and nothing else: accounts with pending and posted totals,
// postings that move one amount from a debit account to a credit account, and the rule that a capped
// account never falls below zero. It knows no payment words: a hold is a pending posting that is later
// posted or released, in parts if need be.
package ledger

import (
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
)

// Move says what a posting does to the totals of its two accounts.
type Move string

// The four moves. Pending totals are reservations, posted totals are final.
const (
	Hold    Move = "hold"    // pending grows
	Settle  Move = "settle"  // pending shrinks and posted grows: a part of a hold becomes final
	Release Move = "release" // pending shrinks: a part of a hold is given up
	Post    Move = "post"    // posted grows, without a hold before it
)

// Posting moves Amount minor units (more than 0) of Currency from the debit account to the credit
// account. It balances by construction: there is nothing to sum.
type Posting struct {
	Move     Move
	Debit    string // account id
	Credit   string // account id
	Amount   int64
	Currency money.Currency
}

// Moves reports whether the posting moves anything; the zero Posting does not.
func (p Posting) Moves() bool { return p.Move != "" }

// Totals are the four running totals of an account in minor units. The two posted ones are never negative
// and never shrink. The two pending ones are never negative on a whole account; on one stripe they may be,
// because a hold that one stripe counted may be settled or released on another.
type Totals struct {
	DebitsPending, DebitsPosted, CreditsPending, CreditsPosted int64
}

// Pending is the credit-positive sum of what is held on the account, in minor units.
func (t Totals) Pending() int64 { return t.CreditsPending - t.DebitsPending }

// Posted is the credit-positive final balance of the account, in minor units.
func (t Totals) Posted() int64 { return t.CreditsPosted - t.DebitsPosted }

// Available is what may still be debited: posted credits minus everything debited or held.
func (t Totals) Available() int64 { return t.CreditsPosted - t.DebitsPosted - t.DebitsPending }

// Running is an account's balance as one entry left it. Version counts the account's entries from 1
// without gaps, so that anyone can prove none is missing (rule V6).
type Running struct {
	Version, Pending, Posted int64
}

// Account is one ledger account, or one stripe of an uncapped one. A capped account refuses a debit that
// would take Available below zero; an uncapped account cannot refuse and so never needs to be locked.
type Account struct {
	ID       string
	Book     int
	Currency money.Currency
	Capped   bool
	Totals   Totals
	Version  int64
}

// Running returns the account's balance for the entry that was just applied.
func (a Account) Running() Running {
	return Running{Version: a.Version, Pending: a.Totals.Pending(), Posted: a.Totals.Posted()}
}

// Debit returns the account after p took from it, or the refusal: InsufficientFunds when the account is
// capped and holds too little, AmountOutOfRange when a total of an uncapped one would overflow.
func (a Account) Debit(p Posting) (Account, reject.Reason) {
	next := a
	next.Version++
	fits := move(p, &next.Totals.DebitsPending, &next.Totals.DebitsPosted)
	switch {
	case a.Capped && (!fits || next.Totals.Available() < 0):
		return a, reject.InsufficientFunds // what cannot be counted any more is not there either
	case !fits:
		return a, reject.AmountOutOfRange
	}
	next.check(p)
	return next, ""
}

// Credit returns the account after p gave to it, or AmountOutOfRange when a total would overflow.
func (a Account) Credit(p Posting) (Account, reject.Reason) {
	next := a
	next.Version++
	if !move(p, &next.Totals.CreditsPending, &next.Totals.CreditsPosted) {
		return a, reject.AmountOutOfRange
	}
	next.check(p)
	return next, ""
}

func move(p Posting, pending, posted *int64) bool {
	switch p.Move {
	case Hold:
		return add(pending, p.Amount)
	case Settle:
		return add(pending, -p.Amount) && add(posted, p.Amount)
	case Release:
		return add(pending, -p.Amount)
	case Post:
		return add(posted, p.Amount)
	}
	panic("ledger: a posting without a move")
}

func add(total *int64, amount int64) bool {
	sum, ok := money.Add(*total, amount)
	if ok {
		*total = sum
	}
	return ok
}

// check asserts what no caller may break: it guards against our own mistakes, not against customers.
func (a Account) check(p Posting) {
	t := a.Totals
	switch {
	case p.Amount <= 0:
		panic("ledger: a posting must move a positive amount")
	case p.Currency != a.Currency:
		panic("ledger: a posting crosses currencies")
	case a.Capped && (t.DebitsPending < 0 || t.CreditsPending < 0):
		panic("ledger: more was released than was held")
	}
}
