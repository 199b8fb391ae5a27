package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// wire is one keep-alive HTTP/1.1 connection. It exists because net/http's client costs more than the
// servers it should measure; it reads no more of HTTP than those servers send.
type wire struct {
	conn   net.Conn
	reader *bufio.Reader
	body   []byte // of the last answer, overwritten by the next
}

var errAnswer = errors.New("malformed HTTP answer")

func dial(address string) (*wire, error) {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &wire{conn: conn, reader: bufio.NewReaderSize(conn, 32<<10), body: make([]byte, 0, 32<<10)}, nil
}

// exchange sends one whole request and returns the answer's status and body; the body is valid until the
// next exchange.
func (w *wire) exchange(request []byte) (int, []byte, error) {
	if _, err := w.conn.Write(request); err != nil {
		return 0, nil, fmt.Errorf("send: %w", err)
	}
	status, err := w.status()
	if err != nil {
		return 0, nil, err
	}
	length, chunked, err := w.headers()
	if err != nil {
		return 0, nil, err
	}
	w.body = w.body[:0]
	if chunked {
		return status, w.body, w.chunks()
	}
	if err := w.take(length); err != nil {
		return 0, nil, err
	}
	return status, w.body, nil
}

func (w *wire) status() (int, error) {
	line, err := w.reader.ReadSlice('\n')
	if err != nil {
		return 0, fmt.Errorf("read answer: %w", err)
	}
	// HTTP/1.1 200 OK
	if len(line) < 13 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, errAnswer
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, errAnswer
	}
	return status, nil
}

// headers reads up to the empty line and returns how the body is delimited.
func (w *wire) headers() (length int, chunked bool, err error) {
	for {
		line, err := w.reader.ReadSlice('\n')
		if err != nil {
			return 0, false, fmt.Errorf("read headers: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return length, chunked, nil
		}
		switch {
		case hasName(line, "content-length:"):
			length, err = strconv.Atoi(string(bytes.TrimSpace(line[len("content-length:"):])))
			if err != nil || length < 0 {
				return 0, false, errAnswer
			}
		case hasName(line, "transfer-encoding:"):
			chunked = true
		}
	}
}

// hasName tells whether a header line begins with the name and colon, given in lower case.
func hasName(line []byte, name string) bool {
	if len(line) < len(name) || line[0]|0x20 != name[0] {
		return false // most headers end here
	}
	return bytes.EqualFold(line[:len(name)], []byte(name))
}

// take appends n bytes of the stream to the body.
func (w *wire) take(n int) error {
	at := len(w.body)
	for cap(w.body) < at+n {
		w.body = append(w.body[:cap(w.body)], 0)
	}
	w.body = w.body[:at+n]
	if _, err := io.ReadFull(w.reader, w.body[at:]); err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	return nil
}

func (w *wire) chunks() error {
	for {
		line, err := w.reader.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read chunk: %w", err)
		}
		size, err := strconv.ParseUint(string(bytes.TrimRight(line, "\r\n")), 16, 31)
		if err != nil {
			return errAnswer
		}
		if err := w.take(int(size)); err != nil {
			return err
		}
		if _, err := w.reader.Discard(len("\r\n")); err != nil {
			return fmt.Errorf("read chunk: %w", err)
		}
		if size == 0 {
			return nil
		}
	}
}
