package checkout

import (
	"net/http"

	"plexy/internal/acquiring"
	"plexy/internal/connector"
	"plexy/internal/core/journal"
	"plexy/internal/core/link"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/web"
)

// The words for where a payment is.
const (
	waiting   = "waiting"   // the bank has not answered
	method    = "method"    // the browser is to visit the bank's page of the 3DS method
	challenge = "challenge" // the payer is to answer the bank
	paid      = "paid"
	declined  = "declined"
	failed    = "failed"
	returned  = "returned" // paid, and given back since
)

// standing is the word for where a payment is.
func standing(r acquiring.Result) string {
	switch r.Payment.Status() {
	case payment.StatusAuthorized, payment.StatusCharged:
		return paid
	case payment.StatusCancelled, payment.StatusRefunded:
		return returned
	case payment.StatusRejected:
		return declined
	case payment.StatusFailed:
		return failed
	}
	switch {
	case r.Step == nil:
		return waiting
	case r.Step.Kind == connector.Method:
		return method
	case r.Step.Kind == connector.Challenge:
		return challenge
	}
	return waiting
}

// look reads the visited payment. False: it has answered.
func (d *Door) look(v *visit) (acquiring.Result, bool) {
	r, err := d.options.Acquiring.Look(v.ctx, v.link.Merchant, v.Payment)
	switch {
	case err != nil:
		d.trouble(v, err)
		return r, false
	case r.Reason != "" || r.Payment.Link != v.Link:
		d.pages.Sorry(v.Visit, http.StatusNotFound, "missing", v.here())
		return r, false
	}
	return r, true
}

// standView is what the page of a payment shows.
type standView struct {
	offer
	State    string
	Payment  payment.Payment
	Why      string // of one that came to nothing: the text's key
	Return   string // the merchant's page to go back to, "" for none
	Again    string // where another card may be tried; "" when the link is not open any more
	Form     connector.Form
	Continue string // where a step goes on
	Leave    string // where the payer gives a step up
	Poll     string // where a script asks what has changed
}

// stand shows where a payment is, and what the payer does next.
func (d *Door) stand(v *visit) {
	r, ok := d.look(v)
	if !ok {
		return
	}
	ticket := d.ticket(v.Link, v.Payment)
	s := standView{
		offer: d.offer(v), State: standing(r), Payment: r.Payment, Continue: v.path(ticket),
		Poll: v.path(ticket + "/" + string(statePart)), Leave: v.path(ticket + "/" + string(leavePart)),
	}
	s.Tell.State, s.Tell.Payment = s.State, r.Payment.ID
	switch s.State {
	case paid, returned:
		s.Return = v.meta.Success
	case declined, failed:
		s.Return, s.Why = v.meta.Failure, why(r.Payment)
		if v.link.StatusAt(d.options.Clock.Now()) == link.Active {
			s.Again = v.here()
		}
	case method, challenge:
		s.Form = r.Step.Form
		origin := web.OriginOf(s.Form.URL)
		v.Policy.Forms = []string{origin}
		if s.State == method {
			v.Policy.Frames = []string{origin}
		}
	}
	d.compose(v, http.StatusOK, func(f *web.Frame) web.Page {
		return web.Page{Title: f.T("stand." + s.State + ".title"), Main: stood(f, s)}
	})
}

// proceed goes on after the page of the 3DS method, as the form on ours says.
func (d *Door) proceed(v *visit) {
	if !v.Sent() {
		d.pages.Sorry(v.Visit, http.StatusForbidden, "form", v.here())
		return
	}
	done := "N"
	if v.Request.PostForm.Get("method") == "Y" {
		done = "Y"
	}
	d.goOn(v, connector.Return{MethodDone: done})
}

// back is where the bank's page sends the browser, which comes from another site.
func (d *Door) back(v *visit) {
	if !v.Returned() || v.Request.PostForm.Get("cres") == "" {
		v.Redirect(v.path(d.ticket(v.Link, v.Payment))) // it still says what to do
		return
	}
	d.goOn(v, connector.Return{CRes: v.Request.PostForm.Get("cres")})
}

// goOn tells acquiring what the browser brought back, and shows what came of it.
func (d *Door) goOn(v *visit, brought connector.Return) {
	_, err := d.options.Acquiring.Continue(v.ctx, acquiring.Continuation{
		Merchant: v.link.Merchant, Payment: v.Payment, Origin: journal.Origin{RequestID: v.ID}, Return: brought,
	})
	if err != nil {
		d.trouble(v, err)
		return
	}
	v.Redirect(v.path(d.ticket(v.Link, v.Payment)))
}

// leave gives 3-D Secure up, so that the payer can pay another way. Who came back from the bank before, in
// another tab, has decided already, and is shown what came of it.
func (d *Door) leave(v *visit) {
	if !v.Sent() {
		d.pages.Sorry(v.Visit, http.StatusForbidden, "form", v.here())
		return
	}
	r, err := d.options.Acquiring.GiveUp(v.ctx, v.link.Merchant, v.Payment, journal.Origin{RequestID: v.ID})
	switch {
	case err != nil:
		d.trouble(v, err)
	case r.Payment.Failure == reject.AuthenticationCancelled:
		v.Redirect(v.here())
	default:
		v.Redirect(v.path(d.ticket(v.Link, v.Payment)))
	}
}

// methodDone is what the hidden frame ends with: a page of ours, by which the script outside sees the end.
func (d *Door) methodDone(v *visit) {
	v.Policy.Own = true
	d.compose(v, http.StatusOK, func(f *web.Frame) web.Page {
		return web.Page{Title: f.T("stand.method.title"), Main: visited(f)}
	})
}

// toPayment leads from what cannot be shown to what can.
func (d *Door) toPayment(v *visit) { v.Redirect(v.path(d.ticket(v.Link, v.Payment))) }

// why is the text about a payment that came to nothing, in words for the payer.
func why(p payment.Payment) string {
	switch p.Failure {
	case reject.AuthenticationFailed:
		return "why.secure"
	case reject.AuthenticationAbandoned:
		return "why.left"
	case reject.AuthenticationCancelled:
		return "why.cancelled"
	case reject.AuthenticationUnavailable:
		return "why.unavailable"
	case reject.CardDeclined:
		if p.CVVStatus == "N" {
			return "why.cvv"
		}
		return whyDeclined(p.ResponseCode)
	}
	return "why.technical"
}

// whyDeclined is the text about a response code (plexy-api.md §2.2). Of a card that was reported lost or
// stolen it says no more than that the bank knows.
func whyDeclined(code string) string {
	switch code {
	case "51":
		return "why.funds"
	case "33", "54":
		return "why.expired"
	case "61":
		return "why.limit"
	case "56":
		return "why.unknown"
	case "12", "40", "57", "62", "92":
		return "why.restricted"
	case "1A", "65":
		return "why.secure"
	case "82", "91", "96":
		return "why.later"
	}
	return "why.bank"
}
