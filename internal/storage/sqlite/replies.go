package sqlite

import (
	"context"
	"fmt"

	"plexy/internal/storage/sqlstore"
)

const insertReplies = "insert or rollback into idempotency (scope, key, book, fingerprint, status, body, " +
	"request_id, created_at) values"

// saveReplies appends the replies of the batch. A reply that was kept under the same key and is too old
// to count is deleted afterwards, so that a key has one row.
func (b *batch) saveReplies(ctx context.Context) error {
	keys := b.state.Changes.Replies
	if len(keys) == 0 {
		return nil
	}
	err := b.w.hot.replies.insert(b.w.hot, len(keys), func(q *stmt, base, i int) {
		k := keys[i]
		stored := b.state.Replies[k]
		q.text(base+1, k.Scope)
		q.text(base+2, k.Key)
		q.int(base+3, sqlstore.HashBook(k.Scope, k.Key))
		q.bytes(base+4, stored.Fingerprint[:])
		q.int(base+5, int64(stored.Reply.Status))
		q.bytes(base+6, stored.Reply.Body)
		q.text(base+7, stored.RequestID)
		q.int(base+8, stored.At)
	})
	if err != nil {
		return fmt.Errorf("insert replies: %w", err)
	}
	// SQLite numbers new rows from the highest on, one by one, and nobody else writes now.
	last := b.w.link.conn.LastInsertRowID()
	for i, k := range keys {
		b.appended = append(b.appended, entry{b.w.window.hash(k), last - int64(len(keys)-1-i)})
		if old, ok := b.stored[k]; ok {
			_, err := b.w.link.Exec(ctx, "delete from idempotency where row = $1", []any{old})
			if err != nil {
				return fmt.Errorf("delete a reply that is too old: %w", err)
			}
		}
	}
	return nil
}

// The size of the slice of a closing run that is written with a batch: small enough not to be felt, and
// in any case faster than new keys arrive.
const (
	smallestSlice = 64
	slicePerReply = 4
)

// insertEntries may find its rows: they were written before a crash that came before the filter.
const insertEntries = "insert or ignore into idempotency_hashes (run, hash, row) values"

// saveIndex writes the next slice of the run that is being closed, or its filter after the last one.
// Only the owner does: others keep the keys in memory for as long as they live.
func (b *batch) saveIndex(ctx context.Context) error {
	w := b.w
	if w.s.owner == nil || !w.window.loaded {
		return nil
	}
	c := w.window.close()
	if c == nil {
		return nil
	}
	slice := c.slice(max(smallestSlice, slicePerReply*len(b.appended)))
	err := w.hot.entries.insert(w.hot, len(slice), func(q *stmt, base, i int) {
		q.int(base+1, c.number)
		q.int(base+2, int64(slice[i].hash))
		q.int(base+3, slice[i].row)
		c.filter.Add(filterKey(slice[i].hash))
	})
	if err != nil {
		return fmt.Errorf("index idempotency keys: %w", err)
	}
	b.indexed = len(slice)
	if len(slice) > 0 {
		return nil
	}
	filter, err := c.filter.MarshalBinary()
	if err != nil {
		return fmt.Errorf("write the filter of a run: %w", err)
	}
	_, err = w.link.Exec(ctx, "insert into idempotency_runs (run, last_row, filter) values ($1, $2, $3)",
		[]any{c.number, c.lastRow, filter})
	if err != nil {
		return fmt.Errorf("seal a run of idempotency keys: %w", err)
	}
	b.sealed = true
	return nil
}

// keep puts what the batch wrote into memory, now that it is committed.
func (b *batch) keep() {
	w := b.w
	changes := &b.state.Changes
	b.keepStates()
	for _, id := range changes.Wallets {
		w.memory.people.replace(b.state.Wallets[id])
	}
	for _, id := range changes.NewWallets {
		w.memory.people.forget(b.state.Wallets[id].Customer)
	}
	for _, id := range changes.Customers {
		w.memory.people.forget(id)
	}
	for account, a := range b.stripes {
		remember(w.memory.stripes, account, a)
	}
	if !w.window.loaded {
		return
	}
	if c := w.window.closing; c != nil {
		c.done += b.indexed
		if b.sealed {
			w.window.seal()
		}
	}
	for _, e := range b.appended {
		w.window.add(e.hash, e.row)
	}
}

// SweepReplies deletes at most limit replies from before the given time (microseconds) among the oldest
// ones and says how many; the newest reply stays, so that row numbers never come again. Runs of the index
// of which no reply is left go too, with at most as many of their entries at a time.
func (s *Store) SweepReplies(ctx context.Context, before int64, limit int) (int, error) {
	w := s.writer
	if err := w.take(ctx); err != nil {
		return 0, err
	}
	defer w.give()
	swept, dropped := int64(0), int64(0)
	err := w.transact(ctx, func() (err error) {
		swept, err = w.link.Exec(ctx, "delete from idempotency where created_at < $1 and row in "+
			"(select row from idempotency order by row limit $2) and row < (select max(row) from idempotency)",
			[]any{before, int64(limit)})
		if err != nil {
			return fmt.Errorf("delete replies: %w", err)
		}
		dropped, err = w.sweepRuns(ctx, limit)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("sweep replies: %w", err)
	}
	w.window.drop(dropped)
	return int(swept), nil
}

// sweepRuns deletes the runs whose rows are all gone and returns the number of the last one that is gone.
// The newest run always stays, so that numbers never come again.
func (w *writer) sweepRuns(ctx context.Context, limit int) (int64, error) {
	last, err := first(w.link, "select coalesce(max(run), 0) from idempotency_runs where last_row < "+
		"coalesce((select min(row) from idempotency), 9223372036854775807) "+
		"and run < (select max(run) from idempotency_runs)", sqlstore.Row.Int64)
	if err != nil {
		return 0, fmt.Errorf("find the runs that are empty: %w", err)
	}
	if _, err := w.link.Exec(ctx, "delete from idempotency_runs where run <= $1", []any{last}); err != nil {
		return 0, fmt.Errorf("delete runs: %w", err)
	}
	_, err = w.link.Exec(ctx, "delete from idempotency_hashes where (run, hash, row) in (select run, hash, row "+
		"from idempotency_hashes where run < (select min(run) from idempotency_runs) limit $1)",
		[]any{int64(limit)})
	if err != nil {
		return 0, fmt.Errorf("delete the index of old runs: %w", err)
	}
	return last, nil
}
