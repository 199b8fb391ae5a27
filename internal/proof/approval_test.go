package proof_test

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// TestApproval lets a server ask an owner who never answers: with the server up, and with it down over the
// time. The mode is set beside the running server, and holds from the next request on.
func TestApproval(t *testing.T) {
	for _, engine := range []string{onSQLite, onPostgres} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel() // it waits more than it works
			s := newSite(t, engine)
			s.serve()
			approval(t, s)
		})
	}
}

func approval(t *testing.T, s *site) {
	c := newClient(s)
	p := s.fund(1, 1_000)[0]
	s.merchantSettings("approval_expiry=2s", "order_reference=reject")
	c.hold(p, 100)
	mode := func(mode ...string) {
		t.Helper()
		s.run(slices.Concat([]string{
			"wallet", "approval", "--phone", p.phone, "--iin", p.iin, "--currency", "KZT",
		}, mode)...)
	}
	mode("--mode", "above", "--above", "200")
	c.hold(p, 200)
	ask := func(reference string) (request, answer) {
		t.Helper()
		r := authorize(p, 500, reference)
		a := c.settle(r)
		if a.status != http.StatusCreated || a.Status != "NEW" || a.State != "pending" || a.Authorized != 0 {
			t.Fatalf("authorize: %s", a)
		}
		if life := moment(t, a.ExpiresAt).Sub(moment(t, a.CreatedAt)); life != 2*time.Second {
			t.Errorf("an owner may take %v of approval_expiry=2s", life)
		}
		return r, a
	}
	failed := func(id, why string) {
		t.Helper()
		awaitState(t, c, id, "failed")
		if got := c.get(id); got.Status != "FAILED" || got.FailureReason != why || got.ExpiresAt != "" {
			t.Errorf("after %s: %+v", why, got)
		}
	}
	given, first := ask("ONE")
	if a := c.settle(operate("capture", first.ID, 500)); a.Reason != "transaction_pending" {
		t.Errorf("a capture of what waits: %s", a)
	}
	if a := c.settle(authorize(p, 500, "ONE")); a.Reason != "order_reference_exists" {
		t.Errorf("a second request with the reference of what waits: %s", a)
	}
	failed(first.ID, "approval_expired")
	_, second := ask("ONE") // the reference is free again
	if a := c.settle(operate("cancel", second.ID, 500)); a.status != http.StatusOK || a.Status != "FAILED" {
		t.Errorf("the cancel of what waits: %s", a)
	}
	failed(second.ID, "canceled_by_merchant")

	// What lapses while no server runs has failed soon after the start.
	_, third := ask("ONE")
	v := s.servers[0]
	v.kill()
	time.Sleep(time.Until(moment(t, third.ExpiresAt)))
	if _, err := v.start(); err != nil {
		t.Fatal(err)
	}
	failed(third.ID, "approval_expired")
	if again := c.settle(given); !sameBytes(again, first) || !again.replayed {
		t.Errorf("a retry, after all of it: %s, want %s", again, first)
	}
	mode("--mode", "auto")
	c.hold(p, 500)
	checkWallet(t, s, p, balance{Available: 200, Pending: 800, Posted: 1_000})
	s.verify()
}
