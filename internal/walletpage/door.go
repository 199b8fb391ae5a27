// Package walletpage is the door for the owners of wallets: log in with phone and one-time code, see balance
// and statement, answer what waits for approval. Every page is whole HTML that needs no script, and every
// form may be sent twice and acts once. It decides nothing about money: an answer becomes an instruction.
package walletpage

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"errors"
	"net/http"

	"plexy/internal/access"
	"plexy/internal/clock"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/merchant"
	"plexy/internal/notify"
	"plexy/internal/server"
	"plexy/internal/storage"
	"plexy/internal/vault"
	"plexy/internal/web"
)

// Path is where the door is; mount it there.
const Path = "/wallet"

// The pages of the door.
const (
	logInPath     = Path + "/log-in"
	codePath      = Path + "/code"
	logOutPath    = Path + "/log-out"
	approvePath   = Path + "/approve"
	declinePath   = Path + "/decline"
	statementPath = Path + "/statement"
	csvPath       = Path + "/statement.csv"
)

// The door's own cookies.
const (
	askedCookie = "plexy_asked"
	logInCookie = "plexy_log_in"
)

//go:embed texts
var files embed.FS

// Owner carries out what the owner of a wallet answers.
type Owner interface {
	// Approve is the customer's yes to a transaction of one of the customer's wallets. It returns the
	// transaction as it then is, or why it cannot be answered so.
	Approve(ctx context.Context, customer, transaction string) (wallet.Transaction, reject.Reason, error)
	// Decline is the customer's no, with the same meaning of what is returned.
	Decline(ctx context.Context, customer, transaction string) (wallet.Transaction, reject.Reason, error)
}

// Reader is what the pages read.
type Reader interface {
	storage.Reader
	storage.People
	// Merchant returns a merchant, or storage.ErrNotFound.
	Merchant(ctx context.Context, id string) (merchant.Merchant, error)
}

// Vaults gives the vault that finds and opens phones.
type Vaults interface {
	// Current returns the vault of the generation last seen.
	Current() *vault.Vault
	// Refresh reads the vault's keys again.
	Refresh(ctx context.Context) error
}

// Post sends messages in the background; *notify.Post is one.
type Post interface {
	// Send takes a message, or answers false.
	Send(m notify.Message) bool
}

// Options are what the door needs; all are required.
type Options struct {
	Reader Reader
	Owner  Owner
	Vaults Vaults
	Post   Post
	Site   *web.Site
	// Clock is what transactions live by; in a sandbox it may be ahead or stand still.
	Clock clock.Clock
	// Machine is the machine's clock, for codes, log-ins and their limits.
	Machine clock.Clock
	// NewID makes an id of the kind that the prefix names.
	NewID func(prefix string) string
	// Key keys the digests of codes, phones and addresses; the same in all processes of an installation.
	Key []byte
}

// Door is the wallet page. It is safe for any number of goroutines.
type Door struct {
	options Options
	pages   *web.Pages
	routes  map[string]route
}

// route is one page: what it does when it is asked for, and when a form is sent to it.
type route struct{ get, post func(*visit) }

var (
	_ server.Door       = (*Door)(nil)
	_ server.Apologizer = (*Door)(nil)
)

// New makes the door. It reads no page before the first is asked for.
func New(o Options) *Door {
	d := &Door{options: o, pages: web.NewPages(files)}
	d.routes = map[string]route{
		Path:          {get: d.home},
		logInPath:     {get: d.toHome, post: d.askForCode},
		codePath:      {get: d.askCode, post: d.tryCode},
		logOutPath:    {get: d.toHome, post: d.logOut},
		approvePath:   {get: d.toHome, post: d.approve},
		declinePath:   {get: d.toHome, post: d.decline},
		statementPath: {get: d.statement},
		csvPath:       {get: d.statementCSV},
	}
	return d
}

// visit is one request, and who sent it once that is known.
type visit struct {
	*web.Visit
	ctx context.Context // ends at the request's deadline
	person
}

// Serve answers one request.
func (d *Door) Serve(x *server.Exchange, r *http.Request) {
	x.Route = Path
	page, known := d.routes[r.URL.Path]
	if known {
		x.Route = r.URL.Path // one of the table
	}
	ctx, cancel := x.Deadline(r.Context())
	defer cancel()
	v := &visit{Visit: d.options.Site.Begin(x, r), ctx: ctx}
	switch {
	case !known:
		d.pages.Sorry(v.Visit, http.StatusNotFound, "missing", Path)
	case (r.Method == http.MethodGet || r.Method == http.MethodHead) && v.Chosen:
		d.rememberLanguage(v)
		v.Redirect(v.Here())
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		page.get(v)
	case r.Method != http.MethodPost || page.post == nil:
		x.Header().Set("Allow", page.methods())
		d.pages.Sorry(v.Visit, http.StatusMethodNotAllowed, "method", Path)
	case !v.Posted():
		d.pages.Sorry(v.Visit, http.StatusForbidden, "form", Path)
	default:
		page.post(v)
	}
}

func (p route) methods() string {
	if p.post == nil {
		return "GET, HEAD"
	}
	return "GET, HEAD, POST"
}

// Apologize answers for a page that panicked.
func (d *Door) Apologize(x *server.Exchange, r *http.Request) {
	d.pages.Sorry(d.options.Site.Begin(x, r), http.StatusInternalServerError, "broken", Path)
}

// toHome is where a form's address leads when somebody opens or reloads it.
func (d *Door) toHome(v *visit) { v.Redirect(Path) }

// trouble answers when the database or the committer could not: with 503, because it may be tried again.
func (d *Door) trouble(v *visit, err error) {
	v.Trouble = err
	v.Header().Set("Retry-After", "1")
	d.pages.Sorry(v.Visit, http.StatusServiceUnavailable, "busy", Path)
}

// digest is the keyed digest of a value for one purpose.
func (d *Door) digest(purpose, value string) (h access.Hash) {
	mac := hmac.New(sha256.New, d.options.Key)
	mac.Write([]byte(purpose + "\x00" + value))
	mac.Sum(h[:0])
	return h
}

// absent reports whether there is no such row, which is an answer; err is then nil.
func absent(err error) (bool, error) {
	if errors.Is(err, storage.ErrNotFound) {
		return true, nil
	}
	return false, err
}
