package storagetest

import (
	"context"
	"fmt"
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/merchant"
	"plexy/internal/storage"
)

// cards is a world whose keeper knows card payments.
type cards struct {
	*world
	storage.Payments
}

// withCards runs a case of card payments where the keeper knows them.
func withCards(run func(*cards)) func(*world) {
	return func(w *world) {
		p, ok := w.Storage.(storage.Payments)
		if !ok {
			w.Skip("SKIPPED: this keeper does not know card payments yet")
		}
		w.install()
		w.addMerchant("1", merchant.Defaults())
		w.addMerchant("2", merchant.Defaults())
		run(&cards{w, p})
	}
}

// uuid returns a UUIDv7 that carries the world's time, grows with every call and belongs to the given book.
func (w *cards) uuid(book int) string {
	w.made++
	ms := fmt.Sprintf("%012x", w.now/1000)
	return fmt.Sprintf("%s-%s-7%03x-8000-%08x%04x", ms[:8], ms[8:], w.made>>12&0xfff, w.made&0xfff, book)
}

// linkFacts are those of a link with everything in it.
func (w *cards) linkFacts(merchant, reference string) link.Facts {
	return link.Facts{
		ID: "pl_" + strings.ReplaceAll(w.uuid(513), "-", ""), Merchant: merchant, Currency: "USD", Amount: 1_000,
		OrderReference: reference, Description: "tea & cups", Shopper: "shopper", AutoClearing: true,
		Validation: true, Recurring: `{"type":"cof_initial"}`, Metadata: `{"callbackUrl":"https://shop.example"}`,
		CreatedBy: "key_1",
	}
}

func (w *cards) createLink(f link.Facts, expiresAt int64) link.Link {
	w.Helper()
	o := w.run(w.keyed(f.Merchant, "", machine.CreateLink{Facts: f, ExpiresAt: expiresAt}))[0]
	w.refused(o, "")
	return o.Pay.Link
}

// facts are those of a payment with everything in it, but for link and parent.
func (w *cards) facts(merchant string, amount int64) payment.Facts {
	return payment.Facts{
		ID: w.uuid(77), Merchant: merchant, Session: "session", Shopper: "shopper", CardToken: "token",
		Connector: "sandbox", Terminal: "terminal", Currency: money.KZT, Amount: amount,
		OrderReference: "ORDER-1", Description: "tea", Kind: payment.Auth, AutoClearing: true,
		ClearMicros: 3600 * second,
		Recurring:   payment.Recurring{Type: payment.Initial, Frequency: 30, ExpiresAt: start + 90*day},
		Card:        payment.Card{Brand: "visa", Last4: "1111", Expiry: "07/27"}, PayerIP: "192.0.2.1",
		CallbackURL: "https://shop.example/hook",
	}
}

func (w *cards) begin(f payment.Facts, authenticate bool) *machine.Pay {
	w.Helper()
	return w.act(f.Merchant, machine.BeginPayment{
		Facts: f, Operation: w.uuid(0), Authenticate: authenticate,
	})
}

// act runs a command that must be done.
func (w *cards) act(merchant string, c machine.Command) *machine.Pay {
	w.Helper()
	w.now += second
	o := w.run(w.keyed(merchant, "", c))[0]
	w.refused(o, "")
	return o.Pay
}

// attempt names an operation and what its answer changes.
func attempt(p payment.Payment, o payment.Operation) machine.Attempt {
	return machine.Attempt{Payment: p.ID, Operation: o.ID, Link: p.Link, Other: o.Refund}
}

// answers settles an operation.
func (w *cards) answers(done *machine.Pay, state payment.State) *machine.Pay {
	w.Helper()
	return w.act(done.Payment.Merchant, machine.RecordAnswer{
		Attempt: attempt(done.Payment, done.Operation), Audit: w.audit().ID,
		Answer: payment.Answer{
			State: state, Amount: done.Operation.Amount, Code: "00", AuthCode: "123456", RRN: "RRN000000001",
			NetworkReference: "NET-1", CVVStatus: "M",
		},
	})
}

// pay makes an authorized payment.
func (w *cards) pay(f payment.Facts) payment.Payment {
	w.Helper()
	return w.answers(w.begin(f, false), payment.Accepted).Payment
}

func (w *cards) ask(p payment.Payment, amount int64) machine.Modification {
	return machine.Modification{Merchant: p.Merchant, Payment: p.ID, Operation: w.uuid(0), Amount: amount}
}

// stored stops the test unless reads, loads and walks all find what a command came to.
func (w *cards) stored(want *machine.Pay) {
	w.Helper()
	keys := machine.Keys{}
	for _, p := range []payment.Payment{want.Payment, want.Other} {
		if p.ID == "" {
			continue
		}
		keys.Payments = append(keys.Payments, p.ID)
		got, err := w.Payment(w.ctx, p.Merchant, p.ID)
		w.ok(err)
		w.same(got, p)
		_, err = w.Payment(w.ctx, "mer_other", p.ID)
		w.is(err, storage.ErrNotFound)
		got, err = w.AnyPayment(w.ctx, p.ID)
		w.ok(err)
		w.same(got, p)
		walked, status := w.walked(p.ID)
		w.same(walked, p)
		w.same(status, p.Status())
	}
	if o := want.Operation; o.ID != "" {
		keys.Operations = append(keys.Operations, o.ID)
		all, err := w.OperationsOf(w.ctx, o.Payment)
		w.ok(err)
		w.same(all[o.Number-1], o)
		got, err := w.Asked(w.ctx, o.ID)
		w.ok(err)
		w.same(got, storage.Asked{Operation: o, Payment: want.Payment})
	}
	if l := want.Link; l.ID != "" {
		keys.Links = append(keys.Links, l.ID)
		got, err := w.Link(w.ctx, l.Merchant, l.ID)
		w.ok(err)
		w.same(got, l)
	}
	for _, r := range want.Records {
		got, err := w.Record(w.ctx, journal.Ref{Object: r.Object, Sequence: r.Sequence})
		w.ok(err)
		r.Debit, r.Credit, r.StripeBook = got.Debit, got.Credit, got.StripeBook // the keeper's to fill
		w.same(got, r)
	}
	w.loaded(keys, want)
}

// loaded stops the test unless a batch loads what a command came to.
func (w *cards) loaded(keys machine.Keys, want *machine.Pay) {
	w.Helper()
	state := w.load(keys)
	w.same(state.Payments[want.Payment.ID], want.Payment)
	w.same(state.Payments[want.Other.ID], want.Other)
	w.same(state.Operations[want.Operation.ID], want.Operation)
	w.same(state.Links[want.Link.ID], want.Link)
}

// walked finds a payment and its stored status in the books.
func (w *cards) walked(id string) (found payment.Payment, status payment.Status) {
	w.Helper()
	w.books(func(ctx context.Context, b storage.PaymentBooks) error {
		return b.Payments(ctx, func(p payment.Payment, s payment.Status) error {
			if p.ID == id {
				found, status = p, s
			}
			return nil
		})
	})
	return found, status
}

func (w *cards) books(fn func(context.Context, storage.PaymentBooks) error) {
	w.Helper()
	w.ok(w.Snapshot(w.ctx, func(ctx context.Context, b storage.Books) error {
		return fn(ctx, b.(storage.PaymentBooks))
	}))
}

// roundTripPayment takes a payment through everything that changes a row.
func roundTripPayment(w *cards) {
	l := w.createLink(w.linkFacts("mer_1", "ORDER-7"), start+day)
	w.stored(&machine.Pay{Link: l})
	f := w.facts("mer_1", 1)
	f.Link = l.ID
	done := w.begin(f, true)
	w.same([]any{done.Payment.Amount, done.Payment.Status(), done.Link.Busy},
		[]any{int64(1_000), payment.Status3D, f.ID})
	w.stored(done)
	done = w.act("mer_1", machine.Authenticated{
		Attempt: machine.Attempt{Payment: f.ID, Link: l.ID, Operation: w.uuid(0)},
		Verdict: payment.Passed, ECI: "05",
	})
	w.stored(done)
	done = w.act("mer_1", machine.PutOff{Attempt: attempt(done.Payment, done.Operation)})
	w.same([]any{done.Operation.Unknown, done.Payment.Unknown}, []any{true, int64(1)})
	w.stored(done)
	done = w.answers(done, payment.Accepted)
	w.same(done.Link.Status, link.Paid)
	w.stored(done)
	again := w.answers(done, payment.Declined) // is not believed
	w.same([]any{again.Contradicts, again.Operation.Contradictions}, []any{true, int64(1)})
	w.stored(again)
	p := done.Payment
	done = w.answers(w.act("mer_1", machine.AskCapture{Modification: w.ask(p, 600)}), payment.Accepted)
	w.stored(done)
	done = w.answers(w.act("mer_1", machine.AskCancel{Modification: w.ask(p, 0)}), payment.Accepted)
	w.stored(done)
	asked := w.act("mer_1", machine.AskRefund{
		Modification: w.ask(p, 250), Returning: payment.Returning{ID: w.uuid(1), Reference: "BACK-1"},
	})
	w.stored(asked)
	done = w.answers(asked, payment.Accepted)
	w.same(len(done.Records), 2)
	w.stored(done)
	refund := done.Other
	w.stored(w.act("", machine.RecordSettlement{Payment: p.ID, Amount: 600, Fee: 12}))
	w.stored(w.act("", machine.FailRefund{Payment: p.ID, Refund: refund.ID}))
	q := storage.PaymentQuery{Merchant: "mer_1", Parent: p.ID, Limit: 9}
	refunds, n, err := w.Payments.Payments(w.ctx, q)
	w.ok(err)
	w.same([]any{n, len(refunds), refunds[0].ID}, []any{int64(1), 1, refund.ID})
}

// stripesOfPayments: both sides of a payment's posting are stripes, with running balances.
func stripesOfPayments(w *cards) {
	p := w.pay(w.facts("mer_1", 1_000))
	w.answers(w.act("mer_1", machine.AskCapture{Modification: w.ask(p, 400)}), payment.Accepted)
	w.answers(w.act("mer_1", machine.AskCancel{Modification: w.ask(p, 0)}), payment.Accepted)
	records, err := w.Operations(w.ctx, p.ID)
	w.ok(err)
	var debits, credits []ledger.Running
	for _, r := range records {
		debits, credits = append(debits, r.Debit), append(credits, r.Credit)
	}
	w.same(debits, []ledger.Running{{}, {Version: 1, Pending: -1_000}, {Version: 2, Pending: -600, Posted: -400},
		{Version: 3, Posted: -400}})
	w.same(credits, []ledger.Running{{}, {Version: 1, Pending: 1_000}, {Version: 2, Pending: 600, Posted: 400},
		{Version: 3, Posted: 400}})
	for account, posted := range map[string]int64{
		ledger.Payable("mer_1", money.KZT): 400, ledger.Receivable("sandbox", money.KZT): -400,
	} {
		stripes, err := w.Stripes(w.ctx, account)
		w.ok(err)
		w.same([]any{len(stripes), stripes[0].Totals.Posted(), stripes[0].Totals.Pending(), stripes[0].Version},
			[]any{1, posted, int64(0), int64(3)})
	}
	// A wallet's sale to the same merchant counts on the same stripe.
	w.fund("alice", 100)
	t := w.sell(sale{merchant: "mer_1", payer: "alice", amount: 50})
	own, err := w.Operations(w.ctx, t.ID)
	w.ok(err)
	w.same(own[0].Credit, ledger.Running{Version: 4, Pending: 50, Posted: 400})
}

// verification has no amount and no posting.
func verification(w *cards) {
	f := w.facts("mer_1", 0)
	f.Kind = payment.Verification
	done := w.answers(w.begin(f, false), payment.Accepted)
	w.same([]any{done.Payment.Status(), done.Records[0].Amount, done.Records[0].Posting.Moves()},
		[]any{payment.StatusAuthorized, int64(0), false})
	w.stored(done)
}

func linkReferences(w *cards) {
	l := w.createLink(w.linkFacts("mer_1", "ORDER-7"), 0)
	w.createLink(w.linkFacts("mer_2", "ORDER-7"), 0)
	w.createLink(w.linkFacts("mer_1", ""), 0)
	w.createLink(w.linkFacts("mer_1", ""), 0)
	got, err := w.LinkByReference(w.ctx, "mer_1", "ORDER-7")
	w.ok(err)
	w.same(got, l)
	for _, reference := range []string{"", "order-7", "ORDER-7 "} {
		_, err = w.LinkByReference(w.ctx, "mer_1", reference)
		w.is(err, storage.ErrNotFound)
	}
	create := func(reference string) machine.Instruction {
		return w.keyed("mer_1", "", machine.CreateLink{Facts: w.linkFacts("mer_1", reference)})
	}
	w.refused(w.run(create("ORDER-7"))[0], reject.LinkReferenceExists)
	both := w.run(create("ORDER-8"), create("ORDER-8"))
	w.refused(both[0], "")
	w.refused(both[1], reject.LinkReferenceExists)
	w.act("mer_1", machine.CancelLink{Merchant: "mer_1", ID: l.ID})
	w.refused(w.run(create("ORDER-7"))[0], reject.LinkReferenceExists) // for ever
	// Another process is first.
	var keys machine.Keys
	late := create("ORDER-9")
	keys.Add(late)
	w.is(w.Commit(w.ctx, 0, func(ctx context.Context, b storage.Batch) error {
		state, err := b.Load(ctx, &keys)
		switch {
		case err != nil:
			return err
		case len(state.LinkReferences) > 0: // a keeper that guessed looks again by itself
			return storage.ErrConflict
		}
		if w.Lanes() > 1 {
			if _, err := w.try(1, create("ORDER-9")); err != nil {
				return err
			}
		} else {
			return storage.ErrConflict // one writer: nobody can be first
		}
		w.refused(machine.Step(state, machine.Stamp{At: w.now}, late), "")
		return b.Save(ctx, state)
	}), storage.ErrConflict)
}
