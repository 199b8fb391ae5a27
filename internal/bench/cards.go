package bench

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
)

// The operations of card payments that are measured. A payment is by a stored card (POST /v1/payments/direct
// with tokenId), without 3-D Secure, and holds amountMinor; a capture takes the whole of a payment made
// earlier by the same load, a refund the whole of a capture. The lists are read in pages of listSize: all
// transactions, newest first; the same, a page drawn from the older half; those of a customer, as the path
// names one. A single one is found by its order reference, of those that FillPayments made.
const (
	CreateLink  Operation = "create link"
	Pay         Operation = "pay"
	CapturePaid Operation = "capture paid"
	RefundPaid  Operation = "refund paid"
	ListPaid    Operation = "list paid"
	ListPaidLow Operation = "list paid, old page"
	ListPaidBy  Operation = "list paid by customer"
	FindPaid    Operation = "find paid by order"
)

// listSize is the size of a page of transactions, the default of the API.
const listSize = 20

// Stock is what a store has of card payments when a load begins.
type Stock struct {
	Customers []string `json:"customers"` // ids
	Cards     []string `json:"cards"`     // tokens of stored cards, one of each customer
	Payments  int64    `json:"payments"`  // how many GET /v1/transactions lists
	Filled    int64    `json:"filled"`    // how many of them FillPayments made
}

// major is amountMinor as the doors of payments read it.
var major = strconv.Itoa(amountMinor / 100)

// composeCard composes the next request about card payments; false when there is nothing left to ask for.
func (w *worker) composeCard(kind Operation) ([]byte, bool) {
	all, stock := w.all, &w.all.load.Stock
	switch kind {
	case CreateLink:
		return w.createLink(all.reference.Add(1) - 1), true
	case Pay:
		card := stock.Cards[rand.IntN(len(stock.Cards))]
		return w.pay(card, all.reference.Add(1)-1), true
	case CapturePaid, RefundPaid:
		from, verb := &all.held, "/capture"
		if kind == RefundPaid {
			from, verb = &all.captured, "/refund"
		}
		id, more := from.take()
		if !more {
			return nil, false
		}
		w.current = id
		w.body = append(append(append(w.body[:0], `{"amount":`...), major...), '}')
		return w.post("/v1/payments/", id, verb), true
	case ListPaid:
		return w.get("/v1/transactions?page=1&size=" + strconv.Itoa(listSize)), true
	case ListPaidLow:
		pages := stock.Payments / listSize
		page := max(pages-rand.Int64N(max(pages/2, 1)), 1)
		return w.get("/v1/transactions?page="+strconv.FormatInt(page, 10), "&size="+strconv.Itoa(listSize)), true
	case ListPaidBy:
		customer := stock.Customers[rand.IntN(len(stock.Customers))]
		return w.get("/v1/customers/", customer, "/transactions?page=1&size=", strconv.Itoa(listSize)), true
	case FindPaid:
		return w.get("/v1/transactions/by-order-reference/", filledOrder(rand.Int64N(stock.Filled))), true
	}
	return nil, false
}

// lacks reports what is missing that the operation cannot do without; "" for nothing.
func (s *Stock) lacks(kind Operation) string {
	switch {
	case kind == Pay && len(s.Cards) == 0:
		return "stored cards"
	case kind == ListPaidBy && len(s.Customers) == 0:
		return "customers"
	case kind == FindPaid && s.Filled == 0:
		return "payments that are known"
	}
	return ""
}

// createLink returns a payment link of amountMinor.
func (c *composer) createLink(reference int64) []byte {
	b := append(c.body[:0], `{"amount":`...)
	b = strconv.AppendInt(b, amountMinor, 10)
	b = append(b, `,"currency":"KZT","description":"Coffee","orderReference":"LINK-`...)
	c.body = append(appendReference(b, reference), `"}`...)
	return c.post("/v1/payment-links")
}

// pay returns a payment of amountMinor by a stored card.
func (c *composer) pay(card string, reference int64) []byte {
	b := append(c.body[:0], `{"transactionType":"auth","skipThreeDS":true,"orderDetails":{"amount":`...)
	b = append(b, major...)
	b = append(b, `,"currency":"KZT","orderReference":"ORDER-`...)
	b = appendReference(b, reference)
	b = append(b, `"},"cardData":{"tokenId":"`...)
	c.body = append(append(b, card...), `"}}`...)
	return c.post("/v1/payments/direct")
}

var (
	paymentField = []byte(`{"id":"`)
	done         = []byte(`"success":true`)
	some         = []byte(`{"data":[{"`)
)

// proofs are what a good answer to an operation on card payments has in it.
var proofs = map[Operation][]byte{
	CreateLink: []byte(`"status":"active"`),
	Pay:        done, CapturePaid: done, RefundPaid: done,
	ListPaid: some, ListPaidLow: some, ListPaidBy: some,
	FindPaid: []byte(`"orderReference":"` + filledPrefix),
}

// acceptCard keeps what later requests need of a good answer.
func (w *worker) acceptCard(kind Operation, body []byte) error {
	switch kind {
	case Pay:
		id := stringAfter(body, bytes.Index(body, paymentField), len(paymentField))
		if id == nil {
			return fmt.Errorf("answered without an id: %s", body[:min(len(body), 300)])
		}
		w.yield = append(w.yield, string(id))
	case CapturePaid:
		w.yield = append(w.yield, w.current)
	}
	return nil
}
