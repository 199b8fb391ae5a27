package sim_test

import (
	"context"

	"plexy/internal/core/machine"
	"plexy/internal/storage"
)

// lastWriterWins is a keeper that looks at a batch's rows a second time, just before it saves, and then
// does not compare: what another process did in between is overwritten.
type lastWriterWins struct{ storage.Storage }

func (l *lastWriterWins) Commit(
	ctx context.Context, lane int, fn func(context.Context, storage.Batch) error,
) error {
	var saved *machine.State
	var asked *machine.Keys
	err := l.Storage.Commit(ctx, lane, func(ctx context.Context, b storage.Batch) error {
		return fn(ctx, &carelessBatch{b, &saved, &asked})
	})
	if err != nil || saved == nil {
		return err
	}
	return l.Storage.Commit(ctx, lane, func(ctx context.Context, b storage.Batch) error {
		if _, err := b.Load(ctx, asked); err != nil {
			return err
		}
		return b.Save(ctx, saved)
	})
}

type carelessBatch struct {
	storage.Batch
	saved **machine.State
	asked **machine.Keys
}

func (b *carelessBatch) Load(ctx context.Context, keys *machine.Keys) (*machine.State, error) {
	*b.asked = keys
	return b.Batch.Load(ctx, keys)
}

func (b *carelessBatch) Save(_ context.Context, state *machine.State) error {
	*b.saved = state
	return nil
}
