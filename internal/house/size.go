package house

import (
	"fmt"
	"go/ast"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// The house numbers. Each is the size at which a reader starts to scroll or to count.
const (
	maxFunction   = 70  // lines, from the word func to the closing brace
	maxFile       = 600 // lines, tests aside
	maxLine       = 110 // characters, a tab being one, as Go's line linters count
	maxParameters = 5   // of a function or method; more of them want a struct
)

// Sizes checks the house numbers. exceptions lists what may be larger for now, each by the name with which
// it was found ("function internal/room/file.go Name"); one that is no longer needed fails, so that the
// list can only shrink. Generated files are exempt, and lines that hold an address.
func Sizes(c *Code, exceptions []string) []Finding {
	large := map[string]Finding{}
	for _, f := range c.files {
		if f.generated {
			continue
		}
		c.functions(f, large)
		lines := strings.Split(strings.TrimSuffix(f.text, "\n"), "\n")
		if n := len(lines); n > maxFile && !f.test {
			large["file "+f.path] = Finding{f.path, fmt.Sprintf("%d lines, at most %d", n, maxFile)}
		}
		for i, line := range lines {
			n := utf8.RuneCountInString(line)
			if n > maxLine && !strings.Contains(line, "://") {
				where := fmt.Sprintf("%s:%d", f.path, i+1)
				large["line "+where] = Finding{where, fmt.Sprintf("%d characters, at most %d", n, maxLine)}
			}
		}
	}
	return ratchet(large, exceptions)
}

// functions adds the file's functions that are too long or take too much.
func (c *Code) functions(f *goFile, large map[string]Finding) {
	for _, d := range f.syntax.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		name := f.path + " " + fn.Name.Name
		if fn.Recv != nil {
			name = f.path + " " + receiver(fn) + "." + fn.Name.Name
		}
		n := c.fset.Position(fn.End()).Line - c.fset.Position(fn.Pos()).Line + 1
		if n > maxFunction {
			large["function "+name] = c.at(fn.Pos(), "%s has %d lines, at most %d", fn.Name.Name, n, maxFunction)
		}
		if n := fn.Type.Params.NumFields(); n > maxParameters {
			large["parameters "+name] = c.at(fn.Pos(), "%s has %d parameters, at most %d",
				fn.Name.Name, n, maxParameters)
		}
	}
}

func ratchet(large map[string]Finding, exceptions []string) []Finding {
	var found []Finding
	for _, name := range slices.Sorted(maps.Keys(large)) {
		if !slices.Contains(exceptions, name) {
			found = append(found, large[name])
		}
	}
	for _, name := range exceptions {
		if _, still := large[name]; !still {
			found = append(found, Finding{table, "this exception is not needed any more: " + name})
		}
	}
	return found
}
