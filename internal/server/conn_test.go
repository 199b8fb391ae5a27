package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"plexy/internal/server"
)

// echoDoor answers with the size of the path and of the body, after the time that the header says.
func echoDoor(release <-chan struct{}) doorFunc {
	return func(x *server.Exchange, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			x.Reply(400, []byte(`{}`))
			return
		}
		if r.Header.Get("Wait") != "" {
			<-release
		}
		x.Reply(200, fmt.Appendf(nil, `{"path":%d,"body":%d}`, len(r.URL.Path), len(body)))
	}
}

func request(path, body int, more string) string {
	return fmt.Sprintf("POST /%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s",
		strings.Repeat("p", path-1), more, body, strings.Repeat("b", body))
}

func answers(t *testing.T, r *bufio.Reader, want ...string) {
	t.Helper()
	for _, w := range want {
		a, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(a.Body)
		if err != nil || string(body) != w {
			t.Fatalf("answer %s (%v), want %s", body, err, w)
		}
	}
}

// Whatever the sizes, so that buffers end everywhere, and whether or not the next request is there already,
// each request of a connection is answered, in order.
func TestRequestsOfOneConnection(t *testing.T) {
	r := start(t, echoDoor(nil))
	c, err := net.Dial("tcp", r.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	for n := range 80 {
		path, body := 3900+n, 90-n
		text := request(path, body, "") + request(1, 0, "") + request(2, 1, "")
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		answers(t, in, fmt.Sprintf(`{"path":%d,"body":%d}`, path, body),
			`{"path":1,"body":0}`, `{"path":2,"body":1}`)
		for i := 0; i < len(text); i += 1000 { // and in pieces
			if _, err := io.WriteString(c, text[i:min(i+1000, len(text))]); err != nil {
				t.Fatal(err)
			}
		}
		answers(t, in, fmt.Sprintf(`{"path":%d,"body":%d}`, path, body),
			`{"path":1,"body":0}`, `{"path":2,"body":1}`)
	}
}

// A request that takes so long that its connection is looked at does not lose what comes behind it.
func TestARequestBehindASlowOne(t *testing.T) {
	release := make(chan struct{})
	r := start(t, echoDoor(release))
	c, err := net.Dial("tcp", r.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request(1, 5, "Wait: yes\r\n")+request(2, 6, "")); err != nil {
		t.Fatal(err)
	}
	other, err := net.Dial("tcp", r.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for begun := time.Now(); time.Since(begun) < 200*time.Millisecond; { // longer than a look is put off
		if _, err := io.WriteString(other, request(3, 7, "")); err != nil {
			t.Fatal(err)
		}
		answers(t, bufio.NewReader(other), `{"path":3,"body":7}`)
	}
	close(release)
	answers(t, bufio.NewReader(c), `{"path":1,"body":5}`, `{"path":2,"body":6}`)
}
