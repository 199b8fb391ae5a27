package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"plexy/internal/core/machine"
	"plexy/internal/storage"
	"plexy/internal/storage/sqlstore"
)

// Read runs fn on a connection of the pool. The doors' reads go through it.
func (s *Store) Read(ctx context.Context, fn func(sqlstore.DB) error) error {
	return s.with(ctx, func(db *db) error { return fn(db) })
}

// Write runs fn in one durable transaction on a connection of the pool and rolls it back when fn fails.
func (s *Store) Write(ctx context.Context, fn func(sqlstore.DB) error) error {
	return s.with(ctx, func(db *db) error {
		return db.transaction(ctx, func() error { return fn(db) })
	})
}

// Aside is Write: nothing is remembered of any table.
func (s *Store) Aside(ctx context.Context, fn func(sqlstore.DB) error) error { return s.Write(ctx, fn) }

// VaultGeneration returns that of the vault's keys and locks it against a rotation.
func (s *Store) VaultGeneration(ctx context.Context, db sqlstore.DB) (int64, error) {
	const sql = "select vault_generation from installation where one = 1 for share"
	generation := int64(0)
	err := db.Query(ctx, sql, nil, func(r sqlstore.Row) error {
		generation = r.Int64()
		return nil
	})
	return generation, err
}

// Snapshot runs fn over one unchanging view of the books.
func (s *Store) Snapshot(ctx context.Context, fn func(context.Context, storage.Books) error) error {
	return s.with(ctx, func(db *db) error {
		if err := db.run(ctx, "begin isolation level repeatable read read only"); err != nil {
			return fmt.Errorf("begin a snapshot: %w", err)
		}
		// The view is taken by the first statement, not by begin.
		err := db.run(ctx, "select 1")
		if err == nil {
			err = fn(ctx, books{sqlstore.Books{DB: db}})
		}
		return errors.Join(err, db.rollback())
	})
}

// with lends a connection of the pool.
func (s *Store) with(ctx context.Context, fn func(*db) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("%w: wait for a connection: %w", storage.ErrUnavailable, err)
	}
	defer conn.Release() // the pool closes a connection that is broken or still in a transaction
	err = fn(&db{conn.Conn()})
	return sorted(err, conn.Conn().IsClosed())
}

// db is one connection of the pool, as the shared half of the keepers uses it.
type db struct{ conn *pgx.Conn }

// Query calls fn for every row of the statement.
func (d *db) Query(ctx context.Context, sql string, args []any, fn func(sqlstore.Row) error) error {
	rows, err := d.conn.Query(ctx, sql, append([]any{pgx.QueryResultFormats(binary1)}, given(args)...)...)
	if err != nil {
		return d.sorted(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(&line{values: rows.RawValues()}); err != nil {
			return err
		}
	}
	return d.sorted(rows.Err())
}

// Exec runs the statement and says how many rows it changed.
func (d *db) Exec(ctx context.Context, sql string, args []any) (int64, error) {
	tag, err := d.conn.Exec(ctx, sql, given(args)...)
	return tag.RowsAffected(), d.sorted(err)
}

// given makes nil bytes empty: they would be null otherwise.
func given(args []any) []any {
	args = slices.Clone(args)
	for i, arg := range args {
		if b, ok := arg.([]byte); ok {
			args[i] = filled(b)
		}
	}
	return args
}

func (d *db) sorted(err error) error { return sorted(err, d.conn.IsClosed()) }

// transaction runs fn in one durable transaction and rolls it back when fn fails.
func (d *db) transaction(ctx context.Context, fn func() error) error {
	if err := d.run(ctx, "begin isolation level read committed read write"); err != nil {
		return err
	}
	if err := fn(); err != nil {
		return errors.Join(err, d.rollback())
	}
	err := d.run(ctx, "commit")
	if err != nil && !refused(err) {
		return fmt.Errorf("%w: commit: %w", storage.ErrUncertain, err)
	}
	return err
}

func (d *db) run(ctx context.Context, sql string) error {
	_, err := d.conn.Exec(ctx, sql)
	return err
}

// rollback ends the transaction under way; a connection that is gone has ended it already.
func (d *db) rollback() error {
	if d.conn.IsClosed() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	return d.run(ctx, "rollback")
}

// books adds the walk over the replies.
type books struct{ sqlstore.Books }

// Replies walks in order of scope and key.
func (b books) Replies(ctx context.Context, fn func(machine.ReplyKey, machine.Stored) error) error {
	type reply struct {
		key    machine.ReplyKey
		stored machine.Stored
	}
	for last := (machine.ReplyKey{}); ; {
		var page []reply
		err := b.DB.Query(ctx, "select "+sqlstore.ReplyColumns+" from idempotency "+
			"where (scope, key) > ($1, $2) order by scope, key limit $3",
			[]any{last.Scope, last.Key, int64(sqlstore.Page)}, func(r sqlstore.Row) error {
				var one reply
				one.key, one.stored = sqlstore.ScanReply(r)
				page = append(page, one)
				return nil
			})
		if err != nil {
			return fmt.Errorf("walk the replies: %w", err)
		}
		for _, one := range page {
			if err := fn(one.key, one.stored); err != nil {
				return err
			}
			last = one.key
		}
		if len(page) < sqlstore.Page {
			return nil
		}
	}
}

// SweepReplies deletes at most limit replies older than before (microseconds) and says how many. Replies
// that a batch is replacing at this moment are left to it.
func (s *Store) SweepReplies(ctx context.Context, before int64, limit int) (int, error) {
	swept := int64(0)
	err := s.Write(ctx, func(db sqlstore.DB) (err error) {
		swept, err = db.Exec(ctx, "delete from idempotency where ctid = any(array("+
			"select ctid from idempotency where created_at < $1 limit $2 for update skip locked))",
			[]any{before, int64(limit)})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("sweep replies: %w", err)
	}
	return int(swept), nil
}
