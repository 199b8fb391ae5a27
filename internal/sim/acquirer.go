package sim

import (
	"math/rand/v2"

	"plexy/internal/core/payment"
)

// acquirer is a bank that takes cards, with a truth of its own. What it is asked for under one id it does
// once, or never; what it says about it comes on time, late, twice, out of order, about another amount, or
// never, and later it contradicts itself. Only what it says first about an outcome is no lie: no books could
// know better.
type acquirer struct {
	random *rand.Rand
	done   map[string]payment.State // by operation
	books  map[string]*account      // by payment
	mail   []message                // on its way to us, in no order
}

// account is what the bank has of one payment, in minor units.
type account struct{ authorized, captured, released, refunded int64 }

// message is one answer on its way.
type message struct {
	attempt attempt
	answer  payment.Answer
}

// attempt names what an answer is about.
type attempt struct{ payment, operation, link, other string }

func newAcquirer(random *rand.Rand) *acquirer {
	return &acquirer{random: random, done: map[string]payment.State{}, books: map[string]*account{}}
}

func (b *acquirer) of(payment string) *account {
	if b.books[payment] == nil {
		b.books[payment] = &account{}
	}
	return b.books[payment]
}

// do carries an operation out, once: the same id has the same answer.
func (b *acquirer) do(o payment.Operation) payment.State {
	if was, ok := b.done[o.ID]; ok {
		return was
	}
	a := b.of(o.Payment)
	fits := map[payment.Verb]bool{
		payment.Authorize: a.authorized == 0, payment.Capture: a.captured+a.released+o.Amount <= a.authorized,
		payment.Cancel: a.captured+a.released+o.Amount <= a.authorized,
		payment.Refund: a.refunded+o.Amount <= a.captured,
	}[o.Verb]
	state := payment.Accepted
	if !fits || b.random.IntN(8) == 0 {
		state = payment.Declined
	}
	if b.done[o.ID] = state; state == payment.Accepted {
		*map[payment.Verb]*int64{
			payment.Authorize: &a.authorized, payment.Capture: &a.captured, payment.Cancel: &a.released,
			payment.Refund: &a.refunded,
		}[o.Verb] += o.Amount
	}
	return state
}

// call is what a connector's call comes to: the answer, or nothing known.
func (b *acquirer) call(o payment.Operation, at attempt) (payment.Answer, bool) {
	switch b.random.IntN(10) {
	case 0: // it never arrives, and we know
		b.done[o.ID] = payment.Undone
		return payment.Answer{State: payment.Undone}, true
	case 1: // it never arrives, and nobody knows
		return payment.Answer{}, false
	}
	answer := payment.Answer{State: b.do(o), Code: "00", Amount: o.Amount}
	for range b.random.IntN(3) { // callbacks: none, one or two
		b.mail = append(b.mail, message{at, answer})
	}
	if b.random.IntN(6) == 0 { // another amount
		b.mail = append(b.mail, message{at, payment.Answer{State: payment.Accepted, Amount: o.Amount + 1}})
	}
	return answer, b.random.IntN(4) > 0
}

// lie contradicts what was said of an operation, some time after.
func (b *acquirer) lie(at attempt, said payment.State) {
	other := payment.Accepted
	if said == payment.Accepted {
		other = payment.Declined
	}
	b.mail = append(b.mail, message{at, payment.Answer{State: other}})
}

// inquire tells the truth, now and then. What it never got it will not do any more.
func (b *acquirer) inquire(o payment.Operation) (payment.Answer, bool) {
	if b.random.IntN(3) == 0 {
		return payment.Answer{}, false
	}
	state, ok := b.done[o.ID]
	if !ok {
		state = payment.Undone
		b.done[o.ID] = state
	}
	return payment.Answer{State: state}, true
}

// deliver takes a message out of the mail, any of them.
func (b *acquirer) deliver() (message, bool) {
	if len(b.mail) == 0 {
		return message{}, false
	}
	i := b.random.IntN(len(b.mail))
	m := b.mail[i]
	b.mail[i] = b.mail[len(b.mail)-1]
	b.mail = b.mail[:len(b.mail)-1]
	return m, true
}
