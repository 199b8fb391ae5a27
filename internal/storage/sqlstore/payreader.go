package sqlstore

import (
	"context"
	"math"

	"plexy/internal/core/link"
	"plexy/internal/core/payment"
	"plexy/internal/storage"
)

var _ storage.Payments = (*Store)(nil)

// Payment returns the merchant's payment, or ErrNotFound.
func (s *Store) Payment(ctx context.Context, merchant, id string) (payment.Payment, error) {
	p, err := s.AnyPayment(ctx, id)
	if err == nil && p.Merchant != merchant {
		return payment.Payment{}, storage.ErrNotFound
	}
	return p, err
}

// AnyPayment returns a payment, or ErrNotFound.
func (s *Store) AnyPayment(ctx context.Context, id string) (payment.Payment, error) {
	book, ok := paymentBook(id)
	if !ok {
		return payment.Payment{}, storage.ErrNotFound
	}
	return readOne(ctx, s, query[payment.Payment]{
		what: "read a payment", sql: "select " + PaymentColumns + " from payments where id = $1 and book = $2",
		args: []any{id, book}, scan: ScanPayment,
	})
}

// Payments returns a page of a merchant's payments, newest first, and how many there are.
func (s *Store) Payments(ctx context.Context, q storage.PaymentQuery) ([]payment.Payment, int64, error) {
	w := where{}
	w.add("merchant_id = ", q.Merchant)
	for _, only := range []struct{ column, value string }{
		{"link_id", q.Link}, {"shopper_id", q.Shopper}, {"parent_id", q.Parent},
		{"order_reference", q.OrderReference},
	} {
		if only.value != "" {
			// That it is not empty tells the planner that the partial index will do.
			w.add(only.column+" <> '' and "+only.column+" = ", only.value)
		}
	}
	if q.Status != "" {
		w.add("status = ", string(q.Status))
	}
	w.created("", q.CreatedFrom, q.CreatedTo)
	var found []payment.Payment
	var total int64
	err := s.engine.Read(ctx, func(db DB) (err error) {
		p := pageQuery{table: "payments", columns: PaymentColumns, where: w, offset: q.Offset, limit: q.Limit}
		if q.All() {
			p.counted = &list{ListPayments, q.Merchant, ""}
		}
		found, total, err = readPage(ctx, db, p, ScanPayment)
		return err
	})
	return found, total, wrap("list payments", err)
}

// created restricts a list, whose ids begin with the prefix, to what was created in a time. It is exact on
// the time of creation, and finds the place in the index by the time in the id (see Drift).
func (w *where) created(prefix string, from, to int64) {
	if from != 0 {
		w.add("created_at >= ", from)
		w.add("id >= ", atOf(prefix, max(from, Drift)-Drift))
	}
	if to != 0 {
		w.add("created_at < ", to)
		w.add("id < ", atOf(prefix, min(to, math.MaxInt64-Drift)+Drift))
	}
}

// OperationsOf returns what was asked of the acquirer for a payment, in order of number.
func (s *Store) OperationsOf(ctx context.Context, paymentID string) ([]payment.Operation, error) {
	if _, ok := paymentBook(paymentID); !ok {
		return nil, nil
	}
	return readAll(ctx, s, query[payment.Operation]{
		what: "list the operations of a payment",
		sql:  "select " + OperationColumns + " from payment_operations where payment_id = $1 order by number",
		args: []any{paymentID}, scan: ScanOperation,
	})
}

// asked joins an operation, as o, with its payment.
var asked = "select " + Of("o", OperationColumns) + ", " + Of("p", PaymentColumns) +
	" from payment_operations o join payments p on p.id = o.payment_id and p.book = o.book where "

func scanAsked(r Row) storage.Asked {
	a := storage.Asked{Operation: ScanOperation(r)}
	a.Payment = ScanPayment(r)
	return a
}

// Asked returns an operation with its payment, or ErrNotFound.
func (s *Store) Asked(ctx context.Context, operation string) (storage.Asked, error) {
	if _, ok := paymentBook(operation); !ok {
		return storage.Asked{}, storage.ErrNotFound
	}
	return readOne(ctx, s, query[storage.Asked]{
		what: "read an operation", sql: asked + "o.id = $1", args: []any{operation}, scan: scanAsked,
	})
}

// Link returns the merchant's link, or ErrNotFound.
func (s *Store) Link(ctx context.Context, merchant, id string) (link.Link, error) {
	l, err := s.AnyLink(ctx, id)
	if err == nil && l.Merchant != merchant {
		return link.Link{}, storage.ErrNotFound
	}
	return l, err
}

// AnyLink returns a link for whoever has its id, or ErrNotFound.
func (s *Store) AnyLink(ctx context.Context, id string) (link.Link, error) {
	book, ok := linkBook(id)
	if !ok {
		return link.Link{}, storage.ErrNotFound
	}
	return readOne(ctx, s, query[link.Link]{
		what: "read a link", sql: "select " + LinkColumns + " from payment_links where id = $1 and book = $2",
		args: []any{id, book}, scan: ScanLink,
	})
}

// LinkByReference returns the merchant's link with an order reference, or ErrNotFound.
func (s *Store) LinkByReference(ctx context.Context, merchant, reference string) (link.Link, error) {
	return readOne(ctx, s, query[link.Link]{
		what: "find a link by order reference",
		sql: "select " + Of("l", LinkColumns) + " from link_references r " +
			"join payment_links l on l.id = r.link_id where r.merchant_id = $1 and r.reference = $2 and r.book = $3",
		args: []any{merchant, reference, HashBook(merchant, reference)}, scan: ScanLink,
	})
}

// Links returns a page of a merchant's links, newest first, and how many there are.
func (s *Store) Links(ctx context.Context, q storage.LinkQuery) ([]link.Link, int64, error) {
	w := where{}
	w.add("merchant_id = ", q.Merchant)
	if q.Status != "" {
		w.add("status = ", string(q.Status))
	}
	w.created(linkPrefix, q.CreatedFrom, q.CreatedTo)
	var found []link.Link
	var total int64
	err := s.engine.Read(ctx, func(db DB) (err error) {
		p := pageQuery{table: "payment_links", columns: LinkColumns, where: w, offset: q.Offset, limit: q.Limit}
		if q.All() {
			p.counted = &list{ListLinks, q.Merchant, linkPrefix}
		}
		found, total, err = readPage(ctx, db, p, ScanLink)
		return err
	})
	return found, total, wrap("list links", err)
}

// DueOperations returns at most limit operations to ask after, the longest due first.
func (s *Store) DueOperations(ctx context.Context, at int64, limit int) ([]storage.Asked, error) {
	return readAll(ctx, s, query[storage.Asked]{
		what: "list the operations that are due",
		sql: asked + "o.next_check_at > 0 and o.next_check_at <= $1 and o.state = 'sent' " +
			"order by o.next_check_at, o.id limit $2",
		args: []any{at, int64(limit)}, scan: scanAsked,
	})
}

// UnknownOperations returns at most limit operations whose outcome is unknown, the oldest first.
func (s *Store) UnknownOperations(ctx context.Context, limit int) ([]storage.Asked, error) {
	return readAll(ctx, s, query[storage.Asked]{
		what: "list the operations whose outcome is unknown",
		sql:  asked + "o.in_doubt order by o.unknown_since, o.id limit $1",
		args: []any{int64(limit)}, scan: scanAsked,
	})
}

// ContradictedOperations returns at most limit operations of which an answer was not believed, the newest
// first.
func (s *Store) ContradictedOperations(ctx context.Context, since int64, limit int) ([]storage.Asked, error) {
	return readAll(ctx, s, query[storage.Asked]{
		what: "list the operations with answers that were not believed",
		sql: asked + "o.contradictions > 0 and o.updated_at >= $1 order by o.updated_at desc, o.id desc " +
			"limit $2",
		args: []any{since, int64(limit)}, scan: scanAsked,
	})
}

// DueClearings returns at most limit payments that are to be captured by themselves, the longest due first.
func (s *Store) DueClearings(ctx context.Context, at int64, limit int) ([]payment.Payment, error) {
	return s.duePayments(ctx, due{"clear_at", "clear_at > 0 and open_operations = 0"}, at, limit)
}

// DueAuthentications returns at most limit payments whose 3-D Secure is given up, the longest due first.
func (s *Store) DueAuthentications(ctx context.Context, at int64, limit int) ([]payment.Payment, error) {
	return s.duePayments(ctx, due{"authenticate_by", "authenticate_by > 0"}, at, limit)
}

// due is the column of a time, and the condition of its partial index, word for word.
type due struct{ column, condition string }

func (s *Store) duePayments(ctx context.Context, d due, at int64, limit int) ([]payment.Payment, error) {
	return readAll(ctx, s, query[payment.Payment]{
		what: "list the payments that are due",
		sql: "select " + PaymentColumns + " from payments where " + d.condition + " and " + d.column +
			" <= $1 order by " + d.column + ", id limit $2",
		args: []any{at, int64(limit)}, scan: ScanPayment,
	})
}

// DueLinks returns at most limit ids of links that are to expire, the longest due first.
func (s *Store) DueLinks(ctx context.Context, at int64, limit int) ([]string, error) {
	return readAll(ctx, s, query[string]{
		what: "list the links that are due",
		sql: "select id from payment_links where status = 'active' and busy = '' and expires_at > 0 " +
			"and expires_at <= $1 order by expires_at, id limit $2",
		args: []any{at, int64(limit)}, scan: Row.Text,
	})
}

var _ storage.PaymentBooks = Books{}

// Payments walks in order of id, each with its stored status.
func (b Books) Payments(ctx context.Context, fn func(payment.Payment, payment.Status) error) error {
	var last StoredPayment
	return walk(ctx, b.DB, pages[StoredPayment]{
		what: "walk the payments",
		sql:  "select " + PaymentColumns + " from payments where id > $1 order by id limit $2",
		from: func() []any { return []any{last.ID} },
		scan: ScanStoredPayment, seen: &last,
		fn: func(p StoredPayment) error { return fn(p.Payment, p.Status) },
	})
}

// Operations walks in order of payment and number.
func (b Books) Operations(ctx context.Context, fn func(payment.Operation) error) error {
	var last payment.Operation
	return walk(ctx, b.DB, pages[payment.Operation]{
		what: "walk the operations of payments",
		sql: "select " + OperationColumns + " from payment_operations where (payment_id, number) > ($1, $2) " +
			"order by payment_id, number limit $3",
		from: func() []any { return []any{last.Payment, last.Number} },
		scan: ScanOperation, seen: &last, fn: fn,
	})
}

// Links walks in order of id.
func (b Books) Links(ctx context.Context, fn func(link.Link) error) error {
	var last link.Link
	return walk(ctx, b.DB, pages[link.Link]{
		what: "walk the links",
		sql:  "select " + LinkColumns + " from payment_links where id > $1 order by id limit $2",
		from: func() []any { return []any{last.ID} },
		scan: ScanLink, seen: &last, fn: fn,
	})
}
