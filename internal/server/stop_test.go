package server

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"plexy/internal/clock"
	"plexy/internal/metric"
)

type doorOf func(x *Exchange, r *http.Request)

func (f doorOf) Serve(x *Exchange, r *http.Request) { f(x, r) }

// begun starts a server whose insides a test looks at.
func begun(t *testing.T, door doorOf) *Server {
	t.Helper()
	log := NewLog(io.Discard, metric.New())
	t.Cleanup(log.Close)
	s, err := Start(Options{
		Listen: "127.0.0.1:0", Door: door, Clock: clock.System{}, Log: log, Metrics: metric.New(),
		NewRequestID: func() string { return "req_1" },
		Envelope:     func(Failure, string) []byte { return []byte(`{}`) },
		Ready:        func(context.Context) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopped(t, s) })
	return s
}

// stopped stops a server that has nothing to finish.
func stopped(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}

func dial(t *testing.T, s *Server, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

// TestAStopIsNoFailure: only a listener that stopped by itself failed.
func TestAStopIsNoFailure(t *testing.T) {
	for range 20 {
		s := begun(t, func(x *Exchange, _ *http.Request) { x.Reply(200, nil) })
		_, in := dial(t, s, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := http.ReadResponse(in, nil); err != nil {
			t.Fatal(err)
		}
		stopped(t, s)
		select {
		case err := <-s.Failed():
			t.Fatal(err)
		default:
		}
	}
}

// TestAStopAfterAFailure: a listener failed while a request was answered; its connection does not hold up
// the stop that follows.
func TestAStopAfterAFailure(t *testing.T) {
	came, release := make(chan struct{}), make(chan struct{})
	s := begun(t, func(x *Exchange, _ *http.Request) { came <- struct{}{}; <-release; x.Reply(200, nil) })
	_, in := dial(t, s, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-came
	s.talking.Listener.Close()
	if err := <-s.Failed(); err == nil {
		t.Error("no error")
	}
	close(release)
	if _, err := http.ReadResponse(in, nil); err != nil {
		t.Error(err)
	}
	for resting := false; !resting; runtime.Gosched() { // until it waits for the next request
		s.talking.mu.Lock()
		for talk := range s.talking.talks {
			resting = talk.state.Load() == between
		}
		s.talking.mu.Unlock()
	}
	stopped(t, s)
}
