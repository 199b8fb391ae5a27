package view_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"plexy/internal/core/journal"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/event"
	"plexy/internal/view"
)

const at = 1_771_496_338_123_456 // 2026-02-19T10:18:58.123456Z

// captured is an event of a captured part.
func captured() event.Event {
	return event.Event{
		Number: 4711,
		Record: journal.Record{
			Object: "wt_01JDM3Z7V8H8Q2X9K0R1ABCD12", Sequence: 2, Type: journal.Captured,
			Merchant: "mer_01JDM3Y0C4N8W6T2S1R0QPAB56", Wallet: "wlt_01JDM3Y0C4N8W6T2S1R0QPAB58",
			At: at, Amount: 10_000, Currency: "KZT",
			Origin: journal.Origin{RequestID: "req_1", APIKeyID: "key_1", IdempotencyKey: "k"},
		},
		Transaction: wallet.Transaction{
			ID: "wt_01JDM3Z7V8H8Q2X9K0R1ABCD12", Merchant: "mer_01JDM3Y0C4N8W6T2S1R0QPAB56",
			Wallet: "wlt_01JDM3Y0C4N8W6T2S1R0QPAB58", OrderReference: `ORDER "1" <ы>`, Amount: 15_000, Currency: "KZT",
			Status: wallet.Success, Authorized: 15_000, Captured: 10_000, Sequence: 2, CreatedAt: at - 62_000_000,
			UpdatedAt: at, ExpiresAt: at + 600_000_000,
		},
	}
}

// TestVersion1 pins the form of version 1 byte for byte, for ever: another form is another version.
func TestVersion1(t *testing.T) {
	if event.Version != 1 {
		t.Fatal("a new version wants its own form here, and this one still has to be made")
	}
	e := captured()
	const want = `{"name":"wallet.transaction.captured","merchantId":"mer_01JDM3Y0C4N8W6T2S1R0QPAB56",` +
		`"id":"evt_01JDM3Z7V8H8Q2X9K0R1ABCD12_2","number":4711,"sequence":2,"version":1,` +
		`"createdAt":"2026-02-19T10:18:58.123456Z",` +
		`"operation":{"operationId":"op_01JDM3Z7V8H8Q2X9K0R1ABCD12_2","type":"capture","amount":10000},` +
		`"data":{"walletTransactionId":"wt_01JDM3Z7V8H8Q2X9K0R1ABCD12","walletTransactionStatus":"SUCCESS",` +
		`"orderReference":"ORDER \"1\" <ы>","amount":15000,"currency":"KZT","state":"partially_captured",` +
		`"authorizedAmount":15000,"capturedAmount":10000,"canceledAmount":0,"expiredAmount":0,` +
		`"refundedAmount":0,"remainingAmount":5000,"failureReason":null,` +
		`"createdAt":"2026-02-19T10:17:56.123456Z","updatedAt":"2026-02-19T10:18:58.123456Z",` +
		`"expiresAt":"2026-02-19T10:28:58.123456Z"}}`
	if got := string(view.Event(nil, &e)); got != want {
		t.Errorf("the event is\n%s\nand version 1 is\n%s", got, want)
	}
	if got := string(view.Event([]byte("before"), &e)); got != "before"+want {
		t.Errorf("appended: %s", got)
	}

	e.Record.Type, e.Record.Sequence = journal.Failed, 1
	e.Transaction = wallet.Transaction{
		ID: e.Transaction.ID, OrderReference: "O", Amount: 15_000, Currency: "KZT", Status: wallet.Failed,
		Failure: reject.InsufficientFunds, Sequence: 1, CreatedAt: at, UpdatedAt: at,
	}
	const failed = `{"name":"wallet.transaction.failed","merchantId":"mer_01JDM3Y0C4N8W6T2S1R0QPAB56",` +
		`"id":"evt_01JDM3Z7V8H8Q2X9K0R1ABCD12_1","number":4711,"sequence":1,"version":1,` +
		`"createdAt":"2026-02-19T10:18:58.123456Z","operation":null,` +
		`"data":{"walletTransactionId":"wt_01JDM3Z7V8H8Q2X9K0R1ABCD12","walletTransactionStatus":"FAILED",` +
		`"orderReference":"O","amount":15000,"currency":"KZT","state":"failed","authorizedAmount":0,` +
		`"capturedAmount":0,"canceledAmount":0,"expiredAmount":0,"refundedAmount":0,"remainingAmount":0,` +
		`"failureReason":"insufficient_funds","createdAt":"2026-02-19T10:18:58.123456Z",` +
		`"updatedAt":"2026-02-19T10:18:58.123456Z","expiresAt":null}}`
	if got := string(view.Event(nil, &e)); got != failed {
		t.Errorf("the event is\n%s\nand version 1 is\n%s", got, failed)
	}
}

// TestThinForm pins the thin form of version 1: only data differs.
func TestThinForm(t *testing.T) {
	e := captured()
	whole := string(view.EventAs(nil, &e, event.Form{Version: 1}))
	if whole != string(view.Event(nil, &e)) {
		t.Errorf("version 1 is\n%s", whole)
	}
	head, _, _ := strings.Cut(whole, `"data":`)
	want := head + `"data":{"id":"wt_01JDM3Z7V8H8Q2X9K0R1ABCD12","sequence":2}}`
	thin := event.Form{Version: 1, Thin: true}
	if got := string(view.EventAs([]byte("before"), &e, thin)); got != "before"+want {
		t.Errorf("the thin event is\n%s\nwant\n%s", got, want)
	}
}

// TestAnEventIsSmall: 20 KiB at most (rule W-10), whatever an order reference and the amounts are; and it
// says what went in.
func TestAnEventIsSmall(t *testing.T) {
	e := captured()
	e.Number, e.Record.Sequence, e.Record.Amount = math.MaxInt64, math.MaxInt64, math.MaxInt64
	x := &e.Transaction
	x.Amount, x.Authorized, x.Captured, x.Canceled, x.Expired, x.Refunded = math.MaxInt64, math.MaxInt64,
		math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64
	for _, letter := range []string{"a", "я", "€", "😀", `"`, `\`, "<", "\u2028", "\ufffd", "/"} {
		e.Transaction.OrderReference = strings.Repeat(letter, 255)
		b := view.Event(nil, &e)
		if len(b) > 20<<10 {
			t.Errorf("255 times %q make %d bytes", letter, len(b))
		}
		var back struct {
			Number int64
			Data   struct{ OrderReference string }
		}
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if back.Data.OrderReference != e.Transaction.OrderReference || back.Number != math.MaxInt64 {
			t.Errorf("255 times %q came back as %q", letter, back.Data.OrderReference)
		}
	}
}

// TestAnEventOfUsualSizeFits: what is set aside for one is enough.
func TestAnEventOfUsualSizeFits(t *testing.T) {
	e := captured()
	room := make([]byte, 0, view.EventSize)
	if b := view.Event(room, &e); cap(b) != cap(room) {
		t.Errorf("a usual event has %d bytes, %d are set aside", len(b), view.EventSize)
	}
}
