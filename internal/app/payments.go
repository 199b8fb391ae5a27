package app

import (
	"context"
	"errors"
	"fmt"

	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/storage"
)

// UnknownOperation is an operation of a card payment whose outcome is not known.
type UnknownOperation struct {
	OperationID   string `json:"operationId"`
	TransactionID string `json:"transactionId"`
	MerchantID    string `json:"merchantId"`
	Acquirer      string `json:"acquirer"`
	Operation     string `json:"operation"` // authorize, capture, cancel or refund
	Amount        int64  `json:"amount"`    // minor units
	Currency      string `json:"currency"`
	Since         string `json:"since"`
	AgeSeconds    int64  `json:"ageSeconds"`
	Checks        int64  `json:"checks"`                // how often it was asked after
	NextCheckAt   string `json:"nextCheckAt,omitempty"` // "" when it is left to a person
	// State is sent, or what a difference counts as: approved, declined or failed.
	State          string `json:"state"`
	ByHand         bool   `json:"byHand,omitempty"`         // a person settled it
	Contradictions int64  `json:"contradictions,omitempty"` // answers that were not believed
	UpdatedAt      string `json:"updatedAt"`
}

// UnknownOperations are the operations whose outcome is not known, the oldest first, and after them the
// differences of the last 30 days, the newest first: operations that are settled and of which the acquirer
// said something else as well. At most 1000 of each.
func (a *App) UnknownOperations(ctx context.Context) ([]UnknownOperation, error) {
	found, err := a.Storage.UnknownOperations(ctx, unknownMost)
	if err != nil {
		return nil, fmt.Errorf("read what is unknown: %w", err)
	}
	since := a.clock.Now() - differencesFor.Microseconds()
	differences, err := a.Storage.ContradictedOperations(ctx, since, unknownMost)
	if err != nil {
		return nil, fmt.Errorf("read what was contradicted: %w", err)
	}
	all := []UnknownOperation{}
	for _, u := range found {
		all = append(all, a.unknownOperation(u))
	}
	for _, d := range differences {
		if !d.Operation.Unknown {
			all = append(all, a.unknownOperation(d))
		}
	}
	return all, nil
}

func (a *App) unknownOperation(u storage.Asked) UnknownOperation {
	o := u.Operation
	since := o.UnknownSince
	if since == 0 {
		since = o.CreatedAt
	}
	return UnknownOperation{
		OperationID: o.ID, TransactionID: u.Payment.ID, MerchantID: u.Payment.Merchant,
		Acquirer: u.Payment.Connector, Operation: string(o.Verb), Amount: o.Amount,
		Currency: string(u.Payment.Currency), Since: moment(since),
		AgeSeconds: max(0, a.clock.Now()-since) / 1_000_000, Checks: o.Checks,
		NextCheckAt: moment(o.NextCheckAt), State: string(o.State), ByHand: o.ByHand,
		Contradictions: o.Contradictions, UpdatedAt: moment(o.UpdatedAt),
	}
}

// moment is a time in RFC 3339, "" for none.
func moment(at int64) string {
	if at == 0 {
		return ""
	}
	return rfc3339(at)
}

// CardPayment is one card payment with all that was asked of its acquirer. Amounts are minor units.
type CardPayment struct {
	TransactionID  string `json:"transactionId"`
	MerchantID     string `json:"merchantId"`
	Status         string `json:"status"`
	Kind           string `json:"kind"`
	Acquirer       string `json:"acquirer"`
	LinkID         string `json:"paymentLinkId,omitempty"`
	ParentID       string `json:"parentTransactionId,omitempty"`
	OrderReference string `json:"orderReference,omitempty"`
	CardBrand      string `json:"cardBrand,omitempty"`
	CardLast4      string `json:"cardLast4,omitempty"`
	Amount         int64  `json:"amount"`
	Currency       string `json:"currency"`
	Authorized     int64  `json:"authorized"`
	Captured       int64  `json:"captured"`
	Cancelled      int64  `json:"cancelled"`
	Refunded       int64  `json:"refunded"`
	Reason         string `json:"reason,omitempty"`
	ResponseCode   string `json:"responseCode,omitempty"`
	CreatedAt      string `json:"createdAt"`
	UpdatedAt      string `json:"updatedAt"`
	ClearAt        string `json:"clearAt,omitempty"` // when what is held is captured by itself

	Operations []CardOperation `json:"operations"`
}

// CardOperation is one thing asked of an acquirer.
type CardOperation struct {
	OperationID    string `json:"operationId"`
	Operation      string `json:"operation"`
	RefundID       string `json:"refundId,omitempty"`
	Amount         int64  `json:"amount"`
	State          string `json:"state"` // sent, approved, declined or failed
	Unknown        bool   `json:"unknown,omitempty"`
	Checks         int64  `json:"checks,omitempty"`
	NextCheckAt    string `json:"nextCheckAt,omitempty"`
	Contradictions int64  `json:"contradictions,omitempty"`
	ByHand         bool   `json:"byHand,omitempty"` // a person settled it
	ResponseCode   string `json:"responseCode,omitempty"`
	RRN            string `json:"rrn,omitempty"`
	RequestID      string `json:"requestId,omitempty"`
	CreatedAt      string `json:"createdAt"`
	UpdatedAt      string `json:"updatedAt"`
}

// CardPayment shows a payment; ErrRefused when there is none.
func (a *App) CardPayment(ctx context.Context, id string) (CardPayment, error) {
	p, err := a.Storage.AnyPayment(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return CardPayment{}, refused(reject.PaymentNotFound)
	}
	if err != nil {
		return CardPayment{}, fmt.Errorf("read a payment: %w", err)
	}
	all, err := a.Storage.OperationsOf(ctx, id)
	if err != nil {
		return CardPayment{}, fmt.Errorf("read the operations of a payment: %w", err)
	}
	v := CardPayment{
		TransactionID: p.ID, MerchantID: p.Merchant, Status: string(p.Status()), Kind: string(p.Kind),
		Acquirer: p.Connector, LinkID: p.Link, ParentID: p.Parent, OrderReference: p.OrderReference,
		CardBrand: p.Card.Brand, CardLast4: p.Card.Last4, Amount: p.Amount, Currency: string(p.Currency),
		Authorized: p.Authorized, Captured: p.Captured, Cancelled: p.Released, Refunded: p.Refunded,
		Reason: string(p.Failure), ResponseCode: p.ResponseCode, CreatedAt: moment(p.CreatedAt),
		UpdatedAt: moment(p.UpdatedAt), ClearAt: moment(p.ClearAt), Operations: []CardOperation{},
	}
	for _, o := range all {
		v.Operations = append(v.Operations, cardOperation(o))
	}
	return v, nil
}

func cardOperation(o payment.Operation) CardOperation {
	return CardOperation{
		OperationID: o.ID, Operation: string(o.Verb), RefundID: o.Refund, Amount: o.Amount, State: string(o.State),
		Unknown: o.Unknown, Checks: o.Checks, NextCheckAt: moment(o.NextCheckAt),
		Contradictions: o.Contradictions, ByHand: o.ByHand, ResponseCode: o.Code, RRN: o.RRN,
		RequestID: o.Origin.RequestID, CreatedAt: moment(o.CreatedAt), UpdatedAt: moment(o.UpdatedAt),
	}
}
