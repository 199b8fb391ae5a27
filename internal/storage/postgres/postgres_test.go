package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plexy/internal/core/machine"
	"plexy/internal/pgtest"
	"plexy/internal/storage"
	"plexy/internal/storage/postgres"
	"plexy/internal/storage/storagetest"
)

// migrations are the names of all of them, in order.
func migrations(t *testing.T) (names []string) {
	t.Helper()
	files, err := os.ReadDir("migrations")
	must(t, err)
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

func TestMigrate(t *testing.T) {
	url := pgtest.Database(t)
	s := openStore(t, postgres.Config{URL: url})
	empty, err := s.Empty(t.Context())
	must(t, err)
	if err := s.Ready(t.Context()); !empty || err == nil {
		t.Errorf("a new database is empty: %v, ready: %v", empty, err)
	}
	for range 2 { // looking twice changes nothing
		names, err := postgres.Migrate(t.Context(), url, true)
		must(t, err)
		if !slices.Equal(names, migrations(t)) {
			t.Errorf("a dry run names %v", names)
		}
	}
	if tables := column[int64](t, connect(t, url), "select count(*) from pg_class "+
		"where relnamespace = 'public'::regnamespace"); tables[0] != 0 {
		t.Errorf("a dry run left %d relations", tables[0])
	}
	// Several processes start at once; each migration runs in one of them.
	var ran atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			names, err := postgres.Migrate(t.Context(), url, false)
			if err != nil {
				t.Error(err)
			}
			ran.Add(int64(len(names)))
		})
	}
	all.Wait()
	if want := int64(len(migrations(t))); ran.Load() != want {
		t.Errorf("%d migrations ran %d times", want, ran.Load())
	}
	must(t, s.Ready(t.Context()))
	_, err = connect(t, url).Exec(t.Context(), "insert into goose_db_version (version_id, is_applied) "+
		"values (9999, true)")
	must(t, err)
	if err := s.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("on a database of a later release Ready says %v", err)
	}
}

// A session must not inherit what an operator's role or database weakened.
func TestCommitsAreNeverWeakened(t *testing.T) {
	url := freshDatabase(t)
	conn := connect(t, url)
	for weak, want := range map[string]string{"off": "on", "local": "on", "remote_apply": "remote_apply"} {
		_, err := conn.Exec(t.Context(), fmt.Sprintf("do $$ begin execute format("+
			"'alter database %%I set synchronous_commit = %s', current_database()); end $$", weak))
		must(t, err)
		if got := postgres.SynchronousCommit(t, openStore(t, postgres.Config{URL: url})); got != want {
			t.Errorf("where the database says %s, a lane says %s", weak, got)
		}
	}
}

// At every point before the commit an error leaves nothing behind; after it everything is there.
func TestFailPoints(t *testing.T) {
	url := freshDatabase(t)
	boom := errors.New("boom")
	at := ""
	s := openStore(t, postgres.Config{URL: url, Fail: func(point string) error {
		if point == at {
			return boom
		}
		return nil
	}})
	w := newShop(t, s, 1)
	for _, at = range postgres.Points() {
		t.Run(at, func(t *testing.T) {
			before := journalOf(t, w)
			if _, err := run(t.Context(), w, 0, w.authorize(0, 1, 5)); !errors.Is(err, boom) {
				t.Fatalf("the batch returned %v", err)
			}
			want := 0
			if at == postgres.AfterCommit {
				want = 1
			}
			if n := journalOf(t, w) - before; n != want {
				t.Errorf("%d records, want %d", n, want)
			}
		})
	}
	at = ""
	_, err := run(t.Context(), w, 0, w.authorize(0, 1, 5))
	must(t, err)
	inOrder(t, w)
}

// A broken assertion inside a batch rolls it back and leaves the lane usable.
func TestPanicInBatch(t *testing.T) {
	w := newShop(t, openStore(t, postgres.Config{URL: freshDatabase(t)}), 1)
	in := w.authorize(0, 1, 5)
	in.Render = func(machine.Outcome) machine.Reply { panic("assertion") }
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = run(t.Context(), w, 0, in)
	}()
	_, err := run(t.Context(), w, 0, w.authorize(0, 1, 5))
	must(t, err)
	inOrder(t, w)
}

// The server is restarted under load, in order and by a kill: batches fail without harm, and go on by
// themselves afterwards. What was acknowledged is there.
func TestServerRestarts(t *testing.T) {
	cluster := pgtest.Server(t)
	url := cluster.Database(t)
	_, err := postgres.Migrate(t.Context(), url, false)
	must(t, err)
	w := newShop(t, openStore(t, postgres.Config{URL: url}), 20)
	ctx, cancel := context.WithCancel(t.Context())
	var held, uncertain atomic.Int64
	progress := make(chan struct{}, 1024)
	var callers sync.WaitGroup
	for caller := range 4 {
		callers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				try, done := context.WithTimeout(t.Context(), 10*time.Second)
				_, err := run(try, w, caller%2, w.authorize(n%20, n, 1))
				done()
				switch {
				case err == nil:
					held.Add(1)
					select {
					case progress <- struct{}{}:
					default:
					}
				case errors.Is(err, storage.ErrUncertain):
					uncertain.Add(1)
				case !errors.Is(err, storage.ErrTransient) && !errors.Is(err, storage.ErrUnavailable):
					t.Errorf("an error without a class: %v", err)
				}
			}
		})
	}
	goOn := func() {
		for range 50 {
			select {
			case <-progress:
			case <-time.After(time.Minute):
				t.Fatal("no batch went through any more")
			}
		}
	}
	goOn()
	must(t, cluster.Restart(t.Context()))
	goOn()
	must(t, cluster.Kill())
	must(t, cluster.Start(t.Context()))
	goOn()
	cancel()
	callers.Wait()
	sold := int64(journalOf(t, w) - 20)
	if sold < held.Load() || sold > held.Load()+uncertain.Load() {
		t.Errorf("%d acknowledged, %d unknown, %d in the books", held.Load(), uncertain.Load(), sold)
	}
	inOrder(t, w)
}

// reopener is a keeper on a database of its own.
type reopener struct {
	*postgres.Store
	url string
}

func (r reopener) Reopen(tb testing.TB) storage.Storage {
	if err := r.Close(); err != nil {
		tb.Fatal(err)
	}
	return openStore(tb, postgres.Config{URL: r.url, Slot: 1})
}

func TestStorage(t *testing.T) {
	storagetest.Run(t, func(tb testing.TB) storage.Storage {
		url := freshDatabase(tb)
		return reopener{openStore(tb, postgres.Config{URL: url, Slot: 1}), url}
	})
}

// freshDatabase returns the address of a migrated database.
func freshDatabase(tb testing.TB) string {
	tb.Helper()
	url := pgtest.Database(tb)
	if _, err := postgres.Migrate(tb.Context(), url, false); err != nil {
		tb.Fatal(err)
	}
	return url
}

// openStore opens a keeper that is closed when the test ends.
func openStore(tb testing.TB, cfg postgres.Config) *postgres.Store {
	tb.Helper()
	s, err := postgres.Open(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}
