package storage

import (
	"context"

	"plexy/internal/core/machine"
	"plexy/internal/shopper"
)

// Shoppers keeps merchants' customers, their saved cards, sessions of the hosted page and the keys of direct
// payments. None of it decides about money.
//
// What is sealed was sealed by the vault of some generation, which the caller names: ErrStale when that is
// not the current one, so that a rotation of keys ends with nothing under the old one.
type Shoppers interface {
	// CreateShopper writes a shopper. ErrConflict: the merchant has one with one of the pairs, which are the
	// shopper's own under every live key.
	CreateShopper(ctx context.Context, s shopper.Shopper, pairs []shopper.Pair, generation int64) error
	// Shopper returns the merchant's shopper, or ErrNotFound.
	Shopper(ctx context.Context, merchant, id string) (shopper.Shopper, error)
	// ShopperByPair returns the merchant's shopper with one of the pairs, or ErrNotFound.
	ShopperByPair(ctx context.Context, merchant string, pairs []shopper.Pair) (shopper.Shopper, error)
	// Shoppers returns at most limit shoppers of the merchant, newest first, after the offset newest ones;
	// and how many there are.
	Shoppers(ctx context.Context, merchant string, offset, limit int) ([]shopper.Shopper, int, error)

	// AddCard writes a card; ErrConflict when there is one with this id.
	AddCard(ctx context.Context, c shopper.Card, generation int64) error
	// Card returns the merchant's card, deleted or not, or ErrNotFound.
	Card(ctx context.Context, merchant, id string) (shopper.Card, error)
	// CardByPrint returns the newest card of the shopper with one of these prints that is not deleted, or
	// ErrNotFound.
	CardByPrint(ctx context.Context, merchant, shopperID string, prints []string) (shopper.Card, error)
	// Cards returns at most limit cards of the shopper that are not deleted, newest first.
	Cards(ctx context.Context, merchant, shopperID string, limit int) ([]shopper.Card, error)
	// DeleteCard notes when the card was deleted, once, and erases what is sealed of it and its print.
	// ErrNotFound when the merchant has no such card, or it was deleted before.
	DeleteCard(ctx context.Context, merchant, id string, at int64) error

	// CreateSession writes a session; ErrConflict when there is one with this id.
	CreateSession(ctx context.Context, s shopper.Session, generation int64) error
	// Session returns a session by its id, or ErrNotFound.
	Session(ctx context.Context, id string) (shopper.Session, error)
	// SweepSessions erases the signers of at most limit sessions that expired before the given time, and says
	// how many.
	SweepSessions(ctx context.Context, before int64, limit int) (int, error)

	// AddDirectKey writes a key of direct payments.
	AddDirectKey(ctx context.Context, k shopper.DirectKey, generation int64, audit machine.Audit) error
	// DirectKeys returns all keys of direct payments, newest first.
	DirectKeys(ctx context.Context) ([]shopper.DirectKey, error)
	// RetireDirectKey notes when the key was retired, once; ErrNotFound when there is no such key.
	RetireDirectKey(ctx context.Context, id string, at int64, audit machine.Audit) error
	// DropDirectKeys deletes the keys that were retired before the given time, and says how many.
	DropDirectKeys(ctx context.Context, before int64) (int, error)

	// SealedUnder returns at most limit records of a kind that are sealed under keyID, in order of id after
	// after.
	SealedUnder(ctx context.Context, kind SealedKind, keyID, after string, limit int) ([]Sealed, error)
	// ResealRecords replaces key, indexes and sealed fields of records that are still sealed as was says; the
	// others are left alone. It returns how many were replaced. Both name the same records in one order.
	ResealRecords(ctx context.Context, kind SealedKind, was, now []Sealed) (int, error)
}

// SealedKind is a kind of record with sealed fields.
type SealedKind int

// The kinds, each with the order of its indexes and of its fields in a Sealed.
const (
	SealedShoppers   SealedKind = iota // indexes: e-mail, phone; fields: e-mail, phone, name
	SealedCards                        // index: print; fields: number, holder
	SealedSessions                     // field: signer
	SealedDirectKeys                   // field: private key
	SealedHeldCards                    // as SealedCards
)

// SealedKinds are all kinds.
var SealedKinds = []SealedKind{
	SealedShoppers, SealedCards, SealedSessions, SealedDirectKeys, SealedHeldCards,
}

// Sealed is what a rotation of the vault's keys replaces of a record. The first field is never empty: that it
// is the same says that the record was not touched since.
type Sealed struct {
	ID, Merchant, KeyID string // Merchant is "" for records of the installation
	Indexes             []string
	Fields              [][]byte
}
