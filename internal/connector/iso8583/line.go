package iso8583

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"

	"plexy/internal/clock"
	"plexy/internal/connector/iso8583/wire"
)

// line is one connection, from dialling to its end.
type line struct {
	link *link
	conn net.Conn
	gone chan struct{} // closed when nothing can be read any more

	writing sync.Mutex
}

// keep holds one connection open until the link is closed. It dials the addresses in turn and pauses longer
// after each failure; a connection that was signed on begins anew.
func (l *link) keep(first int) {
	defer l.background.Done()
	pause := l.o.Redial
	for attempt := first; l.ctx.Err() == nil; attempt++ {
		address := l.o.Addresses[attempt%len(l.o.Addresses)]
		signedOn, err := l.serve(address)
		if l.ctx.Err() != nil {
			return
		}
		if signedOn {
			pause = l.o.Redial
		}
		l.o.Alarm("connection to the acquirer at "+address, err)
		if !clock.Pause(l.ctx, pause) {
			return
		}
		pause = min(2*pause, l.o.RedialMost)
	}
}

// serve dials, signs on and writes what is queued until the connection ends.
func (l *link) serve(address string) (signedOn bool, err error) {
	conn, err := l.dial(address)
	if err != nil {
		return false, err
	}
	n := &line{link: l, conn: conn, gone: make(chan struct{})}
	l.background.Add(1)
	go n.read()
	if err = n.ask(wire.SignOn); err == nil {
		signedOn = true
		l.mu.Lock()
		l.up++
		l.mu.Unlock()
		l.background.Add(1)
		go n.watch()
		err = n.write()
	}
	_ = conn.Close() // whatever it says: the connection is over
	<-n.gone
	l.down(n, signedOn)
	return signedOn, err
}

// dial connects, with TLS if there are settings for it.
func (l *link) dial(address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(l.ctx, l.o.Timeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil || l.o.TLS == nil {
		return conn, err
	}
	settings := l.o.TLS.Clone()
	if settings.ServerName == "" {
		settings.ServerName, _, _ = net.SplitHostPort(address) // New has looked at it
	}
	private := tls.Client(conn, settings)
	if err := private.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("TLS: %w", err), conn.Close())
	}
	return private, nil
}

// write sends what is queued until the connection or the link ends.
func (n *line) write() error {
	for {
		select {
		case <-n.gone:
			return errors.New("the acquirer closed the connection")
		case <-n.link.ctx.Done():
			if frame, err := n.network(wire.SignOff).Pack(); err == nil {
				_, _ = n.send(frame) // a courtesy
			}
			return n.link.ctx.Err()
		case c := <-n.link.queue:
			if !n.link.claim(c, n) {
				continue
			}
			sent, err := n.send(c.frame)
			clear(c.frame) // a CVV must not stay in memory for as long as a late answer is waited for
			if err != nil {
				if sent == 0 {
					n.link.unwritten(c)
				}
				return err
			}
		}
	}
}

// send writes one frame whole; a host that does not read for the link's time limit loses the connection.
func (n *line) send(frame []byte) (int, error) {
	n.writing.Lock()
	defer n.writing.Unlock()
	deadline := clock.Time(clock.System{}.Now()).Add(n.link.o.Timeout)
	if err := n.conn.SetWriteDeadline(deadline); err != nil {
		return 0, err
	}
	return n.conn.Write(frame)
}

// read takes answers until the connection ends.
func (n *line) read() {
	defer n.link.background.Done()
	defer close(n.gone)
	in := bufio.NewReader(n.conn)
	for {
		body, err := wire.Read(in)
		if err != nil {
			return
		}
		m, err := wire.Unpack(body)
		switch {
		case err != nil:
			n.link.strange()
			n.link.o.Alarm("message from the acquirer", err)
		case !m.Request():
			n.link.deliver(m)
		case m.Type[:2] == wire.Network[:2]:
			answer, err := wire.Message{Type: wire.NetworkAnswer, Sent: m.Sent, STAN: m.STAN, Code: "00",
				NetworkCode: m.NetworkCode}.Pack()
			if err == nil {
				_, err = n.send(answer)
			}
			if err != nil {
				return
			}
		default:
			n.link.strange() // nothing else that a host may ask is ours to answer
		}
	}
}

// watch asks from time to time whether the host is still there, and ends the connection when it is not.
func (n *line) watch() {
	defer n.link.background.Done()
	ticks, stop := clock.Ticks(n.link.o.Echo)
	defer stop()
	for {
		select {
		case <-n.gone:
			return
		case <-ticks:
			if n.ask(wire.Echo) != nil {
				_ = n.conn.Close() // the reader sees it
				return
			}
		}
	}
}

// network is a message about the line itself.
func (n *line) network(code string) wire.Message {
	l := n.link
	l.mu.Lock()
	l.trace = l.trace%999_999 + 1
	trace := l.trace
	l.mu.Unlock()
	return wire.Message{Type: wire.Network, Sent: sentAt(l.o.Clock.Now()), STAN: fmt.Sprintf("%06d", trace),
		Acquirer: l.o.Acquirer, NetworkCode: code}
}

// ask sends a message about the line itself on this very connection and waits for the host's yes.
func (n *line) ask(code string) error {
	m := n.network(code)
	frame, err := m.Pack()
	if err != nil {
		return err
	}
	l := n.link
	c := &call{key: keyOf(wire.Message{Type: wire.NetworkAnswer, STAN: m.STAN}), line: n, stage: written,
		done: make(chan struct{})}
	l.mu.Lock()
	l.calls[c.key] = c
	l.open++
	l.mu.Unlock()
	_, err = n.send(frame)
	if err == nil {
		err = n.wait(c)
	}
	if r := l.leave(c); err == nil && r.answer.Code != "00" {
		err = fmt.Errorf("the acquirer answered 0800/%s with %q", code, r.answer.Code)
	}
	return err
}

func (n *line) wait(c *call) error {
	ctx, cancel := context.WithTimeout(n.link.ctx, n.link.o.Timeout)
	defer cancel()
	select {
	case <-c.done:
		return nil
	case <-n.gone:
		return errors.New("the acquirer closed the connection")
	case <-ctx.Done():
		return fmt.Errorf("the acquirer did not answer in time: %w", ctx.Err())
	}
}
