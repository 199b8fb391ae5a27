package app

import (
	"context"

	"plexy/internal/clock"
	"plexy/internal/httpapi"
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
