package httpapi

import (
	"errors"
	"net/http"

	"plexy/internal/core/reject"
	"plexy/internal/id"
	"plexy/internal/storage"
	"plexy/internal/view"
)

// get answers GET /v1/wallet/transaction/{wallet_transaction_id}.
func (a *API) get(c *call) {
	if _, ok := id.Book(id.Transaction, c.id); !ok {
		c.notFound()
		return
	}
	t, err := a.options.Reader.Transaction(c.ctx, c.Merchant, c.id)
	if errors.Is(err, storage.ErrNotFound) {
		c.notFound()
		return
	}
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	records, err := a.options.Reader.Operations(c.ctx, c.id)
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	body := view.Transaction(make([]byte, 0, view.Size+160*len(records)), &t, t.Amount, "")
	c.read(view.Operations(body, &t, records))
}

// list answers GET /v1/wallet/transactions/, with and without the slash at the end.
func (a *API) list(c *call) {
	q, p := parseQuery(c.request.URL.RawQuery)
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	// One more than asked for: it says whether there is a next page.
	page := q.page
	page.Merchant = c.Merchant
	page.Limit++
	items, err := a.options.Reader.Transactions(c.ctx, page)
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	more := len(items) > q.page.Limit
	if more {
		items = items[:q.page.Limit]
	}
	b := append(make([]byte, 0, 64+view.Size*len(items)), `{"items":[`...)
	for i := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = view.Transaction(b, &items[i], items[i].Amount, "")
	}
	b = append(b, `],"nextCursor":`...)
	if more {
		b = append(b, '"')
		b = append(b, q.after(items[len(items)-1].ID)...)
		b = append(b, `"}`...)
	} else {
		b = append(b, `null}`...)
	}
	c.read(b)
}

func (c *call) notFound() {
	refuse(c.Exchange, problem{reason: reject.TransactionNotFound, source: sourceOf(reject.TransactionNotFound)})
}

// read sends the answer to a read.
func (c *call) read(body []byte) {
	c.Header()["Should-Retry"] = no
	c.Reply(http.StatusOK, body)
}
