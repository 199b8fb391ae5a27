package server

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// A plain request is one as nearly all are: one of five methods, a target without escapes in its path,
// HTTP/1.1, one Host, headers of printable ASCII on lines of their own, and a short body of an announced
// length, or none. This room reads plain requests by itself, because net/http's server costs more than an
// authorize does in all other rooms of the door together. Whatever else comes, odd or wrong, is left to
// net/http, with every byte: so this parser never has to forgive, and FuzzPlain holds that net/http
// understands what it accepts in the same way.

// Bounds of a plain request. What is larger is no error: net/http has it.
const (
	plainHead  = 4 << 10  // bytes of request line and headers
	plainBody  = 16 << 10 // bytes
	plainLines = 32       // lines
)

// kind is what the beginning of some input is.
type kind int

const (
	partial kind = iota // it may become a plain request
	plain
	odd // it is for net/http
)

// parser makes requests of plain heads. A request is valid until the next one: its parts are used again.
type parser struct {
	template *http.Request // with what is the same in all of a connection
	request  http.Request
	url      url.URL
	header   http.Header
	values   [plainLines]string // of the headers
	used     int
}

var endOfHead = []byte("\r\n\r\n")

// parse looks at what was received. For a plain request it returns the length of the head; the request then
// has everything but its body, with the length of that.
func (p *parser) parse(in []byte) (head int, k kind) {
	end := bytes.Index(in[:min(len(in), plainHead)], endOfHead)
	if end < 0 {
		if len(in) >= plainHead || bytes.Count(in, endOfHead[1:2]) != bytes.Count(in, endOfHead[:2]) {
			return 0, odd // a line without \r may be the last one to net/http, which answers at once
		}
		return 0, partial
	}
	text := string(in[:end+2]) // names and values are parts of it
	line, rest, _ := strings.Cut(text, "\r\n")
	p.request = *p.template
	if !p.line(line) || !p.headers(rest) {
		return 0, odd
	}
	p.request.URL, p.request.Header = &p.url, p.header
	return end + len(endOfHead), plain
}

// line reads the request line.
func (p *parser) line(line string) bool {
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return false
	}
	if version != "HTTP/1.1" {
		return false
	}
	path, query, asked := strings.Cut(target, "?")
	if asked && query == "" || !all(path, inPath) || !all(query, inQuery) ||
		!strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return false
	}
	p.url = url.URL{Path: path, RawQuery: query}
	p.request.Method, p.request.RequestURI = method, target
	return true
}

// headers reads header lines.
func (p *parser) headers(lines string) bool {
	clear(p.header)
	p.used = 0
	hosts, lengths := 0, 0
	for lines != "" {
		line, rest, _ := strings.Cut(lines, "\r\n")
		lines = rest
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" || p.used == plainLines || !all(name, inName) || !all(value, inValue) {
			return false
		}
		name, value = textproto.CanonicalMIMEHeaderKey(name), strings.Trim(value, " \t")
		switch name {
		case "Host":
			if hosts++; value == "" || !all(value, inHost) {
				return false
			}
			p.request.Host = value
			continue
		case "Content-Length":
			if lengths++; !p.length(value) {
				return false
			}
		case "Connection":
			if !strings.EqualFold(value, "keep-alive") {
				return false
			}
		case "Transfer-Encoding", "Trailer", "Te", "Upgrade", "Expect", "Pragma", "Proxy-Connection":
			return false
		}
		p.add(name, value)
	}
	return hosts == 1 && lengths <= 1
}

func (p *parser) add(name, value string) {
	if before, ok := p.header[name]; ok {
		p.header[name] = append(before, value)
		return
	}
	p.values[p.used] = value
	p.header[name] = p.values[p.used : p.used+1 : p.used+1]
	p.used++
}

// length reads the value of Content-Length.
func (p *parser) length(value string) bool {
	n := int64(0)
	for i := range len(value) {
		if value[i] < '0' || value[i] > '9' || n > plainBody {
			return false
		}
		n = 10*n + int64(value[i]-'0')
	}
	p.request.ContentLength = n
	return value != "" && n <= plainBody
}

// characters is a set of bytes.
type characters [256]bool

// Every set is within ASCII; those of a path are the ones that nobody escapes there.
var (
	inPath  = set("$&+,/:;=@-._~", letters, digits)
	inQuery = set("!\"$%&'()*+,-./:;<=>@[\\]^_`{|}~", letters, digits)
	inName  = set("!#$%&'*+-.^_`|~", letters, digits)
	inHost  = set("-.:[]", letters, digits)
	inValue = set(" \t!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", letters, digits)
)

const (
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	digits  = "0123456789"
)

func set(texts ...string) *characters {
	var c characters
	for _, text := range texts {
		for i := range len(text) {
			c[text[i]] = true
		}
	}
	return &c
}

func all(text string, of *characters) bool {
	for i := range len(text) {
		if !of[text[i]] {
			return false
		}
	}
	return true
}

// received is the body of a plain request.
type received struct{ bytes.Reader }

// Close does nothing: the body is here already.
func (*received) Close() error { return nil }
