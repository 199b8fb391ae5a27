package view_test

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"plexy/internal/core/journal"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/event"
	"plexy/internal/view"
)

const paymentID = "019a2a22-1b0d-7732-9672-134baf97b06c"

// paid is a payment with everything in it, of which half is captured.
func paid() event.Event {
	p := payment.Payment{
		Facts: payment.Facts{
			ID: paymentID, Merchant: "mer_01JDM3Y0C4N8W6T2S1R0QPAB56", Link: "pl_019a2a21f46f706ea202a75adabcbb80",
			Session: "019a2a22-1b0d-7732-9672-134baf97b06d", Shopper: "01989f41-a6eb-77d4-a666-9361fb25bec6",
			CardToken: "019a2a22-1b0d-7732-9672-134baf97b06e", Connector: "sandbox", Terminal: "term_1",
			Currency: "KZT", Amount: 15_050, OrderReference: `ORDER "1" <ы>`, Description: "Tea", Kind: payment.Auth,
			Recurring: payment.Recurring{Type: payment.Initial}, PayerIP: "192.0.2.1",
			Card: payment.Card{Brand: "visa", Last4: "1111", Expiry: "07/27"}, CallbackURL: "https://shop.kz/hook",
		},
		Stage: payment.Approved, Authorized: 15_050, Captured: 10_000, Refunded: 25, ResponseCode: "00",
		AuthCode: "123456", RRN: "RRN987654321", Secure3D: true, Sequence: 3, CreatedAt: at - 62_000_000,
		UpdatedAt: at, AuthedAt: at - 60_000_000, ConfirmedAt: at,
	}
	return event.Event{
		Number: 4711, Payment: &p,
		Record: journal.Record{
			Object: paymentID, Sequence: 3, Type: journal.Charged, Merchant: p.Merchant, At: at, Amount: 10_000,
			Currency: "KZT", After: journal.After{State: "charged"},
		},
	}
}

// statuses are events of payments as they come, one of each name.
func statuses() []event.Event {
	var all []event.Event
	for _, kind := range event.Kinds() {
		if strings.HasPrefix(kind.Name, "transaction.") {
			e := event.Example(kind.Name, "mer_01JDM3Y0C4N8W6T2S1R0QPAB56", at)
			all = append(all, e)
		}
	}
	whole, minor, refund := paid(), paid(), paid()
	minor.Minor = true
	r := *refund.Payment
	r.ID, r.Parent, r.Kind, r.Amount = "019a2a22-1b0d-7732-9672-134baf97b06f", paymentID, payment.RefundOf, 5_001
	r.Authorized, r.Captured, r.Refunded, r.AuthedAt, r.ConfirmedAt, r.ProcessedAt = 0, 0, 0, 0, 0, at
	r.Recurring, r.Sequence = payment.Recurring{}, 1
	refund.Payment = &r
	refund.Record.Object, refund.Record.Sequence, refund.Record.Type = r.ID, 1, journal.Refunded
	refund.Record.Amount, refund.Record.After.State = 5_001, "refunded"
	return append(all, whole, minor, refund)
}

// TestPaymentVersion1 pins the form of version 1 of payments' events byte for byte, for ever: another form is
// another version.
func TestPaymentVersion1(t *testing.T) {
	var got strings.Builder
	for _, e := range statuses() {
		got.Write(append(view.Event(nil, &e), '\n'))
	}
	const name = "testdata/payment_events_1.jsonl"
	want, err := os.ReadFile(name)
	if err != nil || got.String() != string(want) {
		t.Errorf("%s (%v) is not what is written:\n%s", name, err, got.String())
	}
}

// A card that is stored with an approval does not exist before it, and after a decline never will.
func TestOnlyAStoredCardIsNamed(t *testing.T) {
	for stage, named := range map[payment.Stage]bool{
		payment.Opened: false, payment.Challenged: false, payment.Rejected: false, payment.Failed: false,
		payment.Approved: true,
	} {
		e := paid()
		e.Payment.Stage = stage
		if got := string(view.Event(nil, &e)); strings.Contains(got, `"cardTokenId":`) != named {
			t.Errorf("%s: %s", stage, got)
		}
	}
}

func TestThinPaymentEvent(t *testing.T) {
	e := paid()
	head, _, _ := strings.Cut(string(view.Event(nil, &e)), `"data":`)
	want := head + `"data":{"id":"` + paymentID + `","sequence":3}}`
	if got := string(view.EventAs(nil, &e, event.Form{Version: 1, Thin: true})); got != want {
		t.Errorf("the thin event is\n%s\nwant\n%s", got, want)
	}
}

// TestAPaymentEventIsSmall: 20 KiB at most (rule W-10), with the longest texts that come in.
func TestAPaymentEventIsSmall(t *testing.T) {
	e := paid()
	if n := len(view.Event(nil, &e)); n > view.PaymentEventSize {
		t.Errorf("a usual event has %d bytes, %d are set aside", n, view.PaymentEventSize)
	}
	e.Number, e.Record.Sequence, e.Record.Amount = math.MaxInt64, math.MaxInt64, math.MaxInt64
	for _, letter := range []string{"a", "я", "😀", `"`, `\`, "\u2028"} {
		e.Payment.OrderReference, e.Payment.Description = strings.Repeat(letter, 255), strings.Repeat(letter, 1024)
		b := view.Event(nil, &e)
		var back struct {
			Data struct{ OrderReference, MerchantReference string }
		}
		if err := json.Unmarshal(b, &back); err != nil || len(b) > 20<<10 ||
			back.Data.OrderReference != e.Payment.OrderReference ||
			back.Data.MerchantReference != e.Payment.OrderReference {
			t.Errorf("%q makes %d bytes (%v)", letter, len(b), err)
		}
	}
}

// TestLegacy: the amount is PHP's text of the number (clients-contract.md §3), and the two flags say how it
// stands.
func TestLegacy(t *testing.T) {
	e := paid()
	const want = `{"id":"019a2a22-1b0d-7732-9672-134baf97b06c","amount":150.5,"currency":"KZT",` +
		`"orderReference":"ORDER \"1\" <ы>","success":true,"settled":true,"externalReference":"RRN987654321",` +
		`"paymentMethod":"card"}`
	if got := string(view.Legacy(nil, &e)); got != want {
		t.Errorf("charged: %s\nwant     %s", got, want)
	}
	for _, c := range []struct {
		minor int64
		want  string
	}{
		{12_627, "126.27"}, {10_000, "100"}, {10_050, "100.5"}, {100_000_000, "1000000"}, {1, "0.01"},
		{payment.MaxAmount, "10000000000"}, {payment.MaxAmount - 1, "9999999999.99"},
	} {
		e.Payment.Amount = c.minor
		if got := string(view.Legacy(nil, &e)); !strings.Contains(got, `"amount":`+c.want+`,`) {
			t.Errorf("%d minor units: %s, want %s", c.minor, got, c.want)
		}
	}
	for _, c := range []struct {
		change func(*payment.Payment)
		want   string
	}{
		{func(p *payment.Payment) { p.Captured, p.Refunded = 0, 0 }, `"success":true,"settled":false`},
		{func(p *payment.Payment) { p.Stage, p.Failure = payment.Rejected, reject.CardDeclined },
			`"success":false,"settled":false`},
		{func(p *payment.Payment) { p.Stage = payment.Failed }, `"success":false,"settled":false`},
	} {
		e := paid()
		c.change(e.Payment)
		if got := string(view.Legacy(nil, &e)); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", e.Payment.Status(), got, c.want)
		}
	}
}
