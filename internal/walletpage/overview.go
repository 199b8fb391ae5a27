package walletpage

import (
	"net/http"

	"plexy/internal/core/journal"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
	"plexy/internal/storage"
	"plexy/internal/web"
)

// recentLines of the statement are on the first page.
const recentLines = 5

// overview is what the first page shows of somebody who is logged in.
type overview struct {
	Person  string   // the phone, masked
	Notice  *decided // what came of an answer that was just given; nil for nothing
	Wallets []purse
	Waiting int // how many transactions wait, on all wallets
}

// purse is one wallet as its owner sees it, in minor units.
type purse struct {
	ID                 string
	Currency           money.Currency
	Available, Pending int64
	Blocked            bool
	Waiting            []waiting
	Recent             []line
}

// home is the first page: the log-in, or the wallets.
func (d *Door) home(v *visit) {
	ok, notice, err := d.known(v)
	if err != nil {
		d.trouble(v, err)
		return
	}
	if !ok {
		if asked := v.Request.URL.Query().Get("notice"); asked != "" {
			notice = asked
		}
		d.showLogIn(v, http.StatusOK, entry{Notice: notices[notice]})
		return
	}
	o := overview{Person: v.phone.Masked()}
	names := d.names(v)
	for _, w := range v.wallets {
		p, err := d.purse(v, w, names)
		if err != nil {
			d.trouble(v, err)
			return
		}
		o.Waiting += len(p.Waiting)
		o.Wallets = append(o.Wallets, p)
	}
	if o.Notice, err = d.decided(v, v.Request.URL.Query().Get("decided"), names); err != nil {
		d.trouble(v, err)
		return
	}
	d.pages.Show(v.Visit, http.StatusOK, func(f *web.Frame) web.Page {
		return web.Page{Title: f.T("overview.title"), Home: Path, Main: overviewPage(f, o)}
	})
}

func (d *Door) purse(v *visit, w wallet.Wallet, names *names) (purse, error) {
	t := w.Account.Totals
	p := purse{
		ID: w.ID, Currency: w.Account.Currency, Available: t.Available(), Pending: t.DebitsPending,
		Blocked: w.Condition == wallet.Blocked,
	}
	var err error
	if p.Waiting, err = d.waiting(v, w, names); err != nil {
		return p, err
	}
	_, err = storage.Statement(v.ctx, d.options.Reader, w.Last, func(r journal.Record) (bool, error) {
		l, err := names.line(r)
		p.Recent = append(p.Recent, l)
		return len(p.Recent) < recentLines, err
	})
	return p, err
}

// find returns the wallet of the person with the given id; the first one for "". false when there is none.
func (p *person) find(id string) (wallet.Wallet, bool) {
	for _, w := range p.wallets {
		if id == "" || w.ID == id {
			return w, true
		}
	}
	return wallet.Wallet{}, false
}
