package webhook

import (
	"slices"
	"time"

	"plexy/internal/event"
	"plexy/internal/storage"
)

// What an endpoint may cost and how long things wait.
const (
	laneKnown     = 256              // deliveries of one endpoint in memory
	laneFill      = 64               // deliveries read at once
	orderPatience = 60 * time.Second // how long an event waits for the one before it
	orderLook     = 10 * time.Second // and how often it is looked at meanwhile, in case nobody lets it go
	hostLook      = 5 * time.Second  // when what the host of a callback has no room for is read again
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
	left   bool // something is to be read again
	flight int
	ended  bool                     // it was disabled here: nothing more is sent
	busy   map[string]bool          // objects with an event under way
	parked map[string][]storage.Due // events that wait for the one under way, by object
	// What the receiver has shown.
	breaker Breaker
	window  Window
	// Of a merchant's callbacks: the lanes of their hosts, which do all but the reading. Of one of those: whose
	// it is; known is then that one's.
	hosts    map[string]*lane
	of       *lane
	answered int64 // when the last attempt was delivered, by the machine's clock
}

func newLane(e event.Endpoint, sandbox bool) *lane {
	return &lane{
		endpoint: e, known: map[string]bool{}, busy: map[string]bool{},
		parked: map[string][]storage.Due{}, breaker: NewBreaker(sandbox), hosts: map[string]*lane{},
	}
}

// hungry reports whether more deliveries should be read: there are some, and one could be sent at once.
func (l *lane) hungry(now int64, places int) bool {
	return len(l.queue) == 0 && l.nextDue > 0 && l.nextDue <= now && len(l.known) < laneKnown && !l.ended &&
		l.flight < places
}

// fill takes what was read this moment and is new, into an empty queue. It returns what must wait in the
// store for the event before it. That is decided here and nowhere else: what was read does not hold for long.
func (l *lane) fill(due []storage.Due, now int64) (putOff []storage.Due) {
	l.left = false
	due = slices.DeleteFunc(due, func(d storage.Due) bool { return l.known[d.Delivery.ID] })
	for _, d := range due {
		l.known[d.Delivery.ID] = true
	}
	for _, d := range due {
		switch {
		case !l.endpoint.Ordered, d.Behind == d.Delivery.Number:
		case l.known[event.DeliveryID(l.endpoint.ID, d.Behind)]:
		case d.Delivery.OutOfOrder || now >= l.patience(d.Delivery): // it has waited long enough, now or before
			d.Delivery.OutOfOrder, d.Behind = true, d.Delivery.Number
		default:
			putOff = append(putOff, d)
			continue
		}
		l.queue = append(l.queue, d)
	}
	return putOff
}

// patience is until when a delivery waits for the one before it.
func (l *lane) patience(d event.Delivery) int64 {
	return max(d.CreatedAt, d.UpdatedAt) + orderPatience.Microseconds()
}

// verdict is what happens to the next delivery of the queue.
type verdict int

const (
	send  verdict = iota
	park          // it waits in memory for the one under way
	leave         // what became of the one before it is not written yet: it is read again then
)

// judge says what happens to a delivery.
func (l *lane) judge(d *storage.Due) verdict {
	switch {
	case !l.endpoint.Ordered:
		return send
	case l.busy[d.Delivery.Object]:
		return park
	case d.Behind != d.Delivery.Number:
		return leave
	}
	return send
}

// leave forgets a delivery, so that it is read again.
func (l *lane) leave(d storage.Due) {
	if l.of != nil {
		l = l.of
	}
	delete(l.known, d.Delivery.ID)
	l.left = true
}

// release lets the events that were parked behind the one that is done go on. When that one is finished, at
// its own turn, the next one is at its turn.
func (l *lane) release(d event.Delivery) {
	delete(l.busy, d.Object)
	parked := l.parked[d.Object]
	delete(l.parked, d.Object)
	if d.State == event.Waiting || d.OutOfOrder {
		for _, next := range parked {
			l.leave(next)
		}
		return
	}
	l.queue = append(parked, l.queue...)
	for i := range l.queue {
		if next := &l.queue[i]; next.Delivery.Object == d.Object && next.Behind == d.Number {
			next.Behind = next.Delivery.Number
		}
	}
}
