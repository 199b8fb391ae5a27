package sim_test

import (
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"testing"

	"plexy/internal/sim"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
)

var (
	seed     = flag.Uint64("seed", 0, "seed of the simulation; 0 draws one, which is printed")
	steps    = flag.Int("steps", 0, "steps of the simulation in memory; 0 is a million, 10,000 with -short")
	sqlSteps = flag.Int("sqlsteps", 0, "steps on each SQL store; 0 is 50,000, 1,500 with -short")
)

// length returns how many steps to play: what was asked for, or the full or the short form. The soak plays
// twenty times as many.
func length(asked, full, short int) int {
	switch {
	case asked > 0:
		return asked
	case testing.Short():
		return short
	case os.Getenv("PLEXY_TEST_SOAK") != "":
		return 20 * full
	}
	return full
}

// firstSeed returns the seed that was asked for, or draws one.
func firstSeed() uint64 {
	if *seed != 0 {
		return *seed
	}
	return rand.Uint64()
}

// worldSteps is how long one world lives: books of a million steps would only make the audits from
// scratch longer, so a long story is told in worlds, each from its own seed and with its own lanes.
const worldSteps = 50_000

// TestSimulation plays -steps steps from -seed in memory. make sim replays a seed with it.
func TestSimulation(t *testing.T) {
	t.Parallel()
	defer debug.SetGCPercent(debug.SetGCPercent(300)) // a third less time for memory that is there
	first, steps := firstSeed(), length(*steps, 1_000_000, 10_000)
	t.Logf("make sim SEED=%d STEPS=%d", first, steps)
	var total sim.Tally
	for world, left := uint64(0), steps; left > 0; world, left = world+1, left-worldSteps {
		s := memory.NewLanes(1 + int((first+world)%4))
		tally, err := sim.Run(t.Context(), sim.Config{
			Seed: first + world, Steps: min(left, worldSteps), Stores: [2]storage.Storage{s, s},
			Interleave: true,
		})
		total.Add(tally)
		if err != nil {
			var f *sim.Finding
			if errors.As(err, &f) {
				t.Logf("replay this world: make sim SEED=%d STEPS=%d", f.Seed, worldSteps)
			}
			t.Fatal(err)
		}
	}
	t.Log(total)
	if steps >= 50_000 {
		for _, what := range total.Missing(true) {
			t.Errorf("no %s in the whole story", what)
		}
	}
}

// The same seed is the same story.
func TestSameSeedSameStory(t *testing.T) {
	var told [2]string
	for i := range told {
		s := memory.NewLanes(2)
		tally, err := sim.Run(t.Context(), sim.Config{
			Seed: 7, Steps: 3_000, Stores: [2]storage.Storage{s, s}, Interleave: true, AuditEvery: 1_000,
		})
		if err != nil {
			t.Fatal(err)
		}
		told[i] = tally.String()
	}
	if told[0] != told[1] {
		t.Errorf("two stories from one seed:\n%s\n%s", told[0], told[1])
	}
}
