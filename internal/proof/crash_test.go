package proof_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"plexy/internal/storage/sqlite"
)

const (
	// backLimit is how soon the service must be back after a crash (rule T4).
	backLimit = 5 * time.Second
	// lateOneIn: of so many starts one may be later, because the machine's disk has moments of its own.
	lateOneIn = 50
)

// kills is how often a crash test kills: 50 times a store, 1,000 in a soak.
func kills(t *testing.T) int {
	if soak() {
		return 1000
	}
	return volume(t, 50)
}

// volume is n, or less where less was asked for; it says so.
func volume(t *testing.T, n int) int {
	t.Helper()
	switch {
	case raceBuilt:
		t.Logf("%d instead of %d: the race detector is on", scaled(n), n)
		return scaled(n)
	case testing.Short():
		t.Logf("%d instead of %d: -short was given", max(2, n/10), n)
		return max(2, n/10)
	}
	return n
}

// TestCrash kills the server under load at random moments. Nothing that was acknowledged is lost, nothing
// happens twice, and the service is back soon.
func TestCrash(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) { crash(s, kills(t)) })
}

// crash kills a random server of the site again and again while tills work on all of them.
func crash(s *site, kills int) {
	s.Helper()
	sh := openShop(s, 12)
	stop := sh.work()
	defer stop()
	slowest, late := time.Duration(0), 0
	for i := range kills {
		time.Sleep(20*time.Millisecond + rand.N(250*time.Millisecond)) // any moment will do
		v := s.servers[rand.IntN(len(s.servers))]
		v.kill()
		if i%10 == 9 {
			s.verify()
		}
		took, err := v.start()
		if err != nil {
			s.Fatal(err)
		}
		if slowest = max(slowest, took); took > backLimit {
			late++
		}
		if sh.fault() != nil {
			break
		}
	}
	stop()
	if late > max(1, kills/lateOneIn) {
		s.Errorf("after %d of %d kills it took longer than %v until the server was ready, the longest was %v", late,
			kills, backLimit, slowest)
	}
	if n := sh.acknowledged(); n < 5*kills {
		s.Errorf("only %d operations between %d kills: this proves little", n, kills)
	}
	sh.audit()
	s.Logf("%d kills, ready again after %v at most", kills, slowest.Round(time.Millisecond))
}

// TestCrashAtEveryPoint kills the server at each point of a commit at which something is half done: at the
// first commit that gets there, and at one in the middle of the load.
func TestCrashAtEveryPoint(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		v := s.servers[0]
		sh := openShop(s, 8)
		stop := sh.work()
		defer stop()
		for _, point := range sqlite.Points() {
			moments := []int{1, 20 + rand.IntN(20)}
			if raceBuilt {
				moments = moments[:1]
			}
			for _, n := range moments {
				if err := crashAt(v, fmt.Sprint(point, ":", n)); err != nil {
					t.Fatalf("%s:%d: %v", point, n, err)
				}
				s.verify()
				if _, err := v.start(); err != nil {
					t.Fatalf("after %s:%d: %v", point, n, err)
				}
			}
			if sh.fault() != nil {
				break
			}
		}
		stop()
		sh.audit()
	})
}

// crashAt restarts the server so that it kills itself at the point, and waits until it has. It may not
// even become ready: starting commits too.
func crashAt(v *server, point string) error {
	if err := v.stop(); err != nil {
		return err
	}
	v.setEnv("PLEXY_TEST_FAILPOINT", point)
	defer v.setEnv("PLEXY_TEST_FAILPOINT", "")
	if err := v.launch(); err != nil {
		return err
	}
	if err := v.waitEnd(readyLimit); err != nil {
		return err
	}
	if v.exitError() == nil {
		return fmt.Errorf("the server ended in order\n%s", v.logTail())
	}
	return nil
}

// TestPointsAreTheSame keeps the engines' lists of points equal, so that the test above means both.
func TestPointsAreTheSame(t *testing.T) {
	if a, b := sqlite.Points(), postgresPoints(); !slices.Equal(a, b) {
		t.Errorf("SQLite has the points %v, PostgreSQL %v", a, b)
	}
}
