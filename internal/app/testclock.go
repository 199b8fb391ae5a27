package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plexy/internal/clock"
	"plexy/internal/config"
	"plexy/internal/storage"
)

// clockTries bounds how often a change of the test clock is made anew because somebody else changed it. Each
// loss means that another change got through.
const clockTries = 100

// TestClock is the sandbox's clock as staff and developers see it.
type TestClock struct {
	Now    string `json:"now"`    // RFC 3339
	Frozen bool   `json:"frozen"` // it stands still
	Offset string `json:"offset"` // how far it is from the machine's, such as 168h0m0s
}

// errNoTestClock is the answer to whoever asks for the clock of a production installation.
var errNoTestClock = fmt.Errorf("%w: this installation is production; only a sandbox has a test clock",
	ErrRefused)

// startClock gives a sandbox its own time. In production the machine's clock stays.
func (a *App) startClock(ctx context.Context) error {
	if a.environment != config.Sandbox {
		return nil
	}
	a.test = clock.NewTest(a.machine)
	a.clock = a.test
	return a.followClock(ctx)
}

// followClock reads the setting of the test clock again and puts a new one into force.
func (a *App) followClock(ctx context.Context) error {
	s, err := a.Storage.TestClock(ctx)
	if err != nil {
		return err
	}
	a.setClock(clock.Setting(s))
	return nil
}

// setClock puts a setting into force, and lets the tasks see at once that the time has moved.
func (a *App) setClock(s clock.Setting) {
	if a.test.Follow(s) {
		a.moved.ring()
	}
}

// TestClock shows the sandbox's clock; ErrRefused in production.
func (a *App) TestClock(ctx context.Context) (TestClock, error) {
	if a.test == nil {
		return TestClock{}, errNoTestClock
	}
	if err := a.followClock(ctx); err != nil {
		return TestClock{}, err
	}
	return a.showClock(), nil
}

func (a *App) showClock() TestClock {
	now := a.test.Now()
	return TestClock{
		Now: rfc3339(now), Frozen: a.test.Setting().FrozenAt != 0,
		Offset: (time.Duration(now-a.machine.Now()) * time.Microsecond).String(),
	}
}

// SetTestClock changes the sandbox's clock and shows it. ErrRefused in production, and one of package
// clock's errors for a change that is not possible.
func (a *App) SetTestClock(ctx context.Context, c clock.Change, reason string) (TestClock, error) {
	if a.test == nil {
		return TestClock{}, errNoTestClock
	}
	for range clockTries {
		err := a.changeClock(ctx, c, reason)
		if err == nil {
			return a.showClock(), nil
		}
		if !errors.Is(err, storage.ErrConflict) {
			return TestClock{}, err
		}
	}
	return TestClock{}, fmt.Errorf("set the test clock: %w", storage.ErrConflict)
}

// changeClock makes one try. The new setting comes of the one that is in the database now; another one that
// gets there first makes this one fail with ErrConflict.
func (a *App) changeClock(ctx context.Context, c clock.Change, reason string) error {
	if err := a.followClock(ctx); err != nil {
		return err
	}
	was := a.test.Setting()
	next, err := was.Changed(c, a.test.Now(), a.machine.Now())
	if err != nil || next == was {
		return err
	}
	audit := a.audit("sandbox.clock", "clock", reason)
	audit.Before, audit.After = clockWords(was), clockWords(next)
	if err := a.Storage.SetTestClock(ctx, storage.TestClock(next), audit); err != nil {
		return err
	}
	a.setClock(next)
	return nil
}

func clockWords(s clock.Setting) string {
	if s.FrozenAt != 0 {
		return "frozen at " + rfc3339(s.FrozenAt)
	}
	return "offset " + (time.Duration(s.OffsetMicros) * time.Microsecond).String()
}
