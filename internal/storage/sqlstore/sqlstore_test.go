package sqlstore

import (
	"context"
	"math"
	"slices"
	"testing"
)

func TestPlaces(t *testing.T) {
	for want, got := range map[string]string{
		"": Places(1, 0), "$1": Places(1, 1), "$4, $5, $6": Places(4, 3), "$10": Places(10, 1),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Rows are found by these books for as long as there are rows.
func TestHashBookStaysTheSame(t *testing.T) {
	for _, c := range []struct {
		parts []string
		want  int64
	}{
		{[]string{"ORDER-1"}, 583}, {[]string{"mer_1", "key"}, 894}, {[]string{"mer_1key"}, 235}, {nil, 294},
	} {
		if got := HashBook(c.parts...); got != c.want {
			t.Errorf("%q is in book %d, and was in %d", c.parts, got, c.want)
		}
	}
	used := map[int64]bool{}
	for i := range 20_000 {
		book := HashBook("mer_1", Places(i, 1))
		if book < 0 || book > 1023 {
			t.Fatalf("book %d", book)
		}
		used[book] = true
	}
	if len(used) != 1024 {
		t.Errorf("20,000 keys fall into %d books", len(used))
	}
}

func TestBook(t *testing.T) {
	const ulid = "01K9QQQQQQQQQQQQQQQQQQQQ"
	for object, want := range map[string]int64{
		"wt_" + ulid + "00": 0, "wt_" + ulid + "ZZ": 1023, "wlt_" + ulid + "10": 32,
		"cus_" + ulid + "10": -1, "wt_" + ulid: -1, "wt_" + ulid + "0i": -1, "": -1, "wlt_": -1,
	} {
		book, ok := Book(object)
		if ok != (want >= 0) || ok && book != want {
			t.Errorf("%q: book %d, %v", object, book, ok)
		}
	}
}

func TestBound(t *testing.T) {
	last := ""
	for _, at := range []int64{0, 1_000, 1_760_000_000_000_000, 281_474_976_710_655_999, math.MaxInt64} {
		b := bound(at)
		if b <= last {
			t.Errorf("the bound of %d is %q, not above %q", at, b, last)
		}
		last = b
	}
	if bound(math.MinInt64) != bound(0) {
		t.Error("before the epoch there are no ids")
	}
}

// A day of a list, and a slot of it, begins at the lowest id of it.
func TestDaysOfLists(t *testing.T) {
	day := func(id string) int64 { return Counted("l", "o", id)[0].Day }
	for id, want := range map[string]int64{
		"019a2a21-f46f-706e-a202-a75adabcbb80": 20389, "pl_019a2a21f46f706ea202a75adabcbb80": 20389,
		"00000000-0000-7000-8000-000000000000": 0, "": 0, "wt_1": 0, "019a2a21": 0,
		"ffffffff-ffff-7000-8000-000000000000": 3257812,
	} {
		n := Counted("l", "o", id)
		if n[0].Day != want || n[1].Day/daySlots != want || n[0].List == n[1].List || n[1].Made != 1 {
			t.Errorf("%q is counted as %+v, not of day %d", id, n, want)
		}
	}
	for prefix, rest := range map[string]string{"": "-7000-8000-000000000000", "pl_": "70008000000000000000"} {
		for _, want := range []int64{0, 1, 20389, 3257812} {
			first := atOf(prefix, want*dayMillis*1000)
			if day(first+rest) != want || len(first+rest) != len(prefix)+map[string]int{"": 36, "pl_": 32}[prefix] {
				t.Errorf("day %d begins with %q", want, first)
			}
			before := atOf(prefix, want*dayMillis*1000-1000)
			if want > 0 && (day(before+rest) != want-1 || before >= first) {
				t.Errorf("the millisecond before day %d is %q", want, before)
			}
		}
	}
}

// TestAPageFarDownPassesOverFew: of a list with a million entries on each of ten days, what is read to find a
// page is the days, the slots of one day, and the entries above the page in its own slot.
func TestAPageFarDownPassesOverFew(t *testing.T) {
	const days, perSlot = 10, 3472
	for _, c := range []struct {
		offset int
		slots  bool // whether they are all counted
		rest   int  // entries that are passed over one by one
		before string
	}{
		{0, true, 0, ""},
		{100, true, 100, ""},
		{perSlot + 7, true, 7, atOf("", (20_010*daySlots-1)*slotMillis*1000)},
		{5*daySlots*perSlot + 2*perSlot + 101, true, 101, atOf("", (20_005*daySlots-2)*slotMillis*1000)},
		{days*daySlots*perSlot - 1, true, perSlot - 1, atOf("", (20_000*daySlots+1)*slotMillis*1000)},
		{days*daySlots*perSlot + 9, true, 9, atOf("", 20_000*dayMillis*1000)},
		{5*daySlots*perSlot + 2*perSlot, false, 2 * perSlot, atOf("", 20_005*dayMillis*1000)},
	} {
		db := &countedDays{days: days, perSlot: perSlot, slots: c.slots}
		p, err := pageOf(t.Context(), db, list{ListPayments, "mer_1", ""}, c.offset)
		if err != nil || p.before != c.before || p.offset != c.rest || p.total != days*daySlots*perSlot ||
			db.read > days+daySlots {
			t.Errorf("offset %d: %+v of %q (%v), %d rows read", c.offset, p, c.before, err, db.read)
		}
	}
}

// countedDays is a DB that knows counts of days before day 20010, and of their slots.
type countedDays struct {
	days, perSlot, read int
	slots               bool
}

func (d *countedDays) Query(_ context.Context, sql string, args []any, row func(Row) error) error {
	n, last, each := d.days, int64(20_009), int64(d.perSlot*daySlots)
	if sql == countSlots {
		n, last, each = daySlots, args[3].(int64)-1, int64(d.perSlot)
		if !d.slots {
			n--
		}
	}
	for i := range n {
		d.read++
		if err := row(&integers{last - int64(i), each}); err != nil {
			return err
		}
	}
	return nil
}

func (*countedDays) Exec(context.Context, string, []any) (int64, error) { panic("nothing is written") }

// TestStatisticsReadWholeDays: without bounds, and within whole days, no link is read; otherwise those of two
// days at most.
func TestStatisticsReadWholeDays(t *testing.T) {
	const d = dayMicros
	for _, c := range []struct {
		from, to int64
		want     []countPart
	}{
		{0, 0, []countPart{{days: true}}},
		{3 * d, 0, []countPart{{days: true, from: 3}}},
		{0, 3 * d, []countPart{{days: true, to: 3}}},
		{3 * d, 5 * d, []countPart{{days: true, from: 3, to: 5}}},
		{3*d - 1, 0, []countPart{{days: true, from: 3}, {from: 3*d - 1, to: 3 * d}}},
		{3*d + 1, 9*d + 1, []countPart{{days: true, from: 4, to: 9}, {from: 3*d + 1, to: 4 * d}, {from: 9 * d,
			to: 9*d + 1}}},
		{3*d + 1, 4*d + 1, []countPart{{from: 3*d + 1, to: 4*d + 1}}},
		{5, 4, []countPart{{from: 5, to: 4}}},
	} {
		if got := partsOf(c.from, c.to); !slices.Equal(got, c.want) {
			t.Errorf("from %d to %d: %+v", c.from, c.to, got)
		}
	}
}

// integers is a row of integers.
type integers []int64

func (n *integers) Int64() (v int64) {
	v, *n = (*n)[0], (*n)[1:]
	return v
}
func (*integers) Text() string  { panic("not a text") }
func (*integers) Bytes() []byte { panic("not bytes") }
func (*integers) Bool() bool    { panic("not a truth") }
