package app

import (
	"testing"
	"time"

	"plexy/internal/clock"
	"plexy/internal/config"
	"plexy/internal/shopper"
)

// TestRetiredDirectKeysAreDropped: a day after it was retired a key is gone, and the signer of a session that
// is over is erased.
func TestRetiredDirectKeysAreDropped(t *testing.T) {
	onBothStores(t, func(t *testing.T, cfg config.Config) {
		s := &Server{app: opened(t, cfg)}
		now := clock.NewManual(s.app.clock.Now())
		s.app.clock = now
		first, err := s.app.RotateDirectKey(t.Context(), "")
		if err == nil {
			_, err = s.app.RotateDirectKey(t.Context(), "")
		}
		v := s.app.vaults.Current()
		session := shopper.Session{
			ID: s.app.ids.UUID(), Type: shopper.TypeSale, Amount: 1, Currency: "KZT", KeyID: v.KeyID(),
			Signer: []byte{1}, ExpiresAt: now.Now() + time.Hour.Microseconds(),
		}
		if err == nil {
			err = s.app.Storage.CreateSession(t.Context(), session, v.Generation())
		}
		if err != nil {
			t.Fatal(err)
		}
		left := func() (ids []string, signer string) {
			if err := s.sweepShoppers(t.Context()); err != nil {
				t.Fatal(err)
			}
			keys, err := s.app.Storage.DirectKeys(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range keys {
				ids = append(ids, k.ID)
			}
			kept, err := s.app.Storage.Session(t.Context(), session.ID)
			if err != nil {
				t.Fatal(err)
			}
			return ids, string(kept.Signer)
		}
		now.Advance((24 * time.Hour).Microseconds())
		if ids, signer := left(); len(ids) != 2 || ids[1] != first.KeyID || signer != "" {
			t.Errorf("after a day there are the keys %v and the signer %q", ids, signer)
		}
		now.Advance(1)
		if ids, _ := left(); len(ids) != 1 || ids[0] == first.KeyID {
			t.Errorf("after more than a day there are the keys %v", ids)
		}
	})
}
