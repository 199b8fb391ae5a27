package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestWireReadsPlainAndChunkedAnswers(t *testing.T) {
	long := strings.Repeat("0123456789", 9000) // longer than any buffer
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/plain":
			w.WriteHeader(http.StatusCreated)
			w.Write([]byte("short"))
		case "/chunked":
			w.Write([]byte(long[:70_000]))
			w.(http.Flusher).Flush()
			w.Write([]byte(long[70_000:]))
		case "/empty":
			w.WriteHeader(http.StatusUnprocessableEntity)
		}
	}))
	defer server.Close()
	w, err := dial(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.conn.Close()
	c := composer{apiKey: "k"}
	for _, want := range []struct {
		path   string
		status int
		body   string
	}{
		{"/plain", 201, "short"}, {"/chunked", 200, long}, {"/empty", 422, ""}, {"/plain", 201, "short"},
	} {
		status, body, err := w.exchange(c.get(want.path))
		if err != nil {
			t.Fatalf("%s: %v", want.path, err)
		}
		if status != want.status || string(body) != want.body {
			t.Errorf("%s answered %d with %d bytes, want %d with %d", want.path, status, len(body),
				want.status, len(want.body))
		}
	}
}

func TestWireRefusesNonsense(t *testing.T) {
	for _, answer := range []string{
		"", "HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n", "HTTP/1.1 abc no\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
	} {
		w := &wire{reader: bufio.NewReader(strings.NewReader(answer))}
		status, err := w.status()
		var length int
		var chunked bool
		if err == nil {
			length, chunked, err = w.headers()
		}
		if err == nil && chunked {
			err = w.chunks()
		} else if err == nil {
			err = w.take(length)
		}
		if err == nil {
			t.Errorf("%q was accepted as %d", answer, status)
		}
	}
}

func TestRequestsAreWhatTheAPIExpects(t *testing.T) {
	c := composer{apiKey: "pr_0123"}
	payer := Payer{Phone: "+77010000007", IIN: "600101400012"}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	read := func(request []byte) (*http.Request, map[string]any) {
		t.Helper()
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
		if err != nil {
			t.Fatalf("%q is no request: %v", request, err)
		}
		if got := r.Header.Get("Authorization"); got != "pr_0123" {
			t.Errorf("Authorization is %q", got)
		}
		if r.Method == http.MethodGet {
			return r, nil
		}
		key := r.Header.Get("Idempotency-Key")
		if !uuid.MatchString(key) || seen[key] {
			t.Errorf("Idempotency-Key %q is no fresh UUID version 4", key)
		}
		seen[key] = true
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Fatalf("%q has no JSON body: %v", request, err)
		}
		return r, body
	}
	r, body := read(c.authorize(payer, 42))
	if r.Method != "POST" || r.URL.Path != "/v1/wallet/authorize" || len(body) != 5 ||
		body["amount"] != 1500.0 || body["phoneNumber"] != "+77010000007" || body["iin"] != "600101400012" ||
		body["orderReference"] != "ORDER-000042" || body["currency"] != "KZT" {
		t.Errorf("authorize is %s %s %v", r.Method, r.URL, body)
	}
	_, body = read(c.authorize(payer, -1))
	if got := body["orderReference"].(string); !regexp.MustCompile(`^ORDER-[a-p]{16}$`).MatchString(got) {
		t.Errorf("the random reference is %q", got)
	}
	for _, kind := range []Operation{Capture, Cancel, Refund} {
		r, body = read(c.operate(kind, "wt_1"))
		if r.Method != "POST" || r.URL.Path != "/v1/wallet/wt_1/"+string(kind) || body["amount"] != 1500.0 {
			t.Errorf("%s is %s %s %v", kind, r.Method, r.URL, body)
		}
	}
	r, _ = read(c.get(listPath, "&cursor=", "abc"))
	if r.URL.Path != "/v1/wallet/transactions/" || r.URL.RawQuery != "limit=20&cursor=abc" {
		t.Errorf("list is %s", r.URL)
	}
}

func TestOrderReferencesRise(t *testing.T) {
	for n, want := range map[int64]string{
		0: "000000", 1: "000001", 99_999: "099999", 100_000: "100000", 1_234_567: "1234567",
	} {
		if got := string(appendReference(nil, n)); got != want {
			t.Errorf("reference %d is %q, want %q", n, got, want)
		}
	}
}

func TestComposingAllocatesNothing(t *testing.T) {
	c := composer{apiKey: "pr_0123"}
	payer := Payer{Phone: "+77010000007", IIN: "600101400012"}
	c.authorize(payer, 1)
	if got := testing.AllocsPerRun(1000, func() { c.authorize(payer, 2) }); got != 0 {
		t.Errorf("composing a request allocates %v times, want 0", got)
	}
}
