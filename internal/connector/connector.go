// Package connector is the contract between Plexy and an acquirer: what a connector is asked, and what it may
// answer.
//
// A connector is a stateless translator. It turns one request into one exchange with its acquirer, and what
// came of it into an Answer. It returns no errors, it tries nothing twice, it keeps nothing that the next
// call needs, and it decides nothing about money: our books do, from its answers. Every request carries an
// operation id that never changes; it is what the acquirer tells repeated requests by. So asking twice has
// one effect, and after a crash the id is all that is needed to find out what happened.
//
// What not every acquirer can do is an interface of its own, found by type: Callbacks, Authenticator, Tokens,
// Payouts. The suite in connectortest judges every connector.
package connector

import (
	"context"

	"plexy/internal/card"
	"plexy/internal/core/money"
)

// Connector speaks to one acquirer. All methods may be called at the same time. None returns before the
// acquirer answered, the connector's own time limit passed or ctx ended; the last two are Unknown, unless the
// request certainly did not leave.
type Connector interface {
	// Name is one lower-case word, such as "sandbox": it stands in account names and in the books for ever.
	Name() string
	// Authorize asks the issuer to hold the amount, or with OneStep to take it.
	Authorize(ctx context.Context, a Authorization) Answer
	// Capture takes all or part of what is held. What it leaves stays held: several captures are possible.
	Capture(ctx context.Context, c Change) Answer
	// Cancel gives up all or part of what is held and not captured. Card networks say void or reversal.
	Cancel(ctx context.Context, c Change) Answer
	// Refund gives back all or part of what was captured.
	Refund(ctx context.Context, c Change) Answer
	// Inquire finds out what came of an operation, of whichever kind. Unknown means that it could not be found
	// out now. NotSent is a promise: the operation has no effect and never will have one, even if a request
	// that is still on its way arrives later. A connector whose acquirer cannot be asked undoes the operation
	// and then says NotSent.
	Inquire(ctx context.Context, q Inquiry) Answer
}

// Verb is a kind of operation.
type Verb string

// The verbs that Inquire may be asked about.
const (
	Authorize Verb = "authorize"
	Capture   Verb = "capture"
	Cancel    Verb = "cancel"
	Refund    Verb = "refund"
	Payout    Verb = "payout"
)

// Order is what every request has in common.
type Order struct {
	// Operation is the stable id of the operation, the same however often it is asked: a UUID as text, 36
	// characters. The acquirer must have one effect for it.
	Operation string
	// Payment is the id of the payment that the operation belongs to, a UUID as text.
	Payment string
	// Merchant is our id of the merchant; what the acquirer calls it is in Acceptor.
	Merchant string
	// At is when the operation was decided, in microseconds since 1970 in UTC: as stable as its id, so what is
	// made from it (dates, trace numbers) is the same when the operation is repeated or asked after.
	At       int64
	Amount   int64 // minor units
	Currency money.Currency
	Acceptor Acceptor
}

// Acceptor is the merchant as the acquirer knows it.
type Acceptor struct {
	Merchant string // the acquirer's number of the merchant, at most 15 characters (ISO 8583 field 42)
	Terminal string // the acquirer's number of the terminal, at most 8 characters (field 41)
	Name     string // as it stands on the payer's statement
	City     string
	Country  string // ISO 3166-1 alpha-2
	Category string // merchant category code, ISO 18245, four digits
}

// Initiator says who began a payment with a stored card.
type Initiator string

// The initiators. The zero value is a payment with a card that is not and will not be stored.
const (
	First    Initiator = "cof_initial" // by the payer: the card is stored, and a mandate begins
	Merchant Initiator = "ucof"        // by the merchant, under the mandate of a First one
	Payer    Initiator = "cof"         // by the payer, with the card stored earlier
)

// Exemption is a reason for which the payer need not be authenticated.
type Exemption string

// LowValue is the exemption for small amounts, the only one that the API knows.
const LowValue Exemption = "low_value"

// Authorization asks for money of a card.
type Authorization struct {
	Order
	Card  card.Card // or; its CVV is zero of stored cards and of what the merchant begins
	Token string    // the acquirer's own token, of a connector that has Tokens
	// OneStep takes the money at once: approved is then captured too, and no capture follows.
	OneStep bool
	// Verification asks whether the card is good. The amount is 0, nothing is held, nothing follows.
	Verification bool
	MOTO         bool // by mail or telephone: the payer is not there, and is not authenticated
	Exemption    Exemption
	Initiator    Initiator
	// Mandate is the network reference of the First payment, for one by the Merchant.
	Mandate string
	Proof   *Proof // of a 3-D Secure authentication; nil for none
	PayerIP string // as text; personal data
}

// Change asks for a capture, a cancel or a refund.
type Change struct {
	Order
	Original Original
}

// Original is what is known of the authorization that a Change or an Inquiry is about.
type Original struct {
	Operation        string // its operation id
	At               int64
	Amount           int64 // what was approved, in minor units
	AuthCode         string
	RRN              string
	NetworkReference string
	Trace            string
}

// Inquiry asks what came of an operation. Order is as it was when the operation was asked for.
type Inquiry struct {
	Order
	Verb     Verb
	OneStep  bool     // as it was, of an authorize
	Original Original // of everything else; what is known of an authorize itself is nothing
	// Card is the number and expiry of an authorize, never a CVV: for acquirers that find by card. It is the
	// zero Card when the number is not known any more.
	Card card.Card
}
