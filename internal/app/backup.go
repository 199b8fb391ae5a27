package app

import (
	"context"
)

// Backup writes the SQLite database as it is at this moment into a new file, while the server goes on. The
// master key is not in it. PostgreSQL has tools of its own for this, and gets ErrUsage.
func (a *App) Backup(ctx context.Context, path string) error {
	keeper, ok := a.Storage.(interface {
		Backup(ctx context.Context, path string) error
	})
	if !ok {
		return usage("backup is for SQLite; a PostgreSQL database is backed up with pg_dump")
	}
	return keeper.Backup(ctx, path)
}
