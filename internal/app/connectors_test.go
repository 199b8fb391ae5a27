package app

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"plexy/internal/acquiring"
	"plexy/internal/card"
	"plexy/internal/clock"
	"plexy/internal/config"
	"plexy/internal/connector"
	"plexy/internal/connector/iso8583/host"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/storage"
)

func started(t *testing.T, cfg config.Config) *Server {
	t.Helper()
	cfg.Listen, cfg.MetricsListen = "127.0.0.1:0", "127.0.0.1:0"
	s, err := Start(t.Context(), cfg, Output{Log: io.Discard, Banner: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// cardRequest is a payment of 1,000 tiyn by a card.
func cardRequest(t *testing.T, merchant, digits string) acquiring.Request {
	t.Helper()
	number, err := card.ParseNumber(digits)
	if err != nil {
		t.Fatal(err)
	}
	return acquiring.Request{
		Facts:  payment.Facts{Merchant: merchant, Currency: money.KZT, Amount: 1_000, AutoClearing: true},
		Card:   card.Card{Number: number, Expiry: card.Expiry{Year: 2031, Month: 1}},
		Return: "http://127.0.0.1/back",
	}
}

func post(t *testing.T, address string, form url.Values) (int, string) {
	t.Helper()
	answer, err := http.PostForm(address, form)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// TestASandboxTakesCards: with the bank's pages, callbacks, the queue of what is unknown, and clearing by the
// test clock.
func TestASandboxTakesCards(t *testing.T) {
	s := started(t, settingsOf(t, t.TempDir(), ""))
	ctx := t.Context()
	m, err := s.app.CreateMerchant(ctx, "Arai", "")
	if err != nil {
		t.Fatal(err)
	}
	begun, err := s.acquiring.Pay(ctx, cardRequest(t, m.MerchantID, "4111111111111111"))
	if err != nil || begun.Step == nil || begun.Step.Kind != connector.Challenge {
		t.Fatalf("%+v, %v", begun, err)
	}
	if !strings.HasPrefix(begun.Step.Form.URL, "http://"+s.Address()+"/acs/challenge/") {
		t.Errorf("the bank's page is at %s", begun.Step.Form.URL)
	}
	form := url.Values{}
	for _, f := range begun.Step.Form.Fields {
		form.Set(f.Name, f.Value)
	}
	if status, page := post(t, begun.Step.Form.URL, form); status != 200 || !strings.Contains(page, "<form") {
		t.Errorf("the bank's page answers %d %s", status, page)
	}
	if status, _ := post(t, "http://"+s.Address()+"/acquirers/sandbox/callback", nil); status != 401 {
		t.Errorf("a callback that is not signed is answered with %d", status)
	}

	if _, err = s.app.SetMerchant(ctx, m.MerchantID, []string{"fault=acquirer:not_sent"}, ""); err == nil {
		err = s.app.followSandbox(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	paid, err := s.acquiring.Pay(ctx, cardRequest(t, m.MerchantID, "4242424242424242"))
	if err != nil {
		t.Fatal(err)
	}
	if queue, err := s.app.UnknownOperations(ctx); err != nil || len(queue) != 1 ||
		queue[0].TransactionID != paid.Payment.ID || queue[0].Amount != 1_000 || queue[0].Operation != "authorize" {
		t.Errorf("the queue is %+v, %v", queue, err)
	}
	if err := s.measureUnknown()(ctx); err != nil {
		t.Error(err)
	}
	shown, err := s.app.CardPayment(ctx, paid.Payment.ID)
	if err != nil || shown.Status != "3d" || len(shown.Operations) != 1 || !shown.Operations[0].Unknown {
		t.Errorf("the payment is shown as %+v, %v", shown, err)
	}
	if _, err := s.app.CardPayment(ctx, "nothing"); !errors.Is(err, ErrRefused) {
		t.Errorf("no payment is shown as %v", err)
	}
}

// TestTheTestClockClears what the sandbox's acquirer holds.
func TestTheTestClockClears(t *testing.T) {
	s := started(t, settingsOf(t, t.TempDir(), ""))
	ctx := t.Context()
	m, err := s.app.CreateMerchant(ctx, "Arai", "")
	if err != nil {
		t.Fatal(err)
	}
	r := cardRequest(t, m.MerchantID, "4242424242424242")
	r.SkipThreeDS = true
	paid, err := s.acquiring.Pay(ctx, r)
	if err != nil || paid.Payment.Status() != payment.StatusAuthorized {
		t.Fatalf("%+v, %v", paid, err)
	}
	if _, err := s.app.SetTestClock(ctx, clock.Change{Advance: time.Hour}, ""); err != nil {
		t.Fatal(err)
	}
	for p := paid.Payment; p.Status() != payment.StatusCharged; {
		if !clock.Pause(ctx, 20*time.Millisecond) {
			t.Fatal("it is not captured")
		}
		if p, err = s.app.Storage.AnyPayment(ctx, paid.Payment.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// TestProductionNeedsAnAcquirer: the pretend one stops the start, and without one no payment begins.
func TestProductionNeedsAnAcquirer(t *testing.T) {
	cfg := settingsOf(t, t.TempDir(), "")
	cfg.Environment, cfg.EnvironmentGiven, cfg.Acquirer = config.Production, true, config.AcquirerSandbox
	cfg.Listen = "127.0.0.1:0"
	_, err := Start(context.Background(), cfg, Output{Log: io.Discard, Banner: io.Discard})
	if !errors.Is(err, ErrUsage) {
		t.Errorf("with the pretend acquirer: %v", err)
	}
	cfg.Acquirer = config.AcquirerNone
	s := started(t, cfg)
	done, err := s.acquiring.Pay(t.Context(), cardRequest(t, "mer_1", "4242424242424242"))
	if err != nil || done.Reason != reject.AcquirerMissing {
		t.Errorf("%+v, %v", done, err)
	}
}

// TestAnAcquirersHost takes what production charges, and without its numbers production does not start.
func TestAnAcquirersHost(t *testing.T) {
	h, err := host.New("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	cfg := settingsOf(t, t.TempDir(), "")
	cfg.Environment, cfg.EnvironmentGiven, cfg.Acquirer = config.Production, true, config.AcquirerISO8583
	cfg.ISO8583.Addresses, cfg.ISO8583.Acquirer = []string{h.Address()}, "123456"
	cfg.Listen = "127.0.0.1:0"
	_, err = Start(context.Background(), cfg, Output{Log: io.Discard, Banner: io.Discard})
	if !errors.Is(err, ErrUsage) {
		t.Errorf("without numbers: %v", err)
	}
	cfg.ISO8583.Merchant, cfg.ISO8583.Terminal = "MERCHANT1", "TERM1"
	s := started(t, cfg)
	m, err := s.app.CreateMerchant(t.Context(), "Arai", "")
	if err != nil {
		t.Fatal(err)
	}
	r := cardRequest(t, m.MerchantID, "4242424242424242")
	r.Facts.Kind = payment.Sale
	for {
		paid, err := s.acquiring.Pay(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if paid.Payment.Status() == payment.StatusCharged && paid.Payment.RRN != "" {
			break
		}
		// The line is not up yet: then nothing was sent.
		if paid.Payment.Status() != payment.StatusFailed || !clock.Pause(t.Context(), 20*time.Millisecond) {
			t.Fatalf("%+v", paid.Payment)
		}
	}
	if books := h.Books(); len(books.Authorizations) != 1 {
		t.Errorf("the host has %+v", books)
	}
}

// TestTheBankForgets what is over after its time, and nothing that can still be given back.
func TestTheBankForgets(t *testing.T) {
	s := started(t, settingsOf(t, t.TempDir(), ""))
	ctx := t.Context()
	m, err := s.app.CreateMerchant(ctx, "Arai", "")
	if err != nil {
		t.Fatal(err)
	}
	pay := func(kind payment.Kind, amount int64) payment.Payment {
		t.Helper()
		r := cardRequest(t, m.MerchantID, "4242424242424242")
		r.SkipThreeDS, r.Facts.Kind, r.Facts.Amount = true, kind, amount
		paid, err := s.acquiring.Pay(ctx, r)
		if err != nil || paid.Reason != "" {
			t.Fatalf("%+v, %v", paid, err)
		}
		return paid.Payment
	}
	declined, charged := pay(payment.Auth, 20_510), pay(payment.Sale, 1_000)
	if declined.Status() != payment.StatusRejected || charged.Status() != payment.StatusCharged {
		t.Fatalf("%s and %s", declined.Status(), charged.Status())
	}
	remembers := func(p payment.Payment) bool {
		t.Helper()
		all, err := s.app.Storage.OperationsOf(ctx, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.app.Storage.BankRow(ctx, all[0].ID)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	back := func(amount int64) {
		t.Helper()
		done, err := s.acquiring.Refund(ctx, acquiring.Modification{
			Merchant: m.MerchantID, Payment: charged.ID, Amount: amount,
		})
		if err != nil || done.Reason != "" || done.Refund.Stage != payment.Approved {
			t.Fatalf("%+v, %v", done, err)
		}
	}
	later := func(days time.Duration, wantDeclined, wantCharged bool) {
		t.Helper()
		if _, err := s.app.SetTestClock(ctx, clock.Change{Advance: days * 24 * time.Hour}, ""); err != nil {
			t.Fatal(err)
		}
		if err := s.sweepBank(ctx); err != nil {
			t.Fatal(err)
		}
		if remembers(declined) != wantDeclined || remembers(charged) != wantCharged {
			t.Errorf("after %d more days the bank remembers: declined %v, charged %v", days, remembers(declined),
				remembers(charged))
		}
	}
	later(89, true, true)
	later(2, false, true)
	back(400)
	later(91, false, true)
	back(600)
	later(89, false, true)
	later(2, false, false)
}

// TestTheLinkWaitsNoLongerThanACall may: a longer time-out is refused at the start, by its own bound.
func TestTheLinkWaitsNoLongerThanACall(t *testing.T) {
	if config.MaxISO8583Timeout != acquiring.CallLimit {
		t.Errorf("the setting may be %s, and a call takes %s", config.MaxISO8583Timeout, acquiring.CallLimit)
	}
}
