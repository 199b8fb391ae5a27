package sim_test

import (
	"errors"
	"flag"
	"math/rand/v2"
	"testing"

	"plexy/internal/sim"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
)

var (
	seed     = flag.Uint64("seed", 0, "seed of the simulation; 0 draws one, which is printed")
	steps    = flag.Int("steps", 50_000, "steps of the simulation in memory")
	sqlSteps = flag.Int("sqlsteps", 5_000, "steps of the simulation on SQLite and on PostgreSQL")
)

// worldSteps is how long one world lives: books of a million steps would only make the audits from
// scratch longer, so a long story is told in worlds, each from its own seed and with its own lanes.
const worldSteps = 100_000

// TestSimulation plays -steps steps from -seed in memory. make sim replays a seed with it.
func TestSimulation(t *testing.T) {
	t.Parallel()
	first := *seed
	if first == 0 {
		first = rand.Uint64()
	}
	t.Logf("make sim SEED=%d STEPS=%d", first, *steps)
	var total sim.Tally
	for world, left := uint64(0), *steps; left > 0; world, left = world+1, left-worldSteps {
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
	if *steps >= 20_000 {
		for _, what := range total.Missing() {
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
