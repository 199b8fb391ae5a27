package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
	"plexy/internal/merchant"
	"plexy/internal/storage"
	"plexy/internal/storage/sqlstore"
)

func rowInt64(r sqlstore.Row) int64 { return r.Int64() }

// Whatever another process commits, this one decides by it at once.
func TestSecondWriterIsSeen(t *testing.T) {
	sh := newShop(t, fresh(t, Config{Owner: true}), 1)
	other := *sh
	other.Store = reopened(t, sh.cfg)
	if o := sh.try1(sh.authorize()); o.Transaction.Status != wallet.Success {
		t.Fatal(o)
	}
	before := sh.Generation()

	by := func() machine.By { return machine.By{ID: sh.ids.New(id.Audit), Actor: "staff"} }
	other.run(machine.Instruction{Command: machine.SetCondition{
		Who: sh.payers[0], Currency: money.KZT, Condition: wallet.Blocked, By: by(),
	}})
	if o := sh.try1(sh.authorize()); o.Transaction.Failure != "wallet_blocked" {
		t.Errorf("blocked elsewhere, and here: %+v", o.Transaction)
	}
	if sh.Generation() == before {
		t.Error("caches outside were not told")
	}
	other.run(machine.Instruction{Command: machine.SetCondition{
		Who: sh.payers[0], Currency: money.KZT, Condition: wallet.Active, By: by(),
	}})
	set := merchant.Settings{HoldMicros: 5_000_000, RejectRepeats: true, ApprovalMicros: 1_000_000}
	sh.ok(other.SetMerchant(t.Context(), sh.merchant, set, machine.Audit{ID: sh.ids.New(id.Audit)}))
	o := sh.try1(sh.authorize())
	if tr := o.Transaction; tr.Status != wallet.Success || tr.ExpiresAt-tr.CreatedAt != set.HoldMicros {
		t.Errorf("new terms were not seen: %+v", tr)
	}
	sh.ok(other.RotateVault(t.Context(), 1, nil, machine.Audit{ID: sh.ids.New(id.Audit)}))
	if o := sh.try1(sh.authorize()); !o.Stale || o.Generation != 2 {
		t.Errorf("a new generation of the vault was not seen: %+v", o)
	}
}

// Two writers spend from one wallet in turns: every balance is what the other one left.
func TestTwoWritersOneWallet(t *testing.T) {
	sh := newShop(t, fresh(t, Config{Owner: true}), 1)
	shops := []*shop{sh, {
		TB: t, Store: reopened(t, sh.cfg), ids: sh.ids, payers: sh.payers, merchant: sh.merchant, body: sh.body,
	}}
	const each = 40
	var wait sync.WaitGroup
	for _, sh := range shops {
		wait.Go(func() {
			for range each {
				if _, err := sh.try(sh.authorize(), sh.authorize()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	_, wallets, err := sh.Customer(t.Context(), sh.payers[0].IIN)
	sh.ok(err)
	a := wallets[0].Account
	if a.Totals.DebitsPending != 4*each*100 || a.Version != 4*each+1 {
		t.Errorf("after %d holds of 100 the wallet is %+v", 4*each, a)
	}
	stripes, err := sh.Stripes(t.Context(), "merchant:")
	sh.ok(err)
	if len(stripes) != 1 || stripes[0].Version != 4*each || stripes[0].Totals.CreditsPending != 4*each*100 {
		t.Errorf("the merchant's stripes are %+v", stripes)
	}
}

func TestBusy(t *testing.T) {
	sh := newShop(t, fresh(t, Config{patience: 20 * time.Millisecond}), 1)
	holder, err := openLink(sh.cfg.Path, writing)
	sh.ok(err)
	defer func() { sh.ok(holder.close()) }()
	sh.ok(holder.run("begin immediate"))
	if _, err := sh.try(sh.authorize()); !errors.Is(err, storage.ErrTransient) {
		t.Errorf("the file is locked: %v", err)
	}
	sh.cfg.patience = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err = sh.Commit(ctx, 0, func(context.Context, storage.Batch) error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the deadline ended the wait: %v", err)
	}
	sh.ok(holder.run("rollback"))
	sh.sell(1)
}

// What is there when a batch fails at each point, and after it.
func TestFailPoints(t *testing.T) {
	var failing string
	sh := newShop(t, fresh(t, Config{Owner: true, Fail: func(point string) error {
		if point == failing {
			return fmt.Errorf("planned: %w", errBoom)
		}
		return nil
	}}), 1)
	for _, point := range Points() {
		in := sh.authorize()
		before := sh.count("journal")
		failing = point
		_, err := sh.try(in)
		failing = ""
		saved := point == AfterCommit
		if !errors.Is(err, errBoom) || errors.Is(err, storage.ErrUncertain) != saved {
			t.Errorf("%s: %v", point, err)
		}
		if got := sh.count("journal") != before; got != saved {
			t.Errorf("%s: saved is %v", point, got)
		}
		if o := sh.try1(in); o.Replayed != saved {
			t.Errorf("%s: asked again, it is replayed: %v", point, o.Replayed)
		}
	}
}

func TestPanicLeavesNothing(t *testing.T) {
	sh := newShop(t, fresh(t, Config{}), 1)
	func() {
		defer func() { _ = recover() }() // the committer's part
		_ = sh.Commit(t.Context(), 0, func(ctx context.Context, b storage.Batch) error {
			in := sh.authorize()
			var keys machine.Keys
			keys.Add(in)
			state, err := b.Load(ctx, &keys)
			sh.ok(err)
			machine.Step(state, machine.Stamp{At: 1}, in)
			sh.ok(b.Save(ctx, state))
			panic("assertion")
		})
	}()
	if n := sh.count("wallet_transactions"); n != 0 {
		t.Errorf("%d transactions are left", n)
	}
	sh.sell(1)
}

// A full disk, as SQLite sees it.
func TestFull(t *testing.T) {
	sh := newShop(t, fresh(t, Config{Owner: true}), 1)
	pages := func(limit int) {
		sh.ok(sh.writer.link.run(fmt.Sprintf("pragma max_page_count = %d", limit)))
	}
	pages(1) // as many as there are
	var sold []machine.Instruction
	var err error
	for err == nil {
		in := sh.authorize()
		if _, err = sh.try(in); err == nil {
			sold = append(sold, in)
		} else if !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("no room: %v", err)
		}
	}
	if n := sh.count("journal"); n != int64(len(sold))+1 {
		t.Errorf("%d records of %d sales and a top-up", n, len(sold))
	}
	sh.replays(sold)
	pages(1 << 30)
	sold = append(sold, sh.sell(50)...)
	sh.replays(sold)
}

// What a commit reported is there for every read that begins after it.
func TestReadersSeeCommits(t *testing.T) {
	sh := newShop(t, fresh(t, Config{Owner: true}), 5)
	for range 300 {
		tr := sh.try1(sh.authorize()).Transaction
		got, err := sh.Transaction(t.Context(), sh.merchant, tr.ID)
		if err != nil || got != tr {
			t.Fatalf("committed %+v, read %+v: %v", tr, got, err)
		}
	}
}

// The log is moved while batches are written, and begins anew.
func TestCheckpoint(t *testing.T) {
	sh := newShop(t, fresh(t, Config{Owner: true}), 1)
	sh.ok(sh.Checkpoint(t.Context()))
	state := func() progress {
		at, err := checkpoint(t.Context(), sh.mover.link, "noop")
		sh.ok(err)
		return at
	}
	if at := state(); at.moved != 0 {
		t.Errorf("a short log was moved: %+v", at)
	}
	var sold []machine.Instruction
	for state().log < logged {
		sold = append(sold, sh.sell(20)...)
	}
	var wait sync.WaitGroup
	wait.Go(func() { sold = append(sold, sh.sell(20)...) })
	sh.ok(sh.Checkpoint(t.Context()))
	wait.Wait()
	sh.ok(sh.Checkpoint(t.Context()))
	sold = append(sold, sh.sell(1)...)
	if at := state(); at.log >= logged {
		t.Errorf("the log goes on growing: %+v", at)
	}
	sh.replays(sold)
	sh.crashed().replays(sold)
}

// A read ends with its context, and the connection serves the next one.
func TestReadsEnd(t *testing.T) {
	s := fresh(t, Config{Readers: 1})
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		err := s.Read(ctx, func(db sqlstore.DB) error {
			return db.Query(ctx, "with recursive n(i) as (select 1 union all select i + 1 from n) "+
				"select count(*) from n", nil, func(sqlstore.Row) error { return nil })
		})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a query without end: %v", err)
		}
		if err := s.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPeopleAreBounded(t *testing.T) {
	c := newPeople(10)
	for i := range 1000 {
		name := fmt.Sprint(i)
		c.add(&person{
			customer: wallet.Customer{ID: name, IINIndex: "i" + name, PhoneIndex: "p" + name},
			wallets:  []wallet.Wallet{{ID: "w" + name}},
		})
		if i > 0 && found(c.byIIN, "i0") == nil {
			t.Fatal("the one that is always used made room")
		}
	}
	for name, n := range map[string]int{
		"ring": len(c.ring), "id": len(c.byID), "iin": len(c.byIIN), "phone": len(c.byPhone),
		"wallet": len(c.byWallet),
	} {
		if n != 10 {
			t.Errorf("by %s %d people are remembered instead of 10", name, n)
		}
	}
	for i, p := range c.ring {
		if p.place != i {
			t.Errorf("person %d believes to be %d", i, p.place)
		}
	}
}

func TestMigrate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "plexy.db")
	plan, err := Migrate(t.Context(), path, true)
	if err != nil || len(plan) == 0 || plan[0] != "0001_books.sql" {
		t.Fatalf("the plan is %v: %v", plan, err)
	}
	if _, err := Open(t.Context(), Config{Path: path}); err == nil {
		t.Fatal("opened what is not there")
	}
	var wait sync.WaitGroup
	ran := make([][]string, 4)
	for i := range ran {
		wait.Go(func() {
			var err error
			if ran[i], err = Migrate(t.Context(), path, false); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	all := 0
	for _, names := range ran {
		all += len(names)
	}
	if all != len(plan) {
		t.Errorf("migrations ran %d times instead of %d: %v", all, len(plan), ran)
	}
	for _, dry := range []bool{true, false} {
		if again, err := Migrate(t.Context(), path, dry); err != nil || len(again) != 0 {
			t.Errorf("again: %v, %v", again, err)
		}
	}
	s := reopened(t, Config{Path: path})
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNotMigrated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plexy.db")
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Path: path}); err == nil {
		t.Error("opened a database without a schema")
	}
}

func TestClosed(t *testing.T) {
	sh := newShop(t, fresh(t, Config{}), 1)
	sh.ok(sh.Close())
	if _, err := sh.try(sh.authorize()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("commit: %v", err)
	}
	if _, err := sh.Merchants(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("read: %v", err)
	}
}

// What is sealed is not remembered, and a change of the customer keeps it all the same.
func TestRebindKeepsWhatIsSealed(t *testing.T) {
	sh := newShop(t, fresh(t, Config{Owner: true}), 1)
	sh.run(sh.authorize()) // the person is remembered now
	before, _, err := sh.Customer(t.Context(), sh.payers[0].IIN)
	sh.ok(err)
	sh.run(machine.Instruction{Command: machine.Rebind{
		Who:      machine.Who{IIN: sh.payers[0].IIN, Phone: []string{"another"}, Generation: 1},
		Customer: before.ID, KeyID: before.KeyID, Sealed: []byte("another, sealed"),
		By: machine.By{ID: sh.ids.New(id.Audit), Actor: "staff", Reason: "lost"},
	}})
	after, _, err := sh.Customer(t.Context(), sh.payers[0].IIN)
	sh.ok(err)
	if string(after.PhoneSealed) != "another, sealed" || string(after.IINSealed) != string(before.IINSealed) ||
		len(after.IINSealed) == 0 {
		t.Errorf("the customer was %+v and is %+v", before, after)
	}
}
