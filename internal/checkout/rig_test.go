package checkout_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/html"

	"plexy/internal/access"
	"plexy/internal/acquiring"
	"plexy/internal/checkout"
	"plexy/internal/clock"
	"plexy/internal/commit"
	"plexy/internal/connector"
	"plexy/internal/core/journal"
	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/id"
	"plexy/internal/merchant"
	"plexy/internal/pagetest"
	"plexy/internal/server"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
	"plexy/internal/web"
)

// noon is the manual clock's first moment: 2026-02-19T10:15:00Z.
const noon = 1_771_496_100_000_000

const minute = 60 * 1_000_000

// Cards by what the bank of the rig does with them.
const (
	goodCard      = "4242 4242 4242 4242"
	challengeCard = "4111 1111 1111 1111"
	methodCard    = "4000 0000 0000 1000"
	declinedCard  = "4000 0000 0000 0002"
	silentCard    = "4000 0000 0000 0119" // the bank does not answer
)

// rig is the door in a real server, over the books in memory and a bank that is told what to do.
type rig struct {
	*testing.T
	store storage.Storage
	clock *clock.Manual
	ids   *id.Maker
	bank  *bank
	log   *logged
	flush func()
	url   string
	shop  string
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

func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func newRig(t *testing.T) *rig {
	r := &rig{T: t, store: memory.New(), clock: clock.NewManual(noon), log: new(logged)}
	r.ids = id.NewMakerAt(r.clock.Now)
	r.bank = &bank{r: r, keys: map[string]string{}, steps: map[string]*connector.Step{}}
	r.ok(r.store.Install(t.Context(), storage.Installation{Environment: "sandbox", Generation: 1}))
	r.shop = r.ids.New(id.Merchant)
	r.ok(r.store.CreateMerchant(t.Context(),
		merchant.Merchant{ID: r.shop, Name: "Кофейня «Арай»", Settings: merchant.Defaults()},
		access.Key{ID: r.ids.New(id.Key), Merchant: r.shop, Hash: access.HashOf("k")},
		machine.Audit{ID: r.ids.New(id.Audit)}))
	site := must(web.New(web.Options{
		Key: []byte("a key of the test"), TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}))(t)
	door := checkout.New(checkout.Options{
		Reader: r.store, Acquiring: r.bank, Site: site, Clock: r.clock, Key: []byte("a key of the test"),
		PublicURL: func() string { return r.url }, NewPayment: r.ids.UUID,
	})
	log := server.NewLog(r.log, nil)
	r.flush = log.Flush
	s := httptest.NewServer(server.New(server.Options{
		Door: door, Clock: r.clock, Log: log, Ready: r.store.Ready,
		Mounts:       []server.Mount{{Path: web.AssetPath, Door: web.Assets{}}},
		Envelope:     func(server.Failure, string) []byte { return []byte("{}") },
		NewRequestID: func() string { return r.ids.New(id.Request) },
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

func (r *rig) set(name, value string) {
	r.Helper()
	m := must(r.store.Merchant(r.Context(), r.shop))(r)
	settings := must(m.Settings.Set(name, value))(r)
	r.ok(r.store.SetMerchant(r.Context(), r.shop, settings, machine.Audit{ID: r.ids.New(id.Audit)}))
}

func (r *rig) run(c machine.Command) machine.Outcome {
	r.Helper()
	o, err := commit.RunOne(context.Background(), r.store, r.clock, machine.Instruction{
		Command: c, Origin: journal.Origin{RequestID: "req_test"},
	})
	r.ok(err)
	return o
}

const shopPages = `{"successUrl":"https://shop.kz/thanks?x=1","failureUrl":"https://shop.kz/sorry",` +
	`"cancelUrl":"https://shop.kz/cart","callbackUrl":"https://shop.kz/hook","n":7}`

// link makes a link over 12 345.67 ₸ that expires in two days.
func (r *rig) link(changes ...func(*link.Facts)) string {
	r.Helper()
	f := link.Facts{
		ID: "pl_" + strings.ReplaceAll(r.ids.UUID(), "-", ""), Merchant: r.shop, Currency: money.KZT,
		Amount: 1_234_567, OrderReference: "ORDER-" + r.ids.New(""), Description: "Кофе, 2 кг <b>",
		AutoClearing: true, Metadata: shopPages,
	}
	for _, change := range changes {
		change(&f)
	}
	if o := r.run(machine.CreateLink{Facts: f, ExpiresAt: r.clock.Now() + 48*60*minute}); o.Reason != "" {
		r.Fatal(o.Reason)
	}
	return f.ID
}

// payments are all of the rig's merchant.
func (r *rig) payments() []payment.Payment {
	r.Helper()
	found, _, err := r.store.Payments(r.Context(), storage.PaymentQuery{Merchant: r.shop, Limit: 100})
	r.ok(err)
	return found
}

// bank makes payments in the books as acquiring does, and answers by the card.
type bank struct {
	r     *rig
	mu    sync.Mutex
	keys  map[string]string // of requests, to payments
	steps map[string]*connector.Step
	last  acquiring.Request
	held  chan struct{} // when not nil, what the bank's answer waits for
	err   error
	no    reject.Reason // what every payment is refused with
}

// Pay begins a payment, one for a key.
func (b *bank) Pay(_ context.Context, q acquiring.Request) (acquiring.Result, error) {
	b.mu.Lock()
	if b.err != nil || b.no != "" {
		defer b.mu.Unlock()
		return acquiring.Result{Reason: b.no}, b.err
	}
	if known, ok := b.keys[q.Key]; ok {
		b.mu.Unlock()
		return b.Look(context.Background(), "", known)
	}
	b.last = q
	f := q.Facts
	f.Connector = "sandbox"
	f.Card = payment.Card{Brand: string(q.Card.Number.Brand()), Last4: q.Card.Number.Last4(),
		Expiry: q.Card.Expiry.String()}
	last := q.Card.Number.Last4()
	secure := last == "1111" || last == "1000"
	o := b.r.run(machine.BeginPayment{Facts: f, Operation: b.r.ids.UUID(), Authenticate: secure})
	if o.Reason != "" {
		b.mu.Unlock()
		return acquiring.Result{Reason: o.Reason}, nil
	}
	b.keys[q.Key] = f.ID
	kind := connector.Challenge
	if last == "1000" {
		kind = connector.Method
	}
	if secure {
		b.steps[f.ID] = &connector.Step{Kind: kind, Form: connector.Form{
			URL: "https://bank.example/acs", Fields: []connector.Field{{Name: "creq", Value: `a"<b`}},
		}}
	}
	held := b.held
	b.mu.Unlock()
	if held != nil {
		<-held
	}
	switch {
	case secure, last == "0119":
	case last == "0002":
		b.answer(o.Pay, payment.Answer{State: payment.Declined, Code: "51"})
	default:
		b.answer(o.Pay, payment.Answer{
			State: payment.Accepted, Code: "00", AuthCode: "123456", RRN: "605010000001",
		})
	}
	return b.Look(context.Background(), "", f.ID)
}

func (b *bank) answer(p *machine.Pay, a payment.Answer) {
	b.r.run(machine.RecordAnswer{Attempt: machine.Attempt{Payment: p.Payment.ID, Operation: p.Operation.ID,
		Link: p.Payment.Link}, Answer: a, Audit: b.r.ids.New(id.Audit)})
}

// Continue ends the challenge, or goes on from the method to it.
func (b *bank) Continue(_ context.Context, c acquiring.Continuation) (acquiring.Result, error) {
	b.mu.Lock()
	step := b.steps[c.Payment]
	switch {
	case step == nil:
	case step.Kind == connector.Method && c.Return.MethodDone != "":
		step.Kind = connector.Challenge
	case step.Kind == connector.Challenge && c.Return.CRes != "":
		delete(b.steps, c.Payment)
		p := must(b.r.store.AnyPayment(context.Background(), c.Payment))(b.r)
		verdict := payment.Passed
		if c.Return.CRes != "yes" {
			verdict = payment.Denied
		}
		o := b.r.run(machine.Authenticated{Verdict: verdict, Attempt: machine.Attempt{
			Payment: c.Payment, Operation: b.r.ids.UUID(), Link: p.Link}})
		if verdict == payment.Passed {
			b.answer(o.Pay, payment.Answer{State: payment.Accepted, Code: "00"})
		}
	}
	b.mu.Unlock()
	return b.Look(context.Background(), c.Merchant, c.Payment)
}

// GiveUp ends a payment whose payer leaves the challenge.
func (b *bank) GiveUp(
	ctx context.Context, merchant, payment string, _ journal.Origin,
) (acquiring.Result, error) {
	b.mu.Lock()
	if b.steps[payment] != nil {
		p := must(b.r.store.AnyPayment(context.Background(), payment))(b.r)
		b.r.run(machine.Abandon{Attempt: machine.Attempt{Payment: payment, Link: p.Link}, Early: true})
		delete(b.steps, payment)
	}
	b.mu.Unlock()
	return b.Look(ctx, merchant, payment)
}

// Look shows a payment.
func (b *bank) Look(_ context.Context, merchant, payment string) (acquiring.Result, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, err := b.r.store.AnyPayment(context.Background(), payment)
	if err != nil || merchant != "" && p.Merchant != merchant {
		return acquiring.Result{Reason: reject.PaymentNotFound}, nil
	}
	return acquiring.Result{Payment: p, Step: b.steps[payment]}, nil
}

// visitor is a browser without scripts: it keeps cookies, unless it is in a frame of another site.
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

// framed is a visitor whose browser keeps no cookies of ours.
func (r *rig) framed() *visitor {
	v := r.visitor()
	v.client.Jar = nil
	return v
}

// page is an answer, parsed.
type page struct {
	*rig
	status   int
	header   http.Header
	location string // where it is, or where it leads
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
	p := &page{rig: v.rig, status: response.StatusCode, header: response.Header, body: string(text),
		location: response.Header.Get("Location"), root: must(html.Parse(strings.NewReader(string(text))))(v)}
	if p.location == "" {
		p.location = path
	}
	return p
}

// get fetches a page and follows where it leads.
func (v *visitor) get(path string) *page {
	v.Helper()
	p := v.do(http.MethodGet, path, nil)
	for n := 0; p.status == http.StatusSeeOther; n++ {
		if n == 5 {
			v.Fatalf("%s leads in a circle", path)
		}
		p = v.do(http.MethodGet, p.location, nil)
	}
	return p
}

// post sends a form and follows where it leads.
func (v *visitor) post(path string, form url.Values) *page {
	v.Helper()
	answer := v.do(http.MethodPost, path, form)
	if answer.status == http.StatusSeeOther {
		return v.get(answer.location)
	}
	return answer
}

// pay opens the link and sends its form with a card.
func (v *visitor) pay(link, number string) *page {
	v.Helper()
	action, form := v.get("/" + link).payForm()
	return v.post(action, filled(form, number))
}

func filled(form url.Values, number string) url.Values {
	for name, value := range map[string]string{
		"number": number, "expiry": "12 / 29", "cvv": "123", "holder": "Aray Serik",
	} {
		form.Set(name, value)
	}
	return form
}

// payForm is the page's form for a card as a browser would send it.
func (p *page) payForm() (action string, form url.Values) {
	p.Helper()
	for _, f := range p.all("form") {
		if pagetest.Attribute(f, "id") == "pay" {
			return pagetest.Attribute(f, "action"), values(f)
		}
	}
	p.Fatalf("there is no form on the page (%d):\n%s", p.status, pagetest.Text(p.root))
	return "", nil
}

func values(form *html.Node) url.Values {
	v := url.Values{}
	for _, input := range pagetest.Within(form, "input") {
		v.Set(pagetest.Attribute(input, "name"), pagetest.Attribute(input, "value"))
	}
	return v
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

// link returns where the link or button with the words leads; "" when there is none.
func (p *page) leads(words string) string {
	for _, a := range p.all("a") {
		if pagetest.Text(a) == words {
			return pagetest.Attribute(a, "href")
		}
	}
	return ""
}

// title is what the page's main heading says.
func (p *page) title() string {
	for _, h := range p.all("h1") {
		return pagetest.Text(h)
	}
	return ""
}
