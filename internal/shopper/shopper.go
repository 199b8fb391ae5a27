// Package shopper knows the people who pay merchants by card, and what is kept for them: who they are, the
// cards that they let a merchant charge again, and the visits to the hosted page that older clients begin.
// The API calls a shopper a customer; here that word means the owner of a wallet.
//
// A shopper is known to one merchant by an e-mail address with a phone number. Those, names and card numbers
// are personal data: the types here show themselves masked wherever something prints, logs or encodes them,
// only Reveal gives the text away, and what is stored is sealed by the vault and found by blind indexes.
// Nothing here stores or seals anything.
package shopper

import (
	"strings"

	"plexy/internal/core/money"
)

// Bounds of what a merchant may store about a shopper.
const (
	MaxName     = 128  // characters
	MaxMetadata = 4096 // bytes of JSON
)

// Shopper is a merchant's customer. The pair of e-mail address and phone is unique within the merchant.
type Shopper struct {
	ID       string // UUIDv7
	Merchant string

	KeyID                  string // the vault's data key of all that follows, up to NameSealed
	EmailIndex, PhoneIndex string
	EmailSealed            []byte
	PhoneSealed            []byte
	NameSealed             []byte // nil: no name was given

	Metadata  string // a JSON object as the merchant sent it; "" for none
	CreatedAt int64  // microseconds
}

// Pair is the blind indexes of an e-mail address and a phone under one data key.
type Pair struct{ Email, Phone string }

// Card is a card that a merchant may charge again: a card token. Its number is sealed and nothing else of it
// could be used to pay; the code on its back (CVV) is not there, sealed or not.
type Card struct {
	ID       string // UUIDv7
	Merchant string
	Shopper  string // "" when the merchant named none

	Brand                   string // visa, mastercard …
	Last4                   string
	ExpiryMonth, ExpiryYear int // 1 to 12, and four digits

	KeyID        string // the vault's data key of what is sealed; "" once the card was deleted
	Print        string // blind index of merchant and number: equal for the same card of the same merchant
	NumberSealed []byte
	HolderSealed []byte // nil: no name was given

	Payment          string // the payment in which the card's owner agreed to be charged again
	NetworkReference string // the card network's reference of it, which later charges repeat
	CreatedAt        int64  // microseconds
	DeletedAt        int64  // microseconds; 0 while the card may be charged
}

// Types of payment that a session may ask for.
const (
	TypeAuth = "auth" // hold now, capture later
	TypeSale = "sale" // hold and capture at once
)

// Session is a visit to the hosted page that an older client began (POST /v1/payment-sessions): what the page
// shows, where it sends the shopper back to, and where its result is told.
type Session struct {
	ID       string // UUIDv7
	Merchant string
	Link     string // the payment link that the page pays
	Type     string // TypeAuth or TypeSale
	Terminal string
	Locale   string // as the client sent it, such as en-gb

	SuccessURL, FailureURL, CancelURL, CallbackURL string

	Amount         int64 // minor units
	Currency       money.Currency
	OrderReference string
	CartReference  string
	Description    string

	// The callback is signed with the API key that began the session (plexy-api.md §12.4), of which only a
	// hash is kept elsewhere: so it is sealed here, until the session is over.
	KeyID     string // the vault's data key; "" once the signer is erased
	Signer    []byte // sealed
	CreatedAt int64  // microseconds
	ExpiresAt int64  // microseconds; afterwards the signer is erased
}

// DirectKey is an RSA key under which merchants encrypt the fields of a card for direct payments.
type DirectKey struct {
	ID        string // UUIDv7
	Public    string // SPKI in PEM, as merchants get it
	KeyID     string // the vault's data key of Private
	Private   []byte // PKCS #8 in DER, sealed
	CreatedAt int64  // microseconds
	RetiredAt int64  // microseconds; 0 while merchants are given the key
}

// sessionMaker is what a link says that made it, before the session's id.
const sessionMaker = "session:"

// SessionMaker is what the link of a session with this id says that made it (link.Facts.CreatedBy).
func SessionMaker(session string) string { return sessionMaker + session }

// SessionOf reads it back: the session whose link says so, which is not of the merchant's writing. It is ""
// and false for links that a merchant made.
func SessionOf(createdBy string) (session string, ok bool) {
	if !strings.HasPrefix(createdBy, sessionMaker) {
		return "", false
	}
	return createdBy[len(sessionMaker):], true
}
