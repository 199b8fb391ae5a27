package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/storage"
	"plexy/internal/vault"
)

// resealBatch is how many customers are sealed anew in one transaction.
const resealBatch = 200

// Rotation is what a rotation of the vault's keys did.
type Rotation struct {
	Generation int64  `json:"generation"` // of the vault's keys, afterwards
	KeyID      string `json:"keyId"`      // the data key that is active now
	Resealed   int    `json:"resealed"`   // records that this call sealed and indexed anew
	Finished   bool   `json:"finished"`   // a rotation that was found half-done was finished first
}

// RotateVault seals and indexes every customer and every other record anew under a fresh data key, and then
// removes the old one, while servers run. A rotation that was interrupted is finished first.
func (a *App) RotateVault(ctx context.Context, reason string) (Rotation, error) {
	var r Rotation
	in, err := a.Storage.Installation(ctx)
	if err != nil {
		return r, fmt.Errorf("read the vault's keys: %w", err)
	}
	if len(in.Keys) > 1 {
		r.Finished = true
		if in, err = a.finishRotation(ctx, in, reason, &r); err != nil {
			return r, fmt.Errorf("finish the rotation that was interrupted: %w", err)
		}
	}
	next, err := vault.Rotate(a.vaults.master, wrapped(in.Keys))
	if err != nil {
		return r, fmt.Errorf("make the next data key: %w", err)
	}
	if in, err = a.replaceKeys(ctx, in, next, a.rotationAudit("vault.rotate", in, next, reason)); err != nil {
		return r, err
	}
	in, err = a.finishRotation(ctx, in, reason, &r)
	r.Generation, r.KeyID = in.Generation, a.vaults.Current().KeyID()
	return r, err
}

// finishRotation seals anew whatever is under a retiring key and removes those keys. Nothing new can come
// under them: an instruction that was made with the keys of an older generation is sent back.
func (a *App) finishRotation(ctx context.Context, in storage.Installation, reason string, r *Rotation) (
	storage.Installation, error) {
	if err := a.vaults.open(in); err != nil {
		return in, err
	}
	for _, key := range in.Keys {
		if key.State != vault.Retiring {
			continue
		}
		n, err := a.emptyKey(ctx, key.ID)
		r.Resealed += n
		if err != nil {
			return in, err
		}
		for _, kind := range storage.SealedKinds {
			n, err := a.emptyRecords(ctx, kind, key.ID)
			r.Resealed += n
			if err != nil {
				return in, err
			}
		}
	}
	last, err := vault.Retire(wrapped(in.Keys))
	if err != nil {
		return in, err
	}
	return a.replaceKeys(ctx, in, last, a.rotationAudit("vault.retire", in, last, reason))
}

// emptyKey seals every customer under keyID anew.
func (a *App) emptyKey(ctx context.Context, keyID string) (int, error) {
	return empty(
		func(after string) ([]wallet.Customer, error) {
			return a.Storage.CustomersUnder(ctx, keyID, after, resealBatch)
		},
		func(was []wallet.Customer) (int, error) { return a.reseal(ctx, a.vaults.Current(), was) },
		func(c wallet.Customer) string { return c.ID },
	)
}

// empty seals everything anew that under finds after an id, at most resealBatch at a time, until a whole look
// finds nothing. It says how many were replaced.
func empty[T any](
	under func(after string) ([]T, error), reseal func([]T) (int, error), id func(T) string,
) (resealed int, err error) {
	for found, after := 0, ""; ; {
		was, err := under(after)
		if err != nil {
			return resealed, fmt.Errorf("find what is sealed under the old key: %w", err)
		}
		n, err := reseal(was)
		if err != nil {
			return resealed, err
		}
		resealed += n
		found += len(was)
		switch {
		case len(was) == resealBatch:
			after = id(was[len(was)-1])
		case found == 0:
			return resealed, nil
		default: // one more look: a row may have changed under our hands and been left alone
			found, after = 0, ""
		}
	}
}

// reseal seals and indexes customers anew under the active key and says how many it replaced; those that
// changed meanwhile are left alone.
func (a *App) reseal(ctx context.Context, v *vault.Vault, was []wallet.Customer) (int, error) {
	if len(was) == 0 {
		return 0, nil
	}
	now := make([]wallet.Customer, len(was))
	for i, c := range was {
		iin, err := v.Reseal(vault.PurposeIIN, c.ID, vault.Sealed{
			KeyID: c.KeyID, Index: vault.Index(c.IINIndex), Bytes: c.IINSealed,
		})
		if err != nil {
			return 0, fmt.Errorf("seal customer %s anew: %w", c.ID, err)
		}
		phone, err := v.Reseal(vault.PurposePhone, c.ID, vault.Sealed{
			KeyID: c.KeyID, Index: vault.Index(c.PhoneIndex), Bytes: c.PhoneSealed,
		})
		if err != nil {
			return 0, fmt.Errorf("seal customer %s anew: %w", c.ID, err)
		}
		c.KeyID = v.KeyID()
		c.IINIndex, c.IINSealed = string(iin.Index), iin.Bytes
		c.PhoneIndex, c.PhoneSealed = string(phone.Index), phone.Bytes
		now[i] = c
	}
	n, err := a.Storage.Reseal(ctx, was, now)
	if err != nil {
		return n, fmt.Errorf("store what was sealed anew: %w", err)
	}
	return n, nil
}

// replaceKeys writes the next set of keys and reads back what is there then.
func (a *App) replaceKeys(ctx context.Context, in storage.Installation, next []vault.WrappedKey,
	audit machine.Audit) (storage.Installation, error) {
	err := a.Storage.RotateVault(ctx, in.Generation, unwrapped(next, in.Keys, a.clock.Now()), audit)
	if errors.Is(err, storage.ErrConflict) {
		return in, fmt.Errorf("another process is rotating the vault's keys: %w", err)
	}
	if err != nil {
		return in, fmt.Errorf("write the vault's keys: %w", err)
	}
	if in, err = a.Storage.Installation(ctx); err != nil {
		return in, fmt.Errorf("read the vault's keys: %w", err)
	}
	return in, a.vaults.open(in)
}

func (a *App) rotationAudit(action string, in storage.Installation, next []vault.WrappedKey,
	reason string) machine.Audit {
	audit := a.audit(action, "vault", reason)
	audit.Before, audit.After = keyIDs(wrapped(in.Keys)), keyIDs(next)
	return audit
}

func keyIDs(keys []vault.WrappedKey) string {
	var ids []string
	for _, k := range keys {
		ids = append(ids, k.ID+"="+k.State)
	}
	return strings.Join(ids, " ")
}
