package memory

import (
	"cmp"
	"context"
	"math"
	"slices"

	"plexy/internal/core/journal"
	"plexy/internal/storage"
)

// LowestEvent returns the lowest number that the merchant's feed still has, or will have next.
func (s *Store) LowestEvent(_ context.Context, merchant string) (int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.t.Outbox.floors[merchant] + 1, nil
}

// SweepEvents forgets old events.
func (s *Store) SweepEvents(_ context.Context, before int64, limit int) (swept int, err error) {
	err = s.write(func(t *Tables) error {
		o := t.Outbox
		for _, merchant := range sorted(o.feeds) {
			feed := o.feeds[merchant]
			for at := o.floors[merchant]; at < int64(len(feed)) && swept < limit; at++ {
				if r, _ := t.record(feed[at]); r.At >= before {
					break
				}
				delete(o.numbers, feed[at])
				feed[at] = journal.Ref{}
				o.floors[merchant] = at + 1
				swept++
			}
		}
		return nil
	})
	return swept, err
}

// endpointTries is how often telling of one stage is tried; see storage.EndpointTellings.
const endpointTries = 6

// UntoldEndpoints returns endpoints whose merchant is to be told of how they fail.
func (s *Store) UntoldEndpoints(
	_ context.Context, at, now int64, limit int,
) (found []storage.EndpointTelling, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, e := range s.t.Outbox.endpoints {
		m := s.t.Merchants[e.Merchant]
		telling := storage.EndpointTelling{
			Endpoint: e.Endpoint, Stage: e.StageAt(at), To: m.Settings.ContactEmail,
			Language: m.Settings.ContactLanguage,
		}
		row := s.t.Outbox.tellings[e.ID]
		if row.Endpoint.FailingSince == e.FailingSince && row.Stage >= telling.Stage {
			if row.Stage > telling.Stage || s.t.Outbox.nextAt[e.ID] > now || row.Tries >= endpointTries {
				continue
			}
			telling.Message, telling.Tries = row.Message, row.Tries
		}
		if telling.Stage > 0 && telling.To != "" {
			found = append(found, telling)
		}
	}
	slices.SortFunc(found, func(a, b storage.EndpointTelling) int {
		return cmp.Or(cmp.Compare(a.Endpoint.FailingSince, b.Endpoint.FailingSince),
			cmp.Compare(a.Endpoint.ID, b.Endpoint.ID))
	})
	return found[:min(len(found), limit)], nil
}

// ClaimEndpointTelling takes the next try at telling; false when somebody else took it.
func (s *Store) ClaimEndpointTelling(
	_ context.Context, c storage.EndpointTelling, next int64,
) (claimed bool, err error) {
	err = s.write(func(t *Tables) error {
		row, since := t.Outbox.tellings[c.Endpoint.ID], c.Endpoint.FailingSince
		switch {
		case row.Endpoint.FailingSince != since:
			claimed = row.Endpoint.FailingSince < since
		case row.Stage != c.Stage:
			claimed = row.Stage < c.Stage
		default:
			claimed = row.Tries == c.Tries && t.Outbox.nextAt[c.Endpoint.ID] != math.MaxInt64
		}
		if claimed {
			c.Tries++
			t.Outbox.tellings[c.Endpoint.ID], t.Outbox.nextAt[c.Endpoint.ID] = c, next
		}
		return nil
	})
	return claimed, err
}

// EndpointTold notes that the merchant was told.
func (s *Store) EndpointTold(_ context.Context, c storage.EndpointTelling, _ int64) error {
	return s.write(func(t *Tables) error {
		row := t.Outbox.tellings[c.Endpoint.ID]
		if row.Endpoint.FailingSince == c.Endpoint.FailingSince && row.Stage == c.Stage {
			t.Outbox.nextAt[c.Endpoint.ID] = math.MaxInt64
		}
		return nil
	})
}
