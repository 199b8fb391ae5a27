// Package locale is how things are said to people: the languages, the catalogues of texts, and amounts and
// times as each language writes them.
package locale

import (
	"strconv"
	"strings"
)

// Language is one of the three languages that people are spoken to in.
type Language string

// The languages. Kazakh, the state language, is used until a person has said otherwise.
const (
	Kazakh  Language = "kk"
	Russian Language = "ru"
	English Language = "en"
)

// Languages lists them in the order in which a page offers them.
func Languages() []Language { return []Language{Kazakh, Russian, English} }

// Parse returns the language with the given tag, and whether there is one.
func Parse(tag string) (Language, bool) {
	for _, l := range Languages() {
		if string(l) == tag {
			return l, true
		}
	}
	return "", false
}

// Accepted returns the language that an Accept-Language header prefers among ours; Kazakh when it names none
// of them.
func Accepted(header string) Language {
	best, weight := Kazakh, 0.0
	for part := range strings.SplitSeq(header, ",") {
		tag, parameter, _ := strings.Cut(strings.TrimSpace(part), ";")
		primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
		l, ours := Parse(primary)
		q := 1.0
		if value, ok := strings.CutPrefix(strings.TrimSpace(parameter), "q="); ok {
			parsed, err := strconv.ParseFloat(value, 64)
			if err != nil {
				continue
			}
			q = parsed
		}
		if ours && q > weight {
			best, weight = l, q
		}
	}
	return best
}
