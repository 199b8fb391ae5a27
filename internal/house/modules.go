package house

import (
	"maps"
	"slices"
	"strings"
)

const goMod = "go.mod"

// Module is a dependency we chose, and why.
type Module struct {
	Path   string
	Why    string
	Proofs bool // only tests and the rooms that prove and measure may use it; the product does not ship it
}

// Modules checks go.mod against the list of allowed modules: what our code imports must be on the list and
// required directly; what is on the list must be used; nothing is replaced. proofs are the rooms that may
// use modules which are there for proofs alone.
func Modules(t Tree, c *Code, allowed []Module, proofs []string) []Finding {
	var found []Finding
	direct, indirect, replaced := requirements(t[goMod])
	if replaced {
		found = append(found, Finding{goMod, "replaces a module: a clone elsewhere would build something else"})
	}
	outside, used := c.outside(allowed, proofs)
	found = append(found, outside...)
	on := map[string]bool{}
	for _, m := range allowed {
		on[m.Path] = true
		add := func(what string) { found = append(found, Finding{goMod, m.Path + what}) }
		switch {
		case m.Why == "":
			add(" is on the list without a reason")
		case !used[m.Path]:
			add(" is on the list and nothing imports it")
		case slices.Contains(indirect, m.Path):
			add(" is imported and marked indirect: run go mod tidy")
		case !slices.Contains(direct, m.Path):
			add(" is imported and not required: run go mod tidy")
		}
	}
	for _, path := range direct {
		if !on[path] {
			found = append(found, Finding{goMod, path + " is required directly and not on the list of " + table})
		}
	}
	return found
}

// outside checks the imports that leave the module and tells which listed modules they use.
func (c *Code) outside(allowed []Module, proofs []string) (found []Finding, used map[string]bool) {
	used = map[string]bool{}
	for _, f := range c.files {
		for _, i := range f.imports() {
			if strings.HasPrefix(i.path, module) || !strings.Contains(strings.Split(i.path, "/")[0], ".") {
				continue // ours, or the standard library
			}
			m := covering(allowed, i.path)
			if m == nil {
				found = append(found, c.at(i.spec.Pos(), "the module of %s is not on the list of %s", i.path, table))
				continue
			}
			used[m.Path] = true
			if m.Proofs && !f.test && !listedIn(proofs, f.room) {
				found = append(found, c.at(i.spec.Pos(), "%s is there for proofs alone", i.path))
			}
		}
	}
	return found, used
}

// covering returns the listed module that holds a package; the longest path wins.
func covering(allowed []Module, p string) *Module {
	var best *Module
	for i, m := range allowed {
		if (p == m.Path || strings.HasPrefix(p, m.Path+"/")) && (best == nil || len(m.Path) > len(best.Path)) {
			best = &allowed[i]
		}
	}
	return best
}

// requirements reads the require and replace lines of a go.mod.
func requirements(text string) (direct, indirect []string, replaced bool) {
	seen := map[string]bool{}
	block := ""
	for line := range strings.SplitSeq(text, "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "//"):
			continue
		case words[0] == ")":
			block = ""
			continue
		case len(words) > 1 && words[1] == "(":
			block = words[0]
			continue
		}
		verb := block
		if verb == "" {
			verb, words = words[0], words[1:]
		}
		switch {
		case verb == "replace":
			replaced = true
		case verb == "require" && len(words) > 1:
			seen[words[0]] = strings.Contains(line, "// indirect")
		}
	}
	for _, p := range slices.Sorted(maps.Keys(seen)) {
		if seen[p] {
			indirect = append(indirect, p)
		} else {
			direct = append(direct, p)
		}
	}
	return direct, indirect, replaced
}
