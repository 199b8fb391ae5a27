package sqlstore

import (
	"context"

	"plexy/internal/core/machine"
	"plexy/internal/storage"
)

// TestClock returns the sandbox's clock as it was set last.
func (s *Store) TestClock(ctx context.Context) (storage.TestClock, error) {
	return readOne(ctx, s, query[storage.TestClock]{
		what: "read the test clock", sql: "select version, offset_micros, frozen_at from test_clock",
		scan: func(r Row) storage.TestClock {
			return storage.TestClock{Version: r.Int64(), OffsetMicros: r.Int64(), FrozenAt: r.Int64()}
		},
	})
}

// SetTestClock replaces the clock; ErrConflict when next was not made from the one in force.
func (s *Store) SetTestClock(ctx context.Context, next storage.TestClock, audit machine.Audit) error {
	return s.write(ctx, "set the test clock", func(db DB) error {
		n, err := db.Exec(ctx, "update test_clock set version = $1, offset_micros = $2, frozen_at = $3 "+
			"where version = $4", []any{next.Version, next.OffsetMicros, next.FrozenAt, next.Version - 1})
		if err != nil {
			return err
		}
		if n == 0 {
			return storage.ErrConflict
		}
		return InsertAudit(ctx, db, audit)
	})
}
