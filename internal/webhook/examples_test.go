package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"plexy/internal/core/journal"
	"plexy/internal/core/wallet"
	"plexy/internal/event"
	"plexy/internal/view"
	"plexy/internal/webhook"
	"plexy/receiver"
)

const docs = "../../docs/"

// TestExamples runs the receivers of docs/examples as a merchant would, sends them what Plexy sends, and then
// what Plexy did not send.
func TestExamples(t *testing.T) {
	for _, c := range []struct {
		program string
		args    []string
	}{
		{"node", []string{docs + "examples/webhook.mjs"}},
		{"php", []string{"-S", "127.0.0.1:0", docs + "examples/webhook.php"}},
	} {
		t.Run(c.program, func(t *testing.T) {
			if _, err := exec.LookPath(c.program); err != nil {
				t.Skipf("%s is not installed", c.program)
			}
			m := message(t, 2, 1)
			for name, known := range map[string][]webhook.Secret{
				"old secret": m.Secrets[1:], "new secret": m.Secrets[:1], "both secrets": m.Secrets,
			} {
				t.Run(name, func(t *testing.T) {
					url, said := start(t, exec.Command(c.program, c.args...), m.Token, known)
					sender := webhook.NewSender(webhook.Options{Rules: webhook.Rules{Sandbox: true}})
					defer sender.Close()
					if r := sender.Send(context.Background(), url, m); r.Outcome != webhook.Delivered {
						t.Errorf("what Plexy sends is not accepted: %+v", r)
					}
					waitFor(t, said, `event evt_1 7 wallet\.transaction\.captured`)
					refuses(t, url, m)
				})
			}
		})
	}
}

// start runs a receiver and returns where it listens and the lines that it says from then on.
func start(t *testing.T, cmd *exec.Cmd, token webhook.Token, known []webhook.Secret) (string, <-chan string) {
	t.Helper()
	var secrets []string
	for _, s := range known {
		secrets = append(secrets, s.Reveal())
	}
	cmd.Env = append(os.Environ(), "PORT=0", "PLEXY_TOKEN="+token.Reveal(),
		"PLEXY_SECRETS="+strings.Join(secrets, " "))
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	said := make(chan string, 1000)
	go func() {
		defer close(said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		out.Close()
	})
	return waitFor(t, said, `http://127\.0\.0\.1:\d+`), said
}

// waitFor waits until the receiver says something and returns what.
func waitFor(t *testing.T, said <-chan string, pattern string) string {
	t.Helper()
	want := regexp.MustCompile(pattern)
	late := time.After(time.Minute)
	var all []string
	for {
		select {
		case line, ok := <-said:
			all = append(all, line)
			if found := want.FindString(line); found != "" {
				return found
			}
			if !ok {
				t.Fatalf("the receiver ended; it said %q", all)
			}
		case <-late:
			t.Fatalf("the receiver does not say %q but %q", pattern, all)
		}
	}
}

// refuses sends what a receiver must not accept, each beside one that it must.
func refuses(t *testing.T, url string, m webhook.Message) {
	t.Helper()
	now := time.Now().Unix()
	set := func(name, value string) func(http.Header) {
		return func(h http.Header) { h.Set(name, value) }
	}
	without := func(name string) func(http.Header) { return func(h http.Header) { h.Del(name) } }
	same := func(http.Header) {}
	stamp := func(off int64) string { return strconv.FormatInt(now+off, 10) }
	for _, c := range []struct {
		what   string
		method string
		age    int64 // seconds since it was signed
		body   string
		alter  func(http.Header)
		want   int
	}{
		{"a good one", "POST", 0, body, same, 204},
		{"almost five minutes old", "POST", 290, body, same, 204},
		{"from almost five minutes ahead", "POST", -290, body, same, 204},
		{"more than five minutes old", "POST", 302, body, same, 401},
		{"two hours old", "POST", 7200, body, same, 401},
		{"from more than five minutes ahead", "POST", -310, body, same, 401},
		{"an old one with a fresh time", "POST", 302, body, set("webhook-timestamp", stamp(0)), 401},
		{"another amount", "POST", 0, strings.Replace(body, "1000", "1001", 1), same, 401},
		{"one byte less", "POST", 0, body[:len(body)-1], same, 401},
		{"one byte more", "POST", 0, body + "\n", same, 401},
		{"another id", "POST", 0, body, set("webhook-id", "evt_2"), 401},
		{"another token", "POST", 0, body, set("Authorization", "Bearer whtok_x"), 401},
		{"no token", "POST", 0, body, without("Authorization"), 401},
		{"another signature", "POST", 0, body, set("webhook-signature", "v1,AAAA v1, ,v1 v2,x"), 401},
		{"no signature", "POST", 0, body, without("webhook-signature"), 400},
		{"no time", "POST", 0, body, without("webhook-timestamp"), 400},
		{"a time that is none", "POST", 0, body, set("webhook-timestamp", stamp(0)+".0"), 400},
		{"no id", "POST", 0, body, without("webhook-id"), 400},
		{"a look with a browser", "GET", 0, "", same, 405},
		{"far too long", "POST", 0, strings.Repeat("x", 70_000), same, 413},
	} {
		h, err := webhook.Headers(m, (now-c.age)*1_000_000)
		if err != nil {
			t.Fatal(err)
		}
		c.alter(h)
		if got := ask(t, c.method, url, h, c.body); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
}

func ask(t *testing.T, method, url string, h http.Header, body string) int {
	t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = h
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

// TestWebhooksPage holds the page to the code: its Go program is the one that is compiled, its schedule and
// numbers are the ones that count.
func TestWebhooksPage(t *testing.T) {
	page, err := os.ReadFile(docs + "webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("../../receiver/example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := bytes.Cut(source, []byte("func Example() {\n"))
	program, _, found := bytes.Cut(program, []byte("}\n\nfunc note"))
	program = bytes.ReplaceAll(append([]byte("\n"), program...), []byte("\n\t"), []byte("\n"))
	if !found || !bytes.Contains(page, bytes.TrimSpace(program)) {
		t.Errorf("the page does not hold the program of receiver/example_test.go:\n%s", program)
	}
	_, shown, _ := bytes.Cut(page, []byte("```json\n"))
	shown, _, _ = bytes.Cut(shown, []byte("```"))
	var want bytes.Buffer
	if err := json.Indent(&want, example(), "", "  "); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(shown), want.Bytes()) {
		t.Errorf("the page does not show the event as it is:\n%s", &want)
	}
	for _, kind := range event.Kinds() {
		if row := fmt.Sprintf("\n| `%s` | %s |", kind.Name, kind.What); !strings.Contains(string(page), row) {
			t.Errorf("the page has no row %q", row)
		}
	}
	production, sandbox := webhook.Standard(false), webhook.Standard(true)
	for n := range production {
		row := fmt.Sprintf("\n| %d | %s | %s |", n+1, words(production[n]), words(sandbox[n]))
		if !strings.Contains(string(page), row) {
			t.Errorf("the page has no row %q", row)
		}
	}
	for _, number := range []string{
		fmt.Sprintf("%d attempts", len(production)), words(webhook.AttemptLimit), words(webhook.ConnectLimit),
		fmt.Sprintf("%d KiB", webhook.MaxRead>>10), fmt.Sprintf("%d in a row", webhook.OpenAfter),
		fmt.Sprintf("up to %d", event.UsualConcurrency), fmt.Sprintf("1 to %d", event.MaxConcurrency),
		fmt.Sprintf("1 to %d waits", event.MaxWaits), `"` + event.VersionTexts() + `"`, "±15 %",
	} {
		if !strings.Contains(string(page), number) {
			t.Errorf("the page does not say %q", number)
		}
	}
}

// words writes a duration as the page does: 5 s, 30 min, 2 h.
func words(d time.Duration) string {
	switch {
	case d == 0:
		return "at once"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d h", d/time.Hour)
}

// example is the event that the page shows.
func example() []byte {
	const object, at = "wt_01JDM3Z7V8H8Q2X9K0R1ABCD14", 1_795_773_600_123_456
	captured := journal.Record{
		Object: object, Sequence: 2, Type: journal.Captured, Merchant: "mer_01JDM3Z7V8H8Q2X9K0R1ABCD13",
		At: at, Amount: 10_000,
	}
	return view.Event(nil, &event.Event{Number: 4711, Record: captured, Transaction: wallet.Transaction{
		ID: object, Merchant: captured.Merchant, Currency: "KZT", OrderReference: "ORDER-100045",
		Status: wallet.Success, Amount: 15_000, Authorized: 15_000, Captured: 10_000, Sequence: 2,
		CreatedAt: at - 60_000_000, UpdatedAt: at, ExpiresAt: at + 604_740_000_000,
	}})
}

// TestReceiverKnowsEveryField of what is sent.
func TestReceiverKnowsEveryField(t *testing.T) {
	strict := json.NewDecoder(bytes.NewReader(example()))
	strict.DisallowUnknownFields()
	var e receiver.Event
	if err := strict.Decode(&e); err != nil {
		t.Fatal(err)
	}
	if e.ID == "" || e.Number != 4711 || e.Sequence != 2 || e.Name != "wallet.transaction.captured" ||
		e.Version != event.Version || e.MerchantID == "" || e.CreatedAt.IsZero() || len(e.Data) < 100 ||
		e.Operation == nil || e.Operation.ID == "" || e.Operation.Type != "capture" ||
		e.Operation.Amount != 10_000 {
		t.Errorf("read %+v", e)
	}
}
