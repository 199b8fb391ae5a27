package connector

import "fmt"

// Check says what of the order no acquirer could be asked: nil, or an error that names the field. Every
// connector asks before it sends anything, and answers Unsent; so our own mistake never becomes a decline.
func (o Order) Check() error {
	switch {
	case len(o.Operation) != 36:
		return fmt.Errorf("operation id: want 36 characters, not %d", len(o.Operation))
	case len(o.Payment) != 36:
		return fmt.Errorf("payment id: want 36 characters, not %d", len(o.Payment))
	case o.At <= 0:
		return fmt.Errorf("time of the operation: not set")
	case !o.Currency.Known():
		return fmt.Errorf("currency: not one of ISO 4217")
	case o.Amount < 0:
		return fmt.Errorf("amount: below zero")
	}
	return nil
}

// Check is Order.Check for an authorization: there is a card or a token, and an amount unless it verifies.
func (a Authorization) Check() error {
	switch err := a.Order.Check(); {
	case err != nil:
		return err
	case a.Verification != (a.Amount == 0):
		return fmt.Errorf("amount: 0 for a verification and for nothing else")
	case a.Verification && a.OneStep:
		return fmt.Errorf("verification: takes no money, so not in one step")
	case a.Card.Number.IsZero() == (a.Token == ""):
		return fmt.Errorf("card: want a number or a token, and not both")
	}
	return nil
}

// Check is Order.Check for a change: there is an amount, and an original.
func (c Change) Check() error {
	switch err := c.Order.Check(); {
	case err != nil:
		return err
	case c.Amount == 0:
		return fmt.Errorf("amount: zero")
	case len(c.Original.Operation) != 36:
		return fmt.Errorf("original operation id: want 36 characters, not %d", len(c.Original.Operation))
	case c.Amount > c.Original.Amount:
		return fmt.Errorf("amount: above the original one")
	}
	return nil
}

// Check is Order.Check for a payout: there is an amount, and a card or a token.
func (d Disbursement) Check() error {
	switch err := d.Order.Check(); {
	case err != nil:
		return err
	case d.Amount == 0:
		return fmt.Errorf("amount: zero")
	case d.Card.Number.IsZero() == (d.Token == ""):
		return fmt.Errorf("card: want a number or a token, and not both")
	}
	return nil
}
