package postgres

import (
	"context"
	"fmt"
	"sync"

	"plexy/internal/storage"
	"plexy/internal/storage/sqlstore"
)

// mostMarks bounds how many snapshots are remembered. Beyond that every other one is forgotten.
const mostMarks = 1024

// marks are snapshots of the past, oldest first: where the next numberings stop, one after the other.
type marks struct {
	mu  sync.Mutex
	all []string
}

// Mark remembers what can be seen now, so that a later Number stops here and not at all there is by then.
func (s *Store) Mark(ctx context.Context) error {
	now := ""
	err := s.Read(ctx, func(db sqlstore.DB) error {
		return db.Query(ctx, "select pg_current_snapshot()::text", nil, func(r sqlstore.Row) error {
			now = r.Text()
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("remember what can be seen: %w", err)
	}
	s.marks.add(now)
	return nil
}

func (m *marks) add(snapshot string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.all)
	if n > 0 && m.all[n-1] == snapshot {
		return
	}
	if n == mostMarks {
		for i := range n / 2 {
			m.all[i] = m.all[2*i+1]
		}
		m.all = m.all[:n/2]
	}
	m.all = append(m.all, snapshot)
}

// next takes the oldest; "" when there is none.
func (m *marks) next() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.all) == 0 {
		return ""
	}
	oldest := m.all[0]
	m.all = m.all[1:]
	return oldest
}

func (m *marks) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = nil
}

// Number numbers every record that could be seen at the next mark, or can be seen now when there is none,
// and could not be seen when events were numbered last; and so on to further marks, until they are limit.
//
// Transactions commit in another order than they begin in, so no counter of rows tells which are new. What
// the last numbering could see does: its snapshot is kept, and a record is new when the transaction that
// wrote it was not visible in it. Whoever can see an object's later record can see the ones before it, since
// it was written under the lock of the same wallet or payment; so both are numbered now, in order of
// sequence, or the earlier one was numbered before. Only one server numbers at a time: the others pass by.
//
// A long transaction elsewhere in the database delays nothing: the snapshot says which are under way, not
// only which is the oldest.
func (s *Store) Number(ctx context.Context, at int64, limit int) (int, error) {
	var behind, restored bool
	err := s.Read(ctx, func(db sqlstore.DB) error {
		return db.Query(ctx, lookSQL, nil, func(r sqlstore.Row) error {
			behind, restored = r.Bool(), r.Bool()
			return nil
		})
	})
	if err != nil || !behind && !restored {
		s.marks.clear()
		return 0, err
	}
	if restored {
		s.marks.clear()
		return s.number(ctx, at, "", true)
	}
	for numbered := 0; ; {
		mark := s.marks.next()
		n, err := s.number(ctx, at, mark, false)
		if numbered += n; err != nil || numbered >= limit || mark == "" {
			return numbered, err
		}
	}
}

// number numbers what could be seen at the mark, unless another server has come further.
func (s *Store) number(ctx context.Context, at int64, mark string, restored bool) (int, error) {
	numbered := int64(0)
	err := s.Write(ctx, func(db sqlstore.DB) error {
		locked := false
		err := db.Query(ctx, "select one from event_progress where one = 1 for update skip locked", nil,
			func(sqlstore.Row) error {
				locked = true
				return nil
			})
		if err != nil || !locked {
			return err
		}
		sql := numberSQL(freshSQL, " where t.ahead")
		if restored {
			if _, err := db.Exec(ctx, forgetSQL, nil); err != nil {
				return err
			}
			sql = numberSQL(unnumberedSQL, "")
		}
		numbered, err = db.Exec(ctx, sql, []any{at, mark})
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("number events: %w", err)
	}
	return int(numbered), nil
}

var _ storage.Outbox = (*Store)(nil)

// lookSQL says whether there is anything new, without writing; and whether the ids of transactions run behind
// those that were seen already, as they do after the database was restored into a new server.
const lookSQL = `select
	exists (select 1 from journal j, event_progress p where ` + newer + `),
	pg_snapshot_xmax(pg_current_snapshot()) < pg_snapshot_xmax(p.snapshot::pg_snapshot)
	from event_progress p`

const newer = `j.xid >= pg_snapshot_xmin(p.snapshot::pg_snapshot)
	and not pg_visible_in_snapshot(j.xid, p.snapshot::pg_snapshot) and j.merchant_id <> ''`

// Between the last numbering and the mark. A mark at which less could be seen than was numbered already, by
// another server, gives nothing and moves nothing.
const freshSQL = `select j.* from journal j, event_progress p, target t
	where t.ahead and j.xid < pg_snapshot_xmax(t.snapshot) and pg_visible_in_snapshot(j.xid, t.snapshot)
	and ` + newer

// After a restore the ids in the journal are of another server: they say nothing here and are forgotten, and
// which records have a number is asked one by one, once.
const (
	forgetSQL = `update journal set xid = '0' where xid <> '0'`

	unnumberedSQL = `select j.* from journal j where j.merchant_id <> '' and not exists (
		select 1 from events e where e.object_id = j.object_id and e.sequence = j.sequence)
		and not exists (select 1 from event_floors f where f.merchant_id = j.merchant_id and j.at <= f.swept_at)`
)

// calledSQL finds the address that the payment of an event names, if it is to hear of it: the condition is
// event.NewCallback's. The index that it looks into holds only payments that name one.
const calledSQL = `select c.callback_url from payments c where c.id = n.object_id and c.callback_url <> ''
	and (c.session_id = '' or n.type in ('charged', 'rejected', 'failed')
		or n.type = 'authorized' and c.kind <> 'sale') limit 1`

// numberSQL numbers the given records in one statement, so that all of it sees what the snapshot that it
// keeps could see. $1 is when deliveries are due, $2 the mark. The clocks of two servers may disagree, so an
// object's time is made to grow with its sequence.
func numberSQL(records, moving string) string {
	return `with target as materialized (
		select t.snapshot, pg_snapshot_xmax(t.snapshot) >= pg_snapshot_xmax(p.snapshot::pg_snapshot)
			and not exists (select 1 from pg_snapshot_xip(t.snapshot) x
				where pg_visible_in_snapshot(x, p.snapshot::pg_snapshot)) as ahead
		from event_progress p, (
			select case when $2::text = '' then pg_current_snapshot() else $2::text::pg_snapshot end as snapshot) t
	), fresh as (
		select merchant_id, object_id, sequence,
			case when object_id like 'wt\_%' then 'wallet.transaction.' || type
				when object_id like 'wlt\_%' then 'wallet.' || type else 'transaction.' || state end as name,
			max(at) over (partition by object_id order by sequence) as at, type
		from (` + records + `) j
	), counters as (
		insert into event_counters as c (merchant_id, number)
		select merchant_id, count(*) from fresh group by merchant_id order by merchant_id
		on conflict (merchant_id) do update set number = c.number + excluded.number
		returning merchant_id, number
	), numbered as materialized (
		select f.merchant_id, f.object_id, f.sequence, f.name, f.type,
			c.number + 1 - row_number() over (
				partition by f.merchant_id order by f.at desc, f.object_id desc, f.sequence desc) as number
		from fresh f join counters c on c.merchant_id = f.merchant_id
	), called as materialized (
		select n.*, p.callback_url, split_part(n.merchant_id, '_', 2) as ulid
		from numbered n cross join lateral (` + calledSQL + `) p where n.name like 'transaction.%'
	), callers as (
		insert into webhook_endpoints (id, merchant_id, url, event_types, ordered, state, why, secret,
			previous_until, created_at, updated_at)
		select distinct 'whc_' || ulid, merchant_id, '', '', true, 'enabled', '', 1, 0, $1::bigint, $1::bigint
		from called on conflict (id) do nothing
	), told as (
		insert into deliveries (` + sqlstore.DeliveryColumns + `)
		select 'whd_' || split_part(e.id, '_', 2) || '_' || lpad(n.number::text, 16, '0'), e.id, e.merchant_id,
			n.number, n.object_id, n.sequence, n.name, 'waiting', 0, 0, $1, false, false, ''::bytea, $1, $1, ''
		from numbered n join webhook_endpoints e on e.merchant_id = n.merchant_id and e.state = 'enabled'
			and substr(e.id, 1, 4) <> 'whc_'
			and (e.event_types = '' or n.name = any (string_to_array(e.event_types, ' ')))
		union all
		select 'whd_' || c.ulid || '_' || lpad(c.number::text, 16, '0'), 'whc_' || c.ulid, c.merchant_id,
			c.number, c.object_id, c.sequence, c.name, 'waiting', 0, 0, $1, false, false, ''::bytea, $1, $1,
			c.callback_url
		from called c
	), progress as (
		update event_progress set snapshot = t.snapshot::text from target t` + moving + `
	)
	insert into events (merchant_id, number, object_id, sequence)
	select merchant_id, number, object_id, sequence from numbered`
}
