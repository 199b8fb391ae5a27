package httpapi

import (
	"context"
	"fmt"

	"plexy/internal/core/reject"
	"plexy/internal/event"
)

// sweptError says that a feed was asked for what it does not keep any more (rule W-12).
type sweptError struct{ lowest int64 }

// Error says so for a log.
func (e sweptError) Error() string {
	return fmt.Sprintf("the lowest number available is %d", e.lowest)
}

// notKept is the answer to it. source is what asked for too old a number.
func (e sweptError) notKept(source string) problem {
	return problem{reason: reject.EventsSwept, source: source,
		message: fmt.Sprintf("Events of this age are not kept; the lowest number available is %d.", e.lowest)}
}

// kept returns nil when the merchant's feed still has the event with the given number, or will have it; a
// sweptError when it was swept.
func (a *API) kept(ctx context.Context, merchant string, number int64) error {
	lowest, err := a.options.Outbox.LowestEvent(ctx, merchant)
	if err == nil && number < lowest {
		return sweptError{lowest}
	}
	return err
}

// page reads the next events of a feed; a sweptError when some after the given number were swept. It asks
// only when they may have been: after reading, since what it read cannot be swept before that any more.
func (a *API) page(ctx context.Context, merchant string, after int64, limit int) ([]event.Event, error) {
	found, err := a.options.Outbox.Events(ctx, merchant, after, limit)
	if err != nil || len(found) > 0 && found[0].Number == after+1 {
		return found, err
	}
	return found, a.kept(ctx, merchant, after+1)
}
