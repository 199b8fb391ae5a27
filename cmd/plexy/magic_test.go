package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"plexy/internal/app"
	"plexy/internal/sandbox"
)

// order is an authorize of a payer.
func order(p payer, amount int64, currency string) map[string]any {
	return map[string]any{
		"amount": amount, "phoneNumber": p.phone, "iin": p.iin, "orderReference": "ORDER-1", "currency": currency,
	}
}

// magic authorizes with a magic number and somebody's IIN.
func (s *running) magic(key string, number int, currency string) sold {
	s.Helper()
	p := payer{sandbox.MagicPrefix + fmt.Sprintf("%04d", number), person(number + 100).iin}
	status, made, err := s.call(key, http.MethodPost, "/v1/wallet/authorize", order(p, 10_000_000, currency))
	if err != nil || status != 201 {
		s.Fatalf("%s: %d %+v %v", p.phone, status, made, err)
	}
	return made
}

func (s *running) read(key, transaction string) sold {
	s.Helper()
	status, now, err := s.call(key, http.MethodGet, "/v1/wallet/transaction/"+transaction, nil)
	if err != nil || status != 200 {
		s.Fatalf("%s: %d %+v %v", transaction, status, now, err)
	}
	return now
}

// becomes waits until a transaction is what it should be.
func (s *running) becomes(key, transaction, status, failure string) {
	s.Helper()
	eventually(s, transaction+" becomes "+status, func() error {
		if now := s.read(key, transaction); now.Status != status || now.Failure != failure {
			return fmt.Errorf("it is %+v", now)
		}
		return nil
	})
}

// TestMagicPhones: each number does what the table says, with anybody's IIN, in any currency, and the books
// are in order afterwards.
func TestMagicPhones(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve()
		key := s.demoKey()
		s.mustClock(key, `{"freeze":true}`)
		made := map[int]sold{}
		for _, currency := range []string{"KZT", "USD"} {
			for _, p := range sandbox.Payers() {
				got := s.magic(key, p.Number, currency)
				made[p.Number] = got
				if got.Status != string(p.Status()) || got.Failure != string(p.Failure()) {
					t.Errorf("%s in %s: %+v, want %s %s", p.Phone(), currency, got, p.Status(), p.Failure())
				}
			}
		}
		s.mustClock(key, `{"advance":"6s"}`)
		s.becomes(key, made[11].ID, "SUCCESS", "")
		s.becomes(key, made[12].ID, "FAILED", "insufficient_funds")
		if now := s.read(key, made[13].ID); now.Status != "PROCESSING" {
			t.Errorf("after 6 seconds what takes an hour is %+v", now)
		}
		s.mustClock(key, `{"advance":"10m"}`)
		s.becomes(key, made[21].ID, "FAILED", "approval_expired")
		s.mustClock(key, `{"advance":"1h"}`)
		s.becomes(key, made[13].ID, "SUCCESS", "")
		s.becomes(key, made[14].ID, "FAILED", "wallet_blocked")
		r.do("verify")
	})
}

// TestMagicAmounts: they work on transactions of magic numbers, and mean nothing on anybody else's.
func TestMagicAmounts(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve("--rate-limit", "0")
		key := s.demoKey()
		s.mustClock(key, `{"freeze":true}`)
		p := person(7)
		r.do(p.of("wallet", "top-up", "--amount", "1000000000")...)
		for _, a := range sandbox.Amounts() {
			magic := s.magic(key, 0, "KZT")
			_, plain, err := s.call(key, http.MethodPost, "/v1/wallet/authorize", order(p, 10_000_000, "KZT"))
			if err != nil || plain.Status != "SUCCESS" {
				t.Fatalf("%+v %v", plain, err)
			}
			for _, operation := range []string{"capture", "refund"} {
				amount := map[string]any{"amount": a.Minor}
				path := "/v1/wallet/" + plain.ID + "/" + operation
				if status, got, err := s.call(key, http.MethodPost, path, amount); err != nil || status != 200 {
					t.Errorf("%s of %d on a plain transaction: %d %+v %v", operation, a.Minor, status, got, err)
				}
				path = "/v1/wallet/" + magic.ID + "/" + operation
				_, want := sandbox.AmountOf(operation, a.Minor)
				status, got, err := s.call(key, http.MethodPost, path, amount)
				if want != "" && (err != nil || status != 422 || got.Reason != string(want)) {
					t.Errorf("%s of %d: %d %+v %v, want %s", operation, a.Minor, status, got, err, want)
				}
				if operation == "capture" { // so that there is something to refund
					status, got, err = s.call(key, http.MethodPost, path, map[string]any{"amount": 9_000_000})
					if err != nil || status != 200 || got.Captured != 9_000_000 {
						t.Fatalf("another amount: %d %+v %v", status, got, err)
					}
				}
			}
		}
		for _, operation := range []string{"capture", "refund"} {
			s.pendingForAWhile(key, operation, 7_700_011)
		}
		r.do("verify")
	})
}

// pendingForAWhile checks the amount that is refused only until some seconds after the last change.
func (s *running) pendingForAWhile(key, operation string, amount int64) {
	s.Helper()
	tx := s.magic(key, 0, "KZT")
	if operation == "refund" {
		s.call(key, http.MethodPost, "/v1/wallet/"+tx.ID+"/capture", map[string]any{"amount": 9_000_000})
	}
	path, body := "/v1/wallet/"+tx.ID+"/"+operation, map[string]any{"amount": amount}
	if status, got, err := s.call(key, http.MethodPost, path, body); got.Reason != "transaction_pending" {
		s.Errorf("%s at once: %d %+v %v", operation, status, got, err)
	}
	s.mustClock(key, `{"advance":"5s"}`)
	if status, got, err := s.call(key, http.MethodPost, path, body); status != 200 {
		s.Errorf("%s later: %d %+v %v", operation, status, got, err)
	}
}

// TestAMagicNumberOfSomebody: who opened a wallet with such a number has it, and it is not magic any more.
func TestAMagicNumberOfSomebody(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve()
		p := payer{sandbox.MagicPrefix + "0003", person(3).iin}
		r.do(p.of("wallet", "top-up", "--amount", "5000")...)
		status, got, err := s.authorize(s.demoKey(), p, 5000)
		if err != nil || status != 201 || got.Status != "SUCCESS" {
			t.Errorf("%d %+v %v", status, got, err)
		}
		r.do("verify")
	})
}

// TestProductionKnowsNoMagic: there the numbers are anybody's, and the pages are not there.
func TestProductionKnowsNoMagic(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve("--environment", "production")
		var m app.NewMerchant
		r.record(&m, "merchant", "create", "--name", "Shop")
		for _, number := range []int{0, 3, 11, 21} {
			if got := s.magic(m.APIKey, number, "KZT"); got.Failure != "wallet_not_found" {
				t.Errorf("number %d: %+v", number, got)
			}
		}
		p := person(7)
		r.do(p.of("wallet", "top-up", "--amount", "100000000")...)
		_, made, err := s.call(m.APIKey, http.MethodPost, "/v1/wallet/authorize", order(p, 10_000_000, "KZT"))
		if err != nil || made.Status != "SUCCESS" {
			t.Fatalf("%+v %v", made, err)
		}
		path := "/v1/wallet/" + made.ID + "/capture"
		status, got, err := s.call(m.APIKey, http.MethodPost, path, map[string]any{"amount": 7_700_001})
		if err != nil || status != 200 {
			t.Errorf("a capture of a magic amount: %d %+v %v", status, got, err)
		}
		for _, path := range []string{"/sandbox", "/v1/sandbox/values"} {
			status, text, err := s.raw(m.APIKey, http.MethodGet, path, "")
			if err != nil || status != 404 || !strings.Contains(text, "route_unknown") {
				t.Errorf("%s: %d %s %v", path, status, text, err)
			}
		}
	})
}
