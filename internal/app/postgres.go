package app

import (
	"context"
	"errors"
	"runtime/debug"

	"plexy/internal/storage"
	"plexy/internal/storage/postgres"
)

// Connections of a command: it does one thing at a time. A server uses the keeper's defaults.
const (
	commandLanes   = 1
	commandReaders = 2
)

// serverGCPercent is Go's GOGC for a server on PostgreSQL.
const serverGCPercent = 1000

// postgresPlace is one database, with any number of servers. What peek opened is what open hands over:
// connecting is the dearest part of a command.
type postgresPlace struct {
	cfg   postgres.Config
	store *postgres.Store // opened and not handed over; nil otherwise
}

func newPostgresPlace(url string, serve bool, fail func(point string) error) *postgresPlace {
	if serve {
		// Little lives long here, as the database remembers everything, so the heap may grow to eleven
		// times that before it is collected: about a hundred MiB for an eighth of the processor's time.
		debug.SetGCPercent(serverGCPercent)
	}
	p := &postgresPlace{cfg: postgres.Config{URL: url, Fail: fail}}
	if !serve {
		p.cfg.Lanes, p.cfg.Readers = commandLanes, commandReaders
	}
	return p
}

func (p *postgresPlace) peek(ctx context.Context) (in storage.Installation, err error) {
	if p.store, err = postgres.Open(ctx, p.cfg); err != nil {
		return in, err
	}
	empty, err := p.store.Empty(ctx)
	if err != nil {
		return in, err
	}
	if empty {
		return in, storage.ErrNotFound
	}
	return p.store.Installation(ctx)
}

// claim has nothing to claim.
func (p *postgresPlace) claim() (func() error, error) { return nil, nil }

func (p *postgresPlace) migrate(ctx context.Context, dryRun bool) ([]string, error) {
	return postgres.Migrate(ctx, p.cfg.URL, dryRun)
}

func (p *postgresPlace) open(ctx context.Context) (storage.Storage, func() uint64, error) {
	if p.store == nil {
		return nil, nil, errors.New("the database was not looked at before it was opened")
	}
	if err := p.store.Ready(ctx); err != nil {
		return nil, nil, err
	}
	store := p.store
	p.store = nil
	return store, nil, nil
}

func (p *postgresPlace) close() error {
	if p.store == nil {
		return nil
	}
	return p.store.Close()
}
