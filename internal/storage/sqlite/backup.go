package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Backup writes the database as it is at this moment into a new file that only its owner may read, whole
// and on disk, or not at all. The server goes on meanwhile. The file must not exist.
func (s *Store) Backup(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make the backup's file: %w", err)
	}
	err = s.vacuumInto(ctx, path)
	if err == nil {
		err = f.Sync() // the same file: its pages were written through another handle
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the backup: %w", err), os.Remove(path))
	}
	return nil
}

// vacuumInto uses a connection of its own: a reading one may not even write another file.
func (s *Store) vacuumInto(ctx context.Context, path string) error {
	l, err := openLink(s.cfg.Path, copying)
	if err != nil {
		return err
	}
	l.conn.SetInterrupt(ctx.Done())
	err = l.run("vacuum into '" + strings.ReplaceAll(path, "'", "''") + "'")
	l.conn.SetInterrupt(nil)
	return errors.Join(cut(ctx, err), l.close())
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
