package server

import (
	"context"
	"net"
	"sync"
	"time"
)

// listener accepts connections and talks on each until it becomes odd. These it hands over to net/http,
// for which it is a listener like others.
type listener struct {
	net.Listener
	server *Server
	odd    chan net.Conn
	failed chan error

	mu       sync.Mutex
	talks    map[*talk]struct{}
	stopping bool
	stopped  chan struct{}  // closed then
	over     sync.WaitGroup // talks
}

func listen(s *Server, l net.Listener) *listener {
	made := &listener{
		Listener: l, server: s, odd: make(chan net.Conn), failed: make(chan error),
		talks: map[*talk]struct{}{}, stopped: make(chan struct{}),
	}
	go made.accept()
	return made
}

// Accept waits for the next connection that is for net/http. Errors of accepting are net/http's to wait out.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.odd:
		return c, nil
	case err := <-l.failed:
		return nil, err
	case <-l.stopped:
		return nil, net.ErrClosed
	}
}

func (l *listener) accept() {
	for {
		c, err := l.Listener.Accept()
		if err == nil {
			l.begin(newTalk(l.server, c.(*net.TCPConn)))
			continue
		}
		select {
		case l.failed <- err:
		case <-l.stopped:
			return
		}
	}
}

func (l *listener) begin(t *talk) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopping {
		t.conn.Close()
		return
	}
	l.talks[t] = struct{}{}
	l.over.Go(func() {
		odd := t.run()
		l.mu.Lock()
		delete(l.talks, t)
		l.mu.Unlock()
		if !odd || !l.handOver(t) {
			t.conn.Close()
		}
	})
}

func (l *listener) handOver(t *talk) bool {
	_ = t.conn.SetDeadline(time.Time{}) // net/http has its own
	select {
	case l.odd <- &conn{TCPConn: t.conn, server: l.server, before: t.in[t.from:t.to]}:
		return true
	case <-l.stopped:
		return false
	}
}

// Close takes no more connections and closes those that are between two requests. net/http closes its
// listener as well, also when accepting failed; the stop then meets those that had a request at that time.
func (l *listener) Close() (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopping {
		l.stopping = true
		close(l.stopped)
		err = l.Listener.Close()
	}
	for t := range l.talks {
		if t.state.CompareAndSwap(between, closed) {
			t.conn.Close()
		}
	}
	return err
}

// finish waits until every talk is over, or cuts them off when ctx ends.
func (l *listener) finish(ctx context.Context) error {
	done := make(chan struct{})
	go func() { l.over.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for t := range l.talks {
		t.conn.Close()
	}
	return ctx.Err()
}

// conn is a connection that was handed over to net/http, with what was received before. It writes our own
// form of net/http's answer to a malformed request. It keeps all of a TCP connection's methods, because
// net/http looks for CloseWrite and ReadFrom.
type conn struct {
	*net.TCPConn
	server *Server
	before []byte
}

// Read reads at most len(p) bytes.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.before) > 0 {
		n := copy(p, c.before)
		c.before = c.before[n:]
		return n, nil
	}
	return c.TCPConn.Read(p)
}
