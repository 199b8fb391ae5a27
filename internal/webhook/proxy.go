package webhook

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

// Proxy is the way out for installations whose machines may not call the world themselves: an HTTP proxy that
// understands CONNECT. Every connection goes through it, to http receivers as well. The zero Proxy is none.
type Proxy struct {
	// Address is its HOST:PORT; the guard does not judge it.
	Address string
	// Credentials are its USER:PASSWORD, sent as Basic; none for "".
	Credentials string
}

// proxyTrouble is what went wrong at the proxy, in words of our own.
type proxyTrouble string

// Error returns what went wrong.
func (p proxyTrouble) Error() string { return string(p) }

// tunnel dials through a proxy. It looks the receiver's name up itself, judges every address, and asks the
// proxy for the address, never for the name: a name that is pointed elsewhere between the two gains nothing.
type tunnel struct {
	proxy Proxy
	guard *Guard
	limit time.Duration
	// receivers has the resolver of the receivers' names; it dials nobody.
	receivers *net.Dialer
	// dialer reaches the proxy, by whatever address it has.
	dialer *net.Dialer
}

// DialContext connects to a receiver, within the limit. Of several addresses that may be called the first one
// that the proxy reaches is taken; each has its share of the time.
func (t *tunnel) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, t.limit)
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	number, wrong := strconv.ParseUint(port, 10, 16)
	if err != nil || wrong != nil {
		return nil, Forbidden("must lead to an address")
	}
	found, err := t.receivers.Resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	err = Forbidden("must lead to an address")
	var allowed []netip.AddrPort
	for _, addr := range found {
		if refused := t.guard.checkAddress(addr, uint16(number)); refused != nil {
			err = refused
			continue
		}
		allowed = append(allowed, netip.AddrPortFrom(addr.Unmap(), uint16(number)))
	}
	for _, to := range allowed {
		var conn net.Conn
		if conn, err = t.connect(ctx, to, t.limit/time.Duration(len(allowed))); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// connect asks the proxy for one address.
func (t *tunnel) connect(ctx context.Context, to netip.AddrPort, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	conn, err := t.dialer.DialContext(ctx, "tcp", t.proxy.Address)
	if err != nil {
		return nil, proxyTrouble("the proxy could not be reached")
	}
	// What ends the attempt ends the talk with the proxy, too.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err = t.ask(conn, to)
	if !stop() && err == nil {
		err = proxyTrouble("the proxy did not answer in time")
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// ask speaks CONNECT.
func (t *tunnel) ask(conn net.Conn, to netip.AddrPort) error {
	request := "CONNECT " + to.String() + " HTTP/1.1\r\nHost: " + to.String() + "\r\n"
	if t.proxy.Credentials != "" {
		request += "Proxy-Authorization: Basic " +
			base64.StdEncoding.EncodeToString([]byte(t.proxy.Credentials)) + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return silent(err)
	}
	reader := bufio.NewReader(io.LimitReader(conn, maxHeader))
	answer, err := http.ReadResponse(reader, &http.Request{Method: http.MethodConnect})
	switch {
	case err != nil:
		return silent(err)
	case answer.StatusCode == http.StatusProxyAuthRequired:
		return proxyTrouble("the proxy wants other credentials")
	case answer.StatusCode < 200 || answer.StatusCode > 299:
		return proxyTrouble(fmt.Sprintf("the proxy refused to connect: it answered %d", answer.StatusCode))
	case reader.Buffered() > 0: // nobody speaks there before we do
		return proxyTrouble("the proxy does not answer as one")
	}
	return nil
}

// silent says why the proxy gave no answer.
func silent(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return proxyTrouble("the proxy did not answer in time")
	}
	return proxyTrouble("the proxy does not answer as one")
}
