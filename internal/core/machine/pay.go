package machine

import (
	"plexy/internal/core/link"
	"plexy/internal/core/payment"
)

// CreateLink makes a payment link. Its order reference, unless it is "", is its merchant's only one for ever.
type CreateLink struct {
	Facts     link.Facts
	ExpiresAt int64 // microseconds; 0 for never
}

// CancelLink ends a link of the merchant.
type CancelLink struct{ Merchant, ID string }

// SetLinkExpiry changes when a link of the merchant expires, in microseconds.
type SetLinkExpiry struct {
	Merchant, ID string
	ExpiresAt    int64
}

// ExpireLink ends a link whose time is over.
type ExpireLink struct{ ID string }

// BeginPayment makes a payment. With Facts.Link the link must be free, and says what is paid: Amount,
// Currency, Description, AutoClearing and, where the link has one, OrderReference of the Facts are then not
// looked at. With
// Facts.Recurring.Type Unscheduled, Facts.Parent began the series. Operation is the id of the authorization
// to send, or, with Authenticate, is not used: the payer goes through 3-D Secure first.
type BeginPayment struct {
	Facts        payment.Facts
	Operation    string
	Authenticate bool
}

// Attempt names an operation and everything that its answer may change; the caller takes the ids from the
// rows, where they never change.
type Attempt struct {
	Payment   string
	Operation string
	Link      string // the payment's; "" for none
	Other     string // the operation's Refund, or the Parent of an Unscheduled payment; "" for neither
}

// AttemptOf names an operation of a payment, and all that its answer may change.
func AttemptOf(p payment.Payment, o payment.Operation) Attempt {
	at := Attempt{Payment: p.ID, Operation: o.ID, Other: o.Refund}
	if o.Verb == payment.Authorize {
		at.Link = p.Link
		if p.Recurring.Type == payment.Unscheduled {
			at.Other = p.Parent
		}
	}
	return at
}

// Authenticated ends a payment's 3-D Secure. Operation in the Attempt is the id of the authorization to send
// next, if there is one.
type Authenticated struct {
	Attempt
	Verdict payment.Verdict
	ECI     string // electronic commerce indicator
}

// Abandon fails a payment whose payer never came back from 3-D Secure, or rejects one whose payer has given
// it up (Early). The Attempt names no operation.
type Abandon struct {
	Attempt
	Early bool
}

// Modification asks for something of a merchant's authorized payment. Operation is the id of the operation
// to send; Amount is minor units, 0 for all there is.
type Modification struct {
	Merchant, Payment, Operation string
	Amount                       int64
}

// AskCapture means to capture a part of what is held.
type AskCapture struct{ Modification }

// AskCancel means to give up a part of what is held.
type AskCancel struct{ Modification }

// AskRefund means to give back a part of what was captured.
type AskRefund struct {
	Modification
	Returning payment.Returning
}

// ClearPayment means to capture what is still held, because its time has come. Operation is the id of the
// operation to send.
type ClearPayment struct{ Payment, Operation string }

// RecordAnswer settles an operation with the acquirer's answer. Audit is the id of the audit row that is
// written when the answer contradicts what is known; "" writes none.
type RecordAnswer struct {
	Attempt
	Answer payment.Answer
	Audit  string
}

// SettleOperation settles an operation whose outcome is unknown with what a person found out; see
// payment.SettleByHand. Found is its State, and its RRN where there is one.
type SettleOperation struct {
	Attempt
	Found payment.Answer
	By    By
}

// PutOff notes that an operation's outcome is still not known. With Claim it is by somebody who is about to
// ask after it, and refused (AlreadyDecided) when it was asked after since Seen checks: of several, one goes
// on.
type PutOff struct {
	Attempt
	Claim bool
	Seen  int64
}

// RecordSettlement notes that the acquirer paid Amount of a payment out, of which it kept Fee; of a refund,
// that it kept Amount. Minor units.
type RecordSettlement struct {
	Payment     string
	Amount, Fee int64
}

// FailRefund takes back a refund that was accepted and failed later.
type FailRefund struct{ Payment, Refund string }

func (CreateLink) command()       {}
func (CancelLink) command()       {}
func (SetLinkExpiry) command()    {}
func (ExpireLink) command()       {}
func (BeginPayment) command()     {}
func (Authenticated) command()    {}
func (Abandon) command()          {}
func (AskCapture) command()       {}
func (AskCancel) command()        {}
func (AskRefund) command()        {}
func (ClearPayment) command()     {}
func (RecordAnswer) command()     {}
func (SettleOperation) command()  {}
func (PutOff) command()           {}
func (RecordSettlement) command() {}
func (FailRefund) command()       {}

// pay names what a command about payments and links needs.
func (k *Keys) pay(c Command) {
	switch c := c.(type) {
	case CreateLink:
		if c.Facts.OrderReference != "" {
			k.LinkReferences = append(k.LinkReferences,
				OrderReference{c.Facts.Merchant, c.Facts.OrderReference})
		}
	case CancelLink:
		k.Links = append(k.Links, c.ID)
	case SetLinkExpiry:
		k.Links = append(k.Links, c.ID)
	case ExpireLink:
		k.Links = append(k.Links, c.ID)
	case BeginPayment:
		k.attempt(Attempt{Link: c.Facts.Link, Other: c.Facts.Parent})
	case Authenticated:
		c.Operation = "" // it is made here
		k.attempt(c.Attempt)
	case Abandon:
		k.attempt(c.Attempt)
	case AskCapture:
		k.Payments = append(k.Payments, c.Payment)
	case AskCancel:
		k.Payments = append(k.Payments, c.Payment)
	case AskRefund:
		k.Payments = append(k.Payments, c.Payment)
	case ClearPayment:
		k.Payments = append(k.Payments, c.Payment)
	case RecordAnswer:
		k.attempt(c.Attempt)
	case SettleOperation:
		k.attempt(c.Attempt)
	case PutOff:
		k.attempt(Attempt{Payment: c.Payment, Operation: c.Operation})
	case RecordSettlement:
		k.Payments = append(k.Payments, c.Payment)
	case FailRefund:
		k.Payments = append(k.Payments, c.Payment, c.Refund)
	}
}

func (k *Keys) attempt(a Attempt) {
	for _, id := range []string{a.Payment, a.Other} {
		if id != "" {
			k.Payments = append(k.Payments, id)
		}
	}
	if a.Operation != "" {
		k.Operations = append(k.Operations, a.Operation)
	}
	if a.Link != "" {
		k.Links = append(k.Links, a.Link)
	}
}
