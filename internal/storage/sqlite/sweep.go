package sqlite

import (
	"context"
	"fmt"

	"plexy/internal/storage/sqlstore"
)

// SweepEvents forgets old events. What is new is known by the rows of the journal, not by the events, so
// nothing that is swept is numbered again. It takes the writer's turn only when there is something.
func (s *Store) SweepEvents(ctx context.Context, before int64, limit int) (swept int, err error) {
	var old []sqlstore.OldFeed
	err = s.Read(ctx, func(db sqlstore.DB) (err error) {
		old, err = sqlstore.OldFeeds(ctx, db, before, 1)
		return err
	})
	if err == nil && len(old) > 0 {
		err = s.Aside(ctx, func(db sqlstore.DB) (err error) {
			swept, err = sqlstore.SweepEvents(ctx, db, before, limit)
			return err
		})
	}
	if err != nil {
		return 0, fmt.Errorf("sweep events: %w", err)
	}
	return swept, nil
}
