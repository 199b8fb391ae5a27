package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"

	"plexy/internal/storage"
	"plexy/internal/storage/sqlstore"
)

// Peek reads what the database at path knows about itself before it is opened or migrated, and writes
// nothing: a process that does not belong to it finds out in time. ErrNotFound when there is no file, no
// schema or no installation yet.
func Peek(ctx context.Context, path string) (storage.Installation, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return storage.Installation{}, storage.ErrNotFound
	}
	if err != nil {
		return storage.Installation{}, fmt.Errorf("look at the database: %w", err)
	}
	l, err := openLink(path, reading)
	if err != nil {
		return storage.Installation{}, fmt.Errorf("look at the database: %w", err)
	}
	defer func() { _ = l.close() }() // it only read
	at, err := version(ctx, l)
	if err != nil {
		return storage.Installation{}, fmt.Errorf("look at the database: %w", sorted(err))
	}
	if at == 0 {
		return storage.Installation{}, storage.ErrNotFound
	}
	return sqlstore.New(peeking{l}).Installation(ctx)
}

// peeking is an engine of one connection that only reads.
type peeking struct{ l *link }

func (p peeking) Read(_ context.Context, fn func(sqlstore.DB) error) error {
	err := fn(p.l)
	if err == nil || errors.Is(err, storage.ErrNotFound) {
		return err
	}
	return sorted(err)
}

func (p peeking) Write(context.Context, func(sqlstore.DB) error) error {
	return errors.New("this connection only reads")
}

func (p peeking) Aside(ctx context.Context, fn func(sqlstore.DB) error) error {
	return p.Write(ctx, fn)
}

func (p peeking) VaultGeneration(context.Context, sqlstore.DB) (int64, error) {
	return 0, errors.New("this connection only reads")
}
