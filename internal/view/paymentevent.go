package view

import (
	"strconv"

	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/event"
)

// amount writes an amount of a payment in the unit that its merchant wants: major exactly, or minor.
func amount(b []byte, name string, minor int64, e *event.Event) []byte {
	if e.Minor {
		return Minor(b, name, minor)
	}
	return money.AppendMajor(append(b, name...), minor, e.Payment.Currency)
}

// paymentData appends a card payment as its events show it: Plexy's fields (plexy-api.md §12.2) with ids as
// plain strings and the order's reference under both of its names, then ours. What there is not is left out,
// never null: receivers look into an object where they expect a text or nothing.
func paymentData(b []byte, e *event.Event) []byte {
	p := e.Payment
	b = append(append(b, `{"id":"`...), p.ID...)
	b = amount(b, `","amount":`, p.Amount, e)
	b = amount(b, `,"balance":`, p.Balance(), e)
	b = append(append(b, `,"currency":"`...), p.Currency...)
	b = append(append(b, `","status":"`...), p.Status()...)
	b = append(append(b, `","type":"`...), transactionType(p.Kind)...)
	b = maybe(append(b, '"'), `,"last4":`, p.Card.Last4)
	b = append(b, `,"paymentMethod":"card"`...)
	b = maybe(b, `,"payerIp":`, p.PayerIP)
	b = Text(append(b, `,"merchantReference":`...), p.OrderReference)
	b = Text(append(b, `,"orderReference":`...), p.OrderReference)
	b = Text(append(b, `,"description":`...), p.Description)
	b = Time(b, `,"createdAt":"`, p.CreatedAt)
	b = Time(b, `,"updatedAt":"`, p.UpdatedAt)
	b = maybeTime(b, `,"authedAt":"`, p.AuthedAt)
	b = maybeTime(b, `,"confirmedAt":"`, p.ConfirmedAt)
	b = maybeTime(b, `,"processedAt":"`, p.ProcessedAt)
	b = amount(b, `,"processedAmount":`, processed(p), e)
	b = maybe(b, `,"terminalId":`, p.Terminal)
	b = strconv.AppendBool(append(b, `,"secure3d":`...), p.Secure3D)
	b = maybe(b, `,"parentTransactionId":`, p.Parent)
	b = maybe(b, `,"recurringType":`, string(p.Recurring.Type))
	b = maybe(b, `,"retrievalReferenceNumber":`, p.RRN)
	b = maybe(b, `,"paymentLinkId":`, p.Link)
	b = maybe(b, `,"paymentSessionId":`, p.Session)
	if p.Stage == payment.Approved { // before, a new one does not exist, and after a decline it never will
		b = maybe(b, `,"cardTokenId":`, p.CardToken)
	}
	b = maybe(b, `,"customerId":`, p.Shopper)
	b = maybe(b, `,"cardBrand":`, p.Card.Brand)
	b = maybe(b, `,"authCode":`, p.AuthCode)
	b = maybe(b, `,"responseCode":`, p.ResponseCode)
	b = maybe(b, `,"failureReason":`, string(p.Failure))
	return append(b, '}')
}

// transactionType is Plexy's word for what a payment is for.
func transactionType(k payment.Kind) string {
	switch k {
	case payment.Verification, payment.RefundOf:
		return string(k)
	}
	return "payment"
}

// processed is what came of the amount in the end: what was captured, or given back.
func processed(p *payment.Payment) int64 {
	switch {
	case p.Kind != payment.RefundOf:
		return p.Captured
	case p.Stage == payment.Approved:
		return p.Amount
	}
	return 0
}

// maybe writes a text unless it is empty.
func maybe(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	return Text(append(b, name...), text)
}

// maybeTime writes a time unless it is none.
func maybeTime(b []byte, name string, at int64) []byte {
	if at == 0 {
		return b
	}
	return Time(b, name, at)
}

// Legacy appends what the callback of a payment session is told of an event (clients-contract.md §3, §4):
// flat, with success (the bank said yes) and settled (the money was captured). The amount is in major units,
// in the text that the receiver makes of the number when it checks the signature: without zeros at the end.
func Legacy(b []byte, e *event.Event) []byte {
	p := e.Payment
	status := p.Status()
	settled := status == payment.StatusCharged || status == payment.StatusRefunded
	b = append(append(b, `{"id":"`...), p.ID...)
	b = money.AppendMajor(append(b, `","amount":`...), p.Amount, p.Currency)
	b = append(append(b, `,"currency":"`...), p.Currency...)
	b = Text(append(b, `","orderReference":`...), p.OrderReference)
	b = strconv.AppendBool(append(b, `,"success":`...), settled || status == payment.StatusAuthorized)
	b = strconv.AppendBool(append(b, `,"settled":`...), settled)
	b = Text(append(b, `,"externalReference":`...), p.RRN)
	return append(b, `,"paymentMethod":"card"}`...)
}
