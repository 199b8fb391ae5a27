package house

import (
	"go/ast"
	"maps"
	"slices"
	"strings"
)

// Imports checks every room against the table of who may import whom. What the table does not allow is
// forbidden; a room without a line fails, and so does a line whose room has vanished. Tests may import
// anything: they look at a room from outside.
func Imports(c *Code, may map[string][]string) []Finding {
	var found []Finding
	rooms := c.rooms()
	for _, room := range slices.Sorted(maps.Keys(rooms)) {
		allowed, known := may[room]
		if !known {
			found = append(found, Finding{rooms[room][0].path,
				"room " + room + " has no line in " + table + ": say what it may import"})
			continue
		}
		for _, f := range rooms[room] {
			for _, i := range f.imports() {
				target, ours := strings.CutPrefix(i.path, module)
				target = strings.TrimPrefix(target, "internal/")
				if ours && !listedIn(allowed, target) {
					found = append(found, c.at(i.spec.Pos(), "room %s must not import %s", room, target))
				}
			}
		}
	}
	for _, room := range slices.Sorted(maps.Keys(may)) {
		if rooms[room] == nil {
			found = append(found, Finding{table, "names a room that is not there: " + room})
		}
	}
	return found
}

// listedIn tells whether a list covers a path. A trailing slash covers everything below; "*" everything.
func listedIn(list []string, p string) bool {
	for _, l := range list {
		if l == "*" || l == p || strings.HasSuffix(l, "/") && strings.HasPrefix(p, l) {
			return true
		}
	}
	return false
}

// Guard names something that only some rooms may touch.
type Guard struct {
	What    string   // for the message
	Imports []string // import paths; a trailing slash covers everything below
	Calls   []string // package.Name of the standard library
	Methods []string // names that no other method has: only names are compared
	GoStmt  bool     // the go statement
	Rooms   []string // who may; a trailing slash covers everything below
	Why     string
}

// Guards checks what rooms touch outside the module. Tests are free: they may read clocks and start
// goroutines. A room that is allowed something and does not use it fails, so that the list only shrinks.
func Guards(c *Code, guards []Guard) []Finding {
	var found []Finding
	for _, g := range guards {
		used := map[string]bool{}
		for _, f := range c.files {
			if f.test {
				continue
			}
			for _, node := range g.touched(f) {
				if listedIn(g.Rooms, f.room) {
					used[owner(g.Rooms, f.room)] = true
					continue
				}
				found = append(found, c.at(node.Pos(), "room %s must not touch %s: %s",
					f.room, g.What, g.Why))
			}
		}
		for _, room := range g.Rooms {
			if !used[room] {
				found = append(found, Finding{table,
					"room " + room + " may touch " + g.What + " and does not: take it off the list"})
			}
		}
	}
	return found
}

// owner returns the entry of the list that covers the room.
func owner(list []string, room string) string {
	for _, l := range list {
		if listedIn([]string{l}, room) {
			return l
		}
	}
	return ""
}

// touched returns the places of a file that use what is guarded.
func (g Guard) touched(f *goFile) []ast.Node {
	var nodes []ast.Node
	names := map[string]string{} // the file's word for a package → its path
	for _, i := range f.imports() {
		names[i.name()] = i.path
		if listedIn(g.Imports, i.path) {
			nodes = append(nodes, i.spec)
		}
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			if g.GoStmt {
				nodes = append(nodes, n)
			}
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if ok && slices.Contains(g.Calls, names[x.Name]+"."+n.Sel.Name) || slices.Contains(g.Methods, n.Sel.Name) {
				nodes = append(nodes, n)
			}
		}
		return true
	})
	return nodes
}
