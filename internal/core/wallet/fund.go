package wallet

import (
	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
)

// Open returns a new, empty, active wallet.
func Open(id string, book int, customer string, c money.Currency, at int64) Wallet {
	return Wallet{
		ID: id, Book: book, Customer: customer, Condition: Active, CreatedAt: at,
		Account: ledger.Account{ID: id, Book: book, Currency: c, Capped: true},
	}
}

// TopUp adds amount to the wallet against the platform's bank account; a blocked wallet can receive.
func (w Wallet) TopUp(amount int64) (Change, reject.Reason) {
	c := w.Account.Currency
	return w.fund(journal.ToppedUp, ledger.Posting{
		Move: ledger.Post, Debit: ledger.Bank(c), Credit: w.ID, Amount: amount, Currency: c,
	})
}

// Withdraw takes amount out of the wallet to the platform's bank account; InsufficientFunds when it is
// not there, WalletBlocked when the wallet may not be spent from.
func (w Wallet) Withdraw(amount int64) (Change, reject.Reason) {
	if w.Condition == Blocked {
		return Change{}, reject.WalletBlocked
	}
	c := w.Account.Currency
	return w.fund(journal.Withdrawn, ledger.Posting{
		Move: ledger.Post, Debit: w.ID, Credit: ledger.Bank(c), Amount: amount, Currency: c,
	})
}

// Adjust corrects the wallet by amount, which is negative to take: a correcting entry against the
// platform's adjustments account, never an edit. It works on a blocked wallet too.
func (w Wallet) Adjust(amount int64) (Change, reject.Reason) {
	c := w.Account.Currency
	p := ledger.Posting{Move: ledger.Post, Debit: Adjustments(c), Credit: w.ID, Amount: amount, Currency: c}
	if amount < 0 {
		p.Debit, p.Credit, p.Amount = p.Credit, p.Debit, -amount
	}
	return w.fund(journal.Adjusted, p)
}

// fund applies a posting that has this wallet on one side.
func (w Wallet) fund(kind journal.Type, p ledger.Posting) (Change, reject.Reason) {
	apply := w.Account.Credit
	if p.Debit == w.ID {
		apply = w.Account.Debit
	}
	account, no := apply(p)
	if no != "" {
		return Change{}, no
	}
	w.Account = account
	w.Sequence++
	return Change{
		Wallet: w, Found: true, Type: kind, Amount: p.Amount, Posting: p, Balance: account.Running(),
	}, ""
}
