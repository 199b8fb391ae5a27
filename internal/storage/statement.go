package storage

import (
	"context"
	"fmt"

	"plexy/internal/core/journal"
)

// Statement walks the records of a wallet back from one of them, the newest first, until fn says that it has
// seen enough or there are none left. next is the record that fn would have got then; its Object is "" at the
// end.
func Statement(
	ctx context.Context, r Reader, from journal.Ref, fn func(journal.Record) (more bool, err error),
) (next journal.Ref, err error) {
	for ref := from; ref.Object != ""; {
		record, err := r.Record(ctx, ref)
		if err != nil {
			return ref, fmt.Errorf("read record %d of %s: %w", ref.Sequence, ref.Object, err)
		}
		ref = record.Previous
		if more, err := fn(record); err != nil || !more {
			return ref, err
		}
	}
	return journal.Ref{}, nil
}

// Balances are what a record left on its wallet, in minor units. Pending is what is held, a positive amount.
type Balances struct{ Available, Pending, Posted int64 }

// BalancesAfter returns what the record left on its wallet.
func BalancesAfter(r journal.Record) Balances {
	after := r.Credit
	if r.Posting.Debit == r.Wallet {
		after = r.Debit
	}
	held := -after.Pending // a wallet's pending side is what was debited and not yet final
	return Balances{Available: after.Posted - held, Pending: held, Posted: after.Posted}
}
