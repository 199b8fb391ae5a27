package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"

	"plexy/internal/clock"
)

// SMTP is the carrier by mail. A wallet's owner is known by a phone alone, so Address says where mail for a
// phone goes: providers that turn mail into SMS have such addresses.
type SMTP struct {
	Server string // HOST:PORT; port 465 is TLS from the start, any other must offer STARTTLS
	From   string // as in a mail's header
	// Address is the recipient of people whose mail address is not known; {phone} and {digits} stand for the
	// phone with and without the plus.
	Address        string
	User, Password string // no log-in for ""
	// TLS replaces the settings of TLS; nil for the usual ones.
	TLS *tls.Config
}

// Carry sends the message. Only a server on this machine may be spoken to without TLS.
func (s *SMTP) Carry(ctx context.Context, m Message) error {
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return fmt.Errorf("%w: the sender's address is wrong", ErrRefused)
	}
	to := m.To.Email.Reveal()
	if to == "" {
		phone := m.To.Phone.Reveal()
		to = strings.NewReplacer("{phone}", phone, "{digits}", strings.TrimPrefix(phone, "+")).Replace(s.Address)
	}
	letter := m.letter(from, to)
	c, err := s.connect(ctx)
	if err != nil {
		return plain("connect to the mail server", err)
	}
	defer c.Close()
	for _, step := range []func() error{
		func() error { return s.logIn(c) },
		func() error { return c.Mail(from.Address) },
		func() error { return c.Rcpt(to) },
		func() error { return write(c, letter) },
	} {
		if err := step(); err != nil {
			return plain("send by mail", err)
		}
	}
	_ = c.Quit() // it is sent
	return nil
}

// connect dials and makes the connection private, all before the context's deadline.
func (s *SMTP) connect(ctx context.Context) (*smtp.Client, error) {
	host, port, err := net.SplitHostPort(s.Server)
	if err != nil {
		return nil, err
	}
	settings := &tls.Config{}
	if s.TLS != nil {
		settings = s.TLS.Clone()
	}
	settings.ServerName = host
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", s.Server)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	if port == "465" {
		conn = tls.Client(conn, settings)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if port == "465" {
		return c, nil
	}
	offered, _ := c.Extension("STARTTLS")
	switch ip := net.ParseIP(host); {
	case offered:
		err = c.StartTLS(settings)
	case host != "localhost" && !ip.IsLoopback():
		err = errors.New("the mail server offers no TLS")
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (s *SMTP) logIn(c *smtp.Client) error {
	if s.User == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(s.Server)
	if err != nil {
		return err
	}
	return c.Auth(smtp.PlainAuth("", s.User, s.Password, host))
}

func write(c *smtp.Client, letter []byte) error {
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(letter); err != nil {
		return err
	}
	return w.Close()
}

// letter is the mail as it goes over the wire.
func (m Message) letter(from *mail.Address, to string) []byte {
	_, domain, _ := strings.Cut(from.Address, "@")
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n"+
		"Content-Language: %s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"+
		"Content-Transfer-Encoding: quoted-printable\r\nAuto-Submitted: auto-generated\r\n\r\n",
		from, (&mail.Address{Address: to}).String(), mime.QEncoding.Encode("utf-8", m.Subject),
		clock.Time(m.At).Format(time.RFC1123Z), m.ID, domain, m.Language)
	body := quotedprintable.NewWriter(&b)
	_, _ = body.Write([]byte(m.Text + "\n")) // into memory
	_ = body.Close()
	return b.Bytes()
}

// plain keeps the words of the mail server out of an error: it likes to repeat the recipient. What it says
// for good (5xx) is final.
func plain(what string, err error) error {
	var said *textproto.Error
	if !errors.As(err, &said) {
		return fmt.Errorf("%s: %w", what, err)
	}
	if said.Code >= 500 {
		return fmt.Errorf("%w: %s: the server answered %d", ErrRefused, what, said.Code)
	}
	return fmt.Errorf("%s: the server answered %d", what, said.Code)
}
