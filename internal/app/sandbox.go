package app

import (
	"context"
	"errors"
	"fmt"

	"plexy/internal/clock"
	"plexy/internal/core/money"
	"plexy/internal/customer"
	"plexy/internal/httpapi"
	"plexy/internal/sandbox"
)

// sandbox is what the door shows of a sandbox; nil in production.
func (s *Server) sandbox() httpapi.Sandbox {
	if s.app.test == nil {
		return nil
	}
	return playground{s.app}
}

// playground is a sandbox's side of the door.
type playground struct{ app *App }

// Clock shows the test clock.
func (p playground) Clock(ctx context.Context) (httpapi.TestClock, error) {
	c, err := p.app.TestClock(ctx)
	return httpapi.TestClock(c), err
}

// SetClock changes the test clock.
func (p playground) SetClock(ctx context.Context, c clock.Change, why string) (httpapi.TestClock, error) {
	shown, err := p.app.SetTestClock(ctx, c, why)
	return httpapi.TestClock(shown), err
}

// Fault returns what a merchant has dialled.
func (p playground) Fault(merchant string) sandbox.Dial { return p.app.fault(merchant) }

func (a *App) fault(merchant string) sandbox.Dial {
	if faults := a.faults.Load(); faults != nil {
		return (*faults)[merchant]
	}
	return sandbox.Dial{}
}

// Payer returns the IIN of the test person with a magic phone number. At the first use of a number and a
// currency in this process it makes sure that the wallet is open and has money: the reference has one effect
// for ever, so all processes together do it once.
func (p playground) Payer(ctx context.Context, payer sandbox.Payer, currency money.Currency) (
	customer.IIN, bool, error) {
	iin, phone := customer.Magic(payer.Number)
	use := magicUse{payer.Number, currency}
	if _, ready := p.app.magic.Load(use); ready {
		return iin, true, nil
	}
	_, err := p.app.Fund(ctx, Funding{
		Direction: TopUp, Amount: sandbox.Funds, Reason: "magic value of the sandbox",
		Holder:    Holder{Phone: phone.Reveal(), IIN: iin.Reveal(), Currency: string(currency)},
		Reference: fmt.Sprintf("plexy-magic-%04d-%s", payer.Number, currency),
	})
	if errors.Is(err, ErrRefused) { // somebody here has that phone, or that IIN with another phone
		return customer.IIN{}, false, nil
	}
	if err != nil {
		return customer.IIN{}, false, fmt.Errorf("fund a magic wallet: %w", err)
	}
	p.app.magic.Store(use, true)
	return iin, true, nil
}

// magicUse is a magic number in one currency. There are a few thousand of them.
type magicUse struct {
	number   int
	currency money.Currency
}

// MagicWallet reports whether a wallet is one of a test person's.
func (p playground) MagicWallet(ctx context.Context, walletID string) (bool, error) {
	for _, payer := range sandbox.Payers() {
		iin, _ := customer.Magic(payer.Number)
		found, err := p.app.customer(ctx, iin)
		if errors.Is(err, ErrRefused) {
			continue // nobody has used that number yet
		}
		if err != nil {
			return false, err
		}
		for _, w := range found.wallets {
			if w.ID == walletID {
				return true, nil
			}
		}
	}
	return false, nil
}

// followSandbox puts into force what was done to the sandbox by other processes: its clock and the faults of
// its merchants.
func (a *App) followSandbox(ctx context.Context) error {
	if err := a.followClock(ctx); err != nil {
		return err
	}
	faults, err := a.Storage.Faults(ctx)
	if err != nil {
		return err
	}
	if len(faults) == 0 {
		a.faults.Store(nil)
	} else {
		a.faults.Store(&faults)
	}
	return nil
}
