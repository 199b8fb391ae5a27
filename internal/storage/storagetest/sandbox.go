package storagetest

import (
	"math"

	"plexy/internal/storage"
)

func testClock(w *world) {
	w.install()
	got, err := w.TestClock(w.ctx)
	w.ok(err)
	w.same(got, storage.TestClock{})
	first := storage.TestClock{Version: 1, OffsetMicros: math.MinInt64, FrozenAt: math.MaxInt64}
	w.ok(w.SetTestClock(w.ctx, first, w.audit()))
	got, err = w.TestClock(w.ctx)
	w.ok(err)
	w.same(got, first)
	for _, version := range []int64{0, 1, 3} {
		w.is(w.SetTestClock(w.ctx, storage.TestClock{Version: version}, w.audit()), storage.ErrConflict)
	}
	got, err = w.TestClock(w.ctx)
	w.ok(err)
	w.same(got, first)
	rows, err := w.Audits(w.ctx, 10)
	w.ok(err)
	w.same(len(rows), 1)
	second := storage.TestClock{Version: 2, OffsetMicros: -1}
	w.ok(w.SetTestClock(w.ctx, second, w.audit()))
	got, err = w.TestClock(w.ctx)
	w.ok(err)
	w.same(got, second)
}
