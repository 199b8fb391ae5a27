package sqlite

import (
	"context"
	"fmt"

	"plexy/internal/storage"
)

// Commit runs fn in one durable transaction; lane is not looked at, there is one writer. A batch that
// changed nothing is rolled back, which costs no flush.
func (s *Store) Commit(ctx context.Context, _ int, fn func(context.Context, storage.Batch) error) error {
	w := s.writer
	if err := w.take(ctx); err != nil {
		return err
	}
	defer w.give()
	if err := s.fail(BeforeBegin); err != nil {
		return err
	}
	if err := w.begin(ctx); err != nil {
		return err
	}
	defer w.rollback() // does nothing after a commit; undoes when fn fails or panics
	if err := w.current(ctx); err != nil {
		return err
	}
	b := &batch{w: w}
	if err := fn(ctx, b); err != nil {
		return err
	}
	if !b.changed {
		return nil
	}
	if err := s.fail(BeforeCommit); err != nil {
		return err
	}
	if err := w.commit(ctx); err != nil {
		return err
	}
	b.keep()
	if err := s.fail(AfterCommit); err != nil {
		return fmt.Errorf("%w: %w", storage.ErrUncertain, err)
	}
	return nil
}

// fail stops at a point where a test wants trouble.
func (s *Store) fail(point string) error {
	if s.cfg.Fail == nil {
		return nil
	}
	if err := s.cfg.Fail(point); err != nil {
		return fmt.Errorf("at %s: %w", point, err)
	}
	return nil
}
