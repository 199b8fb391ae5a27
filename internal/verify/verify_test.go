package verify_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
	"plexy/internal/verify"
)

func (w *town) verify() verify.Report {
	w.Helper()
	report, err := verify.RunAt(context.Background(), w.s, w.clock.Now())
	if err != nil {
		w.Fatal(err)
	}
	return report
}

func TestBooksInOrder(t *testing.T) {
	w := newTown(t)
	report := w.verify()
	var b strings.Builder
	if _, err := report.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if !report.OK() {
		t.Fatalf("the books should be in order:\n%s", &b)
	}
	for _, c := range report.Checks {
		if c.Checked == 0 {
			t.Errorf("%s: never applied", c.Rule)
		}
	}
	if !strings.Contains(b.String(), "in order.") || !strings.Contains(b.String(), "order reference") {
		t.Errorf("the report does not say what it must:\n%s", &b)
	}
	for _, keys := range []int{1, 3} {
		report, err := verify.RunInPortions(context.Background(), w.s, w.clock.Now(), keys)
		if err != nil || !report.OK() {
			t.Errorf("in portions of %d keys: %v %v", keys, err, report.Violations)
		}
	}
}

func TestEmptyBooks(t *testing.T) {
	report, err := verify.Run(context.Background(), memory.New())
	if err != nil || !report.OK() {
		t.Fatalf("empty books: %v %v", err, report.Violations)
	}
}

// edit replaces one record of the named sale.
func edit(name string, sequence int, change func(*journal.Record)) func(*town, *memory.Tables) {
	return func(w *town, t *memory.Tables) {
		rows := slices.Clone(t.Journal[w.sold[name].ID])
		change(&rows[sequence-1])
		t.Journal[w.sold[name].ID] = rows
	}
}

// editRow replaces the row of the named sale.
func editRow(name string, change func(*wallet.Transaction)) func(*town, *memory.Tables) {
	return func(w *town, t *memory.Tables) {
		row := *t.Transactions[w.sold[name].ID]
		change(&row)
		t.Transactions[row.ID] = &row
	}
}

func editWallet(person string, change func(*wallet.Wallet)) func(*town, *memory.Tables) {
	return func(w *town, t *memory.Tables) {
		row := *t.Wallets[w.wallets[person]]
		change(&row)
		t.Wallets[row.ID] = &row
	}
}

func editStripe(change func(*ledger.Account)) func(*town, *memory.Tables) {
	return func(_ *town, t *memory.Tables) {
		key := memory.StripeKey{Account: ledger.Payable("mer_1", money.KZT)}
		row := *t.Stripes[key]
		change(&row)
		t.Stripes[key] = &row
	}
}

// plants are corruptions, each with a rule that must find it. Others may find it too.
var plants = []struct {
	name  string
	rule  verify.Rule
	plant func(*town, *memory.Tables)
}{
	{"money from nothing", verify.Balance, editWallet("alice", func(w *wallet.Wallet) {
		w.Account.Totals.CreditsPosted++
	})},
	{"a hold from nothing", verify.Balance, editWallet("alice", func(w *wallet.Wallet) {
		w.Account.Totals.DebitsPending++
	})},
	{"a wallet's total is not its entries", verify.Totals, editWallet("alice", func(w *wallet.Wallet) {
		w.Account.Totals.CreditsPosted, w.Account.Totals.DebitsPosted =
			w.Account.Totals.CreditsPosted+1, w.Account.Totals.DebitsPosted+1
	})},
	{"a stripe's total is not its entries", verify.Totals, editStripe(func(a *ledger.Account) {
		a.Totals.CreditsPosted, a.Totals.DebitsPosted = a.Totals.CreditsPosted+5, a.Totals.DebitsPosted+5
	})},
	{"a stripe is lost", verify.Totals, func(_ *town, t *memory.Tables) {
		delete(t.Stripes, memory.StripeKey{Account: ledger.Bank(money.KZT)})
	}},
	{"an entry too many is counted", verify.Totals, editWallet("bob", func(w *wallet.Wallet) {
		w.Account.Version++
	})},
	{"an entry is lost", verify.Totals, func(w *town, t *memory.Tables) {
		id := w.sold["part"].ID
		t.Journal[id] = t.Journal[id][:2]
	}},
	{"an entry is there twice", verify.Running, func(w *town, t *memory.Tables) {
		id := w.sold["part"].ID
		t.Journal[id] = append(slices.Clone(t.Journal[id]), t.Journal[id][1])
	}},
	{"the wallet's running balance is wrong", verify.Running, edit("full", 2, func(r *journal.Record) {
		r.Debit.Posted++
	})},
	{"the stripe's running balance is wrong", verify.Running, edit("full", 2, func(r *journal.Record) {
		r.Credit.Pending++
	})},
	{"a running version is wrong", verify.Running, edit("open", 1, func(r *journal.Record) {
		r.Credit.Version += 7
	})},
	{"two entries exchanged their places", verify.Running, func(w *town, t *memory.Tables) {
		edit("full", 2, func(a *journal.Record) {
			edit("part", 1, func(b *journal.Record) {
				a.Debit.Version, b.Debit.Version = b.Debit.Version, a.Debit.Version
			})(w, t)
		})(w, t)
	}},
	{"the statement skips an entry", verify.Statement, edit("full", 2, func(r *journal.Record) {
		r.Previous = journal.Ref{}
	})},
	{"the statement begins elsewhere", verify.Statement, editWallet("alice", func(w *wallet.Wallet) {
		w.Last.Sequence--
	})},
	{"a wallet below zero", verify.Floor, editWallet("bob", func(w *wallet.Wallet) {
		w.Account.Totals.DebitsPosted += 1_000_000
	})},
	{"an entry that left a wallet below zero", verify.Floor, edit("open", 1, func(r *journal.Record) {
		r.Debit.Pending = -r.Debit.Posted - 1
	})},
	{"more released than held", verify.Floor, editStripe(func(a *ledger.Account) {
		a.Totals.CreditsPending = -1_000
	})},
	{"a request that holds money", verify.Counters, editRow("asked", func(t *wallet.Transaction) {
		t.Authorized = t.Amount
	})},
	{"captured more than authorized", verify.Counters, editRow("open", func(t *wallet.Transaction) {
		t.Captured = t.Authorized + 1
	})},
	{"refunded more than captured", verify.Counters, editRow("full", func(t *wallet.Transaction) {
		t.Refunded = t.Captured + 1
	})},
	{"a captured amount without its entry", verify.Counters, editRow("open", func(t *wallet.Transaction) {
		t.Captured++
	})},
	{"authorized is not what was asked for", verify.Counters, editRow("open", func(t *wallet.Transaction) {
		t.Authorized--
	})},
	{"a success became a failure", verify.History, editRow("full", func(t *wallet.Transaction) {
		t.Status = wallet.Failed
	})},
	{"a failure became a success", verify.History, editRow("poor", func(t *wallet.Transaction) {
		t.Status, t.Failure = wallet.Success, ""
	})},
	{"a failure without a reason", verify.History, editRow("poor", func(t *wallet.Transaction) {
		t.Failure = ""
	})},
	{"a wallet that nobody found", verify.History, editRow("poor", func(t *wallet.Transaction) {
		t.Wallet = ""
	})},
	{"a row went back to pending", verify.History, editRow("open", func(t *wallet.Transaction) {
		t.Status = wallet.Processing
	})},
	{"a hold that nobody approved", verify.History, edit("yes", 2, func(r *journal.Record) {
		r.Type = journal.Processing
	})},
	{"approved and never asked", verify.History, edit("yes", 1, func(r *journal.Record) {
		r.Type = journal.Processing
	})},
	{"asked after it was held", verify.History, edit("full", 2, func(r *journal.Record) {
		r.Type, r.Posting = journal.Created, ledger.Posting{}
	})},
	{"captured before it was decided", verify.History, edit("yes", 2, func(r *journal.Record) {
		r.Type = journal.Captured
	})},
	{"a request became a hold by itself", verify.History, editRow("asked", func(t *wallet.Transaction) {
		t.Status, t.Authorized = wallet.Success, t.Amount
	})},
	{"an approval is forgotten", verify.History, editRow("approved", func(t *wallet.Transaction) {
		t.Status = wallet.New
	})},
	{"a request without an end", verify.History, editRow("asked", func(t *wallet.Transaction) {
		t.ExpiresAt = 0
	})},
	{"a request that is to fail", verify.History, editRow("asked", func(t *wallet.Transaction) {
		t.Failure = reject.WalletBlocked
	})},
	{"an end that stays after a failure", verify.History, editRow("silent", func(t *wallet.Transaction) {
		t.ExpiresAt = t.UpdatedAt
	})},
	{"nobody answered what nobody was asked", verify.History, editRow("poor", func(t *wallet.Transaction) {
		t.Failure = reject.ApprovalExpired
	})},
	{"declined for the wallet's reasons", verify.History, editRow("no", func(t *wallet.Transaction) {
		t.Failure = reject.InsufficientFunds
	})},
	{"approved and then declined", verify.History, editRow("broke", func(t *wallet.Transaction) {
		t.Failure = reject.DeclinedByOwner
	})},
	{"time ran backwards", verify.History, edit("full", 3, func(r *journal.Record) { r.At -= hold })},
	{"authorized twice", verify.History, edit("full", 2, func(r *journal.Record) {
		r.Type = journal.Authorized
	})},
	{"the wrong accounts", verify.Operations, edit("full", 2, func(r *journal.Record) {
		r.Posting.Credit = ledger.Payable("mer_2", money.KZT)
	})},
	{"the wrong move", verify.Operations, edit("part", 3, func(r *journal.Record) {
		r.Posting.Move = ledger.Settle
	})},
	{"another amount posted than operated", verify.Operations, edit("full", 3, func(r *journal.Record) {
		r.Amount++
	})},
	{"an operation without its posting", verify.Operations, edit("full", 2, func(r *journal.Record) {
		r.Posting = ledger.Posting{}
	})},
	{"a posting of a failure", verify.Operations, edit("poor", 1, func(r *journal.Record) {
		r.Posting = ledger.Posting{Move: ledger.Post, Amount: 1}
	})},
	{"a posting of a request", verify.Operations, edit("asked", 1, func(r *journal.Record) {
		r.Posting = ledger.Posting{Move: ledger.Hold, Amount: 600}
	})},
	{"a hold without its posting", verify.Operations, edit("yes", 3, func(r *journal.Record) {
		r.Posting = ledger.Posting{}
	})},
	{"a request lost its records", verify.Operations, func(w *town, t *memory.Tables) {
		delete(t.Journal, w.sold["asked"].ID)
	}},
	{"an unknown operation", verify.Operations, edit("full", 2, func(r *journal.Record) {
		r.Type = "stolen"
	})},
	{"a transaction lost its records", verify.Operations, func(w *town, t *memory.Tables) {
		delete(t.Journal, w.sold["nobody"].ID)
	}},
	{"the last transaction lost its records", verify.Operations, func(w *town, t *memory.Tables) {
		delete(t.Journal, w.sold["late"].ID)
	}},
	{"records lost their transaction", verify.Operations, func(w *town, t *memory.Tables) {
		delete(t.Transactions, w.sold["nobody"].ID)
	}},
	{"an event number is missing", verify.Sequences, edit("full", 3, func(r *journal.Record) {
		r.Sequence = 4
	})},
	{"the row counts other events", verify.Sequences, editRow("open", func(t *wallet.Transaction) {
		t.Sequence++
	})},
	{"a wallet counts other events", verify.Sequences, editWallet("bob", func(w *wallet.Wallet) {
		w.Sequence++
	})},
	{"an event shows another object", verify.Sequences, edit("part", 2, func(r *journal.Record) {
		r.After.Captured--
	})},
	{"an event shows another state", verify.Sequences, edit("part", 2, func(r *journal.Record) {
		r.After.State = "captured"
	})},
	{"captured after expiry", verify.Expiry, edit("full", 2, func(r *journal.Record) { r.At += 2 * hold })},
	{"expired too early", verify.Expiry, edit("part", 4, func(r *journal.Record) { r.At -= hold / 2 })},
	{"one key, two effects", verify.Keys, func(w *town, t *memory.Tables) {
		edit("full", 3, func(r *journal.Record) {
			r.Origin = t.Journal[w.sold["full"].ID][0].Origin
		})(w, t)
		clear(t.Replies) // so that only the two effects are left to tell it
		w.clock.Advance(machine.Retention)
	}},
	{"a reply is lost", verify.Keys, func(w *town, t *memory.Tables) {
		for k := range t.Replies {
			delete(t.Replies, k)
		}
	}},
	{"a reply without an effect", verify.Keys, func(_ *town, t *memory.Tables) {
		t.Replies[machine.ReplyKey{Scope: "mer_1", Key: "x"}] = &machine.Stored{
			Reply: machine.Reply{Status: 201}, RequestID: "r",
		}
	}},
	{"a reply about another transaction", verify.Keys, func(w *town, t *memory.Tables) {
		for k, row := range t.Replies {
			other := *row
			other.Reply.Body = []byte(w.sold["poor"].ID)
			t.Replies[k] = &other
		}
	}},
	{"an effect whose reply refused it", verify.Keys, func(_ *town, t *memory.Tables) {
		for k, row := range t.Replies {
			refused := *row
			refused.Reply.Status = 422
			t.Replies[k] = &refused
		}
	}},
	{"a reference without an effect", verify.References, func(w *town, t *memory.Tables) {
		t.References["T-9"] = &machine.Reference{Name: "T-9", Direction: machine.TopUp,
			Wallet: w.wallets["bob"]}
	}},
	{"an effect whose reference is lost", verify.References, func(_ *town, t *memory.Tables) {
		delete(t.References, "W-1")
	}},
	{"a reference that meant another amount", verify.References, func(_ *town, t *memory.Tables) {
		row := *t.References["A-1"]
		row.Amount = -row.Amount
		t.References["A-1"] = &row
	}},
	{"one reference, two effects", verify.References, func(w *town, t *memory.Tables) {
		id := w.wallets["bob"]
		twice := t.Journal[id][1]
		twice.Sequence = int64(len(t.Journal[id]) + 1)
		t.Journal[id] = append(slices.Clone(t.Journal[id]), twice)
	}},
	{"another currency", verify.Places, edit("full", 1, func(r *journal.Record) { r.Currency = "USD" })},
	{"another book", verify.Places, edit("full", 1, func(r *journal.Record) { r.Book++ })},
	{"another merchant", verify.Places, edit("full", 1, func(r *journal.Record) { r.Merchant = "mer_2" })},
	{"a transaction in another book", verify.Places, editRow("full", func(t *wallet.Transaction) {
		t.Book++
	})},
	{"a transaction on another wallet", verify.Places, func(w *town, t *memory.Tables) {
		editRow("full", func(t *wallet.Transaction) { t.Wallet = w.wallets["bob"] })(w, t)
	}},
	{"a wallet in another book", verify.Places, editWallet("bob", func(w *wallet.Wallet) { w.Book++ })},
	{"two wallets of one customer", verify.Places, editWallet("bob", func(w *wallet.Wallet) {
		w.Customer = "cus_alice"
	})},
}

func TestPlantedCorruption(t *testing.T) {
	for _, p := range plants {
		t.Run(p.name, func(t *testing.T) {
			w := newTown(t)
			w.s.Tamper(func(tables *memory.Tables) { p.plant(w, tables) })
			report := w.verify()
			if !slices.Contains(report.Broken(), p.rule) {
				t.Fatalf("not found by %q; found %v", p.rule, report.Violations)
			}
			if report.OK() || len(report.Violations) == 0 {
				t.Fatal("broken books were reported to be in order")
			}
		})
	}
}

// A broken chain is shown where it breaks.
func TestWhereAChainBreaks(t *testing.T) {
	for want, plant := range map[string]func(*town, *memory.Tables){
		"entry number 3 is missing": func(w *town, t *memory.Tables) {
			id := w.sold["full"].ID
			t.Journal[id] = t.Journal[id][:1]
		},
		"left -1000 pending and 100001 posted, which should be -1000 and 100000": edit("full", 1,
			func(r *journal.Record) { r.Debit.Posted++ }),
		"is entry number 2, and so is": edit("full", 2, func(r *journal.Record) { r.Debit.Version = 2 }),
		`names "" as the entry before it, which is "op_`: edit("full", 2, func(r *journal.Record) {
			r.Previous = journal.Ref{}
		}),
		`the wallet names "op_x_9" as its newest entry, which is "op_`: editWallet("alice",
			func(w *wallet.Wallet) {
				w.Last = journal.Ref{Object: "wt_x", Sequence: 9}
			}),
		"the row says {Version:99": editWallet("alice", func(w *wallet.Wallet) { w.Account.Version = 99 }),
	} {
		w := newTown(t)
		w.s.Tamper(func(tables *memory.Tables) { plant(w, tables) })
		var b strings.Builder
		report := w.verify()
		if _, err := report.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, &b)
		}
	}
}

// Every rule must be seen to fail.
func TestEveryRuleHasAPlant(t *testing.T) {
	planted := map[verify.Rule]bool{}
	for _, p := range slices.Concat(plants, cardPlants) {
		planted[p.rule] = true
	}
	for _, c := range (verify.Report{Checks: newTown(t).verify().Checks}).Checks {
		if !planted[c.Rule] {
			t.Errorf("%s: nothing planted", c.Rule)
		}
	}
}

// Many violations are all counted and not all listed.
func TestViolationsAreBounded(t *testing.T) {
	w := newTown(t)
	for i := range 50 {
		w.sell(strings.Repeat("x", i+1), "alice", 1)
	}
	w.s.Tamper(func(tables *memory.Tables) {
		for id, rows := range tables.Journal {
			rows = slices.Clone(rows)
			rows[0].Book++
			tables.Journal[id] = rows
		}
	})
	report := w.verify()
	if n := len(report.Violations); n != verify.Listed {
		t.Errorf("listed %d violations, want %d", n, verify.Listed)
	}
	if n := report.Checks[verify.Places].Violations; n < 50 {
		t.Errorf("counted %d violations, want at least 50", n)
	}
}

const hour = 60 * 60 * 1_000_000

// A reply past its retention may be gone, and its key may have a second effect.
func TestOldRepliesMayBeGone(t *testing.T) {
	w := newTown(t)
	w.clock.Advance(machine.Retention - 2*hour)
	if _, err := w.s.SweepReplies(context.Background(), w.clock.Now(), 1_000); err != nil {
		t.Fatal(err)
	}
	if report := w.verify(); report.OK() {
		t.Fatal("a reply swept two hours too early must be missed")
	}
	w.clock.Advance(3 * hour)
	if report := w.verify(); !report.OK() {
		t.Fatalf("replies past their retention may be gone: %v", report.Violations)
	}
}

// twice is a keeper that kept every reply twice.
type twice struct{ storage.Storage }

func (s twice) Snapshot(ctx context.Context, fn func(context.Context, storage.Books) error) error {
	return s.Storage.Snapshot(ctx, func(ctx context.Context, b storage.Books) error {
		return fn(ctx, repeated{b})
	})
}

type repeated struct{ storage.Books }

func (b repeated) Replies(ctx context.Context, fn func(machine.ReplyKey, machine.Stored) error) error {
	return errors.Join(b.Books.Replies(ctx, fn), b.Books.Replies(ctx, fn))
}

func TestTwoRepliesOfOneEffect(t *testing.T) {
	w := newTown(t)
	report, err := verify.RunAt(t.Context(), twice{w.s}, w.clock.Now())
	if err != nil || !slices.Contains(report.Broken(), verify.Keys) {
		t.Errorf("two replies of every effect: found %v, %v", report.Violations, err)
	}
}
