package app

import (
	"context"

	"plexy/internal/verify"
)

// Verify recomputes the books from their entries. The error says that they could not be read; what is
// wrong with them is in the report.
func (a *App) Verify(ctx context.Context) (verify.Report, error) {
	return verify.RunAt(ctx, a.Storage, a.clock.Now())
}
