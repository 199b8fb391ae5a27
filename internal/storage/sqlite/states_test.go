package sqlite

import (
	"errors"
	"math/rand/v2"
	"testing"

	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/storage/sqlstore"
)

// walletBooks are what a wallet should be: its version, and what is held on it.
type walletBooks struct{ version, held int64 }

// teller sells from a few wallets through one store after the other and keeps books of its own.
type teller struct {
	*shop
	failing string
	books   map[string]walletBooks
}

// newTeller sweeps from a few states on, so that every stage of a sweep is met often.
func newTeller(t *testing.T) *teller {
	w := &teller{books: map[string]walletBooks{}}
	w.shop = newShop(t, fresh(t, w.config("")), 23)
	w.enter(w.run(w.topUp(0))) // of a wallet that is there already
	w.ok(w.Read(t.Context(), func(db sqlstore.DB) error {
		return sqlstore.Books{DB: db}.Wallets(t.Context(), func(v wallet.Wallet) error {
			w.books[v.ID] = walletBooks{v.Account.Version, 0}
			return nil
		})
	}))
	return w
}

func (w *teller) config(path string) Config {
	return Config{Path: path, Owner: true, states: 40, Fail: func(point string) error {
		if point == w.failing {
			return errBoom
		}
		return nil
	}}
}

// sale is a batch of one to nine authorizes.
func (w *teller) sale() []machine.Instruction {
	in := make([]machine.Instruction, 1+rand.IntN(9))
	for i := range in {
		in[i] = w.authorize()
	}
	return in
}

func (w *teller) enter(outcomes []machine.Outcome) {
	w.Helper()
	for _, o := range outcomes {
		if o.Transaction.ID == "" {
			continue
		}
		b := w.books[o.Wallet.ID]
		b.version, b.held = b.version+1, b.held+o.Transaction.Amount
		w.books[o.Wallet.ID] = b
		if o.Wallet.Account.Version != b.version {
			w.Fatalf("wallet %s was decided on at version %d instead of %d",
				o.Wallet.ID, o.Wallet.Account.Version, b.version)
		}
	}
}

// compare reads every wallet as other processes do.
func (w *teller) compare() {
	w.Helper()
	n := 0
	w.ok(w.Read(w.Context(), func(db sqlstore.DB) error {
		return sqlstore.Books{DB: db}.Wallets(w.Context(), func(v wallet.Wallet) error {
			n++
			got := walletBooks{v.Account.Version, v.Account.Totals.DebitsPending}
			if got != w.books[v.ID] {
				w.Fatalf("wallet %s is read as %+v instead of %+v", v.ID, got, w.books[v.ID])
			}
			return nil
		})
	}))
	if n != len(w.books) {
		w.Fatalf("%d wallets are read instead of %d", n, len(w.books))
	}
}

// Whatever the sweep has got to when batches fail, processes stop and others write: a wallet is its newest
// state, for the writer and for readers.
func TestStatesOfWallets(t *testing.T) {
	w := newTeller(t)
	seen := map[string]bool{}
	for step := range 3000 {
		st := &w.writer.states
		switch {
		case len(st.fold) > 0:
			seen["folding"] = true
		case st.first < st.end:
			seen["deleting"] = true
		}
		switch roll := rand.IntN(100); {
		case roll < 80:
			w.enter(w.run(w.sale()...))
		case roll < 90:
			w.failing = []string{BeforeSave, MiddleOfSave, BeforeCommit}[rand.IntN(3)]
			if _, err := w.try(w.sale()...); !errors.Is(err, errBoom) {
				t.Fatal(err)
			}
			w.failing = ""
		case roll < 95: // a command beside the server
			other := *w.shop
			other.Store = reopened(t, Config{Path: w.cfg.Path, states: 40})
			w.enter(other.run(w.sale()...))
			w.ok(other.Close())
		case roll < 97:
			w.ok(w.Close())
			w.Store = reopened(t, w.config(w.cfg.Path))
		default:
			w.compare()
		}
		if n := w.count("wallet_states"); n > 400 {
			t.Fatalf("after %d steps %d states wait to be folded", step, n)
		}
	}
	w.compare()
	if !seen["folding"] || !seen["deleting"] {
		t.Errorf("of a sweep only %v was seen", seen)
	}
}

// A sweep ends, leaves the newest row, and what it folded is in the rows.
func TestSweepFolds(t *testing.T) {
	w := newTeller(t)
	st := &w.writer.states
	for st.end == 0 || st.first < st.end {
		w.enter(w.run(w.authorize()))
	}
	least, err := first(w.writer.link, "select min(row) from wallet_states", rowInt64)
	w.ok(err)
	if st.end < 39 || least != st.end+1 {
		t.Errorf("the states up to %d are folded, and begin at %d", st.end, least)
	}
	folded, err := first(w.writer.link, "select sum(version) from wallet_rows", rowInt64)
	w.ok(err)
	if made := int64(len(w.books)); folded < made+st.end/2 {
		t.Errorf("of %d states few came to the rows: the sum of the versions is %d", st.end, folded)
	}
	w.compare()
}
