package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"plexy/internal/config"
	"plexy/internal/storage"
	"plexy/internal/vault"
)

// Open opens the database, checks that environment and master key are this installation's, and opens the
// vault. With Options.Install an empty database becomes an installation. A process that does not fit gets
// ErrInstallation and has written nothing.
func Open(ctx context.Context, cfg config.Config, o Options) (_ *App, err error) {
	p, err := placeOf(cfg, o.Serve)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if o.Serve || o.Install {
		if err := refuseDefaults(cfg); err != nil {
			return nil, err
		}
	}
	a := newApp(cfg, o)
	in, err := p.peek(ctx)
	empty := errors.Is(err, storage.ErrNotFound)
	switch {
	case empty && !o.Install:
		return nil, fmt.Errorf("%w: there is none at %s; plexy serve or plexy merchant create makes one",
			ErrInstallation, cfg.SafeDatabase())
	case err != nil && !empty:
		return nil, err
	case !empty:
		if err := a.accept(in, o.Serve); err != nil {
			return nil, err
		}
	}
	if o.Serve {
		if a.unclaim, err = p.claim(); err != nil {
			return nil, err
		}
	}
	if err := a.open(ctx, p, o, empty); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// open opens what was accepted; nothing was written until here.
func (a *App) open(ctx context.Context, p place, o Options, empty bool) error {
	var err error
	if empty {
		if a.master, a.keyMade, err = masterForEmpty(a.Config); err != nil {
			return err
		}
	}
	if empty || o.Serve {
		if _, err := p.migrate(ctx, false); err != nil {
			return err
		}
	}
	if a.Storage, a.drops, err = p.open(ctx); err != nil {
		return fmt.Errorf("%w (plexy migrate brings an older schema up to date)", err)
	}
	if empty {
		if err := a.install(ctx, o.Serve); err != nil {
			return err
		}
		return a.startClock(ctx)
	}
	// The keys may have been rotated since we peeked; what was accepted has not changed.
	in, err := a.Storage.Installation(ctx)
	if err != nil {
		return err
	}
	a.environment = in.Environment
	if a.vaults, err = newVaults(a.master, a.Storage, in); err != nil {
		return err
	}
	return a.startClock(ctx)
}

// accept checks that this process fits an installation: its environment, if it was told one, and its
// master key.
func (a *App) accept(in storage.Installation, serve bool) error {
	told := serve || a.Config.EnvironmentGiven
	if told && in.Environment != a.Config.Environment {
		return fmt.Errorf("%w: the database at %s is %s and this process is %s; an installation is one "+
			"environment for ever", ErrInstallation, a.Config.SafeDatabase(), in.Environment,
			a.Config.Environment)
	}
	master, err := readMaster(a.Config)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: the master key file %s is missing, and without it nothing that the database "+
			"has sealed can be read; restore it from its backup", ErrInstallation, a.Config.MasterKeyFile)
	}
	if err != nil {
		return err
	}
	if !master.Fits(in.MasterCheck) {
		return fmt.Errorf("%w: the master key (%s) is not the one that the database at %s was made with",
			ErrInstallation, masterSource(a.Config), a.Config.SafeDatabase())
	}
	a.master = master
	return nil
}

// install writes the installation into an empty database. When another process is faster, its installation
// is joined instead.
func (a *App) install(ctx context.Context, serve bool) error {
	key, err := vault.NewKey(a.master)
	if err != nil {
		return fmt.Errorf("make a data key: %w", err)
	}
	now := a.clock.Now()
	in := storage.Installation{
		Environment: a.Config.Environment, MasterCheck: a.master.Check(), Generation: 1, CreatedAt: now,
		Keys: unwrapped([]vault.WrappedKey{key}, nil, now),
	}
	err = a.Storage.Install(ctx, in)
	switch {
	case errors.Is(err, storage.ErrConflict):
		if in, err = a.Storage.Installation(ctx); err != nil {
			return err
		}
		if err := a.disownKey(in); err != nil {
			return err
		}
		if err := a.accept(in, serve); err != nil {
			return err
		}
	case err != nil:
		return fmt.Errorf("write the installation: %w", err)
	default:
		a.installed = true
	}
	a.environment = in.Environment
	a.vaults, err = newVaults(a.master, a.Storage, in)
	return err
}

// Migrate brings the schema of the database up to date and names the migrations that it ran, or with
// dryRun would run. A process whose master key or environment does not fit gets ErrInstallation.
func Migrate(ctx context.Context, cfg config.Config, dryRun bool) (names []string, err error) {
	p, err := placeOf(cfg, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	in, err := p.peek(ctx)
	switch {
	case errors.Is(err, storage.ErrNotFound):
	case err != nil:
		return nil, err
	default:
		if err := newApp(cfg, Options{}).accept(in, false); err != nil {
			return nil, err
		}
	}
	return p.migrate(ctx, dryRun)
}
