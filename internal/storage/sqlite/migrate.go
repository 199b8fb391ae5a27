package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the same engine under database/sql, which the migrations need

	"plexy/internal/storage/sqlstore"
)

//go:embed migrations/*.sql
var embedded embed.FS

// lockPoll is how often a process looks whether another one has finished migrating.
const lockPoll = 20 * time.Millisecond

// Migrate brings the database at path to the newest schema, making the file (readable by its owner only)
// if there is none, and returns the names of the migrations that it ran; with dryRun, of those that it
// would run, and changes nothing. One process at a time migrates; the others wait until ctx ends.
func Migrate(ctx context.Context, path string, dryRun bool) ([]string, error) {
	names, err := migrate(ctx, path, dryRun)
	if err != nil {
		return nil, fmt.Errorf("migrate the database: %w", err)
	}
	return names, nil
}

func migrate(ctx context.Context, path string, dryRun bool) ([]string, error) {
	if dryRun {
		return pending(ctx, path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(path+".migrating", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
		return nil, fmt.Errorf("wait for another process: %w", err)
	}
	names, err := up(ctx, path)
	return names, errors.Join(err, lock.Close())
}

func up(ctx context.Context, path string) ([]string, error) {
	if err := create(path); err != nil {
		return nil, err
	}
	pragmas := "_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)"
	db, err := sql.Open("sqlite", uri(path)+"?"+pragmas)
	if err != nil {
		return nil, err
	}
	provider, err := newProvider(db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	results, err := provider.Up(ctx)
	names := make([]string, 0, len(results))
	for _, r := range results {
		names = append(names, name(r.Source.Path))
	}
	return names, errors.Join(err, provider.Close())
}

// create makes the file if there is none, so that nobody but its owner reads it. It never opens a file
// that exists: closing it would drop the locks that this process holds on it.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(embedded, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithLogger(goose.NopLogger()))
}

// sources returns the migrations of this program in order of version.
func sources() ([]*goose.Source, error) {
	// The provider lists its sources without ever using its database.
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	provider, err := newProvider(db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return provider.ListSources(), provider.Close()
}

// newest returns the version of the newest migration.
var newest = sync.OnceValues(func() (int64, error) {
	all, err := sources()
	if err != nil {
		return 0, fmt.Errorf("read the migrations: %w", err)
	}
	return all[len(all)-1].Version, nil // there is always a first one
})

func name(source string) string { return path.Base(source) }

func pending(ctx context.Context, path string) ([]string, error) {
	have := int64(0)
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		l, err := openLink(path, reading)
		if err != nil {
			return nil, err
		}
		have, err = version(ctx, l)
		if err := errors.Join(err, l.close()); err != nil {
			return nil, err
		}
	}
	all, err := sources()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range all {
		if s.Version > have {
			names = append(names, name(s.Path))
		}
	}
	return names, nil
}

// version returns the version of the newest migration that the database has had; 0 when it has had none.
func version(ctx context.Context, db sqlstore.DB) (int64, error) {
	read := func(sql string) (found int64, err error) {
		err = db.Query(ctx, sql, nil, func(r sqlstore.Row) error {
			found = r.Int64()
			return nil
		})
		return found, err
	}
	exists, err := read("select count(*) from sqlite_schema where type = 'table' and name = 'goose_db_version'")
	if err != nil || exists == 0 {
		return 0, err
	}
	return read("select coalesce(max(version_id), 0) from goose_db_version where is_applied = 1")
}
