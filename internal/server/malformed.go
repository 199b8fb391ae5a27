package server

import (
	"bytes"
	"fmt"
	"strconv"
)

// net/http answers what is not valid HTTP by itself, in plain text, before any handler runs. Our answers are
// all JSON, so the connection recognises that one message and replaces its body.

var (
	plainHeaders = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")
	statusStart  = []byte("HTTP/1.1 ")
)

// Write sends p, or our own form of it when it is net/http's answer to a malformed request.
func (c *conn) Write(p []byte) (int, error) {
	if len(p) > 512 || !bytes.HasPrefix(p, statusStart) || !bytes.Contains(p, plainHeaders) {
		return c.TCPConn.Write(p)
	}
	if _, err := c.TCPConn.Write(c.server.malformed(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// malformed rewrites net/http's plain answer and writes a log line about it.
func (s *Server) malformed(plain []byte) []byte {
	status, err := strconv.Atoi(string(plain[len(statusStart) : len(statusStart)+3]))
	if err != nil || status < 400 || status > 599 {
		status = 400
	}
	line, _, _ := bytes.Cut(plain, []byte("\r\n"))
	if i := bytes.IndexByte(line, ':'); i >= 0 {
		line = line[:i] // net/http may add its reason, which repeats what was sent
	}
	requestID := s.options.NewRequestID()
	body := s.options.Envelope(Malformed, requestID)
	s.options.Log.Logger().Warn("malformed request", "requestId", requestID, "status", status)
	s.options.Metrics.Request("malformed", status, 0)
	return fmt.Appendf(nil, "%s\r\nContent-Type: application/json\r\nX-Request-Id: %s\r\n"+
		"Content-Length: %d\r\nConnection: close\r\n\r\n%s", line, requestID, len(body), body)
}
