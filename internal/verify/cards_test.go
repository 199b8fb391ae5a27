package verify_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/storage/memory"
	"plexy/internal/verify"
)

// uuid returns an id of a payment or an operation.
func (w *town) uuid() string {
	w.made++
	return fmt.Sprintf("00000000-0000-7000-8000-%012d", w.made)
}

// do runs a command about card payments under a key of its own, and it must be done.
func (w *town) do(c machine.Command) *machine.Pay {
	w.Helper()
	w.clock.Advance(1_000)
	o := w.ask(c)
	if o.Reason != "" {
		w.Fatalf("%T: %s", c, o.Reason)
	}
	return o.Pay
}

// settle records what an acquirer or the clock brings: without a key.
func (w *town) settle(c machine.Command) *machine.Pay {
	w.Helper()
	w.clock.Advance(1_000)
	o := w.run(w.made%2, machine.Instruction{Command: c})
	if o.Reason != "" {
		w.Fatalf("%T: %s", c, o.Reason)
	}
	return o.Pay
}

func (w *town) answer(p *machine.Pay, state payment.State) *machine.Pay {
	w.Helper()
	return w.settle(machine.RecordAnswer{
		Attempt: machine.Attempt{
			Payment: p.Payment.ID, Operation: p.Operation.ID, Link: p.Payment.Link, Other: p.Operation.Refund,
		},
		Answer: payment.Answer{State: state}, Audit: w.stem("aud_"),
	})
}

func (w *town) pay(name, through string, kind payment.Kind) *machine.Pay {
	w.Helper()
	f := payment.Facts{
		ID: w.uuid(), Merchant: "mer_1", Link: through, Connector: "sandbox", Currency: money.KZT, Amount: 1_000,
		Kind: kind, OrderReference: name,
	}
	if kind == payment.Verification {
		f.Amount = 0
	}
	p := w.do(machine.BeginPayment{Facts: f, Operation: w.uuid(), Authenticate: name == "secure"})
	w.paid[name] = p.Payment.ID
	return p
}

func (w *town) modification(p payment.Payment, amount int64) machine.Modification {
	return machine.Modification{Merchant: "mer_1", Payment: p.ID, Operation: w.uuid(), Amount: amount}
}

// refunds gives an amount of a payment back under a name.
func (w *town) refunds(name string, p payment.Payment, amount int64) *machine.Pay {
	w.Helper()
	asked := w.do(machine.AskRefund{
		Modification: w.modification(p, amount), Returning: payment.Returning{ID: w.uuid()},
	})
	w.paid[name] = asked.Other.ID
	return asked
}

func (w *town) link(name string) link.Link {
	w.Helper()
	l := w.do(machine.CreateLink{Facts: link.Facts{
		ID: "pl_" + strings.ReplaceAll(w.uuid(), "-", ""), Merchant: "mer_1", Currency: money.KZT, Amount: 1_000,
		OrderReference: name,
	}}).Link
	w.paid[name] = l.ID
	return l
}

// cards lets everything happen to card payments once.
func (w *town) cards() {
	w.Helper()
	w.paid = map[string]string{}
	paidLink := w.link("link")
	p := w.answer(w.pay("card", paidLink.ID, payment.Auth), payment.Accepted).Payment
	w.answer(w.do(machine.AskCapture{Modification: w.modification(p, 100)}), payment.Declined)
	w.answer(w.do(machine.AskCapture{Modification: w.modification(p, 600)}), payment.Accepted)
	w.answer(w.do(machine.AskCancel{Modification: w.modification(p, 0)}), payment.Accepted)
	w.answer(w.refunds("back", p, 200), payment.Accepted)
	w.answer(w.refunds("refused", p, 50), payment.Declined)
	bounced := w.answer(w.refunds("bounced", p, 100), payment.Accepted)
	w.settle(machine.FailRefund{Payment: p.ID, Refund: bounced.Other.ID})
	w.refunds("asked back", p, 10)
	w.settle(machine.RecordSettlement{Payment: p.ID, Amount: 600, Fee: 18})
	w.settle(machine.RecordSettlement{Payment: w.paid["back"], Amount: 200, Fee: 1})

	w.do(machine.CancelLink{Merchant: "mer_1", ID: w.link("dead link").ID})
	busy := w.link("busy link")
	unknown := w.pay("unknown", busy.ID, payment.Auth)
	w.settle(machine.PutOff{
		Attempt: machine.Attempt{Payment: unknown.Payment.ID, Operation: unknown.Operation.ID},
	})
	w.answer(w.pay("declined", "", payment.Sale), payment.Declined)
	w.answer(w.pay("verified", "", payment.Verification), payment.Accepted)
	w.pay("secure", "", payment.Auth)
	again := w.answer(w.pay("lied", "", payment.Auth), payment.Accepted)
	w.answer(again, payment.Declined) // is not believed
}

// editPayment replaces the row of a named payment.
func editPayment(name string, change func(*memory.PaymentRow)) func(*town, *memory.Tables) {
	return func(w *town, t *memory.Tables) {
		row := *t.Payments.Payments[w.paid[name]]
		change(&row)
		t.Payments.Payments[row.ID] = &row
	}
}

// editCard replaces one record of a named payment.
func editCard(name string, sequence int, change func(*journal.Record)) func(*town, *memory.Tables) {
	return func(w *town, t *memory.Tables) {
		rows := slices.Clone(t.Journal[w.paid[name]])
		change(&rows[sequence-1])
		t.Journal[w.paid[name]] = rows
	}
}

// editOperation replaces an operation of a named payment.
func editOperation(name string, number int64, change func(*payment.Operation)) func(*town, *memory.Tables) {
	return func(w *town, t *memory.Tables) {
		for id, o := range t.Payments.Operations {
			if o.Payment == w.paid[name] && o.Number == number {
				row := *o
				change(&row)
				t.Payments.Operations[id] = &row
				return
			}
		}
		w.Fatalf("%s has no operation %d", name, number)
	}
}

func editLink(name string, change func(*link.Link)) func(*town, *memory.Tables) {
	return func(w *town, t *memory.Tables) {
		row := *t.Payments.Links[w.paid[name]]
		change(&row)
		t.Payments.Links[row.ID] = &row
	}
}

// cardPlants are corruptions of card payments, each with a rule that must find it.
var cardPlants = []struct {
	name  string
	rule  verify.Rule
	plant func(*town, *memory.Tables)
}{
	{"captured more than the records", verify.Counters, editPayment("card", func(p *memory.PaymentRow) {
		p.Captured++
	})},
	{"refunded more than captured", verify.Counters, editPayment("card", func(p *memory.PaymentRow) {
		p.Refunded = p.Captured + 1
	})},
	{"in flight what nobody asked for", verify.Counters, editPayment("card", func(p *memory.PaymentRow) {
		p.Refunding++
	})},
	{"nothing in flight", verify.Counters, editPayment("unknown", func(p *memory.PaymentRow) {
		p.Open, p.Unknown = 0, 0
	})},
	{"settled twice", verify.Counters, editPayment("card", func(p *memory.PaymentRow) { p.Settled *= 2 })},
	{"a refund less", verify.Counters, editPayment("card", func(p *memory.PaymentRow) { p.Refunded = 0 })},
	{"an operation of another amount", verify.Counters, editOperation("card", 3, func(o *payment.Operation) {
		o.Amount--
	})},
	{"a stored status", verify.History, editPayment("card", func(p *memory.PaymentRow) {
		p.Stored = payment.StatusRefunded
	})},
	{"another stage", verify.History, editPayment("declined", func(p *memory.PaymentRow) {
		p.Stage = payment.Approved
	})},
	{"no reason", verify.History, editPayment("declined", func(p *memory.PaymentRow) { p.Failure = "" })},
	{"a status from nowhere", verify.History, editCard("card", 2, func(r *journal.Record) {
		r.After.State = "refunded"
	})},
	{"time runs backwards", verify.History, editCard("card", 3, func(r *journal.Record) { r.At = 1 })},
	{"an operation that was not", verify.Operations, editOperation("card", 2, func(o *payment.Operation) {
		o.State, o.Amount = payment.Accepted, 0
	})},
	{"an operation without its record", verify.Operations, editOperation("card", 3, func(o *payment.Operation) {
		o.Sequence = 1
	})},
	{"a refund of another amount", verify.Operations, editPayment("back", func(p *memory.PaymentRow) {
		p.Amount++
	})},
	{"a refund of another payment", verify.Operations, editPayment("back", func(p *memory.PaymentRow) {
		p.Parent = ""
	})},
	{"a refused refund is done", verify.Operations, editPayment("refused", func(p *memory.PaymentRow) {
		p.Stage, p.Failure, p.Stored = payment.Approved, "", payment.StatusRefunded
	})},
	{"another posting", verify.Operations, editCard("card", 3, func(r *journal.Record) {
		r.Posting.Move = ledger.Post
	})},
	{"a payment lost its records", verify.Operations, func(w *town, t *memory.Tables) {
		delete(t.Journal, w.paid["declined"])
	}},
	{"the last payment lost its records", verify.Operations, func(w *town, t *memory.Tables) {
		delete(t.Journal, w.paid["lied"])
	}},
	{"records lost their payment", verify.Operations, func(w *town, t *memory.Tables) {
		delete(t.Payments.Payments, w.paid["declined"])
	}},
	{"operations lost their payment", verify.Operations, func(w *town, t *memory.Tables) {
		delete(t.Payments.Payments, w.paid["lied"])
		delete(t.Journal, w.paid["lied"])
	}},
	{"a record is missing", verify.Sequences, editCard("card", 3, func(r *journal.Record) {
		r.Sequence = 9
	})},
	{"an event shows another payment", verify.Sequences, editCard("card", 3, func(r *journal.Record) {
		r.After.Captured++
	})},
	{"the row counts other records", verify.Sequences, editPayment("card", func(p *memory.PaymentRow) {
		p.Sequence++
	})},
	{"another merchant's record", verify.Places, editCard("card", 1, func(r *journal.Record) {
		r.Merchant = "mer_2"
	})},
	{"a record with a wallet", verify.Places, editCard("card", 1, func(r *journal.Record) {
		r.Wallet = "wlt_1"
	})},
	{"another book", verify.Places, editPayment("card", func(p *memory.PaymentRow) { p.Book++ })},
	{"a link paid by another", verify.Links, editLink("link", func(l *link.Link) { l.Payment = "x" })},
	{"a link paid by nobody", verify.Links, editLink("dead link", func(l *link.Link) {
		l.Status = link.Paid
	})},
	{"a link that is not busy", verify.Links, editLink("busy link", func(l *link.Link) { l.Busy = "" })},
	{"a link paid twice", verify.Links, func(w *town, t *memory.Tables) {
		editPayment("lied", func(p *memory.PaymentRow) { p.Link = w.paid["link"] })(w, t)
	}},
	{"a link is lost", verify.Links, func(w *town, t *memory.Tables) {
		delete(t.Payments.Links, w.paid["link"])
	}},
	{"one key, two operations", verify.Keys, func(w *town, t *memory.Tables) {
		var origin journal.Origin
		editOperation("card", 3, func(o *payment.Operation) { origin = o.Origin })(w, t)
		editOperation("card", 4, func(o *payment.Operation) { o.Origin = origin })(w, t)
		clear(t.Replies)
		w.clock.Advance(machine.Retention)
	}},
	{"an operation whose key is lost", verify.Keys, editOperation("card", 3, func(o *payment.Operation) {
		o.Origin.IdempotencyKey = "another"
	})},
	{"a link whose key is lost", verify.Keys, editLink("link", func(l *link.Link) {
		l.Origin.IdempotencyKey = "another"
	})},
}

func TestPlantedCorruptionOfCards(t *testing.T) {
	for _, p := range cardPlants {
		t.Run(p.name, func(t *testing.T) {
			w := newTown(t)
			w.s.Tamper(func(tables *memory.Tables) { p.plant(w, tables) })
			if report := w.verify(); !slices.Contains(report.Broken(), p.rule) {
				t.Fatalf("not found by %q; found %v", p.rule, report.Violations)
			}
		})
	}
}

// A reply that says that its effect is elsewhere needs none in the books; one that says that it was done.
func TestAnEffectElsewhere(t *testing.T) {
	for status, good := range map[int]bool{machine.StatusElsewhere: true, 201: false} {
		w := newTown(t)
		w.s.Tamper(func(tables *memory.Tables) {
			tables.Replies[machine.ReplyKey{Scope: "mer_1", Key: "x"}] = &machine.Stored{
				Reply: machine.Reply{Status: status}, RequestID: "r",
			}
		})
		report, err := verify.RunInPortions(context.Background(), w.s, w.clock.Now(), 3)
		if err != nil || report.OK() != good {
			t.Errorf("%d: %v %v", status, err, report.Violations)
		}
	}
}
