package house

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"maps"
	"path"
	"slices"
	"strings"
)

// floor is the path prefix of the money core; what is below it must be pure.
const floor = "core/"

// Core checks that the money core is pure: only the named parts of the standard library and itself, no
// float, no walk over a map (its order is random), no goroutine, channel or select, no JSON tags, no init,
// and no panic except to assert, with a fixed message that begins with the package's name: what is wrong
// with the input is a refusal, and a message made from input could carry a secret into a log.
func Core(c *Code, std []string) ([]Finding, error) {
	var found []Finding
	checked := &checker{code: c, std: importer.ForCompiler(token.NewFileSet(), "source", nil),
		done: map[string]*types.Package{}, info: map[string]*types.Info{}}
	rooms := c.rooms()
	for _, room := range slices.Sorted(maps.Keys(rooms)) {
		if !strings.HasPrefix(room, floor) {
			continue
		}
		if _, err := checked.Import(module + "internal/" + room); err != nil {
			return nil, fmt.Errorf("check the types of %s: %w", room, err)
		}
		info := checked.info[room]
		for _, f := range rooms[room] {
			for _, i := range f.imports() {
				if !strings.HasPrefix(i.path, module+"internal/"+floor) && !slices.Contains(std, i.path) {
					found = append(found, c.at(i.spec.Pos(), "the money core must not import %s", i.path))
				}
			}
			found = append(found, c.impure(f, info)...)
		}
	}
	return found, nil
}

// checker finds the types of the core's packages, each once, in the order they import each other.
type checker struct {
	code *Code
	std  types.Importer
	done map[string]*types.Package
	info map[string]*types.Info // by room
}

// Import makes the checker the importer of the packages it checks.
func (c *checker) Import(p string) (*types.Package, error) {
	if !strings.HasPrefix(p, module) {
		return c.std.Import(p)
	}
	if pkg := c.done[p]; pkg != nil {
		return pkg, nil
	}
	room := strings.TrimPrefix(strings.TrimPrefix(p, module), "internal/")
	var files []*ast.File
	for _, f := range c.code.rooms()[room] {
		files = append(files, f.syntax)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	pkg, err := (&types.Config{Importer: c}).Check(path.Base(p), c.code.fset, files, info)
	if err != nil {
		return nil, err
	}
	c.done[p], c.info[room] = pkg, info
	return pkg, nil
}

// impure returns what a file of the core must not contain.
func (c *Code) impure(f *goFile, info *types.Info) []Finding {
	var found []Finding
	add := func(n ast.Node, what string) {
		found = append(found, c.at(n.Pos(), "the money core has no %s", what))
	}
	for _, d := range f.syntax.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			add(fn, "init")
		}
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				add(n, "goroutines")
			case *ast.SelectStmt, *ast.ChanType:
				add(n, "channels")
			case *ast.RangeStmt:
				if isMap(info.Types[n.X].Type) {
					add(n, "walk over a map: its order is random")
				}
			case *ast.Field:
				if n.Tag != nil && strings.Contains(n.Tag.Value, "json:") {
					add(n, "JSON tags: doors decide how things look outside")
				}
			case *ast.CallExpr:
				if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "panic" && !asserts(n, f) {
					add(n, "panic but to assert, with a fixed message: a refusal is a value")
				}
			case ast.Expr:
				if isFloat(info.Types[n]) {
					add(n, "floats: money is counted in whole minor units")
					return false
				}
			}
			return true
		})
	}
	return found
}

func asserts(call *ast.CallExpr, f *goFile) bool {
	message, ok := call.Args[0].(*ast.BasicLit)
	return ok && strings.HasPrefix(message.Value, `"`+f.syntax.Name.Name+": ")
}

func isMap(t types.Type) bool {
	if t == nil {
		return false
	}
	_, ok := t.Underlying().(*types.Map)
	return ok
}

func isFloat(tv types.TypeAndValue) bool {
	if tv.Type == nil {
		return false
	}
	basic, ok := tv.Type.Underlying().(*types.Basic)
	return ok && basic.Info()&(types.IsFloat|types.IsComplex) != 0
}
