package vault

import (
	"slices"

	"plexy/internal/card"
)

// Purposes of what is kept of cards. They are part of what is stored and must not change. There is none for a
// CVV, and no method here takes one: it is never kept, not even sealed (PCI DSS 3.3.1).
const (
	PurposeCardNumber = "card.number"
	PurposeCardHolder = "card.holder"
	PurposeDirectKey  = "direct.key"
)

// SealCard seals a card number for the record with that id, under the active key. The index is the number's
// print: equal for the same number of the same merchant under the same key, and of no use to another
// merchant.
func (v *Vault) SealCard(merchant, recordID string, n card.Number) (Sealed, error) {
	digits := n.Append(make([]byte, 0, maxCardDigits))
	defer clear(digits)
	sealed, err := v.Seal(PurposeCardNumber, recordID, digits)
	if err != nil {
		return Sealed{}, err
	}
	return Sealed{KeyID: v.KeyID(), Index: v.live[0].print(merchant, n), Bytes: sealed}, nil
}

// UnsealCard opens what SealCard made for the record with that id. It fails with ErrKey or ErrSealed.
func (v *Vault) UnsealCard(keyID, recordID string, sealed []byte) (card.Number, error) {
	digits, err := v.Unseal(keyID, PurposeCardNumber, recordID, sealed)
	if err != nil {
		return card.Number{}, err
	}
	defer clear(digits)
	n, err := card.ParseNumber(digits)
	if err != nil {
		return card.Number{}, ErrSealed // by somebody who has the key, and not by SealCard
	}
	return n, nil
}

// CardPrints are the prints of a merchant's card number under every live key, the active one's first: a
// record that a rotation has not reached yet is found by a later one.
func (v *Vault) CardPrints(merchant string, n card.Number) []Index {
	prints := make([]Index, len(v.live))
	for at, key := range v.live {
		prints[at] = key.print(merchant, n)
	}
	return prints
}

// ResealCard is Reseal for what SealCard made.
func (v *Vault) ResealCard(merchant, recordID string, was Sealed) (Sealed, error) {
	key := v.key(was.KeyID)
	if key == nil {
		return Sealed{}, ErrKey
	}
	n, err := v.UnsealCard(was.KeyID, recordID, was.Bytes)
	if err != nil {
		return Sealed{}, err
	}
	if key.print(merchant, n) != was.Index {
		return Sealed{}, ErrIndex
	}
	if key == v.live[0] {
		return was, nil
	}
	return v.SealCard(merchant, recordID, n)
}

// ResealField is Reseal for a field that has no index, such as a holder's name: it returns what was sealed
// under any live key, sealed under the active one.
func (v *Vault) ResealField(keyID, purpose, recordID string, sealed []byte) ([]byte, error) {
	clearText, err := v.Unseal(keyID, purpose, recordID, sealed)
	if err != nil || keyID == v.KeyID() {
		return sealed, err
	}
	defer clear(clearText)
	return v.Seal(purpose, recordID, clearText)
}

const maxCardDigits = 19 // ISO/IEC 7812-1

// print is the blind index of a merchant's card number. The digits are in no text that could not be cleared.
func (x *indexer) print(merchant string, n card.Number) Index {
	k := x.ready.Get().(*keyed)
	// Room for all of it first: what is appended must not move and leave digits behind.
	k.message = slices.Grow(k.message[:0], 2+len(PurposeCardNumber)+len(merchant)+maxCardDigits)
	k.message = appendBound(k.message, PurposeCardNumber, "")
	k.message = appendBound(k.message, merchant, "")
	k.message = n.Append(k.message)
	return x.finish(k)
}
