package httpapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"plexy/internal/verify"
)

const skip = "skipThreeDS"

func TestDirectPayment(t *testing.T) {
	p := newPayRig(t)
	a := p.made()
	for name, want := range map[string]any{
		"orderReference": "ORDER-1", "amount": json.Number("126.27"), "currency": "KZT", "paymentMethod": "card",
		"success": true, "captured": false, "cardMask": "******1881", "cardExpiryDate": "12/29",
		"cardholderName": "AIGERIM K", "cardScheme": "visa", "cvvStatus": "M", "cvvStatusDecoded": "CVV matches",
		"responseCode": "00", "status": "authorized", "code": nil, "action": nil, "cardTokenId": nil,
	} {
		if a.fields[name] != want {
			t.Errorf("%s is %v, want %v", name, a.fields[name], want)
		}
	}
	if a.text("authCode") == "" || a.text("networkTransactionReference") == "" || len(a.text("id")) != 36 {
		t.Errorf("the answer is %s", a.body)
	}
	if strings.Contains(p.log.String()+a.body, goodCard) {
		t.Error("the card's number is told")
	}
	sale := p.made(with{"transactionType": "sale"})
	if sale.fields["captured"] != true || sale.text("status") != "charged" {
		t.Errorf("a sale: %s", sale.body)
	}
	verified := p.made(with{"transactionType": "verification"}, order("0", "V"))
	if verified.fields["amount"] != json.Number("0") {
		t.Errorf("a verification: %s", verified.body)
	}
	none := p.direct(with{"transactionType": "verification", "orderDetails": map[string]any{"currency": "KZT"}})
	if none.status != 200 || none.fields["success"] != true {
		t.Errorf("a verification without an amount: %d %s", none.status, none.body)
	}
	p.made(with{"moto": true, "threeDSNotificationUrl": nil})
	p.made(with{"scaExemption": "low_value", "threeDSNotificationUrl": nil})
}

func TestADeclineIsAnAnswer(t *testing.T) {
	p := newPayRig(t)
	a := p.direct(order("205.10", "O"), with{skip: true})
	if a.status != 200 || a.fields["success"] != false || a.number("code") != 5 ||
		a.text("responseCode") != "51" || a.text("reason") != "card_declined" || a.text("status") != "rejected" ||
		a.text("message") != "The bank declined: not enough money on the card." || a.text("cardTokenId") != "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = p.direct(with{skip: true, "cardData": p.typed(goodCard, "444")})
	if a.status != 200 || a.fields["success"] != false || a.text("cvvStatus") != "N" {
		t.Errorf("a bad CVV: %d %s", a.status, a.body)
	}
}

func TestNobodyKnowsYet(t *testing.T) {
	p := newPayRig(t)
	body := p.directBody(order("88000.13", "O"), with{skip: true})
	q := ask{"POST", "/v1/payments/direct", p.shop, body, idem("k1")}
	a := p.do(q)
	if a.status != 202 || a.fields["success"] != false || a.text("status") != "created" ||
		a.header.Get("Should-Retry") != "true" || a.text("id") == "" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	again := p.do(q)
	if again.status != 202 || again.text("id") != a.text("id") ||
		again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("again: %d %v %s", again.status, again.header, again.body)
	}
}

func TestThreeDS(t *testing.T) {
	p := newPayRig(t)
	for code, want := range map[string]bool{"555": true, "111": false} {
		a := p.direct(with{"cardData": p.typed("4111111111111111", "123")})
		secure, _ := a.fields["threeDS"].(map[string]any)
		if a.status != 200 || a.fields["success"] != false || a.text("action") != "3ds-required" ||
			secure["status"] != "C" || secure["type"] != "challengeflow" || secure["threeDSSessionData"] == "" ||
			!strings.Contains(secure["html"].(string), `method="post" action="https://bank.test/acs`) {
			t.Fatalf("%d %s", a.status, a.body)
		}
		cres := p.answers(a, code)
		done := p.callBack(a.text("id"), cres)
		if done.status != 200 || done.fields["success"] != want || done.text("id") != a.text("id") {
			t.Errorf("%s: %d %s", code, done.status, done.body)
		}
		if again := p.callBack(a.text("id"), cres); again.status != 200 || again.fields["success"] != want {
			t.Errorf("%s again: %d %s", code, again.status, again.body)
		}
		secure, _ = done.fields["threeDS"].(map[string]any)
		if want && (secure["status"] != "Y" || secure["electronicCommerceIndicator"] == nil ||
			secure["type"] != "challengeflow" || secure["acsTranscationId"] == nil) {
			t.Errorf("threeDS at the end: %s", done.body)
		}
		if !want && done.text("reason") != "authentication_failed" {
			t.Errorf("the reason of a failure: %s", done.body)
		}
	}
	for name, q := range map[string]struct {
		body   string
		status int
		source string
	}{
		"no cres":            {`{"transactionId":"` + p.ids.UUID() + `"}`, 400, "cres"},
		"another's":          {`{"cres":"e30","transactionId":"` + p.ids.UUID() + `"}`, 404, "transactionId"},
		"no id":              {`{"cres":"e30","transactionId":"txn_1"}`, 404, "transactionId"},
		"an id of a control": {`{"cres":"e30","transactionId":"\u0000"}`, 404, "transactionId"},
	} {
		a := p.do(ask{"POST", "/v1/3ds/callback", p.shop, q.body, nil})
		if a.status != q.status || a.text("source") != q.source {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestAnotherMerchantsChallenge(t *testing.T) {
	p := newPayRig(t)
	a := p.direct(with{"cardData": p.typed("4111111111111111", "123")})
	cres := p.answers(a, "555")
	p.shop, p.rival = p.rival, p.shop
	if b := p.callBack(a.text("id"), cres); b.status != 404 || b.reason() != "payment_not_found" {
		t.Errorf("%d %s", b.status, b.body)
	}
}

func TestStoredCardsAndSeries(t *testing.T) {
	p := newPayRig(t)
	first := p.made(with{"recurring": map[string]any{"recurringType": "cof_initial", "frequency": 1,
		"expiry": "2027-03-14T00:00:00Z"}})
	token := first.text("cardTokenId")
	if token == "" {
		t.Fatalf("no token: %s", first.body)
	}
	paid := p.made(with{"cardData": map[string]any{"tokenId": token, "encryptedCvv": p.encrypted("123")}})
	if paid.text("cardTokenId") != token || paid.text("cardMask") != "******1881" {
		t.Errorf("by token: %s", paid.body)
	}
	p.made(with{"cardData": map[string]any{"tokenId": token}, skip: true})
	series := func(parent string, more ...with) *answer {
		body := with{"cardData": map[string]any{}, "recurring": map[string]any{
			"recurringType": "ucof", "parentTransactionId": parent}, "transactionType": nil}
		return p.do(ask{"POST", "/v1/payments/recurring/merchant/initiated", p.shop,
			p.directBody(append([]with{body}, more...)...), nil})
	}
	next := series(first.text("id"), order("5", "NEXT"))
	if next.status != 200 || next.fields["success"] != true ||
		next.text("parentTransactionId") != first.text("id") {
		t.Errorf("the next: %d %s", next.status, next.body)
	}
	recurring := func(members map[string]any) with { return with{"recurring": members} }
	declined := p.direct(order("205.10", "O"), recurring(map[string]any{"recurringType": "cof_initial"}))
	card := with{"cardData": map[string]any{"tokenId": p.ids.UUID()}}
	for name, c := range map[string]struct {
		got    *answer
		status int
		reason string
	}{
		"too soon":         {series(first.text("id")), 422, "mandate_not_due"},
		"no such":          {series(p.ids.UUID()), 404, "payment_not_found"},
		"not an id":        {series("x"), 404, "payment_not_found"},
		"began nothing":    {series(p.made().text("id")), 422, "mandate_not_found"},
		"no parent":        {series(""), 400, "field_invalid"},
		"of a series":      {p.direct(recurring(map[string]any{"recurringType": "x"})), 400, "field_invalid"},
		"another's card":   {series(first.text("id"), card), 404, "card_token_not_found"},
		"no such card":     {p.direct(card), 404, "card_token_not_found"},
		"no such customer": {p.direct(with{"customerId": p.ids.UUID()}), 404, "customer_not_found"},
		"a declined first": {series(declined.text("id")), 422, "mandate_not_found"},
	} {
		if c.got.status != c.status || c.got.reason() != c.reason {
			t.Errorf("%s: %d %s", name, c.got.status, c.got.body)
		}
	}
}

func TestBadDirectBodies(t *testing.T) {
	p := newPayRig(t)
	stranger := p.typed(goodCard, "123")
	stranger["encryptedCardNumber"] = "AAAA"
	missing := p.typed(goodCard, "123")
	delete(missing, "encryptedExpiryYear")
	clear := map[string]any{"encryptedCardNumber": goodCard}
	past := map[string]any{"type": "cof_initial", "expiry": "2020-01-01T00:00:00Z"}
	const number = "cardData.encryptedCardNumber"
	for name, c := range map[string]struct {
		change with
		reason string
		source string
	}{
		"type":            {with{"transactionType": "capture"}, "field_invalid", "transactionType"},
		"no type":         {with{"transactionType": nil}, "field_invalid", "transactionType"},
		"amount as text":  {with{}, "amount_invalid", "orderDetails.amount"},
		"three decimals":  {order("126.275", "O"), "amount_invalid", "orderDetails.amount"},
		"scientific":      {order("1e2", "O"), "amount_invalid", "orderDetails.amount"},
		"negative":        {order("-1", "O"), "amount_invalid", "orderDetails.amount"},
		"nothing":         {order("0", "O"), "amount_invalid", "orderDetails.amount"},
		"no order":        {with{"orderDetails": nil}, "currency_invalid", "orderDetails.currency"},
		"a list":          {with{"orderDetails": []any{1}}, "field_invalid", "orderDetails"},
		"not https":       {with{"threeDSNotificationUrl": "ftp://x"}, "field_invalid", "threeDSNotificationUrl"},
		"no page":         {with{"threeDSNotificationUrl": nil}, "field_invalid", "threeDSNotificationUrl"},
		"another way":     {with{"paymentMethod": "cash"}, "field_invalid", "paymentMethod"},
		"exemption":       {with{"scaExemption": "tra"}, "field_invalid", "scaExemption"},
		"moto":            {with{"moto": "yes"}, "field_invalid", "moto"},
		"bad ciphertext":  {with{"cardData": stranger}, "card_data_invalid", number},
		"no year":         {with{"cardData": missing}, "card_data_invalid", "cardData.encryptedExpiryYear"},
		"mistyped":        {with{"cardData": p.typed("4111111111111110", "123")}, "card_data_invalid", number},
		"number in clear": {with{"cardData": clear}, "card_number_forbidden", number},
		"unknown key":     {with{"keyId": "k"}, "card_data_invalid", "keyId"},
		"verification":    {with{"transactionType": "verification"}, "amount_invalid", "orderDetails.amount"},
		"ip": {with{"browserDetails": map[string]any{"ip": "home"}}, "field_invalid",
			"browserDetails.ip"},
		"past": {with{"recurring": past}, "field_invalid", "recurring.expiry"},
	} {
		text := p.directBody(c.change)
		if name == "amount as text" {
			text = strings.Replace(text, "126.27", `"126.27"`, 1)
		}
		a := p.do(ask{"POST", "/v1/payments/direct", p.shop, text, nil})
		if a.status != 400 || a.reason() != c.reason || a.text("source") != c.source {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	loose := p.directBody(with{"browserDetails": map[string]any{"colorDepth": 24, "javaEnabled": "false",
		"timeZone": -300, "userAgent": nil}, "keyId": p.keyID})
	if a := p.do(ask{"POST", "/v1/payments/direct", p.shop, loose, nil}); a.status != 200 {
		t.Errorf("numbers for texts: %d %s", a.status, a.body)
	}
}

// Who still has the key before the last rotation pays with it, whether or not its id is sent.
func TestARetiredKeyIsStillRead(t *testing.T) {
	p := newPayRig(t)
	body, old := p.directBody(), p.keyID
	named := p.directBody(with{"keyId": old})
	check(t, p.store.RetireDirectKey(t.Context(), old, p.clock.Now(), auditOf(p.rig)))
	p.addKey(t)
	for _, text := range []string{body, named, p.directBody(), p.directBody(with{"keyId": p.keyID})} {
		if a := p.do(ask{"POST", "/v1/payments/direct", p.shop, text, nil}); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	wrong := strings.Replace(named, old, p.keyID, 1)
	if a := p.do(ask{"POST", "/v1/payments/direct", p.shop, wrong, nil}); a.reason() != "card_data_invalid" {
		t.Errorf("with another key named: %d %s", a.status, a.body)
	}
}

// One key is one payment, also when the card was encrypted anew; another card is another meaning.
func TestOneKeyIsOnePayment(t *testing.T) {
	p := newPayRig(t)
	pay := func(card string) *answer {
		return p.do(ask{"POST", "/v1/payments/direct", p.shop,
			p.directBody(with{"cardData": p.typed(card, "123")}), idem("k")})
	}
	first, again := pay(goodCard), pay(goodCard)
	if again.text("id") != first.text("id") || again.text("authCode") != first.text("authCode") ||
		again.header.Get("Idempotent-Replayed") != "true" || again.status != 200 {
		t.Errorf("%d %s, and then %d %s", first.status, first.body, again.status, again.body)
	}
	if other := pay("5555555555554444"); other.status != 422 || other.reason() != "idempotency_key_reused" {
		t.Errorf("another card: %d %s", other.status, other.body)
	}
}

// A customer's card is not another customer's.
func TestACardIsItsCustomers(t *testing.T) {
	p := newPayRig(t)
	owner := p.customer(somebody, "").text("id")
	other := p.customer(having(somebody, `"email":"b@x.kz"`), "").text("id")
	token := p.made(with{"customerId": owner, "saveCard": true}).text("cardTokenId")
	by := func(customer string) *answer {
		return p.direct(with{"cardData": map[string]any{"tokenId": token}, "customerId": customer, skip: true})
	}
	if a := by(other); a.status != 404 || a.reason() != "card_token_not_found" ||
		a.text("source") != "cardData.tokenId" {
		t.Errorf("by another customer: %d %s", a.status, a.body)
	}
	for _, customer := range []string{owner, ""} {
		a := by(customer)
		if one := p.get("/v1/transactions/" + a.text("id")); one.text("customerId") != owner {
			t.Errorf("by %q: %d %s", customer, a.status, one.body)
		}
	}
	first := p.made(with{"recurring": map[string]any{"recurringType": "cof_initial"}, "customerId": other})
	stored := customersPath + "/" + other + "/card-tokens/" + first.text("cardTokenId")
	p.do(ask{"DELETE", stored, p.shop, "", nil})
	gone := p.do(ask{"POST", "/v1/payments/recurring/merchant/initiated", p.shop,
		`{"orderDetails":{"amount":5,"currency":"KZT"},"recurring":{"type":"ucof","parentTransactionId":"` +
			first.text("id") + `"}}`, nil})
	if gone.reason() != "card_token_not_found" || gone.text("source") != "recurring.parentTransactionId" {
		t.Errorf("a series whose card was deleted: %d %s", gone.status, gone.body)
	}
	unowned := p.made(with{"saveCard": true, "cardData": p.typed("5555555555554444", "123"), skip: true})
	token = unowned.text("cardTokenId")
	if a := by(other); a.fields["success"] != true {
		t.Errorf("nobody's card: %d %s", a.status, a.body)
	}
}

// PHP writes an array without members as [], also where an object belongs.
func TestEmptyListsForObjects(t *testing.T) {
	p := newPayRig(t)
	p.made(with{"browserDetails": []any{}, "customerDetails": []any{}, "recurring": []any{}, skip: true})
	for _, c := range []struct{ path, body, source string }{
		{"direct", `[]`, "transactionType"},
		{"direct", p.directBody(with{"orderDetails": []any{}}), "orderDetails.currency"},
		{"direct", p.directBody(with{"cardData": []any{}, skip: true}), "cardData.encryptedCardNumber"},
		{"direct", p.directBody(with{"browserDetails": []any{1}}), "browserDetails"},
		{"direct", p.directBody(with{"recurring": []any{[]any{}}}), "recurring"},
		{"recurring/merchant/initiated", ` [ ] `, "recurring.recurringType"},
	} {
		a := p.do(ask{"POST", "/v1/payments/" + c.path, p.shop, c.body, nil})
		if a.status != 400 || a.text("source") != c.source {
			t.Errorf("%.80s: %d %s", c.body, a.status, a.body)
		}
	}
	a := p.do(ask{"POST", "/v1/3ds/callback", p.shop, "[]", nil})
	if a.status != 400 || a.text("source") != "cres" {
		t.Errorf("callback: %d %s", a.status, a.body)
	}
}

// The key of a 3-D Secure return is good for that return.
func TestCallbackKeepsItsWord(t *testing.T) {
	p := newPayRig(t)
	paying := p.direct(with{"cardData": p.typed("4111111111111111", "123")})
	good := `{"cres":"` + p.answers(paying, "555") + `","transactionId":"` + paying.text("id") + `"}`
	send := func(body, key string) *answer {
		return p.do(ask{"POST", "/v1/3ds/callback", p.shop, body, idem(key)})
	}
	first, again := send(good, "k"), send(good, "k")
	if first.status != 200 || first.fields["success"] != true || again.fields["success"] != true ||
		again.header.Get("Idempotent-Replayed") != "true" || again.text("authCode") != first.text("authCode") {
		t.Errorf("%d %s, and then %v %s", first.status, first.body, again.header, again.body)
	}
	for name, body := range map[string]string{
		"another cres": strings.Replace(good, `"cres":"`, `"cres":"x`, 1), "another payment": strings.Replace(good,
			paying.text("id"), p.made().text("id"), 1),
	} {
		if a := send(body, "k"); a.status != 422 || a.reason() != "idempotency_key_reused" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	// What was used up by something else is refused before anything is done.
	next := p.direct(with{"cardData": p.typed("4111111111111111", "123")})
	p.customer(somebody, "used")
	body := `{"cres":"` + p.answers(next, "555") + `","transactionId":"` + next.text("id") + `"}`
	if a := send(body, "used"); a.reason() != "idempotency_key_reused" {
		t.Errorf("a customer's key: %d %s", a.status, a.body)
	}
	if one := p.get("/v1/transactions/" + next.text("id")); one.text("status") != "3d" {
		t.Errorf("it went on: %s", one.body)
	}
	report, err := verify.RunAt(t.Context(), p.store, p.clock.Now())
	if err != nil || !report.OK() {
		t.Errorf("the books: %v %v", err, report.Violations)
	}
}
