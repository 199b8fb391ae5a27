package journal

import (
	"strconv"
	"strings"
)

// alphabet is Crockford's base 32, as ULID uses it.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// mark is what the first character of a payment's ULID has besides the three bits that a ULID has there. So
// it is never taken for that of a wallet transaction.
const mark = 16

// ULID returns the 26 characters that ids of records and events have of their object: what stands behind the
// prefix of its id, or, of a bare UUID, its 16 bytes as a ULID with a first character from G to Q. Of
// anything else it returns "".
func ULID(object string) string {
	if _, ulid, ok := strings.Cut(object, "_"); ok {
		return ulid
	}
	high, low, ok := halves(object)
	if !ok {
		return ""
	}
	var text [26]byte
	for i := len(text) - 1; i > 0; i-- {
		text[i] = alphabet[low&31]
		low = low>>5 | high<<59
		high >>= 5
	}
	text[0] = alphabet[low&7|mark]
	return string(text[:])
}

// UUID undoes ULID for a bare UUID, and answers false for any other text.
func UUID(ulid string) (string, bool) {
	if len(ulid) != 26 {
		return "", false
	}
	var high, low uint64
	for i := range len(ulid) {
		digit := strings.IndexByte(alphabet, ulid[i])
		if i == 0 {
			if digit < mark || digit >= mark+8 {
				return "", false
			}
			digit -= mark
		}
		if digit < 0 {
			return "", false
		}
		high = high<<5 | low>>59
		low = low<<5 | uint64(digit)
	}
	text := hex(high) + hex(low)
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:], true
}

// hex writes 16 hexadecimal digits.
func hex(n uint64) string {
	digits := strconv.FormatUint(n, 16)
	return "0000000000000000"[len(digits):] + digits
}

// halves reads a bare UUID in lower case.
func halves(uuid string) (high, low uint64, ok bool) {
	if len(uuid) != 36 || uuid[8] != '-' || uuid[13] != '-' || uuid[18] != '-' || uuid[23] != '-' {
		return 0, 0, false
	}
	if strings.ToLower(uuid) != uuid {
		return 0, 0, false
	}
	digits := strings.ReplaceAll(uuid, "-", "")
	if len(digits) != 32 {
		return 0, 0, false
	}
	high, noHigh := strconv.ParseUint(digits[:16], 16, 64)
	low, noLow := strconv.ParseUint(digits[16:], 16, 64)
	return high, low, noHigh == nil && noLow == nil
}

// BookOf returns the book of an id that ends in hexadecimal digits of a UUID, as those of payments and links
// do: its last ten bits, which are random. It is 0 for any other text.
func BookOf(id string) int {
	if len(id) < 3 {
		return 0
	}
	n, err := strconv.ParseUint(id[len(id)-3:], 16, 16)
	if err != nil {
		return 0
	}
	return int(n & 1023)
}
