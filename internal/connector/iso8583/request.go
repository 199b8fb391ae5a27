package iso8583

import (
	"errors"
	"fmt"
	"strings"

	"plexy/internal/card"
	"plexy/internal/connector"
	"plexy/internal/connector/iso8583/wire"
)

// Values of fields 22 and 25, which say how the card came to us.
const (
	entryTyped  = "010" // told by mail or telephone
	entryStored = "100" // on file
	entryWeb    = "810" // typed on a page

	conditionMOTO         = "08"
	conditionVerification = "51" // is the card good?
	conditionWeb          = "59"
)

// initiators are field 48.20.
var initiators = map[connector.Initiator]string{
	connector.First: "1", connector.Merchant: "2", connector.Payer: "3",
}

// begin fills in what every message about an order has.
func (c *Connector) begin(kind, part string, o connector.Order) (wire.Message, error) {
	amount, fits := wire.AmountOf(o.Amount)
	switch a := o.Acceptor; {
	case !fits:
		return wire.Message{}, errors.New("amount: more than 12 digits of minor units")
	case !fitting(a.Terminal, 8):
		return wire.Message{}, errors.New("terminal: want 1 to 8 characters of ASCII")
	case !fitting(a.Merchant, 15):
		return wire.Message{}, errors.New("merchant: want 1 to 15 characters of ASCII")
	case a.Category != "" && (len(a.Category) != 4 || strings.Trim(a.Category, "0123456789") != ""):
		return wire.Message{}, errors.New("merchant category: want four digits")
	}
	return wire.Message{
		Type: kind, Processing: wire.Purchase, Amount: amount, Currency: wire.CurrencyNumber(o.Currency),
		Sent: sentAt(o.At), STAN: stan(o.Operation, part),
		LocalTime: localTime(o.At, c.o.Zone), LocalDate: localDate(o.At, c.o.Zone),
		Category: o.Acceptor.Category, Acquirer: c.o.Acquirer,
		Terminal: o.Acceptor.Terminal, Merchant: o.Acceptor.Merchant, Place: place(o.Acceptor),
		Private: &wire.Private{Operation: o.Operation, Payment: o.Payment},
	}, nil
}

// fitting reports whether the text fills a field of that length and comes back as it was: fields are padded
// with spaces, so it must not begin or end with one.
func fitting(text string, most int) bool {
	return text != "" && len(text) <= most && strings.TrimSpace(text) == text &&
		strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// place is field 43: 25 characters of name, 13 of city, 2 of country; "" when there is no name in ASCII.
func place(a connector.Acceptor) string {
	if !fitting(a.Name, len(a.Name)) {
		return ""
	}
	city, country := a.City, a.Country
	if !fitting(city, len(city)) {
		city = ""
	}
	if !fitting(country, 2) {
		country = ""
	}
	return strings.TrimRight(fmt.Sprintf("%-25.25s%-13.13s%-2.2s", a.Name, city, country), " ")
}

// firstType is the type of the message that an authorization is.
func firstType(oneStep bool) string {
	if oneStep {
		return wire.Financial
	}
	return wire.Authorize
}

// authorization is 0100, or 0200 for one step.
func (c *Connector) authorization(a connector.Authorization) (wire.Message, error) {
	m, err := c.begin(firstType(a.OneStep), "authorize", a.Order)
	if err != nil {
		return m, err
	}
	m.RRN = rrn(a.Operation)
	m.EntryMode, m.Condition = entryWeb, conditionWeb
	switch {
	case a.MOTO:
		m.EntryMode, m.Condition = entryTyped, conditionMOTO
	case a.Initiator == connector.Merchant || a.Initiator == connector.Payer:
		m.EntryMode = entryStored
	}
	if a.Verification {
		m.Condition = conditionVerification
	}
	m.NetworkRef = a.Mandate
	m.Private.Initiator = initiators[a.Initiator]
	m.Private.Exemption = string(a.Exemption)
	m.Private.CVV = wire.Hidden(a.Card.CVV.RevealToAcquirer())
	if p := a.Proof; p != nil {
		m.Private.ECI, m.Private.CAVV = p.ECI, wire.Hidden(p.Value)
		m.Private.Version, m.Private.Directory = p.Version, p.DirectoryID
	}
	return withCard(m, a.Card)
}

// withCard adds fields 2 and 14, if there is a card.
func withCard(m wire.Message, of card.Card) (wire.Message, error) {
	if of.Number.IsZero() {
		return m, nil
	}
	if e := of.Expiry; e.Month < 1 || e.Month > 12 || e.Year < 2000 || e.Year > 2099 {
		return m, errors.New("card: the expiry is no month of this century")
	}
	m.Number = wire.Hidden(of.Number.Reveal())
	m.Expiry = wire.Hidden(fmt.Sprintf("%02d%02d", of.Expiry.Year%100, of.Expiry.Month))
	return m, nil
}

// change is a capture, a refund or a cancel. It carries no card: the original is named by its reference and
// its trace.
func (c *Connector) change(verb connector.Verb, order connector.Order, from connector.Original) (
	wire.Message, error) {
	kinds := map[connector.Verb]string{
		connector.Capture: wire.Advice, connector.Refund: wire.Financial, connector.Cancel: wire.Reversal,
	}
	m, err := c.begin(kinds[verb], string(verb), order)
	if err != nil {
		return m, err
	}
	trace := from.Trace
	if !wire.ValidTrace(trace) {
		trace = firstType(false) + stan(from.Operation, "authorize") + sentAt(from.At)
	}
	m.Original = wire.OriginalOf(trace, c.o.Acquirer)
	m.RRN, m.AuthCode, m.NetworkRef = from.RRN, from.AuthCode, from.NetworkReference
	if m.RRN == "" {
		m.RRN = rrn(from.Operation)
	}
	m.Private.Original = from.Operation
	switch verb {
	case connector.Refund:
		m.Processing = wire.Return
	case connector.Cancel:
		m.Code = wire.ReasonCustomer
		if left := from.Amount - order.Amount; left > 0 {
			amount, _ := wire.AmountOf(left) // it is less than what was authorized
			m.Replacement = wire.ReplacementOf(amount)
		}
	}
	return m, nil
}

// reversal undoes an authorization whose answer did not come or could not be used.
func (c *Connector) reversal(o connector.Order, oneStep bool, of card.Card) (wire.Message, error) {
	m, err := c.begin(wire.Reversal, "undo", o)
	if err != nil {
		return m, err
	}
	m.RRN = rrn(o.Operation)
	m.Code = wire.ReasonLate
	m.Private.Original = o.Operation
	trace := firstType(oneStep) + stan(o.Operation, "authorize") + sentAt(o.At)
	m.Original = wire.OriginalOf(trace, c.o.Acquirer)
	return withCard(m, of)
}
