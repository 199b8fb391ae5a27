package sqlite

import (
	"context"
	"fmt"
	"slices"

	"plexy/internal/core/wallet"
	"plexy/internal/storage/sqlstore"
)

// states knows which wallets have a newer state in wallet_states than in wallet_rows. A page is the least
// that a commit writes, and busy wallets lie on pages of their own: so a batch appends the states of its
// wallets side by side, and they are folded into their rows later, in order of id, so that those that share
// a page are folded together and a wallet that was busy is folded once.
//
// Folding goes by sweeps, a slice with each batch. When enough states are there, a sweep copies the newest
// state of each wallet that has none after the sweep's last row; then it deletes the states up to that row.
// At any moment the newest state of a wallet, where there is one, is the wallet: a process that stops in the
// middle, or another one that reads, needs to know nothing else.
type states struct {
	loaded bool
	newest map[string]int64 // the row of a wallet's newest state that is not folded
	last   int64            // the newest row

	// The sweep under way: wallets to fold, in order of id; and the rows to delete, after first up to end.
	fold       []string
	first, end int64
}

const (
	// defaultStates begin a sweep. About 150 bytes each in the file, 100 in memory.
	defaultStates = 16_384
	// The slices of a sweep that a batch takes on: faster than new states arrive, too few to be felt.
	smallestFold  = 8
	foldsPerState = 2
	deletesPer    = 8 // deletes for each fold, since they cost less
)

// refresh learns of the states that are not known yet: all of them the first time, later what other
// processes appended. Only the owner folds and deletes, so for the owner nothing else ever changes; others
// forget and begin anew.
func (st *states) refresh(ctx context.Context, db sqlstore.DB, owner bool) error {
	if !st.loaded || !owner {
		*st = states{newest: map[string]int64{}}
	}
	err := db.Query(ctx, "select wallet_id, row from wallet_states where row > $1 order by row",
		[]any{st.last}, func(r sqlstore.Row) error {
			id, row := r.Text(), r.Int64()
			if len(st.newest) == 0 {
				st.first = row - 1
			}
			st.append(id, row)
			return nil
		})
	if err != nil {
		*st = states{}
		return fmt.Errorf("read the newest states of wallets: %w", err)
	}
	st.loaded = true
	return nil
}

// begin starts a sweep when none is under way and enough states are there. The newest row stays, so that
// row numbers never come again.
func (st *states) begin(enough int64) {
	if len(st.fold) > 0 || st.first < st.end || st.last-st.first < enough {
		return
	}
	st.end = st.last - 1
	for id, row := range st.newest {
		if row <= st.end {
			st.fold = append(st.fold, id)
		}
	}
	slices.Sort(st.fold)
}

// slice is what one batch does of a sweep.
type slice struct {
	folded  int   // wallets taken from the front of fold
	deleted int64 // rows up to this one were deleted
}

// take enters the slice of a batch that is committed.
func (st *states) take(done slice) {
	for _, id := range st.fold[:done.folded] {
		if st.newest[id] <= st.end {
			delete(st.newest, id)
		}
	}
	if st.fold = st.fold[done.folded:]; len(st.fold) == 0 {
		st.fold = nil
	}
	st.first = max(st.first, done.deleted)
}

func (st *states) append(id string, row int64) {
	st.newest[id] = row
	st.last = row
}

const (
	insertStates = "insert or rollback into wallet_states (wallet_id, book, " + sqlstore.WalletStateColumns +
		") values"
	foldState = "update wallet_rows set (" + sqlstore.WalletStateColumns + ") = " +
		"(select " + sqlstore.WalletStateColumns + " from wallet_states where row = $3) where id = $1 and book = $2"
	deleteStates = "delete from wallet_states where row > $1 and row <= $2"
)

func bindState(q *stmt, base int, w wallet.Wallet) {
	t := w.Account.Totals
	q.text(base+1, w.ID)
	q.int(base+2, int64(w.Book))
	q.text(base+3, string(w.Condition))
	q.int(base+4, w.Limits.PerTransaction)
	q.int(base+5, w.Limits.PerDay)
	q.int(base+6, w.Spent.Day)
	q.int(base+7, w.Spent.Amount)
	q.int(base+8, t.DebitsPending)
	q.int(base+9, t.DebitsPosted)
	q.int(base+10, t.CreditsPending)
	q.int(base+11, t.CreditsPosted)
	q.int(base+12, w.Account.Version)
	q.int(base+13, w.Sequence)
	q.text(base+14, w.Last.Object)
	q.int(base+15, w.Last.Sequence)
}

// saveStates appends the states that the batch leaves its wallets in, and does its slice of the sweep. Only
// the owner sweeps: to others the states are as good as the rows.
func (b *batch) saveStates(context.Context) error {
	hot, ids := b.w.hot, b.state.Changes.Wallets
	if b.w.s.owner != nil {
		if err := b.sweep(max(smallestFold, foldsPerState*len(ids))); err != nil {
			return err
		}
	}
	if len(ids) == 0 {
		return nil
	}
	err := hot.states.insert(hot, len(ids), func(q *stmt, base, i int) {
		bindState(q, base, b.state.Wallets[ids[i]])
	})
	if err != nil {
		return fmt.Errorf("insert states of wallets: %w", err)
	}
	b.lastState = b.w.link.conn.LastInsertRowID()
	return nil
}

// sweep folds up to n wallets, or deletes states when none is left to fold.
func (b *batch) sweep(n int) error {
	st, hot := &b.w.states, b.w.hot
	st.begin(b.w.s.cfg.states)
	for _, id := range st.fold[:min(n, len(st.fold))] {
		b.swept.folded++
		row, ok := st.newest[id]
		if !ok || row > st.end {
			continue // its newest state is not of this sweep
		}
		q, err := hot.ready(&hot.folds, foldState)
		if err != nil {
			return fmt.Errorf("prepare to fold states: %w", err)
		}
		book, _ := sqlstore.Book(id)
		q.text(1, id)
		q.int(2, book)
		q.int(3, row)
		if err := b.one(q); err != nil {
			return fmt.Errorf("fold the state of wallet %s: %w", id, err)
		}
	}
	if len(st.fold) > 0 || st.first >= st.end {
		return nil
	}
	q, err := hot.ready(&hot.forgets, deleteStates)
	if err != nil {
		return fmt.Errorf("prepare to delete states: %w", err)
	}
	b.swept.deleted = min(st.first+int64(deletesPer*n), st.end)
	q.int(1, st.first)
	q.int(2, b.swept.deleted)
	if err := q.run(); err != nil {
		return fmt.Errorf("delete states that are folded: %w", err)
	}
	return nil
}

// keepStates enters what saveStates did, now that it is committed.
func (b *batch) keepStates() {
	st, ids := &b.w.states, b.state.Changes.Wallets
	st.take(b.swept)
	for i, id := range ids { // SQLite numbers new rows from the highest on, one by one
		st.append(id, b.lastState-int64(len(ids)-1-i))
	}
}

// newestState gives a wallet that was read from its row its newest state.
func (w *writer) newestState(read wallet.Wallet) (wallet.Wallet, error) {
	row, ok := w.states.newest[read.ID]
	if !ok {
		return read, nil
	}
	// The columns of a wallet, with what never changes taken from its row.
	return first(w.link, "select $2, $3, $4, $5, "+sqlstore.WalletStateColumns+
		", $6, $7 from wallet_states where row = $1",
		sqlstore.ScanWallet, row, read.ID, int64(read.Book), read.Customer, string(read.Account.Currency),
		read.CreatedAt, int64(read.Approval))
}
