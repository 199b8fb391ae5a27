// Package verify recomputes the books from their entries and says everything that does not fit. It is
// product, support tool and test oracle at once: plexy verify prints its report, and the simulator and
// the crash tests believe nothing else.
//
// It streams over one unchanging view of the books. In memory it keeps a few sums per wallet and per
// stripe, and idempotency keys in portions of bounded size.
package verify

import (
	"context"
	"errors"
	"fmt"

	"plexy/internal/clock"
	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/storage"
)

// Run verifies the books as they are now. The error says that they could not be read; what is wrong with
// them is in the report.
func Run(ctx context.Context, s storage.Storage) (Report, error) {
	return RunAt(ctx, s, clock.System{}.Now())
}

// RunAt is Run for tests that own the time: at now (microseconds) replies older than the retention may
// have been swept.
func RunAt(ctx context.Context, s storage.Storage, now int64) (Report, error) {
	v := &verifier{report: newReport(), now: now, keysAtOnce: keysAtOnce}
	if err := s.Snapshot(ctx, v.run); err != nil {
		return Report{}, fmt.Errorf("verify: %w", err)
	}
	return v.report, nil
}

// keysAtOnce is how many keyed records are compared in one pass over the journal.
const keysAtOnce = 1 << 18

// verifier holds the sums of one verification.
type verifier struct {
	report  Report
	now     int64
	wallets map[string]*walletSum
	stripes map[stripeKey]*accountSum
	holders map[machine.Holding]string

	suspects   map[stripeKey]*suspect // accounts whose chains are broken
	keyed      int                    // records with an idempotency key or a funding reference
	keysAtOnce int
}

func (v *verifier) run(ctx context.Context, books storage.Books) error {
	if err := v.readAccounts(ctx, books); err != nil {
		return err
	}
	if err := v.readObjects(ctx, books); err != nil {
		return err
	}
	v.closeAccounts()
	if err := v.trace(ctx, books); err != nil {
		return err
	}
	return v.readKeys(ctx, books)
}

// readAccounts starts the sums from what the rows say; each entry is then taken away from them.
func (v *verifier) readAccounts(ctx context.Context, books storage.Books) error {
	v.wallets, v.stripes = map[string]*walletSum{}, map[stripeKey]*accountSum{}
	v.holders = map[machine.Holding]string{}
	balance := newTrial()
	err := books.Wallets(ctx, func(w wallet.Wallet) error {
		v.addWallet(w)
		balance.add(w.Account)
		return nil
	})
	if err != nil {
		return fmt.Errorf("walk the wallets: %w", err)
	}
	accounts := newTrial()
	err = books.Stripes(ctx, func(a ledger.Account) error {
		v.addStripe(a)
		balance.add(a)
		accounts.addAccount(a)
		return nil
	})
	if err != nil {
		return fmt.Errorf("walk the stripes: %w", err)
	}
	balance.close(&v.report)
	accounts.closeAccounts(&v.report)
	return nil
}

// readObjects walks the journal and, beside it, the transactions in the same order.
func (v *verifier) readObjects(ctx context.Context, books storage.Books) error {
	rows := pull(func(fn func(wallet.Transaction) error) error { return books.Transactions(ctx, fn) })
	defer rows.stop()
	o := &objects{v: v, rows: rows}
	c := v.openCards(ctx, books)
	defer c.stop()
	err := books.Journal(ctx, func(r journal.Record) error {
		if isPayment(r.Object) {
			c.record(r)
			v.entry(r)
			return nil
		}
		if r.Object != o.object || o.seen == 0 {
			o.finish()
			o.begin(r)
		}
		o.record(r)
		v.entry(r)
		return nil
	})
	if err != nil {
		return fmt.Errorf("walk the journal: %w", err)
	}
	o.finish()
	o.rest()
	if rows.err != nil {
		return fmt.Errorf("walk the transactions: %w", rows.err)
	}
	return c.rest(ctx, books)
}

// errStopped ends a walk that nobody reads any more.
var errStopped = errors.New("stopped")
