package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sort"
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/event"
	"plexy/internal/storage"
)

// outbox is what leaves the house. Unlike the tables of money it has no snapshots.
type outbox struct {
	fresh      []journal.Ref            // records without a number, in order of commit
	feeds      map[string][]journal.Ref // what was swept, at the beginning, is empty
	floors     map[string]int64         // up to which number a feed was swept
	numbers    map[journal.Ref]int64
	endpoints  map[string]*endpoint
	deliveries map[string]event.Delivery
	attempts   map[string][]event.Attempt
	tellings   map[string]storage.EndpointTelling // by endpoint: with the tries made
	nextAt     map[string]int64                   // when that is tried next; never once it was told
}

type endpoint struct {
	event.Endpoint
	owner string
	until int64
}

func newOutbox() *outbox {
	return &outbox{
		feeds: map[string][]journal.Ref{}, numbers: map[journal.Ref]int64{},
		endpoints: map[string]*endpoint{}, deliveries: map[string]event.Delivery{},
		attempts: map[string][]event.Attempt{}, floors: map[string]int64{},
		tellings: map[string]storage.EndpointTelling{}, nextAt: map[string]int64{},
	}
}

// Number numbers records in the order of their commits.
func (s *Store) Number(_ context.Context, at int64, limit int) (numbered int, err error) {
	err = s.write(func(t *Tables) error {
		o := t.Outbox
		numbered = min(limit, len(o.fresh))
		for _, ref := range o.fresh[:numbered] {
			r, _ := t.record(ref)
			o.feeds[r.Merchant] = append(o.feeds[r.Merchant], ref)
			o.numbers[ref] = int64(len(o.feeds[r.Merchant]))
			of := t.event(ref)
			t.callbacks(of, at)
			for _, e := range o.endpoints {
				if e.Merchant != r.Merchant || e.State != event.Enabled {
					continue
				}
				if d, ok := event.For(e.Endpoint, of, at); ok {
					o.deliveries[d.ID] = d
				}
			}
		}
		o.fresh = slices.Clone(o.fresh[numbered:])
		return nil
	})
	return numbered, err
}

// callbacks writes the endpoint of a merchant through which the address of a payment is told, if it names one
// that is to hear of the event.
func (t *Tables) callbacks(of event.Event, at int64) {
	c := event.NewCallbacks(of.Record.Merchant, at)
	if _, ok := event.For(c, of, at); ok && t.Outbox.endpoints[c.ID] == nil {
		t.Outbox.endpoints[c.ID] = &endpoint{Endpoint: c}
	}
}

// Mark does nothing.
func (s *Store) Mark(context.Context) error { return nil }

// event returns the event of a record that has its number.
func (t *Tables) event(ref journal.Ref) event.Event {
	r, _ := t.record(ref)
	if p := t.Payments.Payments[ref.Object]; p != nil {
		e := event.OfPayment(t.Outbox.numbers[ref], r, p.Payment)
		e.Minor = t.Merchants[r.Merchant].Settings.WebhookMinor
		return e
	}
	return event.New(t.Outbox.numbers[ref], r, *t.Transactions[ref.Object])
}

// Events returns at most limit events of the merchant after the given number, oldest first.
func (s *Store) Events(_ context.Context, merchant string, after int64, limit int) ([]event.Event, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	feed := s.t.Outbox.feeds[merchant]
	var found []event.Event
	after = max(after, s.t.Outbox.floors[merchant])
	for _, ref := range feed[min(after, int64(len(feed))):] {
		if len(found) == limit {
			break
		}
		found = append(found, s.t.event(ref))
	}
	return found, nil
}

// Event returns the merchant's event of a record, or ErrNotFound.
func (s *Store) Event(_ context.Context, merchant string, ref journal.Ref) (event.Event, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r, ok := s.t.record(ref); !ok || r.Merchant != merchant || s.t.Outbox.numbers[ref] == 0 {
		return event.Event{}, storage.ErrNotFound
	}
	return s.t.event(ref), nil
}

// CreateEndpoint writes an endpoint.
func (s *Store) CreateEndpoint(_ context.Context, e event.Endpoint, audit machine.Audit) error {
	return s.write(func(t *Tables) error {
		if t.Merchants[e.Merchant] == nil {
			return storage.ErrNotFound
		}
		there := t.Outbox.endpoints[e.ID] != nil
		switch {
		case e.Callbacks() && there:
		case there, len(t.endpointsOf(e.Merchant)) >= event.MaxEndpoints && !e.Callbacks():
			return conflict("endpoint", e.ID)
		default:
			t.Outbox.endpoints[e.ID] = &endpoint{Endpoint: copied(e)}
		}
		t.audit(audit)
		return nil
	})
}

func (t *Tables) endpointsOf(merchant string) (found []event.Endpoint) {
	for _, id := range sorted(t.Outbox.endpoints) {
		if e := t.Outbox.endpoints[id]; e.Merchant == merchant && !e.Callbacks() {
			found = append(found, e.Endpoint)
		}
	}
	return found
}

// Endpoint returns the merchant's endpoint, or ErrNotFound.
func (s *Store) Endpoint(_ context.Context, merchant, id string) (event.Endpoint, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.t.Outbox.endpoints[id]
	if e == nil || e.Merchant != merchant {
		return event.Endpoint{}, storage.ErrNotFound
	}
	return e.Endpoint, nil
}

// EndpointsOf returns the merchant's endpoints in order of id.
func (s *Store) EndpointsOf(_ context.Context, merchant string) ([]event.Endpoint, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.t.endpointsOf(merchant), nil
}

// SetEndpoint replaces what can be changed of an endpoint, if it is as it was read.
func (s *Store) SetEndpoint(_ context.Context, e event.Endpoint, audit machine.Audit) error {
	return s.write(func(t *Tables) error {
		was := t.Outbox.endpoints[e.ID]
		if was == nil || was.Merchant != e.Merchant {
			return storage.ErrNotFound
		}
		if was.Revision != e.Revision {
			return conflict("endpoint", e.ID)
		}
		now := *was
		now.Endpoint = copied(e)
		now.Revision++
		now.CreatedAt, now.FailingSince = was.CreatedAt, was.FailingSince
		if was.State == event.Disabled && e.State == event.Enabled {
			now.FailingSince = 0
		}
		t.Outbox.endpoints[e.ID] = &now
		t.audit(audit)
		return nil
	})
}

// copied is an endpoint whose lists are nobody else's.
func copied(e event.Endpoint) event.Endpoint {
	e.Types, e.Signatures, e.Waits = slices.Clone(e.Types), slices.Clone(e.Signatures), slices.Clone(e.Waits)
	return e
}

// DeleteEndpoint removes the endpoint. What waited for it is dead.
func (s *Store) DeleteEndpoint(_ context.Context, merchant, id string, audit machine.Audit) error {
	return s.write(func(t *Tables) error {
		e := t.Outbox.endpoints[id]
		if e == nil || e.Merchant != merchant || e.Callbacks() {
			return storage.ErrNotFound
		}
		delete(t.Outbox.endpoints, id)
		delete(t.Outbox.tellings, id)
		for key, d := range t.Outbox.deliveries {
			if d.Endpoint == id && d.State == event.Waiting {
				d.State, d.UpdatedAt = event.Dead, audit.At
				t.Outbox.deliveries[key] = d
			}
		}
		t.audit(audit)
		return nil
	})
}

// waiting returns the endpoint's deliveries that wait, in the order in which they become due.
func (t *Tables) waiting(endpoint string) (found []event.Delivery) {
	for _, d := range t.Outbox.deliveries {
		if d.Endpoint == endpoint && d.State == event.Waiting {
			found = append(found, d)
		}
	}
	slices.SortFunc(found, func(a, b event.Delivery) int {
		return cmp.Or(cmp.Compare(a.DueAt, b.DueAt), cmp.Compare(a.ID, b.ID))
	})
	return found
}

// Own renews and makes claims.
func (s *Store) Own(_ context.Context, c storage.Claim) error {
	return s.write(func(t *Tables) error {
		for _, e := range t.Outbox.endpoints {
			waiting := t.waiting(e.ID)
			if len(waiting) == 0 {
				continue
			}
			free := e.until <= c.Now && e.State == event.Enabled && waiting[0].DueAt <= c.DueAt
			if e.owner == c.Owner || free {
				e.owner, e.until = c.Owner, c.Until
			}
		}
		return nil
	})
}

// Disown ends every claim of the owner.
func (s *Store) Disown(_ context.Context, owner string) error {
	return s.write(func(t *Tables) error {
		for _, e := range t.Outbox.endpoints {
			if e.owner == owner {
				e.owner, e.until = "", 0
			}
		}
		return nil
	})
}

// Owned returns the enabled endpoints that the owner owns.
func (s *Store) Owned(_ context.Context, owner string, now int64) (found []storage.Work, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, id := range sorted(s.t.Outbox.endpoints) {
		e := s.t.Outbox.endpoints[id]
		if e.owner != owner || e.until <= now || e.State != event.Enabled {
			continue
		}
		w := storage.Work{Endpoint: e.Endpoint}
		if waiting := s.t.waiting(id); len(waiting) > 0 {
			w.NextDue = waiting[0].DueAt
		}
		found = append(found, w)
	}
	return found, nil
}

// DueDeliveries returns the deliveries of the endpoint that wait and are due.
func (s *Store) DueDeliveries(
	_ context.Context, endpoint string, at int64, limit int,
) ([]storage.Due, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	waiting := s.t.waiting(endpoint)
	var found []storage.Due
	for _, d := range waiting {
		if d.DueAt > at || len(found) == limit {
			break
		}
		due := storage.Due{Delivery: d, Behind: behind(waiting, d)}
		if len(d.Body) == 0 || d.URL != "" {
			due.Event = s.t.event(journal.Ref{Object: d.Object, Sequence: d.Sequence})
			due.Event.Number = d.Number // the feed may have swept it meanwhile
		}
		found = append(found, due)
	}
	return found, nil
}

// behind is the number of the last of those before d, or its own.
func behind(waiting []event.Delivery, d event.Delivery) int64 {
	number := int64(0)
	for _, p := range waiting {
		if p.Object == d.Object && p.Sequence < d.Sequence {
			number = max(number, p.Number)
		}
	}
	if number == 0 {
		return d.Number
	}
	return number
}

// Finish writes what attempts came to.
func (s *Store) Finish(_ context.Context, at int64, results []storage.Result, health []storage.Health) error {
	return s.write(func(t *Tables) error {
		for _, r := range results {
			t.finish(at, r)
		}
		for _, h := range health {
			if e := t.Outbox.endpoints[h.Endpoint]; e != nil {
				e.FailingSince = h.FailingSince
				if h.Disable != "" {
					e.State, e.Why = event.Disabled, h.Disable
					e.Revision++
				}
			}
		}
		return nil
	})
}

func (t *Tables) finish(at int64, r storage.Result) {
	o, d := t.Outbox, r.Delivery
	was, ok := o.deliveries[d.ID]
	if !ok || was.State != event.Waiting {
		return
	}
	if r.Attempt.Number == 0 {
		if first, ok := t.first(d); r.Later || ok && first.Sequence < d.Sequence {
			was.DueAt = d.DueAt
			o.deliveries[d.ID] = was
		}
		return
	}
	if was.Attempts >= d.Attempts {
		return // somebody else has sent it, too
	}
	was.State, was.Attempts, was.DueAt, was.OutOfOrder = d.State, d.Attempts, d.DueAt, d.OutOfOrder
	was.Body, was.UpdatedAt = slices.Clone(d.Body), at
	o.deliveries[d.ID] = was
	o.attempts[d.ID] = append(o.attempts[d.ID], r.Attempt)
	if !r.Unblock {
		return
	}
	if next, ok := t.first(d); ok && next.Attempts == next.Base && next.DueAt > at {
		next.DueAt = at
		o.deliveries[next.ID] = next
	}
}

// first returns the first delivery of the same object to the same endpoint that waits.
func (t *Tables) first(d event.Delivery) (first event.Delivery, found bool) {
	for _, other := range t.waiting(d.Endpoint) {
		if other.Object == d.Object && (!found || other.Sequence < first.Sequence) {
			first, found = other, true
		}
	}
	return first, found
}

// Delivery returns one delivery of an endpoint, or ErrNotFound.
func (s *Store) Delivery(_ context.Context, endpoint, id string) (event.Delivery, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	d, ok := s.t.Outbox.deliveries[id]
	if !ok || d.Endpoint != endpoint {
		return event.Delivery{}, storage.ErrNotFound
	}
	return d, nil
}

// DeliveriesOf returns deliveries of one endpoint, newest event first.
func (s *Store) DeliveriesOf(_ context.Context, q storage.DeliveryQuery) (found []event.Delivery, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	ids := sorted(s.t.Outbox.deliveries)
	if q.Before != "" {
		ids = ids[:sort.SearchStrings(ids, q.Before)]
	}
	for _, id := range slices.Backward(ids) {
		d := s.t.Outbox.deliveries[id]
		if d.Endpoint == q.Endpoint && (q.State == "" || d.State == q.State) && len(found) < q.Limit {
			found = append(found, d)
		}
	}
	return found, nil
}

// DeliveriesOfRecord returns every delivery of one event.
func (s *Store) DeliveriesOfRecord(_ context.Context, ref journal.Ref) (found []event.Delivery, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, d := range s.t.Outbox.deliveries {
		if d.Object == ref.Object && d.Sequence == ref.Sequence {
			found = append(found, d)
		}
	}
	slices.SortFunc(found, func(a, b event.Delivery) int { return strings.Compare(a.ID, b.ID) })
	return found, nil
}

// AttemptsOf returns the attempts of a delivery, oldest first.
func (s *Store) AttemptsOf(_ context.Context, delivery string) ([]event.Attempt, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.t.Outbox.attempts[delivery]), nil
}

// CreateDelivery writes a delivery.
func (s *Store) CreateDelivery(_ context.Context, d event.Delivery) error {
	return s.write(func(t *Tables) error {
		if _, taken := t.Outbox.deliveries[d.ID]; taken {
			return conflict("delivery", d.ID)
		}
		t.Outbox.deliveries[d.ID] = d
		return nil
	})
}

// Replay makes deliveries due again, and makes those that are missing.
func (s *Store) Replay(_ context.Context, at int64, q storage.ReplayQuery) (n int, last int64, err error) {
	err = s.write(func(t *Tables) error {
		feed := t.Outbox.feeds[q.Endpoint.Merchant]
		end := min(q.To, int64(len(feed)))
		first := max(q.From, 1)
		if !q.Dead {
			first = max(first, t.Outbox.floors[q.Endpoint.Merchant]+1)
		}
		for number, looked := first, 0; number <= end && looked < q.Limit; number++ {
			d, there := t.Outbox.deliveries[event.DeliveryID(q.Endpoint.ID, number)]
			if q.Dead && d.State != event.Dead {
				continue
			}
			looked, last = looked+1, number
			switch {
			case there && d.State == event.Waiting:
				continue
			case !q.Dead:
				fresh, wanted := event.For(q.Endpoint, t.event(feed[number-1]), at)
				if !wanted {
					continue
				}
				t.callbacks(t.event(feed[number-1]), at)
				if !there {
					d = fresh
				}
			}
			d.State, d.Base, d.Replay, d.DueAt, d.UpdatedAt = event.Waiting, d.Attempts, true, at, at
			d.OutOfOrder = false
			t.Outbox.deliveries[d.ID] = d
			n++
		}
		return nil
	})
	return n, last, err
}

// SweepDeliveries deletes what is finished and old.
func (s *Store) SweepDeliveries(_ context.Context, before int64, limit int) (swept int, err error) {
	err = s.write(func(t *Tables) error {
		maps.DeleteFunc(t.Outbox.deliveries, func(id string, d event.Delivery) bool {
			old := d.State != event.Waiting && d.UpdatedAt < before && swept < limit
			if old {
				delete(t.Outbox.attempts, id)
				swept++
			}
			return old
		})
		return nil
	})
	return swept, err
}
