package door_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"plexy/internal/acquiring"
	"plexy/internal/acquiring/door"
	"plexy/internal/clock"
	"plexy/internal/connector"
	"plexy/internal/server"
)

// TestAnswers: what was taken is not sent again, and what could not be written down is.
func TestAnswers(t *testing.T) {
	var told error
	heard := ""
	take := func(_ context.Context, name string, header func(string) string, body []byte) error {
		heard = name + " " + header("Signature") + " " + string(body)
		return told
	}
	s := server.New(server.Options{
		Door: door.Callbacks{Take: take}, Clock: clock.System{}, NewRequestID: func() string { return "req_1" },
		Log: server.NewLog(io.Discard, nil),
	})
	for _, c := range []struct {
		method, path, body string
		told               error
		status             int
	}{
		{"POST", "/acquirers/sandbox/callback", "{}", nil, 200},
		{"POST", "/acquirers/sandbox/callback", "{}", acquiring.ErrNoConnector, 404},
		{"POST", "/acquirers/sandbox/callback", "{}", fmt.Errorf("%w", connector.ErrForged), 401},
		{"POST", "/acquirers/sandbox/callback", "{}", fmt.Errorf("%w", connector.ErrMalformed), 400},
		{"POST", "/acquirers/sandbox/callback", "{}", errors.New("busy"), 503},
		{"POST", "/acquirers/sandbox/callback", strings.Repeat(" ", 64<<10+1), nil, 413},
		{"GET", "/acquirers/sandbox/callback", "", nil, 405},
		{"POST", "/acquirers/callback", "{}", nil, 404},
		{"POST", "/acquirers/a/b/callback", "{}", nil, 404},
	} {
		told, heard = c.told, ""
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.Header.Set("Signature", "signed")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, w.Code, w.Body, c.status)
		}
		taken := c.status != 413 && c.status != 405 && c.path == "/acquirers/sandbox/callback"
		if (heard == "sandbox signed {}") != taken {
			t.Errorf("%s %s: heard %q", c.method, c.path, heard)
		}
	}
}
