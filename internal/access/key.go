// Package access says who may do what. Today that is the API key: whoever holds one acts for its
// merchant.
package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// Key is an API key as it is kept: only its hash. The key has 128 random bits, so a plain SHA-256 is
// safe and costs less than a microsecond on every request; a password hash would cost milliseconds.
type Key struct {
	ID        string
	Merchant  string
	Hash      Hash
	CreatedAt int64 // microseconds since 1970-01-01 UTC
	RevokedAt int64 // 0 while the key is live
}

// Hash is the SHA-256 of a key's text.
type Hash [sha256.Size]byte

// NewSecret returns the text of a fresh key: pr_ and 32 hexadecimal digits. It is shown once.
func NewSecret() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand aborts the program instead
	return "pr_" + hex.EncodeToString(b[:])
}

// HashOf returns the hash under which the key with this text is kept.
func HashOf(secret string) Hash {
	var room [64]byte // a key fits, so that hashing one allocates nothing
	return sha256.Sum256(append(room[:0], secret...))
}

// WellFormed reports whether text has the form of a key, so that nothing else is ever looked up.
func WellFormed(text string) bool {
	if len(text) != 35 || text[:3] != "pr_" {
		return false
	}
	for _, c := range []byte(text[3:]) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
