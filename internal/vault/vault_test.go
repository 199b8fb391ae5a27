package vault_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"plexy/internal/vault"
)

const (
	iin   = "900101300017"
	phone = "+77012345678"
)

func newMaster(t testing.TB) *vault.Master {
	t.Helper()
	m, err := vault.ParseMaster(vault.NewMaster())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func newKey(t testing.TB, m *vault.Master) vault.WrappedKey {
	t.Helper()
	key, err := vault.NewKey(m)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func open(t testing.TB, m *vault.Master, generation int64, keys []vault.WrappedKey) *vault.Vault {
	t.Helper()
	v, err := vault.Open(m, generation, keys)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newVault(t testing.TB) *vault.Vault {
	t.Helper()
	m := newMaster(t)
	return open(t, m, 1, []vault.WrappedKey{newKey(t, m)})
}

func seal(t testing.TB, v *vault.Vault, purpose, record, clear string) []byte {
	t.Helper()
	sealed, err := v.Seal(purpose, record, []byte(clear))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestSealedOpensOnlyWhereItBelongs(t *testing.T) {
	v := newVault(t)
	sealed := seal(t, v, vault.PurposeIIN, "cus_1", iin)
	if bytes.Contains(sealed, []byte(iin)) || bytes.Contains(sealed, []byte("cus_1")) {
		t.Error("the sealed bytes show the value")
	}
	clear, err := v.Unseal(v.KeyID(), vault.PurposeIIN, "cus_1", sealed)
	if err != nil || string(clear) != iin {
		t.Fatalf("Unseal = %q, %v", clear, err)
	}
	if bytes.Equal(sealed, seal(t, v, vault.PurposeIIN, "cus_1", iin)) {
		t.Error("two seals of one value are equal")
	}

	other := newVault(t)
	for _, c := range []struct {
		what                   string
		vault                  *vault.Vault
		key, purpose, recordID string
		want                   error
	}{
		{"another record", v, v.KeyID(), vault.PurposeIIN, "cus_2", vault.ErrSealed},
		{"another field", v, v.KeyID(), vault.PurposePhone, "cus_1", vault.ErrSealed},
		{"shifted between field and record", v, v.KeyID(), vault.PurposeIIN + "c", "us_1", vault.ErrSealed},
		{"no record", v, v.KeyID(), vault.PurposeIIN, "", vault.ErrSealed},
		{"another vault", other, other.KeyID(), vault.PurposeIIN, "cus_1", vault.ErrSealed},
		{"unknown key", v, other.KeyID(), vault.PurposeIIN, "cus_1", vault.ErrKey},
		{"no key", v, "", vault.PurposeIIN, "cus_1", vault.ErrKey},
	} {
		clear, err := c.vault.Unseal(c.key, c.purpose, c.recordID, sealed)
		if !errors.Is(err, c.want) || clear != nil {
			t.Errorf("%s: %q, %v; want %v", c.what, clear, err, c.want)
		}
	}
}

func TestAlteredBytesDoNotOpen(t *testing.T) {
	v := newVault(t)
	sealed := seal(t, v, vault.PurposePhone, "cus_1", phone)
	for at := range sealed {
		altered := slices.Clone(sealed)
		altered[at] ^= 1
		for what, wrong := range map[string][]byte{"altered": altered, "cut": sealed[:at]} {
			_, err := v.Unseal(v.KeyID(), vault.PurposePhone, "cus_1", wrong)
			if !errors.Is(err, vault.ErrSealed) {
				t.Errorf("%s at byte %d: %v", what, at, err)
			}
		}
	}
}

func TestIndexesTellValuesApart(t *testing.T) {
	v, other := newVault(t), newVault(t)
	form := regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)
	index := v.Index(vault.PurposeIIN, iin)
	if !form.MatchString(string(index)) {
		t.Errorf("an index is written %q", index)
	}
	if v.Index(vault.PurposeIIN, iin) != index {
		t.Error("the same value has two indexes")
	}
	seen := map[vault.Index]string{index: "the first"}
	for what, another := range map[string]vault.Index{
		"another value":   v.Index(vault.PurposeIIN, "900101300025"),
		"another purpose": v.Index(vault.PurposePhone, iin),
		"shifted":         v.Index(vault.PurposeIIN+"9", iin[1:]),
		"nothing":         v.Index(vault.PurposeIIN, ""),
		"another key":     other.Index(vault.PurposeIIN, iin),
	} {
		if was, taken := seen[another]; taken {
			t.Errorf("%s has the index of %s", what, was)
		}
		seen[another] = what
	}
	if all := v.Indexes(vault.PurposeIIN, iin); !slices.Equal(all, []vault.Index{index}) {
		t.Error("Indexes of a vault with one key is not its Index")
	}
}

func TestSealAndIndexProperties(t *testing.T) {
	v := newVault(t)
	purposes := rapid.StringN(1, 20, 80)
	rapid.Check(t, func(t *rapid.T) {
		purpose, record := purposes.Draw(t, "purpose"), rapid.String().Draw(t, "record")
		purpose2, record2 := purposes.Draw(t, "purpose2"), rapid.String().Draw(t, "record2")
		clear := rapid.SliceOf(rapid.Byte()).Draw(t, "clear")
		clear2 := rapid.SliceOf(rapid.Byte()).Draw(t, "clear2")

		sealed, err := v.Seal(purpose, record, clear)
		if err != nil {
			t.Fatal(err)
		}
		back, err := v.Unseal(v.KeyID(), purpose, record, sealed)
		if err != nil || !bytes.Equal(back, clear) {
			t.Fatalf("Unseal = %q, %v", back, err)
		}
		_, err = v.Unseal(v.KeyID(), purpose2, record2, sealed)
		if same := purpose == purpose2 && record == record2; (err == nil) != same {
			t.Fatalf("opened for the same place %v: %v", same, err)
		}
		same := purpose == purpose2 && bytes.Equal(clear, clear2)
		if got := v.Index(purpose, string(clear)) == v.Index(purpose2, string(clear2)); got != same {
			t.Fatalf("equal indexes: %v, want %v", got, same)
		}
	})
}

// TestBookIsForEver: the number is in ids that were stored, so it must never come out otherwise. These were
// computed by another program.
func TestBookIsForEver(t *testing.T) {
	for index, want := range map[vault.Index]int{
		"": 787, "a": 730, "AAAAAAAAAAAAAAAAAAAAAA": 604, "-_-_-_-_-_-_-_-_-_-_-w": 425, "iin-1": 49,
	} {
		if got := vault.Book(index); got != want {
			t.Errorf("Book(%q) = %d, want %d", index, got, want)
		}
	}
}

func TestBooksAreFilledEvenly(t *testing.T) {
	v := newVault(t)
	var counts [vault.Books]int
	const each = 100
	for n := range each * vault.Books {
		counts[vault.Book(v.Index(vault.PurposeIIN, fmt.Sprint(n)))]++
	}
	// Counts scatter around 100 by 10: seven times that happens once in 10^9 runs.
	if low, high := slices.Min(counts[:]), slices.Max(counts[:]); low < 30 || high > 170 {
		t.Errorf("between %d and %d in a book, want about %d", low, high, each)
	}
}

func TestNothingShowsKeysOrValues(t *testing.T) {
	text := vault.NewMaster()
	m, err := vault.ParseMaster(text)
	if err != nil {
		t.Fatal(err)
	}
	v := open(t, m, 7, []vault.WrappedKey{newKey(t, m)})
	shown := fmt.Sprintf("%v %+v %#v %s %x %v %+v", m, m, m, m, m, *m, struct{ m *vault.Master }{m})
	shown += fmt.Sprintf("%v %+v %#v %s %v %+v", v, v, v, v, *v, struct{ v *vault.Vault }{v})
	sealed := seal(t, v, vault.PurposeIIN, "cus_1", iin)
	for _, fail := range []error{
		second(v.Unseal(v.KeyID(), vault.PurposeIIN, "cus_2", sealed)),
		second(v.Unseal("dk_x", vault.PurposeIIN, "cus_2", sealed)),
		second(vault.ParseMaster(text[:len(text)-2])),
		second(vault.Open(newMaster(t), 1, []vault.WrappedKey{newKey(t, m)})),
		second(v.Reseal(vault.PurposeIIN, "cus_1", vault.Sealed{KeyID: v.KeyID(), Bytes: sealed})),
	} {
		if fail == nil {
			t.Fatal("no error")
		}
		shown += fail.Error()
	}
	key := strings.TrimSpace(strings.TrimPrefix(string(text), "plexy-master-1:"))
	for _, secret := range []string{key, key[:10], fmt.Sprintf("%x", key), iin} {
		if strings.Contains(shown, secret) {
			t.Errorf("%q is shown", secret)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func FuzzUnseal(f *testing.F) {
	v := newVault(f)
	f.Add(seal(f, v, vault.PurposeIIN, "cus_1", iin))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, sealed []byte) {
		clear, err := v.Unseal(v.KeyID(), vault.PurposeIIN, "cus_2", sealed)
		if !errors.Is(err, vault.ErrSealed) || clear != nil {
			t.Fatalf("%q, %v", clear, err)
		}
	})
}

func BenchmarkIndex(b *testing.B) {
	v := newVault(b)
	b.ReportAllocs()
	for b.Loop() {
		v.Index(vault.PurposeIIN, iin)
	}
}

func BenchmarkIndexesWhileRotating(b *testing.B) {
	m := newMaster(b)
	keys, err := vault.Rotate(m, []vault.WrappedKey{newKey(b, m)})
	if err != nil {
		b.Fatal(err)
	}
	v := open(b, m, 2, keys)
	b.ReportAllocs()
	for b.Loop() {
		v.Indexes(vault.PurposeIIN, iin)
	}
}

func BenchmarkSeal(b *testing.B) {
	v := newVault(b)
	b.ReportAllocs()
	for b.Loop() {
		seal(b, v, vault.PurposeIIN, "cus_1", iin)
	}
}

func TestGuessableMasterKeys(t *testing.T) {
	for range 1000 {
		master, err := vault.ParseMaster(vault.NewMaster())
		if err != nil || master.Guessable() {
			t.Fatalf("a key that was made by a generator is guessable, %v", err)
		}
	}
	for _, key := range []string{
		strings.Repeat("\x00", 32), strings.Repeat("plexy678", 4), "passwordpasswordpasswordpassword",
	} {
		text := "plexy-master-1:" + base64.RawURLEncoding.EncodeToString([]byte(key))
		if master, err := vault.ParseMaster([]byte(text)); err != nil || !master.Guessable() {
			t.Errorf("%q is not guessable, %v", key, err)
		}
	}
}
