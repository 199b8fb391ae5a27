package storage

import (
	"context"

	"plexy/internal/shopper"
)

// HeldCards keeps the cards of payments that are not decided (shopper.Held), one a payment at most.
type HeldCards interface {
	// HoldCard writes a card; ErrConflict when the payment has one. ErrStale as in Shoppers.
	HoldCard(ctx context.Context, h shopper.Held, generation int64) error
	// HeldCard returns the card of a payment, or ErrNotFound.
	HeldCard(ctx context.Context, payment string) (shopper.Held, error)
	// SetHeldCard replaces Secure, Answered and LapsesAt and adds 1 to the version, if that is still h's;
	// and says whether it was.
	SetHeldCard(ctx context.Context, h shopper.Held) (bool, error)
	// DropHeldCard erases the card of a payment, if there is one.
	DropHeldCard(ctx context.Context, payment string) error
	// LapsedCards returns at most limit cards whose LapsesAt has come, the longest due first.
	LapsedCards(ctx context.Context, at int64, limit int) ([]shopper.Held, error)
}
