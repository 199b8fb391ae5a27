package machine_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
)

// cardID returns the id of a payment (p1, or r1 for a refund) or of a link (l1) by its name.
func (s *stage) cardID(name string) string { return s.names["card "+name] }

// newCard makes an id for a payment, a link or an operation.
func (s *stage) newCard(name string) string {
	s.made++
	id := fmt.Sprintf("00000000-0000-7000-8000-%012d", s.made)
	if strings.HasPrefix(name, "l") {
		id = "pl_" + strings.ReplaceAll(id, "-", "")
	}
	if name != "" {
		s.names["card "+name] = id
	}
	return id
}

// card parses what happens to links and payments. Amounts are minor units of KZT.
func (s *stage) card(words []string) (machine.Command, error) {
	switch words[0] {
	case "link": // l1 100 to shop
		return s.link(words[1:])
	case "withdraw-link":
		return machine.CancelLink{Merchant: "mer_shop", ID: s.cardID(words[1])}, nil
	case "extend": // l1 2d
		d, err := duration(words[2])
		return machine.SetLinkExpiry{Merchant: "mer_shop", ID: s.cardID(words[1]), ExpiresAt: s.at + d}, err
	case "expire-link":
		return machine.ExpireLink{ID: s.cardID(words[1])}, nil
	case "pay": // p1 100 to shop
		return s.pay(words[1:])
	case "secure": // p1 passed
		a := s.attempt(words[1], "")
		a.Operation = s.newCard("")
		return machine.Authenticated{Attempt: a, Verdict: payment.Verdict(words[2]), ECI: "05"}, nil
	case "abandon": // p1 early
		return machine.Abandon{Attempt: s.attempt(words[1], ""), Early: len(words) > 2}, nil
	case "answer": // p1 2 approved
		by := option(&words, "amount", "0")
		n, err := strconv.ParseInt(by, 10, 64)
		return machine.RecordAnswer{
			Attempt: s.attempt(words[1], words[2]), Audit: s.stem("aud_"),
			Answer: payment.Answer{State: payment.State(words[3]), Code: "00", Amount: n},
		}, err
	case "put-off": // p1 2
		return machine.PutOff{Attempt: s.attempt(words[1], words[2])}, nil
	case "ask": // capture p1 60
		return s.modify(words[1:])
	case "clear":
		return machine.ClearPayment{Payment: s.cardID(words[1]), Operation: s.newCard("")}, nil
	case "settle": // p1 60 fee 2
		fee, err := strconv.ParseInt(option(&words, "fee", "0"), 10, 64)
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseInt(words[2], 10, 64)
		return machine.RecordSettlement{Payment: s.cardID(words[1]), Amount: n, Fee: fee}, err
	case "bounce": // r1
		refund := s.cardID(words[1])
		return machine.FailRefund{Payment: s.state.Payments[refund].Parent, Refund: refund}, nil
	}
	return nil, nil
}

func (s *stage) link(words []string) (machine.Command, error) {
	order, expires := option(&words, "reference", ""), option(&words, "expires", "")
	n, err := strconv.ParseInt(words[1], 10, 64)
	c := machine.CreateLink{Facts: link.Facts{
		ID: s.newCard(words[0]), Merchant: merchantID(words[3]), Currency: money.KZT, Amount: n,
		OrderReference: order, AutoClearing: true,
	}}
	if expires != "" && err == nil {
		c.ExpiresAt, err = duration(expires)
		c.ExpiresAt += s.at
	}
	return c, err
}

func (s *stage) pay(words []string) (machine.Command, error) {
	clears, kind := option(&words, "clears", "1h"), option(&words, "kind", string(payment.Auth))
	through, after := option(&words, "through", ""), option(&words, "after", "")
	every, secure := option(&words, "every", ""), slices.Contains(words, "3d")
	n, err := strconv.ParseInt(words[1], 10, 64)
	if err != nil {
		return nil, err
	}
	c := machine.BeginPayment{
		Facts: payment.Facts{
			ID: s.newCard(words[0]), Merchant: merchantID(words[3]), Link: s.cardID(through),
			Connector: "sandbox", Currency: money.KZT, Amount: n, Kind: payment.Kind(kind),
		},
		Authenticate: secure, Operation: s.newCard(""),
	}
	if every != "" {
		c.Facts.Recurring.Type = payment.Initial
		c.Facts.Recurring.Frequency, err = strconv.ParseInt(every, 10, 64)
		c.Facts.Recurring.ExpiresAt = s.at + 90*24*3600*1_000_000
	}
	if after != "" {
		c.Facts.Recurring.Type, c.Facts.Parent = payment.Unscheduled, s.cardID(after)
	}
	if err == nil {
		c.Facts.ClearMicros, err = duration(clears)
	}
	return c, err
}

func (s *stage) modify(words []string) (machine.Command, error) {
	reference := option(&words, "as", "")
	m := machine.Modification{Merchant: "mer_shop", Payment: s.cardID(words[1]), Operation: s.newCard("")}
	if by := option(&words, "for", ""); by != "" {
		m.Merchant = merchantID(by)
	}
	var err error
	if len(words) > 2 {
		m.Amount, err = strconv.ParseInt(words[2], 10, 64)
	}
	switch words[0] {
	case "capture":
		return machine.AskCapture{Modification: m}, err
	case "cancel":
		return machine.AskCancel{Modification: m}, err
	case "refund":
		return machine.AskRefund{Modification: m, Returning: payment.Returning{ID: s.newCard(reference)}}, err
	}
	return nil, nil // what a wallet's owner is asked
}

// operation finds a payment's operation by its number.
func (s *stage) operation(paymentID, number string) payment.Operation {
	for _, o := range s.state.Operations {
		if o.Payment == paymentID && strconv.FormatInt(o.Number, 10) == number {
			return o
		}
	}
	return payment.Operation{}
}

func (s *stage) attempt(name, number string) machine.Attempt {
	p := s.state.Payments[s.cardID(name)]
	o := s.operation(p.ID, number)
	a := machine.Attempt{Payment: s.cardID(name), Operation: o.ID, Link: p.Link, Other: o.Refund}
	if a.Other == "" {
		a.Other = p.Parent
	}
	return a
}

var cardName = regexp.MustCompile(`^[plr][0-9]$`)

// cardFigure answers lines such as "p1 captured", "p1 asked 2" and "l1 status".
func (s *stage) cardFigure(words []string) (string, bool) {
	if !cardName.MatchString(words[0]) {
		return "", false
	}
	id := s.cardID(words[0])
	if l, ok := s.state.Links[id]; ok {
		return s.linkFigure(l, words[1])
	}
	p := s.state.Payments[id]
	amounts := map[string]int64{
		"amount": p.Amount, "authorized": p.Authorized, "captured": p.Captured, "released": p.Released,
		"refunded": p.Refunded, "remaining": p.Remaining(), "free": p.Free(), "balance": p.Balance(),
		"settled": p.Settled,
	}
	if n, ok := amounts[words[1]]; ok {
		return strconv.FormatInt(n, 10), true
	}
	switch words[1] {
	case "status":
		return string(p.Status()), true
	case "failure":
		return string(p.Failure), true
	case "secure":
		return fmt.Sprintf("%v, ECI %s", p.Secure3D, p.ECI), true
	case "clears":
		return s.when(p.ClearAt), true
	case "asked":
		o := s.operation(id, words[2])
		unknown := ""
		if o.Unknown {
			unknown = ", unknown, asked after " + s.when(o.NextCheckAt)
		}
		return fmt.Sprintf("%s %d %s%s", o.Verb, o.Amount, o.State, unknown), true
	}
	return "", false
}

func (s *stage) linkFigure(l link.Link, what string) (string, bool) {
	switch what {
	case "status":
		return string(l.Status), true
	case "shows":
		return string(l.StatusAt(s.at)), true
	case "payment", "busy":
		id := map[string]string{"payment": l.Payment, "busy": l.Busy}[what]
		for name, is := range s.names {
			if is == id && strings.HasPrefix(name, "card ") {
				return strings.TrimPrefix(name, "card "), true
			}
		}
		return "none", true
	}
	return "", false
}

// when says a time as it is from now.
func (s *stage) when(at int64) string {
	if at == 0 {
		return "never"
	}
	text := strings.Replace(micros(at-s.at).String(), "m0s", "m", 1)
	return "in " + strings.Replace(text, "h0m", "h", 1)
}

// cardTold is an answer about a payment or a link in a scenario's words.
func cardTold(o machine.Outcome) string {
	switch p := o.Pay; {
	case o.Reason != "":
		return "refused: " + string(o.Reason)
	case p.Contradicts:
		return "not believed"
	case p.Payment.ID != "":
		return string(p.Payment.Status())
	default:
		return string(p.Link.Status)
	}
}

// cardEvents lists a payment's records: the merchant's events by their names, and the platform's own entries
// in brackets.
func (s *stage) cardEvents(name string) string {
	var events []string
	for _, r := range s.state.Changes.Records {
		switch {
		case r.Object != s.cardID(name):
		case r.Merchant == "":
			events = append(events, fmt.Sprintf("%d (%s)", r.Sequence, r.Type))
		default:
			events = append(events, fmt.Sprintf("%d %s", r.Sequence, strings.TrimPrefix(r.Event(), "transaction.")))
		}
	}
	return strings.Join(events, ", ")
}

// cardMeaning is what was asked for, without the ids that we make.
func cardMeaning(c machine.Command) (string, bool) {
	switch c := c.(type) {
	case machine.AskCapture:
		c.Operation = ""
		return fmt.Sprintf("%T%v", c, c), true
	case machine.AskRefund:
		c.Operation, c.Returning.ID = "", ""
		return fmt.Sprintf("%T%v", c, c), true
	}
	return "", false
}

// checkCards holds after every line: the counters are in bounds (V2, V3, V4), and the books have what the
// payments have.
func (s *stage) checkCards() error {
	var held, posted int64
	for _, p := range s.state.Payments {
		if p.Merchant != merchantID("shop") {
			continue
		}
		held += p.Remaining()
		posted += p.Balance()
		for _, n := range []int64{p.Free(), p.Balance() - p.Refunding, p.Captured, p.Released, p.Refunded, p.Open,
			p.Unknown, p.Captured - p.Settled} {
			if n < 0 && p.Kind != payment.RefundOf {
				return fmt.Errorf("amounts out of bounds: %+v", p)
			}
		}
	}
	if len(s.state.Transactions) > 0 || len(s.state.Payments) == 0 {
		return nil
	}
	if a := s.account("shop", money.KZT); a.Totals.Pending() != held || a.Totals.Posted() != posted {
		return fmt.Errorf("the shop has %+v, its payments %d held and %d posted", a.Totals, held, posted)
	}
	return nil
}

// follow holds that no record's status follows another's that it may not follow (V7).
func (s *stage) follow(r journal.Record) error {
	was := payment.Status(s.names["status "+r.Object])
	now := payment.Status(r.After.State)
	refund := s.state.Payments[r.Object].Kind == payment.RefundOf
	if !payment.MayBecome(was, now) && !(refund && was == "") && !(was == payment.StatusCreated && refund) {
		return fmt.Errorf("%s went from %q to %q", r.Object, was, now)
	}
	s.names["status "+r.Object] = r.After.State
	return nil
}
