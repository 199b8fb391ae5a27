package httpapi

import (
	"encoding/base64"
	"encoding/binary"
	"strings"

	"plexy/internal/id"
)

// A cursor is base64url, without padding, of: the version, the digest of the list's filters, and the id
// (without prefix) of the last transaction of the page. Pages go by id, newest first, so what arrives in the
// meantime can neither shift them nor come in between.
const (
	cursorVersion = 1
	cursorSize    = 1 + 8 + ulidSize
	ulidSize      = 26
	maxCursor     = 512
)

// maxOffset bounds the seed's form of a cursor, because skipping rows costs as much as reading them.
const maxOffset = 10_000

// after returns the cursor of the page that follows the transaction with this id.
func (q *listQuery) after(transaction string) string {
	plain := append(make([]byte, 0, cursorSize), cursorVersion)
	plain = binary.BigEndian.AppendUint64(plain, q.filters)
	plain = append(plain, transaction[len(id.Transaction):]...)
	return base64.RawURLEncoding.EncodeToString(plain)
}

// resume puts the position that a cursor names into the query, and reports whether it is a cursor of this
// list. The seed's sample form, base64 of {"offset":N}, is one too.
func (q *listQuery) resume(cursor string) bool {
	if len(cursor) > maxCursor {
		return false
	}
	plain, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err == nil && len(plain) == cursorSize && plain[0] == cursorVersion {
		last := id.Transaction + string(plain[1+8:])
		_, ok := id.Book(id.Transaction, last)
		q.page.Before = last
		return ok && binary.BigEndian.Uint64(plain[1:]) == q.filters
	}
	return q.skip(cursor)
}

// skip reads the seed's form, in any alphabet of base64 and with or without padding.
func (q *listQuery) skip(cursor string) bool {
	text := strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(cursor, "="))
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	digits, ok := strings.CutPrefix(strings.ReplaceAll(string(plain), " ", ""), `{"offset":`)
	if !ok {
		return false
	}
	digits, ok = strings.CutSuffix(digits, "}")
	offset, isNumber := parseDigits(digits)
	if !ok || !isNumber || offset > maxOffset {
		return false
	}
	q.page.Offset = int(offset)
	return true
}
