package reject_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"testing"

	"plexy/internal/core/reject"
)

// Every reason that the source names has one line in the table, and the table has no other.
func TestTableIsComplete(t *testing.T) {
	listed := map[reject.Reason]bool{}
	for _, row := range reject.Table() {
		if listed[row.Reason] {
			t.Errorf("%s is listed twice", row.Reason)
		}
		listed[row.Reason] = true
		if !regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`).MatchString(string(row.Reason)) {
			t.Errorf("%q is not a wire name", row.Reason)
		}
		if n := len(row.Message); n < 10 || row.Message[n-1] != '.' || row.Class == 0 {
			t.Errorf("%s: %+v has no class or does not speak in a sentence", row.Reason, row)
		}
		if reject.Of(row.Reason) != row {
			t.Errorf("%s is not found", row.Reason)
		}
	}
	named := 0
	file, err := parser.ParseFile(token.NewFileSet(), "reject.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if kind, ok := spec.Type.(*ast.Ident); ok && kind.Name == "Reason" {
			named++
			name, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if !listed[reject.Reason(name)] {
				t.Errorf("%s is not in the table", name)
			}
		}
		return true
	})
	if named != len(listed) || named < 30 {
		t.Errorf("%d reasons are named and %d listed", named, len(listed))
	}
	if reject.Of("no_such_reason").Reason != reject.InternalError {
		t.Error("an unknown reason is not our fault")
	}
}
