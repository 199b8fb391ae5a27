package event

import (
	"fmt"
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/core/payment"
)

// DeliveryState says what became of a delivery.
type DeliveryState string

// The three states.
const (
	Waiting   DeliveryState = "waiting"   // to be sent when it is due
	Delivered DeliveryState = "delivered" // the receiver said 2xx
	Dead      DeliveryState = "dead"      // every attempt of the schedule failed: a dead letter
)

// Delivery is one event on its way to one endpoint.
type Delivery struct {
	ID       string // see DeliveryID
	Endpoint string
	Merchant string
	Number   int64  // the event's; 0 for a test event
	URL      string // where it goes when its endpoint has no address (see NewCallbacks); else ""
	Object   string // the record of the event; "" for a test event
	Sequence int64
	Name     string
	State    DeliveryState
	Attempts int   // so far
	Base     int   // of those, how many were before the last replay: the schedule begins anew after it
	DueAt    int64 // microseconds; when it may be sent next
	// Replay and OutOfOrder mark what a receiver sees again, or before an older event of the same object.
	Replay     bool
	OutOfOrder bool
	Body       []byte // as it was first sent; empty while nobody needs it again
	CreatedAt  int64
	UpdatedAt  int64
}

// DeliveryID returns the id of the delivery of a merchant's event to an endpoint: whd_, the endpoint's ULID,
// the number of the event in 16 digits. So there is one delivery per event and endpoint, and ids sort by
// number.
func DeliveryID(endpoint string, number int64) string {
	return fmt.Sprintf("%s%016d", DeliveryPrefix(endpoint), number)
}

// DeliveryPrefix is what the ids of all deliveries to an endpoint begin with; a ULID after it makes that of a
// test event's.
func DeliveryPrefix(endpoint string) string {
	_, ulid, _ := strings.Cut(endpoint, "_")
	return "whd_" + ulid + "_"
}

// NewDelivery is the delivery of an event to an endpoint, due at the given time.
func NewDelivery(e Endpoint, number int64, r journal.Record, at int64) Delivery {
	return Delivery{
		ID: DeliveryID(e.ID, number), Endpoint: e.ID, Merchant: e.Merchant, Number: number,
		Object: r.Object, Sequence: r.Sequence, Name: r.Event(), State: Waiting,
		DueAt: at, CreatedAt: at, UpdatedAt: at,
	}
}

// NewCallback is the delivery of a payment's event through its merchant's NewCallbacks. ok is false when the
// payment names no address, or when the address is not to hear of this: that of a payment session is told
// what its plug-in understands, whether the payment is on hold, paid or has failed. A plug-in that was told
// of a hold listens no more, so a sale is told of once it is charged.
func NewCallback(
	e Endpoint, number int64, r journal.Record, f payment.Facts, at int64,
) (d Delivery, ok bool) {
	if f.CallbackURL == "" {
		return Delivery{}, false
	}
	if f.Session != "" {
		switch r.Type {
		case journal.Charged, journal.Rejected, journal.Failed:
		case journal.Authorized:
			if f.Kind == payment.Sale {
				return Delivery{}, false
			}
		default:
			return Delivery{}, false
		}
	}
	d = NewDelivery(e, number, r, at)
	d.URL = f.CallbackURL
	return d, true
}

// For is the delivery of an event to the endpoint, due at the given time; ok is false when it is not to hear
// of it.
func For(e Endpoint, of Event, at int64) (d Delivery, ok bool) {
	switch {
	case !e.Callbacks():
		return NewDelivery(e, of.Number, of.Record, at), e.Wants(of.Record.Event())
	case of.Payment == nil:
		return Delivery{}, false
	}
	return NewCallback(e, of.Number, of.Record, of.Payment.Facts, at)
}

// Attempt is one try to deliver.
type Attempt struct {
	Delivery string
	Number   int   // 1, 2, 3 …
	At       int64 // when it began, microseconds
	Micros   int64 // how long it took
	Status   int   // of the answer; 0 when there was none
	Error    string
	Response []byte // the first 4 KiB of the answer, for staff only
}
