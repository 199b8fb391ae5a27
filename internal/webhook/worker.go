package webhook

import (
	"cmp"
	"context"
	"errors"
	"time"

	"plexy/internal/clock"
	"plexy/internal/event"
	"plexy/internal/sandbox"
	"plexy/internal/storage"
	"plexy/internal/view"
)

// The worker's bounds.
const (
	lookEvery  = 200 * time.Millisecond // for what became due, and for what other servers numbered
	claimEvery = 250 * time.Millisecond
	claimFor   = 8 * time.Second       // what was under way at a crash is sent again after that
	writePause = 20 * time.Millisecond // between two writes of outcomes: many share one
	retryWrite = time.Second           // after one that failed
	lastWrite  = 5 * time.Second       // for one, and when the worker ends
	busyStarts = 200                   // attempts started between two looks while payments crowd: 1000/s
	maxFlight  = 2048                  // attempts under way in all
	reserved   = 512                   // of those, for endpoints whose last attempt was delivered
	turnReads  = 16                    // endpoints whose last attempt was not, read in one turn of the loop
)

// Names of the headers that mark a delivery (docs/webhooks.md). They are not part of the body, which stays
// the same byte for byte.
const (
	MarkOutOfOrder = "Plexy-Out-Of-Order"
	MarkReplay     = "Plexy-Replay"
	MarkTest       = "Plexy-Test"
)

// WorkerOptions are what a worker needs; all are required but Observe and SessionKey.
type WorkerOptions struct {
	Store     storage.Outbox
	Sender    *Sender
	Key       Key
	Clock     clock.Clock // says what is due; leases and signatures go by the machine's
	Machine   clock.Clock // the machine's, by which a receiver that fails is given a rest
	Owner     string      // names this server among those of the installation
	Sandbox   bool
	Sequencer *Sequencer
	// Alarm hears of what a person should know: a write that failed, an endpoint that was disabled.
	Alarm func(what string, err error)
	// Busy says whether payments queue up: attempts are then started at a bounded rate.
	Busy func() bool
	// Fault returns what a merchant has dialled for its deliveries; nil, as in production, for nothing.
	Fault func(merchant string) sandbox.Dial
	// SessionKey returns the API key that began a payment session, with which the session's callback is signed;
	// storage.ErrNotFound when it is not kept any more. nil signs none.
	SessionKey func(ctx context.Context, session string) (string, error)
	// Observe hears of every attempt: what it came to, and for a first one how long after its event it ended.
	Observe func(r Result, first bool, sinceEvent time.Duration)
}

// Worker delivers events to the endpoints that it owns. One loop decides; attempts and writes run beside it.
type Worker struct {
	o        WorkerOptions
	schedule Schedule
	lanes    map[string]*lane
	flight   int
	starts   int           // attempts that may still be started before they are counted anew
	counted  int64         // when that was last, by the machine's clock
	more     chan struct{} // there is more to read: the next turn comes at once
	done     chan attempted
	written  chan written
	pending  []storage.Result // outcomes to write
	health   map[string]storage.Health
	writing  bool
	claimed  int64 // when claims were last looked at, by the machine's clock
}

// attempted is an attempt that ended.
type attempted struct {
	lane   *lane
	due    storage.Due
	body   []byte
	at     int64 // when it began
	result Result
}

// written is a write that ended.
type written struct {
	results []storage.Result
	health  []storage.Health
	err     error
}

// NewWorker makes a worker; Run runs it.
func NewWorker(o WorkerOptions) *Worker {
	if o.Observe == nil {
		o.Observe = func(Result, bool, time.Duration) {}
	}
	return &Worker{
		o: o, schedule: Standard(o.Sandbox), lanes: map[string]*lane{}, done: make(chan attempted, 64),
		written: make(chan written, 1), health: map[string]storage.Health{}, more: make(chan struct{}, 1),
	}
}

// Run delivers until ctx ends. Attempts that are then under way are cut off and do not count; what was known
// of the others is written, and the endpoints are given back.
func (w *Worker) Run(ctx context.Context) {
	ticks, stop := clock.Ticks(lookEvery)
	defer stop()
	news := w.o.Sequencer.next()
	w.look(ctx)
	for ctx.Err() == nil {
		w.advance(ctx)
		select {
		case <-ctx.Done():
		case <-ticks:
			w.look(ctx)
		case <-w.more:
		case <-news:
			news = w.o.Sequencer.next()
			w.look(ctx)
		case a := <-w.done:
			w.settle(a)
		case x := <-w.written:
			w.wrote(x)
		}
	}
	w.end()
}

// look renews claims and learns what is due.
func (w *Worker) look(ctx context.Context) {
	now, machine := w.o.Clock.Now(), clock.System{}.Now()
	if machine-w.counted >= lookEvery.Microseconds() || machine < w.counted {
		w.counted = machine
		if w.starts = maxFlight; w.o.Busy() {
			w.starts = busyStarts
		}
	}
	if machine-w.claimed >= claimEvery.Microseconds() || machine < w.claimed {
		w.claimed = machine
		err := w.o.Store.Own(ctx, storage.Claim{
			Owner: w.o.Owner, Now: machine, Until: machine + claimFor.Microseconds(), DueAt: now,
		})
		w.trouble(ctx, "claim endpoints", err)
	}
	work, err := w.o.Store.Owned(ctx, w.o.Owner, machine)
	if err != nil {
		w.trouble(ctx, "look for deliveries", err)
		return
	}
	owned := make(map[string]bool, len(work))
	for _, one := range work {
		owned[one.Endpoint.ID] = true
		l := w.lanes[one.Endpoint.ID]
		if l == nil || l.ended && l.endpoint.UpdatedAt != one.Endpoint.UpdatedAt { // enabled again
			l = newLane(one.Endpoint, w.o.Sandbox)
			w.lanes[one.Endpoint.ID] = l
		}
		l.endpoint, l.nextDue = one.Endpoint, one.NextDue
		if h, ok := w.health[l.endpoint.ID]; ok { // not written yet
			l.endpoint.FailingSince = h.FailingSince
		}
		for _, h := range l.hosts {
			h.endpoint = l.endpoint
		}
	}
	if len(work) > 0 {
		w.o.Sequencer.Want()
	}
	for id := range w.lanes {
		if !owned[id] {
			delete(w.lanes, id) // disabled, deleted, or another server's: what is under way ends by itself
		}
	}
}

func (w *Worker) trouble(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		w.o.Alarm(what, err)
	}
}

// advance sends what can be sent and writes what can be written. Endpoints that are not known to answer are
// read a few at a time, so that a thousand dead ones do not keep the loop from the others.
func (w *Worker) advance(ctx context.Context) {
	now, machine, reads := w.o.Clock.Now(), w.o.Machine.Now(), 0
	for _, l := range w.lanes {
		switch {
		case !l.hungry(now, w.places(l)) || !l.wanting(machine) || l.breaker.ReadyAt(machine) > machine:
		case l.window.Size() > 1:
			w.read(ctx, l, now)
		case reads == turnReads:
			poke(w.more)
		default:
			reads++
			w.read(ctx, l, now)
		}
		w.dispatch(ctx, l, now)
		for _, h := range l.hosts {
			w.dispatch(ctx, h, now)
		}
	}
	w.write()
}

// read fills an endpoint's queue.
func (w *Worker) read(ctx context.Context, l *lane, now int64) {
	limit := laneFill + len(l.known)
	due, err := w.o.Store.DueDeliveries(ctx, l.endpoint.ID, now, limit)
	w.trouble(ctx, "read deliveries", err)
	if len(due) < limit {
		l.nextDue = 0 // that was all, until it is looked at again
	}
	for _, off := range l.fill(due, now) {
		if w.dialled(off.Delivery).Fault == sandbox.OutOfOrder {
			l.queue = append(l.queue, off)
			continue
		}
		off.Delivery.DueAt = min(l.patience(off.Delivery), now+orderLook.Microseconds())
		w.pending = append(w.pending, storage.Result{Delivery: off.Delivery})
	}
	if !l.endpoint.Callbacks() {
		return
	}
	for _, over := range l.spread(w.o.Sandbox) {
		over.Delivery.DueAt = now + hostLook.Microseconds()
		w.pending = append(w.pending, storage.Result{Delivery: over.Delivery, Later: true})
	}
}

// dispatch starts attempts of one endpoint, as many as its receiver has shown to bear.
func (w *Worker) dispatch(ctx context.Context, l *lane, now int64) {
	for len(l.queue) > 0 && l.flight < w.places(l) && w.room(l) && !l.ended {
		due := l.queue[0]
		verdict := l.judge(&due)
		if w.dialled(due.Delivery).Fault == sandbox.OutOfOrder {
			verdict, due.Delivery.OutOfOrder = send, due.Behind != due.Delivery.Number
		}
		if verdict == send && !l.breaker.Allow(w.o.Machine.Now()) {
			return
		}
		l.queue = l.queue[1:]
		switch verdict {
		case park:
			l.parked[due.Delivery.Object] = append(l.parked[due.Delivery.Object], due)
		case leave:
			l.leave(due)
		case send:
			l.busy[due.Delivery.Object] = due.Delivery.Object != ""
			l.flight++
			w.flight++
			w.starts--
			w.attempt(ctx, l, due, now)
		}
	}
}

// room reports whether one more attempt may be under way. Endpoints that are not known to answer share what
// the others leave, so that a thousand dead ones cannot take every place.
func (w *Worker) room(l *lane) bool {
	if w.starts <= 0 {
		return false
	}
	if l.window.Size() > 1 {
		return w.flight < maxFlight
	}
	return w.flight < maxFlight-reserved
}

// attempt sends one delivery beside the loop.
func (w *Worker) attempt(ctx context.Context, l *lane, due storage.Due, now int64) {
	url := cmp.Or(due.Delivery.URL, l.endpoint.URL)
	m, dial := w.message(&l.endpoint, due, now), w.dialled(due.Delivery)
	callback := l.endpoint.Callbacks()
	go func() {
		r := Result{Error: "not called: the message cannot be signed"}
		if !callback || w.forSession(ctx, &due.Event, &m) {
			r = w.send(ctx, url, m, dial)
		}
		w.done <- attempted{lane: l, due: due, body: m.Body, at: now, result: r}
	}()
}

func (w *Worker) message(e *event.Endpoint, due storage.Due, now int64) Message {
	d := &due.Delivery
	m := Message{ID: d.ID, Body: d.Body, Token: w.o.Key.Token(e.ID, e.Token), Marks: map[string][]string{}}
	w.o.Key.Signers(&m, e, now)
	if d.Object == "" {
		m.Marks[MarkTest] = []string{"true"}
		return m
	}
	m.ID = event.ID(d.Object, d.Sequence)
	if len(m.Body) == 0 {
		m.Body = body(e, &due.Event)
	}
	if d.OutOfOrder {
		m.Marks[MarkOutOfOrder] = []string{"true"}
	}
	if d.Replay {
		m.Marks[MarkReplay] = []string{"true"}
	}
	return m
}

// body renders an event for the endpoint.
func body(e *event.Endpoint, of *event.Event) []byte {
	switch p := of.Payment; {
	case p == nil:
		return view.EventAs(make([]byte, 0, view.EventSize), of, e.Form)
	case e.Callbacks() && p.Session != "":
		return view.Legacy(nil, of)
	}
	return view.EventAs(make([]byte, 0, view.PaymentEventSize), of, e.Form)
}

// forSession adds the signature that the callback of a payment session is verified by. false: the key for it
// cannot be read now, so the attempt has failed; one that is not kept any more is done without, since there
// are receivers that verify what every delivery is signed with.
func (w *Worker) forSession(ctx context.Context, e *event.Event, m *Message) bool {
	if e.Payment == nil || e.Payment.Session == "" || w.o.SessionKey == nil {
		return true
	}
	key, err := w.o.SessionKey(ctx, e.Payment.Session)
	if errors.Is(err, storage.ErrNotFound) {
		return true
	}
	signature := ""
	if err == nil {
		signature, err = LegacySign(key, m.Body)
	}
	if err != nil {
		w.trouble(ctx, "sign for a payment session's callback", err)
		return false
	}
	m.Marks[LegacySignature] = []string{signature}
	return true
}

// settle decides what an attempt came to.
func (w *Worker) settle(a attempted) {
	l, d, r := a.lane, a.due.Delivery, a.result
	l.flight--
	w.flight--
	now := w.o.Clock.Now()
	first := d.Attempts == 0 && a.due.Event.Number > 0
	w.o.Observe(r, first, time.Duration(now-a.due.Event.Record.At)*time.Microsecond)
	d.Attempts++
	attempt := event.Attempt{
		Delivery: d.ID, Number: d.Attempts, At: a.at, Micros: r.Duration.Microseconds(), Status: r.Status,
		Error: r.Error, Response: r.Response,
	}
	if r.Outcome == Delivered {
		l.breaker.Success()
		l.window.Success(l.endpoint.Concurrency)
		l.answered = w.o.Machine.Now()
		if l.of != nil {
			l.of.window.Success(l.endpoint.Concurrency) // one of them answers
		}
		d.State, d.Body = event.Delivered, nil
		w.healthy(l)
	} else {
		l.breaker.Failure(w.o.Machine.Now(), r.RetryAfter)
		l.window.Failure()
		d.Body = a.body
		delay, dead := w.schedule.Of(&l.endpoint).Next(d.Attempts-d.Base, d.ID, r.RetryAfter)
		d.DueAt = now + delay.Microseconds()
		if dead || r.Outcome == Gone {
			d.State = event.Dead
		}
		w.failing(l, r, now)
	}
	l.release(d)
	// Events were put off behind this one only if it was not delivered when it came: an attempt at it failed
	// before, or it was put off itself.
	held := d.Attempts > 1 || a.due.Delivery.DueAt > a.due.Delivery.UpdatedAt
	w.pending = append(w.pending, storage.Result{
		Delivery: d, Attempt: attempt, Unblock: d.State != event.Waiting && l.endpoint.Ordered && held,
	})
}

func (w *Worker) healthy(l *lane) {
	if l.endpoint.FailingSince != 0 {
		l.endpoint.FailingSince = 0
		w.health[l.endpoint.ID] = storage.Health{Endpoint: l.endpoint.ID}
	}
}

// failing notes since when an endpoint has been failing, and gives up on one that is gone or has not answered
// for days. Of Callbacks nothing is noted: what one address answers says nothing about the others.
func (w *Worker) failing(l *lane, r Result, now int64) {
	e := &l.endpoint
	if e.Callbacks() {
		return
	}
	h := storage.Health{Endpoint: e.ID, FailingSince: e.FailingSince}
	if h.FailingSince == 0 {
		h.FailingSince = now
	}
	switch {
	case r.Outcome == Gone:
		h.Disable = event.WhyGone
	case now-h.FailingSince >= disableAfter.Microseconds():
		h.Disable = event.WhySilent
	case e.FailingSince != 0:
		return // nothing new
	}
	e.FailingSince = h.FailingSince
	w.health[e.ID] = h
	if h.Disable != "" {
		l.ended = true
		w.o.Alarm("endpoint "+e.ID+" was disabled: "+h.Disable, nil)
	}
}

// write hands the outcomes to the store, one write at a time.
func (w *Worker) write() {
	if w.writing || len(w.pending)+len(w.health) == 0 {
		return
	}
	w.writing = true
	x := w.batch()
	now := w.o.Clock.Now()
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), lastWrite)
		defer cancel()
		x.err = w.o.Store.Finish(ctx, now, x.results, x.health)
		pause := writePause
		if x.err != nil {
			pause = retryWrite
		}
		clock.Pause(context.Background(), pause)
		w.written <- x
	}()
}

// batch is what is to be written. Health stays here until it is, since what look reads is older until then.
func (w *Worker) batch() written {
	x := written{results: w.pending}
	for _, h := range w.health {
		x.health = append(x.health, h)
	}
	w.pending = nil
	return x
}

// wrote takes note of a write: what failed is written again, before what came since.
func (w *Worker) wrote(x written) {
	w.writing = false
	if x.err != nil {
		w.o.Alarm("write what became of deliveries", x.err)
		w.pending = append(x.results, w.pending...)
		return
	}
	for _, h := range x.health {
		if w.health[h.Endpoint] == h {
			delete(w.health, h.Endpoint)
		}
	}
	for _, r := range x.results {
		l := w.lanes[r.Delivery.Endpoint]
		if l == nil {
			continue
		}
		delete(l.known, r.Delivery.ID)
		if l.left {
			l.nextDue = w.o.Clock.Now()
		}
	}
}

// end writes what is known and gives the endpoints back.
func (w *Worker) end() {
	if w.writing {
		w.wrote(<-w.written)
	}
	for w.flight > 0 {
		a := <-w.done
		if a.result.Outcome == Delivered {
			w.settle(a) // it arrived, so it is not sent again
		} else {
			w.flight-- // cut off: it does not count
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastWrite)
	defer cancel()
	if x := w.batch(); len(x.results)+len(x.health) > 0 {
		if err := w.o.Store.Finish(ctx, w.o.Clock.Now(), x.results, x.health); err != nil {
			w.o.Alarm("write what became of deliveries", err)
		}
	}
	if err := w.o.Store.Disown(ctx, w.o.Owner); err != nil {
		w.o.Alarm("give endpoints back", err)
	}
}
