package machine

import (
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
)

// respond is the owner's answer to a transaction of his. One that was given before changes nothing.
func respond(
	s *State, at Stamp, in Instruction, c Owned,
	do func(wallet.Transaction, int64) (wallet.Change, reject.Reason),
) Outcome {
	t, ok := s.Transactions[c.ID]
	if !ok || t.Wallet == "" || s.Wallets[t.Wallet].Customer != c.Customer {
		return Outcome{Reason: reject.TransactionNotFound}
	}
	change, no := do(t, at.At)
	if no != "" || change.Type == "" {
		return Outcome{Reason: no, Transaction: t}
	}
	return s.finishTransaction(change, at, in.Origin)
}

func lapse(s *State, at Stamp, in Instruction, c Lapse) Outcome {
	t, ok := s.Transactions[c.ID]
	if !ok {
		return Outcome{Reason: reject.TransactionNotFound}
	}
	change, no := wallet.Lapse(t, at.At)
	if no != "" {
		return Outcome{Reason: no, Transaction: t}
	}
	return s.finishTransaction(change, at, in.Origin)
}

func complete(s *State, at Stamp, in Instruction, c Complete) Outcome {
	terms, ok := s.Terms[c.Merchant]
	if !ok {
		return Outcome{Reason: reject.MerchantNotFound}
	}
	t, ok := s.Transactions[c.ID]
	if !ok || t.Merchant != c.Merchant {
		return Outcome{Reason: reject.TransactionNotFound}
	}
	change, no := wallet.Complete(t, s.Wallets[t.Wallet], terms.HoldMicros, at.At)
	if no != "" {
		return Outcome{Reason: no, Transaction: t}
	}
	return s.finishTransaction(change, at, in.Origin)
}
