package sqlite

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/bits-and-blooms/bloom/v3"

	"plexy/internal/core/machine"
	"plexy/internal/storage/sqlstore"
)

// The window finds the row of an idempotency key without a tree that grows in random
// places: replies are only appended, and found by a hash of their key. The newest hashes live in memory,
// the open run. When it is full it is closed: its hashes are written, sorted, a slice with each of the
// following batches, and then its filter, which seals it. A filter says for sure that a hash is not in
// its run, so a new key costs no read at all. After a start only filters and the open run are read.
//
// A crash while a run is being closed loses nothing: a run without a filter does not count, its rows are
// in the open run again, and the hashes that were already written are written again.
type window struct {
	hash    func(machine.ReplyKey) uint64
	size    int // keys in a run
	loaded  bool
	last    int64 // newest row that is known
	open    rows
	closing *closing // nil when no run is being closed
	sealed  []run    // oldest first
}

// defaultRun is about 3 MiB of memory while it is open.
const defaultRun = 65_536

// falsePositives is how often a filter sends us to the index for nothing, one in so many.
const falsePositives = 1000

// rows are row numbers by hash. Two keys with one hash are next to impossible, but must not mix.
type rows struct {
	first map[uint64]int64
	more  map[uint64][]int64
	size  int
}

func newRows() rows { return rows{first: map[uint64]int64{}, more: map[uint64][]int64{}} }

func (r *rows) add(hash uint64, row int64) {
	if _, taken := r.first[hash]; taken {
		r.more[hash] = append(r.more[hash], row)
	} else {
		r.first[hash] = row
	}
	r.size++
}

// find calls fn with the rows of hash, newest first, until it says that it found its own.
func (r *rows) find(hash uint64, fn func(row int64) (bool, error)) (bool, error) {
	for _, row := range slices.Backward(r.more[hash]) {
		if ok, err := fn(row); ok || err != nil {
			return ok, err
		}
	}
	if row, ok := r.first[hash]; ok {
		return fn(row)
	}
	return false, nil
}

// run is a sealed run.
type run struct {
	number, lastRow int64
	filter          *bloom.BloomFilter
}

// closing is a run whose index is being written.
type closing struct {
	run
	entries []entry // sorted by hash, as the index is, and row
	done    int     // entries whose writing was committed
}

// find is the same as that of rows.
func (c *closing) find(hash uint64, fn func(row int64) (bool, error)) (bool, error) {
	after, _ := slices.BinarySearchFunc(c.entries, entry{hash, math.MaxInt64}, entry.compare)
	for ; after > 0 && c.entries[after-1].hash == hash; after-- {
		if ok, err := fn(c.entries[after-1].row); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

type entry struct {
	hash uint64
	row  int64
}

// compare orders entries as SQLite does, which knows signed numbers only.
func (e entry) compare(other entry) int {
	return cmp.Or(cmp.Compare(int64(e.hash), int64(other.hash)), cmp.Compare(e.row, other.row))
}

// hashKey is what the index is made of, so it must stay the same for ever. Keys are chosen by others, so
// it is one for which collisions cannot be made in bulk.
func hashKey(k machine.ReplyKey) uint64 {
	var room [320]byte
	text := append(room[:0], k.Scope...)
	text = append(text, 0)
	text = append(text, k.Key...)
	sum := sha256.Sum256(text)
	return binary.BigEndian.Uint64(sum[:8])
}

// filterKey is how a hash enters a filter.
func filterKey(hash uint64) []byte { return binary.BigEndian.AppendUint64(nil, hash) }

func newWindow(cfg Config) window {
	w := window{hash: cfg.hash, size: cfg.run, open: newRows()}
	if w.hash == nil {
		w.hash = hashKey
	}
	if w.size == 0 {
		w.size = defaultRun
	}
	return w
}

// forget drops everything, to be read anew.
func (w *window) forget() {
	w.loaded, w.last, w.open, w.closing, w.sealed = false, 0, newRows(), nil, nil
}

// refresh reads what is not known yet: everything the first time, later what other processes appended.
func (w *window) refresh(ctx context.Context, db sqlstore.DB) error {
	if !w.loaded {
		if err := w.readRuns(ctx, db); err != nil {
			return fmt.Errorf("read the sealed runs of idempotency keys: %w", err)
		}
	}
	err := db.Query(ctx, "select row, scope, key from idempotency where row > $1 order by row",
		[]any{w.last}, func(r sqlstore.Row) error {
			row := r.Int64()
			w.add(w.hash(machine.ReplyKey{Scope: r.Text(), Key: r.Text()}), row)
			return nil
		})
	if err != nil {
		w.forget()
		return fmt.Errorf("read the newest idempotency keys: %w", err)
	}
	w.loaded = true
	return nil
}

func (w *window) readRuns(ctx context.Context, db sqlstore.DB) error {
	w.forget()
	return db.Query(ctx, "select run, last_row, filter from idempotency_runs order by run", nil,
		func(r sqlstore.Row) error {
			sealed := run{number: r.Int64(), lastRow: r.Int64(), filter: &bloom.BloomFilter{}}
			if err := sealed.filter.UnmarshalBinary(r.Bytes()); err != nil {
				return fmt.Errorf("the filter of run %d: %w", sealed.number, err)
			}
			w.sealed = append(w.sealed, sealed)
			w.last = sealed.lastRow
			return nil
		})
}

func (w *window) add(hash uint64, row int64) {
	w.open.add(hash, row)
	w.last = max(w.last, row)
}

// find calls check with every row that may hold the key of hash, the newest run first, until it says yes.
func (w *window) find(hash uint64, look func(run int64) ([]int64, error),
	check func(row int64) (bool, error),
) error {
	if ok, err := w.open.find(hash, check); ok || err != nil {
		return err
	}
	if w.closing != nil {
		if ok, err := w.closing.find(hash, check); ok || err != nil {
			return err
		}
	}
	if len(w.sealed) == 0 {
		return nil
	}
	text := filterKey(hash)
	k := w.sealed[len(w.sealed)-1].filter.K()
	places := bloom.Locations(text, k) // the same for all filters of one size
	for _, sealed := range slices.Backward(w.sealed) {
		if sealed.filter.K() == k && !sealed.filter.TestLocations(places) || !sealed.filter.Test(text) {
			continue
		}
		found, err := look(sealed.number)
		if err != nil {
			return err
		}
		for _, row := range slices.Backward(found) {
			if ok, err := check(row); ok || err != nil {
				return err
			}
		}
	}
	return nil
}

// close begins to close the open run when it is full and none is being closed, and returns the run that
// is being closed, or nil. Look-ups go on finding its rows in memory.
func (w *window) close() *closing {
	if w.closing != nil || w.open.size < w.size {
		return w.closing
	}
	c := &closing{entries: make([]entry, 0, w.open.size)}
	for hash, row := range w.open.first {
		c.entries = append(c.entries, entry{hash, row})
	}
	for hash, more := range w.open.more {
		for _, row := range more {
			c.entries = append(c.entries, entry{hash, row})
		}
	}
	slices.SortFunc(c.entries, entry.compare)
	// After a restart the open run may hold more than a run does.
	capacity := uint(max(w.size, len(c.entries)))
	c.run = run{number: 1, lastRow: w.last, filter: bloom.NewWithEstimates(capacity, 1.0/falsePositives)}
	if n := len(w.sealed); n > 0 {
		c.number = w.sealed[n-1].number + 1
	}
	w.closing, w.open = c, newRows()
	return c
}

// slice returns the next entries to write, at most n.
func (c *closing) slice(n int) []entry { return c.entries[c.done:min(c.done+n, len(c.entries))] }

// seal makes the closing run a sealed one, after its filter was committed.
func (w *window) seal() {
	w.sealed = append(w.sealed, w.closing.run)
	w.closing = nil
}

// drop forgets the runs up to the given number, after they were deleted.
func (w *window) drop(upTo int64) {
	w.sealed = slices.DeleteFunc(w.sealed, func(r run) bool { return r.number <= upTo })
}
