package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"plexy/internal/clock"
	"plexy/internal/storage"
)

// Limits of waiting.
const (
	connectLimit = 5 * time.Second        // for one attempt to connect
	closeLimit   = 2 * time.Second        // for saying goodbye to a server, or rolling back
	firstPause   = 20 * time.Millisecond  // before the second attempt; it doubles …
	longestPause = 500 * time.Millisecond // … up to this
	commitLimit  = 10 * time.Second       // for the answer to COMMIT, where the caller sets no deadline
)

// lane is one batch at a time, on one connection.
type lane struct {
	store *Store
	first int // book of the lane's range: it owns the stripes there

	mu      sync.Mutex
	session *session // nil when there is none
	careful int      // batches still to come that look every idempotency key up: see Store.Commit
}

// connect returns the lane's session, or makes one: again and again until ctx ends, for a server that is
// being started anew. What no waiting helps against ends it at once.
func (l *lane) connect(ctx context.Context) (*session, error) {
	if l.session != nil && !l.session.conn.IsClosed() {
		return l.session, nil
	}
	l.session = nil
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		s, err := open(ctx, l.store.lanesConfig())
		if err == nil {
			l.session = s
			l.store.pickSlot(s.who)
			return s, nil
		}
		if hopeless(err) || !wait(ctx, pause) {
			return nil, fmt.Errorf("%w: lane: %w", storage.ErrUnavailable, err)
		}
	}
}

// hopeless reports errors of connecting that time does not heal: wrong password, no such database, a
// schema that is not there.
func hopeless(err error) bool {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.Code[:min(2, len(refused.Code))] {
	case "28", "3D", "42":
		return true
	}
	return false
}

// leave rolls back what is under way and keeps the session if it survived.
func (l *lane) leave(s *session) {
	if err := s.rollback(); err != nil || s.conn.IsClosed() {
		l.drop(s)
	}
}

// drop closes the session; the lane's next batch makes another one.
func (l *lane) drop(s *session) {
	if l.session == s {
		l.session = nil
	}
	_ = s.close() // it is broken already, or will be
}

// stripeBook is the book of the lane's stripes: the first of its range, and the process's slot above it.
func (l *lane) stripeBook() int { return l.first + l.store.slot }

// wait pauses and reports whether ctx is still alive afterwards.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// half gives COMMIT half of the time that is left, so that the other half remains to find out what became
// of it.
func half(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := commitLimit
	if deadline, ok := ctx.Deadline(); ok {
		limit = deadline.Sub(clock.Time(clock.System{}.Now())) / 2
	}
	return context.WithTimeout(ctx, limit)
}
