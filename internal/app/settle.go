package app

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"plexy/internal/card"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/storage"
	"plexy/internal/vault"
)

// differencesFor is how long an operation is listed of which an answer was not believed.
const differencesFor = 30 * 24 * time.Hour

// Settlement is what a person found out about an operation whose outcome is unknown.
type Settlement struct {
	Operation string // its id
	Outcome   string // approved, declined, or failed: it never happened
	Reference string // the acquirer's reference number (RRN), 1 to 12 letters and digits; "" for none
	Reason    string // who said so, and where it can be looked up: for the audit row; at most 500 characters
}

var referenceForm = regexp.MustCompile(`^[0-9A-Za-z]{0,12}$`)

// maxReason bounds the reason, in bytes.
const maxReason = 500

func (s Settlement) check() error {
	switch payment.State(s.Outcome) {
	case payment.Accepted, payment.Declined, payment.Undone:
	default:
		return usage("--outcome: %q is not approved, declined or failed", s.Outcome)
	}
	switch {
	case !referenceForm.MatchString(s.Reference):
		return usage("--reference must be 1 to 12 letters and digits")
	case strings.TrimSpace(s.Reason) == "" || len(s.Reason) > maxReason:
		return usage("--reason must say why, in at most %d bytes", maxReason)
	case card.HasNumber(s.Reason):
		return usage("--reason must not hold a card number")
	}
	return nil
}

// SettleOperation settles an operation whose outcome is unknown, as if the acquirer had answered, and returns
// its payment. Settled the same way before, it stays as it is. ErrRefused: there is no such operation, or its
// outcome is known.
func (a *App) SettleOperation(ctx context.Context, s Settlement) (CardPayment, error) {
	if err := s.check(); err != nil {
		return CardPayment{}, err
	}
	asked, err := a.Storage.Asked(ctx, s.Operation)
	if errors.Is(err, storage.ErrNotFound) {
		return CardPayment{}, fmt.Errorf("%w: there is no operation %q", ErrRefused, s.Operation)
	}
	if err != nil {
		return CardPayment{}, fmt.Errorf("read an operation: %w", err)
	}
	_, err = a.submit(ctx, func(*vault.Vault) (machine.Command, error) {
		return machine.SettleOperation{
			Attempt: machine.AttemptOf(asked.Payment, asked.Operation), By: a.by(s.Reason),
			Found: payment.Answer{State: payment.State(s.Outcome), RRN: s.Reference},
		}, nil
	}, nil)
	if errors.Is(err, ErrRefused) {
		return CardPayment{}, a.settled(ctx, s.Operation, err)
	}
	if err != nil {
		return CardPayment{}, err
	}
	return a.CardPayment(ctx, asked.Payment.ID)
}

// settled says why an operation cannot be settled: what it is now.
func (a *App) settled(ctx context.Context, operation string, refusal error) error {
	asked, err := a.Storage.Asked(ctx, operation)
	switch o := asked.Operation; {
	case err != nil:
		return refusal
	case o.State == payment.Sent:
		return fmt.Errorf("%w; it is not unknown yet: the acquirer is just being asked", refusal)
	case o.ByHand:
		return fmt.Errorf("%w; a person settled it as %s", refusal, o.State)
	default:
		return fmt.Errorf("%w; the acquirer said that it is %s", refusal, o.State)
	}
}
