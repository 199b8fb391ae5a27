package locale_test

import (
	"math"
	"strings"
	"testing"
	"testing/fstest"

	"plexy/internal/core/money"
	"plexy/internal/locale"
)

func TestAmounts(t *testing.T) {
	for _, c := range []struct {
		minor    int64
		currency money.Currency
		kk, en   string
	}{
		{123456, "KZT", "1 234,56 ₸", "1 234.56 ₸"},
		{0, "KZT", "0,00 ₸", "0.00 ₸"},
		{5, "KZT", "0,05 ₸", "0.05 ₸"},
		{-100000000, "USD", "−1 000 000,00 $", "−1 000 000.00 $"},
		{99999, "EUR", "999,99 €", "999.99 €"},
		{1234567, "JPY", "1 234 567 JPY", "1 234 567 JPY"},
		{-5, "KWD", "−0,005 KWD", "−0.005 KWD"},
		{math.MinInt64, "KZT", "−92 233 720 368 547 758,08 ₸", "−92 233 720 368 547 758.08 ₸"},
	} {
		plain := func(l locale.Language) string {
			return strings.NewReplacer("\u202f", " ", "\u00a0", " ").Replace(l.Amount(c.minor, c.currency))
		}
		if plain(locale.Kazakh) != c.kk || plain(locale.Russian) != c.kk || plain(locale.English) != c.en {
			t.Errorf("%d %s is %q, %q", c.minor, c.currency, plain(locale.Kazakh), plain(locale.English))
		}
	}
}

func TestTimes(t *testing.T) {
	const at = 1_771_527_599_999_999 // 2026-02-19 18:59:59 UTC, a minute before midnight in Kazakhstan
	if got := locale.Russian.Time(at); got != "19.02.2026 23:59" {
		t.Error(got)
	}
	if got := locale.English.Time(at + 1); got != "20 Feb 2026, 00:00" {
		t.Error(got)
	}
	if got := locale.Kazakh.Clock(at); got != "23:59" {
		t.Error(got)
	}
}

func TestAccepted(t *testing.T) {
	for header, want := range map[string]locale.Language{
		"": locale.Kazakh, "de": locale.Kazakh, "*": locale.Kazakh, "en-GB,en;q=0.9,ru;q=0.8": locale.English,
		"ru-RU, ru;q=0.9": locale.Russian, "de, ru;q=0.3, en;q=0.7": locale.English, "RU": locale.Russian,
		"en;q=x, ru;q=0.1": locale.Russian, "en;q=0": locale.Kazakh, ";;;,,,": locale.Kazakh,
	} {
		if got := locale.Accepted(header); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}

func files(kk, ru, en string) fstest.MapFS {
	return fstest.MapFS{
		"kk.json": {Data: []byte(kk)}, "ru.json": {Data: []byte(ru)}, "en.json": {Data: []byte(en)},
	}
}

func TestCatalogue(t *testing.T) {
	c, err := locale.Read(files(`{"a":"{x} сәлем {y}"}`, `{"a":"{y} {x}"}`, `{"a":"hello {x}, {y}"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Text(locale.English, "a", "x", "{y}", "y", "2"); got != "hello {y}, 2" {
		t.Error(got)
	}
	for name, broken := range map[string]fstest.MapFS{
		"another key":   files(`{"a":""}`, `{"b":""}`, `{"a":""}`),
		"a key less":    files(`{"a":"","b":""}`, `{"a":"","b":""}`, `{"a":""}`),
		"another value": files(`{"a":"{x}"}`, `{"a":"{x}"}`, `{"a":"{y}"}`),
		"a value less":  files(`{"a":"{x}{y}"}`, `{"a":"{x}"}`, `{"a":"{x}{y}"}`),
		"a key twice":   files(`{"a":"","a":""}`, `{"a":""}`, `{"a":""}`),
		"no file":       {},
	} {
		if _, err := locale.Read(broken); err == nil {
			t.Errorf("%s was not found out", name)
		}
	}
}
