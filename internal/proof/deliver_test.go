package proof_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// againLimit is how soon after the restart what was under way at a crash must be sent again.
const againLimit = 15 * time.Second

// TestUnderWayAtACrash kills the server while a receiver has a delivery in its hands. The delivery comes
// again soon after the restart, and its record does not count what the crash cut off.
func TestUnderWayAtACrash(t *testing.T) {
	for _, engine := range []string{onSQLite, onPostgres} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel() // it waits more than it works
			s := newSite(t, engine)
			v := s.serve()
			c, in := newClient(s), openInbox(t)
			came := make(chan string, 10)
			var well atomic.Bool
			in.answer = func(in *inbox, w http.ResponseWriter, r *http.Request, id string) {
				came <- id
				if !well.Load() {
					<-r.Context().Done() // until the server is dead
					return
				}
				in.accept(id)
				w.WriteHeader(http.StatusOK)
			}
			e := c.listen(in.url, true)
			in.know(e.Token, e.Secret)
			c.hold(s.fund(1, 1000)[0], 100)
			first := within(t, came, againLimit)
			v.kill()
			well.Store(true)
			if _, err := v.start(); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if again := within(t, came, againLimit); again != first {
				t.Errorf("%s was under way and %s came", first, again)
			}
			took := time.Since(began)
			c.allDelivered(e)
			done := c.deliveries(e, "delivered")
			if len(done) != 1 || done[0].Attempts != 1 || len(done[0].List) != 1 || done[0].EventID != first {
				t.Errorf("the record says %+v", done)
			}
			t.Logf("sent again %v after the restart", took.Round(time.Millisecond))
		})
	}
}

// within receives from a channel in time.
func within[T any](t testing.TB, from <-chan T, limit time.Duration) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(limit):
		t.Fatalf("nothing came within %v", limit)
	}
	return got
}

// TestSeveralDeliver lets two servers whose clocks disagree deliver for two merchants, and kills one after
// the other while deliveries flow: the other one takes over, and nothing is lost.
func TestSeveralDeliver(t *testing.T) {
	t.Parallel()
	s := newSite(t, onPostgres)
	s.serve()
	s.serve("PLEXY_TEST_CLOCK_SKEW=2s")
	all := openCounters(s, 2)
	stop := workAll(all)
	defer stop()
	for _, v := range s.servers { // one of them owns the endpoints
		was := accepted(all)
		until(t, quietLimit, "deliveries flow", func() bool { return accepted(all) > was+20 })
		v.kill()
		was = accepted(all)
		until(t, quietLimit, "the other server delivers", func() bool { return accepted(all) > was+20 })
		if _, err := v.start(); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	auditAll(all)
}

// TestRotationUnderTraffic rotates a secret while events flow. A receiver that learns of the new secret late,
// and forgets the old one later, accepts every delivery on the way.
func TestRotationUnderTraffic(t *testing.T) {
	t.Parallel()
	s := newSite(t, onPostgres)
	s.serve()
	sh, in := openShop(s, 2), openInbox(t) // an inbox fails the test when it cannot verify
	sh.rest = 10 * time.Millisecond
	e := sh.client.listen(in.url, true)
	in.know(e.Token, e.Secret)
	stop := sh.work()
	defer stop()
	more := func() {
		t.Helper()
		was := in.size()
		until(t, quietLimit, "deliveries flow", func() bool { return in.size() > was+30 })
	}
	for range 3 {
		more()
		next := must[endpoint](sh.client, http.StatusOK, request{
			method: http.MethodPost, path: endpointsPath + "/" + e.ID + "/rotate-secret", body: `{}`,
		})
		if next.Token = e.Token; next.Secret == "" || next.Secret == e.Secret {
			t.Fatal("the secret did not change")
		}
		more()
		in.know(e.Token, e.Secret, next.Secret)
		more()
		in.know(e.Token, next.Secret)
		e = next
	}
	more()
	stop()
	sh.auditEvents(in)
	sh.client.allDelivered(e)
}

// listening serves connections on this machine until the test ends, and returns the address.
func listening(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// TestSlowReceiverHoldsOnePlace: a receiver that answers a byte at a time is asked once at a time, and is
// given up after 15 seconds; another one of the same merchant hears of everything meanwhile.
func TestSlowReceiverHoldsOnePlace(t *testing.T) {
	t.Parallel()
	s := newSite(t, onSQLite)
	s.serve()
	c, in := newClient(s), openInbox(t)
	var asked atomic.Int64
	slow := listening(t, func(conn net.Conn) {
		asked.Add(1)
		_, _ = conn.Read(make([]byte, 1)) // an answer before the question is no HTTP
		for text := "HTTP/1.1 200 OK\r\nX-Slow: "; ; text = "a" {
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	bad := c.listen("http://"+slow, true)
	good := c.listen(in.url, true)
	in.know(good.Token, good.Secret)
	p := s.fund(1, 1_000_000)[0]
	const events = 60
	for range events {
		c.hold(p, 100)
	}
	until(t, againLimit, "the other receiver heard of everything", func() bool { return in.size() == events })
	if n := asked.Load(); n != 1 {
		t.Errorf("the slow one was asked %d times meanwhile", n)
	}
	var failed []delivery
	until(t, quietLimit, "the first attempt is given up", func() bool {
		failed = slices.DeleteFunc(c.deliveries(bad, "waiting"), func(d delivery) bool { return d.Attempts == 0 })
		return len(failed) > 0
	})
	if why := failed[0].List[0].Error; why != "no answer in time" {
		t.Errorf("it was given up because of %q", why)
	}
}

// TestDeadEndpointsDelayNobody lets a thousand endpoints of other merchants be dead, half of them refusing
// connections and half accepting them and saying nothing, each with a steady stream of events. A healthy
// endpoint hears of 99 in 100 of its events soon after their commit: two seconds are the goal, which the line
// that is printed shows; the test allows for a machine that is busy with other tests, and is still far below
// the fifteen seconds that one dead endpoint takes.
func TestDeadEndpointsDelayNobody(t *testing.T) {
	const perMerchant, lateAfter = 16, 5 * time.Second
	merchants := 63
	if raceBuilt || testing.Short() {
		merchants = 8
	}
	onBoth(t, func(t *testing.T, s *site) {
		dead := []string{"http://" + freeAddress(t), "http://" + listening(t, func(conn net.Conn) {
			_, _ = io.Copy(io.Discard, conn) // until its sender gives up
		})}
		others := deadMerchants(s, merchants, perMerchant, dead)
		c, in := newClient(s), openInbox(t)
		e := c.listen(in.url, true)
		in.know(e.Token, e.Secret)
		p := s.fund(1, 1_000_000)[0]
		next := 0
		for range volume(t, 200) {
			began := time.Now()
			c.hold(p, 1)
			for range 4 { // each of the others has an event every second or so
				r := authorize(p, 1, "DEAD")
				r.apiKey = others[next%len(others)].Key
				if a := c.settle(r); a.status != http.StatusCreated {
					t.Fatalf("authorize: %s", a)
				}
				next++
			}
			time.Sleep(time.Until(began.Add(60 * time.Millisecond)))
		}
		until(t, againLimit, "the healthy endpoint heard of everything", func() bool {
			return in.size() == volume(t, 200)
		})
		var delays []time.Duration
		for id, at := range in.came {
			delays = append(delays, at.Sub(in.events[id].CreatedAt))
		}
		if p99 := percentile(delays, 0.99); p99 > lateAfter {
			t.Errorf("99 in 100 events came within %v", p99)
		}
		all, half := percentile(delays, 1), percentile(delays, 0.5)
		t.Logf("%d dead endpoints; %d events came within %v, half of them within %v", len(others)*perMerchant,
			len(delays), all.Round(time.Millisecond), half.Round(time.Millisecond))
	})
}

// deadMerchants makes merchants whose endpoints are at the given addresses in turn.
func deadMerchants(s *site, merchants, endpoints int, urls []string) []merchant {
	s.Helper()
	all := make([]merchant, merchants)
	var wait sync.WaitGroup
	turn := make(chan int)
	for range 2 { // processes at once
		wait.Go(func() {
			for i := range turn {
				out := s.run("merchant", "create", "--name", fmt.Sprint("Dead ", i), "--json")
				all[i] = decoded[merchant](s, out)
				on := *s
				on.merchant = all[i]
				c := newClient(&on)
				for n := range endpoints {
					c.listen(urls[n%len(urls)], true)
				}
			}
		})
	}
	for i := range all {
		turn <- i
	}
	close(turn)
	wait.Wait()
	return all
}
