package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree writes a module of one package and moves there.
func tree(t *testing.T, test string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module sample\n\ngo 1.26\n",
		"a_test.go": "package sample\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nvar _ = os.Exit\n\n" + test,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

func TestTotals(t *testing.T) {
	for _, tt := range []struct {
		name, test string
		want       total
		says       []string
	}{
		{"passes, subtests counted", `func TestA(t *testing.T) { t.Run("b", func(*testing.T) {}) }`,
			total{passed: 2}, []string{"ok  \tsample"}},
		{"skip with its reason", `func TestA(t *testing.T) { t.Skip("no such disk") }`,
			total{skipped: 1}, []string{"SKIPPED sample.TestA: a_test.go:10: no such disk"}},
		{"failure with its output", `func TestA(t *testing.T) { t.Error("got 1, want 2") }
func TestB(*testing.T) {}`,
			total{passed: 1, failed: 1}, []string{"FAILED sample.TestA", "got 1, want 2", "FAIL\tsample"}},
		{"panic", `func TestA(t *testing.T) { panic("boom") }`,
			total{failed: 1}, []string{"panic: boom", "FAIL\tsample"}},
		{"exit in a test", `func TestA(t *testing.T) { println("last words"); os.Exit(3) }`,
			total{failed: 1}, []string{"NOT ENDED sample.TestA", "last words"}},
		{"failing main", `func TestMain(m *testing.M) { m.Run(); os.Exit(3) }
func TestA(*testing.T) {}`,
			total{passed: 1, failed: 1}, []string{"FAIL\tsample"}},
		{"does not compile", `func TestA(t *testing.T) { missing() }`,
			total{failed: 1}, []string{"undefined: missing", "FAIL\tsample"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tree(t, tt.test)
			var sum total
			var out bytes.Buffer
			if err := (pass{"only", []string{"-count=1", "./..."}}).run(&sum, &out); err != nil {
				t.Fatal(err)
			}
			if sum != tt.want {
				t.Errorf("counted %+v, want %+v", sum, tt.want)
			}
			for _, want := range tt.says {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the output does not say %q:\n%s", want, out.String())
				}
			}
		})
	}
}

func TestAnErrorOfTheRunnerCounts(t *testing.T) {
	tree(t, "func TestA(*testing.T) {}")
	var sum total
	var out bytes.Buffer
	if err := (pass{"only", []string{"-count=many"}}).run(&sum, &out); err == nil || sum.failed != 1 {
		t.Errorf("error %v, %+v; want an error and one failure", err, sum)
	}
}

func TestPasses(t *testing.T) {
	got, err := parse([]string{"plain", "./...", "--", "race", "-race", "./..."})
	if err != nil || len(got) != 2 || got[1].name != "race" || strings.Join(got[1].args, " ") != "-race ./..." {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range [][]string{{}, {"plain"}, {"plain", "./...", "--"}, {"--", "plain", "./..."}} {
		if got, err := parse(bad); err == nil {
			t.Errorf("%v was taken for %v", bad, got)
		}
	}
}
