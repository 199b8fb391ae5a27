package locale

import (
	"strings"
	"time"

	"plexy/internal/core/money"
)

// Spaces that do not break a line: a narrow one between thousands, a usual one before a sign.
const (
	thin  = "\u202f"
	solid = "\u00a0"
)

// signs are written instead of the code where everybody knows them.
var signs = map[money.Currency]string{"KZT": "₸", "USD": "$", "EUR": "€", "RUB": "₽"}

// Amount writes minor units of a currency for a person: thousands apart, the sign after it, with all the
// digits that the currency has: 123456 of KZT is "1 234,56 ₸" in Kazakh and Russian, "1 234.56 ₸" in English.
func (l Language) Amount(minor int64, c money.Currency) string {
	text := string(money.AppendDecimal(nil, minor, c))
	text, negative := strings.CutPrefix(text, "-")
	whole, fraction, _ := strings.Cut(text, ".")
	var b strings.Builder
	if negative {
		b.WriteString("−") // the sign, not the hyphen
	}
	for i, digit := range whole {
		if left := len(whole) - i; i > 0 && left%3 == 0 {
			b.WriteString(thin)
		}
		b.WriteRune(digit)
	}
	if fraction != "" {
		b.WriteString(l.mark())
		b.WriteString(fraction)
	}
	b.WriteString(solid)
	if sign, ok := signs[c]; ok {
		b.WriteString(sign)
	} else {
		b.WriteString(string(c))
	}
	return b.String()
}

// mark stands before the fraction.
func (l Language) mark() string {
	if l == English {
		return "."
	}
	return ","
}

// Kazakhstan is UTC+5, all year and everywhere in the country.
var Kazakhstan = time.FixedZone("UTC+5", 5*60*60)

// Time writes a moment (microseconds since 1970-01-01 UTC) as Kazakhstan's clocks show it, to the minute.
func (l Language) Time(at int64) string {
	layout := "02.01.2006 15:04"
	if l == English {
		layout = "2 Jan 2006, 15:04"
	}
	return time.UnixMicro(at).In(Kazakhstan).Format(layout)
}

// Clock writes the hour and minute of a moment in Kazakhstan.
func (l Language) Clock(at int64) string { return time.UnixMicro(at).In(Kazakhstan).Format("15:04") }
