// Package host is a pretend acquirer's host at the other end of an ISO 8583 link, for tests: it keeps books
// of its own, so that they can be compared with ours, and goes wrong when it is told to. Main runs it as a
// process that is steered by lines on standard input; it ends when that is closed.
package host

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"plexy/internal/clock"
	"plexy/internal/connector/iso8583/wire"
)

// Fault is what goes wrong with the next Count requests whose type begins with Type; "" is any.
type Fault struct {
	Type  string
	Count int
	// What goes wrong:
	//
	//	drop      it is not read
	//	refuse    the connection is closed before it is read
	//	slow      it is read after Wait
	//	silent    it is booked and not answered
	//	hangup    it is booked and the connection closed
	//	delay     it is booked and answered after Wait
	//	swap      it is booked and answered after another answer on the connection, or after Wait
	//	twice     it is answered twice
	//	garbage   something that cannot be read comes before the answer
	//	half      half of the answer, then the connection is closed
	//	stan, rrn, amount, code    the answer lies in that field; Code is the lie about the code
	What string
	Code string
	Wait time.Duration
}

// faults are the words for Fault.What.
var faults = strings.Fields(
	"drop refuse slow silent hangup delay swap twice garbage half stan rrn amount code")

// Host is the pretend host. Make it with New.
type Host struct {
	listen  func() (net.Listener, error)
	address string
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	books    *books
	faults   []*Fault
	listener net.Listener
	lines    map[*line]bool
}

// line is a connection to the host.
type line struct {
	conn    net.Conn
	writing sync.Mutex
	swapped chan struct{} // closed by the next answer, when one waits for it
}

// New listens on an address, with port 0 at first for any. wrap may add TLS to a listener; it may be nil.
func New(address string, wrap func(net.Listener) net.Listener) (*Host, error) {
	h := &Host{address: address, books: newBooks(), lines: map[*line]bool{}}
	h.listen = func() (net.Listener, error) {
		l, err := net.Listen("tcp", h.address)
		if err == nil && wrap != nil {
			l = wrap(l)
		}
		return l, err
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	if err := h.Up(); err != nil {
		return nil, err
	}
	return h, nil
}

// Address is HOST:PORT; it stays the same over Down and Up.
func (h *Host) Address() string { return h.address }

// Up listens; a host that does already is left alone.
func (h *Host) Up() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listener != nil || h.ctx.Err() != nil {
		return h.ctx.Err()
	}
	l, err := h.listen()
	if err != nil {
		return err
	}
	h.listener, h.address = l, l.Addr().String()
	h.running.Add(1)
	go h.accept(l)
	return nil
}

// Down stops listening and closes all connections.
func (h *Host) Down() {
	h.mu.Lock()
	if h.listener != nil {
		_ = h.listener.Close() // nothing can be done about it
		h.listener = nil
	}
	h.mu.Unlock()
	h.Cut()
}

// Cut closes all connections; new ones are taken.
func (h *Host) Cut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for n := range h.lines {
		_ = n.conn.Close() // the reader sees it
	}
}

// Close ends the host.
func (h *Host) Close() {
	h.cancel()
	h.Down()
	h.running.Wait()
}

// Do adds a fault.
func (h *Host) Do(f Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, &f)
}

// Clear forgets all faults.
func (h *Host) Clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = nil
}

// Books returns a copy of the books.
func (h *Host) Books() Books {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.books.copy()
}

func (h *Host) accept(l net.Listener) {
	defer h.running.Done()
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		n := &line{conn: conn}
		h.mu.Lock()
		h.lines[n] = true
		closing := h.listener != l
		h.mu.Unlock()
		if closing {
			_ = conn.Close() // it came in while the listener was closed
		}
		h.running.Add(1)
		go h.read(n)
	}
}

func (h *Host) read(n *line) {
	defer h.running.Done()
	in := bufio.NewReader(n.conn)
	for {
		body, err := wire.Read(in)
		if err != nil {
			break
		}
		m, err := wire.Unpack(body)
		if err != nil || !m.Request() {
			continue
		}
		if !h.take(n, m) {
			break
		}
	}
	_ = n.conn.Close() // perhaps it is already
	h.mu.Lock()
	delete(h.lines, n)
	h.mu.Unlock()
}

// take does with a request what the next fault for it says; false ends the connection.
func (h *Host) take(n *line, m wire.Message) bool {
	f := h.next(m.Type)
	switch f.What {
	case "drop":
		return true
	case "refuse":
		return false
	case "slow":
		h.later(f.Wait, nil, func() { n.send(h.decide(m)) })
		return true
	}
	said := h.decide(m)
	switch f.What {
	case "silent":
		return true
	case "hangup":
		return false
	case "delay":
		h.later(f.Wait, nil, func() { n.send(said) })
		return true
	case "swap":
		h.later(f.Wait, n.next(), func() { n.send(said) })
		return true
	case "twice":
		n.send(said)
	case "garbage":
		n.raw([]byte("\x00\x0f0110garbagegarb"))
	case "half":
		if frame, err := said.Pack(); err == nil {
			n.raw(frame[:len(frame)/2])
		}
		return false
	case "stan":
		said.STAN = lie(said.STAN)
	case "rrn":
		said.RRN = lie(said.RRN)
	case "amount":
		said.Amount = lie(said.Amount)
	case "code":
		said.Code = f.Code
	}
	n.send(said)
	return true
}

// lie changes the last digit of a text.
func lie(text string) string {
	if text == "" {
		return text
	}
	last := byte('1')
	if text[len(text)-1] == '1' {
		last = '2'
	}
	return text[:len(text)-1] + string(last)
}

// next takes the next fault for a message of a type; the zero Fault is none.
func (h *Host) next(kind string) Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.faults {
		if f.Count > 0 && strings.HasPrefix(kind, f.Type) {
			f.Count--
			return *f
		}
	}
	return Fault{}
}

func (h *Host) decide(m wire.Message) wire.Message {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.books.answer(m)
}

// later does something after a time or when a channel is closed, unless the host ends before.
func (h *Host) later(wait time.Duration, or <-chan struct{}, do func()) {
	h.running.Add(1)
	go func() {
		defer h.running.Done()
		ctx, cancel := context.WithTimeout(h.ctx, wait)
		defer cancel()
		select {
		case <-ctx.Done():
		case <-or:
		}
		if h.ctx.Err() == nil {
			do()
		}
	}()
}

// next returns a channel that the next answer on the connection closes.
func (n *line) next() <-chan struct{} {
	n.writing.Lock()
	defer n.writing.Unlock()
	if n.swapped == nil {
		n.swapped = make(chan struct{})
	}
	return n.swapped
}

func (n *line) send(m wire.Message) {
	if frame, err := m.Pack(); err == nil {
		n.raw(frame)
	}
}

func (n *line) raw(frame []byte) {
	n.writing.Lock()
	defer n.writing.Unlock()
	deadline := clock.Time(clock.System{}.Now()).Add(5 * time.Second)
	if n.conn.SetWriteDeadline(deadline) != nil {
		return
	}
	_, _ = n.conn.Write(frame) // a connection that is lost is the link's trouble
	if n.swapped != nil {
		close(n.swapped)
		n.swapped = nil
	}
}

// ParseFault reads "TYPE COUNT WHAT [CODE|WAIT]", such as "0100 1 delay 300ms"; TYPE * is any.
func ParseFault(words []string) (Fault, error) {
	var f Fault
	if len(words) < 3 {
		return f, errors.New("want TYPE COUNT WHAT [CODE|WAIT]")
	}
	if words[0] != "*" {
		f.Type = words[0]
	}
	if _, err := fmt.Sscan(words[1], &f.Count); err != nil || f.Count < 1 {
		return f, errors.New("want a count of at least 1")
	}
	f.What = words[2]
	known := false
	for _, word := range faults {
		known = known || word == f.What
	}
	if !known {
		return f, errors.New("want one of " + strings.Join(faults, " "))
	}
	if len(words) == 3 {
		return f, nil
	}
	if f.What == "code" {
		f.Code = words[3]
		return f, nil
	}
	var err error
	f.Wait, err = time.ParseDuration(words[3])
	return f, err
}
