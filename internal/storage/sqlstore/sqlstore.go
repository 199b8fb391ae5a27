// Package sqlstore is what the two SQL keepers share: the reads of the doors, the records of the staff
// and the walks of the books, written once in the SQL that both engines speak, with $1 placeholders; and
// the codecs of their rows. What truly differs stays in the engines' rooms: opening, migrations, the
// batch write, the sweep of replies and the sorting of errors.
package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"plexy/internal/id"
	"plexy/internal/storage"
)

// Row is the current row of a query. Each call reads the next column, so a codec reads its columns in
// the order in which it names them.
type Row interface {
	// Int64 reads an integer of any width.
	Int64() int64
	// Text reads text; the string stays valid after the query.
	Text() string
	// Bytes reads bytes into memory of their own; empty bytes are nil.
	Bytes() []byte
	// Bool reads a truth value, which SQLite keeps as 0 or 1.
	Bool() bool
}

// DB runs statements on one connection. Arguments are int64, string, []byte or bool and nothing else;
// a nil []byte is empty, not null. Errors are the keeper's, sorted as storage names them.
type DB interface {
	// Query calls row for every row, in order, until it fails; it returns that failure as it is.
	Query(ctx context.Context, sql string, args []any, row func(Row) error) error
	// Exec runs a statement without rows and says how many rows it changed.
	Exec(ctx context.Context, sql string, args []any) (int64, error)
}

// Engine lends connections.
type Engine interface {
	// Read runs fn on a connection for reading. What was committed before the call is visible; each
	// statement may see later commits too.
	Read(ctx context.Context, fn func(DB) error) error
	// Write runs fn in one durable transaction and rolls it back when fn fails.
	Write(ctx context.Context, fn func(DB) error) error
	// Aside is Write for tables that no batch reads or writes, so that nothing that is remembered of the
	// others has to be forgotten.
	Aside(ctx context.Context, fn func(DB) error) error
	// VaultGeneration returns that of the vault's keys inside a transaction of Aside, and holds a rotation back
	// until the transaction ends.
	VaultGeneration(ctx context.Context, db DB) (int64, error)
}

// Store implements storage.Reader, storage.Records except SweepReplies, and storage.Outbox except Number,
// over an engine. Keepers embed it.
type Store struct{ engine Engine }

// New returns the shared half of a keeper.
func New(e Engine) *Store { return &Store{engine: e} }

// Book returns the book that the id of a wallet transaction, a wallet or a payment carries, and whether
// object is such an id at all; no row has another one.
func Book(object string) (int64, bool) {
	if !strings.Contains(object, "_") {
		return paymentBook(object)
	}
	kind := id.Transaction
	if strings.HasPrefix(object, id.Wallet) {
		kind = id.Wallet
	}
	book, ok := id.Book(kind, object)
	return int64(book), ok
}

// one runs a query that finds at most one row; ErrNotFound when it finds none.
func one[T any](ctx context.Context, db DB, sql string, args []any, scan func(Row) T) (T, error) {
	var found T
	n := 0
	err := db.Query(ctx, sql, args, func(r Row) error {
		found = scan(r)
		n++
		return nil
	})
	if err == nil && n == 0 {
		err = storage.ErrNotFound
	}
	return found, err
}

// all collects every row of a query.
func all[T any](ctx context.Context, db DB, sql string, args []any, scan func(Row) T) ([]T, error) {
	var found []T
	err := db.Query(ctx, sql, args, func(r Row) error {
		found = append(found, scan(r))
		return nil
	})
	return found, err
}

// readOne is one on a connection of its own; what says what was looked for.
func readOne[T any](ctx context.Context, s *Store, q query[T]) (T, error) {
	var found T
	err := s.engine.Read(ctx, func(db DB) (err error) {
		found, err = one(ctx, db, q.sql, q.args, q.scan)
		return err
	})
	return found, wrap(q.what, err)
}

// readAll is all on a connection of its own.
func readAll[T any](ctx context.Context, s *Store, q query[T]) ([]T, error) {
	var found []T
	err := s.engine.Read(ctx, func(db DB) (err error) {
		found, err = all(ctx, db, q.sql, q.args, q.scan)
		return err
	})
	return found, wrap(q.what, err)
}

type query[T any] struct {
	what string
	sql  string
	args []any
	scan func(Row) T
}

// wrap says what was being done. An absent row is an answer, so it is passed on bare.
func wrap(what string, err error) error {
	if err == nil || errors.Is(err, storage.ErrNotFound) {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Places returns n placeholders from $first on, for a list in parentheses.
func Places(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(first + i))
	}
	return b.String()
}

// HashBook returns the book of a row that has no id of its own: the hash of the parts of its unique key
// (FNV-1a of 64 bits, stirred as MurmurHash3 ends), so that one key always falls into one book.
func HashBook(parts ...string) int64 {
	h := uint64(14695981039346656037)
	for _, p := range parts {
		for i := range len(p) {
			h = (h ^ uint64(p[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211 // a byte that no UTF-8 text has, between the parts
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return int64((h ^ h>>33) % id.Books)
}
