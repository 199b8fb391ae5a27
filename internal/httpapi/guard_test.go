package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"plexy/internal/card"
	"plexy/internal/httpapi"
	"plexy/internal/server"
)

// pan is a test card of the documentation; nobody's.
const pan = "4111111111111111"

// TestCardNumbersStopAtTheDoor sends a card number in every place where a body can have a string.
func TestCardNumbersStopAtTheDoor(t *testing.T) { onEveryStore(t, testCardNumbersStopAtTheDoor) }

func testCardNumbersStopAtTheDoor(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 1000)
	with := func(member string) string { return strings.Replace(replaced("", ""), "}", ","+member+"}", 1) }
	deep := strings.Repeat(`{"`+strings.Repeat("a", 64)+`":`, 30) + `"` + pan + `"` + strings.Repeat("}", 30)
	long := strings.Repeat("a", 65)
	deeper := strings.Repeat(`{"`+long+`":`, 3000) + `"` + pan + `"` + strings.Repeat("}", 3000)
	said := ""
	for body, source := range map[string]string{
		replaced("orderReference", `"`+pan+`"`):                      "orderReference",
		replaced("orderReference", `"order 4111 1111 1111 1111"`):    "orderReference",
		replaced("orderReference", `"\u0034111111111111111"`):        "orderReference",
		replaced("orderReference", `"4111\u00a01111\u00a011111111"`): "orderReference",
		replaced("orderReference", `"4111\u20131111-1111-1111\r\n"`): "orderReference",
		replaced("phoneNumber", `"`+pan+`"`):                         "phoneNumber",
		replaced("amount", `"`+pan+`"`):                              "amount",
		with(`"metadata":{"items":[1,"x",{"note":"` + pan + `"}]}`):  "metadata.items[2].note",
		with(`"metadata":{"` + pan + `":1}`):                         "metadata.*",
		with(`"card ` + pan + `":"` + pan + `"`):                     "*",
		with(`"4111 1111":{"1111 1111":"378282246310005"}`):          "4111 1111.1111 1111",
		with(`"41111111-":{"11111111":"378282246310005"}`):           "41111111-[11111111]",
		with(`"a\"b\nc":["` + pan + `"]`):                            "a'b'c[0]",
		with(`"ключ":"` + pan + `"`):                                 "''''",
		with(`"` + strings.Repeat("x", 65) + `":"` + pan + `"`):      "*",
		`"` + pan + `"`:       "body",
		`["378282246310005"]`: "[0]",
		`{"amount":1,"x":"5555 5555 5555 4444","amount":2`: "x",
		with(`"deep":` + deep):                             "",
		with(`"deep":` + deeper):                           "",
	} {
		a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, body, idem("bad")})
		if a.status != 400 || a.reason() != "card_number_forbidden" || source != "" && a.text("source") != source ||
			a.number("code") != 3 {
			t.Errorf("%s: %d %s, want source %s", body, a.status, a.body, source)
		}
		if n := len(a.text("source")); n > 400 {
			t.Errorf("a source of %d bytes", n)
		}
		said += a.body
	}
	for _, key := range []string{pan, "order-" + pan, `"4111-1111-1111-1111"`} {
		a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, replaced("", ""), idem(key)})
		if a.status != 400 || a.reason() != "card_number_forbidden" || a.text("source") != "Idempotency-Key" {
			t.Errorf("%s: %d %s", key, a.status, a.body)
		}
		said += a.body
	}
	if r.transactions() != 0 || r.available(1, "KZT") != 1000 {
		t.Error("something changed")
	}
	r.flush()
	logged := r.log.String()
	if card.HasNumber(said) || card.HasNumber(logged) || !strings.Contains(logged, `:400`) {
		t.Errorf("an answer or the log shows a number: %s\n%s", said, logged)
	}
	// The key was burnt by none of them.
	if a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, replaced("", ""), idem("bad")}); a.status != 201 {
		t.Errorf("the key of refused requests: %d %s", a.status, a.body)
	}
}

// TestWhatOnlyLooksLikeACardNumberPasses is what merchants send every day.
func TestWhatOnlyLooksLikeACardNumberPasses(t *testing.T) {
	r := newRig(t)
	r.fund(t, 1, "KZT", 1_000_000)
	for i, member := range []string{
		`"total":4111111111111111`, `"totals":[4111111111111111,378282246310005.0,5555555555554444e0]`,
		`"id":"a0eebc99-9c0b-4ef8-8171-999927660000"`, `"link":"pl_f4111111111111111abcdef012345678"`,
		`"other":"4111111111111112"`, `"payer":"900101300017 87012345678"`, `"note":"4111\/1111\/1111\/1111"`,
		`"a":"4111111","b":"111111111"`, `"lines":"4111\n1111\n1111\n1111"`, `"at":1764272000000000`,
	} {
		reference := `"ORDER-` + strings.Repeat("1", i+1) + `"`
		body := strings.Replace(replaced("orderReference", reference), "}", ","+member+"}", 1)
		key := []string{"8b7f2a7e-2c5b-4d6e-8171-999927660000", "17642720000000" + strings.Repeat("0", i)}[i%2]
		a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, body, idem(key)})
		if a.reason() == "card_number_forbidden" {
			t.Errorf("%s under %s: %d %s", body, key, a.status, a.body)
		}
	}
}

// TestCardNumbersInQueries: every route that reads parameters refuses one in any of them.
func TestCardNumbersInQueries(t *testing.T) {
	r := newRig(t, func(r *rig, o *httpapi.Options, _ *server.Options) { o.Sandbox = newFakeSandbox(r.clock) })
	d := drive{}
	d.prepare(t, r)
	read := 0
	for _, route := range httpapi.Routes() {
		if !route.Query {
			continue
		}
		read++
		path := strings.Replace(route.Template, "{endpoint_id}", driven["endpoint_id"], 1)
		for query, source := range map[string]string{
			"orderReference=" + pan: "orderReference", "limit=5&x=" + url.QueryEscape("4111 1111 1111 1111"): "x",
			"x=4111+1111%201111-1111": "x", pan + "=1": "query", "cursor=%34111111111111111": "cursor",
			"&&a=b&" + pan: "query", "x=%zz" + pan: "x", strings.Repeat("x", 65) + "=" + pan: "query",
			"4111=111111111111": "",
		} {
			a := r.get(path + "?" + query)
			forbidden := a.reason() == "card_number_forbidden" && a.status == 400 && a.text("source") == source
			if forbidden != (source != "") {
				t.Errorf("%s?%s: %d %s", path, query, a.status, a.body)
			}
		}
	}
	if read < 5 {
		t.Errorf("%d routes read parameters", read)
	}
	r.flush()
	if card.HasNumber(r.log.String()) {
		t.Error("the log shows a number")
	}
}

// FuzzGuard compares the door's quick look at bytes with a slow one at every string.
func FuzzGuard(f *testing.F) {
	for _, body := range []string{
		replaced("orderReference", `"`+pan+`"`), `{"a":["\u0034111111111111111"]}`, `{"4111111111111111":1}`,
		`{"a":4111111111111111}`, `{"a":"4111\t1111"}`, `{"a":"\f4111111111111111abcdef0"}`, `{"a":{"b":"` + pan,
	} {
		f.Add([]byte(body))
	}
	c := newCaptured(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		a := c.ask(t, ask{"POST", "/v1/wallet/authorize", c.shop, string(body), idem("k")})
		if card.HasNumber(a.body) {
			t.Fatalf("%q is answered with %s", body, a.body)
		}
		d := json.NewDecoder(bytes.NewReader(body))
		found := false
		for {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				return // no JSON: refused in any case
			}
			if text, ok := token.(string); ok && card.HasNumber(text) {
				found = true
			}
		}
		refused := a.reason() == "card_number_forbidden"
		if found != refused && a.status != http.StatusRequestEntityTooLarge {
			t.Fatalf("%q: found %v, %d %s", body, found, a.status, a.body)
		}
	})
}
