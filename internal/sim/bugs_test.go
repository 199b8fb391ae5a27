package sim_test

import (
	"errors"
	"math"
	"slices"
	"testing"

	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/sim"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
)

// eachSaved changes every transaction that a batch saves and that pick chooses.
func eachSaved(change func(*wallet.Transaction)) func(*machine.State) {
	return func(state *machine.State) {
		for _, id := range slices.Concat(state.Changes.NewTransactions, state.Changes.Transactions) {
			t := state.Transactions[id]
			change(&t)
			state.Transactions[id] = t
		}
	}
}

// eachLoaded changes every transaction that a batch loads.
func eachLoaded(change func(*wallet.Transaction)) func(*machine.State) {
	return func(state *machine.State) {
		for id, t := range state.Transactions {
			change(&t)
			state.Transactions[id] = t
		}
	}
}

// tamper changes the rows of the store after a commit.
func tamper(change func(*memory.Tables)) func(storage.Storage) {
	return func(s storage.Storage) { s.(*memory.Store).Tamper(change) }
}

// bugs are mistakes that a programmer might make, each with the invariant by which it must be found.
var bugs = []struct {
	invariant, name string
	bug             sim.Bug
}{
	{"V1", "a top-up credits one more than it debits", sim.Bug{Saving: func(state *machine.State) {
		for _, r := range state.Changes.Records {
			if r.Type == journal.ToppedUp {
				w := state.Wallets[r.Wallet]
				w.Account.Totals.CreditsPosted++
				state.Wallets[r.Wallet] = w
			}
		}
	}}},
	{"V2", "a capture forgets what was canceled", sim.Bug{Loaded: func(state *machine.State) {
		for id, t := range state.Transactions {
			// Where the wallet holds more for others, the ledger itself cannot notice.
			if w := state.Wallets[t.Wallet]; w.Account.Totals.DebitsPending > 2*t.Authorized {
				t.Canceled = 0
				state.Transactions[id] = t
			}
		}
	}}},
	{"V3", "a refund forgets earlier refunds", sim.Bug{
		Loaded: eachLoaded(func(t *wallet.Transaction) { t.Refunded = 0 }),
	}},
	{"V4", "what is canceled is counted down", sim.Bug{
		Saving: eachSaved(func(t *wallet.Transaction) { t.Canceled = -t.Canceled }),
	}},
	{"V5", "a wallet is not capped", sim.Bug{Loaded: func(state *machine.State) {
		for id, w := range state.Wallets {
			w.Account.Capped = false
			state.Wallets[id] = w
		}
	}}},
	{"V6", "a version of a wallet is given twice", sim.Bug{Saving: func(state *machine.State) {
		for i, r := range state.Changes.Records {
			if r.Type == journal.Refunded {
				state.Changes.Records[i].Credit.Version--
			}
		}
	}}},
	{"V6", "a stripe forgets an entry", sim.Bug{Committed: tamper(func(t *memory.Tables) {
		for key, a := range t.Stripes {
			if a.Version == 40 {
				row := *a
				row.Version--
				t.Stripes[key] = &row
			}
		}
	})}},
	{"V7", "a capture puts the status back", sim.Bug{Saving: eachSaved(func(t *wallet.Transaction) {
		if t.Captured > 0 {
			t.Status = wallet.Processing
		}
	})}},
	{"V9", "replies are not looked up", sim.Bug{Loaded: func(state *machine.State) { clear(state.Replies) }}},
	{"V10", "a cancel writes no event", sim.Bug{Saving: func(state *machine.State) {
		state.Changes.Records = slices.DeleteFunc(state.Changes.Records, func(r journal.Record) bool {
			return r.Type == journal.Canceled
		})
	}}},
	{"V14", "the release deletes the replies of its transaction", sim.Bug{Loaded: func(state *machine.State) {
		for id, t := range state.Transactions {
			for k, row := range state.Replies {
				if t.Expired > 0 && len(row.Reply.Body) > len(id) && string(row.Reply.Body[:len(id)]) == id {
					delete(state.Replies, k)
				}
			}
		}
	}}},
	{"V15", "a hold that lapsed can be used until its release has run", timeless(wallet.Success)},
	{"V15", "an owner can answer until the lapse has run", timeless(wallet.New)},
	{"V7", "a completion does not wait for the owner's yes", sim.Bug{
		Loaded: eachLoaded(func(t *wallet.Transaction) {
			if t.Status == wallet.New {
				t.Status, t.ExpiresAt = wallet.Processing, t.CreatedAt
			}
		}),
	}},
	{"model", "no owner is asked", sim.Bug{Loaded: func(state *machine.State) {
		for id, w := range state.Wallets {
			w.Approval = wallet.Auto
			state.Wallets[id] = w
		}
	}}},
}

// timeless hides the time of expiry of transactions with the status from the decision, and puts it back into
// what is saved.
func timeless(status wallet.Status) sim.Bug {
	was := map[string]int64{}
	return sim.Bug{
		Loaded: eachLoaded(func(t *wallet.Transaction) {
			if t.Status == status {
				was[t.ID], t.ExpiresAt = t.ExpiresAt, math.MaxInt64
			}
		}),
		Saving: eachSaved(func(t *wallet.Transaction) {
			if at, hidden := was[t.ID]; hidden && t.ExpiresAt == math.MaxInt64 {
				t.ExpiresAt = at
			}
		}),
	}
}

// worlds is in how many a bug may show itself. In each of them it must be found; which of its consequences
// comes first, and so under which invariant, differs.
const worlds = 40

func TestPlantedBugs(t *testing.T) {
	for _, b := range bugs {
		t.Run(b.invariant+" "+b.name, func(t *testing.T) {
			for seed := range uint64(worlds) {
				s := memory.NewLanes(2)
				tally, err := sim.Run(t.Context(), sim.Config{
					Seed: 1 + seed, Steps: 20_000, Stores: [2]storage.Storage{s, s}, Interleave: true, Bug: b.bug,
				})
				var f *sim.Finding
				if !errors.As(err, &f) {
					t.Fatalf("not found in %s: %v", tally, err)
				}
				if f.Invariant == b.invariant {
					t.Log(f)
					return
				}
			}
			t.Fatalf("never found as %s", b.invariant)
		})
	}
}

// A keeper that lets the second of two writers win is found out too.
func TestLostUpdateIsFound(t *testing.T) {
	s := memory.NewLanes(2)
	careless := &lastWriterWins{s}
	_, err := sim.Run(t.Context(), sim.Config{
		Seed: 4, Steps: 20_000, Stores: [2]storage.Storage{careless, careless}, Interleave: true,
	})
	var f *sim.Finding
	if !errors.As(err, &f) {
		t.Fatalf("not found: %v", err)
	}
	t.Log(f)
}
