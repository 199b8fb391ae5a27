// Package iso8583 is a connector to an acquirer's host that speaks ISO 8583 over TCP. docs/iso8583.md is its
// agreement with the host: messages, fields, codes, and what the host must promise.
//
// The standard has no question "what became of it?". So an authorization whose answer did not come in time,
// or could not be used, is taken back: a reversal is sent, and repeated until the host has confirmed it. That
// happens of its own accord, as the standard wants; Inquire joins it, or begins it anew after a crash. As for
// changes, they are repeated: the host answers a repeat as it answered the first. Nothing is kept on disk,
// because every number that a message is found by follows from the operation's id and time.
package iso8583

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"regexp"
	"sync"
	"time"

	"plexy/internal/card"
	"plexy/internal/clock"
	"plexy/internal/connector"
	"plexy/internal/connector/iso8583/wire"
)

// Options say where the host is and how it is spoken to. Zero values are the defaults.
type Options struct {
	Name      string   // of the connector; "iso8583"
	Addresses []string // HOST:PORT, tried in turn; at least one
	// Connections is how many are held open, 1 to 16; 2.
	Connections int
	TLS         *tls.Config    // nil for none
	Acquirer    string         // our acquirer's number, field 32: 1 to 11 digits
	Zone        *time.Location // of fields 12 and 13; Kazakhstan's, UTC+5
	// Timeout is how long an answer may take; 30 s.
	Timeout time.Duration
	// Echo is how often an idle host is asked whether it is there; 1 min.
	Echo time.Duration
	// Redial is the pause before a lost connection is dialled again, doubled up to RedialMost; 1 s and 1 min.
	Redial, RedialMost time.Duration
	// Repeat is the pause before a reversal is sent again, doubled up to RepeatMost; 2 s and 5 min.
	Repeat, RepeatMost time.Duration
	// Window is how many requests may be on their way; more are answered as not sent. 1024.
	Window int
	Clock  clock.Clock // of field 7 of messages about the line; the machine's
	// Notify hears what became of operations that were answered as unknown, perhaps twice, perhaps while an
	// Inquire is told the same. It must not block for long.
	Notify func(connector.Notice)
	// Alarm hears what staff should know: connections that were lost, messages that cannot be read, reversals
	// that are refused. It holds nothing of a card.
	Alarm func(what string, err error)
}

// Connector is a link to one host. Close ends it.
type Connector struct {
	o     Options
	link  *link
	close context.CancelFunc

	mu      sync.Mutex
	undos   map[string]*undo
	flights map[string]*flight
}

// flight is an operation that is being asked for: who asks the same meanwhile waits for the same answer.
type flight struct {
	done   chan struct{}
	answer connector.Answer
}

var (
	nameForm     = regexp.MustCompile(`^[a-z][a-z0-9]*$`)
	acquirerForm = regexp.MustCompile(`^[0-9]{1,11}$`)
)

// New checks the options and begins to connect. The error names the option that is wrong.
func New(o Options) (*Connector, error) {
	o.fill()
	switch {
	case !nameForm.MatchString(o.Name):
		return nil, errors.New("name: want one lower-case word")
	case len(o.Addresses) == 0:
		return nil, errors.New("addresses: want at least one")
	case o.Connections < 1 || o.Connections > 16:
		return nil, errors.New("connections: want 1 to 16")
	case !acquirerForm.MatchString(o.Acquirer):
		return nil, errors.New("acquirer: want 1 to 11 digits")
	case min(o.Timeout, o.Echo, o.Redial, o.Repeat) <= 0 || o.RedialMost < o.Redial || o.RepeatMost < o.Repeat:
		return nil, errors.New("times: want more than nothing, and no most below its first")
	case o.Window < 1:
		return nil, errors.New("window: want at least 1")
	}
	for _, address := range o.Addresses {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return nil, fmt.Errorf("addresses: want HOST:PORT: %w", err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Connector{o: o, close: cancel, undos: map[string]*undo{}, flights: map[string]*flight{}}
	c.link = &link{o: &c.o, ctx: ctx, queue: make(chan *call, o.Window), calls: map[key]*call{}}
	for n := range o.Connections {
		c.link.background.Add(1)
		go c.link.keep(n)
	}
	return c, nil
}

func (o *Options) fill() {
	def(&o.Name, "iso8583")
	def(&o.Connections, 2)
	def(&o.Zone, time.FixedZone("UTC+5", 5*60*60))
	def(&o.Timeout, 30*time.Second)
	def(&o.Echo, time.Minute)
	def(&o.Redial, time.Second)
	def(&o.RedialMost, max(time.Minute, o.Redial))
	def(&o.Repeat, 2*time.Second)
	def(&o.RepeatMost, max(5*time.Minute, o.Repeat))
	def(&o.Window, 1024)
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Notify == nil {
		o.Notify = func(connector.Notice) {}
	}
	if o.Alarm == nil {
		o.Alarm = func(string, error) {}
	}
}

func def[T comparable](value *T, standard T) {
	var zero T
	if *value == zero {
		*value = standard
	}
}

// Close signs off and ends everything. What was on its way is unknown; whoever asked has been told so when
// Close returns. Reversals that were not confirmed go on when Inquire asks.
func (c *Connector) Close() {
	c.mu.Lock() // so that no reversal begins after the wait has
	c.close()
	c.mu.Unlock()
	c.link.background.Wait()
}

// State is how the link does, for staff and metrics.
type State struct {
	Connected int // connections that are signed on
	Open      int // requests that somebody waits for
	Undoing   int // authorizations that are being taken back
	Strays    int // messages so far that nobody asked for or that could not be read
}

// State returns how the link does now.
func (c *Connector) State() State {
	c.mu.Lock()
	undoing := len(c.undos)
	c.mu.Unlock()
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	return State{c.link.up, c.link.open, undoing, c.link.stray}
}

// Name is the connector's name.
func (c *Connector) Name() string { return c.o.Name }

// Authorize sends 0100, or 0200 for one step. What is not known afterwards is taken back.
func (c *Connector) Authorize(ctx context.Context, a connector.Authorization) connector.Answer {
	if err := a.Check(); err != nil {
		return connector.Unsent(err.Error())
	}
	if a.Token != "" {
		return connector.Unsent("this acquirer keeps no cards")
	}
	m, err := c.authorization(a)
	if err != nil {
		return connector.Unsent(err.Error())
	}
	return c.once(ctx, a.Operation, func() connector.Answer {
		c.mu.Lock()
		undoing := c.undos[a.Operation] != nil
		c.mu.Unlock()
		if undoing {
			return connector.Lost("it is being taken back")
		}
		answer := c.ask(ctx, a.Operation, m)
		if answer.Outcome == connector.Unknown && !a.Verification {
			of := a.Card
			of.CVV = card.CVV{}
			if _, err := c.undo(a.Order, a.OneStep, of); err != nil {
				c.o.Alarm("reversal", err)
			}
		}
		return answer
	})
}

// Capture sends 0220.
func (c *Connector) Capture(ctx context.Context, change connector.Change) connector.Answer {
	return c.modify(ctx, connector.Capture, change)
}

// Cancel sends 0400.
func (c *Connector) Cancel(ctx context.Context, change connector.Change) connector.Answer {
	return c.modify(ctx, connector.Cancel, change)
}

// Refund sends 0200 with the processing code of a return.
func (c *Connector) Refund(ctx context.Context, change connector.Change) connector.Answer {
	return c.modify(ctx, connector.Refund, change)
}

func (c *Connector) modify(ctx context.Context, verb connector.Verb, change connector.Change) (
	a connector.Answer) {
	if err := change.Check(); err != nil {
		return connector.Unsent(err.Error())
	}
	m, err := c.change(verb, change.Order, change.Original)
	if err != nil {
		return connector.Unsent(err.Error())
	}
	return c.once(ctx, change.Operation, func() connector.Answer { return c.ask(ctx, change.Operation, m) })
}

// Inquire takes an authorize back and says NotSent when the host has confirmed it; a change it repeats, and
// says what the host answers. It gives up for now when the host does not answer in time, or when the link's
// time limit has passed twice.
//
// It must not be asked by another process while the request may still be answered in this one.
func (c *Connector) Inquire(ctx context.Context, q connector.Inquiry) connector.Answer {
	if err := q.Check(); err != nil {
		return connector.Lost(err.Error())
	}
	c.mu.Lock()
	f := c.flights[q.Operation]
	c.mu.Unlock()
	if f != nil {
		select {
		case <-f.done:
			if f.answer.Outcome.Final() {
				return f.answer
			}
		case <-ctx.Done():
			return connector.Lost("it is being asked for")
		}
	}
	if q.Verb == connector.Authorize {
		return c.inquireFirst(ctx, q)
	}
	return c.inquireChange(ctx, q)
}

func (c *Connector) inquireFirst(ctx context.Context, q connector.Inquiry) connector.Answer {
	if q.Amount == 0 {
		return connector.Unsent("a verification has no effect")
	}
	u, err := c.undo(q.Order, q.OneStep, q.Card)
	if err != nil {
		return connector.Lost(err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, 2*c.o.Timeout)
	defer cancel()
	c.mu.Lock()
	missed := u.missed
	c.mu.Unlock()
	select {
	case <-u.done:
		return u.answer
	case <-missed:
	case <-ctx.Done():
	case <-c.link.ctx.Done():
	}
	return connector.Lost("it is being taken back")
}

func (c *Connector) inquireChange(ctx context.Context, q connector.Inquiry) connector.Answer {
	switch q.Verb {
	case connector.Capture, connector.Cancel, connector.Refund:
	default:
		return connector.Lost("this acquirer knows no " + string(q.Verb))
	}
	m, err := c.change(q.Verb, q.Order, q.Original)
	if err != nil {
		return connector.Lost(err.Error())
	}
	m.Type = wire.Repeat(m.Type)
	return c.once(ctx, q.Operation, func() connector.Answer {
		answer := c.ask(ctx, q.Operation, m)
		if answer.Outcome == connector.NotSent { // the repeat was not; the first may have been
			answer.Outcome = connector.Unknown
		}
		return answer
	})
}

// once runs ask, or waits for the answer of the same operation if it is being asked for already.
func (c *Connector) once(ctx context.Context, operation string, ask func() connector.Answer) (
	a connector.Answer) {
	c.mu.Lock()
	if f := c.flights[operation]; f != nil {
		c.mu.Unlock()
		select {
		case <-f.done:
			return f.answer
		case <-ctx.Done():
			return connector.Lost("it is being asked for")
		}
	}
	f := &flight{done: make(chan struct{})}
	c.flights[operation] = f
	c.mu.Unlock()
	defer func() { // also when ask panics: then the answer is Unknown
		c.mu.Lock()
		delete(c.flights, operation)
		c.mu.Unlock()
		close(f.done)
	}()
	f.answer = ask()
	return f.answer
}

// ask makes one exchange and reads what came of it. An answer that comes too late is told to Notify, unless
// it is a yes to an authorization: that is being taken back by then, and the host's word on that counts.
func (c *Connector) ask(ctx context.Context, operation string, m wire.Message) connector.Answer {
	asked := m // what is remembered for a late answer holds nothing of the card
	asked.Number, asked.Expiry, asked.Private = "", "", nil
	r := c.link.exchange(ctx, m, func(said wire.Message) { c.late(operation, asked, said) })
	switch r.fate {
	case unsent:
		return connector.Unsent(r.note)
	case missing:
		return connector.Lost(r.note)
	}
	return read(m, r.answer)
}

func (c *Connector) late(operation string, asked, said wire.Message) {
	a := read(asked, said)
	c.mu.Lock()
	u := c.undos[operation]
	c.mu.Unlock()
	switch takenBack := asked.Original == "" && asked.Amount != "000000000000"; {
	case !a.Outcome.Final():
	case !takenBack:
		c.o.Notify(connector.Notice{Operation: operation, Answer: a})
	case u != nil && a.Outcome == connector.Declined:
		c.settle(u, a)
	}
}
