package httpapi

import (
	"plexy/internal/core/payment"
	"plexy/internal/event"
	"plexy/internal/explain"
	"plexy/internal/storage"
	"plexy/internal/view"
)

// cardReader is storage.Payments under a name that hides none of its methods.
type cardReader interface{ storage.Payments }

// explainPayment answers GET /v1/transactions/{transaction_id}/explain.
func (a *API) explainPayment(c *call) {
	p, ok := a.onPayment(c)
	if !ok {
		return
	}
	source := struct {
		storage.Reader
		storage.Outbox
		cardReader
	}{a.options.Reader, a.options.Outbox, a.options.Payments}
	s, err := explain.OfPayment(c.ctx, source, c.Merchant, p.ID)
	if !c.failed(err, noPayment(paymentSource)) {
		c.read(appendPaymentStory(nil, &s))
	}
}

// appendPaymentStory writes the story of a card payment as its merchant may read it: what the acquirer
// settled with the platform is left out.
func appendPaymentStory(b []byte, s *explain.PaymentStory) []byte {
	o := view.NewObject(b)
	o.Text("transactionId", s.Payment.ID)
	o.Text("status", string(s.Payment.Status()))
	o.Value("steps", func(b []byte) []byte {
		b = append(b, '[')
		for i := range s.Steps {
			if s.Steps[i].Record.Merchant == "" {
				continue
			}
			if b[len(b)-1] != '[' {
				b = append(b, ',')
			}
			b = appendPaymentStep(b, s, &s.Steps[i])
		}
		return append(b, ']')
	})
	o.Value("operations", func(b []byte) []byte {
		b = append(b, '[')
		for i := range s.Operations {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendAsked(b, &s.Payment, &s.Operations[i])
		}
		return append(b, ']')
	})
	return o.End()
}

func appendPaymentStep(b []byte, s *explain.PaymentStory, step *explain.Step) []byte {
	r := &step.Record
	o := view.NewObject(b)
	o.Number("sequence", r.Sequence)
	o.Time("at", r.At)
	asked, answered := s.OperationOf(*step)
	o.Value("request", func(b []byte) []byte {
		origin := r.Origin
		if answered { // the record has the request of who wrote the answer down
			origin = asked.Origin
		}
		return appendRequest(b, origin.RequestID, origin.APIKeyID, origin.IdempotencyKey)
	})
	if answered {
		o.Text("operationId", asked.ID)
	}
	o.Value("change", func(b []byte) []byte {
		o := view.NewObject(b)
		o.Text("type", string(r.Type))
		o.Always("from", step.Before.State)
		o.Text("to", r.After.State)
		o.Amounts(r)
		return o.End()
	})
	o.Value("entry", func(b []byte) []byte {
		p := r.Posting
		if !p.Moves() {
			return append(b, "null"...)
		}
		o := view.NewObject(b)
		o.Text("move", string(p.Move))
		o.Text("debit", p.Debit)
		o.Text("credit", p.Credit)
		o.Major("amount", p.Amount, p.Currency)
		o.Text("currency", string(p.Currency))
		return o.End()
	})
	o.Value("event", func(b []byte) []byte {
		b = append(append(b, `{"id":"`...), event.ID(r.Object, r.Sequence)...)
		if step.Number == 0 {
			b = append(b, `","number":null`...)
		} else {
			b = view.Minor(b, `","number":`, step.Number)
		}
		return append(append(append(b, `,"name":"`...), r.Event()...), `"}`...)
	})
	o.Value("deliveries", func(b []byte) []byte {
		b = append(b, '[')
		for i := range step.Told {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendAttempts(appendDelivery(b, &step.Told[i].Delivery), step.Told[i].Attempts)
		}
		return append(b, ']')
	})
	return o.End()
}

func appendRequest(b []byte, id, key, idempotency string) []byte {
	o := view.NewObject(b)
	o.Always("id", id)
	o.Always("apiKeyId", key)
	o.Always("idempotencyKey", idempotency)
	return o.End()
}

// appendAsked writes what the acquirer was asked for.
func appendAsked(b []byte, p *payment.Payment, asked *payment.Operation) []byte {
	o := view.NewObject(b)
	o.Text("operationId", asked.ID)
	o.Text("operation", string(asked.Verb))
	o.Text("refundTransactionId", asked.Refund)
	o.Major("amount", asked.Amount, p.Currency)
	o.Text("state", string(asked.State))
	o.Truth("unknown", asked.Unknown)
	o.Truth("byHand", asked.ByHand)
	o.Text("responseCode", asked.Code)
	o.Text("rrn", asked.RRN)
	o.Value("request", func(b []byte) []byte {
		return appendRequest(b, asked.Origin.RequestID, asked.Origin.APIKeyID, asked.Origin.IdempotencyKey)
	})
	o.Time("createdAt", asked.CreatedAt)
	o.Time("updatedAt", asked.UpdatedAt)
	return o.End()
}
