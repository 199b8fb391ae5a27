package postgres

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"plexy/internal/storage"
)

// SQLSTATE codes that mean something to us (appendix A of PostgreSQL's manual).
const (
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	lockNotAvailable     = "55P03"
	idleInTransaction    = "25P03"
	readOnlyTransaction  = "25006"
	undefinedTable       = "42P01"
	undefinedObject      = "42704"
)

// sorted wraps an error met before COMMIT was sent in the class that the storage contract gives it: at
// that point nothing was saved, whatever happened. An error without a class, and one that has its class
// already, passes through. broken says that the connection did not survive the error.
func sorted(err error, broken bool) error {
	if err == nil {
		return nil
	}
	for _, class := range []error{
		storage.ErrNotFound, storage.ErrConflict, storage.ErrTransient, storage.ErrUnavailable,
		storage.ErrUncertain,
	} {
		if errors.Is(err, class) {
			return err
		}
	}
	if class := classOf(err, broken); class != nil {
		return fmt.Errorf("%w: %w", class, err)
	}
	return err
}

func classOf(err error, broken bool) error {
	var refused *pgconn.PgError
	var unreached *pgconn.ConnectError
	switch {
	case errors.As(err, &unreached):
		return storage.ErrUnavailable
	case errors.As(err, &refused):
		return classOfCode(refused.Code)
	case broken, pgconn.SafeToRetry(err):
		return storage.ErrTransient
	}
	return nil
}

func classOfCode(code string) error {
	switch code {
	case uniqueViolation:
		return storage.ErrConflict
	case serializationFailure, deadlockDetected, lockNotAvailable, idleInTransaction:
		return storage.ErrTransient
	case readOnlyTransaction: // a standby, or a primary that became one
		return storage.ErrUnavailable
	case undefinedTable, undefinedObject: // not migrated
		return storage.ErrUnavailable
	}
	switch code[:min(2, len(code))] {
	case "08", "57": // the connection failed; an operator, a timeout or a shutdown ended the statement
		return storage.ErrTransient
	case "53", "58": // no disk, memory or connections left; the system's own I/O failed
		return storage.ErrUnavailable
	}
	return nil
}
