package proof_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// program is the binary under test, built once for all tests of this process.
var program struct {
	once   sync.Once
	folder string
	path   string
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if program.folder != "" {
		if err := os.RemoveAll(program.folder); err != nil {
			fmt.Fprintln(os.Stderr, "remove the built program:", err)
		}
	}
	os.Exit(code)
}

// programPath returns the path of the built program.
func programPath(t testing.TB) string {
	t.Helper()
	program.once.Do(func() { program.path, program.err = build() })
	if program.err != nil {
		t.Fatal(program.err)
	}
	return program.path
}

func build() (string, error) {
	folder, err := os.MkdirTemp("", "plexy-proof-")
	if err != nil {
		return "", fmt.Errorf("make a folder for the program: %w", err)
	}
	program.folder = folder
	path := filepath.Join(folder, "plexy")
	arguments := []string{"build", "-o", path}
	environment := append(os.Environ(), "CGO_ENABLED=0") // as it is shipped
	if raceBuilt {
		arguments = append(arguments, "-race")
		environment = os.Environ()
	}
	cmd := exec.Command("go", append(arguments, "plexy/cmd/plexy")...)
	cmd.Env = environment
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
}

// plainEnvironment is ours without any setting of the program, so that only what a test says holds.
func plainEnvironment() []string {
	var plain []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "PLEXY_") {
			plain = append(plain, variable)
		}
	}
	return plain
}

// execute runs the program to its end and returns its standard output; what it says on standard error
// becomes part of the error.
func execute(t testing.TB, environment []string, arguments ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.Command(programPath(t), arguments...)
	cmd.Env = append(plainEnvironment(), environment...)
	cmd.SysProcAttr = leashed()
	var out, trouble bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &trouble
	if err := cmd.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("plexy %s: %w: %s", strings.Join(arguments, " "), err,
			bytes.TrimSpace(trouble.Bytes()))
	}
	return out.Bytes(), nil
}

// scaled returns n, or less of it where the race detector makes everything slow.
func scaled(n int) int {
	if raceBuilt {
		return max(2, n/10)
	}
	return n
}
