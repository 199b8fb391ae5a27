package postgres_test

import (
	"context"
	"testing"

	"plexy/internal/clock"
	"plexy/internal/core/machine"
	"plexy/internal/storage"
	"plexy/internal/storage/postgres"
)

// sold sells n times in one batch.
func sold(t *testing.T, w *shop, n int) {
	t.Helper()
	for i := range n {
		_, err := run(t.Context(), w.Storage, i%w.Lanes(), w.authorize(i, i, 100))
		must(t, err)
	}
}

// numbers returns the numbers of the shop's feed.
func numbers(t *testing.T, s storage.Storage) (all []int64) {
	t.Helper()
	for n := 1; n > 0; {
		var err error
		n, err = s.Number(t.Context(), 1, 0)
		must(t, err)
	}
	events, err := s.Events(t.Context(), shopMerchant, 0, 1000)
	must(t, err)
	for i, e := range events {
		if e.Number != int64(i)+1 {
			t.Fatalf("event %d has number %d", i+1, e.Number)
		}
		all = append(all, e.Number)
	}
	return all
}

// A database that was restored into a new server has ids of transactions that lie in that server's future.
func TestNumbersGoOnAfterARestore(t *testing.T) {
	url := freshDatabase(t)
	w := newShop(t, openStore(t, postgres.Config{URL: url}), 5)
	sold(t, w, 3)
	if got := numbers(t, w); len(got) != 3 {
		t.Fatalf("%d events, want 3", len(got))
	}
	sold(t, w, 1) // not numbered before the dump
	conn := connect(t, url)
	_, err := conn.Exec(t.Context(), "update journal set xid = (9000000000000 + xid::text::bigint)::text::xid8")
	must(t, err)
	_, err = conn.Exec(t.Context(),
		"update event_progress set snapshot = '9000000900000:9000000900000:'")
	must(t, err)
	sold(t, w, 2)
	if got := numbers(t, w); len(got) != 6 {
		t.Fatalf("%d events after the restore, want 6", len(got))
	}
	sold(t, w, 1)
	if got := numbers(t, w); len(got) != 7 {
		t.Fatalf("%d events in the end, want 7", len(got))
	}
}

// A batch that is still under way is numbered when it is done, and holds nothing else back meanwhile.
func TestNumbersPassABatchUnderWay(t *testing.T) {
	w := newShop(t, openStore(t, postgres.Config{URL: freshDatabase(t), Lanes: 2}), 5)
	begun, finish, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- slowly(t.Context(), w, begun, finish)
	}()
	<-begun // it has its locks, and so its id
	_, err := run(t.Context(), w.Storage, 0, w.authorize(2, 2, 100))
	must(t, err)
	if got := numbers(t, w); len(got) != 1 {
		t.Errorf("%d events while a batch is under way, want 1", len(got))
	}
	close(finish)
	must(t, <-done)
	if got := numbers(t, w); len(got) != 2 {
		t.Errorf("%d events after it, want 2", len(got))
	}
}

// slowly sells in lane 1 and waits with the save until it is told.
func slowly(ctx context.Context, w *shop, begun, finish chan struct{}) error {
	in := w.authorize(1, 1, 100)
	var keys machine.Keys
	keys.Add(in)
	return w.Commit(ctx, 1, func(ctx context.Context, b storage.Batch) error {
		state, err := b.Load(ctx, &keys)
		if err != nil {
			return err
		}
		machine.Step(state, machine.Stamp{At: clock.System{}.Now()}, in)
		close(begun)
		<-finish
		return b.Save(ctx, state)
	})
}

// A numbering stops at the oldest mark, so that what was put off is done in pieces; one that was made before
// another server came further gives nothing twice.
func TestNumberingStopsAtMarks(t *testing.T) {
	url := freshDatabase(t)
	w := newShop(t, openStore(t, postgres.Config{URL: url}), 5)
	other := openStore(t, postgres.Config{URL: url})
	for range 3 {
		sold(t, w, 2)
		must(t, w.Mark(t.Context()))
		must(t, other.Mark(t.Context()))
	}
	sold(t, w, 2)
	for i, want := range []int{2, 4, 2, 0} {
		n, err := w.Number(t.Context(), 1, []int{1, 3, 1, 1}[i])
		must(t, err)
		if n != want {
			t.Errorf("numbering %d: %d events, want %d", i+1, n, want)
		}
	}
	sold(t, w, 1)
	n, err := other.Number(t.Context(), 1, 100)
	must(t, err)
	if n != 1 {
		t.Errorf("the other server numbers %d, want 1", n)
	}
	if got := numbers(t, w); len(got) != 9 {
		t.Errorf("%d events, want 9", len(got))
	}
}

// A batch that was under way at the mark belongs to the next piece, though its id is lower than others of it.
func TestAMarkKnowsWhatWasUnderWay(t *testing.T) {
	w := newShop(t, openStore(t, postgres.Config{URL: freshDatabase(t), Lanes: 2}), 5)
	begun, finish, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- slowly(t.Context(), w, begun, finish)
	}()
	<-begun
	_, err := run(t.Context(), w.Storage, 0, w.authorize(2, 2, 100))
	must(t, err)
	must(t, w.Mark(t.Context()))
	close(finish)
	must(t, <-done)
	for i, want := range []int{1, 1, 0} {
		n, err := w.Number(t.Context(), 1, 1)
		must(t, err)
		if n != want {
			t.Errorf("numbering %d: %d events, want %d", i+1, n, want)
		}
	}
}

// What was swept before a dump is not numbered again after the restore, and nothing that still waits for its
// number is taken for swept.
func TestSweptEventsStaySweptAfterARestore(t *testing.T) {
	url := freshDatabase(t)
	w := newShop(t, openStore(t, postgres.Config{URL: url}), 5)
	sold(t, w, 3)
	if got := numbers(t, w); len(got) != 3 {
		t.Fatalf("%d events, want 3", len(got))
	}
	later := int64(1) << 60
	sweep := func(want int) {
		t.Helper()
		n, err := w.SweepEvents(t.Context(), later, 2)
		must(t, err)
		if n != want {
			t.Fatalf("swept %d, want %d", n, want)
		}
	}
	sweep(2)
	sold(t, w, 1)
	sweep(0) // something as old waits for its number
	conn := connect(t, url)
	_, err := conn.Exec(t.Context(), "update journal set xid = (9000000000000 + xid::text::bigint)::text::xid8")
	must(t, err)
	_, err = conn.Exec(t.Context(), "update event_progress set snapshot = '9000000900000:9000000900000:'")
	must(t, err)
	sweep(0) // not before the numbering after the restore
	for n := 1; n > 0; {
		n, err = w.Number(t.Context(), 1, 0)
		must(t, err)
	}
	events, err := w.Events(t.Context(), shopMerchant, 0, 10)
	must(t, err)
	if len(events) != 2 || events[0].Number != 3 || events[1].Number != 4 {
		t.Fatalf("the feed has %+v, want numbers 3 and 4", events)
	}
	sweep(2)
}
