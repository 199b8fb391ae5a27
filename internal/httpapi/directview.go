package httpapi

import (
	"html"
	"net/http"
	"strings"

	"plexy/internal/acquiring"
	"plexy/internal/connector"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/view"
)

// paid answers with what became of a payment: 200 once it is known or the payer is to act, also when the bank
// declined; 202 while nobody knows. named is the field that names a payment or a stored card.
func (c *call) paid(r acquiring.Result, err error, named, holder string) {
	no := problem{source: sourceOf(r.Reason)}
	if r.Reason == reject.PaymentNotFound || r.Reason == reject.CardTokenNotFound {
		no.source = named
	}
	if !c.begun(&r, err, no) {
		return
	}
	status := http.StatusOK
	switch now := r.Payment.Status(); {
	case now == payment.StatusCreated, now == payment.Status3D && r.Step == nil:
		status = http.StatusAccepted
		if c.key != "" {
			c.Header()["Should-Retry"] = yes // who asks with the same key is told how things are then
		}
	}
	c.Reply(status, appendPaid(make([]byte, 0, 2048), &r, holder))
}

// begun answers why an operation was not begun, and reports whether it was. no says whom a refusal concerns
// and, where it says more than the reason itself, in which words.
func (c *call) begun(r *acquiring.Result, err error, no problem) bool {
	if err != nil {
		c.undone(err)
		return false
	}
	h := c.Header()
	if r.Replayed {
		h["Idempotent-Replayed"] = yes
		if r.First.RequestID != "" {
			h["Original-Request-Id"] = []string{r.First.RequestID}
		}
	}
	if r.Reason != "" {
		if no.reason = r.Reason; r.Reason == reject.IdempotencyKeyReused {
			no = reused(r.First.At)
		}
		refuse(c.Exchange, no)
		return false
	}
	h["Should-Retry"] = []string{"false"}
	return true
}

// appendPaid writes the answer of plexy-api.md §7.2.
func appendPaid(b []byte, r *acquiring.Result, holder string) []byte {
	p := &r.Payment
	o := view.NewObject(b)
	o.Text("id", p.ID)
	o.Text("transactionId", p.ID)
	o.Text("status", string(p.Status()))
	o.Text("orderReference", p.OrderReference)
	o.Major("amount", p.Amount, p.Currency)
	o.Text("currency", string(p.Currency))
	o.Text("paymentMethod", "card")
	o.Truth("success", p.Stage == payment.Approved)
	o.Truth("captured", p.Captured > 0)
	o.Text("message", messageOf(r))
	if p.Stage == payment.Rejected || p.Stage == payment.Failed {
		o.Number("code", codeOf(p.Stage))
		o.Text("reason", string(p.Failure))
	}
	if r.Step != nil {
		o.Text("action", "3ds-required")
	}
	if r.Step != nil || r.Proof != nil || p.ECI != "" || p.Secure3D {
		o.Value("threeDS", func(b []byte) []byte { return appendSecure(b, r) })
	}
	if p.Stage == payment.Approved { // before, there is none yet
		o.Text("cardTokenId", p.CardToken)
	}
	if p.Card.Last4 != "" {
		o.Text("cardMask", "******"+p.Card.Last4)
	}
	o.Text("cardExpiryDate", p.Card.Expiry)
	o.Text("cardholderName", holder)
	o.Text("cardScheme", p.Card.Brand)
	if p.Stage == payment.Approved || p.CVVStatus != "" {
		o.Text("cvvStatus", p.CVVStatus)
		o.Text("cvvStatusDecoded", connector.CVVStatus(p.CVVStatus).Words())
	}
	o.Text("networkTransactionReference", p.NetworkReference)
	o.Text("responseCode", p.ResponseCode)
	o.Text("authCode", p.AuthCode)
	o.Text("rrn", p.RRN)
	o.Text("recurringType", string(p.Recurring.Type))
	o.Text("parentTransactionId", p.Parent)
	return o.End()
}

// codeOf is the code of a payment that came to nothing: 5 for a no, 1 for what may be tried again.
func codeOf(s payment.Stage) int64 {
	if s == payment.Failed {
		return 1
	}
	return 5
}

// messageOf says in a sentence how a payment stands.
func messageOf(r *acquiring.Result) string {
	p := &r.Payment
	switch {
	case r.Step != nil:
		return "The payer must go through 3-D Secure: show threeDS.html."
	case p.Failure == reject.CardDeclined:
		return "The bank declined: " + connector.Code(p.ResponseCode).Words() + "."
	case p.Failure != "":
		return reject.Of(p.Failure).Message
	}
	switch p.Status() {
	case payment.StatusCreated:
		return "The bank has not answered yet. Ask for the transaction, or wait for its event; do not pay again."
	case payment.Status3D:
		return "The payer is in 3-D Secure."
	case payment.StatusAuthorized:
		if p.Kind == payment.Verification {
			return "Successfully verified the card"
		}
		return "Successfully authorized the transaction"
	case payment.StatusCharged:
		return "Successfully charged the transaction"
	}
	return "The transaction is " + string(p.Status())
}

// appendSecure writes threeDS: what the browser must do next, or what came of it. The misspelled name is
// Plexy's.
func appendSecure(b []byte, r *acquiring.Result) []byte {
	o := view.NewObject(b)
	switch s, p := r.Step, &r.Payment; {
	case s != nil:
		o.Text("html", formOf(s.Form))
		o.Text("status", string(connector.InChallenge))
		o.Text("type", "challengeflow")
		for _, f := range s.Form.Fields {
			if f.Name == "creq" || f.Name == "threeDSSessionData" {
				o.Text(f.Name, f.Value)
			}
		}
		o.Text("action", s.Form.URL)
		appendProof(&o, &s.Proof)
	case r.Proof != nil:
		o.Text("status", string(r.Proof.Status))
		o.Text("type", map[bool]string{true: "challengeflow", false: "frictionless"}[r.Proof.Challenged])
		appendProof(&o, r.Proof)
		o.Text("statusReason", string(r.Proof.Reason))
	case p.Secure3D:
		o.Text("status", string(connector.Authenticated))
	}
	o.Text("electronicCommerceIndicator", r.Payment.ECI)
	return o.End()
}

// appendProof writes the ids of an authentication.
func appendProof(o *view.Object, p *connector.Proof) {
	o.Text("acsTranscationId", p.ACSID)
	o.Text("directoryTransactionId", p.DirectoryID)
	o.Text("mpiTransactionId", p.ServerID)
}

// formOf is a page that posts the form by itself, or when the payer presses its button.
func formOf(f connector.Form) string {
	var b strings.Builder
	b.WriteString(`<form id="plexy3ds" method="post" action="` + html.EscapeString(f.URL) + `">`)
	for _, field := range f.Fields {
		b.WriteString(`<input type="hidden" name="` + html.EscapeString(field.Name) + `" value="` +
			html.EscapeString(field.Value) + `">`)
	}
	b.WriteString(`<noscript><button>Continue</button></noscript></form>` +
		`<script>document.getElementById("plexy3ds").submit()</script>`)
	return b.String()
}
