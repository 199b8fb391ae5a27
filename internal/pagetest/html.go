// Package pagetest looks at pages in tests: at their HTML by its structure, and as people do, in a Chromium
// with a keyboard, another language, a small window, or eyes that need axe-core's checks.
package pagetest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "rewrite the outlines in testdata")

// Attribute is the value of an element's attribute, "" for none.
func Attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// Within returns the elements of a kind below n, "*" for every kind, in order.
func Within(n *html.Node, kind string) (found []*html.Node) {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && (kind == "*" || d.Data == kind) {
			found = append(found, d)
		}
	}
	return found
}

// Text is an element's text with plain spaces.
func Text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(plain(b.String())), " ")
}

func plain(text string) string {
	return strings.NewReplacer("\u00a0", " ", "\u202f", " ").Replace(text)
}

// outlined are the attributes that make a page work.
var outlined = strings.Fields("action alt aria-current aria-describedby aria-invalid aria-label " +
	"aria-labelledby autocomplete autofocus for hidden href id inputmode lang maxlength method name required " +
	"role src tabindex target type")

// Outline fails unless the page has the structure that testdata/NAME.outline says: its elements with what
// makes them work, without style and words. stable takes out of an attribute's value what differs between
// runs. With -update the file is written anew, for a person to read.
func Outline(t testing.TB, name string, root *html.Node, stable func(string) string) {
	t.Helper()
	var b strings.Builder
	var walk func(n *html.Node, depth int)
	walk = func(n *html.Node, depth int) {
		if n.Type == html.ElementNode {
			b.WriteString(strings.Repeat("  ", depth) + n.Data)
			for _, a := range n.Attr {
				if !slices.Contains(outlined, a.Key) {
					continue
				}
				value, _, _ := strings.Cut(a.Val, "?")
				if value = stable(value); a.Key == "alt" || a.Key == "aria-label" {
					value = "…"
				}
				fmt.Fprintf(&b, " %s=%q", a.Key, value)
			}
			b.WriteString("\n")
			depth++
		}
		for c := range n.ChildNodes() {
			walk(c, depth)
		}
	}
	walk(root, 0)
	path := filepath.Join("testdata", name+".outline")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want, err := os.ReadFile(path); err != nil || b.String() != string(want) {
		t.Errorf("%s is not as in %s (%v); read it and run with -update:\n%s", name, path, err, b.String())
	}
}

// Faults says what is wrong with a page in a language, whatever is on it: it must have one heading, one main,
// headings in order, labels for all fields, ids once, references that lead somewhere, words on what is
// pressed, every value put in, and no script or style in its elements.
func Faults(root *html.Node, language string) (found []string) {
	wrong := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	all := Within(root, "*")
	ids, labelled, level := map[string]bool{}, map[string]bool{}, 0
	for _, n := range all {
		if id := Attribute(n, "id"); id != "" {
			if ids[id] {
				wrong("id %s twice", id)
			}
			ids[id] = true
		}
		if n.Data == "label" {
			labelled[Attribute(n, "for")] = true
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				wrong("inline %s", a.Key)
			}
		}
		if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
			next := int(n.Data[1] - '0')
			if level > 0 && next > level+1 {
				wrong("h%d follows h%d", next, level)
			}
			level = next
		}
	}
	if l := Attribute(Within(root, "html")[0], "lang"); l != language {
		wrong("its language is %s", l)
	}
	if len(Within(root, "h1")) != 1 || len(Within(root, "main")) != 1 || len(Within(root, "style")) > 0 {
		wrong("headings, main or styles are wrong")
	}
	for _, n := range all {
		for _, by := range []string{"aria-labelledby", "aria-describedby", "for"} {
			for _, ref := range strings.Fields(Attribute(n, by)) {
				if !ids[ref] {
					wrong("%s leads to %s, which is not there", by, ref)
				}
			}
		}
		if href := Attribute(n, "href"); strings.HasPrefix(href, "#") && !ids[href[1:]] {
			wrong("link to %s leads nowhere", href)
		}
		if n.Data == "input" && Attribute(n, "type") != "hidden" && !labelled[Attribute(n, "id")] {
			wrong("field %s has no label", Attribute(n, "name"))
		}
		if (n.Data == "button" || n.Data == "a") && Text(n) == "" {
			wrong("a %s without words", n.Data)
		}
	}
	if text := Text(root); strings.ContainsAny(text, "{}") {
		wrong("a value was not put in: %s", text)
	}
	return found
}
