// Package pgtest gives a test a real PostgreSQL.
//
// Where the server comes from, in this order:
//
//  1. PLEXY_TEST_POSTGRES, a postgres:// URL of a server whose user may create databases. `make test`
//     starts one server for all packages and passes it on this way.
//  2. A server of this test process's own, started on first use from the newest PostgreSQL on the
//     machine, and ended with the process, however that ends.
//  3. The same after installing Debian's package, when nothing is there and we are root.
//
// Where none of this works the test fails if CI is set and is skipped with the reason otherwise: a proof
// that silently did not run is worse than a red one.
//
// A test's database is made with an ICU collation on purpose. Our own order is byte order, so a column or
// an ORDER BY that forgot COLLATE "C" sorts visibly wrong here, as it would in an operator's database.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// EnvURL names the environment variable that points tests at a running server.
const EnvURL = "PLEXY_TEST_POSTGRES"

// errAbsent marks the one failure that may be skipped: this machine has no PostgreSQL and cannot get one.
var errAbsent = errors.New("no PostgreSQL on this machine")

var shared struct {
	once sync.Once
	url  string
	err  error
}

// Database creates an empty database with a name of its own and returns its postgres:// URL.
//
// The database is UTF-8, made from template0 with an ICU collation, and dropped when the test ends, with
// whatever is still connected to it.
func Database(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() { shared.url, shared.err = sharedURL() })
	if shared.err != nil {
		give(t, shared.err)
	}
	return create(t, shared.url)
}

// Server starts a PostgreSQL of the test's own, which it may stop, kill and restart; it ends with the test.
func Server(t testing.TB) *Cluster {
	t.Helper()
	c, err := Start(context.Background())
	if err != nil {
		give(t, err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("end the private PostgreSQL: %v", err)
		}
	})
	return c
}

// give ends the test: skipped only where a machine without PostgreSQL is not CI.
func give(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errAbsent) && !inCI() {
		t.Skipf("skipped, not proven: %v (set %s to a postgres:// URL)", err, EnvURL)
	}
	t.Fatalf("PostgreSQL for the test: %v", err)
}

func inCI() bool {
	v := os.Getenv("CI")
	return v != "" && v != "false" && v != "0"
}

func sharedURL() (string, error) {
	if given := os.Getenv(EnvURL); given != "" {
		return given, nil
	}
	// Not closed anywhere: the leash (see leash.go) ends it with the process.
	c, err := Start(context.Background())
	if err != nil {
		return "", err
	}
	return c.URL(), nil
}

// create makes the database on the server at base and arranges for its end.
func create(t testing.TB, base string) string {
	t.Helper()
	name := fmt.Sprintf("plexy_test_%d_%016x", os.Getpid(), rand.Uint64())
	made, err := withDatabase(base, name)
	if err != nil {
		t.Fatalf("read the address of the server: %v", err)
	}
	build := func(ctx context.Context, c *pgx.Conn) error { return createOn(ctx, c, name) }
	if err := onServer(base, build); err != nil {
		t.Fatalf("create a database for the test: %v", err)
	}
	t.Cleanup(func() {
		drop := func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
			return err
		}
		// A test that ended its private server on purpose has ended the database with it.
		if err := onServer(base, drop); err != nil {
			t.Logf("drop the test's database: %v", err)
		}
	})
	return made
}

// createOn tries the ICU collation first; a server built without ICU gets its default one.
func createOn(ctx context.Context, c *pgx.Conn, name string) error {
	plain := "CREATE DATABASE " + name + " TEMPLATE template0 ENCODING 'UTF8'"
	var err error
	for range 20 {
		if _, err = c.Exec(ctx, plain+" LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"); err == nil {
			return nil
		}
		var refused *pgconn.PgError
		if !errors.As(err, &refused) {
			return err
		}
		const featureNotSupported, objectInUse = "0A000", "55006"
		switch refused.Code {
		case featureNotSupported:
			_, err = c.Exec(ctx, plain)
			return err
		case objectInUse: // another package is copying the template at this moment
			time.Sleep(100 * time.Millisecond)
		default:
			return err
		}
	}
	return err
}

func onServer(base string, do func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgx.Connect(ctx, base)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	return do(ctx, c)
}

func withDatabase(base, name string) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("%s is no URL: %w", EnvURL, err)
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", fmt.Errorf("%s must begin with postgres://", EnvURL)
	}
	u.Path = "/" + name
	return u.String(), nil
}
