package card

import "unicode/utf8"

const (
	// guardDigits is the length of the shortest number that the guard looks for.
	guardDigits = 13
	// maxGap is how many separators may stand between two groups of digits.
	maxGap = 3
	// groupDigits is how many digits each group of a number has at least, the last one aside. Phone numbers,
	// dates and amounts come in smaller groups.
	groupDigits = 4
)

// HasNumber reports whether text has a card number in it: 13 to 19 digits with the prefix and the length of a
// known brand that pass the Luhn check (issue 4, §5). It is the guard of the doors through which card numbers
// must not come.
//
// The digits stand together, or in groups with up to three separators between them, where every group but the
// last has four digits or more: as on the card, and as people write. Separators are the ASCII space and
// hyphen, and their typographic kin: no-break, figure, thin and ideographic spaces, hyphens, dashes, minus. A
// group is never cut: 20 digits in a row hold no card number. What stands beside the digits does not matter:
// "card4111…", "4111…/12/29" and "4111… 123" are found.
//
// Not looked for are numbers inside of identifiers, because one in some thousand would look like a card: a
// UUID with its dashes, a word of 24 or more hexadecimal digits with a letter among them, a ULID.
//
// It allocates nothing. Text without runs of 13 digits and separators costs a look at every thirteenth byte.
func HasNumber[Text ~[]byte | ~string](text Text) bool {
	for at := guardDigits - 1; at < len(text); at += guardDigits {
		if !inRun[text[at]] {
			continue
		}
		from := at
		for from > 0 && inRun[text[from-1]] {
			from--
		}
		for at+1 < len(text) && inRun[text[at+1]] {
			at++
		}
		at++ // text[at] is in no run: the next one to be looked at is 13 bytes on
		if at-from >= guardDigits && runHasNumber(text, from, at) {
			return true
		}
	}
	return false
}

// inRun tells the bytes of digits and separators.
var inRun = func() (table [256]bool) {
	for digit := byte('0'); digit <= '9'; digit++ {
		table[digit] = true
	}
	for r := range separators {
		for _, b := range []byte(string(r)) {
			table[b] = true
		}
	}
	return table
}()

// separators stand between groups of digits.
var separators = map[rune]bool{
	' ': true, '-': true, '\u00a0': true, '\u2007': true, '\u2009': true, '\u202f': true, '\u3000': true,
	'\u2010': true, '\u2011': true, '\u2012': true, '\u2013': true, '\u2014': true, '\u2212': true,
}

// separator returns how many bytes the separator at text[at] has, 0 when there is none.
func separator[Text ~[]byte | ~string](text Text, at int) int {
	c := text[at]
	if c == ' ' || c == '-' {
		return 1
	}
	if c < utf8.RuneSelf || !inRun[c] {
		return 0
	}
	var room [utf8.UTFMax]byte
	n := copy(room[:], text[at:min(at+utf8.UTFMax, len(text))])
	r, width := utf8.DecodeRune(room[:n])
	if !separators[r] {
		return 0
	}
	return width
}

// runHasNumber looks through a run of digits and separators: every group may begin a number, and every group
// may end it.
func runHasNumber[Text ~[]byte | ~string](text Text, from, to int) bool {
	for at := from; at < to; {
		if !isDigit(text[at]) {
			at++
			continue
		}
		if beginsNumber(text, at, to) {
			return true
		}
		for at < to && isDigit(text[at]) {
			at++
		}
	}
	return false
}

// beginsNumber reports whether a number begins with the group that begins at start.
func beginsNumber[Text ~[]byte | ~string](text Text, start, to int) bool {
	var (
		room   [maxDigits]byte
		digits = room[:0]
	)
	for at := start; ; {
		group := at
		for ; at < to && isDigit(text[at]); at++ {
			if len(digits) == maxDigits {
				return false
			}
			digits = append(digits, text[at])
		}
		if len(digits) >= guardDigits && brandOf(digits) != Unknown && Luhn(digits) &&
			!insideIdentifier(text, start, at) {
			return true
		}
		if at-group < groupDigits {
			return false
		}
		for gap := 0; at < to && !isDigit(text[at]); gap++ {
			width := separator(text, at)
			if width == 0 || gap == maxGap {
				return false
			}
			at += width
		}
		if at >= to {
			return false
		}
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

const (
	hexWord  = 24 // characters of the shortest word of hexadecimal digits that is an identifier
	ulidSize = 26
	uuidSize = 36
)

// insideIdentifier reports whether text[start:end] is a part of a word that is an identifier, or of a UUID.
func insideIdentifier[Text ~[]byte | ~string](text Text, start, end int) bool {
	for at := max(0, end-uuidSize); at <= start && at+uuidSize <= len(text); at++ {
		if isUUID(text, at) {
			return true
		}
	}
	hex, crockford := true, true
	from, to := start, end
	for from > 0 && isWord(text[from-1]) {
		from--
	}
	for to < len(text) && isWord(text[to]) {
		to++
	}
	for at := from; at < to; at++ {
		hex = hex && isHex(text[at])
		crockford = crockford && isCrockford(text[at])
	}
	return hex && to-from >= hexWord || crockford && to-from == ulidSize && text[from] <= '7' // as ULIDs begin
}

// isUUID reports whether a UUID with its dashes begins at text[at] and is no part of a longer word.
func isUUID[Text ~[]byte | ~string](text Text, at int) bool {
	end := at + uuidSize
	if at > 0 && isWord(text[at-1]) || end < len(text) && isWord(text[end]) {
		return false
	}
	for i := range uuidSize {
		c := text[at+i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !isHex(c) {
				return false
			}
		}
	}
	return true
}

func isWord(c byte) bool { return isDigit(c) || isLetter(c) }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// isCrockford tells the alphabet of ULIDs: no I, L, O and U.
func isCrockford(c byte) bool {
	if isDigit(c) {
		return true
	}
	c |= 0x20
	return isLetter(c) && c != 'i' && c != 'l' && c != 'o' && c != 'u'
}
