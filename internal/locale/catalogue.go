package locale

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// Catalogue is a room's texts by language and key. Texts hold values in braces: "Hello {name}".
type Catalogue map[Language]map[string]string

// Read reads one file a language, such as kk.json: one object of keys and texts. It fails unless all
// languages have the same keys and each text the same values as in the others.
func Read(files fs.FS) (Catalogue, error) {
	c := Catalogue{}
	for _, l := range Languages() {
		text, err := fs.ReadFile(files, string(l)+".json")
		if err != nil {
			return nil, fmt.Errorf("read the texts: %w", err)
		}
		texts := map[string]string{}
		if err := json.Unmarshal(text, &texts); err != nil {
			return nil, fmt.Errorf("read the texts of %s: %w", l, err)
		}
		c[l] = texts
	}
	return c, c.check()
}

// check compares every language with the first.
func (c Catalogue) check() error {
	first := Languages()[0]
	keys := slices.Sorted(maps.Keys(c[first]))
	for _, l := range Languages()[1:] {
		if other := slices.Sorted(maps.Keys(c[l])); !slices.Equal(keys, other) {
			return fmt.Errorf("the texts of %s and %s have not the same keys: %v", first, l,
				odd(keys, other))
		}
		for _, key := range keys {
			if a, b := values(c[first][key]), values(c[l][key]); !slices.Equal(a, b) {
				return fmt.Errorf("text %s has values %v in %s and %v in %s", key, a, first, b, l)
			}
		}
	}
	return nil
}

// odd are the keys that only one of two sorted lists has.
func odd(a, b []string) []string {
	var only []string
	for _, key := range slices.Concat(a, b) {
		if slices.Contains(a, key) != slices.Contains(b, key) {
			only = append(only, key)
		}
	}
	return only
}

// values are the names in braces of a text, sorted.
func values(text string) []string {
	var names []string
	for {
		_, rest, open := strings.Cut(text, "{")
		name, after, closed := strings.Cut(rest, "}")
		if !open || !closed {
			slices.Sort(names)
			return names
		}
		names = append(names, name)
		text = after
	}
}

// Text returns a text with its values put in: pairs of name and value. A key that nobody wrote is a mistake
// in the program, and stops it: the tests use every key.
func (c Catalogue) Text(l Language, key string, pairs ...string) string {
	text, ok := c[l][key]
	if !ok {
		panic("locale: there is no text " + key)
	}
	values := slices.Clone(pairs)
	for i := 0; i+1 < len(values); i += 2 {
		values[i] = "{" + values[i] + "}"
	}
	return strings.NewReplacer(values...).Replace(text)
}

// Has reports whether there is a text with this key.
func (c Catalogue) Has(key string) bool {
	_, ok := c[Languages()[0]][key]
	return ok
}
