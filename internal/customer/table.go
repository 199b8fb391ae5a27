package customer

import "strings"

// prefixDigits is how many leading digits of a national number decide about it: in Google's metadata for
// Kazakhstan every pattern ends with five or more free digits out of ten. A test asks the library again.
const (
	prefixDigits = 5
	prefixes     = 100_000 // 10 to the power of prefixDigits
	freeDigits   = 100_000 // 10 to the power of the digits after them
)

// validPrefixes has one bit for each five-digit prefix, 12.5 KB in all.
var validPrefixes = buildPrefixes(phonePrefixes)

// buildPrefixes marks every five-digit prefix that begins with one of the listed ones.
func buildPrefixes(list string) *[(prefixes + 63) / 64]uint64 {
	var table [(prefixes + 63) / 64]uint64
	for prefix := range strings.FieldsSeq(list) {
		from, width := 0, prefixes
		for _, digit := range prefix {
			width /= 10
			from += int(digit-'0') * width
		}
		for at := from; at < from+width; at++ {
			table[at/64] |= 1 << (at % 64)
		}
	}
	return &table
}

// validPrefix tells whether a national number of ten digits is a valid one.
func validPrefix(national uint64) bool {
	at := national / freeDigits
	return validPrefixes[at/64]&(1<<(at%64)) != 0
}
