package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"plexy/internal/clock"
)

// talk is a connection whose requests are all plain so far. It reads one, answers it, and reads the next.
// With the first one that is odd, the connection goes to net/http for good.
type talk struct {
	server *Server
	conn   *net.TCPConn
	parser parser
	answer answer
	body   received

	in       []byte // received: in[from:to] is not used yet
	from, to int

	// Deadlines that the connection has, in the machine's microseconds. Moving one costs as much as reading
	// headers does, so each request moves only what is needed.
	readBy, writeBy int64

	state atomic.Int32
	watch *watch // of the request being answered; see Exchange.Caller
}

// States of a talk: one between requests may be closed by a stop, one with a request finishes it first.
const (
	between int32 = iota
	within
	closed
)

func newTalk(s *Server, conn *net.TCPConn) *talk {
	t := &talk{server: s, conn: conn, in: make([]byte, plainHead)}
	t.parser.header = http.Header{}
	t.parser.template = (&http.Request{
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: conn.RemoteAddr().String(),
	}).WithContext(context.Background())
	t.answer = answer{talk: t, header: http.Header{}}
	return t
}

// run talks until the connection ends; true when it is for net/http now.
func (t *talk) run() (handOver bool) {
	defer func() {
		if reason := recover(); reason != nil { // of ours: the door's are met by guarded
			t.server.options.Log.Logger().Error("a connection panicked", slog.String("stack", trimmed(debug.Stack())))
			handOver = false
		}
	}()
	for wait := ReadHeaderTimeout; ; wait = IdleTimeout { // a new one has to say something soon
		body, k := t.receive(wait)
		if k != plain {
			return k == odd
		}
		if !t.serve(body) {
			return false
		}
		t.state.Store(between)
		if t.server.stopping.Load() {
			return false
		}
	}
}

// receive waits for one request and returns its body. partial means that there will be none.
func (t *talk) receive(wait time.Duration) (body []byte, k kind) {
	if t.from == t.to {
		t.from, t.to = 0, 0
		if len(t.in) > plainHead {
			t.in = make([]byte, plainHead)
		}
		if !t.read(wait) {
			return nil, partial
		}
	}
	if !t.state.CompareAndSwap(between, within) {
		return nil, partial
	}
	start := clock.System{}.Now()
	for {
		head, k := t.parser.parse(t.in[t.from:t.to])
		if k == odd {
			return nil, odd
		}
		patience, need := ReadHeaderTimeout, plainHead
		if k == plain {
			patience, need = ReadTimeout, head+int(t.parser.request.ContentLength)
		}
		if k == plain && t.to-t.from >= need {
			body = t.in[t.from+head : t.from+need]
			t.from += need
			return body, plain
		}
		t.room(need)
		t.bound(start + patience.Microseconds())
		if !t.fill() {
			return nil, partial
		}
	}
}

// room moves what is there to the beginning, and makes room for n bytes in all.
func (t *talk) room(n int) {
	in := t.in
	if len(in) < n {
		t.in = make([]byte, n)
	}
	t.to = copy(t.in, in[t.from:t.to])
	t.from = 0
}

// read waits for the first bytes of a request. A deadline that was moved not long ago is good enough.
func (t *talk) read(wait time.Duration) bool {
	now := clock.System{}.Now()
	if left := t.readBy - now; left < wait.Microseconds()/8*7 || left > wait.Microseconds() {
		t.bound(now + wait.Microseconds())
	}
	return t.fill()
}

func (t *talk) bound(by int64) {
	t.readBy = by
	_ = t.conn.SetReadDeadline(clock.Time(by)) // it fails where reading does
}

func (t *talk) fill() bool {
	n, err := t.conn.Read(t.in[t.to:])
	t.to += n
	return err == nil
}

// writing gives an answer that begins now half of WriteTimeout at least, unless its handler took more.
func (t *talk) writing(now int64) {
	if t.writeBy-now < WriteTimeout.Microseconds()/2 {
		t.writeBy = now + WriteTimeout.Microseconds()
		_ = t.conn.SetWriteDeadline(clock.Time(t.writeBy)) // it fails where writing does
	}
}

// serve answers the request that was received; false ends the connection.
func (t *talk) serve(body []byte) bool {
	r := &t.parser.request
	r.Body = http.NoBody
	if len(body) > 0 {
		t.body.Reset(body)
		r.Body = &t.body
	}
	t.answer.reset()
	aborted := t.server.handle(&t.answer, r)
	clear(body) // it may have been a card's
	there := t.watch == nil || t.unwatch()
	return !aborted && t.answer.finish() == nil && there
}

// watch looks whether the caller of a request that lasts is still there.
type watch struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	first  [1]byte // of the next request, when it came meanwhile
	n      int
	err    error
}

// caller returns a context that ends when the caller hangs up before the request is answered.
func (t *talk) caller() context.Context {
	if t.watch != nil {
		return t.watch.ctx
	}
	if t.from < t.to { // who has sent more already is there
		return t.parser.request.Context()
	}
	t.readBy = 0
	_ = t.conn.SetReadDeadline(time.Time{}) // the one before was for the request, which is here
	ctx, cancel := context.WithCancel(t.parser.request.Context())
	w := &watch{ctx: ctx, cancel: cancel, done: make(chan struct{})}
	t.watch = w
	go func() {
		defer close(w.done)
		if w.n, w.err = t.conn.Read(w.first[:]); w.err != nil {
			cancel()
		}
	}()
	return ctx
}

// unwatch ends the watch and reports whether the caller is still there.
func (t *talk) unwatch() bool {
	w := t.watch
	t.bound(1) // in the past: it interrupts the read
	t.readBy = 0
	<-w.done
	w.cancel()
	t.watch = nil
	t.from, t.to = 0, copy(t.in, w.first[:w.n])
	return w.err == nil || errors.Is(w.err, os.ErrDeadlineExceeded)
}
