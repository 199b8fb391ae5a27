package sqlstore

import (
	"math"
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

// A day of a list begins at the lowest id of it.
func TestDaysOfLists(t *testing.T) {
	for id, want := range map[string]int64{
		"019a2a21-f46f-706e-a202-a75adabcbb80": 20389, "pl_019a2a21f46f706ea202a75adabcbb80": 20389,
		"00000000-0000-7000-8000-000000000000": 0, "": 0, "wt_1": 0, "019a2a21": 0,
		"ffffffff-ffff-7000-8000-000000000000": 3257812,
	} {
		if got := ListDay(id); got != want {
			t.Errorf("%q is of day %d, not %d", id, got, want)
		}
	}
	for prefix, rest := range map[string]string{"": "-7000-8000-000000000000", "pl_": "70008000000000000000"} {
		for _, day := range []int64{0, 1, 20389, 3257812} {
			first := firstOf(prefix, day)
			if ListDay(first+rest) != day || len(first+rest) != len(prefix)+map[string]int{"": 36, "pl_": 32}[prefix] {
				t.Errorf("day %d begins with %q", day, first)
			}
			before := atOf(prefix, day*dayMillis*1000-1000)
			if day > 0 && (ListDay(before+rest) != day-1 || before >= first) {
				t.Errorf("the millisecond before day %d is %q", day, before)
			}
		}
	}
}
