package memory

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"plexy/internal/access"
	"plexy/internal/core/wallet"
	"plexy/internal/storage"
)

// people are the rows of storage.People.
type people struct {
	codes     map[access.Hash]kept
	rates     map[rate]int
	logIns    map[access.Hash]access.LogIn
	languages map[string]string // by customer
	messages  []storage.Message
	tellings  map[string]telling // by transaction
}

// kept is a code and when it was used, 0 for not yet.
type kept struct {
	access.Code
	usedAt int64
}

type rate struct {
	name  string
	until int64
}

type telling struct {
	tries          int
	nextAt, toldAt int64
}

const (
	tellTries    = 6
	keepTellings = 30 * 24 * 60 * 60 * 1_000_000 // microseconds
)

func newPeople() people {
	return people{
		codes: map[access.Hash]kept{}, rates: map[rate]int{}, logIns: map[access.Hash]access.LogIn{},
		languages: map[string]string{}, tellings: map[string]telling{},
	}
}

// CustomerByPhone returns the customer with one of these phone indexes, or ErrNotFound.
func (s *Store) CustomerByPhone(_ context.Context, phone []string) (wallet.Customer, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, index := range phone {
		if c := s.t.Customers[s.t.byPhone[index]]; c != nil {
			return copyCustomer(*c), nil
		}
	}
	return wallet.Customer{}, storage.ErrNotFound
}

// Holdings returns a customer by id and all wallets in order of currency, or ErrNotFound.
func (s *Store) Holdings(_ context.Context, customer string) (wallet.Customer, []wallet.Wallet, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := s.t.Customers[customer]
	if c == nil {
		return wallet.Customer{}, nil, storage.ErrNotFound
	}
	var found []wallet.Wallet
	for _, w := range s.t.Wallets {
		if w.Customer == customer {
			found = append(found, *w)
		}
	}
	slices.SortFunc(found, func(a, b wallet.Wallet) int {
		return cmp.Compare(a.Account.Currency, b.Account.Currency)
	})
	return copyCustomer(*c), found, nil
}

// Holder returns the customer of a wallet, or ErrNotFound.
func (s *Store) Holder(_ context.Context, walletID string) (wallet.Customer, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if w := s.t.Wallets[walletID]; w != nil {
		if c := s.t.Customers[w.Customer]; c != nil {
			return copyCustomer(*c), nil
		}
	}
	return wallet.Customer{}, storage.ErrNotFound
}

// AddCode counts the code against every quota and writes it; false, and nothing written, when one of them
// is used up.
func (s *Store) AddCode(_ context.Context, c access.Code, quotas []storage.Quota) (bool, error) {
	added := false
	err := s.write(func(t *Tables) error {
		for _, q := range quotas {
			if t.People.rates[rate{q.Name, q.Until}] >= q.Most {
				return nil
			}
		}
		for _, q := range quotas {
			t.People.rates[rate{q.Name, q.Until}]++
		}
		t.People.codes[c.Hash] = kept{Code: c}
		added = true
		return nil
	})
	return added, err
}

// TryCode counts one try at the live code of a token and returns the code; ErrNotFound when there is none.
func (s *Store) TryCode(_ context.Context, token access.Hash, at int64) (access.Code, error) {
	var c kept
	err := s.write(func(t *Tables) error {
		if c = t.People.codes[token]; !c.live(at) {
			return storage.ErrNotFound
		}
		c.Tries++
		t.People.codes[token] = c
		return nil
	})
	if err != nil {
		return access.Code{}, err
	}
	return c.Code, nil
}

// CodeOf returns the live code of a token, or ErrNotFound.
func (s *Store) CodeOf(_ context.Context, token access.Hash, at int64) (access.Code, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if c := s.t.People.codes[token]; c.live(at) {
		return c.Code, nil
	}
	return access.Code{}, storage.ErrNotFound
}

// live reports whether the code may be tried; the zero one may not.
func (k kept) live(at int64) bool {
	return k.ExpiresAt > at && k.usedAt == 0 && k.Tries < access.CodeTries
}

// LogIn uses the code of a token up and writes the log-in; ErrNotFound when the code was used before.
func (s *Store) LogIn(_ context.Context, token access.Hash, l access.LogIn) error {
	return s.write(func(t *Tables) error {
		c, ok := t.People.codes[token]
		if !ok || c.usedAt != 0 {
			return storage.ErrNotFound
		}
		c.usedAt = l.CreatedAt
		t.People.codes[token] = c
		t.People.logIns[l.Hash] = l
		return nil
	})
}

// LogInByHash returns a log-in, live or not, or ErrNotFound.
func (s *Store) LogInByHash(_ context.Context, hash access.Hash) (access.LogIn, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if l, ok := s.t.People.logIns[hash]; ok {
		return l, nil
	}
	return access.LogIn{}, storage.ErrNotFound
}

// SeeLogIn notes that a log-in was used at a time.
func (s *Store) SeeLogIn(_ context.Context, hash access.Hash, at int64) error {
	return s.write(func(t *Tables) error {
		if l, ok := t.People.logIns[hash]; ok && l.SeenAt < at {
			l.SeenAt = at
			t.People.logIns[hash] = l
		}
		return nil
	})
}

// EndLogIn forgets a log-in.
func (s *Store) EndLogIn(_ context.Context, hash access.Hash) error {
	return s.write(func(t *Tables) error {
		delete(t.People.logIns, hash)
		return nil
	})
}

// SetLanguage notes the language that a customer chose.
func (s *Store) SetLanguage(_ context.Context, customer, language string) error {
	return s.write(func(t *Tables) error {
		t.People.languages[customer] = language
		return nil
	})
}

// Language returns the language that a customer chose last, "" for none.
func (s *Store) Language(_ context.Context, customer string) (string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.t.People.languages[customer], nil
}

// KeepMessage writes a message of a sandbox; ErrConflict when there is one with this id.
func (s *Store) KeepMessage(_ context.Context, m storage.Message) error {
	return s.write(func(t *Tables) error {
		if slices.ContainsFunc(t.People.messages, func(o storage.Message) bool { return o.ID == m.ID }) {
			return conflict("message", m.ID)
		}
		t.People.messages = append(t.People.messages, m)
		return nil
	})
}

// Messages returns at most limit messages, newest first.
func (s *Store) Messages(_ context.Context, limit int) ([]storage.Message, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := slices.Clone(s.t.People.messages)
	slices.SortFunc(found, func(a, b storage.Message) int { return strings.Compare(b.ID, a.ID) })
	return found[:min(len(found), limit)], nil
}

// Untold returns at most limit waiting transactions of which the owner is to be told at the given time.
func (s *Store) Untold(_ context.Context, at int64, limit int) ([]storage.Telling, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []storage.Telling
	for id, row := range s.t.Transactions {
		told := s.t.People.tellings[id]
		if row.Status == wallet.New && told.toldAt == 0 && told.nextAt <= at && told.tries < tellTries {
			found = append(found, storage.Telling{Transaction: *row, Tries: told.tries})
		}
	}
	slices.SortFunc(found, func(a, b storage.Telling) int {
		return cmp.Or(cmp.Compare(a.Transaction.ExpiresAt, b.Transaction.ExpiresAt),
			cmp.Compare(a.Transaction.ID, b.Transaction.ID))
	})
	return found[:min(len(found), limit)], nil
}

// ClaimTelling takes the next try at telling; false when somebody else took it.
func (s *Store) ClaimTelling(_ context.Context, c storage.Telling, next int64) (bool, error) {
	claimed := false
	err := s.write(func(t *Tables) error {
		row := t.People.tellings[c.Transaction.ID]
		if claimed = row.tries == c.Tries && row.toldAt == 0; claimed {
			t.People.tellings[c.Transaction.ID] = telling{tries: c.Tries + 1, nextAt: next}
		}
		return nil
	})
	return claimed, err
}

// Told notes that the owner was told.
func (s *Store) Told(_ context.Context, transaction string, at int64) error {
	return s.write(func(t *Tables) error {
		if row, ok := t.People.tellings[transaction]; ok {
			row.toldAt = at
			t.People.tellings[transaction] = row
		}
		return nil
	})
}

// SweepPeople deletes at most limit rows of each kind that nobody can ask for any more.
func (s *Store) SweepPeople(_ context.Context, at int64, limit int) (int, error) {
	swept := 0
	err := s.write(func(t *Tables) error {
		p := &t.People
		swept = sweepOld(p.codes, limit, func(_ access.Hash, c kept) bool { return c.ExpiresAt <= at }) +
			sweepOld(p.rates, limit, func(r rate, _ int) bool { return r.until <= at }) +
			sweepOld(p.logIns, limit, func(_ access.Hash, l access.LogIn) bool {
				return l.CreatedAt <= at-access.LogInLife
			}) +
			sweepOld(p.tellings, limit, func(_ string, t telling) bool { return t.nextAt <= at-keepTellings })
		old := 0
		p.messages = slices.DeleteFunc(p.messages, func(m storage.Message) bool {
			gone := m.SweepAt <= at && old < limit
			if gone {
				old++
			}
			return gone
		})
		swept += old
		return nil
	})
	return swept, err
}

// sweepOld deletes at most limit rows that are old and says how many.
func sweepOld[K comparable, V any](rows map[K]V, limit int, old func(K, V) bool) int {
	n := 0
	for k, v := range rows {
		if n < limit && old(k, v) {
			delete(rows, k)
			n++
		}
	}
	return n
}
