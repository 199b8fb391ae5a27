package checkout

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"plexy/internal/access"
)

// page is a kind of address below a link.
type page string

// The pages of a link, and of a payment of it.
const (
	linkPage    page = ""
	paymentPage page = "payment"
	statePart   page = "state"  // what a script asks until something changes
	codePart    page = "qr.svg" // the link as a QR code
	backPart    page = "back"   // where the bank's page returns to
	methodPart  page = "method" // where the page of the 3DS method returns to
	leavePart   page = "leave"  // where the payer gives up 3-D Secure
)

// address is what an address of the door means.
type address struct {
	Link    string
	Page    page
	Ticket  string // of a payment's pages, as it stands there
	Payment string // that the ticket is for, once it was looked at
}

// Short reports whether a path is a link's id alone, as the API's url has it.
func Short(path string) bool {
	id, ok := strings.CutPrefix(path, "/")
	return ok && isLink(id)
}

// isLink reports whether s is a link's id: pl_ and 32 hexadecimal digits.
func isLink(s string) bool {
	hex, ok := strings.CutPrefix(s, "pl_")
	return ok && len(hex) == 32 && strings.Trim(hex, "0123456789abcdef") == ""
}

// parseAddress reads a path.
func parseAddress(path string) (a address, ok bool) {
	if Short(path) {
		return address{Link: path[1:]}, true
	}
	rest, ok := strings.CutPrefix(path, Path+"/pl/")
	if !ok {
		return a, false
	}
	parts := strings.Split(rest, "/")
	a.Link = parts[0]
	if !isLink(a.Link) || len(parts) > 3 {
		return a, false
	}
	if len(parts) == 1 {
		return a, true
	}
	if p := page(parts[1]); len(parts) == 2 && (p == statePart || p == codePart) {
		a.Page = p
		return a, true
	}
	a.Ticket, a.Page = parts[1], paymentPage
	if len(parts) == 3 {
		a.Page = page(parts[2])
		return a, a.Page == statePart || a.Page == backPart || a.Page == methodPart || a.Page == leavePart
	}
	return a, true
}

// route is the address's template, for the log.
func (a address) route() string {
	route := Path + "/pl/{id}"
	if a.Ticket != "" {
		route += "/{payment}"
	}
	if a.Page != linkPage && a.Page != paymentPage {
		route += "/" + string(a.Page)
	}
	return route
}

// here is the link's page in the language that was asked for.
func (v *visit) here() string { return v.path("") }

// path is an address below the link, in the language that was asked for: in a frame no cookie keeps it.
func (v *visit) path(rest string) string {
	path := Path + "/pl/" + v.Link
	if rest != "" {
		path += "/" + rest
	}
	if v.Chosen {
		path += "?lang=" + string(v.Language)
	}
	return path
}

// digest is a keyed digest of text for one purpose, as it stands in addresses and forms.
func (d *Door) digest(purpose, text string) string {
	mac := hmac.New(sha256.New, d.options.Key)
	mac.Write([]byte("checkout " + purpose + "\x00" + text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// ticket is what opens the pages of a link's payment: only who was sent there has it, the payer and the bank.
// It shows a receipt and changes nothing but what the payer's own 3-D Secure does.
func (d *Door) ticket(link, payment string) string {
	return payment + "." + d.digest("payment", link+" "+payment)
}

// open returns the payment that a ticket of the link is for.
func (d *Door) open(link, ticket string) (payment string, ok bool) {
	payment, digest, ok := strings.Cut(ticket, ".")
	return payment, ok && same(digest, d.digest("payment", link+" "+payment))
}

// formLife is how long a form may be open before it is shown again.
const formLife = 24 * time.Hour

// newKey makes the key of one form of a link: however often it is sent, it makes one payment.
func (d *Door) newKey(link string) string {
	text := strconv.FormatInt(d.options.Clock.Now(), 36) + "." + access.NewToken()
	return text + "." + d.digest("form", link+" "+text)
}

// goodKey reports whether the key is of a form of the link that was made in the last day.
func (d *Door) goodKey(link, key string) bool {
	at := strings.LastIndexByte(key, '.')
	if at < 0 || !same(key[at+1:], d.digest("form", link+" "+key[:at])) {
		return false
	}
	made, _, _ := strings.Cut(key, ".")
	when, err := strconv.ParseInt(made, 36, 64)
	return err == nil && d.options.Clock.Now()-when < formLife.Microseconds()
}
