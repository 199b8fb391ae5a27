package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"plexy/internal/core/machine"
	"plexy/internal/storage"
)

// The points of a commit at which Config.Fail is called, named as in the SQLite keeper.
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

// batch is one commit of a lane.
type batch struct {
	lane    *lane
	session *session
	loaded  bool
	// guessing batches do not look up every idempotency key: see Store.Commit.
	guessing bool
	seen     map[machine.ReplyKey]machine.Stored // what Load found under the keys
	place    map[string][]byte                   // where Load found the wallets
	saved    *machine.State
}

// Commit runs fn in one durable transaction on the lane's own connection, in two round trips: one that
// locks and reads, one that writes and commits.
//
// When the connection is lost after COMMIT may have reached the server, Commit finds out whether it did
// (see settle). It then returns nil although no answer came: the outcomes that fn computed are what was
// committed.
//
// Most keys are new, and looking all of them up is a tenth of what a batch costs the server. So a batch
// guesses that they are, and a unique key tells when one is not: nothing is saved then, and the batch runs
// again and looks. After a wrong guess the lane looks for a while, since repeats come in crowds.
func (s *Store) Commit(ctx context.Context, lane int, fn func(context.Context, storage.Batch) error) error {
	if lane < 0 || lane >= len(s.lanes) {
		return fmt.Errorf("postgres: there is no lane %d", lane)
	}
	l := s.lanes[lane]
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.careful > 0 {
		l.careful--
		return s.attempt(ctx, l, fn, false)
	}
	err := s.attempt(ctx, l, fn, true)
	if errors.Is(err, storage.ErrConflict) {
		l.careful = carefulBatches
		err = s.attempt(ctx, l, fn, false)
	}
	return err
}

// carefulBatches is how many batches of a lane look every key up after one that guessed wrong.
const carefulBatches = 64

// attempt runs fn in one transaction. The caller holds the lane.
func (s *Store) attempt(
	ctx context.Context, l *lane, fn func(context.Context, storage.Batch) error, guessing bool,
) error {
	if err := s.fail(BeforeBegin); err != nil {
		return err
	}
	session, err := l.connect(ctx)
	if err != nil {
		return err
	}
	b := &batch{
		lane: l, session: session, guessing: guessing, seen: map[machine.ReplyKey]machine.Stored{},
		place: map[string][]byte{},
	}
	done := false
	defer func() {
		if !done { // fn failed, or broke an assertion and panics through here
			l.leave(session)
		}
	}()
	if err := fn(ctx, b); err != nil {
		return err
	}
	if b.saved == nil {
		return nil // nothing to keep: the locks are given back without a flush
	}
	done = true
	return b.commit(ctx)
}

// Load reads what keys names and locks the wallets among it, in order of id.
func (b *batch) Load(ctx context.Context, keys *machine.Keys) (*machine.State, error) {
	if b.loaded {
		return nil, errors.New("postgres: Load is called once a batch")
	}
	b.loaded = true
	state, err := b.load(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("load a batch: %w", sorted(err, b.session.conn.IsClosed()))
	}
	return state, b.lane.store.fail(AfterLoad)
}

// Save keeps the state for the end of Commit, where it travels together with COMMIT. What the stripes'
// side of a record is, only the database knows; it is filled in there.
func (b *batch) Save(_ context.Context, state *machine.State) error {
	if !b.loaded || b.saved != nil {
		return errors.New("postgres: Save is called at most once, after Load")
	}
	if err := b.lane.store.fail(BeforeSave); err != nil {
		return err
	}
	b.saved = state
	return nil
}

// commit writes what was saved. The lane is left in order, with or without its session.
func (b *batch) commit(ctx context.Context) error {
	stripes, err := sumStripes(b.lane.stripeBook(), b.saved.Changes.Records)
	if err != nil {
		b.lane.leave(b.session)
		return fmt.Errorf("save a batch: %w", err)
	}
	r, err := b.fill(ctx, stripes)
	if err != nil {
		b.lane.leave(b.session)
		return fmt.Errorf("save a batch: %w", sorted(err, b.session.conn.IsClosed()))
	}
	r.add(commit, nil)
	waiting, cancel := half(ctx)
	defer cancel()
	// Whether anything was sent is known only here. The driver's SafeToRetry says yes too often: also of a
	// connection that was lost while it read the answer to COMMIT (see pgconn's receiveMessage).
	unsent := b.session.conn.IsClosed() || waiting.Err() != nil
	last, err := r.run(waiting)
	switch {
	case last == "COMMIT":
		if err != nil {
			b.lane.drop(b.session) // it broke after the answer
		}
		return b.lane.store.fail(AfterCommit)
	case err == nil:
		b.lane.leave(b.session)
		return fmt.Errorf("commit a batch: the server answered %q", last)
	case unsent || refused(err) && !b.session.conn.IsClosed():
		b.lane.leave(b.session)
		return fmt.Errorf("commit a batch: %w", sorted(err, b.session.conn.IsClosed()))
	}
	b.lane.drop(b.session)
	if err := b.settle(ctx, err); err != nil {
		return err
	}
	return b.lane.store.fail(AfterCommit)
}

// fill returns the round that writes everything and waits for its COMMIT. Where fail-points are set, the
// rows go ahead in rounds of their own, so that there is something to crash in the middle of.
func (b *batch) fill(ctx context.Context, stripes *stripes) (*round, error) {
	r := b.session.round()
	saveRows(r, b.saved, b.seen, b.place)
	if b.lane.store.cfg.Fail == nil {
		saveBooks(r, b.saved, stripes)
		return r, nil
	}
	if _, err := r.run(ctx); err != nil {
		return nil, err
	}
	if err := b.lane.store.fail(MiddleOfSave); err != nil {
		return nil, err
	}
	r = b.session.round()
	saveBooks(r, b.saved, stripes)
	if _, err := r.run(ctx); err != nil {
		return nil, err
	}
	return b.session.round(), b.lane.store.fail(BeforeCommit)
}

// refused reports whether err is an answer of the server that ended the transaction and nothing more.
// FATAL and PANIC end the connection, and may come after the commit.
func refused(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.SeverityUnlocalized == "ERROR"
}
