package postgres_test

import (
	"testing"

	"plexy/internal/core/machine"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/storage/postgres"
)

// A batch guesses that the keys of its authorizes are new. Whatever it guessed, a key that is not new gets
// the first answer, and what stands beside it in the batch is done once.
func TestRepeatedKeysAmongNewOnes(t *testing.T) {
	w := newShop(t, openStore(t, postgres.Config{URL: freshDatabase(t)}), 4)
	fresh := func() machine.Instruction { return w.authorize(0, 1, 5) }
	must := func(in ...machine.Instruction) []machine.Outcome {
		t.Helper()
		outcomes, err := run(t.Context(), w, 0, in...)
		must(t, err)
		return outcomes
	}
	first := fresh()
	held := must(first)[0]
	calm := 0
	for round := range 5 {
		another := first
		another.Fingerprint = [32]byte{99}
		outcomes := must(fresh(), first, fresh(), another)
		for _, i := range []int{0, 2} {
			if o := outcomes[i]; o.Replayed || o.Transaction.Status != wallet.Success {
				t.Fatalf("round %d: a new key was not new: %+v", round, o)
			}
		}
		if o := outcomes[1]; !o.Replayed || string(o.Reply.Body) != string(held.Reply.Body) {
			t.Fatalf("round %d: a repeated key was answered %+v", round, o)
		}
		if o := outcomes[3]; o.Reason != reject.IdempotencyKeyReused {
			t.Fatalf("round %d: a key that means something else was answered %+v", round, o)
		}
		// Until the lane guesses again, which it does after some time without repeats.
		for range 20 * round {
			must(fresh())
			calm++
		}
	}
	// One key for an authorize and a capture in one batch: the first of them is the one.
	both := fresh()
	capture := w.keyed(both.Key, machine.Capture{Target: target(held.Transaction, 1)})
	capture.Fingerprint = [32]byte{2}
	outcomes := must(both, capture)
	if outcomes[0].Replayed || outcomes[1].Reason != reject.IdempotencyKeyReused {
		t.Errorf("one key for two operations: replayed %v, and %q", outcomes[0].Replayed, outcomes[1].Reason)
	}
	if n, want := journalOf(t, w), 4+1+2*5+calm+1; n != want {
		t.Errorf("%d records instead of %d", n, want)
	}
	inOrder(t, w)
}
