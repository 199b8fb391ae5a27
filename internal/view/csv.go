package view

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"plexy/internal/clock"
	"plexy/internal/event"
)

// DeliveriesCSV writes deliveries as a spreadsheet reads them (RFC 4180): a header, then one a line.
type DeliveriesCSV struct{ w *csv.Writer }

// NewDeliveriesCSV begins a file with its header. What goes wrong is told by Flush.
func NewDeliveriesCSV(to io.Writer) DeliveriesCSV {
	c := DeliveriesCSV{csv.NewWriter(to)}
	c.w.UseCRLF = true
	_ = c.w.Write([]string{"deliveryId", "eventId", "eventNumber", "eventName", "state", "attempts", "isReplay",
		"outOfOrder", "createdAt", "updatedAt", "url"})
	return c
}

// Add writes one delivery; a test has no event.
func (c DeliveriesCSV) Add(d *event.Delivery) {
	id, number := "", ""
	if d.Object != "" {
		id, number = event.ID(d.Object, d.Sequence), strconv.FormatInt(d.Number, 10)
	}
	at := func(micros int64) string { return clock.Time(micros).Format(TimeLayout) }
	_ = c.w.Write([]string{
		Harmless(d.ID), Harmless(id), number, Harmless(d.Name), Harmless(string(d.State)),
		strconv.Itoa(d.Attempts), strconv.FormatBool(d.Replay), strconv.FormatBool(d.OutOfOrder),
		at(d.CreatedAt), at(d.UpdatedAt), Harmless(d.URL),
	})
}

// Flush sends what was written so far, and returns the first error there was.
func (c DeliveriesCSV) Flush() error {
	c.w.Flush()
	return c.w.Error()
}

// Harmless keeps a spreadsheet from taking text for a formula.
func Harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n|%", rune(text[0])) {
		return "'" + text
	}
	return text
}
