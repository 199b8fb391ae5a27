package connector

import "errors"

// Outcome is what became of an operation. There is no word for failure: what is not known is Unknown.
type Outcome uint8

// The outcomes. The zero value is Unknown, so whatever is forgotten is asked after and never taken for a no.
const (
	// Unknown: it may have been done or not. Only Inquire, or a callback, ends it.
	Unknown Outcome = iota
	// Approved: it is done.
	Approved
	// Declined: the acquirer or the issuer said no, for the reason in Code. It has no effect.
	Declined
	// Pending: the acquirer has it and will decide later. A callback or Inquire tells.
	Pending
	// NotSent: it certainly has no effect and never will have one: the request did not leave, the acquirer
	// took nothing of it in, or it was undone.
	NotSent
)

var outcomeNames = [...]string{"unknown", "approved", "declined", "pending", "notsent"}

// String is the name of the outcome: unknown, approved, declined, pending or notsent.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return outcomeNames[Unknown]
}

// ParseOutcome reads the name of an outcome; false for what is none.
func ParseOutcome(name string) (Outcome, bool) {
	for i, known := range outcomeNames {
		if name == known {
			return Outcome(i), true
		}
	}
	return Unknown, false
}

// MarshalText writes the name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads the name.
func (o *Outcome) UnmarshalText(name []byte) error {
	known, ok := ParseOutcome(string(name))
	if !ok {
		return errors.New("not the name of an outcome")
	}
	*o = known
	return nil
}

// Final reports whether no other outcome can follow.
func (o Outcome) Final() bool { return o == Approved || o == Declined || o == NotSent }

// Answer is what came of a request. It holds nothing secret: it may be stored, logged and shown to staff.
type Answer struct {
	Outcome Outcome
	// Code is the acquirer's reason: of approved and declined answers always there, of others perhaps.
	Code Code
	// Approved is the amount that was approved, in minor units: less than asked for with code 10.
	Approved         int64
	AuthCode         string // of the issuer, 6 characters
	RRN              string // retrieval reference number, 12 characters
	NetworkReference string // of the card network: what later payments under the same mandate name
	// Trace is what the connector wants back in Original, at most 64 characters: opaque to everybody else.
	Trace string
	CVV   CVVStatus
	// Token is the acquirer's name for the card, of a connector that has Tokens.
	Token string
	// Note is for staff: what went wrong on the way, in a few words without anything of the card.
	Note string
}

// Lost is the answer when it is not known what happened; note says why, for staff.
func Lost(note string) Answer { return Answer{Outcome: Unknown, Note: note} }

// Unsent is the answer when certainly nothing happened; note says why, for staff.
func Unsent(note string) Answer { return Answer{Outcome: NotSent, Note: note} }

// Refused is the answer when the acquirer or the issuer said no.
func Refused(code Code) Answer { return Answer{Outcome: Declined, Code: code} }

// CVVStatus is what the issuer said about the card's CVV; "" when none was given.
type CVVStatus string

// The results of a check, as card networks write them.
const (
	CVVMatch        CVVStatus = "M"
	CVVNoMatch      CVVStatus = "N"
	CVVNotProcessed CVVStatus = "P"
	CVVMissing      CVVStatus = "S"
	CVVIssuerOut    CVVStatus = "U"
)

// Words says what the result means.
func (s CVVStatus) Words() string {
	switch s {
	case CVVMatch:
		return "CVV matches"
	case CVVNoMatch:
		return "CVV does not match"
	case CVVNotProcessed:
		return "CVV was not checked"
	case CVVMissing:
		return "CVV should be on the card but was not given"
	case CVVIssuerOut:
		return "the issuer does not check CVVs"
	}
	return "CVV was not given"
}
