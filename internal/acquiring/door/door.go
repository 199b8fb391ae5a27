// Package door is where acquirers send their callbacks: POST /acquirers/{name}/callback. What a message
// proves and says is its connector's to judge.
package door

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"plexy/internal/acquiring"
	"plexy/internal/connector"
	"plexy/internal/server"
)

// Path is where the door is mounted.
const Path = "/acquirers"

// maxBody bounds a message, in bytes.
const maxBody = 64 << 10

// Callbacks is the door. Take is Acquiring.Callback.
type Callbacks struct {
	Take func(ctx context.Context, name string, header func(name string) string, body []byte) error
}

// Serve answers 200 to what was taken, also if it was known; 400, 401, 404, 405 and 413 to what cannot be;
// and 503 to what should be sent again.
func (c Callbacks) Serve(x *server.Exchange, r *http.Request) {
	name, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, Path+"/"), "/callback")
	if !ok || name == "" || strings.Contains(name, "/") {
		say(x, http.StatusNotFound, "there is no such address")
		return
	}
	x.Route = Path + "/{name}/callback"
	if r.Method != http.MethodPost {
		x.Header().Set("Allow", http.MethodPost)
		say(x, http.StatusMethodNotAllowed, "callbacks are posted")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(x, r.Body, maxBody))
	if err != nil {
		status := http.StatusBadRequest
		if large := new(http.MaxBytesError); errors.As(err, &large) {
			status = http.StatusRequestEntityTooLarge
		}
		say(x, status, "the body cannot be read, or is larger than 64 KiB")
		return
	}
	ctx, cancel := x.Deadline(r.Context())
	defer cancel()
	switch err := c.Take(ctx, name, r.Header.Get, body); {
	case err == nil:
		x.Reply(http.StatusOK, []byte(`{}`))
	case errors.Is(err, acquiring.ErrNoConnector):
		say(x, http.StatusNotFound, "no acquirer of this name sends callbacks here")
	case errors.Is(err, connector.ErrForged):
		say(x, http.StatusUnauthorized, "the signature is not the one that was agreed")
	case errors.Is(err, connector.ErrMalformed):
		say(x, http.StatusBadRequest, "the message cannot be read")
	default:
		x.Trouble = err
		x.Header().Set("Retry-After", "1")
		say(x, http.StatusServiceUnavailable, "send it again")
	}
}

// say answers with a text of ours, which needs no escaping.
func say(x *server.Exchange, status int, text string) {
	x.Reply(status, []byte(`{"message":"`+text+`"}`))
}
