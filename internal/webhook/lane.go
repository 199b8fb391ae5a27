package webhook

import (
	"time"

	"plexy/internal/event"
	"plexy/internal/storage"
)

// What an endpoint may cost and how long things wait.
const (
	laneKnown     = 256              // deliveries of one endpoint in memory
	laneFill      = 64               // deliveries read at once
	orderPatience = 60 * time.Second // how long an event waits for the one before it
	disableAfter  = 5 * 24 * time.Hour
)

// lane is one endpoint as the server that owns it sees it. Only the worker's loop touches it.
type lane struct {
	endpoint event.Endpoint
	nextDue  int64 // 0: nothing waits
	queue    []storage.Due
	// known are the deliveries that were read and whose outcome is not written yet: in the queue, under way,
	// parked, or about to be written. What is read again while it is known is left out.
	known  map[string]bool
	left   map[string]bool // objects with events that were left, to be read again
	flight int
	ended  bool                     // it was disabled here: nothing more is sent
	busy   map[string]bool          // objects with an event under way
	parked map[string][]storage.Due // events that wait for the one under way, by object
	// What the receiver has shown.
	breaker Breaker
	window  Window
}

func newLane(e event.Endpoint, sandbox bool) *lane {
	return &lane{
		endpoint: e, known: map[string]bool{}, left: map[string]bool{}, busy: map[string]bool{},
		parked: map[string][]storage.Due{}, breaker: NewBreaker(sandbox),
	}
}

// hungry reports whether more deliveries should be read: there are some, and one could be sent at once.
func (l *lane) hungry(now int64, places int) bool {
	return len(l.queue) == 0 && l.nextDue > 0 && l.nextDue <= now && len(l.known) < laneKnown && !l.ended &&
		l.flight < places && l.breaker.ReadyAt(now) <= now
}

// fill takes what was read and is new, into an empty queue.
func (l *lane) fill(due []storage.Due) {
	clear(l.left)
	for _, d := range due {
		if !l.known[d.Delivery.ID] {
			l.known[d.Delivery.ID] = true
			l.queue = append(l.queue, d)
		}
	}
}

// verdict is what happens to the next delivery of the queue.
type verdict int

const (
	send   verdict = iota
	park           // it waits in memory for the one under way
	leave          // it is read again when what became of the one before it is written
	putOff         // it waits in the store for the one before it
)

// judge says what happens to a delivery, and marks it when it goes before its turn.
func (l *lane) judge(d *storage.Due, now int64) verdict {
	if !l.endpoint.Ordered || d.Delivery.Object == "" {
		return send
	}
	// What went before its turn once has waited long enough.
	late := d.Delivery.OutOfOrder || now >= l.patience(d.Delivery)
	switch {
	case l.busy[d.Delivery.Object]:
		return park
	case d.Behind == d.Delivery.Number:
		return send
	case l.left[d.Delivery.Object], l.known[event.DeliveryID(l.endpoint.ID, d.Behind)]:
		return leave
	case late:
		d.Delivery.OutOfOrder = true
		return send
	}
	return putOff
}

// patience is until when a delivery waits for the one before it.
func (l *lane) patience(d event.Delivery) int64 {
	return max(d.CreatedAt, d.UpdatedAt) + orderPatience.Microseconds()
}

// release lets the events that were parked behind the one that is done go on. When that one is finished the
// next one is at its turn. All are put off when it is tried again later, or was not at its own turn.
func (l *lane) release(d event.Delivery) (putOff []storage.Due) {
	delete(l.busy, d.Object)
	parked := l.parked[d.Object]
	delete(l.parked, d.Object)
	if d.State == event.Waiting || d.OutOfOrder {
		return parked
	}
	l.queue = append(parked, l.queue...)
	for i := range l.queue {
		if next := &l.queue[i]; next.Delivery.Object == d.Object && next.Behind == d.Number {
			next.Behind = next.Delivery.Number
		}
	}
	return nil
}
