package pgtest_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"plexy/internal/pgtest"
)

func connect(t *testing.T, address string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func ask[T any](t *testing.T, c *pgx.Conn, query string) T {
	t.Helper()
	var v T
	if err := c.QueryRow(t.Context(), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func TestDatabasesAreEmptyDurableAndApart(t *testing.T) {
	first := pgtest.Database(t)
	runtime.GC() // the shared server must not depend on anybody still pointing at it
	runtime.GC()
	second := pgtest.Database(t)
	if first == second {
		t.Fatalf("both tests got %s", first)
	}
	a, b := connect(t, first), connect(t, second)
	if _, err := a.Exec(t.Context(), "CREATE TABLE mine (n text)"); err != nil {
		t.Fatal(err)
	}
	const tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
	if got := ask[int](t, b, tables); got != 0 {
		t.Errorf("the other database has %d tables, want none", got)
	}
	if got := ask[string](t, b, "SHOW server_encoding"); got != "UTF8" {
		t.Errorf("encoding %s, want UTF8", got)
	}
	for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		if got := ask[string](t, b, "SHOW "+name); got != "on" {
			t.Errorf("%s is %s: a crash test on it would prove nothing", name, got)
		}
	}
}

// The order must differ from byte order, or a forgotten COLLATE "C" would go unseen.
func TestDatabaseOrderIsNotByteOrder(t *testing.T) {
	c := connect(t, pgtest.Database(t))
	const query = `SELECT string_agg(v, '' ORDER BY v%s) FROM (VALUES ('a'), ('B')) AS s(v)`
	if got := ask[string](t, c, fmt.Sprintf(query, ` COLLATE "C"`)); got != "Ba" {
		t.Errorf("in byte order: %s, want Ba", got)
	}
	if got := ask[string](t, c, fmt.Sprintf(query, "")); got != "aB" {
		t.Errorf("in the database's order: %s, want aB", got)
	}
}

func TestDatabaseIsDroppedWithItsTest(t *testing.T) {
	var name string
	t.Run("inner", func(t *testing.T) {
		u, err := url.Parse(pgtest.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		name = strings.TrimPrefix(u.Path, "/")
		connect(t, u.String()) // an open connection must not keep it
	})
	c := connect(t, pgtest.Database(t))
	query := fmt.Sprintf("SELECT count(*) FROM pg_database WHERE datname = '%s'", name)
	if got := ask[int](t, c, query); got != 0 {
		t.Errorf("%s is still there", name)
	}
}

func TestPrivateServerLives(t *testing.T) {
	server := pgtest.Server(t)
	database := server.Database(t)
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	if port, err := strconv.Atoi(u.Port()); err != nil || port >= 32768 {
		t.Errorf("port %s, want one below 32768", u.Port())
	}
	first := connect(t, database)
	if _, err := first.Exec(t.Context(), "CREATE TABLE kept AS SELECT 1 AS n"); err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func() error{"stop": server.Stop, "kill": server.Kill} {
		if err := end(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if c, err := pgx.Connect(t.Context(), database); err == nil {
			_ = c.Close(t.Context())
			t.Fatalf("after %s it still answers", name)
		}
		if err := server.Start(t.Context()); err != nil {
			t.Fatalf("start after %s: %v", name, err)
		}
		if got := ask[int](t, connect(t, database), "SELECT n FROM kept"); got != 1 {
			t.Errorf("after %s the committed row is %d", name, got)
		}
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := ask[int](t, connect(t, database), "SELECT n FROM kept"); got != 1 {
		t.Errorf("after restart the committed row is %d", got)
	}
	if !strings.Contains(server.Log(), "database system was interrupted") {
		t.Error("the log tells of no recovery, so the kill was a tidy stop")
	}
}

const envVictim = "PLEXY_TEST_PGTEST_VICTIM"

// TestVictim is the process that TestServerEndsWithItsProcess kills; alone it has nothing to do.
func TestVictim(t *testing.T) {
	file := os.Getenv(envVictim)
	if file == "" {
		return
	}
	server, err := pgtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file+".part", []byte(server.URL()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".part", file); err != nil {
		t.Fatal(err)
	}
	select {} // until killed
}

func TestServerEndsWithItsProcess(t *testing.T) {
	pgtest.Database(t) // skips here, with the reason, where there is no PostgreSQL
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "url")
	temp := filepath.Join("/tmp", fmt.Sprintf("plexy-victim-%d", os.Getpid()))
	if err := os.Mkdir(temp, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temp) })
	cmd := exec.Command(os.Args[0], "-test.run=^TestVictim$")
	cmd.Env = append(os.Environ(), envVictim+"="+file, "TMPDIR="+temp)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var address []byte
	eventually(t, "the victim's server is up", func() (err error) {
		address, err = os.ReadFile(file)
		return err
	})
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, as asked
	eventually(t, "the server is down", func() error {
		c, err := pgx.Connect(t.Context(), string(address))
		if err != nil {
			return nil
		}
		_ = c.Close(t.Context())
		return errors.New("it still answers")
	})
	eventually(t, "its folder is gone", func() error {
		left, err := filepath.Glob(filepath.Join(temp, "plexy-postgres-*"))
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("%v is left", left)
		}
		return err
	})
}

// eventually asks until the answer is nil: the end of another process tells nobody but its parent.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not after a minute: %s: %v", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
