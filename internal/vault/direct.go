package vault

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"

	"plexy/internal/card"
)

const (
	directBits  = 2048 // of a direct key: clients send 344 characters of base64 a field
	directBytes = directBits / 8
)

// Padding is how clients pad what they encrypt under a direct key.
type Padding int

// The paddings. OAEP is the one to use, with SHA-256 for both hashes and no label. PKCS1v15 is for old
// clients, where a setting allows it: nothing of it may show whether a ciphertext was well padded.
const (
	OAEP Padding = iota
	PKCS1v15
)

// EncryptedCard is a card as clients send it for a direct payment: each field encrypted by itself, in base64
// (standard alphabet, padded); "" for what was not sent.
type EncryptedCard struct {
	Number string // encryptedCardNumber
	Month  string // encryptedExpiryMonth
	Year   string // encryptedExpiryYear
	CVV    string // encryptedCvv
	Holder string // encryptedCardholderName
}

// BadField is the error about a field of an EncryptedCard, by its name in the API. It says the same whether
// the text is not base64, the ciphertext was made with another key or altered, or what is in it is not what
// belongs there: who sends altered ciphertexts learns nothing from it.
type BadField string

// Error names the field.
func (b BadField) Error() string {
	return "vault: " + string(b) + " does not decrypt to what belongs there"
}

// DirectKey is an RSA key under which clients encrypt cards for direct payments. It may be used by any number
// of goroutines. It prints nothing of itself.
type DirectKey struct {
	private crypto.Decrypter // an *rsa.PrivateKey
	public  *rsa.PublicKey
	instead []byte // keys what is read in place of a badly padded ciphertext
}

// NewDirectKey makes an RSA key of 2048 bits, which takes a few tenths of a second. public is the key that
// clients get, as SPKI in PEM; sealed the private one, as PKCS #8 in DER, for the record with that id, under
// the active data key.
func (v *Vault) NewDirectKey(recordID string) (public string, sealed []byte, err error) {
	key, err := rsa.GenerateKey(rand.Reader, directBits)
	if err != nil {
		return "", nil, fmt.Errorf("vault: make a direct key: %w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return "", nil, fmt.Errorf("vault: write a direct key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", nil, errors.New("vault: write a direct key") // the error may have seen the key
	}
	defer clear(der)
	if sealed, err = v.Seal(PurposeDirectKey, recordID, der); err != nil {
		return "", nil, err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})), sealed, nil
}

// OpenDirectKey opens what NewDirectKey sealed for the record with that id. It fails with ErrKey or
// ErrSealed.
func (v *Vault) OpenDirectKey(keyID, recordID string, sealed []byte) (*DirectKey, error) {
	der, err := v.Unseal(keyID, PurposeDirectKey, recordID, sealed)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok || key.Size() != directBytes {
		return nil, ErrSealed // by somebody who has the data key, and not by NewDirectKey
	}
	mac := hmac.New(sha256.New, []byte("plexy vault 1: in place of bad padding"))
	_, _ = mac.Write(der) // a hash never fails
	return &DirectKey{private: key, public: &key.PublicKey, instead: mac.Sum(nil)}, nil
}

// String shows nothing.
func (k *DirectKey) String() string { return "vault.DirectKey(hidden)" }

// Format shows nothing, whatever the verb.
func (k *DirectKey) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, k.String()) // a printer's failure is its own to report
}

// Decrypt reads a card. What was not sent stays zero. The error is a BadField, the first in the order of
// EncryptedCard, or card.ErrCheckDigit when everything can be read and the number was mistyped.
//
// Every field that was sent is decrypted before anything is said about any, also when its text is no
// ciphertext at all: all bad fields take the same work.
func (k *DirectKey) Decrypt(p Padding, e EncryptedCard) (card.Card, error) {
	var plains [5]plain
	defer func() {
		for i := range plains {
			clear(plains[i].room[:])
		}
	}()
	for i, text := range [...]string{e.Number, e.Month, e.Year, e.CVV, e.Holder} {
		if text != "" {
			k.decrypt(p, text, &plains[i])
		}
	}
	return readCard(&plains)
}

// plain is what was in one field, in room that does not tell how long it was.
type plain struct {
	sent bool
	bad  bool // it did not decrypt, and said so: OAEP only
	room [directBytes]byte
	used int
}

func (p *plain) text() []byte { return p.room[:p.used] }

// decrypt decrypts one field. What is no ciphertext is replaced by one that is, and is bad whatever comes of
// it.
func (k *DirectKey) decrypt(p Padding, text string, to *plain) {
	ciphertext, ok := k.ciphertext(text)
	to.sent, to.bad = true, !ok
	if p == PKCS1v15 {
		k.decryptPKCS1(ciphertext, to)
		return
	}
	message, err := k.private.Decrypt(nil, ciphertext, &rsa.OAEPOptions{Hash: crypto.SHA256})
	to.bad = to.bad || err != nil
	to.used = copy(to.room[:], message)
	clear(message)
}

// ciphertext reads base64; a stand-in and false for what no client could have made with the public key.
func (k *DirectKey) ciphertext(text string) ([]byte, bool) {
	if len(text) == base64.StdEncoding.EncodedLen(directBytes) {
		c, err := base64.StdEncoding.Strict().DecodeString(text)
		if err == nil && len(c) == directBytes && bytes.Compare(c, k.public.N.Bytes()) < 0 {
			return c, true
		}
	}
	c := make([]byte, directBytes)
	c[directBytes-1] = 2
	return c, false
}

// decryptPKCS1 never fails: in place of a badly padded message it reads one of random bytes and random
// length, always the same for the same ciphertext, which nobody without the key can tell from a well padded
// message of nonsense (implicit rejection, as of draft-irtf-cfrg-rsa-guidance). Both are made, then one is
// chosen.
func (k *DirectKey) decryptPKCS1(ciphertext []byte, to *plain) {
	message, err := k.private.Decrypt(nil, ciphertext, nil)
	to.used = copy(to.room[:], message)
	clear(message)
	other, used := k.rejected(ciphertext)
	wrong := 0
	if err != nil {
		wrong = 1
	}
	subtle.ConstantTimeCopy(wrong, to.room[:], other[:])
	to.used = subtle.ConstantTimeSelect(wrong, used, to.used)
}

// rejected is what is read in place of a badly padded ciphertext.
func (k *DirectKey) rejected(ciphertext []byte) (room [directBytes]byte, used int) {
	const overhead = 11 // of the padding: the longest message has so many bytes less than the key
	mac := hmac.New(sha256.New, k.instead)
	_, _ = mac.Write(ciphertext)
	seed := mac.Sum(nil)
	block := func(n byte) []byte {
		mac := hmac.New(sha256.New, seed)
		_, _ = mac.Write([]byte{n})
		return mac.Sum(nil)
	}
	for at := 0; at < len(room); at += sha256.Size {
		copy(room[at:], block(byte(at/sha256.Size)))
	}
	return room, int(binary.BigEndian.Uint32(block(255)) % (directBytes - overhead + 1))
}

// readCard makes a card of the fields' clear text, in the order of EncryptedCard.
func readCard(plains *[5]plain) (c card.Card, err error) {
	var expiry card.Expiry
	read := [...]struct {
		name string
		read func(text []byte) error
	}{
		{"encryptedCardNumber", func(text []byte) (err error) {
			c.Number, err = card.ParseNumber(text)
			return err
		}},
		{"encryptedExpiryMonth", func(text []byte) (err error) {
			expiry, err = card.ParseMonthYear(text, []byte("00"))
			c.Expiry.Month = expiry.Month
			return err
		}},
		{"encryptedExpiryYear", func(text []byte) (err error) {
			expiry, err = card.ParseMonthYear([]byte("01"), text)
			c.Expiry.Year = expiry.Year
			return err
		}},
		{"encryptedCvv", func(text []byte) (err error) { c.CVV, err = card.ParseCVV(text); return err }},
		{"encryptedCardholderName", func(text []byte) (err error) {
			c.Holder, err = card.ParseHolder(string(text))
			return err
		}},
	}
	var first error
	for i := range plains {
		if !plains[i].sent {
			continue
		}
		switch err := read[i].read(plains[i].text()); {
		case first != nil && first != card.ErrCheckDigit:
		case plains[i].bad || err != nil && !errors.Is(err, card.ErrCheckDigit):
			first = BadField(read[i].name)
		case err != nil:
			first = card.ErrCheckDigit // said when nothing else is wrong
		}
	}
	if first != nil {
		return card.Card{}, first
	}
	return c, nil
}
