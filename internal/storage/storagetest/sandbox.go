package storagetest

import (
	"fmt"
	"math"

	"plexy/internal/core/payment"
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

func bankRows(w *world) {
	_, err := w.BankRow(w.ctx, "a")
	w.is(err, storage.ErrNotFound)
	row := func(id string, version int64, body string) storage.BankRow {
		return storage.BankRow{ID: id, Version: version, Body: []byte(body)}
	}
	save := func(want []bool, rows ...storage.BankRow) {
		saved, err := w.SaveBankRows(w.ctx, rows)
		w.ok(err)
		w.same(saved, want)
	}
	read := func(want storage.BankRow) {
		got, err := w.BankRow(w.ctx, want.ID)
		w.ok(err)
		w.same(got, want)
	}
	save([]bool{}, []storage.BankRow{}...)
	save([]bool{true, true}, row("b", 1, "b1"), row("a", 1, "a1"))
	read(row("a", 1, "a1"))
	save([]bool{false, true, true}, row("a", 1, "again"), row("b", 2, "b2"), row("c", 1, "c1"))
	read(row("a", 1, "a1"))
	read(row("b", 2, "b2"))
	save([]bool{false, true}, row("b", 4, "too far"), row("a", 2, "\x00\xff"))
	read(row("b", 2, "b2"))
	read(row("a", 2, "\x00\xff"))

	var many []storage.BankRow
	for i := range 101 {
		many = append(many, row(fmt.Sprintf("many %03d", i), 1, "x"))
	}
	saved, err := w.SaveBankRows(w.ctx, many)
	w.ok(err)
	for i, row := range many {
		if !saved[i] {
			w.Errorf("%s was not saved", row.ID)
		}
		read(row)
	}
}

func bankSweep(w *cards) {
	begun := w.begin(w.facts("mer_1", 100), false)
	row := func(id string, over int64) storage.BankRow {
		return storage.BankRow{ID: id, Version: 1, Body: []byte(id), OverAt: over}
	}
	_, err := w.SaveBankRows(w.ctx, []storage.BankRow{
		row("kept", 0), row("first", 1), row("second", 2), row("third", 3), row(begun.Operation.ID, 1),
	})
	w.ok(err)
	sweep := func(before int64, limit, want int) {
		w.Helper()
		n, err := w.SweepBank(w.ctx, before, limit)
		w.ok(err)
		w.same(n, want)
	}
	gone := func(ids ...string) {
		w.Helper()
		for _, id := range ids {
			_, err := w.BankRow(w.ctx, id)
			w.is(err, storage.ErrNotFound)
		}
	}
	sweep(1, 9, 0)
	sweep(3, 1, 1)
	gone("first")
	sweep(3, 9, 1)
	gone("second")
	got, err := w.BankRow(w.ctx, "third")
	w.ok(err)
	w.same(got, row("third", 3))
	got.Version, got.OverAt = 2, 4
	_, err = w.SaveBankRows(w.ctx, []storage.BankRow{got})
	w.ok(err)
	sweep(4, 9, 0)
	sweep(5, 9, 1)
	w.answers(begun, payment.Declined) // now nothing is open
	sweep(5, 9, 1)
	gone("third", begun.Operation.ID)
	_, err = w.BankRow(w.ctx, "kept")
	w.ok(err)
	saved, err := w.SaveBankRows(w.ctx, []storage.BankRow{{ID: "first", Version: 7, Body: []byte("x")}})
	w.ok(err)
	w.same(saved, []bool{true})
}
