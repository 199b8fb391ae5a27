package event

import (
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
)

// Example returns a made-up event with the given name, for a merchant who tries an endpoint out.
func Example(name, merchant string, at int64) Event {
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
