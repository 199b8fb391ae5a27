package bench

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary stands in for the shipped one: started with "bench" as its first argument it serves the
// echo or plays a load, as `plexy bench echo` and `plexy bench load` do.
func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1] != "bench" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var err error
	switch os.Args[2] {
	case "echo":
		err = ServeEcho(ctx, os.Args[4])
	case "load":
		err = RunLoad(ctx, os.Stdin, os.Stdout)
	default:
		err = fmt.Errorf("unknown command %s", os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func testRunner(t *testing.T) *runner {
	t.Helper()
	cfg := Quick()
	cfg.Binary, cfg.WorkDir = os.Args[0], t.TempDir()
	cfg.Connections, cfg.WarmUp, cfg.Window = 4, 20*time.Millisecond, 200*time.Millisecond
	r := &runner{Config: cfg, payers: examplePayers(10), results: newResults(cfg.Stored)}
	r.emptySQLite.keys = []string{"pr_0123"}
	return r
}

func TestEchoRowAcrossProcesses(t *testing.T) {
	r := testRunner(t)
	if err := r.echo(echoBesideSQLite)(context.Background()); err != nil {
		t.Fatal(err)
	}
	m := r.results.measures[echoBesideSQLite+"/authorize"]
	if len(m) != 1 || m[0].Requests < 100 || m[0].ServerCPU <= 0 || m[0].LoadCPU <= 0 {
		t.Errorf("measured %+v, want one row with hundreds of requests and both processes' CPU", m)
	}
	if peak := r.results.memory[echoBesideSQLite]; len(peak) != 1 || peak[0] < 1 || peak[0] > 500 {
		t.Errorf("the server's memory is %v MiB", peak)
	}
}

func TestServerThatEndsAtOnceIsReportedWithItsLog(t *testing.T) {
	r := testRunner(t)
	_, err := start(context.Background(), r.spawn("bench", "nonsense"))
	if err == nil || !strings.Contains(err.Error(), "unknown command nonsense") {
		t.Errorf("start says %v, want the server's own words", err)
	}
}

func TestServerThatIsNeverReadyIsKilled(t *testing.T) {
	r := testRunner(t)
	how := r.spawn("bench", "load") // reads its standard input for ever and listens nowhere
	how.binary, how.arguments = "/bin/sleep", []string{"600"}
	how.patience = 100 * time.Millisecond
	if _, err := start(context.Background(), how); err == nil || !strings.Contains(err.Error(), "not ready") {
		t.Errorf("start says %v, want that it was not ready", err)
	}
}

func TestRunReportsStandardError(t *testing.T) {
	_, err := run(context.Background(), os.Args[0], []byte("{}"), "bench", "load")
	if err == nil || !strings.Contains(err.Error(), "a load needs connections") {
		t.Errorf("run says %v, want the command's standard error", err)
	}
}

func TestParseProc(t *testing.T) {
	stat := "42 (a b) c) S 1 42 42 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 8 0 1 2 3"
	if got, err := parseStat([]byte(stat)); err != nil || got != 1750*time.Millisecond {
		t.Errorf("CPU time is %v, %v; want 1.75s", got, err)
	}
	if _, err := parseStat([]byte("42 (x) S 1")); err == nil {
		t.Error("a short stat was accepted")
	}
	status := "Name:\tplexy\nVmPeak:\t  900 kB\nVmHWM:\t   2048 kB\nVmRSS:\t 1024 kB\n"
	if got, err := parsePeak([]byte(status)); err != nil || got != 2<<20 {
		t.Errorf("peak memory is %d, %v; want 2 MiB", got, err)
	}
	if _, err := parsePeak([]byte("Name:\tplexy\n")); err == nil {
		t.Error("a status without VmHWM was accepted")
	}
}

func TestStoreIsCopiedWhole(t *testing.T) {
	from := store{dir: t.TempDir(), keys: []string{"k"}}
	if err := os.Mkdir(filepath.Join(from.dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"plexy.db": "rows", "sub/master.key": "secret"} {
		if err := os.WriteFile(filepath.Join(from.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	to, err := from.copyTo(filepath.Join(t.TempDir(), "copy"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(to.dir, "sub", "master.key"))
	if err != nil || string(got) != "secret" || len(to.keys) != 1 {
		t.Errorf("the copy has %q, %v", got, err)
	}
}
