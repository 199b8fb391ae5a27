package sqlstore

import (
	"context"

	"plexy/internal/core/machine"
	"plexy/internal/sandbox"
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

// Faults returns the fault that each merchant has dialled, by merchant; those with none are left out.
func (s *Store) Faults(ctx context.Context) (map[string]sandbox.Dial, error) {
	type row struct {
		merchant string
		dial     sandbox.Dial
	}
	rows, err := readAll(ctx, s, query[row]{
		what: "read the faults of merchants", sql: "select id, fault from merchants where fault <> '' order by id",
		scan: func(r Row) row { return row{r.Text(), dialled(r.Text())} },
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	faults := make(map[string]sandbox.Dial, len(rows))
	for _, r := range rows {
		faults[r.merchant] = r.dial
	}
	return faults, nil
}

// fault writes a dial into its column: ” for none, so that an index of those who have one is small.
func fault(d sandbox.Dial) string {
	if d == (sandbox.Dial{}) {
		return ""
	}
	return d.String()
}

// dialled reads the column. A fault of another release, which this one does not know, strikes nobody.
func dialled(text string) sandbox.Dial {
	d, err := sandbox.ParseDial(text)
	if err != nil {
		return sandbox.Dial{}
	}
	return d
}
