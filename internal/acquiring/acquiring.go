// Package acquiring carries out card payments: it writes down what is meant, asks the acquirer, and writes down
// what the acquirer said. In between there is no transaction, so a call may take its time, get lost or be cut
// by a crash: what was meant is then asked after until it is known (practice.md §5.4).
//
// It decides nothing about money. The core does, from what is written down, and whoever brings an answer, the
// call itself, an inquiry or a callback, brings it to the same place. So any number of servers may do all of
// this at the same time.
package acquiring

import (
	"errors"

	"plexy/internal/card"
	"plexy/internal/connector"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
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

// Acquiring carries out payments. Make it with New; it is safe for any number of goroutines.
type Acquiring struct{}
