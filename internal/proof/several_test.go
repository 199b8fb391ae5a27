package proof_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// newCluster is an installation on PostgreSQL with three servers whose clocks are two seconds apart.
func newCluster(t *testing.T) *site {
	t.Helper()
	s := newSite(t, onPostgres)
	for _, skew := range []string{"-2s", "", "2s"} {
		if skew != "" {
			skew = "PLEXY_TEST_CLOCK_SKEW=" + skew
			s.serve(skew)
			continue
		}
		s.serve()
	}
	return s
}

// unrest kills a random server every now and then and starts it again, until the returned function is
// called; then all are up.
func (s *site) unrest() (stop func()) {
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(100*time.Millisecond + rand.N(400*time.Millisecond)):
			}
			v := s.servers[rand.IntN(len(s.servers))]
			v.kill()
			if _, err := v.start(); err != nil {
				s.Error(err)
				return
			}
		}
	})
	return sync.OnceFunc(func() {
		close(done)
		wait.Wait()
	})
}

func TestSeveralRaces(t *testing.T) {
	runRaces(t, newCluster(t))
}

// TestSeveralRacesOneDying runs the races while servers die and come back. A caller whose server dies asks
// another one with the same key.
func TestSeveralRacesOneDying(t *testing.T) {
	s := newCluster(t)
	for round := range volume(t, 4) {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			on := s.within(t)
			stop := on.unrest()
			defer stop()
			runRaces(t, on)
		})
	}
}

// TestSeveralOnePayerEach sends one key for two payers to all servers at once: the second meaning is
// refused wherever it comes in, although it would touch another wallet.
func TestSeveralOnePayerEach(t *testing.T) {
	s := newCluster(t)
	c := newClient(s)
	payers := s.fund(2, 1_000_000)
	for round := range volume(t, 20) {
		key := newKey()
		both := []request{
			authorize(payers[0], 100, "PAYER-"+key).withKey(key),
			authorize(payers[1], 100, "PAYER-"+key).withKey(key),
		}
		var requests []request
		for range 15 {
			requests = append(requests, both...)
		}
		answers := c.crowd(requests, c.settle)
		winner := slices.IndexFunc(answers, func(a answer) bool { return a.status == http.StatusCreated })
		if winner < 0 {
			t.Fatalf("round %d: nobody won: %v", round, tally(t, answers))
		}
		expect(t, tally(t, answers), map[string]int{"201": 15, "422 idempotency_key_reused": 15})
		for i, a := range answers {
			if i%2 == winner%2 && !sameBytes(a, answers[winner]) {
				t.Errorf("round %d: two answers to one request:\n%s\n%s", round, a, answers[winner])
			}
		}
		if got := c.list("orderReference=PAYER-" + key); len(got) != 1 {
			t.Errorf("round %d: the list shows %d transactions", round, len(got))
		}
	}
	s.verify()
}

// TestSeveralReadYourWrites: what one server has acknowledged, the next read sees on each (rule V17).
func TestSeveralReadYourWrites(t *testing.T) {
	s := newCluster(t)
	c := newClient(s)
	p := s.fund(1, 1_000_000)[0]
	for round := range volume(t, 100) {
		at := func(n int) *server { return s.servers[(round+n)%len(s.servers)] }
		held := c.send(at(0), authorize(p, 100, "READ-"+newKey()))
		for n := range s.servers {
			if got := c.send(at(n), read(held.ID)); got.status != http.StatusOK || got.State != "authorized" {
				t.Fatalf("held on one server, another says %s", got)
			}
			list := request{method: http.MethodGet, path: "/v1/wallet/transactions?limit=1&orderReference=" +
				held.OrderReference}
			if got := c.send(at(n), list); got.status != http.StatusOK || len(got.items()) != 1 {
				t.Fatalf("held on one server, another lists %s", got)
			}
		}
		done := c.send(at(1), operate("capture", held.ID, 60))
		for n := range s.servers {
			if got := c.send(at(n+1), read(held.ID)); done.status != http.StatusOK || got.Captured != 60 {
				t.Fatalf("captured on one server (%s), another says %s", done, got)
			}
		}
	}
}

// TestSeveralCrash kills one of three servers at random, again and again.
func TestSeveralCrash(t *testing.T) {
	crash(newCluster(t), kills(t))
}

// TestSeveralPauses freezes a random server for a moment, with whatever locks and half-done batches it has
// in its hands, and lets it go on as if no time had passed.
func TestSeveralPauses(t *testing.T) {
	s := newCluster(t)
	sh := openShop(s, 12)
	stop := sh.work()
	defer stop()
	for range volume(t, 10) {
		time.Sleep(rand.N(200 * time.Millisecond))
		v := s.servers[rand.IntN(len(s.servers))]
		v.signal(syscall.SIGSTOP)
		time.Sleep(100*time.Millisecond + rand.N(900*time.Millisecond))
		v.signal(syscall.SIGCONT)
	}
	stop()
	sh.audit()
}
