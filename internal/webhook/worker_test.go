package webhook_test

import (
	"context"
	"testing"
	"time"

	"plexy/internal/core/journal"
	"plexy/internal/event"
	"plexy/internal/storage"
	"plexy/internal/webhook"
	"plexy/receiver"
)

// begin makes a world with one endpoint at one receiver, at work.
func begin(t *testing.T) (*world, *shop, event.Endpoint) {
	t.Helper()
	t.Parallel() // it waits more than it works
	w, s := newWorld(t), open(t)
	e := w.endpoint(s.url)
	w.start()
	return w, s, e
}

func TestEventIsDelivered(t *testing.T) {
	w, s, e := begin(t)
	held := w.hold()
	v := s.say(204)
	w.delivered(e, 1)
	kit, err := receiver.New(w.hooks.Token(e.ID, 1).Reveal(), w.hooks.Secret(e.ID, 1).Reveal())
	if err != nil {
		t.Fatal(err)
	}
	got, err := kit.Verify(v.Header, []byte(v.body), time.Now())
	if err != nil || got.ID != event.ID(held.ID, 1) || got.ID != v.id || got.Number != 1 || got.Sequence != 1 ||
		got.Name != "wallet.transaction.authorized" || got.MerchantID != w.shop.ID {
		t.Errorf("the receiver got %+v, %v", got, err)
	}
	for _, mark := range []string{webhook.MarkOutOfOrder, webhook.MarkReplay, webhook.MarkTest} {
		if v.Get(mark) != "" {
			t.Errorf("the first delivery is marked %s", mark)
		}
	}
	attempts := w.attempts(e, 1)
	if len(attempts) != 1 || attempts[0].Status != 204 || attempts[0].At != noon {
		t.Errorf("attempts: %+v", attempts)
	}
	w.quiet(s, 2)
}

func TestNextEventWaitsForTheOneBefore(t *testing.T) {
	w, s, e := begin(t)
	one := w.hold()
	first := s.say(500)
	w.tried(e, 1, 1)
	w.capture(one)
	w.capture(one)
	other := w.hold() // of another object: it waits for nobody
	if v := s.say(200); v.id != event.ID(other.ID, 1) {
		t.Fatalf("%s came, want the other object's", v.id)
	}
	w.quiet(s, 2)
	w.later(2 * time.Second) // the second attempt is due
	again := s.next()
	if again.id != first.id || again.body != first.body {
		t.Fatalf("the second attempt is %s, want %s", again.id, first.id)
	}
	w.quiet(s, 1)
	again.answer <- answer{status: 200}
	for sequence := int64(2); sequence <= 3; sequence++ { // without the clock: they are due at once, in turn
		if v := s.say(200); v.id != event.ID(one.ID, sequence) || v.Get(webhook.MarkOutOfOrder) != "" {
			t.Fatalf("%s came (%v), want %d of the object", v.id, v.Header, sequence)
		}
	}
	w.delivered(e, 4)
}

func TestOneObjectsEventsComeOneByOne(t *testing.T) {
	w, s, e := begin(t)
	one := w.hold()
	for range 5 {
		w.capture(one)
	}
	for sequence := int64(1); sequence <= 6; sequence++ {
		v := s.next()
		if sequence <= 2 {
			w.quiet(s, 1) // nothing else comes while this one is under way
		}
		if v.id != event.ID(one.ID, sequence) {
			t.Fatalf("%s came, want %d", v.id, sequence)
		}
		v.answer <- answer{status: 200}
	}
	w.delivered(e, 6)
}

// TestClocksThatDisagree: the first event of an object was numbered by a server whose clock is ahead, so it
// is due after the second one, which waits for it, and is looked at again soon.
func TestClocksThatDisagree(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), open(t)
	e := w.endpoint(s.url)
	for i, ahead := range []int64{2_000_000, 0} {
		r := journal.Record{Object: "wt_1", Sequence: int64(i) + 1, Type: journal.Captured}
		d := event.NewDelivery(e, r.Sequence, r, noon+ahead)
		d.Body = []byte("{}")
		w.ok(w.store.CreateDelivery(context.Background(), d))
	}
	w.start()
	w.until("put off", func() bool { return w.delivery(e, 2).DueAt == noon+10_000_000 })
	for sequence, ahead := range []time.Duration{2 * time.Second, 8 * time.Second} {
		w.later(ahead)
		v := s.say(200)
		if v.id != event.ID("wt_1", int64(sequence)+1) || v.Get(webhook.MarkOutOfOrder) != "" {
			t.Fatalf("%s came (%v), want %d", v.id, v.Header, sequence+1)
		}
	}
	w.delivered(e, 2)
}

func TestWithoutOrderNobodyWaits(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), open(t)
	e := w.endpoint(s.url, func(e *event.Endpoint) { e.Ordered = false })
	w.start()
	one := w.hold()
	s.say(500)
	w.tried(e, 1, 1)
	w.capture(one)
	if v := s.say(200); v.id != event.ID(one.ID, 2) || v.Get(webhook.MarkOutOfOrder) != "" {
		t.Errorf("%s came: %v", v.id, v.Header)
	}
}

func TestAnEventGoesBeforeItsTurnAfterAMinute(t *testing.T) {
	w, s, e := begin(t)
	one := w.hold()
	for attempt := 1; attempt <= 3; attempt++ { // the next one comes after five minutes
		s.say(500)
		w.tried(e, 1, attempt)
		w.later(6 * time.Second)
	}
	w.capture(one)
	w.capture(one)
	w.until("put off", func() bool {
		at := w.clock.Now() + 10_000_000
		return w.delivery(e, 2).DueAt == at && w.delivery(e, 3).DueAt == at
	})
	w.later(59 * time.Second)
	w.quiet(s, 2)
	w.later(time.Second)
	v := s.say(500)
	if v.id != event.ID(one.ID, 2) || v.Get(webhook.MarkOutOfOrder) != "true" {
		t.Fatalf("%s came (%v), want the second, marked", v.id, v.Header)
	}
	v = s.say(200) // the third has waited its minute, too
	if v.id != event.ID(one.ID, 3) || v.Get(webhook.MarkOutOfOrder) != "true" {
		t.Fatalf("%s came (%v), want the third, marked", v.id, v.Header)
	}
	w.tried(e, 2, 1)
	w.later(2 * time.Second) // what went before its turn does not wait another minute for its second attempt
	v = s.say(200)
	if v.id != event.ID(one.ID, 2) || v.Get(webhook.MarkOutOfOrder) != "true" {
		t.Fatalf("%s came (%v), want the second again", v.id, v.Header)
	}
	w.later(6 * time.Minute)
	if v = s.say(200); v.id != event.ID(one.ID, 1) || v.Get(webhook.MarkOutOfOrder) != "" {
		t.Fatalf("%s came (%v), want the first", v.id, v.Header)
	}
	w.delivered(e, 3)
	if !w.delivery(e, 2).OutOfOrder || w.delivery(e, 1).OutOfOrder {
		t.Error("the record does not say which went before its turn")
	}
}

// TestAttemptsUntilDead follows a delivery through its whole schedule: the same bytes under the same id each
// time, signed afresh, and dead in the end.
func TestAttemptsUntilDead(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), open(t)
	w.sandbox = false
	e := w.endpoint(s.url)
	w.start()
	one := w.hold()
	judge, err := receiver.New(w.hooks.Token(e.ID, 1).Reveal(), w.hooks.Secret(e.ID, 1).Reveal())
	if err != nil {
		t.Fatal(err)
	}
	var first visit
	schedule := webhook.Standard(false)
	for attempt := range schedule {
		v := s.say(503)
		if attempt == 0 {
			first = v
		}
		if v.id != event.ID(one.ID, 1) || v.body != first.body {
			t.Fatalf("attempt %d is %s with\n%s\nthe first was %s with\n%s", attempt+1, v.id, v.body, first.id,
				first.body)
		}
		if _, err := judge.Verify(v.Header, []byte(v.body), time.Now()); err != nil {
			t.Errorf("attempt %d: %v", attempt+1, err)
		}
		if age := time.Since(v.stamp(t)); age < -time.Second || age > patience {
			t.Errorf("attempt %d was signed %v ago", attempt+1, age)
		}
		d := w.tried(e, 1, attempt+1)
		if attempt == len(schedule)-1 {
			if d.State != event.Dead {
				t.Errorf("after the last attempt the delivery is %s", d.State)
			}
			break
		}
		wait := time.Duration(d.DueAt-w.clock.Now()) * time.Microsecond
		if planned := schedule[attempt+1]; wait < planned*84/100 || wait > planned*116/100 {
			t.Errorf("attempt %d comes after %v, planned %v", attempt+2, wait, planned)
		}
		w.later(wait + 10*time.Minute) // and as long as the breaker may be open
	}
	w.later(24 * time.Hour)
	w.quiet(s, 2)
	if attempts := w.attempts(e, 1); len(attempts) != len(schedule) || attempts[10].Error != "answered 503" {
		t.Errorf("attempts: %+v", attempts)
	}
	w.capture(one) // what is dead is in nobody's way
	if v := s.say(200); v.id != event.ID(one.ID, 2) || v.Get(webhook.MarkOutOfOrder) != "" {
		t.Errorf("after a dead letter came %s: %v", v.id, v.Header)
	}

	w.replay(storage.ReplayQuery{Endpoint: e, From: 1, To: 9, Limit: 10, Dead: true}, 1)
	if v := s.say(500); v.body != first.body || v.Get(webhook.MarkReplay) != "true" {
		t.Errorf("the replay of the dead letter is marked %q, with\n%s", v.Get(webhook.MarkReplay), v.body)
	}
	d := w.tried(e, 1, len(schedule)+1)
	if wait := d.DueAt - w.clock.Now(); d.State != event.Waiting || wait < 4_000_000 || wait > 6_000_000 {
		t.Errorf("after the replay's first attempt it is %s for %d µs", d.State, wait)
	}
}

func TestRetryAfterDelays(t *testing.T) {
	w, s, e := begin(t)
	w.hold()
	v := s.next()
	v.answer <- answer{status: 429, retryAfter: "1800"}
	if d := w.tried(e, 1, 1); d.DueAt != noon+1800*1_000_000 {
		t.Errorf("due %d s later, want 1800", (d.DueAt-noon)/1_000_000)
	}
	w.hold() // the endpoint as a whole is given the longest pause that its breaker knows
	w.quiet(s, 2)
	w.later(11 * time.Second)
	s.say(200)
	w.quiet(s, 1)
	w.later(30 * time.Minute)
	s.say(200)
	w.delivered(e, 2)
}

func TestGoneDisables(t *testing.T) {
	w, s, e := begin(t)
	one := w.hold()
	w.capture(one)
	w.hold()
	v := s.next()
	w.until("numbered", func() bool { return w.delivery(e, 3).Number == 3 })
	w.store.refuse.Store(1) // nothing more is sent, even while that cannot be written
	v.answer <- answer{status: 410}
	w.until("a write was refused", func() bool { return w.store.refuse.Load() < 1 })
	w.quiet(s, 2)
	if n := s.seen.Load(); n != 1 {
		t.Errorf("after 410 there were %d more requests", n-1)
	}
	w.until("disabled", func() bool { return w.again(e).State == event.Disabled })
	if why := w.again(e).Why; why != "the receiver answered 410 Gone" {
		t.Errorf("it says %q", why)
	}
	w.later(time.Hour)
	w.hold()
	w.quiet(s, 2)
	w.until("dead", func() bool { return w.delivery(e, 1).State == event.Dead })

	enabled := w.again(e)
	enabled.State, enabled.Why = event.Enabled, ""
	w.set(enabled)
	for range 2 { // what waited is sent, and what happened meanwhile is for a replay
		s.say(200)
	}
	w.until("delivered", func() bool {
		return w.delivery(e, 2).State == event.Delivered && w.delivery(e, 3).State == event.Delivered
	})
	w.quiet(s, 2)
}

func TestFiveDaysOfFailureDisable(t *testing.T) {
	w, s, e := begin(t)
	w.hold()
	s.say(500)
	w.until("failing", func() bool { return w.again(e).FailingSince == noon })
	w.later(119 * time.Hour)
	s.say(500)
	w.tried(e, 1, 2)
	if got := w.again(e); got.State != event.Enabled || got.FailingSince != noon {
		t.Errorf("after not quite five days: %+v", got)
	}
	w.later(2 * time.Hour)
	s.say(500)
	w.until("disabled", func() bool { return w.again(e).State == event.Disabled })
	if why := w.again(e).Why; why != "no delivery succeeded for 5 days" || w.alarms.Load() == 0 {
		t.Errorf("it says %q, and %d alarms were heard", why, w.alarms.Load())
	}
	w.later(200 * time.Hour)
	w.quiet(s, 2)
}

func TestOneSuccessForgivesDaysOfFailure(t *testing.T) {
	w, s, e := begin(t)
	w.hold()
	s.say(500)
	w.until("failing", func() bool { return w.again(e).FailingSince == noon })
	w.later(119 * time.Hour)
	s.say(200)
	w.until("forgiven", func() bool { return w.again(e).FailingSince == 0 })
	w.later(2 * time.Hour)
	w.hold()
	s.say(500)
	w.until("failing again", func() bool { return w.again(e).FailingSince == w.clock.Now() })
	if w.again(e).State != event.Enabled {
		t.Error("it was disabled though there was a success two hours ago")
	}
}

func TestReplaysAreMarked(t *testing.T) {
	w, s, e := begin(t)
	one := w.hold()
	w.capture(one)
	bodies := []string{s.say(200).body, s.say(200).body}
	w.delivered(e, 2)
	w.later(time.Hour)
	w.replay(storage.ReplayQuery{Endpoint: e, From: 1, To: 2, Limit: 10}, 2)
	for i, body := range bodies {
		v := s.say(200)
		if v.id != event.ID(one.ID, int64(i)+1) || v.body != body || v.Get(webhook.MarkReplay) != "true" {
			t.Errorf("the replay is %s, marked %q, with\n%s\nand was sent with\n%s", v.id, v.Get(webhook.MarkReplay),
				v.body, body)
		}
	}
	if d := w.tried(e, 2, 2); len(w.attempts(e, 2)) != 2 || !d.Replay {
		t.Errorf("replayed: %+v", d)
	}
}

func TestTestEventIsMarked(t *testing.T) {
	w, s, e := begin(t)
	d := w.test(e)
	v := s.say(200)
	if v.id != d.ID || v.Get(webhook.MarkTest) != "true" || v.body != string(d.Body) {
		t.Errorf("the test event is %s, marked %q: %s", v.id, v.Get(webhook.MarkTest), v.body)
	}
	w.until("delivered", func() bool {
		got, err := w.store.Delivery(context.Background(), e.ID, d.ID)
		return err == nil && got.State == event.Delivered
	})
}

// TestRotation: while two secrets are valid a receiver that knows either accepts every delivery; after that
// only the new one signs.
func TestRotation(t *testing.T) {
	w, s, e := begin(t)
	token := w.hooks.Token(e.ID, 1).Reveal()
	knows := func(v visit, version int64) bool {
		t.Helper()
		kit, err := receiver.New(token, w.hooks.Secret(e.ID, version).Reveal())
		if err != nil {
			t.Fatal(err)
		}
		_, err = kit.Verify(v.Header, []byte(v.body), time.Now())
		return err == nil
	}
	expect := func(first, second bool) {
		t.Helper()
		if v := s.say(200); knows(v, 1) != first || knows(v, 2) != second {
			t.Errorf("who knows the first secret accepts: %v, the second: %v; want %v and %v", knows(v, 1),
				knows(v, 2), first, second)
		}
	}
	w.hold()
	expect(true, false)
	e.Secret, e.PreviousUntil = 2, w.clock.Now()+24*3600*1_000_000
	w.set(e)
	w.quiet(s, 1) // the worker has seen it
	w.hold()
	expect(true, true)
	w.later(23 * time.Hour)
	w.hold()
	expect(true, true)
	w.later(time.Hour)
	w.hold()
	expect(false, true)
	w.delivered(e, 4)
}

// TestFailuresOpenTheBreaker: after five failures in a row nothing is sent for a while; then one attempt is
// made, and what it comes to decides about the others.
func TestFailuresOpenTheBreaker(t *testing.T) {
	w, s, e := begin(t)
	const events = webhook.OpenAfter + 2
	for range events {
		w.hold()
	}
	for range webhook.OpenAfter {
		s.say(500)
	}
	w.quiet(s, 2)
	w.later(time.Second) // the first pause of a sandbox
	s.say(500)
	w.quiet(s, 2)
	w.later(time.Second)
	w.quiet(s, 2) // the second pause is twice as long
	w.later(time.Second)
	probe := s.next()
	w.quiet(s, 2) // one alone
	probe.answer <- answer{status: 200}
	for n := range events - 1 {
		w.later(6 * time.Second) // in case it is one that has failed twice
		s.say(200)
		if n == 0 && w.again(e).State != event.Enabled {
			t.Error("the endpoint was disabled")
		}
	}
	w.delivered(e, events)
}

// TestWindowGrowsWithSuccess: a receiver gets one more request at a time with each success, eight at most,
// and one alone after a failure.
func TestWindowGrowsWithSuccess(t *testing.T) {
	w, s, e := begin(t)
	const events = 60
	for range events {
		w.hold()
	}
	open, done := []visit{s.next()}, 0
	for size := 1; size <= event.UsualConcurrency; size++ {
		for len(open) < size {
			open = append(open, s.next())
		}
		if size < 3 || size == event.UsualConcurrency {
			w.quiet(s, 1)
		}
		if size < event.UsualConcurrency {
			open[0].answer <- answer{status: 200}
			open, done = open[1:], done+1
		}
	}
	open[0].answer <- answer{status: 500}
	for _, v := range open[1:] {
		v.answer <- answer{status: 500}
	}
	w.until("failed", func() bool { return w.again(e).FailingSince != 0 })
	w.later(2 * time.Second) // the breaker is open now; then there is one probe
	alone := s.next()
	w.quiet(s, 1)
	alone.answer <- answer{status: 200}
	open = []visit{s.next(), s.next()}
	w.quiet(s, 1)
	for _, v := range open {
		v.answer <- answer{status: 200}
	}
	for range events - done - 3 {
		s.say(200)
	}
	w.delivered(e, events)
}

// TestStopCountsOnlyWhatArrived stops a worker with two attempts under way. One is answered as the other is
// cut off; the next worker sends that one again, as if for the first time.
func TestStopCountsOnlyWhatArrived(t *testing.T) {
	t.Parallel()
	w, good, slow := newWorld(t), open(t), open(t)
	told, cut := w.endpoint(good.url), w.endpoint(slow.url)
	w.start()
	w.store.refuse.Store(1) // the write waits for its second try, so that the end has something to write
	w.hold()
	slow.next()
	good.say(200)
	w.until("a write was refused", func() bool { return w.store.refuse.Load() < 1 })
	w.stop()
	if d := w.delivery(told, 1); d.State != event.Delivered || d.Attempts != 1 {
		t.Errorf("what arrived is %+v", d)
	}
	if d := w.delivery(cut, 1); d.State != event.Waiting || d.Attempts != 0 || len(w.attempts(cut, 1)) != 0 {
		t.Errorf("what was cut off is %+v with %v", d, w.attempts(cut, 1))
	}
	w.start() // another server: the endpoints were given back, so it need not wait for a lease
	began := time.Now()
	slow.say(200)
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the next server began after %v", took)
	}
	w.delivered(cut, 1)
	if d := w.delivery(cut, 1); d.Attempts != 1 {
		t.Errorf("in the end there were %d attempts", d.Attempts)
	}
	w.quiet(good, 2)
}

// TestOutcomesAreWrittenInTheEnd: while outcomes cannot be written nothing is sent twice, and they are
// written when they can.
func TestOutcomesAreWrittenInTheEnd(t *testing.T) {
	w, s, e := begin(t)
	w.store.refuse.Store(2)
	one, two := w.hold(), w.hold()
	for range 2 {
		s.say(200)
	}
	for range 2 { // what is read before the others are written waits for that, not for a minute
		w.capture(one)
		w.capture(two)
	}
	for range 4 {
		s.say(200)
	}
	w.quiet(s, 3)
	w.delivered(e, 6)
	for n := int64(1); n <= 6; n++ {
		if len(w.attempts(e, n)) != 1 {
			t.Errorf("attempts at %d: %+v", n, w.attempts(e, n))
		}
	}
	if w.alarms.Load() != 2 {
		t.Errorf("%d alarms were heard, want 2", w.alarms.Load())
	}
	w.quiet(s, 1)
}
