package connector

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"

	"plexy/internal/card"
)

// scramble hides digits from printers that reach past methods: package fmt calls none on unexported fields
// and prints the memory instead. It is no encryption. Its high bits are set, so no scrambled number is 0.
const scramble = 0x9e37_79b9_7f4a_7c15

// ErrNotDigits says that a text cannot be a card number or a CVV. It does not repeat the text.
var ErrNotDigits = errors.New("not the right number of digits")

// Number is a card number. Whatever prints, logs or encodes it shows its last four digits; only Reveal gives
// it away. Numbers can be compared. The zero Number is none.
type Number struct {
	packed uint64 // scrambled; 0 for none
	width  uint8
}

// CVV is the card verification value that the payer typed. Whatever prints, logs or encodes it shows stars.
// The zero CVV is none.
type CVV struct {
	packed uint64 // scrambled; 0 for none
	width  uint8
}

// NewNumber takes 12 to 19 digits and nothing else. Whether they are a card's is not its question.
func NewNumber(digits string) (Number, error) {
	packed, ok := pack(digits, 12, 19)
	if !ok {
		return Number{}, fmt.Errorf("card number: %w", ErrNotDigits)
	}
	return Number{packed, uint8(len(digits))}, nil
}

// NewCVV takes three or four digits and nothing else.
func NewCVV(digits string) (CVV, error) {
	packed, ok := pack(digits, 3, 4)
	if !ok {
		return CVV{}, fmt.Errorf("cvv: %w", ErrNotDigits)
	}
	return CVV{packed, uint8(len(digits))}, nil
}

// CardOf is the card that a payer gave, as an acquirer is asked with it. What was not given is zero.
func CardOf(c card.Card) (to Card, err error) {
	to = Card{Month: c.Expiry.Month, Year: c.Expiry.Year, Holder: c.Holder}
	if !c.Number.IsZero() {
		if to.Number, err = NewNumber(c.Number.Reveal()); err != nil {
			return Card{}, err
		}
	}
	if !c.CVV.IsZero() {
		to.CVV, err = NewCVV(c.CVV.RevealToAcquirer())
	}
	return to, err
}

// Reveal returns the digits, or "" for the zero Number: for the acquirer's wire and the vault, nobody else.
func (n Number) Reveal() string { return reveal(n.packed, n.width) }

// Reveal returns the digits, or "" for the zero CVV: for the acquirer's wire and nobody else.
func (c CVV) Reveal() string { return reveal(c.packed, c.width) }

// Given reports whether there is a CVV.
func (c CVV) Given() bool { return c.packed != 0 }

// String is the mask: ******1111, or "" for the zero Number.
func (n Number) String() string {
	if n.packed == 0 {
		return ""
	}
	digits := n.Reveal()
	return "******" + digits[len(digits)-4:]
}

// String is ***, or "" for the zero CVV.
func (c CVV) String() string {
	if c.packed == 0 {
		return ""
	}
	return "***"
}

// Format answers every verb of package fmt with the mask.
func (n Number) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, n.String()) }

// Format answers every verb of package fmt with stars.
func (c CVV) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// MarshalText gives encoders the mask.
func (n Number) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// MarshalText gives encoders stars.
func (c CVV) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// LogValue gives loggers the mask.
func (n Number) LogValue() slog.Value { return slog.StringValue(n.String()) }

// LogValue gives loggers stars.
func (c CVV) LogValue() slog.Value { return slog.StringValue(c.String()) }

// pack holds up to 19 digits as one comparable word: every number of 19 digits fits 64 bits.
func pack(digits string, least, most int) (packed uint64, ok bool) {
	if len(digits) < least || len(digits) > most {
		return 0, false
	}
	for at := range len(digits) {
		if digits[at] < '0' || digits[at] > '9' {
			return 0, false
		}
		packed = packed*10 + uint64(digits[at]-'0')
	}
	return packed ^ scramble, true
}

func reveal(packed uint64, width uint8) string {
	if packed == 0 {
		return ""
	}
	digits := strconv.FormatUint(packed^scramble, 10)
	for len(digits) < int(width) {
		digits = "0" + digits
	}
	return digits
}
