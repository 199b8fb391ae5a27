package logfile_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"plexy/internal/storage/sqlite/logfile"
)

func open(t *testing.T, path, vfs string) *sqlite.Conn {
	t.Helper()
	name := "file:" + path
	if vfs != "" {
		name += "?vfs=" + url.QueryEscape(vfs)
	}
	c, err := sqlite.OpenConn(name, sqlite.OpenReadWrite|sqlite.OpenCreate|sqlite.OpenURI)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func run(t *testing.T, c *sqlite.Conn, sql string, args ...any) (values []string) {
	t.Helper()
	err := sqlitex.Execute(c, sql, &sqlitex.ExecOptions{Args: args, ResultFunc: func(s *sqlite.Stmt) error {
		values = append(values, s.ColumnText(0))
		return nil
	}})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return values
}

const digest = "select count(*) || ' ' || coalesce(sum(length(b)), 0) || ' ' || coalesce(sum(n), 0) from x"

// TestEveryCommitIsThereForOthers writes transactions of every size through the file system, larger ones
// than the page cache and than what is kept back among them, gives some of them up, and moves the log now
// and then. After every commit a connection on the usual file system, and one on a copy of the files as a
// crash would leave them, see exactly what was committed.
func TestEveryCommitIsThereForOthers(t *testing.T) {
	vfs, err := logfile.Register(logfile.Usual)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.db")
	writer := open(t, path, vfs)
	for _, pragma := range []string{
		"journal_mode=wal", "synchronous=full", "cache_size=20", "wal_autocheckpoint=300",
	} {
		run(t, writer, "pragma "+pragma)
	}
	run(t, writer, "create table x (k integer primary key, n integer, b blob)")
	reader := open(t, path, logfile.Usual)
	random := rand.New(rand.NewPCG(1, 2))
	want := run(t, writer, digest)[0]
	rounds := 150
	if testing.Short() {
		rounds = 20
		t.Logf("%d rounds instead of 150: -short was given", rounds)
	}
	for round := range rounds {
		run(t, writer, "begin immediate")
		for range 1 + random.IntN(1<<random.IntN(8)) {
			run(t, writer, "insert or replace into x values (?, ?, randomblob(?))",
				random.IntN(3000), random.IntN(1000), random.IntN(6000))
		}
		if random.IntN(4) == 0 {
			run(t, writer, "rollback")
		} else {
			want = run(t, writer, digest)[0]
			run(t, writer, "commit")
		}
		if got := run(t, reader, digest)[0]; got != want {
			t.Fatalf("round %d: another connection sees %q, committed is %q", round, got, want)
		}
		if round%10 == 0 {
			afterCrash(t, path, fmt.Sprint(round), want)
		}
	}
	if got := run(t, reader, "pragma integrity_check"); got[0] != "ok" {
		t.Fatal(got)
	}
}

func afterCrash(t *testing.T, path, name, want string) {
	t.Helper()
	copied := filepath.Join(t.TempDir(), name+".db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if err == nil {
			err = os.WriteFile(copied+suffix, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := run(t, open(t, copied, logfile.Usual), digest)[0]; got != want {
		t.Fatalf("after a crash %q is there, committed is %q", got, want)
	}
}

func TestRegisterTwiceIsOneFileSystem(t *testing.T) {
	first, err := logfile.Register(logfile.Usual)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := logfile.Register(logfile.Usual); err != nil || second != first {
		t.Errorf("registered as %q and as %q, %v", first, second, err)
	}
	if _, err := logfile.Register("no such file system"); err == nil {
		t.Error("a file system over nothing was registered")
	}
}
