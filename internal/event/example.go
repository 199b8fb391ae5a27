package event

import (
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
)

// Example returns a made-up event with the given name, for a merchant who tries an endpoint out.
func Example(name, merchant string, at int64) Event {
	if status, ok := strings.CutPrefix(name, "transaction."); ok {
		return examplePayment(payment.Status(status), merchant, at)
	}
	kind := journal.Type(name[strings.LastIndexByte(name, '.')+1:])
	t := wallet.Transaction{
		ID: "wt_00000000000000000000000000", Merchant: merchant, Currency: "KZT", OrderReference: "TEST",
		Amount: 10_000, Status: wallet.Success, Authorized: 10_000, Sequence: 1, CreatedAt: at, UpdatedAt: at,
	}
	r := journal.Record{Object: t.ID, Sequence: 1, Type: kind, Merchant: merchant, At: at, Amount: t.Amount}
	switch kind {
	case journal.Created:
		t.Status, t.Authorized = wallet.New, 0
	case journal.Approved, journal.Processing:
		t.Status, t.Authorized = wallet.Processing, 0
	case journal.Failed:
		t.Status, t.Failure, t.Authorized = wallet.Failed, reject.InsufficientFunds, 0
	case journal.Captured:
		t.Captured = t.Amount
	case journal.Canceled:
		t.Canceled = t.Amount
	case journal.Expired:
		t.Expired = t.Amount
	case journal.Refunded:
		t.Captured, t.Refunded = t.Amount, t.Amount
	}
	return Event{Record: r, Transaction: t}
}

// examplePayment returns a made-up event of a card payment that came to the given status.
func examplePayment(status payment.Status, merchant string, at int64) Event {
	p := payment.Payment{
		Facts: payment.Facts{
			ID: "00000000-0000-7000-8000-000000000000", Merchant: merchant, Currency: "KZT", Amount: 10_000,
			OrderReference: "TEST", Kind: payment.Auth, AutoClearing: true,
		},
		Stage: payment.Approved, Authorized: 10_000, Sequence: 1, CreatedAt: at, UpdatedAt: at, AuthedAt: at,
	}
	r := journal.Record{Object: p.ID, Sequence: 1, Merchant: merchant, At: at, Amount: p.Amount}
	switch status {
	case payment.StatusCreated:
		r.Type, p.Stage, p.Authorized, p.AuthedAt = journal.Created, payment.Opened, 0, 0
	case payment.StatusRejected:
		r.Type, p.Stage, p.Authorized, p.AuthedAt = journal.Rejected, payment.Rejected, 0, 0
		p.Failure, p.ResponseCode = reject.CardDeclined, "05"
	case payment.StatusFailed:
		r.Type, p.Stage, p.Authorized, p.AuthedAt = journal.Failed, payment.Failed, 0, 0
		p.Failure = reject.AcquirerUnavailable
	case payment.StatusAuthorized:
		r.Type = journal.Authorized
	case payment.StatusCharged:
		r.Type, p.Captured, p.ConfirmedAt = journal.Charged, p.Amount, at
	case payment.StatusCancelled:
		r.Type, p.Released = journal.Cancelled, p.Amount
	case payment.StatusRefunded:
		r.Type, p.Captured, p.Refunded, p.ConfirmedAt = journal.Refunded, p.Amount, p.Amount, at
	}
	r.After = journal.After{
		State: string(p.Status()), Authorized: p.Authorized, Captured: p.Captured, Canceled: p.Released,
		Refunded: p.Refunded,
	}
	return Event{Record: r, Payment: &p}
}
