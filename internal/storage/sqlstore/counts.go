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

// Count is how many entries of a day, or of a slot of a day, a batch made in a list.
type Count struct {
	List, Owner string
	Day         int64
	Made        int64
}

// slots is the name under which the slots of a list's days are counted, in the column of the day.
func slots(list string) string { return list + " by slot" }

// CountNew returns what the state's new payments and links add to the counts of lists, in the order of the
// counts' key; nil when there are none.
func CountNew(state *machine.State) []Count {
	c := &state.Changes
	if len(c.NewPayments)+len(c.NewLinks) == 0 {
		return nil
	}
	made := map[Count]int64{}
	count := func(list, owner, id string) {
		for _, n := range Counted(list, owner, id) {
			n.Made = 0
			made[n]++
		}
	}
	for _, id := range c.NewPayments {
		count(ListPayments, state.Payments[id].Merchant, id)
	}
	for _, id := range c.NewLinks {
		count(ListLinks, state.Links[id].Merchant, id)
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

// Counted is what one new entry of an owner's list adds to the counts.
func Counted(list, owner, id string) [2]Count {
	ms := listMillis(id)
	return [2]Count{
		{List: list, Owner: owner, Day: ms / dayMillis, Made: 1},
		{List: slots(list), Owner: owner, Day: ms / slotMillis, Made: 1},
	}
}

const (
	dayMillis = 24 * 60 * 60 * 1000
	// slotMillis is how long a slot is: so that a day has few of them, and a slot of a busy day few entries.
	slotMillis = 5 * 60 * 1000
	daySlots   = dayMillis / slotMillis
	// passed is how many entries are passed over one by one, without looking for the slot.
	passed = 100
)

// CountColumns are those of list_counts, in the order of its key.
const CountColumns = "list, owner, day, book, n"

// AddCount adds to the count of a list's entries of a day under a book. Both engines run it as it is.
const AddCount = "insert into list_counts (" + CountColumns + ") values ($1, $2, $3, $4, $5) " +
	"on conflict (list, owner, day, book) do update set n = list_counts.n + excluded.n"

// listMillis returns the time, in milliseconds since 1970, that the id of a list's entry tells: a UUIDv7,
// bare or without its dashes after a prefix. What is no such id is of 1970, and sorts there as well.
func listMillis(id string) int64 {
	digits := strings.ReplaceAll(id[strings.LastIndexByte(id, '_')+1:], "-", "")
	ms, err := strconv.ParseUint(digits[:min(len(digits), 12)], 16, 64)
	if err != nil || len(digits) != 32 {
		return 0
	}
	return int64(ms)
}

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

// pass passes over n entries, those from a time (milliseconds) on, if the page begins after them.
func (p *listPage) pass(l list, n int, from int64) bool {
	if p.offset < n {
		return false
	}
	p.offset -= n
	p.before = atOf(l.prefix, from*1000)
	return true
}

// period is what was counted together: a day, or a slot of one.
type period struct {
	at int64
	n  int
}

const (
	countDays = "select day, cast(sum(n) as bigint) from list_counts where list = $1 and owner = $2 " +
		"group by day order by day desc"
	countSlots = "select day, cast(sum(n) as bigint) from list_counts where list = $1 and owner = $2 " +
		"and day >= $3 and day < $4 group by day order by day desc"
)

func scanPeriod(r Row) period { return period{r.Int64(), int(r.Int64())} }

// pageOf finds the place of a page, after the offset newest entries, by the counts of days, and of the slots
// of the day that it begins in: a page far down costs a look at the days, at the slots of its own day and at
// the entries of its own slot, not at all entries above it.
func pageOf(ctx context.Context, db DB, l list, offset int) (listPage, error) {
	p := listPage{offset: offset}
	days, err := all(ctx, db, countDays, []any{l.name, l.owner}, scanPeriod)
	if err != nil {
		return p, err
	}
	passing, in := true, period{}
	for _, day := range days {
		p.total += day.n
		if passing && !p.pass(l, day.n, day.at*dayMillis) {
			passing, in = false, day
		}
	}
	if passing || p.offset <= passed {
		return p, nil
	}
	return p, p.passSlots(ctx, db, l, in)
}

// passSlots passes over the slots of a day. A day on which entries were made that no slot counted, as
// releases before this one did, is left as it is.
func (p *listPage) passSlots(ctx context.Context, db DB, l list, day period) error {
	first := day.at * daySlots
	found, err := all(ctx, db, countSlots, []any{slots(l.name), l.owner, first, first + daySlots}, scanPeriod)
	counted := 0
	for _, slot := range found {
		counted += slot.n
	}
	if err != nil || counted < day.n {
		return err
	}
	for _, slot := range found {
		if !p.pass(l, slot.n, slot.at*slotMillis) {
			break
		}
	}
	return nil
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
	sql := "select " + q.columns + " from " + q.table + " where " + w.sql() +
		" order by id desc limit " + w.place(int64(q.limit)) + " offset " + w.place(int64(from.offset))
	err = db.Query(ctx, sql, w.args, func(r Row) error {
		// What is more than one is mostly a whole page, and step by step it would leave garbage of twice its size.
		if len(found) == 1 {
			found = slices.Grow(found, q.limit-1)
		}
		found = append(found, scan(r))
		return nil
	})
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
