// Package money knows currencies and how to count in them.
//
// Every amount in the module is an int64 number of minor units (tiyn for KZT, cents for USD, whole yen
// for JPY) beside a Currency. Nothing here, or above it, uses a float. Sums are checked: they say so when
// they do not fit, because an account that wraps around is money made from nothing.
package money

import "strconv"

// Currency is an ISO 4217 alphabetic code, such as "KZT". Only Lookup makes one from outside text; a
// Currency made another way may be unknown, and then counts as having no minor units below the whole.
type Currency string

// KZT is the Kazakhstani tenge (1 tenge = 100 tiyn), the currency of the documentation's examples.
const KZT Currency = "KZT"

// Lookup finds a currency by its exact upper-case ISO 4217 code. It answers false for lower case, for codes
// without minor units (XXX, XTS, XDR, metals, bond units), for withdrawn codes and for anything else.
func Lookup(code string) (Currency, bool) {
	if _, known := exponentOf(code); !known {
		return "", false
	}
	return Currency(code), true
}

// Exponent is the number of decimal digits between the main unit and the minor one: 2 for KZT, 0 for JPY,
// 3 for KWD. It is 0 for a currency that Lookup does not know.
func (c Currency) Exponent() int {
	exponent, _ := exponentOf(string(c))
	return exponent
}

// Known reports whether Lookup would find the currency.
func (c Currency) Known() bool {
	_, known := exponentOf(string(c))
	return known
}

// Add returns a + b in minor units. It answers false, and a sum of 0, when the sum does not fit an int64.
func Add(a, b int64) (sum int64, ok bool) {
	sum = a + b
	if (sum > a) != (b > 0) && b != 0 {
		return 0, false
	}
	return sum, true
}

// Sub returns a - b in minor units. It answers false, and a difference of 0, when it does not fit an int64.
func Sub(a, b int64) (difference int64, ok bool) {
	difference = a - b
	if (difference < a) != (b > 0) && b != 0 {
		return 0, false
	}
	return difference, true
}

// Format writes an amount of minor units as decimal text and the code: 123456 in KZT is "1234.56 KZT",
// -5 in KWD is "-0.005 KWD", 7 in JPY is "7 JPY". It is for people to read; the API speaks minor units.
func Format(minor int64, c Currency) string {
	return string(AppendDecimal(make([]byte, 0, 32), minor, c)) + " " + string(c)
}

// AppendDecimal appends the decimal text of an amount of minor units to dst, without the code. Every int64
// has such a text, the smallest one too.
func AppendDecimal(dst []byte, minor int64, c Currency) []byte {
	magnitude := uint64(minor)
	if minor < 0 {
		dst = append(dst, '-')
		magnitude = -magnitude // two's complement: exact for the smallest int64 as well
	}
	exponent := c.Exponent()
	scale := uint64(1)
	for range exponent {
		scale *= 10
	}
	dst = strconv.AppendUint(dst, magnitude/scale, 10)
	if exponent == 0 {
		return dst
	}
	// Adding the scale keeps the fraction's leading zeros: 5 of 1000 is written "1005" and its 1 replaced.
	point := len(dst)
	dst = strconv.AppendUint(dst, scale+magnitude%scale, 10)
	dst[point] = '.'
	return dst
}
