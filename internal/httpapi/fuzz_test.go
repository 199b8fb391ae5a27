package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"plexy/internal/core/machine"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/httpapi"
	"plexy/internal/server"
	"plexy/internal/storage"
)

// captured is a rig whose committer and reader only note what they were asked: what the decoders made of
// the bytes that came in.
type captured struct {
	*rig
	in    *machine.Instruction
	query *storage.Query
}

func newCaptured(f *testing.F) *captured {
	c := &captured{}
	c.rig = newRig(f, func(r *rig, o *httpapi.Options, _ *server.Options) {
		o.Commit = committer(func(_ context.Context, in machine.Instruction) (machine.Outcome, error) {
			c.in = &in
			return machine.Outcome{Reply: in.Render(machine.Outcome{Reason: reject.TransactionNotFound})}, nil
		})
		o.Reader = noting{r.store, c}
	})
	return c
}

type noting struct {
	storage.Reader
	to *captured
}

func (n noting) Transactions(_ context.Context, q storage.Query) ([]wallet.Transaction, error) {
	n.to.query = &q
	return nil, nil
}

// ask sends a request, and fails the test when the answer is not one of ours.
func (c *captured) ask(t *testing.T, q ask) *answer {
	c.in, c.query = nil, nil
	a := c.do(q)
	if a.fields == nil {
		t.Fatalf("%d %q is no JSON object", a.status, a.body)
	}
	if a.status >= 500 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a.status >= 400 && (a.reason() == "" || a.text("source") == "") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return a
}

func FuzzAuthorizeBody(f *testing.F) {
	for _, b := range badInputs() {
		f.Add([]byte(b.body))
	}
	f.Add([]byte(replaced("", "")))
	c := newCaptured(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		a := c.ask(t, ask{"POST", "/v1/wallet/authorize", c.shop, string(body), idem("k")})
		if c.in == nil {
			if a.status != 400 && a.status != 413 {
				t.Fatalf("refused with %d %s", a.status, a.body)
			}
			return
		}
		command := c.in.Command.(machine.Authorize)
		// Whatever was accepted, the standard library reads the same from it.
		var want struct {
			Amount         json.Number `json:"amount"`
			OrderReference string      `json:"orderReference"`
			Currency       string      `json:"currency"`
		}
		exact := exactFields(t, body)
		if err := json.Unmarshal(exact, &want); err != nil {
			t.Fatalf("accepted %q, which is no JSON: %v", body, err)
		}
		if want.Amount.String() != strconv.FormatInt(command.Amount, 10) || command.Amount <= 0 ||
			want.OrderReference != command.OrderReference || want.Currency != string(command.Currency) {
			t.Fatalf("%q was read as %+v", body, command)
		}
		if n := utf8.RuneCountInString(command.OrderReference); n < 1 || n > 255 ||
			strings.ContainsAny(command.OrderReference, "\x00\n\r\x7f") || !command.Currency.Known() {
			t.Fatalf("%q was accepted: %+v", body, command)
		}
	})
}

// exactFields drops names that only differ in case, which the standard library would mix up.
func exactFields(t *testing.T, body []byte) []byte {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		t.Fatalf("accepted %q, which is no JSON object: %v", body, err)
	}
	for name := range all {
		if name != "amount" && name != "orderReference" && name != "currency" {
			delete(all, name)
		}
	}
	exact, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return exact
}

func FuzzOperationBody(f *testing.F) {
	for _, body := range []string{
		`{"amount":1}`, `{}`, `{"amount":1e2}`, `{"amount":-1}`, `{"amount":"1"}`, `[`, ``,
	} {
		f.Add([]byte(body))
	}
	c := newCaptured(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		c.ask(t, ask{"POST", "/v1/wallet/wt_01JDM3Z7V8H8Q2X9K0R1ABCD12/refund", c.shop, string(body), nil})
		if c.in == nil {
			return
		}
		amount := c.in.Command.(machine.Refund).Amount
		if amount < 1 || !bytes.Contains(body, strconv.AppendInt(nil, amount, 10)) || !json.Valid(body) {
			t.Fatalf("%q was read as %d", body, amount)
		}
	})
}

func FuzzIdempotencyKey(f *testing.F) {
	for _, key := range []string{
		"a", `"a"`, `"a\"b"`, `"a\\"`, `"`, "", " ", "\x00", strings.Repeat("k", 256), "ключ",
	} {
		f.Add(key)
	}
	c := newCaptured(f)
	f.Fuzz(func(t *testing.T, key string) {
		send := func(key string) (string, bool) {
			c.ask(t, ask{"POST", "/v1/wallet/authorize", c.shop, replaced("", ""), idem(key)})
			if c.in == nil {
				return "", false
			}
			return c.in.Key, true
		}
		got, ok := send(key)
		if !ok {
			return
		}
		invisible := func(r rune) bool { return r <= ' ' || r > '~' }
		if len(got) < 1 || len(got) > 255 || strings.ContainsFunc(got, invisible) {
			t.Fatalf("%q was taken as the key %q", key, got)
		}
		if !strings.HasPrefix(key, `"`) && got != key {
			t.Fatalf("the raw key %q was taken as %q", key, got)
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(got) + `"`
		if again, ok := send(quoted); !ok || again != got {
			t.Fatalf("%q quoted is %q", got, again)
		}
	})
}

func FuzzListQuery(f *testing.F) {
	for _, query := range []string{
		"", "limit=5", "limit=0", "status=NEW&orderReference=a", "createdFrom=2026-02-19T00:00:00Z",
		"createdTo=2026-02-19T00:00:00+05:00", "cursor=eyJvZmZzZXQiOjJ9", "limit=%31", "a;b", "&&==&%",
	} {
		f.Add(query)
	}
	c := newCaptured(f)
	f.Fuzz(func(t *testing.T, query string) {
		u := &url.URL{Path: "/v1/wallet/transactions", RawQuery: strings.Map(printable, query)}
		a := c.ask(t, ask{"GET", u.String(), c.shop, "", nil})
		if (c.query == nil) != (a.status == 400) {
			t.Fatalf("%q: %d %s", query, a.status, a.body)
		}
		if c.query == nil {
			return
		}
		q := c.query
		if q.Merchant != c.shopID || q.Limit < 2 || q.Limit > 101 || q.Offset < 0 || q.Offset > 10_000 ||
			utf8.RuneCountInString(q.OrderReference) > 255 || !utf8.ValidString(q.OrderReference) ||
			q.Before != "" && len(q.Before) != 29 {
			t.Fatalf("%q was read as %+v", query, q)
		}
	})
}

// printable keeps what can stand in a request line.
func printable(r rune) rune {
	if r <= ' ' || r > '~' || r == '#' {
		return -1
	}
	return r
}

func FuzzCursor(f *testing.F) {
	for _, cursor := range []string{
		"eyJvZmZzZXQiOjJ9", "AQ", "", "////", "AdgD3HTGE3WdMDFNODM4NDhYUzYyOEJQNEQ2UDZLS0ZSMjU",
	} {
		f.Add(cursor)
	}
	c := newCaptured(f)
	f.Fuzz(func(t *testing.T, cursor string) {
		a := c.ask(t, ask{"GET", "/v1/wallet/transactions?cursor=" + url.QueryEscape(cursor), c.shop, "", nil})
		if c.query == nil {
			if a.status != 400 || a.text("source") != "cursor" {
				t.Fatalf("%q: %d %s", cursor, a.status, a.body)
			}
			return
		}
		if c.query.Before == "" && cursor == "" {
			t.Fatal("an empty cursor was taken for one")
		}
	})
}

func FuzzAuthorization(f *testing.F) {
	c := newCaptured(f)
	for _, header := range []string{c.shop, "Bearer " + c.shop, "", "Bearer", "pr_", "\x00"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		a := c.ask(t, ask{"GET", "/v1/wallet/transactions", "", "", http.Header{"Authorization": {header}}})
		if (a.status == 200) != strings.HasSuffix(header, c.shop) && a.status != 401 {
			t.Fatalf("%q: %d %s", header, a.status, a.body)
		}
		if a.status == 200 && !strings.HasSuffix(header, c.shop) {
			t.Fatalf("%q was let in", header)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, path := range []string{"wt_01JDM3Z7V8H8Q2X9K0R1ABCD12", "a/b", "%00", "..", "", "capture", "я"} {
		f.Add(path)
	}
	c := newCaptured(f)
	f.Fuzz(func(t *testing.T, id string) {
		path := "/v1/wallet/" + url.PathEscape(id) + "/capture"
		a := c.ask(t, ask{"POST", path, c.shop, `{"amount":1}`, idem("k")})
		if a.status != 404 {
			t.Fatalf("%q: %d %s", id, a.status, a.body)
		}
		if c.in != nil {
			if got := c.in.Command.(machine.Capture).ID; got != "" && got != id {
				t.Fatalf("%q was taken for %q", id, got)
			}
		}
	})
}
