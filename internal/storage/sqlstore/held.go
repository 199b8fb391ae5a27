package sqlstore

import (
	"context"

	"plexy/internal/shopper"
)

const heldColumns = "id, merchant_id, shopper_id, brand, last4, expiry_month, expiry_year, key_id, print, " +
	"number_sealed, holder_sealed, payment_id, created_at, keep, secure, answered, version, lapses_at"

func scanHeld(r Row) shopper.Held {
	h := shopper.Held{Card: shopper.Card{
		ID: r.Text(), Merchant: r.Text(), Shopper: r.Text(), Brand: r.Text(), Last4: r.Text(),
		ExpiryMonth: int(r.Int64()), ExpiryYear: int(r.Int64()), KeyID: r.Text(), Print: r.Text(),
		NumberSealed: r.Bytes(), HolderSealed: r.Bytes(), Payment: r.Text(), CreatedAt: r.Int64(),
	}}
	h.Keep, h.Secure, h.Answered, h.Version, h.LapsesAt = r.Bool(), r.Bytes(), r.Text(), r.Int64(), r.Int64()
	return h
}

// HoldCard writes a card; ErrConflict when the payment has one.
func (s *Store) HoldCard(ctx context.Context, h shopper.Held, generation int64) error {
	return s.sealed(ctx, "hold a card", generation, func(db DB) error {
		return insert(ctx, db, "held_cards", heldColumns, h.ID, h.Merchant, h.Shopper, h.Brand, h.Last4,
			int64(h.ExpiryMonth), int64(h.ExpiryYear), h.KeyID, h.Print, h.NumberSealed, h.HolderSealed,
			h.Payment, h.CreatedAt, h.Keep, h.Secure, h.Answered, h.Version, h.LapsesAt)
	})
}

// HeldCard returns the card of a payment, or ErrNotFound.
func (s *Store) HeldCard(ctx context.Context, payment string) (shopper.Held, error) {
	return readOne(ctx, s, query[shopper.Held]{
		what: "read a held card", sql: "select " + heldColumns + " from held_cards where payment_id = $1",
		args: []any{payment}, scan: scanHeld,
	})
}

// SetHeldCard replaces what is not sealed, if nobody did since h was read.
func (s *Store) SetHeldCard(ctx context.Context, h shopper.Held) (bool, error) {
	var n int64
	err := s.aside(ctx, "change a held card", func(db DB) (err error) {
		n, err = db.Exec(ctx, "update held_cards set secure = $1, answered = $2, lapses_at = $3, "+
			"version = version + 1 where payment_id = $4 and version = $5",
			[]any{h.Secure, h.Answered, h.LapsesAt, h.Payment, h.Version})
		return err
	})
	return n > 0, err
}

// DropHeldCard erases the card of a payment, if there is one.
func (s *Store) DropHeldCard(ctx context.Context, payment string) error {
	return s.aside(ctx, "drop a held card", func(db DB) error {
		_, err := db.Exec(ctx, "delete from held_cards where payment_id = $1", []any{payment})
		return err
	})
}

// LapsedCards returns at most limit cards whose time has come, the longest due first.
func (s *Store) LapsedCards(ctx context.Context, at int64, limit int) ([]shopper.Held, error) {
	return readAll(ctx, s, query[shopper.Held]{
		what: "list held cards",
		sql:  "select " + heldColumns + " from held_cards where lapses_at <= $1 order by lapses_at, id limit $2",
		args: []any{at, int64(limit)}, scan: scanHeld,
	})
}
