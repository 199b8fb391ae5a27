package storage

import (
	"context"

	"plexy/internal/access"
	"plexy/internal/core/wallet"
)

// Quota is how often something may happen until a time: Most times under Name until Until (microseconds).
type Quota struct {
	Name  string
	Until int64
	Most  int
}

// Message is what would have been sent to somebody from a sandbox.
type Message struct {
	ID        string
	Kind      string // such as login_code; see notify.Kind
	To        string // masked
	Language  string // kk, ru or en
	Subject   string
	Text      string
	CreatedAt int64 // microseconds
	SweepAt   int64 // when it may be deleted
}

// Telling is what is known about telling a wallet's owner of a transaction that waits.
type Telling struct {
	Transaction wallet.Transaction
	Tries       int // so far
}

// People keeps what the pages for wallets' owners need: one-time codes, log-ins, languages, and what was
// told to whom. None of it decides about money.
type People interface {
	// CustomerByPhone returns the customer with one of these phone indexes, or ErrNotFound.
	CustomerByPhone(ctx context.Context, phone []string) (wallet.Customer, error)
	// Holdings returns a customer by id and all wallets in order of currency, or ErrNotFound.
	Holdings(ctx context.Context, customer string) (wallet.Customer, []wallet.Wallet, error)
	// Holder returns the customer of a wallet, or ErrNotFound.
	Holder(ctx context.Context, walletID string) (wallet.Customer, error)

	// AddCode counts the code against every quota and writes it. When one of them is used up it writes
	// nothing and answers false.
	AddCode(ctx context.Context, c access.Code, quotas []Quota) (bool, error)
	// TryCode counts one try at the code of a token and returns the code with that try. ErrNotFound when
	// there is none to try: unknown, expired at the given time, tried access.CodeTries times, or used.
	TryCode(ctx context.Context, token access.Hash, at int64) (access.Code, error)
	// CodeOf returns the code of a token under the same conditions, without counting a try.
	CodeOf(ctx context.Context, token access.Hash, at int64) (access.Code, error)
	// LogIn uses the code of a token up and writes the log-in; ErrNotFound when the code was used before.
	LogIn(ctx context.Context, token access.Hash, l access.LogIn) error
	// LogInByHash returns a log-in, live or not, or ErrNotFound.
	LogInByHash(ctx context.Context, hash access.Hash) (access.LogIn, error)
	// SeeLogIn notes that a log-in was used at a time.
	SeeLogIn(ctx context.Context, hash access.Hash, at int64) error
	// EndLogIn forgets a log-in; one that is not there is no error.
	EndLogIn(ctx context.Context, hash access.Hash) error
	// SetLanguage notes the language that a customer chose.
	SetLanguage(ctx context.Context, customer, language string) error
	// Language returns the language that a customer chose last, "" for none.
	Language(ctx context.Context, customer string) (string, error)

	// KeepMessage writes a message of a sandbox.
	KeepMessage(ctx context.Context, m Message) error
	// Messages returns at most limit messages, newest first.
	Messages(ctx context.Context, limit int) ([]Message, error)

	// Untold returns at most limit transactions that wait for their owner, whose owner was not told yet and
	// is to be told at the given time; those whose time is over first come first.
	Untold(ctx context.Context, at int64, limit int) ([]Telling, error)
	// ClaimTelling takes the next try at telling, for one process: nobody else tries before next
	// (microseconds). It answers false when somebody else took it.
	ClaimTelling(ctx context.Context, t Telling, next int64) (bool, error)
	// Told notes that the owner was told, or that there will be no further try.
	Told(ctx context.Context, transaction string, at int64) error

	// SweepPeople deletes at most limit rows of each kind that nobody can ask for any more at the given time,
	// and says how many they were.
	SweepPeople(ctx context.Context, at int64, limit int) (int, error)
}
