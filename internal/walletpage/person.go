package walletpage

import (
	"context"
	"errors"

	"plexy/internal/access"
	"plexy/internal/core/wallet"
	"plexy/internal/customer"
	"plexy/internal/vault"
)

// seenEvery is how exact SeenAt is, in microseconds: not every page is a write.
const seenEvery = 60 * 1_000_000

// person is who is logged in.
type person struct {
	logIn    access.LogIn
	customer wallet.Customer
	wallets  []wallet.Wallet
	phone    customer.Phone
}

// known finds out who is logged in; false, with a reason for the first page's address, when nobody is.
func (d *Door) known(v *visit) (ok bool, notice string, err error) {
	token := d.options.Site.Cookie(v.Request, logInCookie)
	if token == "" {
		return false, "", nil
	}
	now := d.options.Machine.Now()
	l, err := d.options.Reader.LogInByHash(v.ctx, access.HashOf(token))
	if none, err := absent(err); none || err != nil {
		return false, "", err
	}
	if l.LiveAt(now) {
		v.logIn = l
		ok, err = d.open(v)
		if err != nil {
			return false, "", err
		}
	}
	if !ok {
		// Over, or the customer has another phone by now.
		d.options.Site.SetCookie(v.Exchange, logInCookie, "", -1)
		return false, "idle", d.options.Reader.EndLogIn(v.ctx, l.Hash)
	}
	if now-l.SeenAt >= seenEvery {
		err = d.options.Reader.SeeLogIn(v.ctx, l.Hash, now)
	}
	return true, "", err
}

// open reads the customer of a log-in and the phone; false when the phone is not the one that the code went
// to.
func (d *Door) open(v *visit) (ok bool, err error) {
	for range 2 { // a rotation may seal the row anew between the reading and the opening
		v.customer, v.wallets, err = d.options.Reader.Holdings(v.ctx, v.logIn.Customer)
		if none, err := absent(err); none || err != nil {
			return false, err
		}
		v.phone, err = OpenPhone(v.ctx, d.options.Vaults, v.customer)
		if !errors.Is(err, vault.ErrKey) {
			break
		}
	}
	return err == nil && d.digest("phone", v.phone.Reveal()) == v.logIn.Phone, err
}

// OpenPhone unseals the phone of a customer. When the keys were rotated meanwhile they are read again.
func OpenPhone(ctx context.Context, vaults Vaults, c wallet.Customer) (customer.Phone, error) {
	open := func() ([]byte, error) {
		return vaults.Current().Unseal(c.KeyID, vault.PurposePhone, c.ID, c.PhoneSealed)
	}
	clear, err := open()
	if errors.Is(err, vault.ErrKey) {
		if err := vaults.Refresh(ctx); err != nil {
			return customer.Phone{}, err
		}
		clear, err = open()
	}
	if err != nil {
		return customer.Phone{}, err
	}
	return customer.ParsePhone(string(clear))
}

// require returns whether somebody is logged in; if not, it has answered.
func (d *Door) require(v *visit) bool {
	ok, notice, err := d.known(v)
	switch {
	case err != nil:
		d.trouble(v, err)
	case !ok && notice != "":
		v.Redirect(Path + "?notice=" + notice)
	case !ok:
		v.Redirect(Path)
	}
	return ok && err == nil
}

// rememberLanguage notes the language that somebody who is logged in has just chosen, for messages.
func (d *Door) rememberLanguage(v *visit) {
	ok, _, err := d.known(v)
	if ok && err == nil {
		err = d.options.Reader.SetLanguage(v.ctx, v.customer.ID, string(v.Language))
	}
	if err != nil {
		v.Trouble = err // the cookie remembers it all the same
	}
}
