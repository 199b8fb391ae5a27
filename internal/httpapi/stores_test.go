package httpapi_test

import (
	"path/filepath"
	"testing"

	"plexy/internal/pgtest"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
	"plexy/internal/storage/postgres"
	"plexy/internal/storage/sqlite"
)

// onEveryStore runs a test on a fresh rig over each keeper: the API means the same on all of them.
func onEveryStore(t *testing.T, test func(*testing.T, *rig)) {
	for name, open := range map[string]func(*testing.T) storage.Storage{
		"memory":   func(*testing.T) storage.Storage { return memory.New() },
		"sqlite":   openSQLite,
		"postgres": openPostgres,
	} {
		t.Run(name, func(t *testing.T) { test(t, newRigOn(t, open(t))) })
	}
}

func openSQLite(t *testing.T) storage.Storage {
	path := filepath.Join(t.TempDir(), "plexy.db")
	must(sqlite.Migrate(t.Context(), path, false))(t)
	s := must(sqlite.Open(t.Context(), sqlite.Config{Path: path, Owner: true}))(t)
	t.Cleanup(func() { check(t, s.Close()) })
	return s
}

func openPostgres(t *testing.T) storage.Storage {
	url := pgtest.Database(t)
	must(postgres.Migrate(t.Context(), url, false))(t)
	s := must(postgres.Open(t.Context(), postgres.Config{URL: url, Slot: 1}))(t)
	t.Cleanup(func() { check(t, s.Close()) })
	return s
}
