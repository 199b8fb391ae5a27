package httpapi

import (
	"bytes"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"plexy/internal/card"
	"plexy/internal/core/reject"
)

// maxPathName is the longest name that is repeated in the path of a field, in bytes; maxPath bounds the path.
const maxPathName, maxPath = 64, 256

// guard refuses a request that carries a card number where none belongs: in any string of its body, a name
// among them, or as its idempotency key, which is stored in clear. Only strings are looked at: of numbers
// with 16 digits one in ten would pass for a card's.
//
// A string without a backslash is what stands between its quotes, so most bodies need one look at their bytes
// as they came. A body that is not JSON is left to the route, which refuses it.
func (c *call) guard() problem {
	if card.HasNumber(c.key) {
		return problem{reason: reject.CardNumberForbidden, source: "Idempotency-Key"}
	}
	raw := c.body.buffer.Bytes()
	if !card.HasNumber(raw) && bytes.IndexByte(raw, '\\') < 0 {
		return problem{}
	}
	d := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true),
		jsontext.AllowInvalidUTF8(true)) // what a route would let pass is looked at
	for {
		token, err := d.ReadToken()
		if err != nil {
			return problem{} // the end, or no JSON
		}
		if token.Kind() == '"' && card.HasNumber(token.String()) {
			return problem{reason: reject.CardNumberForbidden, source: fieldPath(d.StackPointer())}
		}
	}
}

// fieldPath writes where a value is, as in metadata.items[2].note; "body" for the whole. Names are the
// caller's: what would have to be escaped is replaced, and a long one or one with a card number is a star.
func fieldPath(pointer jsontext.Pointer) string {
	var b strings.Builder
	for name := range pointer.Tokens() {
		if b.Len() > maxPath {
			break
		}
		_, isIndex := parseDigits(name)
		if len(name) > maxPathName || card.HasNumber(name) {
			name, isIndex = "*", false
		}
		if isIndex {
			b.WriteString("[" + name + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(plain(name))
	}
	if b.Len() == 0 {
		return "body"
	}
	return b.String()
}

// guardQuery does the same with the parameters of a route that reads some.
func guardQuery(raw string) problem {
	if len(raw) == 0 {
		return problem{}
	}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, value = unescaped(name), unescaped(value)
		if card.HasNumber(name) || len(name) > maxPathName {
			value, name = name+" "+value, "query"
		}
		if card.HasNumber(value) {
			return problem{reason: reject.CardNumberForbidden, source: plain(name)}
		}
	}
	return problem{}
}

// unescaped is what a part of a query says, or the part itself where it says nothing.
func unescaped(part string) string {
	if text, err := url.QueryUnescape(part); err == nil {
		return text
	}
	return part
}
