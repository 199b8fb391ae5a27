package httpapi

import (
	"errors"

	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
	"plexy/internal/sandbox"
	"plexy/internal/storage"
)

// magicPayer looks a phone number up among the sandbox's magic values. For one of them it returns whose IIN
// counts instead of the one that was sent, and the course of the transaction; for any other, what was sent.
func (a *API) magicPayer(c *call, phone, sent string, currency money.Currency) (
	iin string, course *wallet.Course, err error) {
	if a.options.Sandbox == nil {
		return sent, nil, nil
	}
	p, ok := sandbox.PayerOf(phone)
	if !ok {
		return sent, nil, nil
	}
	person, ok, err := a.options.Sandbox.Payer(c.ctx, p, currency)
	if err != nil || !ok {
		return sent, nil, err
	}
	return person.Reveal(), p.Course, nil
}

// magicRefusal says why a capture or a refund of a magic amount is refused, or "". It asks storage only for a
// magic amount: whose wallet a transaction is on never changes, so nothing can come between.
func (a *API) magicRefusal(c *call, amount int64) (reject.Reason, error) {
	if a.options.Sandbox == nil {
		return "", nil
	}
	magic, no := sandbox.AmountOf(c.route.Operation, amount)
	if no == "" {
		return "", nil
	}
	if _, ok := id.Book(id.Transaction, c.id); !ok {
		return "", nil
	}
	t, err := a.options.Reader.Transaction(c.ctx, c.Merchant, c.id)
	if errors.Is(err, storage.ErrNotFound) {
		return "", nil
	}
	if err != nil || t.Wallet == "" || magic.While > 0 && a.options.Clock.Now()-t.UpdatedAt >= magic.While {
		return "", err
	}
	ours, err := a.options.Sandbox.MagicWallet(c.ctx, t.Wallet)
	if err != nil || !ours {
		return "", err
	}
	return no, nil
}
