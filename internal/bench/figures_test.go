package bench

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestFigureMeetsItsBound(t *testing.T) {
	for _, c := range []struct {
		name string
		f    figure
		want bool
	}{
		{"at least, just", figure{value: 0.4, bound: 0.4}, true},
		{"at least, missed", figure{value: 0.39, bound: 0.4}, false},
		{"at most, just", figure{value: 2, bound: 2, most: true}, true},
		{"at most, missed", figure{value: 2.1, bound: 2, most: true}, false},
		{"not measured", figure{value: math.NaN(), bound: 0.4}, false},
		{"not measured, at most", figure{value: math.NaN(), bound: 2, most: true}, false},
		{"printed only", figure{value: 0.01}, true},
	} {
		if got := c.f.met(); got != c.want {
			t.Errorf("%s: met = %v, want %v", c.name, got, c.want)
		}
	}
}

// twoRounds are results in which every figure is met, with the second round on a machine half as fast.
func twoRounds() *results {
	r := newResults(1_000_000)
	for _, pace := range []float64{1, 0.5} {
		add := func(row string, kind Operation, perSecond float64, p99 time.Duration) {
			r.add(row, Measure{
				Operation: kind, Requests: 1, PerSecond: perSecond * pace,
				P50: time.Millisecond, P99: time.Duration(float64(p99) / pace),
			})
		}
		for _, row := range []string{
			echoBesideSQLite, echoBesidePostgres, echoBesideOperations, echoBesideCards,
		} {
			add(row, Authorize, 30_000, 4*time.Millisecond)
		}
		add(sqliteEmpty, Authorize, 15_000, 6*time.Millisecond)
		add(sqliteFull, Authorize, 13_500, 6*time.Millisecond)
		add(sqliteFull, Get, 24_000, time.Millisecond)
		add(sqliteFull, List, 9_000, time.Millisecond)
		add(sqliteFullRandom, Authorize, 7_500, 9*time.Millisecond)
		add(postgresEmpty, Authorize, 9_000, 10*time.Millisecond)
		add(sqliteTold, Authorize, 12_000, 6*time.Millisecond)
		add(postgresTold, Authorize, 7_500, 6*time.Millisecond)
		for _, row := range []string{sqliteTold, postgresTold} {
			r.deliveries[row] = append(r.deliveries[row], 600)
			r.delays[row] = [2]time.Duration{50 * time.Millisecond, time.Second}
		}
		add(oneTransaction, Authorize, 600, 90*time.Millisecond)
		for _, kind := range []Operation{Authorize, Capture, Cancel, Refund, Get, List} {
			add(sqliteOperations, kind, 15_000, 6*time.Millisecond)
		}
		for _, kind := range []Operation{CreateLink, Pay, CapturePaid, RefundPaid} {
			add(sqliteCards, kind, 6_000, 60*time.Millisecond)
			add(postgresCards, kind, 3_000, 60*time.Millisecond)
		}
		for _, kind := range []Operation{ListPaid, ListPaidLow, ListPaidBy, FindPaid} {
			add(sqliteCards, kind, 6_000, 60*time.Millisecond)
			add(sqliteCardsFull, kind, 5_400, 60*time.Millisecond)
		}
		add(sqliteCardsSlow, Pay, 1_200, 60*time.Millisecond)
		r.memory[sqliteEmpty] = append(r.memory[sqliteEmpty], 50)
		r.memory[sqliteFull] = append(r.memory[sqliteFull], 200)
		r.ready[sqliteFull] = append(r.ready[sqliteFull], 1)
	}
	r.filled[sqliteFull] = 220
	return r
}

func TestFiguresOfAGoodRun(t *testing.T) {
	var out strings.Builder
	met, err := writeFigures(&out, twoRounds().figures())
	if err != nil || !met {
		t.Fatalf("met = %v, %v; want every bound met:\n%s", met, err, out.String())
	}
	for _, line := range []string{
		"authorize on SQLite / echo 0.50 at least 0.4 ok",
		"the same with 1000000 stored / with none 0.90 at least 0.85 ok",
		"the same with 1000000 stored under random references / with none 0.50",
		"authorize on PostgreSQL / echo 0.30 at least 0.25 ok",
		"authorize on PostgreSQL / one transaction per request 15.00 at least 10 ok",
		"p99 / p99 of the echo, SQLite 1.50 at most 2 ok",
		"p99 / p99 of the echo, PostgreSQL 2.50 at most 3 ok",
		"memory, SQLite, empty 50.00 MiB at most 64 MiB ok",
		"memory, SQLite, 1000000 stored 200.00 MiB at most 256 MiB ok",
		"refund / authorize, SQLite 1.00 at least 0.6 ok",
		"list on SQLite with 1000000 stored / echo 0.30",
		"authorize by a stored card on SQLite / echo 0.20",
		"authorize by a stored card, 50ms at the bank, on SQLite / echo 0.04",
		"refund of a payment on PostgreSQL / echo 0.10",
		"list of transactions on SQLite / echo 0.20",
		"list of transactions with 1000000 stored / with few 0.90 at least 0.85 ok",
	} {
		if !hasLine(out.String(), line) {
			t.Errorf("the table has no line %q:\n%s", line, out.String())
		}
	}
}

// hasLine compares lines with runs of blanks as one.
func hasLine(text, want string) bool {
	for line := range strings.Lines(text) {
		if strings.Join(strings.Fields(line), " ") == want {
			return true
		}
	}
	return false
}

// Each bound must be able to fail the run by itself.
func TestEveryBoundCounts(t *testing.T) {
	spoil := func(row string, kind Operation, change func(*Measure)) func(*results) {
		return func(r *results) {
			for i := range r.measures[row+"/"+string(kind)] {
				change(&r.measures[row+"/"+string(kind)][i])
			}
		}
	}
	slow := func(m *Measure) { m.PerSecond /= 2.2 }
	crawl := func(m *Measure) { m.PerSecond /= 3 }
	late := func(m *Measure) { m.P99 *= 2 }
	for name, ruin := range map[string]func(*results){
		"sqlite/echo":     spoil(echoBesideSQLite, Authorize, func(m *Measure) { m.PerSecond *= 2 }),
		"stored/none":     spoil(sqliteFull, Authorize, slow),
		"postgres/echo":   spoil(echoBesidePostgres, Authorize, func(m *Measure) { m.PerSecond *= 2 }),
		"postgres/single": spoil(oneTransaction, Authorize, func(m *Measure) { m.PerSecond *= 2 }),
		"p99 sqlite":      spoil(sqliteEmpty, Authorize, late),
		"p99 postgres":    spoil(postgresEmpty, Authorize, late),
		"capture":         spoil(sqliteOperations, Capture, slow),
		"cancel":          spoil(sqliteOperations, Cancel, slow),
		"refund":          spoil(sqliteOperations, Refund, slow),
		"memory empty":    func(r *results) { r.memory[sqliteEmpty] = []float64{65, 65} },
		"memory stored":   func(r *results) { r.memory[sqliteFull] = []float64{257, 257} },
		"memory filled":   func(r *results) { r.filled[sqliteFull] = 257 },
		"list paid":       spoil(sqliteCardsFull, ListPaid, slow),
		"old page":        spoil(sqliteCardsFull, ListPaidLow, crawl),
		"by customer":     spoil(sqliteCardsFull, ListPaidBy, slow),
		"by order":        spoil(sqliteCardsFull, FindPaid, slow),
		"told sqlite":     spoil(sqliteTold, Authorize, slow),
		"told postgres":   spoil(postgresTold, Authorize, slow),
		"deliveries":      func(r *results) { r.deliveries[postgresTold] = []float64{499, 499} },
		"delay": func(r *results) {
			r.delays[sqliteTold] = [2]time.Duration{300 * time.Millisecond, time.Second}
		},
		"late tail": func(r *results) {
			r.delays[postgresTold] = [2]time.Duration{100 * time.Millisecond, 3 * time.Second}
		},
		"ready":            func(r *results) { r.ready[sqliteFull] = []float64{1, 2.1} },
		"a row is missing": func(r *results) { delete(r.measures, sqliteFull+"/authorize") },
	} {
		t.Run(name, func(t *testing.T) {
			r := twoRounds()
			ruin(r)
			var out strings.Builder
			met, err := writeFigures(&out, r.figures())
			if err != nil {
				t.Fatal(err)
			}
			if met || strings.Count(out.String(), "MISSED") != 1 {
				t.Errorf("want exactly one bound missed:\n%s", out.String())
			}
		})
	}
}

func TestRowsAreMedians(t *testing.T) {
	r := newResults(5)
	for _, perSecond := range []float64{100, 300, 200} {
		r.add(sqliteEmpty, Measure{
			Operation: Authorize, Requests: 1, PerSecond: perSecond, P50: 2 * time.Millisecond,
			P99: 5 * time.Millisecond, ServerCPU: 60 * time.Microsecond, LoadCPU: 15 * time.Microsecond,
		})
		r.memory[sqliteEmpty] = append(r.memory[sqliteEmpty], 40)
	}
	var out strings.Builder
	if err := r.writeRows(&out); err != nil {
		t.Fatal(err)
	}
	if want := "SQLite, empty: authorize 200 100 300 2.00 5.00 60 15 40"; !hasLine(out.String(), want) {
		t.Errorf("no line %q in:\n%s", want, out.String())
	}
}
