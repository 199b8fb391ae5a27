package sqlite

import (
	"context"
	"fmt"
	"sync"

	"plexy/internal/storage/sqlstore"
)

// When and how the log is moved into the file: from logged frames (pages) on, in rounds that leave ever
// less to do because writers go on meanwhile; what is left after a few is moved while they wait.
const (
	logged      = 2000
	littleLeft  = 200
	movedRounds = 4
)

// mover is the connection that moves the log.
type mover struct {
	mu   sync.Mutex
	link *link
}

// Checkpoint moves the write-ahead log into the database file if it has grown, beside the batches, which
// would otherwise have to wait for all of it from time to time. The server calls it often; it returns at
// once when there is little to move. If nobody calls it, a commit now and then does it.
func (s *Store) Checkpoint(ctx context.Context) error {
	m := &s.mover
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-s.closed:
		return errClosed
	default:
	}
	if m.link == nil {
		l, err := openLink(s.cfg.Path, moving)
		if err != nil {
			return fmt.Errorf("open a connection to move the log: %w", err)
		}
		m.link = l
	}
	at, err := checkpoint(ctx, m.link, "noop")
	if err != nil || at.log < logged {
		return err
	}
	for range movedRounds {
		if at, err = checkpoint(ctx, m.link, "passive"); err != nil || at.log-at.moved <= littleLeft {
			break
		}
	}
	if err != nil {
		return err
	}
	return s.writer.checkpoint(ctx)
}

// checkpoint moves what is left while nobody writes, so that the next commit begins the log anew.
func (w *writer) checkpoint(ctx context.Context) error {
	if err := w.take(ctx); err != nil {
		return err
	}
	defer w.give()
	if w.link == nil {
		return nil
	}
	_, err := checkpoint(ctx, w.link, "passive")
	return err
}

// progress counts the frames of the log, and those of them that are in the file too.
type progress struct{ log, moved int64 }

func checkpoint(ctx context.Context, l *link, mode string) (progress, error) {
	var at progress
	err := l.Query(ctx, "pragma wal_checkpoint("+mode+")", nil, func(r sqlstore.Row) error {
		r.Int64() // whether something was in the way, which is for the next round
		at.log, at.moved = r.Int64(), r.Int64()
		return nil
	})
	if err != nil && !busy(err) {
		return at, fmt.Errorf("move the log into the file: %w", sorted(err))
	}
	return at, nil
}

func (m *mover) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.link == nil {
		return nil
	}
	return m.link.close()
}
