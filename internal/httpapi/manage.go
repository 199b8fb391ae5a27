package httpapi

import (
	"cmp"
	"context"
	"net/http"

	"plexy/internal/acquiring"
	"plexy/internal/connector"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/id"
	"plexy/internal/view"
)

// management is one of capture, cancel and refund.
type management struct {
	verb payment.Verb
	done string // what happened to a transaction, such as captured
	do   func(Acquiring, context.Context, acquiring.Modification) (acquiring.Result, error)
}

var managements = []management{
	{payment.Capture, "captured", Acquiring.Capture},
	{payment.Cancel, "cancelled", Acquiring.Cancel},
	{payment.Refund, "refunded", Acquiring.Refund},
}

const paymentSource = "transaction_id"

// manage answers POST /v1/payments/{transaction_id}/capture, /cancel and /refund.
func (a *API) manage(c *call, m management) {
	var b changeBody
	if p := c.into(&b); p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	if b.Reference != "" && !validReference(b.Reference) {
		refuse(c.Exchange, problem{reason: reject.OrderReferenceInvalid, source: "orderReference"})
		return
	}
	if !shortText(b.Description, maxPayText) {
		refuse(c.Exchange, wrong("description", "a text of at most 500 characters"))
		return
	}
	ask := acquiring.Modification{
		Key: c.key, Origin: c.origin(), Merchant: c.Merchant, Payment: c.id,
		OrderReference: b.Reference, Description: b.Description,
	}
	p := a.partOf(c, &b, &ask)
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	f := a.meanings.begin(c.route.Template, c.id)
	f.number(ask.Amount)
	f.text(ask.OrderReference)
	f.text(ask.Description)
	ask.Fingerprint = a.meanings.end(f)
	r, err := m.do(a.options.Acquiring, c.ctx, ask)
	c.managed(m, &r, err)
}

// partOf reads the amount. In which currency it is, and whether there is such a payment, only the payment
// says.
func (a *API) partOf(c *call, b *changeBody, to *acquiring.Modification) (no problem) {
	if !id.IsUUID(c.id) {
		return noPayment(paymentSource)
	}
	p, err := a.options.Payments.Payment(c.ctx, c.Merchant, c.id)
	if no = c.missing(err, noPayment(paymentSource)); no.reason != "" || !isSent(b.Amount) {
		return no
	}
	to.Amount, no = majorAmount(b.Amount, "amount", p.Currency)
	if no.reason == "" && to.Amount == 0 {
		no = problem{reason: reject.AmountInvalid, source: "amount",
			message: "amount must be more than 0; leave it out for all there is."}
	}
	return no
}

// managed answers with what became of a capture, a cancel or a refund: 200 when it is done, 202 while nobody
// knows, an error when it was refused by us or by the acquirer.
func (c *call) managed(m management, r *acquiring.Result, err error) {
	no := problem{source: sourceOf(r.Reason)}
	if no.source == walletSource { // the reasons are a wallet's, too
		no.source = paymentSource
	}
	if because := becauseOf[r.Reason]; because != "" {
		no.message = m.refusal(because)
	}
	if !c.begun(r, err, no) {
		return
	}
	o := &r.Operation
	switch o.State {
	case payment.Declined:
		refuse(c.Exchange, problem{reason: reject.CardDeclined, source: "acquirer",
			message: m.refusal(connector.Code(o.Code).Words() + " (" + plain(o.Code) + ")")})
		return
	case payment.Undone:
		refuse(c.Exchange, problem{reason: reject.AcquirerUnavailable, source: "acquirer",
			message: m.refusal("the acquirer could not be reached, and nothing was done")})
		return
	}
	status := http.StatusOK
	if o.State == payment.Sent {
		status = http.StatusAccepted
		if c.key != "" {
			c.Header()["Should-Retry"] = yes
		}
	}
	c.Reply(status, m.append(make([]byte, 0, 512), r))
}

// refusal is the message of a refusal. Integrators read it, and look for these words.
func (m *management) refusal(because string) string {
	return "transaction can not be " + m.done + ": " + because
}

// becauseOf are the words for what the core refuses.
var becauseOf = map[reject.Reason]string{
	reject.AlreadyRefunded:        "already refunded",
	reject.NothingCaptured:        "it is not charged",
	reject.AmountExceedsCaptured:  "amount is more than the remaining balance",
	reject.NothingRemaining:       "nothing of the authorization remains",
	reject.AmountExceedsRemaining: "amount is more than remains of the authorization",
	reject.TransactionFailed:      "it was rejected or failed",
	reject.TransactionPending:     "it is not authorized yet",
	reject.OperationPending:       "the outcome of an earlier operation is not known yet",
}

// append writes the answer of plexy-api.md §9. remainingBalance is what the same operation could still be
// asked for: of a refund what was captured and not refunded, of the others what is held.
func (m *management) append(b []byte, r *acquiring.Result) []byte {
	p, op := &r.Payment, &r.Operation
	id, reference, rest := p.ID, p.OrderReference, p.Free()
	if m.verb == payment.Refund {
		id, reference, rest = r.Refund.ID, r.Refund.OrderReference, p.Balance()-p.Refunding
	}
	o := view.NewObject(b)
	o.Text("id", id)
	if m.verb == payment.Refund {
		o.Text("originalTransactionId", p.ID)
	}
	o.Text("status", string(p.Status()))
	o.Truth("success", op.State == payment.Accepted)
	if op.State == payment.Accepted {
		o.Text("message", "Successfully "+m.done+" the transaction")
	} else {
		o.Text("message", "The acquirer has not answered yet; do not ask again with another Idempotency-Key")
	}
	o.Major("amount", op.Amount, p.Currency)
	o.Text("currency", string(p.Currency))
	o.Always("orderReference", reference)
	o.Major("remainingBalance", rest, p.Currency)
	o.Text("responseCode", op.Code)
	// Clients' models have both codes; an acquirer that gives an operation none of its own means the payment's.
	o.Text("authCode", cmp.Or(op.AuthCode, p.AuthCode))
	o.Text("rrn", op.RRN)
	o.Text("networkTransactionReference", cmp.Or(op.NetworkReference, p.NetworkReference))
	return o.End()
}

// paymentRoutes are the doors of card payments.
func paymentRoutes() []Route {
	get, post := http.MethodGet, http.MethodPost
	all := []Route{
		{Method: post, Template: "/v1/payments/direct", Idempotency: Honoured, Body: true, Bank: true,
			serve: (*API).direct},
		{Method: post, Template: "/v1/payments/recurring/merchant/initiated", Idempotency: Honoured, Body: true,
			Bank: true, serve: (*API).merchantInitiated},
		{Method: post, Template: "/v1/3ds/callback", Idempotency: Honoured, Body: true, Bank: true,
			serve: (*API).finishSecure},
		{Method: get, Template: "/v1/transactions", Query: true, serve: (*API).listPayments},
		{Method: get, Template: "/v1/transactions/{transaction_id}", serve: (*API).getPayment},
		{Method: get, Template: "/v1/transactions/{transaction_id}/history", serve: (*API).paymentHistory},
		{Method: get, Template: "/v1/transactions/{transaction_id}/explain", serve: (*API).explainPayment},
		{Method: get, Template: "/v1/transactions/by-payment-link/{payment_link_id}",
			serve: (*API).paymentOfLink},
		{Method: get, Template: "/v1/transactions/by-order-reference/{order_reference}", Tail: true,
			serve: (*API).paymentOfOrder},
	}
	for _, m := range managements {
		all = append(all, Route{
			Method: post, Template: "/v1/payments/{transaction_id}/" + string(m.verb), Idempotency: Honoured,
			Body: true, Bare: true, Bank: true, serve: func(a *API, c *call) { a.manage(c, m) },
		})
	}
	return all
}
