package proof_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// sale is what a till knows of one transaction. A sale belongs to one till, which does one thing at a
// time, so after every answer it knows exactly what the transaction must look like.
type sale struct {
	id, reference string
	payer         int
	failed        bool
	amount        int64 // asked for
	authorized    int64
	captured      int64
	canceled      int64
	refunded      int64
	operations    []operation // ids are known only of those that were acknowledged
}

func (s sale) remaining() int64 { return s.authorized - s.captured - s.canceled }

func (s sale) state() string {
	switch left := s.remaining(); {
	case s.failed:
		return "failed"
	case s.captured > 0 && s.refunded == s.captured && left == 0:
		return "refunded"
	case s.refunded > 0:
		return "partially_refunded"
	case s.captured > 0 && left > 0:
		return "partially_captured"
	case s.captured > 0:
		return "captured"
	case left > 0:
		return "authorized"
	}
	return "canceled"
}

// after is the sale after an operation, or the reason for which it must be refused.
func (s sale) after(kind string, amount int64) (sale, string) {
	if s.failed {
		return s, "transaction_failed"
	}
	switch left := s.remaining(); {
	case kind != "refund" && left == 0:
		return s, "nothing_remaining"
	case kind != "refund" && amount > left:
		return s, "amount_exceeds_remaining"
	case kind == "refund" && s.captured == 0:
		return s, "nothing_captured"
	case kind == "refund" && amount > s.captured-s.refunded:
		return s, "amount_exceeds_captured"
	}
	switch kind {
	case "capture":
		s.captured += amount
	case "cancel":
		s.canceled += amount
	case "refund":
		s.refunded += amount
	}
	s.operations = append(slices.Clip(s.operations), operation{Type: kind, Amount: amount})
	return s, ""
}

// differs says in what a transaction is not as the sale says; "" if it is.
func (s sale) differs(got transaction) string {
	want := transaction{
		ID: s.id, Status: "SUCCESS", OrderReference: s.reference, Currency: "KZT", State: s.state(),
		Authorized: s.authorized, Captured: s.captured, Canceled: s.canceled, Refunded: s.refunded,
		Remaining: s.remaining(),
	}
	if s.failed {
		want.Status, want.FailureReason = "FAILED", "insufficient_funds"
	}
	same := got.ID == want.ID && got.Status == want.Status && got.OrderReference == want.OrderReference &&
		got.Currency == want.Currency && got.State == want.State && got.Authorized == want.Authorized &&
		got.Captured == want.Captured && got.Canceled == want.Canceled && got.Refunded == want.Refunded &&
		got.Remaining == want.Remaining && got.Expired == 0 && got.FailureReason == want.FailureReason
	if !same {
		return fmt.Sprintf("is %+v, must be %+v", got, want)
	}
	return ""
}

// differsWhole compares the single read: amount, and the operations one by one.
func (s sale) differsWhole(got transaction) string {
	if no := s.differs(got); no != "" {
		return no
	}
	same := got.Amount == s.amount && len(got.Operations) == len(s.operations)
	for i := 0; same && i < len(s.operations); i++ {
		want, is := s.operations[i], got.Operations[i]
		same = want.Type == is.Type && want.Amount == is.Amount && (want.ID == "" || want.ID == is.ID)
	}
	if !same {
		return fmt.Sprintf("has amount %d and operations %+v, must have %d and %+v", got.Amount, got.Operations,
			s.amount, s.operations)
	}
	return ""
}

// till is one client at work: it sells, captures, cancels, refunds, reads and repeats itself, and checks
// every answer against what it knows.
type till struct {
	shop  *shop
	index int
	dice  *rand.Rand

	sales   map[string]*sale
	open    []*sale
	clouded map[string][2]sale // an operation without key got no answer: it is the first or the second
	past    []exchangeDone     // to be repeated

	acknowledged, replays, unanswered, busy int
}

// exchangeDone is a request with a key and the answer it got.
type exchangeDone struct {
	request request
	answer  answer
}

const (
	openSales = 24 // that a till remembers for more operations
	pastSize  = 64 // exchanges that a till may repeat
)

// shop is a crowd of tills at one site.
type shop struct {
	site   *site
	client *client
	payers []payer
	start  int64         // minor units that each payer began with
	poor   int           // the payer with little money; his holds may fail
	keyed  int           // of 10 operations, how many carry a key
	rest   time.Duration // of a till after each step; 0 unless a test sets it
	tills  []*till

	wait sync.WaitGroup
	mu   sync.Mutex
	bad  error
}

// openShop funds payers and makes n tills. Nothing else may use the site's merchant or the payers, or the
// audit at the end finds money that no till knows of.
func openShop(s *site, n int) *shop {
	s.Helper()
	sh := &shop{site: s, client: newClient(s), start: 1_000_000_000, keyed: 7}
	sh.payers = append(s.fund(7, sh.start), s.fund(1, poorStart)...)
	sh.poor = len(sh.payers) - 1
	for i := range n {
		sh.tills = append(sh.tills, &till{
			shop: sh, index: i, dice: rand.New(rand.NewPCG(rand.Uint64(), uint64(i))),
			sales: map[string]*sale{}, clouded: map[string][2]sale{},
		})
	}
	return sh
}

// poorStart is what the poor payer has: enough for some holds.
const poorStart = 20_000

// work lets all tills work until the returned function is called, which waits for them to finish what
// they are at. A till that hears a wrong answer stops at once.
func (sh *shop) work() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	for _, w := range sh.tills {
		sh.wait.Go(func() {
			for ctx.Err() == nil && sh.fault() == nil {
				if err := w.step(); err != nil {
					sh.setFault(fmt.Errorf("till %d: %w", w.index, err))
				}
				time.Sleep(sh.rest)
			}
		})
	}
	return func() {
		cancel()
		sh.wait.Wait()
		if err := sh.fault(); err != nil {
			sh.site.Helper()
			sh.site.Fatal(err)
		}
	}
}

func (sh *shop) fault() error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.bad
}

func (sh *shop) setFault(err error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.bad == nil {
		sh.bad = err
	}
}

func (w *till) step() error {
	switch roll := w.dice.IntN(100); {
	case roll < 45 || len(w.open) == 0:
		return w.sell()
	case roll < 85:
		return w.change()
	case roll < 93:
		return w.look()
	default:
		return w.repeat()
	}
}

// sell authorizes, and asks until there is a decision.
func (w *till) sell() error {
	n := w.dice.IntN(len(w.shop.payers))
	amount := 1 + w.dice.Int64N(3000)
	r := authorize(w.shop.payers[n], amount, fmt.Sprintf("TILL-%d-%d", w.index, len(w.sales)))
	a := w.shop.client.settle(r)
	if a.err != nil || a.status != http.StatusCreated {
		return fmt.Errorf("authorize: %s", a)
	}
	s := &sale{
		id: a.ID, reference: fmt.Sprintf("TILL-%d-%d", w.index, len(w.sales)), payer: n, amount: amount,
		failed: a.Status == "FAILED", operations: []operation{{Type: "authorize", Amount: amount}},
	}
	switch {
	case s.failed && n != w.shop.poor:
		return fmt.Errorf("authorize failed on a wallet full of money: %s", a)
	case s.failed:
		s.operations = nil
	default:
		s.authorized = amount
	}
	if no := s.differs(a.transaction); no != "" {
		return fmt.Errorf("answer to authorize %s", no)
	}
	if w.sales[s.id] != nil {
		return fmt.Errorf("two keys made one transaction: %s", a)
	}
	w.sales[s.id] = s
	w.remember(s)
	return w.keep(r, a)
}

func (w *till) remember(s *sale) {
	if len(w.open) < openSales {
		w.open = append(w.open, s)
		return
	}
	w.open[w.dice.IntN(openSales)] = s
}

func (w *till) keep(r request, a answer) error {
	w.acknowledged++
	done := exchangeDone{r, a}
	if len(w.past) < pastSize {
		w.past = append(w.past, done)
		return nil
	}
	w.past[w.dice.IntN(pastSize)] = done
	return nil
}

// change captures, cancels or refunds some of a sale. Amounts are now and then too large.
func (w *till) change() error {
	s := w.open[w.dice.IntN(len(w.open))]
	kind := []string{"capture", "capture", "cancel", "refund"}[w.dice.IntN(4)]
	amount := 1 + w.dice.Int64N(1200)
	want, reason := s.after(kind, amount)
	r := operate(kind, s.id, amount)
	if w.dice.IntN(10) >= w.shop.keyed {
		return w.changeOnce(s, r.withKey(""), want, reason)
	}
	a := w.shop.client.settle(r)
	if a.err != nil {
		return fmt.Errorf("%s %s: %w", kind, s.id, a.err)
	}
	if err := w.learn(s, a, want, reason); err != nil {
		return fmt.Errorf("%s of %d: %w", kind, amount, err)
	}
	return w.keep(r, a)
}

// learn checks the answer to an operation and brings the sale up to date.
func (w *till) learn(s *sale, a answer, want sale, reason string) error {
	if reason != "" {
		if a.status != http.StatusUnprocessableEntity || a.Reason != reason {
			return fmt.Errorf("%s answered %s, must be 422 %s", s.id, a, reason)
		}
		return nil
	}
	if a.status != http.StatusOK {
		return fmt.Errorf("%s answered %s, must be done; it was %+v", s.id, a, *s)
	}
	last := &want.operations[len(want.operations)-1]
	last.ID = a.OperationID
	if no := want.differs(a.transaction); no != "" || a.Amount != last.Amount {
		return fmt.Errorf("the answer %s; %s", no, a)
	}
	*s = want
	return nil
}

// changeOnce sends an operation without a key, once. Without an answer nobody knows whether it was done;
// the sale is then left alone until the audit.
func (w *till) changeOnce(s *sale, r request, want sale, reason string) error {
	a := w.shop.client.do(r)
	if bad := a.wrong(); bad != "" {
		return fmt.Errorf("%s: a wrong answer: %s", r.path, bad)
	}
	if a.settled() {
		w.acknowledged++
		return w.learn(s, a, want, reason)
	}
	if a.untouched() {
		w.busy++
		return w.see(s)
	}
	w.unanswered++
	if reason == "" {
		w.clouded[s.id] = [2]sale{*s, want}
		w.open = slices.DeleteFunc(w.open, func(o *sale) bool { return o == s })
	}
	return nil
}

// look reads a sale: what was acknowledged must be there, wherever it is read (rule V17).
func (w *till) look() error { return w.see(w.open[w.dice.IntN(len(w.open))]) }

func (w *till) see(s *sale) error {
	a := w.shop.client.settle(read(s.id))
	if a.err != nil || a.status != http.StatusOK {
		return fmt.Errorf("get %s: %s", s.id, a)
	}
	if no := s.differsWhole(a.transaction); no != "" {
		return fmt.Errorf("the read %s", no)
	}
	return nil
}

// repeat sends an old request again: the old answer must come, byte for byte.
func (w *till) repeat() error {
	if len(w.past) == 0 {
		return nil
	}
	old := w.past[w.dice.IntN(len(w.past))]
	a := w.shop.client.settle(old.request)
	if a.err != nil || !a.replayed || !sameBytes(a, old.answer) {
		return fmt.Errorf("asked again: %s; the first answer was %s", a, old.answer)
	}
	w.replays++
	return nil
}
