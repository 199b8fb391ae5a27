package sqlstore

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Lists whose entries are counted.
const (
	ListShoppers = "shoppers"
)

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
func firstOf(prefix string, day int64) string {
	ms := day * dayMillis
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
