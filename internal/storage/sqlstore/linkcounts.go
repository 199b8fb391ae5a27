package sqlstore

import (
	"cmp"
	"context"
	"slices"

	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/storage"
)

// LinkDelta is what a batch adds to the count of a merchant's links that were made on a day; both numbers may
// be below zero.
type LinkDelta struct {
	Merchant      string
	Day           int64
	Currency      string
	Status        string
	Links, Amount int64
}

// LinkCountColumns are those of link_counts, in the order of its key.
const LinkCountColumns = "merchant_id, day, currency, status, book, links, amount"

// AddLinkCount adds to the count of links under a book.
const AddLinkCount = "insert into link_counts (" + LinkCountColumns + ") " +
	"values ($1, $2, $3, $4, $5, $6, $7) " + LinkCountAdds

// LinkCountAdds ends a statement that adds rows to link_counts. Both engines run it as it is.
const LinkCountAdds = "on conflict (merchant_id, day, currency, status, book) do update set " +
	"links = link_counts.links + excluded.links, amount = link_counts.amount + excluded.amount"

const dayMicros = dayMillis * 1000

// CountLinkMoves returns what the links that got a status add to the counts, in the order of the counts' key;
// nil when none did.
func CountLinkMoves(state *machine.State) []LinkDelta {
	moves := state.Changes.LinkMoves
	if len(moves) == 0 {
		return nil
	}
	deltas := map[LinkDelta]*LinkDelta{}
	add := func(l link.Link, status link.Status, n int64) {
		key := LinkDelta{
			Merchant: l.Merchant, Day: l.CreatedAt / dayMicros, Currency: string(l.Currency), Status: string(status),
		}
		d := deltas[key]
		if d == nil {
			d = &LinkDelta{key.Merchant, key.Day, key.Currency, key.Status, 0, 0}
			deltas[key] = d
		}
		d.Links += n
		d.Amount += n * l.Amount
	}
	for _, m := range moves {
		l := state.Links[m.ID]
		if m.From != "" {
			add(l, m.From, -1)
		}
		add(l, m.To, 1)
	}
	found := make([]LinkDelta, 0, len(deltas))
	for _, d := range deltas {
		if d.Links != 0 {
			found = append(found, *d)
		}
	}
	slices.SortFunc(found, func(a, b LinkDelta) int {
		return cmp.Or(cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Day, b.Day),
			cmp.Compare(a.Currency, b.Currency), cmp.Compare(a.Status, b.Status))
	})
	return found
}

// LinkStatistics counts the merchant's links that were made in a time, in order of status and currency: whole
// days by their counts, and of a first and a last day that are not whole the links.
func (s *Store) LinkStatistics(
	ctx context.Context, merchant string, from, to int64,
) ([]storage.LinkCount, error) {
	counts := map[storage.LinkCount]storage.LinkCount{}
	err := s.engine.Read(ctx, func(db DB) error {
		for _, part := range partsOf(from, to) {
			w := where{}
			w.add("merchant_id = ", merchant)
			sql := part.sql(&w)
			err := db.Query(ctx, sql, w.args, func(r Row) error {
				key := storage.LinkCount{Status: link.Status(r.Text()), Currency: money.Currency(r.Text())}
				n := counts[key]
				n.Status, n.Currency = key.Status, key.Currency
				n.Links, n.Amount = n.Links+r.Int64(), n.Amount+r.Int64()
				counts[key] = n
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	var found []storage.LinkCount
	for _, n := range counts {
		if n.Links != 0 {
			found = append(found, n)
		}
	}
	slices.SortFunc(found, func(a, b storage.LinkCount) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(a.Currency, b.Currency))
	})
	return found, wrap("count links", err)
}

// countPart is a part of a time: whole days, or not. The end is exclusive, 0 for none.
type countPart struct {
	days     bool
	from, to int64 // microseconds, or days
}

// partsOf divides a time into whole days and what is before and after them.
func partsOf(from, to int64) []countPart {
	first, last := (from+dayMicros-1)/dayMicros, to/dayMicros
	if to == 0 && first == 0 {
		return []countPart{{days: true}}
	}
	if to != 0 && first >= last {
		return []countPart{{from: from, to: to}}
	}
	parts := []countPart{{days: true, from: first, to: last}}
	if from < first*dayMicros {
		parts = append(parts, countPart{from: from, to: first * dayMicros})
	}
	if to > last*dayMicros {
		parts = append(parts, countPart{from: last * dayMicros, to: to})
	}
	return parts
}

// sql is the query of the part, of the merchant to whom w is restricted.
func (p countPart) sql(w *where) string {
	if !p.days {
		w.created(linkPrefix, p.from, p.to)
		return "select status, currency, count(*), cast(sum(amount) as bigint) from payment_links " +
			"where " + w.sql() + " group by status, currency"
	}
	if p.from != 0 {
		w.add("day >= ", p.from)
	}
	if p.to != 0 {
		w.add("day < ", p.to)
	}
	return "select status, currency, cast(sum(links) as bigint), cast(sum(amount) as bigint) " +
		"from link_counts where " + w.sql() + " group by status, currency"
}
