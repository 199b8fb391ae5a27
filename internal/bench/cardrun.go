package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// The rows of card payments. Every one of SQLite's begins with few payments stored, but for the one with
// many.
const (
	echoBesideCards = "echo, beside cards"
	sqliteCards     = "SQLite, cards"
	sqliteCardsSlow = "SQLite, cards, slow bank"
	sqliteCardsFull = "SQLite, cards stored"
	postgresCards   = "PostgreSQL, cards"
)

const (
	// slowBank is how long the bank takes for each answer in the row that is named so.
	slowBank = 50 * time.Millisecond
	// fewEach is how many payments each customer has where few are stored: a page of them.
	fewEach = listSize
)

// stocked is a store with customers, their cards and some payments. Copies are served, unless it is only
// read.
type stocked struct {
	store
	Stock
}

// prepareCards makes the stores of card payments: one with few payments on each engine, and on SQLite one
// with as many as are to be stored. The latter is SQLite's alone: filling another would take longer than all
// that is measured on it.
func (r *runner) prepareCards(ctx context.Context) error {
	r.say("storing the cards of %d customers on SQLite and on PostgreSQL", r.Shoppers)
	s, err := r.emptySQLite.copyTo(r.path("cards"))
	if err == nil {
		r.cardsSQLite, err = r.stock(ctx, s)
	}
	if err != nil {
		return fmt.Errorf("store cards on SQLite: %w", err)
	}
	s = r.emptyPostgres
	if s.database, err = r.postgres.create(ctx, r.emptyPostgres.database); err != nil {
		return err
	}
	r.cardsPostgres.store = s // to be dropped, whatever happens
	if r.cardsPostgres, err = r.stock(ctx, s); err != nil {
		return fmt.Errorf("store cards on PostgreSQL: %w", err)
	}
	r.say("storing %d card payments", r.Stored)
	r.cardsFull = r.cardsSQLite
	if r.cardsFull.store, err = r.cardsSQLite.copyTo(r.path("full")); err != nil {
		return err
	}
	begun := time.Now()
	if err := r.fillPayments(ctx, &r.cardsFull, r.Stored); err != nil {
		return fmt.Errorf("store card payments: %w", err)
	}
	r.results.filledCards = time.Since(begun).Seconds()
	return r.fillPayments(ctx, &r.cardsSQLite, int64(fewEach*r.Shoppers))
}

// briefly is a measured phase on a server that needs little warming: every round has it, of each of the rows.
func (r *runner) briefly(kind Operation) Phase {
	return Phase{Operation: kind, WarmUp: r.WarmUp / 3, Window: r.Window}
}

// reads are the phases that read what is stored. Half of the window is enough for answers without a disk.
func (r *runner) reads() (phases []Phase) {
	for _, kind := range []Operation{ListPaid, ListPaidLow, ListPaidBy, FindPaid} {
		phases = append(phases, Phase{Operation: kind, WarmUp: r.WarmUp / 3, Window: r.Window / 2})
	}
	return phases
}

// writes are the phases that make payments. What uses payments up has no warm-up, which could use up all.
func (r *runner) writes() []Phase {
	return []Phase{
		r.briefly(CreateLink), r.briefly(Pay),
		{Operation: CapturePaid, Window: r.Window}, {Operation: RefundPaid, Window: r.Window},
	}
}

// cards measures a copy of a store with few payments, with a bank that takes so long for each answer.
func (r *runner) cards(row string, latency time.Duration, phases []Phase) func(context.Context) error {
	return func(ctx context.Context) error {
		s, err := r.cardsSQLite.copyTo(r.path("copy"))
		if err != nil {
			return err
		}
		defer os.RemoveAll(s.dir)
		return r.onCards(ctx, row, stocked{s, r.cardsSQLite.Stock}, latency, phases)
	}
}

// cardsStored measures what reads the large store, which stays as it is.
func (r *runner) cardsStored(ctx context.Context) error {
	return r.onCards(ctx, sqliteCardsFull, r.cardsFull, 0, r.reads())
}

func (r *runner) cardsOnPostgres(ctx context.Context) (err error) {
	s := r.cardsPostgres
	if s.database, err = r.postgres.create(ctx, r.cardsPostgres.database); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.postgres.drop(context.WithoutCancel(ctx), s.database)) }()
	return r.onCards(ctx, postgresCards, s, 0, r.writes())
}

func (r *runner) onCards(
	ctx context.Context, row string, s stocked, latency time.Duration, phases []Phase,
) error {
	how := r.serving(s.store)
	how.extra = []string{"PLEXY_SANDBOX_LATENCY=" + latency.String()}
	return r.measure(ctx, row, how, Load{
		APIKeys: s.keys, FirstReference: firstOrder, Stock: s.Stock, Phases: phases,
	})
}

// cardFigures are those of card payments.
func (r *results) cardFigures() []figure {
	against := func(name, row string, kind Operation) figure {
		return figure{
			name: name, value: pairedMedian(r.pick(row, kind, rate), r.pick(echoBesideCards, Authorize, rate)),
		}
	}
	out := []figure{
		{name: fmt.Sprintf("storing %d card payments in bulk", r.stored), unit: " s", value: r.filledCards},
	}
	for _, engine := range [][2]string{{"SQLite", sqliteCards}, {"PostgreSQL", postgresCards}} {
		for _, o := range []struct {
			name string
			kind Operation
		}{
			{"create a payment link", CreateLink}, {"authorize by a stored card", Pay},
			{"capture of a payment", CapturePaid}, {"refund of a payment", RefundPaid},
		} {
			out = append(out, against(o.name+" on "+engine[0]+" / echo", engine[1], o.kind))
		}
	}
	beyond := func(m Measure) float64 { return float64(m.P50-slowBank) / float64(time.Millisecond) }
	out = append(out,
		against(fmt.Sprintf("authorize by a stored card, %v at the bank, on SQLite / echo", slowBank),
			sqliteCardsSlow, Pay),
		figure{
			name: "what that takes beyond the bank, median", unit: " ms",
			value: median(r.pick(sqliteCardsSlow, Pay, beyond)),
		})
	stored := fmt.Sprintf("%d stored", r.stored)
	for _, read := range []struct {
		name  string
		kind  Operation
		bound float64
	}{
		{"list of transactions", ListPaid, 0.85}, {"transaction by order reference", FindPaid, 0.6},
		// These pass over entries, some thousands at most: of a slot of the day, and to count the customer's.
		{"old page of transactions", ListPaidLow, 0.35}, {"transactions of a customer", ListPaidBy, 0.45},
	} {
		out = append(out,
			against(read.name+" on SQLite / echo", sqliteCards, read.kind),
			against(read.name+" on SQLite with "+stored+" / echo", sqliteCardsFull, read.kind),
			figure{name: read.name + " with " + stored + " / with few", bound: read.bound, value: pairedMedian(
				r.pick(sqliteCardsFull, read.kind, rate), r.pick(sqliteCards, read.kind, rate))})
	}
	return out
}
