package merchant

import (
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxEmail is how long an address may be: what a mail server must take (RFC 5321).
const maxEmail = 254

// Email is a mail address, which is personal data: it prints, logs and encodes as "o***@shop.kz". "" is none.
type Email string

// ParseEmail reads a bare address such as owner@shop.kz, by the rules of net/mail; "" is none. The error
// does not repeat what was read.
func ParseEmail(text string) (Email, error) {
	if text == "" {
		return "", nil
	}
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text || len(text) > maxEmail ||
		strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return "", fmt.Errorf("%w: contact_email must be an address such as owner@shop.kz, or empty", ErrSetting)
	}
	return Email(text), nil
}

// Reveal returns the whole address, for whoever sends a mail there.
func (e Email) Reveal() string { return string(e) }

// Masked returns the address as people may see it: its first letter and what is behind the at sign.
func (e Email) Masked() string {
	if e == "" {
		return ""
	}
	_, size := utf8.DecodeRuneInString(string(e))
	return string(e[:size]) + "***" + string(e[max(0, strings.LastIndexByte(string(e), '@')):])
}

// String returns the masked address.
func (e Email) String() string { return e.Masked() }

// GoString returns the masked address.
func (e Email) GoString() string { return e.Masked() }

// MarshalText returns the masked address.
func (e Email) MarshalText() ([]byte, error) { return []byte(e.Masked()), nil }

// parseLanguage reads the language that a merchant is written to in.
func parseLanguage(text string) (string, error) {
	switch text {
	case "kk", "ru", "en":
		return text, nil
	}
	return "", fmt.Errorf("%w: contact_language must be kk, ru or en", ErrSetting)
}
