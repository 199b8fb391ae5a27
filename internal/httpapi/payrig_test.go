package httpapi_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"maps"
	"strings"
	"testing"

	"plexy/internal/acquiring"
	"plexy/internal/commit"
	"plexy/internal/connector"
	"plexy/internal/connector/sandbox"
	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/httpapi"
	"plexy/internal/id"
	"plexy/internal/server"
	"plexy/internal/shopper"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
)

// cardPaymentOf makes a card payment of the shop that no bank was asked for, and its link.
func cardPaymentOf(t *testing.T, r *rig, reference string) string {
	t.Helper()
	f := payment.Facts{
		ID: r.ids.UUID(), Merchant: r.shopID, Connector: "sandbox", Currency: "KZT", Amount: 100,
		OrderReference: reference, Kind: payment.Auth,
	}
	for _, command := range []machine.Command{
		machine.CreateLink{Facts: link.Facts{
			ID: "pl_019a2a21f46f706ea202a75adabcbb80", Merchant: r.shopID, Currency: "KZT", Amount: 100,
		}},
		machine.BeginPayment{Facts: f, Operation: r.ids.UUID()},
	} {
		o, err := commit.RunOne(t.Context(), r.store, r.clock, machine.Instruction{Command: command})
		check(t, err)
		if o.Reason != "" {
			t.Fatal(o.Reason)
		}
	}
	return f.ID
}

// payRig is the API with card payments through the sandbox's acquirer.
type payRig struct {
	*rig
	bank   *sandbox.Acquirer
	keyID  string
	public *rsa.PublicKey
}

// withCards gives a rig card payments.
func withCards(p *payRig) change {
	return func(r *rig, o *httpapi.Options, _ *server.Options) {
		p.rig = r
		p.bank = sandbox.New(sandbox.Options{
			Books: r.store.(storage.Bank), Clock: r.clock, Key: make([]byte, 32), Address: "https://bank.test/acs",
		})
		r.commit = commit.New(commit.Config{Storage: r.store, Clock: r.clock})
		carries := acquiring.New(acquiring.Options{
			Commit: r.commit, Keeper: r.store, Vaults: r.vaults, Clock: r.clock, NewID: r.ids.UUID,
			Connectors: []connector.Connector{p.bank}, Default: sandbox.Name,
			Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		o.Commit, o.Acquiring, o.Payments, o.Shoppers = r.commit, carries, r.store, r.store
		o.Sandbox = newFakeSandbox(r.clock)
	}
}

func newPayRig(t testing.TB, changes ...change) *payRig {
	p := &payRig{}
	newRigOn(t, memory.New(), append([]change{withCards(p)}, changes...)...)
	p.addKey(t)
	return p
}

// addKey makes the key under which cards are encrypted.
func (p *payRig) addKey(t testing.TB) {
	t.Helper()
	v := p.vaults.Current()
	p.keyID = p.ids.UUID()
	text, sealed, err := v.NewDirectKey(p.keyID)
	check(t, err)
	check(t, p.store.AddDirectKey(t.Context(), shopper.DirectKey{
		ID: p.keyID, Public: text, KeyID: v.KeyID(), Private: sealed, CreatedAt: p.clock.Now(),
	}, v.Generation(), machine.Audit{ID: p.ids.New(id.Audit)}))
	block, _ := pem.Decode([]byte(text))
	p.public = must(x509.ParsePKIXPublicKey(block.Bytes))(t).(*rsa.PublicKey)
}

func (p *payRig) encrypted(text string) string {
	c, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, p.public, []byte(text), nil)
	if err != nil {
		panic(err) // there is nothing about it that a test could change
	}
	return base64.StdEncoding.EncodeToString(c)
}

// typed is cardData of a typed card.
func (p *payRig) typed(number, cvv string) map[string]any {
	return map[string]any{
		"encryptedCardNumber": p.encrypted(number), "encryptedExpiryMonth": p.encrypted("12"),
		"encryptedExpiryYear": p.encrypted("29"), "encryptedCvv": p.encrypted(cvv),
		"encryptedCardholderName": p.encrypted("AIGERIM K"),
	}
}

const goodCard = "4012888888881881"

// fields are members to put into a body; nil takes one out.
type with map[string]any

// directBody is a body as the documentation has it, changed.
func (p *payRig) directBody(changes ...with) string {
	body := map[string]any{
		"transactionType": "auth", "terminalId": "7c6f1c3a-0d5e-4a39-9a43-0f6f5c1f0a11",
		"browserDetails": map[string]any{
			"acceptHeader": "text/html", "language": "ru-RU", "colorDepth": "24", "screenHeight": "1080",
			"screenWidth": "1920", "timeZone": "-300", "userAgent": "Mozilla/5.0", "javaEnabled": false,
		},
		"orderDetails": map[string]any{
			"amount": json.Number("126.27"), "currency": "KZT", "orderReference": "ORDER-1",
			"description": "Кофе", "cartReference": nil, "items": []any{},
		},
		"customerDetails":        map[string]any{"email": "a@example.com", "billingAddress": map[string]any{}},
		"threeDSNotificationUrl": "https://shop.example/3ds", "paymentMethod": "card",
		"moto": nil, "scaExemption": nil,
	}
	for _, c := range changes {
		maps.Copy(body, c)
	}
	if body["cardData"] == nil {
		body["cardData"] = p.typed(goodCard, "123")
	}
	text, err := json.Marshal(body)
	check(p.t, err)
	return string(text)
}

func order(amount, reference string) with {
	return with{"orderDetails": map[string]any{
		"amount": json.Number(amount), "currency": "KZT", "orderReference": reference,
	}}
}

func (p *payRig) direct(changes ...with) *answer {
	return p.do(ask{"POST", "/v1/payments/direct", p.shop, p.directBody(changes...), nil})
}

// made is a payment that succeeded.
func (p *payRig) made(changes ...with) *answer {
	p.t.Helper()
	a := p.direct(changes...)
	if a.status != 200 || a.fields["success"] != true {
		p.t.Fatalf("not paid: %d %s", a.status, a.body)
	}
	return a
}

func (p *payRig) manage(payment, verb, body string) *answer {
	return p.do(ask{"POST", "/v1/payments/" + payment + "/" + verb, p.shop, body, nil})
}

// answers goes through a challenge and returns the cres that the bank's page posts.
func (p *payRig) answers(a *answer, code string) string {
	p.t.Helper()
	secure, _ := a.fields["threeDS"].(map[string]any)
	action, _ := secure["action"].(string)
	creq, _ := secure["creq"].(string)
	c, err := p.bank.Open(action[strings.LastIndexByte(action, '/')+1:], creq)
	check(p.t, err)
	_, end, err := p.bank.Answer(c.Token, []string{code}, false)
	check(p.t, err)
	if end.ReturnTo != "https://shop.example/3ds" {
		p.t.Errorf("the bank returns to %s", end.ReturnTo)
	}
	return end.CRes
}

func (p *payRig) callBack(payment, cres string) *answer {
	return p.do(ask{"POST", "/v1/3ds/callback", p.shop,
		`{"cres":"` + cres + `","transactionId":"` + payment + `"}`, nil})
}
