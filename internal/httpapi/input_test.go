package httpapi_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"plexy/internal/customer"
)

// replaced is an order with one raw JSON value replaced.
func replaced(field, raw string) string {
	iin, phone := customer.Example(1)
	values := map[string]string{
		"amount": "100", "phoneNumber": `"` + phone.Reveal() + `"`, "iin": `"` + iin.Reveal() + `"`,
		"orderReference": `"O"`, "currency": `"KZT"`,
	}
	values[field] = raw
	var b strings.Builder
	for i, name := range []string{"amount", "phoneNumber", "iin", "orderReference", "currency"} {
		if values[name] == "" {
			continue // absent
		}
		if i > 0 && b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"` + name + `":` + values[name])
	}
	return "{" + b.String() + "}"
}

type badInput struct{ name, body, reason, source string }

func badInputs() []badInput {
	all := []badInput{
		{"empty body", "", "body_invalid", "body"},
		{"spaces", "  \n", "body_invalid", "body"},
		{"array", `[{"amount":1}]`, "body_invalid", "body"},
		{"string", `"amount"`, "body_invalid", "body"},
		{"number", `5`, "body_invalid", "body"},
		{"null", `null`, "body_invalid", "body"},
		{"not JSON", `amount=5`, "body_invalid", "body"},
		{"cut off", `{"amount":1`, "body_invalid", "body"},
		{"comma at the end", `{"amount":1,}`, "body_invalid", "body"},
		{"single quotes", `{'amount':1}`, "body_invalid", "body"},
		{"comment", `{"amount":1/**/}`, "body_invalid", "body"},
		{"trailing object", replaced("", "") + "{}", "body_invalid", "body"},
		{"trailing text", replaced("", "") + "x", "body_invalid", "body"},
		{"trailing NUL", replaced("", "") + "\x00", "body_invalid", "body"},
		{"trailing bracket", replaced("", "") + "}", "body_invalid", "body"},
		{"byte order mark", "\ufeff" + replaced("", ""), "body_invalid", "body"},
		{"amount twice", strings.Replace(replaced("", ""), "}", `,"amount":100}`, 1), "body_invalid", "amount"},
		{"amount twice, once escaped", strings.Replace(replaced("", ""), "}", `,"\u0061mount":100}`, 1),
			"body_invalid", "amount"},
		{"currency twice, same value", strings.Replace(replaced("", ""), "}", `,"currency":"KZT"}`, 1),
			"body_invalid", "currency"},
		{"unknown name twice", strings.Replace(replaced("", ""), "}", `,"x":1,"x":2}`, 1), "body_invalid", "body"},
		{"twice inside an unknown", strings.Replace(replaced("", ""), "}", `,"x":{"y":1,"y":2}}`, 1),
			"body_invalid", "body"},
		{"too deep", strings.Replace(replaced("", ""), "}", `,"x":`+strings.Repeat("[", 32)+
			strings.Repeat("]", 32)+`}`, 1), "body_invalid", "body"},
		{"raw control character", replaced("orderReference", "\"a\x01b\""), "body_invalid", "body"},
		{"raw newline", replaced("orderReference", "\"a\nb\""), "body_invalid", "body"},
		{"invalid UTF-8", replaced("orderReference", "\"a\xffb\""), "body_invalid", "body"},
		{"half a surrogate", replaced("orderReference", `"\ud800"`), "body_invalid", "body"},
		{"other case", strings.Replace(replaced("", ""), `"amount"`, `"Amount"`, 1), "amount_invalid", "amount"},
	}
	add := func(field, reason string, raws ...string) {
		for _, raw := range append(raws, "", "null", "true", "false", "[]", "{}", `[1]`, `{"a":1}`) {
			if field == "amount" || raw != "123" {
				all = append(all, badInput{field + " " + raw, replaced(field, raw), reason, field})
			}
		}
	}
	add("amount", "amount_invalid", "0", "-1", "-0", "1.5", "1.0", "1e2", "1E2", "100e-1", `"100"`, `""`,
		"9223372036854775808", "99999999999999999999999", "-9223372036854775808")
	add("phoneNumber", "phone_number_invalid", `""`, "77011234567", `"12345"`, `"+15551234567"`, `"+7701123456"`,
		`"+7701123456789"`, `"\u0000"`, `"+7701 ABC 4567"`, `"`+strings.Repeat("7", 5000)+`"`)
	add("iin", "iin_invalid", `""`, "900101300017", `"90010130001"`, `"9001013000178"`, `"900101300010"`,
		`"901301300017"`, `"900101900017"`, `"90010130001\u0000"`, `" 90010130001"`)
	add("orderReference", "order_reference_invalid", `""`, "5", `"\u0000"`, `"a\u0000b"`, `"a\nb"`, `"\u007f"`,
		`"\u0085"`, `"`+strings.Repeat("a", 256)+`"`, `"`+strings.Repeat("я", 256)+`"`)
	add("currency", "currency_invalid", `""`, `"kzt"`, `"Kzt"`, `"XXX"`, `"XTS"`, `"XDR"`, `"XAU"`, `"ZZZ"`,
		`"KZ"`, `"KZTT"`, `"KZT "`, `"KZ\u0000"`, "398", `"398"`)
	return all
}

func TestBadInputGetsAClearErrorAndLeavesNothing(t *testing.T) {
	onEveryStore(t, testBadInputGetsAClearErrorAndLeavesNothing)
}

func testBadInputGetsAClearErrorAndLeavesNothing(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 1000)
	if a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, replaced("", ""), idem("good")}); a.status != 201 {
		t.Fatalf("the good body that all others are made of: %d %s", a.status, a.body)
	}
	for _, c := range badInputs() {
		a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, c.body, idem("bad")})
		if a.status != 400 || a.reason() != c.reason || a.text("source") != c.source || a.number("code") != 3 ||
			a.text("type") != "apiError" || a.text("message") == "" ||
			a.text("requestId") != a.header.Get("X-Request-Id") {
			t.Errorf("%s: %d %s, want 400 %s of %s", c.name, a.status, a.body, c.reason, c.source)
		}
	}
	if got := r.transactions(); got != 1 {
		t.Errorf("%d transactions, want the good one only", got)
	}
	if got := r.available(1, "KZT"); got != 900 {
		t.Errorf("available %d, want 900", got)
	}
	// The key was burnt by none of them.
	if a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, replaced("", ""), idem("bad")}); a.status != 201 {
		t.Errorf("the key of refused requests: %d %s", a.status, a.body)
	}
}

func TestBadAmountsOfOperations(t *testing.T) {
	r := newRig(t)
	r.fund(t, 1, "KZT", 1000)
	tx := r.authorize(1, 500, "O").text("walletTransactionId")
	r.operate(tx, "capture", 100)
	before := r.get("/v1/wallet/transaction/" + tx).body
	for _, operation := range []string{"capture", "cancel", "refund"} {
		for body, reason := range map[string]string{
			`{}`: "amount_invalid", `{"amount":0}`: "amount_invalid", `{"amount":-1}`: "amount_invalid",
			`{"amount":1.5}`: "amount_invalid", `{"amount":1e1}`: "amount_invalid", `{"amount":"1"}`: "amount_invalid",
			`{"amount":null}`: "amount_invalid", `{"amount":true}`: "amount_invalid", `{"Amount":1}`: "amount_invalid",
			`{"amount":9223372036854775808}`: "amount_invalid",
			``:                               "body_invalid", `[]`: "body_invalid", `{"amount":1}{}`: "body_invalid",
			`{"amount":1,"amount":1}`: "body_invalid",
		} {
			a := r.do(ask{"POST", "/v1/wallet/" + tx + "/" + operation, r.shop, body, nil})
			if a.status != 400 || a.reason() != reason {
				t.Errorf("%s of %s: %d %s, want 400 %s", operation, body, a.status, a.body, reason)
			}
		}
	}
	if after := r.get("/v1/wallet/transaction/" + tx).body; after != before {
		t.Errorf("bad input changed the transaction:\n%s\n%s", before, after)
	}
}

func TestGoodInputInUnusualClothes(t *testing.T) { onEveryStore(t, testGoodInputInUnusualClothes) }

func testGoodInputInUnusualClothes(t *testing.T, r *rig) {
	iin, phone := customer.Example(1)
	r.fund(t, 1, "KZT", 1000)
	national := phone.Reveal()[2:]
	for i, body := range []string{
		" \t\n" + replaced("", "") + "\r\n ",
		strings.Replace(replaced("", ""), "}", `,"extra":{"amount":[null,"x"]},"Amount":-1,"":""}`, 1),
		replaced("phoneNumber", `"8`+national+`"`),
		replaced("phoneNumber", `"+7 `+national[:3]+` `+national[3:6]+`-`+national[6:8]+`-`+national[8:]+`"`),
		strings.Replace(replaced("", ""), `"amount"`, `"\u0061mount"`, 1),
		`{"currency":"KZT","orderReference":"O","iin":"` + iin.Reveal() + `","phoneNumber":"` + phone.Reveal() +
			`","amount":100}`,
		replaced("orderReference", `"`+strings.Repeat("я", 255)+`"`),
		replaced("orderReference", `"\ud83d\ude00 \"quoted\" \\ / <b>"`),
		strings.Replace(replaced("", ""), "}", `,"x":`+strings.Repeat("[", 31)+strings.Repeat("]", 31)+`}`, 1),
	} {
		a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, body, idem("k" + strconv.Itoa(i))})
		if a.status != 201 || a.text("walletTransactionStatus") != "SUCCESS" {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	a := r.get("/v1/wallet/transactions?orderReference=%F0%9F%98%80+%22quoted%22+%5C+%2F+%3Cb%3E")
	if len(items(a)) != 1 || items(a)[0]["orderReference"] != "😀 \"quoted\" \\ / <b>" {
		t.Errorf("an order reference came back changed: %s", a.body)
	}
}

func TestHeadersAndSizes(t *testing.T) {
	r := newRig(t)
	r.fund(t, 1, "KZT", 100_000)
	good := replaced("", "")
	long := strings.Repeat("k", 256)
	for _, c := range []struct {
		name           string
		header         http.Header
		status         int
		reason, source string
	}{
		{"no key", http.Header{}, 400, "idempotency_key_missing", "Idempotency-Key"},
		{"empty key", idem(""), 400, "idempotency_key_missing", "Idempotency-Key"},
		{"long key", idem(long), 400, "idempotency_key_invalid", "Idempotency-Key"},
		{"space", idem("a b"), 400, "idempotency_key_invalid", "Idempotency-Key"},
		{"not ASCII", idem("ключ"), 400, "idempotency_key_invalid", "Idempotency-Key"},
		{"control", idem("a\x7fb"), 400, "idempotency_key_invalid", "Idempotency-Key"},
		{"open quote", idem(`"abc`), 400, "idempotency_key_invalid", "Idempotency-Key"},
		{"only a quote", idem(`"`), 400, "idempotency_key_invalid", "Idempotency-Key"},
		{"nothing quoted", idem(`""`), 400, "idempotency_key_invalid", "Idempotency-Key"},
		{"more than the string", idem(`"abc"d`), 400, "idempotency_key_invalid", "Idempotency-Key"},
		{"bad escape", idem(`"a\b"`), 400, "idempotency_key_invalid", "Idempotency-Key"},
		{"escape at the end", idem(`"a\`), 400, "idempotency_key_invalid", "Idempotency-Key"},
		{"two keys", http.Header{"Idempotency-Key": {"a", "b"}}, 400, "idempotency_key_invalid", "Idempotency-Key"},
		{"longest key", idem(long[:255]), 201, "", ""},
		{"longest key, quoted", idem(`"` + long[:255] + `"`), 201, "", ""},
		{"form", typed("application/x-www-form-urlencoded"), 415, "content_type_not_json", "Content-Type"},
		{"no type", http.Header{"Content-Type": nil, "Idempotency-Key": {"t"}}, 415, "content_type_not_json",
			"Content-Type"},
		{"json of another family", typed("application/problem+json"), 415, "content_type_not_json", "Content-Type"},
		{"two types", http.Header{"Content-Type": {"application/json", "text/plain"}}, 415,
			"content_type_not_json", "Content-Type"},
		{"charset", typed("application/json; charset=utf-8"), 201, "", ""},
		{"capitals", typed("Application/JSON"), 201, "", ""},
	} {
		a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, good, c.header})
		if a.status != c.status || a.reason() != c.reason || a.status >= 400 && a.text("source") != c.source {
			t.Errorf("%s: %d %s, want %d %s", c.name, a.status, a.body, c.status, c.reason)
		}
	}
	fits := strings.Replace(good, "}", `,"pad":"`, 1)
	fits += strings.Repeat("x", 256<<10-len(fits)-2) + `"}`
	if a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, fits, idem("fits")}); a.status != 201 {
		t.Errorf("exactly 256 KiB: %d %s", a.status, a.body)
	}
	for name, body := range map[string]io.Reader{
		"announced": strings.NewReader(fits + " "),
		"chunked":   io.MultiReader(strings.NewReader(fits), strings.NewReader(" ")),
	} {
		a := r.send(ask{"POST", "/v1/wallet/authorize", r.shop, "", idem("large")}, body)
		if a.status != 413 || a.reason() != "body_too_large" || a.text("source") != "body" ||
			a.number("code") != 3 {
			t.Errorf("over 256 KiB, %s: %d %s", name, a.status, a.body)
		}
	}
	a := r.send(ask{"POST", "/v1/wallet/authorize", r.shop, "", idem("broken")},
		io.MultiReader(strings.NewReader(`{"amount":`), broken{}))
	if a.status != 400 || a.reason() != "body_invalid" {
		t.Errorf("a body that breaks off: %d %s", a.status, a.body)
	}
}

// broken is a connection that ends.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func typed(contentType string) http.Header {
	return http.Header{
		"Content-Type": {contentType}, "Idempotency-Key": {"typed-" + strconv.Itoa(len(contentType))},
	}
}

// items are the transactions of a page.
func items(a *answer) []map[string]any {
	all, _ := a.fields["items"].([]any)
	page := make([]map[string]any, len(all))
	for i := range all {
		page[i], _ = all[i].(map[string]any)
	}
	return page
}
