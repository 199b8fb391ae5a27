package sqlstore

import (
	"context"
	"math"
	"slices"
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
		"created_at, updated_at, failing_since, signatures, retry_waits, concurrency, form_version, thin, " +
		"revision, token"
	DeliveryColumns = "id, endpoint_id, merchant_id, number, object_id, sequence, name, state, attempts, " +
		"base, due_at, replay, out_of_order, body, created_at, updated_at, url"
	AttemptColumns = "delivery_id, number, at, micros, status, error, response"
)

// ofItsOwn is the condition on endpoints that their merchant made: see event.NewCallbacks.
const ofItsOwn = "substr(id, 1, 4) <> 'whc_'"

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
	e.Revision, e.Token = r.Int64(), r.Int64()
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
		URL: r.Text(),
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

// events completes events with their objects as they are by now. Wallet transactions and payments are read
// apart, each if there are any, and by id: the feed may be swept meanwhile.
func events(ctx context.Context, db DB, rows []numbered) ([]event.Event, error) {
	transactions, payments := map[string]wallet.Transaction{}, map[string]payment.Payment{}
	var sold, paid []string
	minor := false
	for _, row := range rows {
		if _, isPayment := paymentBook(row.record.Object); isPayment {
			paid = append(paid, row.record.Object)
		} else {
			sold = append(sold, row.record.Object)
		}
	}
	err := byIDs(ctx, db, "select "+TransactionColumns+" from wallet_transactions", sold, func(r Row) error {
		t := ScanTransaction(r)
		transactions[t.ID] = t
		return nil
	})
	if err == nil {
		of := "select " + Of("p", PaymentColumns) + wantsMinor + " from payments p"
		err = byIDs(ctx, db, of, paid, func(r Row) error {
			p := ScanPayment(r)
			payments[p.ID], minor = p, r.Bool()
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
			found[i].Minor = minor
		} else {
			found[i] = event.New(row.number, row.record, transactions[row.record.Object])
		}
	}
	return found, nil
}

// byIDs reads the rows with the given ids, in statements of a few sizes (see atOnce).
func byIDs(ctx context.Context, db DB, sql string, ids []string, row func(Row) error) error {
	slices.Sort(ids)
	for some := range slices.Chunk(slices.Compact(ids), atOnce[len(atOnce)-1]) {
		size, _ := slices.BinarySearch(atOnce, len(some))
		args := make([]any, atOnce[size])
		for i := range args {
			args[i] = some[min(i, len(some)-1)]
		}
		if err := db.Query(ctx, sql+" where id in ("+Places(1, len(args))+")", args, row); err != nil {
			return err
		}
	}
	return nil
}

// wantsMinor is the column after a payment's that says how its merchant wants amounts.
const wantsMinor = ", (select m.webhook_minor from merchants m where m.id = p.merchant_id)"

// eventKind is how events about one kind of object are read: a number, and of the record, as j, its object.
type eventKind struct {
	parts, join string
	scan        func(Row) event.Event
}

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
		Of("j", RecordColumns) + ", " + Of("p", PaymentColumns) + wantsMinor,
		"join payments p on p.id = j.object_id ",
		func(r Row) event.Event {
			row := scanNumbered(r)
			e := event.OfPayment(row.number, row.record, ScanPayment(r))
			e.Minor = r.Bool()
			return e
		},
	}
)

const recordOfEvent = " from events e join journal j on j.object_id = e.object_id " +
	"and j.sequence = e.sequence "

// eventsBetween lists the records of events of a merchant by number.
var eventsBetween = "select e.number, " + Of("j", RecordColumns) + recordOfEvent +
	"where e.merchant_id = $1 and e.number >= $2 and e.number <= $3 order by e.number limit $4"

// numbers are those from first to last of a merchant's events.
type numbers struct {
	merchant    string
	first, last int64
}

// between returns at most limit events with the numbers, in their order.
func between(ctx context.Context, db DB, n numbers, limit int) ([]event.Event, error) {
	rows, err := all(ctx, db, eventsBetween, []any{n.merchant, n.first, n.last, int64(limit)}, scanNumbered)
	if err != nil {
		return nil, err
	}
	return events(ctx, db, rows)
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
		sql: "select e.number, " + kind.parts + recordOfEvent + kind.join +
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
		have, err := one(ctx, db, "select count(*) from webhook_endpoints where merchant_id = $1 and "+ofItsOwn,
			[]any{e.Merchant}, Row.Int64)
		if err != nil {
			return err
		}
		if have >= event.MaxEndpoints && !e.Callbacks() {
			return storage.ErrConflict
		}
		if err := InsertEndpoint(ctx, db, e); err != nil {
			return err
		}
		return InsertAudit(ctx, db, audit)
	})
}

// InsertEndpoint writes an endpoint inside the caller's transaction; a merchant's Callbacks that are there
// stay as they are.
func InsertEndpoint(ctx context.Context, db DB, e event.Endpoint) error {
	args := append([]any{e.ID, e.Merchant, e.URL, event.JoinTypes(e.Types), e.Ordered, string(e.State), e.Why,
		e.Secret, e.PreviousUntil, e.CreatedAt, e.UpdatedAt, e.FailingSince}, wishes(e)...)
	args = append(args, e.Revision, e.Token)
	sql := "insert into webhook_endpoints (" + EndpointColumns + ") values (" + Places(1, len(args)) + ")"
	if e.Callbacks() {
		sql += " on conflict (id) do nothing"
	}
	_, err := db.Exec(ctx, sql, args)
	return err
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
		sql: "select " + EndpointColumns + " from webhook_endpoints where merchant_id = $1 and " + ofItsOwn +
			" order by id",
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
			"retry_waits = $11, concurrency = $12, form_version = $13, thin = $14, revision = revision + 1, "+
			"token = $15 where id = $16 and merchant_id = $17 and revision = $18",
			append(args, e.Token, e.ID, e.Merchant, e.Revision))
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
		n, err := db.Exec(ctx, "delete from webhook_endpoints where id = $1 and merchant_id = $2 and "+ofItsOwn,
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
