package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"plexy/internal/access"
	"plexy/internal/clock"
	"plexy/internal/commit"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
	"plexy/internal/customer"
	"plexy/internal/httpapi"
	"plexy/internal/id"
	"plexy/internal/merchant"
	"plexy/internal/server"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
	"plexy/internal/vault"
	"plexy/internal/webhook"
)

// noon is the manual clock's first moment: 2026-02-19T10:18:58.123456Z.
const noon = 1_771_496_338_123_456

// rig is the whole API in process: the real door, server, committer and vault over a storage.
type rig struct {
	t       *testing.T
	store   storage.Storage
	clock   *clock.Manual
	ids     *id.Maker
	vaults  *vaults
	commit  *commit.Committer
	handler http.Handler
	log     *logged
	flush   func()
	hooks   webhook.Key
	news    *news
	made    atomic.Int64 // transaction ids
	// shop and rival are two merchants' API keys.
	shop, rival string
	shopID      string
	seen        func(*http.Request, []byte, *answer) // called after every request, when set
}

// vaults is the vault of the test: one generation after the other.
type vaults struct {
	mu      sync.Mutex
	current *vault.Vault
	next    *vault.Vault
}

func (v *vaults) Current() *vault.Vault {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.current
}

func (v *vaults) Refresh(context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.next != nil {
		v.current = v.next
	}
	return nil
}

// news are told to whoever waits, as by the sequencer.
type news struct {
	mu   sync.Mutex
	next chan struct{}
}

func (n *news) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.next
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.next)
	n.next = make(chan struct{})
}

// number gives every committed event its number, as the sequencer does, and tells of it.
func (r *rig) number(t testing.TB) {
	t.Helper()
	for {
		n, err := r.store.Number(context.Background(), r.clock.Now(), 1000)
		check(t, err)
		if n == 0 {
			break
		}
	}
	r.news.tell()
}

// logged is a log's destination.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// change lets a test replace parts of the rig before it is built.
type change func(*rig, *httpapi.Options, *server.Options)

func newRig(t testing.TB, changes ...change) *rig { return newRigOn(t, memory.New(), changes...) }

func newRigOn(t testing.TB, store storage.Storage, changes ...change) *rig {
	tt, _ := t.(*testing.T)
	r := &rig{t: tt, store: store, clock: clock.NewManual(noon), ids: id.NewMaker(), log: new(logged)}
	ctx := context.Background()
	master := must(vault.ParseMaster(vault.NewMaster()))(t)
	data := must(vault.NewKey(master))(t)
	keys := []vault.WrappedKey{data}
	r.vaults = &vaults{current: must(vault.Open(master, 1, keys))(t)}
	check(t, r.store.Install(ctx, storage.Installation{
		Environment: "sandbox", MasterCheck: master.Check(), Generation: 1,
		Keys: []storage.VaultKey{{ID: data.ID, Wrapped: data.Wrapped, State: data.State}},
	}))
	r.shopID, r.shop = r.merchant(t, "Shop")
	_, r.rival = r.merchant(t, "Rival")

	r.hooks, r.news = must(webhook.NewKey(master.WebhookKey()))(t), &news{next: make(chan struct{})}
	o := httpapi.Options{
		Payments: r.store, Shoppers: r.store,
		Reader: r.store, Keys: r.store, Vaults: r.vaults, Stem: r.stem, Clock: r.clock, Machine: r.clock,
		FingerprintKey: master.FingerprintKey(), Messages: r.store,
		Outbox: r.store, News: r.news.wait, Webhooks: r.hooks, NewID: r.ids.New,
		NewUUID:   id.NewMakerAt(r.clock.Now).UUID,
		PublicURL: func() string { return "https://pay.example" },
		CheckURL:  webhook.NewGuard(webhook.Rules{Sandbox: true}).Check,
	}
	log := server.NewLog(r.log, nil)
	r.flush = log.Flush
	s := server.Options{
		Envelope: httpapi.Envelope, Ready: r.store.Ready, Clock: r.clock, Log: log,
		NewRequestID: func() string { return r.ids.New(id.Request) },
	}
	for _, f := range changes {
		f(r, &o, &s)
	}
	if o.Commit == nil {
		r.commit = commit.New(commit.Config{Storage: r.store, Clock: r.clock})
		o.Commit = r.commit
		t.Cleanup(r.commit.Close)
	}
	s.Door = httpapi.New(o)
	r.handler = server.New(s).Handler()
	t.Cleanup(log.Close)
	return r
}

// stem makes transaction ids that grow, at the rig's time: lists by time look at the time in an id, too.
func (r *rig) stem() string {
	var u ulid.ULID
	if err := u.SetTime(uint64(r.clock.Now() / 1000)); err != nil {
		panic(err)
	}
	return u.String()[:10] + fmt.Sprintf("%014d", r.made.Add(1))
}

func (r *rig) merchant(t testing.TB, name string) (merchantID, key string) {
	t.Helper()
	merchantID, key = r.ids.New(id.Merchant), access.NewSecret()
	check(t, r.store.CreateMerchant(context.Background(),
		merchant.Merchant{ID: merchantID, Name: name, Settings: merchant.Defaults()},
		access.Key{ID: r.ids.New(id.Key), Merchant: merchantID, Hash: access.HashOf(key)},
		machine.Audit{ID: r.ids.New(id.Audit)}))
	return merchantID, key
}

func (r *rig) who(i customer.IIN, p customer.Phone) machine.Who {
	v := r.vaults.Current()
	w := machine.Who{Generation: v.Generation()}
	for _, index := range v.Indexes(vault.PurposeIIN, i.Reveal()) {
		w.IIN = append(w.IIN, string(index))
	}
	for _, index := range v.Indexes(vault.PurposePhone, p.Reveal()) {
		w.Phone = append(w.Phone, string(index))
	}
	return w
}

// fund tops the wallet of example customer n up, opening it if there is none.
func (r *rig) fund(t testing.TB, n int, c money.Currency, amount int64) {
	t.Helper()
	iin, phone := customer.Example(n)
	who := r.who(iin, phone)
	book := vault.Book(vault.Index(who.IIN[0]))
	o, err := commit.RunOne(context.Background(), r.store, r.clock, machine.Instruction{Command: machine.Fund{
		Direction: machine.TopUp, Who: who, Currency: c, Amount: amount,
		Opening: machine.Opening{WalletStem: id.Wallet + r.ids.Stem(), Book: book, Customer: wallet.Customer{
			ID: r.ids.New(id.Customer), KeyID: r.vaults.Current().KeyID(),
			IINIndex: who.IIN[0], PhoneIndex: who.Phone[0], IINSealed: []byte{1}, PhoneSealed: []byte{1},
		}},
		By: machine.By{ID: r.ids.New(id.Audit)},
	}})
	check(t, err)
	if o.Reason != "" {
		t.Fatalf("top-up refused: %s", o.Reason)
	}
}

// answer is an answer, read.
type answer struct {
	status int
	header http.Header
	body   string
	fields map[string]any
}

func (a *answer) text(name string) string {
	s, _ := a.fields[name].(string)
	return s
}

func (a *answer) number(name string) int64 {
	n, _ := a.fields[name].(json.Number)
	i, _ := strconv.ParseInt(n.String(), 10, 64)
	return i
}

func (a *answer) reason() string { return a.text("reason") }

// ask is one request; Key is the API key, and the idempotency key goes into Header.
type ask struct {
	method, path, key, body string
	header                  http.Header
}

func (r *rig) do(q ask) *answer {
	return r.send(q, strings.NewReader(q.body))
}

func (r *rig) send(q ask, body io.Reader) *answer {
	request := httptest.NewRequest(q.method, q.path, body)
	if q.key != "" {
		request.Header.Set("Authorization", q.key)
	}
	if q.method == http.MethodPost || q.method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, values := range q.header {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	recorder := httptest.NewRecorder()
	r.handler.ServeHTTP(recorder, request)
	a := &answer{status: recorder.Code, header: recorder.Header(), body: recorder.Body.String()}
	d := json.NewDecoder(recorder.Body)
	d.UseNumber()
	file := strings.HasPrefix(a.header.Get("Content-Type"), "text/csv")
	if err := d.Decode(&a.fields); err != nil && r.t != nil && !file {
		r.t.Errorf("%s %s: %d with body %q, which is no JSON object: %v", q.method, q.path, a.status, a.body, err)
	}
	if r.seen != nil {
		r.seen(request, []byte(q.body), a)
	}
	return a
}

// idem is a header with an idempotency key.
func idem(key string) http.Header { return http.Header{"Idempotency-Key": {key}} }

// orderOf is the body of an authorize of example customer n.
func orderOf(n int, amount int64, reference string) string {
	iin, phone := customer.Example(n)
	return `{"amount":` + strconv.FormatInt(amount, 10) + `,"phoneNumber":"` + phone.Reveal() +
		`","iin":"` + iin.Reveal() + `","orderReference":"` + reference + `","currency":"KZT"}`
}

// authorize holds an amount for the shop and returns the answer, which must be 201.
func (r *rig) authorize(n int, amount int64, reference string) *answer {
	r.t.Helper()
	a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, orderOf(n, amount, reference), idem(r.ids.New("k_"))})
	if a.status != 201 {
		r.t.Fatalf("authorize: %d %s", a.status, a.body)
	}
	return a
}

// operate captures, cancels or refunds for the shop, without an idempotency key.
func (r *rig) operate(transaction, operation string, amount int64) *answer {
	return r.do(ask{"POST", "/v1/wallet/" + transaction + "/" + operation, r.shop,
		`{"amount":` + strconv.FormatInt(amount, 10) + `}`, nil})
}

func (r *rig) get(path string) *answer { return r.do(ask{"GET", path, r.shop, "", nil}) }

// available is what example customer n may still spend.
func (r *rig) available(n int, c money.Currency) int64 {
	r.t.Helper()
	iin, phone := customer.Example(n)
	_, wallets, err := r.store.Customer(r.t.Context(), r.who(iin, phone).IIN)
	check(r.t, err)
	for _, w := range wallets {
		if w.Account.Currency == c {
			return w.Account.Totals.Available()
		}
	}
	r.t.Fatalf("no wallet in %s", c)
	return 0
}

// transactions counts the shop's.
func (r *rig) transactions() int {
	r.t.Helper()
	all, err := r.store.Transactions(r.t.Context(), storage.Query{Merchant: r.shopID, Limit: 1000})
	check(r.t, err)
	return len(all)
}

const week = 7 * 24 * time.Hour
