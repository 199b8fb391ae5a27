package sqlite

import (
	"context"
	"fmt"

	"plexy/internal/core/journal"
	"plexy/internal/core/payment"
	"plexy/internal/event"
	"plexy/internal/storage/sqlstore"
)

// unnumbered is a record that has no number yet.
type unnumbered struct {
	row    int64
	record journal.Record // only what names the event
	// of says of a payment who is to be told; zero of anything else.
	of payment.Facts
}

// Number numbers records in the order of their rows, which is the order of their commits: there is one writer
// at a time. It looks on a reading connection first, so that nobody waits for nothing.
func (s *Store) Number(ctx context.Context, at int64, limit int) (int, error) {
	behind := false
	err := s.Read(ctx, func(db sqlstore.DB) error {
		return db.Query(ctx, "select coalesce((select max(rowid) from journal), 0) > position from event_progress",
			nil, func(r sqlstore.Row) error {
				behind = r.Bool()
				return nil
			})
	})
	if err != nil || !behind {
		return 0, err
	}
	for {
		numbered, more := 0, false
		err = s.Aside(ctx, func(db sqlstore.DB) (err error) {
			numbered, more, err = number(ctx, db, at, limit)
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("number events: %w", err)
		}
		if numbered > 0 || !more { // else it was all the platform's own, and what comes next may not be
			return numbered, nil
		}
	}
}

// Mark does nothing: Number numbers as many as it is told.
func (s *Store) Mark(context.Context) error { return nil }

// number numbers what is among the next records, limit of them at most, and reports whether there are more.
func number(ctx context.Context, db sqlstore.DB, at int64, limit int) (numbered int, more bool, err error) {
	var rows []unnumbered
	err = db.Query(ctx, "select j.rowid, j.merchant_id, j.object_id, j.sequence, j.type, j.state, "+
		"coalesce(p.callback_url, ''), coalesce(p.session_id, ''), coalesce(p.kind, '') from journal j "+
		"left join payments p on p.id = j.object_id and p.callback_url <> '' "+
		"where j.rowid > (select position from event_progress) order by j.rowid limit $1", []any{int64(limit)},
		func(r sqlstore.Row) error {
			rows = append(rows, unnumbered{r.Int64(), journal.Record{
				Merchant: r.Text(), Object: r.Text(), Sequence: r.Int64(), Type: journal.Type(r.Text()),
				After: journal.After{State: r.Text()},
			}, payment.Facts{CallbackURL: r.Text(), Session: r.Text(), Kind: payment.Kind(r.Text())}})
			return nil
		})
	if err != nil || len(rows) == 0 {
		return 0, false, err
	}
	feeds := map[string]*feed{}
	for _, row := range rows {
		if row.record.Merchant == "" {
			continue // the platform's own
		}
		f := feeds[row.record.Merchant]
		if f == nil {
			if f, err = openFeed(ctx, db, row.record.Merchant); err != nil {
				return 0, false, err
			}
			feeds[row.record.Merchant] = f
		}
		if err := f.add(ctx, db, row, at); err != nil {
			return 0, false, err
		}
		numbered++
	}
	for merchant, f := range feeds {
		_, err := db.Exec(ctx, "insert into event_counters (merchant_id, number) values ($1, $2) "+
			"on conflict (merchant_id) do update set number = excluded.number", []any{merchant, f.number})
		if err != nil {
			return 0, false, err
		}
	}
	_, err = db.Exec(ctx, "update event_progress set position = $1", []any{rows[len(rows)-1].row})
	return numbered, len(rows) == limit, err
}

// feed is one merchant's events as far as they are numbered, and who is told of them.
type feed struct {
	number    int64
	endpoints []event.Endpoint
	callbacks event.Endpoint // its ID is "" while it was not written
}

func openFeed(ctx context.Context, db sqlstore.DB, merchant string) (*feed, error) {
	f := &feed{}
	err := db.Query(ctx, "select number from event_counters where merchant_id = $1", []any{merchant},
		func(r sqlstore.Row) error {
			f.number = r.Int64()
			return nil
		})
	if err != nil {
		return nil, err
	}
	return f, db.Query(ctx, "select "+sqlstore.EndpointColumns+" from webhook_endpoints "+
		"where merchant_id = $1 and state = 'enabled'", []any{merchant}, func(r sqlstore.Row) error {
		if e := sqlstore.ScanEndpoint(r); e.Callbacks() {
			f.callbacks = e
		} else {
			f.endpoints = append(f.endpoints, e)
		}
		return nil
	})
}

func (f *feed) add(ctx context.Context, db sqlstore.DB, row unnumbered, at int64) error {
	f.number++
	r := row.record
	_, err := db.Exec(ctx, "insert into events (merchant_id, number, object_id, sequence) "+
		"values ($1, $2, $3, $4)", []any{r.Merchant, f.number, r.Object, r.Sequence})
	for i := range f.endpoints {
		if err != nil {
			return err
		}
		if e := &f.endpoints[i]; e.Wants(r.Event()) {
			err = sqlstore.InsertDelivery(ctx, db, event.NewDelivery(*e, f.number, r, at))
		}
	}
	if err != nil || row.of.CallbackURL == "" {
		return err
	}
	d, ok := event.NewCallback(event.NewCallbacks(r.Merchant, at), f.number, r, row.of, at)
	if !ok {
		return nil
	}
	if f.callbacks.ID == "" {
		f.callbacks = event.NewCallbacks(r.Merchant, at)
		if err := sqlstore.InsertEndpoint(ctx, db, f.callbacks); err != nil {
			return err
		}
	}
	return sqlstore.InsertDelivery(ctx, db, d)
}
