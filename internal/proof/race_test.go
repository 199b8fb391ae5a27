//go:build race

package proof_test

// raceBuilt says that this test has the race detector, and so the program under test gets it too.
const raceBuilt = true
