package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"sync"

	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf/hmacprf"
)

// Index is the blind index of a value: 22 characters of base64url, safe to store and compare. It is made of
// 16 bytes of the function's output. Of 2^33 values, more than there are people, any two share an index with
// a chance below 2^-62; and 16 bytes cost the database half of what 32 would, in every row and look-up.
type Index string

const (
	indexBytes = 16
	indexText  = 22 // characters: 16 bytes in base64 without padding
)

// Books is the number of books that Book deals out.
const Books = 1024

// Book tells in which book (0 to 1023) the wallets of the customer with this IIN index are born. It is a
// hash (FNV-1a, folded to ten bits) of the index's text, so that it works on any index, and it must not
// change: it is written into the ids of what was stored.
func Book(i Index) int {
	const offset, prime = 14695981039346656037, 1099511628211
	sum := uint64(offset)
	for at := range len(i) {
		sum = (sum ^ uint64(i[at])) * prime
	}
	sum ^= sum >> 32
	sum ^= sum>>10 ^ sum>>20
	return int(sum % Books)
}

// indexer computes Tink's HMAC-SHA-256 pseudo-random function with one key. It is the same function as
// Tink's own ComputePRF (a test compares them), which hashes the key anew at each call: two indexes are on
// the way of every authorize, and a hash that remembers its keyed state makes them four times as fast.
type indexer struct {
	ready sync.Pool // of *keyed
}

// keyed is a hash with its key in it, and room to work.
type keyed struct {
	mac     hash.Hash
	message []byte
	output  [sha256.Size]byte
}

var errNotHMAC = errors.New("not a key for HMAC-SHA-256")

func newIndexer(handle *keyset.Handle) (*indexer, error) {
	entry, err := handle.Primary()
	if err != nil {
		return nil, err
	}
	key, ok := entry.Key().(*hmacprf.Key)
	if !ok {
		return nil, errNotHMAC
	}
	parameters, ok := key.Parameters().(*hmacprf.Parameters)
	if !ok || parameters.HashType() != hmacprf.SHA256 {
		return nil, errNotHMAC
	}
	secret := key.KeyBytes().Data(insecuresecretdataaccess.Token{})
	return &indexer{ready: sync.Pool{New: func() any {
		return &keyed{mac: hmac.New(sha256.New, secret)}
	}}}, nil
}

func (x *indexer) index(purpose, value string) Index {
	k := x.ready.Get().(*keyed)
	k.message = appendBound(k.message[:0], purpose, value)
	return x.finish(k)
}

// finish makes the index of k's message, and gives k back.
func (x *indexer) finish(k *keyed) Index {
	k.mac.Reset()
	_, _ = k.mac.Write(k.message) // a hash never fails
	output := k.mac.Sum(k.output[:0])
	var text [indexText]byte
	base64.RawURLEncoding.Encode(text[:], output[:indexBytes])
	clear(k.message) // personal data does not wait in the pool
	x.ready.Put(k)
	return Index(text[:])
}
