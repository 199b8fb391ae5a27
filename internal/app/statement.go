package app

import (
	"context"

	"plexy/internal/core/journal"
	"plexy/internal/storage"
)

// StatementLimit is the most lines that one statement shows.
const StatementLimit = 10_000

// Statement is what happened to a wallet, newest first.
type Statement struct {
	WalletID string `json:"walletId"`
	Currency string `json:"currency"`
	Items    []Line `json:"items"`
}

// Line is one change of a wallet and the balances it left, in minor units.
type Line struct {
	At          string `json:"at"` // RFC 3339
	Event       string `json:"event"`
	OperationID string `json:"operationId"`
	Object      string `json:"object"`     // the wallet transaction, or the wallet itself
	MerchantID  string `json:"merchantId"` // "" for what staff did
	Amount      int64  `json:"amount"`     // of the operation; negative for a correction that took money
	Available   int64  `json:"available"`
	Pending     int64  `json:"pending"` // held, a positive amount
	Posted      int64  `json:"posted"`
}

// Statement walks the wallet's chain of records back from the newest, at most limit of them.
func (a *App) Statement(ctx context.Context, h Holder, limit int) (Statement, error) {
	if limit < 1 || limit > StatementLimit {
		return Statement{}, usage("--limit must be from 1 to %d", StatementLimit)
	}
	p, err := h.check()
	if err != nil {
		return Statement{}, err
	}
	_, w, err := a.find(ctx, p)
	if err != nil {
		return Statement{}, err
	}
	s := Statement{WalletID: w.ID, Currency: string(w.Account.Currency), Items: []Line{}}
	_, err = storage.Statement(ctx, a.Storage, w.Last, func(r journal.Record) (more bool, err error) {
		s.Items = append(s.Items, line(r))
		return len(s.Items) < limit, nil
	})
	return s, err
}

func line(r journal.Record) Line {
	after := storage.BalancesAfter(r)
	return Line{
		At: rfc3339(r.At), Event: r.Event(), OperationID: r.OperationID(), Object: r.Object,
		MerchantID: r.Merchant, Amount: r.Signed(),
		Available: after.Available, Pending: after.Pending, Posted: after.Posted,
	}
}
