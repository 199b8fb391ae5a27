package view

import (
	"strconv"

	"plexy/internal/core/link"
	"plexy/internal/core/payment"
)

// Link writes a payment link as it is at the given time (microseconds). public is where people reach the
// pages.
func Link(b []byte, l *link.Link, public string, at int64) []byte {
	b = append(append(b, `{"id":"`...), l.ID...)
	b = Text(append(b, `","url":`...), public+"/"+l.ID)
	b = append(append(b, `,"status":"`...), l.StatusAt(at)...)
	b = Minor(b, `","amount":`, l.Amount)
	b = append(append(b, `,"currency":"`...), l.Currency...)
	b = Text(append(b, `","description":`...), l.Description)
	b = textOrNull(append(b, `,"orderReference":`...), l.OrderReference)
	b = textOrNull(append(b, `,"customerId":`...), l.Shopper)
	b = TimeOrNull(b, `,"expiresAt":`, l.ExpiresAt)
	b = Time(b, `,"createdAt":"`, l.CreatedAt)
	b = Time(b, `,"updatedAt":"`, l.UpdatedAt)
	b = append(append(b, `,"metadata":`...), objectOr(l.Metadata, "{}")...)
	b = append(append(b, `,"recurring":`...), objectOr(l.Recurring, "null")...)
	b = strconv.AppendBool(append(b, `,"autoClearing":`...), l.AutoClearing)
	b = strconv.AppendBool(append(b, `,"validation":`...), l.Validation)
	b = Text(append(b, `,"createdBy":`...), l.CreatedBy)
	b = textOrNull(append(b, `,"transactionId":`...), l.Payment)
	return append(b, '}')
}

// TimeOrNull writes a time after the quoted name, or null for 0.
func TimeOrNull(b []byte, name string, at int64) []byte {
	if at == 0 {
		return append(append(b, name...), `null`...)
	}
	return Time(append(append(b, name...), '"'), "", at)
}

func textOrNull(b []byte, text string) []byte {
	if text == "" {
		return append(b, `null`...)
	}
	return Text(b, text)
}

func objectOr(object, none string) string {
	if object == "" {
		return none
	}
	return object
}

// Recurring writes how a payment begins a series, as links keep it: a JSON object, "" for no series.
func Recurring(r payment.Recurring) string {
	if r.Type == "" {
		return ""
	}
	b := append(append([]byte(`{"type":"`), r.Type...), '"')
	if r.ExpiresAt != 0 {
		b = Time(b, `,"expiry":"`, r.ExpiresAt)
	}
	if r.Frequency != 0 {
		b = Minor(b, `,"frequency":`, r.Frequency)
	}
	return string(append(b, '}'))
}
