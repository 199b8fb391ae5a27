package sim_test

import (
	"testing"

	"plexy/internal/sim"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
)

func TestQuick(t *testing.T) {
	s := memory.NewLanes(3)
	tally, err := sim.Run(t.Context(), sim.Config{
		Seed: 1, Steps: 20000, Stores: [2]storage.Storage{s, s}, Interleave: true,
	})
	t.Log(tally)
	if err != nil {
		t.Fatal(err)
	}
}
