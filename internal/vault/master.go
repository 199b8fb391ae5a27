package vault

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
)

const (
	masterPrefix = "plexy-master-1:"
	masterBytes  = 32
	checkBytes   = 16
)

// Six keys come from the master key, by HKDF with these labels, so that the value stored as a check says
// nothing about the key that wraps.
const (
	wrapLabel  = "plexy vault 1: wrap data keys"
	checkLabel = "plexy vault 1: check value"
	printLabel = "plexy vault 1: fingerprints of requests"
	hookLabel  = "plexy vault 1: secrets of webhooks"
	pagesLabel = "plexy vault 1: pages for people"
	bankLabel  = "plexy vault 1: the acquirer of a sandbox"
)

// ErrMasterText says that a text is not a master key. It does not repeat the text.
var ErrMasterText = errors.New(`vault: not a master key: want "` + masterPrefix +
	`" and 43 characters of base64url`)

// Master is the master key: it wraps the data keys. It keeps only what it needs for that, not its text, and
// shows nothing when printed.
type Master struct {
	wrap     tink.AEAD
	check    string
	print    []byte
	hook     []byte
	pages    []byte
	bank     []byte
	distinct int // how many different bytes the key has
}

// NewMaster makes the text of a fresh master key: one line, with its newline, for a file that only the
// server's user may read. Without it everything sealed in the database is lost.
func NewMaster() (text []byte) {
	var key [masterBytes]byte
	_, _ = rand.Read(key[:]) // never fails: crypto/rand aborts the program instead
	text = base64.RawURLEncoding.AppendEncode([]byte(masterPrefix), key[:])
	return append(text, '\n')
}

// ParseMaster reads the text that NewMaster made; space around it does not matter. The error is
// ErrMasterText for anything else.
func ParseMaster(text []byte) (*Master, error) {
	encoded, ok := bytes.CutPrefix(bytes.TrimSpace(text), []byte(masterPrefix))
	if !ok || len(encoded) != base64.RawURLEncoding.EncodedLen(masterBytes) {
		return nil, ErrMasterText
	}
	var key [masterBytes]byte
	if n, err := base64.RawURLEncoding.Strict().Decode(key[:], encoded); err != nil || n != masterBytes {
		return nil, ErrMasterText // base64's own error would quote a character of the key
	}
	wrapKey, err := hkdf.Key(sha256.New, key[:], nil, wrapLabel, masterBytes)
	if err != nil {
		return nil, fmt.Errorf("vault: derive the wrapping key: %w", err)
	}
	check, err := hkdf.Key(sha256.New, key[:], nil, checkLabel, checkBytes)
	if err != nil {
		return nil, fmt.Errorf("vault: derive the check value: %w", err)
	}
	print, err := hkdf.Key(sha256.New, key[:], nil, printLabel, masterBytes)
	if err != nil {
		return nil, fmt.Errorf("vault: derive the fingerprint key: %w", err)
	}
	hook, err := hkdf.Key(sha256.New, key[:], nil, hookLabel, masterBytes)
	if err != nil {
		return nil, fmt.Errorf("vault: derive the key of webhooks: %w", err)
	}
	pages, err := hkdf.Key(sha256.New, key[:], nil, pagesLabel, masterBytes)
	if err != nil {
		return nil, fmt.Errorf("vault: derive the pages' key: %w", err)
	}
	bank, err := hkdf.Key(sha256.New, key[:], nil, bankLabel, masterBytes)
	if err != nil {
		return nil, fmt.Errorf("vault: derive the key of the sandbox's acquirer: %w", err)
	}
	wrap, err := wrapper(wrapKey)
	if err != nil {
		return nil, fmt.Errorf("vault: build the wrapping cipher: %w", err)
	}
	different := map[byte]bool{}
	for _, b := range key {
		different[b] = true
	}
	return &Master{
		wrap: wrap, check: base64.RawURLEncoding.EncodeToString(check), print: print, hook: hook,
		distinct: len(different), pages: pages, bank: bank,
	}, nil
}

// byHand is how few different bytes make a key look typed. The 32 random bytes of NewMaster have about 30
// different ones; fewer than 16 do not come about.
const byHand = 16

// Guessable reports whether the key looks like an example or like what somebody typed, such as one letter
// again and again, and not like what NewMaster makes.
func (m *Master) Guessable() bool { return m.distinct < byHand }

// wrapper is Tink's AES-256-GCM with a key of ours. It needs no key id in front of what it makes: there is
// one master key.
func wrapper(key []byte) (tink.AEAD, error) {
	parameters, err := aesgcm.NewParameters(aesgcm.ParametersOpts{
		KeySizeInBytes: masterBytes,
		IVSizeInBytes:  12,
		TagSizeInBytes: 16,
		Variant:        aesgcm.VariantNoPrefix,
	})
	if err != nil {
		return nil, err
	}
	secret := secretdata.NewBytesFromData(key, insecuresecretdataaccess.Token{})
	wrapKey, err := aesgcm.NewKey(secret, 0, parameters)
	if err != nil {
		return nil, err
	}
	return aesgcm.NewAEAD(wrapKey)
}

// FingerprintKey keys the fingerprints of requests that are stored under idempotency keys. A fingerprint is
// of an IIN and a phone among others, which could be found by trying all if it had no key. It does not change
// when the data keys do, so that a request means the same before and after a rotation.
func (m *Master) FingerprintKey() []byte { return m.print }

// WebhookKey is what the secrets and tokens of webhook endpoints are derived from. It does not change when
// the data keys do: what merchants were shown stays valid.
func (m *Master) WebhookKey() []byte { return m.hook }

// PagesKey keys the digests of one-time codes, phones and addresses that the pages for people keep, and the
// tokens of their forms: there are only a million codes, and a digest without a key would be one of them.
func (m *Master) PagesKey() []byte { return m.pages }

// BankKey is what the pretend acquirer of a sandbox seals its authentications and signs its callbacks with.
func (m *Master) BankKey() []byte { return m.bank }

// Check is a value to store in the database, by which a process finds out that its master key is another
// one before it writes anything. Nothing about the key can be learned from it.
func (m *Master) Check() string { return m.check }

// Fits reports whether check was made by this master key, in constant time.
func (m *Master) Fits(check string) bool {
	return subtle.ConstantTimeCompare([]byte(m.check), []byte(check)) == 1
}

// String shows nothing.
func (m *Master) String() string { return "vault.Master(hidden)" }

// GoString shows nothing.
func (m *Master) GoString() string { return m.String() }
