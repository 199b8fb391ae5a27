package commit

import (
	"testing"
	"time"
)

// settle lets a lane that always has enough to do learn from a disk, and returns how much it takes then.
func settle(p *pace, flush time.Duration) int {
	const work = 25 * time.Microsecond // of one instruction
	for range 200 {
		p.learn(p.limit, time.Duration(p.limit)*work, flush)
	}
	return p.limit
}

// TestBatchesAreWorthTheirFlush: a fast disk gets small batches, so that work and flushes go on side by side;
// a slow one gets everybody, and no longer than it is slow.
func TestBatchesAreWorthTheirFlush(t *testing.T) {
	p := &pace{limit: leastBatch}
	for _, disk := range []struct {
		flush       time.Duration
		least, most int
	}{
		{50 * time.Microsecond, leastBatch, leastBatch},
		{450 * time.Microsecond, leastBatch, leastBatch},
		{10 * time.Millisecond, BatchLimit, BatchLimit},
		{450 * time.Microsecond, leastBatch, leastBatch},
		{2 * time.Millisecond, 100, 130},
	} {
		if took := settle(p, disk.flush); took < disk.least || took > disk.most {
			t.Errorf("with flushes of %v a batch takes %d, not %d to %d", disk.flush, took, disk.least, disk.most)
		}
	}
	was := p.limit
	p.learn(was-1, time.Millisecond, time.Second) // not full: more was not there
	p.learn(was, 0, 0)                            // failed
	if p.limit != was {
		t.Errorf("what says nothing changed %d to %d", was, p.limit)
	}
}
