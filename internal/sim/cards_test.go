package sim_test

import (
	"testing"

	"plexy/internal/sim"
	"plexy/internal/storage/memory"
)

// TestCards plays stories of card payments with a bank that answers late, twice, out of order, wrongly or
// never.
func TestCards(t *testing.T) {
	t.Parallel()
	first, steps, worlds := firstSeed(), length(*steps, 8_000, 3_000), uint64(6)
	if testing.Short() {
		worlds = 3
	}
	t.Logf("seed %d", first)
	total := sim.CardTally{}
	for world := range worlds {
		tally, err := sim.PlayCards(t.Context(), sim.CardConfig{
			Seed: first + world, Steps: steps, Store: memory.NewLanes(1 + int(world%3)), Interleave: true,
		})
		for what, n := range tally {
			total[what] += n
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Log(total)
	if steps < 8_000 {
		return // too short a story for everything to happen
	}
	for _, what := range []string{
		"conflicts", "replays", "links", "payments", "unknown", "not believed", "said again", "inquiries",
		"settled by hand",
		"authenticated", "clearings", "abandoned", "expired links", "settled", "bounced", "authorize approved",
		"authorize declined", "authorize failed", "capture approved", "capture declined", "capture failed",
		"cancel approved", "refund approved", "refund declined", "refused: link_busy",
		"refused: link_already_paid", "refused: operation_pending", "refused: payment_link_reference_exists",
	} {
		if total[what] == 0 {
			t.Errorf("no %s in all stories", what)
		}
	}
}

// The same seed is the same story.
func TestSameSeedSameCards(t *testing.T) {
	var told [2]string
	for i := range told {
		tally, err := sim.PlayCards(t.Context(), sim.CardConfig{
			Seed: 7, Steps: 1_000, Store: memory.NewLanes(2), Interleave: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		told[i] = tally.String()
	}
	if told[0] != told[1] || len(told[0]) < 100 {
		t.Errorf("two stories from one seed:\n%s\n%s", told[0], told[1])
	}
}

// In this story a payment is captured by itself while the last payer is given up: the end waits for the bank.
func TestCardsEndWhenAllIsAnswered(t *testing.T) {
	if _, err := sim.PlayCards(t.Context(), sim.CardConfig{
		Seed: 1033328076536200165, Steps: 3_000, Store: memory.NewLanes(1), Interleave: true,
	}); err != nil {
		t.Fatal(err)
	}
}
