package app

import (
	"context"

	"plexy/internal/clock"
	"plexy/internal/httpapi"
	"plexy/internal/sandbox"
)

// sandbox is what the door shows of a sandbox; nil in production.
func (s *Server) sandbox() httpapi.Sandbox {
	if s.app.test == nil {
		return nil
	}
	return playground{s.app}
}

// playground is a sandbox's side of the door.
type playground struct{ app *App }

// Clock shows the test clock.
func (p playground) Clock(ctx context.Context) (httpapi.TestClock, error) {
	c, err := p.app.TestClock(ctx)
	return httpapi.TestClock(c), err
}

// SetClock changes the test clock.
func (p playground) SetClock(ctx context.Context, c clock.Change, why string) (httpapi.TestClock, error) {
	shown, err := p.app.SetTestClock(ctx, c, why)
	return httpapi.TestClock(shown), err
}

// Fault returns what a merchant has dialled.
func (p playground) Fault(merchant string) sandbox.Dial {
	if faults := p.app.faults.Load(); faults != nil {
		return (*faults)[merchant]
	}
	return sandbox.Dial{}
}

// followSandbox puts into force what was done to the sandbox by other processes: its clock and the faults of
// its merchants.
func (a *App) followSandbox(ctx context.Context) error {
	if err := a.followClock(ctx); err != nil {
		return err
	}
	faults, err := a.Storage.Faults(ctx)
	if err != nil {
		return err
	}
	if len(faults) == 0 {
		a.faults.Store(nil)
	} else {
		a.faults.Store(&faults)
	}
	return nil
}
