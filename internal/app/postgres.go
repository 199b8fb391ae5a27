package app

import (
	"context"
	"errors"

	"plexy/internal/storage"
	"plexy/internal/storage/postgres"
)

// Connections of a command: it does one thing at a time. A server uses the keeper's defaults.
const (
	commandLanes   = 1
	commandReaders = 2
)

// postgresPlace is one database, with any number of servers.
type postgresPlace struct {
	url  string
	fail func(point string) error
}

func (p postgresPlace) peek(ctx context.Context) (in storage.Installation, err error) {
	store, err := postgres.Open(ctx, postgres.Config{URL: p.url, Lanes: commandLanes, Readers: 1})
	if err != nil {
		return in, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	empty, err := store.Empty(ctx)
	if err != nil {
		return in, err
	}
	if empty {
		return in, storage.ErrNotFound
	}
	return store.Installation(ctx)
}

// claim has nothing to claim.
func (p postgresPlace) claim() (func() error, error) { return nil, nil }

func (p postgresPlace) migrate(ctx context.Context, dryRun bool) ([]string, error) {
	return postgres.Migrate(ctx, p.url, dryRun)
}

func (p postgresPlace) open(ctx context.Context, serve bool) (storage.Storage, func() uint64, error) {
	cfg := postgres.Config{URL: p.url, Fail: p.fail}
	if !serve {
		cfg.Lanes, cfg.Readers = commandLanes, commandReaders
	}
	store, err := postgres.Open(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	if err := store.Ready(ctx); err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return store, nil, nil
}
