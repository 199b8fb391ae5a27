package payment_test

import (
	"fmt"
	"slices"
	"testing"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
)

const (
	day     = 24 * 60 * 60 * 1_000_000
	hour    = day / 24
	paid    = "00000000-0000-7000-8000-000000000001"
	amount  = 100
	begunAt = 1_700_000_000_000_000
)

// world is one payment with everything that belongs to it. Steps work on copies.
type world struct {
	at         int64
	payment    payment.Payment
	operations []payment.Operation
	refunds    []payment.Payment
	held       int64 // what the entries have on the payable: pending and posted
	posted     int64
	transit    int64
	records    int
}

func begin(kind payment.Kind, authenticate bool) *world {
	f := payment.Facts{
		ID: paid, Merchant: "mer_shop", Connector: "sandbox", Currency: "KZT", Amount: amount, Kind: kind,
		ClearMicros: hour,
	}
	if kind == payment.Verification {
		f.Amount = 0
	}
	w := &world{at: begunAt}
	change, no := payment.Begin(f, "op_1", authenticate, w.at)
	if no != "" {
		panic(no)
	}
	next, err := w.take(change)
	if err != nil {
		panic(err)
	}
	return next
}

// take applies a change to a copy and checks what the change says of itself.
func (w *world) take(c payment.Change) (*world, error) {
	if c.Payment.ID == "" {
		return w, nil
	}
	n := *w
	n.operations, n.refunds = slices.Clone(w.operations), slices.Clone(w.refunds)
	n.payment = c.Payment
	if o := c.Operation; o.ID != "" {
		i := slices.IndexFunc(n.operations, func(was payment.Operation) bool { return was.ID == o.ID })
		if i >= 0 {
			n.operations[i] = o
		} else {
			n.operations = append(n.operations, o)
		}
	}
	if r := c.Other; r.ID != "" {
		if i := slices.IndexFunc(n.refunds, func(was payment.Payment) bool { return was.ID == r.ID }); i >= 0 {
			if !payment.MayBecome(n.refunds[i].Status(), r.Status()) {
				return nil, fmt.Errorf("refund went from %s to %s", n.refunds[i].Status(), r.Status())
			}
			n.refunds[i] = r
		} else {
			n.refunds = append(n.refunds, r)
		}
	}
	if c.Contradicts && (c.Payment != w.payment || len(c.Entries) > 0 || c.Other.ID != "") {
		return nil, fmt.Errorf("an answer that was not believed changed something")
	}
	for _, e := range c.Entries {
		if err := n.enter(e); err != nil {
			return nil, err
		}
	}
	if !payment.MayBecome(w.payment.Status(), c.Payment.Status()) && w.payment.ID != "" {
		return nil, fmt.Errorf("went from %s to %s", w.payment.Status(), c.Payment.Status())
	}
	return &n, n.check()
}

// enter counts an entry on the accounts.
func (w *world) enter(e payment.Entry) error {
	w.records++
	if e.Posting.Moves() != (e.Amount > 0 && e.Posting.Amount == e.Amount) {
		return fmt.Errorf("entry %+v", e)
	}
	p := e.Posting
	payable := ledger.Payable("mer_shop", "KZT")
	sign := int64(1)
	if p.Debit == payable {
		sign = -1
	}
	transit := map[bool]int64{p.Credit == ledger.RefundTransit("KZT"): p.Amount}[true] -
		map[bool]int64{p.Debit == ledger.RefundTransit("KZT"): p.Amount}[true]
	w.transit += transit
	if p.Debit != payable && p.Credit != payable {
		return nil
	}
	switch p.Move {
	case ledger.Hold:
		w.held += sign * p.Amount
	case ledger.Settle:
		w.held, w.posted = w.held-sign*p.Amount, w.posted+sign*p.Amount
	case ledger.Release:
		w.held -= sign * p.Amount
	case ledger.Post:
		w.posted += sign * p.Amount
	}
	return nil
}

// check holds the invariants V2, V3 and V4, the sums of what is under way, and that the books say what the
// counters say.
func (w *world) check() error {
	p := w.payment
	for _, n := range []int64{p.Authorized, p.Captured, p.Released, p.Refunded, p.Authorizing, p.Capturing,
		p.Releasing, p.Refunding, p.Settled, p.Open, p.Unknown, p.Free(), p.Balance() - p.Refunding} {
		if n < 0 { // V2, V3 and V4
			return fmt.Errorf("below zero: %+v", p)
		}
	}
	if p.Authorized > p.Amount || p.Settled > p.Captured {
		return fmt.Errorf("more than there is: %+v", p)
	}
	flight := map[payment.Verb]int64{}
	done := map[payment.Verb]int64{}
	var open, unknown int64
	for i, o := range w.operations {
		if o.Number != int64(i+1) || o.Payment != p.ID || (o.Amount <= 0) != (p.Kind == payment.Verification) {
			return fmt.Errorf("operation %+v", o)
		}
		switch o.State {
		case payment.Sent:
			flight[o.Verb] += o.Amount
			open++
		case payment.Accepted:
			done[o.Verb] += o.Amount
		}
		if o.Unknown {
			unknown++
		}
		if (o.State == payment.Accepted) && o.Sequence == 0 || o.State != payment.Sent && o.NextCheckAt != 0 {
			return fmt.Errorf("operation %+v", o)
		}
	}
	for _, r := range w.refunds {
		if r.Stage == payment.Failed && r.Failure == reject.RefundFailed {
			done[payment.Refund] -= r.Amount
		}
	}
	if open != p.Open || unknown != p.Unknown || flight[payment.Authorize] != p.Authorizing ||
		flight[payment.Capture] != p.Capturing || flight[payment.Cancel] != p.Releasing ||
		flight[payment.Refund] != p.Refunding || done[payment.Authorize] != p.Authorized ||
		done[payment.Capture] != p.Captured || done[payment.Cancel] != p.Released ||
		done[payment.Refund] != p.Refunded {
		return fmt.Errorf("operations %+v do not make %+v", w.operations, p)
	}
	if w.held != p.Remaining() || w.posted != p.Balance() {
		return fmt.Errorf("the payable has %d held and %d posted: %+v", w.held, w.posted, p)
	}
	if p.Remaining() > 0 && p.Open == 0 && p.ClearAt == 0 && p.UpdatedAt < p.AuthedAt+29*day {
		return fmt.Errorf("held for ever: %+v", p)
	}
	return nil
}

// step is one command; it answers nil when there is nothing it could be about.
type step struct {
	name string
	run  func(*world) (payment.Change, reject.Reason)
}

func (w *world) open() *payment.Operation {
	for i := range w.operations {
		if w.operations[i].State == payment.Sent {
			return &w.operations[i]
		}
	}
	return nil
}

func (w *world) refund(id string) payment.Payment {
	for _, r := range w.refunds {
		if r.ID == id {
			return r
		}
	}
	return payment.Payment{}
}

func answer(state payment.State, amount int64) func(*world) (payment.Change, reject.Reason) {
	return func(w *world) (payment.Change, reject.Reason) {
		o := w.open()
		if o == nil {
			return payment.Change{}, ""
		}
		a := payment.Answer{State: state, Amount: amount}
		return payment.Record(w.payment, *o, w.refund(o.Refund), a, w.at), ""
	}
}

// again answers the operation that was answered last once more.
func again(state payment.State) func(*world) (payment.Change, reject.Reason) {
	return func(w *world) (payment.Change, reject.Reason) {
		for _, o := range slices.Backward(w.operations) {
			if o.State != payment.Sent {
				return payment.Record(w.payment, o, w.refund(o.Refund), payment.Answer{State: state}, w.at), ""
			}
		}
		return payment.Change{}, ""
	}
}

func (w *world) ask(amount int64) payment.Ask {
	return payment.Ask{Operation: fmt.Sprint("op_", len(w.operations)+1), Amount: amount}
}

var steps = []step{
	{"passed", func(w *world) (payment.Change, reject.Reason) {
		return payment.Authenticated(w.payment, payment.Passed, "05", w.ask(0).Operation, w.at)
	}},
	{"denied", func(w *world) (payment.Change, reject.Reason) {
		return payment.Authenticated(w.payment, payment.Denied, "", "", w.at)
	}},
	{"abandon", func(w *world) (payment.Change, reject.Reason) {
		return payment.Abandon(w.payment, false, w.at)
	}},
	{"approved", answer(payment.Accepted, 0)},
	{"approved with another amount", answer(payment.Accepted, 7)},
	{"declined", answer(payment.Declined, 0)},
	{"undone", answer(payment.Undone, 0)},
	{"approved again", again(payment.Accepted)},
	{"declined again", again(payment.Declined)},
	{"put off", func(w *world) (payment.Change, reject.Reason) {
		if o := w.open(); o != nil {
			return payment.PutOff(w.payment, *o, w.at), ""
		}
		return payment.Change{}, ""
	}},
	{"capture 40", asking(payment.AskCapture, 40)},
	{"capture", asking(payment.AskCapture, 0)},
	{"cancel 60", asking(payment.AskCancel, 60)},
	{"cancel", asking(payment.AskCancel, 0)},
	{"refund 25", refunding(25)},
	{"refund", refunding(0)},
	{"clear", func(w *world) (payment.Change, reject.Reason) {
		return payment.Clear(w.payment, w.ask(0).Operation, w.at+2*hour)
	}},
	{"settle 30", func(w *world) (payment.Change, reject.Reason) {
		return payment.Settle(w.payment, 30, 2, w.at)
	}},
	{"settle the refund", func(w *world) (payment.Change, reject.Reason) {
		if len(w.refunds) == 0 {
			return payment.Change{}, ""
		}
		c, no := payment.Settle(w.refunds[0], w.refunds[0].Amount, 0, w.at)
		if no == "" {
			c.Payment, c.Other = w.payment, c.Payment
		}
		return c, no
	}},
	{"the refund fails", func(w *world) (payment.Change, reject.Reason) {
		if len(w.refunds) == 0 {
			return payment.Change{}, ""
		}
		return payment.FailRefund(w.payment, w.refunds[0], w.at)
	}},
}

func asking(
	ask func(payment.Payment, payment.Ask, int64) (payment.Change, reject.Reason), amount int64,
) func(*world) (payment.Change, reject.Reason) {
	return func(w *world) (payment.Change, reject.Reason) { return ask(w.payment, w.ask(amount), w.at) }
}

func refunding(amount int64) func(*world) (payment.Change, reject.Reason) {
	return func(w *world) (payment.Change, reject.Reason) {
		id := fmt.Sprintf("00000000-0000-7000-8000-0000000000%02d", len(w.refunds)+10)
		return payment.AskRefund(w.payment, payment.Returning{ID: id}, w.ask(amount), w.at)
	}
}

// do runs one step a second later.
func (w *world) do(s step) (*world, error) {
	later := *w
	later.at += 1_000_000
	change, no := s.run(&later)
	if no != "" {
		if change.Payment.ID != "" || len(change.Entries) > 0 {
			return nil, fmt.Errorf("refused with %s and changed something", no)
		}
		return &later, nil
	}
	return later.take(change)
}

// after runs steps by name, which must go well.
func (w *world) after(t *testing.T, names ...string) *world {
	t.Helper()
	for _, name := range names {
		i := slices.IndexFunc(steps, func(s step) bool { return s.name == name })
		next, err := w.do(steps[i])
		if err != nil || next.payment == w.payment {
			t.Fatalf("%s: %v, %+v", name, err, w.payment)
		}
		w = next
	}
	return w
}

// TestEverySequence runs every sequence of up to five steps (three with -short) from every state, and holds
// the invariants after each.
func TestEverySequence(t *testing.T) {
	depth := 5
	if testing.Short() {
		depth = 3
	}
	for name, from := range states(t) {
		seen, n := map[string]int{}, 0
		var walk func(*world, []string)
		walk = func(w *world, path []string) {
			if len(path) == depth {
				return
			}
			for _, s := range steps {
				n++
				next, err := w.do(s)
				if err != nil {
					t.Fatalf("from %s by %q and %q: %v", name, path, s.name, err)
				}
				// What was seen as early, or earlier, leads nowhere new. Times do not matter here.
				if key := next.key(); seen[key] == 0 || seen[key] > len(path)+1 {
					seen[key] = len(path) + 1
					walk(next, append(path[:len(path):len(path)], s.name))
				}
			}
		}
		walk(from, nil)
		t.Logf("from %s: %d steps, %d states", name, n, len(seen))
	}
}

// key is the state without its times and versions.
func (w *world) key() string {
	p := w.payment
	b := fmt.Appendf(nil, "%s %v %v %v %d %d %d %d %d %d %d %d %d", p.Stage, p.Failure, p.AuthenticateBy > 0,
		p.ClearAt > 0, p.Authorized, p.Captured, p.Released, p.Refunded, p.Authorizing, p.Capturing, p.Releasing,
		p.Refunding, p.Settled)
	for _, o := range w.operations {
		b = fmt.Appendf(b, "|%s %d %s %v", o.Verb, o.Amount, o.State, o.Unknown)
	}
	for _, r := range w.refunds {
		b = fmt.Appendf(b, "|%s %s %d", r.Stage, r.Failure, r.Settled)
	}
	return string(b)
}

// states are payments in every status, with and without something under way.
func states(t *testing.T) map[string]*world {
	opened := begin(payment.Auth, false)
	authorized := opened.after(t, "approved")
	partly := authorized.after(t, "capture 40", "approved")
	charged := authorized.after(t, "capture", "approved")
	return map[string]*world{
		"created": opened, "created, unknown": opened.after(t, "put off"),
		"3d": begin(payment.Auth, true), "3d, asked": begin(payment.Auth, true).after(t, "passed"),
		"verified":   begin(payment.Verification, false).after(t, "approved"),
		"authorized": authorized, "capturing": authorized.after(t, "capture"),
		"cancelling, unknown": authorized.after(t, "cancel", "put off"),
		"partly captured":     partly, "charged": charged,
		"partly refunded": charged.after(t, "refund 25", "approved"),
		"refunded":        charged.after(t, "refund", "approved"),
		"cancelled":       authorized.after(t, "cancel", "approved"),
		"rejected":        opened.after(t, "declined"), "failed": opened.after(t, "undone"),
	}
}

// Whatever brings an answer, and however often, in any order: the end is the same (V14).
func TestEveryOrderOfAnswersEndsInOneState(t *testing.T) {
	for _, verb := range []string{"authorize", "capture", "cancel", "refund"} {
		w := begin(payment.Auth, false)
		if verb != "authorize" {
			w = w.after(t, "approved")
		}
		if verb == "refund" {
			w = w.after(t, "capture", "approved")
		}
		if verb != "authorize" {
			w = w.after(t, verb)
		}
		for _, state := range []payment.State{payment.Accepted, payment.Declined, payment.Undone} {
			call, nothing := answer(state, 0), answer(payment.Accepted, 7)
			putOff := steps[slices.IndexFunc(steps, func(s step) bool { return s.name == "put off" })].run
			ends := map[string]bool{}
			all := []step{
				{"call", call}, {"poll", call}, {"callback", again(state)}, {"poll", putOff}, {"lie", nothing},
			}
			permute(all, func(order []step) {
				end := w
				for _, s := range slices.Concat(order, []step{{"poll", call}}) {
					var err error
					if end, err = end.do(s); err != nil {
						t.Fatal(err)
					}
				}
				ends[end.key()+fmt.Sprint(end.records)] = true
			})
			if len(ends) != 1 {
				t.Errorf("%s that is %s ends in %d states: %v", verb, state, len(ends), ends)
			}
		}
	}
}

func permute(all []step, fn func([]step)) {
	var rec func(done, left []step)
	rec = func(done, left []step) {
		if len(left) == 0 {
			fn(done)
		}
		for i := range left {
			rec(append(done[:len(done):len(done)], left[i]), slices.Concat(left[:i:i], left[i+1:]))
		}
	}
	rec(nil, all)
}

// Every record's type and status fit together.
func TestRecordsNameTheirStatus(t *testing.T) {
	w := begin(payment.Auth, false)
	o := w.operations[0]
	c := payment.Record(w.payment, o, payment.Payment{}, payment.Answer{State: payment.Accepted}, w.at)
	if e := c.Entries[0]; e.Type != journal.Authorized || e.Of.Status() != payment.StatusAuthorized ||
		e.Posting.Debit != ledger.Receivable("sandbox", "KZT") ||
		e.Posting.Credit != ledger.Payable("mer_shop", "KZT") {
		t.Errorf("authorized wrote %+v", e)
	}
}
