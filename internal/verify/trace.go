package verify

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/storage"
)

// walletBook stands for the stripe in the key of a wallet, which has none.
const walletBook = -1

// At most so many accounts with a broken chain are looked at closely, and so many entries of each.
const (
	suspectsTraced = 20
	entriesTraced  = 100_000
)

// suspect is an account whose chain of running balances, or whose statement, is broken somewhere.
type suspect struct {
	sum     *accountSum
	rules   []Rule
	last    journal.Ref // of a wallet's statement
	entries []link
}

// link is one entry as one account sees it.
type link struct {
	left            ledger.Running
	pending, posted int64 // what the entry did
	operation       string
	self, previous  journal.Ref
}

// suspect notes a broken chain: where it is broken takes a second look at the journal.
func (v *verifier) suspect(rule Rule, key stripeKey, a *accountSum) {
	s := v.suspects[key]
	if s == nil {
		if len(v.suspects) == suspectsTraced {
			v.report.broken(rule, key.account, "the chain of its entries is broken")
			return
		}
		if v.suspects == nil {
			v.suspects = map[stripeKey]*suspect{}
		}
		s = &suspect{sum: a}
		if key.book == walletBook {
			s.last = v.wallets[key.account].last
		}
		v.suspects[key] = s
	}
	s.rules = append(s.rules, rule)
}

// trace walks the journal once more for the suspects, if there are any, and says where their chains break.
func (v *verifier) trace(ctx context.Context, books storage.Books) error {
	if len(v.suspects) == 0 {
		return nil
	}
	err := books.Journal(ctx, func(r journal.Record) error {
		if r.Posting.Moves() {
			v.traceSide(r, r.Posting.Debit, side{r.Debit, -1})
			v.traceSide(r, r.Posting.Credit, side{r.Credit, 1})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("walk the journal for broken chains: %w", err)
	}
	for _, key := range slices.SortedFunc(maps.Keys(v.suspects), compareStripes) {
		s := v.suspects[key]
		for _, rule := range s.rules {
			v.report.broken(rule, key.account, "%s", s.where(rule))
		}
	}
	return nil
}

func compareStripes(a, b stripeKey) int {
	return cmp.Or(cmp.Compare(a.account, b.account), cmp.Compare(a.book, b.book))
}

func (v *verifier) traceSide(r journal.Record, account string, at side) {
	s := v.suspects[stripeKey{account, walletBook}]
	if s == nil {
		s = v.suspects[stripeKey{account, r.StripeBook}]
	}
	if s == nil || len(s.entries) == entriesTraced {
		return
	}
	var nothing accountSum
	pending, posted := nothing.take(r.Posting, at.sign)
	s.entries = append(s.entries, link{
		left: at.running, pending: pending, posted: posted, operation: r.OperationID(),
		self: journal.Ref{Object: r.Object, Sequence: r.Sequence}, previous: r.Previous,
	})
}

// where says at which entry the chain that the rule is about breaks first.
func (s *suspect) where(rule Rule) string {
	slices.SortStableFunc(s.entries, func(a, b link) int {
		return cmp.Compare(a.left.Version,
			b.left.Version)
	})
	var before link
	for _, e := range s.entries {
		want := ledger.Running{
			Version: before.left.Version + 1, Pending: before.left.Pending + e.pending,
			Posted: before.left.Posted + e.posted,
		}
		switch {
		case e.left.Version == before.left.Version:
			return fmt.Sprintf("%s is entry number %d, and so is %s", e.operation, e.left.Version,
				before.operation)
		case e.left.Version != want.Version:
			return fmt.Sprintf("entry number %d is missing: %s is number %d", want.Version, e.operation,
				e.left.Version)
		case rule == Running && e.left != want:
			return fmt.Sprintf("%s left %d pending and %d posted, which should be %d and %d", e.operation,
				e.left.Pending, e.left.Posted, want.Pending, want.Posted)
		case rule == Statement && e.previous != before.self:
			return fmt.Sprintf("%s names %q as the entry before it, which is %q", e.operation,
				name(e.previous), name(before.self))
		}
		before = e
	}
	if rule == Statement && s.last != before.self {
		return fmt.Sprintf("the wallet names %q as its newest entry, which is %q", name(s.last),
			name(before.self))
	}
	return fmt.Sprintf("the row says %+v, its newest entry %+v", s.sum.row, before.left)
}

func name(r journal.Ref) string {
	if r.Object == "" {
		return ""
	}
	return journal.OperationID(r.Object, r.Sequence)
}
