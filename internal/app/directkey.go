package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"plexy/internal/shopper"
	"plexy/internal/storage"
)

// directKeyOverlap is how long what was encrypted under a retired key is still read: 24 hours, in
// microseconds.
const directKeyOverlap = int64(24 * time.Hour / time.Microsecond)

// DirectKey is a key of direct payments as staff see it.
type DirectKey struct {
	KeyID     string   `json:"keyId"`
	PublicKey string   `json:"publicKey"`
	Retired   []string `json:"retired"` // keys that are good for 24 hours more
}

// RotateDirectKey makes a new key of direct payments and retires those before it: clients are given the new
// one from now on, and what they encrypt under an old one is read for 24 hours more.
func (a *App) RotateDirectKey(ctx context.Context, reason string) (DirectKey, error) {
	before, err := a.Storage.DirectKeys(ctx)
	if err != nil {
		return DirectKey{}, err
	}
	key, err := a.newDirectKey(ctx, reason)
	if err != nil {
		return DirectKey{}, err
	}
	shown := DirectKey{KeyID: key.ID, PublicKey: key.Public, Retired: []string{}}
	for _, old := range before {
		if old.RetiredAt != 0 {
			continue
		}
		audit := a.audit("direct-key.retire", old.ID, reason)
		if err := a.Storage.RetireDirectKey(ctx, old.ID, a.clock.Now(), audit); err != nil {
			return shown, fmt.Errorf("retire the key before: %w", err)
		}
		shown.Retired = append(shown.Retired, old.ID)
	}
	return shown, nil
}

// newDirectKey makes and seals a key. It is sealed anew when the vault's keys are rotated meanwhile.
func (a *App) newDirectKey(ctx context.Context, reason string) (shopper.DirectKey, error) {
	key := shopper.DirectKey{ID: a.ids.UUID(), CreatedAt: a.clock.Now()}
	for {
		v := a.vaults.Current()
		var err error
		if key.Public, key.Private, err = v.NewDirectKey(key.ID); err != nil {
			return key, err
		}
		key.KeyID = v.KeyID()
		err = a.Storage.AddDirectKey(ctx, key, v.Generation(), a.audit("direct-key.create", key.ID, reason))
		if !errors.Is(err, storage.ErrStale) {
			return key, err
		}
		if err := a.vaults.Refresh(ctx); err != nil {
			return key, err
		}
	}
}

// sweepShoppers erases the signers of sessions that are over, and drops keys of direct payments that nothing
// is read with any more.
func (s *Server) sweepShoppers(ctx context.Context) error {
	now := s.app.clock.Now()
	if _, err := s.app.Storage.DropDirectKeys(ctx, now-directKeyOverlap); err != nil {
		return err
	}
	return inBatches(func() (int, error) { return s.app.Storage.SweepSessions(ctx, now, sweepBatch) })
}
