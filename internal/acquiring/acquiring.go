// Package acquiring carries out card payments: it writes down what is meant, asks the acquirer, and writes
// down what the acquirer said. In between there is no transaction, so a call may take its time, get lost or
// be cut by a crash: what was meant is then asked after until it is known.
//
// It decides nothing about money. The core does, from what is written down, and whoever brings an answer, the
// call itself, an inquiry or a callback, brings it to the same place. So any number of servers may do all of
// this at the same time.
package acquiring

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"plexy/internal/card"
	"plexy/internal/clock"
	"plexy/internal/connector"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/merchant"
	"plexy/internal/storage"
	"plexy/internal/vault"
)

// Request is a payment to make.
type Request struct {
	Key         string // idempotency key within Facts.Merchant; "" for none
	Fingerprint [32]byte
	Origin      journal.Origin
	// Facts say what is paid. ID may be "" and is then made here, and Connector, ClearMicros and Card are
	// filled in here. CardToken is Token, or the id that a stored card gets. With Link, what the link says
	// counts (see machine.BeginPayment). An Unscheduled one names in Parent the first of its series.
	Facts payment.Facts
	// Card is what the payer typed; with Token it may hold a CVV and nothing else.
	Card  card.Card
	Token string // id of a stored card of Facts.Merchant; "" for none, or for that of an Unscheduled's Parent
	// Store keeps the card for later (of Facts.Shopper, which may be "") when the payment is approved. It is
	// then the card that Payment.CardToken names.
	Store bool

	MOTO        bool                // by mail or telephone: no 3-D Secure
	Exemption   connector.Exemption // "" for none; with one there is no 3-D Secure
	SkipThreeDS bool
	Browser     connector.Browser
	// Return is the absolute address, at most 256 characters, that the bank's page posts `cres` and
	// `threeDSSessionData` (see SessionData) to. MethodReturn is where the method's page posts
	// `threeDSMethodData` to; "" for who cannot show that page: it is then left out.
	Return, MethodReturn string
	Frame                string // width of the challenge's window, 01 to 05; "" for a full page
}

// Result is what came of something by now.
type Result struct {
	Payment payment.Payment // as it is now; zero when there is none
	// Operation is what was asked of the acquirer: Sent while the outcome is not known. Its ID is "" when
	// nothing was asked.
	Operation payment.Operation
	Refund    payment.Payment // of Refund: the refund, a payment of its own
	// Reason is why it was not begun, "" when it was. That the bank declined is none: see Payment.Status,
	// Failure and ResponseCode, and Operation.State.
	Reason reject.Reason
	// Step is what the payer's browser must do next (Kind Method or Challenge); nil for nothing.
	Step *connector.Step
	// Proof is how 3-D Secure ended just now; nil when it did not. Of it only what Payment has is kept.
	Proof *connector.Proof
	// Replayed is set when the key was used before, for the same: nothing was begun, and the rest says how
	// things are now. First is what it was used for, also when it meant something else then.
	Replayed bool
	First    machine.Stored
}

// Continuation is what the payer's browser brought back.
type Continuation struct {
	Merchant string // whose payment it must be; "" for the browser itself
	Payment  string // id; see PaymentOf for the one in threeDSSessionData
	Origin   journal.Origin
	Return   connector.Return // CRes, or MethodDone
}

// Modification is a capture, a cancel or a refund to make.
type Modification struct {
	Key               string // idempotency key within Merchant; "" for none
	Fingerprint       [32]byte
	Origin            journal.Origin
	Merchant, Payment string
	Amount            int64 // minor units; 0 for all there is
	// OrderReference and Description are a refund's own; "" for those of the payment.
	OrderReference, Description string
}

// ErrBusy: as many calls to acquirers are under way as may be. Nothing was begun.
var ErrBusy = errors.New("acquiring: too many calls to acquirers")

// ErrNoConnector: there is no acquirer of that name here, or it does not send callbacks.
var ErrNoConnector = errors.New("acquiring: no such acquirer")

// Limits.
const (
	// MaxCalls is how many payments and modifications may be with acquirers at once; one more is ErrBusy.
	MaxCalls = 1024
	// CallLimit is how long one call may take: what is not answered by then is unknown, and asked after. It is
	// less than the two minutes after which the core has an operation asked after by anybody.
	CallLimit = 90 * time.Second
	// askLimit is how long an inquiry may take, and secureLimit one step of 3-D Secure.
	askLimit    = 30 * time.Second
	secureLimit = 10 * time.Second
	// writeLimit is how long it may take to write down what was heard.
	writeLimit = 10 * time.Second
)

// Committer is what decides and saves: *commit.Committer.
type Committer interface {
	// Submit commits one instruction; see commit.Committer.
	Submit(ctx context.Context, book int, in machine.Instruction) (machine.Outcome, error)
}

// Vaults hand out the vault of the newest generation that this process has seen.
type Vaults interface {
	// Current returns that vault.
	Current() *vault.Vault
	// Refresh reads the vault's keys from the database again.
	Refresh(ctx context.Context) error
}

// Keeper is what is read and kept here.
type Keeper interface {
	storage.Payments
	storage.Shoppers
	storage.HeldCards
	// Merchant returns a merchant, or storage.ErrNotFound.
	Merchant(ctx context.Context, id string) (merchant.Merchant, error)
}

// Options are what Acquiring needs. Observe and Acceptor may be nil.
type Options struct {
	Commit Committer
	Keeper Keeper
	Vaults Vaults
	Clock  clock.Clock   // the application's: a test clock moves everything that is timed here
	NewID  func() string // UUIDv7 on that clock
	// Connectors are all there are, for new payments and old ones. Default is the name of the one that new
	// payments are made with; "" refuses them.
	Connectors []connector.Connector
	Default    string
	// Acceptor says what the acquirer calls a merchant; nil for its name and nothing else.
	Acceptor func(m merchant.Merchant, terminal string) connector.Acceptor
	// Observe counts one call: which, and what came of it.
	Observe func(call string, outcome connector.Outcome)
	Log     *slog.Logger
}

// Acquiring carries out payments. Make it with New; it is safe for any number of goroutines.
type Acquiring struct {
	o      Options
	by     map[string]connector.Connector
	places chan struct{} // one for each payment or modification under way

	life    context.Context // of all calls; ends when Close has waited enough
	end     context.CancelFunc
	running sync.WaitGroup

	secrets secrets
}

// New returns an Acquiring. Close it.
func New(o Options) *Acquiring {
	if o.Observe == nil {
		o.Observe = func(string, connector.Outcome) {}
	}
	if o.Acceptor == nil {
		o.Acceptor = func(m merchant.Merchant, terminal string) connector.Acceptor {
			return connector.Acceptor{Terminal: terminal, Name: m.Name, Country: "KZ"}
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &Acquiring{o: o, by: map[string]connector.Connector{}, places: make(chan struct{}, MaxCalls)}
	for _, c := range o.Connectors {
		a.by[c.Name()] = c
	}
	a.life, a.end = context.WithCancel(context.Background())
	return a
}

// Close lets what is under way finish until ctx ends, then cuts the calls, whose outcome is unknown from then
// on, and returns when that is written down. Nothing may be begun any more.
func (a *Acquiring) Close(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		a.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	a.end()
	<-done
}

// carry runs fn to its end whether or not the caller still waits, and returns what it returned, or else what
// is known already.
func (a *Acquiring) carry(ctx context.Context, known Result, fn func(context.Context) (Result, error)) (
	Result, error) {
	type end struct {
		result Result
		err    error
	}
	done := make(chan end, 1)
	a.running.Go(func() {
		defer func() { <-a.places }()
		e := end{known, nil}
		defer func() {
			if p := recover(); p != nil { // what was begun is asked after
				a.alarm("a payment was left where it was", "panic", p)
			}
			done <- e
		}()
		e.result, e.err = fn(context.WithoutCancel(ctx))
	})
	select {
	case e := <-done:
		return e.result, e.err
	case <-ctx.Done():
		return known, nil
	}
}

// enter takes a place, which carry gives back; false when there is none.
func (a *Acquiring) enter() bool {
	select {
	case a.places <- struct{}{}:
		return true
	default:
		return false
	}
}

// alarm logs what somebody should look at.
func (a *Acquiring) alarm(what string, about ...any) {
	a.o.Log.Error(what, append([]any{slog.String("alarm", "acquirer")}, about...)...)
}

// submit commits an instruction about a payment.
func (a *Acquiring) submit(
	ctx context.Context, payment string, in machine.Instruction,
) (machine.Outcome, error) {
	return a.o.Commit.Submit(ctx, journal.BookOf(payment), in)
}
