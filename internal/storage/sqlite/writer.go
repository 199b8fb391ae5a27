package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plexy/internal/storage"
	"plexy/internal/storage/sqlite/logfile"
	"plexy/internal/storage/sqlstore"
)

// writer is the one connection of the process that writes, with what it remembers. Whoever holds the
// turn uses it alone.
type writer struct {
	s      *Store
	turn   chan struct{} // holds one token while nobody writes
	link   *link         // nil until it is needed, and after trouble
	hot    *statements   // of link
	memory memory
	states states
	window window
	// version is the data_version that memory belongs to. It changes when another connection commits.
	version int64
	fresh   bool // version is of this link
	// doubt is set while the log may end in a commit that failed; see settle.
	doubt bool
}

// Polling for the write lock: SQLite itself waits lockWait at a time, so that a process that writes now
// and then gets its turn beside one that writes all the time, until the patience is used up.
const (
	lockWait        = 2 * time.Millisecond
	defaultPatience = 30 * time.Second
)

func newWriter(s *Store) *writer {
	w := &writer{s: s, turn: make(chan struct{}, 1), memory: newMemory(), window: newWindow(s.cfg)}
	w.turn <- struct{}{}
	return w
}

// take waits for the turn.
func (w *writer) take(ctx context.Context) error {
	select {
	case <-w.s.closed:
		return errClosed
	default:
	}
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the writer: %w", ctx.Err())
	}
}

func (w *writer) give() { w.turn <- struct{}{} }

// close waits for the turn and closes the connection.
func (w *writer) close() error {
	<-w.turn
	defer w.give()
	return w.disconnect()
}

func (w *writer) disconnect() error {
	if w.link == nil {
		return nil
	}
	l := w.link
	w.link, w.hot, w.fresh = nil, nil, false
	return l.close()
}

func (w *writer) connect() error {
	if w.link != nil {
		return nil
	}
	system, err := logfile.Register(w.s.cfg.vfs)
	if err != nil {
		return err
	}
	l, err := openLinkOn(system, w.s.cfg.Path, writing)
	if err != nil {
		return fmt.Errorf("open the writing connection: %w", err)
	}
	l.conn.SetBusyTimeout(lockWait)
	w.link, w.hot = l, newStatements(l)
	return nil
}

// begin starts a transaction that may write. Nothing was changed when it fails.
func (w *writer) begin(ctx context.Context) error {
	select {
	case <-w.s.closed:
		return errClosed
	default:
	}
	if err := w.connect(); err != nil {
		return err
	}
	if w.doubt {
		if err := w.settle(ctx); err != nil {
			return fmt.Errorf("%w: the log is not in order: %w", storage.ErrUnavailable, err)
		}
	}
	if err := w.lock(ctx); err != nil {
		if !busy(err) {
			err = errors.Join(err, w.disconnect())
		}
		return fmt.Errorf("begin: %w", sorted(err))
	}
	return nil
}

func (w *writer) lock(ctx context.Context) error {
	for waited := time.Duration(0); ; waited += lockWait {
		err := w.link.run("begin immediate")
		if err == nil || !busy(err) || waited >= w.s.cfg.patience {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

// current makes sure, inside a transaction, that what is remembered is what is there: when another
// process has committed, everything is forgotten and what it appended is read: the newest states of wallets
// and the idempotency keys.
func (w *writer) current(ctx context.Context) error {
	version, err := w.hot.dataVersion()
	if err != nil {
		return fmt.Errorf("compare the data version: %w", sorted(err))
	}
	if w.fresh && version == w.version {
		return nil
	}
	w.drop()
	if err := w.states.refresh(ctx, w.link, w.s.owner != nil); err != nil {
		return sorted(err)
	}
	if w.window.loaded {
		if err := w.window.refresh(ctx, w.link); err != nil {
			return sorted(err)
		}
	}
	w.version, w.fresh = version, true
	return nil
}

// drop forgets everything but where the newest states and the idempotency keys are, which current brings up
// to date, and tells caches outside.
func (w *writer) drop() {
	w.memory = newMemory()
	w.fresh = false
	w.s.drops.Add(1)
}

// rollback ends the transaction without a trace. A connection that cannot do even that is given up,
// which does the same.
func (w *writer) rollback() {
	if w.link == nil || w.link.conn.AutocommitEnabled() {
		return // SQLite rolls back by itself after some errors
	}
	if w.link.run("rollback") != nil || !w.link.conn.AutocommitEnabled() {
		_ = w.disconnect() // the next writer opens a new connection and forgets what was remembered
	}
}

// commit makes the transaction durable. When it fails nothing is saved and nothing is remembered; only
// when that cannot be made sure it returns ErrUncertain.
func (w *writer) commit(ctx context.Context) error {
	err := w.link.run("commit")
	if err == nil {
		return nil
	}
	w.rollback()
	w.drop()
	if !inDoubt(err) {
		return fmt.Errorf("commit: %w", sorted(err))
	}
	w.doubt = true
	if unsettled := w.settle(ctx); unsettled != nil {
		return fmt.Errorf("commit: %w: %w: and then: %w", storage.ErrUncertain, err, unsettled)
	}
	return fmt.Errorf("commit: %w", sorted(err))
}

// settle overwrites what a failed commit may have left at the end of the log. This process does not see
// it any more, but a process that recovers the log after a crash would take it for committed; the next
// commit is written over it, and this one changes nothing.
func (w *writer) settle(ctx context.Context) error {
	err := w.connect()
	for _, step := range []func() error{
		func() error { return w.lock(ctx) },
		func() error { return w.link.run("pragma user_version = 0") },
		func() error { return w.link.run("commit") },
	} {
		if err == nil {
			err = step()
		}
	}
	if err != nil {
		w.rollback()
		return errors.Join(err, w.disconnect())
	}
	w.doubt = false
	return nil
}

// Write runs fn in one durable transaction on the writing connection; what is remembered is forgotten
// afterwards, because fn may have changed any row.
func (s *Store) Write(ctx context.Context, fn func(sqlstore.DB) error) error {
	w := s.writer
	if err := w.take(ctx); err != nil {
		return err
	}
	defer w.give()
	if err := w.transact(ctx, func() error { return fn(w.link) }); err != nil {
		return err
	}
	w.drop()
	return nil
}

// Aside is Write for tables that the writer remembers nothing of.
func (s *Store) Aside(ctx context.Context, fn func(sqlstore.DB) error) error {
	w := s.writer
	if err := w.take(ctx); err != nil {
		return err
	}
	defer w.give()
	return w.transact(ctx, func() error { return fn(w.link) })
}

// VaultGeneration returns that of the vault's keys. Whoever holds the turn holds a rotation back.
func (s *Store) VaultGeneration(ctx context.Context, db sqlstore.DB) (int64, error) {
	generation := int64(0)
	err := db.Query(ctx, "select vault_generation from installation", nil, func(r sqlstore.Row) error {
		generation = r.Int64()
		return nil
	})
	return generation, err
}

// transact runs fn in one transaction. The caller holds the turn.
func (w *writer) transact(ctx context.Context, fn func() error) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	defer w.rollback() // does nothing after a commit; undoes when fn fails or panics
	if err := fn(); err != nil {
		return sorted(err)
	}
	return w.commit(ctx)
}

// warm reads the idempotency window, so that the first batch need not.
func (w *writer) warm(ctx context.Context) error {
	if err := w.take(ctx); err != nil {
		return err
	}
	defer w.give()
	return w.transact(ctx, func() error { return w.window.refresh(ctx, w.link) })
}
