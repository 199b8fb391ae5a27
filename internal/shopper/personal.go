package shopper

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/mail"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
)

// What a text is not. The errors do not repeat it.
var (
	ErrEmail = errors.New("not an e-mail address")
	ErrPhone = errors.New("not a phone number")
	ErrName  = errors.New("not a name: 1 to " + strconv.Itoa(MaxName) + " characters of text")
)

const (
	maxEmail     = 254 // bytes: what fits the path of SMTP (RFC 5321 §4.5.3.1.3)
	maxPhoneText = 64  // bytes; the longest usual spelling has some 20 characters
	home         = "KZ"
)

// personal is text that identifies a person. It is behind a pointer, so that printers which reach past
// methods show an address and not the text.
type personal struct {
	text  *string
	shown string
}

// IsZero reports whether there is no text.
func (p personal) IsZero() bool { return p.text == nil }

// Reveal returns the text, "" for none. It may go to the vault, and to a page of the person's own.
func (p personal) Reveal() string {
	if p.text == nil {
		return ""
	}
	return *p.text
}

// Masked returns what may be shown.
func (p personal) Masked() string { return p.shown }

// String is Masked.
func (p personal) String() string { return p.shown }

// GoString is Masked.
func (p personal) GoString() string { return p.shown }

// Format writes the masked text whatever the verb.
func (p personal) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, p.shown) // a printer's failure is its own to report
}

// LogValue is the masked text, for package log/slog.
func (p personal) LogValue() slog.Value { return slog.StringValue(p.shown) }

// MarshalText is the masked text: it does not come back by decoding.
func (p personal) MarshalText() ([]byte, error) { return []byte(p.shown), nil }

// Email is a checked e-mail address; the zero Email stands for none. It prints, logs and encodes as
// "a***@***".
type Email struct{ personal }

// ParseEmail reads an address as RFC 5322 writes it, without a name beside it: at most 254 bytes, a domain
// with a dot. Space around it is dropped. Everything else is ErrEmail. The whole address is taken in lower
// case: no mail server of today tells letters apart by case, and people write both.
func ParseEmail(text string) (Email, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	if len(text) > maxEmail || strings.ContainsFunc(text, unicode.IsControl) {
		return Email{}, ErrEmail
	}
	address, err := mail.ParseAddress(text)
	if err != nil || address.Name != "" || address.Address != text {
		return Email{}, ErrEmail // the library's error would quote its input
	}
	domain := text[strings.LastIndexByte(text, '@')+1:]
	if !strings.Contains(strings.Trim(domain, "."), ".") || strings.HasPrefix(domain, "[") {
		return Email{}, ErrEmail
	}
	_, size := utf8.DecodeRuneInString(text)
	return Email{personal{&text, text[:size] + "***@***"}}, nil
}

// Phone is a checked phone number; the zero Phone stands for none. It prints, logs and encodes as "+7***67".
type Phone struct{ personal }

// ParsePhone reads a phone number of any country in international form, or one of Kazakhstan in any form
// usual there, and keeps it in E.164 (+77012345678). The number must be a valid one by Google's metadata
// (package phonenumbers). Everything else is ErrPhone, letters that stand for digits and extensions too.
func ParsePhone(text string) (Phone, error) {
	if len(text) > maxPhoneText || strings.ContainsFunc(text, unicode.IsLetter) ||
		strings.ContainsAny(text, ";,#*=") {
		return Phone{}, ErrPhone
	}
	number, err := phonenumbers.Parse(text, home)
	if err != nil || !phonenumbers.IsValidNumber(number) {
		return Phone{}, ErrPhone // the library's error may one day quote its input
	}
	e164 := phonenumbers.Format(number, phonenumbers.E164)
	shown := "+" + strconv.Itoa(int(number.GetCountryCode())) + "***" + e164[len(e164)-2:]
	return Phone{personal{&e164, shown}}, nil
}

// Name is a person's name, as the person or a card writes it; the zero Name stands for none. It prints, logs
// and encodes as "***".
type Name struct{ personal }

// ParseName reads a name: UTF-8 text of 1 to MaxName characters without controls, and without the space
// around it. Everything else is ErrName.
func ParseName(text string) (Name, error) {
	text = strings.TrimSpace(text)
	if text == "" || !utf8.ValidString(text) || utf8.RuneCountInString(text) > MaxName ||
		strings.ContainsFunc(text, unicode.IsControl) {
		return Name{}, ErrName
	}
	return Name{personal{&text, "***"}}, nil
}
