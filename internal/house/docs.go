package house

import (
	"go/ast"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
)

// vague are package names that say nothing about what is inside, so that everything ends up inside.
var vague = []string{
	"base", "common", "global", "globals", "helper", "helpers", "lib", "manager", "managers", "misc", "model",
	"models", "repository", "service", "services", "shared", "tool", "tools", "types", "util", "utils",
}

// vagueEndings are the same for types.
var vagueEndings = []string{"Helper", "Impl", "Manager", "Service", "Util", "Utils"}

// Names checks that no package, folder of code or type has a name that says nothing.
func Names(c *Code) []Finding {
	var found []Finding
	for _, f := range c.files {
		name := strings.TrimSuffix(f.syntax.Name.Name, "_test")
		if slices.Contains(vague, name) || slices.Contains(vague, path.Base(f.room)) {
			found = append(found, c.at(f.syntax.Name.Pos(), "package %s: name what it does", name))
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			for _, ending := range vagueEndings {
				if strings.HasSuffix(spec.Name.Name, ending) {
					found = append(found, c.at(spec.Pos(), "type %s: name what it does, not %s",
						spec.Name.Name, ending))
				}
			}
			return true
		})
	}
	return found
}

// PackageDocs checks that every package says what it is for, once.
func PackageDocs(c *Code) []Finding {
	var found []Finding
	rooms := c.rooms()
	for _, room := range slices.Sorted(maps.Keys(rooms)) {
		files := rooms[room]
		name := files[0].syntax.Name.Name
		want := "Package " + name + " "
		if name == "main" {
			want = "Command " + path.Base(room) + " "
		}
		docs := 0
		for _, f := range files {
			if f.syntax.Doc == nil {
				continue
			}
			docs++
			if !strings.HasPrefix(f.syntax.Doc.Text(), want) {
				found = append(found, c.at(f.syntax.Doc.Pos(), "the comment must begin with %q", want))
			}
		}
		switch {
		case docs == 0:
			found = append(found, Finding{files[0].path, "package " + name + " has no package comment"})
		case docs > 1:
			found = append(found, Finding{files[0].path, "package " + name + " has several package comments"})
		}
	}
	return found
}

// ExportedDocs checks that every exported name outside tests has a comment, and that the comment of a
// function, method or type begins with its name, as `go doc` shows it. Constants and variables of one block
// may share the block's comment.
func ExportedDocs(c *Code) []Finding {
	var found []Finding
	for _, f := range c.files {
		if f.test || f.generated {
			continue
		}
		for _, d := range f.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d))) {
					found = append(found, c.named(d.Name, d.Doc)...)
				}
			case *ast.GenDecl:
				found = append(found, c.block(d)...)
			}
		}
	}
	return found
}

func (c *Code) block(d *ast.GenDecl) []Finding {
	var found []Finding
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if !spec.Name.IsExported() {
				continue
			}
			doc := spec.Doc
			if doc == nil && !d.Lparen.IsValid() {
				doc = d.Doc
			}
			found = append(found, c.named(spec.Name, doc)...)
			found = append(found, c.methods(spec)...)
		case *ast.ValueSpec:
			if d.Tok == token.IMPORT || d.Doc != nil || spec.Doc != nil || spec.Comment != nil {
				continue
			}
			for _, name := range spec.Names {
				if name.IsExported() {
					found = append(found, c.at(name.Pos(), "%s is exported and has no comment", name.Name))
				}
			}
		}
	}
	return found
}

// methods checks the methods of an interface: they are the contract, wherever they are kept.
func (c *Code) methods(spec *ast.TypeSpec) []Finding {
	contract, ok := spec.Type.(*ast.InterfaceType)
	if !ok {
		return nil
	}
	var found []Finding
	for _, m := range contract.Methods.List {
		if len(m.Names) > 0 && m.Names[0].IsExported() && m.Doc == nil && m.Comment == nil {
			found = append(found, c.at(m.Pos(), "%s.%s is exported and has no comment",
				spec.Name.Name, m.Names[0].Name))
		}
	}
	return found
}

func (c *Code) named(name *ast.Ident, doc *ast.CommentGroup) []Finding {
	if doc == nil {
		return []Finding{c.at(name.Pos(), "%s is exported and has no comment", name.Name)}
	}
	text := doc.Text()
	for _, article := range []string{"A ", "An ", "The "} {
		text = strings.TrimPrefix(text, article)
	}
	first, _, _ := strings.Cut(strings.Join(strings.Fields(text), " "), " ")
	if strings.TrimRight(first, ",.:;'s") != strings.TrimRight(name.Name, "s") {
		return []Finding{c.at(doc.Pos(), "the comment of %s must begin with its name", name.Name)}
	}
	return nil
}

// receiver returns the name of a method's type.
func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}
