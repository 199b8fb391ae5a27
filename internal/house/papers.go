package house

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

var (
	mdLink  = regexp.MustCompile(`\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)`)
	mdRef   = regexp.MustCompile(`^\[[^\]]+\]:\s+(\S+)`)
	mdCode  = regexp.MustCompile("`([^`]+)`")
	mdPath  = regexp.MustCompile(`^(?:\./)?((?:internal|cmd|api|docs)/[\w./-]*\w/?)(?::\d+)?$`)
	mdMake  = regexp.MustCompile(`^make ([a-z][a-z-]*)\b`)
	heading = regexp.MustCompile(`^(#{1,6})\s+(.*?)\s*#*$`)
)

// Required checks that the papers every newcomer looks for are there.
func Required(t Tree, papers []string) []Finding {
	var found []Finding
	for _, p := range papers {
		if strings.TrimSpace(t[p]) == "" {
			found = append(found, Finding{p, "this paper is missing or empty"})
		}
	}
	return found
}

// Papers checks every Markdown page: exactly one title, relative links and their anchors that resolve, and
// paths of code and targets of make, given as code, that exist.
func Papers(t Tree) []Finding {
	var found []Finding
	targets := makeTargets(t["Makefile"])
	for _, p := range t.paths() {
		if !strings.HasSuffix(p, ".md") || strings.Contains(p, "testdata/") {
			continue
		}
		page := readPage(t[p])
		if page.titles != 1 {
			found = append(found, Finding{p, fmt.Sprintf("%d titles (# …), want exactly one", page.titles)})
		}
		for _, l := range page.links {
			if what := t.deadLink(p, l.text); what != "" {
				found = append(found, Finding{fmt.Sprintf("%s:%d", p, l.line), what})
			}
		}
		for _, c := range page.code {
			where := fmt.Sprintf("%s:%d", p, c.line)
			if m := mdPath.FindStringSubmatch(c.text); m != nil && !t.has(m[1]) {
				found = append(found, Finding{where, "names " + m[1] + ", which is not there"})
			}
			if m := mdMake.FindStringSubmatch(c.text); m != nil && !slices.Contains(targets, m[1]) {
				found = append(found, Finding{where, "the Makefile has no target " + m[1]})
			}
		}
	}
	return found
}

// page is what the rules need to know of a Markdown page.
type page struct {
	titles      int
	anchors     []string
	links, code []snippet
}

type snippet struct {
	line int
	text string
}

// readPage reads a page. In fenced blocks only the commands at the start of a line count.
func readPage(text string) page {
	var p page
	fence := ""
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		trimmed := strings.TrimSpace(line)
		switch {
		case fence != "":
			if strings.HasPrefix(trimmed, fence) {
				fence = ""
			} else {
				p.code = append(p.code, snippet{n, strings.TrimPrefix(trimmed, "$ ")})
			}
			continue
		case strings.HasPrefix(trimmed, "```"), strings.HasPrefix(trimmed, "~~~"):
			fence = trimmed[:3]
			continue
		}
		if m := heading.FindStringSubmatch(line); m != nil {
			if m[1] == "#" {
				p.titles++
			}
			p.anchors = append(p.anchors, p.anchor(m[2]))
		}
		for _, m := range mdCode.FindAllStringSubmatch(line, -1) {
			p.code = append(p.code, snippet{n, m[1]})
		}
		bare := mdCode.ReplaceAllString(line, "code")
		for _, m := range mdLink.FindAllStringSubmatch(bare, -1) {
			p.links = append(p.links, snippet{n, m[1]})
		}
		if m := mdRef.FindStringSubmatch(bare); m != nil {
			p.links = append(p.links, snippet{n, m[1]})
		}
	}
	return p
}

// anchor returns the fragment under which code hosts file a heading; a repeated one gets a number.
func (p *page) anchor(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	slug := b.String()
	for n := 1; slices.Contains(p.anchors, slug); n++ {
		slug = fmt.Sprintf("%s-%d", b.String(), n)
	}
	return slug
}

// deadLink says what is wrong with a link of page from; addresses outside the repository are not asked.
func (t Tree) deadLink(from, link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return "cannot read the link " + link
	}
	if u.Scheme != "" || u.Host != "" {
		return ""
	}
	target := from
	if u.Path != "" {
		target = path.Join(path.Dir(from), u.Path)
		if strings.HasPrefix(u.Path, "/") {
			return "link " + link + " must be relative"
		}
	}
	if !t.has(target) {
		return "link " + link + " leads nowhere"
	}
	if u.Fragment != "" && strings.HasSuffix(target, ".md") &&
		!slices.Contains(readPage(t[target]).anchors, u.Fragment) {
		return "link " + link + " names a heading that is not there"
	}
	return ""
}

func makeTargets(makefile string) []string {
	var targets []string
	for line := range strings.SplitSeq(makefile, "\n") {
		name, _, ok := strings.Cut(line, ":")
		if ok && !strings.ContainsAny(line[:1], "\t#.") {
			targets = append(targets, strings.Fields(name)...)
		}
	}
	return targets
}
