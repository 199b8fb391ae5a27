package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/shopper"
	"plexy/internal/storage"
)

// goodPay is what a route of payments accepts; "" for the others.
func goodPay(path string) string {
	switch {
	case strings.HasSuffix(path, "/cancel") && strings.HasPrefix(path, linksPath):
		return `{}`
	case path == linksPath+"/{payment_link_id}":
		return `{"expiresAt":"2027-03-14T00:00:00Z"}`
	case path == linksPath:
		return `{"amount":1000000,"currency":"KZT"}`
	case path == "/v1/customers":
		return `{"email":"payer@example.com","phone":"+77011234567"}`
	case path == "/v1/payment-sessions":
		return sessionBody
	}
	return ""
}

const sessionBody = `{"transactionType":"sale","terminalId":"t","locale":"en-gb","urls":{"success":"https://x/"},` +
	`"orderDetails":{"amount":126.27,"currency":"KZT","orderReference":"1001","description":"d","items":[]}}`

// spoiled is what makes a body of payments wrong: members of it with what is wrong about them.
var spoiled = map[reject.Reason]string{
	reject.AmountInvalid: `"amount":"1"`, reject.CurrencyInvalid: `"currency":"kzt"`,
	reject.DescriptionInvalid:    `"description":"\u0000"`,
	reject.OrderReferenceInvalid: `"orderReference":""`, reject.ExpiresAtInvalid: `"expiresAt":"soon"`,
	reject.ExpiresAtPassed: `"expiresAt":"2020-01-01T00:00:00Z"`, reject.MetadataInvalid: `"metadata":5`,
	reject.RecurringInvalid: `"recurring":{"type":"ucof"}`, reject.AutoClearingInvalid: `"autoClearing":1`,
	reject.ValidationInvalid: `"validation":1`, reject.EmailInvalid: `"email":"payer"`,
	reject.ContactPhoneInvalid: `"phone":"1"`, reject.NameInvalid: `"name":""`,
	reject.TransactionTypeInvalid: `"transactionType":"pay"`, reject.TerminalInvalid: `"terminalId":[]`,
	reject.LocaleInvalid: `"locale":"?"`, reject.URLInvalid: `"urls":{"success":"javascript:1"}`,
	reject.CustomerNotFound: `"customerId":"019a2a22-1b0d-7732-9672-000000000000"`,
}

// spoilPay puts the fault into a request about payments; false when it is not about any, or spoil can do it.
func (d drive) spoilPay(q *ask) bool {
	good := goodPay(d.path)
	switch member, ok := spoiled[d.reason]; {
	case d.method == "GET" && d.reason == reject.PageInvalid:
		q.path += "?page=0"
	case d.method == "GET" && d.reason == reject.SizeInvalid:
		q.path += "?size=101"
	case ok && good != "" && q.method != "GET" && q.method != "DELETE":
		q.body = having(good, member)
	default:
		return false
	}
	return true
}

// with replaces a member of a JSON object, or of its orderDetails where it has one there, or adds it.
func having(object, member string) string {
	name, value, _ := strings.Cut(member, ":")
	name = strings.Trim(name, `"`)
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &all); err != nil {
		panic(err)
	}
	if inner := all["orderDetails"]; strings.Contains(string(inner), `"`+name+`"`) {
		all["orderDetails"] = json.RawMessage(having(string(inner), member))
	} else {
		all[name] = json.RawMessage(value)
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// prepareCustomer makes the customer that is asked for, and its card.
func (d drive) prepareCustomer(t *testing.T, r *rig) {
	t.Helper()
	if d.reason == reject.CustomerNotFound {
		return
	}
	r.stranger(t, driven["customer_id"])
	if d.reason != reject.CardTokenNotFound {
		r.card(t, driven["customer_id"], driven["token_id"])
	}
}

// stranger writes a customer of the shop with an id.
func (r *rig) stranger(t testing.TB, id string) {
	t.Helper()
	v := r.vaults.Current()
	check(t, r.store.CreateShopper(t.Context(), shopper.Shopper{
		ID: id, Merchant: r.shopID, KeyID: v.KeyID(), EmailIndex: id, PhoneIndex: id, CreatedAt: r.clock.Now(),
		EmailSealed: must(v.Seal("shopper.email", id, []byte("a@example.com")))(t),
		PhoneSealed: must(v.Seal("shopper.phone", id, []byte("+77010000001")))(t),
	}, nil, v.Generation()))
}

// card stores a card of a customer of the shop.
func (r *rig) card(t testing.TB, customer, id string) {
	t.Helper()
	v := r.vaults.Current()
	check(t, r.store.AddCard(t.Context(), shopper.Card{
		ID: id, Merchant: r.shopID, Shopper: customer, Brand: "visa", Last4: "1111", ExpiryMonth: 7,
		ExpiryYear: 2029, KeyID: v.KeyID(), Print: id, NumberSealed: []byte{1}, CreatedAt: r.clock.Now(),
	}, v.Generation()))
}

// driveLinks walks through the life of links, with the bodies that the file has as examples.
func driveLinks(t *testing.T, c *contract, r *rig) {
	made := ""
	for _, path := range []string{"/v1/payment-sessions", linksPath} {
		for i, body := range examplesOf(t, c.doc.Paths.Value(path).Post) {
			for range 2 {
				a := r.do(ask{"POST", path, r.shop, body, idem(fmt.Sprint(path, i))})
				if made = a.text("id"); a.status != 201 {
					t.Errorf("%s %s: %d %s", path, body, a.status, a.body)
				}
			}
		}
	}
	one := linksPath + "/" + made
	for _, path := range []string{
		linksPath, linksPath + "?page=2&size=1", linksPath + "/statistics", one,
		linksPath + "/statistics?createdFrom=2026-01-01T00:00:00Z&createdTo=2027-01-01T00:00:00Z",
		linksPath + "/by-order-reference/" + r.get(one).text("orderReference"), "/v1/keys",
	} {
		if a := r.get(path); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for _, step := range []struct {
		method, path, body string
		status             int
	}{
		{"PATCH", one, `{"expiresAt":"2027-06-30T00:00:00Z"}`, 200}, {"POST", one + "/cancel", `[]`, 200},
		{"DELETE", one, "", 422}, {"POST", one + "/cancel", "", 422},
	} {
		if a := r.do(ask{step.method, step.path, r.shop, step.body, nil}); a.status != step.status {
			t.Errorf("%s %s: %d %s", step.method, step.path, a.status, a.body)
		}
	}
}

// driveCustomers does the same with customers.
func driveCustomers(t *testing.T, c *contract, r *rig) {
	body := examplesOf(t, c.doc.Paths.Value("/v1/customers").Post)[0]
	a := r.do(ask{"POST", "/v1/customers", r.shop, body, idem("customer")})
	if a.status != 201 {
		t.Fatalf("the file's own example: %d %s", a.status, a.body)
	}
	r.do(ask{"POST", "/v1/customers", r.shop, body, idem("customer")})
	r.do(ask{"POST", "/v1/customers", r.shop, body, nil})
	one := "/v1/customers/" + a.text("id")
	r.card(t, a.text("id"), driven["token_id"])
	_, _ = r.begin(t, payment.Facts{Shopper: a.text("id")})
	for _, path := range []string{"/v1/customers", one, one + "/card-tokens", one + "/transactions"} {
		if a := r.get(path); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := r.do(ask{"DELETE", one + "/card-tokens/" + driven["token_id"], r.shop, "", nil}); a.status != 200 {
		t.Errorf("delete a card token: %d %s", a.status, a.body)
	}
}

// Embedded under other names than those of their own methods.
type (
	paymentRows = storage.Payments
	shopperRows = storage.Shoppers
)

// noPayments is a database that cannot be read; without a why, reading panics.
type noPayments struct {
	paymentRows
	why error
}

func (n noPayments) orPanic() error { return noReader{why: n.why}.orPanic() }

func (n noPayments) Link(context.Context, string, string) (link.Link, error) {
	return link.Link{}, n.orPanic()
}

func (n noPayments) LinkByReference(context.Context, string, string) (link.Link, error) {
	return link.Link{}, n.orPanic()
}

func (n noPayments) Links(context.Context, storage.LinkQuery) ([]link.Link, int64, error) {
	return nil, 0, n.orPanic()
}

func (n noPayments) LinkStatistics(context.Context, string, int64, int64) ([]storage.LinkCount, error) {
	return nil, n.orPanic()
}

func (n noPayments) Payments(context.Context, storage.PaymentQuery) ([]payment.Payment, int64, error) {
	return nil, 0, n.orPanic()
}

// noShoppers is the same for customers, sessions and keys.
type noShoppers struct {
	shopperRows
	why error
}

func (n noShoppers) orPanic() error { return noReader{why: n.why}.orPanic() }

func (n noShoppers) Shopper(context.Context, string, string) (shopper.Shopper, error) {
	return shopper.Shopper{}, n.orPanic()
}

func (n noShoppers) Shoppers(context.Context, string, int, int) ([]shopper.Shopper, int, error) {
	return nil, 0, n.orPanic()
}

func (n noShoppers) CreateSession(context.Context, shopper.Session, int64) error { return n.orPanic() }

func (n noShoppers) DirectKeys(context.Context) ([]shopper.DirectKey, error) { return nil, n.orPanic() }

// noShopperChanges can be read and not changed.
type noShopperChanges struct {
	shopperRows
	why error
}

func (n noShopperChanges) DeleteCard(context.Context, string, string, int64) error { return n.why }

func (n noShopperChanges) AddDirectKey(context.Context, shopper.DirectKey, int64, machine.Audit) error {
	return n.why
}

// noReplyShows looks for texts in the stored replies.
func noReplyShows(t *testing.T, texts ...string) func(context.Context, storage.Books) error {
	return func(ctx context.Context, b storage.Books) error {
		n := 0
		err := b.Replies(ctx, func(_ machine.ReplyKey, s machine.Stored) error {
			n++
			for _, text := range texts {
				if strings.Contains(string(s.Reply.Body), text) {
					t.Errorf("a stored reply shows %q", text)
				}
			}
			return nil
		})
		if n == 0 {
			t.Error("no reply is stored")
		}
		return err
	}
}
