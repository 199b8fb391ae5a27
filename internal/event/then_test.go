package event_test

import (
	"testing"

	"plexy/internal/core/journal"
	"plexy/internal/core/wallet"
	"plexy/internal/event"
)

// However late it is told, an event shows its transaction as it was then.
func TestThen(t *testing.T) {
	held := wallet.Transaction{
		ID: "wt_1", Amount: 100, Status: wallet.Success, Authorized: 100, Captured: 40, Sequence: 4,
		CreatedAt: 1, UpdatedAt: 9, ExpiresAt: 50,
	}
	failed := wallet.Transaction{
		ID: "wt_2", Amount: 100, Status: wallet.Failed, Failure: "approval_expired", Sequence: 2,
		CreatedAt: 1, UpdatedAt: 9,
	}
	waiting := wallet.Transaction{
		ID: "wt_3", Amount: 100, Status: wallet.Processing, Failure: "limit_exceeded", Sequence: 1,
		CreatedAt: 1, UpdatedAt: 1, ExpiresAt: 30,
	}
	for _, c := range []struct {
		kind    journal.Type
		now     wallet.Transaction
		after   journal.After
		status  wallet.Status
		failure string
		expires int64
	}{
		{journal.Created, held, journal.After{State: "pending"}, wallet.New, "", 0},
		{journal.Approved, held, journal.After{State: "pending"}, wallet.Processing, "", 0},
		{journal.Authorized, held, journal.After{State: "authorized", Authorized: 100}, wallet.Success, "", 50},
		{journal.Created, failed, journal.After{State: "pending"}, wallet.New, "", 0},
		{journal.Failed, failed, journal.After{State: "failed"}, wallet.Failed, "approval_expired", 0},
		{journal.Processing, waiting, journal.After{State: "pending"}, wallet.Processing, "", 0},
	} {
		r := journal.Record{Object: c.now.ID, Sequence: 1, Type: c.kind, At: 5, After: c.after}
		got := event.Then(c.now, r)
		if got.Status != c.status || string(got.Failure) != c.failure || got.ExpiresAt != c.expires ||
			got.Authorized != c.after.Authorized || got.Captured != 0 || got.Sequence != 1 || got.UpdatedAt != 5 {
			t.Errorf("%s, told when it is %s: %+v", c.kind, c.now.Status, got)
		}
		if !event.Known(r.Event()) {
			t.Errorf("%s is not in the table of events", r.Event())
		}
	}
}
