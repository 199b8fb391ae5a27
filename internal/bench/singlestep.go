package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/storage/sqlstore"
)

// singleStep is the loading and saving of one instruction in a transaction of its own, one statement
// after the other.
type singleStep struct {
	tx     pgx.Tx
	state  *machine.State
	stripe ledger.Account
}

// stripeBook is the one stripe of the yardstick: it has one process and every request meets here.
const stripeBook = 0

var (
	readReply = "select " + sqlstore.ReplyColumns +
		" from idempotency where scope = $1 and key = $2 and book = $3"
	readTerms = "select " + sqlstore.TermsColumns +
		", vault_generation from merchants, installation where id = $1"
	lockPayer = "select " + of("w", sqlstore.WalletColumns) + ", " + of("c", sqlstore.CustomerColumns) +
		" from customers c join wallets w on w.customer_id = c.id" +
		" where c.iin_index = any($1) and w.currency = $2 for update of w"
	lockStripe = "select " + sqlstore.StripeColumns +
		" from stripes where account = $1 and book = $2 for update"
	openStripe = "insert into stripes (" + sqlstore.StripeColumns +
		") values ($1, $2, $3, 0, 0, 0, 0, 0) on conflict do nothing"

	newTransaction = insertOne("wallet_transactions", sqlstore.TransactionColumns)
	changeWallet   = "update wallets set spent_day = $3, spent_amount = $4, debits_pending = $5," +
		" version = $6, last_object = $7, last_sequence = $8 where id = $1 and book = $2"
	changeStripe = "update stripes set credits_pending = $3, version = $4 where account = $1 and book = $2"
	newRecord    = insertOne("journal", sqlstore.RecordColumns)
	newReply     = insertOne("idempotency",
		"scope, key, book, fingerprint, status, body, request_id, created_at")
)

func insertOne(table, columns string) string {
	n := strings.Count(columns, ",") + 1
	return "insert into " + table + " (" + columns + ") values (" + sqlstore.Places(1, n) + ")"
}

// of puts the alias before each of the columns.
func of(alias, columns string) string {
	return alias + "." + strings.ReplaceAll(columns, ", ", ", "+alias+".")
}

// load reads and locks what the instruction is decided on. The merchant's row of totals is locked last,
// so that it is held as short as this way of writing allows.
func (s *singleStep) load(ctx context.Context, in machine.Instruction, c machine.Authorize) error {
	err := s.read(ctx, look{"reply", readReply, []any{in.Scope, in.Key, sqlstore.HashBook(in.Scope, in.Key)},
		func(r sqlstore.Row) {
			key, stored := sqlstore.ScanReply(r)
			s.state.Replies[key] = stored
		}})
	if err != nil || len(s.state.Replies) > 0 {
		return err // a repeated key is answered from its reply
	}
	err = s.read(ctx, look{"merchant", readTerms, []any{c.Merchant}, func(r sqlstore.Row) {
		terms := sqlstore.ScanTerms(r)
		s.state.Terms[terms.Merchant], s.state.Generation = terms, r.Int64()
	}})
	if err != nil {
		return err
	}
	if s.state.Terms[c.Merchant].RejectRepeats {
		return errors.New("this yardstick does not look order references up")
	}
	err = s.read(ctx, look{"payer", lockPayer, []any{c.Who.IIN, string(c.Currency)}, func(r sqlstore.Row) {
		s.state.AddWallet(sqlstore.ScanWallet(r))
		s.state.AddCustomer(sqlstore.ScanCustomer(r))
	}})
	if err != nil {
		return err
	}
	return s.loadStripe(ctx, c)
}

// loadStripe locks the merchant's totals, and makes them on the merchant's first authorization.
func (s *singleStep) loadStripe(ctx context.Context, c machine.Authorize) error {
	account := ledger.Payable(c.Merchant, c.Currency)
	for range 2 {
		err := s.read(ctx, look{"totals", lockStripe, []any{account, stripeBook}, func(r sqlstore.Row) {
			s.stripe = sqlstore.ScanStripe(r)
		}})
		if err != nil || s.stripe.ID != "" {
			return err
		}
		if _, err := s.tx.Exec(ctx, openStripe, account, stripeBook, string(c.Currency)); err != nil {
			return fmt.Errorf("make the merchant's totals: %w", err)
		}
	}
	return errors.New("the merchant's totals were made and are not there")
}

// look is one statement that reads.
type look struct {
	what string
	sql  string
	args []any
	scan func(sqlstore.Row)
}

func (s *singleStep) read(ctx context.Context, l look) error {
	rows, err := s.tx.Query(ctx, l.sql, l.args...)
	if err != nil {
		return fmt.Errorf("read the %s: %w", l.what, err)
	}
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return fmt.Errorf("read the %s: %w", l.what, err)
		}
		l.scan(&valueRow{values: values})
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the %s: %w", l.what, err)
	}
	return nil
}

// save writes the rows that the real batch writes for one authorization.
func (s *singleStep) save(ctx context.Context) error {
	c := &s.state.Changes
	for _, id := range c.NewTransactions {
		t := s.state.Transactions[id]
		err := s.write(ctx, newTransaction, t.ID, t.Book, t.Merchant, t.Wallet, string(t.Currency),
			t.OrderReference, t.Amount, string(t.Status), string(t.Failure), t.Authorized, t.Captured,
			t.Canceled, t.Expired, t.Refunded, t.Sequence, t.CreatedAt, t.UpdatedAt, t.ExpiresAt)
		if err != nil {
			return err
		}
	}
	for _, id := range c.Wallets {
		if err := s.saveWallet(ctx, s.state.Wallets[id]); err != nil {
			return err
		}
	}
	for _, r := range c.Records {
		if err := s.saveRecord(ctx, r); err != nil {
			return err
		}
	}
	for _, key := range c.Replies {
		stored := s.state.Replies[key]
		err := s.write(ctx, newReply, key.Scope, key.Key, sqlstore.HashBook(key.Scope, key.Key),
			stored.Fingerprint[:], stored.Reply.Status, stored.Reply.Body, stored.RequestID, stored.At)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *singleStep) saveWallet(ctx context.Context, w wallet.Wallet) error {
	return s.write(ctx, changeWallet, w.ID, w.Book, w.Spent.Day, w.Spent.Amount,
		w.Account.Totals.DebitsPending, w.Account.Version, w.Last.Object, w.Last.Sequence)
}

// saveRecord writes a journal row and the merchant's totals that its running balance comes from.
func (s *singleStep) saveRecord(ctx context.Context, r journal.Record) error {
	if r.Posting.Moves() {
		stripe, no := s.stripe.Credit(r.Posting)
		if no != "" {
			return fmt.Errorf("credit the merchant: %s", no)
		}
		s.stripe, r.Credit, r.StripeBook = stripe, stripe.Running(), stripeBook
		err := s.write(ctx, changeStripe, stripe.ID, stripeBook, stripe.Totals.CreditsPending, stripe.Version)
		if err != nil {
			return err
		}
	}
	return s.write(ctx, newRecord, r.Object, r.Sequence, r.Book, string(r.Type), r.Merchant, r.Wallet, r.At,
		r.Amount, string(r.Currency), string(r.Posting.Move), r.Posting.Debit, r.Posting.Credit,
		r.Debit.Version, r.Debit.Pending, r.Debit.Posted, r.Credit.Version, r.Credit.Pending, r.Credit.Posted,
		r.StripeBook, r.After.State, r.After.Authorized, r.After.Captured, r.After.Canceled, r.After.Expired,
		r.After.Refunded, r.Origin.RequestID, r.Origin.APIKeyID, r.Origin.IdempotencyKey,
		r.Previous.Object, r.Previous.Sequence)
}

// write changes exactly one row.
func (s *singleStep) write(ctx context.Context, sql string, args ...any) error {
	tag, err := s.tx.Exec(ctx, sql, args...)
	if err != nil {
		return fmt.Errorf("save: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return fmt.Errorf("save: %d rows changed instead of one", tag.RowsAffected())
	}
	return nil
}

// valueRow is a row of pgx's values as sqlstore's codecs read it.
type valueRow struct {
	values []any
	at     int
}

func (r *valueRow) next() any {
	v := r.values[r.at]
	r.at++
	return v
}

// Int64 reads an integer of any width.
func (r *valueRow) Int64() int64 {
	switch v := r.next().(type) {
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case int64:
		return v
	}
	panic("bench: a column that is no integer")
}

// Text reads text.
func (r *valueRow) Text() string { return r.next().(string) }

// Bytes reads bytes; empty ones are nil.
func (r *valueRow) Bytes() []byte {
	if v := r.next().([]byte); len(v) > 0 {
		return v
	}
	return nil
}

// Bool reads a truth value.
func (r *valueRow) Bool() bool { return r.next().(bool) }
