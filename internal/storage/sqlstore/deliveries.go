package sqlstore

import (
	"context"
	"slices"
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/event"
	"plexy/internal/storage"
)

// Own renews and makes claims. It writes only when there is something to: nothing waits for the disk while
// nothing is to be sent.
func (s *Store) Own(ctx context.Context, c storage.Claim) error {
	const ours = "owner = $1 and owned_until < $2 and exists (select 1 from deliveries d " +
		"where d.endpoint_id = webhook_endpoints.id and d.state = 'waiting')"
	const free = "owner <> $1 and owned_until <= $2 and state = 'enabled' and exists (select 1 " +
		"from deliveries d where d.endpoint_id = webhook_endpoints.id and d.state = 'waiting' and d.due_at <= $3)"
	half := c.Now + (c.Until-c.Now)/2 // a claim is renewed when half of it is over
	wanted := false
	err := s.engine.Read(ctx, func(db DB) error {
		n, err := one(ctx, db, "select (select count(*) from webhook_endpoints where "+ours+")",
			[]any{c.Owner, half}, Row.Int64)
		if err != nil {
			return err
		}
		m, err := one(ctx, db, "select (select count(*) from webhook_endpoints where "+free+")",
			[]any{c.Owner, c.Now, c.DueAt}, Row.Int64)
		wanted = n+m > 0
		return err
	})
	if err != nil || !wanted {
		return wrap("look for endpoints", err)
	}
	return s.aside(ctx, "claim endpoints", func(db DB) error {
		_, err := db.Exec(ctx, "update webhook_endpoints set owned_until = $3 where "+ours,
			[]any{c.Owner, half, c.Until})
		if err != nil {
			return err
		}
		_, err = db.Exec(ctx, "update webhook_endpoints set owner = $1, owned_until = $4 where "+free,
			[]any{c.Owner, c.Now, c.DueAt, c.Until})
		return err
	})
}

// Disown ends every claim of the owner.
func (s *Store) Disown(ctx context.Context, owner string) error {
	return s.aside(ctx, "give endpoints back", func(db DB) error {
		_, err := db.Exec(ctx, "update webhook_endpoints set owner = '', owned_until = 0 where owner = $1",
			[]any{owner})
		return err
	})
}

// Owned returns the enabled endpoints that the owner owns.
func (s *Store) Owned(ctx context.Context, owner string, now int64) ([]storage.Work, error) {
	return readAll(ctx, s, query[storage.Work]{
		what: "list the endpoints with work",
		sql: "select " + Of("e", EndpointColumns) + ", coalesce((select min(d.due_at) from deliveries d " +
			"where d.endpoint_id = e.id and d.state = 'waiting'), 0) from webhook_endpoints e " +
			"where e.owner = $1 and e.owned_until > $2 and e.state = 'enabled' order by e.id",
		args: []any{owner, now},
		scan: func(r Row) storage.Work { return storage.Work{Endpoint: ScanEndpoint(r), NextDue: r.Int64()} },
	})
}

// DueDeliveries returns the deliveries of the endpoint that wait and are due.
func (s *Store) DueDeliveries(
	ctx context.Context, endpoint string, at int64, limit int,
) ([]storage.Due, error) {
	var found []storage.Due
	err := s.engine.Read(ctx, func(db DB) (err error) {
		found, err = all(ctx, db, "select "+Of("d", DeliveryColumns)+", "+
			"coalesce((select max(p.number) from deliveries p where p.object_id = d.object_id "+
			"and p.sequence < d.sequence and p.endpoint_id = d.endpoint_id and p.state = 'waiting'), d.number) "+
			"from deliveries d where d.endpoint_id = $1 and d.state = 'waiting' and d.due_at <= $2 "+
			"order by d.due_at, d.id limit $3", []any{endpoint, at, int64(limit)},
			func(r Row) storage.Due { return storage.Due{Delivery: ScanDelivery(r), Behind: r.Int64()} })
		if err != nil {
			return err
		}
		return addEvents(ctx, db, found)
	})
	return found, wrap("list the deliveries that are due", err)
}

// atOnce are the sizes of the lists of events that are read in one statement: a short list is filled up to
// the next one with what it has, so that there are few statements to plan.
var atOnce = []int{1, 8, 64}

// addEvents reads the events of deliveries that have no body yet or have an address of their own, those of
// wallets and of payments apart.
func addEvents(ctx context.Context, db DB, found []storage.Due) error {
	var transactions, payments []*storage.Due
	for i := range found {
		d := &found[i]
		switch _, isPayment := paymentBook(d.Delivery.Object); {
		case len(d.Delivery.Body) > 0 && d.Delivery.URL == "" || d.Delivery.Object == "":
		case isPayment:
			payments = append(payments, d)
		default:
			transactions = append(transactions, d)
		}
	}
	if err := addEventsOf(ctx, db, ofTransactions, transactions); err != nil {
		return err
	}
	return addEventsOf(ctx, db, ofPayments, payments)
}

func addEventsOf(ctx context.Context, db DB, kind eventKind, without []*storage.Due) error {
	for some := range slices.Chunk(without, atOnce[len(atOnce)-1]) {
		events := make(map[journal.Ref]event.Event, len(some))
		sql, args := eventsOf(kind, some)
		err := db.Query(ctx, sql, args, func(r Row) error {
			e := kind.scan(r)
			events[journal.Ref{Object: e.Record.Object, Sequence: e.Record.Sequence}] = e
			return nil
		})
		if err != nil {
			return err
		}
		for _, d := range some {
			ok := false
			d.Event, ok = events[journal.Ref{Object: d.Delivery.Object, Sequence: d.Delivery.Sequence}]
			if !ok {
				return storage.ErrNotFound
			}
			d.Event.Number = d.Delivery.Number
		}
	}
	return nil
}

// eventsOf is the statement that reads the events of deliveries, but for their numbers, and its arguments. It
// reads the records themselves: the feed may have swept the events meanwhile.
func eventsOf(kind eventKind, some []*storage.Due) (sql string, args []any) {
	size, _ := slices.BinarySearch(atOnce, len(some))
	var pairs strings.Builder
	for i := range atOnce[size] {
		d := some[min(i, len(some)-1)].Delivery
		if i > 0 {
			pairs.WriteString(", ")
		}
		pairs.WriteString("(" + Places(2*i+1, 1) + ", cast(" + Places(2*i+2, 1) + " as bigint))")
		args = append(args, d.Object, d.Sequence)
	}
	return "select cast(0 as bigint), " + kind.parts + " from journal j " + kind.join +
		"where (j.object_id, j.sequence) in (values " + pairs.String() + ")", args
}

// Finish writes what attempts came to.
func (s *Store) Finish(
	ctx context.Context, at int64, results []storage.Result, health []storage.Health,
) error {
	return s.aside(ctx, "finish deliveries", func(db DB) error {
		for i := range results {
			if err := FinishOne(ctx, db, at, &results[i]); err != nil {
				return err
			}
		}
		return FinishHealth(ctx, db, health)
	})
}

// FinishHealth writes what attempts showed of endpoints.
func FinishHealth(ctx context.Context, db DB, health []storage.Health) error {
	for _, h := range health {
		_, err := db.Exec(ctx, "update webhook_endpoints set failing_since = $1, "+
			"why = case when $2 = '' then why else $3 end, "+
			"revision = case when $4 = '' then revision else revision + 1 end, "+
			"state = case when $5 = '' then state else 'disabled' end where id = $6",
			[]any{h.FailingSince, h.Disable, h.Disable, h.Disable, h.Disable, h.Endpoint})
		if err != nil {
			return err
		}
	}
	return nil
}

// FinishOne writes what one attempt came to.
func FinishOne(ctx context.Context, db DB, at int64, r *storage.Result) error {
	d, a := &r.Delivery, &r.Attempt
	if a.Number == 0 && r.Later {
		_, err := db.Exec(ctx, "update deliveries set due_at = $1 where id = $2 and state = 'waiting'",
			[]any{d.DueAt, d.ID})
		return err
	}
	if a.Number == 0 { // put off, unless nothing is in the way any more
		_, err := db.Exec(ctx, "update deliveries set due_at = $1 where id = $2 and state = 'waiting' "+
			"and exists (select 1 from deliveries p where p.object_id = $3 and p.endpoint_id = $4 "+
			"and p.sequence < $5 and p.state = 'waiting')",
			[]any{d.DueAt, d.ID, d.Object, d.Endpoint, d.Sequence})
		return err
	}
	n, err := db.Exec(ctx, "update deliveries set state = $1, attempts = $2, due_at = $3, out_of_order = $4, "+
		"body = $5, updated_at = $6 where id = $7 and state = 'waiting' and attempts < $8",
		[]any{string(d.State), int64(d.Attempts), d.DueAt, d.OutOfOrder, d.Body, at, d.ID, int64(d.Attempts)})
	if err != nil || n == 0 { // somebody else has sent it, too
		return err
	}
	_, err = db.Exec(ctx, "insert into delivery_attempts ("+AttemptColumns+") values ("+Places(1, 7)+")",
		[]any{a.Delivery, int64(a.Number), a.At, a.Micros, int64(a.Status), a.Error, a.Response})
	if err != nil || !r.Unblock {
		return err
	}
	_, err = db.Exec(ctx, "update deliveries set due_at = $1 where object_id = $2 and endpoint_id = $3 "+
		"and state = 'waiting' and attempts = base and due_at > $4 and sequence = (select min(p.sequence) "+
		"from deliveries p where p.object_id = $5 and p.endpoint_id = $6 and p.state = 'waiting')",
		[]any{at, d.Object, d.Endpoint, at, d.Object, d.Endpoint})
	return err
}

// Delivery returns one delivery of an endpoint, or ErrNotFound.
func (s *Store) Delivery(ctx context.Context, endpoint, id string) (event.Delivery, error) {
	return readOne(ctx, s, query[event.Delivery]{
		what: "read a delivery",
		sql:  "select " + DeliveryColumns + " from deliveries where id = $1 and endpoint_id = $2",
		args: []any{id, endpoint}, scan: ScanDelivery,
	})
}

// DeliveriesOf returns deliveries of one endpoint, newest event first.
func (s *Store) DeliveriesOf(ctx context.Context, q storage.DeliveryQuery) ([]event.Delivery, error) {
	w := where{}
	first := event.DeliveryPrefix(q.Endpoint)
	w.add("id >= ", first)
	if q.Before == "" {
		q.Before = first + "~"
	}
	w.add("id < ", q.Before)
	w.add("endpoint_id = ", q.Endpoint)
	if q.State != "" {
		w.add("state = ", string(q.State))
	}
	return readAll(ctx, s, query[event.Delivery]{
		what: "list deliveries",
		sql: "select " + DeliveryColumns + " from deliveries where " + w.sql() +
			" order by id desc limit " + w.place(int64(q.Limit)),
		args: w.args, scan: ScanDelivery,
	})
}

// DeliveriesOfRecord returns every delivery of one event.
func (s *Store) DeliveriesOfRecord(ctx context.Context, ref journal.Ref) ([]event.Delivery, error) {
	return readAll(ctx, s, query[event.Delivery]{
		what: "list the deliveries of an event",
		sql: "select " + DeliveryColumns + " from deliveries where object_id = $1 and sequence = $2 " +
			"order by endpoint_id, id",
		args: []any{ref.Object, ref.Sequence}, scan: ScanDelivery,
	})
}

// AttemptsOf returns the attempts of a delivery, oldest first.
func (s *Store) AttemptsOf(ctx context.Context, delivery string) ([]event.Attempt, error) {
	return readAll(ctx, s, query[event.Attempt]{
		what: "list attempts",
		sql:  "select " + AttemptColumns + " from delivery_attempts where delivery_id = $1 order by number",
		args: []any{delivery}, scan: scanAttempt,
	})
}

// CreateDelivery writes a delivery.
func (s *Store) CreateDelivery(ctx context.Context, d event.Delivery) error {
	return s.aside(ctx, "create a delivery", func(db DB) error { return InsertDelivery(ctx, db, d) })
}

// InsertDelivery writes a delivery inside the caller's transaction.
func InsertDelivery(ctx context.Context, db DB, d event.Delivery) error {
	_, err := db.Exec(ctx, insertDelivery, deliveryArgs(d))
	return err
}

var insertDelivery = "insert into deliveries (" + DeliveryColumns + ") values (" + Places(1, 17) + ")"

func deliveryArgs(d event.Delivery) []any {
	return []any{d.ID, d.Endpoint, d.Merchant, d.Number, d.Object, d.Sequence, d.Name, string(d.State),
		int64(d.Attempts), int64(d.Base), d.DueAt, d.Replay, d.OutOfOrder, d.Body, d.CreatedAt, d.UpdatedAt, d.URL}
}

// Replay makes deliveries due again, and makes those that are missing.
func (s *Store) Replay(ctx context.Context, at int64, q storage.ReplayQuery) (n int, last int64, err error) {
	err = s.aside(ctx, "replay events", func(db DB) error {
		r := replay{ReplayQuery: q, db: db, at: at}
		if q.Dead {
			err = r.dead(ctx)
		} else {
			err = r.numbered(ctx)
		}
		n, last = r.n, r.last
		return err
	})
	return n, last, err
}

// replay is a replay under way.
type replay struct {
	storage.ReplayQuery
	db   DB
	at   int64
	n    int
	last int64
}

// again makes a delivery wait as a new one does.
const again = "state = 'waiting', base = attempts, replay = true, out_of_order = false, " +
	"due_at = $1, updated_at = $2"

func (r *replay) dead(ctx context.Context) error {
	dead, err := all(ctx, r.db, "select "+DeliveryColumns+" from deliveries where endpoint_id = $1 "+
		"and state = 'dead' and number >= $2 and number <= $3 order by id limit $4",
		[]any{r.Endpoint.ID, r.From, r.To, int64(r.Limit)}, ScanDelivery)
	for _, d := range dead {
		if err == nil {
			_, err = r.db.Exec(ctx, "update deliveries set "+again+" where id = $3", []any{r.at, r.at, d.ID})
		}
		r.n, r.last = r.n+1, d.Number
	}
	return err
}

func (r *replay) numbered(ctx context.Context) error {
	if r.Endpoint.Callbacks() {
		if err := InsertEndpoint(ctx, r.db, r.Endpoint); err != nil {
			return err
		}
	}
	events, err := between(ctx, r.db, numbers{r.Endpoint.Merchant, r.From, r.To}, r.Limit)
	if err != nil {
		return err
	}
	for _, e := range events {
		r.last = e.Number
		d, wanted := event.For(r.Endpoint, e, r.at)
		if !wanted {
			continue
		}
		changed, err := r.db.Exec(ctx, "update deliveries set "+again+" where id = $3 and state <> 'waiting'",
			[]any{r.at, r.at, d.ID})
		if err != nil {
			return err
		}
		if changed == 0 {
			d.Replay = true
			changed, err = r.db.Exec(ctx, insertDelivery+" on conflict (id) do nothing", deliveryArgs(d))
		}
		if err != nil {
			return err
		}
		r.n += int(changed)
	}
	return nil
}

// SweepDeliveries deletes what is finished and old.
func (s *Store) SweepDeliveries(ctx context.Context, before int64, limit int) (int, error) {
	swept := 0
	err := s.aside(ctx, "sweep deliveries", func(db DB) error {
		old, err := all(ctx, db, "select id from deliveries where state <> 'waiting' and updated_at < $1 limit $2",
			[]any{before, int64(limit)}, Row.Text)
		for _, id := range old {
			if err == nil {
				_, err = db.Exec(ctx, "delete from delivery_attempts where delivery_id = $1", []any{id})
			}
			if err == nil {
				_, err = db.Exec(ctx, "delete from deliveries where id = $1", []any{id})
			}
		}
		swept = len(old)
		return err
	})
	return swept, err
}
