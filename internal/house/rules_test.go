package house

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// lines joins a file's lines, for trees that are written down in a test.
func lines(text ...string) string { return strings.Join(text, "\n") + "\n" }

// holds runs a rule on a small tree and compares what it finds, each finding by its place and a part of
// its words: "a.go:3: must not import".
func holds(t *testing.T, tree Tree, rule func(*testing.T, *Code) []Finding, want ...string) {
	t.Helper()
	code, err := Parse(tree)
	if err != nil {
		t.Fatal(err)
	}
	got := rule(t, code)
	if len(got) != len(want) {
		t.Errorf("found %d, want %d:\n%v", len(got), len(want), got)
		return
	}
	for i, f := range got {
		where, what, _ := strings.Cut(want[i], ": ")
		if f.Where != where || !strings.Contains(f.What, what) {
			t.Errorf("found %q, want %q", f, want[i])
		}
	}
}

func TestImports(t *testing.T) {
	may := map[string][]string{"a": {"b"}, "b": {}, "core/x": {}, "all": {"core/"}, "app": {"*"}}
	tree := Tree{
		"internal/a/a.go":      lines("package a", "", `import _ "plexy/internal/b"`),
		"internal/b/b.go":      lines("package b"),
		"internal/b/b_test.go": lines("package b", `import _ "plexy/internal/app"`),
		"internal/core/x/x.go": lines("package x"),
		"internal/all/all.go":  lines("package all", `import _ "plexy/internal/core/x"`),
		"internal/app/app.go":  lines("package app", `import _ "plexy/internal/all"`, `import _ "fmt"`),
	}
	rule := func(_ *testing.T, c *Code) []Finding { return Imports(c, may) }
	holds(t, tree, rule)
	tree["internal/b/b.go"] = lines("package b", `import "plexy/internal/a"`, "var _ = a.X")
	tree["cmd/new/main.go"] = lines("package main")
	delete(tree, "internal/core/x/x.go")
	holds(t, tree, rule,
		"internal/b/b.go:2: room b must not import a",
		"cmd/new/main.go: room cmd/new has no line",
		"internal/house/rooms.go: not there: core/x")
}

func TestGuards(t *testing.T) {
	rule := func(_ *testing.T, c *Code) []Finding {
		return Guards(c, []Guard{
			{What: "time", Calls: []string{"time.Now"}, Rooms: []string{"clock"}},
			{What: "a driver", Imports: []string{"example.com/pg/", "database/sql"}, Rooms: []string{"storage/"}},
			{What: "go", GoStmt: true},
			{What: "a secret", Methods: []string{"RevealIt"}},
		})
	}
	tree := Tree{
		"internal/clock/clock.go": lines("package clock", `import "time"`, "var X = time.Now"),
		"internal/storage/pg/pg.go": lines("package pg", `import _ "example.com/pg/v5"`,
			`import _ "database/sql"`),
		"internal/a/a.go":      lines("package a", `import "time"`, "const X = time.Second"),
		"internal/a/a_test.go": lines("package a", `import "time"`, "func f() { go f(); time.Now() }"),
	}
	holds(t, tree, rule)
	tree["internal/a/a.go"] = lines("package a", `import clock "time"`, `import _ "example.com/pg/v5/pool"`,
		"var x = clock.Now()", "func f() {", "go f()", "}", "var y = f().z.RevealIt()")
	holds(t, tree, rule,
		"internal/a/a.go:4: must not touch time",
		"internal/a/a.go:3: must not touch a driver",
		"internal/a/a.go:6: must not touch go",
		"internal/a/a.go:8: must not touch a secret")
	tree["internal/clock/clock.go"] = lines("package clock")
	delete(tree, "internal/a/a.go")
	holds(t, tree, rule, "internal/house/rooms.go: take it off the list")
}

func TestCore(t *testing.T) {
	rule := func(t *testing.T, c *Code) []Finding {
		found, err := Core(c, []string{"fmt", "strings"})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	pure := lines("package money", `import "fmt"`, "type Set map[string]int64",
		"func F(s Set, l []int64) (n int64) {", "for _, v := range l { n += v }", `if n < 0 {`,
		`panic("money: below zero")`, "}", "_ = fmt.Sprint(s[`a`])", "return n", "}")
	tree := Tree{
		"internal/core/money/money.go": pure,
		"internal/core/money/money_test.go": lines("package money_test", `import "time"`,
			"var _ = time.Now().Sub(time.Time{}).Seconds() * 1.5"),
		"internal/door/door.go": lines("package door", `import "time"`, "var Pi = 3.14", "var _ = time.Now",
			"func init() { for range map[int]int{} { panic(1) } }"),
	}
	holds(t, tree, rule)
	tree["internal/core/bad/bad.go"] = lines("package bad", "", "import (", `"plexy/internal/core/money"`,
		`"plexy/internal/door"`, `"os"`, ")", "type T struct { N int64 `json:\"n\"` }",
		"func init() { door.Pi = 0 }",
		"func F(s money.Set, c chan int) (n int64) {", "for _, v := range s { n += v }", "go F(s, c)",
		"panic(os.Args[0])", "}", "func G(n int64) bool {", "return float32(n) > 0 }")
	holds(t, tree, rule,
		"internal/core/bad/bad.go:5: must not import plexy/internal/door",
		"internal/core/bad/bad.go:6: must not import os",
		"internal/core/bad/bad.go:8: no JSON tags",
		"internal/core/bad/bad.go:9: no init",
		"internal/core/bad/bad.go:9: no floats",
		"internal/core/bad/bad.go:9: no floats",
		"internal/core/bad/bad.go:10: no channels",
		"internal/core/bad/bad.go:11: walk over a map",
		"internal/core/bad/bad.go:12: no goroutines",
		"internal/core/bad/bad.go:13: no panic",
		"internal/core/bad/bad.go:16: no floats",
		"internal/core/bad/bad.go:16: no floats")
}

func TestNames(t *testing.T) {
	rule := func(_ *testing.T, c *Code) []Finding { return Names(c) }
	holds(t, Tree{"internal/commit/a.go": lines("package commit", "type Lane struct{}")}, rule)
	holds(t, Tree{
		"internal/util/a.go":   lines("package util"),
		"internal/a/a.go":      lines("package a", "type (", "LaneManager struct{}", ")"),
		"internal/b/a_test.go": lines("package helpers_test"),
	}, rule,
		"internal/a/a.go:3: type LaneManager",
		"internal/b/a_test.go:1: package helpers",
		"internal/util/a.go:1: package util")
}

func TestPackageDocs(t *testing.T) {
	rule := func(_ *testing.T, c *Code) []Finding { return PackageDocs(c) }
	holds(t, Tree{
		"internal/a/a.go":   lines("// Package a does it.", "package a"),
		"internal/a/b.go":   lines("package a"),
		"cmd/plexy/main.go": lines("// Command plexy is the program.", "package main"),
	}, rule)
	holds(t, Tree{
		"internal/a/a.go": lines("package a"),
		"internal/b/a.go": lines("// It does.", "package b"),
		"internal/c/a.go": lines("// Package c does.", "package c"),
		"internal/c/b.go": lines("// Package c does.", "package c"),
	}, rule,
		"internal/a/a.go: no package comment",
		"internal/b/a.go:1: must begin with",
		"internal/c/a.go: several")
}

func TestExportedDocs(t *testing.T) {
	rule := func(_ *testing.T, c *Code) []Finding { return ExportedDocs(c) }
	holds(t, Tree{
		"internal/a/a.go": lines("package a", "// A Lane is one.", "type Lane struct{ N int }",
			"// Open opens.", "func (l *Lane) Open() {}", "func inner() {}", "type hidden struct{}",
			"func (hidden) Open() {}", "// Words of the API.", "const (", "One = 1", "Two = 2", ")",
			"var Three = 3 // three", "// Keeper keeps.", "type Keeper interface {", "// Keep keeps.", "Keep()",
			"}"),
		"internal/a/a_test.go": lines("package a", "func TestA() {}"),
		"internal/a/g.go":      lines("// Code generated by x. DO NOT EDIT.", "", "package a", "var Four = 4"),
	}, rule)
	holds(t, Tree{"internal/a/a.go": lines("package a", "type Lane[T any] struct{}",
		"func (l *Lane[T]) Open() {}",
		"// Does it.", "func Do() {}", "const (", "One = 1", "two = 2", ")", "// Keeper keeps.",
		"type Keeper interface {", "Keep()", "}")}, rule,
		"internal/a/a.go:2: Lane is exported",
		"internal/a/a.go:3: Open is exported",
		"internal/a/a.go:4: comment of Do must begin",
		"internal/a/a.go:7: One is exported",
		"internal/a/a.go:12: Keeper.Keep is exported")
}

func TestSizes(t *testing.T) {
	body := strings.Repeat("\n", maxFunction-1)
	file := strings.Repeat("//\n", maxFile-1)
	wide := "// " + strings.Repeat("я", maxLine-3)
	rule := func(exceptions ...string) func(*testing.T, *Code) []Finding {
		return func(_ *testing.T, c *Code) []Finding { return Sizes(c, exceptions) }
	}
	holds(t, Tree{
		"a/a.go":      "package a\nfunc F(a, b, c, d, e int) {" + body + "}\n",
		"a/b.go":      "package a\n" + file,
		"a/c.go":      lines("package a", wide, wide+" https://example.com/a"),
		"a/d_test.go": "package a\n" + file + file,
		"a/e.go":      lines("// Code generated by x. DO NOT EDIT.", "", "package a", wide+"я"),
	}, rule())
	large := Tree{
		"a/a.go": "package a\nfunc (T) F() {" + body + "\n}\nfunc G(a, b, c, d, e, f int) {}\ntype T int\n",
		"a/b.go": "package a\n//\n" + file,
		"a/c.go": lines("package a", wide+"я"),
	}
	holds(t, large, rule(),
		"a/b.go: 601 lines",
		"a/a.go:2: F has 71 lines",
		"a/c.go:2: 111 characters",
		fmt.Sprintf("a/a.go:%d: G has 6 parameters", maxFunction+3))
	named := []string{"file a/b.go", "function a/a.go T.F", "line a/c.go:2", "parameters a/a.go G"}
	holds(t, large, rule(named...))
	large["a/c.go"] = lines("package a")
	holds(t, large, rule(named...), "internal/house/rooms.go: not needed any more: line a/c.go:2")
}

func TestText(t *testing.T) {
	rule := func(text string) func(*testing.T, *Code) []Finding {
		return func(*testing.T, *Code) []Finding { return Text(Tree{"a.md": text, "go.sum": "TO" + "DO"}) }
	}
	holds(t, Tree{}, rule(lines("see TO"+"DO(#12)", "XXX is a currency", "the /work of it", "an API/root/x",
		"https://example.com/home/page", "GET /v1/wallet")))
	for _, bad := range []string{
		"// TO" + "DO later", "FIX" + "ME", "a HA" + "CK", "https://proxy.gol" + "ang.org/x",
		"registry.np" + "mjs.org", "cd /wo" + "rk/x", "'/ro" + "ot/go", "path=/ho" + "me/ann/go",
		"(/Us" + "ers/a/b)", "<<<<<<< ours",
	} {
		holds(t, Tree{}, rule("fine\n"+bad+"\n"), "a.md:2: ")
	}
}

func TestPapers(t *testing.T) {
	tree := Tree{
		"Makefile": lines("BIN = x", ".PHONY: test", "build test: needs", "\tgo build"),
		"a.md": lines("# Title", "## Two *words* of `it`", "[b](docs/b.md#deep-one-1) [self](#two-words-of-it)",
			"[out](https://example.com/x) `internal/x` and `internal/x/x.go:12` and `docs/`, `make test`",
			"```sh", "# not a title", "$ make build", "[no](link)", "```", "[ref]: docs/b.md", "`[no](link)`"),
		"docs/b.md":            lines("# B", "## Deep one", "## Deep one", "[up](../a.md)"),
		"internal/x/x.go":      "package x\n",
		"x/testdata/golden.md": "no title\n",
	}
	rule := func(*testing.T, *Code) []Finding { return Papers(tree) }
	holds(t, Tree{}, rule)
	tree["docs/b.md"] = lines("# B", "# C", "[up](a.md)", "[up](../a.md#gone)",
		"`cmd/gone/main.go`, `make gone`",
		"```", "make missing", "```", "[abs](/a.md) ![picture](p.png)", "[r]: gone.md")
	delete(tree, "a.md")
	tree["a.md"] = lines("# A")
	holds(t, Tree{}, rule,
		"docs/b.md: 2 titles",
		"docs/b.md:3: link a.md leads nowhere",
		"docs/b.md:4: names a heading",
		"docs/b.md:9: must be relative",
		"docs/b.md:9: link p.png leads nowhere",
		"docs/b.md:10: link gone.md leads nowhere",
		"docs/b.md:5: names cmd/gone/main.go",
		"docs/b.md:5: no target gone",
		"docs/b.md:7: no target missing")
	holds(t, Tree{}, func(*testing.T, *Code) []Finding { return Required(tree, []string{"a.md", "c.md"}) },
		"c.md: missing or empty")
}

func TestModules(t *testing.T) {
	allowed := []Module{{Path: "a.org/a", Why: "a"}, {Path: "b.org/b/v2", Why: "b", Proofs: true}}
	tree := Tree{
		"go.mod": lines("module plexy", "require (", "\ta.org/a v1.0.0", "\tc.org/c v1.0.0 // indirect", ")",
			"require b.org/b/v2 v2.0.0"),
		"internal/x/x.go":      lines("package x", `import _ "a.org/a/sub"`, `import _ "net/http"`),
		"internal/x/x_test.go": lines("package x", `import _ "b.org/b/v2"`),
		"internal/sim/s.go":    lines("package sim", `import _ "b.org/b/v2/deep"`, `import _ "plexy/internal/x"`),
	}
	rule := func(_ *testing.T, c *Code) []Finding { return Modules(tree, c, allowed, []string{"sim"}) }
	holds(t, tree, rule)
	allowed = append(allowed, Module{Path: "e.org/e", Why: "e"}, Module{Path: "f.org/f"})
	tree["go.mod"] = lines("module plexy", "require (", "\ta.org/a v1.0.0 // indirect", "\td.org/d v1.0.0", ")",
		"replace a.org/a => ../a")
	tree["internal/x/x.go"] = lines("package x", `import _ "a.org/a"`, `import _ "b.org/b/v2"`,
		`import _ "b.org/b/v3"`)
	holds(t, tree, rule,
		"go.mod: replaces a module",
		"internal/x/x.go:3: for proofs alone",
		"internal/x/x.go:4: b.org/b/v3 is not on the list",
		"go.mod: a.org/a is imported and marked indirect",
		"go.mod: b.org/b/v2 is imported and not required",
		"go.mod: e.org/e is on the list and nothing imports it",
		"go.mod: f.org/f is on the list without a reason",
		"go.mod: d.org/d is required directly and not on the list")
}

func TestLoadSeesWhatWouldBeCommitted(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.go": "package a\n", "sub/b.md": "# B\n", "bin/tool": "x", ".gitignore": "/bin/\n",
	} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{".gitignore", "a.go", "sub/b.md"}
	check := func(how string) {
		tree, err := Load(dir)
		if err != nil || !slices.Equal(tree.paths(), want) {
			t.Errorf("%s: %v, %v; want %v", how, tree.paths(), err, want)
		}
	}
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	check("without git")
	if out, err := exec.Command("git", "-C", dir, "init", "-q").CombinedOutput(); err != nil {
		t.Logf("no git here, so only the walk is tested: %s", out)
		return
	}
	check("with git")
}
