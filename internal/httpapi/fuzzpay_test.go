package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"plexy/internal/acquiring"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/httpapi"
	"plexy/internal/server"
)

// notedPay is an Acquiring that only notes what it is asked for: what the door made of the bytes that came.
type notedPay struct {
	httpapi.Acquiring
	asked *acquiring.Request
}

func (n *notedPay) Pay(_ context.Context, r acquiring.Request) (acquiring.Result, error) {
	n.asked = &r
	return acquiring.Result{Payment: payment.Payment{Facts: r.Facts, Stage: payment.Opened}}, nil
}

// fuzzed is a rig that notes, with a card of a customer and the first payment of a series.
type fuzzed struct {
	*captured
	noted  notedPay
	parent string
	// stands are what stands in seeds for what each process makes anew: ciphertexts and ids.
	stands *strings.Replacer
}

func newFuzzed(f *testing.F) *fuzzed {
	z := &fuzzed{captured: &captured{}}
	p := newPayRig(f, func(_ *rig, o *httpapi.Options, _ *server.Options) { o.Acquiring = &z.noted })
	z.rig = p.rig
	customer, token := driven["customer_id"], driven["token_id"]
	p.stranger(f, customer)
	p.card(f, customer, token)
	parent, operation := p.begin(f, payment.Facts{
		Shopper: customer, CardToken: token, Recurring: payment.Recurring{Type: payment.Initial},
	})
	p.step(f, machine.RecordAnswer{
		Attempt: machine.Attempt{Payment: parent, Operation: operation},
		Answer:  payment.Answer{State: payment.Accepted, Code: "00"},
	})
	z.parent = parent
	z.stands = strings.NewReplacer("@parent", parent, "@token", token, "@customer", customer, "@key", p.keyID,
		"@number", p.encrypted(goodCard), "@month", p.encrypted("12"), "@year", p.encrypted("29"),
		"@cvv", p.encrypted("123"))
	return z
}

// pays sends a body, and returns what was asked of acquiring; nil when the body was refused.
func (z *fuzzed) pays(t *testing.T, path, body string) *acquiring.Request {
	z.noted.asked = nil
	a := z.ask(t, ask{"POST", path, z.shop, body, nil})
	if strings.Contains(a.body, goodCard) {
		t.Fatalf("%q is answered with the card's number: %s", body, a.body)
	}
	r := z.noted.asked
	if r == nil {
		if a.status < 400 {
			t.Fatalf("%q: nothing was done, and the answer is %d %s", body, a.status, a.body)
		}
		return nil
	}
	f := &r.Facts
	if f.Merchant != z.shopID || !f.Currency.Known() || (f.Amount == 0) != (f.Kind == payment.Verification) ||
		f.Amount < 0 || f.OrderReference != "" && strings.ContainsAny(f.OrderReference, "\x00\n\x7f") ||
		r.Exemption != "" && r.MOTO {
		t.Fatalf("%q was accepted as %+v", body, f)
	}
	if sent, said := amountIn(t, body), exactly(t, string(money.AppendMajor(nil, f.Amount, f.Currency))); sent !=
		nil && sent.Cmp(said) != 0 || sent == nil && f.Amount != 0 {
		t.Fatalf("%q was read as %s", body, said)
	}
	return r
}

// amountIn is orderDetails.amount as the standard library reads it; nil for none.
func amountIn(t *testing.T, body string) *big.Rat {
	var all, order map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		t.Fatalf("accepted %q, which is no JSON object: %v", body, err)
	}
	_ = json.Unmarshal(all["orderDetails"], &order) // none, or one that the door took for none
	if text := order["amount"]; len(text) > 0 && !bytes.Equal(text, []byte("null")) {
		return exactly(t, string(text))
	}
	return nil
}

func exactly(t *testing.T, text string) *big.Rat {
	n, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("accepted the amount %q", text)
	}
	return n
}

func FuzzDirectBody(f *testing.F) {
	const rest = `"orderDetails":{"amount":126.27,"currency":"KZT","orderReference":"O-1",` +
		`"description":"Кофе"},"threeDSNotificationUrl":"https://shop.example/3ds","paymentMethod":"card"`
	const typed = `"cardData":{"encryptedCardNumber":"@number","encryptedExpiryMonth":"@month",` +
		`"encryptedExpiryYear":"@year","encryptedCvv":"@cvv"}`
	for _, body := range []string{
		`{"transactionType":"auth",` + rest + `,` + typed + `}`,
		`{"transactionType":"sale",` + rest + `,` + typed + `,"keyId":"@key","moto":true,` +
			`"scaExemption":"low_value"}`,
		`{"transactionType":"auth",` + rest + `,"cardData":{"tokenId":"@token"},"customerId":"@customer"}`,
		`{"transactionType":"auth",` + rest + `,` + typed + `,"customerId":"@customer","saveCard":true,` +
			`"browserDetails":{"colorDepth":24,"javaEnabled":false,"timeZone":-300,"ip":"192.0.2.1"}}`,
		`{"transactionType":"verification","orderDetails":{"currency":"KZT"},"skipThreeDS":true,` + typed + `}`,
		`{"transactionType":"auth",` + rest + `,` + typed + `,"recurring":{"recurringType":"cof_initial",` +
			`"frequency":30,"expiry":"2027-03-14T00:00:00Z"}}`,
		`{"transactionType":"auth",` + rest + `,"recurring":{"type":"ucof","parentTransactionId":"@parent"}}`,
		`{"transactionType":"sale","orderDetails":{"amount":1e2,"currency":"USD"},"skipThreeDS":true,` +
			typed + `}`,
		`{"browserDetails":[],"orderDetails":[],"cardData":[],"recurring":[]}`,
		`[]`, `{}`, ``, `null`, `{"orderDetails":{"amount":"1"}}`, `{"transactionType":1}`,
	} {
		f.Add([]byte(body))
	}
	z := newFuzzed(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		body := z.stands.Replace(string(raw))
		r := z.pays(t, "/v1/payments/direct", body)
		if r == nil {
			return
		}
		switch {
		case r.Facts.Recurring.Type == payment.Unscheduled:
			z.series(t, body, r)
		case r.Token == "" && r.Card.Number.IsZero():
			t.Fatalf("%q pays with no card", body)
		case r.Return == "" && !r.SkipThreeDS && !r.MOTO && r.Exemption == "":
			t.Fatalf("%q has no way back from the bank", body)
		}
	})
}

// series checks a payment without the payer: it is by the card of the first one, and for its customer.
func (z *fuzzed) series(t *testing.T, body string, r *acquiring.Request) {
	f := &r.Facts
	known := f.Parent == z.parent && r.Token == driven["token_id"] && f.Shopper == driven["customer_id"]
	unknown := f.Parent != z.parent && r.Token == "" // which who carries out refuses
	if !known && !unknown || f.Kind == payment.Verification || !r.SkipThreeDS || !r.Card.Number.IsZero() {
		t.Fatalf("%q pays for %+v with %q", body, f, r.Token)
	}
}

func FuzzRecurringBody(f *testing.F) {
	for _, body := range []string{
		`{"orderDetails":{"amount":5,"currency":"KZT","orderReference":"O-1"},` +
			`"recurring":{"recurringType":"ucof","parentTransactionId":"@parent"}}`,
		`{"transactionType":"auth","orderDetails":{"amount":0.01,"currency":"USD"},` +
			`"cardData":{"tokenId":"@token"},"recurring":{"type":"ucof","parentTransactionId":"@parent"}}`,
		`{"transactionType":"sale","orderDetails":{"amount":5,"currency":"KZT"},"cardData":[],` +
			`"recurring":{"recurringType":"ucof","parentTransactionId":"019a2a22-1b0d-7732-9672-134baf97b06c"}}`,
		`{"orderDetails":{"amount":5,"currency":"KZT"},"recurring":{"recurringType":"cof_initial"}}`,
		`{"transactionType":"verification","orderDetails":{"currency":"KZT"},` +
			`"recurring":{"recurringType":"ucof","parentTransactionId":"@parent"}}`,
		`{"recurring":[]}`, `[]`, `{}`, `{"recurring":{"recurringType":"ucof","parentTransactionId":5}}`,
	} {
		f.Add([]byte(body))
	}
	z := newFuzzed(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		body := z.stands.Replace(string(raw))
		r := z.pays(t, "/v1/payments/recurring/merchant/initiated", body)
		if r == nil {
			return
		}
		if r.Facts.Recurring.Type != payment.Unscheduled {
			t.Fatalf("%q was taken as %+v", body, r.Facts)
		}
		z.series(t, body, r)
	})
}
