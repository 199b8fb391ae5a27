package server_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"plexy/internal/server"
)

// echoDoor answers with the size of the path and of the body, after the time that the header says.
func echoDoor(release <-chan struct{}) doorFunc {
	return func(x *server.Exchange, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			x.Reply(400, []byte(`{}`))
			return
		}
		if r.Header.Get("Wait") != "" {
			<-release
		}
		x.Reply(200, fmt.Appendf(nil, `{"path":%d,"body":%d}`, len(r.URL.Path), len(body)))
	}
}

func request(path, body int, more string) string {
	return fmt.Sprintf("POST /%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s",
		strings.Repeat("p", path-1), more, body, strings.Repeat("b", body))
}

// connected returns a connection that is closed when the test ends.
func connected(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func answers(t *testing.T, r *bufio.Reader, want ...string) {
	t.Helper()
	for _, w := range want {
		a, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(a.Body)
		if err != nil || string(body) != w {
			t.Fatalf("answer %s (%v), want %s", body, err, w)
		}
	}
}

// Whatever the sizes, so that buffers end everywhere, and whether or not the next request is there already,
// each request of a connection is answered, in order.
func TestRequestsOfOneConnection(t *testing.T) {
	r := start(t, echoDoor(nil))
	c := connected(t, r.Address())
	in := bufio.NewReader(c)
	for n := range 80 {
		path, body := 3900+n, 90-n
		text := request(path, body, "") + request(1, 0, "") + request(2, 1, "")
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		answers(t, in, fmt.Sprintf(`{"path":%d,"body":%d}`, path, body),
			`{"path":1,"body":0}`, `{"path":2,"body":1}`)
		for i := 0; i < len(text); i += 1000 { // and in pieces
			if _, err := io.WriteString(c, text[i:min(i+1000, len(text))]); err != nil {
				t.Fatal(err)
			}
		}
		answers(t, in, fmt.Sprintf(`{"path":%d,"body":%d}`, path, body),
			`{"path":1,"body":0}`, `{"path":2,"body":1}`)
	}
}

// A request that takes long does not lose what comes behind it, nor hold up other connections.
func TestARequestBehindASlowOne(t *testing.T) {
	release := make(chan struct{})
	r := start(t, echoDoor(release))
	c := connected(t, r.Address())
	if _, err := io.WriteString(c, request(1, 5, "Wait: yes\r\n")+request(2, 6, "")); err != nil {
		t.Fatal(err)
	}
	other := connected(t, r.Address())
	for begun := time.Now(); time.Since(begun) < 200*time.Millisecond; {
		if _, err := io.WriteString(other, request(3, 7, "")); err != nil {
			t.Fatal(err)
		}
		answers(t, bufio.NewReader(other), `{"path":3,"body":7}`)
	}
	close(release)
	answers(t, bufio.NewReader(c), `{"path":1,"body":5}`, `{"path":2,"body":6}`)
}

// answering gives an answer of every form that a handler may give, by its path.
func answering(x *server.Exchange, r *http.Request) {
	long := bytes.Repeat([]byte("0123456789"), 10_000)
	switch r.URL.Path {
	case "/nothing":
	case "/page":
		x.Write([]byte("<html><p>" + r.URL.RawQuery))
	case "/short":
		x.Reply(201, []byte(`{"a":1}`))
	case "/longer":
		x.Reply(422, long[:5000])
	case "/body":
		body, err := io.ReadAll(r.Body)
		x.Reply(200, fmt.Appendf(nil, "%d %v %s", len(body), err, body))
	case "/pieces":
		for piece := range slices.Chunk(long, 777) {
			x.Write(piece)
		}
	case "/announced":
		x.Header().Set("Content-Length", "100000")
		x.Write(long[:60_000])
		x.Write(long[60_000:])
	case "/too-short":
		x.Header().Set("Content-Length", "100000")
		x.Write(long[:60_000])
	case "/none":
		x.WriteHeader(http.StatusNoContent)
		if _, err := x.Write([]byte("no")); !errors.Is(err, http.ErrBodyNotAllowed) {
			panic("a body where there is none")
		}
	case "/same":
		x.WriteHeader(http.StatusNotModified)
	case "/headers":
		x.Header().Add("Set-Cookie", "a=b")
		x.Header().Add("Set-Cookie", "c=d")
		x.Header().Set("X-Lines", "a\r\nX-Evil: b\nc")
		x.WriteHeader(404)
		x.WriteHeader(200)
	case "/panic":
		panic("a test")
	case "/late-panic":
		x.Write([]byte("half"))
		panic("a test")
	case "/abandon":
		x.Abandon()
	}
}

// TestAnswersAreAsNetHTTPGivesThem asks the same by plain requests and through net/http.
func TestAnswersAreAsNetHTTPGivesThem(t *testing.T) {
	r := start(t, answering)
	o := r.options
	o.Log = server.NewLog(io.Discard, nil)
	t.Cleanup(o.Log.Close)
	other := httptest.NewUnstartedServer(server.New(o).Handler())
	other.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	other.Start()
	t.Cleanup(other.Close)
	body := strings.Repeat("b", 9000)
	for _, text := range []string{
		"GET /nothing", "GET /page?a=b", "GET /short", "GET /longer", "GET /body", "POST /body\n" + body,
		"POST /short\n" + body, "GET /pieces", "GET /announced", "GET /too-short", "GET /none", "GET /same",
		"GET /headers", "GET /panic", "GET /late-panic", "GET /abandon",
		"PUT /body\n" + strings.Repeat("c", 100_000), "HEAD /page",
	} {
		line, body, _ := strings.Cut(text, "\n")
		text := fmt.Sprintf("%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", line, len(body), body)
		got, want := asked(t, r.Address(), text), asked(t, other.Listener.Addr().String(), text)
		if got != want {
			t.Errorf("%s:\n got %.900s\nwant %.900s", line, got, want)
		}
	}
}

// asked tells what comes back on a connection for a request, and whether it is closed then.
func asked(t *testing.T, address, text string) string {
	t.Helper()
	c := connected(t, address)
	go io.WriteString(c, text+request(6, 0, "")) // and an answer by itself: to see whether there is one more
	in := bufio.NewReader(c)
	q := &http.Request{Method: text[:strings.IndexByte(text, ' ')]}
	a, err := http.ReadResponse(in, q)
	if err != nil {
		return "no answer"
	}
	body, broken := io.ReadAll(a.Body)
	for _, own := range []string{"Date", "X-Request-Id"} {
		if a.Header.Get(own) == "" {
			t.Errorf("there is no %s", own)
		}
		a.Header.Del(own)
	}
	_, over := http.ReadResponse(in, nil)
	return fmt.Sprint(a.Status, a.Header, a.TransferEncoding, a.ContentLength, len(body), broken != nil,
		over != nil, ownIDs.ReplaceAllString(string(body), ""))
}

var ownIDs = regexp.MustCompile(`req_\d+`)

// TestOddAmongPlain: a connection that was plain and becomes odd loses nothing.
func TestOddAmongPlain(t *testing.T) {
	r := start(t, echoDoor(nil))
	c := connected(t, r.Address())
	text := request(1, 2, "") + request(2, 3, "Expect: 100-continue\r\n") + request(3, 20_000, "") +
		"POST /four HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n" +
		request(6, 7, "")
	go io.WriteString(c, text)
	in := bufio.NewReader(c)
	answers(t, in, `{"path":1,"body":2}`)
	if line, err := in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q %v", line, err)
	}
	in.ReadString('\n')
	answers(t, in, `{"path":2,"body":3}`, `{"path":3,"body":20000}`)
	answers(t, in, `{"path":5,"body":4}`, `{"path":6,"body":7}`)
}

// TestCallerEndsWhenTheCallerHangsUp, and not because the next request is there already.
func TestCallerEndsWhenTheCallerHangsUp(t *testing.T) {
	came, ended, release := make(chan struct{}, 3), make(chan error), make(chan struct{})
	r := start(t, func(x *server.Exchange, r *http.Request) {
		ctx, _ := x.Caller(r), x.Caller(r) // asking twice is no harm
		came <- struct{}{}
		select {
		case <-ctx.Done():
			ended <- ctx.Err()
		case <-release:
		}
		x.Reply(200, []byte(r.URL.Path))
	})
	c := connected(t, r.Address())
	in := bufio.NewReader(c)
	for _, between := range []string{"", request(2, 0, "")} {
		if _, err := io.WriteString(c, request(1, 0, "")); err != nil {
			t.Fatal(err)
		}
		<-came
		if _, err := io.WriteString(c, between); err != nil {
			t.Fatal(err)
		}
		release <- struct{}{}
		answers(t, in, "/")
		if between != "" {
			<-came
			release <- struct{}{}
			answers(t, in, "/p")
		}
	}
	if _, err := io.WriteString(c, request(1, 0, "")); err != nil {
		t.Fatal(err)
	}
	<-came
	c.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestAConnectionAtRestEndsWithTheServer: a stop does not wait for callers who only keep their connection.
func TestAConnectionAtRestEndsWithTheServer(t *testing.T) {
	r := start(t, echoDoor(nil))
	var at []net.Conn
	for _, text := range []string{"", request(1, 0, "")} {
		c := connected(t, r.Address())
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		at = append(at, c)
	}
	answers(t, bufio.NewReader(at[1]), `{"path":1,"body":0}`)
	if err := r.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	for _, c := range at {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("a connection is open after the stop")
		}
	}
}

// TestSlowCallersAreCutOff: who connects and says nothing, or stops in the middle of the headers, has
// ReadHeaderTimeout.
func TestSlowCallersAreCutOff(t *testing.T) {
	t.Parallel()
	r := start(t, echoDoor(nil))
	var over sync.WaitGroup
	for _, text := range []string{"", "GET / HTTP/1.1\r\nHo"} {
		over.Go(func() {
			begun := time.Now()
			c, err := net.Dial("tcp", r.Address())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if _, err := io.WriteString(c, text); err != nil {
				t.Error(err)
			}
			if _, err := c.Read(make([]byte, 1)); err == nil {
				t.Errorf("%q is answered", text)
			}
			if took := time.Since(begun); took < server.ReadHeaderTimeout-time.Second {
				t.Errorf("%q had %v", text, took)
			}
		})
	}
	over.Wait()
}
