package iso8583_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"plexy/internal/card"
	"plexy/internal/connector"
	"plexy/internal/connector/iso8583"
	"plexy/internal/core/money"
)

var background = context.Background()

func TestAPaymentFromAuthorizeToRefund(t *testing.T) {
	r := newRig(t)
	a := authorization(t, 10_000)
	a.Proof = &connector.Proof{Status: connector.Authenticated, ECI: "05", Value: strings.Repeat("A", 28),
		Version: "2.2.0", DirectoryID: strings.Repeat("d", 36)}
	yes := r.Authorize(background, a)
	want(t, yes, connector.Approved, connector.CodeApproved)
	if yes.Approved != 10_000 || len(yes.AuthCode) != 6 || len(yes.RRN) != 12 || yes.CVV != connector.CVVMatch ||
		!strings.HasPrefix(yes.NetworkReference, "NET") || len(yes.Trace) > 64 {
		t.Errorf("%+v", yes)
	}
	for _, step := range []struct {
		do     func(context.Context, connector.Change) connector.Answer
		amount int64
		want   connector.Outcome
		code   connector.Code
	}{
		{r.Capture, 10_001, connector.NotSent, ""}, // more than was approved is our own mistake
		{r.Capture, 3_000, connector.Approved, "00"},
		{r.Capture, 2_000, connector.Approved, "00"},
		{r.Cancel, 1_000, connector.Approved, "00"},
		{r.Capture, 4_001, connector.Declined, "80"},
		{r.Refund, 5_001, connector.Declined, "80"},
		{r.Refund, 1_500, connector.Approved, "00"},
		{r.Cancel, 4_000, connector.Approved, "00"},
		{r.Cancel, 1, connector.Declined, "80"},
		{r.Refund, 3_500, connector.Approved, "00"},
	} {
		got := step.do(background, on(a, yes, step.amount))
		want(t, got, step.want, step.code)
		if step.want == connector.Approved && got.Approved != step.amount {
			t.Errorf("%d were approved, want %d", got.Approved, step.amount)
		}
	}
	books, _ := r.host.authorization(a.Operation)
	if books.Captured != 5_000 || books.Released != 5_000 || books.Refunded != 5_000 || books.Held() != 0 {
		t.Errorf("the host has %+v", books)
	}
}

func TestOtherKindsOfAuthorization(t *testing.T) {
	r := newRig(t)
	t.Run("one step", func(t *testing.T) {
		a := authorization(t, 700)
		a.OneStep = true
		yes := r.Authorize(background, a)
		want(t, yes, connector.Approved, "00")
		want(t, r.Refund(background, on(a, yes, 700)), connector.Approved, "00")
		if books, _ := r.host.authorization(a.Operation); books.Captured != 700 || books.Refunded != 700 {
			t.Errorf("the host has %+v", books)
		}
	})
	t.Run("part of the amount", func(t *testing.T) {
		a := authorization(t, 20_100)
		yes := r.Authorize(background, a)
		want(t, yes, connector.Approved, connector.CodePartial)
		if yes.Approved != 10_050 {
			t.Errorf("%d", yes.Approved)
		}
		want(t, r.Capture(background, on(a, yes, 10_050)), connector.Approved, "00")
	})
	t.Run("declined", func(t *testing.T) {
		want(t, r.Authorize(background, authorization(t, 20_510)), connector.Declined, "51")
	})
	t.Run("verification", func(t *testing.T) {
		a := authorization(t, 0)
		a.Verification = true
		want(t, r.Authorize(background, a), connector.Approved, "00")
		r.host.do("fault 0100 1 code 85")
		a.Order = order(0)
		want(t, r.Authorize(background, a), connector.Approved, "00")
		want(t, r.Inquire(background, asInquiry(a)), connector.NotSent, "")
	})
	t.Run("by the merchant, with a stored card", func(t *testing.T) {
		a := authorization(t, 900)
		a.Card.CVV, a.Initiator, a.Mandate = card.CVV{}, connector.Merchant, "NET000000000001"
		if yes := r.Authorize(background, a); yes.Outcome != connector.Approved || yes.CVV != "" {
			t.Errorf("%+v", yes)
		}
	})
	for _, c := range []struct {
		currency money.Currency
		amount   int64
	}{{"JPY", 12_345}, {"KWD", 1_234_567}, {"USD", 999_999_999_999}} {
		t.Run(string(c.currency), func(t *testing.T) {
			a := authorization(t, c.amount)
			a.Currency = c.currency
			if yes := r.Authorize(background, a); yes.Approved != c.amount {
				t.Errorf("%+v", yes)
			}
		})
	}
}

func TestWhatIsNeverSent(t *testing.T) {
	r := newRig(t)
	for name, spoil := range map[string]func(*connector.Authorization){
		"terminal":   func(a *connector.Authorization) { a.Acceptor.Terminal = "TERM00001" },
		"no termial": func(a *connector.Authorization) { a.Acceptor.Terminal = "" },
		"merchant":   func(a *connector.Authorization) { a.Acceptor.Merchant = " SHOP" },
		"category":   func(a *connector.Authorization) { a.Acceptor.Category = "57" },
		"letters":    func(a *connector.Authorization) { a.Acceptor.Category = "57x2" },
		"amount":     func(a *connector.Authorization) { a.Amount = 1_000_000_000_000 },
		"expiry":     func(a *connector.Authorization) { a.Card.Expiry.Month = 13 },
		"currency":   func(a *connector.Authorization) { a.Currency = "XXX" },
		"token":      func(a *connector.Authorization) { a.Card, a.Token = card.Card{}, "tok" },
		"mandate":    func(a *connector.Authorization) { a.Mandate = strings.Repeat("x", 1000) },
	} {
		a := authorization(t, 100)
		spoil(&a)
		if got := r.Authorize(background, a); got.Outcome != connector.NotSent || got.Note == "" {
			t.Errorf("%s: %+v", name, got)
		} else {
			want(t, got, connector.NotSent, "")
		}
	}
	if books := r.host.books(); len(books.Authorizations) != 0 {
		t.Errorf("the host has %+v", books)
	}
}

func TestManyAtOnceOverFewConnections(t *testing.T) {
	r := newRig(t, func(o *iso8583.Options) { o.Connections = 3 })
	const payers, each = 16, 20
	var all sync.WaitGroup
	for range payers {
		all.Go(func() {
			for n := range each {
				a := authorization(t, 1_000)
				yes := r.Authorize(background, a)
				want(t, yes, connector.Approved, "00")
				if n%2 == 0 {
					want(t, r.Capture(background, on(a, yes, 1_000)), connector.Approved, "00")
				} else {
					want(t, r.Cancel(background, on(a, yes, 1_000)), connector.Approved, "00")
				}
			}
		})
	}
	all.Wait()
	books := r.host.books()
	var captured, held int64
	for _, a := range books.Authorizations {
		captured += a.Captured
		held += a.Held()
	}
	if captured != payers*each/2*1_000 || held != 0 || len(books.Twice) != 0 {
		t.Errorf("captured %d, held %d, twice %v", captured, held, books.Twice)
	}
	if s := r.State(); s.Open != 0 || s.Strays != 0 {
		t.Errorf("%+v", s)
	}
}

func TestTheSameOperationAskedTwiceAtOnce(t *testing.T) {
	r := newRig(t)
	r.host.do("fault 0100 1 delay 100ms")
	a := authorization(t, 500)
	answers := make(chan connector.Answer, 3)
	for range 2 {
		go func() { answers <- r.Authorize(background, a) }()
	}
	until(t, "the request", func() bool { return r.State().Open == 1 })
	go func() { answers <- r.Inquire(background, asInquiry(a)) }() // waits too, and takes nothing back
	for range 3 {
		want(t, <-answers, connector.Approved, "00")
	}
	if books := r.host.books(); len(books.Authorizations) != 1 || books.Authorizations[0].Held() != 500 {
		t.Errorf("%+v", books)
	}
}

func TestAFullWindowSaysSo(t *testing.T) {
	r := newRig(t, func(o *iso8583.Options) { o.Window = 2 })
	r.host.do("fault 0100 2 delay 300ms")
	answers := make(chan connector.Answer, 2)
	for range 2 {
		go func() { answers <- r.Authorize(background, authorization(t, 500)) }()
	}
	until(t, "two requests", func() bool { return r.State().Open == 2 })
	got := r.Authorize(background, authorization(t, 500))
	want(t, got, connector.NotSent, "")
	if !strings.Contains(got.Note, "too many") {
		t.Error(got.Note)
	}
	for range 2 {
		want(t, <-answers, connector.Approved, "00")
	}
}

func TestWithoutAHostNothingIsSent(t *testing.T) {
	r := newRig(t)
	r.host.do("down")
	until(t, "the loss", func() bool { return r.State().Connected == 0 })
	a := authorization(t, 100)
	want(t, r.Authorize(background, a), connector.NotSent, "")
	want(t, r.Inquire(timed(t, 100*time.Millisecond), asInquiry(a)), connector.Unknown, "")
	change := on(a, connector.Answer{Approved: 100}, 50)
	want(t, r.Capture(background, change), connector.NotSent, "")
	want(t, r.Inquire(background, connector.Inquiry{Order: change.Order, Verb: connector.Capture,
		Original: change.Original}), connector.Unknown, "")
	r.host.do("up")
	r.connected()
	want(t, r.told(a.Operation), connector.NotSent, "")
	want(t, r.Authorize(background, authorization(t, 100)), connector.Approved, "00")
}

// timed is a context that ends after a while.
func timed(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(background, d)
	t.Cleanup(cancel)
	return ctx
}

func TestAHostThatDoesNotAnswerEchoesIsLeft(t *testing.T) {
	r := newRig(t, func(o *iso8583.Options) { o.Echo = 20 * time.Millisecond })
	r.host.do("fault 0800 2 silent")
	until(t, "both connections to end", func() bool { return strings.Count(r.said(), "connection") >= 2 })
	r.connected()
	want(t, r.Authorize(background, authorization(t, 100)), connector.Approved, "00")
}

func TestAHostThatRefusesToSignOnIsDialledAgain(t *testing.T) {
	r := newRig(t)
	r.host.do("fault 0800 3 code 91")
	r.host.do("cut")
	until(t, "refusals", func() bool { return strings.Count(r.said(), `answered 0800/001 with "91"`) == 3 })
	r.connected()
	want(t, r.Authorize(background, authorization(t, 100)), connector.Approved, "00")
}

func (r *rig) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

func TestCloseAnswersWhoWaits(t *testing.T) {
	r := newRig(t)
	r.host.do("fault 0100 1 silent")
	answers := make(chan connector.Answer, 1)
	a := authorization(t, 100)
	go func() { answers <- r.Authorize(background, a) }()
	until(t, "the request", func() bool { return r.State().Open == 1 })
	r.restart()
	want(t, <-answers, connector.Unknown, "")
	want(t, r.Inquire(background, asInquiry(a)), connector.NotSent, "")
	r.Close()
	want(t, r.Authorize(background, authorization(t, 100)), connector.NotSent, "")
	want(t, r.Inquire(background, asInquiry(a)), connector.Unknown, "")
}

func TestOptionsAreChecked(t *testing.T) {
	good := iso8583.Options{Addresses: []string{"127.0.0.1:1"}, Acquirer: "1"}
	for want, spoil := range map[string]func(*iso8583.Options){
		"name":        func(o *iso8583.Options) { o.Name = "Two Words" },
		"addresses":   func(o *iso8583.Options) { o.Addresses = nil },
		"HOST:PORT":   func(o *iso8583.Options) { o.Addresses = []string{"host"} },
		"connections": func(o *iso8583.Options) { o.Connections = 17 },
		"acquirer":    func(o *iso8583.Options) { o.Acquirer = "123456789012" },
		"times":       func(o *iso8583.Options) { o.RedialMost = time.Microsecond },
		"window":      func(o *iso8583.Options) { o.Window = -1 },
	} {
		o := good
		spoil(&o)
		if _, err := iso8583.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	c, err := iso8583.New(good)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Name() != "iso8583" {
		t.Error(c.Name())
	}
}
