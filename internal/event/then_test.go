package event_test

import (
	"testing"

	"plexy/internal/core/journal"
	"plexy/internal/core/payment"
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

// However late it is told, an event shows its payment as it was then.
func TestThenPayment(t *testing.T) {
	charged := payment.Payment{
		Facts: payment.Facts{ID: "019a2a22-1b0d-7732-9672-134baf97b06c", Amount: 100}, Stage: payment.Approved,
		Authorized: 100, Captured: 60, Released: 40, Refunded: 10, Refunding: 5, Open: 1, Secure3D: true,
		AuthCode: "123456", Sequence: 5, CreatedAt: 1, UpdatedAt: 9, AuthedAt: 3, ConfirmedAt: 5, ProcessedAt: 7,
	}
	rejected := payment.Payment{
		Facts: charged.Facts, Stage: payment.Rejected, Failure: "card_declined", ResponseCode: "05", Sequence: 2,
		CreatedAt: 1, UpdatedAt: 9, ProcessedAt: 9,
	}
	for _, c := range []struct {
		now       payment.Payment
		after     journal.After
		at        int64
		confirmed int64
		code      string
	}{
		{charged, journal.After{State: "created"}, 1, 0, ""},
		{charged, journal.After{State: "authorized", Authorized: 100}, 3, 0, "123456"},
		{charged, journal.After{State: "charged", Authorized: 100, Captured: 60}, 5, 5, "123456"},
		{charged, journal.After{State: "charged", Authorized: 100, Captured: 60, Canceled: 40}, 7, 5, "123456"},
		{charged, journal.After{
			State: "refunded", Authorized: 100, Captured: 60, Canceled: 40, Refunded: 60,
		}, 8, 5, "123456"},
		{rejected, journal.After{State: "created"}, 1, 0, ""},
		{rejected, journal.After{State: "rejected"}, 9, 0, ""},
	} {
		r := journal.Record{Object: c.now.ID, Sequence: 2, At: c.at, After: c.after}
		got := event.OfPayment(1, r, c.now).Payment
		if string(got.Status()) != c.after.State || got.Captured != c.after.Captured || got.UpdatedAt != c.at ||
			got.ConfirmedAt != c.confirmed || got.AuthCode != c.code || got.Refunding != 0 || got.Open != 0 {
			t.Errorf("%s at %d: %+v", c.after.State, c.at, got)
		}
		if got.Failure != "" && c.after.State != "rejected" {
			t.Errorf("%s at %d has failed already: %s", c.after.State, c.at, got.Failure)
		}
		if !event.Known(r.Event()) {
			t.Errorf("%s is not in the table of events", r.Event())
		}
	}
}

// Every kind has an example that is one.
func TestExamples(t *testing.T) {
	for _, k := range event.Kinds() {
		e := event.Example(k.Name, "mer_1", 5)
		if e.Record.Event() != k.Name || e.Record.Merchant != "mer_1" {
			t.Errorf("the example of %s is %+v", k.Name, e.Record)
		}
	}
}
