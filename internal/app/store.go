package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/gofrs/flock"

	"plexy/internal/config"
	"plexy/internal/storage"
	"plexy/internal/storage/sqlite"
)

// place is where an installation is kept, before it is opened.
type place interface {
	// peek reads the installation without writing anything; ErrNotFound when there is none yet.
	peek(ctx context.Context) (storage.Installation, error)
	// claim makes this process the only server, where there can be one only. unclaim ends it.
	claim() (unclaim func() error, err error)
	// migrate brings the schema up to date, one process at a time, and names the migrations it ran, or
	// with dryRun would run.
	migrate(ctx context.Context, dryRun bool) ([]string, error)
	// open opens the migrated database. The function returned beside it counts how often what was
	// remembered of the database has become void; nil where nobody else's commits matter.
	open(ctx context.Context) (storage.Storage, func() uint64, error)
	// close ends what peek left open and open did not hand over.
	close() error
}

// placeOf returns where the installation is. serve tells whether a server will use it, or one command.
func placeOf(cfg config.Config, serve bool) (place, error) {
	fail, err := failer(cfg.Test.FailPoint)
	if err != nil {
		return nil, err
	}
	if path, ok := cfg.SQLitePath(); ok {
		if serve {
			moreProcessors()
			lessHeap()
		}
		return sqlitePlace{path, serve, fail}, nil
	}
	return newPostgresPlace(cfg.Database, serve, fail), nil
}

// moreProcessors lets twice as many goroutines run as there are processors, unless the operator said
// otherwise. The writer leaves its processor while it waits for the disk, several times a batch; with only
// as many as there are, it then waits behind the requests for another one (measured: a tenth of the rate).
func moreProcessors() {
	if n := runtime.NumCPU(); runtime.GOMAXPROCS(0) == n {
		runtime.GOMAXPROCS(2 * n)
	}
}

// defaultGCPercent is Go's GOGC when nobody said otherwise, embeddedGCPercent that of a server on SQLite.
const defaultGCPercent, embeddedGCPercent = 100, 50

// lessHeap lets the heap grow by half of what lives before it is collected, unless the operator said
// otherwise: it saves 6 MiB of an embedded server's 68, for a thirtieth of its speed.
func lessHeap() {
	if was := debug.SetGCPercent(embeddedGCPercent); was != defaultGCPercent {
		debug.SetGCPercent(was)
	}
}

// sqlitePlace is one file.
type sqlitePlace struct {
	path  string
	serve bool
	fail  func(point string) error
}

func (p sqlitePlace) peek(ctx context.Context) (storage.Installation, error) {
	return sqlite.Peek(ctx, p.path)
}

// claim locks a file beside the database for as long as the process lives, however it ends.
func (p sqlitePlace) claim() (func() error, error) {
	if err := os.MkdirAll(filepath.Dir(p.path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the database: %w", err)
	}
	lock := flock.New(p.path+".server", flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", lock.Path(), err)
	}
	if !held {
		return nil, errors.Join(fmt.Errorf("%w: another server is running on %s; SQLite has one server "+
			"(commands work beside it), PostgreSQL any number", ErrInstallation, p.path), lock.Close())
	}
	return lock.Close, nil
}

func (p sqlitePlace) migrate(ctx context.Context, dryRun bool) ([]string, error) {
	return sqlite.Migrate(ctx, p.path, dryRun)
}

// close has nothing to close: a look at a file is over when it is over.
func (p sqlitePlace) close() error { return nil }

func (p sqlitePlace) open(ctx context.Context) (storage.Storage, func() uint64, error) {
	cfg := sqlite.Config{Path: p.path, Owner: p.serve, Fail: p.fail}
	if !p.serve {
		cfg.Readers = 1
	}
	store, err := sqlite.Open(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	return store, store.Generation, nil
}
