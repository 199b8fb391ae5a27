package httpapi

import (
	"net/http"
	"net/url"
	"time"

	"plexy/internal/core/reject"
	"plexy/internal/storage"
	"plexy/internal/view"
)

const (
	// exportPage is how many deliveries of a file are read at once.
	exportPage = 500
	// exportLimit is how long a file may take.
	exportLimit = 5 * time.Minute
)

// formatOf reads the format parameter of a list that can be a file: whether it is one.
func formatOf(values url.Values) (asFile bool, p problem) {
	switch sent := values["format"]; {
	case len(sent) == 0 || len(sent) == 1 && sent[0] == "json":
		return false, problem{}
	case len(sent) > 1 || sent[0] != "csv":
		return false, problem{reason: reject.FormatInvalid, source: "format"}
	}
	if len(values["limit"]) > 0 {
		return true, problem{reason: reject.LimitInvalid, source: "limit",
			message: "limit has no meaning with format=csv: a file holds all."}
	}
	return true, problem{}
}

// exportDeliveries answers GET …/deliveries?format=csv: all that the query wants, newest event first, a page
// at a time, so that a file of any size takes little memory. When a page cannot be read the connection is
// closed without an end, so that nobody takes a part for the whole.
func (a *API) exportDeliveries(c *call, q storage.DeliveryQuery) {
	ctx, cancel := c.Waiting(c.Caller(c.request), exportLimit)
	defer cancel()
	q.Limit = exportPage
	page, err := a.options.Outbox.DeliveriesOf(ctx, q)
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	h := c.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="deliveries.csv"`)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h["Should-Retry"] = no
	c.WriteHeader(http.StatusOK)
	file := view.NewDeliveriesCSV(c.Exchange)
	for {
		for i := range page {
			file.Add(&page[i])
		}
		if file.Flush() != nil { // the caller has gone
			return
		}
		if len(page) < exportPage {
			return
		}
		q.Before = page[len(page)-1].ID
		if page, err = a.options.Outbox.DeliveriesOf(ctx, q); err != nil {
			c.Trouble = err
			c.Abandon()
			return
		}
	}
}
