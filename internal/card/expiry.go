package card

import (
	"errors"
	"strings"
	"time"
)

// ErrExpiry says that a text is no month of a year.
var ErrExpiry = errors.New("not the expiry of a card")

// Expiry is the month to the end of which a card is valid. The zero Expiry stands for none. It may be shown
// and stored beside the masked number.
type Expiry struct {
	Year  int // 2000 to 2099
	Month int // 1 to 12
}

// ParseExpiry reads what stands on a card: month, a slash or a dash with or without spaces around, and the
// year in two or four digits; or four digits, the month first.
func ParseExpiry(text string) (Expiry, error) {
	text = strings.TrimSpace(text)
	at := strings.IndexAny(text, "/-")
	if at < 0 {
		if len(text) != 4 {
			return Expiry{}, ErrExpiry
		}
		return ParseMonthYear(text[:2], text[2:])
	}
	return ParseMonthYear(strings.TrimSpace(text[:at]), strings.TrimSpace(text[at+1:]))
}

// ParseMonthYear reads a month of one or two digits and a year of two ("29" is 2029) or four.
func ParseMonthYear[Text ~[]byte | ~string](month, year Text) (Expiry, error) {
	m, ok := small(month)
	if !ok || len(month) > 2 || m < 1 || m > 12 {
		return Expiry{}, ErrExpiry
	}
	y, ok := small(year)
	if ok && len(year) == 2 {
		y += 2000
	} else if len(year) != 4 {
		ok = false
	}
	if !ok || y < 2000 || y > 2099 {
		return Expiry{}, ErrExpiry
	}
	return Expiry{Year: y, Month: m}, nil
}

// small reads one to four digits.
func small[Text ~[]byte | ~string](text Text) (number int, ok bool) {
	if len(text) == 0 || len(text) > 4 {
		return 0, false
	}
	for at := range len(text) {
		if text[at] < '0' || text[at] > '9' {
			return 0, false
		}
		number = number*10 + int(text[at]-'0')
	}
	return number, true
}

// IsZero reports whether there is no expiry.
func (e Expiry) IsZero() bool { return e == Expiry{} }

// Expired reports whether the card has expired at a time, in microseconds since 1970 in UTC. A card is valid
// to the last moment of its month in the issuer's own time, which nobody knows here. So it has expired when
// the month is over everywhere, twelve hours after it is in UTC: before that the issuer decides.
func (e Expiry) Expired(at int64) bool {
	const behind = 12 * time.Hour // the last time zone, UTC-12
	end := time.Date(e.Year, time.Month(e.Month)+1, 1, 0, 0, 0, 0, time.UTC).Add(behind)
	return at >= end.UnixMicro()
}

// String is the expiry as it stands on cards and in the API: "07/27"; "" for the zero Expiry.
func (e Expiry) String() string {
	if e.IsZero() {
		return ""
	}
	two := func(n int) string { return string([]byte{byte('0' + n/10%10), byte('0' + n%10)}) }
	return two(e.Month) + "/" + two(e.Year)
}
