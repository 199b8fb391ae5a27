package host

import (
	"fmt"
	"slices"
	"strings"

	"plexy/internal/connector/iso8583/wire"
)

// Authorization is what the host has of one authorization, in minor units.
type Authorization struct {
	Operation string `json:"operation"`
	Payment   string `json:"payment"`
	Code      string `json:"code"`     // what field 39 said
	Approved  int64  `json:"approved"` // 0 when declined
	Captured  int64  `json:"captured"`
	Released  int64  `json:"released"`
	Refunded  int64  `json:"refunded"`
	Reversed  bool   `json:"reversed"` // taken back whole
}

// Held is what is on hold at the issuer.
func (a Authorization) Held() int64 {
	if a.Reversed {
		return 0
	}
	return a.Approved - a.Captured - a.Released
}

// Change is a capture, a cancel or a refund that the host answered.
type Change struct {
	Operation string `json:"operation"`
	Original  string `json:"original"` // operation of the authorization
	Code      string `json:"code"`
	Amount    int64  `json:"amount"`
	Effects   int    `json:"effects"` // how often it moved money: more than once is a fault of somebody
}

// Books are what the host knows, in the order in which it came to know it.
type Books struct {
	Authorizations []Authorization `json:"authorizations"`
	Changes        []Change        `json:"changes"`
	// Twice names operations that came under two different traces and had an effect each.
	Twice []string `json:"twice"`
}

// books decide. A request is known by what the standard names, its type, terminal, numbers and time, and
// never by our operation id: the link must do with a host that does not look into field 48.
type books struct {
	authorizations map[string]*Authorization // by trace, reference number and terminal
	order          []*Authorization
	changes        []*Change
	answers        map[string]wire.Message // what was answered, so that a repeat has the same answer
	early          map[string]bool         // reversals that came before what they reverse
	numbers        int
}

func newBooks() *books {
	return &books{authorizations: map[string]*Authorization{}, answers: map[string]wire.Message{},
		early: map[string]bool{}}
}

// answer decides a request, or finds what was decided before.
func (b *books) answer(m wire.Message) wire.Message {
	if m.Private == nil {
		m.Private = &wire.Private{}
	}
	seen := strings.Join([]string{m.Type[:3], m.STAN, m.Sent, m.RRN, m.Terminal}, " ")
	if known, ok := b.answers[seen]; ok && !b.undoes(m) {
		return known
	}
	said := wire.Message{
		Type: wire.AnswerType(m.Type), Processing: m.Processing, Amount: m.Amount, Sent: m.Sent, STAN: m.STAN,
		LocalTime: m.LocalTime, LocalDate: m.LocalDate, Acquirer: m.Acquirer, RRN: m.RRN, Terminal: m.Terminal,
		Merchant: m.Merchant, Currency: m.Currency, NetworkCode: m.NetworkCode,
	}
	switch {
	case m.Type[:2] == wire.Network[:2]:
		said.Code = "00"
		return said
	case m.Original == "":
		b.first(m, &said)
	case b.undoes(m):
		said.Code = b.undo(m)
	default:
		said.Code = b.change(m)
	}
	b.answers[seen] = said
	return said
}

// undoes reports whether a message takes an authorization back, whatever came of it.
func (b *books) undoes(m wire.Message) bool {
	return m.Type[:2] == wire.Reversal[:2] && m.Code == wire.ReasonLate
}

// originalOf is the key of the authorization that a message is about.
func originalOf(m wire.Message) string { return m.Original[:20] + " " + m.RRN + " " + m.Terminal }

// Blocked is the number of a card that is declined whatever the amount.
const Blocked = "4000000000000002"

// first decides an authorization. The amount says what the issuer says: 20 and two digits and 0 are its code.
func (b *books) first(m wire.Message, said *wire.Message) {
	b.numbers++
	minor, _ := wire.Minor(m.Amount)
	a := &Authorization{Operation: m.Private.Operation, Payment: m.Private.Payment, Code: "00", Approved: minor}
	if minor >= 20_000 && minor < 21_000 && minor%10 == 0 {
		a.Code = fmt.Sprintf("%02d", minor/10%100)
	}
	if m.Number == Blocked {
		a.Code = "05"
	}
	trace := wire.Message{Type: m.Type[:3] + "0", STAN: m.STAN, Sent: m.Sent}
	id := wire.TraceOf(trace) + " " + m.RRN + " " + m.Terminal
	if b.early[id] {
		a.Code = "12" // taken back before it came
	}
	switch a.Code {
	case "00":
		if m.Type[:2] == wire.Financial[:2] {
			a.Captured = minor
		}
	case "10":
		a.Approved = minor / 2
		said.Amount, _ = wire.AmountOf(a.Approved)
		if m.Type[:2] == wire.Financial[:2] {
			a.Captured = a.Approved
		}
	default:
		a.Approved = 0
	}
	said.Code = a.Code
	if a.Code == "00" || a.Code == "10" {
		said.AuthCode = fmt.Sprintf("H%05d", b.numbers%100_000)
		said.NetworkRef = fmt.Sprintf("NET%012d", b.numbers)
	}
	if cvv := m.Private.CVV; cvv != "" {
		said.Private = &wire.Private{CVVResult: "M"}
		if cvv == "444" {
			said.Private.CVVResult = "N"
		}
	}
	b.authorizations[id] = a
	b.order = append(b.order, a)
}

// undo takes an authorization back whole, as often as it is asked.
func (b *books) undo(m wire.Message) string {
	a := b.authorizations[originalOf(m)]
	if a == nil {
		b.early[originalOf(m)] = true
		return "25"
	}
	a.Reversed = true
	return "00"
}

// change decides a capture, a cancel or a refund.
func (b *books) change(m wire.Message) string {
	minor, _ := wire.Minor(m.Amount)
	c := &Change{Operation: m.Private.Operation, Original: m.Private.Original, Amount: minor}
	b.changes = append(b.changes, c)
	c.Code = b.move(b.authorizations[originalOf(m)], m, minor)
	if c.Code == "00" {
		c.Effects = 1
	}
	return c.Code
}

func (b *books) move(a *Authorization, m wire.Message, minor int64) string {
	switch {
	case a == nil:
		return "25"
	case minor == 0:
		return "13"
	case minor > a.Approved:
		return "64"
	case m.Type[:2] == wire.Reversal[:2]:
		if minor > a.Held() {
			return "80"
		}
		a.Released += minor
	case m.Processing == wire.Return:
		if minor > a.Captured-a.Refunded || a.Reversed {
			return "80"
		}
		a.Refunded += minor
	default:
		if minor > a.Held() {
			return "80"
		}
		a.Captured += minor
	}
	return "00"
}

// copy returns the books as they are now.
func (b *books) copy() Books {
	out := Books{Authorizations: []Authorization{}, Changes: []Change{}, Twice: []string{}}
	effects := map[string]int{}
	for _, a := range b.order {
		out.Authorizations = append(out.Authorizations, *a)
		if a.Approved > 0 && !a.Reversed {
			effects[a.Operation]++
		}
	}
	for _, c := range b.changes {
		out.Changes = append(out.Changes, *c)
		effects[c.Operation] += c.Effects
	}
	for operation, n := range effects {
		if n > 1 {
			out.Twice = append(out.Twice, operation)
		}
	}
	slices.Sort(out.Twice)
	return out
}
