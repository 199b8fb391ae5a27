package walletpage

import (
	"context"
	"net/http"

	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
)

// waitingLimit is how many transactions one page asks about; answering some brings the others up.
const waitingLimit = 20

// waiting lists what the owner of a wallet may answer now.
func (d *Door) waiting(v *visit, w wallet.Wallet, names *names) ([]waiting, error) {
	transactions, err := d.options.Reader.Waiting(v.ctx, w.ID, d.options.Clock.Now(), waitingLimit)
	if err != nil {
		return nil, err
	}
	var found []waiting
	for _, t := range transactions {
		one, err := names.waiting(t)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}

func (d *Door) approve(v *visit) { d.answer(v, d.options.Owner.Approve) }
func (d *Door) decline(v *visit) { d.answer(v, d.options.Owner.Decline) }

// answer gives the owner's answer and shows what became of the transaction, which is what it is now: the same
// form sent again finds it answered, and shows the same. What was begun goes on when the browser has gone.
func (d *Door) answer(v *visit,
	give func(context.Context, string, string) (wallet.Transaction, reject.Reason, error)) {
	if !d.require(v) {
		return
	}
	transaction := v.Request.PostForm.Get("transaction")
	_, no, err := give(v.Limit(), v.customer.ID, transaction)
	switch {
	case err != nil:
		d.trouble(v, err)
	case no == reject.TransactionNotFound:
		d.pages.Sorry(v.Visit, http.StatusNotFound, "missing", Path)
	default:
		v.Redirect(Path + "?decided=" + transaction) // an id of ours, or it would not have been found
	}
}

// decided is what became of a transaction that was just answered.
type decided struct {
	Kind string // good, warn or bad
	Text string // key
	waiting
}

// outcomes say it for transactions that failed, by the reason.
var outcomes = map[reject.Reason]string{
	reject.DeclinedByOwner: "decided.declined", reject.ApprovalExpired: "decided.expired",
	reject.CanceledByMerchant: "decided.canceled", reject.InsufficientFunds: "decided.funds",
	reject.LimitExceeded: "decided.limit", reject.WalletBlocked: "decided.blocked",
}

// decided reads what became of a transaction; nil when it is none of this person's.
func (d *Door) decided(v *visit, transaction string, names *names) (*decided, error) {
	if _, ok := id.Book(id.Transaction, transaction); !ok {
		return nil, nil
	}
	records, err := d.options.Reader.Operations(v.ctx, transaction)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	if _, ok := v.find(records[0].Wallet); !ok || records[0].Wallet == "" {
		return nil, nil
	}
	t, err := d.options.Reader.Transaction(v.ctx, records[0].Merchant, transaction)
	if err != nil {
		return nil, err
	}
	one, err := names.waiting(t)
	c := &decided{waiting: one, Kind: "bad", Text: outcomes[t.Failure]}
	switch {
	case t.Status == wallet.New && t.LapsedAt(d.options.Clock.Now()): // the background will say so soon
		c.Text = "decided.expired"
	case t.Status == wallet.New:
		c.Kind, c.Text = "warn", "decided.waiting"
	case t.Status == wallet.Processing:
		c.Kind, c.Text = "warn", "decided.processing"
	case t.Status == wallet.Success:
		c.Kind, c.Text = "good", "decided.approved"
	case c.Text == "":
		c.Text = "decided.failed"
	case t.Failure == reject.DeclinedByOwner:
		c.Kind = "good" // it is what was asked for
	}
	return c, err
}
