package storagetest

import (
	"context"
	"fmt"

	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/event"
	"plexy/internal/storage"
)

func listPayments(w *cards) {
	l := w.createLink(w.linkFacts("mer_1", "ORDER-7"), 0)
	var ids []string
	for i := range 4 {
		f := w.facts("mer_1", 100)
		switch i {
		case 1:
			f.Link = l.ID
		case 2:
			f.OrderReference = "OTHER"
		case 3:
			f.Shopper = "other"
		}
		ids = append(ids, w.pay(f).ID)
	}
	w.pay(w.facts("mer_2", 100))
	first, err := w.Payment(w.ctx, "mer_1", ids[0])
	w.ok(err)
	w.answers(w.act("mer_1", machine.AskCapture{Modification: w.ask(first, 0)}), payment.Accepted)
	list := func(q storage.PaymentQuery, total int64, want ...int) {
		w.Helper()
		q.Merchant, q.Limit = "mer_1", max(q.Limit, 2)
		rows, n, err := w.Payments.Payments(w.ctx, q)
		w.ok(err)
		var got []int
		for _, p := range rows {
			for i, id := range ids {
				if id == p.ID {
					got = append(got, i)
				}
			}
		}
		w.same(got, want)
		w.same(n, total)
	}
	second, err := w.Payment(w.ctx, "mer_1", ids[1])
	w.ok(err)
	list(storage.PaymentQuery{}, 4, 3, 2)
	list(storage.PaymentQuery{Offset: 2}, 4, 1, 0)
	list(storage.PaymentQuery{Offset: 3}, 4, 0)
	list(storage.PaymentQuery{Offset: 4}, 4)
	list(storage.PaymentQuery{Link: l.ID}, 1, 1)
	list(storage.PaymentQuery{Link: "pl_none"}, 0)
	list(storage.PaymentQuery{OrderReference: "ORDER-1", Limit: 9}, 2, 3, 0)
	list(storage.PaymentQuery{OrderReference: "ORDER-7"}, 1, 1)
	list(storage.PaymentQuery{Shopper: "other"}, 1, 3)
	list(storage.PaymentQuery{Status: payment.StatusCharged}, 1, 0)
	list(storage.PaymentQuery{Status: payment.StatusAuthorized, Limit: 9}, 3, 3, 2, 1)
	list(storage.PaymentQuery{CreatedFrom: second.CreatedAt, CreatedTo: second.CreatedAt}, 0)
	list(storage.PaymentQuery{CreatedFrom: second.CreatedAt, CreatedTo: second.CreatedAt + 1}, 1, 1)
	list(storage.PaymentQuery{CreatedTo: second.CreatedAt}, 1, 0)
}

func listLinks(w *cards) {
	var ids []string
	for i := range 3 {
		ids = append(ids, w.createLink(w.linkFacts("mer_1", fmt.Sprint("ORDER-", i)), 0).ID)
		w.now += second
	}
	w.createLink(w.linkFacts("mer_2", "ORDER-1"), 0)
	w.act("mer_1", machine.CancelLink{Merchant: "mer_1", ID: ids[1]})
	rows, n, err := w.Links(w.ctx, storage.LinkQuery{Merchant: "mer_1", Offset: 1, Limit: 5})
	w.ok(err)
	w.same([]any{n, len(rows), rows[0].ID, rows[1].ID}, []any{int64(3), 2, ids[1], ids[0]})
	rows, n, err = w.Links(w.ctx, storage.LinkQuery{
		Merchant: "mer_1", Status: link.Active, CreatedFrom: start, CreatedTo: start + 2*second, Limit: 5,
	})
	w.ok(err)
	w.same([]any{n, len(rows), rows[0].ID}, []any{int64(1), 1, ids[0]})
	counts, err := w.LinkStatistics(w.ctx, "mer_1", 0, 0)
	w.ok(err)
	w.same(counts, []storage.LinkCount{
		{Status: link.Active, Currency: "USD", Links: 2, Amount: 2_000},
		{Status: link.Cancelled, Currency: "USD", Links: 1, Amount: 1_000},
	})
	counts, err = w.LinkStatistics(w.ctx, "mer_1", start, start+second)
	w.ok(err)
	w.same(counts, []storage.LinkCount{{Status: link.Active, Currency: "USD", Links: 1, Amount: 1_000}})
}

func duePayments(w *cards) {
	ids := func(asked []storage.Asked, err error) (found []string) {
		w.Helper()
		w.ok(err)
		for _, a := range asked {
			w.same(a.Payment.ID, a.Operation.Payment)
			found = append(found, a.Operation.ID)
		}
		return found
	}
	first := w.begin(w.facts("mer_1", 100), false)
	second := w.begin(w.facts("mer_1", 100), false)
	due := first.Operation.NextCheckAt
	w.same(ids(w.DueOperations(w.ctx, due-1, 9)), none)
	w.same(ids(w.DueOperations(w.ctx, due, 9)), []string{first.Operation.ID})
	w.same(ids(w.UnknownOperations(w.ctx, 9)), none)
	first = w.act("", machine.PutOff{Attempt: attempt(first.Payment, first.Operation)})
	w.same(ids(w.UnknownOperations(w.ctx, 9)), []string{first.Operation.ID})
	w.now += 3 * minute
	w.same(ids(w.DueOperations(w.ctx, w.now, 9)), []string{first.Operation.ID, second.Operation.ID})
	w.same(ids(w.DueOperations(w.ctx, w.now, 1)), []string{first.Operation.ID})
	for range 10 { // until nobody asks any more
		first = w.act("", machine.PutOff{Attempt: attempt(first.Payment, first.Operation)})
	}
	w.answers(second, payment.Declined)
	w.same(ids(w.DueOperations(w.ctx, w.now+100*day, 9)), none)
	w.same(ids(w.UnknownOperations(w.ctx, 9)), []string{first.Operation.ID})
	w.answers(first, payment.Accepted)
	w.same(ids(w.UnknownOperations(w.ctx, 9)), none)

	w.same(ids(w.ContradictedOperations(w.ctx, 0, 9)), none)
	w.now += minute
	w.answers(second, payment.Accepted)
	w.now += minute
	w.answers(first, payment.Declined)
	w.same(ids(w.ContradictedOperations(w.ctx, 0, 9)), []string{first.Operation.ID, second.Operation.ID})
	w.same(ids(w.ContradictedOperations(w.ctx, 0, 1)), []string{first.Operation.ID})
	w.same(ids(w.ContradictedOperations(w.ctx, w.now, 9)), []string{first.Operation.ID})
	w.same(ids(w.ContradictedOperations(w.ctx, w.now+1, 9)), none)

	third := w.begin(w.facts("mer_1", 100), false)
	third = w.act("", machine.PutOff{Attempt: attempt(third.Payment, third.Operation)})
	w.act("", machine.SettleOperation{
		Attempt: attempt(third.Payment, third.Operation),
		Found:   payment.Answer{State: payment.Accepted, RRN: "123"}, By: machine.By{ID: "aud_hand", Actor: "a"},
	})
	settled, err := w.Asked(w.ctx, third.Operation.ID)
	w.ok(err)
	w.same([]any{settled.Operation.ByHand, settled.Operation.State}, []any{true, payment.Accepted})
	audits, err := w.Audits(w.ctx, 1)
	w.ok(err)
	w.same([]string{audits[0].Action, audits[0].Before, audits[0].After},
		[]string{"payment.settle", "state=sent unknown", "state=approved rrn=123"})
}

// none are no ids.
var none []string

// minute in microseconds.
const minute = 60 * second

func dueClearings(w *cards) {
	due := func(found []payment.Payment, err error) (ids []string) {
		w.Helper()
		w.ok(err)
		for _, p := range found {
			ids = append(ids, p.ID)
		}
		return ids
	}
	a, b := w.pay(w.facts("mer_1", 100)), w.pay(w.facts("mer_1", 100))
	w.same(due(w.DueClearings(w.ctx, a.ClearAt-1, 9)), none)
	w.same(due(w.DueClearings(w.ctx, a.ClearAt, 9)), []string{a.ID})
	w.same(due(w.DueClearings(w.ctx, b.ClearAt, 9)), []string{a.ID, b.ID})
	w.now = b.ClearAt
	asked := w.act("", machine.ClearPayment{Payment: a.ID, Operation: w.uuid(0)})
	w.same(due(w.DueClearings(w.ctx, b.ClearAt, 9)), []string{b.ID})
	w.answers(asked, payment.Accepted)
	w.same(due(w.DueClearings(w.ctx, b.ClearAt+100*day, 9)), []string{b.ID})

	f := w.facts("mer_1", 100)
	p := w.begin(f, true).Payment
	w.same(due(w.DueAuthentications(w.ctx, p.AuthenticateBy-1, 9)), none)
	w.same(due(w.DueAuthentications(w.ctx, p.AuthenticateBy, 9)), []string{p.ID})
	w.act("", machine.Abandon{Attempt: machine.Attempt{Payment: p.ID}, Early: true})
	w.same(due(w.DueAuthentications(w.ctx, p.AuthenticateBy, 9)), none)
}

func dueLinks(w *cards) {
	due := func(at int64, want ...string) {
		w.Helper()
		got, err := w.DueLinks(w.ctx, at, 9)
		w.ok(err)
		w.same(got, want)
	}
	later := w.createLink(w.linkFacts("mer_1", "A"), start+2*minute)
	soon := w.createLink(w.linkFacts("mer_1", "B"), start+minute)
	w.createLink(w.linkFacts("mer_1", "C"), 0)
	due(start + minute - 1)
	due(start+minute, soon.ID)
	due(start+2*minute, soon.ID, later.ID)
	f := w.facts("mer_1", 1)
	f.Link = soon.ID
	done := w.begin(f, false)
	due(start+2*minute, later.ID)
	w.answers(done, payment.Declined)
	w.now = start + minute
	w.act("", machine.ExpireLink{ID: soon.ID})
	due(start+2*minute, later.ID)
}

// raceForALink: of two batches that begin a payment on one link, one wins.
func raceForALink(w *cards) {
	l := w.createLink(w.linkFacts("mer_1", "A"), 0)
	begin := func() machine.Instruction {
		f := w.facts("mer_1", 1)
		f.Link = l.ID
		return w.keyed("mer_1", "", machine.BeginPayment{Facts: f, Operation: w.uuid(0)})
	}
	ins := []machine.Instruction{begin(), begin(), begin(), begin()}
	done := make(chan []machine.Outcome)
	for i, in := range ins {
		go func() {
			for {
				o, err := w.try(i%w.Lanes(), in)
				if err == nil {
					done <- o
					return
				}
			}
		}()
	}
	reasons := map[reject.Reason]int{}
	for range ins {
		reasons[(<-done)[0].Reason]++
	}
	w.same(reasons, map[reject.Reason]int{"": 1, reject.LinkBusy: 3})
	_, n, err := w.Payments.Payments(w.ctx, storage.PaymentQuery{Merchant: "mer_1", Link: l.ID, Limit: 9})
	w.ok(err)
	w.same(n, int64(1))
}

// oneAnswerAmongRaces: whoever brings the answer, and however often, it has one effect.
func oneAnswerAmongRaces(w *cards) {
	begun := w.begin(w.facts("mer_1", 100), false)
	answer := w.keyed("mer_1", "", machine.RecordAnswer{
		Attempt: attempt(begun.Payment, begun.Operation), Answer: payment.Answer{State: payment.Accepted},
	})
	done := make(chan machine.Outcome)
	for i := range 4 {
		go func() {
			for {
				o, err := w.try(i%w.Lanes(), answer)
				if err == nil {
					done <- o[0]
					return
				}
			}
		}()
	}
	written := 0
	for range 4 {
		written += len((<-done).Pay.Records)
	}
	w.same(written, 1)
	records, err := w.Operations(w.ctx, begun.Payment.ID)
	w.ok(err)
	w.same(len(records), 2)
}

// eventsOfPayments: a payment's records are events with the payment as it was, beside those of wallets.
func eventsOfPayments(w *cards) {
	w.fund("alice", 100)
	t := w.sell(sale{merchant: "mer_1", payer: "alice", amount: 50})
	p := w.pay(w.facts("mer_1", 1_000))
	w.answers(w.act("mer_1", machine.AskCapture{Modification: w.ask(p, 1_000)}), payment.Accepted)
	w.act("", machine.RecordSettlement{Payment: p.ID, Amount: 1_000}) // the platform's own: no event
	back := w.act("mer_1", machine.AskRefund{
		Modification: w.ask(p, 0), Returning: payment.Returning{ID: w.uuid(1)},
	})
	w.answers(back, payment.Accepted)
	for {
		n, err := w.Number(w.ctx, w.now, 100)
		w.ok(err)
		if n == 0 {
			break
		}
	}
	events, err := w.Events(w.ctx, "mer_1", 0, 100)
	w.ok(err)
	byObject := map[string][]string{}
	for i, e := range events {
		w.same(e.Number, int64(i+1))
		object := e.Record.Object
		if (e.Payment != nil) != (object != t.ID) || (e.Transaction.ID != "") != (object == t.ID) {
			w.Fatalf("event %d of %s has %+v", e.Number, object, e)
		}
		if e.Payment != nil {
			w.same(e.Payment.ID, object)
			w.same("transaction."+string(e.Payment.Status()), e.Record.Event())
		}
		byObject[object] = append(byObject[object], e.Record.Event())
		ref, ok := event.Parse(e.ID())
		w.same(ok, true)
		one, err := w.Event(w.ctx, "mer_1", ref)
		w.ok(err)
		w.same(one, e)
	}
	w.same(byObject, map[string][]string{
		t.ID: {"wallet.transaction.authorized"},
		p.ID: {
			"transaction.created", "transaction.authorized", "transaction.charged", "transaction.refunded",
		},
		back.Other.ID: {"transaction.refunded"},
	})
}

// booksOfPayments: the walks are in the order that they promise.
func booksOfPayments(w *cards) {
	l := w.createLink(w.linkFacts("mer_1", "A"), 0)
	w.createLink(w.linkFacts("mer_1", "B"), 0)
	p := w.pay(w.facts("mer_1", 1_000))
	w.pay(w.facts("mer_2", 10))
	w.answers(w.act("mer_1", machine.AskCapture{Modification: w.ask(p, 1)}), payment.Accepted)
	w.books(func(ctx context.Context, b storage.PaymentBooks) error {
		var payments, operations, links []string
		w.ok(b.Payments(ctx, func(p payment.Payment, _ payment.Status) error {
			payments = append(payments, p.ID)
			return nil
		}))
		w.ok(b.Operations(ctx, func(o payment.Operation) error {
			operations = append(operations, fmt.Sprintf("%s %03d", o.Payment, o.Number))
			return nil
		}))
		w.ok(b.Links(ctx, func(l link.Link) error { links = append(links, l.ID); return nil }))
		w.same([]int{len(payments), len(operations), len(links)}, []int{2, 3, 2})
		w.same([]any{payments[0] < payments[1], links[0], operations[0] < operations[1]},
			[]any{true, l.ID, true})
		return nil
	})
}

// statisticsOverDays: the counts of links are those of the links, whatever time is asked for and whatever
// became of them, in one batch or later.
func statisticsOverDays(w *cards) {
	w.now += day - w.now%day
	begin := w.now
	var ids []string
	for i := range 12 {
		l := w.createLink(w.linkFacts("mer_1", fmt.Sprint(i)), 0)
		ids = append(ids, l.ID)
		w.createLink(w.linkFacts("mer_2", fmt.Sprint(i)), 0)
		w.now += 7 * 60 * minute
		if i%3 == 0 {
			w.act("mer_1", machine.CancelLink{Merchant: "mer_1", ID: ids[i/2]})
		}
	}
	f := w.facts("mer_1", 1)
	f.Link = ids[11]
	w.pay(f)
	both := w.linkFacts("mer_1", "both") // is made and cancelled by one batch
	outcomes, err := w.try(0, w.keyed("mer_1", "", machine.CreateLink{Facts: both}),
		w.keyed("mer_1", "", machine.CancelLink{Merchant: "mer_1", ID: both.ID}))
	w.ok(err)
	w.same(outcomes[1].Reason, reject.Reason(""))
	all, _, err := w.Links(w.ctx, storage.LinkQuery{Merchant: "mer_1", Limit: 99})
	w.ok(err)
	hour := int64(60 * minute)
	for _, from := range []int64{0, begin, begin + 1, begin + 7*hour, begin + day, begin + day + hour} {
		for _, to := range []int64{
			0, begin + 2*hour, begin + day, begin + 2*day, begin + 2*day + 8*hour, w.now + 1,
		} {
			want := map[link.Status]int64{}
			for _, l := range all {
				if l.CreatedAt >= from && (to == 0 || l.CreatedAt < to) {
					want[l.Status]++
				}
			}
			counts, err := w.LinkStatistics(w.ctx, "mer_1", from, to)
			w.ok(err)
			got := map[link.Status]int64{}
			for _, n := range counts {
				got[n.Status] = n.Links
				w.same(n.Amount, n.Links*both.Amount)
			}
			w.same(got, want)
		}
	}
}

// pagesOfADay: a page far down a busy day is what it is, however it is found.
func pagesOfADay(w *cards) {
	w.now += day - w.now%day
	var ids []string
	for range 150 {
		ids = append([]string{w.begin(w.facts("mer_1", 10), false).Payment.ID}, ids...)
		w.begin(w.facts("mer_2", 10), false)
		w.now += 7 * minute
	}
	for offset := 0; offset < len(ids); offset += 7 {
		q := storage.PaymentQuery{Merchant: "mer_1", Offset: offset, Limit: 2}
		rows, total, err := w.Payments.Payments(w.ctx, q)
		w.ok(err)
		var got []string
		for _, p := range rows {
			got = append(got, p.ID)
		}
		w.same(got, ids[offset:min(offset+2, len(ids))])
		w.same(total, int64(len(ids)))
	}
}

// pagesOverDays: a page of all links or payments, and their number, do not depend on the days between them.
func pagesOverDays(w *cards) {
	var links, payments []string
	for i := range 13 {
		links = append([]string{w.createLink(w.linkFacts("mer_1", fmt.Sprint(i)), 0).ID}, links...)
		payments = append([]string{w.begin(w.facts("mer_1", 10), false).Payment.ID}, payments...)
		w.createLink(w.linkFacts("mer_2", fmt.Sprint(i)), 0)
		w.begin(w.facts("mer_2", 10), false)
		w.now += 7 * 60 * minute
	}
	for offset := range len(links) + 2 {
		from := min(offset, len(links))
		to := min(from+3, len(links))
		var got []string
		found, total, err := w.Links(w.ctx, storage.LinkQuery{Merchant: "mer_1", Offset: offset, Limit: 3})
		w.ok(err)
		for _, l := range found {
			got = append(got, l.ID)
		}
		w.same(got, links[from:to])
		w.same(total, int64(len(links)))
		q := storage.PaymentQuery{Merchant: "mer_1", Offset: offset, Limit: 3}
		rows, total, err := w.Payments.Payments(w.ctx, q)
		w.ok(err)
		got = nil
		for _, p := range rows {
			got = append(got, p.ID)
		}
		w.same(got, payments[from:to])
		w.same(total, int64(len(payments)))
	}
}
