package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// balanceMinor is what every wallet holds: enough never to run out, so that no answer is a refusal.
const balanceMinor = 1_000_000_000_000

// fewestKeys are enough for a few connections that are answered at once to stay below the rate limits.
const fewestKeys = 32

// store is a database that a server can be started on.
type store struct {
	merchant string   // the id of its one merchant
	dir      string   // --data
	database string   // --database; "" for the default, SQLite in dir
	keys     []string // API keys of its one merchant
}

// flags are what every command needs to work on the store.
func (s store) flags() []string {
	flags := []string{"--data", s.dir}
	if s.database != "" {
		flags = append(flags, "--database", s.database)
	}
	return flags
}

// furnish makes the schema, one merchant with API keys for all connections, and the funded wallets. All
// of it through the shipped binary.
func (s store) furnish(ctx context.Context, cfg Config) (store, error) {
	if _, err := run(ctx, cfg.Binary, nil, append([]string{"migrate"}, s.flags()...)...); err != nil {
		return store{}, err
	}
	create := append([]string{"merchant", "create", "--name", "Bench", "--json"}, s.flags()...)
	output, err := run(ctx, cfg.Binary, nil, create...)
	if err != nil {
		return store{}, err
	}
	var merchant struct{ MerchantID, APIKey string }
	if err := json.Unmarshal(output, &merchant); err != nil || merchant.APIKey == "" {
		return store{}, errors.Join(errors.New("the new merchant cannot be read"), err)
	}
	s.merchant, s.keys = merchant.MerchantID, []string{merchant.APIKey}
	another := append([]string{"key", "create", "--merchant", merchant.MerchantID, "--json"}, s.flags()...)
	for len(s.keys) < max(cfg.Connections, fewestKeys) {
		output, err := run(ctx, cfg.Binary, nil, another...)
		if err != nil {
			return store{}, err
		}
		var key struct{ APIKey string }
		if err := json.Unmarshal(output, &key); err != nil || key.APIKey == "" {
			return store{}, errors.Join(errors.New("the new API key cannot be read"), err)
		}
		s.keys = append(s.keys, key.APIKey)
	}
	fill := append([]string{"bench", "fill", "--wallets", strconv.Itoa(cfg.Wallets),
		"--balance", strconv.Itoa(balanceMinor)}, s.flags()...)
	if _, err := run(ctx, cfg.Binary, nil, fill...); err != nil {
		return store{}, err
	}
	return s, nil
}

// copyTo makes an equal store in another directory; no server may run on either.
func (s store) copyTo(dir string) (store, error) {
	err := filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(s.dir, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.MkdirAll(filepath.Join(dir, relative), 0o700)
		}
		return copyFile(path, filepath.Join(dir, relative))
	})
	if err != nil {
		return store{}, fmt.Errorf("copy the database: %w", err)
	}
	return store{merchant: s.merchant, dir: dir, database: s.database, keys: s.keys}, nil
}

// copyFile copies down to the disk, so that the writing does not fall into somebody's window.
func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, source); err != nil {
		return errors.Join(err, target.Close())
	}
	return errors.Join(target.Sync(), target.Close())
}

// postgres makes and drops databases on the given server.
type postgres struct {
	base *url.URL
	made int
}

func newPostgres(ctx context.Context, address string) (*postgres, error) {
	base, err := url.Parse(address)
	if err != nil || (base.Scheme != "postgres" && base.Scheme != "postgresql") {
		return nil, errors.New("the bench needs a postgres:// URL of a role that may create databases " +
			"(PLEXY_TEST_POSTGRES)")
	}
	p := &postgres{base: base}
	return p, p.durable(ctx)
}

// durable refuses a server that answers before the disk has the data: its figures would compare nothing.
func (p *postgres) durable(ctx context.Context) error {
	return p.with(ctx, func(c *pgx.Conn) error {
		for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
			var value string
			if err := c.QueryRow(ctx, "SELECT current_setting($1)", setting).Scan(&value); err != nil {
				return fmt.Errorf("read %s: %w", setting, err)
			}
			if value != "on" {
				return fmt.Errorf("PostgreSQL has %s = %s, and only durable commits are measured", setting,
					value)
			}
		}
		return nil
	})
}

func (p *postgres) with(ctx context.Context, do func(*pgx.Conn) error) error {
	c, err := pgx.Connect(ctx, p.base.String())
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer c.Close(ctx)
	return do(c)
}

// create makes a database, equal to another of ours or empty, and returns its URL.
func (p *postgres) create(ctx context.Context, equalTo string) (string, error) {
	p.made++
	name := fmt.Sprintf("plexy_bench_%d_%d", os.Getpid(), p.made)
	template := "template0"
	if equalTo != "" {
		template = nameOf(equalTo)
	}
	err := p.with(ctx, func(c *pgx.Conn) error {
		if _, err := c.Exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
			return fmt.Errorf("make a database: %w", err)
		}
		// The template's pages are flushed now and not by a checkpoint in somebody's window.
		_, err := c.Exec(ctx, "CHECKPOINT")
		return err
	})
	address := *p.base
	address.Path = "/" + name
	return address.String(), err
}

func (p *postgres) drop(ctx context.Context, address string) error {
	return p.with(ctx, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, "DROP DATABASE IF EXISTS "+nameOf(address)+" WITH (FORCE)")
		return err
	})
}

// nameOf returns the database of a URL that create made.
func nameOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return filepath.Base(u.Path)
}
