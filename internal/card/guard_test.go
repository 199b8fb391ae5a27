package card_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"plexy/internal/card"
)

func TestGuardFindsCardNumbers(t *testing.T) {
	for digits := range numbers {
		for _, text := range []string{
			digits, "card " + digits, digits + " 12/29 123", "card" + digits + "KZT", "№" + digits + "ю",
			"{\"pan\":\"" + digits + "\"}", "1 " + digits, digits + "-", "900101300017 " + digits,
			strings.Repeat("x", 100) + digits, digits[:4] + " " + digits[4:8] + " " + digits[8:],
			digits[:4] + "-" + digits[4:8] + "-" + digits[8:], digits[:6] + " - " + digits[6:],
			digits[:4] + "\u00a0" + digits[4:9] + "\u2013" + digits[9:],
		} {
			if !card.HasNumber(text) || !card.HasNumber([]byte(text)) {
				t.Errorf("not found in %q", text)
			}
		}
		if len(digits) == 16 {
			inFours := digits[:4] + " " + digits[4:8] + " " + digits[8:12] + " " + digits[12:]
			for _, text := range []string{inFours, inFours + " 1229", inFours + " 12", "8 701 234-56-78 " + inFours} {
				if !card.HasNumber(text) {
					t.Errorf("not found in %q", text)
				}
			}
		}
	}
}

// TestGuardFindsTheShortestAnywhere: the guard looks at every thirteenth byte only.
func TestGuardFindsTheShortestAnywhere(t *testing.T) {
	for before := range 60 {
		for after := range 30 {
			if !card.HasNumber(strings.Repeat("x", before) + "4222222222222" + strings.Repeat("o", after)) {
				t.Errorf("not found behind %d and before %d letters", before, after)
			}
		}
	}
}

func TestGuardLetsOtherThingsPass(t *testing.T) {
	for _, text := range []string{
		"", "ORDER-100045", "900101300017", "+77012345678", "87012345678 87023456789",
		"8 701 234-56-78, 8 702 345-67-89", "8 701 234-56-78 8 702 345-67-89 8 705 234 56 78",
		"4111111111111112", "1234567812345670", "41111111111111111111111", "4111 1111 1111", "4111.1111.1111.1111",
		"4111/1111/1111/1111", "4111    1111 1111 1111", "41 11 11 11 11 11 11 11",
		"411 1111111111111", "4111\n1111\n1111\n1111",
		"2026-11-27 19:33:09.123456", "2026-11-27T19:33:09Z", "1764272000000000", "KZ86125KZT5004100100",
		"a0eebc99-9c0b-4ef8-8171-999927660000", "pl_" + "f4111111111111111abcdef012345678",
		"urn:uuid:A0EEBC99-9C0B-4EF8-8171-999927660000", "01JDM3Z7VX4111111111111111",
		"4111111111111111" + "abcdefab", "evt_01JDM3Z7VX4111111111111111_1",
		strings.Repeat("-", 1000), strings.Repeat("1 ", 1000),
		strings.Repeat("\u00a0", 100), "\xc2", "4111\xe2\x80", strings.Repeat("\xe2\x80", 30),
	} {
		if card.HasNumber(text) || card.HasNumber([]byte(text)) {
			t.Errorf("found in %q", text)
		}
	}
	// The same beside or in what is no identifier.
	for _, text := range []string{
		"a0eebc99-9c0b-4ef8-8171-999927660000x", "xa0eebc99-9c0b-4ef8-8171-999927660000",
		"a0eebc9-9c0b-4ef8-8171-999927660000", "a0eebc99-9c0b-4efg-8171-999927660000",
		"4111111111111111" + "abcdefa", "4111111111111111" + "abcdefag", "01JDM3Z7VU4111111111111111",
		"91JDM3Z7VX4111111111111111", "01JDM3Z7VX4111111111111111A",
		"a0eebc99-9c0b-4ef8-8171-999927660000 4111111111111111",
	} {
		if !card.HasNumber(text) {
			t.Errorf("not found in %q", text)
		}
	}
}

// TestGuardAgainstARecountByHand compares with a plain reading of the rule: cut the text into groups, and try
// every stretch of them.
func TestGuardAgainstARecountByHand(t *testing.T) {
	pieces := []string{
		"4111111111111111", "4111", "1111", "111111", "378282246310005", "3782", "822463", "10005", "1", "12",
		"411",
		"111",
		"2223", "0031", "2200", "3222", " ", "-", "  ", " - ", "    ", "\u00a0", "\u2013", "x", "é", "\xe2\x80",
		"5555555555554444",
		"6759", "649826438453", "30569309025904", "_", "\u202f",
	}
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "pieces"), "")
		if got, want := card.HasNumber(text), byHand(text); got != want {
			t.Fatalf("%q: found %v, by hand %v", text, got, want)
		}
	})
}

// byHand says whether text has a card number, for texts without identifiers.
func byHand(text string) bool {
	const kin = " -\u00a0\u2007\u2009\u202f\u3000\u2010\u2011\u2012\u2013\u2014\u2212"
	type group struct {
		digits string
		apart  bool // from the group before, by more than a gap or by something else
	}
	var groups []group
	runes := []rune(text)
	for at, gap := 0, 1<<20; at < len(runes); at++ {
		switch r := runes[at]; {
		case r >= '0' && r <= '9':
			if gap == 0 {
				groups[len(groups)-1].digits += string(r)
			} else {
				groups = append(groups, group{string(r), gap > 3})
			}
			gap = 0
		case strings.ContainsRune(kin, r):
			gap++
		default:
			gap = 1 << 20
		}
	}
	for first := range groups {
		digits := ""
		for last := first; last < len(groups); last++ {
			if last > first && (groups[last].apart || len(groups[last-1].digits) < 4) {
				break
			}
			digits += groups[last].digits
			if len(digits) < 13 || len(digits) > 19 {
				continue
			}
			if n, err := card.ParseNumber(digits); err == nil && n.Brand() != card.Unknown {
				return true
			}
		}
	}
	return false
}

func FuzzHasNumber(f *testing.F) {
	for digits := range numbers {
		f.Add(digits, "", "")
	}
	f.Add("4111111111111111", "order ", " 12/29")
	f.Add("371449635398431", "a0eebc99-9c0b-4ef8-b", "")
	f.Add("4111111111111111", "\xe2\x80", "\u00a0")
	f.Fuzz(func(t *testing.T, number, before, after string) {
		text := before + number + after
		if card.HasNumber(text) != card.HasNumber([]byte(text)) {
			t.Fatalf("%q: text and bytes are judged differently", text)
		}
		n, err := card.ParseNumber(number)
		if err != nil || n.Brand() == card.Unknown || n.Reveal() != number || len(number) < 13 {
			return
		}
		// A known card's number in one piece, with no word around it that it could be a part of, is found.
		if edge := strings.TrimRight(before, "0123456789"); edge != before {
			return
		}
		if edge := strings.TrimLeft(after, "0123456789"); edge != after {
			return
		}
		if letters(before, false) || letters(after, true) {
			return
		}
		if !card.HasNumber(text) {
			t.Fatalf("not found in %q", text)
		}
	})
}

// letters reports whether text begins, or ends, with what may make an identifier of digits beside it.
func letters(text string, begins bool) bool {
	if text == "" {
		return false
	}
	edge := text[len(text)-1]
	if begins {
		edge = text[0]
	}
	return edge == '-' || unicode.IsLetter(rune(edge))
}

// TestGuardOnIdentifiers measures how often identifiers that clients make are taken for cards.
func TestGuardOnIdentifiers(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	hex := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "0123456789abcdef"[dice.IntN(16)]
		}
		return string(b)
	}
	crockford := func() string {
		b := []byte("01")
		for range 24 {
			b = append(b, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[dice.IntN(32)])
		}
		return string(b)
	}
	for range 200_000 {
		h := hex(32)
		for _, id := range []string{
			h, h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:], hex(64), hex(24), crockford(),
			fmt.Sprintf("+7701%07d", dice.IntN(1e7)), fmt.Sprintf("%012d", dice.Int64N(1e12)),
			fmt.Sprintf("8 70%d %03d-%02d-%02d", dice.IntN(10), dice.IntN(1e3), dice.IntN(1e2), dice.IntN(1e2)),
		} {
			if card.HasNumber(id) && strings.Trim(id, "0123456789") != "" {
				t.Fatalf("found in %q", id)
			}
		}
	}
}

// wallet is a body as the wallet API gets it, and a key as clients make it.
const (
	wallet = `{"amount":15000,"phoneNumber":"+77012345678","iin":"900101300017",` +
		`"orderReference":"ORDER-100045","currency":"KZT"}`
	idempotency = "8b7f2a7e-2c5b-4d6e-9c3f-acde12345678"
)

func TestGuardAllocatesNothing(t *testing.T) {
	found := 0
	for _, text := range []string{
		wallet, idempotency, "no digits at all, however long the text may be", "4111111111111112",
		"4111 1111 1111 1111", strings.Repeat("1 ", 100), strings.Repeat("4111\u00a0", 30),
	} {
		body := []byte(text)
		if n := testing.AllocsPerRun(100, func() {
			if card.HasNumber(text) || card.HasNumber(body) {
				found++
			}
		}); n != 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
	if found == 0 {
		t.Error("nothing was found")
	}
}

// BenchmarkGuard is what the guard costs an authorize: its body and its key.
func BenchmarkGuard(b *testing.B) {
	body := []byte(wallet)
	b.ReportAllocs()
	for b.Loop() {
		if card.HasNumber(body) || card.HasNumber(idempotency) {
			b.Fatal("found")
		}
	}
}

// BenchmarkGuardWorst is the longest body there can be, made to keep the guard busy.
func BenchmarkGuardWorst(b *testing.B) {
	body := []byte(strings.Repeat("4111 ", 256<<10/5))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if card.HasNumber(body) {
			b.Fatal("found")
		}
	}
}
