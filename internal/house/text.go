package house

import (
	"fmt"
	"regexp"
	"strings"
)

// Words that must not be committed are put together from halves here, or this file would hold them.
var (
	// unfinished is a note to do something later. One that names an issue, as in (#12), has an owner.
	unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|HA` + `CK)\b(\(#\d+\))?`)

	// registries are hosts that package clients are set up for on each machine; a committed one would
	// bypass that set-up.
	registries = regexp.MustCompile(`\b(proxy\.gol` + `ang\.org|sum\.gol` + `ang\.org|registry\.np` +
		`mjs\.org|deb\.deb` + `ian\.org|py` + `pi\.org|crates\.i` + `o\b|rubyg` + `ems\.org)`)

	// desks are folders of one person's machine, which nobody else has.
	desks = regexp.MustCompile(`(^|[\s"'` + "`" + `(=:])/(wo` + `rk|ro` + `ot|ho` + `me/\w+|Us` + `ers/\w+)/`)

	conflict = regexp.MustCompile(`^(<<<<<<<|>>>>>>>) `)
)

// Text checks all files for notes to do something later, hosts of package registries, paths of one
// machine, and what is left of a merge.
func Text(t Tree) []Finding {
	var found []Finding
	for _, p := range t.paths() {
		text := t[p]
		if p == "go.sum" || strings.ContainsRune(text, 0) {
			continue
		}
		n := 0
		for line := range strings.SplitSeq(text, "\n") {
			n++
			for _, what := range breaches(line) {
				found = append(found, Finding{fmt.Sprintf("%s:%d", p, n), what})
			}
		}
	}
	return found
}

func breaches(line string) []string {
	var list []string
	for _, m := range unfinished.FindAllStringSubmatch(line, -1) {
		if m[2] == "" {
			list = append(list, "a note to do something later: do it now, or name its issue as in (#12)")
		}
	}
	if registries.MatchString(line) {
		list = append(list, "the host of a package registry: clients are set up outside the repository")
	}
	if desks.MatchString(line) {
		list = append(list, "a path of one machine")
	}
	if conflict.MatchString(line) {
		list = append(list, "a conflict that was not resolved")
	}
	return list
}
