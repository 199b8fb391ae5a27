package sqlstore

import (
	"context"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
)

// Books implements storage.Books, except Replies whose order differs between the engines, over the
// connection of a snapshot. It reads page by page, so that several walks may take turns on that one
// connection.
type Books struct{ DB DB }

// Page is how many rows a walk holds in memory.
const Page = 1000

// Journal walks the records in order of object and sequence.
func (b Books) Journal(ctx context.Context, fn func(journal.Record) error) error {
	var last journal.Record
	return walk(ctx, b.DB, pages[journal.Record]{
		what: "walk the journal",
		sql: "select " + RecordColumns + " from journal where (object_id, sequence) > ($1, $2) " +
			"order by object_id, sequence limit $3",
		from: func() []any { return []any{last.Object, last.Sequence} },
		scan: ScanRecord, seen: &last, fn: fn,
	})
}

// Transactions walks in order of id.
func (b Books) Transactions(ctx context.Context, fn func(wallet.Transaction) error) error {
	var last wallet.Transaction
	return walk(ctx, b.DB, pages[wallet.Transaction]{
		what: "walk the transactions",
		sql:  "select " + TransactionColumns + " from wallet_transactions where id > $1 order by id limit $2",
		from: func() []any { return []any{last.ID} },
		scan: ScanTransaction, seen: &last, fn: fn,
	})
}

// Wallets walks in order of id.
func (b Books) Wallets(ctx context.Context, fn func(wallet.Wallet) error) error {
	var last wallet.Wallet
	return walk(ctx, b.DB, pages[wallet.Wallet]{
		what: "walk the wallets",
		sql:  "select " + WalletColumns + " from wallets where id > $1 order by id limit $2",
		from: func() []any { return []any{last.ID} },
		scan: ScanWallet, seen: &last, fn: fn,
	})
}

// Stripes walks in order of account and book.
func (b Books) Stripes(ctx context.Context, fn func(ledger.Account) error) error {
	last := ledger.Account{Book: -1}
	return walk(ctx, b.DB, pages[ledger.Account]{
		what: "walk the stripes",
		sql: "select " + StripeColumns + " from stripes where (account, book) > ($1, $2) " +
			"order by account, book limit $3",
		from: func() []any { return []any{last.ID, int64(last.Book)} },
		scan: ScanStripe, seen: &last, fn: fn,
	})
}

// References walks in order of name.
func (b Books) References(ctx context.Context, fn func(machine.Reference) error) error {
	var last machine.Reference
	return walk(ctx, b.DB, pages[machine.Reference]{
		what: "walk the references",
		sql:  "select " + ReferenceColumns + " from fund_references where name > $1 order by name limit $2",
		from: func() []any { return []any{last.Name} },
		scan: ScanReference, seen: &last, fn: fn,
	})
}

// pages is one walk: sql takes the key of the last row seen and then the size of a page.
type pages[T any] struct {
	what string
	sql  string
	from func() []any
	scan func(Row) T
	seen *T
	fn   func(T) error
}

func walk[T any](ctx context.Context, db DB, p pages[T]) error {
	for {
		rows, err := all(ctx, db, p.sql, append(p.from(), int64(Page)), p.scan)
		if err != nil {
			return wrap(p.what, err)
		}
		for _, row := range rows {
			if err := p.fn(row); err != nil {
				return err
			}
			*p.seen = row
		}
		if len(rows) < Page {
			return nil
		}
	}
}
