package server

import (
	"net"
	"os"
	"sync"
	"time"

	"plexy/internal/clock"
)

// hangUpAfter is how long a request may take before its connection is looked at, to see whether the caller
// has hung up.
const hangUpAfter = 50 * time.Millisecond

// ancient is later than the deadline with which net/http interrupts a read, and earlier than any other.
var ancient = time.Unix(1_000_000, 0)

// conn is a connection of the listener. It writes our own form of net/http's answer to a malformed request,
// and it spares most requests the look whether their caller has hung up.
//
// While a request is served, net/http reads one byte of its connection and interrupts that with a deadline
// in the past when the answer is there. For a request that takes a millisecond this costs a system call that
// finds nothing, a wait and a wake-up: a twentieth of what an authorize costs the server. So a read of one
// byte waits here first, outside the system, and becomes one only when the request takes longer.
//
// It keeps all of a TCP connection's methods, because net/http looks for CloseWrite and ReadFrom.
type conn struct {
	*net.TCPConn
	server *Server

	mu      sync.Mutex
	waiting bool // a read of one byte waits outside the system
	over    bool // the deadline for reads is in the past: one that comes now does not wait
	limited bool // the system may know a deadline for reads
	abort   chan struct{}
	timer   *time.Timer // of the read that waits: there is one at a time
}

// Read reads at most len(p) bytes, and a single byte not before hangUpAfter.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 1 && !c.wait() {
		return 0, os.ErrDeadlineExceeded
	}
	return c.TCPConn.Read(p)
}

// wait lets hangUpAfter pass; false when it was interrupted.
func (c *conn) wait() bool {
	c.mu.Lock()
	over := c.over
	c.waiting = !over
	c.mu.Unlock()
	if over {
		return false
	}
	if c.timer == nil {
		c.timer = clock.NewTimer(hangUpAfter)
	} else {
		c.timer.Reset(hangUpAfter)
	}
	select {
	case <-c.abort:
		c.timer.Stop()
		return false
	case <-c.timer.C:
	}
	c.mu.Lock()
	interrupted := !c.waiting
	c.waiting = false
	c.mu.Unlock()
	if interrupted {
		<-c.abort
	}
	return !interrupted
}

// SetReadDeadline bounds reads, or interrupts the one that waits.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = !t.IsZero() && t.Before(ancient)
	switch {
	case c.over && c.waiting:
		c.waiting = false
		c.abort <- struct{}{} // there is room: it is taken before the next read waits
		return nil
	case t.IsZero() && !c.limited:
		return nil
	}
	c.limited = !t.IsZero()
	return c.TCPConn.SetReadDeadline(t)
}

// SetDeadline bounds reads and writes.
func (c *conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	c.limited, c.over = true, false
	c.mu.Unlock()
	return c.TCPConn.SetDeadline(t)
}
