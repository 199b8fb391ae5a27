package httpapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"

	"plexy/internal/core/reject"
)

// maxKey is the longest idempotency key, in characters (rule I-1).
const maxKey = 255

// idempotencyKey reads the Idempotency-Key header of a route. "" without a problem means that there is
// none and none is needed.
func idempotencyKey(values []string, mode Idempotency) (string, problem) {
	if mode == Ignored {
		return "", problem{}
	}
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		if mode == Required {
			return "", problem{reason: reject.IdempotencyKeyMissing, source: "Idempotency-Key"}
		}
		if len(values) == 0 {
			return "", problem{}
		}
	}
	key, ok := parseKey(values[0])
	if !ok || len(values) > 1 {
		return "", problem{reason: reject.IdempotencyKeyInvalid, source: "Idempotency-Key"}
	}
	return key, problem{}
}

// parseKey reads a key given raw or as a quoted string of RFC 8941: both spellings mean the same key. A
// key has 1 to 255 visible ASCII characters.
func parseKey(text string) (string, bool) {
	if text != "" && text[0] == '"' {
		unquoted, ok := unquoteKey(text)
		if !ok {
			return "", false
		}
		text = unquoted
	}
	if text == "" || len(text) > maxKey {
		return "", false
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return "", false
		}
	}
	return text, true
}

// unquoteKey reads "…" with \" and \\ inside, and nothing after the closing quote.
func unquoteKey(text string) (string, bool) {
	plain := make([]byte, 0, len(text))
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return string(plain), i == len(text)-1
		case '\\':
			i++
			if i == len(text) || text[i] != '"' && text[i] != '\\' {
				return "", false
			}
		}
		plain = append(plain, text[i])
	}
	return "", false
}

// meanings makes fingerprints: digests of what a request means. They are keyed, because a meaning holds an
// IIN and a phone number, and there are few enough of these to try them all.
type meanings struct{ pool sync.Pool }

// meaning collects the parts of one meaning. Every part is written with its length, so that no two
// different lists of parts are the same bytes.
type meaning struct {
	hash   hash.Hash
	parts  []byte
	digest [sha256.Size]byte
}

func newMeanings(key []byte) *meanings {
	return &meanings{pool: sync.Pool{New: func() any {
		return &meaning{hash: hmac.New(sha256.New, key)}
	}}}
}

// begin starts the meaning of a request: the template of its route and the id in its path.
func (m *meanings) begin(route, id string) *meaning {
	f := m.pool.Get().(*meaning)
	f.parts = f.parts[:0]
	f.text(route)
	f.text(id)
	return f
}

func (f *meaning) text(part string) {
	f.parts = binary.AppendUvarint(f.parts, uint64(len(part)))
	f.parts = append(f.parts, part...)
}

func (f *meaning) number(part int64) {
	f.parts = binary.BigEndian.AppendUint64(f.parts, uint64(part))
}

// end returns the fingerprint and forgets the parts.
func (m *meanings) end(f *meaning) [sha256.Size]byte {
	f.hash.Reset()
	f.hash.Write(f.parts) // never fails: see hash.Hash
	f.hash.Sum(f.digest[:0])
	digest := f.digest
	clear(f.parts)
	m.pool.Put(f)
	return digest
}
