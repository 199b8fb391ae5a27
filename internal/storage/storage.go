// Package storage is the contract of the keepers: SQLite, PostgreSQL and memory. One conformance suite
// (storagetest) judges all three. Rules of money do not live here: a keeper loads what it is told, saves
// what it is given, and says what kind of trouble it met.
package storage

import (
	"context"
	"errors"

	"plexy/internal/access"
	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/merchant"
)

// Trouble, sorted by the keeper; compare with errors.Is.
var (
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("not found")
	// ErrConflict: another process wrote the same unique row first. Nothing was saved; run the batch
	// again and it will find that row.
	ErrConflict = errors.New("conflict with another process")
	// ErrStale: what was to be written is sealed under keys of another generation. Nothing was saved; seal it
	// anew.
	ErrStale = errors.New("sealed under keys of another generation")
	// ErrTransient: nothing was saved and the same batch may succeed if it is run again.
	ErrTransient = errors.New("transient database failure")
	// ErrUnavailable: nothing was saved and running again at once is useless (disk full, no database).
	ErrUnavailable = errors.New("database unavailable")
	// ErrUncertain: the batch may or may not have been saved, and the keeper could not find out in time.
	ErrUncertain = errors.New("outcome of the commit is unknown")
)

// Storage keeps everything.
type Storage interface {
	// Lanes is how many batches may be under way at once; each is committed with its own lane number,
	// from 0. SQLite has one writer and so one lane.
	Lanes() int
	// Commit runs fn in one durable transaction. It returns nil only when everything that fn saved is on
	// disk, and fn's own error when fn fails. When the connection is lost during the commit it finds out,
	// by the rows that were made, whether the batch is there, until ctx ends.
	Commit(ctx context.Context, lane int, fn func(context.Context, Batch) error) error
	Reader
	Records
	Outbox
	Sandbox
	People
	Shoppers
	Payments
	HeldCards
	// Snapshot runs fn over one unchanging view of the books.
	Snapshot(ctx context.Context, fn func(context.Context, Books) error) error
	// Ready returns nil when the database can be reached and its migrations are current.
	Ready(ctx context.Context) error
	// Close waits for what is under way and ends every connection; later calls fail.
	Close() error
}

// Batch is one durable transaction carrying many instructions.
type Batch interface {
	// Load reads what keys names and locks the wallets among it, then the links, then the payments, each in
	// order of id. It is called once.
	Load(ctx context.Context, keys *machine.Keys) (*machine.State, error)
	// Save writes the state's changes. It also updates the stripes of uncapped accounts and fills the
	// stripe side of each record. It is called at most once, after Load.
	Save(ctx context.Context, state *machine.State) error
}

// Query asks for transactions of one merchant, newest first. Zero fields do not restrict.
type Query struct {
	Merchant               string
	OrderReference         string
	Status                 wallet.Status
	CreatedFrom, CreatedTo int64  // microseconds: from inclusive, to exclusive
	Before                 string // only ids lower than this one
	Offset                 int    // rows to skip, for the seed's sample cursor; at most 10,000
	Limit                  int
}

// Reader answers the doors. It never decides about money. What a 2xx reported is visible to every read
// that starts after it.
type Reader interface {
	// Transaction returns the merchant's transaction, or ErrNotFound.
	Transaction(ctx context.Context, merchant, id string) (wallet.Transaction, error)
	// Operations returns the records of an object in order of sequence.
	Operations(ctx context.Context, object string) ([]journal.Record, error)
	// Transactions returns at most q.Limit transactions, newest first.
	Transactions(ctx context.Context, q Query) ([]wallet.Transaction, error)
	// DueHolds returns at most limit ids of transactions whose hold has lapsed with money in it.
	DueHolds(ctx context.Context, at int64, limit int) ([]string, error)
	// DueDecisions returns at most limit transactions that are not decided and whose time has come, the longest
	// due first: NEW ones that lapse, PROCESSING ones that are to be completed.
	DueDecisions(ctx context.Context, at int64, limit int) ([]Undecided, error)
	// Waiting returns at most limit transactions of the wallet that its owner may still answer at the given
	// time, newest first.
	Waiting(ctx context.Context, walletID string, at int64, limit int) ([]wallet.Transaction, error)
	// Customer returns the customer with one of these IIN indexes and all wallets, or ErrNotFound.
	Customer(ctx context.Context, iin []string) (wallet.Customer, []wallet.Wallet, error)
	// Record returns one record of the journal, or ErrNotFound; a statement is a walk over these.
	Record(ctx context.Context, ref journal.Ref) (journal.Record, error)
	// Stripes returns the stripes of every account whose id begins with prefix.
	Stripes(ctx context.Context, prefix string) ([]ledger.Account, error)
}

// Undecided names a transaction that is NEW or PROCESSING.
type Undecided struct {
	ID, Merchant string
	Status       wallet.Status
}

// Installation is what a database knows about itself.
type Installation struct {
	Environment string // sandbox or production
	MasterCheck string // check value of the master key
	Generation  int64  // of the vault's keys
	Keys        []VaultKey
	CreatedAt   int64 // microseconds
}

// VaultKey is a data key wrapped by the master key.
type VaultKey struct {
	ID        string
	Wrapped   []byte
	State     string // active or retiring
	CreatedAt int64  // microseconds
}

// Records are what is not money: created and changed by staff, each with an audit row in the same
// transaction.
type Records interface {
	// Installation returns ErrNotFound while the database is empty.
	Installation(ctx context.Context) (Installation, error)
	// Install writes the installation once; ErrConflict when there is one.
	Install(ctx context.Context, in Installation) error
	// RotateVault replaces the set of data keys and adds one to the generation; ErrConflict when the
	// generation is not the given one any more.
	RotateVault(ctx context.Context, generation int64, keys []VaultKey, audit machine.Audit) error
	// CustomersUnder returns at most limit customers that are sealed under keyID, in order of id after after.
	CustomersUnder(ctx context.Context, keyID, after string, limit int) ([]wallet.Customer, error)
	// Reseal replaces key, indexes and sealed data of customers that are still sealed as was says
	// (same key and phone index); the others are left alone. It returns how many were replaced.
	Reseal(ctx context.Context, was, now []wallet.Customer) (int, error)

	// CreateMerchant writes a merchant with its first key.
	CreateMerchant(ctx context.Context, m merchant.Merchant, key access.Key, audit machine.Audit) error
	// Merchant returns a merchant, or ErrNotFound.
	Merchant(ctx context.Context, id string) (merchant.Merchant, error)
	// Merchants returns all merchants in order of id, which is the order in which they were made.
	Merchants(ctx context.Context) ([]merchant.Merchant, error)
	// SetMerchant replaces a merchant's settings; ErrNotFound when there is no such merchant.
	SetMerchant(ctx context.Context, id string, s merchant.Settings, audit machine.Audit) error

	// CreateKey writes an API key; ErrNotFound when there is no such merchant.
	CreateKey(ctx context.Context, key access.Key, audit machine.Audit) error
	// APIKeys returns the keys of a merchant, live and revoked, in order of id.
	APIKeys(ctx context.Context, merchant string) ([]access.Key, error)
	// RevokeKey sets when the key was revoked, once; ErrNotFound when there is no such key.
	RevokeKey(ctx context.Context, id string, at int64, audit machine.Audit) error
	// KeyByHash returns the key, live or revoked, or ErrNotFound.
	KeyByHash(ctx context.Context, hash access.Hash) (access.Key, error)

	// Audits returns at most limit audit rows, newest first.
	Audits(ctx context.Context, limit int) ([]machine.Audit, error)
	// SweepReplies deletes at most limit replies older than before (microseconds) and says how many.
	SweepReplies(ctx context.Context, before int64, limit int) (int, error)
}

// Books walks everything that is money, for verification. Each method calls fn for every row until fn
// fails.
type Books interface {
	// Journal walks the records in order of object and sequence.
	Journal(ctx context.Context, fn func(journal.Record) error) error
	// Transactions walks in order of id, the same order as Journal.
	Transactions(ctx context.Context, fn func(wallet.Transaction) error) error
	// Wallets walks in order of id.
	Wallets(ctx context.Context, fn func(wallet.Wallet) error) error
	// Stripes walks in order of account and book.
	Stripes(ctx context.Context, fn func(ledger.Account) error) error
	// Replies walks the stored replies to idempotency keys.
	Replies(ctx context.Context, fn func(machine.ReplyKey, machine.Stored) error) error
	// References walks the references of funding, each with its one effect.
	References(ctx context.Context, fn func(machine.Reference) error) error
	PaymentBooks
}
