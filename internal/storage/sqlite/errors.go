package sqlite

import (
	"context"
	"errors"
	"fmt"

	engine "zombiezen.com/go/sqlite"

	"plexy/internal/storage"
)

// sorted wraps an error of the engine in the class that the storage contract gives it. Other errors, and
// those that are sorted already, pass through. A damaged file stays a plain error: nothing heals it.
func sorted(err error) error {
	if err == nil {
		return nil
	}
	for _, class := range []error{
		storage.ErrTransient, storage.ErrUnavailable, storage.ErrUncertain, storage.ErrConflict,
		storage.ErrNotFound,
	} {
		if errors.Is(err, class) {
			return err
		}
	}
	if class := classOf(err); class != nil {
		return fmt.Errorf("%w: %w", class, err)
	}
	return err
}

func classOf(err error) error {
	code, ours := codeOf(err)
	if !ours {
		return nil
	}
	switch code {
	case engine.ResultConstraintUnique, engine.ResultConstraintPrimaryKey, engine.ResultConstraintRowID:
		return storage.ErrConflict
	}
	switch code.ToPrimary() {
	case engine.ResultBusy, engine.ResultLocked:
		return storage.ErrTransient
	case engine.ResultFull, engine.ResultIOErr, engine.ResultCantOpen, engine.ResultReadOnly,
		engine.ResultNoMem:
		return storage.ErrUnavailable
	}
	return nil
}

// cut replaces the engine's word for an interrupted statement by the reason of ctx.
func cut(ctx context.Context, err error) error {
	if code, _ := codeOf(err); code.ToPrimary() == engine.ResultInterrupt && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return sorted(err)
}

// codeOf returns the engine's result code of err, and whether it has one.
func codeOf(err error) (engine.ResultCode, bool) {
	code := engine.ErrCode(err)
	return code, code != engine.ResultOK && code != engine.ResultError
}

func busy(err error) bool {
	code, ours := codeOf(err)
	return ours && code.ToPrimary() == engine.ResultBusy
}

// inDoubt reports whether a failed COMMIT may have left a complete commit in the log: it was written but
// could not be made durable. A log that found no room (FULL) holds no complete commit, because the frame
// that completes it is written last.
func inDoubt(err error) bool {
	code, ours := codeOf(err)
	return ours && code.ToPrimary() == engine.ResultIOErr
}
