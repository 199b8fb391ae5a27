package memory

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"plexy/internal/shopper"
	"plexy/internal/storage"
)

func copyHeld(h shopper.Held) shopper.Held {
	h.Card, h.Secure = copyCard(h.Card), bytes.Clone(h.Secure)
	return h
}

// HoldCard writes a card; ErrConflict when the payment has one.
func (s *Store) HoldCard(_ context.Context, h shopper.Held, generation int64) error {
	return s.sealing(generation, func(t *Tables) error {
		if _, taken := t.Held[h.Payment]; taken {
			return conflict("held card", h.ID)
		}
		t.Held[h.Payment] = copyHeld(h)
		return nil
	})
}

// HeldCard returns the card of a payment, or ErrNotFound.
func (s *Store) HeldCard(_ context.Context, payment string) (shopper.Held, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	h, ok := s.t.Held[payment]
	if !ok {
		return shopper.Held{}, storage.ErrNotFound
	}
	return copyHeld(h), nil
}

// SetHeldCard replaces what is not sealed, if nobody did since h was read.
func (s *Store) SetHeldCard(_ context.Context, h shopper.Held) (set bool, err error) {
	err = s.write(func(t *Tables) error {
		now, ok := t.Held[h.Payment]
		if set = ok && now.Version == h.Version; set {
			now.Secure, now.Answered, now.LapsesAt = bytes.Clone(h.Secure), h.Answered, h.LapsesAt
			now.Version++
			t.Held[h.Payment] = now
		}
		return nil
	})
	return set, err
}

// DropHeldCard erases the card of a payment, if there is one.
func (s *Store) DropHeldCard(_ context.Context, payment string) error {
	return s.write(func(t *Tables) error {
		delete(t.Held, payment)
		return nil
	})
}

// LapsedCards returns at most limit cards whose time has come, the longest due first.
func (s *Store) LapsedCards(_ context.Context, at int64, limit int) ([]shopper.Held, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var due []shopper.Held
	for _, h := range s.t.Held {
		if h.LapsesAt <= at {
			due = append(due, copyHeld(h))
		}
	}
	slices.SortFunc(due, func(a, b shopper.Held) int {
		return cmp.Or(cmp.Compare(a.LapsesAt, b.LapsesAt), cmp.Compare(a.ID, b.ID))
	})
	return due[:min(limit, len(due))], nil
}
