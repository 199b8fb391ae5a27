package sqlstore

import (
	"context"
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/event"
	"plexy/internal/storage"
)

// Columns of what leaves the house.
const (
	EndpointColumns = "id, merchant_id, url, event_types, ordered, state, why, secret, previous_until, " +
		"created_at, updated_at, failing_since, signatures, retry_waits, concurrency, form_version, thin, revision"
	DeliveryColumns = "id, endpoint_id, merchant_id, number, object_id, sequence, name, state, attempts, " +
		"base, due_at, replay, out_of_order, body, created_at, updated_at"
	AttemptColumns = "delivery_id, number, at, micros, status, error, response"
)

// ScanEndpoint reads EndpointColumns.
func ScanEndpoint(r Row) event.Endpoint {
	e := event.Endpoint{
		ID: r.Text(), Merchant: r.Text(), URL: r.Text(), Types: event.SplitTypes(r.Text()), Ordered: r.Bool(),
		State: event.EndpointState(r.Text()), Why: r.Text(), Secret: r.Int64(), PreviousUntil: r.Int64(),
		CreatedAt: r.Int64(), UpdatedAt: r.Int64(), FailingSince: r.Int64(),
	}
	e.Signatures, _ = event.ParseSignatures(strings.Fields(r.Text())) // none: then nothing is sent
	e.Waits, _ = event.ParseWaits(strings.Fields(r.Text()))           // none: the installation's
	e.Concurrency = int(r.Int64())
	e.Form = event.Form{Version: r.Int64(), Thin: r.Bool()}
	e.Revision = r.Int64()
	return e
}

// wishes are the columns of an endpoint that its merchant sets besides address, types and order, in the order
// of EndpointColumns.
func wishes(e event.Endpoint) []any {
	return []any{
		strings.Join(event.SignatureNames(e.Signatures), " "), strings.Join(event.WaitTexts(e.Waits), " "),
		int64(e.Concurrency), e.Form.Version, e.Form.Thin,
	}
}

// ScanDelivery reads DeliveryColumns.
func ScanDelivery(r Row) event.Delivery {
	return event.Delivery{
		ID: r.Text(), Endpoint: r.Text(), Merchant: r.Text(), Number: r.Int64(),
		Object: r.Text(), Sequence: r.Int64(), Name: r.Text(), State: event.DeliveryState(r.Text()),
		Attempts: int(r.Int64()), Base: int(r.Int64()), DueAt: r.Int64(),
		Replay: r.Bool(), OutOfOrder: r.Bool(), Body: r.Bytes(), CreatedAt: r.Int64(), UpdatedAt: r.Int64(),
	}
}

func scanAttempt(r Row) event.Attempt {
	return event.Attempt{
		Delivery: r.Text(), Number: int(r.Int64()), At: r.Int64(), Micros: r.Int64(), Status: int(r.Int64()),
		Error: r.Text(), Response: r.Bytes(),
	}
}

// scanEvent reads a number, RecordColumns and TransactionColumns.
func scanEvent(r Row) event.Event {
	number := r.Int64()
	record := ScanRecord(r)
	return event.New(number, record, ScanTransaction(r))
}

// eventParts joins an event, as e, with what it is made of.
var eventParts = Of("j", RecordColumns) + ", " + Of("t", TransactionColumns)

const eventJoins = " join journal j on j.object_id = e.object_id and j.sequence = e.sequence" +
	" join wallet_transactions t on t.id = e.object_id"

// Events returns at most limit events of the merchant after the given number, oldest first.
func (s *Store) Events(ctx context.Context, merchant string, after int64, limit int) ([]event.Event, error) {
	return readAll(ctx, s, query[event.Event]{
		what: "list events",
		sql: "select e.number, " + eventParts + " from events e" + eventJoins +
			" where e.merchant_id = $1 and e.number > $2 order by e.number limit $3",
		args: []any{merchant, after, int64(limit)}, scan: scanEvent,
	})
}

// Event returns the merchant's event of a record, or ErrNotFound.
func (s *Store) Event(ctx context.Context, merchant string, ref journal.Ref) (event.Event, error) {
	return readOne(ctx, s, query[event.Event]{
		what: "read an event",
		sql: "select e.number, " + eventParts + " from events e" + eventJoins +
			" where e.object_id = $1 and e.sequence = $2 and e.merchant_id = $3",
		args: []any{ref.Object, ref.Sequence, merchant}, scan: scanEvent,
	})
}

// CreateEndpoint writes an endpoint. It takes the lock of the merchant's row by writing it as it is, so that
// of two who make the last one that can be had one counts the other's.
func (s *Store) CreateEndpoint(ctx context.Context, e event.Endpoint, audit machine.Audit) error {
	return s.aside(ctx, "create an endpoint", func(db DB) error {
		n, err := db.Exec(ctx, "update merchants set name = name where id = $1", []any{e.Merchant})
		if err != nil {
			return err
		}
		if n == 0 {
			return storage.ErrNotFound
		}
		have, err := one(ctx, db, "select count(*) from webhook_endpoints where merchant_id = $1",
			[]any{e.Merchant}, Row.Int64)
		if err != nil {
			return err
		}
		if have >= event.MaxEndpoints {
			return storage.ErrConflict
		}
		args := append([]any{e.ID, e.Merchant, e.URL, event.JoinTypes(e.Types), e.Ordered, string(e.State), e.Why,
			e.Secret, e.PreviousUntil, e.CreatedAt, e.UpdatedAt, e.FailingSince}, wishes(e)...)
		args = append(args, e.Revision)
		_, err = db.Exec(ctx, "insert into webhook_endpoints ("+EndpointColumns+
			") values ("+Places(1, len(args))+")", args)
		if err != nil {
			return err
		}
		return InsertAudit(ctx, db, audit)
	})
}

// Endpoint returns the merchant's endpoint, or ErrNotFound.
func (s *Store) Endpoint(ctx context.Context, merchant, id string) (event.Endpoint, error) {
	return readOne(ctx, s, query[event.Endpoint]{
		what: "read an endpoint",
		sql:  "select " + EndpointColumns + " from webhook_endpoints where id = $1 and merchant_id = $2",
		args: []any{id, merchant}, scan: ScanEndpoint,
	})
}

// EndpointsOf returns the merchant's endpoints in order of id.
func (s *Store) EndpointsOf(ctx context.Context, merchant string) ([]event.Endpoint, error) {
	return readAll(ctx, s, query[event.Endpoint]{
		what: "list endpoints",
		sql:  "select " + EndpointColumns + " from webhook_endpoints where merchant_id = $1 order by id",
		args: []any{merchant}, scan: ScanEndpoint,
	})
}

// SetEndpoint replaces what can be changed of an endpoint, if it is as it was read.
func (s *Store) SetEndpoint(ctx context.Context, e event.Endpoint, audit machine.Audit) error {
	return s.aside(ctx, "change an endpoint", func(db DB) error {
		args := append([]any{e.URL, event.JoinTypes(e.Types), e.Ordered, string(e.State), string(e.State), e.Why,
			e.Secret, e.PreviousUntil, e.UpdatedAt}, wishes(e)...)
		n, err := db.Exec(ctx, "update webhook_endpoints set url = $1, event_types = $2, ordered = $3, "+
			"failing_since = case when state = 'disabled' and $4 = 'enabled' then 0 else failing_since end, "+
			"state = $5, why = $6, secret = $7, previous_until = $8, updated_at = $9, signatures = $10, "+
			"retry_waits = $11, concurrency = $12, form_version = $13, thin = $14, revision = revision + 1 "+
			"where id = $15 and merchant_id = $16 and revision = $17", append(args, e.ID, e.Merchant, e.Revision))
		if err != nil {
			return err
		}
		if n == 0 {
			_, err := one(ctx, db, "select id from webhook_endpoints where id = $1 and merchant_id = $2",
				[]any{e.ID, e.Merchant}, Row.Text)
			if err != nil {
				return err
			}
			return storage.ErrConflict
		}
		return InsertAudit(ctx, db, audit)
	})
}

// DeleteEndpoint removes the endpoint. What waited for it is dead.
func (s *Store) DeleteEndpoint(ctx context.Context, merchant, id string, audit machine.Audit) error {
	return s.aside(ctx, "delete an endpoint", func(db DB) error {
		n, err := db.Exec(ctx, "delete from webhook_endpoints where id = $1 and merchant_id = $2",
			[]any{id, merchant})
		if err != nil {
			return err
		}
		if n == 0 {
			return storage.ErrNotFound
		}
		_, err = db.Exec(ctx, "update deliveries set state = 'dead', updated_at = $1 "+
			"where endpoint_id = $2 and state = 'waiting'", []any{audit.At, id})
		if err != nil {
			return err
		}
		if _, err = db.Exec(ctx, "delete from endpoint_tellings where endpoint_id = $1", []any{id}); err != nil {
			return err
		}
		return InsertAudit(ctx, db, audit)
	})
}

// Of puts the alias before each of the columns.
func Of(alias, columns string) string {
	return alias + "." + strings.ReplaceAll(columns, ", ", ", "+alias+".")
}

// aside is write for tables that no batch remembers anything of.
func (s *Store) aside(ctx context.Context, what string, fn func(DB) error) error {
	return wrap(what, s.engine.Aside(ctx, fn))
}
