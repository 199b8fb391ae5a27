package server

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// TestCallerOutlivesTheDeadlineOfReading: the request came in time, so its caller is not gone when the time
// to send it is over. Whoever asks twice is told the same.
func TestCallerOutlivesTheDeadlineOfReading(t *testing.T) {
	ended := make(chan error, 2)
	s := begun(t, func(x *Exchange, r *http.Request) {
		talk := x.ResponseWriter.(*answer).talk
		_ = talk.conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)) // as of a request that came late
		for _, ctx := range []context.Context{x.Caller(r), x.Caller(r)} {
			select {
			case <-ctx.Done():
			case <-time.After(60 * time.Millisecond):
			}
			ended <- ctx.Err()
		}
		if r.URL.Path == "/gone" {
			first, second := x.Caller(r), x.Caller(r)
			<-first.Done()
			ended <- second.Err()
		}
		x.Reply(200, nil)
	})
	c, in := dial(t, s, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := http.ReadResponse(in, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("GET /gone HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if err := <-ended; err != nil {
			t.Error("there, and said to be gone:", err)
		}
	}
	c.Close()
	if err := <-ended; err == nil {
		t.Error("gone, and said to be there")
	}
}
