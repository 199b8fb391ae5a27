package proof_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// releaseLimit is how soon after its time a hold must have been released.
const releaseLimit = time.Minute

// TestExpiry lets holds lapse: with the server up, and with the server down over the time.
func TestExpiry(t *testing.T) {
	for _, engine := range []string{onSQLite, onPostgres} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel() // it waits more than it works
			s := newSite(t, engine)
			s.serve()
			expiry(t, s)
		})
	}
}

// TestSeveralExpiry: three servers whose clocks differ release a hold once, and none lets anybody capture
// what another has shown as expired.
func TestSeveralExpiry(t *testing.T) {
	t.Parallel()
	s := newCluster(t)
	c := newClient(s)
	p := s.fund(1, 1_000_000)[0]
	s.merchantSettings("hold_expiry=2s")
	var held []transaction
	for range 30 {
		held = append(held, c.hold(p, 100))
	}
	for _, h := range held {
		awaitState(t, c, h.ID, "expired")
		got := c.get(h.ID)
		if got.Expired != 100 || count(got.Operations, "expire") != 1 {
			t.Errorf("released %d times: %+v", count(got.Operations, "expire"), got)
		}
		for range s.servers {
			if a := c.settle(operate("capture", h.ID, 1)); a.Reason != "hold_expired" {
				t.Errorf("a capture of what has expired: %s", a)
			}
		}
	}
	checkWallet(t, s, p, balance{Available: 1_000_000, Posted: 1_000_000})
	s.verify()
}

func expiry(t *testing.T, s *site) {
	c := newClient(s)
	p := s.fund(1, 1_000_000)[0]
	s.merchantSettings("hold_expiry=2s")

	part, whole, spent, over := c.hold(p, 1000), c.hold(p, 700), c.hold(p, 500), c.hold(p, 300)
	captured := c.mustDo("capture", part.ID, 400)
	if captured.ExpiresAt != part.ExpiresAt {
		t.Errorf("a partial capture moved the date from %s to %s", part.ExpiresAt, captured.ExpiresAt)
	}
	if life := moment(t, part.ExpiresAt).Sub(moment(t, part.CreatedAt)); life != 2*time.Second {
		t.Errorf("a hold of a merchant with hold_expiry=2s lives %v", life)
	}
	c.mustDo("capture", spent.ID, 500)
	time.Sleep(time.Until(moment(t, over.ExpiresAt))) // the youngest; now all dates have come

	for _, id := range []string{part.ID, whole.ID} { // refused at once, released or not
		for _, kind := range []string{"capture", "cancel"} {
			if a := c.settle(operate(kind, id, 1)); a.status != http.StatusUnprocessableEntity ||
				a.Reason != "hold_expired" {
				t.Errorf("%s after the date: %s", kind, a)
			}
		}
	}
	c.mustDo("refund", part.ID, 150) // captured money can be refunded for ever
	awaitState(t, c, whole.ID, "expired")
	awaitExpired(t, c, part.ID, 600)
	for _, id := range []string{part.ID, whole.ID} {
		got := c.get(id)
		if got.Status != "SUCCESS" || got.Remaining != 0 || count(got.Operations, "expire") != 1 {
			t.Errorf("after the release: %+v", got)
		}
	}
	if got := c.get(spent.ID); got.State != "captured" || got.Expired != 0 {
		t.Errorf("a hold that was used up: %+v", got)
	}
	expiryWhileDown(t, s, c, p)
	checkWallet(t, s, p, balance{Available: 999_250, Posted: 999_250})
	s.verify()
}

// expiryWhileDown: what lapses while no server runs is released soon after the start, once.
func expiryWhileDown(t *testing.T, s *site, c *client, p payer) {
	t.Helper()
	var held []transaction
	for range 20 {
		held = append(held, c.hold(p, 10))
	}
	v := s.servers[0]
	if err := v.stop(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(moment(t, held[len(held)-1].ExpiresAt)))
	if _, err := v.start(); err != nil {
		t.Fatal(err)
	}
	for _, h := range held {
		if a := c.settle(operate("capture", h.ID, 1)); a.Reason != "hold_expired" {
			t.Errorf("a capture after the stop: %s", a)
		}
	}
	for _, h := range held {
		awaitState(t, c, h.ID, "expired")
	}
	v.kill()
	if _, err := v.start(); err != nil {
		t.Fatal(err)
	}
	for _, h := range held {
		if got := c.get(h.ID); got.Expired != 10 || count(got.Operations, "expire") != 1 {
			t.Errorf("after two starts: %+v", got)
		}
	}
}

func awaitState(t *testing.T, c *client, id, state string) {
	t.Helper()
	is := func(got transaction) bool { return got.State == state }
	awaitThat(t, c, id, fmt.Sprint("the state ", state), is)
}

func awaitExpired(t *testing.T, c *client, id string, amount int64) {
	t.Helper()
	has := func(got transaction) bool { return got.Expired == amount }
	awaitThat(t, c, id, fmt.Sprint(amount, " expired"), has)
}

// awaitThat reads the transaction until the condition holds, for as long as a release may take.
func awaitThat(t *testing.T, c *client, id, what string, condition func(transaction) bool) {
	t.Helper()
	for deadline := time.Now().Add(releaseLimit); ; time.Sleep(50 * time.Millisecond) {
		got := c.get(id)
		if condition(got) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v after its time the transaction has not %s: %+v", releaseLimit, what, got)
		}
	}
}

func count(operations []operation, kind string) int {
	n := 0
	for _, o := range operations {
		if o.Type == kind {
			n++
		}
	}
	return n
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
