package iso8583_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"plexy/internal/card"
	"plexy/internal/connector"
	"plexy/internal/connector/iso8583"
	"plexy/internal/connector/iso8583/wire"
)

// peer is a host that shows what it was asked and answers with the codes of a table by type; with 00 where
// the table says nothing, and not at all for "-".
func peer(t *testing.T, codes map[string]string) (address string, asked <-chan wire.Message) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	seen := make(chan wire.Message, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go converse(conn, codes, seen)
		}
	}()
	return l.Addr().String(), seen
}

func converse(conn net.Conn, codes map[string]string, seen chan<- wire.Message) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		body, err := wire.Read(in)
		if err != nil {
			return
		}
		m, err := wire.Unpack(body)
		if err != nil {
			return
		}
		if m.Type != wire.Network {
			seen <- m
		}
		code := codes[m.Type]
		switch code {
		case "-":
			continue
		case "":
			code = "00"
		}
		frame, err := wire.Message{Type: wire.AnswerType(m.Type), STAN: m.STAN, RRN: m.RRN,
			Terminal: m.Terminal, Code: code, NetworkCode: m.NetworkCode, AuthCode: "A1B2C3"}.Pack()
		if err != nil {
			return
		}
		if _, err := conn.Write(frame); err != nil {
			return
		}
	}
}

// TestTheHostMayAskToo: an echo of the host is answered, anything else of its own is not ours, and the link
// signs off when it is closed.
func TestTheHostMayAskToo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := iso8583.New(iso8583.Options{Addresses: []string{l.Addr().String()}, Acquirer: "1", Connections: 1})
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	defer func() { <-closed }()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	say := func(m wire.Message) {
		frame, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(frame); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(kind, code string) wire.Message {
		t.Helper()
		body, err := wire.Read(conn)
		if err != nil {
			t.Fatal(err)
		}
		m, err := wire.Unpack(body)
		if err != nil || m.Type != kind || m.NetworkCode != code {
			t.Fatalf("heard %v %s, %v; want %s %s", m, m.NetworkCode, err, kind, code)
		}
		return m
	}
	on := hear(wire.Network, wire.SignOn)
	say(wire.Message{Type: wire.NetworkAnswer, STAN: on.STAN, Code: "00"})
	say(wire.Message{Type: wire.Authorize, STAN: "000007"})
	say(wire.Message{Type: wire.Network, STAN: "000008", NetworkCode: wire.Echo})
	if echo := hear(wire.NetworkAnswer, wire.Echo); echo.STAN != "000008" || echo.Code != "00" {
		t.Errorf("%v", echo)
	}
	until(t, "the connection", func() bool { return c.State().Connected == 1 })
	if s := c.State(); s.Strays != 1 {
		t.Errorf("%+v", s)
	}
	go func() { c.Close(); close(closed) }()
	hear(wire.Network, wire.SignOff)
}

// TestNotFoundIsBelievedWhenItIsSaidTwice: the authorization may be on its way through another connection
// when the host looks for it the first time.
func TestNotFoundIsBelievedWhenItIsSaidTwice(t *testing.T) {
	address, asked := peer(t, map[string]string{"0100": "-", "0400": "25", "0401": "25"})
	told := make(chan connector.Notice, 1)
	c, err := iso8583.New(iso8583.Options{Addresses: []string{address}, Acquirer: "1", Connections: 1,
		Timeout: 100 * time.Millisecond, Repeat: time.Millisecond,
		Notify: func(n connector.Notice) { told <- n }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	until(t, "the connection", func() bool { return c.State().Connected == 1 })
	a := authorization(t, 1_000)
	want(t, c.Authorize(background, a), connector.Unknown, "")
	if n := <-told; n.Operation != a.Operation || n.Answer.Outcome != connector.NotSent {
		t.Errorf("%+v", n)
	}
	for _, kind := range []string{"0100", "0400", "0401"} {
		if m := <-asked; m.Type != kind {
			t.Errorf("%v, want %s", m, kind)
		}
	}
	if len(asked) != 0 {
		t.Errorf("%d more messages", len(asked))
	}
}

// fields lists what is in a message by the numbers of its fields; of what belongs to a card only the length.
func fields(of any) string {
	var out []string
	v := reflect.ValueOf(of)
	for n := range v.NumField() {
		name, value := v.Type().Field(n).Tag.Get("iso8583"), v.Field(n)
		switch {
		case value.IsZero():
		case value.Kind() == reflect.Pointer:
			out = append(out, name+"["+fields(value.Elem().Interface())+"]")
		case value.Type() == reflect.TypeFor[wire.Hidden]():
			out = append(out, fmt.Sprintf("%s=(%d characters)", name, value.Len()))
		default:
			out = append(out, name+"="+value.String())
		}
	}
	return strings.Join(out, " ")
}

// TestTheMessages pins every message of one payment. What they are found by must never change while an
// installation has operations that are unknown: after an upgrade the host is asked about the old ones.
func TestTheMessages(t *testing.T) {
	address, asked := peer(t, nil)
	c, err := iso8583.New(iso8583.Options{Addresses: []string{address}, Acquirer: "123456", Connections: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	until(t, "the connection", func() bool { return c.State().Connected == 1 })

	a := authorization(t, 123_456)
	a.Operation, a.Payment = "01936f00-0000-7000-8000-000000000001", "01936f00-0000-7000-8000-0000000000aa"
	a.At = time.Date(2026, 12, 31, 20, 30, 5, 0, time.UTC).UnixMicro() // New Year has come in Almaty
	a.Proof = &connector.Proof{ECI: "05", Value: "Q0FWVg==", Version: "2.2.0", DirectoryID: "ds"}
	a.Initiator = connector.First
	yes := c.Authorize(background, a)
	change := func(n int, amount int64) connector.Change {
		r := on(a, yes, amount)
		r.Operation, r.Payment = fmt.Sprintf("01936f00-0000-7000-8000-%012d", n), a.Payment
		r.At = a.At + 60_000_000
		return r
	}
	c.Capture(background, change(2, 100_000))
	part := change(3, 20_000)
	c.Cancel(background, part)
	c.Refund(background, change(4, 50_000))
	c.Inquire(background, connector.Inquiry{Order: part.Order, Verb: connector.Cancel, Original: part.Original})
	q := asInquiry(a)
	q.Card = a.Card
	c.Inquire(background, q)
	a.OneStep, a.MOTO, a.Proof, a.Initiator, a.Exemption = true, true, nil, "", connector.LowValue
	a.Acceptor.Name = "Лавка"
	a.Card.CVV = card.CVV{}
	c.Authorize(background, a)

	golden, err := os.ReadFile("testdata/messages.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range strings.Split(strings.TrimSpace(string(golden)), "\n") {
		m := <-asked
		if got := fields(m); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
		if m.Number != "" && (m.Number != number || m.Expiry != "2812") {
			t.Errorf("the card of %v is another one", m)
		}
	}
}
