package memory

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"plexy/internal/core/machine"
	"plexy/internal/shopper"
	"plexy/internal/storage"
)

// shoppers are the rows of storage.Shoppers, by id.
type shoppers struct {
	people   map[string]shopper.Shopper
	cards    map[string]shopper.Card
	sessions map[string]shopper.Session
	keys     map[string]shopper.DirectKey
}

func newShoppers() shoppers {
	return shoppers{
		people: map[string]shopper.Shopper{}, cards: map[string]shopper.Card{},
		sessions: map[string]shopper.Session{}, keys: map[string]shopper.DirectKey{},
	}
}

func copyShopper(s shopper.Shopper) shopper.Shopper {
	s.EmailSealed, s.PhoneSealed = bytes.Clone(s.EmailSealed), bytes.Clone(s.PhoneSealed)
	s.NameSealed = bytes.Clone(s.NameSealed)
	return s
}

func copyCard(c shopper.Card) shopper.Card {
	c.NumberSealed, c.HolderSealed = bytes.Clone(c.NumberSealed), bytes.Clone(c.HolderSealed)
	return c
}

func copySession(s shopper.Session) shopper.Session {
	s.Signer = bytes.Clone(s.Signer)
	return s
}

func copyDirectKey(k shopper.DirectKey) shopper.DirectKey {
	k.Private = bytes.Clone(k.Private)
	return k
}

// sealing is write for what was sealed under a generation.
func (s *Store) sealing(generation int64, fn func(*Tables) error) error {
	return s.write(func(t *Tables) error {
		if t.Installation == nil || t.Installation.Generation != generation {
			return storage.ErrStale
		}
		return fn(t)
	})
}

// newest returns copies of the rows that are wanted, in falling order of id.
func newest[V any](rows map[string]V, wanted func(V) bool, copied func(V) V) []V {
	var found []V
	for _, id := range slices.Backward(sorted(rows)) {
		if wanted(rows[id]) {
			found = append(found, copied(rows[id]))
		}
	}
	return found
}

// atMost returns the first rows after the offset.
func atMost[V any](rows []V, offset, limit int) []V {
	rows = rows[min(offset, len(rows)):]
	return rows[:min(limit, len(rows))]
}

// CreateShopper writes a shopper; ErrConflict when the merchant has one with one of the pairs.
func (s *Store) CreateShopper(
	_ context.Context, c shopper.Shopper, pairs []shopper.Pair, generation int64,
) error {
	return s.sealing(generation, func(t *Tables) error {
		all := append(slices.Clone(pairs), shopper.Pair{Email: c.EmailIndex, Phone: c.PhoneIndex})
		_, taken := t.Shoppers.people[c.ID]
		if taken || len(t.shoppersBy(c.Merchant, all)) > 0 {
			return conflict("shopper", c.ID)
		}
		t.Shoppers.people[c.ID] = copyShopper(c)
		return nil
	})
}

func (t *Tables) shoppersBy(merchant string, pairs []shopper.Pair) []shopper.Shopper {
	return newest(t.Shoppers.people, func(c shopper.Shopper) bool {
		return c.Merchant == merchant && slices.Contains(pairs, shopper.Pair{
			Email: c.EmailIndex, Phone: c.PhoneIndex,
		})
	}, copyShopper)
}

// Shopper returns the merchant's shopper, or ErrNotFound.
func (s *Store) Shopper(_ context.Context, merchant, id string) (shopper.Shopper, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c, ok := s.t.Shoppers.people[id]; ok && c.Merchant == merchant {
		return copyShopper(c), nil
	}
	return shopper.Shopper{}, storage.ErrNotFound
}

// ShopperByPair returns the merchant's shopper with one of the pairs, or ErrNotFound.
func (s *Store) ShopperByPair(
	_ context.Context, merchant string, pairs []shopper.Pair,
) (shopper.Shopper, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if found := s.t.shoppersBy(merchant, pairs); len(found) > 0 {
		return found[0], nil
	}
	return shopper.Shopper{}, storage.ErrNotFound
}

// Shoppers returns a page of the merchant's shoppers, newest first, and how many there are.
func (s *Store) Shoppers(
	_ context.Context, merchant string, offset, limit int,
) ([]shopper.Shopper, int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := newest(s.t.Shoppers.people, func(c shopper.Shopper) bool { return c.Merchant == merchant },
		copyShopper)
	return atMost(found, offset, limit), len(found), nil
}

// AddCard writes a card; ErrConflict when there is one with this id.
func (s *Store) AddCard(_ context.Context, c shopper.Card, generation int64) error {
	return s.sealing(generation, func(t *Tables) error {
		if _, taken := t.Shoppers.cards[c.ID]; taken {
			return conflict("card", c.ID)
		}
		t.Shoppers.cards[c.ID] = copyCard(c)
		return nil
	})
}

// Card returns the merchant's card, deleted or not, or ErrNotFound.
func (s *Store) Card(_ context.Context, merchant, id string) (shopper.Card, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c, ok := s.t.Shoppers.cards[id]; ok && c.Merchant == merchant {
		return copyCard(c), nil
	}
	return shopper.Card{}, storage.ErrNotFound
}

// cards returns the shopper's cards that are not deleted, newest first; the caller holds the lock.
func (s *Store) cards(merchant, shopperID string, wanted func(shopper.Card) bool) []shopper.Card {
	return newest(s.t.Shoppers.cards, func(c shopper.Card) bool {
		return c.Merchant == merchant && c.Shopper == shopperID && c.DeletedAt == 0 && wanted(c)
	}, copyCard)
}

// CardByPrint returns the newest card of the shopper with one of these prints that is not deleted, or
// ErrNotFound.
func (s *Store) CardByPrint(
	_ context.Context, merchant, shopperID string, prints []string,
) (shopper.Card, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := s.cards(merchant, shopperID, func(c shopper.Card) bool { return slices.Contains(prints, c.Print) })
	if len(found) == 0 {
		return shopper.Card{}, storage.ErrNotFound
	}
	return found[0], nil
}

// Cards returns at most limit cards of the shopper that are not deleted, newest first.
func (s *Store) Cards(_ context.Context, merchant, shopperID string, limit int) ([]shopper.Card, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return atMost(s.cards(merchant, shopperID, func(shopper.Card) bool { return true }), 0, limit), nil
}

// DeleteCard notes when the card was deleted and erases what is sealed of it; ErrNotFound when there is none
// that is not deleted.
func (s *Store) DeleteCard(_ context.Context, merchant, id string, at int64) error {
	return s.write(func(t *Tables) error {
		c, ok := t.Shoppers.cards[id]
		if !ok || c.Merchant != merchant || c.DeletedAt != 0 {
			return storage.ErrNotFound
		}
		c.DeletedAt, c.KeyID, c.Print, c.NumberSealed, c.HolderSealed = at, "", "", nil, nil
		t.Shoppers.cards[id] = c
		return nil
	})
}

// CreateSession writes a session; ErrConflict when there is one with this id.
func (s *Store) CreateSession(_ context.Context, v shopper.Session, generation int64) error {
	return s.sealing(generation, func(t *Tables) error {
		if _, taken := t.Shoppers.sessions[v.ID]; taken {
			return conflict("session", v.ID)
		}
		t.Shoppers.sessions[v.ID] = copySession(v)
		return nil
	})
}

// Session returns a session by its id, or ErrNotFound.
func (s *Store) Session(_ context.Context, id string) (shopper.Session, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if v, ok := s.t.Shoppers.sessions[id]; ok {
		return copySession(v), nil
	}
	return shopper.Session{}, storage.ErrNotFound
}

// SweepSessions erases the signers of at most limit sessions that expired before the given time.
func (s *Store) SweepSessions(_ context.Context, before int64, limit int) (int, error) {
	swept := 0
	err := s.write(func(t *Tables) error {
		for id, v := range t.Shoppers.sessions {
			if v.KeyID != "" && v.ExpiresAt < before && swept < limit {
				v.KeyID, v.Signer = "", nil
				t.Shoppers.sessions[id] = v
				swept++
			}
		}
		return nil
	})
	return swept, err
}

// AddDirectKey writes a key of direct payments; ErrConflict when there is one with this id.
func (s *Store) AddDirectKey(
	_ context.Context, k shopper.DirectKey, generation int64, audit machine.Audit,
) error {
	return s.sealing(generation, func(t *Tables) error {
		if _, taken := t.Shoppers.keys[k.ID]; taken || t.audited[audit.ID] {
			return conflict("key", k.ID)
		}
		t.Shoppers.keys[k.ID] = copyDirectKey(k)
		t.audit(audit)
		return nil
	})
}

// DirectKeys returns all keys of direct payments, newest first.
func (s *Store) DirectKeys(context.Context) ([]shopper.DirectKey, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return newest(s.t.Shoppers.keys, func(shopper.DirectKey) bool { return true }, copyDirectKey), nil
}

// RetireDirectKey notes when the key was retired, once; ErrNotFound when there is no such key.
func (s *Store) RetireDirectKey(_ context.Context, id string, at int64, audit machine.Audit) error {
	return s.write(func(t *Tables) error {
		k, ok := t.Shoppers.keys[id]
		switch {
		case !ok:
			return storage.ErrNotFound
		case k.RetiredAt != 0:
			return nil
		case t.audited[audit.ID]:
			return conflict("audit", audit.ID)
		}
		k.RetiredAt = at
		t.Shoppers.keys[id] = k
		t.audit(audit)
		return nil
	})
}

// DropDirectKeys deletes the keys that were retired before the given time, and says how many.
func (s *Store) DropDirectKeys(_ context.Context, before int64) (int, error) {
	dropped := 0
	err := s.write(func(t *Tables) error {
		for id, k := range t.Shoppers.keys {
			if k.RetiredAt > 0 && k.RetiredAt < before {
				delete(t.Shoppers.keys, id)
				dropped++
			}
		}
		return nil
	})
	return dropped, err
}

// sealedOf returns what is sealed of all records of a kind, by id.
func (t *Tables) sealedOf(kind storage.SealedKind) map[string]storage.Sealed {
	found := map[string]storage.Sealed{}
	switch rows := &t.Shoppers; kind {
	case storage.SealedShoppers:
		for id, c := range rows.people {
			found[id] = storage.Sealed{
				ID: id, Merchant: c.Merchant, KeyID: c.KeyID, Indexes: []string{c.EmailIndex, c.PhoneIndex},
				Fields: [][]byte{c.EmailSealed, c.PhoneSealed, c.NameSealed},
			}
		}
	case storage.SealedCards:
		for id, c := range rows.cards {
			found[id] = storage.Sealed{
				ID: id, Merchant: c.Merchant, KeyID: c.KeyID, Indexes: []string{c.Print},
				Fields: [][]byte{c.NumberSealed, c.HolderSealed},
			}
		}
	case storage.SealedHeldCards:
		for _, h := range t.Held {
			found[h.ID] = storage.Sealed{
				ID: h.ID, Merchant: h.Merchant, KeyID: h.KeyID, Indexes: []string{h.Print},
				Fields: [][]byte{h.NumberSealed, h.HolderSealed},
			}
		}
	case storage.SealedSessions:
		for id, v := range rows.sessions {
			found[id] = storage.Sealed{ID: id, Merchant: v.Merchant, KeyID: v.KeyID, Fields: [][]byte{v.Signer}}
		}
	case storage.SealedDirectKeys:
		for id, k := range rows.keys {
			found[id] = storage.Sealed{ID: id, KeyID: k.KeyID, Fields: [][]byte{k.Private}}
		}
	}
	return found
}

// putSealed replaces what is sealed of a record.
func (t *Tables) putSealed(kind storage.SealedKind, v storage.Sealed) {
	switch rows := &t.Shoppers; kind {
	case storage.SealedShoppers:
		c := rows.people[v.ID]
		c.KeyID, c.EmailIndex, c.PhoneIndex = v.KeyID, v.Indexes[0], v.Indexes[1]
		c.EmailSealed, c.PhoneSealed, c.NameSealed = v.Fields[0], v.Fields[1], v.Fields[2]
		rows.people[v.ID] = copyShopper(c)
	case storage.SealedCards:
		c := rows.cards[v.ID]
		c.KeyID, c.Print, c.NumberSealed, c.HolderSealed = v.KeyID, v.Indexes[0], v.Fields[0], v.Fields[1]
		rows.cards[v.ID] = copyCard(c)
	case storage.SealedHeldCards:
		for payment, h := range t.Held {
			if h.ID == v.ID {
				h.KeyID, h.Print, h.NumberSealed, h.HolderSealed = v.KeyID, v.Indexes[0], v.Fields[0], v.Fields[1]
				t.Held[payment] = copyHeld(h)
			}
		}
	case storage.SealedSessions:
		s := rows.sessions[v.ID]
		s.KeyID, s.Signer = v.KeyID, v.Fields[0]
		rows.sessions[v.ID] = copySession(s)
	case storage.SealedDirectKeys:
		k := rows.keys[v.ID]
		k.KeyID, k.Private = v.KeyID, v.Fields[0]
		rows.keys[v.ID] = copyDirectKey(k)
	}
}

// SealedUnder returns at most limit records of a kind that are sealed under keyID, in order of id after
// after.
func (s *Store) SealedUnder(
	_ context.Context, kind storage.SealedKind, keyID, after string, limit int,
) ([]storage.Sealed, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []storage.Sealed
	for _, v := range s.t.sealedOf(kind) {
		if v.KeyID == keyID && v.ID > after && keyID != "" {
			for i := range v.Fields {
				v.Fields[i] = bytes.Clone(v.Fields[i])
			}
			found = append(found, v)
		}
	}
	slices.SortFunc(found, func(a, b storage.Sealed) int { return strings.Compare(a.ID, b.ID) })
	return atMost(found, 0, limit), nil
}

// ResealRecords replaces key, indexes and sealed fields of the records that are still sealed as was says, and
// says how many they were.
func (s *Store) ResealRecords(
	_ context.Context, kind storage.SealedKind, was, now []storage.Sealed,
) (int, error) {
	replaced := 0
	err := s.write(func(t *Tables) error {
		rows := t.sealedOf(kind)
		for i := range was {
			row, ok := rows[was[i].ID]
			if ok && row.KeyID == was[i].KeyID && bytes.Equal(row.Fields[0], was[i].Fields[0]) {
				next := now[i]
				next.ID = was[i].ID
				t.putSealed(kind, next)
				replaced++
			}
		}
		return nil
	})
	return replaced, err
}
