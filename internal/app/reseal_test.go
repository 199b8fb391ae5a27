package app

import (
	"errors"
	"testing"

	"plexy/internal/card"
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

const someone = "0192aaaa-0000-7000-8000-000000000001"

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
	sealed, err := v.SealCard("mer_1", someone, number(w.t))
	w.ok(err)
	c := shopper.Card{
		ID: someone, Merchant: "mer_1", KeyID: v.KeyID(), Print: string(sealed.Index), Payment: someone,
		NumberSealed: sealed.Bytes, HolderSealed: w.seal(vault.PurposeCardHolder, "H"),
	}
	w.ok(w.a.Storage.AddCard(ctx, c, v.Generation()))
	w.ok(w.a.Storage.HoldCard(ctx, shopper.Held{Card: c}, v.Generation()))
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
	print := string(v.CardPrints("mer_1", number(w.t))[0])
	c, err := w.a.Storage.CardByPrint(ctx, "mer_1", "", []string{print})
	w.ok(err)
	held, err := w.a.Storage.HeldCard(ctx, someone)
	w.ok(err)
	for _, c := range []shopper.Card{c, held.Card} {
		got, err := v.UnsealCard(c.KeyID, someone, c.NumberSealed)
		if err != nil || got != number(w.t) {
			w.t.Errorf("the number opens as another one: %v", err)
		}
		opens(c.KeyID, vault.PurposeCardHolder, c.HolderSealed, "H")
	}
	session, err := w.a.Storage.Session(ctx, someone)
	w.ok(err)
	opens(session.KeyID, vault.PurposeSessionSigner, session.Signer, "signer")
	webhooks := &Server{app: w.a}
	if key, err := webhooks.sessionKey(ctx, someone); err != nil || key != "signer" {
		w.t.Errorf("callbacks of the session are signed with %q, %v", key, err)
	}
	if _, err := webhooks.sessionKey(ctx, "none"); !errors.Is(err, storage.ErrNotFound) {
		w.t.Errorf("callbacks of no session: %v", err)
	}
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

// number is that of a test card.
func number(t *testing.T) card.Number {
	n, err := card.ParseNumber([]byte("4242424242424242"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What is found by what it is not stops the rotation.
func TestRotationRefusesWhatDoesNotFit(t *testing.T) {
	w := sealedWorld{t, opened(t, settingsOf(t, t.TempDir(), ""))}
	v := w.a.vaults.Current()
	sealed, err := v.SealCard("mer_1", someone, number(t))
	w.ok(err)
	w.ok(w.a.Storage.AddCard(t.Context(), shopper.Card{
		ID: someone, Merchant: "mer_2", KeyID: v.KeyID(), Print: string(sealed.Index), NumberSealed: sealed.Bytes,
	}, v.Generation()))
	if _, err := w.a.RotateVault(t.Context(), ""); !errors.Is(err, vault.ErrIndex) {
		t.Errorf("the rotation ends with %v", err)
	}
}
