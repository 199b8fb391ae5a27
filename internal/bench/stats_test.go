package bench

import (
	"math"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	hundred := make([]uint32, 100)
	for i := range hundred {
		hundred[i] = uint32(i + 1)
	}
	for _, c := range []struct {
		name   string
		sorted []uint32
		share  float64
		want   time.Duration
	}{
		{"none", nil, 0.5, 0},
		{"one", []uint32{7}, 0.99, 7 * time.Microsecond},
		{"median of a hundred", hundred, 0.50, 50 * time.Microsecond},
		{"p99 of a hundred", hundred, 0.99, 99 * time.Microsecond},
		{"all", hundred, 1, 100 * time.Microsecond},
		{"median of two is the lower", []uint32{3, 9}, 0.50, 3 * time.Microsecond},
	} {
		if got := percentile(c.sorted, c.share); got != c.want {
			t.Errorf("%s: percentile(%v) = %v, want %v", c.name, c.share, got, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	values := []float64{9, 1, 5}
	if got := median(values); got != 5 {
		t.Errorf("median of 9 1 5 = %v, want 5", got)
	}
	if values[0] != 9 {
		t.Error("median has sorted the caller's values")
	}
	if got := median([]float64{4, 1, 2, 3}); got != 2.5 {
		t.Errorf("median of 4 1 2 3 = %v, want 2.5", got)
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("median of none = %v, want NaN", got)
	}
}

func TestPairedMedian(t *testing.T) {
	// The machine was twice as slow in the second round; the ratio does not care.
	if got := pairedMedian([]float64{50, 25, 60}, []float64{100, 50, 100}); got != 0.5 {
		t.Errorf("got %v, want 0.5", got)
	}
	if got := pairedMedian([]float64{1}, []float64{1, 2}); !math.IsNaN(got) {
		t.Errorf("unequal series have the ratio %v, want NaN", got)
	}
	if got := pairedMedian(nil, nil); !math.IsNaN(got) {
		t.Errorf("empty series have the ratio %v, want NaN", got)
	}
}
