package server

import (
	"context"
	"errors"
	"net/http"
)

// The health routes, on the API's own address and without a key.
const (
	Healthz = "/healthz" // the process is alive
	Readyz  = "/readyz"  // the database is reachable and its schema current
)

const (
	healthMethods = "GET, HEAD"
	healthBody    = `{"status":"ok"}`
)

var errStopping = errors.New("the server is stopping")

// health answers the health routes and reports whether r was one of them.
func (s *Server) health(x *Exchange, r *http.Request) bool {
	path := r.URL.Path
	if path != Healthz && path != Readyz {
		return false
	}
	x.Route = path
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		x.Header().Set("Allow", healthMethods)
		x.Reply(http.StatusMethodNotAllowed, s.options.Envelope(MethodNotAllowed, x.ID))
		return true
	}
	if path == Readyz {
		if err := s.ready(r); err != nil {
			x.Trouble = err
			x.Header().Set("Retry-After", "1")
			x.Reply(http.StatusServiceUnavailable, s.options.Envelope(NotReady, x.ID))
			return true
		}
	}
	x.Reply(http.StatusOK, []byte(healthBody))
	return true
}

func (s *Server) ready(r *http.Request) error {
	if s.stopping.Load() {
		return errStopping
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	return s.options.Ready(ctx)
}
