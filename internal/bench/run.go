package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	startPatience = time.Minute
	// firstOrder is where the shop's running number begins; the small databases begin there every time.
	firstOrder = 1
)

// runner is one run of the bench.
type runner struct {
	Config
	payers   []Payer
	postgres *postgres
	results  *results
	scratch  int

	emptySQLite, emptyPostgres store // furnished, never served from: copies are
	full, fullRandom           large

	cardsSQLite, cardsPostgres, cardsFull stocked // the first two are never served from: copies are
}

// large is a store that the bench has filled with transactions.
type large struct {
	store
	nextOrder int64
	known     []string // some of its transactions, evenly spread
}

// Run measures everything and prints the table to cfg.Out. It returns ErrMissed when a bound is missed,
// and any other error when something could not be measured; there is no table then.
func Run(ctx context.Context, cfg Config) error {
	dir, err := os.MkdirTemp(cfg.WorkDir, "plexy-bench-")
	if err != nil {
		return fmt.Errorf("make a directory for the databases: %w", err)
	}
	defer os.RemoveAll(dir)
	cfg.WorkDir = dir
	r := &runner{Config: cfg, payers: examplePayers(cfg.Wallets), results: newResults(cfg.Stored)}
	if err := r.prepare(ctx); err != nil {
		return errors.Join(err, r.clear())
	}
	for round := range cfg.Rounds {
		r.say("round %d of %d", round+1, cfg.Rounds)
		if err := r.round(ctx); err != nil {
			return errors.Join(fmt.Errorf("round %d: %w", round+1, err), r.clear())
		}
	}
	r.say("how long webhooks take")
	err = r.after(ctx, sqliteTold, r.freshSQLite)
	if err == nil {
		err = r.after(ctx, postgresTold, r.freshPostgres)
	}
	if err != nil {
		return errors.Join(err, r.clear())
	}
	return errors.Join(r.judge(), r.clear())
}

func (r *runner) say(format string, arguments ...any) {
	fmt.Fprintf(r.Progress, format+"\n", arguments...)
}

// path returns a name of its own in the working directory.
func (r *runner) path(kind string) string {
	r.scratch++
	return filepath.Join(r.WorkDir, fmt.Sprintf("%03d-%s", r.scratch, kind))
}

// prepare furnishes both empty stores and fills the large ones.
func (r *runner) prepare(ctx context.Context) error {
	var err error
	if r.postgres, err = newPostgres(ctx, r.PostgresURL); err != nil {
		return err
	}
	r.say("opening %d wallets on SQLite and on PostgreSQL", r.Wallets)
	if r.emptySQLite, err = (store{dir: r.path("sqlite")}).furnish(ctx, r.Config); err != nil {
		return fmt.Errorf("furnish SQLite: %w", err)
	}
	database, err := r.postgres.create(ctx, "")
	r.emptyPostgres = store{dir: r.path("postgres"), database: database}
	if err != nil {
		return err
	}
	if r.emptyPostgres, err = r.emptyPostgres.furnish(ctx, r.Config); err != nil {
		return fmt.Errorf("furnish PostgreSQL: %w", err)
	}
	if r.full, err = r.store(ctx, sqliteFull, false); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	r.fullRandom, err = r.store(ctx, sqliteFullRandom, true)
	if err != nil {
		return fmt.Errorf("fill under random references: %w", err)
	}
	return r.prepareCards(ctx)
}

// store fills a copy of the empty store with transactions through the API, as merchants would.
func (r *runner) store(ctx context.Context, row string, random bool) (large, error) {
	r.say("storing %d transactions: %s", r.Stored, row)
	s, err := r.emptySQLite.copyTo(r.path("full"))
	if err != nil {
		return large{}, err
	}
	outcome, seen, err := r.session(ctx, r.serving(s), Load{
		APIKeys: s.keys, FirstReference: firstOrder, RandomReferences: random,
		Phases: []Phase{{Operation: Authorize, Requests: r.Stored}},
	})
	if err != nil {
		return large{}, err
	}
	r.results.fill[row] = outcome.Measures[0]
	r.results.filled[row] = seen.peakMiB
	return large{store: s, nextOrder: outcome.NextReference, known: outcome.SampleIDs}, nil
}

// round measures every row once. Each row stands beside the rows it is compared with.
func (r *runner) round(ctx context.Context) error {
	steps := []func(context.Context) error{
		r.echo(echoBesideSQLite), r.authorizeEmpty, r.authorizeFull, r.authorizeFullRandom,
		r.echo(echoBesidePostgres), r.authorizePostgres, r.authorizeOneTransaction,
		r.told(sqliteTold, r.freshSQLite), r.told(postgresTold, r.freshPostgres),
		r.echo(echoBesideOperations), r.operate,
		r.echo(echoBesideCards), r.cards(sqliteCards, 0, append(r.reads(), r.writes()...)), r.cardsStored,
		r.cards(sqliteCardsSlow, slowBank, []Phase{r.timed(Pay)}), r.cardsOnPostgres,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// timed is a measured phase of the standard length.
func (r *runner) timed(kind Operation) Phase {
	return Phase{Operation: kind, WarmUp: r.WarmUp, Window: r.Window}
}

func (r *runner) echo(row string) func(context.Context) error {
	return func(ctx context.Context) error {
		how := r.spawn("bench", "echo", "--listen", "LISTEN")
		return r.measure(ctx, row, how, Load{
			APIKeys: r.emptySQLite.keys, FirstReference: firstOrder, Phases: []Phase{r.timed(Authorize)},
		})
	}
}

func (r *runner) authorizeEmpty(ctx context.Context) error {
	return r.onCopy(ctx, sqliteEmpty, r.timed(Authorize))
}

// operate measures what follows an authorization. The authorizations in the middle are for the cancels.
// What uses authorizations up has no warm-up, which could use up all of them; the server is warm by then.
func (r *runner) operate(ctx context.Context) error {
	using := func(kind Operation) Phase { return Phase{Operation: kind, Window: r.Window} }
	return r.onCopy(ctx, sqliteOperations,
		r.timed(Authorize), using(Capture), using(Refund),
		Phase{Operation: Authorize, WarmUp: r.WarmUp + r.Window}, using(Cancel),
		r.timed(Get), r.timed(List))
}

func (r *runner) onCopy(ctx context.Context, row string, phases ...Phase) error {
	s, err := r.emptySQLite.copyTo(r.path("copy"))
	if err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	return r.measure(ctx, row, r.serving(s), Load{
		APIKeys: s.keys, FirstReference: firstOrder, Phases: phases,
	})
}

func (r *runner) authorizeFull(ctx context.Context) error {
	return r.onLarge(ctx, sqliteFull, &r.full, r.timed(Authorize), r.timed(Get), r.timed(List))
}

func (r *runner) authorizeFullRandom(ctx context.Context) error {
	return r.onLarge(ctx, sqliteFullRandom, &r.fullRandom, r.timed(Authorize))
}

func (r *runner) onLarge(ctx context.Context, row string, l *large, phases ...Phase) error {
	outcome, seen, err := r.session(ctx, r.serving(l.store), Load{
		APIKeys: l.keys, FirstReference: l.nextOrder, RandomReferences: row == sqliteFullRandom,
		KnownIDs: l.known, Phases: phases,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", row, err)
	}
	l.nextOrder = outcome.NextReference
	r.record(row, outcome, seen)
	return nil
}

func (r *runner) authorizePostgres(ctx context.Context) error {
	return r.onDatabase(ctx, postgresEmpty, r.serving)
}

func (r *runner) authorizeOneTransaction(ctx context.Context) error {
	return r.onDatabase(ctx, oneTransaction, func(s store) spawn {
		return r.spawn(append([]string{"bench", "one-transaction", "--listen", "LISTEN"}, s.flags()...)...)
	})
}

// onDatabase measures authorize on a fresh PostgreSQL database.
func (r *runner) onDatabase(ctx context.Context, row string, serving func(store) spawn) (err error) {
	s := r.emptyPostgres
	if s.database, err = r.postgres.create(ctx, r.emptyPostgres.database); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.postgres.drop(context.WithoutCancel(ctx), s.database)) }()
	return r.measure(ctx, row, serving(s), Load{
		APIKeys: s.keys, FirstReference: firstOrder, Phases: []Phase{r.timed(Authorize)},
	})
}

// serving is how the shipped server is started: with its defaults, its log in a file.
func (r *runner) serving(s store) spawn {
	return r.spawn(append([]string{"serve", "--listen", "LISTEN"}, s.flags()...)...)
}

func (r *runner) spawn(arguments ...string) spawn {
	return spawn{
		binary: r.Binary, arguments: arguments, logPath: r.path("log"), patience: startPatience,
	}
}

// sight is what the bench sees of a server from outside.
type sight struct {
	peakMiB float64
	ready   time.Duration
}

// measure plays the load against a server and records it under the row.
func (r *runner) measure(ctx context.Context, row string, how spawn, load Load) error {
	outcome, seen, err := r.session(ctx, how, load)
	if err != nil {
		return fmt.Errorf("%s: %w", row, err)
	}
	r.record(row, outcome, seen)
	return nil
}

func (r *runner) record(row string, outcome Outcome, seen sight) {
	for _, m := range outcome.Measures {
		if m.Requests > 0 {
			r.results.add(row, m)
		}
	}
	r.results.memory[row] = append(r.results.memory[row], seen.peakMiB)
	r.results.ready[row] = append(r.results.ready[row], seen.ready.Seconds())
}

// session starts a server, plays the load in a process of its own, and stops the server.
func (r *runner) session(ctx context.Context, how spawn, load Load) (Outcome, sight, error) {
	server, err := start(ctx, how)
	if err != nil {
		return Outcome{}, sight{}, err
	}
	defer os.Remove(how.logPath)
	load.Address, load.WatchPID = server.address, server.command.Process.Pid
	load.Connections, load.Payers = r.Connections, r.payers
	outcome, err := r.generate(ctx, load)
	if err != nil {
		server.kill()
		return Outcome{}, sight{}, err
	}
	peak, err := peakMemory(server.command.Process.Pid)
	if err != nil {
		server.kill()
		return Outcome{}, sight{}, err
	}
	seen := sight{peakMiB: float64(peak) / (1 << 20), ready: server.ready}
	return outcome, seen, server.stop()
}

func (r *runner) generate(ctx context.Context, load Load) (Outcome, error) {
	input, err := json.Marshal(load)
	if err != nil {
		return Outcome{}, fmt.Errorf("write the load: %w", err)
	}
	output, err := run(ctx, r.Binary, input, "bench", "load")
	if err != nil {
		return Outcome{}, err
	}
	var outcome Outcome
	if err := json.Unmarshal(output, &outcome); err != nil {
		return Outcome{}, fmt.Errorf("read the load's outcome: %w", err)
	}
	return outcome, nil
}

// judge prints both tables and returns ErrMissed when a bound counts and is missed.
func (r *runner) judge() error {
	fmt.Fprintf(r.Out, "%d connections, one merchant, %d wallets; medians of %d rounds of %v; "+
		"ratios are taken within a round\n\n", r.Connections, r.Wallets, r.Rounds, r.Window)
	if err := r.results.writeRows(r.Out); err != nil {
		return err
	}
	fmt.Fprintln(r.Out)
	met, err := writeFigures(r.Out, r.results.figures())
	if err != nil {
		return err
	}
	if !r.Judge {
		fmt.Fprintln(r.Out, "\na quick run: too short to judge, so a missed bound is no error")
		return nil
	}
	if !met {
		return ErrMissed
	}
	return nil
}

// clear drops the databases; the files go with the working directory.
func (r *runner) clear() error {
	if r.postgres == nil || r.emptyPostgres.database == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := r.postgres.drop(ctx, r.emptyPostgres.database)
	if r.cardsPostgres.database != "" {
		err = errors.Join(err, r.postgres.drop(ctx, r.cardsPostgres.database))
	}
	return err
}
