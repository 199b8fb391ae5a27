package sandbox

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"plexy/internal/card"
	"plexy/internal/connector"
	magic "plexy/internal/sandbox"
)

// Bounds of the specification, in characters.
const (
	maxNotification = 256
	maxSessionData  = 1024
)

// Start asks the directory, or has the browser visit the method's page first.
func (a *Acquirer) Start(ctx context.Context, r connector.Authentication) connector.Step {
	t := a.ticketOf(r)
	if err := checkAuthentication(r); err != nil {
		p := a.proof(t, connector.Unavailable, connector.ReasonTechnical)
		p.ErrorCode, p.ErrorDetail = "203", err.Error()
		return connector.Step{Proof: p}
	}
	return a.step(ctx, t, func() connector.Step {
		if t.rule().Secure.Method {
			return connector.Step{Kind: connector.Method, Session: a.seal(t, forSession), Form: connector.Form{
				URL: a.options.AddressOf() + "/method/" + a.seal(t, forMethod),
				Fields: []connector.Field{{Name: "threeDSMethodData", Value: encode(methodData{
					ServerID: a.uuid(t, "server"), Notification: t.MethodReturn,
				})}},
			}}
		}
		t.MethodDone = "U"
		return a.ask(t, r.Card, r.Browser)
	})
}

// Continue asks the directory once the method's page was visited, and reads how a challenge ended.
func (a *Acquirer) Continue(ctx context.Context, session string, r connector.Return) connector.Step {
	t, err := a.open(session, forSession)
	if err != nil || a.over(t) {
		p := a.proof(t, connector.Unavailable, connector.ReasonTimeout)
		p.ErrorCode, p.ErrorDetail, p.Challenged = "402", "the session is over", t.MethodDone != ""
		return connector.Step{Proof: p}
	}
	return a.step(ctx, t, func() connector.Step {
		if t.MethodDone != "" { // the directory was asked: this is the end of a challenge
			return connector.Step{Proof: a.ended(t, r.CRes)}
		}
		t.MethodDone = r.MethodDone
		if !slices.Contains([]string{"Y", "N", "U"}, t.MethodDone) {
			t.MethodDone = "U"
		}
		return a.ask(t, card.Card{}, connector.Browser{})
	})
}

// step is a call with latency and faults that has a step for an answer.
func (a *Acquirer) step(ctx context.Context, t ticket, do func() connector.Step) connector.Step {
	next := connector.Step{}
	answer := a.call(ctx, connector.Order{Operation: t.Operation, Merchant: t.Merchant}, "3ds",
		func(context.Context) connector.Answer {
			next = do()
			return connector.Answer{Outcome: connector.Approved}
		})
	if answer.Outcome != connector.Approved {
		p := a.proof(t, connector.Unavailable, connector.ReasonTimeout)
		p.ErrorDetail = answer.Note
		return connector.Step{Kind: connector.Silence, Proof: p}
	}
	return next
}

func checkAuthentication(r connector.Authentication) error {
	if err := r.Check(); err != nil {
		return err
	}
	to, err := url.Parse(r.Notification)
	switch {
	case err != nil || to.Host == "" || to.Scheme != "https" && to.Scheme != "http":
		return fmt.Errorf("notificationURL: want an address that begins with https://")
	case len(r.Notification) > maxNotification:
		return fmt.Errorf("notificationURL: more than %d characters", maxNotification)
	case len(r.MethodReturn) > maxNotification:
		return fmt.Errorf("threeDSMethodNotificationURL: more than %d characters", maxNotification)
	case len(r.SessionData) > maxSessionData:
		return fmt.Errorf("threeDSSessionData: more than %d characters", maxSessionData)
	case r.Card.Number.IsZero():
		return fmt.Errorf("acctNumber: missing")
	}
	return nil
}

// ticketOf begins an authentication.
func (a *Acquirer) ticketOf(r connector.Authentication) ticket {
	digits := r.Card.Number.Reveal()
	t := ticket{
		Operation: r.Operation, Merchant: r.Merchant, Shop: r.Acceptor.Name, Amount: r.Amount,
		Currency: r.Currency, Exempt: r.Exemption != "" || r.Initiator == connector.Merchant,
		Notification: r.Notification, MethodReturn: r.MethodReturn, SessionData: r.SessionData, Frame: r.Frame,
		At:   a.options.Clock.Now(),
		Rule: slices.IndexFunc(magic.Cards(), func(c magic.Card) bool { return c.Number == digits }),
	}
	if len(digits) >= 12 {
		t.Last4 = digits[len(digits)-4:]
		first, err := strconv.Atoi(digits[:4])
		t.Mastercard = err == nil && (first >= 5100 && first < 5600 || first >= 2221 && first <= 2720)
	}
	return t
}

// ask sends the AReq and makes of the ARes what the browser must do next.
func (a *Acquirer) ask(t ticket, c card.Card, b connector.Browser) connector.Step {
	wanted, category := "01", "01"
	if t.Exempt {
		wanted = "05"
	}
	if t.Amount == 0 {
		category = "02"
	}
	answer := a.directory(t, areq{
		MessageType: typeAReq, MessageVersion: version, ServerID: a.uuid(t, "server"), MethodDone: t.MethodDone,
		ChallengeWanted: wanted, Number: c.Number,
		Expiry: fmt.Sprintf("%02d%02d", c.Expiry.Year%100, c.Expiry.Month),
		Amount: strconv.FormatInt(t.Amount, 10), Currency: string(t.Currency), Category: category,
		Exponent: strconv.Itoa(t.Currency.Exponent()), Merchant: t.Shop, Notification: t.Notification,
		UserAgent: b.UserAgent, Accept: b.Accept, Language: b.Language,
	})
	p := a.proof(t, answer.Status, answer.Reason)
	p.ECI, p.Value = answer.ECI, answer.Value
	if answer.Status != connector.InChallenge {
		return connector.Step{Proof: p}
	}
	p.Challenged = true
	request := creq{MessageType: typeCReq, MessageVersion: version, ServerID: answer.ServerID,
		ACSID: answer.ACSID, WindowSize: t.Frame}
	if request.WindowSize == "" {
		request.WindowSize = "05"
	}
	return connector.Step{Kind: connector.Challenge, Session: a.seal(t, forSession), Proof: p,
		Form: connector.Form{URL: answer.ACSURL, Fields: []connector.Field{
			{Name: "creq", Value: encode(request)}, {Name: "threeDSSessionData", Value: t.SessionData},
		}}}
}

// directory is the directory server with the issuer behind it.
func (a *Acquirer) directory(t ticket, q areq) ares {
	rule := t.rule().Secure
	answer := ares{MessageType: typeARes, MessageVersion: version, ServerID: q.ServerID, Mandated: "N",
		DirectoryID: a.uuid(t, "directory"), ACSID: a.uuid(t, "acs")}
	if rule.Mandated {
		answer.Mandated = "Y"
	}
	switch {
	case rule.Screen == magic.NoChallenge:
		answer.Status = connector.TransStatus(rule.Status)
		answer.Reason = connector.StatusReason(rule.Reason)
	case q.ChallengeWanted == "05" && !rule.Mandated: // the issuer grants what spares the payer a challenge
		answer.Status = connector.Authenticated
	default:
		answer.Status = connector.InChallenge
		answer.ACSURL = a.options.AddressOf() + "/challenge/" + a.seal(t, forChallenge)
	}
	p := a.proof(t, answer.Status, answer.Reason)
	answer.ECI, answer.Value = p.ECI, p.Value
	return answer
}

// ended reads the CRes of a challenge. What is not sealed by the issuer proves nothing.
func (a *Acquirer) ended(t ticket, text string) connector.Proof {
	broken := a.proof(t, connector.Unavailable, connector.ReasonTechnical)
	broken.Challenged = true
	var m cres
	switch err := decode(text, &m); {
	case err != nil:
		broken.ErrorCode, broken.ErrorDetail = "101", "the CRes cannot be read"
		return broken
	case m.MessageType == typeError:
		broken.ErrorCode, broken.ErrorDetail = short(m.ErrorCode, 3), short(m.ErrorDetail, 200)
		return broken
	case m.MessageType != typeCRes || m.ACSID != a.uuid(t, "acs") || len(m.Extensions) != 1 ||
		!hmac.Equal([]byte(m.Extensions[0].Data.Seal), []byte(a.resultSeal(m))):
		broken.ErrorCode, broken.ErrorDetail = "301", "the CRes is not of this authentication"
		return broken
	}
	end := m.Extensions[0].Data
	p := a.proof(t, connector.TransStatus(m.Status), end.Reason)
	p.Challenged, p.CancelledBy = true, end.CancelledBy
	return p
}

func short(text string, most int) string { return text[:min(len(text), most)] }

// resultSeal is the seal of a CRes with one extension.
func (a *Acquirer) resultSeal(m cres) string {
	d := m.Extensions[0].Data
	return hex.EncodeToString(a.mac("cres", m.ACSID, m.Status, string(d.Reason), d.CancelledBy))
}
