package iso8583

import (
	"errors"

	"plexy/internal/card"
	"plexy/internal/clock"
	"plexy/internal/connector"
	"plexy/internal/connector/iso8583/wire"
)

// maxUndos is how many authorizations are taken back at once. Beyond it they stay unknown until Inquire asks.
const maxUndos = 4096

// undo takes one authorization back: 0400, then 0401 with growing pauses until the host says that it is gone.
type undo struct {
	operation string
	message   wire.Message
	done      chan struct{}    // closed when answer is there
	answer    connector.Answer // under the connector's lock until then
	missed    chan struct{}    // closed, and made anew, when an answer did not come; under that lock too
}

// undo begins to take an authorization back, unless that is under way already; nil when there are too many.
func (c *Connector) undo(o connector.Order, oneStep bool, of card.Card) (*undo, error) {
	m, err := c.reversal(o, oneStep, of)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if u := c.undos[o.Operation]; u != nil {
		return u, nil
	}
	if len(c.undos) >= maxUndos || c.link.ctx.Err() != nil {
		return nil, errors.New("it cannot be taken back now")
	}
	u := &undo{operation: o.Operation, message: m, done: make(chan struct{}), missed: make(chan struct{})}
	c.undos[o.Operation] = u
	c.link.background.Add(1)
	go c.take(u)
	return u, nil
}

// take sends the reversal until it is settled or the link is closed; then Inquire begins again, in whichever
// process.
//
// Not found is believed when it is said twice, a time limit apart: the host may be reading the authorization
// from one connection while it looks for it on behalf of another.
func (c *Connector) take(u *undo) {
	defer c.link.background.Done()
	pause := c.o.Repeat
	looked := false
	late := func(said wire.Message) {
		if a, done := gone(said, false); done {
			c.settle(u, a)
		}
	}
	for m := u.message; ; m.Type = wire.Repeat(wire.Reversal) {
		wait := pause
		switch r := c.link.exchange(c.link.ctx, m, late); r.fate {
		case unsent:
			wait = c.o.Repeat // it costs nothing, and the connection may come back soon
		case missing:
			c.miss(u)
			pause = min(2*pause, c.o.RepeatMost)
		case answered:
			a, done := gone(r.answer, looked)
			if done {
				c.settle(u, a)
				return
			}
			if r.answer.Code == notThere {
				looked, wait = true, max(wait, c.o.Timeout)
			} else {
				c.o.Alarm("reversal", errors.New("the acquirer answered "+u.operation+" with "+r.answer.Code))
			}
			pause = min(2*pause, c.o.RepeatMost)
		}
		if !clock.Pause(c.link.ctx, wait) || c.settled(u) {
			return
		}
	}
}

// miss tells who waits for an undo that the host did not answer in time.
func (c *Connector) miss(u *undo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(u.missed)
	u.missed = make(chan struct{})
}

// gone reads the answer to a reversal; looked says that the original was not found before.
func gone(said wire.Message, looked bool) (a connector.Answer, done bool) {
	code := said.Code
	if in(approving, code) || code == duplicate || code == notThere && looked {
		return undone(code), true
	}
	return a, false
}

func (c *Connector) settled(u *undo) bool {
	select {
	case <-u.done:
		return true
	default:
		return false
	}
}

// settle ends an undo once: by the host's word that it is gone, or by a late decline.
func (c *Connector) settle(u *undo, a connector.Answer) {
	c.mu.Lock()
	if c.settled(u) {
		c.mu.Unlock()
		return
	}
	u.answer = a
	close(u.done)
	delete(c.undos, u.operation)
	c.mu.Unlock()
	c.o.Notify(connector.Notice{Operation: u.operation, Answer: a})
}
