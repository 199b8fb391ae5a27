package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"plexy/internal/connector"
	"plexy/internal/core/money"
	magic "plexy/internal/sandbox"
)

// networkPrefix begins every network reference of the pretend network.
const networkPrefix = "SBX"

// maxSteps bounds the operations on one authorization; more are declined as invalid.
const maxSteps = 500

// request is what arrives at the bank. Nothing of a card is in it but what the bank thinks of it.
type request struct {
	verb         connector.Verb
	order        connector.Order
	account      string // operation id of the authorization or payout
	oneStep      bool
	verification bool
	cvv          connector.CVVStatus
	code         connector.Code // that card or amount ask for; "" for approved
	token        string
	inquiry      bool
	again        bool // the account is known to exist
}

// step is one operation as the bank remembers it.
type step struct {
	Operation    string              `json:"operation"`
	Payment      string              `json:"payment,omitempty"`
	Merchant     string              `json:"merchant,omitempty"`
	Verb         connector.Verb      `json:"verb"`
	Outcome      connector.Outcome   `json:"outcome"`
	Code         connector.Code      `json:"code,omitempty"`
	Amount       int64               `json:"amount"`
	Approved     int64               `json:"approved,omitempty"`
	Currency     money.Currency      `json:"currency"`
	CVV          connector.CVVStatus `json:"cvv,omitempty"`
	OneStep      bool                `json:"oneStep,omitempty"`
	Verification bool                `json:"verification,omitempty"`
	DecidedAt    int64               `json:"decidedAt"` // microseconds; before it the operation is pending
}

// account is an authorization or a payout with all that was done to it.
type account struct {
	version int64
	Steps   []step `json:"steps"`
}

// with is the account with one step more, to be saved in place of this one.
func (a account) with(s step) account {
	return account{version: a.version + 1, Steps: append(slices.Clip(a.Steps), s)}
}

// decide returns the step that answers a request: the one that is there, or a new one. An inquiry after what
// is not there makes a step that did not happen, so that it never will.
func (a account) decide(r request, now int64) (s step, isNew bool) {
	for _, s := range a.Steps {
		if s.Operation == r.order.Operation {
			return s, false
		}
	}
	s = step{
		Operation: r.order.Operation, Payment: r.order.Payment, Merchant: r.order.Merchant, Verb: r.verb,
		Amount: r.order.Amount, Currency: r.order.Currency, CVV: r.cvv, OneStep: r.oneStep,
		Verification: r.verification, DecidedAt: now, Outcome: connector.NotSent,
	}
	if r.inquiry {
		return s, true
	}
	s.Code = r.code
	if no := a.refusal(r, now); no != "" {
		s.Code = no
	} else if late, ok := magic.LateOf(r.order.Amount); ok && s.Code == "" && r.verb != connector.Cancel {
		s.DecidedAt = now + late.After.Microseconds()
		s.Code = connector.Code(late.Code)
	}
	switch s.Code {
	case "", connector.CodeApproved:
		s.Outcome, s.Code, s.Approved = connector.Approved, connector.CodeApproved, s.Amount
	case connector.CodePartial:
		s.Outcome, s.Approved = connector.Approved, s.Amount*magic.PartialPercent/100
		if s.Verb != connector.Authorize { // only a hold can be for less than was asked
			s.Outcome, s.Approved = connector.Declined, 0
		}
	default:
		s.Outcome = connector.Declined
	}
	return s, true
}

// refusal is why the account has no room for a change; "" when it has, and for what begins an account.
func (a account) refusal(r request, now int64) connector.Code {
	if r.verb == connector.Authorize || r.verb == connector.Payout {
		return ""
	}
	t, ok := a.totals(now)
	switch {
	case !ok:
		return connector.CodeNotFound
	case t.verification || t.currency != r.order.Currency || len(a.Steps) >= maxSteps:
		return connector.CodeInvalid
	case r.verb != connector.Refund && t.oneStep:
		return connector.CodeInvalid
	case r.order.Amount > t.authorized:
		return connector.CodeAboveOriginal
	case r.verb == connector.Refund && r.order.Amount > t.captured-t.refunding,
		r.verb != connector.Refund && r.order.Amount > t.authorized-t.capturing-t.released:
		return connector.CodeAmountGone
	}
	return ""
}

// over is when the bank is done with the account, in microseconds; 0 while anything of it may still be taken,
// given up or given back, and for what is no account.
func (a account) over() (at int64) {
	for _, s := range a.Steps {
		at = max(at, s.DecidedAt)
	}
	if len(a.Steps) == 0 || a.Steps[0].Verb != connector.Authorize && a.Steps[0].Verb != connector.Payout {
		return 0
	}
	t, held := a.totals(at)
	if held && !t.verification && (t.captured+t.released < t.authorized || t.refunding < t.captured) {
		return 0
	}
	return at
}

// totals are what is approved of an account. What is pending counts where it takes room, and not where it
// would make some: a capture that is not decided can be neither repeated nor refunded.
type totals struct {
	authorized, captured, capturing, released, refunding int64

	currency              money.Currency
	oneStep, verification bool
}

// totals adds the steps up; ok is false without an approved authorization.
func (a account) totals(now int64) (t totals, ok bool) {
	for _, s := range a.Steps {
		decided := s.DecidedAt <= now
		if s.Outcome != connector.Approved && (decided || s.Outcome == connector.NotSent) {
			continue
		}
		switch s.Verb {
		case connector.Authorize:
			if !decided {
				continue
			}
			ok = true
			t.authorized, t.currency, t.oneStep, t.verification = s.Approved, s.Currency, s.OneStep, s.Verification
			if s.OneStep {
				t.captured, t.capturing = s.Approved, s.Approved
			}
		case connector.Capture:
			t.capturing += s.Amount
			if decided {
				t.captured += s.Amount
			}
		case connector.Cancel:
			t.released += s.Amount
		case connector.Refund:
			t.refunding += s.Amount
		}
	}
	return t, ok
}

// same reports whether a request asks for what the step did.
func (s step) same(r request) bool {
	return s.Verb == r.verb && s.Amount == r.order.Amount && s.Currency == r.order.Currency &&
		(s.Outcome == connector.NotSent || s.OneStep == r.oneStep && s.Verification == r.verification)
}

// answer is what the bank says about a step at a time. What it made up for it follows from the operation's
// id, so it is the same whenever it is asked.
func (s step) answer(now int64) connector.Answer {
	digest := sha256.Sum256([]byte(s.Operation))
	number := binary.BigEndian.Uint64(digest[:])
	answer := connector.Answer{Outcome: s.Outcome, Code: s.Code, CVV: s.CVV}
	if s.Outcome == connector.NotSent {
		return answer
	}
	answer.RRN = fmt.Sprintf("%012d", number%1_000_000_000_000)
	switch {
	case s.DecidedAt > now:
		answer.Outcome, answer.Code = connector.Pending, ""
	case s.Outcome == connector.Approved:
		answer.Approved = s.Approved
		if s.Verb == connector.Authorize {
			answer.AuthCode = fmt.Sprintf("%06d", number/7%1_000_000)
			answer.NetworkReference = fmt.Sprintf("%s%012d", networkPrefix, number/11%1_000_000_000_000)
		}
	}
	return answer
}

// Booked is what the bank has done of one authorization, in minor units: the truth that our books are
// measured by.
type Booked struct{ Authorized, Captured, Released, Refunded int64 }

// Booked returns what the bank has done of an authorization; all zero for one that it does not have.
func (a *Acquirer) Booked(ctx context.Context, authorization string) (b Booked, err error) {
	kept, err := a.books.read(ctx, authorization)
	now := a.options.Clock.Now()
	for _, s := range kept.Steps {
		if s.Outcome != connector.Approved || s.DecidedAt > now {
			continue
		}
		switch s.Verb {
		case connector.Authorize:
			b.Authorized += s.Approved
			if s.OneStep {
				b.Captured += s.Approved
			}
		case connector.Capture:
			b.Captured += s.Approved
		case connector.Cancel:
			b.Released += s.Approved
		case connector.Refund:
			b.Refunded += s.Approved
		}
	}
	return b, err
}
