package walletpage

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"plexy/internal/access"
	"plexy/internal/core/wallet"
	"plexy/internal/customer"
	"plexy/internal/id"
	"plexy/internal/notify"
	"plexy/internal/storage"
	"plexy/internal/vault"
	"plexy/internal/web"
)

// How many codes may be asked for. They are counted in windows that begin at fixed times, so at the border
// of two up to twice as many may come. With five tries a code, whoever knows a phone has at most 50 guesses a
// day at one in a million. The numbers of an address leave room for a mobile operator's customers behind one.
const (
	perPhone      = 3   // in the short window
	perPhoneDay   = 10  //
	perAddress    = 30  // in the short window
	perAddressDay = 500 //
	shortWindow   = 15 * 60 * 1_000_000
	dayWindow     = 24 * 60 * 60 * 1_000_000
)

// entry is what the two pages of logging in show.
type entry struct {
	Wrong  string // key of the text that says what is wrong, "" for nothing
	Notice string // key of a text that says what happened, "" for nothing
	Left   int    // tries
	Shown  string // the phone, masked
	Typed  string // what was typed into the field, where that is to be corrected
}

// notices are what the address of the first page may say, and nothing else.
var notices = map[string]string{"out": "notice.out", "idle": "notice.idle", "again": "notice.again"}

func (d *Door) showLogIn(v *visit, status int, e entry) {
	d.pages.Show(v.Visit, status, func(f *web.Frame) web.Page {
		return web.Page{Title: titled(f, "login.title", e.Wrong != ""), Home: Path, Main: loginForm(f, e)}
	})
}

// askForCode is the form with the phone. Whether the phone has a wallet changes nothing that can be seen: the
// same rows are written, the same answer is given, and the message goes out beside the request.
func (d *Door) askForCode(v *visit) {
	typed := strings.TrimSpace(v.Request.PostForm.Get("phone"))
	phone, err := customer.ParsePhone(typed)
	if err != nil {
		d.showLogIn(v, http.StatusUnprocessableEntity, entry{Wrong: "phone.wrong", Typed: typed})
		return
	}
	owner, err := d.ownerOf(v.ctx, phone)
	if err != nil {
		d.trouble(v, err)
		return
	}
	now := d.options.Machine.Now()
	token, digits := access.NewToken(), access.NewCode()
	code := access.Code{
		Hash: access.HashOf(token), Customer: owner.ID, Phone: d.digest("phone", phone.Reveal()),
		Shown: phone.Masked(), Digits: d.digest("code", token+digits),
		CreatedAt: now, ExpiresAt: now + access.CodeLife,
	}
	added, err := d.options.Reader.AddCode(v.ctx, code, d.quotas(phone, d.options.Site.Address(v.Request), now))
	if err != nil {
		d.trouble(v, err)
		return
	}
	if !added {
		v.Header().Set("Retry-After", strconv.Itoa(shortWindow/1_000_000))
		d.showLogIn(v, http.StatusTooManyRequests, entry{Wrong: "phone.limited"})
		return
	}
	if owner.ID != "" {
		d.sendCode(v, phone, digits, now)
	}
	d.options.Site.SetCookie(v.Exchange, askedCookie, token, access.CodeLife/1_000_000)
	v.Redirect(codePath)
}

// ownerOf finds the customer with the phone; the zero one when there is none. A rotation may index the row
// under a key that we do not have yet, so a miss counts only when the keys are the same after it.
func (d *Door) ownerOf(ctx context.Context, phone customer.Phone) (wallet.Customer, error) {
	for {
		v := d.options.Vaults.Current()
		var indexes []string
		for _, index := range v.Indexes(vault.PurposePhone, phone.Reveal()) {
			indexes = append(indexes, string(index))
		}
		found, err := d.options.Reader.CustomerByPhone(ctx, indexes)
		none, err := absent(err)
		if !none || err != nil {
			return found, err
		}
		if err := d.options.Vaults.Refresh(ctx); err != nil || d.options.Vaults.Current() == v {
			return wallet.Customer{}, err
		}
	}
}

// quotas are what asking for a code counts against. Their names are digests: who asked for codes is nobody's
// business.
func (d *Door) quotas(phone customer.Phone, address string, now int64) []storage.Quota {
	quota := func(purpose, value string, window int64, most int) storage.Quota {
		name := d.digest(purpose, value)
		return storage.Quota{Name: hex.EncodeToString(name[:16]), Until: (now/window + 1) * window, Most: most}
	}
	return []storage.Quota{
		quota("address", address, shortWindow, perAddress),
		quota("address of a day", address, dayWindow, perAddressDay),
		quota("phone", phone.Reveal(), shortWindow, perPhone),
		quota("phone of a day", phone.Reveal(), dayWindow, perPhoneDay),
	}
}

// sendCode hands the code to the post. When the post does not take it the page says the same; the person asks
// again.
func (d *Door) sendCode(v *visit, phone customer.Phone, digits string, now int64) {
	m, err := notify.Message{
		ID: d.options.NewID(id.Message), Kind: notify.LoginCode, To: notify.Recipient{Phone: phone},
		Language: v.Language, At: now,
	}.Write("code", digits, "minutes", strconv.Itoa(access.CodeLife/60_000_000))
	if err != nil {
		v.Trouble = err
		return
	}
	d.options.Post.Send(m)
}

// asked returns the token of the code that this browser asked for, and its hash.
func (d *Door) asked(v *visit) (access.Hash, string) {
	token := d.options.Site.Cookie(v.Request, askedCookie)
	return access.HashOf(token), token
}

// askCode is the page with the code's form.
func (d *Door) askCode(v *visit) {
	hash, _ := d.asked(v)
	code, err := d.options.Reader.CodeOf(v.ctx, hash, d.options.Machine.Now())
	none, err := absent(err)
	switch {
	case err != nil:
		d.trouble(v, err)
	case none:
		v.Redirect(Path + "?notice=again")
	default:
		d.showCode(v, http.StatusOK, entry{Shown: code.Shown})
	}
}

func (d *Door) showCode(v *visit, status int, e entry) {
	d.pages.Show(v.Visit, status, func(f *web.Frame) web.Page {
		return web.Page{Title: titled(f, "code.title", e.Wrong != ""), Home: Path, Main: codeForm(f, e)}
	})
}

// tryCode is the form with the code.
func (d *Door) tryCode(v *visit) {
	hash, token := d.asked(v)
	now := d.options.Machine.Now()
	digits := onlyDigits(v.Request.PostForm.Get("code"))
	if len(digits) != access.CodeDigits {
		// Not a guess: a slip of the finger costs no try.
		code, err := d.options.Reader.CodeOf(v.ctx, hash, now)
		if none, err := absent(err); none || err != nil {
			d.expired(v, err)
			return
		}
		d.showCode(v, http.StatusUnprocessableEntity, entry{Wrong: "code.malformed", Shown: code.Shown})
		return
	}
	code, err := d.options.Reader.TryCode(v.ctx, hash, now)
	if none, err := absent(err); none || err != nil {
		d.expired(v, err)
		return
	}
	given := d.digest("code", token+digits)
	if subtle.ConstantTimeCompare(given[:], code.Digits[:]) != 1 || code.Customer == "" {
		left := access.CodeTries - code.Tries
		if left <= 0 {
			d.expired(v, nil)
			return
		}
		d.showCode(v, http.StatusUnprocessableEntity, entry{Wrong: "code.wrong", Left: left, Shown: code.Shown})
		return
	}
	d.logIn(v, code, now)
}

// expired sends the browser back to the beginning.
func (d *Door) expired(v *visit, err error) {
	if err != nil {
		d.trouble(v, err)
		return
	}
	v.Redirect(Path + "?notice=again")
}

// logIn opens a log-in for the right code, in a browser whose forms from before are void.
func (d *Door) logIn(v *visit, code access.Code, now int64) {
	token := access.NewToken()
	err := d.options.Reader.LogIn(v.ctx, code.Hash, access.LogIn{
		Hash: access.HashOf(token), Customer: code.Customer, Phone: code.Phone, CreatedAt: now, SeenAt: now,
	})
	if none, err := absent(err); none || err != nil {
		d.expired(v, err)
		return
	}
	if err := d.options.Reader.SetLanguage(v.ctx, code.Customer, string(v.Language)); err != nil {
		v.Trouble = err // messages come in the language from before
	}
	d.options.Site.SetCookie(v.Exchange, logInCookie, token, access.LogInLife/1_000_000)
	d.options.Site.SetCookie(v.Exchange, askedCookie, "", -1)
	v.Renew()
	v.Redirect(Path)
}

// logOut ends the log-in. It is the same for who is not logged in.
func (d *Door) logOut(v *visit) {
	token := d.options.Site.Cookie(v.Request, logInCookie)
	if err := d.options.Reader.EndLogIn(v.ctx, access.HashOf(token)); err != nil {
		d.trouble(v, err)
		return
	}
	d.options.Site.SetCookie(v.Exchange, logInCookie, "", -1)
	v.Renew()
	v.Redirect(Path + "?notice=out")
}

// onlyDigits drops the spaces and dashes that people and their phones put into codes. Anything else makes it
// no code.
func onlyDigits(text string) string {
	var b strings.Builder
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			b.WriteRune(c)
		case c != ' ' && c != '-' && c != '\u00a0' && c != '\t':
			return ""
		}
	}
	return b.String()
}
