package verify

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	paylink "plexy/internal/core/link"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/storage"
)

// cards judges card payments: each is built anew from its records and from its operations, and compared with
// its row. A payment's records and operations are few; of refunds and of paid links a line each is kept.
type cards struct {
	v          *verifier
	payments   *stream[cardRow]
	operations *stream[payment.Operation]

	ahead    cardRow // read and not used yet
	held     bool
	next     payment.Operation // likewise
	nextHeld bool

	object  string
	records []journal.Record

	refunds map[string]*refundSides // by the refund's id
	links   map[string]linkUse
	later   map[string]int64 // by payment: how much of its refunds must have failed later
}

type cardRow struct {
	payment.Payment
	stored payment.Status
}

// refundSides is a refund as its own row and as the operation of its parent have it.
type refundSides struct {
	row       payment.Payment
	operation payment.Operation
}

// linkUse is the payment that paid a link, and the one that is under way.
type linkUse struct{ paid, busy string }

// isPayment reports whether an object of the journal is a card payment.
func isPayment(object string) bool { return !strings.Contains(object, "_") }

func (v *verifier) openCards(ctx context.Context, books storage.Books) *cards {
	c := &cards{v: v, refunds: map[string]*refundSides{}, links: map[string]linkUse{}, later: map[string]int64{}}
	known, ok := books.(storage.PaymentBooks)
	if !ok {
		return c // a keeper without card payments
	}
	c.payments = pull(func(fn func(cardRow) error) error {
		return known.Payments(ctx, func(p payment.Payment, s payment.Status) error { return fn(cardRow{p, s}) })
	})
	c.operations = pull(func(fn func(payment.Operation) error) error { return known.Operations(ctx, fn) })
	return c
}

func (c *cards) stop() {
	if c.payments != nil {
		c.payments.stop()
		c.operations.stop()
	}
}

// record takes one record of a payment: they come in order of payment and sequence.
func (c *cards) record(r journal.Record) {
	if r.Object != c.object {
		c.finish()
		c.object = r.Object
		c.v.report.checked(Sequences)
	}
	if r.Origin.IdempotencyKey != "" {
		c.v.keyed++
	}
	c.records = append(c.records, r)
}

func (c *cards) fill() bool {
	if !c.held && c.payments != nil {
		c.ahead, c.held = c.payments.next()
	}
	return c.held
}

// finish judges the payment whose records came last, and those before it that have none.
func (c *cards) finish() {
	if c.object == "" {
		return
	}
	for c.fill() && c.ahead.ID < c.object {
		c.held = false
		c.judge(c.ahead, nil)
	}
	if c.held && c.ahead.ID == c.object {
		c.held = false
		c.judge(c.ahead, c.records)
	} else {
		c.v.report.broken(Operations, c.object, "has records and no payment")
	}
	c.object, c.records = "", c.records[:0]
}

// rest judges what comes after the last payment with records, and what spans payments.
func (c *cards) rest(ctx context.Context, books storage.Books) error {
	c.finish()
	for c.fill() {
		c.held = false
		c.judge(c.ahead, nil)
	}
	for _, o := range c.operationsUpTo("~") {
		c.v.report.broken(Operations, o.ID, "is an operation of the payment %s, which is not there", o.Payment)
	}
	for _, id := range slices.Sorted(maps.Keys(c.refunds)) {
		c.refund(id, c.refunds[id])
	}
	for _, id := range slices.Sorted(maps.Keys(c.later)) {
		if n := c.later[id]; n != 0 {
			c.v.report.broken(Counters, id, "its refunds make %d more than it has refunded", n)
		}
	}
	known, ok := books.(storage.PaymentBooks)
	if !ok {
		return nil
	}
	for _, err := range []error{c.payments.err, c.operations.err, known.Links(ctx, c.link)} {
		if err != nil {
			return fmt.Errorf("walk the card payments: %w", err)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.links)) {
		c.v.report.broken(Links, id, "is not there and was used by %+v", c.links[id])
	}
	return nil
}

// operationsUpTo returns the operations of payments up to the given one that nobody took yet.
func (c *cards) operationsUpTo(id string) (found []payment.Operation) {
	for {
		if !c.nextHeld && c.operations != nil {
			c.next, c.nextHeld = c.operations.next()
		}
		if !c.nextHeld || c.next.Payment > id {
			return found
		}
		found, c.nextHeld = append(found, c.next), false
	}
}

func (c *cards) refundOf(id string) *refundSides {
	if c.refunds[id] == nil {
		c.refunds[id] = &refundSides{}
	}
	return c.refunds[id]
}

// judge compares a payment with its records and operations.
func (c *cards) judge(row cardRow, records []journal.Record) {
	p, report := row.Payment, &c.v.report
	report.checked(Counters)
	report.checked(History)
	if row.stored != p.Status() {
		report.broken(History, p.ID, "is kept as %s and is %s", row.stored, p.Status())
	}
	failed := p.Stage == payment.Rejected || p.Stage == payment.Failed
	if failed != (p.Failure != "") || failed && reject.Of(p.Failure).Class != reject.Unpaid {
		report.broken(History, p.ID, "is %s because of %q", p.Status(), p.Failure)
	}
	built := c.rebuild(p, records)
	for _, o := range c.operationsUpTo(p.ID) {
		c.operation(&built, o, records)
	}
	c.compare(p, built)
	if p.Kind == payment.RefundOf {
		c.refundOf(p.ID).row = p
	} else if p.Link != "" {
		use := c.links[p.Link]
		switch {
		case p.Stage == payment.Approved && use.paid != "":
			report.broken(Links, p.Link, "is paid by %s and by %s", use.paid, p.ID)
		case p.Stage == payment.Approved:
			use.paid = p.ID
		case !failed:
			use.busy = p.ID
		}
		c.links[p.Link] = use
	}
}

// built is a payment as its records and its operations make it.
type built struct {
	payment.Payment
	ofOperations payment.Payment // counters as the operations make them
}

// rebuild applies the records, and judges each.
func (c *cards) rebuild(p payment.Payment, records []journal.Record) built {
	b, report := built{}, &c.v.report
	was := payment.Status("")
	if p.Kind == payment.RefundOf {
		was = payment.StatusCreated
	}
	for i, r := range records {
		if r.Sequence != int64(i+1) {
			report.broken(Sequences, r.OperationID(), "is record number %d", i+1)
		}
		c.apply(&b, p, r)
		if now := payment.Status(r.After.State); !payment.MayBecome(was, now) || now != b.Status() ||
			i == 0 && p.Kind != payment.RefundOf && r.Type != journal.Created {
			report.broken(History, r.OperationID(), "%s made a payment %s that was %q", r.Type, now, was)
		} else {
			was = now
		}
		if r.At < b.UpdatedAt {
			report.broken(History, r.OperationID(), "happened before its predecessor")
		}
		b.UpdatedAt, b.Sequence = r.At, r.Sequence
	}
	now := p.Status()
	secure := was == payment.StatusCreated && now == payment.Status3D // that is no record's work
	if len(records) > 0 && now != was && !secure {
		report.broken(History, p.ID, "is %s and its last record says %s", now, was)
	}
	if len(records) == 0 && (p.Kind != payment.RefundOf || p.Stage == payment.Approved) {
		report.broken(Operations, p.ID, "is a %s payment without any record", p.Status())
	}
	return b
}

// apply does to the built payment what a record says, and compares what the record shows.
func (c *cards) apply(b *built, p payment.Payment, r journal.Record) {
	report := &c.v.report
	report.checked(Operations)
	if want, known := cardRecipe(p, r); !known || r.Posting != want {
		report.broken(Operations, r.OperationID(), "%s of %d has the posting %+v", r.Type, r.Amount, r.Posting)
	}
	if r.Amount < 0 || r.Amount == 0 && p.Kind != payment.Verification {
		report.broken(Counters, r.OperationID(), "%s of %d", r.Type, r.Amount)
	}
	refund := p.Kind == payment.RefundOf
	b.Kind, b.Stage = p.Kind, stageAfter(r.Type, refund)
	switch r.Type {
	case journal.Authorized:
		b.Authorized += r.Amount
	case journal.Charged:
		b.Captured += r.Amount
	case journal.Cancelled:
		b.Released += r.Amount
	case journal.Refunded:
		if !refund {
			b.Refunded += r.Amount
		}
	case journal.RefundFailed:
		if !refund {
			b.Refunded -= r.Amount
		}
	case journal.Settled, journal.FeeKept:
		if !refund || r.Type == journal.Settled {
			b.Settled += r.Amount
		}
	}
	want := journal.After{
		State: r.After.State, Authorized: b.Authorized, Captured: b.Captured, Canceled: b.Released,
		Refunded: b.Refunded,
	}
	if r.After != want {
		report.broken(Sequences, r.OperationID(), "shows its payment as %+v, which was %+v", r.After, want)
	}
	report.checked(Places)
	merchant := p.Merchant
	if r.Type == journal.Settled || r.Type == journal.FeeKept || refund && r.Type == journal.RefundFailed {
		merchant = ""
	}
	if r.Wallet != "" || r.Merchant != merchant || r.Currency != p.Currency || r.Book != p.Book ||
		p.Book != journal.BookOf(p.ID) {
		report.broken(Places, r.OperationID(), "names wallet %q, merchant %q, %s and book %d",
			r.Wallet, r.Merchant, r.Currency, r.Book)
	}
}

// stageAfter returns the stage that a record of the type leaves its payment in.
func stageAfter(kind journal.Type, refund bool) payment.Stage {
	switch {
	case kind == journal.Created:
		return payment.Opened
	case kind == journal.Rejected:
		return payment.Rejected
	case kind == journal.Failed, kind == journal.RefundFailed && refund:
		return payment.Failed
	}
	return payment.Approved
}

// writes is the type of the record that an approved operation writes.
var writes = map[payment.Verb]journal.Type{
	payment.Authorize: journal.Authorized, payment.Capture: journal.Charged,
	payment.Cancel: journal.Cancelled, payment.Refund: journal.Refunded,
}

// operation adds an operation to what the operations make, and looks for its record.
func (c *cards) operation(b *built, o payment.Operation, records []journal.Record) {
	report, n := &c.v.report, &b.ofOperations
	report.checked(Operations)
	if o.Origin.IdempotencyKey != "" && o.Verb != payment.Authorize {
		c.v.keyed++
	}
	n.Operations++
	if o.Number != n.Operations || o.Amount < 0 || (o.Refund != "") != (o.Verb == payment.Refund) {
		report.broken(Operations, o.ID, "%s of %d is number %d and refund %q", o.Verb, o.Amount, o.Number, o.Refund)
	}
	if o.State == payment.Sent {
		n.Open++
		if o.Unknown {
			n.Unknown++
		}
	}
	sums := map[payment.Verb][2]*int64{
		payment.Authorize: {&n.Authorizing, &n.Authorized}, payment.Capture: {&n.Capturing, &n.Captured},
		payment.Cancel: {&n.Releasing, &n.Released}, payment.Refund: {&n.Refunding, &n.Refunded},
	}[o.Verb]
	switch o.State {
	case payment.Sent:
		*sums[0] += o.Amount
	case payment.Accepted:
		*sums[1] += o.Amount
	}
	if o.Verb == payment.Refund {
		c.refundOf(o.Refund).operation = o
		return
	}
	written := slices.ContainsFunc(records, func(r journal.Record) bool {
		return r.Sequence == o.Sequence && r.Type == writes[o.Verb] && r.Amount == o.Amount
	})
	if written != (o.State == payment.Accepted) {
		report.broken(Operations, o.ID, "%s is %s and its record number %d is there: %v", o.Verb, o.State,
			o.Sequence, written)
	}
}

// counters are what both sides of a comparison have.
func counters(p payment.Payment) [4]int64 {
	return [4]int64{p.Authorized, p.Captured, p.Released, p.Refunded}
}

func flight(p payment.Payment) [7]int64 {
	return [7]int64{p.Authorizing, p.Capturing, p.Releasing, p.Refunding, p.Operations, p.Open, p.Unknown}
}

// compare holds the row against what was built, and against the bounds (V2, V3, V4).
func (c *cards) compare(p payment.Payment, b built) {
	report, of := &c.v.report, b.ofOperations
	for _, n := range []int64{p.Authorized, p.Captured, p.Released, p.Refunded, p.Authorizing, p.Capturing,
		p.Releasing, p.Refunding, p.Settled, p.Free(), p.Balance() - p.Refunding, p.Amount - p.Authorized} {
		if n < 0 {
			report.broken(Counters, p.ID, "has amounts out of bounds: %v and in flight %v", counters(p), flight(p))
			break
		}
	}
	if counters(p) != counters(b.Payment) || p.Settled != b.Settled {
		report.broken(Counters, p.ID, "has %v and %d settled; its records say %v and %d", counters(p), p.Settled,
			counters(b.Payment), b.Settled)
	}
	if rest := of.Refunded - p.Refunded; rest != 0 {
		c.later[p.ID] += rest
	}
	if of.Authorized != p.Authorized || of.Captured != p.Captured || of.Released != p.Released ||
		flight(of) != flight(p) {
		report.broken(Counters, p.ID, "has %v and in flight %v; its operations say %v and %v", counters(p),
			flight(p), counters(of), flight(of))
	}
	if p.Sequence != b.Sequence {
		report.broken(Sequences, p.ID, "the row counts %d records, the last is number %d", p.Sequence, b.Sequence)
	}
	most := p.Captured
	if p.Kind == payment.RefundOf {
		most = p.Amount
	}
	if p.Settled > most {
		report.broken(Counters, p.ID, "has %d settled", p.Settled)
	}
}

// refund compares a refund's row with its parent's operation.
func (c *cards) refund(id string, r *refundSides) {
	stages := map[payment.State]payment.Stage{
		payment.Sent: payment.Opened, payment.Accepted: payment.Approved, payment.Declined: payment.Rejected,
		payment.Undone: payment.Failed,
	}
	stage := r.row.Stage
	if stage == payment.Failed && r.row.Failure == reject.RefundFailed {
		stage = payment.Approved // it was
		c.later[r.row.Parent] -= r.row.Amount
	}
	o := r.operation
	if r.row.ID == "" || o.ID == "" || r.row.Amount != o.Amount || r.row.Parent != o.Payment ||
		stage != stages[o.State] || (o.Sequence == 1) != (o.State == payment.Accepted) {
		c.v.report.broken(Operations, id, "is a %s refund of %d of %q; its operation is %s of %d of %q",
			r.row.Stage, r.row.Amount, r.row.Parent, o.State, o.Amount, o.Payment)
	}
}

// link compares a link with the payments that named it.
func (c *cards) link(l paylink.Link) error {
	c.v.report.checked(Links)
	for _, o := range []journal.Origin{l.Origin, l.Ended} {
		if o.IdempotencyKey != "" {
			c.v.keyed++
		}
	}
	use := c.links[l.ID]
	delete(c.links, l.ID)
	if l.Payment != use.paid || l.Busy != use.busy || (l.Payment != "") != (l.Status == paylink.Paid) ||
		l.Busy != "" && l.Status != paylink.Active || l.Amount <= 0 {
		c.v.report.broken(Links, l.ID, "is %s, paid by %q and busy with %q; the payments say %q and %q",
			l.Status, l.Payment, l.Busy, use.paid, use.busy)
	}
	return nil
}

// cardRecipe returns the posting that a payment's record must have; see recipe.
func cardRecipe(p payment.Payment, r journal.Record) (ledger.Posting, bool) {
	receivable := "acquirer:" + p.Connector + ":receivable:" + string(p.Currency)
	payable := "merchant:" + p.Merchant + ":payable:" + string(p.Currency)
	transit, bank := "platform:refund-transit:"+string(p.Currency), "platform:bank:"+string(p.Currency)
	fees := "acquirer:" + p.Connector + ":fee:" + string(p.Currency)
	refund := p.Kind == payment.RefundOf
	q := ledger.Posting{Move: ledger.Post, Amount: r.Amount, Currency: p.Currency}
	switch {
	case r.Amount == 0, r.Type == journal.Created, r.Type == journal.Rejected, r.Type == journal.Failed,
		!refund && (r.Type == journal.Refunded || r.Type == journal.RefundFailed):
		return ledger.Posting{}, true
	case r.Type == journal.Authorized && !refund:
		q.Move, q.Debit, q.Credit = ledger.Hold, receivable, payable
	case r.Type == journal.Charged && !refund:
		q.Move, q.Debit, q.Credit = ledger.Settle, receivable, payable
	case r.Type == journal.Cancelled && !refund:
		q.Move, q.Debit, q.Credit = ledger.Release, receivable, payable
	case r.Type == journal.Refunded:
		q.Debit, q.Credit = payable, transit
	case r.Type == journal.RefundFailed:
		q.Debit, q.Credit = transit, payable
	case r.Type == journal.Settled && refund:
		q.Debit, q.Credit = transit, bank
	case r.Type == journal.Settled:
		q.Debit, q.Credit = bank, receivable
	case r.Type == journal.FeeKept && refund:
		q.Debit, q.Credit = fees, bank
	case r.Type == journal.FeeKept:
		q.Debit, q.Credit = fees, receivable
	default:
		return q, false
	}
	return q, true
}
