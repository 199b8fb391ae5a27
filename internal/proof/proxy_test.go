package proof_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// The ways in which a proxy loses the connection during a commit.
const (
	cutBefore = iota // the commit never arrives
	cutMiddle        // it arrives; whether it is done before the server notices the loss is chance
	cutAfter         // it is done; the answer is lost
	cutKinds
)

// proxy stands between the program and PostgreSQL and loses connections at the worst moment. It reads the
// protocol of the PostgreSQL client just far enough to know a commit when it sees one.
type proxy struct {
	target   string
	listener net.Listener

	// oneIn is how many commits pass for each that is cut; 0 cuts none.
	oneIn atomic.Int64
	cuts  [cutKinds]atomic.Int64

	mu    sync.Mutex
	conns map[*wire]bool
}

// wire is one connection through the proxy.
type wire struct {
	proxy          *proxy
	client, server net.Conn
	commits        map[string]bool // prepared statements that are a commit
	swallow        atomic.Bool     // of what the server says: everything, and end when it has committed
}

// newProxy returns a proxy and the database's URL through it.
func newProxy(t testing.TB, database string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: u.Host, listener: listener, conns: map[*wire]bool{}}
	u.Host = listener.Addr().String()
	query := u.Query()
	query.Set("sslmode", "disable") // what is encrypted we could not read
	u.RawQuery = query.Encode()
	go p.accept()
	t.Cleanup(func() {
		listener.Close()
		p.cutAll()
	})
	return p, u.String()
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		w := &wire{proxy: p, client: client, server: server, commits: map[string]bool{}}
		p.mu.Lock()
		p.conns[w] = true
		p.mu.Unlock()
		go w.up()
		go w.down()
	}
}

// cutAll loses every connection at once, whatever it is doing.
func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.conns {
		w.client.Close()
		w.server.Close()
	}
	clear(p.conns)
}

func (w *wire) cut() {
	w.client.Close()
	w.server.Close()
	w.proxy.mu.Lock()
	defer w.proxy.mu.Unlock()
	delete(w.proxy.conns, w)
}

// up carries messages from the program to the server and decides about commits.
func (w *wire) up() {
	defer func() {
		if !w.swallow.Load() {
			w.cut()
		}
	}()
	started, last := false, false
	for {
		message, err := readMessage(w.client, started)
		if err != nil {
			return
		}
		if started && w.isCommit(message) {
			switch w.proxy.choose() {
			case cutBefore:
				return
			case cutMiddle:
				last = true
			case cutAfter:
				w.swallow.Store(true)
			}
		}
		// Requests for encryption have a number of their own; a start has the version, 3.
		start := !started && binary.BigEndian.Uint16(message[4:]) == 3
		if _, err := w.server.Write(message); err != nil {
			return
		}
		// A statement is carried out when the message after it, a query or a sync, has arrived.
		if started && last && (message[0] == 'Q' || message[0] == 'S') {
			return
		}
		started = started || start
	}
}

// choose decides about one commit: -1 lets it pass.
func (p *proxy) choose() int {
	n := p.oneIn.Load()
	if n == 0 || rand.Int64N(n) != 0 {
		return -1
	}
	kind := rand.IntN(cutKinds)
	p.cuts[kind].Add(1)
	return kind
}

// readMessage reads one message; before the start it has no type.
func readMessage(from io.Reader, started bool) ([]byte, error) {
	header := make([]byte, 5)
	if !started {
		header = header[:4]
	}
	if _, err := io.ReadFull(from, header); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint32(header[len(header)-4:]))
	message := make([]byte, len(header)-4+size)
	copy(message, header)
	_, err := io.ReadFull(from, message[len(header):])
	return message, err
}

// isCommit tells whether a message makes the server commit: a simple query, or the execution of a
// statement that was prepared as a commit.
func (w *wire) isCommit(message []byte) bool {
	body := message[5:]
	switch message[0] {
	case 'Q':
		return isCommit(body)
	case 'P': // name, query
		name, rest, _ := bytes.Cut(body, []byte{0})
		w.commits[string(name)] = isCommit(rest)
	case 'B': // portal, name
		_, rest, _ := bytes.Cut(body, []byte{0})
		name, _, _ := bytes.Cut(rest, []byte{0})
		return w.commits[string(name)]
	}
	return false
}

func isCommit(query []byte) bool {
	text, _, _ := bytes.Cut(query, []byte{0})
	word := strings.ToLower(strings.Trim(string(text), " \t\n;"))
	return word == "commit" || word == "end" || word == "commit transaction"
}

// down carries answers from the server to the program.
func (w *wire) down() {
	defer w.cut()
	buffer, seen := make([]byte, 64<<10), []byte(nil)
	for {
		n, err := w.server.Read(buffer)
		if w.swallow.Load() {
			seen = append(seen, buffer[:n]...)
			if bytes.Contains(seen, []byte("COMMIT\x00")) {
				return
			}
		} else if _, bad := w.client.Write(buffer[:n]); bad != nil {
			return
		}
		if err != nil {
			return
		}
	}
}
