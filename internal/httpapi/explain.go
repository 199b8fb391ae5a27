package httpapi

import (
	"plexy/internal/core/reject"
	"plexy/internal/event"
	"plexy/internal/explain"
	"plexy/internal/storage"
	"plexy/internal/view"
)

// explain answers GET /v1/wallet/transaction/{wallet_transaction_id}/explain.
func (a *API) explain(c *call) {
	source := struct {
		storage.Reader
		storage.Outbox
	}{a.options.Reader, a.options.Outbox}
	s, err := explain.Of(c.ctx, source, c.Merchant, c.id)
	if !c.failed(err, problem{reason: reject.TransactionNotFound, source: "wallet_transaction_id"}) {
		c.read(appendStory(nil, &s))
	}
}

// appendStory writes the story of a transaction as its merchant may read it: the balances of the wallet are
// not the merchant's to see, nor is what a receiver answered.
func appendStory(b []byte, s *explain.Story) []byte {
	b = append(b, `{"walletTransactionId":"`...)
	b = append(b, s.Transaction.ID...)
	b = append(b, `","steps":[`...)
	for i := range s.Steps {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendStep(b, &s.Steps[i])
	}
	return append(b, `]}`...)
}

func appendStep(b []byte, s *explain.Step) []byte {
	r := &s.Record
	b = view.Minor(b, `{"sequence":`, r.Sequence)
	b = view.Time(b, `,"at":"`, r.At)
	b = view.Text(append(b, `,"request":{"id":`...), r.Origin.RequestID)
	b = view.Text(append(b, `,"apiKeyId":`...), r.Origin.APIKeyID)
	b = view.Text(append(b, `,"idempotencyKey":`...), r.Origin.IdempotencyKey)
	b = append(b, `},"change":{"type":"`...)
	b = append(b, r.Type...)
	b = append(b, `","from":"`...)
	b = append(b, s.Before.State...)
	b = append(b, `","to":"`...)
	b = append(b, r.After.State...)
	b = view.Minor(b, `","amount":`, r.Amount)
	b = view.Minor(b, `,"authorizedAmount":`, r.After.Authorized)
	b = view.Minor(b, `,"capturedAmount":`, r.After.Captured)
	b = view.Minor(b, `,"canceledAmount":`, r.After.Canceled)
	b = view.Minor(b, `,"expiredAmount":`, r.After.Expired)
	b = view.Minor(b, `,"refundedAmount":`, r.After.Refunded)
	b = append(b, '}')
	if p := r.Posting; p.Moves() {
		b = append(b, `,"entry":{"operationId":"`...)
		b = append(b, r.OperationID()...)
		b = append(b, `","move":"`...)
		b = append(b, p.Move...)
		b = view.Text(append(b, `","debit":`...), p.Debit)
		b = view.Text(append(b, `,"credit":`...), p.Credit)
		b = view.Minor(b, `,"amount":`, p.Amount)
		b = append(b, `,"currency":"`...)
		b = append(append(b, p.Currency...), `"}`...)
	} else {
		b = append(b, `,"entry":null`...)
	}
	b = append(b, `,"event":{"id":"`...)
	b = append(b, event.ID(r.Object, r.Sequence)...)
	if s.Number == 0 {
		b = append(b, `","number":null`...)
	} else {
		b = view.Minor(b, `","number":`, s.Number)
	}
	b = append(b, `,"name":"`...)
	b = append(b, r.Event()...)
	b = append(b, `"},"deliveries":[`...)
	for i := range s.Told {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendAttempts(appendDelivery(b, &s.Told[i].Delivery), s.Told[i].Attempts)
	}
	return append(b, `]}`...)
}
