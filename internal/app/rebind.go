package app

import (
	"context"
	"fmt"

	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/customer"
	"plexy/internal/vault"
)

// Customer is a customer as staff see it: masked.
type Customer struct {
	CustomerID string `json:"customerId"`
	IIN        string `json:"iin"`
	Phone      string `json:"phoneNumber"`
}

// Rebind gives the customer with the IIN a new phone. The old one is free from then on.
func (a *App) Rebind(ctx context.Context, iin, phone, reason string) (Customer, error) {
	p := payer{}
	var err error
	if p.phone, err = customer.ParsePhone(phone); err != nil {
		return Customer{}, usage("--phone: %v", err)
	}
	if p.iin, err = customer.ParseIIN(iin); err != nil {
		return Customer{}, usage("--iin: %v", err)
	}
	shown := Customer{IIN: p.iin.Masked(), Phone: p.phone.Masked()}
	_, err = a.submit(ctx, func(*vault.Vault) (machine.Command, error) {
		row, err := a.customer(ctx, p.iin)
		if err != nil {
			return nil, err
		}
		c, v := row.customer, row.by
		shown.CustomerID = c.ID
		if c.KeyID != v.KeyID() {
			// A rotation has not come to this row: the new phone would be sealed under one key and the
			// IIN under another.
			if _, err := a.reseal(ctx, v, []wallet.Customer{c}); err != nil {
				return nil, err
			}
		}
		sealed, err := v.Seal(vault.PurposePhone, c.ID, []byte(p.phone.Reveal()))
		if err != nil {
			return nil, fmt.Errorf("seal the new phone: %w", err)
		}
		return machine.Rebind{
			Who: p.who(v), Customer: c.ID, KeyID: v.KeyID(), Sealed: sealed, By: a.by(reason),
		}, nil
	}, nil)
	return shown, err
}
