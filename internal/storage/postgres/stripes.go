package postgres

import (
	"cmp"
	"fmt"
	"slices"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/money"
)

// Sides of an entry that are stripes; those of a card payment are both.
const (
	noSide     = 0
	debitSide  = 1
	creditSide = 2
)

// stripes is what a batch does to its stripes: one delta per account, added to the row without reading it.
//
// The running balances of the stripe's side are not known in this process. Each record is given instead
// what the later records of the batch do to the same stripe, and the database takes that off the balance
// that the whole batch has left.
type stripes struct {
	book    int
	deltas  map[string]*ledger.Account
	records []journal.Record // with the stripe's side filled in
	sides   []int64          // of each record
}

// sumStripes computes the deltas of the records and fills the sides that are stripes in a copy of them. It
// fails when a delta does not fit 64 bits.
func sumStripes(book int, records []journal.Record) (*stripes, error) {
	s := &stripes{
		book: book, deltas: map[string]*ledger.Account{},
		records: slices.Clone(records), sides: make([]int64, len(records)),
	}
	for i := range s.records {
		r := &s.records[i]
		debit, credit := r.Stripes()
		var err error
		if debit {
			s.sides[i] |= debitSide
			r.Debit, err = s.add(r.Posting.Debit, debitSide, r.Posting)
		}
		if credit && err == nil {
			s.sides[i] |= creditSide
			r.Credit, err = s.add(r.Posting.Credit, creditSide, r.Posting)
		}
		if err != nil {
			return nil, err
		}
		if s.sides[i] != noSide {
			r.StripeBook = book
		}
	}
	s.lookAhead()
	return s, nil
}

// add puts a posting into the delta of its account and returns the delta so far.
func (s *stripes) add(account string, side int64, p ledger.Posting) (ledger.Running, error) {
	d := s.deltas[account]
	if d == nil {
		d = &ledger.Account{ID: account, Book: s.book, Currency: p.Currency}
		s.deltas[account] = d
	}
	pending, posted := &d.Totals.CreditsPending, &d.Totals.CreditsPosted
	if side == debitSide {
		pending, posted = &d.Totals.DebitsPending, &d.Totals.DebitsPosted
	}
	fits, fitsToo := true, true
	switch p.Move {
	case ledger.Hold:
		*pending, fits = money.Add(*pending, p.Amount)
	case ledger.Settle:
		*pending, fits = money.Sub(*pending, p.Amount)
		*posted, fitsToo = money.Add(*posted, p.Amount)
	case ledger.Release:
		*pending, fits = money.Sub(*pending, p.Amount)
	case ledger.Post:
		*posted, fits = money.Add(*posted, p.Amount)
	default:
		panic("postgres: a posting without a known move")
	}
	if !fits || !fitsToo {
		return ledger.Running{}, fmt.Errorf("the totals of account %s do not fit 64 bits", account)
	}
	d.Version++
	return d.Running(), nil
}

// lookAhead turns the delta up to a record into the delta after it.
func (s *stripes) lookAhead() {
	for i := range s.records {
		r := &s.records[i]
		if s.sides[i]&debitSide != 0 {
			r.Debit = s.after(r.Posting.Debit, r.Debit)
		}
		if s.sides[i]&creditSide != 0 {
			r.Credit = s.after(r.Posting.Credit, r.Credit)
		}
	}
}

func (s *stripes) after(account string, so ledger.Running) ledger.Running {
	all := s.deltas[account].Running()
	return ledger.Running{
		Version: all.Version - so.Version, Pending: all.Pending - so.Pending, Posted: all.Posted - so.Posted,
	}
}

// sorted returns the deltas in order of account, which is the order of their locks.
func (s *stripes) sorted() []ledger.Account {
	deltas := make([]ledger.Account, 0, len(s.deltas))
	for _, d := range s.deltas {
		deltas = append(deltas, *d)
	}
	slices.SortFunc(deltas, func(a, b ledger.Account) int { return cmp.Compare(a.ID, b.ID) })
	return deltas
}
