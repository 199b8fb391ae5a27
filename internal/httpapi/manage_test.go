package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The bodies of full captures, cancels and refunds that clients were seen to send: the PHP SDK's empty array,
// null, nothing at all, also without a content type.
var wholes = []string{"[]", " [ ] ", "{}", `{"amount":null}`, "", `{"amount":126.27}`, `{"amount":126.270}`}

func TestOddBodiesOfClients(t *testing.T) {
	p := newPayRig(t)
	for _, body := range wholes {
		for _, verb := range []string{"capture", "cancel", "refund"} {
			kind := "auth"
			if verb == "refund" {
				kind = "sale"
			}
			id := p.made(with{"transactionType": kind}).text("id")
			q := ask{"POST", "/v1/payments/" + id + "/" + verb, p.shop, body, nil}
			if body == "" {
				q.header = map[string][]string{"Content-Type": {}}
			}
			a := p.do(q)
			if a.status != 200 || a.fields["success"] != true || a.text("id") == "" ||
				a.fields["amount"] != json.Number("126.27") || a.fields["remainingBalance"] != json.Number("0") {
				t.Errorf("%s with %q: %d %s", verb, body, a.status, a.body)
			}
			if same := a.text("id") == id; same == (verb == "refund") {
				t.Errorf("%s of %s answers with the id %s", verb, id, a.text("id"))
			}
		}
	}
}

func TestPartByPart(t *testing.T) {
	p := newPayRig(t)
	id := p.made(order("100", "O-7")).text("id")
	for i, c := range []struct {
		verb, body string
		status     int
		rest       string
		message    string
	}{
		{"refund", "", 422, "", "transaction can not be refunded: it is not charged"},
		{"capture", `{"amount":100.01}`, 422, "", "transaction can not be captured: amount is more than"},
		{"capture", `{"amount":60.5}`, 200, "39.5", "Successfully captured the transaction"},
		{"cancel", "", 200, "0", "Successfully cancelled the transaction"},
		{"cancel", "[]", 422, "", "transaction can not be cancelled: nothing of the authorization remains"},
		{"refund", `{"amount":60.51}`, 422, "", "transaction can not be refunded: amount is more than the rem"},
		{"refund", `{"amount":20.25,"orderReference":"R-1","description":"half"}`, 200, "40.25", "Success"},
		{"refund", "[]", 200, "0", "Successfully refunded the transaction"},
		{"refund", "[]", 422, "", "transaction can not be refunded: already refunded"},
		{"refund", `{"amount":0}`, 400, "", "amount must be more than 0"},
		{"refund", `{"amount":"1"}`, 400, "", "amount must be a number in major units"},
		{"refund", `{"amount":1.001}`, 400, "", "amount must be a number in major units"},
		{"refund", `[1]`, 400, "", "The body must be one JSON object"},
	} {
		a := p.manage(id, c.verb, c.body)
		rest, _ := a.fields["remainingBalance"].(json.Number)
		if a.status != c.status || rest.String() != c.rest || !strings.HasPrefix(a.text("message"), c.message) {
			t.Errorf("%d: %s %s: %d %s", i, c.verb, c.body, a.status, a.body)
		}
		if c.verb == "refund" && a.status == 200 {
			one := p.get("/v1/transactions/" + a.text("id"))
			if a.text("originalTransactionId") != id || one.text("parentTransactionId") != id ||
				one.text("type") != "refund" || one.text("status") != "refunded" {
				t.Errorf("%d: %s, which reads %s", i, a.body, one.body)
			}
		}
	}
	if one := p.get("/v1/transactions/" + id); one.text("status") != "refunded" {
		t.Errorf("at the end: %s", one.body)
	}
}

func TestManagementKeepsItsWord(t *testing.T) {
	p := newPayRig(t)
	id := p.made(with{"transactionType": "sale"}).text("id")
	q := ask{"POST", "/v1/payments/" + id + "/refund", p.shop, `{"amount":1}`, idem("r1")}
	first, again := p.do(q), p.do(q)
	if first.body != again.body || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%s, and then %s", first.body, again.body)
	}
	q.body = `{"amount":2}`
	if other := p.do(q); other.status != 422 || other.reason() != "idempotency_key_reused" {
		t.Errorf("another amount: %d %s", other.status, other.body)
	}
	for name, q := range map[string]ask{
		"another merchant's": {"POST", "/v1/payments/" + id + "/refund", p.rival, "[]", nil},
		"no id":              {"POST", "/v1/payments/txn_1/refund", p.shop, "[]", nil},
		"upper case":         {"POST", "/v1/payments/" + strings.ToUpper(id) + "/capture", p.shop, "[]", nil},
		"unknown":            {"POST", "/v1/payments/" + p.ids.UUID() + "/cancel", p.shop, "", nil},
	} {
		if a := p.do(q); a.status != 404 || a.reason() != "payment_not_found" || a.text("message") == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

// Refunds that the acquirer refuses, or has not decided, are not taken for done.
func TestWhatTheAcquirerSaysOfARefund(t *testing.T) {
	p := newPayRig(t)
	id := p.made(with{"transactionType": "sale"}, order("100000", "O")).text("id")
	a := p.manage(id, "refund", `{"amount":205.10}`)
	if a.status != 422 || a.reason() != "card_declined" ||
		a.text("message") != "transaction can not be refunded: not enough money on the card (51)" {
		t.Errorf("declined: %d %s", a.status, a.body)
	}
	a = p.manage(id, "refund", `{"amount":88000.13}`)
	if a.status != 202 || a.fields["success"] != false || a.text("id") == "" {
		t.Errorf("pending: %d %s", a.status, a.body)
	}
	a = p.manage(id, "refund", `{"amount":1}`)
	if a.status != 409 || a.reason() != "operation_pending" || a.header.Get("Should-Retry") != "true" ||
		!strings.HasPrefix(a.text("message"), "transaction can not be refunded: ") {
		t.Errorf("beside it: %d %s", a.status, a.body)
	}
}

// What goes in as a decimal comes out as the same number, whatever its size.
func TestDecimalsAreExact(t *testing.T) {
	p := newPayRig(t)
	token := p.made(with{"saveCard": true}).text("cardTokenId")
	rapid.Check(t, func(t *rapid.T) {
		minor := rapid.Int64Range(1, 1_000_000_000_000).Filter(func(n int64) bool {
			return n/10_000 != 2 && n/100 != 88_000 // the sandbox's special amounts
		}).Draw(t, "minor")
		text := fmt.Sprintf("%d.%02d", minor/100, minor%100)
		a := p.direct(order(text, "O"), with{skip: true, "transactionType": "sale",
			"cardData": map[string]any{"tokenId": token}})
		want := strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
		if a.fields["amount"] != json.Number(want) {
			t.Fatalf("%s was paid as %s", text, a.body)
		}
		if one := p.get("/v1/transactions/" + a.text("id")); one.fields["amount"] != json.Number(want) {
			t.Fatalf("%s reads %s", text, one.body)
		}
	})
}

// A refusal names what was asked of in the words of its own route, not of the wallet's.
func TestRefusalsNameWhatTheyConcern(t *testing.T) {
	p := newPayRig(t)
	held, gone := p.made().text("id"), p.made().text("id")
	p.manage(gone, "cancel", "")
	pending := p.direct(order("88000.13", "O"), with{skip: true}).text("id")
	declined := p.direct(order("205.10", "O"), with{skip: true}).text("id")
	for _, c := range []struct{ id, verb, body, reason, source string }{
		{held, "refund", "[]", "nothing_captured", "transaction_id"},
		{gone, "capture", "[]", "nothing_remaining", "transaction_id"},
		{pending, "capture", "[]", "transaction_pending", "transaction_id"},
		{declined, "refund", "[]", "transaction_failed", "transaction_id"},
		{held, "capture", `{"amount":200}`, "amount_exceeds_remaining", "amount"},
		{held, "capture", `{"amount":1,"amount":2}`, "body_invalid", "amount"},
		{held, "capture", `{"description":[]}`, "field_invalid", "description"},
	} {
		a := p.manage(c.id, c.verb, c.body)
		if a.reason() != c.reason || a.text("source") != c.source {
			t.Errorf("%s %s: %d %s", c.verb, c.body, a.status, a.body)
		}
	}
}

// Clients' models of an operation have both codes, so they are there although the acquirer gives it none.
func TestOperationsHaveTheCodesOfThePayment(t *testing.T) {
	p := newPayRig(t)
	paid := p.made()
	for _, verb := range []string{"capture", "refund"} {
		a := p.manage(paid.text("id"), verb, `{"amount":1}`)
		for _, name := range []string{"authCode", "networkTransactionReference"} {
			if a.text(name) == "" || a.text(name) != paid.text(name) {
				t.Errorf("%s has the %s %q, the payment %q", verb, name, a.text(name), paid.text(name))
			}
		}
	}
}
