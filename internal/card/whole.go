package card

import (
	"fmt"
	"log/slog"
)

// Card is what a payer gives of a card; what was not given is zero. It prints, logs and encodes as the masked
// number, without the holder's name.
type Card struct {
	Number Number
	Expiry Expiry
	CVV    CVV
	Holder string // as ParseHolder returns it; personal data
}

// String is the masked number.
func (c Card) String() string { return c.Number.Masked() }

// GoString is String inside the type's name.
func (c Card) GoString() string { return "card.Card(" + c.String() + ")" }

// Format writes the masked number whatever the verb.
func (c Card) Format(f fmt.State, verb rune) { write(f, verb, c.String(), c.GoString()) }

// LogValue is the masked number, for package log/slog.
func (c Card) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText is the masked number: it does not come back by decoding.
func (c Card) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
