// Package sqlite keeps everything in one SQLite file: WAL, synchronous FULL, one connection that writes
// and a few that read. One process owns the hot path; others (the command line) may write the same file
// now and then, and whatever they commit makes this process forget what it remembers.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"plexy/internal/core/machine"
	"plexy/internal/storage"
	"plexy/internal/storage/sqlstore"
)

// Config says where the database is and how this process uses it.
type Config struct {
	// Path of the database file. Its -wal and -shm files and its locks are made beside it.
	Path string
	// Owner is set by the server: it remembers the idempotency keys from the start and writes the sealed
	// runs of their index. If several processes claim it, the first one that holds the lock does.
	Owner bool
	// Readers is how many connections read; 0 means 4.
	Readers int
	// Fail, when set, is called at the Points with the name of the point; an error makes the batch fail
	// there. It is nil in production.
	Fail func(point string) error

	// What only the tests of this room choose.
	run      int                           // keys in a sealed run; 0 means defaultRun
	hash     func(machine.ReplyKey) uint64 // of an idempotency key; nil means hashKey
	states   int64                         // of wallets that begin a sweep; 0 means defaultStates
	patience time.Duration                 // how long to wait for the write lock; 0 means defaultPatience
	vfs      string                        // file system of the writing connection
}

// The points of a commit at which Config.Fail is called.
const (
	BeforeBegin  = "before-begin"
	AfterLoad    = "after-load"
	BeforeSave   = "before-save"
	MiddleOfSave = "middle-of-save"
	BeforeCommit = "before-commit"
	AfterCommit  = "after-commit"
)

// Points lists the points of a commit in the order in which they are passed.
func Points() []string {
	return []string{BeforeBegin, AfterLoad, BeforeSave, MiddleOfSave, BeforeCommit, AfterCommit}
}

const defaultReaders = 4

// Store is the SQLite keeper.
type Store struct {
	*sqlstore.Store
	cfg     Config
	writer  *writer
	readers chan *link
	reading int          // how many readers there are
	owner   *flock.Flock // held while this process seals; nil otherwise
	mover   mover
	closed  chan struct{}
	drops   atomic.Uint64
}

var _ storage.Storage = (*Store)(nil)

// Open opens a migrated database. It fails when the file is absent or its migrations are not current:
// run Migrate first.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if _, err := os.Stat(cfg.Path); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if cfg.Readers <= 0 {
		cfg.Readers = defaultReaders
	}
	if cfg.states == 0 {
		cfg.states = defaultStates
	}
	if cfg.patience == 0 {
		cfg.patience = defaultPatience
	}
	s := &Store{cfg: cfg, readers: make(chan *link, cfg.Readers), closed: make(chan struct{})}
	s.Store = sqlstore.New(s)
	s.writer = newWriter(s)
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open the database: %w", err), s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	for range s.cfg.Readers {
		l, err := openLink(s.cfg.Path, reading)
		if err != nil {
			return err
		}
		s.readers <- l
		s.reading++
	}
	if err := s.Ready(ctx); err != nil {
		return err
	}
	if !s.cfg.Owner {
		return nil
	}
	lock := flock.New(s.cfg.Path + ".owner")
	held, err := lock.TryLock()
	if err != nil {
		return err
	}
	if held {
		s.owner = lock
	}
	return s.writer.warm(ctx)
}

// Close waits for what is under way and closes every connection.
func (s *Store) Close() error {
	select {
	case <-s.closed:
		return nil
	default:
		close(s.closed)
	}
	var errs []error
	for range s.reading {
		errs = append(errs, (<-s.readers).close())
	}
	errs = append(errs, s.mover.close(), s.writer.close())
	if s.owner != nil {
		errs = append(errs, s.owner.Close())
	}
	return errors.Join(errs...)
}

// Lanes returns 1: SQLite has one writer.
func (s *Store) Lanes() int { return 1 }

// Generation grows whenever this process forgets what it remembered of the database: after a commit of
// another process that it noticed, after a record was written, and after a failed commit. Caches outside
// compare it to forget too.
func (s *Store) Generation() uint64 { return s.drops.Load() }

// Ready returns nil when the database can be read and its migrations are those of this program.
func (s *Store) Ready(ctx context.Context) error {
	want, err := newest()
	if err != nil {
		return err
	}
	var have int64
	err = s.Read(ctx, func(db sqlstore.DB) (err error) {
		have, err = version(ctx, db)
		return err
	})
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

// Read runs fn on a connection of the reading pool; when ctx ends, the statement under way is cut off.
// The doors' reads go through it.
func (s *Store) Read(ctx context.Context, fn func(sqlstore.DB) error) error {
	var l *link
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait for a connection: %w", ctx.Err())
	case <-s.closed:
		return errClosed
	case l = <-s.readers:
	}
	err := l.within(ctx, func() error { return fn(l) })
	s.readers <- l
	return err
}

var errClosed = fmt.Errorf("%w: the database was closed", storage.ErrUnavailable)

// Snapshot runs fn over one unchanging view of the books, on a connection of its own.
func (s *Store) Snapshot(ctx context.Context, fn func(context.Context, storage.Books) error) error {
	l, err := openLink(s.cfg.Path, reading)
	if err != nil {
		return fmt.Errorf("open a snapshot: %w", err)
	}
	defer func() { _ = l.close() }() // it only read
	return l.within(ctx, func() error {
		if err := l.run("begin"); err != nil {
			return fmt.Errorf("begin a snapshot: %w", err)
		}
		// The view is taken by the first read, not by begin.
		if _, err := version(ctx, l); err != nil {
			return fmt.Errorf("begin a snapshot: %w", err)
		}
		return fn(ctx, books{sqlstore.Books{DB: l}})
	})
}

// books adds the walk over the replies, which SQLite keeps in the order in which they came.
type books struct{ sqlstore.Books }

// Replies walks in the order in which the replies were stored.
func (b books) Replies(ctx context.Context, fn func(machine.ReplyKey, machine.Stored) error) error {
	type line struct {
		row    int64
		key    machine.ReplyKey
		stored machine.Stored
	}
	for after := int64(0); ; {
		var page []line
		err := b.DB.Query(ctx, "select row, "+sqlstore.ReplyColumns+
			" from idempotency where row > $1 order by row limit $2", []any{after, int64(sqlstore.Page)},
			func(r sqlstore.Row) error {
				l := line{row: r.Int64()}
				l.key, l.stored = sqlstore.ScanReply(r)
				page = append(page, l)
				return nil
			})
		if err != nil {
			return fmt.Errorf("walk the replies: %w", err)
		}
		for _, l := range page {
			if err := fn(l.key, l.stored); err != nil {
				return err
			}
			after = l.row
		}
		if len(page) < sqlstore.Page {
			return nil
		}
	}
}
