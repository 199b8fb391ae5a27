package webhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"plexy/internal/clock"
	"plexy/internal/event"
)

// What an attempt may take.
const (
	// ConnectLimit is how long finding the address and connecting may take together.
	ConnectLimit = 5 * time.Second
	// AttemptLimit is how long the whole attempt may take, from the name to the last byte of the answer.
	AttemptLimit = 15 * time.Second
	// MaxRead is how many bytes of an answer are read, so that its connection can be used again.
	MaxRead = 64 << 10
	// MaxKept is how many bytes of an answer are kept, for staff.
	MaxKept = 4 << 10
	// MaxRetryAfter is how long a receiver can ask us to wait.
	MaxRetryAfter = time.Hour

	maxHeader  = 16 << 10             // bytes of an answer's headers
	maxIdle    = 256                  // connections kept open without work, in all
	idleLimit  = 30 * time.Second     // how long each is kept
	idlePerOne = event.MaxConcurrency // and how many to one receiver
)

// Outcome is what an attempt came to.
type Outcome uint8

// The outcomes. Only Delivered ends a delivery well.
const (
	Failed    Outcome = iota // no answer, or one that is not 2xx
	Delivered                // 2xx
	SlowDown                 // 429, 502, 503 or 504: the receiver has too much to do
	Gone                     // 410: the receiver is not there any more and wants nothing
)

// String returns the outcome as a word, such as "delivered".
func (o Outcome) String() string {
	return [...]string{"failed", "delivered", "slow_down", "gone"}[o]
}

// Result is what is known after an attempt.
type Result struct {
	Status     int           // of the answer; 0 when there was none
	Outcome    Outcome       // what it means
	RetryAfter time.Duration // how long the receiver asked us to wait, at most MaxRetryAfter; 0: it did not
	Duration   time.Duration // from the begin to the end of the attempt
	Error      string        // why it was not delivered, in fixed words; "" when it was
	Response   []byte        // the first MaxKept bytes of the answer's body: for staff, not for logs
}

// Options are what a Sender is made of. The zero value of each is fit for production.
type Options struct {
	// Rules say which addresses may be called.
	Rules Rules
	// Clock is the machine's: it dates signatures and measures. nil: clock.System.
	Clock clock.Clock
	// Connect and Attempt replace ConnectLimit and AttemptLimit, for tests.
	Connect, Attempt time.Duration
	// Proxy, unless zero, is what every connection goes through.
	Proxy Proxy
	// Roots are the authorities whose certificates are trusted. nil: the system's.
	Roots *x509.CertPool
}

// Sender makes attempts. It has its own connections and nothing that would follow somebody else's wishes: no
// cookies, no redirects, no proxy from the environment, no credentials but the message's own. Any number of
// goroutines may use it; connections are made when they are needed and closed when they rest.
type Sender struct {
	guard     *Guard
	clock     clock.Clock
	attempt   time.Duration
	dialer    *net.Dialer
	transport *http.Transport
}

// NewSender makes a sender. Close it in the end.
func NewSender(o Options) *Sender {
	s := &Sender{guard: NewGuard(o.Rules), clock: o.Clock, attempt: cmp.Or(o.Attempt, AttemptLimit)}
	if s.clock == nil {
		s.clock = clock.System{}
	}
	connect := cmp.Or(o.Connect, ConnectLimit)
	s.dialer = &net.Dialer{Timeout: connect, ControlContext: s.guard.control}
	s.transport = &http.Transport{
		Proxy:                  nil, // one would dial for us, past the guard
		DialContext:            s.dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    connect,
		DisableCompression:     true, // a small answer must not become a large one here
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    idlePerOne,
		IdleConnTimeout:        idleLimit,
		MaxResponseHeaderBytes: maxHeader,
		Protocols:              new(http.Protocols),
	}
	s.transport.Protocols.SetHTTP1(true)
	if o.Proxy != (Proxy{}) {
		t := &tunnel{proxy: o.Proxy, guard: s.guard, limit: connect, receivers: s.dialer, dialer: &net.Dialer{}}
		s.transport.DialContext = t.DialContext
	}
	return s
}

// Close closes the connections that rest.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// Check tells whether the URL can be that of an endpoint; the error, a Forbidden, says what is wrong with it.
func (s *Sender) Check(url string) error { return s.guard.Check(url) }

// Send makes one attempt: it signs the message at this moment and posts it to the URL. It returns within the
// attempt's limit, or when ctx ends; then the result says nothing about the receiver, so look at ctx.Err()
// before counting it.
func (s *Sender) Send(ctx context.Context, url string, m Message) Result {
	began := s.clock.Now()
	limited, cancel := context.WithTimeout(ctx, s.attempt)
	defer cancel()
	r, err := s.post(limited, url, m, began)
	if err != nil && limited.Err() != nil { // whatever the connection says of how it was cut off
		err = fmt.Errorf("%w: %w", limited.Err(), err)
	}
	if err != nil {
		r = Result{Error: reason(err)}
	}
	r.Duration = time.Duration(max(0, s.clock.Now()-began)) * time.Microsecond // the clock may be set back
	return r
}

func (s *Sender) post(ctx context.Context, url string, m Message, at int64) (Result, error) {
	if err := s.guard.Check(url); err != nil {
		return Result{}, err // the rules may be stricter than when the endpoint was made
	}
	header, err := Headers(m, at)
	if err != nil {
		return Result{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(m.Body))
	if err != nil {
		return Result{}, err
	}
	request.Header = header
	// Sending twice is harmless: so says this name without a value, which is not sent. A connection that the
	// receiver closed while it rested is then replaced instead of costing an attempt.
	header["Idempotency-Key"] = nil
	// Not an http.Client: what follows redirects and remembers cookies is in there.
	answer, err := s.transport.RoundTrip(request)
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = answer.Body.Close() }() // it was read; closing tells nothing new
	r := s.judge(answer)
	r.Response = keep(answer.Body, m.Token)
	return r, nil
}

// judge tells what an answer means by its status and headers.
func (s *Sender) judge(answer *http.Response) Result {
	r := Result{Status: answer.StatusCode}
	switch status := answer.StatusCode; {
	case status >= 200 && status < 300:
		r.Outcome = Delivered
		return r
	case status == http.StatusGone:
		r.Outcome, r.Error = Gone, "answered 410: the receiver wants no more"
		return r
	case status >= 300 && status < 400:
		r.Error = fmt.Sprintf("answered %d: redirects are not followed", status)
	case status == http.StatusTooManyRequests, status == http.StatusBadGateway,
		status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		r.Outcome, r.Error = SlowDown, fmt.Sprintf("answered %d", status)
	default:
		r.Error = fmt.Sprintf("answered %d", status)
	}
	r.RetryAfter = retryAfter(answer.Header.Get("Retry-After"), s.clock.Now())
	return r
}

// retryAfter reads a Retry-After header, seconds or a date. What it is not is 0; a date that has passed too.
func retryAfter(text string, now int64) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		wait = time.Duration(min(seconds, int64(MaxRetryAfter/time.Second))) * time.Second
	} else if date, err := http.ParseTime(text); err == nil {
		wait = date.Sub(clock.Time(now))
	}
	return min(max(wait, 0), MaxRetryAfter)
}

// keep reads an answer's body, to its end if it is not far, and returns its begin. What goes wrong in reading
// changes nothing: the status has said what there is to say. A body that gives the token back does not carry
// it into our records.
func keep(body io.Reader, token Token) []byte {
	text := token.Reveal()
	begin, err := io.ReadAll(io.LimitReader(body, int64(MaxKept+len(text))))
	if err == nil {
		_, _ = io.CopyN(io.Discard, body, MaxRead-int64(len(begin)))
	}
	begin = bytes.ReplaceAll(begin, []byte(text), []byte(mask))
	return begin[:min(len(begin), MaxKept)]
}

// reason says why there was no answer, in words of our own: errors of the network name addresses on our side,
// and what a receiver writes into them is not for our log.
func reason(err error) string {
	if f := forbidden(err); f != "" {
		return "not called: the URL " + f
	}
	var proxy proxyTrouble
	if errors.As(err, &proxy) {
		return proxy.Error()
	}
	var timeout net.Error
	var name *net.DNSError
	var dial *net.OpError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	dialing := errors.As(err, &dial) && dial.Op == "dial"
	switch {
	case errors.Is(err, ErrUnsigned):
		return "not called: the message cannot be signed"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.As(err, &name) && name.IsNotFound:
		return "the name does not exist"
	case errors.As(err, &name):
		return "the name could not be looked up"
	case errors.As(err, &timeout) && timeout.Timeout():
		if dialing {
			return "no connection in time"
		}
		return "no answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case errors.As(err, &certificate), errors.As(err, &record):
		return "the certificate is not valid, or there is no TLS"
	case dialing:
		return "no connection"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE), strings.Contains(err.Error(), "server closed"):
		return "the connection was closed before an answer"
	}
	return "the answer is not HTTP, or the connection broke"
}
