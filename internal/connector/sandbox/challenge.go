package sandbox

import (
	"slices"

	"plexy/internal/connector"
	"plexy/internal/core/money"
	magic "plexy/internal/sandbox"
)

// maxTries is how many wrong answers end a challenge.
const maxTries = 3

// Challenged is a challenge as the payer sees it.
type Challenged struct {
	Token    string // names the challenge in its next form
	Screen   magic.Screen
	Shop     string
	Amount   int64 // minor units; 0 for a verification
	Currency money.Currency
	Last4    string
	Wrong    bool // the answer before was wrong, and there is another try
}

// Ended is a challenge that is over: the browser posts CRes to ReturnTo.
type Ended struct{ ReturnTo, CRes string }

// Open returns the challenge that a CReq opens: the payer has come from the shop. token is what the address
// of the ACS ends in.
func (a *Acquirer) Open(token, text string) (Challenged, error) {
	t, err := a.open(token, forChallenge)
	if err != nil {
		return Challenged{}, err
	}
	var m creq
	if err := decode(text, &m); err != nil || m.MessageType != typeCReq || m.ACSID != a.uuid(t, "acs") {
		return Challenged{}, errMessage
	}
	return a.shown(t), nil
}

// Answer is what the payer did: the codes that were typed or chosen, or cancelled. Either the challenge is
// over, or it goes on as challenged says.
func (a *Acquirer) Answer(token string, codes []string, cancelled bool) (c Challenged, e *Ended, err error) {
	t, err := a.open(token, forChallenge)
	if err != nil {
		return Challenged{}, nil, err
	}
	rule := t.rule().Secure
	right := slices.Contains(codes, magic.CodeRight)
	if rule.Screen == magic.Multi {
		right = right && slices.Contains(codes, magic.CodeAlsoRight)
	}
	failed := slices.Contains(codes, magic.CodeWrong)
	switch {
	case a.over(t):
		return c, a.ends(t, connector.NotProven, result{Reason: connector.ReasonTimeout, CancelledBy: "04"}), nil
	case rule.Ending == magic.Broken:
		return c, &Ended{t.Notification, encode(cres{MessageType: typeError, MessageVersion: version,
			ServerID: a.uuid(t, "server"), ACSID: a.uuid(t, "acs"), ErrorCode: "403", ErrorBy: "A",
			ErrorAbout: typeCRes, ErrorDetail: "Transient System Failure"})}, nil
	case cancelled, rule.Ending == magic.Cancelled:
		return c, a.ends(t, connector.NotProven, result{Reason: connector.ReasonFailed, CancelledBy: "01"}), nil
	case right && !failed:
		return c, a.ends(t, connector.Authenticated, result{}), nil
	case failed:
		return c, a.ends(t, connector.NotProven, result{Reason: connector.ReasonFailed}), nil
	}
	t.Tries++
	if t.Tries >= maxTries {
		return c, a.ends(t, connector.NotProven, result{Reason: "19"}), nil
	}
	c = a.shown(t)
	c.Wrong = true
	return c, nil, nil
}

func (a *Acquirer) shown(t ticket) Challenged {
	return Challenged{Token: a.seal(t, forChallenge), Screen: t.rule().Secure.Screen, Shop: t.Shop,
		Amount: t.Amount, Currency: t.Currency, Last4: t.Last4}
}

func (a *Acquirer) ends(t ticket, s connector.TransStatus, r result) *Ended {
	m := cres{MessageType: typeCRes, MessageVersion: version, ServerID: a.uuid(t, "server"),
		ACSID: a.uuid(t, "acs"), Status: string(s),
		Extensions: []extension{{Name: "Plexy sandbox", ID: "plexy-sandbox-result", Data: r}}}
	m.Extensions[0].Data.Seal = a.resultSeal(m)
	return &Ended{t.Notification, encode(m)}
}

// Visit is a browser at the method's page: what it posts as threeDSMethodData, and where. returnTo is "" when
// nobody asked to be told.
func (a *Acquirer) Visit(token string) (returnTo, data string, err error) {
	t, err := a.open(token, forMethod)
	if err != nil {
		return "", "", err
	}
	return t.MethodReturn, encode(methodData{ServerID: a.uuid(t, "server")}), nil
}
