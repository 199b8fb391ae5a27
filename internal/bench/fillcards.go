package bench

import (
	"context"
	"errors"
	"fmt"

	"plexy/internal/app"
	"plexy/internal/clock"
	"plexy/internal/commit"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/id"
	"plexy/internal/shopper"
)

const (
	// filledTogether is how many payments FillPayments commits at once.
	filledTogether = 256
	// filledMicros is over how long the payments are spread: they are those of one day.
	filledMicros = 24 * 60 * 60 * 1_000_000
	// numberedTogether is how many of their events are numbered at once.
	numberedTogether = 10_000

	filledPrefix = "PAID-"
)

// filledOrder is the order reference of the n-th payment that FillPayments makes. Its digits are too few to
// look like those of a card.
func filledOrder(n int64) string { return fmt.Sprintf("%s%08d", filledPrefix, n) }

// FillPayments makes n sales of amountMinor by the merchant's stored cards, evenly over the last 24 hours,
// and numbers their events. Each is decided by the core and saved by the keeper as any payment is: begun,
// approved, captured, in one batch with hundreds of others. What it spares is the requests, the replies
// under their keys and the pretend bank, which is told nothing: these payments cannot be refunded there. It
// is run once on a database.
func FillPayments(ctx context.Context, a *app.App, merchant string, n int64) error {
	cards, err := storedCards(ctx, a, merchant)
	if err != nil {
		return err
	}
	now := clock.System{}.Now()
	f := &filler{cards: cards, at: clock.NewManual(now - filledMicros), batch: commit.Batch{Storage: a.Storage}}
	f.batch.Clock, f.ids = f.at, id.NewMakerAt(f.at.Now)
	for made := int64(0); made < n; {
		f.batch.Instructions = f.batch.Instructions[:0]
		f.at.Set(now - filledMicros + filledMicros/n*made) // ids and records of a batch have one time
		for ; made < n && len(f.batch.Instructions) < filledTogether*stepsOfSale; made++ {
			f.sell(made)
		}
		outcomes, err := f.batch.Run(ctx)
		if err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		for _, o := range outcomes {
			if o.Reason != "" {
				return fmt.Errorf("a payment was refused: %s", o.Reason)
			}
		}
	}
	for numbered := 1; numbered > 0; {
		if numbered, err = a.Storage.Number(ctx, now, numberedTogether); err != nil {
			return fmt.Errorf("number the events: %w", err)
		}
	}
	return nil
}

// storedCards are all cards of the merchant's customers.
func storedCards(ctx context.Context, a *app.App, merchant string) (cards []shopper.Card, err error) {
	const together = 100
	for offset := 0; ; offset += together {
		shoppers, total, err := a.Storage.Shoppers(ctx, merchant, offset, together)
		if err != nil {
			return nil, fmt.Errorf("list the customers: %w", err)
		}
		for _, s := range shoppers {
			found, err := a.Storage.Cards(ctx, merchant, s.ID, together)
			if err != nil {
				return nil, fmt.Errorf("list the cards: %w", err)
			}
			cards = append(cards, found...)
		}
		if offset+together >= total {
			break
		}
	}
	if len(cards) == 0 {
		return nil, errors.New("the merchant has no customer with a stored card")
	}
	return cards, nil
}

// filler makes the instructions of payments.
type filler struct {
	cards []shopper.Card
	at    *clock.Manual
	ids   *id.Maker
	batch commit.Batch
}

// stepsOfSale is how many instructions sell makes.
const stepsOfSale = 4

// sell adds what takes the n-th payment from its request to its capture.
func (f *filler) sell(n int64) {
	card := f.cards[n%int64(len(f.cards))]
	at := machine.Attempt{Payment: f.ids.UUID(), Operation: f.ids.UUID()}
	facts := payment.Facts{
		ID: at.Payment, Merchant: card.Merchant, Shopper: card.Shopper, CardToken: card.ID, Connector: "sandbox",
		Currency: money.KZT, Amount: amountMinor, OrderReference: filledOrder(n), Kind: payment.Sale,
		AutoClearing: true,
		Card: payment.Card{
			Brand: card.Brand, Last4: card.Last4,
			Expiry: fmt.Sprintf("%02d/%02d", card.ExpiryMonth, card.ExpiryYear%100),
		},
	}
	said := payment.Answer{
		State: payment.Accepted, Amount: amountMinor, Code: "00", RRN: fmt.Sprintf("%012d", 2*n),
	}
	held := said
	held.AuthCode, held.NetworkReference = fmt.Sprintf("%06d", n%1_000_000), fmt.Sprintf("SBX%012d", n)
	said.RRN = fmt.Sprintf("%012d", 2*n+1)
	capture := at
	capture.Operation = f.ids.UUID()
	origin := journal.Origin{RequestID: f.ids.New(id.Request)}
	for _, command := range [stepsOfSale]machine.Command{
		machine.BeginPayment{Facts: facts, Operation: at.Operation},
		machine.RecordAnswer{Attempt: at, Answer: held},
		machine.ClearPayment{Payment: at.Payment, Operation: capture.Operation},
		machine.RecordAnswer{Attempt: capture, Answer: said},
	} {
		f.batch.Instructions = append(f.batch.Instructions, machine.Instruction{Command: command, Origin: origin})
	}
}
