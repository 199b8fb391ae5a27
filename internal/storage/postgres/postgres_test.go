package postgres_test

import (
	"testing"

	"plexy/internal/pgtest"
	"plexy/internal/storage"
	"plexy/internal/storage/postgres"
	"plexy/internal/storage/storagetest"
)

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
