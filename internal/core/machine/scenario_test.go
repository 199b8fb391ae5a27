package machine_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the answers in the scenarios and in docs/ledger.md")

// TestScenarios runs the tables that an accountant can read: one action a line, and behind the arrow what
// came of it. A line "scenario: …" starts over with empty books. With -update the answers are rewritten,
// to be read before they are believed.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("../*/testdata/*.scenario")
	if err != nil || len(files) < 5 {
		t.Fatalf("found the scenarios %v (%v)", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimPrefix(file, "../"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			answered := &script{TB: t, file: file, rewrite: *update}
			answered.run(strings.Split(string(text), "\n"))
			answered.done(text)
		})
	}
}

// TestLedgerPage runs the worked examples of docs/ledger.md, which are scenarios in fenced blocks.
func TestLedgerPage(t *testing.T) {
	const file = "../../../docs/ledger.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{TB: t, file: file, rewrite: *update}
	inside, blocks := false, 0
	for _, line := range strings.Split(string(text), "\n") {
		switch {
		case line == "```scenario":
			inside, blocks = true, blocks+1
		case inside && line == "```":
			inside = false
		case inside:
			s.line(line)
			continue
		}
		s.out = append(s.out, line)
	}
	if blocks < 8 {
		t.Errorf("%d worked examples, want one for each operation", blocks)
	}
	s.done(text)
}

// script is one file on its way through the runner.
type script struct {
	testing.TB
	file    string
	rewrite bool
	out     []string
	*stage
}

func (s *script) run(lines []string) {
	for _, line := range lines {
		s.line(line)
	}
}

// done compares or rewrites the file.
func (s *script) done(was []byte) {
	s.Helper()
	now := []byte(strings.Join(s.out, "\n"))
	if bytes.Equal(was, now) {
		return
	}
	if s.rewrite {
		if err := os.WriteFile(s.file, now, 0o644); err != nil {
			s.Fatal(err)
		}
		return
	}
	old := strings.Split(string(was), "\n")
	for i, line := range s.out {
		if i < len(old) && old[i] != line {
			s.Errorf("%s:%d\n  have: %s\n  want: %s", s.file, i+1, line, old[i])
		}
	}
}

// line runs one line and keeps it with the answer that it came to.
func (s *script) line(line string) {
	bare, comment, _ := strings.Cut(line, "#")
	if comment != "" || strings.HasSuffix(line, "#") {
		comment = " #" + comment
	}
	bare = strings.TrimRight(bare, " ")
	if title, ok := strings.CutPrefix(bare, "scenario:"); ok {
		s.stage = newStage(title)
	}
	if bare == "" || strings.HasPrefix(bare, "scenario:") {
		s.out = append(s.out, line)
		return
	}
	if s.stage == nil {
		s.Fatalf("%s: %q stands before the first scenario", s.file, line)
	}
	before, _, asked := strings.Cut(bare, "->")
	question := strings.TrimRight(before, " ")
	answer, err := s.stage.answer(strings.Fields(question))
	if err != nil {
		s.Fatalf("%s: %q: %v", s.file, line, err)
	}
	if err := s.stage.check(); err != nil {
		s.Errorf("%s: after %q: %v", s.file, line, err)
	}
	switch {
	case asked || s.rewrite && answer != "" && answer != "ok":
		pad := strings.Repeat(" ", max(1, len(before)-len(question)))
		bare = question + pad + "-> " + answer
	case answer != "" && answer != "ok":
		s.Errorf("%s: %q came to %q and says nothing of it", s.file, line, answer)
	}
	s.out = append(s.out, bare+comment)
}

// A scenario that tells a lie must be found out.
func TestScenariosCanFail(t *testing.T) {
	told := &recorder{TB: t}
	s := &script{TB: told, file: "lie"}
	lines := []string{"scenario: a lie", "given alice", "top up alice 100 -> ok", "alice available -> 99"}
	s.run(lines)
	s.done([]byte(strings.Join(lines, "\n")))
	if len(told.errors) != 1 || !strings.Contains(told.errors[0], "alice available -> 100") {
		t.Fatalf("the lie was not found: %q", told.errors)
	}
}

// recorder collects errors in place of failing.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}
