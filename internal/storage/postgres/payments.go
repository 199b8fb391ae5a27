package postgres

import (
	"cmp"
	"slices"
	"strings"

	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/storage/sqlstore"
)

// Types of the migrations in which rows of card payments travel.
const (
	typeLink      = "batch_link"
	typePayment   = "batch_payment"
	typeOperation = "batch_operation"
)

// Names of the statements of card payments, in the order in which they run: the locks after those of wallets.
// A batch that is not about card payments runs none of them.
const (
	lockLinks          = "lock_links"
	lockPayments       = "lock_payments"
	readOperations     = "read_operations"
	readLinkReferences = "read_link_references"

	newLinkReferences = "new_link_references"
	newLinks          = "new_links"
	changeLinks       = "change_links"
	newPayments       = "new_payments"
	changePayments    = "change_payments"
	newOperations     = "new_operations"
	changeOperations  = "change_operations"
	addCounts         = "add_counts"
	addLinkCounts     = "add_link_counts"
	newPaymentRecords = "new_payment_records"
)

var cardStatements = map[string]string{
	lockLinks: `select ` + sqlstore.Of("l", sqlstore.LinkColumns) +
		` from payment_links l where l.id = any($1::text[]) order by l.id for update`,
	lockPayments: `select ` + sqlstore.Of("p", sqlstore.PaymentColumns) +
		` from payments p where p.id = any($1::text[]) order by p.id for update`,
	// Read after their payments were locked, so they are current.
	readOperations: `select ` + sqlstore.Of("o", sqlstore.OperationColumns) +
		` from payment_operations o where o.id = any($1::text[])`,
	readLinkReferences: `select k.merchant, k.reference
		from unnest($1::text[], $2::text[], $3::smallint[]) k (merchant, reference, book)
		join link_references r on r.merchant_id = k.merchant and r.reference = k.reference and r.book = k.book`,

	newLinkReferences: `insert into link_references (merchant_id, reference, book, link_id)
		select * from unnest($1::text[], $2::text[], $3::smallint[], $4::text[])`,
	newLinks:         insert("payment_links", sqlstore.LinkColumns, typeLink),
	changeLinks:      update("payment_links", sqlstore.LinkState, typeLink),
	newPayments:      insert("payments", sqlstore.PaymentColumns, typePayment),
	changePayments:   update("payments", sqlstore.PaymentState, typePayment),
	newOperations:    insert("payment_operations", sqlstore.OperationColumns, typeOperation),
	changeOperations: update("payment_operations", sqlstore.OperationState, typeOperation),
	addCounts: `insert into list_counts (` + sqlstore.CountColumns + `)
		select * from unnest($1::text[], $2::text[], $3::bigint[], $4::smallint[], $5::bigint[])
		on conflict (list, owner, day, book) do update set n = list_counts.n + excluded.n`,
	addLinkCounts: `insert into link_counts (` + sqlstore.LinkCountColumns + `)
		select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::smallint[], $6::bigint[],
		$7::bigint[]) ` + sqlstore.LinkCountAdds,
	newPaymentRecords: insertRecords(true),
}

// update changes the columns of state of rows that are locked.
func update(table, state, kind string) string {
	var set []string
	for column := range strings.SplitSeq(state, ", ") {
		set = append(set, column+" = r."+column)
	}
	return "update " + table + " t set " + strings.Join(set, ", ") + " from unnest($1::" + kind +
		"[]) r where t.id = r.id and t.book = r.book"
}

// askCards locks what the batch names of card payments, links before payments, each in order of id.
func (l *reading) askCards(r *round) {
	if ids := unique(l.keys.Links); len(ids) > 0 {
		r.add(lockLinks, func(row sqlstore.Row) { l.state.AddLink(sqlstore.ScanLink(row)) }, textArray(ids))
	}
	if ids := unique(l.keys.Payments); len(ids) > 0 {
		r.add(lockPayments, func(row sqlstore.Row) { l.state.AddPayment(sqlstore.ScanPayment(row)) },
			textArray(ids))
	}
	if ids := unique(l.keys.Operations); len(ids) > 0 {
		r.add(readOperations, func(row sqlstore.Row) { l.state.AddOperation(sqlstore.ScanOperation(row)) },
			textArray(ids))
	}
	if refs := l.keys.LinkReferences; len(refs) > 0 {
		merchants, references, books := orderReferences(refs)
		r.add(readLinkReferences, func(row sqlstore.Row) {
			l.state.AddLinkReference(machine.OrderReference{Merchant: row.Text(), Reference: row.Text()})
		}, textArray(merchants), textArray(references), smallArray(books))
	}
}

// saveCards appends what the batch made and changed of card payments.
func saveCards(r *round, s *machine.State) {
	c := &s.Changes
	byID := func(a, b link.Link) int { return cmp.Compare(a.ID, b.ID) }
	made := pick(c.NewLinks, s.Links, byID)
	saveLinkReferences(r, made)
	saveValues(r, newLinks, typeLink, made, sqlstore.LinkValues)
	saveValues(r, changeLinks, typeLink, pick(c.Links, s.Links, byID), sqlstore.LinkValues)
	payments := func(ids []string) []payment.Payment {
		return pick(ids, s.Payments, func(a, b payment.Payment) int { return cmp.Compare(a.ID, b.ID) })
	}
	saveValues(r, newPayments, typePayment, payments(c.NewPayments), sqlstore.PaymentValues)
	saveValues(r, changePayments, typePayment, payments(c.Payments), sqlstore.PaymentValues)
	operations := func(ids []string) []payment.Operation {
		return pick(ids, s.Operations, func(a, b payment.Operation) int { return cmp.Compare(a.ID, b.ID) })
	}
	saveValues(r, newOperations, typeOperation, operations(c.NewOperations), sqlstore.OperationValues)
	saveValues(r, changeOperations, typeOperation, operations(c.Operations), sqlstore.OperationValues)
}

// saveLinkReferences claims the order references of new links, in their order.
func saveLinkReferences(r *round, links []link.Link) {
	links = slices.DeleteFunc(slices.Clone(links), func(l link.Link) bool { return l.OrderReference == "" })
	if len(links) == 0 {
		return
	}
	slices.SortFunc(links, func(a, b link.Link) int {
		return cmp.Or(cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.OrderReference, b.OrderReference))
	})
	refs, ids := make([]machine.OrderReference, len(links)), make([]string, len(links))
	for i, l := range links {
		refs[i], ids[i] = machine.OrderReference{Merchant: l.Merchant, Reference: l.OrderReference}, l.ID
	}
	merchants, references, books := orderReferences(refs)
	r.add(newLinkReferences, nil, textArray(merchants), textArray(references), smallArray(books), textArray(ids))
}

func saveValues[T any](r *round, statement, kind string, rows []T, values func(T) []any) {
	if len(rows) == 0 {
		return
	}
	w := r.rows()
	for _, row := range rows {
		w.next()
		w.values(values(row))
	}
	r.add(statement, nil, w.param(r.s.types[kind]))
}

// saveCounts counts what was made in the lists that it belongs to, and which statuses links got, under the
// book of the lane's stripes.
func saveCounts(r *round, s *machine.State, book int) {
	if counts := sqlstore.CountNew(s); len(counts) > 0 {
		var lists, owners []string
		var days, books, made []int64
		for _, n := range counts {
			lists, owners = append(lists, n.List), append(owners, n.Owner)
			days, books, made = append(days, n.Day), append(books, int64(book)), append(made, n.Made)
		}
		r.add(addCounts, nil, textArray(lists), textArray(owners), int64Array(days), smallArray(books),
			int64Array(made))
	}
	saveLinkCounts(r, sqlstore.CountLinkMoves(s), book)
}

func saveLinkCounts(r *round, deltas []sqlstore.LinkDelta, book int) {
	if len(deltas) == 0 {
		return
	}
	var merchants, currencies, statuses []string
	var days, books, links, amounts []int64
	for _, d := range deltas {
		merchants, currencies = append(merchants, d.Merchant), append(currencies, d.Currency)
		statuses, days, books = append(statuses, d.Status), append(days, d.Day), append(books, int64(book))
		links, amounts = append(links, d.Links), append(amounts, d.Amount)
	}
	r.add(addLinkCounts, nil, textArray(merchants), int64Array(days), textArray(currencies),
		textArray(statuses), smallArray(books), int64Array(links), int64Array(amounts))
}
