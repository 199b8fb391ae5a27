package pgtest

import (
	"context"
	"path/filepath"
	"testing"
)

// Tools returns the folder of PostgreSQL's own programs (psql, pg_dump, pg_restore …), for tests of what a
// person does with them. Without a PostgreSQL on this machine the test ends as Database would end it.
func Tools(t testing.TB) string {
	t.Helper()
	dir, err := binaries(context.Background())
	if err != nil {
		give(t, err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		give(t, err)
	}
	return dir
}
