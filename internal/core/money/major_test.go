package money_test

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"plexy/internal/core/money"
)

func TestMajor(t *testing.T) {
	for _, c := range []struct {
		minor    int64
		currency money.Currency
		want     string
	}{
		{12650, "KZT", "126.5"}, {12600, "KZT", "126"}, {12627, "KZT", "126.27"}, {0, "KZT", "0"},
		{1, "KZT", "0.01"}, {-5, "KZT", "-0.05"}, {100, "JPY", "100"}, {1000, "KWD", "1"}, {1, "CLF", "0.0001"},
		{math.MaxInt64, "KZT", "92233720368547758.07"}, {math.MinInt64, "JPY", "-9223372036854775808"},
	} {
		if got := money.Major(c.minor, c.currency); got != c.want {
			t.Errorf("Major(%d, %s) = %s, want %s", c.minor, c.currency, got, c.want)
		}
	}
}

func TestParseMajor(t *testing.T) {
	for _, c := range []struct {
		text     string
		currency money.Currency
		want     int64
	}{
		{"126.27", "KZT", 12627}, {"126.5", "KZT", 12650}, {"126", "KZT", 12600}, {"126.00", "KZT", 12600},
		{"126.270000", "KZT", 12627}, {"0", "KZT", 0}, {"0.01", "KZT", 1}, {"7.0", "JPY", 7},
		{"1.234", "KWD", 1234}, {"92233720368547758.07", "KZT", math.MaxInt64},
		{"9223372036854775807", "JPY", math.MaxInt64},
	} {
		if got, ok := money.ParseMajor(c.text, c.currency); !ok || got != c.want {
			t.Errorf("ParseMajor(%s, %s) = %d, %v; want %d", c.text, c.currency, got, ok, c.want)
		}
	}
	for _, text := range []string{
		"", ".", "1.", ".5", "-1", "+1", "1e2", "1E2", "0x1", "01", "00.1", "126.271", "126.27000001", "1,5",
		" 1", "1 ", "1.2.3", "NaN", "Infinity", "null", `"1"`, "1_000", "٣", "92233720368547758.08",
		"92233720368547759", "99999999999999999999", "1.5a", "1.50a",
	} {
		if got, ok := money.ParseMajor(text, "KZT"); ok || got != 0 {
			t.Errorf("ParseMajor(%q) = %d, %v; want it refused", text, got, ok)
		}
	}
	if _, ok := money.ParseMajor("7.5", "JPY"); ok {
		t.Error("half a yen is read")
	}
}

// What is written is read as what it was, whatever stands behind it.
func TestMajorKeepsTheAmount(t *testing.T) {
	all := money.All()
	rapid.Check(t, func(t *rapid.T) {
		minor := rapid.Int64Range(0, math.MaxInt64).Draw(t, "minor")
		c := rapid.SampledFrom(all).Draw(t, "currency")
		text := money.Major(minor, c)
		back, ok := money.ParseMajor(text, c)
		if !ok || back != minor {
			t.Fatalf("%d became %s and %d, %v", minor, text, back, ok)
		}
		if !strings.Contains(text, ".") {
			text += "."
		}
		text += strings.Repeat("0", rapid.IntRange(1, 20).Draw(t, "zeros"))
		if back, ok = money.ParseMajor(text, c); !ok || back != minor {
			t.Fatalf("%d became %s and %d, %v", minor, text, back, ok)
		}
	})
}

// What is read is the number times the unit, as rational numbers say.
func TestParseMajorIsExact(t *testing.T) {
	all := money.All()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`(0|[1-9][0-9]{0,18})(\.[0-9]{1,6})?`).Draw(t, "text")
		c := rapid.SampledFrom(all).Draw(t, "currency")
		want, _ := new(big.Rat).SetString(text)
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.Exponent())), nil)
		want.Mul(want, new(big.Rat).SetInt(unit))
		fits := want.IsInt() && want.Num().IsInt64()
		got, ok := money.ParseMajor(text, c)
		if ok != fits || ok && got != want.Num().Int64() {
			t.Fatalf("ParseMajor(%s, %s) = %d, %v; it is %s", text, c, got, ok, want)
		}
	})
}
