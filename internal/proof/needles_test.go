package proof_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"plexy/internal/card"
)

// needles are what must be found nowhere: every spelling of every secret, and what it is a spelling of. Each
// has at least 8 bytes. A CVV is too short to be searched for; that it is kept nowhere is proven by types.
type needles struct {
	list    []needle
	byStart map[uint64][]needle  // by the first eight bytes
	maybe   [1 << 16 / 64]uint64 // one bit for each first two bytes that there are
}

type needle struct {
	what  string
	bytes []byte
}

func (n *needles) add(what string, spelling []byte) {
	if len(spelling) < 8 {
		panic("proof: " + what + " is too short to be searched for")
	}
	one := needle{what, spelling}
	n.list = append(n.list, one)
	if n.byStart == nil {
		n.byStart = map[uint64][]needle{}
	}
	start := binary.BigEndian.Uint64(spelling)
	n.byStart[start] = append(n.byStart[start], one)
	two := start >> 48
	n.maybe[two/64] |= 1 << (two % 64)
}

// text adds a secret text: as it is, in hex and in base64.
func (n *needles) text(what, text string) {
	n.add(what, []byte(text))
	n.add(what+" in hex", []byte(hex.EncodeToString([]byte(text))))
	n.add(what+" in base64", []byte(base64.RawStdEncoding.EncodeToString([]byte(text))))
}

// number adds digits as a 64-bit number, in both orders of bytes.
func (n *needles) number(what, digits string) {
	number, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		panic("proof: " + what + " is no number")
	}
	n.add(what+" as a number", binary.BigEndian.AppendUint64(nil, number))
	n.add(what+" as a number, reversed", binary.LittleEndian.AppendUint64(nil, number))
}

// card adds a card number in every spelling that programs and people know: in one piece, in groups, packed
// two digits a byte (ISO 8583), in UTF-16, as a number, in hex, in base64 wherever in a text it begins, and
// cut by up to three digits at either end.
func (n *needles) card(what, digits string) {
	n.text(what, digits)
	n.number(what, digits)
	n.add(what+" in capital hex", bytes.ToUpper([]byte(hex.EncodeToString([]byte(digits)))))
	for _, between := range []string{" ", "-"} {
		n.add(what+" in groups", []byte(digits[:4]+between+digits[4:8]+between+digits[8:12]+between+digits[12:]))
	}
	n.add(what+" but its end", []byte(digits[:len(digits)-3]))
	n.add(what+" but its beginning", []byte(digits[3:]))
	for _, padded := range []string{digits + "F", "0" + digits, digits} {
		if packed, err := hex.DecodeString(padded); err == nil {
			n.add(what+" packed", packed)
		}
	}
	var wide []byte
	for _, unit := range utf16.Encode([]rune(digits)) {
		wide = binary.LittleEndian.AppendUint16(wide, unit)
	}
	n.add(what+" in UTF-16", wide)
	for shift := 1; shift < 3; shift++ { // base64 takes three bytes at once: the same text has three spellings
		text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + digits))
		n.add(what+" within base64", []byte(text[4:len(text)-2]))
	}
}

// find looks for all needles at once and returns those that text holds, with what stands around. It takes
// some nanoseconds a byte, however many needles there are.
func (n *needles) find(text []byte) (found []string) {
	for at := 0; at+8 <= len(text); at++ {
		two := uint64(text[at])<<8 | uint64(text[at+1])
		if n.maybe[two/64]&(1<<(two%64)) == 0 {
			continue
		}
		for _, needle := range n.byStart[binary.BigEndian.Uint64(text[at:])] {
			if bytes.HasPrefix(text[at:], needle.bytes) {
				around := text[max(0, at-60):min(len(text), at+60)]
				found = append(found, fmt.Sprintf("%s at %d: …%q…", needle.what, at, around))
			}
		}
	}
	return found
}

// absent searches everything that a site left behind.
func (n *needles) absent(t *testing.T, straw map[string][]byte) {
	t.Helper()
	for where, text := range straw {
		if len(text) < 500 {
			t.Errorf("%s: only %d bytes to search: this proves little", where, len(text))
		}
		found := n.find(text)
		for i, what := range found {
			if i == 10 {
				t.Errorf("%s: and %d more", where, len(found)-i)
				break
			}
			t.Errorf("%s: found %s", where, what)
		}
		t.Logf("%s: %d bytes searched for %d spellings of secrets", where, len(text), len(n.list))
	}
}

// noCards fails for a card number of anybody's in a text of lines, such as a log: what is written for people
// has no long numbers that only look like one. Pages of a database have.
func noCards(t *testing.T, where string, text []byte) {
	t.Helper()
	for line := range bytes.Lines(text) {
		if card.HasNumber(line) {
			t.Errorf("%s: this looks like a card number: %q", where, line)
		}
	}
}

// cardAt is the n-th card number that a proof uses: nobody's, Luhn-valid, and unlike the ones in
// documentation, which are in the program's own pages. Brands alternate.
func cardAt(n int) string {
	digits := []string{"4", "51", "2200", "62"}[n%4]
	digits += fmt.Sprintf("%0*d", 15-len(digits), 730_018_291+7_919*n)
	for check := byte('0'); ; check++ {
		if all := digits + string(check); card.Luhn(all) {
			return all
		}
	}
}

// TestNeedlesAreFound plants every spelling in a heap and looks for it: a search that finds nothing proves
// nothing by itself.
func TestNeedlesAreFound(t *testing.T) {
	var n needles
	seen := map[string]bool{}
	for i := range 1000 {
		digits := cardAt(i)
		parsed, err := card.ParseNumber(digits)
		if err != nil || parsed.Brand() == card.Unknown || seen[digits] {
			t.Fatalf("card %d is %s", i, digits)
		}
		seen[digits] = true
		n.card(fmt.Sprint("card ", i), digits)
	}
	n.text("a key", "correct horse battery")
	heap := bytes.Repeat([]byte("4 51 62 2200 straw \x00\xff"), 1000)
	if found := n.find(heap); len(found) != 0 {
		t.Fatalf("found in straw: %q", found)
	}
	for i, needle := range n.list {
		if i%7 != 0 && i < len(n.list)-20 {
			continue
		}
		for _, text := range [][]byte{
			append(bytes.Clone(heap[:100]), needle.bytes...), append(bytes.Clone(needle.bytes), heap[:100]...),
		} {
			if !strings.Contains(strings.Join(n.find(text), "\n"), needle.what+" at ") {
				t.Errorf("%s was not found", needle.what)
			}
		}
	}
	digits := cardAt(5)
	for _, text := range []string{
		digits, "pan=" + digits + ";", digits[:4] + " " + digits[4:8] + " " + digits[8:12] + " " + digits[12:],
		fmt.Sprintf("%x", digits), base64.StdEncoding.EncodeToString([]byte("a" + digits + "b")),
		base64.URLEncoding.EncodeToString([]byte("ab" + digits)), digits[:13] + "***", "***" + digits[3:],
	} {
		if len(n.find([]byte(text))) == 0 {
			t.Errorf("%q was not found", text)
		}
	}
}
