// Package sandbox is the pretend acquirer of a sandbox, with the bank behind it and its 3-D Secure. The
// documented test cards, amounts and CVV have the outcome that they are documented with, every other card
// succeeds; faults strike as the merchant has dialled them.
//
// The bank keeps books of its own, apart from ours, so that what it says when it is asked is what it did,
// also after a restart. It decides in pure functions (account.go) and knows no card number once it has
// answered.
package sandbox

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"

	"plexy/internal/card"
	"plexy/internal/clock"
	"plexy/internal/connector"
	magic "plexy/internal/sandbox"
	"plexy/internal/storage"
)

// Name is the connector's name.
const Name = "sandbox"

// bankLimit is how long the bank may take over its books. A request that has arrived is finished without
// whoever sent it.
const bankLimit = 10 * time.Second

// Options are what the acquirer needs.
type Options struct {
	Books storage.Bank
	// Clock is the application's: pending operations are decided by it, and cards expire.
	Clock clock.Clock
	// Key is 32 secret bytes, the same in all processes of an installation: it seals authentications and signs
	// callbacks.
	Key []byte
	// Address is where the payer's browser finds the pages of package acs, such as https://HOST/acs. AddressOf,
	// unless it is nil, tells it instead: for who does not know it yet.
	Address   string
	AddressOf func() string
	// Latency is how long every answer takes.
	Latency time.Duration
	// Fault returns what a merchant has dialled; nil for nothing ever.
	Fault func(merchant string) magic.Dial
	// Post takes a callback to where Callback reads it; an error means that it is sent again. nil: there are
	// no callbacks.
	Post func(ctx context.Context, header func(name string) string, body []byte) error
	// CallBackAlways sends a callback about every operation, not only of those that were pending.
	CallBackAlways bool
}

// Acquirer is the connector. It is safe for any number of goroutines.
type Acquirer struct {
	options Options
	books   *books
	striker *magic.Striker
	outgoing
}

var (
	_ connector.Connector     = (*Acquirer)(nil)
	_ connector.Callbacks     = (*Acquirer)(nil)
	_ connector.Authenticator = (*Acquirer)(nil)
	_ connector.Tokens        = (*Acquirer)(nil)
	_ connector.Payouts       = (*Acquirer)(nil)
)

// New returns the acquirer.
func New(o Options) *Acquirer {
	if o.AddressOf == nil {
		o.AddressOf = func() string { return o.Address }
	}
	return &Acquirer{options: o, books: newBooks(o.Books), striker: magic.NewStriker()}
}

// Name is sandbox.
func (*Acquirer) Name() string { return Name }

// Authorize decides by card, CVV and amount.
func (a *Acquirer) Authorize(ctx context.Context, r connector.Authorization) connector.Answer {
	if err := r.Check(); err != nil {
		return connector.Unsent(err.Error())
	}
	return a.operate(ctx, request{
		verb: connector.Authorize, order: r.Order, account: r.Operation, oneStep: r.OneStep,
		verification: r.Verification, cvv: checkCVV(r.Card.CVV), code: a.judge(r), token: r.Token,
	})
}

// Capture takes what is held.
func (a *Acquirer) Capture(ctx context.Context, c connector.Change) connector.Answer {
	return a.change(ctx, connector.Capture, c)
}

// Cancel gives up what is held.
func (a *Acquirer) Cancel(ctx context.Context, c connector.Change) connector.Answer {
	return a.change(ctx, connector.Cancel, c)
}

// Refund gives back what was taken.
func (a *Acquirer) Refund(ctx context.Context, c connector.Change) connector.Answer {
	return a.change(ctx, connector.Refund, c)
}

// PayOut sends money to a card.
func (a *Acquirer) PayOut(ctx context.Context, d connector.Disbursement) connector.Answer {
	if err := d.Check(); err != nil {
		return connector.Unsent(err.Error())
	}
	return a.operate(ctx, request{verb: connector.Payout, order: d.Order, account: d.Operation, token: d.Token,
		code: a.judge(connector.Authorization{Order: d.Order, Card: d.Card, Token: d.Token, MOTO: true})})
}

// Inquire says what the bank did. What it has never heard of it will never do.
func (a *Acquirer) Inquire(ctx context.Context, q connector.Inquiry) connector.Answer {
	if err := q.Check(); err != nil {
		return connector.Unsent(err.Error())
	}
	account := q.Operation
	if q.Verb != connector.Authorize && q.Verb != connector.Payout {
		account = q.Original.Operation
	}
	return a.call(ctx, q.Order, "inquire", func(ctx context.Context) connector.Answer {
		return a.perform(ctx, request{verb: q.Verb, order: q.Order, account: account, inquiry: true})
	})
}

func (a *Acquirer) change(ctx context.Context, v connector.Verb, c connector.Change) connector.Answer {
	if err := c.Check(); err != nil {
		return connector.Unsent(err.Error())
	}
	r := request{verb: v, order: c.Order, account: c.Original.Operation}
	if v != connector.Cancel { // a hold can always be given up
		r.code = amountCode(c.Order)
	}
	return a.operate(ctx, r)
}

// operate lets the bank perform a request that changes its books.
func (a *Acquirer) operate(ctx context.Context, r request) connector.Answer {
	return a.call(ctx, r.order, string(r.verb), func(ctx context.Context) connector.Answer {
		dropped, err := a.dropped(ctx, r.token)
		if err != nil {
			return connector.Lost("the bank cannot read its books")
		}
		if dropped {
			r.code = connector.CodeUnknownCard
		}
		return a.perform(ctx, r)
	})
}

// perform finds the account, decides and writes. Whoever loses a race against another request decides again.
func (a *Acquirer) perform(ctx context.Context, r request) connector.Answer {
	for range 20 {
		// What begins an account is nearly always new; the books say when it is not.
		kept, err := account{}, error(nil)
		if r.order.Operation != r.account || r.inquiry || r.again {
			kept, err = a.books.read(ctx, r.account)
		}
		if err != nil {
			return connector.Lost("the bank cannot read its books")
		}
		now := a.options.Clock.Now()
		s, isNew := kept.decide(r, now)
		if isNew {
			switch saved, err := a.books.save(ctx, r.account, kept.with(s)); {
			case err != nil:
				return connector.Lost("the bank cannot write its books")
			case !saved:
				r.again = true
				continue
			}
			a.announce(r, s, now)
		}
		if !r.inquiry && !s.same(r) {
			return connector.Lost("the operation id was used for something else")
		}
		return s.answer(now)
	}
	return connector.Lost("the bank is too busy with this account")
}

// call is one exchange with the acquirer, with what was dialled for it and with its latency. act is what
// happens when the request arrives; once begun it is not stopped by whoever sent it.
func (a *Acquirer) call(ctx context.Context, o connector.Order, call string,
	act func(context.Context) connector.Answer) connector.Answer {
	if ctx.Err() != nil {
		return connector.Unsent("given up before it was sent")
	}
	defer a.striker.Answered(o.Merchant)
	arrive := func() connector.Answer {
		inside, cancel := context.WithTimeout(context.WithoutCancel(ctx), bankLimit)
		defer cancel()
		return act(inside)
	}
	d := a.dialled(o.Merchant, magic.Acquirer+"_"+call, o.Operation)
	wait := a.options.Latency
	var answer connector.Answer
	switch d.Fault {
	case magic.NotSent:
		answer = connector.Lost("the connection was closed")
	case magic.LostAnswer:
		arrive()
		answer = connector.Lost("the connection was closed")
	case magic.Error500:
		arrive()
		answer = connector.Lost("the acquirer answered 500")
	case magic.Error503:
		answer = connector.Unsent("the acquirer answered 503")
	case magic.OutOfOrder:
		a.striker.Overtaken(ctx, o.Merchant)
		answer = arrive()
	case magic.Duplicated:
		arrive()
		answer = arrive()
	case magic.Slow:
		wait += time.Duration(d.Seconds) * time.Second
		answer = arrive()
	default:
		answer = arrive()
	}
	if wait > 0 && !clock.Pause(ctx, wait) || ctx.Err() != nil {
		return connector.Lost("no answer in time")
	}
	return answer
}

// dialled is the fault that strikes a call.
func (a *Acquirer) dialled(merchant, call, operation string) magic.Dial {
	if a.options.Fault == nil {
		return magic.Dial{}
	}
	d := a.options.Fault(merchant).For(call)
	if d.Fault == "" || !a.striker.Strikes(call+" "+operation) {
		return magic.Dial{}
	}
	return d
}

// judge is the response code of an authorization, "" when nothing speaks against it.
func (a *Acquirer) judge(r connector.Authorization) connector.Code {
	rule, known := a.cardOf(r.Card, r.Token)
	unproven := r.Proof == nil && !r.MOTO && r.Exemption == "" && r.Initiator != connector.Merchant
	switch {
	case !known:
		return connector.CodeUnknownCard
	case r.Token == "" && a.expired(r.Card):
		return connector.CodeExpired
	case r.Proof != nil && r.Proof.Verdict() == connector.Refuse:
		return connector.CodeDoNotHonour
	case rule.Code != "":
		return connector.Code(rule.Code)
	case r.Initiator == connector.Merchant && !strings.HasPrefix(r.Mandate, networkPrefix):
		return connector.CodeInvalid
	case checkCVV(r.Card.CVV) == connector.CVVNoMatch:
		return connector.CodeDoNotHonour
	case rule.Secure.Mandated && unproven:
		return connector.CodeSoftDecline
	}
	return amountCode(r.Order)
}

// cardOf is what the table says of a card or of a token; not known are tokens that are not
// ours.
func (a *Acquirer) cardOf(c card.Card, token string) (rule magic.Card, known bool) {
	if token != "" {
		return a.openToken(token)
	}
	digits := c.Number.Reveal()
	return magic.CardOf(digits), digits != ""
}

// expired reports whether the card's last month is over: a card is good to the end of it, in UTC.
func (a *Acquirer) expired(c card.Card) bool {
	now := clock.Time(a.options.Clock.Now())
	return c.Expiry.Year*12+c.Expiry.Month < now.Year()*12+int(now.Month())
}

func checkCVV(c card.CVV) connector.CVVStatus {
	switch {
	case c.IsZero():
		return ""
	case c.Is(magic.BadCVV):
		return connector.CVVNoMatch
	}
	return connector.CVVMatch
}

func amountCode(o connector.Order) connector.Code {
	code := connector.Code(magic.AmountCode(o.Amount, o.Currency.Exponent()))
	if code == connector.CodeApproved {
		return ""
	}
	return code
}

// mac is a keyed digest for one purpose.
func (a *Acquirer) mac(purpose string, parts ...string) []byte {
	h := hmac.New(sha256.New, a.options.Key)
	h.Write([]byte(purpose))
	for _, part := range parts {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}
