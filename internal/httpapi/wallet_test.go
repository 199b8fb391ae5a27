package httpapi_test

import (
	"strings"
	"testing"
	"time"
)

func TestAuthorizeAnswersWithTheSeedsFieldsFirst(t *testing.T) {
	onEveryStore(t, testAuthorizeAnswersWithTheSeedsFieldsFirst)
}

func testAuthorizeAnswersWithTheSeedsFieldsFirst(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 100_000)
	a := r.authorize(1, 15_000, "ORDER-100045")
	tx := a.text("walletTransactionId")
	want := `{"walletTransactionId":"` + tx + `","walletTransactionStatus":"SUCCESS",` +
		`"orderReference":"ORDER-100045","amount":15000,"currency":"KZT",` +
		`"state":"authorized","authorizedAmount":15000,"capturedAmount":0,"canceledAmount":0,` +
		`"expiredAmount":0,"refundedAmount":0,"remainingAmount":15000,"failureReason":null,` +
		`"createdAt":"2026-02-19T10:18:58.123456Z","updatedAt":"2026-02-19T10:18:58.123456Z",` +
		`"expiresAt":"2026-02-26T10:18:58.123456Z"}`
	if a.body != want {
		t.Errorf("body\n got %s\nwant %s", a.body, want)
	}
	if r.available(1, "KZT") != 85_000 {
		t.Errorf("available %d, want 85000", r.available(1, "KZT"))
	}
	if got := r.get("/v1/wallet/transaction/" + tx); got.status != 200 || got.body != want[:len(want)-1]+
		`,"operations":[{"operationId":"op_`+tx[3:]+`_1","type":"authorize","amount":15000,`+
		`"createdAt":"2026-02-19T10:18:58.123456Z"}]}` {
		t.Errorf("get: %d %s", got.status, got.body)
	}
}

func TestTheLifeOfATransaction(t *testing.T) { onEveryStore(t, testTheLifeOfATransaction) }

func testTheLifeOfATransaction(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 100_000)
	tx := r.authorize(1, 15_000, "ORDER-1").text("walletTransactionId")
	for i, step := range []struct {
		operation string
		amount    int64
		state     string
		remaining int64
	}{
		{"capture", 6_000, "partially_captured", 9_000},
		{"cancel", 1_000, "partially_captured", 8_000},
		{"capture", 8_000, "captured", 0},
		{"refund", 4_000, "partially_refunded", 0},
		{"refund", 10_000, "refunded", 0},
	} {
		r.clock.Advance(time.Second.Microseconds())
		a := r.operate(tx, step.operation, step.amount)
		if a.status != 200 || a.text("state") != step.state || a.number("remainingAmount") != step.remaining ||
			a.number("amount") != step.amount || a.text("walletTransactionStatus") != "SUCCESS" ||
			a.text("operationId") != "op_"+tx[3:]+"_"+string(rune('2'+i)) {
			t.Errorf("%s %d: %d %s", step.operation, step.amount, a.status, a.body)
		}
	}
	a := r.get("/v1/wallet/transaction/" + tx)
	if a.number("amount") != 15_000 || a.number("capturedAmount") != 14_000 ||
		a.number("canceledAmount") != 1_000 || a.number("refundedAmount") != 14_000 ||
		a.text("updatedAt") != "2026-02-19T10:19:03.123456Z" {
		t.Errorf("get: %s", a.body)
	}
	operations, _ := a.fields["operations"].([]any)
	if len(operations) != 6 {
		t.Fatalf("%d operations, want 6: %s", len(operations), a.body)
	}
	last := operations[5].(map[string]any)
	if last["type"] != "refund" || last["operationId"] != "op_"+tx[3:]+"_6" {
		t.Errorf("last operation %v", last)
	}
	if r.available(1, "KZT") != 100_000 {
		t.Errorf("available %d, want all back", r.available(1, "KZT"))
	}
}

func TestARefusedAuthorizeIsATransaction(t *testing.T) {
	onEveryStore(t, testARefusedAuthorizeIsATransaction)
}

func testARefusedAuthorizeIsATransaction(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 100)
	r.fund(t, 2, "KZT", 100)
	for _, c := range []struct{ name, body, reason string }{
		{"no wallet", orderOf(3, 50, "O"), "wallet_not_found"},
		{"not enough", orderOf(1, 101, "O"), "insufficient_funds"},
		{"two people", mixed(t, 1, 2), "identity_mismatch"},
	} {
		a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, c.body, idem(strings.ReplaceAll(c.name, " ", "-"))})
		if a.status != 201 || a.text("walletTransactionStatus") != "FAILED" ||
			a.text("failureReason") != c.reason || a.text("state") != "failed" ||
			a.number("authorizedAmount") != 0 || a.fields["expiresAt"] != nil {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
		got := r.get("/v1/wallet/transaction/" + a.text("walletTransactionId"))
		if operations, _ := got.fields["operations"].([]any); got.status != 200 || len(operations) != 0 {
			t.Errorf("%s: a failed transaction moved nothing: %s", c.name, got.body)
		}
		no := r.operate(a.text("walletTransactionId"), "capture", 1)
		if no.status != 422 || no.reason() != "transaction_failed" || no.number("code") != 5 ||
			no.text("type") != "validationError" {
			t.Errorf("%s: capture of a failed one: %d %s", c.name, no.status, no.body)
		}
	}
	if got := r.transactions(); got != 3 {
		t.Errorf("%d transactions listed, want 3", got)
	}
}

func TestOperationsThatStateOrAmountForbid(t *testing.T) {
	onEveryStore(t, testOperationsThatStateOrAmountForbid)
}

func testOperationsThatStateOrAmountForbid(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 1_000_000)
	refused := func(name string, a *answer, reason, source string) {
		t.Helper()
		if a.status != 422 || a.reason() != reason || a.text("source") != source {
			t.Errorf("%s: %d %s, want 422 %s of %s", name, a.status, a.body, reason, source)
		}
	}
	const id = "wallet_transaction_id"
	tx := r.authorize(1, 1000, "O").text("walletTransactionId")
	refused("capture too much", r.operate(tx, "capture", 1001), "amount_exceeds_remaining", "amount")
	refused("cancel too much", r.operate(tx, "cancel", 1001), "amount_exceeds_remaining", "amount")
	refused("refund of nothing", r.operate(tx, "refund", 1), "nothing_captured", id)
	r.operate(tx, "capture", 1000)
	refused("capture the captured", r.operate(tx, "capture", 1), "nothing_remaining", id)
	refused("cancel the captured", r.operate(tx, "cancel", 1), "nothing_remaining", id)
	refused("refund too much", r.operate(tx, "refund", 1001), "amount_exceeds_captured", "amount")

	late := r.authorize(1, 1000, "O").text("walletTransactionId")
	r.clock.Advance(week.Microseconds())
	refused("capture after expiry", r.operate(late, "capture", 1), "hold_expired", id)
	refused("cancel after expiry", r.operate(late, "cancel", 1), "hold_expired", id)
	if a := r.get("/v1/wallet/transaction/" + late); a.number("remainingAmount") != 1000 {
		t.Errorf("a refused operation changed something: %s", a.body)
	}
}

func TestOrderReferencesMayBeRejected(t *testing.T) {
	onEveryStore(t, testOrderReferencesMayBeRejected)
}

func testOrderReferencesMayBeRejected(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 1000)
	r.authorize(1, 100, "SAME")
	r.authorize(1, 100, "SAME")
	m, err := r.store.Merchant(t.Context(), r.shopID)
	check(t, err)
	settings := must(m.Settings.Set("order_reference", "reject"))(t)
	check(t, r.store.SetMerchant(t.Context(), r.shopID, settings, auditOf(r)))
	r.authorize(1, 5000, "TRY") // FAILED: does not occupy its reference
	r.authorize(1, 100, "TRY")
	a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, orderOf(1, 100, "TRY"), idem("x")})
	if a.status != 422 || a.reason() != "order_reference_exists" || a.text("source") != "orderReference" {
		t.Errorf("%d %s", a.status, a.body)
	}
	again := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, orderOf(1, 100, "TRY"), idem("x")})
	if again.body != a.body || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the refusal is not replayed: %s", again.body)
	}
}

func TestAnotherVaultGenerationIsMetByAskingAgain(t *testing.T) {
	r := newRig(t)
	r.fund(t, 1, "KZT", 1000)
	in := must(r.store.Installation(t.Context()))(t)
	master, keys := freshMaster(t), in.Keys
	next := rotated(t, master)
	check(t, r.store.RotateVault(t.Context(), in.Generation, keys, auditOf(r)))
	r.vaults.next = next
	a := r.authorize(2, 10, "O") // unknown under any key: the point is that it is decided
	if a.text("failureReason") != "wallet_not_found" {
		t.Errorf("%s", a.body)
	}
	if r.vaults.Current() != next {
		t.Error("the vault was not refreshed")
	}
}
