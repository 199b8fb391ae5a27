package storagetest

import (
	"math"

	"plexy/internal/merchant"
	"plexy/internal/sandbox"
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

func merchantFaults(w *world) {
	plain := w.addMerchant("1", merchant.Defaults())
	set := merchant.Defaults()
	set.Fault = sandbox.Dial{Fault: sandbox.Slow, Seconds: 5, Operation: "capture"}
	slow := w.addMerchant("2", set)
	found, err := w.Faults(w.ctx)
	w.ok(err)
	w.same(found, map[string]sandbox.Dial{slow.ID: set.Fault})
	got, err := w.Merchant(w.ctx, slow.ID)
	w.ok(err)
	w.same(got, slow)

	lost := merchant.Defaults()
	lost.Fault = sandbox.Dial{Fault: sandbox.LostAnswer}
	w.ok(w.SetMerchant(w.ctx, plain.ID, lost, w.audit()))
	w.ok(w.SetMerchant(w.ctx, slow.ID, merchant.Defaults(), w.audit()))
	found, err = w.Faults(w.ctx)
	w.ok(err)
	w.same(found, map[string]sandbox.Dial{plain.ID: lost.Fault})
}
