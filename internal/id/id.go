// Package id makes identifiers. They are ULIDs with a prefix that tells the kind, sort by the time they
// were made, and, for what lives in a book, carry the book in their last two characters.
package id

import (
	"crypto/rand"
	"encoding/binary"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/oklog/ulid/v2"
)

// Prefixes of the kinds of id.
const (
	Transaction = "wt_"
	Wallet      = "wlt_"
	Customer    = "cus_"
	Merchant    = "mer_"
	Key         = "key_"
	Audit       = "aud_"
	Request     = "req_"
	Endpoint    = "whe_"
	Server      = "srv_" // a running server, as the owner of a claim
	Message     = "ntf_"
	Link        = "pl_" // and the 32 digits of a UUIDv7
)

// IsUUID reports whether s is written as UUID writes one, of whatever version.
func IsUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (s[i] == '-') || !dash && !isHex(s[i]) {
			return false
		}
	}
	return true
}

// IsLink reports whether s is the id of a payment link.
func IsLink(s string) bool {
	digits, ok := strings.CutPrefix(s, Link)
	if !ok || len(digits) != 32 {
		return false
	}
	for i := range len(digits) {
		if !isHex(digits[i]) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' }

// Books is the number of books: the partitions of all money (docs/architecture.md).
const Books = 1024

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // Crockford's base 32, as ULID uses it

// Maker makes ids that grow: within a millisecond the random bits before the last ten are counted up,
// so the ids of one process sort as they were made whatever book they end in.
type Maker struct {
	mu   sync.Mutex
	now  func() int64 // milliseconds
	last uint64       // millisecond of the last id
	high uint64       // the upper 60 of the 70 random bits
	low  uint64       // the lower 10 of the 70 random bits, above the book
	pool [512]byte
	left []byte
}

// NewMaker returns a Maker on the machine's clock and the system's randomness.
func NewMaker() *Maker {
	return NewMakerAt(func() int64 { return time.Now().UnixMicro() })
}

// NewMakerAt returns a Maker on another clock, which tells microseconds since 1970: ids carry the time that
// their rows carry, so lists by time can look at the ids alone.
func NewMakerAt(now func() int64) *Maker {
	return &Maker{now: func() int64 { return now() / 1000 }}
}

// Stem returns the first 24 characters of a ULID: 48 bits of time and 70 bits that grow. The book
// completes it (see WithBook), because only the decision knows in which book the object lives.
func (m *Maker) Stem() string {
	text := m.text(0)
	return string(text[:24])
}

// New returns prefix and a full ULID that belongs to no book.
func (m *Maker) New(prefix string) string {
	text := m.text(m.random() & (Books - 1))
	return prefix + string(text[:]) // one allocation: the compiler joins without the string between
}

// UUID returns a UUIDv7 as text (RFC 9562 §5.7): the ids of card payments and of what belongs to them. Those
// of one process grow, as all its ids do.
func (m *Maker) UUID() string {
	ms, high, low := m.next()
	u := uuid.UUID{byte(ms >> 40), byte(ms >> 32), byte(ms >> 24), byte(ms >> 16), byte(ms >> 8), byte(ms)}
	binary.BigEndian.PutUint16(u[6:8], 7<<12|uint16(high>>48)) // version 7, and the upper 12 of the 60 high bits
	binary.BigEndian.PutUint64(u[8:16], 1<<63|high<<16>>2|low<<4|m.random()&15)
	return u.String()
}

func (m *Maker) text(book uint64) (text [ulid.EncodedSize]byte) {
	ms, high, low := m.next()
	var u ulid.ULID
	u[0], u[1], u[2] = byte(ms>>40), byte(ms>>32), byte(ms>>24)
	u[3], u[4], u[5] = byte(ms>>16), byte(ms>>8), byte(ms)
	// 80 bits: 60 high, 10 low, 10 book.
	binary.BigEndian.PutUint64(u[6:14], high<<4|low>>6)
	binary.BigEndian.PutUint16(u[14:16], uint16(low&63)<<10|uint16(book))
	_ = u.MarshalTextTo(text[:]) // fails only where there is no room
	return text
}

// next returns what makes the next id larger than the one before: its millisecond, 60 bits and 10 bits.
func (m *Maker) next() (ms, high, low uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := uint64(m.now()); now > m.last {
		m.last = now
		m.high = m.draw() >> 5 // the top bit stays clear: counting up never overflows
		m.low = m.draw() & (Books - 1)
	} else {
		// A step of random size keeps neighbours hard to guess.
		m.low += 1 + m.draw()&(Books-1)
		m.high += m.low / Books
		m.low %= Books
	}
	return m.last, m.high, m.low
}

func (m *Maker) random() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.draw()
}

func (m *Maker) draw() uint64 {
	if len(m.left) < 8 {
		rand.Read(m.pool[:]) // never fails: crypto/rand aborts the program instead
		m.left = m.pool[:]
	}
	v := binary.BigEndian.Uint64(m.left)
	m.left = m.left[8:]
	return v
}

// WithBook completes a stem: prefix, stem and the two characters of the book (0 to 1023).
func WithBook(prefix, stem string, book int) string {
	return prefix + stem + string([]byte{alphabet[book>>5&31], alphabet[book&31]})
}

// Book returns the book that an id carries in its last two characters, and whether s is an id of the
// kind that prefix names: prefix and 26 upper-case characters of the ULID alphabet.
func Book(prefix, s string) (int, bool) {
	if len(s) != len(prefix)+26 || !strings.HasPrefix(s, prefix) {
		return 0, false
	}
	for _, c := range []byte(s[len(prefix):]) {
		if strings.IndexByte(alphabet, c) < 0 {
			return 0, false
		}
	}
	high := strings.IndexByte(alphabet, s[len(s)-2])
	low := strings.IndexByte(alphabet, s[len(s)-1])
	return high<<5 | low, true
}
