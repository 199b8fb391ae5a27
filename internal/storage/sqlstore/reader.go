package sqlstore

import (
	"context"
	"math"
	"strconv"
	"strings"

	"github.com/oklog/ulid/v2"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
	"plexy/internal/storage"
)

// Transaction returns the merchant's transaction, or ErrNotFound.
func (s *Store) Transaction(ctx context.Context, merchant, id string) (wallet.Transaction, error) {
	book, ok := Book(id)
	if !ok {
		return wallet.Transaction{}, storage.ErrNotFound
	}
	return readOne(ctx, s, query[wallet.Transaction]{
		what: "read a transaction",
		sql: "select " + TransactionColumns +
			" from wallet_transactions where id = $1 and book = $2 and merchant_id = $3",
		args: []any{id, book, merchant}, scan: ScanTransaction,
	})
}

// Operations returns the records of an object in order of sequence.
func (s *Store) Operations(ctx context.Context, object string) ([]journal.Record, error) {
	book, ok := Book(object)
	if !ok {
		return nil, nil
	}
	return readAll(ctx, s, query[journal.Record]{
		what: "read the operations of an object",
		sql:  "select " + RecordColumns + " from journal where object_id = $1 and book = $2 order by sequence",
		args: []any{object, book}, scan: ScanRecord,
	})
}

// Record returns one record of the journal, or ErrNotFound.
func (s *Store) Record(ctx context.Context, ref journal.Ref) (journal.Record, error) {
	book, ok := Book(ref.Object)
	if !ok {
		return journal.Record{}, storage.ErrNotFound
	}
	return readOne(ctx, s, query[journal.Record]{
		what: "read a record",
		sql:  "select " + RecordColumns + " from journal where object_id = $1 and sequence = $2 and book = $3",
		args: []any{ref.Object, ref.Sequence, book}, scan: ScanRecord,
	})
}

// Transactions returns at most q.Limit transactions of one merchant, newest first.
func (s *Store) Transactions(ctx context.Context, q storage.Query) ([]wallet.Transaction, error) {
	w := where{}
	w.add("merchant_id = ", q.Merchant)
	if q.OrderReference != "" {
		w.add("order_reference = ", q.OrderReference)
	}
	if q.Status != "" {
		w.add("status = ", string(q.Status))
	}
	if q.CreatedFrom != 0 {
		w.add("created_at >= ", q.CreatedFrom)
		w.add("id >= ", bound(max(q.CreatedFrom, Drift)-Drift))
	}
	if q.CreatedTo != 0 {
		w.add("created_at < ", q.CreatedTo)
		w.add("id < ", bound(min(q.CreatedTo, math.MaxInt64-Drift)+Drift))
	}
	if q.Before != "" {
		w.add("id < ", q.Before)
	}
	sql := "select " + TransactionColumns + " from wallet_transactions where " + w.sql() +
		" order by id desc limit " + w.place(int64(q.Limit)) + " offset " + w.place(int64(q.Offset))
	return readAll(ctx, s, query[wallet.Transaction]{
		what: "list transactions", sql: sql, args: w.args, scan: ScanTransaction,
	})
}

// Drift is by how much, in microseconds, the time in a transaction's id and its time of creation may
// differ: the id is made when the request arrives, by one clock, and the time is given when it is
// decided. Lists by time are exact on the latter and use the former only to find the place in the index.
const Drift = 60 * 1_000_000

// bound is the lowest transaction id of the millisecond of at.
func bound(at int64) string {
	var u ulid.ULID
	if u.SetTime(uint64(max(at/1000, 0))) != nil {
		return id.Transaction + "~" // beyond the years that an id can tell: after all of them
	}
	return id.Transaction + u.String()
}

// where collects conditions and their arguments.
type where struct {
	conditions []string
	args       []any
}

func (w *where) place(arg any) string {
	w.args = append(w.args, arg)
	return "$" + strconv.Itoa(len(w.args))
}

func (w *where) add(condition string, arg any) {
	w.conditions = append(w.conditions, condition+w.place(arg))
}

func (w *where) sql() string { return strings.Join(w.conditions, " and ") }

// DueHolds returns at most limit ids of transactions whose hold has lapsed with money in it, the longest
// lapsed first.
func (s *Store) DueHolds(ctx context.Context, at int64, limit int) ([]string, error) {
	return readAll(ctx, s, query[string]{
		what: "list the holds that are due",
		sql: "select id from wallet_transactions where authorized - captured - canceled - expired > 0 " +
			"and expires_at > 0 and expires_at <= $1 order by expires_at, id limit $2",
		args: []any{at, int64(limit)}, scan: Row.Text,
	})
}

// undecided is the condition of the partial indexes of what is NEW or PROCESSING, word for word.
const undecided = "authorized = 0 and expires_at > 0"

// DueDecisions returns at most limit transactions that are not decided and whose time has come, the longest
// due first.
func (s *Store) DueDecisions(ctx context.Context, at int64, limit int) ([]storage.Undecided, error) {
	return readAll(ctx, s, query[storage.Undecided]{
		what: "list the decisions that are due",
		sql: "select id, merchant_id, status from wallet_transactions where " + undecided +
			" and expires_at <= $1 order by expires_at, id limit $2",
		args: []any{at, int64(limit)}, scan: func(r Row) storage.Undecided {
			return storage.Undecided{ID: r.Text(), Merchant: r.Text(), Status: wallet.Status(r.Text())}
		},
	})
}

// Waiting returns at most limit transactions of the wallet that its owner may still answer at the given
// time, newest first.
func (s *Store) Waiting(
	ctx context.Context, walletID string, at int64, limit int,
) ([]wallet.Transaction, error) {
	return readAll(ctx, s, query[wallet.Transaction]{
		what: "list what waits for an owner",
		sql: "select " + TransactionColumns + " from wallet_transactions where " + undecided +
			" and wallet_id = $1 and status = 'NEW' and expires_at > $2 order by id desc limit $3",
		args: []any{walletID, at, int64(limit)}, scan: ScanTransaction,
	})
}

// Customer returns the customer with one of these IIN indexes and all wallets in order of currency, or
// ErrNotFound.
func (s *Store) Customer(ctx context.Context, iin []string) (wallet.Customer, []wallet.Wallet, error) {
	if len(iin) == 0 {
		return wallet.Customer{}, nil, storage.ErrNotFound
	}
	args := make([]any, len(iin))
	for i, index := range iin {
		args[i] = index
	}
	var customer wallet.Customer
	var wallets []wallet.Wallet
	err := s.engine.Read(ctx, func(db DB) (err error) {
		sql := "select " + CustomerColumns +
			" from customers where iin_index in (" + Places(1, len(iin)) + ") limit 1"
		if customer, err = one(ctx, db, sql, args, ScanCustomer); err != nil {
			return err
		}
		sql = "select " + WalletColumns + " from wallets where customer_id = $1 order by currency"
		wallets, err = all(ctx, db, sql, []any{customer.ID}, ScanWallet)
		return err
	})
	return customer, wallets, wrap("read a customer", err)
}

// Stripes returns the stripes of every account whose id begins with prefix, in order of account and book.
func (s *Store) Stripes(ctx context.Context, prefix string) ([]ledger.Account, error) {
	sql, args := "select "+StripeColumns+" from stripes", []any(nil)
	if prefix != "" {
		// The prefix with its last byte raised is above everything that begins with it. Account ids are
		// ASCII, so the byte never overflows.
		end := prefix[:len(prefix)-1] + string(prefix[len(prefix)-1]+1)
		sql, args = sql+" where account >= $1 and account < $2", []any{prefix, end}
	}
	return readAll(ctx, s, query[ledger.Account]{
		what: "read stripes", sql: sql + " order by account, book", args: args, scan: ScanStripe,
	})
}
