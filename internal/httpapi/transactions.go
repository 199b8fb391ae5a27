package httpapi

import (
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/id"
	"plexy/internal/storage"
	"plexy/internal/view"
)

// listPayments answers GET /v1/transactions: the newest first.
func (a *API) listPayments(c *call) {
	page, p := pageOf(c.query(), 0)
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	found, total, err := a.options.Payments.Payments(c.ctx, storage.PaymentQuery{
		Merchant: c.Merchant, Offset: page.offset(), Limit: page.size,
	})
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	c.read(appendPage(page, total, found, view.ListedPayment))
}

// onPayment finds the merchant's payment that the path names.
func (a *API) onPayment(c *call) (p payment.Payment, ok bool) {
	if !id.IsUUID(c.id) {
		refuse(c.Exchange, noPayment(paymentSource))
		return p, false
	}
	p, err := a.options.Payments.Payment(c.ctx, c.Merchant, c.id)
	return p, !c.failed(err, noPayment(paymentSource))
}

// getPayment answers GET /v1/transactions/{transaction_id}.
func (a *API) getPayment(c *call) {
	if p, ok := a.onPayment(c); ok {
		c.showPayment(&p)
	}
}

func (c *call) showPayment(p *payment.Payment) {
	c.read(view.Payment(make([]byte, 0, view.PaymentSize), p))
}

// paymentHistory answers GET /v1/transactions/{transaction_id}/history.
func (a *API) paymentHistory(c *call) {
	p, ok := a.onPayment(c)
	if !ok {
		return
	}
	records, err := a.options.Reader.Operations(c.ctx, p.ID)
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	c.read(view.History(nil, &p, records))
}

// paymentOfLink answers GET /v1/transactions/by-payment-link/{payment_link_id}: the payment that paid the
// link, or is about to, or else the last that tried.
func (a *API) paymentOfLink(c *call) {
	const source = "payment_link_id"
	gone := problem{reason: reject.LinkNotFound, source: source}
	if !shortText(c.id, maxReference) {
		refuse(c.Exchange, gone)
		return
	}
	link, err := a.options.Payments.Link(c.ctx, c.Merchant, c.id)
	if c.failed(err, gone) {
		return
	}
	id := link.Payment
	if id == "" {
		id = link.Busy
	}
	if id == "" {
		a.pickPayment(c, storage.PaymentQuery{Link: link.ID}, source)
		return
	}
	p, err := a.options.Payments.Payment(c.ctx, c.Merchant, id)
	if !c.failed(err, noPayment(source)) {
		c.showPayment(&p)
	}
}

// paymentOfOrder answers GET /v1/transactions/by-order-reference/{order_reference}: of several payments the
// newest that the bank approved, or else the newest.
func (a *API) paymentOfOrder(c *call) {
	if !validReference(c.id) {
		refuse(c.Exchange, noPayment("order_reference"))
		return
	}
	a.pickPayment(c, storage.PaymentQuery{OrderReference: c.id}, "order_reference")
}

// picked is how many payments of one order are looked at.
const picked = 100

// pickPayment answers with the payment that tells most about an order: one that was approved before one that
// was not, a payment before a refund, and then the newest.
func (a *API) pickPayment(c *call, q storage.PaymentQuery, source string) {
	q.Merchant, q.Limit = c.Merchant, picked
	found, _, err := a.options.Payments.Payments(c.ctx, q)
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	best, worth := -1, -1
	for i := range found {
		mine := 0
		if found[i].Kind != payment.RefundOf {
			mine = 1
			if found[i].Stage == payment.Approved {
				mine = 2
			}
		}
		if mine > worth {
			best, worth = i, mine
		}
	}
	if best < 0 {
		refuse(c.Exchange, noPayment(source))
		return
	}
	c.showPayment(&found[best])
}
