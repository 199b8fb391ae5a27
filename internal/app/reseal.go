package app

import (
	"context"
	"fmt"
	"slices"

	"plexy/internal/storage"
	"plexy/internal/vault"
)

// sealing says for what purposes the vault seals and indexes a kind of record.
type sealing struct {
	fields  []string // of storage.Sealed, in its order
	indexes []string // the first fields have these
	// indexed is what an index is made of, from the field's text; nil for the text itself.
	indexed func(merchant, text string) string
}

var sealings = map[storage.SealedKind]sealing{
	storage.SealedShoppers: {
		fields:  []string{vault.PurposeShopperEmail, vault.PurposeShopperPhone, vault.PurposeShopperName},
		indexes: []string{vault.PurposeShopperEmail, vault.PurposeShopperPhone},
	},
	storage.SealedCards: {
		fields:  []string{vault.PurposeCardNumber, vault.PurposeCardHolder},
		indexes: []string{vault.PurposeCardPrint}, indexed: vault.CardPrint,
	},
	storage.SealedSessions:   {fields: []string{vault.PurposeSessionSigner}},
	storage.SealedDirectKeys: {fields: []string{vault.PurposeDirectKey}},
}

// emptyRecords seals every record of a kind that is under keyID anew, until a whole look finds nothing there.
func (a *App) emptyRecords(
	ctx context.Context, kind storage.SealedKind, keyID string,
) (resealed int, err error) {
	for found, after := 0, ""; ; {
		was, err := a.Storage.SealedUnder(ctx, kind, keyID, after, resealBatch)
		if err != nil {
			return resealed, fmt.Errorf("find what is sealed under the old key: %w", err)
		}
		now := make([]storage.Sealed, len(was))
		for i := range was {
			if now[i], err = sealings[kind].anew(a.vaults.Current(), was[i]); err != nil {
				return resealed, fmt.Errorf("seal record %s anew: %w", was[i].ID, err)
			}
		}
		if len(was) > 0 {
			n, err := a.Storage.ResealRecords(ctx, kind, was, now)
			if err != nil {
				return resealed, fmt.Errorf("store what was sealed anew: %w", err)
			}
			resealed += n
		}
		found += len(was)
		switch {
		case len(was) == resealBatch:
			after = was[len(was)-1].ID
		case found == 0:
			return resealed, nil
		default: // one more look: a row may have changed under our hands and been left alone
			found, after = 0, ""
		}
	}
}

// anew seals and indexes a record under the active key. A field that is empty is not there and stays so. An
// index that does not belong to what is sealed is vault.ErrIndex, as for customers.
func (s sealing) anew(v *vault.Vault, was storage.Sealed) (storage.Sealed, error) {
	now := storage.Sealed{ID: was.ID, Merchant: was.Merchant, KeyID: v.KeyID()}
	for i, purpose := range s.fields {
		if len(was.Fields[i]) == 0 {
			now.Fields = append(now.Fields, nil)
			continue
		}
		text, err := v.Unseal(was.KeyID, purpose, was.ID, was.Fields[i])
		if err != nil {
			return now, err
		}
		if i < len(s.indexes) {
			indexed := string(text)
			if s.indexed != nil {
				indexed = s.indexed(was.Merchant, indexed)
			}
			if !slices.Contains(v.Indexes(s.indexes[i], indexed), vault.Index(was.Indexes[i])) {
				return now, vault.ErrIndex
			}
			now.Indexes = append(now.Indexes, string(v.Index(s.indexes[i], indexed)))
		}
		sealed, err := v.Seal(purpose, was.ID, text)
		if err != nil {
			return now, err
		}
		now.Fields = append(now.Fields, sealed)
	}
	return now, nil
}
