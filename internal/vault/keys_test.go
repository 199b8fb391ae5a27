package vault_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"plexy/internal/vault"
)

func TestMasterText(t *testing.T) {
	text := vault.NewMaster()
	if !bytes.HasPrefix(text, []byte("plexy-master-1:")) || bytes.Count(text, []byte("\n")) != 1 ||
		!bytes.HasSuffix(text, []byte("\n")) {
		t.Fatal("a master key is not one line with its prefix")
	}
	if bytes.Equal(text, vault.NewMaster()) {
		t.Fatal("two master keys are equal")
	}
	m, err := vault.ParseMaster(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, same := range []string{
		string(bytes.TrimSpace(text)), "  " + string(text) + "\r\n", string(bytes.TrimSpace(text)) + "\r\n",
	} {
		again, err := vault.ParseMaster([]byte(same))
		if err != nil || again.Check() != m.Check() {
			t.Errorf("with other space around it, it is another key: %v", err)
		}
	}
}

func TestWrongMasterTexts(t *testing.T) {
	good := strings.TrimSpace(string(vault.NewMaster()))
	key := strings.TrimPrefix(good, "plexy-master-1:")
	for what, text := range map[string]string{
		"nothing":       "",
		"prefix alone":  "plexy-master-1:",
		"no prefix":     key,
		"other version": "plexy-master-2:" + key,
		"other case":    "Plexy-Master-1:" + key,
		"cut":           good[:len(good)-1],
		"longer":        good + "A",
		"padded":        good + "=",
		"two lines":     good + "\n" + good,
		"space inside":  "plexy-master-1: " + key,
		"not base64":    good[:len(good)-1] + "!",
		"loose bits":    "plexy-master-1:" + strings.Repeat("A", 42) + "B",
		"newline":       good[:30] + "\n" + good[31:],
	} {
		if m, err := vault.ParseMaster([]byte(text)); !errors.Is(err, vault.ErrMasterText) || m != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestCheckValue(t *testing.T) {
	text := vault.NewMaster()
	m, err := vault.ParseMaster(text)
	if err != nil {
		t.Fatal(err)
	}
	other := newMaster(t)
	if !m.Fits(m.Check()) || m.Fits(other.Check()) || m.Fits("") || m.Fits(m.Check()+"x") {
		t.Error("Fits does not tell master keys apart")
	}
	key := bytes.TrimPrefix(bytes.TrimSpace(text), []byte("plexy-master-1:"))
	if bytes.Contains(key, []byte(m.Check())) {
		t.Error("the check value is a part of the key")
	}
	// The check value is in databases: made another way, no server would start on them. This one was computed
	// by another program.
	fixed, err := vault.ParseMaster([]byte("plexy-master-1:" + strings.Repeat("A", 43)))
	if err != nil {
		t.Fatal(err)
	}
	if fixed.Check() != "19Qa71yLPyD6GEOe-4kzWA" {
		t.Errorf("the check value of the key of zeros is %q", fixed.Check())
	}
	// From this one come the secrets that merchants keep: made another way, all their signatures break.
	const want = "f236123b45e6caa86f1604a9907522f0" +
		"e95c3180958e36b87f39b88066b23b36"
	if got := hex.EncodeToString(fixed.WebhookKey()); got != want {
		t.Errorf("the key of webhooks of the key of zeros is %s", got)
	}
}

func TestOpenRefusesWrongMaster(t *testing.T) {
	m, other := newMaster(t), newMaster(t)
	keys := []vault.WrappedKey{newKey(t, m)}
	if v, err := vault.Open(other, 1, keys); !errors.Is(err, vault.ErrMaster) || v != nil {
		t.Errorf("Open: %v", err)
	}
	if _, err := vault.Rotate(other, keys); !errors.Is(err, vault.ErrMaster) {
		t.Errorf("Rotate: %v", err)
	}
	mixed := append(slices.Clone(keys), newKey(t, other))
	mixed[1].State = vault.Retiring
	if _, err := vault.Open(m, 1, mixed); !errors.Is(err, vault.ErrMaster) {
		t.Errorf("Open with one foreign key: %v", err)
	}
}

func TestOpenRefusesWhatIsNoSet(t *testing.T) {
	m := newMaster(t)
	first, second := newKey(t, m), newKey(t, m)
	retiring := second
	retiring.State = vault.Retiring
	strange, unnamed := second, second
	strange.State, unnamed.ID = "resting", ""
	for what, keys := range map[string][]vault.WrappedKey{
		"none":           nil,
		"none active":    {retiring},
		"two active":     {first, second},
		"one id twice":   {second, retiring},
		"unknown state":  {first, strange},
		"without an id":  {unnamed},
		"empty state":    {{ID: "dk_1", Wrapped: first.Wrapped}},
		"twice the same": {first, first},
	} {
		if _, err := vault.Open(m, 1, keys); !errors.Is(err, vault.ErrKeys) {
			t.Errorf("%s: Open: %v", what, err)
		}
		if _, err := vault.Rotate(m, keys); !errors.Is(err, vault.ErrKeys) {
			t.Errorf("%s: Rotate: %v", what, err)
		}
		if _, err := vault.Retire(keys); !errors.Is(err, vault.ErrKeys) {
			t.Errorf("%s: Retire: %v", what, err)
		}
	}
}

// TestWrappedKeysAreBoundAndWhole: a wrapped key under another id, cut, or altered does not become a key
// that would open or find something else.
func TestWrappedKeysAreBoundAndWhole(t *testing.T) {
	m := newMaster(t)
	key, other := newKey(t, m), newKey(t, m)
	v := open(t, m, 1, []vault.WrappedKey{key})
	index := v.Index(vault.PurposeIIN, iin)

	moved := vault.WrappedKey{ID: other.ID, Wrapped: key.Wrapped, State: vault.Active}
	if _, err := vault.Open(m, 1, []vault.WrappedKey{moved}); !errors.Is(err, vault.ErrMaster) {
		t.Errorf("under another id: %v", err)
	}
	for at := range key.Wrapped {
		cut := vault.WrappedKey{ID: key.ID, Wrapped: key.Wrapped[:at], State: vault.Active}
		if _, err := vault.Open(m, 1, []vault.WrappedKey{cut}); !errors.Is(err, vault.ErrMaster) {
			t.Errorf("cut to %d bytes: %v", at, err)
		}
		altered := vault.WrappedKey{ID: key.ID, Wrapped: slices.Clone(key.Wrapped), State: vault.Active}
		altered.Wrapped[at] ^= 1
		// Tink leaves a description of the key beside the encrypted one, which nothing here reads.
		v, err := vault.Open(m, 1, []vault.WrappedKey{altered})
		same := err == nil && v.Index(vault.PurposeIIN, iin) == index
		if !same && !errors.Is(err, vault.ErrMaster) {
			t.Errorf("byte %d altered: %v, and another index", at, err)
		}
	}
}

func TestKeysAreFreshAndHidden(t *testing.T) {
	m := newMaster(t)
	one, two := newKey(t, m), newKey(t, m)
	if one.ID == two.ID || bytes.Equal(one.Wrapped, two.Wrapped) || one.State != vault.Active {
		t.Error("two new keys are alike, or not active")
	}
	a := open(t, m, 1, []vault.WrappedKey{one}).Index(vault.PurposeIIN, iin)
	b := open(t, m, 1, []vault.WrappedKey{two}).Index(vault.PurposeIIN, iin)
	if a == b {
		t.Error("two keys give one index")
	}
	if again := open(t, m, 2, []vault.WrappedKey{one}).Index(vault.PurposeIIN, iin); again != a {
		t.Error("opened again, a key gives another index")
	}
}

// record is a customer as the database has it, for the rotation below.
type record struct {
	id         string
	iin, phone vault.Sealed
}

func store(t *testing.T, v *vault.Vault, n int) record {
	t.Helper()
	id := fmt.Sprintf("cus_%d", n)
	field := func(purpose, clear string) vault.Sealed {
		sealed := seal(t, v, purpose, id, clear)
		return vault.Sealed{KeyID: v.KeyID(), Index: v.Index(purpose, clear), Bytes: sealed}
	}
	return record{
		id:    id,
		iin:   field(vault.PurposeIIN, fmt.Sprint("iin ", n)),
		phone: field(vault.PurposePhone, fmt.Sprint("phone ", n)),
	}
}

// found asserts that v finds the record's fields by their values and opens them.
func found(t *testing.T, v *vault.Vault, r record, n int) {
	t.Helper()
	for purpose, c := range map[string]struct {
		field vault.Sealed
		clear string
	}{
		vault.PurposeIIN:   {r.iin, fmt.Sprint("iin ", n)},
		vault.PurposePhone: {r.phone, fmt.Sprint("phone ", n)},
	} {
		if !slices.Contains(v.Indexes(purpose, c.clear), c.field.Index) {
			t.Errorf("%s %s is not found", r.id, purpose)
		}
		clear, err := v.Unseal(c.field.KeyID, purpose, r.id, c.field.Bytes)
		if err != nil || string(clear) != c.clear {
			t.Errorf("%s %s opens as %q, %v", r.id, purpose, clear, err)
		}
	}
}

func reseal(t *testing.T, v *vault.Vault, r record) record {
	t.Helper()
	var err error
	if r.iin, err = v.Reseal(vault.PurposeIIN, r.id, r.iin); err != nil {
		t.Fatal(err)
	}
	if r.phone, err = v.Reseal(vault.PurposePhone, r.id, r.phone); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRotation(t *testing.T) {
	m := newMaster(t)
	keys := []vault.WrappedKey{newKey(t, m)}
	before := open(t, m, 1, keys)
	const many = 20
	records := make([]record, many)
	for n := range records {
		records[n] = store(t, before, n)
	}

	keys, err := vault.Rotate(m, keys)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(keys) // the database promises no order
	during := open(t, m, 2, keys)
	if during.Generation() != 2 || during.KeyID() == before.KeyID() {
		t.Error("the generation or the active key is the old one")
	}
	if _, err := vault.Rotate(m, keys); !errors.Is(err, vault.ErrRotating) {
		t.Errorf("a second rotation on top: %v", err)
	}
	indexes := during.Indexes(vault.PurposeIIN, "iin 0")
	want := []vault.Index{during.Index(vault.PurposeIIN, "iin 0"), before.Index(vault.PurposeIIN, "iin 0")}
	if !slices.Equal(indexes, want) {
		t.Error("Indexes is not the active key's index and then the retiring one's")
	}
	for n := range records {
		found(t, during, records[n], n) // not reached yet
		records[n] = reseal(t, during, records[n])
		found(t, during, records[n], n)
		if records[n].iin.KeyID != during.KeyID() || records[n].phone.KeyID != during.KeyID() {
			t.Fatal("still under the old key")
		}
	}
	again := reseal(t, during, records[0])
	if !bytes.Equal(again.iin.Bytes, records[0].iin.Bytes) || again.iin.Index != records[0].iin.Index {
		t.Error("what already was under the active key has changed")
	}
	late := store(t, before, 99) // by a server that had not heard of the rotation

	if keys, err = vault.Retire(keys); err != nil {
		t.Fatal(err)
	}
	after := open(t, m, 3, keys)
	if after.KeyID() != during.KeyID() || len(keys) != 1 {
		t.Error("not the fresh key is left alone")
	}
	for n := range records {
		found(t, after, records[n], n)
		if slices.Contains(after.Indexes(vault.PurposeIIN, fmt.Sprint("iin ", n)),
			before.Index(vault.PurposeIIN, fmt.Sprint("iin ", n))) {
			t.Error("the retired key's index is still looked up")
		}
	}
	_, err = after.Unseal(late.iin.KeyID, vault.PurposeIIN, late.id, late.iin.Bytes)
	if !errors.Is(err, vault.ErrKey) {
		t.Errorf("the retired key still opens: %v", err)
	}
	if _, err := after.Reseal(vault.PurposeIIN, late.id, late.iin); !errors.Is(err, vault.ErrKey) {
		t.Errorf("the retired key still opens: %v", err)
	}
}

func TestResealRefusesWhatDoesNotBelongTogether(t *testing.T) {
	m := newMaster(t)
	keys := []vault.WrappedKey{newKey(t, m)}
	before := open(t, m, 1, keys)
	one, two := store(t, before, 1), store(t, before, 2)
	keys, err := vault.Rotate(m, keys)
	if err != nil {
		t.Fatal(err)
	}
	during := open(t, m, 2, keys)

	moved := two.iin
	if _, err := during.Reseal(vault.PurposeIIN, one.id, moved); !errors.Is(err, vault.ErrSealed) {
		t.Errorf("a sealed value of another record: %v", err)
	}
	if _, err := during.Reseal(vault.PurposePhone, one.id, one.iin); !errors.Is(err, vault.ErrSealed) {
		t.Errorf("a sealed value of another field: %v", err)
	}
	mixed := one.iin
	mixed.Index = two.iin.Index
	if _, err := during.Reseal(vault.PurposeIIN, one.id, mixed); !errors.Is(err, vault.ErrIndex) {
		t.Errorf("an index of another value: %v", err)
	}
	lying := one.iin
	lying.KeyID = during.KeyID()
	if _, err := during.Reseal(vault.PurposeIIN, one.id, lying); !errors.Is(err, vault.ErrSealed) {
		t.Errorf("said to be under a key that it is not: %v", err)
	}
}

func FuzzParseMaster(f *testing.F) {
	f.Add(vault.NewMaster())
	f.Add([]byte("plexy-master-1:" + strings.Repeat("A", 43)))
	f.Add([]byte("plexy-master-1:"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := vault.ParseMaster(text)
		if err != nil {
			if !errors.Is(err, vault.ErrMasterText) {
				t.Fatal(err)
			}
			return
		}
		_, encoded, _ := strings.Cut(string(bytes.TrimSpace(text)), ":")
		key, err := base64.RawURLEncoding.DecodeString(encoded)
		if err != nil || len(key) != 32 || !m.Fits(m.Check()) {
			t.Fatalf("accepted %d bytes: %v", len(key), err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	m := newMaster(f)
	key := newKey(f, m)
	index := open(f, m, 1, []vault.WrappedKey{key}).Index(vault.PurposeIIN, iin)
	f.Add(key.Wrapped)
	f.Add(newKey(f, m).Wrapped)
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, wrapped []byte) {
		v, err := vault.Open(m, 1, []vault.WrappedKey{{ID: key.ID, Wrapped: wrapped, State: vault.Active}})
		if err == nil && v.Index(vault.PurposeIIN, iin) == index || errors.Is(err, vault.ErrMaster) {
			return
		}
		t.Fatalf("opened as another key, or with another error: %v", err)
	})
}
