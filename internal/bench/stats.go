package bench

import (
	"math"
	"slices"
	"time"
)

// percentile returns the smallest of the sorted latencies (in microseconds) that is at least as large as
// the given share (0 to 1) of all of them (nearest rank), and 0 if there are none.
func percentile(sorted []uint32, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(share * float64(len(sorted))))
	rank = min(max(rank, 1), len(sorted))
	return time.Duration(sorted[rank-1]) * time.Microsecond
}

// median returns the middle value, the mean of the two middle values of an even number, and NaN of none,
// which meets no bound.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// pairedMedian returns the median of over[i]/under[i]: each round is compared with the same round's
// yardstick. Unequal or empty series have no ratio (NaN).
func pairedMedian(over, under []float64) float64 {
	if len(over) != len(under) {
		return math.NaN()
	}
	ratios := make([]float64, len(over))
	for i := range over {
		ratios[i] = over[i] / under[i]
	}
	return median(ratios)
}
