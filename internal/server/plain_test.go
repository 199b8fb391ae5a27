package server

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func newParser() *parser {
	return &parser{
		template: &http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}, header: http.Header{},
	}
}

var plainRequests = []string{
	"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /v1/wallet/transactions/?limit=5&cursor=a%20b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept: */*\r\n\r\n",
	"POST /v1/wallet/authorize HTTP/1.1\r\nhost: [::1]:80\r\ncontent-length: 2\r\nidempotency-key:k\r\n\r\n{}",
	"DELETE /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n",
	"PATCH /a HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-A: 2\r\nCookie: a=b; c=d\r\nX-Empty:\r\n" +
		"Content-Length: 3\r\n\r\nabcGET",
	"PUT /a?b HTTP/1.1\r\nHost: x\r\nX:\t padded \t\r\n\r\n",
}

// TestPlainRequests: what nearly all clients send is plain; with less of it there is more to wait for.
func TestPlainRequests(t *testing.T) {
	p := newParser()
	for _, text := range plainRequests {
		if _, k := p.parse([]byte(text)); k != plain {
			t.Errorf("%q is %d", text, k)
		}
		sameAsNetHTTP(t, text)
		for n := range strings.Index(text, "\r\n\r\n") + 3 {
			if _, k := p.parse([]byte(text[:n])); k != partial {
				t.Errorf("%q is %d", text[:n], k)
			}
		}
	}
}

// TestOddRequests: everything that asks for more, and everything that two readers might understand in two
// ways, is left to net/http.
func TestOddRequests(t *testing.T) {
	p := newParser()
	var many []string
	for i := range plainLines + 1 {
		many = append(many, fmt.Sprintf("a%d: b", i))
	}
	line := func(line string) string { return line + "\r\nHost: x\r\n\r\n" }
	with := func(header string) string { return "POST / HTTP/1.1\r\nHost: x\r\n" + header + "\r\n\r\n" }
	for _, text := range []string{
		line("HEAD / HTTP/1.1"), line("OPTIONS * HTTP/1.1"), line("get / HTTP/1.1"), line("GET / HTTP/1.0"),
		line("GET /  HTTP/1.1"), line("GET http://x/ HTTP/1.1"), line("GET //x HTTP/1.1"),
		line("GET /%41 HTTP/1.1"), line("GET /a#b HTTP/1.1"), line("GET /a? HTTP/1.1"), line("GET /қ HTTP/1.1"),
		line("\r\nGET / HTTP/1.1"),
		"GET / HTTP/1.1\nHost: x\n\n", "GET / HTTP/1.1\r\nHost: x\n\n", "\n",
		line("GET / HTTP/1.1\nA: b"), "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost:\r\n\r\n", with("Host: x"), with("\n"),
		with("Transfer-Encoding: chunked"), with("Content-Length: 1\r\nContent-Length: 1"),
		with("Content-Length: +1"), with("Content-Length: 1, 1"), with("Content-Length:"),
		with("Content-Length: 16385"), with("Content-Length: 99999999999999999999"), with("Content-Length: 1e1"),
		with("Content-Length: 0x1"), with("Content-Length : 1"),
		with("Connection: close"), with("Connection: upgrade\r\nUpgrade: h2c"), with("Expect: 100-continue"),
		with("TE: trailers"), with("Trailer: a"), with(" folded: a"), with("a: b\r\n c"), with("a b: c"),
		with(": c"), with("a: \x00"), with("a: b\x7f"), with("a: ü"), with("a: b\rc"), with("nothing"),
		with(strings.Join(many, "\r\n")),
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", plainHead),
	} {
		if _, k := p.parse([]byte(text)); k != odd {
			t.Errorf("%q is %d", text, k)
		}
	}
}

// FuzzPlain holds the parser against net/http's: what is plain is the same request to both, and ends at the
// same byte, so that nobody can hide a second request in one.
func FuzzPlain(f *testing.F) {
	for _, text := range plainRequests {
		f.Add(text)
	}
	f.Fuzz(sameAsNetHTTP)
}

func sameAsNetHTTP(t *testing.T, text string) {
	p := newParser()
	head, k := p.parse([]byte(text))
	if k != plain {
		return
	}
	got := &p.request
	rest := bufio.NewReader(strings.NewReader(text))
	want, err := http.ReadRequest(rest)
	if err != nil {
		t.Fatalf("%q is plain, and net/http says %v", text, err)
	}
	if got.Method != want.Method || got.RequestURI != want.RequestURI || *got.URL != *want.URL ||
		got.Host != want.Host || got.Proto != want.Proto || got.ContentLength != want.ContentLength ||
		want.Close || want.TransferEncoding != nil {
		t.Fatalf("%q is %+v, to net/http %+v", text, got, want)
	}
	if !maps.EqualFunc(got.Header, want.Header, slices.Equal[[]string]) {
		t.Fatalf("%q has headers %v, to net/http %v", text, got.Header, want.Header)
	}
	end := head + int(got.ContentLength)
	if end > len(text) {
		return // the body is not there yet
	}
	body, err := io.ReadAll(want.Body)
	if err != nil || !bytes.Equal(body, []byte(text[head:end])) {
		t.Fatalf("%q has body %q, to net/http %q (%v)", text, text[head:end], body, err)
	}
	if after, _ := io.ReadAll(rest); string(after) != text[end:] {
		t.Fatalf("behind %q is %q, to net/http %q", text, text[end:], after)
	}
}
