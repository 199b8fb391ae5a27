package app

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"plexy/internal/storage"
	"plexy/internal/vault"
)

// Vaults holds the vault of the newest generation that this process has seen. Whoever is told that its
// indexes are of an old generation refreshes and asks again.
type Vaults struct {
	master  *vault.Master
	records storage.Records
	current atomic.Pointer[vault.Vault]
	mu      sync.Mutex // one refresh at a time
}

// newVaults opens the vault of the given installation.
func newVaults(m *vault.Master, r storage.Records, in storage.Installation) (*Vaults, error) {
	v := &Vaults{master: m, records: r}
	return v, v.open(in)
}

func (v *Vaults) open(in storage.Installation) error {
	opened, err := vault.Open(v.master, in.Generation, wrapped(in.Keys))
	if err != nil {
		return fmt.Errorf("open the vault: %w", err)
	}
	v.current.Store(opened)
	return nil
}

// Current returns the newest vault that this process has seen.
func (v *Vaults) Current() *vault.Vault { return v.current.Load() }

// Refresh reads the vault's keys from the database again. Callers that ask at once share the reading of
// whoever was first; what it was read after their call began in any case.
func (v *Vaults) Refresh(ctx context.Context) error {
	seen := v.Current()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.Current() != seen {
		return nil // somebody refreshed while we waited
	}
	in, err := v.records.Installation(ctx)
	if err != nil {
		return fmt.Errorf("read the vault's keys: %w", err)
	}
	if in.Generation == seen.Generation() {
		return nil
	}
	return v.open(in)
}

// wrapped and unwrapped translate between the storage's rows and the vault's keys.
func wrapped(keys []storage.VaultKey) []vault.WrappedKey {
	var out []vault.WrappedKey
	for _, k := range keys {
		out = append(out, vault.WrappedKey{ID: k.ID, Wrapped: k.Wrapped, State: k.State})
	}
	return out
}

func unwrapped(keys []vault.WrappedKey, was []storage.VaultKey, at int64) []storage.VaultKey {
	made := map[string]int64{}
	for _, k := range was {
		made[k.ID] = k.CreatedAt
	}
	var out []storage.VaultKey
	for _, k := range keys {
		row := storage.VaultKey{ID: k.ID, Wrapped: k.Wrapped, State: k.State, CreatedAt: at}
		if since, ok := made[k.ID]; ok {
			row.CreatedAt = since
		}
		out = append(out, row)
	}
	return out
}
