package proof_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
)

// A race is run by a crowd that speaks at once. What must come of it does not depend on how many servers
// there are, or on whether one of them dies meanwhile; so the same races run on one server of each engine
// (here) and on three (several_test.go).
type race struct {
	name string
	run  func(*testing.T, *site)
}

var races = []race{
	{"RefundsOfOneCapture", raceRefunds},
	{"HoldsOnOneWallet", raceHolds},
	{"OneKey", raceOneKey},
	{"OneKeyManyBodies", raceManyBodies},
	{"EverythingOnOneTransaction", raceMixed},
	{"OrderReferenceOnce", raceOrderReference},
}

func TestRaces(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) { runRaces(t, s) })
}

func runRaces(t *testing.T, s *site) {
	for _, r := range races {
		t.Run(r.name, func(t *testing.T) {
			on := s.within(t)
			r.run(t, on)
			on.verify()
		})
	}
}

// within is the site seen from a subtest.
func (s *site) within(t testing.TB) *site {
	on := *s
	on.TB = t
	t.Cleanup(func() { s.people = on.people })
	return &on
}

// tally counts answers by status and reason, such as "422 amount_exceeds_captured".
func tally(t *testing.T, answers []answer) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, a := range answers {
		switch {
		case a.err != nil:
			t.Errorf("no answer: %v", a.err)
		case a.Reason != "":
			counts[fmt.Sprint(a.status, " ", a.Reason)]++
		case a.status == http.StatusCreated && a.FailureReason != "":
			counts[fmt.Sprint(a.status, " ", a.FailureReason)]++
		default:
			counts[fmt.Sprint(a.status)]++
		}
	}
	return counts
}

// expect compares a tally with what must come of the race.
func expect(t *testing.T, got, want map[string]int) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) { // maps print in order of their keys
		t.Errorf("answers %v, want %v", got, want)
	}
}

// raceRefunds: 64 refunds of 600 on a capture of 10000; 16 fit.
func raceRefunds(t *testing.T, s *site) {
	c := newClient(s)
	p := s.fund(1, 10_000)[0]
	held := c.hold(p, 10_000)
	c.mustDo("capture", held.ID, 10_000)
	requests := make([]request, 64)
	for i := range requests {
		requests[i] = operate("refund", held.ID, 600)
	}
	answers := c.crowd(requests, c.settle)
	expect(t, tally(t, answers), map[string]int{"200": 16, "422 amount_exceeds_captured": 48})
	got := c.get(held.ID)
	if got.Refunded != 9600 || got.State != "partially_refunded" || len(got.Operations) != 18 {
		t.Errorf("after the race: %+v", got)
	}
	checkWallet(t, s, p, balance{Available: 9600, Posted: 9600})
}

// raceHolds: 32 holds of 1000 on a wallet of 5000; 5 fit.
func raceHolds(t *testing.T, s *site) {
	c := newClient(s)
	p := s.fund(1, 5000)[0]
	requests := make([]request, 32)
	for i := range requests {
		requests[i] = authorize(p, 1000, fmt.Sprintf("HOLD-%s", newKey()))
	}
	expect(t, tally(t, c.crowd(requests, c.settle)), map[string]int{"201": 5, "201 insufficient_funds": 27})
	checkWallet(t, s, p, balance{Pending: 5000, Posted: 5000})
}

// raceOneKey: 200 callers with one key and one body; one effect, the others hear of it byte for byte.
func raceOneKey(t *testing.T, s *site) {
	c := newClient(s)
	p := s.fund(1, 1_000_000)[0]
	r := authorize(p, 1000, "ONE-"+newKey())
	answers := c.crowd(slices.Repeat([]request{r}, 200), c.settle)
	id := oneEffect(t, answers, http.StatusCreated)
	if got := c.list("orderReference=" + answers[0].OrderReference); len(got) != 1 || got[0].ID != id {
		t.Errorf("the list shows %d transactions of this reference: %+v", len(got), got)
	}
	checkWallet(t, s, p, balance{Available: 999_000, Pending: 1000, Posted: 1_000_000})

	for _, kind := range []string{"capture", "refund"} {
		r := operate(kind, id, 300)
		oneEffect(t, c.crowd(slices.Repeat([]request{r}, 200), c.settle), http.StatusOK)
	}
	got := c.get(id)
	if got.Captured != 300 || got.Refunded != 300 || len(got.Operations) != 3 {
		t.Errorf("after the race: %+v", got)
	}
}

// oneEffect checks that all answers are the same bytes, and that all but one at most say so. When a
// server died with the first answer in its hands, all are replays. It returns the transaction's id.
func oneEffect(t *testing.T, answers []answer, status int) string {
	t.Helper()
	fresh := 0
	for _, a := range answers {
		if a.err != nil || a.status != status {
			t.Fatalf("an answer was %s", a)
		}
		if !a.replayed {
			fresh++
		}
		if !sameBytes(a, answers[0]) {
			t.Errorf("two answers to one key:\n%s\n%s", a, answers[0])
		}
	}
	if fresh > 1 {
		t.Errorf("%d answers to one key claim to be the first", fresh)
	}
	return answers[0].ID
}

// raceManyBodies: 200 callers with one key and 200 meanings; one effect, 199 refusals.
func raceManyBodies(t *testing.T, s *site) {
	c := newClient(s)
	p := s.fund(1, 1_000_000)[0]
	key := newKey()
	requests := make([]request, 200)
	for i := range requests {
		requests[i] = authorize(p, int64(1000+i), "BODIES-"+key).withKey(key)
	}
	answers := c.crowd(requests, c.settle)
	expect(t, tally(t, answers), map[string]int{"201": 1, "422 idempotency_key_reused": 199})
	if got := c.list("orderReference=BODIES-" + key); len(got) != 1 {
		t.Errorf("the list shows %d transactions: %+v", len(got), got)
	}
	at := slices.IndexFunc(answers, func(a answer) bool { return a.status == http.StatusCreated })
	if at < 0 {
		return
	}
	amount := int64(1000 + at)
	checkWallet(t, s, p, balance{Available: 1_000_000 - amount, Pending: amount, Posted: 1_000_000})
	again := c.settle(requests[at])
	if !again.replayed || !sameBytes(again, answers[at]) {
		t.Errorf("the winner, asking again, hears %s instead of %s", again, answers[at])
	}
}

// raceMixed: captures, cancels and refunds of one transaction at once never break its counters.
func raceMixed(t *testing.T, s *site) {
	c := newClient(s)
	const total = 10_000
	p := s.fund(1, total)[0]
	held := c.hold(p, total)
	c.mustDo("capture", held.ID, 1)
	var requests []request
	for i := range 96 {
		kind := []string{"capture", "cancel", "refund"}[i%3]
		requests = append(requests, operate(kind, held.ID, int64(100+i*7)))
	}
	answers := c.crowd(requests, c.settle)
	sums := map[string]int64{"capture": 1}
	for i, a := range answers {
		kind := []string{"capture", "cancel", "refund"}[i%3]
		if a.err != nil || a.status != http.StatusOK && a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %s", kind, a)
			continue
		}
		if a.status == http.StatusOK {
			sums[kind] += a.Amount
		}
	}
	got := c.get(held.ID)
	if got.Captured != sums["capture"] || got.Canceled != sums["cancel"] || got.Refunded != sums["refund"] {
		t.Errorf("acknowledged %v, counted %+v", sums, got)
	}
	if got.Captured+got.Canceled+got.Remaining != total || got.Refunded > got.Captured || got.Remaining < 0 {
		t.Errorf("the counters do not fit together: %+v", got)
	}
	checkWallet(t, s, p, balance{
		Available: total - got.Captured - got.Remaining + got.Refunded,
		Pending:   got.Remaining, Posted: total - got.Captured + got.Refunded,
	})
}

// raceOrderReference: a merchant that refuses repeated order references gets one transaction of each, and
// a failed one does not count.
func raceOrderReference(t *testing.T, s *site) {
	c := newClient(s)
	s.merchantSettings("order_reference=reject")
	defer s.merchantSettings("order_reference=allow")
	rich, poor := s.fund(1, 1_000_000)[0], s.fund(1, 1)[0]
	reference := "ONCE-" + newKey()
	if a := c.settle(authorize(poor, 1000, reference)); a.FailureReason != "insufficient_funds" {
		t.Fatalf("a hold that cannot be: %s", a)
	}
	var wait sync.WaitGroup
	for round := range 4 {
		wait.Go(func() {
			reference := fmt.Sprint(reference, round)
			if round == 0 {
				reference = reference[:len(reference)-1]
			}
			requests := make([]request, 32)
			for i := range requests {
				requests[i] = authorize(rich, 10, reference)
			}
			answers := c.crowd(requests, c.settle)
			expect(t, tally(t, answers), map[string]int{"201": 1, "422 order_reference_exists": 31})
		})
	}
	wait.Wait()
	if got := c.list("status=SUCCESS&orderReference=" + reference); len(got) != 1 {
		t.Errorf("the list shows %d transactions of one reference: %+v", len(got), got)
	}
}

// checkWallet compares a wallet with what it must hold.
func checkWallet(t *testing.T, s *site, p payer, want balance) {
	t.Helper()
	got, err := s.wallet(p)
	if err != nil {
		t.Error(err)
		return
	}
	if got.Available != want.Available || got.Pending != want.Pending || got.Posted != want.Posted {
		t.Errorf("the wallet has available %d, pending %d, posted %d; want %d, %d, %d", got.Available,
			got.Pending, got.Posted, want.Available, want.Pending, want.Posted)
	}
}
