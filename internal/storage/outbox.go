package storage

import (
	"context"

	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/event"
)

// Outbox is what leaves the house: committed records get their number in the merchant's feed, and a delivery
// for each endpoint. Nothing of it is part of the write path of money.
//
// Times are microseconds of the application's clock but for those of a Claim, which are of the machine's:
// a lease must end while a test clock stands still.
type Outbox interface {
	// Number gives committed records of merchants that have no number yet their numbers, which are without
	// gaps per merchant and in order of sequence per object; in the same transaction it makes one delivery,
	// due at the given time, for each endpoint that wants the event then. It returns how many events it
	// numbered: at most limit on SQLite and in memory, and on PostgreSQL all that could be seen at the next
	// mark or marks, until they are limit, or now. 0 means that there was nothing, or that another process is
	// at it.
	Number(ctx context.Context, at int64, limit int) (int, error)
	// Mark says that numbering is put off: on PostgreSQL a later Number stops at what can be seen now, so that
	// it is not the longer the later it comes. Elsewhere it does nothing.
	Mark(ctx context.Context) error
	// Events returns at most limit events of the merchant after the given number, oldest first.
	Events(ctx context.Context, merchant string, after int64, limit int) ([]event.Event, error)
	// Event returns the merchant's event of a record, or ErrNotFound while it has no number, and when that was
	// swept.
	Event(ctx context.Context, merchant string, ref journal.Ref) (event.Event, error)

	Endpoints
	Deliveries
	Retention
	EndpointTellings
}

// Endpoints are the addresses that merchants want to be told at.
type Endpoints interface {
	// CreateEndpoint writes an endpoint. ErrNotFound: there is no such merchant; ErrConflict: the merchant
	// has event.MaxEndpoints already, however many are made at once.
	CreateEndpoint(ctx context.Context, e event.Endpoint, audit machine.Audit) error
	// Endpoint returns the merchant's endpoint, or ErrNotFound.
	Endpoint(ctx context.Context, merchant, id string) (event.Endpoint, error)
	// EndpointsOf returns the merchant's endpoints in order of id, which is the order they were made in.
	EndpointsOf(ctx context.Context, merchant string) ([]event.Endpoint, error)
	// SetEndpoint replaces what can be changed: everything but id, merchant, time of creation and since when it
	// is failing, which enabling a disabled one forgets. It does so only while the endpoint's revision is the
	// one given, and makes it one more: of two changes that read the same, the second is told to read again.
	// ErrNotFound when there is no such endpoint; ErrConflict when it was changed since, also by being disabled.
	SetEndpoint(ctx context.Context, e event.Endpoint, audit machine.Audit) error
	// DeleteEndpoint removes the endpoint; its deliveries are not sent any more and swept later. ErrNotFound.
	DeleteEndpoint(ctx context.Context, merchant, id string, audit machine.Audit) error
}

// Claim is one server's claim on endpoints: nobody else delivers to them until it ends.
type Claim struct {
	Owner      string // the server
	Now, Until int64  // of the machine's clock
	DueAt      int64  // endpoints with deliveries due by then are claimed
}

// Work is an endpoint that is owned, and when its next delivery is due: 0 when none waits.
type Work struct {
	Endpoint event.Endpoint
	NextDue  int64
}

// Due is a delivery to send, with what its body is made of.
type Due struct {
	Delivery event.Delivery
	Event    event.Event // zero for test events, and when the delivery has its body but no address of its own
	// Behind is the number of the event of the same object before this one that still waits to be delivered to
	// this endpoint: the last such one, or its own number when nothing is in the way.
	Behind int64
}

// Result is what an attempt came to, or (with a zero Attempt) that the delivery was put off.
type Result struct {
	Delivery event.Delivery // with its new state
	Attempt  event.Attempt
	// Later, of one without an attempt, puts it off whether or not it waits for another one: its receiver has no
	// room for it now.
	Later bool
	// Unblock makes the object's next delivery to this endpoint due at once.
	Unblock bool
}

// Health is what deliveries have shown of an endpoint.
type Health struct {
	Endpoint     string
	FailingSince int64  // 0: they succeed
	Disable      string // why it is disabled now; "" leaves its state
}

// DeliveryQuery asks for the deliveries of one endpoint, newest event first. Zero fields do not restrict.
type DeliveryQuery struct {
	Endpoint string
	State    event.DeliveryState
	Before   string // only ids lower than this one
	Limit    int
}

// ReplayQuery says which events are sent to an endpoint again: all with numbers from From to To (inclusive)
// that the endpoint wants, or with Dead only those whose delivery is dead.
type ReplayQuery struct {
	Endpoint event.Endpoint
	From, To int64
	Dead     bool
	Limit    int
}

// Deliveries are events on their way.
type Deliveries interface {
	// Own renews the claim on everything the owner owns and claims enabled endpoints that nobody owns and
	// that have something due.
	Own(ctx context.Context, c Claim) error
	// Disown ends every claim of the owner.
	Disown(ctx context.Context, owner string) error
	// Owned returns the enabled endpoints that the owner owns at the given time of the machine's clock.
	Owned(ctx context.Context, owner string, now int64) ([]Work, error)
	// DueDeliveries returns at most limit deliveries of the endpoint that wait and are due at the given time,
	// in the order in which they became due.
	DueDeliveries(ctx context.Context, endpoint string, at int64, limit int) ([]Due, error)
	// Finish writes what attempts came to, in the order given, and what they showed of endpoints.
	Finish(ctx context.Context, at int64, results []Result, health []Health) error

	// Delivery returns one delivery of an endpoint, or ErrNotFound.
	Delivery(ctx context.Context, endpoint, id string) (event.Delivery, error)
	// DeliveriesOf returns at most q.Limit deliveries.
	DeliveriesOf(ctx context.Context, q DeliveryQuery) ([]event.Delivery, error)
	// DeliveriesOfRecord returns every delivery of one event.
	DeliveriesOfRecord(ctx context.Context, ref journal.Ref) ([]event.Delivery, error)
	// AttemptsOf returns the attempts of a delivery, oldest first.
	AttemptsOf(ctx context.Context, delivery string) ([]event.Attempt, error)
	// CreateDelivery writes a delivery: of a test event.
	CreateDelivery(ctx context.Context, d event.Delivery) error
	// Replay makes deliveries due again, with the schedule from its beginning, and makes those that are
	// missing. It looks at q.Limit events at most, and returns how many deliveries that made due and the
	// number of the last event it looked at: 0 when none is left.
	Replay(ctx context.Context, at int64, q ReplayQuery) (n int, last int64, err error)
	// SweepDeliveries deletes at most limit deliveries with their attempts: those that are finished and older
	// than before, and those of endpoints that are no more. It returns how many.
	SweepDeliveries(ctx context.Context, before int64, limit int) (int, error)
}
