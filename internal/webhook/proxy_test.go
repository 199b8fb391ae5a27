package webhook

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// gate is an HTTP proxy that understands CONNECT and nothing else. What it is asked for it connects to
// another address, as a proxy's network might: so a test needs no public one.
type gate struct {
	address string
	mu      sync.Mutex
	asked   []string
	logIn   string
}

// newGate listens on this machine. answer is its status line but for the version; on "" it says nothing. It
// leads everywhere to the address behind.
func newGate(t *testing.T, answer, behind string) *gate {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{address: listener.Addr().String()}
	var serving sync.WaitGroup
	t.Cleanup(func() { listener.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { g.serve(conn, answer, behind) })
		}
	})
	return g
}

func (g *gate) serve(conn net.Conn, answer, behind string) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	r, err := http.ReadRequest(reader)
	if err != nil {
		return
	}
	g.mu.Lock()
	g.asked, g.logIn = append(g.asked, r.Method+" "+r.RequestURI), r.Header.Get("Proxy-Authorization")
	g.mu.Unlock()
	if answer == "" {
		_, _ = io.Copy(io.Discard, reader) // until the other side has had enough
		return
	}
	fmt.Fprintf(conn, "HTTP/1.1 %s\r\n\r\n", answer)
	if !strings.HasPrefix(answer, "200") {
		return
	}
	to, err := net.Dial("tcp", behind)
	if err != nil {
		return
	}
	defer to.Close()
	go func() { _, _ = io.Copy(to, reader); _ = to.(*net.TCPConn).CloseWrite() }()
	_, _ = io.Copy(conn, to)
}

// heard returns what the proxy was asked for since the last time.
func (g *gate) heard() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := strings.Join(g.asked, ", ")
	g.asked = nil
	return all
}

// throughGate is a sender of production behind a proxy, and the name server that it asks.
func throughGate(t *testing.T, g *gate, o Options) (*Sender, *names) {
	t.Helper()
	o.Proxy.Address = g.address
	s, n := NewSender(o), &names{}
	cut(s, n)
	t.Cleanup(s.Close)
	return s, n
}

// The proxy is asked for the address that was judged, the receiver's certificate is checked for its name, and
// every connection is judged anew: a name that is pointed elsewhere meanwhile is not called.
func TestDeliveriesThroughAProxy(t *testing.T) {
	receiver := serveTLS(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) })
	g := newGate(t, "200 Connection established", receiver.Listener.Addr().String())
	roots := x509.NewCertPool()
	roots.AddCert(receiver.Certificate())
	s, n := throughGate(t, g, Options{Roots: roots, Proxy: Proxy{Credentials: "plexy:geheim"}})
	n.set("93.184.215.14")
	got := s.Send(context.Background(), "https://example.com/hook", aMessage(t)) // the certificate's name
	if got.Outcome != Delivered || string(got.Response) != "example.com" {
		t.Fatalf("%+v", got)
	}
	if heard := g.heard(); heard != "CONNECT 93.184.215.14:443" {
		t.Errorf("the proxy was asked for %s", heard)
	}
	if want := "Basic " + base64.StdEncoding.EncodeToString([]byte("plexy:geheim")); g.logIn != want {
		t.Errorf("the proxy was told %q", g.logIn)
	}
	s.Close() // the next delivery needs a new connection
	for _, address := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "64:ff9b::7f00:1"} {
		n.set(address)
		got := s.Send(context.Background(), "https://example.com/hook", aMessage(t))
		if got.Outcome != Failed || !strings.HasPrefix(got.Error, "not called: the URL must not lead to") {
			t.Errorf("re-bound to %s: %+v", address, got)
		}
	}
	if heard := g.heard(); heard != "" {
		t.Errorf("the proxy was asked for %s", heard)
	}
	n.set("10.0.0.1", "93.184.215.15")
	if got := s.Send(context.Background(), "https://example.com/hook", aMessage(t)); got.Outcome != Delivered {
		t.Errorf("one address of two may be called: %+v", got)
	}
	if heard := g.heard(); heard != "CONNECT 93.184.215.15:443" {
		t.Errorf("the proxy was asked for %s", heard)
	}
	n.set("93.184.215.14")
	got = s.Send(context.Background(), "https://other.kz/hook", aMessage(t))
	if got.Error != "the certificate is not valid, or there is no TLS" {
		t.Errorf("a certificate of another name: %+v", got)
	}
}

// In a sandbox http receivers are called through the proxy, too.
func TestPlainDeliveriesThroughAProxy(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RequestURI) })
	g := newGate(t, "200 OK", strings.TrimPrefix(url, "http://"))
	s, n := throughGate(t, g, Options{Rules: Rules{Sandbox: true}})
	n.set("93.184.215.14")
	got := s.Send(context.Background(), "http://shop.kz/hook", aMessage(t))
	if got.Outcome != Delivered || string(got.Response) != "/hook" || g.heard() != "CONNECT 93.184.215.14:80" {
		t.Errorf("%+v", got)
	}
}

// A proxy that does not do its part is a failed attempt that says so, in time.
func TestTroubleWithTheProxy(t *testing.T) {
	gone := newGate(t, "", "")
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.address = nobody.Addr().String()
	nobody.Close()
	for want, g := range map[string]*gate{
		"the proxy refused to connect: it answered 403": newGate(t, "403 Forbidden", ""),
		"the proxy refused to connect: it answered 502": newGate(t, "502 Bad Gateway", ""),
		"the proxy wants other credentials":             newGate(t, "407 Proxy Authentication Required", ""),
		"the proxy does not answer as one":              newGate(t, "200 OK\r\n\r\nwelcome", ""),
		"the proxy did not answer in time":              newGate(t, "", ""),
		"the proxy could not be reached":                gone,
	} {
		s, n := throughGate(t, g, Options{Connect: soon, Attempt: late})
		n.set("93.184.215.14", "93.184.215.15")
		got := s.Send(context.Background(), "https://shop.kz/hook", aMessage(t))
		if got.Outcome != Failed || got.Error != want || got.Duration > late/2 {
			t.Errorf("want %q: %+v", want, got)
		}
	}
	s, n := throughGate(t, newGate(t, "", ""), Options{Connect: late, Attempt: soon})
	n.set("93.184.215.14")
	got := s.Send(context.Background(), "https://shop.kz/hook", aMessage(t))
	if got.Error != "the proxy did not answer in time" && got.Error != "no answer in time" {
		t.Errorf("the attempt's own limit: %+v", got)
	}
}
