package machine

import (
	"strconv"

	"plexy/internal/core/journal"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
)

// alphabet is the ULID's: two characters carry a book.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// withBook completes a stem with its book.
func withBook(stem string, book int) string {
	return stem + alphabet[book>>5&31:book>>5&31+1] + alphabet[book&31:book&31+1]
}

// find looks up the customer and the wallet of h.Currency. WalletNotFound: IIN or phone is unknown, or
// there is no wallet in that currency. IdentityMismatch: both are known, but not together.
func (s *State) find(w Who, h Holding) (wallet.Customer, wallet.Wallet, reject.Reason) {
	byIIN, known := first(s.ByIIN, w.IIN)
	byPhone, phoneKnown := first(s.ByPhone, w.Phone)
	customer := s.Customers[byIIN]
	found := s.Wallets[s.WalletOf[Holding{byIIN, h.Currency}]]
	switch {
	case !known, !phoneKnown, found.ID == "":
		return customer, found, reject.WalletNotFound
	case byIIN != byPhone:
		return customer, found, reject.IdentityMismatch
	}
	return customer, found, ""
}

func first(index map[string]string, under []string) (string, bool) {
	for _, i := range under {
		if id, ok := index[i]; ok {
			return id, true
		}
	}
	return "", false
}

// openIfNone finds the wallet or opens it, and its customer if need be. The customer is known by its
// IIN; a phone that belongs to somebody else is a mismatch.
func (s *State) openIfNone(w Who, c money.Currency, o Opening, at Stamp) (wallet.Wallet, reject.Reason) {
	customer, found, no := s.find(w, Holding{Currency: c})
	if no != reject.WalletNotFound {
		return found, no
	}
	byPhone, phoneKnown := first(s.ByPhone, w.Phone)
	if customer.ID == "" {
		if phoneKnown {
			return found, reject.IdentityMismatch
		}
		customer = o.Customer
		customer.CreatedAt = at.At
		s.putCustomer(customer)
	} else if byPhone != customer.ID {
		return found, reject.IdentityMismatch
	}
	opened := wallet.Open(withBook(o.WalletStem, o.Book), o.Book, customer.ID, c, at.At)
	s.putWallet(opened)
	return opened, ""
}

func open(s *State, at Stamp, c Open) Outcome {
	if c.Who.Generation != s.Generation {
		return Outcome{Stale: true, Generation: s.Generation}
	}
	if _, w, no := s.find(c.Who, Holding{Currency: c.Currency}); no == "" {
		return Outcome{Wallet: w} // it is open already: nothing to do
	}
	w, no := s.openIfNone(c.Who, c.Currency, c.Opening, at)
	if no != "" {
		return Outcome{Reason: no}
	}
	s.audit(at, c.By, Audit{Action: "wallet.open", Object: w.ID, After: "currency=" + string(c.Currency)})
	return Outcome{Wallet: w}
}

func fund(s *State, at Stamp, in Instruction, c Fund) Outcome {
	if c.Who.Generation != s.Generation {
		return Outcome{Stale: true, Generation: s.Generation}
	}
	if c.Reference != "" {
		if was, ok := s.References[c.Reference]; ok {
			return fundedBefore(s, c, was)
		}
	}
	_, w, no := s.find(c.Who, Holding{Currency: c.Currency})
	if no == reject.WalletNotFound && c.Direction == TopUp {
		w, no = s.openIfNone(c.Who, c.Currency, c.Opening, at)
	}
	if no != "" {
		return Outcome{Reason: no}
	}
	before := w
	change, no := move(w, c)
	if no != "" {
		return Outcome{Reason: no}
	}
	origin := in.Origin
	if origin.IdempotencyKey == "" {
		origin.IdempotencyKey = c.Reference // so that the books alone show one effect per reference
	}
	r := s.write(journal.Record{
		Object: w.ID, Sequence: change.Wallet.Sequence, Book: w.Book, Type: change.Type, Wallet: w.ID,
		At: at.At, Amount: change.Amount, Currency: c.Currency, Origin: origin,
		After: journal.After{State: string(w.Condition)},
	}, change)
	s.audit(at, c.By, Audit{
		Action: "wallet." + string(c.Direction), Object: w.ID,
		Before: posted(before), After: posted(change.Wallet),
	})
	return Outcome{Wallet: s.Wallets[w.ID], Record: r}
}

// fundedBefore gives the first answer again, or refuses a reference that meant something else.
func fundedBefore(s *State, c Fund, was Reference) Outcome {
	_, w, no := s.find(c.Who, Holding{Currency: c.Currency})
	if no != "" || w.ID != was.Wallet || c.Amount != was.Amount || c.Direction != was.Direction {
		return Outcome{Reason: reject.ReferenceReused}
	}
	return Outcome{Wallet: w, Reply: was.Reply, Replayed: true}
}

func move(w wallet.Wallet, c Fund) (wallet.Change, reject.Reason) {
	switch c.Direction {
	case TopUp:
		return w.TopUp(c.Amount)
	case Withdraw:
		return w.Withdraw(c.Amount)
	case Adjust:
		return w.Adjust(c.Amount)
	}
	panic("machine: a direction that fund does not know")
}

func setCondition(s *State, at Stamp, c SetCondition) Outcome {
	return s.change(at, c.Who, c.Currency, c.By, func(w *wallet.Wallet) Audit {
		a := Audit{Action: "wallet.condition", Before: string(w.Condition), After: string(c.Condition)}
		w.Condition = c.Condition
		return a
	})
}

func setLimits(s *State, at Stamp, c SetLimits) Outcome {
	return s.change(at, c.Who, c.Currency, c.By, func(w *wallet.Wallet) Audit {
		a := Audit{Action: "wallet.limits", Before: limits(w.Limits), After: limits(c.Limits)}
		w.Limits = c.Limits
		return a
	})
}

func setApproval(s *State, at Stamp, c SetApproval) Outcome {
	o := s.change(at, c.Who, c.Currency, c.By, func(w *wallet.Wallet) Audit {
		a := Audit{Action: "wallet.approval", Before: w.Approval.String(), After: c.Approval.String()}
		w.Approval = c.Approval
		return a
	})
	if o.Wallet.ID != "" {
		s.Changes.Approvals = append(s.Changes.Approvals, o.Wallet.ID)
	}
	return o
}

// change edits what is not money about a wallet, with an audit row.
func (s *State) change(at Stamp, who Who, c money.Currency, by By, edit func(*wallet.Wallet) Audit) Outcome {
	if who.Generation != s.Generation {
		return Outcome{Stale: true, Generation: s.Generation}
	}
	_, w, no := s.find(who, Holding{Currency: c})
	if no != "" {
		return Outcome{Reason: no}
	}
	a := edit(&w)
	a.Object = w.ID
	s.putWallet(w)
	s.audit(at, by, a)
	return Outcome{Wallet: w}
}

func rebind(s *State, at Stamp, c Rebind) Outcome {
	if c.Who.Generation != s.Generation {
		return Outcome{Stale: true, Generation: s.Generation}
	}
	id, known := first(s.ByIIN, c.Who.IIN)
	if !known || id != c.Customer {
		return Outcome{Reason: reject.WalletNotFound}
	}
	if owner, taken := first(s.ByPhone, c.Who.Phone); taken {
		if owner == id {
			return Outcome{} // it is the customer's phone already
		}
		return Outcome{Reason: reject.PhoneTaken}
	}
	customer := s.Customers[id]
	if customer.KeyID != c.KeyID {
		return Outcome{Stale: true, Generation: s.Generation} // the row is sealed under another key by now
	}
	customer.PhoneIndex, customer.PhoneSealed = c.Who.Phone[0], c.Sealed
	s.putCustomer(customer)
	s.audit(at, c.By, Audit{Action: "customer.rebind", Object: id, Before: "phone", After: "new phone"})
	return Outcome{}
}

func (s *State) audit(at Stamp, by By, a Audit) {
	a.ID, a.At, a.Actor, a.Reason = by.ID, at.At, by.Actor, by.Reason
	s.Changes.Audits = append(s.Changes.Audits, a)
}

func posted(w wallet.Wallet) string {
	return "posted=" + strconv.FormatInt(w.Account.Totals.Posted(), 10)
}

func limits(l wallet.Limits) string {
	return "perTransaction=" + strconv.FormatInt(l.PerTransaction, 10) +
		" perDay=" + strconv.FormatInt(l.PerDay, 10)
}
