package storage

import (
	"context"

	"plexy/internal/event"
	"plexy/internal/merchant"
)

// Retention is how a feed forgets (rule W-12). Only numbers and what they name are swept: the records are the
// ledger's and stay, and a number that was given is never given again.
type Retention interface {
	// LowestEvent returns the lowest number that the merchant's feed still has, or will have next when it has
	// none: 1 while nothing was swept.
	LowestEvent(ctx context.Context, merchant string) (int64, error)
	// SweepEvents takes at most limit events whose record is older than before (microseconds) out of the
	// feeds: of each merchant the lowest numbers, up to the first whose record is not as old, so that what
	// remains has no gaps. It returns how many; fewer than limit when no more are old, or cannot be swept now.
	SweepEvents(ctx context.Context, before int64, limit int) (int, error)
}

// EndpointTelling is what is known about telling a merchant that an endpoint fails.
type EndpointTelling struct {
	Endpoint event.Endpoint
	Stage    event.Stage // of which it is to be told
	// Message is the id of the message, the same on every try; "" before the first.
	Message string
	Tries   int // so far, of this stage
	// To and Language are whom to tell, and in which language ("" is English).
	To       merchant.Email
	Language string
}

// EndpointTellings says who is to be told of endpoints that fail (rule W-7). Each stage of one time of
// failing is told of once: a time of failing begins with FailingSince, and the next one begins anew.
type EndpointTellings interface {
	// UntoldEndpoints returns at most limit endpoints whose merchant has an address and was not told yet of
	// the stage that they have reached at the given time; of stages that were passed meanwhile nobody is told.
	// now is of the machine's clock, by which tries are spaced; there are at most six of a stage.
	UntoldEndpoints(ctx context.Context, at, now int64, limit int) ([]EndpointTelling, error)
	// ClaimEndpointTelling takes the next try, under t.Message, for one process: nobody else tries before
	// next (of the machine's clock). It answers false when somebody else took it.
	ClaimEndpointTelling(ctx context.Context, t EndpointTelling, next int64) (bool, error)
	// EndpointTold notes that the merchant was told, or that there will be no further try.
	EndpointTold(ctx context.Context, t EndpointTelling, at int64) error
}
