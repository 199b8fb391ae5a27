package app

import (
	"context"
	"log/slog"

	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
)

// Approve is the owner's yes to a transaction that waits for it; customer is who the owner logged in as. When
// it is given, the transaction is completed at once, so what is returned is SUCCESS or FAILED; it is
// PROCESSING only when that was not possible now, and the background completes it. A transaction that was
// approved before is returned as it is. Any refusal is the reason; another's transaction is not found.
func (s *Server) Approve(ctx context.Context, customer, transaction string) (
	wallet.Transaction, reject.Reason, error) {
	origin := journal.Origin{RequestID: s.app.ids.New(id.Request)}
	o, err := s.answer(ctx, transaction, machine.Instruction{
		Command: machine.Approve{Owned: machine.Owned{Customer: customer, ID: transaction}}, Origin: origin,
	})
	if err != nil || o.Reason != "" || o.Transaction.Status != wallet.Processing {
		return o.Transaction, o.Reason, err
	}
	done, err := s.answer(ctx, transaction, machine.Instruction{
		Command: machine.Complete{Merchant: o.Transaction.Merchant, ID: transaction}, Origin: origin,
	})
	switch {
	case err != nil: // the approval is on disk: that is the answer, and the background goes on from here
		s.log.Logger().Warn("an approved transaction was not completed at once",
			slog.String("transaction", transaction), slog.String("error", err.Error()))
		return o.Transaction, "", nil
	case done.Transaction.ID == "":
		return o.Transaction, "", nil
	}
	return done.Transaction, "", nil // whoever completed it
}

// Decline is the owner's no, with the same meaning of what is returned.
func (s *Server) Decline(ctx context.Context, customer, transaction string) (
	wallet.Transaction, reject.Reason, error) {
	o, err := s.answer(ctx, transaction, machine.Instruction{
		Command: machine.Decline{Owned: machine.Owned{Customer: customer, ID: transaction}},
		Origin:  journal.Origin{RequestID: s.app.ids.New(id.Request)},
	})
	return o.Transaction, o.Reason, err
}

// answer commits an instruction about a transaction that came from outside.
func (s *Server) answer(ctx context.Context, transaction string, in machine.Instruction) (
	machine.Outcome, error) {
	book, ok := id.Book(id.Transaction, transaction)
	if !ok {
		return machine.Outcome{Reason: reject.TransactionNotFound}, nil
	}
	return s.committer.Submit(ctx, book, in)
}
