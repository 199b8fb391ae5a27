package notify

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"strings"
	"testing"

	"plexy/internal/locale"
)

func TestGatewayPosts(t *testing.T) {
	var got map[string]string
	var header http.Header
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		header = r.Header
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	}))
	defer s.Close()
	g, err := NewGateway(Gateway{URL: s.URL, Header: "X-Api-Key", Secret: "geheim",
		Body: `{"to":"{phone}","body":"{text}","tag":"{kind} {language} {id}"}`})
	if err != nil {
		t.Fatal(err)
	}
	m := code(t, locale.Kazakh)
	m.Text = "a \"quoted\"\nline \\ {phone} ₸"
	if err := g.Carry(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if got["to"] != m.To.Phone.Reveal() || got["body"] != m.Text || got["tag"] != "login_code kk ntf_1" {
		t.Errorf("posted: %q", got)
	}
	if header.Get("X-Api-Key") != "geheim" || header.Get("Idempotency-Key") != m.ID {
		t.Errorf("headers: %v", header)
	}
	if _, err := NewGateway(Gateway{Body: `{"to":{phone}`}); err == nil {
		t.Error("a template that makes no JSON was taken")
	}
}

// What the gateway answers decides whether it is tried again; no error repeats what was sent or where to.
func TestGatewayAnswers(t *testing.T) {
	status := 0
	elsewhere := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			elsewhere++
		}
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = w.Write(body) // gateways like to repeat
	}))
	defer s.Close()
	g, err := NewGateway(Gateway{URL: s.URL + "/?key=geheim", Body: `{"to":"{phone}","text":"{text}"}`})
	if err != nil {
		t.Fatal(err)
	}
	m := code(t, locale.English)
	careful := func(err error) {
		for _, secret := range []string{"geheim", "012345", m.To.Phone.Reveal()[2:]} {
			if strings.Contains(fmt.Sprint(err), secret) {
				t.Errorf("the error holds %s: %v", secret, err)
			}
		}
	}
	for answer, final := range map[int]bool{
		400: true, 401: true, 404: true, 302: true, 307: true, 408: false, 429: false, 500: false, 503: false,
	} {
		status = answer
		err := g.Carry(t.Context(), m)
		if err == nil || errors.Is(err, ErrRefused) != final {
			t.Errorf("%d: %v", answer, err)
		}
		careful(err)
	}
	if elsewhere > 0 {
		t.Error("the message was sent on to where the gateway pointed")
	}
	s.Close()
	err = g.Carry(t.Context(), m)
	if err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("nobody there: %v", err)
	}
	careful(err)
}

// mailServer speaks just enough SMTP on this machine, and answers the recipient with the given line.
func mailServer(t *testing.T, recipient string) (address string, letters chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	letters = make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		lines := bufio.NewScanner(conn)
		say := func(line string) { fmt.Fprintf(conn, "%s\r\n", line) }
		say("220 ready")
		letter, inside := "", false
		for lines.Scan() {
			line := lines.Text()
			switch {
			case inside && line == ".":
				inside = false
				letters <- letter
				say("250 ok")
			case inside:
				letter += line + "\r\n"
			case strings.HasPrefix(line, "RCPT"):
				say(recipient)
			case strings.HasPrefix(line, "DATA"):
				inside = true
				say("354 go on")
			case strings.HasPrefix(line, "QUIT"):
				say("221 bye")
				return
			default:
				say("250 ok")
			}
		}
	}()
	return listener.Addr().String(), letters
}

func TestMailIsSent(t *testing.T) {
	address, letters := mailServer(t, "250 ok")
	s := &SMTP{Server: address, From: "Plexy <no-reply@pay.example>", Address: "{digits}@sms.example"}
	m := code(t, locale.Russian)
	if err := s.Carry(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	letter, err := mail.ReadMessage(strings.NewReader(<-letters))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(letter.Header.Get("Subject"))
	if err != nil || subject != m.Subject {
		t.Errorf("subject %q, %v", subject, err)
	}
	if to := letter.Header.Get("To"); to != "<"+strings.TrimPrefix(m.To.Phone.Reveal(), "+")+"@sms.example>" {
		t.Errorf("to %s", to)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(letter.Body))
	if err != nil || strings.TrimSpace(string(body)) != m.Text {
		t.Errorf("body %q, %v", body, err)
	}
}

func TestMailTrouble(t *testing.T) {
	m := code(t, locale.English)
	for answer, final := range map[string]bool{
		"550 no such box " + m.To.Phone.Reveal(): true, "451 later, " + m.To.Phone.Reveal(): false,
	} {
		address, _ := mailServer(t, answer)
		s := &SMTP{Server: address, From: "no-reply@pay.example", Address: "{phone}@sms.example"}
		err := s.Carry(t.Context(), m)
		if err == nil || errors.Is(err, ErrRefused) != final ||
			strings.Contains(err.Error(), m.To.Phone.Reveal()[2:]) {
			t.Errorf("%s: %v", answer, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	nobody := &SMTP{Server: "127.0.0.1:1", From: "a@b.example", Address: "{phone}@c"}
	if err := nobody.Carry(ctx, m); err == nil {
		t.Error("nobody there, and no error")
	}
}
