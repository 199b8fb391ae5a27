// Package sim is the simulator: from one seed it plays merchants who repeat themselves and change their
// minds, customers, staff, clocks that jump, answers that get lost and processes that die, against the
// real machine, the real commit and a real keeper, in one goroutine, so that the same seed is the same
// story again. Two processes interleave between load and save.
//
// An auditor with books of its own (model.go, decide.go) foretells every answer and every row. After each
// step it checks the invariants V1–V7, V9, V10, V14 and V15 of docs/rules.md for what the step touched, and
// from time to time everything, from scratch. V8, V16 and V17 have tests elsewhere.
package sim
