// Package webhook tells merchants' servers what happened, over HTTP.
//
// One attempt needs no storage: the signature (sign.go), the addresses that may be called (guard.go), the
// request and what its answer means (send.go). Nor does what comes after it: when to try again, and how fast
// (schedule.go, breaker.go).
package webhook

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"plexy/internal/event"
)

// keyBytes is the size of the key, of a secret and of a token. Standard Webhooks allows 24 to 64.
const keyBytes = 32

// How secrets and tokens look to a person.
const (
	secretPrefix = "whsec_" // as Standard Webhooks wants it
	publicPrefix = "whpk_"  // likewise
	tokenPrefix  = "whtok_"
)

// ErrUnsigned says that a message cannot be signed, and is not sent: it has nothing to sign with, or what
// nobody derived, or an id that would make the signature ambiguous.
var ErrUnsigned = errors.New("webhook: a message cannot be signed")

// hidden is a value that shows itself to nobody: not to fmt, whatever the verb, not to a log, not to JSON.
type hidden struct{ bytes [keyBytes]byte }

const mask = "(hidden)"

// String shows nothing.
func (hidden) String() string { return mask }

// GoString shows nothing.
func (hidden) GoString() string { return mask }

// Format shows nothing, whatever the verb.
func (hidden) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(mask)) }

// LogValue shows nothing.
func (hidden) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText shows nothing.
func (hidden) MarshalText() ([]byte, error) { return []byte(mask), nil }

func (h hidden) missing() bool { return h == hidden{} }

// Key is what all secrets and tokens are derived from, so that none of them is stored: whoever has the
// database but not the master key can sign nothing.
type Key struct{ hidden }

// NewKey makes the key from the 32 bytes that vault.Master gives for it.
func NewKey(secret []byte) (Key, error) {
	if len(secret) != keyBytes {
		return Key{}, fmt.Errorf("webhook: a key has %d bytes, not %d", keyBytes, len(secret))
	}
	var k Key
	copy(k.bytes[:], secret)
	return k, nil
}

// Secret signs the deliveries to one endpoint. The zero Secret signs nothing.
type Secret struct{ hidden }

// PrivateKey signs the deliveries to one endpoint with Ed25519: whoever has the public key can verify them,
// and nobody else can make them. The zero PrivateKey signs nothing.
type PrivateKey struct{ hidden }

// Token is what an endpoint's deliveries carry as Authorization: Bearer. The zero Token is carried by none.
type Token struct{ hidden }

// Secret derives the secret of an endpoint. Each version is another one; the same version is always the same.
func (k Key) Secret(endpoint string, version int64) Secret {
	return Secret{k.derive("secret", endpoint, version)}
}

// PrivateKey derives the private key of an endpoint: the seed of RFC 8032. Its versions are the secret's.
func (k Key) PrivateKey(endpoint string, version int64) PrivateKey {
	return PrivateKey{k.derive("ed25519", endpoint, version)}
}

// PublicKey is the public key with which the endpoint's deliveries are verified, or "" when Ed25519 does not
// sign them. Anybody may know it.
func (k Key) PublicKey(e *event.Endpoint) string {
	if !e.Signed(event.Ed25519) {
		return ""
	}
	return k.PrivateKey(e.ID, e.Secret).Public()
}

// Signers puts into the message what signs it for the endpoint at the given time of the application's clock,
// in each of the endpoint's ways: the present version, and while it is rotated also the one before.
func (k Key) Signers(m *Message, e *event.Endpoint, now int64) {
	versions := []int64{e.Secret}
	if e.PreviousUntil > now {
		versions = append(versions, e.Secret-1)
	}
	for _, version := range versions {
		if e.Signed(event.HMAC) {
			m.Secrets = append(m.Secrets, k.Secret(e.ID, version))
		}
		if e.Signed(event.Ed25519) {
			m.PrivateKeys = append(m.PrivateKeys, k.PrivateKey(e.ID, version))
		}
	}
}

// Token derives the token of an endpoint. Its versions are its own: a new secret needs no new token.
func (k Key) Token(endpoint string, version int64) Token {
	return Token{k.derive("token", endpoint, version)}
}

// derive is HKDF's expansion with a label that no two purposes, endpoints or versions share. Written another
// way it would make other secrets than merchants were shown.
func (k Key) derive(purpose, endpoint string, version int64) hidden {
	label := fmt.Sprintf("plexy webhook 1: %s %d %s", purpose, version, endpoint)
	derived, err := hkdf.Expand(sha256.New, k.bytes[:], label, keyBytes)
	if err != nil {
		panic("webhook: a key of fixed size cannot be derived") // only a longer one can fail
	}
	var h hidden
	copy(h.bytes[:], derived)
	return h
}

// Reveal returns the secret as its merchant is shown it, once: whsec_ and base64.
func (s Secret) Reveal() string { return secretPrefix + base64.StdEncoding.EncodeToString(s.bytes[:]) }

// Public returns the public key as Standard Webhooks writes it: whpk_ and base64.
func (p PrivateKey) Public() string {
	public := ed25519.NewKeyFromSeed(p.bytes[:]).Public().(ed25519.PublicKey)
	return publicPrefix + base64.StdEncoding.EncodeToString(public)
}

// Reveal returns the token as its merchant is shown it, once: whtok_ and base64url without padding.
func (t Token) Reveal() string { return tokenPrefix + base64.RawURLEncoding.EncodeToString(t.bytes[:]) }

// sign returns the signature of version 1 of Standard Webhooks.
func (s Secret) sign(id, seconds string, body []byte) string {
	mac := hmac.New(sha256.New, s.bytes[:])
	_, _ = mac.Write([]byte(id + "." + seconds + ".")) // a hash never fails
	_, _ = mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// sign returns the asymmetric signature of Standard Webhooks, over the same as the other one.
func (p PrivateKey) sign(id, seconds string, body []byte) string {
	signed := append([]byte(id+"."+seconds+"."), body...)
	return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(ed25519.NewKeyFromSeed(p.bytes[:]), signed))
}

// Message is what an attempt sends, and what it is signed with. Only the time differs between the attempts.
type Message struct {
	// ID is what the receiver tells doubles by, the same on every attempt.
	ID string
	// Body is sent as it is, and not changed.
	Body []byte
	// Token goes into the Authorization header.
	Token Token
	// Secrets and PrivateKeys sign, all of them; there must be one. See Key.Signers.
	Secrets     []Secret
	PrivateKeys []PrivateKey
	// Marks are further headers, such as one that says that a message is sent again by hand. They are not
	// signed, and cannot replace the headers that matter.
	Marks http.Header
}

// Headers makes the headers of an attempt at that time, in microseconds: those of Standard Webhooks 1.0 and
// Plexy's own Authorization. The time is the machine's, not a sandbox's clock, which no receiver follows.
// ErrUnsigned if the message cannot be signed.
func Headers(m Message, at int64) (http.Header, error) {
	if m.ID == "" || strings.ContainsAny(m.ID, ". \r\n") || m.Token.missing() ||
		len(m.Secrets)+len(m.PrivateKeys) == 0 {
		return nil, ErrUnsigned
	}
	seconds := strconv.FormatInt(at/1_000_000, 10)
	var signatures []string
	for _, s := range m.Secrets {
		if s.missing() {
			return nil, ErrUnsigned
		}
		signatures = append(signatures, s.sign(m.ID, seconds, m.Body))
	}
	for _, p := range m.PrivateKeys {
		if p.missing() {
			return nil, ErrUnsigned
		}
		signatures = append(signatures, p.sign(m.ID, seconds, m.Body))
	}
	h := http.Header{}
	for name, values := range m.Marks {
		h[http.CanonicalHeaderKey(name)] = values
	}
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "Plexy")
	h.Set("Authorization", "Bearer "+m.Token.Reveal())
	h.Set("webhook-id", m.ID)
	h.Set("webhook-timestamp", seconds)
	h.Set("webhook-signature", strings.Join(signatures, " "))
	return h, nil
}
