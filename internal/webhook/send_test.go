package webhook

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"plexy/internal/clock"
	"plexy/receiver"
)

// soon is a time limit that a test can wait for, late one that it never reaches.
const (
	soon = 400 * time.Millisecond
	late = time.Minute
)

func newSender(t *testing.T, o Options) *Sender {
	t.Helper()
	o.Rules.Sandbox = true
	s := NewSender(o)
	cut(s, &names{})
	t.Cleanup(s.Close)
	return s
}

func serve(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL
}

// serveTLS serves with a certificate for 127.0.0.1 that nobody trusts.
func serveTLS(t *testing.T, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handle)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail are what is tested
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// TestWhatIsSent looks at a request as the receiver gets it.
func TestWhatIsSent(t *testing.T) {
	m := aMessage(t)
	r, err := receiver.New(m.Token.Reveal(), m.Secrets[0].Reveal())
	if err != nil {
		t.Fatal(err)
	}
	var headers []http.Header
	url := serve(t, func(w http.ResponseWriter, request *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "remember", Value: "me"})
		body, err := io.ReadAll(request.Body)
		if err != nil || !bytes.Equal(body, m.Body) || request.Method != "POST" || request.URL.RawQuery != "a=b" {
			t.Errorf("%s %s %q %v", request.Method, request.URL, body, err)
		}
		if _, err := r.Verify(request.Header, body, time.Now()); err != nil {
			t.Errorf("the receiver says: %v", err)
		}
		headers = append(headers, request.Header)
		_, _ = io.WriteString(w, "thanks")
	})
	s := newSender(t, Options{})
	for range 2 {
		got := s.Send(context.Background(), url+"/hook?a=b", m)
		if got.Outcome != Delivered || got.Status != 200 || got.Error != "" || string(got.Response) != "thanks" ||
			got.Duration <= 0 || got.Duration > late {
			t.Errorf("%+v", got)
		}
	}
	want := "Authorization Content-Length Content-Type User-Agent Webhook-Id Webhook-Signature Webhook-Timestamp"
	for _, h := range headers {
		var names []string
		for _, name := range strings.Fields(want) {
			if h.Get(name) != "" {
				names = append(names, name)
			}
		}
		if strings.Join(names, " ") != want || len(h) != len(names) {
			t.Errorf("headers %v", h)
		}
	}
}

func TestOutcomes(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		_, _ = fmt.Sscan(r.URL.Path[1:], &status)
		w.Header().Set("Retry-After", "90")
		w.WriteHeader(status)
	})
	s := newSender(t, Options{})
	for _, c := range []struct {
		status int
		want   Outcome
		word   string
		retry  time.Duration
	}{
		{200, Delivered, "delivered", 0}, {201, Delivered, "delivered", 0}, {204, Delivered, "delivered", 0},
		{299, Delivered, "delivered", 0},
		{400, Failed, "failed", 90 * time.Second}, {401, Failed, "failed", 90 * time.Second},
		{404, Failed, "failed", 90 * time.Second}, {500, Failed, "failed", 90 * time.Second},
		{501, Failed, "failed", 90 * time.Second}, {302, Failed, "failed", 90 * time.Second},
		{410, Gone, "gone", 0},
		{429, SlowDown, "slow_down", 90 * time.Second}, {502, SlowDown, "slow_down", 90 * time.Second},
		{503, SlowDown, "slow_down", 90 * time.Second}, {504, SlowDown, "slow_down", 90 * time.Second},
	} {
		r := s.Send(context.Background(), fmt.Sprint(url, "/", c.status), aMessage(t))
		if r.Outcome != c.want || r.Status != c.status || r.RetryAfter != c.retry || r.Outcome.String() != c.word ||
			(r.Error == "") != (c.want == Delivered) {
			t.Errorf("%d: %+v", c.status, r)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "1": time.Second, "120": 2 * time.Minute, "3600": time.Hour, "3601": time.Hour,
		"99999999999999999": time.Hour, "9999999999999999999999": 0, "-5": 0, "1.5": 0, "soon": 0, "5 s": 0,
		"Fri, 27 Nov 2026 10:05:00 GMT":    5 * time.Minute,
		"Friday, 27-Nov-26 10:05:00 GMT":   5 * time.Minute,
		"Fri Nov 27 10:05:00 2026":         5 * time.Minute,
		"Fri, 27 Nov 2026 09:55:00 GMT":    0,
		"Fri, 27 Nov 2099 09:55:00 GMT":    time.Hour,
		"Mon, 01 Jan 0001 00:00:00 GMT":    0,
		"Fri, 27 Nov 2026 10:05:00 +0500":  0,
		strings.Repeat("9", 5000) + "junk": 0,
	} {
		if got := retryAfter(text, now.UnixMicro()); got != want {
			t.Errorf("%.40q: %v, want %v", text, got, want)
		}
	}
}

// TestAnswerIsBounded: a body without end is left where the bound is, long before the time limit.
func TestAnswerIsBounded(t *testing.T) {
	left := make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(left)
		for {
			if _, err := w.Write(bytes.Repeat([]byte{'x'}, 8192)); err != nil {
				return
			}
		}
	})
	s := newSender(t, Options{Attempt: late})
	r := s.Send(context.Background(), url, aMessage(t))
	if r.Outcome != Delivered || len(r.Response) != MaxKept || r.Duration > late/2 {
		t.Errorf("%v after %v, %d bytes kept", r.Outcome, r.Duration, len(r.Response))
	}
	select {
	case <-left:
	case <-time.After(late):
		t.Error("the receiver can still write")
	}
}

// TestConnectionsAreUsedAgain up to the bound of what is read, and not beyond.
func TestConnectionsAreUsedAgain(t *testing.T) {
	for _, c := range []struct{ size, want int }{{0, 1}, {MaxKept, 1}, {MaxRead - 1, 1}, {16 * MaxRead, 4}} {
		var opened atomic.Int64
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, c.size))
		}))
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				opened.Add(1)
			}
		}
		server.Start()
		s := newSender(t, Options{})
		for range 4 {
			if r := s.Send(context.Background(), server.URL, aMessage(t)); r.Outcome != Delivered {
				t.Fatalf("%+v", r)
			}
		}
		if got := int(opened.Load()); got != c.want {
			t.Errorf("answers of %d bytes: %d connections, want %d", c.size, got, c.want)
		}
		server.Close()
	}
}

// raw answers connections by hand, in the order in which they come.
func raw(t *testing.T, handle func(n int, conn net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for n := 0; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				handle(n, conn)
			}()
		}
	}()
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

// dribble sends the text and then a byte now and then, until the other side has had enough.
func dribble(conn net.Conn, text string, gone chan<- struct{}) {
	defer close(gone)
	for _, err := io.WriteString(conn, text); err == nil; _, err = io.WriteString(conn, "x") {
		time.Sleep(time.Millisecond)
	}
}

// TestSlowReceivers hold an attempt until its limit and not longer, and are then left alone.
func TestSlowReceivers(t *testing.T) {
	for what, c := range map[string]struct {
		begin string
		want  Outcome
	}{
		"nothing at all":   {"", Failed},
		"a slow status":    {"HTTP/1.1 2", Failed},
		"slow headers":     {"HTTP/1.1 200 OK\r\nX-Slow: ", Failed},
		"a slow body":      {"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", Delivered},
		"a slow bad body":  {"HTTP/1.1 500 No\r\nContent-Length: 100000000\r\n\r\n", Failed},
		"slow with chunks": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", Delivered},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			gone := make(chan struct{})
			address := raw(t, func(_ int, conn net.Conn) {
				if _, err := drain(bufio.NewReader(conn)); err != nil {
					t.Error(err)
				}
				if c.begin == "" {
					defer close(gone)
					_, _ = io.Copy(io.Discard, conn) // ends when the sender hangs up
					return
				}
				dribble(conn, c.begin, gone)
			})
			r := newSender(t, Options{Attempt: soon}).Send(context.Background(), "http://"+address, aMessage(t))
			if r.Outcome != c.want || r.Duration < soon || r.Duration > late/2 {
				t.Errorf("%+v", r)
			}
			if r.Status == 0 && r.Error != "no answer in time" {
				t.Errorf("error %q", r.Error)
			}
			select {
			case <-gone:
			case <-time.After(late):
				t.Error("the receiver still holds the connection")
			}
		})
	}
}

// TestConnectingIsBounded: a name server that does not answer, and a receiver that does not begin with TLS.
func TestConnectingIsBounded(t *testing.T) {
	s := newSender(t, Options{Connect: soon, Attempt: late})
	end := make(chan struct{})
	defer close(end)
	s.dialer.Resolver = &net.Resolver{PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			<-end
			return nil, errCut
		}}
	mute := raw(t, func(_ int, conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	for url, want := range map[string]string{
		"http://shop.example/": "the name could not be looked up",
		"https://" + mute:      "no answer in time",
	} {
		r := s.Send(context.Background(), url, aMessage(t))
		if r.Error != want || r.Duration < soon || r.Duration > late/2 {
			t.Errorf("%s: %+v", url, r)
		}
	}
}

// TestFailuresInOurWords: nothing of addresses, tokens or what the other side wrote.
func TestFailuresInOurWords(t *testing.T) {
	m := aMessage(t)
	closed := raw(t, func(_ int, conn net.Conn) {
		_, _ = drain(bufio.NewReader(conn))
	})
	babble := raw(t, func(_ int, conn net.Conn) {
		_, _ = drain(bufio.NewReader(conn))
		_, _ = io.WriteString(conn, "evil words\r\n\r\n")
	})
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := free.Addr().String()
	free.Close()
	secure := serveTLS(t, func(http.ResponseWriter, *http.Request) {})
	s := newSender(t, Options{})
	for url, want := range map[string]string{
		"http://" + nobody:     "the connection was refused",
		"http://" + closed:     "the connection was closed before an answer",
		"http://" + babble:     "the answer is not HTTP, or the connection broke",
		"https://" + babble:    "the certificate is not valid, or there is no TLS",
		secure.URL:             "the certificate is not valid, or there is no TLS",
		"http://shop.example/": "the name does not exist",
		"http://10.0.0.1/":     "not called: the URL must not lead to a private address",
		"https://a@b.example/": "not called: the URL must not hold a user name or a password",
	} {
		r := s.Send(context.Background(), url, m)
		if r.Outcome != Failed || r.Status != 0 || r.Error != want || r.Response != nil {
			t.Errorf("%s: %+v, want %q", url, r, want)
		}
	}
	m.Secrets = nil
	if r := s.Send(context.Background(), secure.URL, m); r.Error != "not called: the message cannot be signed" {
		t.Errorf("unsigned: %+v", r)
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if r := s.Send(ended, secure.URL, aMessage(t)); r.Error != "interrupted" {
		t.Errorf("ended: %+v", r)
	}
}

func TestTLS(t *testing.T) {
	server := serveTLS(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Proto != "HTTP/1.1" {
			t.Errorf("spoken: %s", r.Proto)
		}
	})
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	s := newSender(t, Options{Roots: roots})
	if r := s.Send(context.Background(), server.URL, aMessage(t)); r.Outcome != Delivered {
		t.Errorf("%+v", r)
	}
	// Good for 127.0.0.1 and example.com, not for what this name says.
	named := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	if r := s.Send(context.Background(), named, aMessage(t)); !strings.HasPrefix(r.Error, "the certificate") {
		t.Errorf("%+v", r)
	}
}

// TestRestingConnectionThatDied costs no attempt.
func TestRestingConnectionThatDied(t *testing.T) {
	address := raw(t, func(_ int, conn net.Conn) {
		in := bufio.NewReader(conn)
		if _, err := drain(in); err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
		_, _ = drain(in) // takes the second request, and hangs up
	})
	s := newSender(t, Options{})
	for n := range 3 {
		if r := s.Send(context.Background(), "http://"+address, aMessage(t)); r.Outcome != Delivered {
			t.Errorf("attempt %d: %+v", n, r)
		}
	}
}

// drain reads one request with its body.
func drain(in *bufio.Reader) (int64, error) {
	r, err := http.ReadRequest(in)
	if err != nil {
		return 0, err
	}
	return io.Copy(io.Discard, r.Body)
}

// TestMain names a proxy in the environment. No test must meet it.
func TestMain(m *testing.M) {
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		if err := os.Setenv(name, "http://127.0.0.1:1"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// TestNoProxy: what the environment says about proxies does not count. One would dial past the guard.
func TestNoProxy(t *testing.T) {
	s := NewSender(Options{Rules: Rules{Sandbox: true}})
	defer s.Close()
	n := &names{}
	n.set("8.8.8.8")
	w := cut(s, n)
	r := s.Send(context.Background(), "http://shop.example/", aMessage(t))
	if got := w.addresses(); got != "8.8.8.8:80" || r.Error != "no connection" {
		t.Errorf("dialed %q: %+v", got, r)
	}
}

// TestTokenDoesNotComeBack: receivers that answer with what they got would put the token into our records.
func TestTokenDoesNotComeBack(t *testing.T) {
	m := aMessage(t)
	token := m.Token.Reveal()
	for _, before := range []int{0, 100, MaxKept - len(token), MaxKept - 10, MaxKept} {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			echo := strings.Repeat("x", before) + r.Header.Get("Authorization")
			_, _ = io.WriteString(w, echo+strings.Repeat("y", 9999))
		})
		r := newSender(t, Options{}).Send(context.Background(), url, m)
		if len(r.Response) != MaxKept || bytes.Contains(r.Response, []byte("whtok_")) {
			t.Errorf("after %d bytes: %d bytes kept, with the token", before, len(r.Response))
		}
	}
}

// TestTimeIsTheAttempts: each attempt is dated by the clock, in seconds.
func TestTimeIsTheAttempts(t *testing.T) {
	var stamps []string
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		stamps = append(stamps, r.Header.Get("webhook-timestamp")+" "+r.Header.Get("webhook-id"))
	})
	now := clock.NewManual(1_795_000_000_999_999)
	s := newSender(t, Options{Clock: now})
	m := aMessage(t)
	s.Send(context.Background(), url, m)
	now.Advance(7_200_000_000)
	s.Send(context.Background(), url, m)
	if got := strings.Join(stamps, ", "); got != "1795000000 evt_1, 1795007200 evt_1" {
		t.Errorf("sent %s", got)
	}
}
