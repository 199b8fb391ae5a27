package app

import (
	"context"
	"fmt"

	"plexy/internal/storage"
	"plexy/internal/vault"
)

// emptyRecords seals every record of a kind that is under keyID anew.
func (a *App) emptyRecords(ctx context.Context, kind storage.SealedKind, keyID string) (int, error) {
	return empty(
		func(after string) ([]storage.Sealed, error) {
			return a.Storage.SealedUnder(ctx, kind, keyID, after, resealBatch)
		},
		func(was []storage.Sealed) (int, error) { return a.resealRecords(ctx, kind, was) },
		func(s storage.Sealed) string { return s.ID },
	)
}

// resealRecords seals and indexes records anew under the active key and says how many it replaced; those that
// changed meanwhile are left alone.
func (a *App) resealRecords(ctx context.Context, kind storage.SealedKind, was []storage.Sealed) (int, error) {
	if len(was) == 0 {
		return 0, nil
	}
	now := make([]storage.Sealed, len(was))
	for i := range was {
		r := &resealing{v: a.vaults.Current(), was: was[i]}
		r.record(kind)
		if r.err != nil {
			return 0, fmt.Errorf("seal record %s anew: %w", was[i].ID, r.err)
		}
		now[i] = storage.Sealed{
			ID: was[i].ID, Merchant: was[i].Merchant, KeyID: r.v.KeyID(), Indexes: r.indexes, Fields: r.fields,
		}
	}
	n, err := a.Storage.ResealRecords(ctx, kind, was, now)
	if err != nil {
		return n, fmt.Errorf("store what was sealed anew: %w", err)
	}
	return n, nil
}

// resealing is one record that is sealed anew, field by field in the order of storage.Sealed.
type resealing struct {
	v       *vault.Vault
	was     storage.Sealed
	indexes []string
	fields  [][]byte
	err     error
}

func (r *resealing) record(kind storage.SealedKind) {
	switch kind {
	case storage.SealedShoppers:
		r.indexed(vault.PurposeShopperEmail)
		r.indexed(vault.PurposeShopperPhone)
		r.field(vault.PurposeShopperName)
	case storage.SealedCards, storage.SealedHeldCards:
		r.add(r.v.ResealCard(r.was.Merchant, r.was.ID, r.next()))
		r.field(vault.PurposeCardHolder)
	case storage.SealedSessions:
		r.field(vault.PurposeSessionSigner)
	case storage.SealedDirectKeys:
		r.field(vault.PurposeDirectKey)
	default:
		panic("app: a kind of sealed record that a rotation does not know")
	}
}

// next is the next field with its index.
func (r *resealing) next() vault.Sealed {
	return vault.Sealed{
		KeyID: r.was.KeyID, Index: vault.Index(r.was.Indexes[len(r.indexes)]), Bytes: r.was.Fields[len(r.fields)],
	}
}

func (r *resealing) indexed(purpose string) { r.add(r.v.Reseal(purpose, r.was.ID, r.next())) }

func (r *resealing) add(now vault.Sealed, err error) {
	r.indexes, r.fields = append(r.indexes, string(now.Index)), append(r.fields, now.Bytes)
	if r.err == nil {
		r.err = err
	}
}

// field seals a field without an index anew; an empty one is not there and stays so.
func (r *resealing) field(purpose string) {
	sealed := r.was.Fields[len(r.fields)]
	if len(sealed) > 0 {
		var err error
		if sealed, err = r.v.ResealField(r.was.KeyID, purpose, r.was.ID, sealed); err != nil && r.err == nil {
			r.err = err
		}
	}
	r.fields = append(r.fields, sealed)
}
