package customer

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
)

// The reasons why a text is no IIN. Each wraps ErrIIN; none repeats the text.
var (
	ErrIIN        = errors.New("not an IIN")
	ErrIINLength  = fmt.Errorf("%w: it has not exactly 12 digits", ErrIIN)
	ErrIINCentury = fmt.Errorf("%w: the seventh digit is not 1 to 6", ErrIIN)
	ErrIINDate    = fmt.Errorf("%w: the first six digits are no date of birth", ErrIIN)
	ErrIINControl = fmt.Errorf("%w: the control digit does not fit", ErrIIN)
)

const iinLength = 12

// IIN is a checked individual identification number of Kazakhstan. The zero IIN stands for none. Two are
// equal, by ==, when they are the same number. It prints, logs and encodes as "99********12".
type IIN struct{ packed uint64 }

// ParseIIN reads an IIN: exactly 12 ASCII digits, nothing around them. Digits 1 to 6 are the date of birth
// as YYMMDD, digit 7 tells century and sex (1, 2: 1800s; 3, 4: 1900s; 5, 6: 2000s; odd is male), digits 8 to
// 11 a number of the registry's and digit 12 the control digit (rules of Kazakhstan's Law on national
// registers of identification numbers, 2007). A date in the future is accepted: there is no clock here.
// The error is one of ErrIINLength, ErrIINCentury, ErrIINDate and ErrIINControl.
func ParseIIN(text string) (IIN, error) {
	if len(text) != iinLength {
		return IIN{}, ErrIINLength
	}
	var digits [iinLength]uint8
	number := uint64(0)
	for at := range digits {
		digit := text[at] - '0' // wraps to above 9 for what sorts below '0'
		if digit > 9 {
			return IIN{}, ErrIINLength
		}
		digits[at] = digit
		number = number*10 + uint64(digit)
	}
	if digits[6] < 1 || digits[6] > 6 {
		return IIN{}, ErrIINCentury
	}
	if !isDate(&digits) {
		return IIN{}, ErrIINDate
	}
	if control, ok := controlDigit(&digits); !ok || control != digits[11] {
		return IIN{}, ErrIINControl
	}
	return IIN{pack(number)}, nil
}

// isDate checks the first six digits against the calendar of the century that the seventh names.
func isDate(digits *[iinLength]uint8) bool {
	year := 1800 + 100*(int(digits[6]-1)/2) + pair(digits, 0)
	month, day := pair(digits, 2), pair(digits, 4)
	return month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
}

func pair(digits *[iinLength]uint8, at int) int {
	return int(digits[at])*10 + int(digits[at+1])
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	default:
		return 31
	}
}

// controlDigit computes digit 12 from the first eleven: their sum with weights 1 to 11, modulo 11; if that
// is 10, once more with weights 3 to 11, 1, 2. Numbers that give 10 again are not issued: it answers false.
func controlDigit(digits *[iinLength]uint8) (digit uint8, ok bool) {
	first, second := 0, 0
	for at := range iinLength - 1 {
		first += int(digits[at]) * (at + 1)
		second += int(digits[at]) * ((at+2)%11 + 1)
	}
	if first%11 < 10 {
		return uint8(first % 11), true
	}
	if second%11 < 10 {
		return uint8(second % 11), true
	}
	return 0, false
}

// IsZero reports whether there is no IIN.
func (i IIN) IsZero() bool { return i.packed == 0 }

// Reveal returns the 12 digits ("" for the zero IIN). They may go to the vault and nowhere else.
func (i IIN) Reveal() string {
	if i.IsZero() {
		return ""
	}
	var room [iinLength]byte
	return string(appendDigits(room[:0], i.packed, iinLength))
}

// Masked returns what may be shown: the first and last two digits, as "99********12", so that neither the
// day of birth nor the sex can be read from it. The zero IIN is "".
func (i IIN) Masked() string {
	if i.IsZero() {
		return ""
	}
	var room [iinLength]byte
	return mask(appendDigits(room[:0], i.packed, iinLength), 2, 2)
}

// String is Masked.
func (i IIN) String() string { return i.Masked() }

// GoString is Masked inside the type's name.
func (i IIN) GoString() string { return "customer.IIN(" + i.Masked() + ")" }

// Format writes the masked text whatever the verb.
func (i IIN) Format(f fmt.State, verb rune) {
	if verb == 'v' && f.Flag('#') {
		writeMasked(f, i.GoString())
		return
	}
	writeMasked(f, i.Masked())
}

// LogValue is the masked text, for package log/slog.
func (i IIN) LogValue() slog.Value { return slog.StringValue(i.Masked()) }

// MarshalText is the masked text: it does not come back by decoding.
func (i IIN) MarshalText() ([]byte, error) { return []byte(i.Masked()), nil }

// MarshalJSON is the masked text as a JSON string.
func (i IIN) MarshalJSON() ([]byte, error) { return strconv.AppendQuote(nil, i.Masked()), nil }
