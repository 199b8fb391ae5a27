package app

import (
	"context"
	"fmt"

	"plexy/internal/core/journal"
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
	Amount      int64  `json:"amount"`     // of the operation
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
	for ref := w.Last; ref.Object != "" && len(s.Items) < limit; {
		r, err := a.Storage.Record(ctx, ref)
		if err != nil {
			return s, fmt.Errorf("read record %d of %s: %w", ref.Sequence, ref.Object, err)
		}
		s.Items = append(s.Items, line(r))
		ref = r.Previous
	}
	return s, nil
}

func line(r journal.Record) Line {
	after := r.Credit
	if r.Posting.Debit == r.Wallet {
		after = r.Debit
	}
	held := -after.Pending // a wallet's pending side is what was debited and not yet final
	return Line{
		At: rfc3339(r.At), Event: r.Event(), OperationID: r.OperationID(), Object: r.Object,
		MerchantID: r.Merchant, Amount: r.Amount,
		Available: after.Posted - held, Pending: held, Posted: after.Posted,
	}
}
