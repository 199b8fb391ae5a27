package money_test

import (
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"plexy/internal/core/money"
)

func TestLookupKnowsCurrenciesWithMinorUnits(t *testing.T) {
	for code, exponent := range map[string]int{
		"KZT": 2, "USD": 2, "EUR": 2, "RUB": 2, "UZS": 2, "KGS": 2, "CNY": 2, "TRY": 2, "GBP": 2,
		"JPY": 0, "KRW": 0, "VND": 0, "ISK": 0, "CLP": 0, "XAF": 0, "XOF": 0, "XPF": 0, "UYI": 0,
		"KWD": 3, "BHD": 3, "OMR": 3, "TND": 3, "JOD": 3, "IQD": 3, "LYD": 3,
		"CLF": 4, "UYW": 4,
		"XCG": 2, "ZWG": 2, "VED": 2, "SLE": 2, "XAD": 2, "XCD": 2, "MGA": 2, "MRU": 2,
	} {
		currency, ok := money.Lookup(code)
		if !ok || currency != money.Currency(code) {
			t.Errorf("Lookup(%q) = %q, %v; want it known", code, currency, ok)
		}
		if !currency.Known() {
			t.Errorf("%s is not Known", code)
		}
		if got := currency.Exponent(); got != exponent {
			t.Errorf("%s has exponent %d, want %d", code, got, exponent)
		}
	}
}

func TestLookupRefusesEverythingElse(t *testing.T) {
	for _, code := range []string{
		"XXX", "XTS", "XDR", "XSU", "XUA", "XAU", "XAG", "XPT", "XPD", "XBA", "XBB", "XBC", "XBD",
		"ANG", "BGN", "HRK", "SLL", "ZWL", "CUC", "DEM", "BYR", "RUR",
		"", "K", "KZ", "KZTT", "kzt", "Kzt", "KZt", " KZT", "KZT ", "398", "AAA", "ZZZ", "K\x00T",
		"КЗТ", "₸", "@@@", "[[[",
	} {
		if currency, ok := money.Lookup(code); ok || currency != "" {
			t.Errorf("Lookup(%q) = %q, %v; want it unknown", code, currency, ok)
		}
		if money.Currency(code).Known() || money.Currency(code).Exponent() != 0 {
			t.Errorf("%q counts as known", code)
		}
	}
}

func TestAllIsTheWholeList(t *testing.T) {
	all := money.All()
	const want = 165 // the 178 codes of list one less the 13 without minor units
	if len(all) != want {
		t.Errorf("%d currencies, want %d", len(all), want)
	}
	if !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Errorf("not sorted, or a code twice")
	}
	for _, currency := range all {
		if !currency.Known() {
			t.Errorf("%s is listed and not known", currency)
		}
	}
	known := 0
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			for c := 'A'; c <= 'Z'; c++ {
				if money.Currency(string([]rune{a, b, c})).Known() {
					known++
				}
			}
		}
	}
	if known != want {
		t.Errorf("%d of all three-letter codes are known, want %d", known, want)
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		minor    int64
		currency money.Currency
		want     string
	}{
		{123456, "KZT", "1234.56 KZT"},
		{0, "KZT", "0.00 KZT"},
		{5, "KZT", "0.05 KZT"},
		{-5, "KZT", "-0.05 KZT"},
		{-123456, "USD", "-1234.56 USD"},
		{7, "JPY", "7 JPY"},
		{-7, "JPY", "-7 JPY"},
		{1, "KWD", "0.001 KWD"},
		{12345, "CLF", "1.2345 CLF"},
		{math.MaxInt64, "KZT", "92233720368547758.07 KZT"},
		{math.MinInt64, "KZT", "-92233720368547758.08 KZT"},
		{math.MinInt64, "JPY", "-9223372036854775808 JPY"},
		{math.MinInt64, "KWD", "-9223372036854775.808 KWD"},
	} {
		if got := money.Format(c.minor, c.currency); got != c.want {
			t.Errorf("Format(%d, %s) = %q, want %q", c.minor, c.currency, got, c.want)
		}
	}
}

func TestFormatKeepsTheAmount(t *testing.T) {
	all := money.All()
	rapid.Check(t, func(t *rapid.T) {
		minor := rapid.Int64().Draw(t, "minor")
		currency := rapid.SampledFrom(all).Draw(t, "currency")
		text, code, _ := strings.Cut(money.Format(minor, currency), " ")
		if code != string(currency) {
			t.Fatalf("code %q", code)
		}
		_, fraction, _ := strings.Cut(text, ".")
		if len(fraction) != currency.Exponent() {
			t.Fatalf("%q has %d decimal digits, want %d", text, len(fraction), currency.Exponent())
		}
		back, ok := new(big.Int).SetString(strings.Replace(text, ".", "", 1), 10)
		if !ok || back.Cmp(big.NewInt(minor)) != 0 {
			t.Fatalf("%d became %q", minor, text)
		}
	})
}

func TestSumsAtTheEdges(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(a, b int64) (int64, bool)
		a, b int64
		want int64
		ok   bool
	}{
		{"add", money.Add, 1, 2, 3, true},
		{"add", money.Add, math.MaxInt64, 0, math.MaxInt64, true},
		{"add", money.Add, math.MaxInt64, 1, 0, false},
		{"add", money.Add, 1, math.MaxInt64, 0, false},
		{"add", money.Add, math.MinInt64, -1, 0, false},
		{"add", money.Add, math.MinInt64, 0, math.MinInt64, true},
		{"add", money.Add, math.MinInt64, math.MaxInt64, -1, true},
		{"add", money.Add, math.MaxInt64, math.MaxInt64, 0, false},
		{"add", money.Add, math.MinInt64, math.MinInt64, 0, false},
		{"sub", money.Sub, 3, 2, 1, true},
		{"sub", money.Sub, 0, math.MinInt64, 0, false},
		{"sub", money.Sub, -1, math.MinInt64, math.MaxInt64, true},
		{"sub", money.Sub, math.MinInt64, 1, 0, false},
		{"sub", money.Sub, math.MinInt64, 0, math.MinInt64, true},
		{"sub", money.Sub, math.MaxInt64, -1, 0, false},
		{"sub", money.Sub, math.MaxInt64, math.MaxInt64, 0, true},
		{"sub", money.Sub, math.MinInt64, math.MinInt64, 0, true},
	} {
		if got, ok := c.do(c.a, c.b); got != c.want || ok != c.ok {
			t.Errorf("%s(%d, %d) = %d, %v; want %d, %v", c.name, c.a, c.b, got, ok, c.want, c.ok)
		}
	}
}

func TestSumsAgreeWithBigIntegers(t *testing.T) {
	edge := rapid.SampledFrom([]int64{
		math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64,
	})
	number := rapid.OneOf(rapid.Int64(), edge)
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		agree(t, "sum", new(big.Int).Add(big.NewInt(a), big.NewInt(b)), first(money.Add(a, b)))
		agree(t, "difference", new(big.Int).Sub(big.NewInt(a), big.NewInt(b)), first(money.Sub(a, b)))
	})
}

type result struct {
	value int64
	ok    bool
}

func first(value int64, ok bool) result { return result{value, ok} }

func agree(t *rapid.T, what string, want *big.Int, got result) {
	if got.ok != want.IsInt64() {
		t.Fatalf("%s %s: ok = %v", what, want, got.ok)
	}
	if got.ok && got.value != want.Int64() || !got.ok && got.value != 0 {
		t.Fatalf("%s %s: got %d", what, want, got.value)
	}
}
