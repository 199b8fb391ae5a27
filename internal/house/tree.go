// Package house is the house rules as tests: who may import whom, what the money core may not touch, how
// large things may grow, what must be documented, and that the papers tell the truth.
//
// Each rule is a function from a Tree to findings, so that its own test can hand it a small tree that
// breaks it. The test of the whole repository then runs all of them. docs/style.md tells the reasons.
package house

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// module is the name that go.mod gives us; imports of our own packages begin with it.
const module = "plexy/"

// table is where the data of the rules is.
const table = "internal/house/rooms.go"

// Tree is the text of a repository's files by slash-separated path from its root.
type Tree map[string]string

// Finding is one breach of a rule: where, and what to do about it.
type Finding struct {
	Where string // path, or path:line
	What  string
}

// String returns the finding as compilers print theirs, so that editors can jump to it.
func (f Finding) String() string { return f.Where + ": " + f.What }

// Load reads every file that is, or could be, committed: what git knows plus what it does not ignore.
// Without git it reads everything but the folders that .gitignore names.
func Load(root string) (Tree, error) {
	paths, err := listed(root)
	if err != nil {
		if paths, err = walked(root); err != nil {
			return nil, fmt.Errorf("list the repository's files: %w", err)
		}
	}
	tree := Tree{}
	for _, p := range paths {
		text, err := os.ReadFile(filepath.Join(root, p))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed, and the removal not yet committed
		}
		if err != nil {
			return nil, fmt.Errorf("read a file of the repository: %w", err)
		}
		tree[p] = string(text)
	}
	return tree, nil
}

func listed(root string) ([]string, error) {
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var paths []string
	for p := range bytes.SplitSeq(bytes.TrimSuffix(out, []byte{0}), []byte{0}) {
		paths = append(paths, string(p))
	}
	return paths, nil
}

func walked(root string) ([]string, error) {
	var paths []string
	err := fs.WalkDir(os.DirFS(root), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "bin", "build", "plexy-data"}, p):
			return fs.SkipDir
		case d.Type().IsRegular():
			paths = append(paths, p)
		}
		return nil
	})
	return paths, err
}

// paths returns the tree's paths in order, so that findings come in the same order every time.
func (t Tree) paths() []string { return slices.Sorted(maps.Keys(t)) }

// has tells whether p is a file or a folder of the tree.
func (t Tree) has(p string) bool {
	p = path.Clean(p)
	if _, ok := t[p]; ok || p == "." {
		return true
	}
	for q := range t {
		if strings.HasPrefix(q, p+"/") {
			return true
		}
	}
	return false
}

// Code is the parsed Go files of a tree.
type Code struct {
	fset  *token.FileSet
	files []*goFile
}

type goFile struct {
	path      string
	room      string // the folder from the root, without a leading internal/
	test      bool
	generated bool
	text      string
	syntax    *ast.File
}

// Parse reads the tree's Go files, test data aside.
func Parse(t Tree) (*Code, error) {
	c := &Code{fset: token.NewFileSet()}
	for _, p := range t.paths() {
		if !strings.HasSuffix(p, ".go") || strings.Contains(p, "testdata/") {
			continue
		}
		syntax, err := parser.ParseFile(c.fset, p, t[p], parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		c.files = append(c.files, &goFile{
			path: p, room: strings.TrimPrefix(path.Dir(p), "internal/"), text: t[p], syntax: syntax,
			test: strings.HasSuffix(p, "_test.go"), generated: ast.IsGenerated(syntax),
		})
	}
	return c, nil
}

// at returns a finding at a position of the code.
func (c *Code) at(pos token.Pos, format string, args ...any) Finding {
	where := c.fset.Position(pos)
	return Finding{fmt.Sprintf("%s:%d", where.Filename, where.Line), fmt.Sprintf(format, args...)}
}

// rooms returns the rooms that have code besides tests, each with its files.
func (c *Code) rooms() map[string][]*goFile {
	rooms := map[string][]*goFile{}
	for _, f := range c.files {
		if !f.test {
			rooms[f.room] = append(rooms[f.room], f)
		}
	}
	return rooms
}

// imports returns the paths a file imports, each with the place.
func (f *goFile) imports() []imported {
	var list []imported
	for _, spec := range f.syntax.Imports {
		list = append(list, imported{strings.Trim(spec.Path.Value, "`\""), spec})
	}
	return list
}

type imported struct {
	path string
	spec *ast.ImportSpec
}

// name returns the word by which the file speaks of the import. Version suffixes are not part of it.
func (i imported) name() string {
	if i.spec.Name != nil {
		return i.spec.Name.Name
	}
	base := path.Base(i.path)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		base = path.Base(path.Dir(i.path))
	}
	return base
}
