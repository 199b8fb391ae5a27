package walletpage

import (
	"plexy/internal/core/journal"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
	"plexy/internal/storage"
)

// line is one line of a statement, amounts in minor units.
type line struct {
	At                 int64
	Event              string // key of the text that names it
	Merchant, Order    string // "" for what staff did
	ID                 string // the operation's
	Sign               int    // 1 for money that came, -1 for money that went or is held, 0 for neither
	Amount             int64
	Currency           money.Currency
	Available, Pending int64 // after it
}

// signs say which way money of a wallet goes by what happened. A capture only makes final what was held.
var signs = map[journal.Type]int{
	journal.Authorized: -1, journal.Captured: 0, journal.Canceled: 1, journal.Expired: 1, journal.Refunded: 1,
	journal.ToppedUp: 1, journal.Withdrawn: -1,
}

// Signed is the amount with its direction.
func (l line) Signed() int64 {
	if l.Sign < 0 {
		return -l.Amount
	}
	return l.Amount
}

// names looks up what records only have ids of, each once for one page.
type names struct {
	d         *Door
	v         *visit
	merchants map[string]string
	orders    map[string]string // by transaction
}

func (d *Door) names(v *visit) *names {
	return &names{d: d, v: v, merchants: map[string]string{}, orders: map[string]string{}}
}

// merchant returns a merchant's name.
func (n *names) merchant(id string) (string, error) {
	if name, ok := n.merchants[id]; ok || id == "" {
		return name, nil
	}
	m, err := n.d.options.Reader.Merchant(n.v.ctx, id)
	if err != nil {
		return "", err
	}
	n.merchants[id] = m.Name
	return m.Name, nil
}

// order returns the order reference of the transaction that a record is of; "" for a record of a wallet.
func (n *names) order(r journal.Record) (string, error) {
	if order, ok := n.orders[r.Object]; ok || r.Object == r.Wallet {
		return order, nil
	}
	t, err := n.d.options.Reader.Transaction(n.v.ctx, r.Merchant, r.Object)
	if err != nil {
		return "", err
	}
	n.orders[r.Object] = t.OrderReference
	return t.OrderReference, nil
}

func (n *names) line(r journal.Record) (line, error) {
	after := storage.BalancesAfter(r)
	l := line{
		At: r.At, Event: "event." + string(r.Type), ID: r.OperationID(), Sign: signs[r.Type], Amount: r.Amount,
		Currency: r.Currency, Available: after.Available, Pending: after.Pending,
	}
	if r.Type == journal.Adjusted {
		l.Sign = 1
		if r.Signed() < 0 {
			l.Sign = -1
		}
	}
	var err error
	if l.Merchant, err = n.merchant(r.Merchant); err != nil {
		return l, err
	}
	l.Order, err = n.order(r)
	return l, err
}

// waiting is one transaction that the owner may answer.
type waiting struct {
	ID, Merchant, Order string
	Amount              int64 // minor units
	Currency            money.Currency
	Until               int64 // microseconds
}

func (n *names) waiting(t wallet.Transaction) (waiting, error) {
	merchant, err := n.merchant(t.Merchant)
	return waiting{
		ID: t.ID, Merchant: merchant, Order: t.OrderReference, Amount: t.Amount, Currency: t.Currency,
		Until: t.ExpiresAt,
	}, err
}
