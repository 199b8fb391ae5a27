package sqlstore

import (
	"context"
	"strings"

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

// BankRow returns a row of the pretend bank's memory, or ErrNotFound.
func (s *Store) BankRow(ctx context.Context, id string) (storage.BankRow, error) {
	return readOne(ctx, s, query[storage.BankRow]{
		what: "read the pretend bank's memory",
		sql:  "select id, version, body, over_at from sandbox_bank where id = $1",
		args: []any{id},
		scan: func(r Row) storage.BankRow {
			return storage.BankRow{ID: r.Text(), Version: r.Int64(), Body: r.Bytes(), OverAt: r.Int64()}
		},
	})
}

// bankRowsAtOnce bounds the rows of one statement. Statements have a power of two of them, so that there are
// few to prepare.
const bankRowsAtOnce = 64

// SaveBankRows writes those rows whose version follows the one that is there.
func (s *Store) SaveBankRows(ctx context.Context, rows []storage.BankRow) (saved []bool, err error) {
	saved = make([]bool, len(rows))
	if len(rows) == 0 {
		return saved, nil
	}
	done := make(map[string]bool, len(rows))
	err = s.aside(ctx, "write the pretend bank's memory", func(db DB) error {
		for left, n := rows, bankRowsAtOnce; len(left) > 0; left = left[n:] {
			for n > len(left) {
				n /= 2
			}
			if err := saveBankRows(ctx, db, left[:n], done); err != nil {
				return err
			}
		}
		return nil
	})
	for i, row := range rows {
		saved[i] = done[row.ID]
	}
	return saved, err
}

// SweepBank deletes rows that the bank is done with. It takes the writer's turn only when it found one.
func (s *Store) SweepBank(ctx context.Context, before int64, limit int) (int, error) {
	const over = "select b.id from sandbox_bank b where b.over_at > 0 and b.over_at < $1 and not exists (" +
		"select 1 from payment_operations o join payments p on p.id = o.payment_id and p.book = o.book " +
		"where o.id = b.id and p.open_operations > 0) order by b.over_at, b.id limit $2"
	args := []any{before, int64(limit)}
	ids, err := readAll(ctx, s, query[string]{
		what: "look for what the pretend bank is done with", sql: over, args: args, scan: Row.Text,
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	var n int64
	err = s.aside(ctx, "sweep the pretend bank's memory", func(db DB) (err error) {
		n, err = db.Exec(ctx, "delete from sandbox_bank where id in ("+over+")", args)
		return err
	})
	return int(n), err
}

// saveBankRows is one statement; done gets the ids of those that were written. A new row of a later version
// than 1 is one that was swept meanwhile.
func saveBankRows(ctx context.Context, db DB, rows []storage.BankRow, done map[string]bool) error {
	var sql strings.Builder
	sql.WriteString("insert into sandbox_bank (id, version, body, over_at) values ")
	var args []any
	for i, row := range rows {
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString("(" + Places(4*i+1, 4) + ")")
		args = append(args, row.ID, row.Version, row.Body, row.OverAt)
	}
	sql.WriteString(" on conflict (id) do update set version = excluded.version, body = excluded.body, " +
		"over_at = excluded.over_at where sandbox_bank.version = excluded.version - 1 returning id")
	return db.Query(ctx, sql.String(), args, func(r Row) error {
		done[r.Text()] = true
		return nil
	})
}
