package httpapi

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"

	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/sandbox"
)

// magicValues is the table of magic values as the API shows it.
type magicValues struct {
	PhoneNumbers []magicPhone  `json:"phoneNumbers"`
	Amounts      []magicAmount `json:"amounts"`
	Cards        []magicCard   `json:"cards"`
	CardAmounts  []magicLate   `json:"cardAmounts"`
	Faults       []magicFault  `json:"faults"`
}

type magicPhone struct {
	PhoneNumber   string         `json:"phoneNumber"`
	Status        string         `json:"walletTransactionStatus"`
	FailureReason *reject.Reason `json:"failureReason"`
	Description   string         `json:"description"`
}

type magicAmount struct {
	Amount      int64          `json:"amount"`
	Capture     *reject.Reason `json:"captureReason"`
	Refund      *reject.Reason `json:"refundReason"`
	Description string         `json:"description"`
}

type magicCard struct {
	Number       string `json:"number"`
	ThreeDS      string `json:"threeDS"`
	ResponseCode string `json:"responseCode"`
	Description  string `json:"description"`
}

type magicLate struct {
	Amount       int64  `json:"amount"`
	ResponseCode string `json:"responseCode"`
	Description  string `json:"description"`
}

type magicFault struct {
	Name        sandbox.Fault `json:"name"`
	Description string        `json:"description"`
}

// orNull turns no reason into JSON's null.
func orNull(r reject.Reason) *reject.Reason {
	if r == "" {
		return nil
	}
	return &r
}

func allMagic() magicValues {
	var all magicValues
	for _, p := range sandbox.Payers() {
		all.PhoneNumbers = append(all.PhoneNumbers, magicPhone{
			p.Phone(), string(p.Status()), orNull(p.Failure()), p.Words,
		})
	}
	for _, a := range sandbox.Amounts() {
		all.Amounts = append(all.Amounts, magicAmount{a.Minor, orNull(a.Capture), orNull(a.Refund), a.Words})
	}
	for _, c := range sandbox.Cards() {
		all.Cards = append(all.Cards, magicCard{
			c.Number, cmp.Or(string(c.Secure.Screen), "none"), cmp.Or(c.Code, "00"), c.Words,
		})
	}
	for _, l := range sandbox.Lates() {
		all.CardAmounts = append(all.CardAmounts, magicLate{l.Minor, l.Code, l.Words})
	}
	for _, f := range sandbox.Faults() {
		all.Faults = append(all.Faults, magicFault{f, f.Words()})
	}
	return all
}

// magicJSON is the answer to GET /v1/sandbox/values.
var magicJSON = sync.OnceValue(func() []byte {
	body, err := json.Marshal(allMagic())
	if err != nil {
		panic("httpapi: a table of texts and numbers cannot fail to encode")
	}
	return body
})

func (a *API) showMagic(c *call) { c.read(magicJSON()) }

// showPage answers GET /sandbox with a page for people. It needs no script, no asset and no key: it says what
// is in the documentation.
func (a *API) showPage(c *call) {
	h := c.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src '"+styleHash()+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	c.WriteHeader(http.StatusOK)
	c.Write(magicPage())
}

// styleHash is the style sheet's hash, by which the page's policy allows it and nothing else.
func styleHash() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

const pageStyle = `
:root{color-scheme:light dark;--ink:#1b1f24;--ink-soft:#57606a;--line:#d0d7de;--ground:#fff;--panel:#f6f8fa}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--ink-soft:#9aa4af;--line:#3d444d;--ground:#0d1117;
--panel:#161b22}}
body{margin:0;background:var(--ground);color:var(--ink);font:17px/1.5 system-ui,sans-serif}
main{max-width:60rem;margin:0 auto;padding:32px 16px 64px}
h1{font-size:28px;line-height:1.2}h2{font-size:21px;margin-top:48px}p{max-width:36rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:15px}
caption{text-align:left;color:var(--ink-soft);padding-bottom:8px}
th,td{text-align:left;vertical-align:top;padding:8px 16px 8px 0;border-bottom:1px solid var(--line)}
th[scope=row],.number{font-weight:400;white-space:nowrap;font-variant-numeric:tabular-nums}
code,pre{font:15px/1.5 ui-monospace,monospace}pre{background:var(--panel);border-radius:6px;padding:16px;
overflow-x:auto}a{color:inherit}
`

// row writes one line of a table; the first cell heads it. Reasons are shown as code, none as a dash.
func row(b *strings.Builder, cells ...string) {
	b.WriteString("<tr>")
	for i, cell := range cells {
		if cell == "" {
			cell = "–"
		}
		if i == 0 {
			b.WriteString(`<th scope="row"><code>` + html.EscapeString(cell) + `</code></th>`)
		} else {
			b.WriteString(`<td>` + html.EscapeString(cell) + `</td>`)
		}
	}
	b.WriteString("</tr>\n")
}

// head begins a table with a caption and its columns' names.
func head(b *strings.Builder, caption string, columns ...string) {
	b.WriteString(`<div class="scroll"><table><caption>` + caption + `</caption><thead><tr>`)
	for _, c := range columns {
		b.WriteString(`<th scope="col">` + c + `</th>`)
	}
	b.WriteString("</tr></thead><tbody>\n")
}

const tail = "</tbody></table></div>\n"

// cardTables are the tables of card payments; the one before them is still open, and so is the last of them.
func cardTables(b *strings.Builder) {
	b.WriteString(tail + `<h2 id="cards">Test cards</h2>
<p>With any expiry that is not over and any CVV: ` + sandbox.BadCVV + ` is the one that does not match. In a
challenge the code ` + sandbox.CodeRight + ` succeeds and ` + sandbox.CodeWrong + ` fails. Every other card
number that passes Luhn's check (` + sandbox.LuhnFails + ` does not) succeeds without a challenge.</p>
`)
	head(b, "How a card is authenticated, and what its authorization is answered", "Card", "Challenge",
		"responseCode", "What happens")
	for _, c := range sandbox.Cards() {
		row(b, c.Number, string(c.Secure.Screen), cmp.Or(c.Code, "00"), c.Words)
	}
	b.WriteString(tail + `<h2 id="card-amounts">Amounts of card payments</h2>
<p>An amount of the form <code>20CC0</code>, in minor units or in whole major ones, has the response code CC:
20510 is declined with 51, 20100 approved for half. An amount of 0 verifies the card. These are decided
later:</p>
`)
	head(b, "What is pending", "amount", "In tenge", "responseCode", "What happens")
	for _, l := range sandbox.Lates() {
		row(b, strconv.FormatInt(l.Minor, 10), money.Format(l.Minor, money.KZT), l.Code, l.Words)
	}
}

// magicPage is the whole page.
var magicPage = sync.OnceValue(func() []byte {
	var b strings.Builder
	b.WriteString(`<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>Plexy sandbox</title><style>` + pageStyle + `</style></head><body><main>
<h1>Plexy sandbox</h1>
<p>Every outcome, every delay and every fault that production would bring, on demand. Nothing here exists
in production. The same tables as JSON: <a href="/v1/sandbox/values">/v1/sandbox/values</a>.</p>
<h2 id="phones">Magic phone numbers</h2>
<p>Authorize with one of these numbers and any valid IIN. Behind each stands a test person of the sandbox,
whose wallet is opened and filled at the first use.</p>
`)
	head(&b, "What authorize answers", "phoneNumber", "Status", "failureReason", "What happens")
	for _, p := range sandbox.Payers() {
		row(&b, p.Phone(), string(p.Status()), string(p.Failure()), p.Words)
	}
	b.WriteString(tail + `<h2 id="amounts">Magic amounts</h2>
<p>Capture or refund exactly one of these amounts, of a transaction whose payer was a magic number.</p>
`)
	head(&b, "Why it is refused", "amount", "In tenge", "Capture", "Refund", "How long")
	for _, a := range sandbox.Amounts() {
		row(&b, strconv.FormatInt(a.Minor, 10), money.Format(a.Minor, money.KZT), string(a.Capture),
			string(a.Refund), a.Words)
	}
	cardTables(&b)
	b.WriteString(tail + `<h2 id="faults">Faults</h2>
<p>Send the header <code>Plexy-Fault</code> with any wallet operation, or set <code>fault</code> of the
merchant. Every other attempt of the same request is struck. For card payments set <code>fault</code> to
<code>acquirer:NAME</code> for every call of the acquirer, to <code>acquirer_CALL:NAME</code> for one
(authorize, capture, cancel, refund, inquire, 3ds), or to <code>callback:NAME</code> for what it sends.</p>
`)
	head(&b, "What goes wrong", "Plexy-Fault", "What happens")
	for _, f := range sandbox.Faults() {
		row(&b, string(f), f.Words())
	}
	b.WriteString(tail + `<h2 id="clock">The test clock</h2>
<p>Move the time of the whole sandbox, for instance past the end of a hold:</p>
<pre>curl -X POST http://HOST/v1/sandbox/clock \
  -H 'Authorization: YOUR API KEY' \
  -H 'Content-Type: application/json' \
  -d '{"advance":"168h"}'</pre>
</main></body></html>
`)
	return []byte(b.String())
})
