package httpapi_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/id"
	"plexy/internal/shopper"
	"plexy/internal/storage"
	"plexy/internal/vault"
)

const customersPath = "/v1/customers"

const somebody = `{"email":"Payer@Example.com","phone":"8 701 123 45 67","name":"Айгерим",` +
	`"metadata":{"vip":true}}`

func (r *rig) customer(body, key string) *answer {
	q := ask{"POST", customersPath, r.shop, body, nil}
	if key != "" {
		q.header = idem(key)
	}
	return r.do(q)
}

func TestCustomers(t *testing.T) { onEveryStore(t, testCustomers) }

func testCustomers(t *testing.T, r *rig) {
	made := r.customer(somebody, "k")
	want := `{"id":"` + made.text("id") + `","email":"payer@example.com","phone":"+77011234567",` +
		`"name":"Айгерим","metadata":{"vip":true},"createdAt":"2026-02-19T10:18:58.123456Z"}`
	if made.status != 201 || made.body != want || !id.IsUUID(made.text("id")) {
		t.Fatalf("made: %d\n%s\nwant\n%s", made.status, made.body, want)
	}
	r.clock.Advance(1_000_000)
	again := r.customer(strings.Replace(somebody, "8 701 123", "+7 (701) 123", 1), "k")
	if again.status != 201 || again.body != want || again.header.Get("Idempotent-Replayed") != "true" ||
		again.header.Get("Original-Request-Id") != made.header.Get("X-Request-Id") {
		t.Errorf("again: %d %s %v", again.status, again.body, again.header)
	}
	for _, key := range []string{"", "other", "other"} {
		a := r.customer(somebody, key)
		if a.status != 422 || a.reason() != "customer_exists" {
			t.Errorf("the same pair under %q: %d %s", key, a.status, a.body)
		}
	}
	if a := r.customer(having(somebody, `"name":"X"`), "k"); a.reason() != "idempotency_key_reused" {
		t.Errorf("another meaning: %d %s", a.status, a.body)
	}
	// One of the two may be another's, and another merchant's pair is nobody's business.
	for _, member := range []string{`"email":"b@example.com"`, `"phone":"+12015550123"`} {
		if a := r.customer(having(somebody, member), ""); a.status != 201 {
			t.Errorf("%s: %d %s", member, a.status, a.body)
		}
	}
	if a := r.do(ask{"POST", customersPath, r.rival, somebody, idem("k")}); a.status != 201 {
		t.Errorf("the rival's: %d %s", a.status, a.body)
	}
	bare := r.customer(`{"email":"c@example.com","phoneNumber":"+77011234567"}`, "")
	if bare.status != 201 || bare.fields["name"] != nil || !strings.Contains(bare.body, `"metadata":{}`) {
		t.Errorf("by the wallet's name: %d %s", bare.status, bare.body)
	}
	if a := r.get(customersPath + "/" + made.text("id")); a.status != 200 || a.body != want {
		t.Errorf("read: %d %s", a.status, a.body)
	}
	a := r.get(customersPath + "?page=2&size=3")
	if a.number("total") != 4 || !strings.Contains(a.body, want) || a.number("page") != 2 {
		t.Errorf("the oldest: %s", a.body)
	}
	for _, path := range []string{"/" + made.text("id"), "/x", "/" + driven["customer_id"]} {
		for _, rest := range []string{"", "/card-tokens", "/transactions"} {
			a := r.do(ask{"GET", customersPath + path + rest, r.rival, "", nil})
			if a.reason() != "customer_not_found" {
				t.Errorf("%s of another: %d %s", path+rest, a.status, a.body)
			}
		}
	}
	r.flush()
	if log := r.log.String(); strings.Contains(log, "example.com") || strings.Contains(log, "7011234567") {
		t.Error("the log shows who a customer is")
	}
	kept := must(r.store.Shopper(t.Context(), r.shopID, made.text("id")))(t)
	if strings.Contains(fmt.Sprintf("%q %q %q", kept.EmailSealed, kept.PhoneSealed, kept.NameSealed), "ayer") {
		t.Error("a customer is stored in clear")
	}
	check(t, r.store.Snapshot(t.Context(), noReplyShows(t, "example.com", "7011234567")))
}

func TestBadCustomers(t *testing.T) {
	r := newRig(t)
	for reason, members := range map[reject.Reason][]string{
		reject.EmailInvalid: {`"email":null`, `"email":""`, `"email":"a b@c"`, `"email":5`,
			`"email":["a@b.kz"]`},
		reject.ContactPhoneInvalid: {`"phone":null`, `"phone":""`, `"phone":"123"`, `"phone":77011234567`},
		reject.NameInvalid:         {`"name":""`, `"name":5`, `"name":"` + strings.Repeat("я", 129) + `"`},
		reject.MetadataInvalid:     {`"metadata":1`, `"metadata":{"x":"` + strings.Repeat("x", 4096) + `"}`},
	} {
		for _, member := range members {
			a := r.customer(having(somebody, member), "k")
			if a.status != 400 || a.reason() != string(reason) {
				t.Errorf("%.60s: %d %s", member, a.status, a.body)
			}
		}
	}
	for _, body := range []string{``, `[]`, `{}`, `{"phone":"+77011234567"}`} {
		if a := r.customer(body, ""); a.reason() != "email_invalid" {
			t.Errorf("%q: %d %s", body, a.status, a.body)
		}
	}
	if a := r.customer(`{"email":"a@b.kz"}`, ""); a.reason() != "phone_invalid" || a.text("source") != "phone" {
		t.Errorf("without a phone: %d %s", a.status, a.body)
	}
}

// TestCustomersAndRotation: a door that has seen old keys only makes and reads customers all the same.
func TestCustomersAndRotation(t *testing.T) {
	r := newRig(t)
	master := freshMaster(t)
	first := must(vault.NewKey(master))(t)
	one := must(vault.Open(master, 1, []vault.WrappedKey{first}))(t)
	both := must(vault.Rotate(master, []vault.WrappedKey{first}))(t)
	r.vaults.current, r.vaults.next = one, must(vault.Open(master, 2, both))(t)
	check(t, r.store.RotateVault(t.Context(), 1, []storage.VaultKey{}, auditOf(r)))
	made := r.customer(somebody, "")
	if made.status != 201 {
		t.Fatalf("made: %d %s", made.status, made.body)
	}
	r.vaults.current = one
	if a := r.get(customersPath + "/" + made.text("id")); a.status != 200 || a.body != made.body {
		t.Errorf("read: %d %s", a.status, a.body)
	}
	r.vaults.current = one
	if a := r.customer(somebody, ""); a.reason() != "customer_exists" {
		t.Errorf("the same pair under two keys: %d %s", a.status, a.body)
	}
}

func TestCardTokens(t *testing.T) { onEveryStore(t, testCardTokens) }

func testCardTokens(t *testing.T, r *rig) {
	one := r.customer(somebody, "").text("id")
	two := r.customer(having(somebody, `"email":"b@example.com"`), "").text("id")
	uuids := id.NewMakerAt(r.clock.Now)
	var tokens []string
	for _, owner := range []string{one, one, two} {
		tokens = append(tokens, uuids.UUID())
		r.card(t, owner, tokens[len(tokens)-1])
	}
	token := func(id string) string {
		return `{"id":"` + id + `","cardScheme":"visa","last4":"1111","cardMask":"******1111",` +
			`"cardExpiryDate":"07/29","createdAt":"2026-02-19T10:18:58.123456Z"}`
	}
	path := customersPath + "/" + one + "/card-tokens"
	if a := r.get(path); a.body != `{"data":[`+token(tokens[1])+`,`+token(tokens[0])+`]}` {
		t.Errorf("tokens: %s", a.body)
	}
	for _, q := range []ask{
		{method: "DELETE", path: path + "/" + tokens[2], key: r.shop},
		{method: "DELETE", path: path + "/x", key: r.shop},
		{method: "DELETE", path: path + "/" + driven["token_id"], key: r.shop},
	} {
		if a := r.do(q); a.status != 404 || a.reason() != "card_token_not_found" || a.text("source") != "token_id" {
			t.Errorf("%s: %d %s", q.path, a.status, a.body)
		}
	}
	gone := ask{"DELETE", path + "/" + tokens[0], r.rival, "", nil}
	if a := r.do(gone); a.status != 404 || a.reason() != "customer_not_found" {
		t.Errorf("by the rival: %d %s", a.status, a.body)
	}
	gone.key = r.shop
	if a := r.do(gone); a.status != 200 || a.body != `{"id":"`+tokens[0]+`","deleted":true}` {
		t.Errorf("delete: %d %s", a.status, a.body)
	}
	if a := r.do(gone); a.status != 404 {
		t.Errorf("delete again: %d %s", a.status, a.body)
	}
	if a := r.get(path); a.body != `{"data":[`+token(tokens[1])+`]}` {
		t.Errorf("tokens after it: %s", a.body)
	}
	card := must(r.store.Card(t.Context(), r.shopID, tokens[0]))(t)
	if card.NumberSealed != nil || card.DeletedAt == 0 {
		t.Errorf("what is left of the card: %+v", card)
	}
}

func TestTransactionsOfCustomers(t *testing.T) { onEveryStore(t, testTransactionsOfCustomers) }

func testTransactionsOfCustomers(t *testing.T, r *rig) {
	one := r.customer(somebody, "").text("id")
	var made []string
	for range 3 {
		id, _ := r.begin(t, payment.Facts{Shopper: one, OrderReference: "A"})
		made = append(made, id)
		r.clock.Advance(1000)
	}
	r.begin(t, payment.Facts{})
	path := customersPath + "/" + one + "/transactions"
	a := r.get(path + "?page=2&size=2")
	if a.status != 200 || a.number("total") != 3 || strings.Count(a.body, `"transactionId"`) != 1 ||
		!strings.Contains(a.body, `"transactionId":"`+made[0]+`"`) ||
		!strings.Contains(a.body, `"amount":126.27,`) ||
		!strings.Contains(a.body, `"status":"TRANSACTION_STATUS_CREATED"`) {
		t.Errorf("the oldest: %d %s", a.status, a.body)
	}
	if a := r.get(path + "?page=102&size=100"); a.status != 400 || a.reason() != "page_invalid" {
		t.Errorf("too far down: %d %s", a.status, a.body)
	}
}

func TestDirectKeys(t *testing.T) { onEveryStore(t, testDirectKeys) }

func testDirectKeys(t *testing.T, r *rig) {
	first := r.get("/v1/keys")
	block, _ := pem.Decode([]byte(first.text("publicKey")))
	if first.status != 200 || block == nil || block.Type != "PUBLIC KEY" || len(first.fields) != 2 {
		t.Fatalf("the key: %d %s", first.status, first.body)
	}
	public, ok := must(x509.ParsePKIXPublicKey(block.Bytes))(t).(*rsa.PublicKey)
	if !ok || public.N.BitLen() != 2048 {
		t.Errorf("a key of %T", public)
	}
	if a := r.do(ask{"GET", "/v1/keys", r.rival, "", nil}); a.body != first.body {
		t.Errorf("the rival gets another: %s", a.body)
	}
	keys := must(r.store.DirectKeys(t.Context()))(t)
	if len(keys) != 1 || keys[0].ID != first.text("keyId") {
		t.Fatalf("%d keys", len(keys))
	}
	if _, err := r.vaults.Current().OpenDirectKey(keys[0].KeyID, keys[0].ID, keys[0].Private); err != nil {
		t.Error(err)
	}
	check(t, r.store.RetireDirectKey(t.Context(), keys[0].ID, r.clock.Now(), auditOf(r)))
	r.clock.Advance(1000)
	if a := r.get("/v1/keys"); a.status != 200 || a.text("keyId") == keys[0].ID {
		t.Errorf("after it was retired: %d %s", a.status, a.body)
	}
}

// pluginSession is what the plug-in for WooCommerce sends (clients-contract.md §3).
const pluginSession = `{"terminalId":"5e9f8f8f-9d9e-9e9d-9e9f-8f8f8f9d9e9f","transactionType":"auth",` +
	`"locale":"en-gb","urls":{"cancel":"https://shop.example/cart","success":"https://shop.example/thanks?o=1&k=\u00e9",` +
	`"failure":"","callback":"https://shop.example/wp-json/plexypay/callback"},"customerDetails":{"accountId":7,` +
	`"email":"payer@example.com","deliveryAddress":[],"billingAddress":{"firstName":"A"}},"orderDetails":` +
	`{"description":"Order","orderReference":"1001","cartReference":null,"amount":126.27,"currency":"KZT",` +
	`"items":[]}}`

func TestPaymentSessions(t *testing.T) { onEveryStore(t, testPaymentSessions) }

func testPaymentSessions(t *testing.T, r *rig) {
	begin := func(body, key string) *answer {
		return r.do(ask{"POST", "/v1/payment-sessions", "Bearer " + r.shop, body, idem(key)})
	}
	made := begin(pluginSession, "k")
	link, ok := strings.CutPrefix(made.text("redirectUrl"), "https://pay.example/")
	if made.status != 201 || !ok || len(made.fields) != 1 {
		t.Fatalf("made: %d %s", made.status, made.body)
	}
	if a := begin(pluginSession, "k"); a.body != made.body || a.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("again: %d %s", a.status, a.body)
	}
	if a := begin(having(pluginSession, `"locale":"ru"`), "k"); a.reason() != "idempotency_key_reused" {
		t.Errorf("another meaning: %d %s", a.status, a.body)
	}
	if a := begin(pluginSession, "another-visit"); a.status != 201 || a.body == made.body {
		t.Errorf("another visit for the same order: %d %s", a.status, a.body)
	}
	l := must(r.store.AnyLink(t.Context(), link))(t)
	sessionID, ok := shopper.SessionOf(l.CreatedBy)
	const day = int64(24 * time.Hour / time.Microsecond)
	if !ok || l.Amount != 12_627 || l.Currency != "KZT" || l.AutoClearing || l.OrderReference != "" ||
		l.ExpiresAt != noon+day || l.Metadata != `{"successUrl":"https://shop.example/thanks?o=1&k=é",`+
		`"cancelUrl":"https://shop.example/cart","orderReference":"1001"}` {
		t.Errorf("the link: %+v", l)
	}
	s := must(r.store.Session(t.Context(), sessionID))(t)
	signer, err := r.vaults.Current().Unseal(s.KeyID, vault.PurposeSessionSigner, s.ID, s.Signer)
	if err != nil || string(signer) != r.shop {
		t.Errorf("the signer: %v", err)
	}
	s.KeyID, s.Signer = "", nil
	want := shopper.Session{
		ID: sessionID, Merchant: r.shopID, Link: link, Type: "auth", Locale: "en-gb", Amount: 12_627,
		Currency: "KZT",
		Terminal: "5e9f8f8f-9d9e-9e9d-9e9f-8f8f8f9d9e9f", OrderReference: "1001", Description: "Order",
		SuccessURL: "https://shop.example/thanks?o=1&k=é", CancelURL: "https://shop.example/cart",
		CallbackURL: "https://shop.example/wp-json/plexypay/callback", CreatedAt: noon, ExpiresAt: noon + 30*day,
	}
	if fmt.Sprintf("%+v", s) != fmt.Sprintf("%+v", want) {
		t.Errorf("the session\n%+v\nwant\n%+v", s, want)
	}
	if a := r.get(linksPath + "/" + link); a.status != 200 || a.fields["orderReference"] != nil {
		t.Errorf("the link as the merchant sees it: %d %s", a.status, a.body)
	}
	// A payment of it carries the session's reference.
	id, _ := r.begin(t, payment.Facts{Link: link, Session: s.ID, OrderReference: s.OrderReference})
	if p := must(r.store.AnyPayment(t.Context(), id))(t); p.OrderReference != "1001" || p.Amount != 12_627 {
		t.Errorf("the payment: %+v", p)
	}
}

func TestBadPaymentSessions(t *testing.T) {
	r := newRig(t)
	for reason, members := range map[reject.Reason][]string{
		reject.TransactionTypeInvalid: {`"transactionType":null`, `"transactionType":"verification"`},
		reject.TerminalInvalid:        {`"terminalId":5`, `"terminalId":"` + strings.Repeat("x", 65) + `"`},
		reject.LocaleInvalid:          {`"locale":"en gb"`, `"locale":"en-gb-and-so-on-and-on"`, `"locale":"қаз"`},
		reject.URLInvalid: {`"urls":"x"`, `"urls":{"success":"x"}`, `"urls":{"cancel":5}`,
			`"urls":{"callback":"http://169.254.169.254/"}`},
		reject.BodyInvalid: {`"orderDetails":5`},
		reject.AmountInvalid: {`"amount":0`, `"amount":126.275`, `"amount":"126.27"`, `"amount":1e2`,
			`"amount":null`, `"amount":-5`},
		reject.CurrencyInvalid:       {`"currency":"kzt"`, `"orderDetails":null`, `"orderDetails":[]`},
		reject.DescriptionInvalid:    {`"description":5`},
		reject.OrderReferenceInvalid: {`"orderReference":""`, `"cartReference":5`},
		reject.AmountOutOfRange:      {`"amount":10000000000.01`},
	} {
		for _, member := range members {
			a := r.do(ask{"POST", "/v1/payment-sessions", r.shop, having(pluginSession, member), nil})
			if a.reason() != string(reason) || a.status != 400 && a.status != 422 {
				t.Errorf("%s: %d %s", member, a.status, a.body)
			}
		}
	}
	if a := r.get(linksPath); a.number("total") != 0 {
		t.Errorf("something was made: %s", a.body)
	}
}
