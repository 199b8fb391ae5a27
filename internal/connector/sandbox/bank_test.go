package sandbox_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plexy/internal/card"
	"plexy/internal/clock"
	"plexy/internal/connector"
	"plexy/internal/connector/sandbox"
	"plexy/internal/core/money"
	magic "plexy/internal/sandbox"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
	"plexy/internal/storage/sqlite"
)

var made atomic.Int64

func order(minor int64) connector.Order {
	id := fmt.Sprintf("01936f00-0000-7000-8000-%012d", made.Add(1))
	return connector.Order{Operation: id, Payment: id, Merchant: "mer_1", At: noon, Amount: minor,
		Currency: money.KZT, Acceptor: connector.Acceptor{Merchant: "SUITE", Terminal: "T1"}}
}

func authorize(t *testing.T, r *rig, digits, cvv string, minor int64) connector.Answer {
	t.Helper()
	return r.Authorize(t.Context(), connector.Authorization{Order: order(minor), Card: aCard(t, digits, cvv),
		Verification: minor == 0})
}

// TestTheDocumentedCards are the test scenarios of plexy-api.md §19.1 and §19.2.
func TestTheDocumentedCards(t *testing.T) {
	const visa = "4111111111111111"
	r := newRig(t)
	for _, c := range []struct {
		digits, cvv string
		minor       int64
		outcome     connector.Outcome
		code        connector.Code
		checked     connector.CVVStatus
	}{
		{visa, "123", 150_000, connector.Approved, "00", "M"},
		{visa, "", 150_000, connector.Approved, "00", ""},
		{"5105105105105100", "123", 150_000, connector.Declined, "05", "M"},
		{"4242424242424242", "123", 150_000, connector.Approved, "00", "M"}, // any other one
		{"2200000000000004", "123", 150_000, connector.Approved, "00", "M"},
		{visa, "444", 150_000, connector.Declined, "05", "N"},
		{visa, "123", 20_050, connector.Declined, "05", "M"},
		{visa, "123", 20_510, connector.Declined, "51", "M"},
		{visa, "123", 2_051_000, connector.Declined, "51", "M"}, // 20510.00
		{visa, "123", 20_030, connector.Declined, "03", "M"},    // no code of the catalogue
		{visa, "123", 20_000, connector.Approved, "00", "M"},
		{visa, "123", 20_100, connector.Approved, "10", "M"},
		{visa, "123", 20_051, connector.Approved, "00", "M"},
		{visa, "123", 120_050, connector.Approved, "00", "M"},
		{visa, "123", 0, connector.Approved, "00", "M"},
		{visa, "444", 0, connector.Declined, "05", "N"},
	} {
		a := authorize(t, r, c.digits, c.cvv, c.minor)
		approved := c.minor
		if c.code == "10" {
			approved = c.minor / 2
		}
		if c.outcome != connector.Approved {
			approved = 0
		}
		if a.Outcome != c.outcome || a.Code != c.code || a.CVV != c.checked || a.Approved != approved {
			t.Errorf("%s %s %d: %+v", c.digits, c.cvv, c.minor, a)
		}
	}
	for _, listed := range magic.Cards() {
		want := connector.CodeApproved
		switch {
		case listed.Code != "":
			want = connector.Code(listed.Code)
		case listed.Secure.Mandated:
			want = connector.CodeSoftDecline
		}
		if a := authorize(t, r, listed.Number, "123", 150_000); a.Code != want {
			t.Errorf("%s: %+v, want %s", listed.Number, a, want)
		}
	}
}

// TestWhoIsNotThere: mail orders, exempted and merchant-initiated payments need no authentication.
func TestWhoIsNotThere(t *testing.T) {
	r := newRig(t)
	required := aCard(t, "4918914107195005", "")
	first := authorize(t, r, "4111111111111111", "123", 500)
	for name, c := range map[string]struct {
		change func(*connector.Authorization)
		want   connector.Code
	}{
		"nobody authenticated": {func(*connector.Authorization) {}, "65"},
		"by mail":              {func(a *connector.Authorization) { a.MOTO = true }, "00"},
		"low value":            {func(a *connector.Authorization) { a.Exemption = connector.LowValue }, "00"},
		"authenticated": {func(a *connector.Authorization) {
			a.Proof = &connector.Proof{Status: connector.Authenticated}
		}, "00"},
		"rejected": {func(a *connector.Authorization) {
			a.Proof = &connector.Proof{Status: connector.Rejected}
		}, "05"},
		"by the merchant": {func(a *connector.Authorization) {
			a.Initiator, a.Mandate = connector.Merchant, first.NetworkReference
		}, "00"},
		"by the merchant, without a mandate": {func(a *connector.Authorization) {
			a.Initiator = connector.Merchant
		}, "12"},
		"expired": {func(a *connector.Authorization) { a.Card.Expiry.Year, a.Card.Expiry.Month = 2026, 10 }, "54"},
		"in its last month": {func(a *connector.Authorization) {
			a.Card.Expiry.Year, a.Card.Expiry.Month, a.MOTO = 2026, 11, true
		}, "00"},
	} {
		a := connector.Authorization{Order: order(500), Card: required}
		c.change(&a)
		if got := r.Authorize(t.Context(), a); got.Code != c.want {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
	}
}

// TestDecidedLater: a pending operation takes its room at once and gives it back when it is declined, and the
// bank calls when it has decided.
func TestDecidedLater(t *testing.T) {
	r := newRig(t)
	type call struct {
		header func(string) string
		body   []byte
	}
	var calls []call
	fail := true
	r.options.Post = func(_ context.Context, header func(string) string, body []byte) error {
		if fail {
			return context.DeadlineExceeded
		}
		calls = append(calls, call{header, body})
		return nil
	}
	acquirer := sandbox.New(r.options)
	a := connector.Authorization{Order: order(20_000_000), Card: aCard(t, "4111111111111111", "123")}
	held := acquirer.Authorize(t.Context(), a)
	original := connector.Original{Operation: a.Operation, At: noon, Amount: held.Approved}
	change := connector.Change{Order: order(8_800_012), Original: original} // declined after 5 seconds
	if got := acquirer.Capture(t.Context(), change); got.Outcome != connector.Pending || got.Code != "" {
		t.Fatalf("the capture is %+v", got)
	}
	other := connector.Change{Order: order(15_000_000), Original: original}
	if got := acquirer.Capture(t.Context(), other); got.Code != connector.CodeAmountGone {
		t.Errorf("a capture beside the pending one is %+v", got)
	}
	if n := acquirer.CallBack(t.Context()); n != 0 {
		t.Errorf("%d callbacks before anything is decided", n)
	}
	r.clock.Advance(5 * time.Second.Microseconds())
	ask := connector.Inquiry{Order: change.Order, Verb: connector.Capture, Original: original}
	if got := acquirer.Inquire(t.Context(), ask); got.Outcome != connector.Declined || got.Code != "51" {
		t.Errorf("the capture is decided: %+v", got)
	}
	other.Order = order(15_000_000)
	if got := acquirer.Capture(t.Context(), other); got.Outcome != connector.Approved {
		t.Errorf("a capture after the declined one is %+v", got)
	}
	if n := acquirer.CallBack(t.Context()); n != 0 {
		t.Errorf("%d callbacks were posted to nobody", n)
	}
	fail = false
	if n := acquirer.CallBack(t.Context()); n != 1 || len(calls) != 1 {
		t.Fatalf("%d callbacks, want 1 that is posted again", n)
	}
	notice, err := acquirer.Callback(calls[0].header, calls[0].body)
	if err != nil || notice.Operation != change.Operation || notice.Answer.Outcome != connector.Declined ||
		notice.Answer.Code != "51" || notice.ID == "" {
		t.Errorf("the callback is %+v, %v", notice, err)
	}
	calls[0].body[len(calls[0].body)-2] ^= 1
	if _, err := acquirer.Callback(calls[0].header, calls[0].body); err == nil {
		t.Error("a changed callback is read")
	}
}

// TestFaultsOfCallbacks: each arrives in the end, some twice.
func TestFaultsOfCallbacks(t *testing.T) {
	for fault, want := range map[magic.Fault]int{
		magic.None: 1, magic.NotSent: 1, magic.LostAnswer: 2, magic.Slow: 1, magic.Duplicated: 2,
		magic.OutOfOrder: 1, magic.Error500: 1, magic.Error503: 1,
	} {
		r := newRig(t)
		posted := 0
		r.options.CallBackAlways = true
		r.options.Post = func(context.Context, func(string) string, []byte) error { posted++; return nil }
		r.dial = magic.Dial{Operation: magic.Callback, Fault: fault, Seconds: 3}
		r.Acquirer = sandbox.New(r.options)
		authorize(t, r, "4111111111111111", "123", 500)
		first := r.CallBack(t.Context())
		for range 3 {
			r.clock.Advance(4 * time.Second.Microseconds())
			r.CallBack(t.Context())
		}
		struck := fault != magic.None && fault != magic.LostAnswer && fault != magic.Duplicated
		if posted != want || struck != (first == 0) {
			t.Errorf("%s: %d callbacks, %d of them at first", fault, posted, first)
		}
	}
}

// TestTokens: the same card has the same name, which behaves as the card does until it is dropped.
func TestTokens(t *testing.T) {
	r := newRig(t)
	bad, good := aCard(t, "5105105105105100", ""), aCard(t, "4242424242424242", "")
	token := r.Tokenize(t.Context(), order(0), bad).Token
	if again := r.Tokenize(t.Context(), order(0), bad).Token; again != token || token == "" {
		t.Errorf("the names are %q and %q", token, again)
	}
	other := r.Tokenize(t.Context(), order(0), good).Token
	pay := func(token string) connector.Code {
		return r.Authorize(t.Context(), connector.Authorization{Order: order(500), Token: token}).Code
	}
	if pay(token) != "05" || pay(other) != "00" || pay(other[:len(other)-1]+"!") != "56" || pay("sbx") != "56" {
		t.Errorf("paid with tokens: %s %s", pay(token), pay(other))
	}
	for range 2 {
		if got := r.Forget(t.Context(), order(0), other); got.Outcome != connector.Approved {
			t.Errorf("forget: %+v", got)
		}
	}
	if pay(other) != "56" {
		t.Error("a dropped token pays")
	}
	if r.Tokenize(t.Context(), order(0), good).Token != other || pay(other) != "00" {
		t.Error("a card that was dropped cannot be kept again")
	}
}

// TestOutOfOrder: the call is overtaken by another one of the merchant.
func TestOutOfOrder(t *testing.T) {
	r := newRig(t)
	r.dial = magic.Dial{Operation: magic.Acquirer + "_authorize", Fault: magic.OutOfOrder}
	a := connector.Authorization{Order: order(500), Card: aCard(t, "4242424242424242", "")}
	answered := make(chan connector.Answer)
	go func() { answered <- r.Authorize(t.Context(), a) }()
	for {
		select {
		case got := <-answered:
			if got.Outcome != connector.Approved {
				t.Errorf("what was overtaken is %+v", got)
			}
			return
		default: // lets the other one go on as soon as it waits
			r.Inquire(t.Context(), connector.Inquiry{Order: order(1), Verb: connector.Authorize})
		}
	}
}

// TestTheBooksAreWrittenTogether: those who come while somebody writes share the next transaction, and of
// those who want the same account one at a time.
func TestTheBooksAreWrittenTogether(t *testing.T) {
	const many = 20
	r := newRig(t)
	slow := &gate{Bank: r.store, entered: make(chan struct{}, many), leave: make(chan struct{})}
	r.options.Books = slow
	acquirer := sandbox.New(r.options)
	var all sync.WaitGroup
	pay := func(o connector.Order) {
		all.Go(func() {
			a := connector.Authorization{Order: o, Card: aCard(t, "4242424242424242", "")}
			if got := acquirer.Authorize(t.Context(), a); got.Outcome != connector.Approved {
				t.Errorf("%+v", got)
			}
		})
	}
	pay(order(500))
	<-slow.entered
	same := order(500)
	pay(same)
	pay(same)
	for range many - 2 {
		pay(order(500))
	}
	for acquirer.Waiting() < many {
		runtime.Gosched()
	}
	close(slow.leave)
	all.Wait()
	if slow.writes != 3 || slow.rows != many+1 {
		t.Errorf("%d writes of %d rows, want 3 of %d: the last one loses", slow.writes, slow.rows, many+1)
	}
}

// gate is a bank whose writes wait.
type gate struct {
	storage.Bank
	entered, leave chan struct{}
	writes, rows   int // one writes at a time
}

func (g *gate) SaveBankRows(ctx context.Context, rows []storage.BankRow) ([]bool, error) {
	g.entered <- struct{}{}
	<-g.leave
	g.writes++
	g.rows += len(rows)
	return g.Bank.SaveBankRows(ctx, rows)
}

// TestBooksThatFail: nobody knows then, and whoever comes later is served.
func TestBooksThatFail(t *testing.T) {
	r := newRig(t)
	trouble := &broken{Bank: r.store, fail: true}
	r.options.Books = trouble
	acquirer := sandbox.New(r.options)
	a := connector.Authorization{Order: order(500), Card: aCard(t, "4242424242424242", "")}
	ask := connector.Inquiry{Order: a.Order, Verb: connector.Authorize}
	for _, got := range []connector.Answer{
		acquirer.Authorize(t.Context(), a), acquirer.Inquire(t.Context(), ask),
	} {
		if got.Outcome != connector.Unknown || got.Note == "" {
			t.Errorf("%+v", got)
		}
	}
	trouble.fail = false
	if got := acquirer.Authorize(t.Context(), a); got.Outcome != connector.Approved {
		t.Errorf("%+v", got)
	}
}

// broken is a bank that cannot write.
type broken struct {
	storage.Bank
	fail bool
}

func (b *broken) SaveBankRows(ctx context.Context, rows []storage.BankRow) ([]bool, error) {
	if b.fail {
		return nil, storage.ErrUncertain
	}
	return b.Bank.SaveBankRows(ctx, rows)
}

// BenchmarkAuthorize is what the pretend bank itself costs a payment.
func BenchmarkAuthorize(b *testing.B) {
	path := filepath.Join(b.TempDir(), "plexy.db")
	if _, err := sqlite.Migrate(b.Context(), path, false); err != nil {
		b.Fatal(err)
	}
	file, err := sqlite.Open(b.Context(), sqlite.Config{Path: path})
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	number, err := card.ParseNumber("4242424242424242")
	if err != nil {
		b.Fatal(err)
	}
	for name, store := range map[string]storage.Bank{"memory": memory.New(), "sqlite": file} {
		b.Run(name, func(b *testing.B) {
			acquirer := sandbox.New(sandbox.Options{Books: store, Clock: clock.NewManual(noon)})
			b.SetParallelism(64)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					a := connector.Authorization{Order: order(500), Card: card.Card{
						Number: number, Expiry: card.Expiry{Month: 12, Year: 2029}}}
					if got := acquirer.Authorize(b.Context(), a); got.Outcome != connector.Approved {
						b.Errorf("%+v", got)
					}
				}
			})
		})
	}
}
