package checkout

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	qr "github.com/piglig/go-qr"

	"plexy/internal/core/link"
	"plexy/internal/core/payment"
	"plexy/internal/shopper"
	"plexy/internal/web"
)

// metadata is what the door knows of a link's metadata. The addresses are of the web, or "".
type metadata struct {
	Success, Failure, Cancel, Callback string
	Order                              string // order reference of the session that made the link
	Terminal                           string // that session's; no member of the object
}

// readMetadata reads the merchant's object; what is not as expected is left out, since merchants send much.
func readMetadata(text string) (m metadata) {
	var fields map[string]jsontext.Value
	if text == "" || json.Unmarshal([]byte(text), &fields) != nil {
		return m
	}
	for name, to := range map[string]*string{
		"successUrl": &m.Success, "failureUrl": &m.Failure, "cancelUrl": &m.Cancel, "callbackUrl": &m.Callback,
	} {
		var address string
		if json.Unmarshal(fields[name], &address) == nil && web.OriginOf(address) != "" {
			*to = address
		}
	}
	_ = json.Unmarshal(fields["orderReference"], &m.Order) // a text, or none of ours
	return m
}

// readRecurring reads how the link's payment begins a series, as the API writes it.
func readRecurring(text string) (r payment.Recurring, parent string) {
	var fields struct {
		Type      payment.RecurringType `json:"type"`
		Frequency int64                 `json:"frequency"`
		Expiry    time.Time             `json:"expiry"`
		Parent    string                `json:"parentTransactionId"`
	}
	if text == "" || json.Unmarshal([]byte(text), &fields) != nil || fields.Type != payment.Initial {
		return r, ""
	}
	r = payment.Recurring{Type: fields.Type, Frequency: fields.Frequency}
	if !fields.Expiry.IsZero() {
		r.ExpiresAt = fields.Expiry.UnixMicro()
	}
	return r, fields.Parent
}

// offer is what every page of a link shows: to whom, how much, what for.
type offer struct {
	Merchant string
	Link     link.Link
	Order    string // order reference, "" for none
	Cancel   string // where "cancel" leads, "" for nowhere
	Tell     tell
}

// tell is what the page tells the page that it is framed by.
type tell struct {
	Origins []string // who may hear it
	State   string
	Link    string
	Payment string // "" before there is one
}

// state is the word for where a link is, as the script, the parent page and the tests know it.
func (d *Door) stateOf(l link.Link) string {
	status := l.StatusAt(d.options.Clock.Now())
	if status == link.Active && l.Busy != "" {
		return "busy"
	}
	return string(status)
}

// order is the order reference that payments of the link carry. A link that a payment session made has none
// of its own, because a shop may begin many for one order.
func (v *visit) order() string {
	if _, ok := shopper.SessionOf(v.link.CreatedBy); ok {
		return v.meta.Order
	}
	return v.link.OrderReference
}

func (d *Door) offer(v *visit) offer {
	return offer{
		Merchant: v.merchant.Name, Link: v.link, Order: v.order(), Cancel: v.meta.Cancel,
		Tell: tell{Origins: v.merchant.Settings.Frames(), State: d.stateOf(v.link), Link: v.Link},
	}
}

// show shows the link: the form, or why there is none. Who has a payment of it under way is taken there.
func (d *Door) show(v *visit) {
	mine := d.mine(v)
	if mine != "" && v.link.Busy == mine {
		v.Redirect(v.path(d.ticket(v.Link, mine)))
		return
	}
	state := d.stateOf(v.link)
	if state == string(link.Active) {
		d.showForm(v, http.StatusOK, entry{Key: d.newKey(v.Link)})
		return
	}
	receipt := ""
	if mine != "" && v.link.Payment == mine {
		receipt = v.path(d.ticket(v.Link, mine))
	}
	o := d.offer(v)
	d.compose(v, http.StatusOK, func(f *web.Frame) web.Page {
		return web.Page{Title: f.T("link." + state + ".title"), Main: closed(f, o, state, v.path("state"), receipt)}
	})
}

// compose shows a page of this door.
func (d *Door) compose(v *visit, status int, make func(*web.Frame) web.Page) {
	d.pages.Show(v.Visit, status, func(f *web.Frame) web.Page {
		p := make(f)
		p.Home, p.Script, p.Narrow = v.here(), script().address, true
		return p
	})
}

// paying is the cookie that leads back to the payment that was begun last. It says link and ticket.
const paying = "plexy_paying"

// mine is the payment of this link that this browser began last, "" for none.
func (d *Door) mine(v *visit) string {
	link, ticket, _ := strings.Cut(d.options.Site.Cookie(v.Request, paying), "/")
	payment, ok := d.open(link, ticket)
	if !ok || link != v.Link {
		return ""
	}
	return payment
}

// remember lets the browser find its payment again, after going back or in another tab.
func (d *Door) remember(v *visit, payment string) {
	d.options.Site.SetCookie(v.Exchange, paying, v.Link+"/"+d.ticket(v.Link, payment), 0)
}

// state tells a script where the link, or the payment, is.
func (d *Door) state(v *visit) {
	state := d.stateOf(v.link)
	if v.Payment != "" {
		r, ok := d.look(v)
		if !ok {
			return
		}
		state = standing(r)
	}
	v.Data("application/json", []byte(`{"state":"`+state+`"}`))
}

// code is the link as a QR code, for a phone before the screen.
func (d *Door) code(v *visit) {
	code, err := qr.EncodeText(d.options.PublicURL()+"/"+v.Link, qr.Medium)
	if err != nil {
		d.trouble(v, fmt.Errorf("make a QR code: %w", err))
		return
	}
	const scale, border = 4, 16 // a border of four modules, as the standard wants
	svg, err := code.ToSVGBytes(qr.NewQrCodeImgConfig(scale, border, qr.WithOptimalSVG()))
	if err != nil {
		d.trouble(v, fmt.Errorf("draw a QR code: %w", err))
		return
	}
	v.Data("image/svg+xml", svg)
}

// host is what people read of an address.
func host(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Hostname()
	}
	return ""
}
