package proof_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"plexy/internal/pgtest"
	"plexy/internal/storage/postgres"
)

func postgresPoints() []string { return postgres.Points() }

// TestPostgresRestartedUnderLoad stops and kills the database under a working server. There are only right
// answers and 503s meanwhile, and the service comes back by itself.
func TestPostgresRestartedUnderLoad(t *testing.T) {
	cluster := pgtest.Server(t)
	s := newSiteAt(t, t.TempDir(), cluster.Database(t))
	v := s.serve()
	sh := openShop(s, 12)
	stop := sh.work()
	defer stop()
	slowest := time.Duration(0)
	for i := range volume(t, 8) {
		time.Sleep(100*time.Millisecond + rand.N(300*time.Millisecond))
		end := cluster.Stop
		if i%2 == 0 {
			end = cluster.Kill
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if i == 0 { // long enough that some caller is sent away
			refused := func() bool { return sh.client.refused.Load() > 0 }
			sh.await(t, "a caller hears that the database is away", refused)
		}
		time.Sleep(rand.N(400 * time.Millisecond)) // down for a while
		if err := cluster.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		began, was := time.Now(), sh.client.decided.Load()
		if err := v.ready(); err != nil {
			t.Fatal(err)
		}
		for sh.client.decided.Load() < was+20 && sh.fault() == nil && time.Since(began) < settleLimit {
			time.Sleep(pollEvery)
		}
		slowest = max(slowest, time.Since(began))
	}
	stop()
	if slowest > backLimit {
		t.Errorf("after the database was back it took %v until the service was, at most %v", slowest, backLimit)
	}
	sh.audit()
	t.Logf("%d answers were 503; service again after %v at most", sh.client.refused.Load(), slowest)
}

// TestConnectionCutDuringCommit loses the connection between server and database while a commit is under
// way, before, during and after it is done. The server finds out what happened; so every caller gets a
// decision, those without a key too, and nothing is done twice.
func TestConnectionCutDuringCommit(t *testing.T) {
	s := newSite(t, onPostgres)
	p, through := newProxy(t, s.database)
	v := s.addServer()
	v.args[len(v.args)-1] = through
	if _, err := v.start(); err != nil {
		t.Fatal(err)
	}
	sh := openShop(s, 12)
	sh.keyed = 3
	stop := sh.work()
	defer stop()
	p.oneIn.Store(6)
	goal := int64(volume(t, 10)) // cuts of each kind
	enough := func() bool {
		return min(p.cuts[cutBefore].Load(), p.cuts[cutMiddle].Load(), p.cuts[cutAfter].Load()) >= goal
	}
	for end := time.Now().Add(settleLimit); !enough() && sh.fault() == nil; {
		if time.Now().After(end) {
			t.Errorf("after %v there were too few cuts: this proves little", settleLimit)
			break
		}
		time.Sleep(time.Second)
		p.cutAll() // now and then also between commits
	}
	p.oneIn.Store(0)
	stop()
	sh.audit()
	for _, w := range sh.tills {
		if w.unanswered > 0 {
			t.Errorf("till %d was left without a decision %d times, though the database could be asked",
				w.index, w.unanswered)
		}
	}
	t.Logf("cut before, during and after: %d, %d, %d", p.cuts[0].Load(), p.cuts[1].Load(), p.cuts[2].Load())
}
