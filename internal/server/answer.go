package server

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"plexy/internal/clock"
)

// answerKept is the largest answer that is sent in one piece, with its length; a larger one goes in chunks
// unless its handler announced the length.
const answerKept = 32 << 10

// roomKept is the largest room, in bytes, that a connection keeps for its next answer.
const roomKept = 8 << 10

// sniffed is how many bytes http.DetectContentType looks at.
const sniffed = 512

// answer is the http.ResponseWriter of plain requests.
type answer struct {
	talk   *talk
	header http.Header
	names  []string // of header, while it is written
	body   []byte   // what is not sent yet
	out    []byte   // what goes into one write
	status int      // 0 until WriteHeader
	begun  bool     // the head was sent
	chunks bool
	left   int64 // of the announced length, when there are no chunks
}

// Header is what goes out with the status.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader sets the status. Interim ones (1xx) are not sent.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK {
		a.status = status
	}
}

// Write adds to the body.
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	switch {
	case !bodied(a.status):
		return 0, http.ErrBodyNotAllowed
	case !a.begun && len(a.body)+len(b) <= answerKept:
		a.body = append(a.body, b...)
		return len(b), nil
	case !a.begun:
		length, err := strconv.ParseInt(a.header.Get("Content-Length"), 10, 63)
		a.chunks, a.left = err != nil, length
		a.begin(append(a.body, b[:min(len(b), sniffed)]...))
		a.part(a.body)
	}
	a.part(b)
	if err := a.send(); err != nil {
		return 0, err
	}
	return len(b), nil
}

// bodied reports whether an answer with this status has a body (RFC 9110, 6.4.1).
func bodied(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// part puts a part of the body into what goes out.
func (a *answer) part(b []byte) {
	if !a.chunks {
		a.out = append(a.out, b...)
		a.left -= int64(len(b))
		return
	}
	if len(b) > 0 { // an empty chunk would be the last one
		a.out = strconv.AppendInt(a.out, int64(len(b)), 16)
		a.out = append(a.out, "\r\n"...)
		a.out = append(a.out, b...)
		a.out = append(a.out, "\r\n"...)
	}
}

// begin puts status line and headers into what goes out; the beginning of the body tells the type.
func (a *answer) begin(body []byte) {
	a.begun = true
	now := clock.System{}.Now()
	a.talk.writing(now)
	b := append(a.out[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(a.status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(a.status)...)
	b = append(b, "\r\n"...)
	if len(body) > 0 && a.header["Content-Type"] == nil {
		a.header.Set("Content-Type", http.DetectContentType(body))
	}
	a.names = a.names[:0]
	for name := range a.header {
		if name != "Content-Length" {
			a.names = append(a.names, name)
		}
	}
	slices.Sort(a.names)
	for _, name := range a.names {
		for _, value := range a.header[name] {
			b = append(b, name...)
			b = append(b, ": "...)
			if strings.ContainsAny(value, "\r\n") { // nobody writes headers of his own
				value = oneLine.Replace(value)
			}
			b = append(b, value...)
			b = append(b, "\r\n"...)
		}
	}
	if a.chunks {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	} else if bodied(a.status) {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, a.left, 10)
		b = append(b, "\r\n"...)
	}
	if a.talk.server.stopping.Load() {
		b = append(b, "Connection: close\r\n"...)
	}
	b = append(b, "Date: "...)
	b = clock.Time(now).AppendFormat(b, http.TimeFormat)
	a.out = append(b, "\r\n\r\n"...)
}

var oneLine = strings.NewReplacer("\r", " ", "\n", " ")

// finish sends what was not sent yet.
func (a *answer) finish() error {
	a.WriteHeader(http.StatusOK)
	if !a.begun {
		a.left = int64(len(a.body))
		a.begin(a.body)
		a.part(a.body)
	} else if a.chunks {
		a.out = append(a.out, "0\r\n\r\n"...)
	}
	if err := a.send(); err != nil {
		return err
	}
	if a.left != 0 {
		return http.ErrContentLength
	}
	return nil
}

// reset makes it the answer to the next request.
func (a *answer) reset() {
	clear(a.header)
	if cap(a.out) > roomKept {
		a.out, a.body = nil, nil
	}
	*a = answer{talk: a.talk, header: a.header, names: a.names, body: a.body[:0], out: a.out[:0]}
}

func (a *answer) send() error {
	if len(a.out) == 0 {
		return nil
	}
	_, err := a.talk.conn.Write(a.out)
	a.out = a.out[:0]
	return err
}

// SetReadDeadline is for http.ResponseController.
func (a *answer) SetReadDeadline(t time.Time) error {
	a.talk.readBy = 0 // it is another one for the next request
	return a.talk.conn.SetReadDeadline(t)
}

// SetWriteDeadline is for http.ResponseController.
func (a *answer) SetWriteDeadline(t time.Time) error {
	a.talk.writeBy = t.UnixMicro()
	return a.talk.conn.SetWriteDeadline(t)
}
