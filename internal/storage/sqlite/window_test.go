package sqlite

import (
	"errors"
	"testing"

	"plexy/internal/core/machine"
	"plexy/internal/storage"
)

// coarse is a hash with few values.
func coarse(k machine.ReplyKey) uint64 { return hashKey(k) & 127 }

var errBoom = errors.New("boom")

// sell commits n authorizes, each in a batch of its own, and returns the instructions.
func (sh *shop) sell(n int) []machine.Instruction {
	sh.Helper()
	in := make([]machine.Instruction, n)
	for i := range in {
		in[i] = sh.authorize()
		if o := sh.run(in[i])[0]; o.Replayed || o.Reason != "" {
			sh.Fatalf("a new key was not new: %+v", o)
		}
	}
	return in
}

// replays checks that every one of the instructions is known.
func (sh *shop) replays(in []machine.Instruction) {
	sh.Helper()
	for i, one := range in {
		if !sh.run(one)[0].Replayed {
			sh.Fatalf("key %d of %d was forgotten", i, len(in))
		}
	}
}

func (sh *shop) count(table string) int64 {
	sh.Helper()
	n, err := first(sh.writer.link, "select count(*) from "+table, rowInt64)
	sh.ok(err)
	return n
}

func TestWindowSealsRuns(t *testing.T) {
	sh := newShop(t, fresh(t, Config{Owner: true, run: 100}), 3)
	sold := sh.sell(1000)
	win := &sh.writer.window
	if n := len(win.sealed); n < 8 || n > 9 {
		t.Errorf("%d runs of 100 were sealed after 1000 keys", n)
	}
	if n := win.open.size; n > 200 {
		t.Errorf("%d keys are still in the open run", n)
	}
	sh.replays(sold)
}

func TestWindowSurvivesRestart(t *testing.T) {
	cfg := Config{Owner: true, run: 100}
	sh := newShop(t, fresh(t, cfg), 3)
	sold := sh.sell(250)
	sh.ok(sh.Close())
	sh.Store = reopened(t, sh.cfg)
	win := &sh.writer.window
	if n := win.open.size; !win.loaded || n >= 250 || n < 50 {
		t.Errorf("%d keys were read at the start", n)
	}
	sh.replays(sold)
	sold = append(sold, sh.sell(250)...)
	sh.replays(sold)
}

// Whenever the process ends while a run is being closed, nothing is forgotten and the run is closed later.
func TestWindowCrashWhileClosing(t *testing.T) {
	sh := newShop(t, fresh(t, Config{Owner: true, run: 500}), 3)
	sold := sh.sell(500)
	for crash := 1; len(sh.writer.window.sealed) == 0; crash++ {
		if crash > 20 {
			t.Fatal("the run is never sealed")
		}
		// Each life writes a few slices more than the one before it.
		sold = append(sold, sh.sell(crash)...)
		sh.ok(sh.Close())
		sh.Store = reopened(t, sh.cfg)
	}
	sh.replays(sold)
	if sh.count("idempotency_hashes") < 500 {
		t.Error("the index is not complete")
	}
}

// A batch that fails takes its slice of the index with it; the next one writes it again.
func TestWindowFailedSlices(t *testing.T) {
	var failing string
	sh := newShop(t, fresh(t, Config{Owner: true, run: 200, Fail: func(point string) error {
		if point == failing {
			return errBoom
		}
		return nil
	}}), 3)
	sold := sh.sell(200)
	for i := 0; len(sh.writer.window.sealed) == 0; i++ {
		if i > 20 {
			t.Fatal("the run is never sealed")
		}
		failing = BeforeCommit
		if _, err := sh.try(sh.authorize()); !errors.Is(err, errBoom) {
			t.Fatal(err)
		}
		failing = ""
		sold = append(sold, sh.sell(1)...)
	}
	sh.replays(sold)
	if n := sh.count("idempotency_hashes"); n != int64(len(sh.writer.window.sealed))*200 {
		t.Errorf("%d keys are in the index", n)
	}
}

func TestWindowCollisions(t *testing.T) {
	cfg := Config{Owner: true, run: 40, hash: func(machine.ReplyKey) uint64 { return 1 << 63 }}
	sh := newShop(t, fresh(t, cfg), 3)
	sold := sh.sell(150)
	sh.replays(sold)
	sh.ok(sh.Close())
	sh.Store = reopened(t, sh.cfg)
	sh.replays(sold)
}

// Keys that another process stored are known to this one, also when a run is closed meanwhile.
func TestWindowSecondWriter(t *testing.T) {
	sh := newShop(t, fresh(t, Config{Owner: true, run: 50}), 3)
	other := *sh
	other.Store = reopened(t, sh.cfg)
	if other.owner != nil {
		t.Fatal("two owners")
	}
	var all []machine.Instruction
	for range 10 {
		all = append(all, sh.sell(20)...)
		all = append(all, other.sell(20)...)
	}
	sh.replays(all)
	other.replays(all)
	if len(sh.writer.window.sealed) < 5 || len(other.writer.window.sealed) != 0 {
		t.Error("the owner, and only the owner, should have sealed runs")
	}
}

func TestSweepDropsRuns(t *testing.T) {
	sh := newShop(t, fresh(t, Config{Owner: true, run: 100}), 3)
	sold := sh.sell(1000)
	last := sh.try1(sold[999]).First.At
	for {
		n, err := sh.SweepReplies(t.Context(), last+1, 100)
		sh.ok(err)
		if n == 0 {
			break
		}
	}
	if n := sh.count("idempotency"); n != 1 {
		t.Errorf("%d replies are left; the newest should be", n)
	}
	if n := sh.count("idempotency_runs"); n != 1 || len(sh.writer.window.sealed) != 1 {
		t.Errorf("%d runs are left, %d in memory", n, len(sh.writer.window.sealed))
	}
	if n := sh.count("idempotency_hashes"); n > 200 {
		t.Errorf("%d entries of the index are left", n)
	}
	sh.replays(sold[999:])
	again := sh.authorize()
	again.Key = sold[0].Key
	if o := sh.try1(again); o.Replayed || o.Reason != "" {
		t.Error("a swept key was found")
	}
	sh.sell(300)
	sh.ok(sh.Close())
	sh.Store = reopened(t, sh.cfg)
	sh.replays(sold[999:])
}

func (sh *shop) try1(in machine.Instruction) machine.Outcome { return sh.run(in)[0] }

func TestNoInstallation(t *testing.T) {
	s := fresh(t, Config{})
	sh := &shop{TB: t, Store: s}
	in := machine.Instruction{Command: machine.SetLimits{Who: payer(1)}}
	if _, err := sh.try(in); err == nil || errors.Is(err, storage.ErrTransient) {
		t.Errorf("a batch on an empty database: %v", err)
	}
}
