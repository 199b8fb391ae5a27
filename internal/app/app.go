// Package app builds every room and joins them, in plain Go, top to bottom: the server that merchants
// talk to, and what staff do by command line beside it. It decides nothing about money; it makes
// instructions and hands them to commit.
package app

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"plexy/internal/clock"
	"plexy/internal/config"
	"plexy/internal/core/machine"
	"plexy/internal/core/reject"
	"plexy/internal/id"
	"plexy/internal/sandbox"
	"plexy/internal/storage"
	"plexy/internal/vault"
)

// Trouble that the command line tells apart by its exit code; compare with errors.Is.
var (
	// ErrUsage: what was asked for is not well formed. Nothing was done.
	ErrUsage = errors.New("usage")
	// ErrRefused: the state or the amount forbids it. Nothing was changed.
	ErrRefused = errors.New("refused")
	// ErrInstallation: this database belongs to another kind of installation, to another master key, or
	// there is none yet. Nothing was written.
	ErrInstallation = errors.New("installation")
)

// Options say how an App is opened.
type Options struct {
	// Install makes the installation when the database is empty; without it an empty one is an error.
	Install bool
	// Serve opens for the server: it migrates a database of an older release, insists on the
	// environment, and on SQLite claims to be the only server of the file.
	Serve bool
	// Actor is who stands in the audit rows.
	Actor string
}

// App is one opened installation. Close it.
type App struct {
	Config  config.Config
	Storage storage.Storage

	clock   clock.Clock // of everything that is recorded: test, or in production machine
	machine clock.Clock // the machine's, for what is no business of a sandbox's clock
	test    *clock.Test // the sandbox's; nil in production
	moved   bell        // rings when the test clock was changed
	// faults are what merchants of a sandbox have dialled; nil when nobody has.
	faults atomic.Pointer[map[string]sandbox.Dial]
	// magic are the uses of magic phone numbers whose wallets are known to be open and to have money.
	magic sync.Map // magicUse → true

	ids         *id.Maker
	master      *vault.Master
	vaults      *Vaults
	environment string // of the installation, whatever this process was told
	actor       string
	drops       func() uint64 // see place.open
	unclaim     func() error  // nil when nothing was claimed
	keyMade     bool          // this call made the master key's file
	installed   bool          // this call made the installation
}

func newApp(cfg config.Config, o Options) *App {
	a := &App{Config: cfg, machine: clockOf(cfg), actor: o.Actor}
	a.clock = a.machine
	a.ids = id.NewMakerAt(func() int64 { return a.clock.Now() })
	return a
}

// Close closes the storage.
func (a *App) Close() error {
	var err error
	if a.Storage != nil {
		err = a.Storage.Close()
	}
	if a.unclaim != nil {
		err = errors.Join(err, a.unclaim())
	}
	return err
}

func clockOf(cfg config.Config) clock.Clock {
	if skew := cfg.Test.ClockSkew; skew != 0 {
		return clock.Skewed{ByMicroseconds: skew.Microseconds()}
	}
	return clock.System{}
}

// audit begins the audit row of something that staff do.
func (a *App) audit(action, object, reason string) machine.Audit {
	return machine.Audit{
		ID: a.ids.New(id.Audit), At: a.clock.Now(), Actor: a.actor,
		Action: action, Object: object, Reason: reason,
	}
}

// refused is the error of a refusal, with the words of its table and its stable name.
func refused(r reject.Reason) error {
	return fmt.Errorf("%w: %s (%s)", ErrRefused, reject.Of(r).Message, r)
}

// usage is the error of something that is not well formed.
func usage(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUsage, fmt.Sprintf(format, args...))
}
