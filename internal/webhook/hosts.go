package webhook

import (
	"net/url"
	"strings"
	"time"

	"plexy/internal/storage"
)

// A merchant's callbacks go to as many addresses as its payments name, through one endpoint. Each host among
// them has a lane of its own, with its own breaker and window, so that one that is dead or slow does not hold
// up the others. They are read together, and what one host cannot take now is read again later.

// hostOf is the host and port of an address, which is what a receiver is told apart by.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// host returns the lane of the host that a delivery goes to.
func (l *lane) host(d storage.Due, sandbox bool) *lane {
	name := hostOf(d.Delivery.URL)
	h := l.hosts[name]
	if h == nil {
		if len(l.hosts) >= laneKnown {
			for other, idle := range l.hosts { // those that nothing waits for; they begin anew if it does
				if idle.flight+len(idle.queue)+len(idle.parked) == 0 {
					delete(l.hosts, other)
				}
			}
		}
		h = newLane(l.endpoint, sandbox)
		h.of, h.known = l, l.known
		l.hosts[name] = h
	}
	return h
}

// share is how many deliveries one host may keep waiting in memory.
func (l *lane) share() int { return max(1, laneKnown/2/max(1, len(l.hosts))) }

// spread gives each host its part of what was read, and returns what its host has no room for.
func (l *lane) spread(sandbox bool) (over []storage.Due) {
	for _, d := range l.queue {
		h := l.host(d, sandbox)
		if len(h.queue) >= l.share() {
			over = append(over, d)
			continue
		}
		h.queue = append(h.queue, d)
	}
	l.queue = nil
	return over
}

// wanting reports whether the hosts that answer have little to do. What waits for the others is no reason not
// to read on: what is read may be for somebody else.
func (l *lane) wanting(machine int64) bool {
	waiting := 0
	for _, h := range l.hosts {
		if h.answered > 0 && machine-h.answered < time.Second.Microseconds() {
			waiting += len(h.queue)
		}
	}
	return waiting < laneFill/2
}
