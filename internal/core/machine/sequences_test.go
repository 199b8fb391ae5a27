package machine_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// alphabetOfOperations is what a sequence is made of: enough to reach every state by every way.
var alphabetOfOperations = []operation{
	{authorizing, 100, 0}, {capturing, 40, 0}, {capturing, 100, 0}, {canceling, 60, 0},
	{refunding, 25, 0}, {refunding, 40, 0}, {expiring, 0, 0}, {waiting, lifeOfHold, 0}, {blocking, 0, 0},
	{withdrawing, 150, 0},
}

// alphabetOfApproval is what a sequence is made of where the owner is asked.
var alphabetOfApproval = []operation{
	{authorizing, 200, 0}, {approving, 0, 0}, {approving, 0, 1}, {declining, 0, 0}, {lapsing, 0, 0},
	{completing, 0, 0}, {completing, 0, 1}, {canceling, 100, 0}, {capturing, 100, 0},
	{waiting, timeToAnswer, 0}, {blocking, 0, 0},
}

// TestEverySequence runs every sequence of five operations after one authorize (four with -short) and
// checks after each operation that the machine and the model agree and that a refusal changed nothing.
func TestEverySequence(t *testing.T) {
	everySequence(t, alphabetOfOperations, operation{authorizing, 100, 0})
}

// TestEverySequenceOfAnOwner does the same after an authorize that waits for the wallet's owner.
func TestEverySequenceOfAnOwner(t *testing.T) {
	everySequence(t, alphabetOfApproval, operation{asking, 0, 0}, operation{authorizing, 100, 0})
}

func everySequence(t *testing.T, alphabet []operation, first ...operation) {
	depth, sequences := 5, 0
	if testing.Short() {
		depth = 4
	}
	var walk func(prefix []operation)
	walk = func(prefix []operation) {
		if len(prefix) == depth {
			sequences++
			if err := play(first, prefix); err != nil {
				t.Fatalf("%+v: %v", prefix, err)
			}
			return
		}
		for _, op := range alphabet {
			walk(append(prefix[:len(prefix):len(prefix)], op))
		}
	}
	walk(nil)
	t.Logf("%d sequences of %d operations", sequences, depth)
}

// play runs a sequence on fresh books, after the operations that set the stage.
func play(first, sequence []operation) error {
	trial := newTrial()
	for _, op := range slices.Concat(first, sequence) {
		if err := trial.do(op); err != nil {
			return err
		}
	}
	return nil
}

// TestAnySequence draws long sequences with any amounts, over several transactions.
func TestAnySequence(t *testing.T) {
	for range 20 { // of a hundred sequences each
		rapid.Check(t, anySequence)
	}
}

func anySequence(t *rapid.T) {
	trial := newTrial()
	for range rapid.IntRange(1, 40).Draw(t, "length") {
		op := operation{
			kind:   kind(rapid.IntRange(0, int(kinds)-1).Draw(t, "kind")),
			amount: rapid.OneOf(rapid.Int64Range(1, 200), rapid.Int64Min(1)).Draw(t, "amount"),
			target: rapid.IntRange(0, 3).Draw(t, "target"),
		}
		if err := trial.do(op); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzStep reads operations from bytes: whatever they are, the machine and the model agree.
func FuzzStep(f *testing.F) {
	f.Add([]byte{0, 0, 100, 0, 1, 0, 40, 0, 3, 0, 25, 0, 5, 0, 10, 0, 4, 0, 0, 0})
	f.Add([]byte{0, 255, 255, 7, 9, 255, 255, 7, 8, 1, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		trial := newTrial()
		for ; len(data) >= 4; data = data[4:] {
			// The fourth byte shifts the amount up to the last bits of 64, and names the target.
			amount := int64(binary.BigEndian.Uint16(data[1:])) << (data[3] & 0x30)
			op := operation{kind(data[0] % byte(kinds)), max(amount, 1), int(data[3] & 3)}
			if err := trial.do(op); err != nil {
				t.Fatalf("%+v: %v", op, err)
			}
		}
	})
}
