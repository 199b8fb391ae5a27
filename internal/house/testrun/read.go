package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// total is what all passes together did, tests and subtests alike.
type total struct{ passed, failed, skipped int }

// event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64 // seconds
}

// reader turns the events of one pass into lines for a person.
type reader struct {
	sum  *total
	out  io.Writer
	said map[string][]string // what a test has printed so far, until we know whether it matters
	bad  map[string]bool     // packages with a failed test
	took []timed
}

type timed struct {
	name    string
	seconds float64
}

func newReader(sum *total, out io.Writer) *reader {
	return &reader{sum: sum, out: out, said: map[string][]string{}, bad: map[string]bool{}}
}

func (r *reader) read(events io.Reader) {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			r.line(line)
		}
		if err != nil {
			return // the end; how it came to that is in the exit code
		}
	}
}

func (r *reader) line(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil || e.Action == "" {
		fmt.Fprint(r.out, string(line)) // not every tool behind go test speaks JSON
		return
	}
	if e.Action == "build-output" {
		fmt.Fprint(r.out, e.Output)
		return
	}
	name := e.Package
	if e.Test != "" {
		name += "." + e.Test
	}
	switch e.Action {
	case "output":
		r.said[name] = append(r.said[name], e.Output)
		return
	case "pass", "fail", "skip":
	default:
		return
	}
	said := r.said[name]
	delete(r.said, name)
	if e.Test == "" {
		r.ofPackage(e, said)
		return
	}
	r.ofTest(e, name, said)
}

func (r *reader) ofTest(e event, name string, said []string) {
	if !strings.Contains(e.Test, "/") {
		r.took = append(r.took, timed{name, e.Elapsed})
	}
	switch e.Action {
	case "pass":
		r.sum.passed++
	case "fail":
		r.sum.failed++
		r.bad[e.Package] = true
		fmt.Fprintf(r.out, "\n--- FAILED %s (%.2fs)\n%s\n", name, e.Elapsed, own(said, "\n"))
	case "skip":
		r.sum.skipped++
		fmt.Fprintf(r.out, "SKIPPED %s: %s\n", name, cmp.Or(own(said, " "), "no reason given"))
	}
}

// own joins what the test itself printed, without the runner's marks around it.
func own(said []string, separator string) string {
	var lines []string
	for line := range strings.SplitSeq(strings.Join(said, ""), "\n") {
		text := strings.TrimSpace(line)
		if text == "" || strings.HasPrefix(text, "=== ") || strings.HasPrefix(text, "--- ") {
			continue
		}
		if separator == " " {
			line = text
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, separator)
}

// ofPackage prints the line go test closes a package with and, where it failed, all it said besides.
func (r *reader) ofPackage(e event, said []string) {
	text := strings.Join(said, "")
	if e.Action != "fail" {
		for line := range strings.SplitAfterSeq(text, "\n") {
			if strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "?   \t") {
				fmt.Fprint(r.out, line)
			}
		}
		return
	}
	// Tests that never ended: a panic, a time-out or an os.Exit took the whole package with it.
	for _, name := range slices.Sorted(maps.Keys(r.said)) {
		if strings.HasPrefix(name, e.Package+".") {
			r.sum.failed++
			r.bad[e.Package] = true
			fmt.Fprintf(r.out, "\n--- NOT ENDED %s\n%s\n", name, own(r.said[name], "\n"))
			delete(r.said, name)
		}
	}
	if !r.bad[e.Package] {
		r.sum.failed++ // it failed by itself: it does not compile, or its TestMain said so
	}
	fmt.Fprint(r.out, text)
	if !strings.Contains(text, "FAIL\t") {
		fmt.Fprintf(r.out, "FAIL\t%s\n", e.Package)
	}
}

// slowest prints where the pass spent its time, so that the budget is spent knowingly.
func (r *reader) slowest() {
	const shown = 10
	slices.SortStableFunc(r.took, func(a, b timed) int { return cmp.Compare(b.seconds, a.seconds) })
	for i, t := range r.took {
		if i == shown || t.seconds < 1 {
			return
		}
		if i == 0 {
			fmt.Fprintln(r.out, "\nslowest tests of this pass:")
		}
		fmt.Fprintf(r.out, "%8.1fs %s\n", t.seconds, t.name)
	}
}
