package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/storage"
	"plexy/internal/storage/sqlstore"
)

// patience is how long a lost backend may take to end by itself before it is told to.
const patience = 500 * time.Millisecond

// settle finds out what became of a batch whose connection was lost after COMMIT may have been sent.
//
// It looks for the batch's own rows. If they are there, the batch is committed. If they are not, COMMIT
// may still be on its way to the server; so settle first makes sure that the server's process of the lost
// connection has ended (nothing can be committed by it from then on), and looks again. Absent then means
// never: the batch may run again.
//
// The rows that count are this attempt's own. They cannot be an earlier attempt's: an attempt is followed
// by another one only when it is known not to be committed. They cannot be another process's either: they
// carry the ids of our requests, audits and operations, which nobody else makes. A batch that made no row
// and changed some of card payments looks for those, by the time of the change: if somebody changed them
// again since, it is taken for not committed and runs again, which such instructions bear. Releases of lapsed
// holds carry no request; another process's release of the same hold is told apart by its time and its
// stripe, and if even those are the same, so is its effect.
//
// It returns nil for committed, ErrTransient for not committed, and ErrUncertain when ctx ends first.
func (b *batch) settle(ctx context.Context, cause error) error {
	lost, rows := b.session.who, b.evidence()
	uncertain := func(err error) error { // of no other class: err may say of itself that nothing was saved
		return fmt.Errorf("%w: the connection was lost in COMMIT: %w: %v", storage.ErrUncertain, cause, err)
	}
	if rows.count() == 0 {
		return uncertain(errors.New("it made no rows to look for"))
	}
	for pause, waited := firstPause, time.Duration(0); ; pause = min(2*pause, longestPause) {
		s, err := b.lane.connect(ctx)
		if err != nil {
			return uncertain(err)
		}
		// Gone first, then the rows: what is absent after the backend ended stays absent.
		gone, err := s.gone(ctx, lost, waited >= patience)
		if err == nil {
			var there bool
			if there, err = s.there(ctx, rows); err == nil && there {
				return nil
			}
		}
		switch {
		case err == nil && gone:
			return fmt.Errorf("%w: the connection was lost and the batch with it: %w", storage.ErrTransient, cause)
		case err != nil:
			b.lane.drop(s)
		}
		if !wait(ctx, pause) {
			return uncertain(ctx.Err())
		}
		waited += pause
	}
}

// gone reports whether the server's process has ended; with force it is asked to end.
func (s *session) gone(ctx context.Context, b backend, force bool) (bool, error) {
	const sql = `select case when $2 then pg_terminate_backend(a.pid) end from pg_stat_activity a
		where a.pid = ($1::bigint[])[1]
		and coalesce((extract(epoch from a.backend_start) * 1000000)::bigint = ($1::bigint[])[2], true)`
	alive := false
	flag := []byte{0}
	if force {
		flag[0] = 1
	}
	err := s.query(ctx, sql, [][]byte{int64Array([]int64{b.pid, b.started}), flag},
		func(sqlstore.Row) { alive = true })
	return !alive, err
}

// evidence is what identifies the rows of one attempt.
type evidence struct {
	records []journal.Record
	replies []machine.ReplyKey
	stored  map[machine.ReplyKey]machine.Stored
	audits  []machine.Audit
	stripe  int
	asked   []string         // ids of operations on payments
	made    []string         // ids of links
	changed map[string]int64 // ids of what else there is of card payments, where that is all: when it changed
}

func (b *batch) evidence() evidence {
	c := &b.saved.Changes
	e := evidence{
		records: c.Records, replies: c.Replies, stored: b.saved.Replies, audits: c.Audits,
		stripe: b.lane.stripeBook(), asked: c.NewOperations, made: c.NewLinks,
	}
	if e.count() > 0 {
		return e
	}
	e.changed = map[string]int64{}
	for _, id := range c.Links {
		e.changed[id] = b.saved.Links[id].UpdatedAt
	}
	for _, id := range c.Payments {
		e.changed[id] = b.saved.Payments[id].UpdatedAt
	}
	for _, id := range c.Operations {
		e.changed[id] = b.saved.Operations[id].UpdatedAt
	}
	return e
}

func (e evidence) count() int {
	return len(e.records) + len(e.replies) + len(e.audits) + len(e.asked) + len(e.made) + len(e.changed)
}

// there reports whether all rows of the evidence are in the database. A batch is atomic: it is all of
// them or none, and a part of them is somebody else's.
func (s *session) there(ctx context.Context, e evidence) (bool, error) {
	var objects, requests, keys, scopes, owners, audits []string
	var sequences, times, books, stamps []int64
	for _, r := range e.records {
		objects, requests = append(objects, r.Object), append(requests, r.Origin.RequestID)
		sequences, times = append(sequences, r.Sequence), append(times, r.At)
		if r.Posting.Moves() {
			books = append(books, int64(e.stripe))
		} else {
			books = append(books, 0)
		}
	}
	for _, k := range e.replies {
		scopes, keys = append(scopes, k.Scope), append(keys, k.Key)
		owners, stamps = append(owners, e.stored[k].RequestID), append(stamps, e.stored[k].At)
	}
	for _, a := range e.audits {
		audits = append(audits, a.ID)
	}
	var changed []string
	var changes []int64
	for id, at := range e.changed {
		changed, changes = append(changed, id), append(changes, at)
	}
	const sql = `select
		(select count(*) from unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::smallint[])
				r (object, sequence, at, request, stripe)
			join journal j on j.object_id = r.object and j.sequence = r.sequence and j.at = r.at
				and j.request_id = r.request and j.stripe_book = r.stripe)
		+ (select count(*) from unnest($6::text[], $7::text[], $8::text[], $9::bigint[]) k (scope, key, request, at)
			join idempotency i on i.scope = k.scope and i.key = k.key and i.request_id = k.request
				and i.created_at = k.at)
		+ (select count(*) from audits a where a.id = any($10::text[]))
		+ (select count(*) from payment_operations o where o.id = any($11::text[]))
		+ (select count(*) from payment_links l where l.id = any($12::text[]))
		+ (select count(*) from unnest($13::text[], $14::bigint[]) c (id, at), lateral (
			select id, updated_at from payment_links l where l.id = c.id
			union all select id, updated_at from payments p where p.id = c.id
			union all select id, updated_at from payment_operations o where o.id = c.id) now
			where now.updated_at = c.at)`
	found := int64(0)
	err := s.query(ctx, sql, [][]byte{
		textArray(objects), int64Array(sequences), int64Array(times), textArray(requests), smallArray(books),
		textArray(scopes), textArray(keys), textArray(owners), int64Array(stamps), textArray(audits),
		textArray(e.asked), textArray(e.made), textArray(changed), int64Array(changes),
	}, func(r sqlstore.Row) { found = r.Int64() })
	return err == nil && found == int64(e.count()), err
}
