package access

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// The numbers of a one-time code and of a log-in, the times in microseconds.
const (
	CodeDigits = 6
	CodeTries  = 5
	CodeLife   = 5 * 60 * 1_000_000
	// IdleLife ends a log-in that nobody uses; LogInLife ends every log-in.
	IdleLife  = 15 * 60 * 1_000_000
	LogInLife = 12 * 60 * 60 * 1_000_000
)

// Code is a one-time code as it is kept: digests only. It belongs to the browser that asked for it, which
// holds the token.
type Code struct {
	Hash      Hash   // of the token
	Customer  string // "" when the phone has no wallet: such a code was told to nobody and opens nothing
	Phone     Hash   // keyed digest of the phone
	Shown     string // the phone, masked
	Digits    Hash   // keyed digest of token and code
	Tries     int    // so far
	CreatedAt int64  // microseconds since 1970-01-01 UTC
	ExpiresAt int64
}

// LogIn is one person in one browser, from a code that was right to the log-out.
type LogIn struct {
	Hash      Hash   // of the token in the browser's cookie
	Customer  string // who
	Phone     Hash   // keyed digest of the phone that the code was sent to: another phone ends the log-in
	CreatedAt int64  // microseconds since 1970-01-01 UTC
	SeenAt    int64  // when it was last used, to the minute
}

// LiveAt reports whether the log-in may still be used at the given time.
func (l LogIn) LiveAt(at int64) bool {
	return at < l.SeenAt+IdleLife && at < l.CreatedAt+LogInLife
}

// NewToken returns 128 random bits as 22 characters of base64url, for a cookie.
func NewToken() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand aborts the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// NewCode returns the text of a fresh one-time code: CodeDigits digits, every one of the million as likely
// as the others but for one in 10^13.
func NewCode() string {
	var b [8]byte
	rand.Read(b[:])
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(b[:])%1_000_000)
}
