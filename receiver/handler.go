package receiver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// Handler receives deliveries over HTTP: it reads at most MaxBody bytes, verifies, calls handle with the
// event, and answers. When handle returns nil the answer is 204 and the event is delivered; when it returns
// an error the answer is 500 and Plexy sends the event again later. handle has 15 seconds: write the event
// down and work on it afterwards. What cannot be verified never reaches handle.
func (r *Receiver) Handler(handle func(context.Context, Event) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		w.WriteHeader(r.receive(w, request, handle))
	})
}

// receive returns the status of the answer.
func (r *Receiver) receive(w http.ResponseWriter, request *http.Request,
	handle func(context.Context, Event) error) int {
	if request.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return http.StatusMethodNotAllowed
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, MaxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return http.StatusRequestEntityTooLarge
	}
	if err != nil {
		return http.StatusBadRequest
	}
	event, err := r.Verify(request.Header, body, time.Now())
	switch {
	case errors.Is(err, ErrHeader), errors.Is(err, ErrBody):
		return http.StatusBadRequest
	case err != nil:
		return http.StatusUnauthorized
	case handle(request.Context(), event) != nil:
		return http.StatusInternalServerError
	}
	return http.StatusNoContent
}
