package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
	"time"
)

// The rows: one server in one condition.
const (
	echoBesideSQLite     = "echo, beside SQLite"
	echoBesideOperations = "echo, beside the operations"
	echoBesidePostgres   = "echo, beside PostgreSQL"
	sqliteEmpty          = "SQLite, empty"
	sqliteOperations     = "SQLite, operations"
	sqliteFull           = "SQLite, stored"
	sqliteFullRandom     = "SQLite, stored, random references"
	postgresEmpty        = "PostgreSQL"
	oneTransaction       = "PostgreSQL, one transaction per request"
)

// results are the measures of all rounds, in the order they were taken.
type results struct {
	rows     []string               // in order of first appearance
	measures map[string][]Measure   // by row and operation
	memory   map[string][]float64   // peak MiB of the server, by row
	ready    map[string][]float64   // seconds to ready, by row
	kinds    map[string][]Operation // operations of a row, in order
	fill     map[string]Measure     // the filling of the large databases, by row
	filled   map[string]float64     // peak MiB of the server that was filled
	stored   int64                  // transactions in the large databases

	filledCards float64 // seconds that storing as many card payments took

	deliveries map[string][]float64        // a second, while authorize goes as fast as it can
	delays     map[string][2]time.Duration // median and 99th percentile from an event to its arrival
	drained    map[string]float64          // seconds until everything had arrived after that
}

func newResults(stored int64) *results {
	return &results{
		measures: map[string][]Measure{}, memory: map[string][]float64{}, ready: map[string][]float64{},
		kinds: map[string][]Operation{}, fill: map[string]Measure{}, filled: map[string]float64{},
		stored: stored, deliveries: map[string][]float64{}, delays: map[string][2]time.Duration{},
		drained: map[string]float64{},
	}
}

func (r *results) add(row string, m Measure) {
	if !slices.Contains(r.rows, row) {
		r.rows = append(r.rows, row)
	}
	if !slices.Contains(r.kinds[row], m.Operation) {
		r.kinds[row] = append(r.kinds[row], m.Operation)
	}
	key := row + "/" + string(m.Operation)
	r.measures[key] = append(r.measures[key], m)
}

// pick returns one number of each round's measure.
func (r *results) pick(row string, kind Operation, number func(Measure) float64) []float64 {
	var out []float64
	for _, m := range r.measures[row+"/"+string(kind)] {
		out = append(out, number(m))
	}
	return out
}

func rate(m Measure) float64 { return m.PerSecond }
func p99(m Measure) float64  { return m.P99.Seconds() }

// figure is one line of the judgement.
type figure struct {
	name  string
	value float64
	bound float64 // 0: printed only
	most  bool    // whether the bound is the most it may be, not the least
	unit  string
}

func (f figure) met() bool {
	switch {
	case f.bound == 0:
		return true
	case f.most:
		return f.value <= f.bound // false for NaN
	default:
		return f.value >= f.bound
	}
}

// figures are the bounds that the project has set itself, and what is printed beside them.
func (r *results) figures() []figure {
	ratio := func(row string, kind Operation, to string, toKind Operation) float64 {
		return pairedMedian(r.pick(row, kind, rate), r.pick(to, toKind, rate))
	}
	tail := func(row, echo string) float64 {
		return pairedMedian(r.pick(row, Authorize, p99), r.pick(echo, Authorize, p99))
	}
	stored := fmt.Sprintf("%d stored", r.stored)
	out := []figure{
		{name: "authorize on SQLite / echo", bound: 0.40,
			value: ratio(sqliteEmpty, Authorize, echoBesideSQLite, Authorize)},
		{name: "the same with " + stored + " / with none", bound: 0.85,
			value: ratio(sqliteFull, Authorize, sqliteEmpty, Authorize)},
		{name: "the same with " + stored + " under random references / with none",
			value: ratio(sqliteFullRandom, Authorize, sqliteEmpty, Authorize)},
		{name: "authorize on PostgreSQL / echo", bound: 0.25,
			value: ratio(postgresEmpty, Authorize, echoBesidePostgres, Authorize)},
		{name: "authorize on PostgreSQL / one transaction per request", bound: 10,
			value: ratio(postgresEmpty, Authorize, oneTransaction, Authorize)},
		{name: "p99 / p99 of the echo, SQLite", bound: 2, most: true,
			value: tail(sqliteEmpty, echoBesideSQLite)},
		{name: "p99 / p99 of the echo, PostgreSQL", bound: 3, most: true,
			value: tail(postgresEmpty, echoBesidePostgres)},
		{name: "memory, SQLite, empty", bound: 64, most: true, unit: " MiB",
			value: median(r.memory[sqliteEmpty])},
		{name: "memory, SQLite, " + stored, bound: 256, most: true, unit: " MiB",
			value: median(r.memory[sqliteFull])},
		{name: "memory, SQLite, after storing them itself", bound: 256, most: true, unit: " MiB",
			value: r.filled[sqliteFull]},
		{name: "ready with " + stored + ", slowest", bound: 2, most: true, unit: " s",
			value: slowest(r.ready[sqliteFull])},
	}
	for _, rows := range [][2]string{{sqliteTold, sqliteEmpty}, {postgresTold, postgresEmpty}} {
		told, alone := rows[0], rows[1]
		out = append(out,
			figure{name: "authorize while an endpoint is told / alone, " + alone, bound: 0.75,
				value: ratio(told, Authorize, alone, Authorize)},
			figure{name: "deliveries a second meanwhile, " + alone, bound: 500, value: median(r.deliveries[told])},
			figure{name: "then everything had arrived after, " + alone, unit: " s", value: r.drained[told]},
			figure{name: "from an event to its arrival at 500/s, median, " + alone, bound: 0.25, most: true,
				unit: " s", value: r.delays[told][0].Seconds()},
			figure{name: "the same, 99th percentile, " + alone, bound: 2, most: true, unit: " s",
				value: r.delays[told][1].Seconds()})
	}
	for _, kind := range []Operation{Capture, Cancel, Refund} {
		out = append(out, figure{name: string(kind) + " / authorize, SQLite", bound: 0.6,
			value: ratio(sqliteOperations, kind, sqliteOperations, Authorize)})
	}
	for _, kind := range []Operation{Get, List} {
		out = append(out,
			figure{name: string(kind) + " on SQLite / echo",
				value: ratio(sqliteOperations, kind, echoBesideOperations, Authorize)},
			figure{name: string(kind) + " on SQLite with " + stored + " / echo",
				value: ratio(sqliteFull, kind, echoBesideSQLite, Authorize)})
	}
	return append(out, r.cardFigures()...)
}

// slowest returns the largest value, and NaN of none.
func slowest(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return slices.Max(values)
}

// writeFigures prints the judgement and tells whether every bound is met.
func writeFigures(out io.Writer, figures []figure) (bool, error) {
	all := true
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tmeasured\tbound\t")
	for _, f := range figures {
		bound, verdict := "", ""
		if f.bound != 0 {
			sign := "at least"
			if f.most {
				sign = "at most"
			}
			bound, verdict = fmt.Sprintf("%s %g%s", sign, f.bound, f.unit), "ok"
		}
		if !f.met() {
			all, verdict = false, "MISSED"
		}
		fmt.Fprintf(t, "%s\t%.2f%s\t%s\t%s\n", f.name, f.value, f.unit, bound, verdict)
	}
	return all, t.Flush()
}

// writeRows prints the medians behind the figures.
func (r *results) writeRows(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "row\trequests/s\tlowest\thighest\tp50 ms\tp99 ms\t"+
		"server CPU µs\tload CPU µs\tpeak MiB\t")
	milli := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	micro := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	for _, row := range r.rows {
		for _, kind := range r.kinds[row] {
			rates := r.pick(row, kind, rate)
			fmt.Fprintf(t, "%s: %s\t%.0f\t%.0f\t%.0f\t%.2f\t%.2f\t%.0f\t%.0f\t%.0f\t\n", row, kind,
				median(rates), slices.Min(rates), slices.Max(rates),
				median(r.pick(row, kind, func(m Measure) float64 { return milli(m.P50) })),
				median(r.pick(row, kind, func(m Measure) float64 { return milli(m.P99) })),
				median(r.pick(row, kind, func(m Measure) float64 { return micro(m.ServerCPU) })),
				median(r.pick(row, kind, func(m Measure) float64 { return micro(m.LoadCPU) })),
				median(r.memory[row]))
		}
	}
	for _, row := range []string{sqliteFull, sqliteFullRandom} {
		m := r.fill[row]
		fmt.Fprintf(t, "%s: filling\t%.0f\t\t\t%.2f\t%.2f\t%.0f\t%.0f\t%.0f\t\n", row, m.PerSecond,
			milli(m.P50), milli(m.P99), micro(m.ServerCPU), micro(m.LoadCPU), r.filled[row])
	}
	return t.Flush()
}
