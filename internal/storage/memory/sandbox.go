package memory

import (
	"bytes"
	"context"

	"plexy/internal/core/machine"
	"plexy/internal/sandbox"
	"plexy/internal/storage"
)

// TestClock returns the sandbox's clock as it was set last.
func (s *Store) TestClock(context.Context) (storage.TestClock, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.t.Clock, nil
}

// SetTestClock replaces the clock; ErrConflict when next was not made from the one in force.
func (s *Store) SetTestClock(_ context.Context, next storage.TestClock, audit machine.Audit) error {
	return s.write(func(t *Tables) error {
		if next.Version != t.Clock.Version+1 || t.audited[audit.ID] {
			return conflict("test clock", "version")
		}
		t.Clock = next
		t.audit(audit)
		return nil
	})
}

// Faults returns the fault that each merchant has dialled, by merchant; those with none are left out.
func (s *Store) Faults(context.Context) (map[string]sandbox.Dial, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var faults map[string]sandbox.Dial
	for id, m := range s.t.Merchants {
		if m.Settings.Fault == (sandbox.Dial{}) {
			continue
		}
		if faults == nil {
			faults = map[string]sandbox.Dial{}
		}
		faults[id] = m.Settings.Fault
	}
	return faults, nil
}

// BankRow returns a row of the pretend bank's memory, or ErrNotFound.
func (s *Store) BankRow(_ context.Context, id string) (storage.BankRow, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	row, ok := s.t.Bank[id]
	if !ok {
		return storage.BankRow{}, storage.ErrNotFound
	}
	row.Body = bytes.Clone(row.Body)
	return row, nil
}

// SaveBankRows writes those rows whose version follows the one that is there.
func (s *Store) SaveBankRows(_ context.Context, rows []storage.BankRow) (saved []bool, err error) {
	err = s.write(func(t *Tables) error {
		saved = make([]bool, len(rows))
		for i, row := range rows {
			if was, there := t.Bank[row.ID]; !there || was.Version == row.Version-1 {
				row.Body = bytes.Clone(row.Body)
				t.Bank[row.ID], saved[i] = row, true
			}
		}
		return nil
	})
	return saved, err
}

// SweepBank deletes at most limit rows that the bank is done with.
func (s *Store) SweepBank(_ context.Context, before int64, limit int) (n int, err error) {
	err = s.write(func(t *Tables) error {
		times := map[string]int64{}
		for id, row := range t.Bank {
			o := t.Payments.Operations[id]
			if row.OverAt > 0 && row.OverAt < before && (o == nil || t.Payments.Payments[o.Payment].Open == 0) {
				times[id] = row.OverAt
			}
		}
		for _, id := range longestDue(times, before, limit) {
			delete(t.Bank, id)
			n++
		}
		return nil
	})
	return n, err
}
