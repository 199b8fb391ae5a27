package sqlite

import (
	"context"
	"errors"
	"fmt"

	"plexy/internal/core/machine"
	"plexy/internal/storage/sqlstore"
)

// loadCards reads what the batch names of card payments. It is nothing for a batch of wallets.
func (b *batch) loadCards(_ context.Context, keys *machine.Keys) error {
	l := b.w.link
	for _, id := range keys.Links {
		found, err := first(l, selectLink, sqlstore.ScanLink, id)
		if err == nil {
			b.state.AddLink(found)
		} else if !errors.Is(err, errNone) {
			return fmt.Errorf("read a link: %w", err)
		}
	}
	for _, id := range keys.Payments {
		found, err := first(l, selectPayment, sqlstore.ScanPayment, id)
		if err == nil {
			b.state.AddPayment(found)
		} else if !errors.Is(err, errNone) {
			return fmt.Errorf("read a payment: %w", err)
		}
	}
	for _, id := range keys.Operations {
		found, err := first(l, selectOperation, sqlstore.ScanOperation, id)
		if err == nil {
			b.state.AddOperation(found)
		} else if !errors.Is(err, errNone) {
			return fmt.Errorf("read an operation: %w", err)
		}
	}
	for _, ref := range keys.LinkReferences {
		taken, err := first(l, "select exists (select 1 from link_references "+
			"where merchant_id = $1 and reference = $2 and book = $3)", sqlstore.Row.Bool,
			ref.Merchant, ref.Reference, sqlstore.HashBook(ref.Merchant, ref.Reference))
		if err != nil {
			return fmt.Errorf("look up a link's order reference: %w", err)
		}
		if taken {
			b.state.AddLinkReference(ref)
		}
	}
	return nil
}

const (
	selectLink      = "select " + sqlstore.LinkColumns + " from payment_links where id = $1"
	selectPayment   = "select " + sqlstore.PaymentColumns + " from payments where id = $1"
	selectOperation = "select " + sqlstore.OperationColumns + " from payment_operations where id = $1"

	insertLinks      = "insert or rollback into payment_links (" + sqlstore.LinkColumns + ") values"
	insertPayments   = "insert or rollback into payments (" + sqlstore.PaymentColumns + ") values"
	insertOperations = "insert or rollback into payment_operations (" + sqlstore.OperationColumns + ") values"
)

// What changes of a row, with the places that it has among all columns of the row.
var (
	updateLink    = updateByID("payment_links", sqlstore.LinkColumns, sqlstore.LinkState)
	updatePayment = updateByID("payments", sqlstore.PaymentColumns, sqlstore.PaymentState)
	updateOp      = updateByID("payment_operations", sqlstore.OperationColumns, sqlstore.OperationState)
)

func updateByID(table, columns, state string) string {
	return "update " + table + " set " + sqlstore.Assign(columns, state) + " where id = $1 and book = $2"
}

// saveCards writes what the batch made and changed of card payments. It is nothing for a batch of wallets.
func (b *batch) saveCards(ctx context.Context) error {
	s, c, hot := b.state, &b.state.Changes, b.w.hot
	if len(c.NewLinks)+len(c.Links)+len(c.NewPayments)+len(c.Payments)+len(c.Operations) == 0 {
		return nil // a new operation comes with its payment
	}
	if err := b.saveLinkReferences(ctx); err != nil {
		return err
	}
	for _, rows := range []struct {
		what      string
		made      []string
		bulk      *bulk
		changed   []string
		update    string
		statement **stmt
		values    func(id string) []any
	}{
		{"links", c.NewLinks, hot.cards.links, c.Links, updateLink, &hot.cards.link,
			func(id string) []any { return sqlstore.LinkValues(s.Links[id]) }},
		{"payments", c.NewPayments, hot.cards.payments, c.Payments, updatePayment, &hot.cards.payment,
			func(id string) []any { return sqlstore.PaymentValues(s.Payments[id]) }},
		{"operations", c.NewOperations, hot.cards.operations, c.Operations, updateOp, &hot.cards.operation,
			func(id string) []any { return sqlstore.OperationValues(s.Operations[id]) }},
	} {
		err := rows.bulk.insert(hot, len(rows.made), func(q *stmt, base, i int) {
			q.values(base, rows.values(rows.made[i]))
		})
		if err != nil {
			return fmt.Errorf("insert %s: %w", rows.what, err)
		}
		for _, id := range rows.changed {
			q, err := hot.ready(rows.statement, rows.update)
			if err != nil {
				return fmt.Errorf("prepare to update %s: %w", rows.what, err)
			}
			q.values(0, rows.values(id))
			if err := b.one(q); err != nil {
				return fmt.Errorf("update %s %s: %w", rows.what, id, err)
			}
		}
	}
	return b.saveCounts(ctx)
}

func (b *batch) saveLinkReferences(ctx context.Context) error {
	for _, id := range b.state.Changes.NewLinks {
		l := b.state.Links[id]
		if l.OrderReference == "" {
			continue
		}
		_, err := b.w.link.Exec(ctx, "insert into link_references (merchant_id, reference, book, link_id) "+
			"values ($1, $2, $3, $4)",
			[]any{l.Merchant, l.OrderReference, sqlstore.HashBook(l.Merchant, l.OrderReference), l.ID})
		if err != nil {
			return fmt.Errorf("claim a link's order reference: %w", err)
		}
	}
	return nil
}

// saveCounts counts what was made in the lists that it belongs to, and which statuses links got.
func (b *batch) saveCounts(ctx context.Context) error {
	for _, n := range sqlstore.CountNew(b.state) {
		_, err := b.w.link.Exec(ctx, sqlstore.AddCount, []any{n.List, n.Owner, n.Day, int64(stripe), n.Made})
		if err != nil {
			return fmt.Errorf("count a list: %w", err)
		}
	}
	for _, d := range sqlstore.CountLinkMoves(b.state) {
		_, err := b.w.link.Exec(ctx, sqlstore.AddLinkCount,
			[]any{d.Merchant, d.Day, d.Currency, d.Status, int64(stripe), d.Links, d.Amount})
		if err != nil {
			return fmt.Errorf("count links: %w", err)
		}
	}
	return nil
}

// cards are the statements of card payments.
type cards struct {
	links, payments, operations *bulk
	link, payment, operation    *stmt
}

func newCards() cards {
	return cards{
		links: newBulk(insertLinks), payments: newBulk(insertPayments), operations: newBulk(insertOperations),
	}
}

// values binds a row, whose first column comes after parameter base.
func (q *stmt) values(base int, row []any) {
	for i, v := range row {
		switch at := base + 1 + i; v := v.(type) {
		case string:
			q.text(at, v)
		case int64:
			q.int(at, v)
		case sqlstore.Small:
			q.int(at, int64(v))
		case bool:
			q.stmt.BindBool(at, v)
		default:
			panic(fmt.Sprintf("sqlite: cannot bind a %T", v))
		}
	}
}
