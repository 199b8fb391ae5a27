package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"plexy/internal/core/machine"
	"plexy/internal/storage"
)

// Lists whose entries are counted.
const (
	ListShoppers = "shoppers"
	ListPayments = "payments"
	ListLinks    = "links"
)

// Count is how many entries of a day a batch made in a list.
type Count struct {
	List, Owner string
	Day         int64
	Made        int64
}

// CountNew returns what the state's new payments and links add to the counts of lists, in the order of the
// counts' key; nil when there are none.
func CountNew(state *machine.State) []Count {
	c := &state.Changes
	if len(c.NewPayments)+len(c.NewLinks) == 0 {
		return nil
	}
	made := map[Count]int64{}
	for _, id := range c.NewPayments {
		made[Count{List: ListPayments, Owner: state.Payments[id].Merchant, Day: ListDay(id)}]++
	}
	for _, id := range c.NewLinks {
		made[Count{List: ListLinks, Owner: state.Links[id].Merchant, Day: ListDay(id)}]++
	}
	counts := make([]Count, 0, len(made))
	for n, times := range made {
		n.Made = times
		counts = append(counts, n)
	}
	slices.SortFunc(counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.List, b.List), cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Day, b.Day))
	})
	return counts
}

const dayMillis = 24 * 60 * 60 * 1000

// CountColumns are those of list_counts, in the order of its key.
const CountColumns = "list, owner, day, book, n"

// AddCount adds to the count of a list's entries of a day under a book. Both engines run it as it is.
const AddCount = "insert into list_counts (" + CountColumns + ") values ($1, $2, $3, $4, $5) " +
	"on conflict (list, owner, day, book) do update set n = list_counts.n + excluded.n"

// ListDay returns the day, since 1970 in UTC, that the id of a list's entry tells: a UUIDv7, bare or without
// its dashes after a prefix. What is no such id is of day 0, and sorts there as well.
func ListDay(id string) int64 {
	digits := strings.ReplaceAll(id[strings.LastIndexByte(id, '_')+1:], "-", "")
	ms, err := strconv.ParseUint(digits[:min(len(digits), 12)], 16, 64)
	if err != nil || len(digits) != 32 {
		return 0
	}
	return int64(ms / dayMillis)
}

// firstOf is the lowest id of a day, written as ids with the prefix are.
func firstOf(prefix string, day int64) string { return atOf(prefix, day*dayMillis*1000) }

// atOf is the lowest id of the millisecond of a time (microseconds), written as ids with the prefix are.
func atOf(prefix string, at int64) string {
	ms := min(max(at/1000, 0), 1<<48-1) // what an id can tell
	if prefix == "" {
		return fmt.Sprintf("%08x-%04x", ms>>16, ms&0xffff)
	}
	return fmt.Sprintf("%s%012x", prefix, ms)
}

// list is one list of an owner, whose ids begin with the prefix.
type list struct{ name, owner, prefix string }

// listPage says where a page of a list begins.
type listPage struct {
	before string // ids are below this one; "" for all
	offset int    // entries to pass over from there
	total  int    // entries of the list
}

// pageOf finds the place of a page, after the offset newest entries, by the counts of days: a page far down
// costs a look at the days above it and at the entries of its own day, not at all entries above it.
func pageOf(ctx context.Context, db DB, l list, offset int) (listPage, error) {
	p := listPage{offset: offset}
	passing := true
	err := db.Query(ctx, "select day, cast(sum(n) as bigint) from list_counts where list = $1 and owner = $2 "+
		"group by day order by day desc", []any{l.name, l.owner}, func(r Row) error {
		day, n := r.Int64(), int(r.Int64())
		p.total += n
		if passing = passing && p.offset >= n; passing {
			p.offset -= n
			p.before = firstOf(l.prefix, day)
		}
		return nil
	})
	return p, err
}

// pageQuery asks for a page of a list, in falling order of id.
type pageQuery struct {
	table, columns string
	where          where
	offset, limit  int
	counted        *list // when all entries of a counted list are asked for; else nil
}

// readPage reads a page and how many entries there are: exactly where they are counted, else up to MaxTotal.
func readPage[T any](
	ctx context.Context, db DB, q pageQuery, scan func(Row) T,
) (found []T, total int64, err error) {
	w, from := q.where, listPage{offset: q.offset}
	if q.counted != nil {
		if from, err = pageOf(ctx, db, *q.counted, q.offset); err != nil {
			return nil, 0, err
		}
		if from.before != "" {
			w.add("id < ", from.before)
		}
	}
	found, err = all(ctx, db, "select "+q.columns+" from "+q.table+" where "+w.sql()+
		" order by id desc limit "+w.place(int64(q.limit))+" offset "+w.place(int64(from.offset)), w.args, scan)
	switch {
	case err != nil:
		return nil, 0, err
	case q.counted != nil:
		return found, int64(from.total), nil
	case len(found) < q.limit && (len(found) > 0 || q.offset == 0): // it is the last page
		return found, int64(min(q.offset+len(found), storage.MaxTotal)), nil
	}
	w = q.where
	total, err = one(ctx, db, "select count(*) from (select 1 from "+q.table+" where "+w.sql()+
		" limit "+w.place(int64(storage.MaxTotal))+") counted", w.args, Row.Int64)
	return found, total, err
}
