package verify

import (
	"context"

	"plexy/internal/storage"
)

// RunInPortions is RunAt with a bound on the keys of one pass that a test can reach.
func RunInPortions(ctx context.Context, s storage.Storage, now int64, keys int) (Report, error) {
	v := &verifier{report: newReport(), now: now, keysAtOnce: keys}
	err := s.Snapshot(ctx, v.run)
	return v.report, err
}
