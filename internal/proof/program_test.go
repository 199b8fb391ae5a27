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
	path   string // as it is shipped
	racing string // for servers: the same, or with the race detector if this test has it
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

// programPath returns the path of the built program, for the command line.
func programPath(t testing.TB) string {
	t.Helper()
	program.once.Do(func() { program.err = build() })
	if program.err != nil {
		t.Fatal(program.err)
	}
	return program.path
}

// serverPath returns the path of the program that serves.
func serverPath(t testing.TB) string {
	t.Helper()
	programPath(t)
	return program.racing
}

func build() error {
	folder, err := os.MkdirTemp("", "plexy-proof-")
	if err != nil {
		return fmt.Errorf("make a folder for the program: %w", err)
	}
	program.folder = folder
	program.path = filepath.Join(folder, "plexy")
	program.racing = program.path
	if err := compile("0", "-o", program.path); err != nil || !raceBuilt {
		return err
	}
	program.racing = filepath.Join(folder, "plexy-race")
	return compile("1", "-race", "-o", program.racing)
}

func compile(cgo string, arguments ...string) error {
	cmd := exec.Command("go", append(append([]string{"build"}, arguments...), "plexy/cmd/plexy")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return nil
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
