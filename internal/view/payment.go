package view

import (
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/core/payment"
	"plexy/internal/event"
)

// Payment writes a card payment, as the API reads a transaction: amounts in major units, what is not there
// left out, the order's reference under both of its names.
func Payment(b []byte, p *payment.Payment) []byte { return paymentAs(b, p, string(p.Status())) }

// ListedPayment is Payment with the status as the list of transactions has it.
func ListedPayment(b []byte, p *payment.Payment) []byte {
	return paymentAs(b, p, ListedStatus(p.Status()))
}

// ListedStatus is a status as the list of transactions has it: TRANSACTION_STATUS_CHARGED and so on, with
// AUTHED for authorized.
func ListedStatus(s payment.Status) string {
	word := strings.ToUpper(string(s))
	if s == payment.StatusAuthorized {
		word = "AUTHED"
	}
	return "TRANSACTION_STATUS_" + word
}

// PaymentType is what a payment is in the API: payment or refund.
func PaymentType(p *payment.Payment) string {
	if p.Kind == payment.RefundOf {
		return "refund"
	}
	return "payment"
}

func paymentAs(b []byte, p *payment.Payment, status string) []byte {
	o := NewObject(b)
	o.Text("transactionId", p.ID)
	o.Text("paymentId", p.ID)
	o.Text("type", PaymentType(p))
	o.Text("status", status)
	o.Major("amount", p.Amount, p.Currency)
	o.Text("currency", string(p.Currency))
	o.Always("orderReference", p.OrderReference)
	o.Always("merchantReference", p.OrderReference)
	o.Text("description", p.Description)
	if p.Kind != payment.RefundOf {
		o.Text("transactionType", string(p.Kind))
		o.Major("authorizedAmount", p.Authorized, p.Currency)
		o.Major("capturedAmount", p.Captured, p.Currency)
		o.Major("cancelledAmount", p.Released, p.Currency)
		o.Major("refundedAmount", p.Refunded, p.Currency)
		o.Major("remainingAmount", p.Remaining(), p.Currency)
		o.Major("balance", p.Balance(), p.Currency)
	}
	o.Text("reason", string(p.Failure))
	o.Text("responseCode", p.ResponseCode)
	o.Text("authCode", p.AuthCode)
	o.Text("rrn", p.RRN)
	o.Text("retrievalReferenceNumber", p.RRN)
	o.Text("paymentMethod", "card")
	o.Text("last4", p.Card.Last4)
	o.Text("cardScheme", p.Card.Brand)
	o.Text("cardExpiryDate", p.Card.Expiry)
	o.Truth("secure3d", p.Secure3D)
	o.Text("payerIp", p.PayerIP)
	o.Text("terminalId", p.Terminal)
	o.Text("recurringType", string(p.Recurring.Type))
	o.Text("parentTransactionId", p.Parent)
	o.Text("paymentLinkId", p.Link)
	o.Text("paymentSessionId", p.Session)
	if p.Stage == payment.Approved { // before, a new one does not exist
		o.Text("cardTokenId", p.CardToken)
	}
	o.Text("customerId", p.Shopper)
	o.Time("createdAt", p.CreatedAt)
	o.Time("updatedAt", p.UpdatedAt)
	o.Time("authedAt", p.AuthedAt)
	o.Time("confirmedAt", p.ConfirmedAt)
	o.Time("processedAt", p.ProcessedAt)
	return o.End()
}

// History writes what happened to a payment, oldest first, as the merchant's events have it. Records that
// concern the platform's books only, and ones newer than the payment as it was read, are left out.
func History(b []byte, p *payment.Payment, records []journal.Record) []byte {
	o := NewObject(b)
	o.Text("transactionId", p.ID)
	o.Text("status", string(p.Status()))
	o.Value("events", func(b []byte) []byte {
		b = append(b, '[')
		for i := range records {
			r := &records[i]
			if r.Merchant == "" || r.Sequence > p.Sequence {
				continue
			}
			if b[len(b)-1] != '[' {
				b = append(b, ',')
			}
			b = change(b, r)
		}
		return append(b, ']')
	})
	return o.End()
}

func change(b []byte, r *journal.Record) []byte {
	o := NewObject(b)
	o.Text("id", event.ID(r.Object, r.Sequence))
	o.Text("name", r.Event())
	o.Text("operation", string(r.Type))
	o.Text("status", r.After.State)
	o.Amounts(r)
	o.Time("createdAt", r.At)
	return o.End()
}

// Amounts writes what a record of a payment moved, and the payment's totals after it, in major units.
func (o *Object) Amounts(r *journal.Record) {
	o.Major("amount", r.Amount, r.Currency)
	o.Major("authorizedAmount", r.After.Authorized, r.Currency)
	o.Major("capturedAmount", r.After.Captured, r.Currency)
	o.Major("cancelledAmount", r.After.Canceled, r.Currency)
	o.Major("refundedAmount", r.After.Refunded, r.Currency)
}

// PaymentSize is what one rendered payment takes with usual texts, rounded up.
const PaymentSize = 1280
