package customer

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// ErrPhone says that a text is no phone number of Kazakhstan. It does not repeat the text.
var ErrPhone = errors.New("not a phone number of Kazakhstan")

const (
	region      = "KZ"
	countryCode = 7

	nationalDigits = 10
	phoneDigits    = 1 + nationalDigits
	phoneLength    = 1 + phoneDigits // "+77012345678"

	maxPhoneText = 64 // bytes; the longest usual spelling has some 20 characters
)

// Phone is a checked phone number of Kazakhstan. The zero Phone stands for none. Two are equal, by ==, when
// they are the same number, however they were spelled. It prints, logs and encodes as "+7701*****67".
type Phone struct{ packed uint64 }

// ParsePhone reads a phone number in any form usual in Kazakhstan: international (+7 701 234-56-78, with or
// without the plus), national (8 701 234 56 78) or bare (701 234 56 78), with spaces, dashes, dots and
// brackets. The number must be valid for region KZ by Google's metadata (package phonenumbers): mobile,
// landline, and the numbers that Kazakhstan shares with Russia (800, 808, 809). Everything else is ErrPhone:
// numbers of other countries (an IIN's owner is reached at home, and Russia's +7 9xx must not be guessed
// from 8 9xx), letters standing for digits, extensions, "tel:" and digits that are not ASCII.
//
// What already is "+7" and ten digits is answered from a table made of the same metadata, in nanoseconds:
// the library takes some twenty microseconds. A test compares the two.
func ParsePhone(text string) (Phone, error) {
	if national, ok := canonical(text); ok {
		if !validPrefix(national) {
			return Phone{}, ErrPhone
		}
		return phoneOf(national), nil
	}
	if !usualSpelling(text) {
		return Phone{}, ErrPhone
	}
	return parseByLibrary(text)
}

// canonical reads "+7" and exactly ten digits.
func canonical(text string) (national uint64, ok bool) {
	if len(text) != phoneLength || text[0] != '+' || text[1] != '7' {
		return 0, false
	}
	for at := 2; at < phoneLength; at++ {
		digit := text[at] - '0'
		if digit > 9 {
			return 0, false
		}
		national = national*10 + uint64(digit)
	}
	return national, true
}

// usualSpelling keeps from the library what it would make sense of and a form's reader would not: vanity
// letters, extensions, several pluses. Spaces and dashes may be the typographic ones that get pasted.
func usualSpelling(text string) bool {
	if len(text) > maxPhoneText {
		return false
	}
	digits := 0
	for _, letter := range text {
		switch {
		case letter >= '0' && letter <= '9':
			digits++
		case letter == '+':
			if digits > 0 || strings.Count(text, "+") > 1 {
				return false
			}
		case !strings.ContainsRune(" -.()\u00a0\u2009\u202f\u2010\u2011\u2012\u2013\u2212", letter):
			return false
		}
	}
	return digits >= nationalDigits
}

func parseByLibrary(text string) (Phone, error) {
	number, err := phonenumbers.Parse(text, region)
	if err != nil {
		return Phone{}, ErrPhone // the library's error may one day quote its input
	}
	if number.GetCountryCode() != countryCode || !phonenumbers.IsValidNumberForRegion(number, region) {
		return Phone{}, ErrPhone
	}
	// Also valid are fourteen-digit toll-free numbers, which nobody is called at.
	national := number.GetNationalNumber()
	if len(phonenumbers.GetNationalSignificantNumber(number)) != nationalDigits {
		return Phone{}, ErrPhone
	}
	return phoneOf(national), nil
}

// phoneOf takes the ten digits of the national number.
func phoneOf(national uint64) Phone {
	const country = countryCode * 10_000_000_000
	return Phone{pack(country + national)}
}

// IsZero reports whether there is no phone.
func (p Phone) IsZero() bool { return p.packed == 0 }

// Reveal returns the number in E.164 ("+77012345678"; "" for the zero Phone). It may go to the vault and
// nowhere else.
func (p Phone) Reveal() string {
	if p.IsZero() {
		return ""
	}
	var room [phoneLength]byte
	return string(appendDigits(append(room[:0], '+'), p.packed, phoneDigits))
}

// Masked returns what may be shown: the operator's code and the last two digits, as "+7701*****67". The zero
// Phone is "".
func (p Phone) Masked() string {
	if p.IsZero() {
		return ""
	}
	var room [phoneLength]byte
	return mask(appendDigits(append(room[:0], '+'), p.packed, phoneDigits), len("+7701"), 2)
}

// String is Masked.
func (p Phone) String() string { return p.Masked() }

// GoString is Masked inside the type's name.
func (p Phone) GoString() string { return "customer.Phone(" + p.Masked() + ")" }

// Format writes the masked text whatever the verb.
func (p Phone) Format(f fmt.State, verb rune) {
	if verb == 'v' && f.Flag('#') {
		writeMasked(f, p.GoString())
		return
	}
	writeMasked(f, p.Masked())
}

// LogValue is the masked text, for package log/slog.
func (p Phone) LogValue() slog.Value { return slog.StringValue(p.Masked()) }

// MarshalText is the masked text: it does not come back by decoding.
func (p Phone) MarshalText() ([]byte, error) { return []byte(p.Masked()), nil }

// MarshalJSON is the masked text as a JSON string.
func (p Phone) MarshalJSON() ([]byte, error) { return strconv.AppendQuote(nil, p.Masked()), nil }
