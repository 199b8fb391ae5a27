package httpapi_test

import (
	"context"
	"testing"
	"time"

	"plexy/internal/commit"
	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/customer"
	"plexy/internal/id"
)

// run commits a command of the wallet's owner, or of the server itself.
func (r *rig) run(t *testing.T, c machine.Command) machine.Outcome {
	t.Helper()
	o, err := commit.RunOne(context.Background(), r.store, r.clock, machine.Instruction{Command: c})
	check(t, err)
	if o.Reason != "" {
		t.Fatalf("%T was refused: %s", c, o.Reason)
	}
	return o
}

// owner is example customer n, who must approve what is above the given amount.
func (r *rig) owner(t *testing.T, n int, above int64) (customerID string) {
	t.Helper()
	iin, phone := customer.Example(n)
	o := r.run(t, machine.SetApproval{
		Who: r.who(iin, phone), Currency: "KZT", Approval: wallet.ApprovalAbove(above),
		By: machine.By{ID: r.ids.New(id.Audit)},
	})
	return o.Wallet.Customer
}

func TestAWalletWhoseOwnerApproves(t *testing.T) { onEveryStore(t, testAWalletWhoseOwnerApproves) }

func testAWalletWhoseOwnerApproves(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 100_000)
	owner := r.owner(t, 1, 10_000)
	if a := r.authorize(1, 10_000, "SMALL"); a.text("walletTransactionStatus") != "SUCCESS" {
		t.Errorf("up to the bound nobody is asked: %s", a.body)
	}
	q := ask{"POST", "/v1/wallet/authorize", r.shop, orderOf(1, 15_000, "ORDER-1"), idem("k-1")}
	a := r.do(q)
	tx := a.text("walletTransactionId")
	want := `{"walletTransactionId":"` + tx + `","walletTransactionStatus":"NEW",` +
		`"orderReference":"ORDER-1","amount":15000,"currency":"KZT",` +
		`"state":"pending","authorizedAmount":0,"capturedAmount":0,"canceledAmount":0,` +
		`"expiredAmount":0,"refundedAmount":0,"remainingAmount":0,"failureReason":null,` +
		`"createdAt":"2026-02-19T10:18:58.123456Z","updatedAt":"2026-02-19T10:18:58.123456Z",` +
		`"expiresAt":"2026-02-19T10:28:58.123456Z"}`
	if a.status != 201 || a.body != want {
		t.Errorf("body\n got %d %s\nwant %s", a.status, a.body, want)
	}
	path := "/v1/wallet/transaction/" + tx
	if got := r.get(path); got.body != want[:len(want)-1]+`,"operations":[]}` {
		t.Errorf("get: %s", got.body)
	}
	if r.available(1, "KZT") != 90_000 {
		t.Errorf("available %d: asking holds nothing", r.available(1, "KZT"))
	}
	for operation, amount := range map[string]int64{"capture": 15_000, "refund": 1, "cancel": 14_999} {
		if no := r.operate(tx, operation, amount); no.status != 422 || no.reason() != "transaction_pending" {
			t.Errorf("%s: %d %s", operation, no.status, no.body)
		}
	}

	r.clock.Advance(time.Minute.Microseconds())
	owned := machine.Owned{Customer: owner, ID: tx}
	r.run(t, machine.Approve{Owned: owned})
	if got := r.get(path); got.text("walletTransactionStatus") != "PROCESSING" ||
		got.fields["expiresAt"] != nil || r.available(1, "KZT") != 90_000 {
		t.Errorf("approved: %s", got.body)
	}
	r.run(t, machine.Complete{Merchant: r.shopID, ID: tx})
	got := r.get(path)
	if operations, _ := got.fields["operations"].([]any); len(operations) != 1 ||
		got.text("walletTransactionStatus") != "SUCCESS" || got.text("state") != "authorized" ||
		got.text("expiresAt") != "2026-02-26T10:19:58.123456Z" || r.available(1, "KZT") != 75_000 {
		t.Errorf("completed: %s", got.body)
	}
	if again := r.do(q); again.body != want || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("a retry: %d %s", again.status, again.body)
	}
}

func TestWhatWaitsCanFail(t *testing.T) { onEveryStore(t, testWhatWaitsCanFail) }

func testWhatWaitsCanFail(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 100_000)
	owner := r.owner(t, 1, 0)
	for reason, end := range map[string]func(tx string){
		"declined_by_owner": func(tx string) {
			r.run(t, machine.Decline{Owned: machine.Owned{Customer: owner, ID: tx}})
		},
		"approval_expired": func(tx string) {
			r.clock.Advance((10 * time.Minute).Microseconds())
			if no := r.operate(tx, "cancel", 500); no.reason() != "transaction_failed" {
				t.Errorf("cancel after its time: %s", no.body)
			}
			r.run(t, machine.Lapse{ID: tx})
		},
		"canceled_by_merchant": func(tx string) {
			a := r.operate(tx, "cancel", 500)
			if a.status != 200 || a.text("walletTransactionStatus") != "FAILED" || a.number("amount") != 500 ||
				a.text("failureReason") != "canceled_by_merchant" || a.number("canceledAmount") != 0 {
				t.Errorf("cancel: %d %s", a.status, a.body)
			}
		},
		"limit_exceeded": func(tx string) {
			iin, phone := customer.Example(1)
			limit := func(n int64) {
				r.run(t, machine.SetLimits{
					Who: r.who(iin, phone), Currency: "KZT", Limits: wallet.Limits{PerTransaction: n},
					By: machine.By{ID: r.ids.New(id.Audit)},
				})
			}
			r.run(t, machine.Approve{Owned: machine.Owned{Customer: owner, ID: tx}})
			limit(1)
			r.run(t, machine.Complete{Merchant: r.shopID, ID: tx})
			limit(0)
		},
	} {
		tx := r.authorize(1, 500, "O").text("walletTransactionId")
		end(tx)
		got := r.get("/v1/wallet/transaction/" + tx)
		if got.text("walletTransactionStatus") != "FAILED" || got.text("failureReason") != reason ||
			got.text("state") != "failed" || got.fields["expiresAt"] != nil {
			t.Errorf("%s: %s", reason, got.body)
		}
		if no := r.operate(tx, "capture", 500); no.reason() != "transaction_failed" {
			t.Errorf("%s: capture: %s", reason, no.body)
		}
	}
	if r.available(1, "KZT") != 100_000 {
		t.Errorf("available %d", r.available(1, "KZT"))
	}
}

// A transaction whose course the sandbox sets shows nothing of what it will come to.
func TestACourseIsNotShown(t *testing.T) {
	r := newRig(t)
	r.fund(t, 1, "KZT", 1_000)
	iin, phone := customer.Example(1)
	o := r.run(t, machine.Authorize{
		Stem: id.Transaction + r.stem(), Merchant: r.shopID, Currency: "KZT", OrderReference: "O", Amount: 10,
		Who: r.who(iin, phone),
		Course: &wallet.Course{
			Status: wallet.Processing, AfterMicros: 5, Failure: "wallet_blocked",
		},
	})
	got := r.get("/v1/wallet/transaction/" + o.Transaction.ID)
	if got.text("walletTransactionStatus") != "PROCESSING" || got.fields["failureReason"] != nil ||
		got.fields["expiresAt"] != nil {
		t.Errorf("%s", got.body)
	}
	r.clock.Advance(5)
	r.run(t, machine.Complete{Merchant: r.shopID, ID: o.Transaction.ID})
	got = r.get("/v1/wallet/transaction/" + o.Transaction.ID)
	if got.text("failureReason") != "wallet_blocked" {
		t.Errorf("%s", got.body)
	}
}
