package memory

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"

	"plexy/internal/access"
	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/merchant"
	"plexy/internal/storage"
)

// Installation returns what the store knows about itself; ErrNotFound while it is empty.
func (s *Store) Installation(context.Context) (storage.Installation, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.t.Installation == nil {
		return storage.Installation{}, storage.ErrNotFound
	}
	in := *s.t.Installation
	in.Keys = copyKeys(in.Keys)
	return in, nil
}

// Install writes the installation once; ErrConflict when there is one.
func (s *Store) Install(_ context.Context, in storage.Installation) error {
	return s.write(func(t *Tables) error {
		if t.Installation != nil {
			return conflict("installation", in.Environment)
		}
		in.Keys = copyKeys(in.Keys)
		t.Installation = &in
		return nil
	})
}

// RotateVault replaces the set of data keys and adds one to the generation; ErrConflict when the
// generation is not the given one any more.
func (s *Store) RotateVault(
	_ context.Context, generation int64, keys []storage.VaultKey, audit machine.Audit,
) error {
	return s.write(func(t *Tables) error {
		if t.Installation == nil || t.Installation.Generation != generation || t.audited[audit.ID] {
			return conflict("vault", "generation")
		}
		in := *t.Installation
		in.Generation++
		in.Keys = copyKeys(keys)
		t.Installation = &in
		t.audit(audit)
		return nil
	})
}

func copyKeys(keys []storage.VaultKey) []storage.VaultKey {
	keys = slices.Clone(keys)
	for i := range keys {
		keys[i].Wrapped = bytes.Clone(keys[i].Wrapped)
	}
	slices.SortFunc(keys, func(a, b storage.VaultKey) int {
		return cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return keys
}

// CustomersUnder returns at most limit customers that are sealed under keyID, in order of id after after.
func (s *Store) CustomersUnder(
	_ context.Context, keyID, after string, limit int,
) ([]wallet.Customer, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []wallet.Customer
	for _, id := range sorted(s.t.Customers) {
		if c := s.t.Customers[id]; len(found) < limit && id > after && c.KeyID == keyID {
			found = append(found, copyCustomer(*c))
		}
	}
	return found, nil
}

// Reseal replaces key, indexes and sealed data of the customers that are still sealed as was says, and
// says how many they were.
func (s *Store) Reseal(_ context.Context, was, now []wallet.Customer) (int, error) {
	replaced := 0
	err := s.write(func(t *Tables) error {
		for i := range was {
			row := t.Customers[was[i].ID]
			if row == nil || row.KeyID != was[i].KeyID || row.PhoneIndex != was[i].PhoneIndex {
				continue
			}
			next := copyCustomer(now[i])
			next.ID, next.CreatedAt = row.ID, row.CreatedAt
			t.putCustomer(&next)
			replaced++
		}
		return nil
	})
	return replaced, err
}

// putCustomer writes a customer's row and its indexes.
func (t *Tables) putCustomer(row *wallet.Customer) {
	if old := t.Customers[row.ID]; old != nil {
		delete(t.byIIN, old.IINIndex)
		if t.byPhone[old.PhoneIndex] == row.ID { // else somebody got it in the same batch
			delete(t.byPhone, old.PhoneIndex)
		}
	}
	t.Customers[row.ID] = row
	t.byIIN[row.IINIndex], t.byPhone[row.PhoneIndex] = row.ID, row.ID
}

// CreateMerchant writes a merchant with its first key; ErrConflict when one of them exists.
func (s *Store) CreateMerchant(
	_ context.Context, m merchant.Merchant, key access.Key, audit machine.Audit,
) error {
	return s.write(func(t *Tables) error {
		if t.Merchants[m.ID] != nil || t.keyTaken(key) || t.audited[audit.ID] {
			return conflict("merchant", m.ID)
		}
		t.Merchants[m.ID] = &m
		t.putKey(&key)
		t.audit(audit)
		return nil
	})
}

// Merchant returns a merchant, or ErrNotFound.
func (s *Store) Merchant(_ context.Context, id string) (merchant.Merchant, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if m := s.t.Merchants[id]; m != nil {
		return *m, nil
	}
	return merchant.Merchant{}, storage.ErrNotFound
}

// Merchants returns all merchants in order of id.
func (s *Store) Merchants(context.Context) ([]merchant.Merchant, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []merchant.Merchant
	for _, id := range sorted(s.t.Merchants) {
		found = append(found, *s.t.Merchants[id])
	}
	return found, nil
}

// SetMerchant replaces a merchant's settings; ErrNotFound when there is no such merchant.
func (s *Store) SetMerchant(
	_ context.Context, id string, set merchant.Settings, audit machine.Audit,
) error {
	return s.write(func(t *Tables) error {
		if t.Merchants[id] == nil {
			return storage.ErrNotFound
		}
		if t.audited[audit.ID] {
			return conflict("audit", audit.ID)
		}
		m := *t.Merchants[id]
		m.Settings = set
		t.Merchants[id] = &m
		t.audit(audit)
		return nil
	})
}

// CreateKey writes an API key; ErrNotFound when there is no such merchant, ErrConflict when the key
// exists.
func (s *Store) CreateKey(_ context.Context, key access.Key, audit machine.Audit) error {
	return s.write(func(t *Tables) error {
		if t.Merchants[key.Merchant] == nil {
			return storage.ErrNotFound
		}
		if t.keyTaken(key) || t.audited[audit.ID] {
			return conflict("key", key.ID)
		}
		t.putKey(&key)
		t.audit(audit)
		return nil
	})
}

func (t *Tables) keyTaken(key access.Key) bool {
	_, taken := t.byHash[key.Hash]
	return taken || t.Keys[key.ID] != nil
}

func (t *Tables) putKey(key *access.Key) {
	t.Keys[key.ID] = key
	t.byHash[key.Hash] = key.ID
}

// APIKeys returns the keys of a merchant, live and revoked, in order of id.
func (s *Store) APIKeys(_ context.Context, merchant string) ([]access.Key, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []access.Key
	for _, id := range sorted(s.t.Keys) {
		if k := s.t.Keys[id]; k.Merchant == merchant {
			found = append(found, *k)
		}
	}
	return found, nil
}

// RevokeKey sets when the key was revoked, in microseconds. A key that was revoked before keeps its time
// and gets no second audit row. ErrNotFound when there is no such key.
func (s *Store) RevokeKey(_ context.Context, id string, at int64, audit machine.Audit) error {
	return s.write(func(t *Tables) error {
		if t.Keys[id] == nil {
			return storage.ErrNotFound
		}
		if t.Keys[id].RevokedAt != 0 {
			return nil
		}
		if t.audited[audit.ID] {
			return conflict("audit", audit.ID)
		}
		k := *t.Keys[id]
		k.RevokedAt = at
		t.putKey(&k)
		t.audit(audit)
		return nil
	})
}

// KeyByHash returns the key with this hash, live or revoked, or ErrNotFound.
func (s *Store) KeyByHash(_ context.Context, hash access.Hash) (access.Key, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if k := s.t.Keys[s.t.byHash[hash]]; k != nil {
		return *k, nil
	}
	return access.Key{}, storage.ErrNotFound
}

// Audits returns at most limit audit rows, newest first: their ids grow.
func (s *Store) Audits(_ context.Context, limit int) ([]machine.Audit, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := slices.Clone(s.t.Audits)
	slices.SortFunc(found, func(a, b machine.Audit) int { return strings.Compare(b.ID, a.ID) })
	return found[:min(len(found), limit)], nil
}

func (t *Tables) audit(a machine.Audit) {
	t.audited[a.ID] = true
	t.Audits = append(t.Audits, a)
}

// SweepReplies deletes at most limit replies older than before (microseconds), the oldest first, and says
// how many.
func (s *Store) SweepReplies(_ context.Context, before int64, limit int) (int, error) {
	swept := 0
	err := s.write(func(t *Tables) error {
		var old []machine.ReplyKey
		for k, row := range t.Replies {
			if row.At < before {
				old = append(old, k)
			}
		}
		if swept = min(len(old), limit); swept < len(old) {
			slices.SortFunc(old, func(a, b machine.ReplyKey) int {
				return cmp.Or(cmp.Compare(t.Replies[a].At, t.Replies[b].At),
					cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Key, b.Key))
			})
		}
		for _, k := range old[:swept] {
			delete(t.Replies, k)
		}
		return nil
	})
	return swept, err
}

// write runs one change of records under the lock. fn refuses before it changes anything.
func (s *Store) write(fn func(*Tables) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return storage.ErrUnavailable
	}
	return fn(s.t)
}
