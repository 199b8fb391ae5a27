package memory

import (
	"context"

	"plexy/internal/core/machine"
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
