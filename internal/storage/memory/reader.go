package memory

import (
	"cmp"
	"context"
	"slices"
	"sort"
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/storage"
)

// Transaction returns the merchant's transaction, or ErrNotFound.
func (s *Store) Transaction(_ context.Context, merchant, id string) (wallet.Transaction, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	row := s.t.Transactions[id]
	if row == nil || row.Merchant != merchant {
		return wallet.Transaction{}, storage.ErrNotFound
	}
	return *row, nil
}

// Operations returns the records of an object in order of sequence.
func (s *Store) Operations(_ context.Context, object string) ([]journal.Record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.t.Journal[object]), nil
}

// Transactions returns at most q.Limit transactions of one merchant, newest first.
func (s *Store) Transactions(_ context.Context, q storage.Query) ([]wallet.Transaction, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ids := s.t.byMerchant[q.Merchant]
	end := len(ids)
	if q.Before != "" {
		end = sort.SearchStrings(ids, q.Before)
	}
	var found []wallet.Transaction
	skip := q.Offset
	for i := end - 1; i >= 0 && len(found) < q.Limit; i-- {
		row := s.t.Transactions[ids[i]]
		if !matches(q, row) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		found = append(found, *row)
	}
	return found, nil
}

func matches(q storage.Query, row *wallet.Transaction) bool {
	return (q.OrderReference == "" || row.OrderReference == q.OrderReference) &&
		(q.Status == "" || row.Status == q.Status) &&
		(q.CreatedFrom == 0 || row.CreatedAt >= q.CreatedFrom) &&
		(q.CreatedTo == 0 || row.CreatedAt < q.CreatedTo)
}

// DueHolds returns at most limit ids of transactions whose hold has lapsed with money in it, the longest
// lapsed first.
func (s *Store) DueHolds(_ context.Context, at int64, limit int) ([]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return longestDue(s.t.held, at, limit), nil
}

// longestDue lists at most limit ids whose time has come, in order of that time.
func longestDue(times map[string]int64, at int64, limit int) []string {
	var due []string
	for id, when := range times {
		if when > 0 && when <= at {
			due = append(due, id)
		}
	}
	slices.SortFunc(due, func(a, b string) int {
		return cmp.Or(cmp.Compare(times[a], times[b]), cmp.Compare(a, b))
	})
	return due[:min(len(due), limit)]
}

// DueDecisions returns at most limit transactions that are not decided and whose time has come, the longest
// due first.
func (s *Store) DueDecisions(_ context.Context, at int64, limit int) ([]storage.Undecided, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var due []storage.Undecided
	for _, id := range longestDue(s.t.undecided, at, limit) {
		row := s.t.Transactions[id]
		due = append(due, storage.Undecided{ID: id, Merchant: row.Merchant, Status: row.Status})
	}
	return due, nil
}

// Waiting returns at most limit transactions of the wallet that its owner may still answer at the given
// time, newest first.
func (s *Store) Waiting(
	_ context.Context, walletID string, at int64, limit int,
) ([]wallet.Transaction, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []wallet.Transaction
	for id := range s.t.undecided {
		row := s.t.Transactions[id]
		if row.Wallet == walletID && row.Status == wallet.New && row.ExpiresAt > at {
			found = append(found, *row)
		}
	}
	slices.SortFunc(found, func(a, b wallet.Transaction) int { return cmp.Compare(b.ID, a.ID) })
	return found[:min(len(found), limit)], nil
}

// Customer returns the customer with one of these IIN indexes and all wallets in order of currency, or
// ErrNotFound.
func (s *Store) Customer(_ context.Context, iin []string) (wallet.Customer, []wallet.Wallet, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, index := range iin {
		id, known := s.t.byIIN[index]
		if !known {
			continue
		}
		var wallets []wallet.Wallet
		for holding, w := range s.t.byHolding {
			if holding.Customer == id {
				wallets = append(wallets, *s.t.Wallets[w])
			}
		}
		slices.SortFunc(wallets, func(a, b wallet.Wallet) int {
			return strings.Compare(string(a.Account.Currency), string(b.Account.Currency))
		})
		return copyCustomer(*s.t.Customers[id]), wallets, nil
	}
	return wallet.Customer{}, nil, storage.ErrNotFound
}

// Record returns one record of the journal, or ErrNotFound.
func (s *Store) Record(_ context.Context, ref journal.Ref) (journal.Record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, found := s.t.record(ref)
	if !found {
		return r, storage.ErrNotFound
	}
	return r, nil
}

// Stripes returns the stripes of every account whose id begins with prefix, in order of account and book.
func (s *Store) Stripes(_ context.Context, prefix string) ([]ledger.Account, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.t.stripes(prefix), nil
}

func (t *Tables) stripes(prefix string) []ledger.Account {
	var keys []StripeKey
	for key := range t.Stripes {
		if strings.HasPrefix(key.Account, prefix) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, compareStripes)
	var found []ledger.Account
	for _, key := range keys {
		found = append(found, *t.Stripes[key])
	}
	return found
}

// Snapshot runs fn over the books as they are now.
func (s *Store) Snapshot(ctx context.Context, fn func(context.Context, storage.Books) error) error {
	s.mu.RLock()
	view := s.t.snapshot()
	s.mu.RUnlock()
	return fn(ctx, snapshot{view})
}

// snapshot walks tables that nobody changes.
type snapshot struct{ t *Tables }

// Journal walks in order of object and sequence.
func (s snapshot) Journal(_ context.Context, fn func(journal.Record) error) error {
	for _, object := range s.t.objects {
		if err := each(s.t.Journal[object], fn); err != nil {
			return err
		}
	}
	return nil
}

// Transactions walks in order of id.
func (s snapshot) Transactions(_ context.Context, fn func(wallet.Transaction) error) error {
	for _, id := range sorted(s.t.Transactions) {
		if err := fn(*s.t.Transactions[id]); err != nil {
			return err
		}
	}
	return nil
}

// Wallets walks in order of id.
func (s snapshot) Wallets(_ context.Context, fn func(wallet.Wallet) error) error {
	for _, id := range sorted(s.t.Wallets) {
		if err := fn(*s.t.Wallets[id]); err != nil {
			return err
		}
	}
	return nil
}

// Stripes walks in order of account and book.
func (s snapshot) Stripes(_ context.Context, fn func(ledger.Account) error) error {
	return each(s.t.stripes(""), fn)
}

// Replies walks in order of scope and key.
func (s snapshot) Replies(_ context.Context, fn func(machine.ReplyKey, machine.Stored) error) error {
	keys := make([]machine.ReplyKey, 0, len(s.t.Replies))
	for k := range s.t.Replies {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b machine.ReplyKey) int {
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Key, b.Key))
	})
	for _, k := range keys {
		if err := fn(k, copyStored(*s.t.Replies[k])); err != nil {
			return err
		}
	}
	return nil
}

// References walks in order of name.
func (s snapshot) References(_ context.Context, fn func(machine.Reference) error) error {
	for _, name := range sorted(s.t.References) {
		if err := fn(copyReference(*s.t.References[name])); err != nil {
			return err
		}
	}
	return nil
}

func each[T any](rows []T, fn func(T) error) error {
	for _, row := range rows {
		if err := fn(row); err != nil {
			return err
		}
	}
	return nil
}
