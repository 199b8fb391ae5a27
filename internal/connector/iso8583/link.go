package iso8583

import (
	"context"
	"sync"

	"plexy/internal/connector/iso8583/wire"
)

// maxLate is how many requests without an answer are remembered, so that a late answer finds its operation.
const maxLate = 4096

// key is what an answer is matched by. The last digit of the type is left out: a repeat has the same answer.
type key struct{ kind, stan, rrn, terminal string }

func keyOf(answer wire.Message) key {
	return key{answer.Type[:3], answer.STAN, answer.RRN, answer.Terminal}
}

// fate is what became of a request on its way.
type fate uint8

const (
	missing  fate = iota // it left, or may have, and there is no answer
	answered             // there is an answer
	unsent               // it certainly did not leave
)

// result is how an exchange ended; note says why, unless there is an answer.
type result struct {
	fate   fate
	answer wire.Message
	note   string
}

// stage is how far a call has come. It only grows.
type stage uint8

const (
	queued  stage = iota
	written       // or about to be: from here on the host may have it
	late          // nobody waits any more, but an answer is still of interest
	ended
)

// call is a request and who waits for its answer. What is below done belongs to the link's lock until done is
// closed.
type call struct {
	key   key
	frame []byte // cleared once it is written
	late  func(wire.Message)
	done  chan struct{}

	stage  stage
	line   *line
	result result
}

// link is the connections to one acquirer and the requests on them. Requests wait in one queue from which
// every connection that is up takes; answers may come on any connection and in any order.
type link struct {
	o     *Options
	ctx   context.Context // ends with Close
	queue chan *call
	// background counts goroutines that end soon after ctx.
	background sync.WaitGroup

	mu    sync.Mutex
	calls map[key]*call
	lates []*call // in the order in which they became late; some may have ended since
	open  int     // calls that somebody waits for
	up    int     // connections that are signed on
	trace int     // of the last message about the line itself
	stray int     // messages that were not expected or could not be read
}

// exchange sends a request and waits for its answer, at most for the link's time limit. late is told of an
// answer that comes after that; it may be nil.
func (l *link) exchange(ctx context.Context, m wire.Message, late func(wire.Message)) result {
	frame, err := m.Pack()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return result{fate: unsent, note: err.Error()}
	}
	c := &call{frame: frame, late: late, done: make(chan struct{})}
	c.key = keyOf(wire.Message{Type: wire.AnswerType(m.Type), STAN: m.STAN, RRN: m.RRN, Terminal: m.Terminal})
	if note := l.admit(c); note != "" {
		return result{fate: unsent, note: note}
	}
	ctx, cancel := context.WithTimeout(ctx, l.o.Timeout)
	defer cancel()
	select {
	case <-c.done:
	case <-ctx.Done():
	case <-l.ctx.Done():
	}
	return l.leave(c)
}

// admit queues a call, or says why not.
func (l *link) admit(c *call) (refused string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.calls[c.key]
	switch {
	case l.ctx.Err() != nil:
		return "the link is closed"
	case l.up == 0:
		return "there is no connection to the acquirer"
	case l.open >= l.o.Window:
		return "too many requests wait for the acquirer"
	case before != nil && before.stage != late:
		return "another request of this moment has the same trace number"
	}
	select {
	case l.queue <- c:
	default:
		return "too many requests wait for the acquirer"
	}
	if before != nil {
		before.stage = ended // its answer is this one's too
	}
	l.calls[c.key] = c
	l.open++
	return ""
}

// leave ends the wait for an answer, whether it is there or not.
func (l *link) leave(c *call) result {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch c.stage {
	case queued:
		l.end(c, result{fate: unsent, note: "no connection to the acquirer was free in time"})
	case written:
		l.open--
		c.stage, c.result = late, result{fate: missing, note: "no answer in time"}
		l.lates = append(l.lates, c)
		l.forget(maxLate)
	}
	return c.result
}

// forget drops the oldest late calls beyond the given number.
func (l *link) forget(most int) {
	for len(l.lates) > most {
		if c := l.lates[0]; c.stage == late {
			c.stage = ended
			delete(l.calls, c.key)
		}
		l.lates = l.lates[1:]
	}
}

// end gives a call that somebody waits for its result. The caller holds the lock.
func (l *link) end(c *call, r result) {
	l.open--
	c.stage, c.result = ended, r
	delete(l.calls, c.key)
	close(c.done)
}

// claim reports whether a call is still wanted, and if so that this connection writes it.
func (l *link) claim(c *call, by *line) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.stage != queued {
		return false
	}
	c.stage, c.line = written, by
	return true
}

// unwritten ends a call of which not one byte left.
func (l *link) unwritten(c *call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.stage == written {
		l.end(c, result{fate: unsent, note: "the connection to the acquirer was lost before"})
	}
}

// deliver hands an answer to who waits for it, or to whoever wanted to hear of it when it is late.
func (l *link) deliver(answer wire.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.calls[keyOf(answer)]
	switch {
	case c == nil || c.stage == queued: // of nothing that we asked
		l.stray++
	case c.stage == written:
		l.end(c, result{fate: answered, answer: answer})
	case c.stage == late:
		c.stage = ended
		delete(l.calls, c.key)
		if c.late != nil {
			l.background.Add(1)
			go func() {
				defer l.background.Done()
				c.late(answer)
			}()
		}
	}
}

// strange counts a message that nobody can use.
func (l *link) strange() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stray++
}

// down ends everything that was written on a connection: its answers cannot come any more.
func (l *link) down(on *line, wasUp bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wasUp {
		l.up--
	}
	for _, c := range l.calls {
		if c.line == on && c.stage == written {
			l.end(c, result{fate: missing, note: "the connection to the acquirer was lost"})
		}
	}
}
