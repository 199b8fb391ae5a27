package vault_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"plexy/internal/card"
	"plexy/internal/vault"
)

const pan = "4111111111111111" // a test card of the documentation

func number(t testing.TB, digits string) card.Number {
	t.Helper()
	n, err := card.ParseNumber(digits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestCardNumbersAreSealedForTheirRecord(t *testing.T) {
	v, other := newVault(t), newVault(t)
	n := number(t, pan)
	sealed, err := v.SealCard("mer_1", "tok_1", n)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed.Bytes, []byte(pan)) || strings.Contains(string(sealed.Index), pan) ||
		sealed.KeyID != v.KeyID() {
		t.Error("what is stored shows the number, or names another key")
	}
	if opened, err := v.UnsealCard(sealed.KeyID, "tok_1", sealed.Bytes); err != nil || opened != n {
		t.Errorf("opens as %v, %v", opened, err)
	}
	again, err := v.SealCard("mer_1", "tok_2", n)
	if err != nil || bytes.Equal(again.Bytes, sealed.Bytes) || again.Index != sealed.Index {
		t.Errorf("sealed again: the same bytes, or another print: %v", err)
	}
	if opened, err := v.UnsealCard(sealed.KeyID, "tok_2", sealed.Bytes); !errors.Is(err, vault.ErrSealed) ||
		!opened.IsZero() {
		t.Errorf("opens for another record: %v", err)
	}
	if _, err := other.UnsealCard(sealed.KeyID, "tok_1", sealed.Bytes); !errors.Is(err, vault.ErrKey) {
		t.Errorf("opens in another vault: %v", err)
	}
	nonsense := seal(t, v, vault.PurposeCardNumber, "tok_1", "no number")
	if _, err := v.UnsealCard(v.KeyID(), "tok_1", nonsense); !errors.Is(err, vault.ErrSealed) {
		t.Errorf("what is no number opens as one: %v", err)
	}
}

func TestPrintsTellCardsOfOneMerchantApart(t *testing.T) {
	v, other := newVault(t), newVault(t)
	n := number(t, pan)
	seen := map[vault.Index]string{}
	for what, index := range map[string]vault.Index{
		"the card":            v.CardPrints("mer_1", n)[0],
		"another card":        v.CardPrints("mer_1", number(t, "5555555555554444"))[0],
		"another merchant":    v.CardPrints("mer_2", n)[0],
		"another key":         other.CardPrints("mer_1", n)[0],
		"the same as a field": v.Index(vault.PurposeCardNumber, pan),
		"shifted":             v.CardPrints("mer_14", n)[0],
	} {
		if was, taken := seen[index]; taken || len(index) != 22 {
			t.Errorf("%s has the print of %s", what, was)
		}
		seen[index] = what
	}
}

func TestRotationOfCards(t *testing.T) {
	m := newMaster(t)
	keys := []vault.WrappedKey{newKey(t, m)}
	before := open(t, m, 1, keys)
	n := number(t, pan)
	was, err := before.SealCard("mer_1", "tok_1", n)
	if err != nil {
		t.Fatal(err)
	}
	name := seal(t, before, vault.PurposeCardHolder, "tok_1", "A HOLDER")
	public, private, err := before.NewDirectKey("key_1")
	if err != nil {
		t.Fatal(err)
	}
	if keys, err = vault.Rotate(m, keys); err != nil {
		t.Fatal(err)
	}
	during := open(t, m, 2, keys)
	if !slices.Contains(during.CardPrints("mer_1", n), was.Index) || len(during.CardPrints("mer_1", n)) != 2 {
		t.Error("what the rotation has not reached is not found")
	}
	refusesStrangers(t, during, was, before.KeyID(), name)
	now, err := during.ResealCard("mer_1", "tok_1", was)
	if err != nil || now.KeyID != during.KeyID() || now.Index != during.CardPrints("mer_1", n)[0] {
		t.Fatalf("sealed anew: %v", err)
	}
	if same, err := during.ResealCard("mer_1", "tok_1", now); err != nil || !bytes.Equal(same.Bytes, now.Bytes) {
		t.Errorf("what was under the active key has changed: %v", err)
	}
	fields := map[string][]byte{
		vault.PurposeCardHolder + " tok_1": name, vault.PurposeDirectKey + " key_1": private,
	}
	for key, sealed := range fields {
		purpose, record, _ := strings.Cut(key, " ")
		fresh, err := during.ResealField(before.KeyID(), purpose, record, sealed)
		if err != nil || bytes.Equal(fresh, sealed) {
			t.Fatalf("%s: %v", key, err)
		}
		same, err := during.ResealField(during.KeyID(), purpose, record, fresh)
		if err != nil || !bytes.Equal(same, fresh) {
			t.Errorf("%s: what was under the active key has changed: %v", key, err)
		}
		fields[key] = fresh
	}

	if keys, err = vault.Retire(keys); err != nil {
		t.Fatal(err)
	}
	after := open(t, m, 3, keys)
	if opened, err := after.UnsealCard(now.KeyID, "tok_1", now.Bytes); err != nil || opened != n {
		t.Errorf("the card opens as %v, %v", opened, err)
	}
	if holder, err := after.Unseal(after.KeyID(), vault.PurposeCardHolder, "tok_1",
		fields[vault.PurposeCardHolder+" tok_1"]); err != nil || string(holder) != "A HOLDER" {
		t.Errorf("the holder opens as %q, %v", holder, err)
	}
	key, err := after.OpenDirectKey(after.KeyID(), "key_1", fields[vault.PurposeDirectKey+" key_1"])
	if err != nil {
		t.Fatal(err)
	}
	c, err := key.Decrypt(vault.OAEP, vault.EncryptedCard{Number: encryptOAEP(t, public, pan)})
	if err != nil || c.Number != n {
		t.Errorf("what was encrypted before the rotation is read as %v, %v", c, err)
	}
}

// refusesStrangers asks for sealed fields to be sealed anew for what they do not belong to.
func refusesStrangers(t *testing.T, during *vault.Vault, was vault.Sealed, keyID string, name []byte) {
	t.Helper()
	for what, wrong := range map[string]func() error{
		"another merchant": func() error { _, err := during.ResealCard("mer_2", "tok_1", was); return err },
		"another record":   func() error { _, err := during.ResealCard("mer_1", "tok_2", was); return err },
		"no key": func() error {
			_, err := during.ResealCard("mer_1", "tok_1", vault.Sealed{Index: was.Index, Bytes: was.Bytes})
			return err
		},
		"another field": func() error {
			_, err := during.ResealField(keyID, vault.PurposeDirectKey, "tok_1", name)
			return err
		},
	} {
		if err := wrong(); !errors.Is(err, vault.ErrIndex) && !errors.Is(err, vault.ErrSealed) &&
			!errors.Is(err, vault.ErrKey) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestNothingHereTakesACVV: a CVV cannot be sealed, indexed or wrapped, because nothing takes one, alone or
// in a card. Who could turn it into text is held by a house rule.
func TestNothingHereTakesACVV(t *testing.T) {
	forbidden := []reflect.Type{reflect.TypeFor[card.CVV](), reflect.TypeFor[card.Card]()}
	looked := 0
	for _, holder := range []any{newVault(t), newMaster(t), &vault.DirectKey{}} {
		kind := reflect.TypeOf(holder)
		for i := range kind.NumMethod() {
			method := kind.Method(i)
			for in := 1; in < method.Type.NumIn(); in++ {
				looked++
				for _, f := range forbidden {
					if takes(method.Type.In(in), f) {
						t.Errorf("%s.%s takes a %s", kind, method.Name, f)
					}
				}
			}
		}
	}
	if looked < 20 || !takes(reflect.TypeFor[[]*card.Card](), forbidden[0]) {
		t.Error("this looks at nothing")
	}
}

// takes reports whether a value of a type can hold one of another.
func takes(kind, what reflect.Type) bool {
	if kind == what {
		return true
	}
	switch kind.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return takes(kind.Elem(), what)
	case reflect.Interface:
		return kind.NumMethod() == 0
	case reflect.Struct:
		for i := range kind.NumField() {
			if takes(kind.Field(i).Type, what) {
				return true
			}
		}
	}
	return false
}
