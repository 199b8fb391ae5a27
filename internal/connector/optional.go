package connector

import (
	"context"
	"errors"

	"plexy/internal/card"
	"plexy/internal/core/money"
)

// ErrForged says that a callback does not carry what proves that the acquirer sent it.
var ErrForged = errors.New("the callback is not signed as agreed with the acquirer")

// ErrMalformed says that a callback cannot be read. What it wraps names the field, never its value.
var ErrMalformed = errors.New("the callback cannot be read")

// Callbacks is a connector whose acquirer sends messages of its own accord.
type Callbacks interface {
	// Callback verifies and reads one message. It is pure: it asks nobody and changes nothing. header returns
	// the value of an HTTP header, "" for none. Errors are ErrForged or ErrMalformed, perhaps wrapped.
	Callback(header func(name string) string, body []byte) (Notice, error)
}

// Notice is what a callback says. The same may come twice, late, and before the call it is about returned.
type Notice struct {
	ID        string // the acquirer's id of the message
	Operation string // our id of the operation that it is about
	Answer    Answer
}

// Tokens is a connector whose acquirer keeps cards for us.
type Tokens interface {
	// Tokenize asks the acquirer to keep the card; Answer.Token names it from then on. The amount is 0. For
	// the same card and acceptor the token is the same.
	Tokenize(ctx context.Context, o Order, c card.Card) Answer
	// Forget asks the acquirer to drop a token. Dropping what it does not have is approved.
	Forget(ctx context.Context, o Order, token string) Answer
}

// Payouts is a connector that can send money to a card.
type Payouts interface {
	// PayOut sends the amount. Inquire with the verb Payout finds out what came of it.
	PayOut(ctx context.Context, p Disbursement) Answer
}

// Disbursement is money for a card. Either Card or Token is set.
type Disbursement struct {
	Order
	Card  card.Card
	Token string
}

// Authenticator is a connector that authenticates payers by EMV 3-D Secure 2. It keeps nothing: Step.Session
// is all it needs to go on, for 15 minutes, on whichever server.
type Authenticator interface {
	// Start asks the directory whether the card takes part, and how.
	Start(ctx context.Context, a Authentication) Step
	// Continue goes on after the browser did what the step before asked of it. The same arguments lead to the
	// same step. A session that is not its own, or too old, is Done with an Unavailable proof.
	Continue(ctx context.Context, session string, r Return) Step
}

// Authentication asks whether the payer is who holds the card.
type Authentication struct {
	Order        // Operation is the id of the authentication; the amount is 0 for a verification
	Card         card.Card
	Browser      Browser
	Initiator    Initiator
	Exemption    Exemption
	Notification string // URL that the challenge's form posts cres and threeDSSessionData to
	MethodReturn string // URL that the method's page posts threeDSMethodData to
	SessionData  string // threeDSSessionData, at most 1024 characters: comes back beside cres as it was
	// Frame is the width of the challenge's window: 01 to 05 of the specification, 05 for a full page.
	Frame string
}

// Browser is what the payer's browser says of itself: the API's browserDetails.
type Browser struct {
	Accept       string
	Language     string // BCP 47
	ColorDepth   string
	ScreenHeight string
	ScreenWidth  string
	TimeZone     string // minutes, may be negative
	UserAgent    string
	JavaEnabled  bool
	IP           string // personal data
}

// Return is what the browser brought back.
type Return struct {
	// MethodDone is Y when the method's page reported back, N when it did not within 10 seconds, U when there
	// was none: the specification's threeDSCompInd.
	MethodDone string
	CRes       string // of a challenge, base64url as it was posted
}

// StepKind says what an authentication needs next.
type StepKind uint8

// The kinds of step.
const (
	Done      StepKind = iota // Proof says what came of it
	Method                    // post Form into a hidden frame, wait up to 10 seconds, Continue
	Challenge                 // post Form in the payer's window or a frame, Continue with what it posts back
	Silence                   // nobody answered: the same call may be made again
)

// Step is where an authentication stands.
type Step struct {
	Kind    StepKind
	Session string // for Continue; sealed or signed by the connector, at most 4096 characters, fit for a form
	Form    Form   // of Method and Challenge
	Proof   Proof  // of Done; of Challenge what is known already (status C, the ids)
}

// Form is what the browser must post.
type Form struct {
	URL    string
	Fields []Field
}

// Field is one hidden field of a Form.
type Field struct{ Name, Value string }

// TransStatus is the specification's word for how an authentication went.
type TransStatus string

// The statuses.
const (
	Authenticated TransStatus = "Y"
	NotProven     TransStatus = "N" // not authenticated
	Unavailable   TransStatus = "U" // could not be performed
	Attempted     TransStatus = "A" // the issuer does not take part, and stands for the attempt
	InChallenge   TransStatus = "C"
	Rejected      TransStatus = "R" // the issuer says: do not even try
)

// Proof is what came of an authentication: the API's threeDS object, and what an authorization carries.
type Proof struct {
	Status        TransStatus
	Reason        StatusReason
	Challenged    bool   // challengeflow, otherwise frictionless
	ECI           string // electronic commerce indicator, two digits
	Value         string // CAVV, base64 of 20 bytes; "" when there is none
	Version       string // of the protocol, such as 2.2.0
	DirectoryID   string // directoryTransactionId, a UUID
	ACSID         string // acsTransactionId, a UUID
	ServerID      string // of the 3-D Secure server: mpiTransactionId, a UUID
	CancelledBy   string // who ended the challenge: 01 the payer, 04 and 05 time-out; "" for nobody
	ErrorCode     string // of the specification's error message; "" for none
	ErrorDetail   string
	Amount        int64 // that the payer was authenticated for, in minor units
	Currency      money.Currency
	Authenticated int64 // when, in microseconds
}

// Verdict is what an authorization may make of a proof.
type Verdict uint8

// The verdicts.
const (
	// Refuse: the issuer said that this is not the payer. No authorization may follow.
	Refuse Verdict = iota
	// Proceed: the payer is authenticated, or the attempt counts; the issuer is liable.
	Proceed
	// Unshifted: it could not be found out. An authorization may follow if the merchant takes the risk.
	Unshifted
)

// Verdict is the house's reading of the status: Y and A proceed; U, and N because the card is not enrolled
// (reason 13), are at the merchant's risk. Everything else is refused, also what is not over, and a challenge
// that was begun and broke off: somebody may not have wanted it to end.
func (p Proof) Verdict() Verdict {
	switch {
	case p.Status == Authenticated || p.Status == Attempted:
		return Proceed
	case p.Challenged:
		return Refuse
	case p.Status == Unavailable, p.Status == NotProven && p.Reason == ReasonNotEnrolled:
		return Unshifted
	}
	return Refuse
}

// StatusReason is the specification's transStatusReason, two digits.
type StatusReason string

// The reasons that the house itself speaks of.
const (
	ReasonFailed      StatusReason = "01"
	ReasonFraud       StatusReason = "11"
	ReasonNotEnrolled StatusReason = "13"
	ReasonTimeout     StatusReason = "14"
	ReasonTechnical   StatusReason = "22"
)

var reasonWords = [...]string{
	1: "card authentication failed", 2: "unknown device", 3: "unsupported device",
	4: "authentication frequency limit exceeded", 5: "expired card", 6: "invalid card number",
	7: "invalid transaction", 8: "no card record", 9: "security failure", 10: "stolen card",
	11: "suspected fraud", 12: "transaction not permitted to cardholder", 13: "cardholder not enrolled",
	14: "transaction timed out at the issuer", 15: "low confidence", 16: "medium confidence",
	17: "high confidence", 18: "very high confidence", 19: "too many challenges",
	20: "non-payment transaction not supported", 21: "3RI transaction not supported",
	22: "technical problem at the issuer", 23: "decoupled authentication required but not asked for",
	24: "decoupled authentication time exceeded", 25: "decoupled authentication time insufficient",
	26: "authentication attempted but not performed by the cardholder",
}

// Words says what the reason means; "" for none, and for what the specification does not list.
func (r StatusReason) Words() string {
	if len(r) != 2 || r[0] < '0' || r[0] > '9' || r[1] < '0' || r[1] > '9' {
		return ""
	}
	if n := int(r[0]-'0')*10 + int(r[1]-'0'); n < len(reasonWords) {
		return reasonWords[n]
	}
	return ""
}
