package bench

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"plexy/internal/pgtest"
)

// TestRunOnTheRealBinary plays the quick run, made smaller still, against the binary that ships: every
// row is measured, every figure is a number, and nothing stays behind.
func TestRunOnTheRealBinary(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a dozen servers; the full run has it")
	}
	database := pgtest.Database(t)
	binary := build(t)
	var table, progress strings.Builder
	cfg := Quick()
	cfg.Binary, cfg.WorkDir, cfg.PostgresURL = binary, t.TempDir(), database
	cfg.Connections, cfg.Wallets, cfg.Shoppers, cfg.Stored = 4, 20, 5, 300
	cfg.Window = time.Second // other packages are tested beside this one
	cfg.Out, cfg.Progress = &table, &progress
	before := databases(t, database)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := Run(ctx, cfg); err != nil {
		t.Fatalf("the run failed: %v\n%s", err, progress.String())
	}
	checkTable(t, table.String())
	if left, err := os.ReadDir(cfg.WorkDir); err != nil || len(left) > 0 {
		t.Errorf("the working directory holds %v (%v), want nothing", left, err)
	}
	if after := databases(t, database); after != before {
		t.Errorf("databases of the bench: %s before, %s after", before, after)
	}
}

// build makes the binary as `make build` does.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "plexy")
	command := exec.Command("go", "build", "-o", binary, "plexy/cmd/plexy")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build the binary: %v\n%s", err, output)
	}
	return binary
}

func checkTable(t *testing.T, table string) {
	t.Helper()
	for _, row := range []string{
		"echo, beside SQLite: authorize", "SQLite, empty: authorize",
		"SQLite, stored: authorize", "SQLite, stored: get", "SQLite, stored: list",
		"SQLite, stored, random references: authorize", "SQLite, stored: filling",
		"echo, beside PostgreSQL: authorize", "PostgreSQL: authorize",
		"PostgreSQL, one transaction per request: authorize",
		"SQLite, told: authorize", "PostgreSQL, told: authorize",
		"echo, beside the operations: authorize", "SQLite, operations: capture",
		"SQLite, operations: cancel", "SQLite, operations: refund", "SQLite, operations: get",
		"SQLite, operations: list",
		"echo, beside cards: authorize", "SQLite, cards: create link", "SQLite, cards: pay",
		"SQLite, cards: capture paid", "SQLite, cards: refund paid", "SQLite, cards: list paid",
		"SQLite, cards: list paid, old page", "SQLite, cards: list paid by customer",
		"SQLite, cards: find paid by order", "SQLite, cards stored: list paid",
		"SQLite, cards stored: list paid, old page", "SQLite, cards stored: list paid by customer",
		"SQLite, cards stored: find paid by order", "SQLite, cards, slow bank: pay",
		"PostgreSQL, cards: create link", "PostgreSQL, cards: pay", "PostgreSQL, cards: capture paid",
		"PostgreSQL, cards: refund paid",
	} {
		if !regexp.MustCompile(regexp.QuoteMeta(row) + `  +[1-9]\d*  `).MatchString(table) {
			t.Errorf("the table has no requests/s of %q", row)
		}
	}
	for _, figure := range []string{
		"authorize on SQLite / echo", "the same with 300 stored / with none",
		"authorize on PostgreSQL / echo",
		"authorize on PostgreSQL / one transaction per request", "p99 / p99 of the echo, SQLite",
		"p99 / p99 of the echo, PostgreSQL", "memory, SQLite, empty", "memory, SQLite, 300 stored",
		"ready with 300 stored, slowest", "capture / authorize, SQLite", "cancel / authorize, SQLite",
		"refund / authorize, SQLite", "get on SQLite / echo", "list on SQLite / echo",
		"authorize while an endpoint is told / alone, SQLite, empty",
		"authorize while an endpoint is told / alone, PostgreSQL",
		"deliveries a second meanwhile, PostgreSQL", "then everything had arrived after, SQLite, empty",
		"the same, 99th percentile, PostgreSQL",
		"storing 300 card payments in bulk", "create a payment link on SQLite / echo",
		"authorize by a stored card on SQLite / echo", "authorize by a stored card on PostgreSQL / echo",
		"authorize by a stored card, 50ms at the bank, on SQLite / echo", "what that takes beyond the bank, median",
		"refund of a payment on PostgreSQL / echo", "list of transactions on SQLite / echo",
		"list of transactions with 300 stored / with few",
	} {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(figure) + `  +\d+\.\d\d`).MatchString(table) {
			t.Errorf("the table has no figure %q", figure)
		}
	}
	if strings.Contains(table, "NaN") || t.Failed() {
		t.Errorf("the table:\n%s", table)
	}
}

// databases lists what the bench has made on the server and not dropped.
func databases(t *testing.T, address string) string {
	t.Helper()
	c, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	var names string
	err = c.QueryRow(t.Context(), "select coalesce(string_agg(datname, ' ' order by datname), 'none') "+
		`from pg_database where datname like 'plexy\_bench\_%'`).Scan(&names)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestRunNeedsPostgres tells what is missing, without an address that could hold a password.
func TestRunNeedsPostgres(t *testing.T) {
	for _, address := range []string{"", "mysql://user:hush@host/base"} {
		cfg := Quick()
		cfg.WorkDir, cfg.PostgresURL, cfg.Out, cfg.Progress = t.TempDir(), address, os.Stderr, os.Stderr
		err := Run(t.Context(), cfg)
		if err == nil {
			t.Errorf("PostgreSQL at %q was taken", address)
			continue
		}
		text := err.Error()
		if !strings.Contains(text, "PLEXY_TEST_POSTGRES") || strings.Contains(text, "hush") {
			t.Errorf("PostgreSQL at %q: %v, want what is needed and no password", address, err)
		}
	}
}
