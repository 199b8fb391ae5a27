package walletpage_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/html"

	"plexy/internal/access"
	"plexy/internal/clock"
	"plexy/internal/commit"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/customer"
	"plexy/internal/httpapi"
	"plexy/internal/id"
	"plexy/internal/merchant"
	"plexy/internal/notify"
	"plexy/internal/pagetest"
	"plexy/internal/pgtest"
	"plexy/internal/server"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
	"plexy/internal/storage/postgres"
	"plexy/internal/storage/sqlite"
	"plexy/internal/vault"
	"plexy/internal/walletpage"
	"plexy/internal/web"
)

// noon is the manual clock's first moment: 2026-02-19T10:15:00Z, where a window of quotas begins.
const noon = 1_771_496_100_000_000

const minute = 60 * 1_000_000

// rig is the door in a real server, over a store and a clock that stands still.
type rig struct {
	*testing.T
	store  storage.Storage
	clock  *clock.Manual
	test   *clock.Manual // of the sandbox, when it is not the machine's
	ids    *id.Maker
	vault  *vault.Vault
	sent   *sent
	log    *logged
	flush  func()
	url    string
	shop   string
	person customer.Phone
}

// sent is a post that keeps what it was given.
type sent struct {
	mu       sync.Mutex
	messages []notify.Message
}

func (s *sent) Send(m notify.Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, m)
	return true
}

func (s *sent) all() []notify.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

var sixDigits = regexp.MustCompile(`\b\d{6}\b`)

// code is the code of the newest message.
func (r *rig) code() string {
	r.Helper()
	all := r.sent.all()
	if len(all) == 0 {
		r.Fatal("no message was sent")
	}
	return sixDigits.FindString(all[len(all)-1].Text)
}

// logged is a log's destination.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
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

// fixed is a vault that nobody rotates.
type fixed struct{ v *vault.Vault }

func (f fixed) Current() *vault.Vault         { return f.v }
func (f fixed) Refresh(context.Context) error { return nil }

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// onEveryStore runs a test over each keeper.
func onEveryStore(t *testing.T, test func(*rig)) {
	for name, open := range map[string]func(*testing.T) storage.Storage{
		"memory": func(*testing.T) storage.Storage { return memory.New() },
		"sqlite": func(t *testing.T) storage.Storage {
			path := filepath.Join(t.TempDir(), "plexy.db")
			must(sqlite.Migrate(t.Context(), path, false))(t)
			s := must(sqlite.Open(t.Context(), sqlite.Config{Path: path, Owner: true}))(t)
			t.Cleanup(func() { _ = s.Close() })
			return s
		},
		"postgres": func(t *testing.T) storage.Storage {
			url := pgtest.Database(t)
			must(postgres.Migrate(t.Context(), url, false))(t)
			s := must(postgres.Open(t.Context(), postgres.Config{URL: url, Slot: 1}))(t)
			t.Cleanup(func() { _ = s.Close() })
			return s
		},
	} {
		t.Run(name, func(t *testing.T) { test(newRig(t, open(t))) })
	}
}

func newRig(t *testing.T, store storage.Storage, changes ...func(*rig)) *rig {
	r := &rig{T: t, store: store, clock: clock.NewManual(noon), ids: id.NewMaker(), sent: new(sent)}
	r.log, r.test = new(logged), r.clock
	for _, change := range changes {
		change(r)
	}
	master := must(vault.ParseMaster(vault.NewMaster()))(t)
	data := must(vault.NewKey(master))(t)
	r.vault = must(vault.Open(master, 1, []vault.WrappedKey{data}))(t)
	r.ok(store.Install(t.Context(), storage.Installation{
		Environment: "sandbox", MasterCheck: master.Check(), Generation: 1,
		Keys: []storage.VaultKey{{ID: data.ID, Wrapped: data.Wrapped, State: data.State}},
	}))
	r.shop = r.ids.New(id.Merchant)
	r.ok(store.CreateMerchant(t.Context(),
		merchant.Merchant{ID: r.shop, Name: "Кофейня «Арай»", Settings: merchant.Defaults()},
		access.Key{ID: r.ids.New(id.Key), Merchant: r.shop, Hash: access.HashOf("k")},
		machine.Audit{ID: r.ids.New(id.Audit)}))
	_, r.person = customer.Example(1)
	r.fund(1, 1_234_500)

	site := must(web.New(web.Options{
		Key: master.PagesKey(), TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}))(t)
	door := walletpage.New(walletpage.Options{
		Reader: store, Owner: owner{r}, Vaults: fixed{r.vault}, Post: r.sent, Site: site, Clock: r.test,
		Machine: r.clock, NewID: r.ids.New, Key: master.PagesKey(),
	})
	log := server.NewLog(r.log, nil)
	r.flush = log.Flush
	s := httptest.NewServer(server.New(server.Options{
		Door: door, Mounts: []server.Mount{{Path: web.AssetPath, Door: web.Assets{}}}, Envelope: httpapi.Envelope,
		Ready: store.Ready, NewRequestID: func() string { return r.ids.New(id.Request) }, Clock: r.clock, Log: log,
	}).Handler())
	r.url = s.URL
	t.Cleanup(func() { s.Close(); log.Close() })
	return r
}

func (r *rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) who(n int) machine.Who {
	iin, phone := customer.Example(n)
	return machine.Who{
		IIN: []string{string(r.vault.Index(vault.PurposeIIN, iin.Reveal()))}, Generation: 1,
		Phone: []string{string(r.vault.Index(vault.PurposePhone, phone.Reveal()))},
	}
}

func (r *rig) run(c machine.Command) machine.Outcome {
	r.Helper()
	o, err := commit.RunOne(context.Background(), r.store, r.test, machine.Instruction{
		Command: c, Origin: journal.Origin{RequestID: "req_test"},
	})
	if err != nil || o.Reason != "" {
		r.Fatalf("%T: %s %v", c, o.Reason, err)
	}
	return o
}

// fund tops up the wallet of example customer n, opening it if need be.
func (r *rig) fund(n int, amount int64) {
	r.Helper()
	iin, phone := customer.Example(n)
	who := r.who(n)
	c := wallet.Customer{ID: r.ids.New(id.Customer), KeyID: r.vault.KeyID(), IINIndex: who.IIN[0],
		PhoneIndex: who.Phone[0]}
	var err error
	c.IINSealed, err = r.vault.Seal(vault.PurposeIIN, c.ID, []byte(iin.Reveal()))
	r.ok(err)
	c.PhoneSealed, err = r.vault.Seal(vault.PurposePhone, c.ID, []byte(phone.Reveal()))
	r.ok(err)
	r.run(machine.Fund{Direction: machine.TopUp, Who: who, Currency: money.KZT, Amount: amount,
		Opening: machine.Opening{WalletStem: id.Wallet + r.ids.Stem(), Book: vault.Book(vault.Index(c.IINIndex)),
			Customer: c}, By: machine.By{ID: r.ids.New(id.Audit), Actor: "tester"}})
}

// approval says what example customer n must approve.
func (r *rig) approval(n int, a wallet.Approval) {
	r.Helper()
	r.run(machine.SetApproval{Who: r.who(n), Currency: money.KZT, Approval: a,
		By: machine.By{ID: r.ids.New(id.Audit), Actor: "tester"}})
}

// authorize asks example customer n for an amount.
func (r *rig) authorize(n int, amount int64, order string) wallet.Transaction {
	r.Helper()
	return r.run(machine.Authorize{Stem: id.Transaction + r.ids.Stem(), Merchant: r.shop, Currency: money.KZT,
		OrderReference: order, Amount: amount, Who: r.who(n)}).Transaction
}

// transaction is a transaction as it is now.
func (r *rig) transaction(id string) wallet.Transaction {
	r.Helper()
	t, err := r.store.Transaction(r.Context(), r.shop, id)
	r.ok(err)
	return t
}

// owner carries out answers as the app does.
type owner struct{ r *rig }

func (o owner) give(ctx context.Context, commands ...machine.Command) (
	wallet.Transaction, reject.Reason, error) {
	var last machine.Outcome
	for _, c := range commands {
		done, err := commit.RunOne(ctx, o.r.store, o.r.test, machine.Instruction{Command: c})
		if err != nil || done.Reason != "" {
			return last.Transaction, last.Reason, err
		}
		last = done
	}
	return last.Transaction, "", nil
}

func (o owner) Approve(ctx context.Context, customer, id string) (wallet.Transaction, reject.Reason, error) {
	answer := machine.Approve{Owned: machine.Owned{Customer: customer, ID: id}}
	done, err := commit.RunOne(ctx, o.r.store, o.r.test, machine.Instruction{Command: answer})
	if err != nil || done.Reason != "" {
		return done.Transaction, done.Reason, err
	}
	return o.give(ctx, machine.Complete{Merchant: o.r.shop, ID: id})
}

func (o owner) Decline(ctx context.Context, customer, id string) (wallet.Transaction, reject.Reason, error) {
	answer := machine.Decline{Owned: machine.Owned{Customer: customer, ID: id}}
	done, err := commit.RunOne(ctx, o.r.store, o.r.test, machine.Instruction{Command: answer})
	if err != nil {
		return wallet.Transaction{}, "", err
	}
	return done.Transaction, done.Reason, nil
}

// visitor is a browser without scripts: it keeps cookies and follows no redirect by itself.
type visitor struct {
	*rig
	client *http.Client
	header http.Header
}

func (r *rig) visitor() *visitor {
	jar := must(cookiejar.New(nil))(r)
	return &visitor{rig: r, header: http.Header{"Accept-Language": {"en"}}, client: &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// page is an answer, parsed.
type page struct {
	*rig
	status   int
	header   http.Header
	location string
	body     string
	root     *html.Node
}

func (v *visitor) do(method, path string, form url.Values) *page {
	v.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	request := must(http.NewRequest(method, v.url+path, body))(v)
	for name, values := range v.header {
		request.Header[name] = values
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response := must(v.client.Do(request))(v)
	defer response.Body.Close()
	text := must(io.ReadAll(response.Body))(v)
	return &page{rig: v.rig, status: response.StatusCode, header: response.Header, body: string(text),
		location: response.Header.Get("Location"), root: must(html.Parse(strings.NewReader(string(text))))(v)}
}

// get fetches a page and follows where it leads.
func (v *visitor) get(path string) *page {
	v.Helper()
	p := v.do(http.MethodGet, path, nil)
	for p.status == http.StatusSeeOther {
		p = v.do(http.MethodGet, p.location, nil)
	}
	return p
}

// send posts the page's form with the given action, filled in, and follows where it leads.
func (v *visitor) send(p *page, action string, filled ...string) *page {
	v.Helper()
	answer := v.do(http.MethodPost, action, p.form(action, filled...))
	if answer.status == http.StatusSeeOther {
		return v.get(answer.location)
	}
	return answer
}

// form is the page's form with the action, as a browser would send it.
func (p *page) form(action string, filled ...string) url.Values {
	p.Helper()
	for _, form := range p.all("form") {
		if pagetest.Attribute(form, "action") != action {
			continue
		}
		values := url.Values{}
		for _, input := range pagetest.Within(form, "input") {
			values.Set(pagetest.Attribute(input, "name"), pagetest.Attribute(input, "value"))
		}
		for i := 0; i < len(filled); i += 2 {
			values.Set(filled[i], filled[i+1])
		}
		return values
	}
	p.Fatalf("there is no form %s on the page:\n%s", action, p.body)
	return nil
}

func (p *page) all(kind string) []*html.Node { return pagetest.Within(p.root, kind) }

// says fails unless the page's text has each of the given.
func (p *page) says(want ...string) *page {
	p.Helper()
	text := pagetest.Text(p.root)
	for _, w := range want {
		if !strings.Contains(text, w) {
			p.Fatalf("the page (%d) does not say %q:\n%s", p.status, w, text)
		}
	}
	return p
}

// title is what the page's main heading says.
func (p *page) title() string {
	for _, h := range p.all("h1") {
		return pagetest.Text(h)
	}
	return ""
}

// ask asks for a code for a phone as somebody types it.
func (v *visitor) ask(phone string) *page {
	v.Helper()
	return v.send(v.get("/wallet"), "/wallet/log-in", "phone", phone)
}

// logIn logs the example customer of the rig in and returns the first page.
func (v *visitor) logIn() *page {
	v.Helper()
	p := v.ask(v.person.Reveal())
	return v.send(p, "/wallet/code", "code", v.code())
}

// rebind gives example customer n the phone of example customer m.
func (r *rig) rebind(n, m int) {
	r.Helper()
	c, err := r.store.CustomerByPhone(r.Context(), r.who(n).Phone)
	r.ok(err)
	_, phone := customer.Example(m)
	sealed := must(r.vault.Seal(vault.PurposePhone, c.ID, []byte(phone.Reveal())))(r)
	r.run(machine.Rebind{
		Who:      machine.Who{IIN: r.who(n).IIN, Phone: r.who(m).Phone, Generation: 1},
		Customer: c.ID, KeyID: r.vault.KeyID(), Sealed: sealed,
		By: machine.By{ID: r.ids.New(id.Audit), Actor: "tester"},
	})
}
