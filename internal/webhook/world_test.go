package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plexy/internal/access"
	"plexy/internal/clock"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
	"plexy/internal/event"
	"plexy/internal/id"
	"plexy/internal/merchant"
	"plexy/internal/sandbox"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
	"plexy/internal/webhook"
)

const (
	// noon is where the clock of every world begins, in microseconds.
	noon = 1_771_496_338_123_456
	// patience is how long a test waits for what must happen.
	patience = 20 * time.Second
	// pollEvery is how often it asks for what it cannot be told of.
	pollEvery = 5 * time.Millisecond
)

// world is a merchant's transactions in memory, told to an endpoint by a sequencer and a worker. Its clock
// stands still; leases, signatures and the worker's own turns go by the machine's.
type world struct {
	dial       sandbox.Dial // set before start
	sessionKey func(context.Context, string) (string, error)
	testing.TB
	store   *store
	clock   *clock.Manual
	hooks   webhook.Key
	ids     *id.Maker
	shop    merchant.Merchant
	payer   machine.Who
	sandbox bool
	alarms  atomic.Int64
	stop    func() // what runs; set by start
	// bystander hears of test events alone, and answers them: it shows that the worker has had a turn.
	bystander event.Endpoint
	beside    *shop
}

// store is the memory keeper, which can be told to lose writes.
type store struct {
	*memory.Store
	refuse atomic.Int64 // so many writes of outcomes fail
}

var errRefused = errors.New("the disk is full")

// Finish fails as often as it was told to.
func (s *store) Finish(ctx context.Context, at int64, r []storage.Result, h []storage.Health) error {
	if s.refuse.Add(-1) >= 0 {
		return errRefused
	}
	return s.Store.Finish(ctx, at, r, h)
}

// newWorld makes a merchant and a payer. Nothing runs yet.
func newWorld(t testing.TB) *world {
	t.Helper()
	ids := id.NewMaker()
	hooks, err := webhook.NewKey(bytes.Repeat([]byte{'k'}, 32))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		TB: t, store: &store{Store: memory.New()}, clock: clock.NewManual(noon), ids: ids, hooks: hooks,
		sandbox: true, payer: machine.Who{IIN: []string{"iin"}, Phone: []string{"phone"}, Generation: 1},
		stop: func() {},
	}
	ctx := context.Background()
	w.ok(w.store.Install(ctx, storage.Installation{
		Environment: "sandbox", MasterCheck: "check", Generation: 1, CreatedAt: noon,
		Keys: []storage.VaultKey{{ID: "vk_1", Wrapped: []byte{1}, State: "active", CreatedAt: noon}},
	}))
	w.shop = merchant.Merchant{
		ID: ids.New(id.Merchant), Name: "Shop", Settings: merchant.Defaults(), CreatedAt: noon,
	}
	key := access.Key{ID: ids.New(id.Key), Merchant: w.shop.ID, Hash: access.HashOf("key"), CreatedAt: noon}
	w.ok(w.store.CreateMerchant(ctx, w.shop, key, w.audit()))
	w.run(machine.Fund{
		Direction: machine.TopUp, Who: w.payer, Currency: money.KZT, Amount: 1_000_000,
		Opening: machine.Opening{WalletStem: id.Wallet + ids.Stem(), Book: 1, Customer: wallet.Customer{
			ID: ids.New(id.Customer), KeyID: "vk_1", IINIndex: "iin", PhoneIndex: "phone",
		}},
		By: machine.By{ID: ids.New(id.Audit), Actor: "test", Reason: "test"},
	})
	w.beside = open(t)
	w.bystander = w.endpoint(w.beside.url, func(e *event.Endpoint) { e.Types = []string{"none"} })
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) audit() machine.Audit {
	return machine.Audit{ID: w.ids.New(id.Audit), At: w.clock.Now(), Actor: "test", Action: "test"}
}

// run commits one command, which must be done.
func (w *world) run(c machine.Command) wallet.Transaction {
	w.Helper()
	var keys machine.Keys
	in := machine.Instruction{Command: c, Render: func(machine.Outcome) machine.Reply { return machine.Reply{} }}
	keys.Add(in)
	var outcome machine.Outcome
	err := w.store.Commit(context.Background(), 0, func(ctx context.Context, b storage.Batch) error {
		state, err := b.Load(ctx, &keys)
		if err != nil {
			return err
		}
		outcome = machine.Step(state, machine.Stamp{At: w.clock.Now()}, in)
		return b.Save(ctx, state)
	})
	w.ok(err)
	if outcome.Reason != "" {
		w.Fatalf("refused: %s", outcome.Reason)
	}
	return outcome.Transaction
}

// hold authorizes 1000; capture takes 1 of it. Each is one event.
func (w *world) hold() wallet.Transaction {
	w.Helper()
	return w.run(machine.Authorize{
		Stem: id.Transaction + w.ids.Stem(), Book: 1, Merchant: w.shop.ID, Currency: money.KZT,
		OrderReference: "ORDER-1", Amount: 1000, Who: w.payer,
	})
}

func (w *world) capture(t wallet.Transaction) {
	w.Helper()
	w.run(machine.Capture{Target: machine.Target{Merchant: w.shop.ID, ID: t.ID, Amount: 1}})
}

// endpoint makes an endpoint of the merchant.
func (w *world) endpoint(url string, change ...func(*event.Endpoint)) event.Endpoint {
	w.Helper()
	e := event.NewEndpoint(w.ids.New(id.Endpoint), w.shop.ID, w.clock.Now())
	e.URL = url
	for _, c := range change {
		c(&e)
	}
	w.ok(w.store.CreateEndpoint(context.Background(), e, w.audit()))
	return e
}

// set changes the endpoint as the API would, whatever its revision is by now.
func (w *world) set(e event.Endpoint) {
	w.Helper()
	e.Revision = w.again(e).Revision
	e.UpdatedAt = w.clock.Now()
	w.ok(w.store.SetEndpoint(context.Background(), e, w.audit()))
}

// start runs a sequencer and a worker until the world's stop, which waits for both, or the test's end.
func (w *world) start() {
	w.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	alarm := func(what string, err error) {
		w.alarms.Add(1)
		w.Logf("alarm: %s: %v", what, err)
	}
	sender := webhook.NewSender(webhook.Options{Rules: webhook.Rules{Sandbox: true}})
	idle := func() bool { return false }
	sequencer := webhook.NewSequencer(w.store, w.clock, idle, alarm)
	worker := webhook.NewWorker(webhook.WorkerOptions{
		Store: w.store, Sender: sender, Key: w.hooks, Clock: w.clock, Machine: w.clock, Owner: w.ids.New(id.Server),
		Sandbox: w.sandbox, Sequencer: sequencer, Alarm: alarm, Busy: idle,
		Fault: func(string) sandbox.Dial { return w.dial }, SessionKey: w.sessionKey,
	})
	var running sync.WaitGroup
	running.Go(func() { sequencer.Run(ctx) })
	running.Go(func() { worker.Run(ctx) })
	w.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		sender.Close()
	})
}

// later moves the clock.
func (w *world) later(d time.Duration) { w.clock.Advance(d.Microseconds()) }

// delivery reads one, by the event's number.
func (w *world) delivery(e event.Endpoint, number int64) event.Delivery {
	w.Helper()
	d, err := w.store.Delivery(context.Background(), e.ID, event.DeliveryID(e.ID, number))
	if errors.Is(err, storage.ErrNotFound) {
		return event.Delivery{} // not numbered yet
	}
	w.ok(err)
	return d
}

func (w *world) attempts(e event.Endpoint, number int64) []event.Attempt {
	w.Helper()
	all, err := w.store.AttemptsOf(context.Background(), event.DeliveryID(e.ID, number))
	w.ok(err)
	return all
}

func (w *world) again(e event.Endpoint) event.Endpoint {
	w.Helper()
	e, err := w.store.Endpoint(context.Background(), e.Merchant, e.ID)
	w.ok(err)
	return e
}

// replay makes so many deliveries due again.
func (w *world) replay(q storage.ReplayQuery, want int) {
	w.Helper()
	n, _, err := w.store.Replay(context.Background(), w.clock.Now(), q)
	if err != nil || n != want {
		w.Fatalf("replayed %d (%v), want %d", n, err, want)
	}
}

// until waits for what must come true.
func (w *world) until(what string, come func() bool) {
	w.Helper()
	for end := time.Now().Add(patience); !come(); time.Sleep(pollEvery) {
		if time.Now().After(end) {
			w.Fatalf("after %v: not %s", patience, what)
		}
	}
}

// tried waits until so many attempts at a delivery are written, and returns it.
func (w *world) tried(e event.Endpoint, number int64, attempts int) (d event.Delivery) {
	w.Helper()
	w.until(fmt.Sprintf("%d attempts at %d", attempts, number), func() bool {
		d = w.delivery(e, number)
		return d.Attempts >= attempts
	})
	return d
}

// delivered waits until the deliveries of the events up to number are done.
func (w *world) delivered(e event.Endpoint, number int64) {
	w.Helper()
	for n := int64(1); n <= number; n++ {
		w.until(fmt.Sprint("delivered ", n), func() bool { return w.delivery(e, n).State == event.Delivered })
	}
}

// visit is one request that a receiver got.
type visit struct {
	http.Header
	id     string // webhook-id
	body   string
	answer chan<- answer
}

// answer is what the receiver says; then it may wait a moment for its caller to go.
type answer struct {
	status     int
	retryAfter string
}

// shop is a receiver whose answers a test gives one by one.
type shop struct {
	t      testing.TB
	url    string
	visits chan visit
	seen   atomic.Int64
}

// open opens a receiver on this machine.
func open(t testing.TB) *shop {
	t.Helper()
	s := &shop{t: t, visits: make(chan visit)}
	closing := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.seen.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		answers := make(chan answer, 1)
		select {
		case s.visits <- visit{r.Header, r.Header.Get("webhook-id"), string(body), answers}:
		case <-r.Context().Done():
			return
		case <-closing:
			return
		}
		select {
		case a := <-answers:
			if a.retryAfter != "" {
				w.Header().Set("Retry-After", a.retryAfter)
			}
			w.WriteHeader(a.status)
		case <-r.Context().Done():
		case <-closing:
		}
	}))
	t.Cleanup(func() {
		close(closing)
		server.Close()
	})
	s.url = server.URL + "/hook"
	return s
}

// next waits for the next request.
func (s *shop) next() visit {
	s.t.Helper()
	select {
	case v := <-s.visits:
		return v
	case <-time.After(patience):
		s.t.Fatalf("no request within %v", patience)
	}
	return visit{}
}

// say answers the next request with the status and returns it.
func (s *shop) say(status int) visit {
	s.t.Helper()
	v := s.next()
	v.answer <- answer{status: status}
	return v
}

// quiet makes sure that the shop gets no request while a worker looks at everything so many times: it tells
// the bystander of a test event each time.
func (w *world) quiet(s *shop, turns int) {
	w.Helper()
	was := s.seen.Load()
	for range turns {
		w.test(w.bystander)
		w.beside.say(200)
	}
	if n := s.seen.Load() - was; n != 0 {
		w.Fatalf("%d requests came that must wait", n)
	}
}

// test queues a test event.
func (w *world) test(e event.Endpoint) event.Delivery {
	w.Helper()
	now := w.clock.Now()
	d := event.Delivery{
		ID: w.ids.New("whd_" + e.ID[len(id.Endpoint):] + "_"), Endpoint: e.ID, Merchant: e.Merchant,
		Name: "wallet.transaction.captured", State: event.Waiting, DueAt: now, CreatedAt: now, UpdatedAt: now,
		Body: []byte(`{"id":"evt_test","name":"wallet.transaction.captured"}`),
	}
	w.ok(w.store.CreateDelivery(context.Background(), d))
	return d
}

// stamp is when an attempt says that it was signed.
func (v visit) stamp(t testing.TB) time.Time {
	t.Helper()
	seconds, err := strconv.ParseInt(v.Get("webhook-timestamp"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(seconds, 0)
}
