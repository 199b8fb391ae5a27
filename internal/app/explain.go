package app

import (
	"context"
	"errors"
	"fmt"

	"plexy/internal/explain"
	"plexy/internal/id"
	"plexy/internal/storage"
)

// Story is the story of a transaction as staff read it.
type Story struct {
	TransactionID string `json:"walletTransactionId,omitempty"`
	PaymentID     string `json:"transactionId,omitempty"` // of a card payment, instead
	MerchantID    string `json:"merchantId"`
	State         string `json:"state"`
	AddsUp        bool   `json:"addsUp"`
	Trouble       string `json:"trouble,omitempty"` // why it does not
	Steps         []Step `json:"steps"`
	// Operations are what the acquirer of a card payment was asked for.
	Operations []CardOperation `json:"operations,omitempty"`
}

// Step is one change. Amounts are minor units.
type Step struct {
	Sequence       int64     `json:"sequence"`
	At             string    `json:"at"`
	RequestID      string    `json:"requestId"`
	APIKeyID       string    `json:"apiKeyId"`
	IdempotencyKey string    `json:"idempotencyKey"`
	Type           string    `json:"type"`
	From           string    `json:"from"`
	To             string    `json:"to"`
	Amount         int64     `json:"amount"`
	Currency       string    `json:"currency"`
	Entry          *Entry    `json:"entry"` // null when no money moved
	EventNumber    int64     `json:"eventNumber"`
	EventName      string    `json:"eventName"`
	Deliveries     []Telling `json:"deliveries"`
}

// Entry is a posting with the balances that it left: minor units.
type Entry struct {
	Move          string `json:"move"`
	Debit         string `json:"debit"`
	Credit        string `json:"credit"`
	DebitPending  int64  `json:"debitPending"`
	DebitPosted   int64  `json:"debitPosted"`
	CreditPending int64  `json:"creditPending"`
	CreditPosted  int64  `json:"creditPosted"`
}

// Telling is a delivery of the step's event, with the endpoint.
type Telling struct {
	EndpointID string `json:"endpointId"`
	Delivery
}

// Explain tells the story of a transaction, or of a card payment, of any merchant.
func (a *App) Explain(ctx context.Context, transaction string) (Story, error) {
	if id.IsUUID(transaction) {
		return a.explainPayment(ctx, transaction)
	}
	merchant, err := a.merchantOf(ctx, transaction)
	if err != nil {
		return Story{}, err
	}
	s, err := explain.Of(ctx, a.Storage, merchant, transaction)
	if err != nil {
		return Story{}, err
	}
	v := Story{
		TransactionID: s.Transaction.ID, MerchantID: merchant, State: string(s.Transaction.State()), AddsUp: true,
	}
	if err := s.Check(false); err != nil {
		v.AddsUp, v.Trouble = false, err.Error()
	}
	for i := range s.Steps {
		v.Steps = append(v.Steps, stepView(&s.Steps[i]))
	}
	return v, nil
}

func (a *App) explainPayment(ctx context.Context, transaction string) (Story, error) {
	p, err := a.Storage.AnyPayment(ctx, transaction)
	if errors.Is(err, storage.ErrNotFound) {
		return Story{}, fmt.Errorf("%w: there is no transaction %q", ErrRefused, transaction)
	}
	if err != nil {
		return Story{}, fmt.Errorf("read a payment: %w", err)
	}
	s, err := explain.OfPayment(ctx, a.Storage, p.Merchant, p.ID)
	if err != nil {
		return Story{}, fmt.Errorf("read the story of a payment: %w", err)
	}
	v := Story{
		PaymentID: p.ID, MerchantID: p.Merchant, State: string(s.Payment.Status()), AddsUp: true, Steps: []Step{},
	}
	if err := s.Check(false); err != nil {
		v.AddsUp, v.Trouble = false, err.Error()
	}
	for i := range s.Steps {
		step := stepView(&s.Steps[i])
		if o, ok := s.OperationOf(s.Steps[i]); ok {
			step.RequestID, step.APIKeyID, step.IdempotencyKey =
				o.Origin.RequestID, o.Origin.APIKeyID, o.Origin.IdempotencyKey
		}
		v.Steps = append(v.Steps, step)
	}
	for _, o := range s.Operations {
		v.Operations = append(v.Operations, cardOperation(o))
	}
	return v, nil
}

// merchantOf finds whose transaction it is: its first record says so.
func (a *App) merchantOf(ctx context.Context, transaction string) (string, error) {
	missing := fmt.Errorf("%w: there is no transaction %q", ErrRefused, transaction)
	if _, ok := id.Book(id.Transaction, transaction); !ok {
		return "", missing
	}
	records, err := a.Storage.Operations(ctx, transaction)
	if err == nil && len(records) == 0 || errors.Is(err, storage.ErrNotFound) {
		return "", missing
	}
	if err != nil {
		return "", err
	}
	return records[0].Merchant, nil
}

func stepView(s *explain.Step) Step {
	r := &s.Record
	v := Step{
		Sequence: r.Sequence, At: rfc3339(r.At), RequestID: r.Origin.RequestID, APIKeyID: r.Origin.APIKeyID,
		IdempotencyKey: r.Origin.IdempotencyKey, Type: string(r.Type), From: s.Before.State, To: r.After.State,
		Amount: r.Amount, Currency: string(r.Currency), EventNumber: s.Number, EventName: r.Event(),
		Deliveries: []Telling{},
	}
	if p := r.Posting; p.Moves() {
		v.Entry = &Entry{
			Move: string(p.Move), Debit: p.Debit, Credit: p.Credit,
			DebitPending: r.Debit.Pending, DebitPosted: r.Debit.Posted,
			CreditPending: r.Credit.Pending, CreditPosted: r.Credit.Posted,
		}
	}
	for _, t := range s.Told {
		d := deliveryView(t.Delivery)
		d.Tried = attemptViews(t.Attempts)
		v.Deliveries = append(v.Deliveries, Telling{EndpointID: t.Delivery.Endpoint, Delivery: d})
	}
	return v
}
