package server_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plexy/internal/clock"
	"plexy/internal/metric"
	"plexy/internal/server"
)

type doorFunc func(x *server.Exchange, r *http.Request)

func (f doorFunc) Serve(x *server.Exchange, r *http.Request) { f(x, r) }

// output is a log's destination that tests can read while it is written.
type output struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	writes int
	wrote  chan struct{}
}

func newOutput() *output { return &output{wrote: make(chan struct{}, 1000)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes++
	o.wrote <- struct{}{}
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func envelope(f server.Failure, requestID string) []byte {
	return fmt.Appendf(nil, `{"failure":%d,"requestId":%q}`, f, requestID)
}

type rig struct {
	*server.Server
	options server.Options
	out     *output
	log     *server.Log
	clock   *clock.Manual
	metrics *metric.Metrics
	ready   atomic.Pointer[error]
}

func start(t *testing.T, door doorFunc, change ...func(*server.Options)) *rig {
	t.Helper()
	r := &rig{out: newOutput(), clock: clock.NewManual(1_771_496_338_123_456), metrics: metric.New()}
	r.log = server.NewLog(r.out, r.metrics)
	var ids atomic.Int64
	o := server.Options{
		Listen: "127.0.0.1:0", Door: door, Envelope: envelope, Clock: r.clock, Log: r.log,
		Metrics: r.metrics, NewRequestID: func() string { return fmt.Sprintf("req_%d", ids.Add(1)) },
		Ready: func(context.Context) error {
			if err := r.ready.Load(); err != nil {
				return *err
			}
			return nil
		},
	}
	for _, f := range change {
		f(&o)
	}
	s, err := server.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Server, r.options = s, o
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		r.log.Close()
	})
	return r
}

func (r *rig) get(t *testing.T, path string) (*http.Response, string) {
	t.Helper()
	return r.do(t, "GET", path, nil)
}

func (r *rig) do(t *testing.T, method, path string, header http.Header) (*http.Response, string) {
	t.Helper()
	q, err := http.NewRequest(method, "http://"+r.Address()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		q.Header[name] = values
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a, string(body)
}

// lines returns the log as far as it is, one map per line.
func (r *rig) lines(t *testing.T) []map[string]any {
	t.Helper()
	r.log.Flush()
	var all []map[string]any
	for line := range strings.Lines(r.out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		all = append(all, m)
	}
	return all
}

func TestOneLogLinePerRequestNamesWhatItMayAndNothingElse(t *testing.T) {
	var r *rig
	r = start(t, func(x *server.Exchange, q *http.Request) {
		x.Route, x.Merchant, x.Key = "/v1/{id}", "mer_1", "key_1"
		r.clock.Advance(1500)
		x.Reply(201, []byte(`{"ok":true}`))
	})
	secret := http.Header{
		"Authorization": {"pr_secret"}, "X-Request-Id": {"req_theirs"}, "User-Agent": {"agent-secret"},
	}
	a, _ := r.do(t, "POST", "/v1/900101300017?phone=%2B77011234567", secret)
	if got := a.Header.Get("X-Request-Id"); got != "req_1" {
		t.Errorf("X-Request-Id %q, want ours", got)
	}
	if got := a.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
	lines := r.lines(t)
	if len(lines) != 1 {
		t.Fatalf("%d log lines, want 1: %v", len(lines), lines)
	}
	want := map[string]any{
		"time": "2026-02-19T10:18:58.124956Z", "level": "INFO", "msg": "request", "requestId": "req_1",
		"method": "POST", "route": "/v1/{id}", "status": 201.0, "durationMicros": 1500.0, "bytes": 11.0,
		"merchantId": "mer_1", "keyId": "key_1",
	}
	for name, value := range want {
		if lines[0][name] != value {
			t.Errorf("log %s = %v, want %v", name, lines[0][name], value)
		}
	}
	if len(lines[0]) != len(want) {
		t.Errorf("log line has %d fields, want %d: %v", len(lines[0]), len(want), lines[0])
	}
	for _, never := range []string{"secret", "900101300017", "7701", "req_theirs"} {
		if strings.Contains(r.out.String(), never) {
			t.Errorf("the log contains %q", never)
		}
	}
}

func TestTroubleIsLoggedAndNotShown(t *testing.T) {
	r := start(t, func(x *server.Exchange, q *http.Request) {
		x.Route, x.Trouble = "/v1/x\"\n", errors.New("the disk is \"full\"")
		x.Reply(503, []byte(`{}`))
	})
	if _, body := r.get(t, "/"); body != "{}" {
		t.Errorf("body %s", body)
	}
	lines := r.lines(t)
	if len(lines) != 2 || lines[0]["cause"] != "the disk is \"full\"" || lines[0]["requestId"] != "req_1" ||
		lines[1]["level"] != "ERROR" || lines[1]["route"] != "/v1/x??" {
		t.Errorf("log %v", lines)
	}
}

func TestTheLevelLeavesLinesOut(t *testing.T) {
	r := start(t, func(x *server.Exchange, q *http.Request) {
		x.Route = q.URL.Path
		x.Reply(map[string]int{"/fine": 200, "/bad": 503}[q.URL.Path], []byte(`{}`))
	})
	r.log.SetLevel(slog.LevelWarn)
	r.get(t, "/fine")
	r.get(t, "/bad")
	lines := r.lines(t)
	if len(lines) != 2 || lines[0]["cause"] != "unknown" || lines[1]["route"] != "/bad" {
		t.Errorf("log %v", lines)
	}
}

func TestTheLogIsWrittenByItselfAndInPieces(t *testing.T) {
	r := start(t, func(x *server.Exchange, q *http.Request) { x.Reply(200, []byte(`{}`)) })
	for range 50 {
		r.get(t, "/x")
	}
	<-r.out.wrote // no Flush: the log's own goroutine does it
	if got := len(r.lines(t)); got != 50 {
		t.Errorf("%d lines for 50 requests", got)
	}
	r.out.mu.Lock()
	defer r.out.mu.Unlock()
	if r.out.writes >= 50 {
		t.Errorf("%d writes for 50 requests: the log is not buffered", r.out.writes)
	}
}

func TestAPanicIsOneFailedRequest(t *testing.T) {
	r := start(t, func(x *server.Exchange, q *http.Request) {
		x.Route = q.URL.Path
		switch q.URL.Path {
		case "/assert":
			panic("ledger: an assertion")
		case "/foreign":
			panic(struct{ phone string }{"+77011234567"})
		case "/late":
			x.WriteHeader(200)
			panic("after the answer began")
		}
		x.Reply(200, []byte(`{}`))
	})
	a, body := r.get(t, "/assert")
	want := fmt.Sprintf(`{"failure":%d,"requestId":"req_1"}`, server.Panicked)
	if a.StatusCode != 500 || body != want {
		t.Errorf("answer %d %s, want 500 %s", a.StatusCode, body, want)
	}
	if a, _ := r.get(t, "/foreign"); a.StatusCode != 500 {
		t.Errorf("answer %d, want 500", a.StatusCode)
	}
	if _, err := http.Get("http://" + r.Address() + "/late"); err == nil {
		t.Error("half an answer looked whole")
	}
	if a, _ := r.get(t, "/fine"); a.StatusCode != 200 {
		t.Errorf("after a panic: %d", a.StatusCode)
	}
	r.lines(t)
	log := r.out.String()
	if !strings.Contains(log, "ledger: an assertion") || strings.Contains(log, "77011234567") {
		t.Errorf("log must hold our assertion and no foreign value:\n%s", log)
	}
}

func TestHealth(t *testing.T) {
	r := start(t, func(x *server.Exchange, q *http.Request) { x.Reply(404, []byte(`{}`)) })
	for _, path := range []string{server.Healthz, server.Readyz} {
		if a, body := r.get(t, path); a.StatusCode != 200 || body != `{"status":"ok"}` {
			t.Errorf("%s: %d %s", path, a.StatusCode, body)
		}
		if a, _ := r.do(t, "HEAD", path, nil); a.StatusCode != 200 {
			t.Errorf("HEAD %s: %d", path, a.StatusCode)
		}
		a, body := r.do(t, "POST", path, nil)
		if a.StatusCode != 405 || a.Header.Get("Allow") != "GET, HEAD" || !strings.HasPrefix(body, `{"failure":3`) {
			t.Errorf("POST %s: %d %s %s", path, a.StatusCode, a.Header.Get("Allow"), body)
		}
	}
	no := errors.New("the database is away")
	r.ready.Store(&no)
	a, body := r.get(t, server.Readyz)
	if a.StatusCode != 503 || a.Header.Get("Retry-After") != "1" || !strings.HasPrefix(body, `{"failure":2`) {
		t.Errorf("not ready: %d %s", a.StatusCode, body)
	}
	if a, _ := r.get(t, server.Healthz); a.StatusCode != 200 {
		t.Errorf("alive though not ready: %d", a.StatusCode)
	}
}

// raw sends text over a connection of its own and returns everything that comes back.
func raw(t *testing.T, address, text string) string {
	t.Helper()
	c := connected(t, address)
	go io.WriteString(c, text) // the server may stop reading before the end
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s %s %s", answer.StatusCode, answer.Header.Get("Content-Type"),
		answer.Header.Get("X-Request-Id"), body)
}

func TestEvenMalformedHTTPIsAnsweredInJSON(t *testing.T) {
	r := start(t, func(x *server.Exchange, q *http.Request) {
		x.Reply(404, envelope(0, x.ID))
	})
	long := strings.Repeat("a", server.MaxHeaderBytes-len("GET / HTTP/1.1\r\nHost: x\r\nX: ")-len("\r\n\r\n"))
	for _, c := range []struct{ name, text, want string }{
		{"not HTTP", "hello\r\n\r\n", `400 application/json req_1 {"failure":4,"requestId":"req_1"}`},
		{"no host", "GET / HTTP/1.1\r\n\r\n", `400 application/json req_2 {"failure":4,"requestId":"req_2"}`},
		{"long header", "GET / HTTP/1.1\r\nHost: x\r\nX: " + long + "a\r\n\r\n",
			`431 application/json req_3 {"failure":4,"requestId":"req_3"}`},
		{"strange coding", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: zip\r\n\r\n",
			`501 application/json req_4 {"failure":4,"requestId":"req_4"}`},
		{"options star", "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
			`404 application/json req_5 {"failure":0,"requestId":"req_5"}`},
		{"longest header", "GET / HTTP/1.1\r\nHost: x\r\nX: " + long + "\r\n\r\n",
			`404 application/json req_6 {"failure":0,"requestId":"req_6"}`},
	} {
		if got := raw(t, r.Address(), c.text); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestShutdownFinishesWhatItAcceptedAndTakesNothingNew(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	out := newOutput()
	log := server.NewLog(out, nil)
	defer log.Close()
	s, err := server.Start(server.Options{
		Listen: "127.0.0.1:0", Envelope: envelope, Clock: clock.System{}, Log: log,
		NewRequestID: func() string { return "req_1" },
		Ready:        func(context.Context) error { return nil },
		Door: doorFunc(func(x *server.Exchange, q *http.Request) {
			close(entered)
			<-leave
			x.Reply(200, []byte(`{"done":true}`))
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan string)
	go func() {
		a, err := http.Get("http://" + s.Address() + "/slow")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer a.Body.Close()
		body, _ := io.ReadAll(a.Body)
		answered <- string(body)
	}()
	<-entered
	stopped := make(chan error)
	go func() { stopped <- s.Shutdown(context.Background()) }()
	for { // until the listener is closed
		c, err := net.Dial("tcp", s.Address())
		if err != nil {
			break
		}
		c.Close()
	}
	select {
	case err := <-stopped:
		t.Fatalf("stopped (%v) before the accepted request was answered", err)
	default:
	}
	close(leave)
	if got := <-answered; got != `{"done":true}` {
		t.Errorf("the accepted request got %s", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), `"status":200`) {
		t.Error("the last request's line was not written by the time Shutdown returned")
	}
}

func TestShutdownCutsOffWhatOutlivesItsPatience(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	log := server.NewLog(io.Discard, nil)
	defer log.Close()
	s, err := server.Start(server.Options{
		Listen: "127.0.0.1:0", Envelope: envelope, Clock: clock.System{}, Log: log,
		NewRequestID: func() string { return "req_1" },
		Ready:        func(context.Context) error { return nil },
		Door: doorFunc(func(x *server.Exchange, q *http.Request) {
			close(entered)
			<-leave
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	go http.Get("http://" + s.Address() + "/stuck")
	<-entered
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that the patience ended", err)
	}
	close(leave)
}

func TestMetricsHaveAnAddressOfTheirOwn(t *testing.T) {
	r := start(t, func(x *server.Exchange, q *http.Request) { x.Route = "/v1/x"; x.Reply(200, []byte(`{}`)) },
		func(o *server.Options) { o.MetricsListen = "127.0.0.1:0" })
	r.get(t, "/v1/x")
	a, err := http.Get("http://" + r.MetricsAddress() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	body, _ := io.ReadAll(a.Body)
	if !strings.Contains(string(body), `plexy_http_requests_total{route="/v1/x",status="200"} 1`) {
		t.Errorf("metrics:\n%s", body)
	}
	quiet := start(t, func(x *server.Exchange, q *http.Request) { x.Reply(404, []byte(`{}`)) })
	if a, _ := quiet.get(t, "/metrics"); a.StatusCode != 404 || quiet.MetricsAddress() != "" {
		t.Errorf("metrics are served on the API's address: %d", a.StatusCode)
	}
}

func TestAnAddressInUseIsAnError(t *testing.T) {
	r := start(t, func(x *server.Exchange, q *http.Request) {})
	log := server.NewLog(io.Discard, nil)
	defer log.Close()
	if _, err := server.Start(server.Options{Listen: r.Address(), Log: log}); err == nil {
		t.Fatal("listening twice on one address worked")
	}
}

func TestDeadlineEndsTheContext(t *testing.T) {
	r := start(t, func(x *server.Exchange, q *http.Request) {
		ctx, cancel := x.Deadline(q.Context())
		defer cancel()
		<-ctx.Done()
		x.Reply(503, fmt.Appendf(nil, "%q", ctx.Err().Error()))
	}, func(o *server.Options) { o.HandleTimeout = time.Millisecond })
	if _, body := r.get(t, "/"); body != `"context deadline exceeded"` {
		t.Errorf("body %s", body)
	}
}

// Requests that wait are over at once here, so that their exchanges are others' before anything that they
// started has run.
func TestNothingOfAWaitingRequestOutlivesIt(t *testing.T) {
	r := start(t, func(x *server.Exchange, q *http.Request) {
		_, cancel := x.Waiting(q.Context(), time.Minute)
		cancel()
		x.Reply(200, []byte(`{}`))
	})
	for range 300 {
		if a, body := r.get(t, "/"); a.StatusCode != 200 {
			t.Fatalf("%d %s", a.StatusCode, body)
		}
	}
}

func TestWaitingEndsWhenTheServerStops(t *testing.T) {
	waiting := make(chan struct{})
	r := start(t, func(x *server.Exchange, q *http.Request) {
		ctx, cancel := x.Waiting(q.Context(), time.Hour)
		defer cancel()
		close(waiting)
		<-ctx.Done()
		x.Reply(200, fmt.Appendf(nil, "%q", ctx.Err().Error()))
	})
	stopped := make(chan error)
	go func() {
		<-waiting
		stopped <- r.Shutdown(context.Background())
	}()
	if _, body := r.get(t, "/"); body != `"context canceled"` {
		t.Errorf("body %s", body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestLimitEndsWithItsTimeAndNotWithItsCaller(t *testing.T) {
	ended := make(chan error, 2)
	r := start(t, func(x *server.Exchange, q *http.Request) {
		<-x.Caller(q).Done() // the caller has gone
		ctx := x.Limit()
		ended <- ctx.Err()
		<-ctx.Done()
		ended <- ctx.Err()
	}, func(o *server.Options) { o.HandleTimeout = 300 * time.Millisecond })
	c := connected(t, r.Address())
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	c.Close()
	if err := <-ended; err != nil {
		t.Errorf("with the caller: %v", err)
	}
	if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with the time: %v", err)
	}
}

// A limit is shared by requests that begin together, and only by these: each has nearly all of its time.
func TestLimitIsSharedForAMoment(t *testing.T) {
	const limit = time.Second
	r := start(t, func(x *server.Exchange, q *http.Request) {
		asked, ends := 0, []time.Time{}
		for last := (context.Context)(nil); len(ends) < 4; asked++ {
			if ctx := x.Limit(); ctx != last {
				end, _ := ctx.Deadline()
				last, ends = ctx, append(ends, end)
			}
		}
		for i := range ends[1:] {
			if apart := ends[i+1].Sub(ends[i]); apart < limit/100 {
				t.Errorf("limits are only %v apart", apart)
			}
		}
		if asked == len(ends) {
			t.Error("no limit was shared")
		}
	}, func(o *server.Options) { o.HandleTimeout = limit })
	r.get(t, "/")
}

// stuck is a reader of logs that never reads.
type stuck struct{ release chan struct{} }

func (s stuck) Write(p []byte) (int, error) { <-s.release; return len(p), nil }

func TestAStuckLogReaderStopsNoRequest(t *testing.T) {
	out := stuck{make(chan struct{})}
	log := server.NewLog(out, nil)
	logger := log.Logger()
	line := strings.Repeat("x", 64<<10)
	for range 200 { // 12 MiB: more than may wait
		logger.Info(line)
	}
	close(out.release)
	log.Close()
}

func BenchmarkServe(b *testing.B) {
	log := server.NewLog(io.Discard, nil)
	defer log.Close()
	h := server.New(server.Options{
		Envelope: envelope, Clock: clock.System{}, Log: log, Metrics: metric.New(),
		NewRequestID: func() string { return "req_01JDM3Z7V8H8Q2X9K0R1ABCD12" },
		Door: doorFunc(func(x *server.Exchange, q *http.Request) {
			x.Route, x.Merchant, x.Key = "/v1/wallet/authorize", "mer_01JDM3Z7V8H8Q2X9K0R1ABCD12", "key_1"
			x.Reply(201, []byte(`{}`))
		}),
	}).Handler()
	q, _ := http.NewRequest("POST", "/v1/wallet/authorize", nil)
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, q)
	}
}

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

// pageDoor answers with its name, panics at /…/panic, and has its own words for that.
type pageDoor string

func (d pageDoor) Serve(x *server.Exchange, r *http.Request) {
	x.Route = string(d)
	if strings.HasSuffix(r.URL.Path, "/panic") {
		panic("page: assertion")
	}
	x.Reply(http.StatusOK, []byte(d))
}

func (d pageDoor) Apologize(x *server.Exchange, _ *http.Request) {
	x.Reply(http.StatusInternalServerError, []byte("sorry"))
}

func TestMountsHaveTheirPathsAndNoOthers(t *testing.T) {
	api := func(x *server.Exchange, _ *http.Request) { x.Reply(http.StatusOK, []byte("api")) }
	r := start(t, api, func(o *server.Options) {
		o.Mounts = []server.Mount{
			{Path: "/wallet", Door: pageDoor("wallet")}, {Path: "/web", Door: pageDoor("web")},
			{Path: "/pay", Door: pageDoor("pay"), Also: func(path string) bool { return path == "/short" }},
		}
	})
	for path, want := range map[string]string{
		"/wallet": "wallet", "/wallet/": "wallet", "/wallet/a/b": "wallet", "/web/x.css": "web",
		"/wallets": "api", "/": "api", "/v1/wallet": "api", "/webs": "api", "/wallet/panic": "sorry",
		"/healthz": `{"status":"ok"}`,
		"/pay/1":   "pay", "/short": "pay", "/short/1": "api",
	} {
		if _, body := r.get(t, path); body != want {
			t.Errorf("%s is answered %q, want %q", path, body, want)
		}
	}
}
