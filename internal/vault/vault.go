// Package vault seals personal data and card numbers at rest and finds them again without opening them. It
// holds the RSA keys of direct payments, too, and opens what clients encrypted under them.
//
// Each value that identifies a person, an IIN or a phone number, is stored in two forms and never in clear.
// Sealed: AES-256-GCM with the field's purpose and the record's id as associated data, so that a sealed
// value copied to another field or record does not open. Indexed: a keyed pseudo-random function
// (HMAC-SHA-256) of purpose and value, which is equal for equal values and tells nothing to who has no key:
// there are only some 10^12 IINs, a hash without a key would be undone in an hour. Algorithms, key sets and
// their encoding are Tink's.
//
// There are two floors of keys. The master key is outside of the database, in a file or the environment. It
// wraps the data keys, which are inside. One data key is active: it seals and indexes. Others may be
// retiring: they still open and find, while a rotation seals everything anew. The database counts the
// changes of its set of keys; a Vault belongs to one such generation and never changes.
//
// A rotation goes: Rotate makes the next set of keys (generation + 1); every record is sealed anew with
// Reseal, in batches, while servers work; when no record is left under the old key, Retire makes the set
// without it (generation + 2).
//
// Nothing here logs, and no error contains a key, a value or an index.
package vault

import (
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/tink"
)

// Purposes keep the fields apart: the same digits as an IIN and as a phone have different indexes, and a
// sealed IIN does not open as a phone. They are part of what is stored and must not change.
const (
	PurposeIIN   = "customer.iin"
	PurposePhone = "customer.phone"

	PurposeShopperEmail  = "shopper.email"
	PurposeShopperPhone  = "shopper.phone"
	PurposeShopperName   = "shopper.name"
	PurposeCardNumber    = "card.number"
	PurposeCardHolder    = "card.holder"
	PurposeCardPrint     = "card.print" // indexes what CardPrint makes; seals nothing
	PurposeSessionSigner = "session.signer"
	PurposeDirectKey     = "direct.key"
)

// CardPrint is the text whose index tells a merchant's cards apart: two merchants cannot compare theirs.
func CardPrint(merchant, number string) string { return merchant + ":" + number }

// What can go wrong with a sealed value.
var (
	// ErrKey says that the vault has no such data key (any more): the record is of another generation.
	ErrKey = errors.New("vault: no such data key in this generation")
	// ErrSealed says that a sealed value does not open: it was altered, or moved from another record or
	// field, or sealed under another key.
	ErrSealed = errors.New("vault: the sealed value does not open")
	// ErrIndex says that a record's index is not the index of what is sealed beside it.
	ErrIndex = errors.New("vault: the index does not belong to the sealed value")
)

// Vault seals, opens and indexes under the data keys of one generation. It never changes and may be used by
// any number of goroutines.
type Vault struct {
	generation int64
	live       []*dataKey // the active one first
}

// dataKey is one data key, ready for use.
type dataKey struct {
	id   string
	aead tink.AEAD
	*indexer
}

// Generation is the number that the database gave to this set of keys.
func (v *Vault) Generation() int64 { return v.generation }

// KeyID is the id of the active data key: the one to be stored beside what Seal and Index make.
func (v *Vault) KeyID() string { return v.live[0].id }

// String tells the generation and no key.
func (v *Vault) String() string { return fmt.Sprintf("vault.Vault(generation %d)", v.generation) }

// GoString is String.
func (v *Vault) GoString() string { return v.String() }

// Seal encrypts clear, which may be empty, for one field of one record under the active key. Two seals of
// the same value differ. The purpose has 1 to 255 bytes.
func (v *Vault) Seal(purpose, recordID string, clear []byte) ([]byte, error) {
	sealed, err := v.live[0].aead.Encrypt(clear, bind(purpose, recordID))
	if err != nil {
		return nil, fmt.Errorf("vault: seal for %s: the cipher failed", purpose)
	}
	return sealed, nil
}

// Unseal decrypts what Seal made for the same field of the same record under the key with that id. It fails
// with ErrKey or ErrSealed.
func (v *Vault) Unseal(keyID, purpose, recordID string, sealed []byte) ([]byte, error) {
	key := v.key(keyID)
	if key == nil {
		return nil, ErrKey
	}
	clear, err := key.aead.Decrypt(sealed, bind(purpose, recordID))
	if err != nil {
		return nil, ErrSealed
	}
	return clear, nil
}

// Index is the blind index of clear under the active key. The purpose has 1 to 255 bytes.
func (v *Vault) Index(purpose, clear string) Index {
	return v.live[0].index(purpose, clear)
}

// Indexes are the blind indexes of clear under every live key, the active one's first: a record that a
// rotation has not reached yet is found by a later one.
func (v *Vault) Indexes(purpose, clear string) []Index {
	indexes := make([]Index, len(v.live))
	for at, key := range v.live {
		indexes[at] = key.index(purpose, clear)
	}
	return indexes
}

// Sealed is one field of a record as it is stored.
type Sealed struct {
	KeyID string // the data key of both
	Index Index
	Bytes []byte
}

// Reseal opens a field sealed under any live key and seals and indexes it anew under the active one. What
// already is under the active key comes back as it was. A field whose index does not belong to what is
// sealed is refused with ErrIndex: it would be found by one value and show another. Other errors are
// ErrKey and ErrSealed.
func (v *Vault) Reseal(purpose, recordID string, was Sealed) (Sealed, error) {
	key := v.key(was.KeyID)
	if key == nil {
		return Sealed{}, ErrKey
	}
	clear, err := v.Unseal(was.KeyID, purpose, recordID, was.Bytes)
	if err != nil {
		return Sealed{}, err
	}
	if key.index(purpose, string(clear)) != was.Index {
		return Sealed{}, ErrIndex
	}
	if key == v.live[0] {
		return was, nil
	}
	sealed, err := v.Seal(purpose, recordID, clear)
	if err != nil {
		return Sealed{}, err
	}
	return Sealed{KeyID: v.KeyID(), Index: v.Index(purpose, string(clear)), Bytes: sealed}, nil
}

func (v *Vault) key(id string) *dataKey {
	for _, key := range v.live {
		if key.id == id {
			return key
		}
	}
	return nil
}

// bind joins a purpose and a text so that no other pair gives the same bytes: the length goes first.
func bind(purpose, text string) []byte {
	return appendBound(make([]byte, 0, 1+len(purpose)+len(text)), purpose, text)
}

// appendBound appends what bind makes to dst. A purpose that does not fit is a mistake in the program.
func appendBound(dst []byte, purpose, text string) []byte {
	if len(purpose) == 0 || len(purpose) > 255 {
		panic("vault: a purpose has 1 to 255 bytes")
	}
	dst = append(dst, byte(len(purpose)))
	dst = append(dst, purpose...)
	return append(dst, text...)
}
