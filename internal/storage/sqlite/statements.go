package sqlite

import (
	"context"
	"errors"

	engine "zombiezen.com/go/sqlite"

	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/storage/sqlstore"
)

// errNone means that a look-up found no row.
var errNone = errors.New("no such row")

// statements are what the writer runs in a batch. The inserts and updates of the hot path are kept ready
// to bind; look-ups go through the link.
type statements struct {
	link *link

	changes, folds, forgets, stripes *stmt

	transactions, records, states, replies, entries *bulk

	cards cards
}

func newStatements(l *link) *statements {
	return &statements{
		link: l, transactions: newBulk(insertTransactions), records: newBulk(insertRecords),
		states: newBulk(insertStates), replies: newBulk(insertReplies), entries: newBulk(insertEntries),
		cards: newCards(),
	}
}

// first returns the first row of a query, or errNone.
func first[T any](l *link, sql string, scan func(sqlstore.Row) T, args ...any) (T, error) {
	var v T
	none := true
	err := l.Query(context.Background(), sql, args, func(r sqlstore.Row) error {
		if none {
			v, none = scan(r), false
		}
		return nil
	})
	if err == nil && none {
		err = errNone
	}
	return v, err
}

// every returns all rows of a query.
func every[T any](l *link, sql string, scan func(sqlstore.Row) T, args ...any) ([]T, error) {
	var found []T
	err := l.Query(context.Background(), sql, args, func(r sqlstore.Row) error {
		found = append(found, scan(r))
		return nil
	})
	return found, err
}

func (s *statements) dataVersion() (int64, error) {
	return first(s.link, "pragma data_version", sqlstore.Row.Int64)
}

func (s *statements) vaultGeneration() (int64, error) {
	return first(s.link, "select vault_generation from installation", sqlstore.Row.Int64)
}

func (s *statements) terms(merchant string) (wallet.Terms, error) {
	return first(s.link, "select "+sqlstore.TermsColumns+" from merchants where id = $1",
		sqlstore.ScanTerms, merchant)
}

const selectCustomer = "select " + sqlstore.CustomerColumns + " from customers where "

func (s *statements) customer(id string) (wallet.Customer, error) {
	return first(s.link, selectCustomer+"id = $1", sqlstore.ScanCustomer, id)
}

func (s *statements) customerByIIN(index string) (wallet.Customer, error) {
	return first(s.link, selectCustomer+"iin_index = $1", sqlstore.ScanCustomer, index)
}

func (s *statements) customerByPhone(index string) (wallet.Customer, error) {
	return first(s.link, selectCustomer+"phone_index = $1", sqlstore.ScanCustomer, index)
}

// walletsOf reads the rows of a customer's wallets: see newestState.
func (s *statements) walletsOf(customer string) ([]wallet.Wallet, error) {
	return every(s.link, "select "+sqlstore.WalletColumns+" from wallet_rows where customer_id = $1",
		sqlstore.ScanWallet, customer)
}

func (s *statements) ownerOf(wallet string) (string, error) {
	book, _ := sqlstore.Book(wallet)
	return first(s.link, "select customer_id from wallet_rows where id = $1 and book = $2",
		sqlstore.Row.Text, wallet, book)
}

func (s *statements) transaction(id string, book int64) (wallet.Transaction, error) {
	return first(s.link, "select "+sqlstore.TransactionColumns+
		" from wallet_transactions where id = $1 and book = $2", sqlstore.ScanTransaction, id, book)
}

func (s *statements) reference(name string) (machine.Reference, error) {
	return first(s.link, "select "+sqlstore.ReferenceColumns+
		" from fund_references where name = $1 and book = $2",
		sqlstore.ScanReference, name, sqlstore.HashBook(name))
}

// taken reports whether a transaction that did not fail has the order reference.
func (s *statements) taken(ref machine.OrderReference) (bool, error) {
	return first(s.link, "select exists (select 1 from wallet_transactions "+
		"where merchant_id = $1 and order_reference = $2 and status <> 'FAILED')",
		sqlstore.Row.Bool, ref.Merchant, ref.Reference)
}

// reply returns the reply in a row of the table idempotency, with the key that it belongs to.
func (s *statements) reply(row int64) (key machine.ReplyKey, stored machine.Stored, err error) {
	_, err = first(s.link, "select "+sqlstore.ReplyColumns+" from idempotency where row = $1",
		func(r sqlstore.Row) bool {
			key, stored = sqlstore.ScanReply(r)
			return true
		}, row)
	return key, stored, err
}

// indexed returns a function that looks a hash up in the index of a sealed run.
func (s *statements) indexed(hash uint64) func(run int64) ([]int64, error) {
	return func(run int64) ([]int64, error) {
		return every(s.link, "select row from idempotency_hashes where run = $1 and hash = $2 order by row",
			sqlstore.Row.Int64, run, int64(hash))
	}
}

// stmt is a statement that runs many times in a batch with arguments that seldom change: what is bound
// already is not bound again.
type stmt struct {
	conn  *engine.Conn
	stmt  *engine.Stmt
	texts []string
	bound []bool
}

// ready makes the statement in *into once.
func (s *statements) ready(into **stmt, sql string) (*stmt, error) {
	if *into != nil {
		return *into, nil
	}
	made, err := s.make(sql)
	*into = made
	return made, err
}

func (s *statements) make(sql string) (*stmt, error) {
	made, err := s.link.prepare(sql)
	if err != nil {
		return nil, err
	}
	n := made.BindParamCount() + 1
	return &stmt{conn: s.link.conn, stmt: made, texts: make([]string, n), bound: make([]bool, n)}, nil
}

func (q *stmt) text(at int, v string) {
	if q.bound[at] && q.texts[at] == v {
		return
	}
	q.texts[at], q.bound[at] = v, true
	q.stmt.BindText(at, v)
}

func (q *stmt) int(at int, v int64)    { q.stmt.BindInt64(at, v) }
func (q *stmt) bytes(at int, v []byte) { q.stmt.BindBytes(at, v) }

// run executes the statement, which has no rows.
func (q *stmt) run() error {
	if _, err := q.stmt.Step(); err != nil { // resets the statement when it fails
		clear(q.bound) // the failure may have been one of binding
		return err
	}
	return q.stmt.Reset()
}
