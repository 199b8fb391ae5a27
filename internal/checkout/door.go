// Package checkout is the door of payers: the hosted page of a payment link, where a card is typed, 3-D
// Secure is gone through, and the receipt is read. Every page is whole HTML that needs no script; a script of
// our own makes it easier. It decides nothing about money: acquiring carries out what the payer asked for.
//
// A payer has no account and, in a frame of the merchant's page, no cookies. So a form carries a key that was
// made for it, and the page of a payment has an address that nobody guesses (see ticket.go). A card number
// goes from the form into card.Number and from there to acquiring: no page, log, error or address has it.
package checkout

import (
	"context"
	"embed"
	"errors"
	"net/http"
	"time"

	"plexy/internal/acquiring"
	"plexy/internal/clock"
	"plexy/internal/core/journal"
	"plexy/internal/core/link"
	"plexy/internal/core/payment"
	"plexy/internal/merchant"
	"plexy/internal/server"
	"plexy/internal/shopper"
	"plexy/internal/storage"
	"plexy/internal/web"
)

// Path is where the door is; mount it there. A link is also at its id alone, see Short.
const Path = "/checkout"

// slowBank is how long a payer waits for an answer of the bank's, besides what any request may take. After it
// the page says that the bank has not answered yet, and goes on asking.
const slowBank = 10 * time.Second

// Bounds of what a link is tried with: whoever has one could find out by it which stolen cards are good.
const (
	maxTries   = 10 // payments of one link in triesSpan
	triesSpan  = time.Hour
	retryAfter = "3600" // seconds
)

//go:embed texts assets
var files embed.FS

// Acquiring makes payments; *acquiring.Acquiring is one.
type Acquiring interface {
	// Pay makes a payment, one for a key.
	Pay(ctx context.Context, r acquiring.Request) (acquiring.Result, error)
	// Continue goes on after 3-D Secure's step.
	Continue(ctx context.Context, c acquiring.Continuation) (acquiring.Result, error)
	// GiveUp rejects a payment whose payer leaves 3-D Secure; it changes nothing once the payer came back.
	GiveUp(ctx context.Context, merchant, payment string, origin journal.Origin) (acquiring.Result, error)
	// Look shows a payment as it is, with what the browser must do next.
	Look(ctx context.Context, merchant, payment string) (acquiring.Result, error)
}

// Reader is what the pages read.
type Reader interface {
	// AnyLink returns a link, or storage.ErrNotFound.
	AnyLink(ctx context.Context, id string) (link.Link, error)
	// Merchant returns a merchant, or storage.ErrNotFound.
	Merchant(ctx context.Context, id string) (merchant.Merchant, error)
	// Session returns a payment session, or storage.ErrNotFound.
	Session(ctx context.Context, id string) (shopper.Session, error)
	// Payments returns at most q.Limit payments, and how many there are in all.
	Payments(ctx context.Context, q storage.PaymentQuery) ([]payment.Payment, int64, error)
}

// Options are what the door needs; all are required.
type Options struct {
	Reader    Reader
	Acquiring Acquiring
	Site      *web.Site
	// Clock is what links live by; in a sandbox it may be ahead or stand still.
	Clock clock.Clock
	// PublicURL returns the address of the site as browsers see it, without a slash at its end.
	PublicURL func() string
	// NewPayment makes the id of a payment, a UUIDv7.
	NewPayment func() string
	// Key keys what forms and addresses carry; the same in all processes of an installation.
	Key []byte
}

// Door is the hosted page. It is safe for any number of goroutines.
type Door struct {
	options Options
	pages   *web.Pages
}

var (
	_ server.Door       = (*Door)(nil)
	_ server.Apologizer = (*Door)(nil)
)

// New makes the door. It reads no page before the first is asked for.
func New(o Options) *Door { return &Door{options: o, pages: web.NewPages(files)} }

// visit is one request for a page of a link.
type visit struct {
	*web.Visit
	ctx context.Context // ends when the payer is told to wait; not when the browser goes away

	address
	link     link.Link
	merchant merchant.Merchant
	meta     metadata
}

// Serve answers one request.
func (d *Door) Serve(x *server.Exchange, r *http.Request) {
	x.Route = Path
	if r.URL.Path == scriptPath {
		x.Route = scriptPath
		d.script(x, r)
		return
	}
	a, known := parseAddress(r.URL.Path)
	v := &visit{Visit: d.options.Site.Begin(x, r), address: a}
	if known && a.Ticket != "" {
		a.Payment, known = d.open(a.Link, a.Ticket)
		v.address = a
	}
	if !known {
		d.pages.Sorry(v.Visit, http.StatusNotFound, "missing", "")
		return
	}
	x.Route = a.route()
	handle, methods := d.handler(a, r.Method)
	if handle == nil {
		x.Header().Set("Allow", methods)
		d.pages.Sorry(v.Visit, http.StatusMethodNotAllowed, "method", v.here())
		return
	}
	ctx, cancel := x.Waiting(context.WithoutCancel(r.Context()), slowBank)
	defer cancel()
	v.ctx = ctx
	if d.load(v) {
		handle(v)
	}
}

// handler returns what answers a method at an address; nil and what may be asked there for nothing.
func (d *Door) handler(a address, method string) (handle func(*visit), methods string) {
	get, post := map[page]func(*visit){
		linkPage: d.show, paymentPage: d.stand, statePart: d.state, codePart: d.code,
	}, map[page]func(*visit){
		linkPage: d.pay, paymentPage: d.proceed, backPart: d.back, methodPart: d.methodDone, leavePart: d.leave,
	}
	if a.Page == backPart || a.Page == methodPart || a.Page == leavePart {
		get[a.Page] = d.toPayment // somebody reloads what was posted
	}
	switch method {
	case http.MethodGet, http.MethodHead:
		handle = get[a.Page]
	case http.MethodPost:
		handle = post[a.Page]
	}
	if post[a.Page] == nil {
		return handle, "GET, HEAD"
	}
	return handle, "GET, HEAD, POST"
}

// load reads the link and its merchant, and says who may show the page in a frame. False: it has answered.
func (d *Door) load(v *visit) bool {
	var err error
	if v.link, err = d.options.Reader.AnyLink(v.ctx, v.Link); err == nil {
		v.merchant, err = d.options.Reader.Merchant(v.ctx, v.link.Merchant)
	}
	if err == nil {
		v.meta = readMetadata(v.link.Metadata)
		err = d.addSession(v)
	}
	switch {
	case errors.Is(err, storage.ErrNotFound):
		d.pages.Sorry(v.Visit, http.StatusNotFound, "missing", "")
		return false
	case err != nil:
		d.trouble(v, err)
		return false
	}
	v.Policy = web.Policy{Script: true, Ancestors: v.merchant.Settings.Frames()}
	return true
}

// addSession adds what only the session that made the link, if one did, knows: where it wants to be called
// back, and its terminal.
func (d *Door) addSession(v *visit) error {
	id, ok := shopper.SessionOf(v.link.CreatedBy)
	if !ok {
		return nil
	}
	session, err := d.options.Reader.Session(v.ctx, id)
	if err != nil {
		return err
	}
	v.meta.Callback, v.meta.Terminal = session.CallbackURL, session.Terminal
	return nil
}

// Apologize answers for a page that panicked.
func (d *Door) Apologize(x *server.Exchange, r *http.Request) {
	d.pages.Sorry(d.options.Site.Begin(x, r), http.StatusInternalServerError, "broken", r.URL.Path)
}

// trouble answers when the database or the committer could not: with 503, because it may be tried again.
func (d *Door) trouble(v *visit, err error) {
	v.Trouble = err
	v.Header().Set("Retry-After", "1")
	d.pages.Sorry(v.Visit, http.StatusServiceUnavailable, "busy", v.here())
}
