package iso8583_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"plexy/internal/card"
	"plexy/internal/connector"
	"plexy/internal/connector/iso8583"
	"plexy/internal/connector/iso8583/host"
)

const (
	// answerIn is the link's time limit in tests: long for a host on this machine, short to wait for.
	answerIn = time.Second
	patience = time.Minute
	hostRole = "PLEXY_TEST_ISO8583_HOST"
)

// number is a card of the sandbox: what must not be found anywhere.
const number, cvv = "4111111111111111", "9737"

// TestMain is the host when the tests start this binary as one.
func TestMain(m *testing.M) {
	if os.Getenv(hostRole) == "" {
		os.Exit(m.Run())
	}
	if err := host.Main("127.0.0.1:0", os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// process is a host that runs as a process of its own.
type process struct {
	t       *testing.T
	mu      sync.Mutex
	in      io.WriteCloser
	out     *bufio.Scanner
	address string
}

func startHost(t *testing.T) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), hostRole+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // that is how it is told to end
		if err := cmd.Wait(); err != nil {
			t.Errorf("the host: %v", err)
		}
	})
	p := &process{t: t, in: in, out: bufio.NewScanner(out)}
	p.out.Buffer(nil, 64<<20)
	p.address = p.reply().Address
	return p
}

func (p *process) reply() host.Reply {
	p.t.Helper()
	var r host.Reply
	if !p.out.Scan() {
		p.t.Fatalf("the host ended: %v", p.out.Err())
	}
	if err := json.Unmarshal(p.out.Bytes(), &r); err != nil || r.Error != "" {
		p.t.Fatalf("the host said %q: %v", p.out.Text(), err)
	}
	return r
}

// do sends the host a line of control.
func (p *process) do(format string, args ...any) host.Reply {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := fmt.Fprintf(p.in, format+"\n", args...); err != nil {
		p.t.Fatal(err)
	}
	return p.reply()
}

func (p *process) books() host.Books { return *p.do("books").Books }

// authorization returns what the host has of an operation, and whether it has it.
func (p *process) authorization(operation string) (host.Authorization, bool) {
	for _, a := range p.books().Authorizations {
		if a.Operation == operation {
			return a, true
		}
	}
	return host.Authorization{}, false
}

// rig is a connector to a host.
type rig struct {
	*iso8583.Connector
	t       *testing.T
	host    *process
	options iso8583.Options
	notices chan connector.Notice

	mu  sync.Mutex
	log bytes.Buffer // of alarms
}

func newRig(t *testing.T, change ...func(*iso8583.Options)) *rig {
	t.Helper()
	r := &rig{t: t, host: startHost(t), notices: make(chan connector.Notice, 10_000)}
	r.options = iso8583.Options{
		Addresses: []string{r.host.address}, Acquirer: "123456", Timeout: answerIn, Echo: time.Hour,
		Redial: 5 * time.Millisecond, RedialMost: 50 * time.Millisecond,
		Repeat: 20 * time.Millisecond, RepeatMost: 200 * time.Millisecond,
		Notify: func(n connector.Notice) { r.notices <- n },
		Alarm: func(what string, err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			fmt.Fprintln(&r.log, what, err)
		},
	}
	for _, f := range change {
		f(&r.options)
	}
	r.start()
	t.Cleanup(func() {
		r.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		clean(t, r.log.String())
	})
	return r
}

// start makes a connector that knows nothing of one before it.
func (r *rig) start() {
	r.t.Helper()
	c, err := iso8583.New(r.options)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Connector = c
	r.connected()
}

// restart ends the connector and makes a new one, as when a server is started again.
func (r *rig) restart() {
	r.t.Helper()
	r.Close()
	r.start()
}

func (r *rig) connected() {
	r.t.Helper()
	until(r.t, "connections", func() bool { return r.State().Connected == max(2, r.options.Connections) })
}

// told waits for what the connector says of its own accord about an operation.
func (r *rig) told(operation string) connector.Answer {
	r.t.Helper()
	late := time.After(patience)
	for {
		select {
		case n := <-r.notices:
			clean(r.t, fmt.Sprintf("%+v", n))
			if n.Operation == operation {
				return n.Answer
			}
		case <-late:
			r.t.Fatalf("nobody heard of %s", operation)
		}
	}
}

func until(t *testing.T, what string, come func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !come(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// secret finds anything of the card: its number or the issuer's part of it, the expiry, the CVV.
var secret = regexp.MustCompile(number[:12] + `|\b(?:` + cvv + `|2812)\b`)

// clean fails when a text holds anything of the card.
func clean(t *testing.T, text string) {
	t.Helper()
	if secret.MatchString(text) {
		t.Errorf("%q holds something of the card", text)
	}
}

var acceptor = connector.Acceptor{Merchant: "SHOP0001", Terminal: "TERM0001", Name: "Shop", City: "Almaty",
	Country: "KZ", Category: "5732"}

func order(amount int64) connector.Order {
	return connector.Order{Operation: uuid.NewString(), Payment: uuid.NewString(), Merchant: "mer_1",
		At: time.Now().UnixMicro(), Amount: amount, Currency: "KZT", Acceptor: acceptor}
}

func aCard(t testing.TB) card.Card {
	t.Helper()
	n, err := card.ParseNumber(number)
	if err != nil {
		t.Fatal(err)
	}
	v, err := card.ParseCVV(cvv)
	if err != nil {
		t.Fatal(err)
	}
	return card.Card{Number: n, Expiry: card.Expiry{Month: 12, Year: 2028}, CVV: v, Holder: "A B"}
}

func authorization(t testing.TB, amount int64) connector.Authorization {
	return connector.Authorization{Order: order(amount), Card: aCard(t)}
}

// asInquiry is what a server asks that knows no more than what it wrote down before.
func asInquiry(a connector.Authorization) connector.Inquiry {
	return connector.Inquiry{Order: a.Order, Verb: connector.Authorize, OneStep: a.OneStep}
}

// on returns a change of an authorization that was approved.
func on(a connector.Authorization, answer connector.Answer, amount int64) connector.Change {
	return connector.Change{Order: order(amount), Original: connector.Original{
		Operation: a.Operation, At: a.At, Amount: answer.Approved, AuthCode: answer.AuthCode, RRN: answer.RRN,
		NetworkReference: answer.NetworkReference, Trace: answer.Trace,
	}}
}

func want(t *testing.T, got connector.Answer, outcome connector.Outcome, code connector.Code) {
	t.Helper()
	clean(t, fmt.Sprintf("%+v", got))
	if got.Outcome != outcome || got.Code != code {
		t.Errorf("%s %q (%s), want %s %q", got.Outcome, got.Code, got.Note, outcome, code)
	}
}
