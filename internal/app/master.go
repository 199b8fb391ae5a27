package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"plexy/internal/config"
	"plexy/internal/storage"
	"plexy/internal/vault"
)

// masterSource says where the master key comes from, without showing it.
func masterSource(cfg config.Config) string {
	if cfg.MasterKey != "" {
		return "the setting master_key"
	}
	return cfg.MasterKeyFile
}

// readMaster returns the master key; fs.ErrNotExist when it is in a file that is not there.
func readMaster(cfg config.Config) (*vault.Master, error) {
	text := []byte(cfg.MasterKey)
	if cfg.MasterKey == "" {
		var err error
		if text, err = os.ReadFile(cfg.MasterKeyFile); err != nil {
			return nil, fmt.Errorf("read the master key: %w", err)
		}
	}
	master, err := vault.ParseMaster(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInstallation, masterSource(cfg), err)
	}
	return master, nil
}

// masterForEmpty returns the master key for an empty database, and whether it made the file. A key that is
// there already is taken: it was made for this database by a start that was interrupted, or put there.
func masterForEmpty(cfg config.Config) (master *vault.Master, made bool, err error) {
	master, err = readMaster(cfg)
	if !errors.Is(err, fs.ErrNotExist) {
		return master, false, err
	}
	text := vault.NewMaster()
	err = writeOnce(cfg.MasterKeyFile, text)
	if errors.Is(err, fs.ErrExist) { // another process made it meanwhile
		master, err = readMaster(cfg)
		return master, false, err
	}
	if err != nil {
		return nil, false, fmt.Errorf("write the master key: %w", err)
	}
	master, err = vault.ParseMaster(text)
	return master, true, err
}

// disownKey removes a key file that this process made for an installation that another one made first
// with another key: it belongs to no database.
func (a *App) disownKey(in storage.Installation) error {
	if !a.keyMade || a.master.Fits(in.MasterCheck) {
		return nil
	}
	if err := os.Remove(a.Config.MasterKeyFile); err != nil {
		return fmt.Errorf("remove a master key that belongs to no database: %w", err)
	}
	return nil
}

// writeOnce makes a file that only its owner may read, whole and on disk, or not at all; fs.ErrExist when
// there is one already.
func writeOnce(path string, text []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(dir, ".master-*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(text)
	if err == nil {
		err = temporary.Sync()
	}
	if err = errors.Join(err, temporary.Close()); err != nil {
		return err
	}
	if err := os.Link(temporary.Name(), path); err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
