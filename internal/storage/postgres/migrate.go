package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"plexy/internal/storage/sqlstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the schema of the database at url up to date, one process at a time, and returns the
// names of the migrations that it ran. With dryRun it changes nothing and returns those it would run.
func Migrate(ctx context.Context, url string, dryRun bool) ([]string, error) {
	settings, err := poolConfig(Config{URL: url, Readers: 1})
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*settings.ConnConfig)
	run := migrate
	if dryRun {
		run = pending
	}
	names, err := run(ctx, db)
	if err != nil {
		err = fmt.Errorf("migrate: %w", err)
	}
	return names, errors.Join(err, db.Close())
}

func migrate(ctx context.Context, db *sql.DB) ([]string, error) {
	// Another process's migration is waited for: five minutes, asking once a second.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker))
	if err != nil {
		return nil, err
	}
	var names []string
	results, err := provider.Up(ctx)
	for _, r := range results {
		names = append(names, path.Base(r.Source.Path))
	}
	return names, err
}

// pending names the migrations that are newer than the database, and changes nothing.
func pending(ctx context.Context, db *sql.DB) ([]string, error) {
	var known bool
	var at int64
	if err := db.QueryRowContext(ctx, knownSQL).Scan(&known); err != nil {
		return nil, err
	}
	if known {
		if err := db.QueryRowContext(ctx, versionSQL).Scan(&at); err != nil {
			return nil, err
		}
	}
	entries, err := migrations.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		n, err := goose.NumericComponent(e.Name())
		if err != nil {
			return nil, err
		}
		if n > at {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// The migrator's own table says which migrations the database has.
const (
	knownSQL   = "select to_regclass('goose_db_version') is not null"
	versionSQL = "select coalesce(max(version_id), 0) from goose_db_version where is_applied"
)

// newest returns the number of the newest migration of this program.
func newest() (int64, error) {
	entries, err := migrations.ReadDir("migrations")
	if err != nil {
		return 0, err
	}
	highest := int64(0)
	for _, e := range entries {
		n, err := goose.NumericComponent(e.Name())
		if err != nil {
			return 0, err
		}
		highest = max(highest, n)
	}
	return highest, nil
}

// version returns the number of the newest migration in the database, 0 when there is none.
func (s *Store) version(ctx context.Context) (int64, error) {
	n := int64(0)
	err := s.Read(ctx, func(db sqlstore.DB) error {
		known := false
		err := db.Query(ctx, knownSQL, nil, func(r sqlstore.Row) error {
			known = r.Bool()
			return nil
		})
		if err != nil || !known {
			return err
		}
		return db.Query(ctx, versionSQL, nil, func(r sqlstore.Row) error {
			n = r.Int64()
			return nil
		})
	})
	return n, err
}

// Empty reports whether the database has none of our tables yet.
func (s *Store) Empty(ctx context.Context) (bool, error) {
	n, err := s.version(ctx)
	if err != nil {
		return false, fmt.Errorf("look for tables: %w", err)
	}
	return n == 0, nil
}

// Migrate brings the schema up to date, one process at a time.
func (s *Store) Migrate(ctx context.Context) error {
	_, err := Migrate(ctx, s.cfg.URL, false)
	return err
}

// Ready returns nil when the database can be reached and its migrations are those of this program.
func (s *Store) Ready(ctx context.Context) error {
	want, err := newest()
	if err != nil {
		return err
	}
	have, err := s.version(ctx)
	switch {
	case err != nil:
		return err
	case have < want:
		return fmt.Errorf("migrations are not current: the database is at %d of %d", have, want)
	case have > want:
		return fmt.Errorf("the database is newer than this program: it is at %d, known are %d", have, want)
	}
	return nil
}
