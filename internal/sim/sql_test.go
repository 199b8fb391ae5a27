package sim_test

import (
	"path/filepath"
	"testing"

	"plexy/internal/pgtest"
	"plexy/internal/sim"
	"plexy/internal/storage"
	"plexy/internal/storage/postgres"
	"plexy/internal/storage/sqlite"
)

// play tells a story on a database that two openings share, as two processes do. They take turns: where
// wallets are locked, one goroutine cannot commit in the middle of its own commit.
func play(t *testing.T, open func() (storage.Storage, error)) {
	first, steps := firstSeed(), length(*sqlSteps, 50_000, 1_500)
	t.Logf("go test ./internal/sim -run %s -seed=%d -sqlsteps=%d", t.Name(), first, steps)
	var stores [2]storage.Storage
	reopen := func(i int) (storage.Storage, error) {
		if stores[i] != nil {
			if err := stores[i].Close(); err != nil {
				return nil, err
			}
		}
		s, err := open()
		stores[i] = s
		return s, err
	}
	for i := range stores {
		if _, err := reopen(i); err != nil {
			t.Fatal(err)
		}
	}
	defer func() {
		for _, s := range stores {
			if s != nil {
				s.Close()
			}
		}
	}()
	tally, err := sim.Run(t.Context(), sim.Config{Seed: first, Steps: steps, Stores: stores,
		Reopen: reopen})
	t.Log(tally)
	if err != nil {
		t.Fatal(err)
	}
	if steps >= 50_000 {
		for _, what := range tally.Missing(false) {
			t.Errorf("no %s in the whole story", what)
		}
	}
}

func TestSimulationSQLite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "plexy.db")
	if _, err := sqlite.Migrate(t.Context(), path, false); err != nil {
		t.Fatal(err)
	}
	play(t, func() (storage.Storage, error) {
		return sqlite.Open(t.Context(), sqlite.Config{Path: path, Owner: true})
	})
}

func TestSimulationPostgres(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	if _, err := postgres.Migrate(t.Context(), url, false); err != nil {
		t.Fatal(err)
	}
	play(t, func() (storage.Storage, error) { return postgres.Open(t.Context(), postgres.Config{URL: url}) })
}

// playCards tells a story of card payments on a database.
func playCards(t *testing.T, open func() (storage.Storage, error)) {
	s, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	store, ok := s.(sim.CardStore)
	if !ok {
		t.Skip("SKIPPED: this keeper does not know card payments yet")
	}
	first, steps := firstSeed(), length(*sqlSteps, 10_000, 500)
	t.Logf("go test ./internal/sim -run %s -seed=%d -sqlsteps=%d", t.Name(), first, steps)
	tally, err := sim.PlayCards(t.Context(), sim.CardConfig{Seed: first, Steps: steps, Store: store})
	t.Log(tally)
	if err != nil {
		t.Fatal(err)
	}
}

func TestCardsSQLite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "plexy.db")
	if _, err := sqlite.Migrate(t.Context(), path, false); err != nil {
		t.Fatal(err)
	}
	playCards(t, func() (storage.Storage, error) {
		return sqlite.Open(t.Context(), sqlite.Config{Path: path, Owner: true})
	})
}

func TestCardsPostgres(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	if _, err := postgres.Migrate(t.Context(), url, false); err != nil {
		t.Fatal(err)
	}
	playCards(t, func() (storage.Storage, error) {
		return postgres.Open(t.Context(), postgres.Config{URL: url})
	})
}
