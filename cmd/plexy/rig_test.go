package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"plexy/internal/app"
	"plexy/internal/config"
	"plexy/internal/core/machine"
	"plexy/internal/customer"
	"plexy/internal/pgtest"
)

// patience bounds every wait of these tests; nothing takes that long unless it is broken.
const patience = 30 * time.Second

// rig is one installation: its folder and database, and the commands that run on it in this process.
type rig struct {
	testing.TB
	data     string
	database string
}

// onBoth runs a test on either store, each time on a database of its own.
func onBoth(t *testing.T, test func(*testing.T, *rig)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newRig(t)) })
	t.Run("postgres", func(t *testing.T) {
		url := pgtest.Database(t)
		test(t, &rig{TB: t, data: filepath.Join(t.TempDir(), "data"), database: url})
	})
}

func newRig(t testing.TB) *rig {
	data := filepath.Join(t.TempDir(), "data")
	return &rig{TB: t, data: data, database: "sqlite:" + filepath.Join(data, "plexy.db")}
}

// answer is what a command left behind.
type answer struct {
	out, err string
	code     int
}

// try runs a command and returns whatever it came to.
func (r *rig) try(args ...string) answer {
	var out, trouble bytes.Buffer
	args = append(args, "--data", r.data, "--database", r.database)
	code := run(context.Background(), args, &out, &trouble)
	return answer{out.String(), trouble.String(), code}
}

// do runs a command that must succeed, and returns what it printed.
func (r *rig) do(args ...string) string {
	r.Helper()
	a := r.try(args...)
	if a.code != 0 {
		r.Fatalf("plexy %s ended with %d: %s", strings.Join(args, " "), a.code, a.err)
	}
	return a.out
}

// refuse runs a command that must end with the given code and say the given words, and print nothing.
func (r *rig) refuse(code int, words string, args ...string) {
	r.Helper()
	a := r.try(args...)
	if a.code != code || !strings.Contains(a.err, words) || a.out != "" {
		r.Errorf("plexy %s ended with %d, %q and %q; want %d and %q", strings.Join(args, " "),
			a.code, a.out, a.err, code, words)
	}
}

// record runs a command with --json and decodes its record strictly: unknown fields are an error.
func (r *rig) record(into any, args ...string) string {
	r.Helper()
	out := r.do(append(args, "--json")...)
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		r.Fatalf("plexy %s --json printed %q: %v", strings.Join(args, " "), out, err)
	}
	if decoder.More() {
		r.Fatalf("plexy %s --json printed more than its record: %q", strings.Join(args, " "), out)
	}
	return out
}

// audits returns the audit rows, newest first.
func (r *rig) audits() []machine.Audit {
	r.Helper()
	cfg, err := config.Load(config.Input{Flags: map[string]string{"data": r.data, "database": r.database}})
	if err != nil {
		r.Fatal(err)
	}
	a, err := app.Open(context.Background(), cfg, app.Options{})
	if err != nil {
		r.Fatal(err)
	}
	defer a.Close()
	rows, err := a.Storage.Audits(context.Background(), 1000)
	if err != nil {
		r.Fatal(err)
	}
	return rows
}

// payer is a made-up customer.
type payer struct{ phone, iin string }

func person(n int) payer {
	iin, phone := customer.Example(n)
	return payer{phone.Reveal(), iin.Reveal()}
}

// of names the payer's tenge wallet on a command line.
func (p payer) of(args ...string) []string {
	return append(args, "--phone", p.phone, "--iin", p.iin, "--currency", "KZT")
}

// running is a server in this process.
type running struct {
	*rig
	address string
	banner  string
	log     *buffer
	cancel  context.CancelFunc
	ended   chan int
}

// serve starts a server on a free port; it is stopped with the test if not before.
func (r *rig) serve(args ...string) *running {
	r.Helper()
	s := r.launch(args...)
	select {
	case code := <-s.ended:
		r.Fatalf("plexy serve ended with %d: %s", code, s.log)
	case <-s.up():
	}
	return s
}

func (r *rig) launch(args ...string) *running {
	ctx, cancel := context.WithCancel(context.Background())
	s := &running{rig: r, cancel: cancel, log: &buffer{}, ended: make(chan int, 1)}
	out := &buffer{}
	where := []string{"serve", "--listen", "127.0.0.1:0", "--data", r.data, "--database", r.database}
	args = append(where, args...)
	go func() { s.ended <- run(ctx, args, out, s.log) }()
	r.Cleanup(func() { s.stop() })
	s.log.out = out
	return s
}

var address = regexp.MustCompile(`API +http://(\S+)`)

// up is closed when the server has printed its address, which it does when it answers requests.
func (s *running) up() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if s.banner = s.log.out.String(); strings.HasSuffix(s.banner, "\n\n") {
				s.address = address.FindStringSubmatch(s.banner)[1]
				return
			}
		}
	}()
	return done
}

// stop ends the server as a signal would, and returns its exit code.
func (s *running) stop() int {
	s.cancel()
	code, ok := <-s.ended
	if ok {
		close(s.ended)
	}
	return code
}

// buffer is an output that may be read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
	out  *buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// sold is what the API answers about a transaction, or the error's fields.
type sold struct {
	ID        string `json:"walletTransactionId"`
	Status    string `json:"walletTransactionStatus"`
	State     string `json:"state"`
	Failure   string `json:"failureReason"`
	Reason    string `json:"reason"`
	Captured  int64  `json:"capturedAmount"`
	Remaining int64  `json:"remainingAmount"`
}

// call makes one request with the key and returns the status, the answer and its bytes.
func (s *running) call(key, method, path string, body any) (int, sold, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, sold{}, err
	}
	request, err := http.NewRequest(method, "http://"+s.address+path, bytes.NewReader(text))
	if err != nil {
		return 0, sold{}, err
	}
	request.Header.Set("Authorization", key)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", nextKey())
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, sold{}, err
	}
	defer response.Body.Close()
	var answer sold
	err = json.NewDecoder(response.Body).Decode(&answer)
	return response.StatusCode, answer, err
}

// authorize holds an amount on the payer's wallet.
func (s *running) authorize(key string, p payer, amount int64) (int, sold, error) {
	return s.call(key, http.MethodPost, "/v1/wallet/authorize", map[string]any{
		"amount": amount, "phoneNumber": p.phone, "iin": p.iin, "orderReference": "ORDER-1", "currency": "KZT",
	})
}

var keys struct {
	mu sync.Mutex
	n  int
}

func nextKey() string {
	keys.mu.Lock()
	defer keys.mu.Unlock()
	keys.n++
	return fmt.Sprintf("key-%d-%d", os.Getpid(), keys.n)
}

// eventually asks until check is content, and fails the test with its last word if it never is.
func eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}
