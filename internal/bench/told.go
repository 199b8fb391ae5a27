package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// The rows with an endpoint that is told of every event.
const (
	sqliteTold   = "SQLite, told"
	postgresTold = "PostgreSQL, told"
)

const (
	// calm is how many events a second are made where the delay of webhooks is measured.
	calm = 500
	// drained: so long after the last delivery nothing more has come.
	drainQuiet    = 3 * time.Second
	drainPatience = 10 * time.Minute
)

// inbox is a receiver of webhooks: it takes everything at once and notes when it came.
type inbox struct {
	server *http.Server
	url    string

	mu     sync.Mutex
	came   []arrival
	seen   map[int64]bool // numbers of events
	newest int64
}

type arrival struct {
	at    time.Time
	since time.Duration // since the event
}

func openInbox() (*inbox, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for webhooks: %w", err)
	}
	in := &inbox{url: "http://" + listener.Addr().String() + "/", seen: map[int64]bool{}}
	in.server = &http.Server{Handler: in, ReadHeaderTimeout: answerPatience}
	go func() { _ = in.server.Serve(listener) }() // it ends with Close
	return in, nil
}

var (
	numberField  = []byte(`"number":`)
	createdField = []byte(`"createdAt":"`)
)

// ServeHTTP takes one delivery.
func (in *inbox) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	now := time.Now()
	if err != nil {
		return
	}
	rest := body[bytes.Index(body, numberField)+len(numberField):]
	number, _ := strconv.ParseInt(string(rest[:max(bytes.IndexByte(rest, ','), 0)]), 10, 64)
	created, _ := time.Parse(time.RFC3339Nano,
		string(stringAfter(body, bytes.Index(body, createdField), len(createdField))))
	in.mu.Lock()
	defer in.mu.Unlock()
	in.came = append(in.came, arrival{now, now.Sub(created)})
	in.seen[number] = true
	in.newest = max(in.newest, number)
}

// between counts what came between two moments, and returns how long after their events, sorted.
func (in *inbox) between(from, to time.Time) []uint32 {
	in.mu.Lock()
	defer in.mu.Unlock()
	var delays []uint32
	for _, a := range in.came {
		if a.at.After(from) && a.at.Before(to) {
			delays = append(delays, uint32(max(a.since, 0).Microseconds()))
		}
	}
	slices.Sort(delays)
	return delays
}

// state returns when the last delivery came (begun: none yet), how many events have, and the newest.
func (in *inbox) state(begun time.Time) (last time.Time, n, newest int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if last = begun; len(in.came) > 0 {
		last = in.came[len(in.came)-1].at
	}
	return last, int64(len(in.seen)), in.newest
}

// drain waits until nothing more comes, and returns when the last one came. Every event must have come.
func (in *inbox) drain(ctx context.Context) (time.Time, error) {
	for begun := time.Now(); ; {
		last, n, newest := in.state(begun)
		switch {
		case time.Since(last) > drainQuiet && n == newest:
			return last, nil
		case time.Since(begun) > drainPatience || ctx.Err() != nil:
			return last, fmt.Errorf("%d of %d events came", n, newest)
		}
		time.Sleep(pollEvery)
	}
}

// tell makes an endpoint of the store's merchant that posts to the inbox.
func (s store) tell(ctx context.Context, cfg Config, url string) error {
	create := append([]string{"webhook", "create", "--merchant", s.merchant, "--url", url}, s.flags()...)
	_, err := run(ctx, cfg.Binary, nil, create...)
	return err
}

// telling is a server with an endpoint, and the inbox behind that.
type telling struct {
	*inbox
	server *process
}

func (r *runner) startTelling(ctx context.Context, s store) (*telling, error) {
	in, err := openInbox()
	if err != nil {
		return nil, err
	}
	if err := s.tell(ctx, r.Config, in.url); err != nil {
		return nil, errors.Join(err, in.server.Close())
	}
	how := r.serving(s)
	server, err := start(ctx, how)
	if err != nil {
		return nil, errors.Join(err, in.server.Close())
	}
	return &telling{in, server}, nil
}

func (t *telling) stop() error {
	defer os.Remove(t.server.logPath)
	return errors.Join(t.server.stop(), t.inbox.server.Close())
}

// play plays one phase and returns its outcome, with when it began and ended.
func (r *runner) play(ctx context.Context, t *telling, s store, p Phase) (played, error) {
	from := time.Now()
	o, err := r.generate(ctx, Load{
		Address: t.server.address, WatchPID: t.server.command.Process.Pid, Connections: r.Connections,
		APIKeys: s.keys, Payers: r.payers, FirstReference: firstOrder, Phases: []Phase{p},
	})
	return played{o, from, time.Now()}, err
}

// played is one phase that is over.
type played struct {
	Outcome
	from, to time.Time
}

// fresher makes a store as it was before anything happened; done removes it.
type fresher func(context.Context) (s store, done func(), err error)

// told measures authorize as fast as it goes while an endpoint is told, and how many deliveries go on
// meanwhile.
func (r *runner) told(row string, fresh fresher) func(context.Context) error {
	return func(ctx context.Context) error {
		s, done, err := fresh(ctx)
		if err != nil {
			return err
		}
		defer done()
		t, err := r.startTelling(ctx, s)
		if err != nil {
			return err
		}
		p, err := r.play(ctx, t, s, r.timed(Authorize))
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", row, err), t.stop())
		}
		r.record(row, p.Outcome, sight{})
		deliveries := float64(len(t.between(p.from, p.to))) / p.to.Sub(p.from).Seconds()
		r.results.deliveries[row] = append(r.results.deliveries[row], deliveries)
		return t.stop()
	}
}

// after measures, once, how long webhooks take when events come calmly, and how long what has piled up under
// load takes to drain.
func (r *runner) after(ctx context.Context, row string, fresh fresher) error {
	s, done, err := fresh(ctx)
	if err != nil {
		return err
	}
	defer done()
	t, err := r.startTelling(ctx, s)
	if err != nil {
		return err
	}
	if err := r.afterwards(ctx, row, t, s); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", row, err), t.stop())
	}
	return t.stop()
}

func (r *runner) afterwards(ctx context.Context, row string, t *telling, s store) error {
	slow := Phase{Operation: Authorize, WarmUp: r.WarmUp, Window: 3 * r.Window, Rate: calm}
	p, err := r.play(ctx, t, s, slow)
	if err != nil {
		return err
	}
	last, err := t.drain(ctx)
	if err != nil {
		return err
	}
	delays := t.between(p.from.Add(r.WarmUp), last.Add(time.Second))
	r.results.delays[row] = [2]time.Duration{percentile(delays, 0.5), percentile(delays, 0.99)}
	if p, err = r.play(ctx, t, s, r.timed(Authorize)); err != nil {
		return err
	}
	last, err = t.drain(ctx)
	r.results.drained[row] = max(last.Sub(p.to), 0).Seconds()
	return err
}

// freshSQLite is a copy of the empty store.
func (r *runner) freshSQLite(context.Context) (store, func(), error) {
	s, err := r.emptySQLite.copyTo(r.path("copy"))
	return s, func() { os.RemoveAll(s.dir) }, err
}

// freshPostgres is a copy of the empty database.
func (r *runner) freshPostgres(ctx context.Context) (s store, done func(), err error) {
	s = r.emptyPostgres
	s.database, err = r.postgres.create(ctx, r.emptyPostgres.database)
	return s, func() { _ = r.postgres.drop(context.WithoutCancel(ctx), s.database) }, err
}
