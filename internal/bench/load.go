package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Load is what one run of the load generator shall do. It arrives as JSON on standard input, so that API
// keys appear in no process list.
type Load struct {
	Address string `json:"address"` // HOST:PORT of the server
	// Connections is how many keep-alive connections send, each its next request when it has the answer.
	Connections int `json:"connections"`
	// APIKeys are dealt to the connections in turn, and a connection takes its own in turn: each key has a
	// rate limit of its own.
	APIKeys []string `json:"apiKeys"`
	Payers  []Payer  `json:"payers"` // drawn at random for each authorization
	// FirstReference is the running number of the first order; RandomReferences draws them instead.
	FirstReference   int64    `json:"firstReference"`
	RandomReferences bool     `json:"randomReferences"`
	KnownIDs         []string `json:"knownIds"` // transactions stored earlier, for get
	Stock            Stock    `json:"stock"`    // for operations on card payments
	WatchPID         int      `json:"watchPid"` // the server's process, 0 if its CPU is of no interest
	Phases           []Phase  `json:"phases"`   // played in order over the same connections
}

// Phase is one stretch of the same operation. It lasts WarmUp and then Window, in which it is measured;
// or it lasts Requests requests, measured from the first to the last.
type Phase struct {
	Operation Operation     `json:"operation"`
	WarmUp    time.Duration `json:"warmUpNanoseconds"`
	Window    time.Duration `json:"windowNanoseconds"`
	Requests  int64         `json:"requests"`
	// Rate is how many requests a second are begun over all connections; 0: as fast as they are answered.
	Rate float64 `json:"rate"`
}

// Measure is what one phase achieved inside its window.
type Measure struct {
	Operation Operation `json:"operation"`
	Requests  int64     `json:"requests"` // answered inside the window
	// PerSecond is Requests over the time they took; capture, cancel and refund may run out of
	// transactions before the window ends.
	PerSecond float64       `json:"perSecond"`
	P50       time.Duration `json:"p50Nanoseconds"`
	P99       time.Duration `json:"p99Nanoseconds"`
	// ServerCPU is the processor time of the watched process per request.
	ServerCPU time.Duration `json:"serverCpuNanoseconds"`
	LoadCPU   time.Duration `json:"loadCpuNanoseconds"` // the generator's own, per request
}

// Outcome is the load generator's answer, JSON on standard output.
type Outcome struct {
	Measures      []Measure `json:"measures"` // one per phase
	NextReference int64     `json:"nextReference"`
	SampleIDs     []string  `json:"sampleIds"` // up to sampleSize of the transactions made, evenly spread
}

const (
	sampleSize = 20_000
	// countedPatience bounds a phase that is given by its number of requests.
	countedPatience = 30 * time.Minute
	// answerPatience is how long after a phase's end an answer may still come.
	answerPatience = 30 * time.Second
)

// RunLoad reads a Load from in, plays it and writes the Outcome to out. Every answer other than a 2xx
// whose transaction is SUCCESS ends it with an error that quotes the answer: a benchmark of refusals
// would measure nothing.
func RunLoad(ctx context.Context, in io.Reader, out io.Writer) error {
	var load Load
	if err := json.NewDecoder(in).Decode(&load); err != nil {
		return fmt.Errorf("read the load: %w", err)
	}
	outcome, err := play(ctx, load)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(outcome)
}

// generator is a load being played. Its workers share the order counter and the transactions made.
type generator struct {
	load      Load
	workers   []*worker
	reference atomic.Int64
	// held, captured and known are transactions by what can be done with them; a phase takes from the
	// front of one and its workers' yields are added to another when it is over.
	held     queue
	captured queue
	known    []string
	made     []string
}

// queue hands out each transaction once, oldest first.
type queue struct {
	ids  []string
	next atomic.Int64
}

func (q *queue) take() (string, bool) {
	at := q.next.Add(1) - 1
	if at >= int64(len(q.ids)) {
		return "", false
	}
	return q.ids[at], true
}

// renew drops what was taken and adds more; not while workers take.
func (q *queue) renew(more []string) {
	taken := min(q.next.Load(), int64(len(q.ids)))
	q.ids = append(slices.Clone(q.ids[taken:]), more...)
	q.next.Store(0)
}

func play(ctx context.Context, load Load) (Outcome, error) {
	if len(load.APIKeys) == 0 || load.Connections < 1 || len(load.Payers) == 0 {
		return Outcome{}, errors.New("a load needs connections, API keys and payers")
	}
	for _, phase := range load.Phases {
		if lacks := load.Stock.lacks(phase.Operation); lacks != "" {
			return Outcome{}, fmt.Errorf("%s: a load needs %s", phase.Operation, lacks)
		}
	}
	g := &generator{load: load, known: load.KnownIDs}
	g.reference.Store(load.FirstReference)
	defer g.hangUp()
	for i := range load.Connections {
		w, err := dial(load.Address)
		if err != nil {
			return Outcome{}, err
		}
		g.workers = append(g.workers, &worker{all: g, wire: w, keys: dealt(load.APIKeys, i, load.Connections)})
	}
	var outcome Outcome
	for _, phase := range load.Phases {
		measure, err := g.play(ctx, phase)
		if err != nil {
			return Outcome{}, fmt.Errorf("%s: %w", phase.Operation, err)
		}
		outcome.Measures = append(outcome.Measures, measure)
	}
	outcome.NextReference = g.reference.Load()
	outcome.SampleIDs = sample(g.made, sampleSize)
	return outcome, nil
}

// dealt returns the keys of one of the connections: at least one.
func dealt(keys []string, connection, connections int) []string {
	out := []string{keys[connection%len(keys)]}
	for at := connection + connections; at < len(keys); at += connections {
		out = append(out, keys[at])
	}
	return out
}

func (g *generator) hangUp() {
	for _, w := range g.workers {
		w.wire.conn.Close()
	}
}

// stretch is one phase while it runs.
type stretch struct {
	Phase
	begin, open, end time.Time // begin of the warm-up; the window is from open to end
	left             atomic.Int64
	stop             atomic.Bool
	fail             sync.Once
	err              error
}

// abort ends the phase with the first error only; the others are its echo.
func (s *stretch) abort(err error) {
	s.fail.Do(func() { s.err = err })
	s.stop.Store(true)
}

func (g *generator) play(ctx context.Context, phase Phase) (Measure, error) {
	begin := time.Now()
	s := &stretch{Phase: phase, begin: begin, open: begin.Add(phase.WarmUp)}
	s.end = s.open.Add(phase.Window)
	if phase.Requests > 0 {
		s.end = s.open.Add(countedPatience)
		s.left.Store(phase.Requests)
	}
	watch := watchCPU(s.open, s.end, g.load.WatchPID)
	stop := context.AfterFunc(ctx, func() { s.abort(ctx.Err()) })
	defer stop()
	var running sync.WaitGroup
	for i, w := range g.workers {
		w.reset()
		running.Go(func() {
			if err := w.run(s, i); err != nil {
				s.abort(err)
			}
		})
	}
	running.Wait()
	used, err := watch.finish()
	if s.err != nil {
		return Measure{}, s.err
	}
	if err != nil {
		return Measure{}, err
	}
	if s.left.Load() > 0 {
		return Measure{}, fmt.Errorf("%d requests were not sent within %v", s.left.Load(), countedPatience)
	}
	g.collect(phase.Operation)
	return g.measure(s, used)
}

// collect moves what the workers have made to where the next phases find it, sorted: in the order the
// server made them, whatever connection they came by.
func (g *generator) collect(done Operation) {
	var yield []string
	for _, w := range g.workers {
		yield = append(yield, w.yield...)
	}
	slices.Sort(yield)
	switch done {
	case Authorize:
		g.held.renew(yield)
		g.made = append(g.made, yield...)
		if len(g.load.KnownIDs) == 0 {
			g.known = g.made
		}
	case Pay:
		g.held.renew(yield)
	case Capture, CapturePaid:
		g.held.renew(nil)
		g.captured.renew(yield)
	case Cancel:
		g.held.renew(nil)
	case Refund, RefundPaid:
		g.captured.renew(nil)
	}
}

func (g *generator) measure(s *stretch, used usage) (Measure, error) {
	var latencies []uint32
	first, last := s.open, s.open
	for _, w := range g.workers {
		latencies = append(latencies, w.latencies...)
		if w.last.After(last) {
			last = w.last
		}
	}
	if len(latencies) == 0 {
		if s.Window == 0 && s.Requests == 0 {
			return Measure{Operation: s.Operation}, nil // only a preparation
		}
		return Measure{}, errors.New("no request ended inside the window: it is too short")
	}
	slices.Sort(latencies)
	count := int64(len(latencies))
	return Measure{
		Operation: s.Operation,
		Requests:  count,
		PerSecond: float64(count) / last.Sub(first).Seconds(),
		P50:       percentile(latencies, 0.50),
		P99:       percentile(latencies, 0.99),
		ServerCPU: used.server / time.Duration(count),
		LoadCPU:   used.own / time.Duration(count),
	}, nil
}

// sample returns at most n of the ids, evenly spread.
func sample(ids []string, n int) []string {
	if len(ids) <= n {
		return ids
	}
	out := make([]string, n)
	for i := range out {
		out[i] = ids[i*len(ids)/n]
	}
	return out
}
