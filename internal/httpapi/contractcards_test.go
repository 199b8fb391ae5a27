package httpapi_test

import (
	"context"
	"strings"
	"testing"

	"plexy/internal/acquiring"
	"plexy/internal/core/link"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/shopper"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
)

// isOfCards reports whether a path of the file is about card payments.
func isOfCards(path string) bool {
	return strings.HasPrefix(path, "/v1/payments/") || strings.HasPrefix(path, "/v1/transactions") ||
		path == "/v1/3ds/callback"
}

// cardBody is what a route of card payments accepts.
func (d drive) cardBody() string {
	id := driven["transaction_id"]
	switch d.path {
	case "/v1/payments/direct":
		if strings.HasPrefix(string(d.reason), "mandate_") || d.reason == reject.PaymentNotFound {
			break
		}
		return `{"transactionType":"auth","skipThreeDS":true,"cardData":{"tokenId":"` + id + `"},` +
			`"orderDetails":{"amount":1,"currency":"KZT"}}`
	case "/v1/payments/recurring/merchant/initiated":
	case "/v1/3ds/callback":
		return `{"cres":"e30","transactionId":"` + id + `"}`
	default:
		return `{"amount":1}`
	}
	return `{"transactionType":"sale","orderDetails":{"amount":1,"currency":"KZT"},` +
		`"recurring":{"recurringType":"ucof","parentTransactionId":"` + id + `"}}`
}

// spoilCards puts a fault into a request about card payments, and reports whether there was one of its own.
func (d drive) spoilCards(q *ask) bool {
	switch d.reason {
	case reject.FieldInvalid:
		for _, name := range []string{"skipThreeDS", "recurring", "cres", "amount"} {
			if strings.Contains(q.body, name) {
				q.body = strings.Replace(q.body, `"`+name+`":`, `"description":7,"`+name+`":7,"x":`, 1)
				break
			}
		}
	case reject.AmountInvalid:
		q.body = strings.Replace(q.body, `"amount":1`, `"amount":1e2`, 1)
	case reject.CurrencyInvalid:
		q.body = strings.Replace(q.body, "KZT", "kzt", 1)
	case reject.OrderReferenceInvalid:
		q.body = strings.Replace(q.body, `"amount":1`, `"amount":1,"orderReference":"\u0001"`, 1)
	case reject.CardInvalid:
		q.body = strings.Replace(q.body, "tokenId", "encryptedCardNumber", 1)
	case reject.CustomerNotFound:
		q.body = strings.Replace(q.body, `{`, `{"customerId":"`+driven["transaction_id"]+`",`, 1)
	case reject.PageInvalid:
		q.path += "?page=0"
	case reject.SizeInvalid:
		q.path += "?size=101"
	default:
		return false
	}
	return true
}

// drivenPayments has every payment that is asked for, unless another answer is to be driven.
type drivenPayments struct {
	storage.Storage
	d drive
}

func (p drivenPayments) fails() error {
	switch p.d.reason {
	case reject.PaymentNotFound, reject.LinkNotFound:
		return storage.ErrNotFound
	case reject.QueueFull:
		return storage.ErrUnavailable
	case reject.InternalError:
		panic("an assertion about a payment")
	}
	return nil
}

func (p drivenPayments) Payment(_ context.Context, merchant, id string) (payment.Payment, error) {
	f := payment.Facts{ID: id, Merchant: merchant, Currency: "KZT", CardToken: id}
	if p.d.reason == reject.MandateNotFound {
		f.CardToken = ""
	}
	return payment.Payment{Facts: f, Stage: payment.Approved}, p.fails()
}

func (p drivenPayments) Payments(context.Context, storage.PaymentQuery) ([]payment.Payment, int64, error) {
	if p.d.reason == reject.PaymentNotFound {
		return nil, 0, nil
	}
	return nil, 0, p.fails()
}

func (p drivenPayments) Link(_ context.Context, _, id string) (link.Link, error) {
	if p.d.reason == reject.PaymentNotFound {
		return link.Link{Facts: link.Facts{ID: id}}, nil
	}
	return link.Link{Facts: link.Facts{ID: id}}, p.fails()
}

// drivenShoppers are none.
type drivenShoppers struct{ storage.Storage }

func (s drivenShoppers) Shopper(context.Context, string, string) (shopper.Shopper, error) {
	return shopper.Shopper{}, storage.ErrNotFound
}

// drivenAcquiring answers everything with the reason.
type drivenAcquiring struct{ d drive }

func (a drivenAcquiring) answer() (acquiring.Result, error) {
	if err := a.d.trouble(); err != nil {
		return acquiring.Result{}, err
	}
	r := acquiring.Result{Reason: a.d.reason}
	switch a.d.reason {
	case reject.CardDeclined:
		r = acquiring.Result{Operation: payment.Operation{State: payment.Declined, Code: "05"}}
	case reject.AcquirerUnavailable:
		r = acquiring.Result{Operation: payment.Operation{State: payment.Undone}}
	}
	return r, nil
}

func (a drivenAcquiring) Pay(context.Context, acquiring.Request) (acquiring.Result, error) {
	return a.answer()
}

func (a drivenAcquiring) Continue(context.Context, acquiring.Continuation) (acquiring.Result, error) {
	return a.answer()
}

func (a drivenAcquiring) Capture(context.Context, acquiring.Modification) (acquiring.Result, error) {
	return a.answer()
}

func (a drivenAcquiring) Cancel(context.Context, acquiring.Modification) (acquiring.Result, error) {
	return a.answer()
}

func (a drivenAcquiring) Refund(context.Context, acquiring.Modification) (acquiring.Result, error) {
	return a.answer()
}

// driveCards walks through what succeeds of card payments, with the real acquiring and its sandbox.
func driveCards(t *testing.T, c *contract) {
	p := &payRig{}
	newRigOn(t, memory.New(), withCards(p))
	p.addKey(t)
	p.seen = c.observe
	first := p.made(with{"recurring": map[string]any{"recurringType": "cof_initial"}})
	id := first.text("id")
	p.do(ask{"POST", "/v1/payments/recurring/merchant/initiated", p.shop, p.directBody(order("5", "N"), with{
		"cardData": map[string]any{}, "recurring": map[string]any{
			"recurringType": "ucof", "parentTransactionId": id}}), nil})
	p.direct(order("205.10", "O"), with{skip: true})
	p.direct(order("88000.13", "O"), with{skip: true})
	secure := p.direct(with{"cardData": p.typed("4111111111111111", "123")})
	p.callBack(secure.text("id"), p.answers(secure, "555"))
	for _, verb := range []string{"capture", "refund"} {
		path := "/v1/payments/{transaction_id}/" + verb
		for _, body := range examplesOf(t, c.doc.Paths.Value(path).Post) {
			if verb == "refund" {
				p.manage(id, "capture", "")
			}
			if a := p.manage(id, verb, body); a.status != 200 {
				t.Errorf("%s with %s: %d %s", verb, body, a.status, a.body)
			}
			id = p.made().text("id")
		}
	}
	p.manage(id, "cancel", "[]")
	for _, path := range []string{
		"", "?page=1&size=2", "/" + id, "/" + id + "/history", "/" + id + "/explain", "/by-order-reference/ORDER-1",
	} {
		if a := p.get("/v1/transactions" + path); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}
