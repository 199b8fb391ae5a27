// Package server is the platform's ear: listeners, limits and time-outs, the request's id, the request log,
// the panic guard, health, and a stop that finishes what was accepted. It knows no route of the API; the
// doors are mounted on it. Every answer it gives itself is JSON too.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"plexy/internal/clock"
	"plexy/internal/metric"
)

// Limits of every request (docs/rules.md). A client that is slower or larger is cut off.
const (
	ReadHeaderTimeout = 5 * time.Second
	ReadTimeout       = 15 * time.Second // headers and body
	HandleTimeout     = 10 * time.Second // for the door's work; see Exchange.Deadline
	WriteTimeout      = 30 * time.Second // for an answer to be written
	IdleTimeout       = 2 * time.Minute  // between two requests of a connection
	MaxHeaderBytes    = 16 << 10
	readyTimeout      = 2 * time.Second // for the readiness question
	headerSlop        = 4096            // net/http adds this to its limit
)

// Door answers requests. It must answer unknown routes and methods itself, in its own format.
type Door interface {
	// Serve answers one request through x; see Exchange for what it should fill in.
	Serve(x *Exchange, r *http.Request)
}

// Mount gives a door the path Path and everything below it. Its Path begins with a slash and does not end
// in one.
type Mount struct {
	Path string
	Door Door
	// Also reports of other paths whether they are the door's; nil for none.
	Also func(path string) bool
}

// Apologizer is what a mounted door may be besides: one that has its own words when its Serve panicked
// before it answered. Without it the server answers with its Envelope.
type Apologizer interface {
	// Apologize answers 500.
	Apologize(x *Exchange, r *http.Request)
}

// Failure is an answer that the server gives by itself.
type Failure int

// The failures that a door's Envelope must have words for.
const (
	Panicked         Failure = iota + 1 // 500: a handler panicked
	NotReady                            // 503: on /readyz
	MethodNotAllowed                    // 405: on the health routes
	Malformed                           // 400 or 431: not valid HTTP, or headers too large
)

// Options are what a server needs. Everything but MetricsListen, Mounts, Metrics and HandleTimeout is
// required.
type Options struct {
	Listen        string // HOST:PORT; port 0 takes a free one
	MetricsListen string // HOST:PORT of /metrics; "" for none
	Door          Door
	// Mounts are the doors of some paths; Door has all others. None for nil.
	Mounts []Mount
	// Envelope renders the body of one of the server's own failures.
	Envelope func(f Failure, requestID string) []byte
	// Ready says why the server cannot work now, or nil. It is asked by /readyz, with a deadline.
	Ready        func(context.Context) error
	NewRequestID func() string
	Clock        clock.Clock
	Log          *Log
	Metrics      *metric.Metrics // may be nil
	// HandleTimeout replaces the constant of that name when it is not 0; tests use it.
	HandleTimeout time.Duration
}

// Server is a running server. Make it with Start.
type Server struct {
	options  Options
	talking  *listener
	main     *http.Server // of the connections that are not plain
	metrics  *http.Server // nil when there is none
	address  string
	observed string
	stopping atomic.Bool
	running  context.Context // ends when stopping begins
	stop     context.CancelFunc
	pool     sync.Pool // of *Exchange
	shared   atomic.Pointer[limit]

	serving sync.WaitGroup
	failed  chan error
}

// New makes a server that does not listen: Handler answers requests in process.
func New(o Options) *Server {
	if o.HandleTimeout == 0 {
		o.HandleTimeout = HandleTimeout
	}
	s := &Server{options: o, failed: make(chan error, 2)}
	s.running, s.stop = context.WithCancel(context.Background())
	s.pool.New = func() any { return new(Exchange) }
	return s
}

// Start listens and serves until Shutdown. It returns when the addresses are bound, or why they could not be.
func Start(o Options) (*Server, error) {
	s := New(o)
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for the API: %w", err)
	}
	s.address = listener.Addr().String()
	s.main = s.httpServer(s.Handler())
	if o.MetricsListen != "" {
		metrics, err := net.Listen("tcp", o.MetricsListen)
		if err != nil {
			listener.Close()
			return nil, fmt.Errorf("listen for metrics: %w", err)
		}
		s.observed = metrics.Addr().String()
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", o.Metrics.Handler())
		s.metrics = s.httpServer(mux)
		s.serve(s.metrics, metrics)
	}
	s.talking = listen(s, listener)
	s.serve(s.main, s.talking)
	return s, nil
}

func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            ReadHeaderTimeout,
		ReadTimeout:                  ReadTimeout,
		WriteTimeout:                 WriteTimeout,
		IdleTimeout:                  IdleTimeout,
		MaxHeaderBytes:               MaxHeaderBytes - headerSlop,
		DisableGeneralOptionsHandler: true, // it would answer without JSON
		ErrorLog:                     slog.NewLogLogger(s.options.Log.handler, slog.LevelWarn),
	}
}

func (s *Server) serve(h *http.Server, l net.Listener) {
	s.serving.Go(func() {
		err := h.Serve(l)
		if !errors.Is(err, http.ErrServerClosed) && !s.stopping.Load() { // a stop closes listeners first
			s.failed <- fmt.Errorf("serve on %s: %w", l.Addr(), err)
		}
	})
}

// Address is the API's HOST:PORT, with the port that was really taken.
func (s *Server) Address() string { return s.address }

// MetricsAddress is the HOST:PORT of /metrics, or "" when there is none.
func (s *Server) MetricsAddress() string { return s.observed }

// Failed tells when a listener stopped by itself; the process should end.
func (s *Server) Failed() <-chan error { return s.failed }

// Shutdown stops accepting, finishes the requests that were accepted, and returns when all are answered or
// ctx ends; what is then still running is cut off and the error says so. /readyz says no from its start.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopping.Store(true)
	s.stop()
	s.talking.Close()
	err := s.main.Shutdown(ctx)
	if err = errors.Join(err, s.talking.finish(ctx)); err != nil {
		s.main.Close()
		err = fmt.Errorf("finish the accepted requests: %w", err)
	}
	if s.metrics != nil {
		s.metrics.Close()
	}
	s.serving.Wait()
	s.options.Log.Flush()
	return err
}
