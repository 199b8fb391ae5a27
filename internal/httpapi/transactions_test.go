package httpapi_test

import (
	"encoding/json"
	"net/url"
	"regexp"
	"testing"

	"plexy/internal/core/link"
	"plexy/internal/core/machine"
)

func TestTransactions(t *testing.T) {
	p := newPayRig(t)
	held := p.made(order("10", "A/B 1")).text("id")
	p.made(order("11.5", "O-2"), with{"transactionType": "sale"})
	p.direct(order("205.10", "A/B 1"), with{skip: true})
	page := p.get("/v1/transactions?page=1&size=2")
	data, _ := page.fields["data"].([]any)
	if page.status != 200 || len(data) != 2 || page.number("page") != 1 || page.number("size") != 2 ||
		page.number("total") != 3 {
		t.Fatalf("the list: %d %s", page.status, page.body)
	}
	first, second := data[0].(map[string]any), data[1].(map[string]any)
	if first["status"] != "TRANSACTION_STATUS_REJECTED" || second["status"] != "TRANSACTION_STATUS_CHARGED" ||
		second["amount"] != json.Number("11.5") || second["orderReference"] != "O-2" || second["rrn"] == "" ||
		!regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`).MatchString(second["createdAt"].(string)) {
		t.Errorf("the list: %s", page.body)
	}
	last := p.get("/v1/transactions?page=2&size=2")
	if data, _ = last.fields["data"].([]any); len(data) != 1 ||
		data[0].(map[string]any)["status"] != "TRANSACTION_STATUS_AUTHED" {
		t.Errorf("the last page: %s", last.body)
	}
	one := p.get("/v1/transactions/" + held)
	if one.status != 200 || one.text("status") != "authorized" || one.text("paymentId") != held ||
		one.text("transactionId") != held || one.text("merchantReference") != "A/B 1" ||
		one.text("orderReference") != "A/B 1" || one.fields["amount"] != json.Number("10") {
		t.Errorf("one: %d %s", one.status, one.body)
	}
	for _, path := range []string{"A/B%201", "A%2FB%201"} {
		if a := p.get("/v1/transactions/by-order-reference/" + path); a.text("transactionId") != held {
			t.Errorf("by reference %s: %d %s", path, a.status, a.body)
		}
	}
	p.manage(held, "capture", `{"amount":4}`)
	history := p.get("/v1/transactions/" + held + "/history")
	var names []string
	for _, e := range history.fields["events"].([]any) {
		names = append(names, e.(map[string]any)["name"].(string))
	}
	if len(names) != 3 || names[0] != "transaction.created" || names[2] != "transaction.charged" {
		t.Errorf("the history: %s", history.body)
	}
	p.explained(t, held)
	for _, path := range []string{
		held, held + "/history", held + "/explain", "by-order-reference/" + url.PathEscape("A/B 1"), "txn_1", "%00",
		"by-order-reference/X",
		"by-order-reference/%0A", "by-payment-link/pl_1", "by-payment-link/%00", "by-payment-link/%FF",
	} {
		a := p.do(ask{"GET", "/v1/transactions/" + path, p.rival, "", nil})
		if a.status != 404 || a.number("code") != 4 {
			t.Errorf("another merchant's %s: %d %s", path, a.status, a.body)
		}
	}
	for query, source := range map[string]string{
		"page=0": "page", "page=x": "page", "size=0": "size", "size=101": "size", "page=1&page=2": "page",
		"page=-1": "page", "size=1e1": "size",
	} {
		if a := p.get("/v1/transactions?" + query); a.status != 400 || a.text("source") != source {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}

// explained looks at the story of a payment of which a part was captured.
func (p *payRig) explained(t *testing.T, held string) {
	t.Helper()
	story := p.get("/v1/transactions/" + held + "/explain")
	steps, _ := story.fields["steps"].([]any)
	asked, _ := story.fields["operations"].([]any)
	if story.status != 200 || story.text("status") != "charged" || len(steps) != 3 || len(asked) != 2 {
		t.Fatalf("the story: %d %s", story.status, story.body)
	}
	step, capture := steps[2].(map[string]any), asked[1].(map[string]any)
	entry, _ := step["entry"].(map[string]any)
	request, _ := step["request"].(map[string]any)
	if step["operationId"] != capture["operationId"] || capture["operation"] != "capture" ||
		capture["state"] != "approved" || entry["amount"] != json.Number("4") || entry["move"] != "settle" ||
		request["id"] == "" || request["apiKeyId"] == "" {
		t.Errorf("the story: %s", story.body)
	}
}

func TestTransactionOfALink(t *testing.T) {
	p := newPayRig(t)
	const id = "pl_019a2a21f46f706ea202a75adabcbb80"
	_, err := p.commit.Submit(t.Context(), 0, machine.Instruction{Command: machine.CreateLink{
		Facts: link.Facts{ID: id, Merchant: p.shopID, Currency: "KZT", Amount: 100, OrderReference: "L"},
	}})
	check(t, err)
	path := "/v1/transactions/by-payment-link/" + id
	if a := p.get(path); a.status != 404 || a.reason() != "payment_not_found" {
		t.Errorf("nobody has paid: %d %s", a.status, a.body)
	}
}
