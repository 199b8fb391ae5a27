// Package customer knows who a customer is: one IIN with one phone number. It reads both from the text that
// a merchant sends, says no to what cannot be one, and writes them in one spelling.
//
// Both are personal data. So the two types here show themselves masked wherever something prints, logs or
// encodes them, the errors never repeat what was sent, and only Reveal gives the digits away: a search for
// it finds every place that sees them. Nothing here stores anything; vault seals what the storage keeps.
package customer

import (
	"fmt"
	"io"
)

// scramble hides the digits from printers that reach past methods: package fmt calls none on unexported
// fields, and prints the memory instead. It is no encryption (vault does that), it keeps a careless "%+v"
// from writing a customer into a log. Its high bits are set, so a scrambled number is never 0.
const scramble = 0x9e37_79b9_7f4a_7c15

// pack holds up to 19 digits as one comparable word; 0 stays the word for "none".
func pack(number uint64) uint64 { return number ^ scramble }

// appendDigits writes the packed number with exactly width digits.
func appendDigits(dst []byte, packed uint64, width int) []byte {
	number := packed ^ scramble
	start := len(dst)
	for range width {
		dst = append(dst, '0')
	}
	for at := len(dst) - 1; at >= start; at-- {
		dst[at] = byte('0' + number%10)
		number /= 10
	}
	return dst
}

// mask keeps the first and the last characters of text and turns the rest into stars.
func mask(text []byte, first, last int) string {
	for at := first; at < len(text)-last; at++ {
		text[at] = '*'
	}
	return string(text)
}

// writeMasked answers every verb of package fmt, %d and %x too, with the same masked text.
func writeMasked(f fmt.State, masked string) {
	_, _ = io.WriteString(f, masked) // a printer's failure is its own to report
}
