package card_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"plexy/internal/card"
)

// numbers are test cards of the API's documentation and of the networks; nobody's.
var numbers = map[string]card.Brand{
	"4111111111111111": card.Visa, "4200000000000000": card.Visa, "4640170131116658": card.Visa,
	"4907639999909022": card.Visa, "4001880000000055": card.Visa, "4918914107195005": card.Visa,
	"4222222222222": card.Visa, "4242424242424242": card.Visa,
	"5555555555554444": card.Mastercard, "5283901669012672": card.Mastercard,
	"2223003122003222": card.Mastercard,
	"5105105105105100": card.Mastercard, "378282246310005": card.Amex, "371449635398431": card.Amex,
	"6200000000000005": card.UnionPay, "6205500000000000004": card.UnionPay, "8171999927660000": card.UnionPay,
	"2200770212727079": card.Mir, "6759649826438453": card.Maestro, "5018000000000009": card.Maestro,
	"3530111333300000": card.JCB, "30569309025904": card.Diners, "36227206271667": card.Diners,
	"6011111111111117": card.Discover, "6445644564456445": card.Discover,
}

func parse(t testing.TB, text string) card.Number {
	t.Helper()
	n, err := card.ParseNumber(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNumbersAndTheirBrands(t *testing.T) {
	for digits, brand := range numbers {
		n := parse(t, digits)
		if n.Brand() != brand {
			t.Errorf("%s… of %d digits is %q, want %q", digits[:6], len(digits), n.Brand(), brand)
		}
		last := digits[len(digits)-4:]
		if n.Reveal() != digits || string(n.Append([]byte("x"))) != "x"+digits || n.Last4() != last ||
			n.Prefix() != digits[:6] || n.Masked() != "******"+last || n.IsZero() {
			t.Errorf("%s is read as %s, %s, %s", digits, n.Reveal(), n.Prefix(), n.Masked())
		}
	}
	for digits, brand := range map[string]card.Brand{
		"9999999999999995": card.Unknown, "1234567812345670": card.Unknown, "411111111111116": card.Unknown,
	} {
		if n := parse(t, digits); n.Brand() != brand {
			t.Errorf("%s is %q", digits, n.Brand())
		}
	}
}

func TestSpellingsOfANumber(t *testing.T) {
	want := parse(t, "4111111111111111")
	for _, text := range []string{
		"4111 1111 1111 1111", "4111-1111-1111-1111", "  4111111111111111 ", "4111 - 1111 - 1111 - 1111",
		"4111\u00a01111\u202f1111\u20131111", "411111 1111111111", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
	} {
		if n, err := card.ParseNumber(text); err != nil || n != want {
			t.Errorf("%q: %v", text, err)
		}
		if n, err := card.ParseNumber([]byte(text)); err != nil || n != want {
			t.Errorf("%q as bytes: %v", text, err)
		}
	}
	for _, text := range []string{
		"", " ", "4111", "4111.1111.1111.1111", "4111x111111111111", "41111111111111111111", "0000000000000000",
		"4111    111111111111", "+4111111111111111", "４１１１１１１１１１１１１１１１", "4111\n111111111111",
		"4111\xff1111\xe2\x80",
	} {
		if n, err := card.ParseNumber(text); !errors.Is(err, card.ErrNumber) ||
			errors.Is(err, card.ErrCheckDigit) || !n.IsZero() {
			t.Errorf("%q: %v", text, err)
		}
	}
	_, err := card.ParseNumber("4111111111111110") // the API's own example of it
	if !errors.Is(err, card.ErrCheckDigit) || !errors.Is(err, card.ErrNumber) {
		t.Errorf("a mistyped digit: %v", err)
	}
}

func TestLuhnFindsEveryMistypedDigitAndMostSwaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := withCheckDigit(rapid.StringMatching(`[1-9][0-9]{10,17}`).Draw(t, "digits"))
		if !card.Luhn(digits) {
			t.Fatalf("%s does not pass", digits)
		}
		at := rapid.IntRange(0, len(digits)-1).Draw(t, "at")
		other := rapid.IntRange(1, 9).Draw(t, "other")
		wrong := []byte(digits)
		wrong[at] = '0' + (wrong[at]-'0'+byte(other))%10
		if card.Luhn(wrong) {
			t.Fatalf("%s passes, and so does %s", digits, wrong)
		}
		if at > 0 {
			a, b := digits[at-1], digits[at]
			swapped := digits[:at-1] + string([]byte{b, a}) + digits[at+1:]
			blind := a == b || a == '0' && b == '9' || a == '9' && b == '0'
			if card.Luhn(swapped) != blind {
				t.Fatalf("%s swapped at %d", digits, at)
			}
		}
	})
	for _, text := range []string{"", "0", "1", "18x", "1 8", "+18"} {
		if card.Luhn(text) {
			t.Errorf("%q passes", text)
		}
	}
}

// withCheckDigit appends the digit that makes the check pass, found by trying.
func withCheckDigit(digits string) string {
	for c := byte('0'); ; c++ {
		if all := digits + string(c); card.Luhn(all) {
			return all
		}
	}
}

func TestSchemesDoNotOverlap(t *testing.T) {
	owner := map[int]card.Brand{}
	for _, s := range card.Schemes() {
		for _, p := range s.Prefixes {
			if p.First < 100_000 || p.Last > 999_999 || p.First > p.Last {
				t.Errorf("%s: prefixes from %d to %d", s.Brand, p.First, p.Last)
			}
			for prefix := p.First; prefix <= p.Last; prefix++ {
				if other, taken := owner[prefix]; taken {
					t.Fatalf("%d belongs to %s and %s", prefix, other, s.Brand)
				}
				owner[prefix] = s.Brand
			}
		}
		for length := s.MinDigits; length <= s.MaxDigits; length++ {
			digits := withCheckDigit(strconv.Itoa(s.Prefixes[0].Last) + strings.Repeat("0", length-7))
			if length < 12 {
				t.Errorf("%s has numbers of %d digits", s.Brand, length)
			} else if brand := parse(t, digits).Brand(); brand != s.Brand && s.Only == nil {
				t.Errorf("%s of %d digits is %q", s.Brand, length, brand)
			}
		}
		found, ok := s.Brand.Scheme()
		if !ok || found.Brand != s.Brand || s.CVV < 3 || s.CVV > 4 || len(s.Gaps) == 0 {
			t.Errorf("%s: %+v", s.Brand, found)
		}
	}
	if _, ok := card.Unknown.Scheme(); ok {
		t.Error("the unknown brand has a scheme")
	}
}

func TestCVV(t *testing.T) {
	for _, digits := range []string{"123", "000", "007", "1234", "0000", "9999"} {
		c, err := card.ParseCVV(digits)
		if err != nil || c.RevealToAcquirer() != digits || c.IsZero() {
			t.Errorf("%q is read as %q, %v", digits, c.RevealToAcquirer(), err)
		}
		if !c.Is(digits) || c.Is("0"+digits) || c.Is(digits[1:]) || c.Is("") || c.Is("444") {
			t.Errorf("%q is other digits, or not its own", digits)
		}
		three := len(digits) == 3
		if c.Fits(card.Visa) != three || c.Fits(card.Amex) == three || !c.Fits(card.Unknown) {
			t.Errorf("%q: fits visa %v, amex %v", digits, c.Fits(card.Visa), c.Fits(card.Amex))
		}
	}
	for _, text := range []string{"", "1", "12", "12345", "12x", " 123", "١٢٣"} {
		if c, err := card.ParseCVV(text); !errors.Is(err, card.ErrCVV) || !c.IsZero() {
			t.Errorf("%q: %v", text, err)
		}
	}
	var none card.CVV
	if none.Fits(card.Visa) || none.RevealToAcquirer() != "" || none.String() != "" {
		t.Error("no CVV is one")
	}
}

// holder keeps them in unexported fields, where package fmt calls no method.
type holder struct {
	number card.Number
	cvv    card.CVV
	nested *holder
}

func TestNothingPrintsInClear(t *testing.T) {
	n := parse(t, withCheckDigit("492912345678901"))
	cvv, err := card.ParseCVV("9173")
	if err != nil {
		t.Fatal(err)
	}
	digits := n.Reveal()
	inside := holder{n, cvv, &holder{number: n, cvv: cvv}}
	var log bytes.Buffer
	for _, logger := range []*slog.Logger{
		slog.New(slog.NewJSONHandler(&log, nil)), slog.New(slog.NewTextHandler(&log, nil)),
	} {
		logger.Info("m", "number", n, "cvv", cvv, "inside", inside, "both", []any{n, cvv},
			"error", errors.Join(fmt.Errorf("about %v and %s", n, cvv)))
	}
	encoded, err := json.Marshal(map[string]any{
		"number": n, "cvv": cvv, "list": []any{n, cvv}, "map": map[card.Number]card.CVV{n: cvv},
	})
	if err != nil {
		t.Fatal(err)
	}
	shown := log.String() + string(encoded)
	for verb := range strings.FieldsSeq("%v %+v %#v %s %q %d %x %X %o %b %c %U %p %t") {
		for _, value := range []any{n, cvv, &n, &cvv, inside, &inside, []card.Number{n},
			map[card.Number]card.CVV{n: cvv}} {
			shown += fmt.Sprintf(verb, value) + "\n"
		}
	}
	number, _ := strconv.ParseUint(digits, 10, 64)
	for _, clear := range []string{
		digits, digits[:6], digits[6:12], "9173", fmt.Sprintf("%x", digits), fmt.Sprintf("%x", number),
		fmt.Sprintf("%X", number), fmt.Sprintf("%o", number), fmt.Sprintf("%b", number), fmt.Sprintf("%x", "9173"),
	} {
		if at := strings.Index(shown, clear); at >= 0 {
			t.Errorf("%q is shown: %q", clear, shown[max(0, at-60):min(len(shown), at+60)])
		}
	}
	for _, masked := range []string{
		`"number":"******` + n.Last4() + `"`, `"cvv":"***"`, "card.Number(******" + n.Last4() + ")",
		"card.CVV(***)",
	} {
		if !strings.Contains(shown, masked) {
			t.Errorf("nothing shows %q", masked)
		}
	}
	var none card.Number
	s := fmt.Sprint(none, none.Last4(), none.Prefix(), none.Reveal(), none.Brand())
	if strings.Trim(s, " ") != "" {
		t.Errorf("no number is shown as %q", s)
	}
}

func TestExpiry(t *testing.T) {
	for text, want := range map[string]card.Expiry{
		"12/29": {Year: 2029, Month: 12}, "1/30": {Year: 2030, Month: 1}, " 03 / 2027 ": {Year: 2027, Month: 3},
		"07-27": {Year: 2027, Month: 7}, "0131": {Year: 2031, Month: 1}, "01/00": {Year: 2000, Month: 1},
		"12/2099": {Year: 2099, Month: 12},
	} {
		if e, err := card.ParseExpiry(text); err != nil || e != want {
			t.Errorf("%q: %+v, %v", text, e, err)
		}
	}
	for _, text := range []string{
		"", "/", "13/29", "0/29", "00/29", "12/", "/29", "12/2", "12/029", "12/1999", "12/2100", "12/29/01", "129",
		"012/29", "1a/29", "12/٢٩", "+1/29", "12.29", "12029",
	} {
		if e, err := card.ParseExpiry(text); !errors.Is(err, card.ErrExpiry) || !e.IsZero() {
			t.Errorf("%q: %+v, %v", text, e, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		e := card.Expiry{Year: rapid.IntRange(2000, 2099).Draw(t, "year")}
		e.Month = rapid.IntRange(1, 12).Draw(t, "month")
		if again, err := card.ParseExpiry(e.String()); err != nil || again != e || len(e.String()) != 5 {
			t.Fatalf("%+v is written %q and read %+v, %v", e, e, again, err)
		}
	})
	if s := (card.Expiry{}).String(); s != "" {
		t.Errorf("no expiry is %q", s)
	}
}

func TestACardIsValidUntilItsMonthIsOverEverywhere(t *testing.T) {
	for text, end := range map[string]string{
		"12/29": "2030-01-01T12:00:00Z", "02/28": "2028-03-01T12:00:00Z", "02/2027": "2027-03-01T12:00:00Z",
	} {
		e, err := card.ParseExpiry(text)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, end)
		if err != nil {
			t.Fatal(err)
		}
		if e.Expired(at.UnixMicro()-1) || !e.Expired(at.UnixMicro()) || e.Expired(0) {
			t.Errorf("%s does not end at %s", text, end)
		}
	}
}

func TestHolder(t *testing.T) {
	for text, want := range map[string]string{
		"AIGERIM SERIKOVA": "AIGERIM SERIKOVA", "  Ә. Ерғали ": "Ә. Ерғали", "X": "X",
		strings.Repeat("Щ", 64): strings.Repeat("Щ", 64),
	} {
		if name, err := card.ParseHolder(text); err != nil || name != want {
			t.Errorf("%q: %q, %v", text, name, err)
		}
	}
	for _, text := range []string{
		"", "  ", strings.Repeat("Щ", 65), "A\x00B", "A\nB", "\xff", "4111 1111 1111 1111", "JOHN 4111111111111111",
	} {
		if name, err := card.ParseHolder(text); !errors.Is(err, card.ErrHolder) || name != "" {
			t.Errorf("%q: %q, %v", text, name, err)
		}
	}
}
