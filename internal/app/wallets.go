package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"plexy/internal/commit"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/customer"
	"plexy/internal/id"
	"plexy/internal/storage"
	"plexy/internal/vault"
)

// staleTries bounds how often an instruction is made anew because the vault's keys changed under it. A
// rotation changes them twice.
const staleTries = 10

// Holder names a wallet from outside: who holds it and in which currency.
type Holder struct{ Phone, IIN, Currency string }

// Wallet is a wallet as staff see it, in minor units. Pending is what is held, a positive amount.
type Wallet struct {
	WalletID  string `json:"walletId"`
	Currency  string `json:"currency"`
	Available int64  `json:"available"`
	Pending   int64  `json:"pending"`
	Posted    int64  `json:"posted"`
	Status    string `json:"status"` // active or blocked
}

// payer is a checked Holder.
type payer struct {
	phone    customer.Phone
	iin      customer.IIN
	currency money.Currency
}

// check reads the three words that name a wallet. Its errors do not repeat what is personal.
func (h Holder) check() (payer, error) {
	phone, err := customer.ParsePhone(h.Phone)
	if err != nil {
		return payer{}, usage("--phone: %v", err)
	}
	iin, err := customer.ParseIIN(h.IIN)
	if err != nil {
		return payer{}, usage("--iin: %v", err)
	}
	currency, ok := money.Lookup(h.Currency)
	if !ok {
		return payer{}, usage("--currency: %q is not an upper-case ISO 4217 code that has minor units", h.Currency)
	}
	return payer{phone, iin, currency}, nil
}

// who makes the indexes of the payer under every live key.
func (p payer) who(v *vault.Vault) machine.Who {
	return machine.Who{
		IIN: texts(v.Indexes(vault.PurposeIIN, p.iin.Reveal())), Generation: v.Generation(),
		Phone: texts(v.Indexes(vault.PurposePhone, p.phone.Reveal())),
	}
}

func texts(indexes []vault.Index) []string {
	out := make([]string, len(indexes))
	for i, index := range indexes {
		out[i] = string(index)
	}
	return out
}

// opening seals what a new customer and wallet would need.
func (a *App) opening(p payer, v *vault.Vault) (machine.Opening, error) {
	c := wallet.Customer{ID: a.ids.New(id.Customer), KeyID: v.KeyID()}
	c.IINIndex = string(v.Index(vault.PurposeIIN, p.iin.Reveal()))
	c.PhoneIndex = string(v.Index(vault.PurposePhone, p.phone.Reveal()))
	var err error
	if c.IINSealed, err = v.Seal(vault.PurposeIIN, c.ID, []byte(p.iin.Reveal())); err != nil {
		return machine.Opening{}, err
	}
	if c.PhoneSealed, err = v.Seal(vault.PurposePhone, c.ID, []byte(p.phone.Reveal())); err != nil {
		return machine.Opening{}, err
	}
	return machine.Opening{
		WalletStem: id.Wallet + a.ids.Stem(), Book: vault.Book(vault.Index(c.IINIndex)), Customer: c,
	}, nil
}

func (a *App) by(reason string) machine.By {
	return machine.By{ID: a.ids.New(id.Audit), Actor: a.actor, Reason: reason}
}

// submit commits the instruction that build makes, and makes it anew when the vault's keys changed.
func (a *App) submit(ctx context.Context, build func(*vault.Vault) (machine.Command, error),
	render func(machine.Outcome) machine.Reply) (machine.Outcome, error) {
	origin := journal.Origin{RequestID: a.ids.New(id.Request)}
	for range staleTries {
		command, err := build(a.vaults.Current())
		if err != nil {
			return machine.Outcome{}, err
		}
		in := machine.Instruction{Command: command, Origin: origin, Render: render}
		o, err := commit.RunOne(ctx, a.Storage, a.clock, in)
		if errors.Is(err, commit.ErrStale) {
			if err := a.vaults.Refresh(ctx); err != nil {
				return o, err
			}
			continue
		}
		if errors.Is(err, storage.ErrUncertain) {
			return o, fmt.Errorf("nobody knows whether it was done; look, or run it again with the same "+
				"--reference if it had one: %w", err)
		}
		if err != nil {
			return o, fmt.Errorf("commit: %w", err)
		}
		if o.Reason != "" {
			return o, refused(o.Reason)
		}
		return o, nil
	}
	return machine.Outcome{}, fmt.Errorf("the vault's keys are being changed; try again: %w", commit.ErrStale)
}

// shown is the public record of a wallet.
func shown(w wallet.Wallet) Wallet {
	t := w.Account.Totals
	return Wallet{
		WalletID: w.ID, Currency: string(w.Account.Currency), Available: t.Available(),
		Pending: t.DebitsPending, Posted: t.Posted(), Status: string(w.Condition),
	}
}

// renderWallet is the answer to funding, as it is kept under a reference.
func renderWallet(o machine.Outcome) machine.Reply {
	if o.Reason != "" {
		return machine.Reply{Status: 422}
	}
	body, err := json.Marshal(shown(o.Wallet))
	if err != nil {
		panic("app: a wallet's record cannot fail to encode")
	}
	return machine.Reply{Status: 200, Body: body}
}

// OpenWallet opens a wallet, and its customer if need be; one that is open already stays as it is.
func (a *App) OpenWallet(ctx context.Context, h Holder, reason string) (Wallet, error) {
	p, err := h.check()
	if err != nil {
		return Wallet{}, err
	}
	o, err := a.submit(ctx, func(v *vault.Vault) (machine.Command, error) {
		opening, err := a.opening(p, v)
		return machine.Open{Who: p.who(v), Currency: p.currency, Opening: opening, By: a.by(reason)}, err
	}, nil)
	return shown(o.Wallet), err
}

// Direction says which way Fund moves money.
type Direction = machine.Direction

// The three ways to move money by hand.
const (
	TopUp    = machine.TopUp
	Withdraw = machine.Withdraw
	Adjust   = machine.Adjust
)

// Funding is one movement of money into or out of a wallet, by hand.
type Funding struct {
	Direction Direction
	Holder    Holder
	Amount    int64  // minor units; more than 0, but for Adjust not 0
	Reference string // "" for none; with one there is one effect for ever in the whole installation
	Reason    string
}

// Fund moves money of a wallet and returns its record as JSON; with a reference that was used before for
// the same, the first record byte for byte.
func (a *App) Fund(ctx context.Context, f Funding) ([]byte, error) {
	p, err := f.Holder.check()
	if err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	o, err := a.submit(ctx, func(v *vault.Vault) (machine.Command, error) {
		opening, err := a.opening(p, v)
		return machine.Fund{
			Direction: f.Direction, Who: p.who(v), Currency: p.currency, Amount: f.Amount,
			Reference: f.Reference, Opening: opening, By: a.by(f.Reason),
		}, err
	}, renderWallet)
	return o.Reply.Body, err
}

// referenceLimit is the longest reference, in bytes.
const referenceLimit = 255

func (f Funding) check() error {
	const smallest = -1 << 63
	switch {
	case f.Amount == 0 || f.Amount == smallest, f.Amount < 0 && f.Direction != machine.Adjust:
		return usage("--amount must be a whole number of minor units above 0 (adjust: or below 0)")
	case len(f.Reference) > referenceLimit || !printable(f.Reference):
		return usage("--reference must be 1 to %d visible ASCII characters", referenceLimit)
	case f.Direction != machine.TopUp && f.Reference == "":
		return usage("--reference is required here")
	case f.Direction != machine.TopUp && f.Reason == "":
		return usage("--reason is required here")
	}
	return nil
}

func printable(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// SetBlocked blocks or unblocks a wallet. A blocked one can still receive money.
func (a *App) SetBlocked(ctx context.Context, h Holder, blocked bool, reason string) (Wallet, error) {
	condition := wallet.Active
	if blocked {
		condition = wallet.Blocked
	}
	if reason == "" {
		return Wallet{}, usage("--reason is required here")
	}
	p, err := h.check()
	if err != nil {
		return Wallet{}, err
	}
	o, err := a.submit(ctx, func(v *vault.Vault) (machine.Command, error) {
		return machine.SetCondition{
			Who: p.who(v), Currency: p.currency, Condition: condition, By: a.by(reason),
		}, nil
	}, nil)
	return shown(o.Wallet), err
}

// LimitChange bounds what a wallet may authorize, in minor units; 0 is no bound, nil leaves it as it is.
type LimitChange struct{ PerTransaction, PerDay *int64 }

// SetLimits changes the limits of a wallet.
func (a *App) SetLimits(ctx context.Context, h Holder, l LimitChange, reason string) (Wallet, error) {
	for _, limit := range []*int64{l.PerTransaction, l.PerDay} {
		if limit != nil && *limit < 0 {
			return Wallet{}, usage("a limit is a whole number of minor units, 0 for none")
		}
	}
	p, err := h.check()
	if err != nil {
		return Wallet{}, err
	}
	_, w, err := a.find(ctx, p)
	if err != nil {
		return Wallet{}, err
	}
	next := w.Limits
	if l.PerTransaction != nil {
		next.PerTransaction = *l.PerTransaction
	}
	if l.PerDay != nil {
		next.PerDay = *l.PerDay
	}
	o, err := a.submit(ctx, func(v *vault.Vault) (machine.Command, error) {
		return machine.SetLimits{Who: p.who(v), Currency: p.currency, Limits: next, By: a.by(reason)}, nil
	}, nil)
	return shown(o.Wallet), err
}

// ApprovalMode is what a wallet's owner must approve, in the words of the command line: auto is nothing,
// owner everything, and above what is of more than Above minor units.
type ApprovalMode struct {
	Mode  string
	Above *int64
}

func (m ApprovalMode) approval() (wallet.Approval, error) {
	switch {
	case (m.Mode == "above") != (m.Above != nil):
		return 0, usage("--above belongs to --mode above, and that to it")
	case m.Mode == "auto":
		return wallet.Auto, nil
	case m.Mode == "owner":
		return wallet.Owner, nil
	case m.Mode != "above":
		return 0, usage("--mode: %q is not auto, owner or above", m.Mode)
	case *m.Above < 0 || *m.Above == math.MaxInt64:
		return 0, usage("--above must be a whole number of minor units from 0 on")
	}
	return wallet.ApprovalAbove(*m.Above), nil
}

// SetApproval says which authorizations of a wallet its owner must approve from now on.
func (a *App) SetApproval(ctx context.Context, h Holder, m ApprovalMode, reason string) (Wallet, error) {
	approval, err := m.approval()
	if err != nil {
		return Wallet{}, err
	}
	p, err := h.check()
	if err != nil {
		return Wallet{}, err
	}
	o, err := a.submit(ctx, func(v *vault.Vault) (machine.Command, error) {
		return machine.SetApproval{
			Who: p.who(v), Currency: p.currency, Approval: approval, By: a.by(reason),
		}, nil
	}, nil)
	return shown(o.Wallet), err
}

// Details are what a person is shown of a wallet beside its record.
type Details struct {
	Wallet         Wallet
	PerTransaction int64  // limits, minor units; 0 is none
	PerDay         int64  //
	Approval       string // auto, owner, or owner above an amount
	Phone, IIN     string // masked
}

// ShowWallet returns one wallet as it is now.
func (a *App) ShowWallet(ctx context.Context, h Holder) (Details, error) {
	p, err := h.check()
	if err != nil {
		return Details{}, err
	}
	_, w, err := a.find(ctx, p)
	if err != nil {
		return Details{}, err
	}
	return Details{
		Wallet: shown(w), PerTransaction: w.Limits.PerTransaction, PerDay: w.Limits.PerDay,
		Approval: approvalText(w), Phone: p.phone.Masked(), IIN: p.iin.Masked(),
	}, nil
}

// approvalText says what the owner approves, with the amount as people write it.
func approvalText(w wallet.Wallet) string {
	if above, ok := w.Approval.Above(); ok && above > 0 {
		return "owner above " + Decimal(above, string(w.Account.Currency))
	}
	return w.Approval.String()
}

// find reads a customer and its wallet in the currency. Nothing is decided by what it finds.
func (a *App) find(ctx context.Context, p payer) (wallet.Customer, wallet.Wallet, error) {
	found, err := a.customer(ctx, p.iin)
	if err != nil {
		return wallet.Customer{}, wallet.Wallet{}, err
	}
	for _, w := range found.wallets {
		if w.Account.Currency != p.currency {
			continue
		}
		// The row's indexes are both under one key, and the vault that found it has that key.
		phones := texts(found.by.Indexes(vault.PurposePhone, p.phone.Reveal()))
		if !slices.Contains(phones, found.customer.PhoneIndex) {
			return found.customer, w, refused(reject.IdentityMismatch)
		}
		return found.customer, w, nil
	}
	return found.customer, wallet.Wallet{}, refused(reject.WalletNotFound)
}

// found is a customer, all its wallets, and the vault by whose indexes it was found.
type found struct {
	customer wallet.Customer
	wallets  []wallet.Wallet
	by       *vault.Vault
}

// customer reads a customer by its IIN. A rotation may seal the row under a key that we do not have yet, so
// a miss counts only when the keys are the same after it.
func (a *App) customer(ctx context.Context, iin customer.IIN) (found, error) {
	for range staleTries {
		v := a.vaults.Current()
		c, wallets, err := a.Storage.Customer(ctx, texts(v.Indexes(vault.PurposeIIN, iin.Reveal())))
		if err == nil {
			return found{c, wallets, v}, nil
		}
		if !errors.Is(err, storage.ErrNotFound) {
			return found{}, fmt.Errorf("read the customer: %w", err)
		}
		if err := a.vaults.Refresh(ctx); err != nil {
			return found{}, err
		}
		if a.vaults.Current() == v {
			return found{}, refused(reject.WalletNotFound)
		}
	}
	return found{}, fmt.Errorf("the vault's keys are being changed; try again: %w", commit.ErrStale)
}

// Decimal writes an amount of minor units for a person, such as 1234.56 KZT.
func Decimal(minor int64, currency string) string {
	return money.Format(minor, money.Currency(currency))
}
