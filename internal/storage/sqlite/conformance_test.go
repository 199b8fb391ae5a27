package sqlite

import (
	"path/filepath"
	"testing"

	"plexy/internal/storage"
	"plexy/internal/storage/storagetest"
)

// kept is a keeper that the suite can open again.
type kept struct{ *Store }

// Reopen closes the keeper and opens another one on the same file.
func (k kept) Reopen(tb testing.TB) storage.Storage {
	tb.Helper()
	if err := k.Close(); err != nil {
		tb.Fatal(err)
	}
	return kept{reopened(tb, k.cfg)}
}

// fresh returns a keeper on an empty, migrated file.
func fresh(tb testing.TB, cfg Config) *Store {
	tb.Helper()
	cfg.Path = filepath.Join(tb.TempDir(), "plexy.db")
	if _, err := Migrate(tb.Context(), cfg.Path, false); err != nil {
		tb.Fatal(err)
	}
	return reopened(tb, cfg)
}

func reopened(tb testing.TB, cfg Config) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), cfg)
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

func TestConformance(t *testing.T) {
	storagetest.Run(t, func(tb testing.TB) storage.Storage { return kept{fresh(tb, Config{Owner: true})} })
}

// With runs of a few keys and a hash of few values keys pass through sealed runs and collide.
func TestConformanceOfTinyRuns(t *testing.T) {
	cfg := Config{Owner: true, run: 9, hash: coarse}
	storagetest.Run(t, func(tb testing.TB) storage.Storage { return kept{fresh(tb, cfg)} })
}
