package httpapi_test

import (
	"fmt"
	"strings"
	"testing"

	"plexy/internal/commit"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/event"
)

// paid makes a payment of the shop that names an address, and has the bank approve it: two events.
func (r *rig) paid(t *testing.T, address string) payment.Payment {
	t.Helper()
	act := func(c machine.Command) *machine.Pay {
		o, err := commit.RunOne(t.Context(), r.store, r.clock, machine.Instruction{Command: c})
		check(t, err)
		if o.Reason != "" {
			t.Fatalf("refused: %s", o.Reason)
		}
		return o.Pay
	}
	uuid := func() string { return fmt.Sprintf("019a2a22-1b0d-7732-9672-%012x", r.made.Add(1)) }
	begun := act(machine.BeginPayment{Operation: uuid(), Facts: payment.Facts{
		ID: uuid(), Merchant: r.shopID, Connector: "sandbox", Currency: "KZT", Amount: 15_050,
		OrderReference: "ORDER-1", Kind: payment.Auth, Card: payment.Card{Brand: "visa", Last4: "1111"},
		CallbackURL: address,
	}})
	return act(machine.RecordAnswer{
		Attempt: machine.Attempt{Payment: begun.Payment.ID, Operation: begun.Operation.ID},
		Answer:  payment.Answer{State: payment.Accepted, Code: "00", RRN: "RRN987654321"}, Audit: "aud_1",
	}).Payment
}

// TestCallbacks: what is delivered to addresses of payments is listed, read and sent again under the name
// callback, and cannot be changed as an endpoint can; the feed shows what is delivered.
func TestCallbacks(t *testing.T) { onEveryStore(t, testCallbacks) }

func testCallbacks(t *testing.T, r *rig) {
	r.seen = loadContract(t).observe
	if a := r.at("GET", "callback", "/deliveries", ""); a.status != 200 || len(items(a)) != 0 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	p := r.paid(t, "https://shop.example/hook")
	r.number(t)
	feed := r.get("/v1/events?after=0")
	if len(items(feed)) != 2 || !strings.Contains(feed.body, `"amount":150.5,`) ||
		!strings.Contains(feed.body, `"status":"authorized"`) {
		t.Fatalf("the feed is %s", feed.body)
	}
	if a := r.get("/v1/events/" + event.ID(p.ID, 2)); a.text("name") != "transaction.authorized" {
		t.Errorf("the event is %s", a.body)
	}
	list := r.at("GET", "callback", "/deliveries", "")
	if numbers(list) != "2 1" || strings.Count(list.body, `"url":"https://shop.example/hook"`) != 2 {
		t.Errorf("deliveries: %s", list.body)
	}
	id, _ := items(list)[0]["id"].(string)
	one := r.at("GET", "callback", "/deliveries/"+id, "")
	if one.status != 200 || one.text("url") != "https://shop.example/hook" {
		t.Errorf("a delivery is %s", one.body)
	}
	if a := r.get(endpointsPath + "/callback/deliveries?format=csv"); !strings.Contains(a.body, ",https://shop") {
		t.Errorf("the file is %s", a.body)
	}
	again := r.at("POST", "callback", "/replay", `{"failed":true}`)
	if again.status != 202 || again.number("replayed") != 0 {
		t.Errorf("replay: %d %s", again.status, again.body)
	}
	for _, c := range []struct{ method, path, body string }{
		{"GET", "", ""}, {"PATCH", "", `{"ordered":false}`}, {"DELETE", "", ""}, {"POST", "/test", ""},
		{"POST", "/rotate-secret", ""},
	} {
		for _, name := range []string{"callback", event.CallbacksID(r.shopID)} {
			a := r.at(c.method, name, c.path, c.body)
			if a.status != 404 || a.reason() != "webhook_endpoint_not_found" {
				t.Errorf("%s %s%s: %d %s", c.method, name, c.path, a.status, a.body)
			}
		}
	}
	if a := r.get(endpointsPath); len(items(a)) != 0 {
		t.Errorf("endpoints: %s", a.body)
	}
}
