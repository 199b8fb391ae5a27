package card

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrHolder says that a text is no name of a card's holder.
var ErrHolder = errors.New("not the name of a card's holder")

// maxHolder is the longest name, in characters. Cards have 26 (ISO/IEC 7813), people type more.
const maxHolder = 64

// ParseHolder reads the name of a card's holder as it was typed: 1 to 64 characters without control
// characters; spaces around are taken off. A name with a card number in it is none: people type into the
// wrong field, and names are shown and stored.
func ParseHolder(text string) (string, error) {
	if !utf8.ValidString(text) || len(text) > 2*maxHolder*utf8.UTFMax {
		return "", ErrHolder
	}
	name := strings.TrimSpace(text)
	if name == "" || utf8.RuneCountInString(name) > maxHolder || strings.ContainsFunc(name, unicode.IsControl) ||
		HasNumber(name) {
		return "", ErrHolder
	}
	return name, nil
}
