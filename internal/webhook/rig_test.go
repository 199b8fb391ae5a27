package webhook

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// names is a name server in memory. What it answers can be changed between two look-ups.
type names struct {
	mu     sync.Mutex
	answer []netip.Addr // to every name; none: the name does not exist
}

func (n *names) set(addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answer = nil
	for _, a := range addresses {
		n.answer = append(n.answer, netip.MustParseAddr(a))
	}
}

// resolver asks the name server and nobody else.
func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go n.serve(theirs)
		return ours, nil
	}}
}

// serve answers the questions of one connection; each message has its length in front, as over TCP.
func (n *names) serve(conn net.Conn) {
	defer conn.Close()
	for {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		answer := n.reply(question)
		if _, err := conn.Write(binary.BigEndian.AppendUint16(nil, uint16(len(answer)))); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// reply makes the answer to a question for addresses of one family.
func (n *names) reply(question []byte) []byte {
	const head = 12
	end := head + bytes.IndexByte(question[head:], 0) + 5 // the name's last byte, type and class
	family := binary.BigEndian.Uint16(question[end-4:])
	n.mu.Lock()
	defer n.mu.Unlock()
	var records []byte
	count := 0
	for _, a := range n.answer {
		raw := a.AsSlice()
		if (family == 1) != a.Is4() || family != 1 && family != 28 {
			continue
		}
		count++
		records = append(records, 0xc0, head) // the name of the question
		records = binary.BigEndian.AppendUint16(records, family)
		records = append(records, 0, 1, 0, 0, 0, 0) // class, time to live
		records = binary.BigEndian.AppendUint16(records, uint16(len(raw)))
		records = append(records, raw...)
	}
	code := byte(0)
	if len(n.answer) == 0 {
		code = 3 // no such name
	}
	answer := append([]byte{question[0], question[1], 0x81, 0x80 | code, 0, 1, 0, byte(count), 0, 0, 0, 0},
		question[head:end]...)
	return append(answer, records...)
}

// wire is the end of the cable behind the guard. It notes each address that the guard let pass, and connects
// this machine's alone: no test sends a packet to anybody.
type wire struct {
	mu     sync.Mutex
	passed []string
}

var errCut = errors.New("the wire is cut")

// cut puts the wire behind the sender's guard and the name server in front of it.
func cut(s *Sender, n *names) *wire {
	w := &wire{}
	s.dialer.Resolver = n.resolver()
	guard := s.dialer.ControlContext
	s.dialer.ControlContext = func(ctx context.Context, network, address string, c syscall.RawConn) error {
		if err := guard(ctx, network, address, c); err != nil {
			return err
		}
		w.mu.Lock()
		w.passed = append(w.passed, address)
		w.mu.Unlock()
		if !strings.HasPrefix(address, "127.") && !strings.HasPrefix(address, "[::1]:") {
			return errCut
		}
		return nil
	}
	return w
}

// addresses returns what passed the guard since the last time it was asked.
func (w *wire) addresses() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	passed := strings.Join(w.passed, " ")
	w.passed = nil
	return passed
}

// trap listens on this machine and remembers who came.
type trap struct {
	listener net.Listener
	came     chan string
}

func setTrap(t *testing.T) *trap {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := &trap{listener: listener, came: make(chan string, 1000)}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			tr.came <- conn.RemoteAddr().String()
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close() })
	return tr
}

func (tr *trap) port() uint16 { return tr.listener.Addr().(*net.TCPAddr).AddrPort().Port() }

// visitors tells how many connections came. It comes itself: whoever came before stands before it.
func (tr *trap) visitors(t *testing.T) int {
	t.Helper()
	own, err := net.Dial("tcp", tr.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	for n := 0; ; n++ {
		if <-tr.came == own.LocalAddr().String() {
			return n
		}
	}
}

// aMessage is a message that can be sent.
func aMessage(t testing.TB) Message {
	t.Helper()
	key, err := NewKey(bytes.Repeat([]byte{'k'}, keyBytes))
	if err != nil {
		t.Fatal(err)
	}
	return Message{
		ID: "evt_1", Body: []byte(`{"id":"evt_1","name":"test"}`),
		Token: key.Token("we_1", 1), Secrets: []Secret{key.Secret("we_1", 1)},
	}
}
