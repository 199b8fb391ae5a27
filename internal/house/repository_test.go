package house

import (
	"path/filepath"
	"testing"
)

// TestRepository holds the whole repository to the house rules.
func TestRepository(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	code, err := Parse(tree)
	if err != nil {
		t.Fatal(err)
	}
	if len(code.files) < 20 {
		t.Fatalf("found %d Go files under %s: that cannot be the repository", len(code.files), root)
	}
	core, err := Core(code, coreLibrary)
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range []struct {
		name  string
		found []Finding
	}{
		{"imports", Imports(code, mayImport)},
		{"guards", Guards(code, guards)},
		{"core", core},
		{"names", Names(code)},
		{"package docs", PackageDocs(code)},
		{"exported docs", ExportedDocs(code)},
		{"sizes", Sizes(code, sizeExceptions)},
		{"text", Text(tree)},
		{"required papers", Required(tree, papers)},
		{"papers", Papers(tree)},
		{"modules", Modules(tree, code, modules, proofRooms)},
	} {
		t.Run(rule.name, func(t *testing.T) {
			for _, f := range rule.found {
				t.Error(f)
			}
		})
	}
}
