package sandbox

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"plexy/internal/card"
	"plexy/internal/connector"
	magic "plexy/internal/sandbox"
)

const tokenPrefix = "sbx"

// Tokenize names a card. The name holds which rule of the table the card has and a keyed digest of the
// number, so the bank keeps neither, only whether it was told to forget the name.
func (a *Acquirer) Tokenize(ctx context.Context, o connector.Order, c card.Card) connector.Answer {
	if err := o.Check(); err != nil || o.Amount != 0 {
		return connector.Unsent("a token is asked for without an amount")
	}
	return a.call(ctx, o, "token", func(ctx context.Context) connector.Answer {
		digits := c.Number.Reveal()
		if digits == "" {
			return connector.Refused(connector.CodeUnknownCard)
		}
		rule := slices.IndexFunc(magic.Cards(), func(card magic.Card) bool { return card.Number == digits })
		body := strconv.Itoa(rule) + "_" + hex.EncodeToString(a.mac("card", digits, o.Acceptor.Merchant)[:12])
		token := tokenPrefix + "_" + body + "_" + a.tokenSeal(body)
		if !a.remember(ctx, o, token, keeping) {
			return connector.Lost("the bank cannot write its books")
		}
		return connector.Answer{Outcome: connector.Approved, Code: connector.CodeApproved, Token: token}
	})
}

// Forget drops a token, which names no card from then on.
func (a *Acquirer) Forget(ctx context.Context, o connector.Order, token string) connector.Answer {
	if err := o.Check(); err != nil {
		return connector.Unsent(err.Error())
	}
	return a.call(ctx, o, "token", func(ctx context.Context) connector.Answer {
		if _, ours := a.openToken(token); ours && !a.remember(ctx, o, token, dropping) {
			return connector.Lost("the bank cannot write its books")
		}
		return connector.Answer{Outcome: connector.Approved, Code: connector.CodeApproved}
	})
}

// What was last done with a token; nothing is keeping.
const (
	keeping  connector.Verb = "tokenize"
	dropping connector.Verb = "forget"
)

// remember writes what is done with a token, if it is not what was done last.
func (a *Acquirer) remember(ctx context.Context, o connector.Order, token string, v connector.Verb) bool {
	kept, err := a.books.read(ctx, token)
	if err != nil {
		return false
	}
	if kept.lastly() == v {
		return true
	}
	s := step{Operation: o.Operation, Verb: v, DecidedAt: a.options.Clock.Now()}
	saved, err := a.books.save(ctx, token, account{version: kept.version + 1, Steps: []step{s}})
	return saved && err == nil
}

// dropped reports whether a token was forgotten; "" never was.
func (a *Acquirer) dropped(ctx context.Context, token string) (bool, error) {
	if token == "" {
		return false, nil
	}
	kept, err := a.books.read(ctx, token)
	return kept.lastly() == dropping, err
}

func (a account) lastly() connector.Verb {
	if len(a.Steps) == 0 {
		return keeping
	}
	return a.Steps[len(a.Steps)-1].Verb
}

func (a *Acquirer) tokenSeal(body string) string { return hex.EncodeToString(a.mac("token", body)[:8]) }

// openToken returns the rule of the card that a token of ours names.
func (a *Acquirer) openToken(token string) (magic.Card, bool) {
	parts := strings.Split(token, "_")
	if len(parts) != 4 || parts[0] != tokenPrefix ||
		!hmac.Equal([]byte(parts[3]), []byte(a.tokenSeal(parts[1]+"_"+parts[2]))) {
		return magic.Card{}, false
	}
	rule, err := strconv.Atoi(parts[1])
	if err != nil || rule < -1 || rule >= len(magic.Cards()) {
		return magic.Card{}, false
	}
	if rule < 0 {
		return magic.CardOf(""), true
	}
	return magic.Cards()[rule], true
}
