package proof_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"plexy/internal/storage/sqlite"
)

// counter is one merchant with its tills and its inboxes.
type counter struct {
	*shop
	inboxes   []*inbox
	endpoints []endpoint
}

// openCounters makes merchants with a few tills each. Each has an inbox that is told in order, and the first
// one also has one that is told in any order.
func openCounters(s *site, n int) (all []*counter) {
	s.Helper()
	for i := range n {
		on := *s
		on.people = s.people + 100*i
		on.merchant = s.newMerchant(fmt.Sprint("Counter ", i))
		c := &counter{shop: openShop(&on, 3)}
		c.rest = 30 * time.Millisecond // what is sent and received counts here, not how much
		c.hear(true)
		if i == 0 {
			c.hear(false)
		}
		all = append(all, c)
	}
	return all
}

func (c *counter) hear(ordered bool) {
	c.site.Helper()
	in := openInbox(c.site)
	in.answer = moody
	e := c.client.listen(in.url, ordered)
	in.know(e.Token, e.Secret)
	c.inboxes, c.endpoints = append(c.inboxes, in), append(c.endpoints, e)
}

// work lets all counters work until the returned function is called.
func workAll(all []*counter) (stop func()) {
	var stops []func()
	for _, c := range all {
		stops = append(stops, c.work())
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// accepted is how many deliveries all inboxes have accepted.
func accepted(all []*counter) (n int) {
	for _, c := range all {
		for _, in := range c.inboxes {
			n += in.size()
		}
	}
	return n
}

// auditAll checks that nothing is lost anywhere.
func auditAll(all []*counter) {
	for _, c := range all {
		c.site.Helper()
		c.auditEvents(c.inboxes...)
		for _, e := range c.endpoints {
			c.client.allDelivered(e)
		}
		if n := c.inboxes[0].strays; n > 0 {
			c.site.Errorf("%d events came before an older one of their object, and were not marked", n)
		}
	}
	all[0].site.verify()
}

// TestNoEventIsLost kills the server again and again, at random and in the middle of commits, while merchants
// sell and their receivers fail at random. Afterwards the receivers have heard of everything that the clients
// know they did and of nothing else, each delivery was signed, and each event came with the same bytes.
func TestNoEventIsLost(t *testing.T) {
	rounds := 1
	if soak() {
		rounds = 100
	}
	for _, engine := range []string{onSQLite, onPostgres} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel() // it waits for claims of the dead to end
			s := newSite(t, engine)
			s.serve()
			lose(t, s, rounds)
		})
	}
}

func lose(t *testing.T, s *site, rounds int) {
	v, points := s.servers[0], sqlite.Points()
	all := openCounters(s, 3)
	stop := workAll(all)
	defer stop()
	restart := func() {
		t.Helper()
		if _, err := v.start(); err != nil {
			t.Fatal(err)
		}
	}
	kills := 0
	for range rounds {
		for range 8 { // a burst; nothing is sent meanwhile, since the claims are those of the dead
			time.Sleep(20*time.Millisecond + rand.N(250*time.Millisecond)) // any moment will do
			v.kill()
			restart()
		}
		was := accepted(all)
		until(t, quietLimit, "deliveries flow again", func() bool { return accepted(all) > was+30 })
		v.kill() // with deliveries under way
		restart()
		point := fmt.Sprint(points[rand.IntN(len(points))], ":", 1+rand.IntN(50))
		if err := crashAt(v, point); err != nil {
			t.Fatalf("%s: %v", point, err)
		}
		restart()
		kills += 10
	}
	stop()
	auditAll(all)
	t.Logf("%d kills", kills)
}
