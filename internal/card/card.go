// Package card knows what a payment card's data look like: number, brand, expiry, CVV, the holder's name. It
// reads them from text, says no to what cannot be one, and finds card numbers where none belongs.
//
// It keeps nothing and decides nothing about money. Number and CVV show themselves masked wherever something
// prints, logs or encodes them, no error repeats what was sent, and only Reveal and RevealToAcquirer give the
// digits away: a search for these words finds every place that sees them.
package card

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
)

// What a text is not. No error repeats the text.
var (
	// ErrNumber says that a text is no card number: 12 to 19 digits, the first of them not 0.
	ErrNumber = errors.New("not a card number")
	// ErrCheckDigit says that the digits fail the check of ISO/IEC 7812-1, annex B (Luhn): one was mistyped. It
	// is an ErrNumber, too.
	ErrCheckDigit = fmt.Errorf("%w: its check digit does not fit", ErrNumber)
	// ErrCVV says that a text is not three or four digits.
	ErrCVV = errors.New("not a card verification value")
)

const (
	minDigits = 12 // of a card number: the shortest of Maestro
	maxDigits = 19 // ISO/IEC 7812-1

	// scramble hides digits from printers that reach past methods: package fmt calls none on unexported fields
	// and prints the memory instead. It is no encryption (vault does that). It has 20 digits, so what is
	// scrambled is never 0.
	scramble = 0x9e37_79b9_7f4a_7c15

	// fourDigits is the least packed CVV of four digits: its first digit is its width.
	fourDigits = 40_000
)

// Number is a card number: 12 to 19 digits that pass the Luhn check. The zero Number stands for none. Two are
// equal, by ==, when they are the same number. It prints, logs and encodes as "******1111".
type Number struct{ packed uint64 }

// ParseNumber reads a card number as people type it: digits, with spaces and dashes between them (those of
// the guard, see HasNumber), at most three in a row, and spaces around. The brand need not be a known one.
func ParseNumber[Text ~[]byte | ~string](text Text) (Number, error) {
	var (
		room   [maxDigits]byte
		digits = room[:0]
		gap    = maxGap + 1 // no limit before the first digit
	)
	defer clear(room[:])
	for at := 0; at < len(text); {
		if c := text[at]; '0' <= c && c <= '9' {
			if len(digits) == maxDigits || gap > maxGap && len(digits) > 0 {
				return Number{}, ErrNumber
			}
			digits = append(digits, c)
			gap = 0
			at++
			continue
		}
		width := separator(text, at)
		if width == 0 {
			return Number{}, ErrNumber
		}
		gap++
		at += width
	}
	if len(digits) < minDigits || digits[0] == '0' {
		return Number{}, ErrNumber
	}
	if !Luhn(digits) {
		return Number{}, ErrCheckDigit
	}
	return Number{packDigits(digits) ^ scramble}, nil
}

// Luhn reports whether the last digit is the check digit of the others. Nothing but digits passes, nor do
// fewer than two.
func Luhn[Text ~[]byte | ~string](digits Text) bool {
	sum, double := 0, false
	for at := len(digits) - 1; at >= 0; at-- {
		digit := int(digits[at]) - '0'
		if digit < 0 || digit > 9 {
			return false
		}
		if double {
			if digit *= 2; digit > 9 {
				digit -= 9
			}
		}
		sum += digit
		double = !double
	}
	return len(digits) > 1 && sum%10 == 0
}

func packDigits(digits []byte) (number uint64) {
	for _, digit := range digits {
		number = number*10 + uint64(digit-'0')
	}
	return number
}

// IsZero reports whether there is no number.
func (n Number) IsZero() bool { return n.packed == 0 }

// Append appends the digits to dst, nothing for the zero Number: for the vault and the acquirer's wire, and
// for a buffer that is cleared after use.
func (n Number) Append(dst []byte) []byte {
	if n.IsZero() {
		return dst
	}
	return strconv.AppendUint(dst, n.packed^scramble, 10)
}

// Reveal returns the digits, "" for the zero Number. They may go to the acquirer's wire and nowhere else;
// what can be cleared after use takes Append instead.
func (n Number) Reveal() string { return string(n.Append(nil)) }

// Last4 returns the last four digits, which may be shown and stored; "" for the zero Number.
func (n Number) Last4() string {
	if n.IsZero() {
		return ""
	}
	const four = 10_000
	return strconv.FormatUint(four+(n.packed^scramble)%four, 10)[1:]
}

// Prefix returns the first six digits, by which issuer and brand are known; "" for the zero Number. Together
// with the last four it is as much as may ever be shown (PCI DSS 3.4.1).
func (n Number) Prefix() string {
	var room [maxDigits]byte
	defer clear(room[:])
	digits := n.Append(room[:0])
	return string(digits[:min(prefixDigits, len(digits))])
}

// Masked returns what is shown of the number, as the API shows it: "******1111", however long the number is;
// "" for the zero Number.
func (n Number) Masked() string {
	if n.IsZero() {
		return ""
	}
	return "******" + n.Last4()
}

// Brand returns the brand by prefix and length, Unknown when it is none of the table.
func (n Number) Brand() Brand {
	var room [maxDigits]byte
	defer clear(room[:])
	return brandOf(n.Append(room[:0]))
}

// String is Masked.
func (n Number) String() string { return n.Masked() }

// GoString is Masked inside the type's name.
func (n Number) GoString() string { return "card.Number(" + n.Masked() + ")" }

// Format writes the masked text whatever the verb.
func (n Number) Format(f fmt.State, verb rune) { write(f, verb, n.Masked(), n.GoString()) }

// LogValue is the masked text, for package log/slog.
func (n Number) LogValue() slog.Value { return slog.StringValue(n.Masked()) }

// MarshalText is the masked text: it does not come back by decoding.
func (n Number) MarshalText() ([]byte, error) { return []byte(n.Masked()), nil }

// CVV is the value on a card that proves that it is at hand: three or four digits. The zero CVV stands for
// none. It prints, logs and encodes as "***".
//
// It is never stored, not even sealed (PCI DSS 3.3.1). So it has no Reveal and no Append, and only rooms
// below connector may call RevealToAcquirer, none of which can seal or store anything; a house test holds
// them to it.
type CVV struct{ packed uint64 }

// ParseCVV reads three or four digits and nothing else.
func ParseCVV[Text ~[]byte | ~string](text Text) (CVV, error) {
	if len(text) != 3 && len(text) != 4 {
		return CVV{}, ErrCVV
	}
	number := uint64(len(text)) // before the digits, so that leading zeros are not lost
	for at := range len(text) {
		if text[at] < '0' || text[at] > '9' {
			return CVV{}, ErrCVV
		}
		number = number*10 + uint64(text[at]-'0')
	}
	return CVV{number ^ scramble}, nil
}

// IsZero reports whether there is no CVV.
func (c CVV) IsZero() bool { return c.packed == 0 }

// RevealToAcquirer returns the digits, "" for the zero CVV: for the wire of the authorization, nothing else.
func (c CVV) RevealToAcquirer() string {
	if c.IsZero() {
		return ""
	}
	return strconv.FormatUint(c.packed^scramble, 10)[1:] // the first digit is the width
}

// Is reports whether the CVV is these digits: for a sandbox, whose test values make cards fail.
func (c CVV) Is(digits string) bool {
	other, err := ParseCVV(digits)
	return err == nil && c == other
}

// Fits reports whether the CVV has as many digits as the brand's cards have; three or four where the brand is
// not known. The zero CVV fits none.
func (c CVV) Fits(b Brand) bool {
	if c.IsZero() {
		return false
	}
	width := 3
	if c.packed^scramble >= fourDigits {
		width = 4
	}
	s, known := b.Scheme()
	return !known || s.CVV == width
}

// String shows stars, "" for the zero CVV.
func (c CVV) String() string {
	if c.IsZero() {
		return ""
	}
	return "***"
}

// GoString is String inside the type's name.
func (c CVV) GoString() string { return "card.CVV(" + c.String() + ")" }

// Format writes stars whatever the verb.
func (c CVV) Format(f fmt.State, verb rune) { write(f, verb, c.String(), c.GoString()) }

// LogValue is String, for package log/slog.
func (c CVV) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText is String: it does not come back by decoding.
func (c CVV) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// write answers every verb of package fmt, %d and %x too, with the masked text.
func write(f fmt.State, verb rune, masked, inGo string) {
	if verb == 'v' && f.Flag('#') {
		masked = inGo
	}
	_, _ = io.WriteString(f, masked) // a printer's failure is its own to report
}
