package memory_test

import (
	"context"
	"errors"
	"testing"

	"plexy/internal/core/machine"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
	"plexy/internal/storage/storagetest"
)

func TestConformance(t *testing.T) {
	for name, lanes := range map[string]int{"one lane": 1, "three lanes": 3} {
		t.Run(name, func(t *testing.T) {
			storagetest.Run(t, func(tb testing.TB) storage.Storage {
				s := memory.NewLanes(lanes)
				tb.Cleanup(func() { s.Close() })
				return s
			})
		})
	}
}

func TestClosed(t *testing.T) {
	s := memory.New()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	err := s.Commit(context.Background(), 0, func(context.Context, storage.Batch) error { return nil })
	if !errors.Is(err, storage.ErrUnavailable) || !errors.Is(s.Ready(context.Background()),
		storage.ErrUnavailable) {
		t.Fatalf("a closed store answered %v", err)
	}
}

// reply is a batch that stores one reply and nothing else.
func reply(s *memory.Store) error {
	return s.Commit(context.Background(), 0, func(ctx context.Context, b storage.Batch) error {
		key := machine.ReplyKey{Scope: "mer_1", Key: "K"}
		state, err := b.Load(ctx, &machine.Keys{Replies: []machine.ReplyKey{key}})
		if err != nil {
			return err
		}
		state.Replies[key] = machine.Stored{At: 1}
		state.Changes.Replies = append(state.Changes.Replies, key)
		return b.Save(ctx, state)
	})
}

func TestFaults(t *testing.T) {
	boom := errors.New("boom")
	fail := func() error { return boom }
	for name, c := range map[string]struct {
		faults memory.Faults
		kept   int
	}{
		"before save":   {memory.Faults{BeforeSave: fail}, 0},
		"before commit": {memory.Faults{BeforeCommit: fail}, 0},
		"after commit":  {memory.Faults{AfterCommit: fail}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := memory.New()
			s.SetFaults(c.faults)
			if err := reply(s); !errors.Is(err, boom) {
				t.Fatalf("got %v", err)
			}
			kept := 0
			s.Tamper(func(tables *memory.Tables) { kept = len(tables.Replies) })
			if kept != c.kept {
				t.Fatalf("kept %d replies, want %d", kept, c.kept)
			}
		})
	}
}

// Two writers that both loaded before either saved: the second loses, whatever it was about to say.
func TestInterleaving(t *testing.T) {
	s := memory.New()
	other := false
	s.SetFaults(memory.Faults{BeforeSave: func() error {
		if !other {
			other = true
			return reply(s)
		}
		return nil
	}})
	if err := reply(s); !errors.Is(err, storage.ErrConflict) {
		t.Fatalf("got %v, want a conflict", err)
	}
}
