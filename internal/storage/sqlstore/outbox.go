package sqlstore

import (
	"context"
	"math"
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/core/wallet"
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

// numbered is an event with the number that it has and without its object.
type numbered struct {
	number int64
	record journal.Record
}

func scanNumbered(r Row) numbered { return numbered{r.Int64(), ScanRecord(r)} }

// events completes the events with those numbers with their objects as they are by now. Wallet transactions
// and payments are read apart, each in one query if there are any.
func events(ctx context.Context, db DB, n numbers, rows []numbered) ([]event.Event, error) {
	transactions, payments := map[string]wallet.Transaction{}, map[string]payment.Payment{}
	var paid, sold bool
	for _, row := range rows {
		_, isPayment := paymentBook(row.record.Object)
		paid, sold = paid || isPayment, sold || !isPayment
	}
	const among = " where e.merchant_id = $1 and e.number >= $2 and e.number <= $3"
	args := []any{n.merchant, n.first, n.last}
	var err error
	if sold {
		err = db.Query(ctx, "select "+Of("t", TransactionColumns)+" from events e join wallet_transactions t "+
			"on t.id = e.object_id"+among, args, func(r Row) error {
			t := ScanTransaction(r)
			transactions[t.ID] = t
			return nil
		})
	}
	if paid && err == nil {
		err = db.Query(ctx, "select "+Of("p", PaymentColumns)+" from events e join payments p "+
			"on p.id = e.object_id"+among, args, func(r Row) error {
			p := ScanPayment(r)
			payments[p.ID] = p
			return nil
		})
	}
	if err != nil {
		return nil, err
	}
	found := make([]event.Event, len(rows))
	for i, row := range rows {
		if p, ok := payments[row.record.Object]; ok {
			found[i] = event.OfPayment(row.number, row.record, p)
		} else {
			found[i] = event.New(row.number, row.record, transactions[row.record.Object])
		}
	}
	return found, nil
}

// eventKind is how events about one kind of object are read.
type eventKind struct {
	columns string // of the record and the object
	object  string // joins it to the record
	scan    func(Row) event.Event
}

const recordOfEvent = " from events e join journal j on j.object_id = e.object_id " +
	"and j.sequence = e.sequence "

var (
	ofTransactions = eventKind{
		Of("j", RecordColumns) + ", " + Of("t", TransactionColumns),
		"join wallet_transactions t on t.id = j.object_id ",
		func(r Row) event.Event {
			row := scanNumbered(r)
			return event.New(row.number, row.record, ScanTransaction(r))
		},
	}
	ofPayments = eventKind{
		Of("j", RecordColumns) + ", " + Of("p", PaymentColumns),
		"join payments p on p.id = j.object_id ",
		func(r Row) event.Event {
			row := scanNumbered(r)
			return event.OfPayment(row.number, row.record, ScanPayment(r))
		},
	}
	// eventsBetween lists the records of events of a merchant by number.
	eventsBetween = "select e.number, " + Of("j", RecordColumns) + recordOfEvent +
		"where e.merchant_id = $1 and e.number >= $2 and e.number <= $3 order by e.number limit $4"
)

// numbers are those from first to last of a merchant's events.
type numbers struct {
	merchant    string
	first, last int64
}

// between returns at most limit events with the numbers, in their order.
func between(ctx context.Context, db DB, n numbers, limit int) ([]event.Event, error) {
	rows, err := all(ctx, db, eventsBetween, []any{n.merchant, n.first, n.last, int64(limit)}, scanNumbered)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	n.first, n.last = rows[0].number, rows[len(rows)-1].number
	return events(ctx, db, n, rows)
}

// Events returns at most limit events of the merchant after the given number, oldest first.
func (s *Store) Events(ctx context.Context, merchant string, after int64, limit int) ([]event.Event, error) {
	var found []event.Event
	err := s.engine.Read(ctx, func(db DB) (err error) {
		found, err = between(ctx, db, numbers{merchant, after + 1, math.MaxInt64}, limit)
		return err
	})
	return found, wrap("list events", err)
}

// Event returns the merchant's event of a record, or ErrNotFound.
func (s *Store) Event(ctx context.Context, merchant string, ref journal.Ref) (event.Event, error) {
	kind := ofTransactions
	if _, isPayment := paymentBook(ref.Object); isPayment {
		kind = ofPayments
	}
	return readOne(ctx, s, query[event.Event]{
		what: "read an event",
		sql: "select e.number, " + kind.columns + recordOfEvent + kind.object +
			"where e.object_id = $1 and e.sequence = $2 and e.merchant_id = $3",
		args: []any{ref.Object, ref.Sequence, merchant}, scan: kind.scan,
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
