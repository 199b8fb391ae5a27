package sqlstore

import (
	"context"

	"plexy/internal/event"
	"plexy/internal/merchant"
	"plexy/internal/storage"
)

// LowestEvent returns the lowest number that the merchant's feed still has, or will have next.
func (s *Store) LowestEvent(ctx context.Context, merchant string) (int64, error) {
	return readOne(ctx, s, query[int64]{
		what: "read the lowest number of a feed",
		sql:  "select coalesce((select swept from event_floors where merchant_id = $1), 0) + 1",
		args: []any{merchant}, scan: Row.Int64,
	})
}

// oldFeeds names merchants whose lowest event is older than $1, $2 of them at most.
const oldFeeds = "select c.merchant_id, coalesce(f.swept, 0) from event_counters c " +
	"left join event_floors f on f.merchant_id = c.merchant_id " +
	"join events e on e.merchant_id = c.merchant_id and e.number = coalesce(f.swept, 0) + 1 " +
	"join journal j on j.object_id = e.object_id and j.sequence = e.sequence " +
	"where j.at < $1 order by c.merchant_id limit $2"

// OldFeed is a merchant whose feed begins with an event that may be swept.
type OldFeed struct {
	merchant string
	swept    int64
}

// OldFeeds returns at most limit feeds that begin with an event older than before, in order of merchant.
func OldFeeds(ctx context.Context, db DB, before int64, limit int) ([]OldFeed, error) {
	return all(ctx, db, oldFeeds, []any{before, int64(limit)},
		func(r Row) OldFeed { return OldFeed{r.Text(), r.Int64()} })
}

// SweepEvents does what storage.Retention says, inside the caller's transaction; the caller sees to it that
// nobody else sweeps meanwhile.
func SweepEvents(ctx context.Context, db DB, before int64, limit int) (swept int, err error) {
	feeds, err := OldFeeds(ctx, db, before, limit)
	for _, f := range feeds {
		if err != nil || swept >= limit {
			break
		}
		var n int
		n, err = f.sweep(ctx, db, before, limit-swept)
		swept += n
	}
	return swept, err
}

func (f OldFeed) sweep(ctx context.Context, db DB, before int64, limit int) (int, error) {
	type numbered struct{ number, at int64 }
	lowest, err := all(ctx, db, "select e.number, j.at from events e join journal j "+
		"on j.object_id = e.object_id and j.sequence = e.sequence "+
		"where e.merchant_id = $1 and e.number > $2 order by e.number limit $3",
		[]any{f.merchant, f.swept, int64(limit)},
		func(r Row) numbered { return numbered{r.Int64(), r.Int64()} })
	if err != nil {
		return 0, err
	}
	n, latest := 0, int64(0)
	for n < len(lowest) && lowest[n].at < before {
		latest = max(latest, lowest[n].at)
		n++
	}
	if n == 0 {
		return 0, nil
	}
	last := lowest[n-1].number
	_, err = db.Exec(ctx, "delete from events where merchant_id = $1 and number > $2 and number <= $3",
		[]any{f.merchant, f.swept, last})
	if err != nil {
		return 0, err
	}
	_, err = db.Exec(ctx, "insert into event_floors (merchant_id, swept, swept_at) values ($1, $2, $3) "+
		"on conflict (merchant_id) do update set swept = excluded.swept, swept_at = case "+
		"when excluded.swept_at > event_floors.swept_at then excluded.swept_at else event_floors.swept_at end",
		[]any{f.merchant, last, latest})
	return n, err
}

// endpointTries is how often telling of one stage is tried; see storage.EndpointTellings.
const endpointTries = 6

// UntoldEndpoints returns endpoints whose merchant is to be told of how they fail. The conditions on stages
// are those of event.Endpoint.StageAt.
func (s *Store) UntoldEndpoints(
	ctx context.Context, at, now int64, limit int,
) ([]storage.EndpointTelling, error) {
	hour, day := at-event.HourStage.Microseconds(), at-event.DayStage.Microseconds()
	const failing = "select e.*, m.contact_email, m.contact_language, case " +
		"when e.state = 'disabled' and e.why in ($1, $2) then 3 when e.state = 'disabled' then 0 " +
		"when e.failing_since <= $3 then 2 when e.failing_since <= $4 then 1 else 0 end as stage " +
		"from webhook_endpoints e join merchants m on m.id = e.merchant_id " +
		"where e.failing_since > 0 and m.contact_email <> ''"
	// A row of tellings is about this time of failing and this stage, or it says nothing.
	return readAll(ctx, s, query[storage.EndpointTelling]{
		what: "list what merchants were not told",
		sql: "select " + Of("x", EndpointColumns) + ", x.stage, x.contact_email, x.contact_language, " +
			"coalesce(t.message, ''), coalesce(t.tries, 0) from (" + failing + ") x " +
			"left join endpoint_tellings t on t.endpoint_id = x.id and t.since = x.failing_since " +
			"and t.stage >= x.stage where x.stage > 0 and coalesce(t.stage, x.stage) = x.stage " +
			"and coalesce(t.told_at, 0) = 0 and coalesce(t.next_at, 0) <= $5 and coalesce(t.tries, 0) < $6 " +
			"order by x.failing_since, x.id limit $7",
		args: []any{event.WhyGone, event.WhySilent, day, hour, now, int64(endpointTries), int64(limit)},
		scan: func(r Row) storage.EndpointTelling {
			return storage.EndpointTelling{
				Endpoint: ScanEndpoint(r), Stage: event.Stage(r.Int64()), To: merchant.Email(r.Text()),
				Language: r.Text(), Message: r.Text(), Tries: int(r.Int64()),
			}
		},
	})
}

// ClaimEndpointTelling takes the next try at telling; false when somebody else took it. What the row says of
// another time of failing, or of a stage before, is over.
func (s *Store) ClaimEndpointTelling(
	ctx context.Context, t storage.EndpointTelling, next int64,
) (bool, error) {
	var n int64
	err := s.aside(ctx, "claim the telling of an endpoint", func(db DB) (err error) {
		n, err = db.Exec(ctx, "insert into endpoint_tellings "+
			"(endpoint_id, since, stage, message, tries, next_at, told_at) values ($1, $2, $3, $4, $5, $6, 0) "+
			"on conflict (endpoint_id) do update set since = excluded.since, stage = excluded.stage, "+
			"message = excluded.message, tries = excluded.tries, next_at = excluded.next_at, told_at = 0 "+
			"where endpoint_tellings.since < excluded.since "+
			"or endpoint_tellings.since = excluded.since and (endpoint_tellings.stage < excluded.stage "+
			"or endpoint_tellings.stage = excluded.stage and endpoint_tellings.tries = excluded.tries - 1 "+
			"and endpoint_tellings.told_at = 0)",
			[]any{t.Endpoint.ID, t.Endpoint.FailingSince, int64(t.Stage), t.Message, int64(t.Tries + 1), next})
		return err
	})
	return n > 0, err
}

// EndpointTold notes that the merchant was told.
func (s *Store) EndpointTold(ctx context.Context, t storage.EndpointTelling, at int64) error {
	return s.exec(ctx, "note the telling of an endpoint", "update endpoint_tellings set told_at = $1 "+
		"where endpoint_id = $2 and since = $3 and stage = $4",
		[]any{at, t.Endpoint.ID, t.Endpoint.FailingSince, int64(t.Stage)})
}
