package app

import (
	"errors"
	"strings"
	"testing"

	"plexy/internal/config"
	"plexy/internal/core/money"
	"plexy/internal/shopper"
	"plexy/internal/storage"
	"plexy/internal/vault"
)

// sealedWorld writes a record of each kind and returns what opens them.
type sealedWorld struct {
	t *testing.T
	a *App
}

const (
	someone = "0192aaaa-0000-7000-8000-000000000001"
	number  = "test card number"
)

func (w sealedWorld) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w sealedWorld) seal(purpose, text string) []byte {
	w.t.Helper()
	sealed, err := w.a.vaults.Current().Seal(purpose, someone, []byte(text))
	w.ok(err)
	return sealed
}

func (w sealedWorld) write() {
	v, ctx := w.a.vaults.Current(), w.t.Context()
	index := func(purpose, text string) string { return string(v.Index(purpose, text)) }
	w.ok(w.a.Storage.CreateShopper(ctx, shopper.Shopper{
		ID: someone, Merchant: "mer_1", KeyID: v.KeyID(),
		EmailIndex:  index(vault.PurposeShopperEmail, "a@example.com"),
		PhoneIndex:  index(vault.PurposeShopperPhone, "+77010000001"),
		EmailSealed: w.seal(vault.PurposeShopperEmail, "a@example.com"),
		PhoneSealed: w.seal(vault.PurposeShopperPhone, "+77010000001"),
	}, nil, v.Generation()))
	w.ok(w.a.Storage.AddCard(ctx, shopper.Card{
		ID: someone, Merchant: "mer_1", KeyID: v.KeyID(), Print: index(vault.PurposeCardPrint,
			vault.CardPrint("mer_1", number)),
		NumberSealed: w.seal(vault.PurposeCardNumber, number), HolderSealed: w.seal(vault.PurposeCardHolder, "H"),
	}, v.Generation()))
	w.ok(w.a.Storage.CreateSession(ctx, shopper.Session{
		ID: someone, Type: shopper.TypeAuth, Amount: 1, Currency: money.KZT, KeyID: v.KeyID(),
		Signer: w.seal(vault.PurposeSessionSigner, "signer"),
	}, v.Generation()))
	w.ok(w.a.Storage.AddDirectKey(ctx, shopper.DirectKey{
		ID: someone, Public: "PEM", KeyID: v.KeyID(), Private: w.seal(vault.PurposeDirectKey, "private"),
	}, v.Generation(), w.a.audit("test", "key", "")))
}

// check opens everything under the current keys and finds it by its indexes.
func (w sealedWorld) check() {
	v, ctx := w.a.vaults.Current(), w.t.Context()
	opens := func(key, purpose string, sealed []byte, want string) {
		w.t.Helper()
		if text, err := v.Unseal(key, purpose, someone, sealed); err != nil || string(text) != want {
			w.t.Errorf("%s opens as %q, %v", purpose, text, err)
		}
	}
	s, err := w.a.Storage.ShopperByPair(ctx, "mer_1", []shopper.Pair{{
		Email: string(v.Index(vault.PurposeShopperEmail, "a@example.com")),
		Phone: string(v.Index(vault.PurposeShopperPhone, "+77010000001")),
	}})
	w.ok(err)
	opens(s.KeyID, vault.PurposeShopperEmail, s.EmailSealed, "a@example.com")
	opens(s.KeyID, vault.PurposeShopperPhone, s.PhoneSealed, "+77010000001")
	if len(s.NameSealed) != 0 {
		w.t.Error("a name came about")
	}
	c, err := w.a.Storage.CardByPrint(ctx, "mer_1", "", []string{
		string(v.Index(vault.PurposeCardPrint, vault.CardPrint("mer_1", number)))})
	w.ok(err)
	opens(c.KeyID, vault.PurposeCardNumber, c.NumberSealed, number)
	opens(c.KeyID, vault.PurposeCardHolder, c.HolderSealed, "H")
	session, err := w.a.Storage.Session(ctx, someone)
	w.ok(err)
	opens(session.KeyID, vault.PurposeSessionSigner, session.Signer, "signer")
	keys, err := w.a.Storage.DirectKeys(ctx)
	w.ok(err)
	opens(keys[0].KeyID, vault.PurposeDirectKey, keys[0].Private, "private")
}

// A rotation seals every kind of record anew, and who was made under the old keys is told to do it again.
func TestRotationSealsEveryRecordAnew(t *testing.T) {
	onBothStores(t, func(t *testing.T, cfg config.Config) {
		w := sealedWorld{t, opened(t, cfg)}
		w.write()
		was := w.a.vaults.Current()
		r, err := w.a.RotateVault(t.Context(), "")
		w.ok(err)
		if r.Resealed != len(storage.SealedKinds) || w.a.vaults.Current().KeyID() == was.KeyID() {
			t.Errorf("the rotation is %+v", r)
		}
		w.check()
		err = w.a.Storage.AddCard(t.Context(), shopper.Card{ID: "late", KeyID: was.KeyID()}, was.Generation())
		if !errors.Is(err, storage.ErrStale) {
			t.Errorf("a card under the old key is written: %v", err)
		}
	})
}

// What was moved from another record, or is found by what it is not, stops the rotation.
func TestRotationRefusesWhatDoesNotFit(t *testing.T) {
	w := sealedWorld{t, opened(t, settingsOf(t, t.TempDir(), ""))}
	v := w.a.vaults.Current()
	w.ok(w.a.Storage.AddCard(t.Context(), shopper.Card{
		ID: someone, Merchant: "mer_2", KeyID: v.KeyID(),
		Print:        string(v.Index(vault.PurposeCardPrint, vault.CardPrint("mer_1", number))),
		NumberSealed: w.seal(vault.PurposeCardNumber, number),
	}, v.Generation()))
	_, err := w.a.RotateVault(t.Context(), "")
	if !errors.Is(err, vault.ErrIndex) || strings.Contains(err.Error(), number) {
		t.Errorf("the rotation ends with %v", err)
	}
}
