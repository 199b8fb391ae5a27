package postgres

import (
	"context"
	"fmt"

	"plexy/internal/storage/sqlstore"
)

// SweepEvents forgets old events, one server at a time and never beside a numbering.
//
// Which records are new is known by the snapshot of the last numbering. After a restore into a new server it
// is asked one by one instead which records have an event, and there what was swept must not look new: see
// unnumberedSQL, which takes a merchant's records up to the time of the latest swept one for numbered. So
// nothing is swept while a record as old waits for its number, nor before the numbering after a restore.
func (s *Store) SweepEvents(ctx context.Context, before int64, limit int) (swept int, err error) {
	var old []sqlstore.OldFeed
	err = s.Read(ctx, func(db sqlstore.DB) (err error) {
		old, err = sqlstore.OldFeeds(ctx, db, before, 1)
		return err
	})
	if err == nil && len(old) > 0 {
		err = s.Write(ctx, func(db sqlstore.DB) error {
			waits := false
			err := db.Query(ctx, lockSQL, nil, func(sqlstore.Row) error { return nil })
			if err == nil {
				err = db.Query(ctx, waitsSQL, []any{before}, func(r sqlstore.Row) error {
					waits = r.Bool()
					return nil
				})
			}
			if err == nil && !waits {
				swept, err = sqlstore.SweepEvents(ctx, db, before, limit)
			}
			return err
		})
	}
	if err != nil {
		return 0, fmt.Errorf("sweep events: %w", err)
	}
	return swept, nil
}

const (
	lockSQL = `select one from event_progress where one = 1 for update`

	// waitsSQL says whether a record older than $1 waits for its number, or the ids are of another server.
	waitsSQL = `select exists (select 1 from journal j, event_progress p where ` + newer + ` and j.at < $1)
	or pg_snapshot_xmax(pg_current_snapshot()) < pg_snapshot_xmax(p.snapshot::pg_snapshot)
	from event_progress p`
)
