//go:build race

package customer

const underRace = true
