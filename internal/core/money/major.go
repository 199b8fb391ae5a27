package money

import (
	"math"
	"strings"
)

// AppendMajor appends an amount of minor units in major ones, as a JSON number: exact, without zeros at the
// end of the fraction, and without a fraction where there is none. 12650 in KZT is 126.5, 12600 is 126.
func AppendMajor(dst []byte, minor int64, c Currency) []byte {
	dst = AppendDecimal(dst, minor, c)
	if c.Exponent() == 0 {
		return dst
	}
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	if dst[len(dst)-1] == '.' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// Major is AppendMajor as text.
func Major(minor int64, c Currency) string { return string(AppendMajor(nil, minor, c)) }

// ParseMajor reads an amount in major units as JSON writes a number, and returns its minor units: digits,
// with a fraction or without. It answers false for everything that is no whole number of minor units (126.275
// in KZT; zeros at the end say nothing and may stand there), for signs, exponents, zeros before the number,
// whatever does not fit an int64, and all that is no number.
func ParseMajor(text string, c Currency) (minor int64, ok bool) {
	whole, fraction, pointed := strings.Cut(text, ".")
	if whole == "" || len(whole) > 1 && whole[0] == '0' || pointed && fraction == "" {
		return 0, false
	}
	exponent := c.Exponent()
	for i := exponent; i < len(fraction); i++ {
		if fraction[i] != '0' {
			return 0, false
		}
	}
	for i := range len(whole) + exponent {
		digit := byte('0')
		if i < len(whole) {
			digit = whole[i]
		} else if i-len(whole) < len(fraction) {
			digit = fraction[i-len(whole)]
		}
		if digit < '0' || digit > '9' || minor > (math.MaxInt64-int64(digit-'0'))/10 {
			return 0, false
		}
		minor = minor*10 + int64(digit-'0')
	}
	return minor, true
}
