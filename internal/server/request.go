package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// Handler returns the handler of every request: id, log, panic guard, health routes, then the door.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.handle(w, r) {
			panic(http.ErrAbortHandler)
		}
	})
}

// handle answers one request. It reports whether the connection has to be closed, since half an answer must
// not look like a whole one.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) (aborted bool) {
	started := s.options.Clock.Now()
	x := s.pool.Get().(*Exchange)
	*x = Exchange{ResponseWriter: w, ID: s.options.NewRequestID(), server: s}
	x.Header()["X-Request-Id"] = []string{x.ID}
	aborted = s.guarded(x, r) || x.abandoned
	s.record(x, r, started)
	*x = Exchange{}
	s.pool.Put(x)
	return aborted
}

// guarded runs the handler and turns a panic into a 500. It reports whether the answer had already begun,
// so that it can only be cut off.
func (s *Server) guarded(x *Exchange, r *http.Request) (aborted bool) {
	door := s.door(r.URL.Path)
	defer func() {
		reason := recover()
		if reason == nil {
			return
		}
		if err, ok := reason.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			s.logPanic(x, reason)
		}
		if x.status != 0 {
			aborted = true
			return
		}
		if own, ok := door.(Apologizer); ok {
			own.Apologize(x, r)
			return
		}
		x.Reply(http.StatusInternalServerError, s.options.Envelope(Panicked, x.ID))
	}()
	if !s.health(x, r) {
		door.Serve(x, r)
	}
	return false
}

// door returns the door of a path.
func (s *Server) door(path string) Door {
	for i := range s.options.Mounts {
		m := &s.options.Mounts[i]
		if rest, ok := strings.CutPrefix(path, m.Path); ok && (rest == "" || rest[0] == '/') {
			return m.Door
		}
		if m.Also != nil && m.Also(path) {
			return m.Door
		}
	}
	return s.options.Door
}

// logPanic writes what happened. Values of foreign types are named by their type only: they may hold
// what a request carried.
func (s *Server) logPanic(x *Exchange, reason any) {
	text := fmt.Sprintf("%T", reason)
	switch known := reason.(type) {
	case string: // an assertion of ours
		text = known
	case interface{ RuntimeError() }: // the runtime's own words: an index, a nil pointer
		text = fmt.Sprint(known)
	}
	s.options.Log.Logger().Error("a handler panicked", slog.String("requestId", x.ID),
		slog.String("route", x.Route), slog.String("panic", text), slog.String("stack", trimmed(debug.Stack())))
}

// record counts the request and writes its one line, which names no header value, no path, no body, and
// nobody's phone or IIN. What went wrong on our side has a line of its own before it.
func (s *Server) record(x *Exchange, r *http.Request, started int64) {
	ended := s.options.Clock.Now()
	switch {
	case x.abandoned:
		x.status = statusAbandoned
	case x.status == 0:
		x.status = http.StatusOK // net/http sends this for a handler that wrote nothing
	}
	if x.Route == "" {
		x.Route = "unknown"
	}
	s.options.Metrics.Request(x.Route, x.status, time.Duration(ended-started)*time.Microsecond)
	if x.Trouble != nil || x.status >= http.StatusInternalServerError {
		trouble := "unknown"
		if x.Trouble != nil {
			trouble = x.Trouble.Error()
		}
		s.options.Log.Logger().Error("trouble", slog.String("requestId", x.ID), slog.String("cause", trouble))
	}
	s.options.Log.request(x, knownMethod(r.Method), ended, ended-started)
}

// knownMethod keeps text that a caller invented out of the log.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}
