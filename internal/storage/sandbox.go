package storage

import (
	"context"

	"plexy/internal/core/machine"
	"plexy/internal/sandbox"
)

// TestClock is how a sandbox's time differs from the machines'; see clock.Setting, which has the same fields.
type TestClock struct {
	Version      int64 // how often it was changed
	OffsetMicros int64 // added to the machine's time while the clock runs
	FrozenAt     int64 // the moment at which it stands still, in microseconds; 0 while it runs
}

// Sandbox is what the servers of a sandbox ask for again and again, and nobody in production.
type Sandbox interface {
	// TestClock returns the clock as it was set last; the zero TestClock when it never was.
	TestClock(ctx context.Context) (TestClock, error)
	// SetTestClock replaces the clock. next.Version is one more than that of the clock it was made from;
	// ErrConflict when that is not the one in force any more.
	SetTestClock(ctx context.Context, next TestClock, audit machine.Audit) error
	// Faults returns the fault that each merchant has dialled, by merchant; those with none are left out.
	Faults(ctx context.Context) (map[string]sandbox.Dial, error)
	Bank
}

// BankRow is what the sandbox's pretend bank remembers under one id, in words of its own.
type BankRow struct {
	ID      string
	Version int64 // how often it was written: 1 for a new row
	Body    []byte
	// OverAt is when the bank was done with it for good, in microseconds; 0 while something may still come, and
	// for what is kept for ever.
	OverAt int64
}

// Bank is the memory of the sandbox's pretend bank. It is on the bank's side of the world: nothing in our
// books depends on it.
type Bank interface {
	// BankRow returns a row, or ErrNotFound.
	BankRow(ctx context.Context, id string) (BankRow, error)
	// SaveBankRows writes rows of different ids in one durable transaction. A row of version 1 must be new, any
	// other one replaces that of the version before it; saved says for each whether that was so. A row for
	// which it was not stays as it is.
	// A row that was swept may be written again, whatever its version.
	SaveBankRows(ctx context.Context, rows []BankRow) (saved []bool, err error)
	// SweepBank deletes at most limit rows whose OverAt is not 0 and before the given time, the oldest first,
	// and says how many. It leaves those under an operation of a payment of ours of which anything is open: the
	// bank will be asked after that.
	SweepBank(ctx context.Context, before int64, limit int) (int, error)
}
