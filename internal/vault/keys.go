package vault

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// States of a data key.
const (
	Active   = "active"   // seals, opens and indexes; a set of keys has exactly one
	Retiring = "retiring" // opens and finds what a rotation has not reached yet
)

const keyPrefix = "dk_" // data key

// wrappedVersion is the first byte of a wrapped key. After it come the length of the first key set, in two
// bytes, the key set that seals and the key set that indexes, each encrypted by the master key.
const wrappedVersion = 1

// What can go wrong with a set of keys.
var (
	// ErrMaster says that data keys do not open: the master key is another one, or they were altered.
	ErrMaster = errors.New("vault: the master key does not open the data keys")
	// ErrKeys says that a set of keys is not one: no active key or several, an id twice, an unknown state.
	ErrKeys = errors.New("vault: not a set of data keys")
	// ErrRotating says that a key is still retiring, so that another rotation has to be finished first.
	ErrRotating = errors.New("vault: another rotation is not finished")
)

// WrappedKey is a data key as the database keeps it.
type WrappedKey struct {
	ID      string // "dk_" and 16 hex digits
	Wrapped []byte // encrypted by the master key, bound to the id
	State   string // Active or Retiring
}

// NewKey makes a fresh active data key.
func NewKey(m *Master) (WrappedKey, error) {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand aborts the program instead
	id := keyPrefix + hex.EncodeToString(random[:])

	seal, err := newKeyset(m, id, "seal", aead.AES256GCMKeyTemplate())
	if err != nil {
		return WrappedKey{}, err
	}
	index, err := newKeyset(m, id, "index", prf.HMACSHA256PRFKeyTemplate())
	if err != nil {
		return WrappedKey{}, err
	}
	wrapped := binary.BigEndian.AppendUint16([]byte{wrappedVersion}, uint16(len(seal)))
	wrapped = append(append(wrapped, seal...), index...)
	return WrappedKey{ID: id, Wrapped: wrapped, State: Active}, nil
}

// Rotate makes the set of keys that begins a rotation: a fresh active key, and the old active one retiring.
// The keys given are not changed. ErrRotating if one is retiring already, ErrKeys if they are not a set.
func Rotate(m *Master, keys []WrappedKey) ([]WrappedKey, error) {
	old, err := active(keys)
	if err != nil {
		return nil, err
	}
	if len(keys) > 1 {
		return nil, ErrRotating
	}
	// A process with another master key must not add a key that no server could open.
	if _, err := unwrap(m, old); err != nil {
		return nil, err
	}
	fresh, err := NewKey(m)
	if err != nil {
		return nil, err
	}
	old.State = Retiring
	return []WrappedKey{fresh, old}, nil
}

// Retire makes the set of keys that ends a rotation: the active one alone. What is still sealed under
// another one is lost with it, so the caller has made sure that there is nothing. ErrKeys if the keys are
// not a set.
func Retire(keys []WrappedKey) ([]WrappedKey, error) {
	last, err := active(keys)
	if err != nil {
		return nil, err
	}
	return []WrappedKey{last}, nil
}

// Open unwraps a set of keys, as the database had it at that generation, in any order. ErrMaster if the
// master key does not fit, ErrKeys if the keys are not a set.
func Open(m *Master, generation int64, keys []WrappedKey) (*Vault, error) {
	first, err := active(keys)
	if err != nil {
		return nil, err
	}
	v := &Vault{generation: generation}
	for _, wrapped := range keys {
		key, err := unwrap(m, wrapped)
		if err != nil {
			return nil, err
		}
		v.live = append(v.live, key)
	}
	for at, key := range v.live {
		if key.id == first.ID {
			v.live[0], v.live[at] = key, v.live[0]
		}
	}
	return v, nil
}

// active checks that keys are a set and returns the active one.
func active(keys []WrappedKey) (WrappedKey, error) {
	var found []WrappedKey
	ids := make(map[string]bool, len(keys))
	for _, key := range keys {
		if key.ID == "" || ids[key.ID] {
			return WrappedKey{}, fmt.Errorf("%w: an id is missing or there twice", ErrKeys)
		}
		ids[key.ID] = true
		switch key.State {
		case Active:
			found = append(found, key)
		case Retiring:
		default:
			return WrappedKey{}, fmt.Errorf("%w: unknown state", ErrKeys)
		}
	}
	if len(found) != 1 {
		return WrappedKey{}, fmt.Errorf("%w: %d active keys, want 1", ErrKeys, len(found))
	}
	return found[0], nil
}

// newKeyset makes a Tink key set of one key, encrypted by the master key for its id and its part.
func newKeyset(m *Master, id, part string, template *tinkpb.KeyTemplate) ([]byte, error) {
	handle, err := keyset.NewHandle(template)
	if err != nil {
		return nil, fmt.Errorf("vault: make a key to %s: %w", part, err)
	}
	var encrypted bytes.Buffer
	writer := keyset.NewBinaryWriter(&encrypted)
	if err := handle.WriteWithAssociatedData(writer, m.wrap, bind(part, id)); err != nil {
		return nil, fmt.Errorf("vault: wrap a key to %s: %w", part, err)
	}
	return encrypted.Bytes(), nil
}

// unwrap answers every failure with ErrMaster: what Tink says of bytes it could not read helps nobody.
func unwrap(m *Master, key WrappedKey) (*dataKey, error) {
	const head = 3
	if len(key.Wrapped) < head || key.Wrapped[0] != wrappedVersion {
		return nil, ErrMaster
	}
	length, rest := int(binary.BigEndian.Uint16(key.Wrapped[1:])), key.Wrapped[head:]
	if length > len(rest) {
		return nil, ErrMaster
	}
	seal, err := readKeyset(m, key.ID, "seal", rest[:length])
	if err != nil {
		return nil, ErrMaster
	}
	index, err := readKeyset(m, key.ID, "index", rest[length:])
	if err != nil {
		return nil, ErrMaster
	}
	sealer, err := aead.New(seal)
	if err != nil {
		return nil, ErrMaster
	}
	indexer, err := newIndexer(index)
	if err != nil {
		return nil, ErrMaster
	}
	return &dataKey{id: key.ID, aead: sealer, indexer: indexer}, nil
}

func readKeyset(m *Master, id, part string, encrypted []byte) (*keyset.Handle, error) {
	reader := keyset.NewBinaryReader(bytes.NewReader(encrypted))
	return keyset.ReadWithAssociatedData(reader, m.wrap, bind(part, id))
}
