package acquiring

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"plexy/internal/card"
	"plexy/internal/core/payment"
	"plexy/internal/shopper"
	"plexy/internal/storage"
	"plexy/internal/vault"
)

const (
	// holdFor is for how long a card is held at first, and how long at a time while its payment stays undecided.
	holdFor = int64(time.Hour / time.Microsecond)
	// holdMost is when it is erased even so: by then the acquirer has been asked for five days.
	holdMost = 7 * 24 * holdFor
	// sealTries bounds how often a rotation of the vault's keys may come in between.
	sealTries = 5
)

// secrets are the CVVs of payers who are in 3-D Secure. They are in this process's memory and nowhere else: a
// payment that goes on in another process, or after a restart, is authorized without one.
type secrets struct {
	mu  sync.Mutex
	cvv map[string]secret
}

type secret struct {
	cvv card.CVV
	at  int64
}

// maxSecrets bounds them; when there are more, all that are over are forgotten, and if that is not enough the
// new one is not kept.
const maxSecrets = 10_000

func (s *secrets) keep(payment string, cvv card.CVV, now int64) {
	if cvv.IsZero() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cvv == nil {
		s.cvv = map[string]secret{}
	}
	if len(s.cvv) >= maxSecrets {
		s.sweep(now)
	}
	if len(s.cvv) < maxSecrets {
		s.cvv[payment] = secret{cvv, now}
	}
}

// forget is sweep from outside.
func (s *secrets) forget(now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
}

// sweep forgets what is over.
func (s *secrets) sweep(now int64) {
	for id, kept := range s.cvv {
		if now >= kept.at+payment.AuthenticationMicros || now < kept.at {
			delete(s.cvv, id)
		}
	}
}

// take returns a CVV, if it is still there, and forgets it.
func (s *secrets) take(payment string) card.CVV {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.cvv[payment]
	delete(s.cvv, payment)
	return kept.cvv
}

// sealing runs fn with the current vault, and again after a refresh while it is of an older generation than
// the database.
func (a *Acquiring) sealing(ctx context.Context, fn func(*vault.Vault) error) (err error) {
	for range sealTries {
		err = fn(a.o.Vaults.Current())
		if !errors.Is(err, storage.ErrStale) && !errors.Is(err, vault.ErrKey) {
			return err
		}
		if failed := a.o.Vaults.Refresh(ctx); failed != nil {
			return failed
		}
	}
	return err
}

// stored returns a merchant's stored card with its number; ErrNotFound when there is none, or it was deleted.
func (a *Acquiring) stored(
	ctx context.Context, merchant, token string,
) (c card.Card, row shopper.Card, err error) {
	err = a.sealing(ctx, func(v *vault.Vault) error {
		if row, err = a.o.Keeper.Card(ctx, merchant, token); err != nil {
			return err
		}
		if row.DeletedAt != 0 {
			return storage.ErrNotFound
		}
		c, err = unseal(v, row)
		return err
	})
	return c, row, err
}

// unseal opens number and holder of a row.
func unseal(v *vault.Vault, row shopper.Card) (c card.Card, err error) {
	c.Expiry = card.Expiry{Year: row.ExpiryYear, Month: row.ExpiryMonth}
	if c.Number, err = v.UnsealCard(row.KeyID, row.ID, row.NumberSealed); err != nil {
		return card.Card{}, err
	}
	if len(row.HolderSealed) > 0 {
		holder, err := v.Unseal(row.KeyID, vault.PurposeCardHolder, row.ID, row.HolderSealed)
		if err != nil {
			return card.Card{}, err
		}
		c.Holder = string(holder)
	}
	return c, nil
}

// seal makes the row of a card.
func seal(v *vault.Vault, row shopper.Card, c card.Card) (shopper.Card, error) {
	number, err := v.SealCard(row.Merchant, row.ID, c.Number)
	if err != nil {
		return row, err
	}
	row.KeyID, row.Print, row.NumberSealed = number.KeyID, string(number.Index), number.Bytes
	row.Brand, row.Last4 = string(c.Number.Brand()), c.Number.Last4()
	row.ExpiryMonth, row.ExpiryYear = c.Expiry.Month, c.Expiry.Year
	row.HolderSealed = nil
	if c.Holder != "" {
		row.HolderSealed, err = v.Seal(vault.PurposeCardHolder, row.ID, []byte(c.Holder))
	}
	return row, err
}

// hold keeps a typed card until its payment is decided.
func (a *Acquiring) hold(ctx context.Context, h shopper.Held, c card.Card) error {
	now := a.o.Clock.Now()
	h.CreatedAt, h.LapsesAt, h.Version = now, now+holdFor, 1
	return a.sealing(ctx, func(v *vault.Vault) (err error) {
		if !c.Number.IsZero() {
			if h.Card, err = seal(v, h.Card, c); err != nil {
				return err
			}
		}
		return a.o.Keeper.HoldCard(ctx, h, v.Generation())
	})
}

// decided stores the held card of a payment that was approved, if it is to be, and erases it. What fails is
// done by the next look at held cards.
func (a *Acquiring) decided(ctx context.Context, p payment.Payment) {
	if p.Stage == payment.Opened || p.Stage == payment.Challenged {
		return
	}
	a.secrets.take(p.ID)
	err := a.release(ctx, p)
	if err != nil {
		a.alarm("a held card was not put away; it will be tried again", slog.String("payment", p.ID),
			slog.String("error", err.Error()))
	}
}

func (a *Acquiring) release(ctx context.Context, p payment.Payment) error {
	err := a.sealing(ctx, func(v *vault.Vault) error {
		h, err := a.o.Keeper.HeldCard(ctx, p.ID)
		if err != nil || !h.Keep || p.Stage != payment.Approved {
			return err
		}
		c, err := unseal(v, h.Card)
		if err != nil {
			return err
		}
		if h.Card, err = seal(v, h.Card, c); err != nil { // under the key of now: a rotation may be under way
			return err
		}
		h.NetworkReference = p.NetworkReference
		err = a.o.Keeper.AddCard(ctx, h.Card, v.Generation())
		if errors.Is(err, storage.ErrConflict) {
			return nil // it was stored before, and not erased
		}
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return a.o.Keeper.DropHeldCard(ctx, p.ID)
}

// cardOf returns the card of a payment that is not decided: the held one, or the stored one that pays.
func (a *Acquiring) cardOf(ctx context.Context, p payment.Payment) (c card.Card, err error) {
	err = a.sealing(ctx, func(v *vault.Vault) error {
		h, err := a.o.Keeper.HeldCard(ctx, p.ID)
		if err != nil {
			return err
		}
		if h.KeyID == "" {
			return storage.ErrNotFound
		}
		c, err = unseal(v, h.Card)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) && p.CardToken != "" {
		c, _, err = a.stored(ctx, p.Merchant, p.CardToken)
	}
	return c, err
}

// knownCard is the card of an authorization as an inquiry names it: the zero Card when it is not known any
// more, which every connector can do with.
func (a *Acquiring) knownCard(ctx context.Context, p payment.Payment) card.Card {
	c, err := a.cardOf(ctx, p)
	if err != nil {
		return card.Card{}
	}
	c.Holder = ""
	return c
}
