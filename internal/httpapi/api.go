// Package httpapi is the door for machines: the Wallet API. It checks who asks and what is asked, in a fixed
// order, turns it into an instruction, and writes the answer that the machine's outcome becomes. It decides
// nothing about money.
//
// The order of checks, whoever fails first answers: route, method, key, rate, size, content type,
// idempotency header, card numbers, JSON, fields in the seed's order; then, in the machine: stored key, id,
// state, amount.
package httpapi

import (
	"context"
	"sync"

	"plexy/internal/access"
	"plexy/internal/clock"
	"plexy/internal/core/machine"
	"plexy/internal/sandbox"
	"plexy/internal/server"
	"plexy/internal/storage"
	"plexy/internal/vault"
	"plexy/internal/webhook"
)

// Committer makes instructions durable; *commit.Committer is one.
type Committer interface {
	// Submit returns the instruction's outcome, or one of package commit's errors.
	Submit(ctx context.Context, book int, in machine.Instruction) (machine.Outcome, error)
}

// KeyFinder looks up an API key by its hash. It is asked on every request, so it had better remember for a
// moment what it found, and must never remember what it did not find.
type KeyFinder interface {
	// KeyByHash returns the key, live or revoked, or storage.ErrNotFound.
	KeyByHash(ctx context.Context, hash access.Hash) (access.Key, error)
}

// Vaults gives the vault that indexes who pays.
type Vaults interface {
	// Current returns the vault of the generation last seen.
	Current() *vault.Vault
	// Refresh reads the vault's keys again, because an instruction met a database of another generation.
	Refresh(ctx context.Context) error
}

// Options are what the door needs; all but Rate, Sandbox and Messages are required.
type Options struct {
	Commit Committer
	Reader storage.Reader
	Outbox storage.Outbox
	// News returns a channel that is closed when there are more events.
	News func() <-chan struct{}
	// Webhooks is what secrets and tokens of endpoints are derived from; CheckURL says why an endpoint cannot
	// have an address.
	Webhooks webhook.Key
	CheckURL func(url string) error
	// NewID makes an id that belongs to no book, with the given prefix.
	NewID  func(prefix string) string
	Keys   KeyFinder
	Vaults Vaults
	// Payments and Shoppers are what is known of card payments and of who pays.
	Payments storage.Payments
	Shoppers storage.Shoppers
	// Acquiring carries out card payments.
	Acquiring Acquiring
	// Padding is how clients pad the cards that they encrypt for direct payments.
	Padding vault.Padding
	// NewUUID makes a UUIDv7 on the installation's clock.
	NewUUID func() string
	// PublicURL is where people reach the pages, without a slash at the end. It is asked when it is needed: a
	// server learns its own port when it begins to listen.
	PublicURL func() string
	// Stem makes the first 24 characters of a transaction's ULID; see id.Maker.
	Stem func() string
	// Clock is the installation's, Machine the machine's, by which rates are counted: a sandbox has a time of
	// its own.
	Clock, Machine clock.Clock
	// FingerprintKey keys the digest under which a request's meaning is stored, because that meaning holds
	// a phone number and an IIN. It must stay the same for as long as idempotency keys are kept, and be the
	// same in all processes of an installation.
	FingerprintKey []byte
	// Messages is what a sandbox would have sent to people; nil in production.
	Messages Messages
	// Rate is how many requests a second, and how many at once, one API key may make; 0 is no limit.
	Rate int
	// Sandbox is what only a sandbox has; nil in production, where none of its routes exists.
	Sandbox Sandbox
}

// API is the door. It is safe for any number of goroutines.
type API struct {
	options  Options
	routes   []matcher
	limiter  *limiter
	meanings *meanings
	waiting  seats
	dial     *sandbox.Striker // nil in production
	opened   sync.Map         // keys of direct payments that were used: *vault.DirectKey by id
	making   sync.Mutex       // held while the first key of direct payments is made
}

// New makes the door.
func New(o Options) *API {
	a := &API{
		options:  o,
		routes:   matchers(o.Sandbox != nil),
		limiter:  newLimiter(o.Rate),
		meanings: newMeanings(o.FingerprintKey),
		waiting:  seats{taken: map[string]int{}},
	}
	if o.Sandbox != nil {
		a.dial = sandbox.NewStriker()
	}
	return a
}

var _ server.Door = (*API)(nil)
