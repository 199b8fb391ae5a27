package app

import (
	"context"
	"errors"
	"testing"

	"plexy/internal/commit"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
	"plexy/internal/merchant"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
)

// asked is a worker with a shop and one customer who approves everything.
type asked struct {
	*worker
	shop     string
	customer string
	payer    payer
	holder   Holder
}

func newAsked(t *testing.T) *asked {
	t.Helper()
	ctx := context.Background()
	a := &asked{worker: newWorker(t), holder: exampleHolder(1)}
	shop, err := a.app.CreateMerchant(ctx, "Shop", "")
	if err != nil {
		t.Fatal(err)
	}
	a.shop = shop.MerchantID
	if a.payer, err = a.holder.check(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.app.Fund(ctx, Funding{Direction: TopUp, Holder: a.holder, Amount: 10_000}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.app.SetApproval(ctx, a.holder, ApprovalMode{Mode: "owner"}, ""); err != nil {
		t.Fatal(err)
	}
	c, _, err := a.app.find(ctx, a.payer)
	if err != nil {
		t.Fatal(err)
	}
	a.customer = c.ID
	return a
}

func (a *asked) authorize(t *testing.T, amount int64, course *wallet.Course) wallet.Transaction {
	t.Helper()
	o, err := commit.RunOne(context.Background(), a.store, a.clock, machine.Instruction{
		Command: machine.Authorize{
			Stem: id.Transaction + a.app.ids.Stem(), Merchant: a.shop, Currency: money.KZT,
			OrderReference: "o", Amount: amount, Who: a.payer.who(a.app.vaults.Current()), Course: course,
		},
	})
	if err != nil || o.Reason != "" {
		t.Fatalf("authorize: %+v %v", o, err)
	}
	return o.Transaction
}

func (a *asked) read(t *testing.T, transaction string) wallet.Transaction {
	t.Helper()
	got, err := a.store.Transaction(context.Background(), a.shop, transaction)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestApproveCompletesAtOnce(t *testing.T) {
	ctx := context.Background()
	a := newAsked(t)
	tx := a.authorize(t, 4_000, nil)
	if _, no, err := a.Approve(ctx, "cus_another", tx.ID); no != reject.TransactionNotFound || err != nil {
		t.Errorf("another's: %q %v", no, err)
	}
	if _, no, err := a.Approve(ctx, a.customer, "wt_none"); no != reject.TransactionNotFound || err != nil {
		t.Errorf("no such id: %q %v", no, err)
	}
	for range 2 { // the second time is the same outcome once
		got, no, err := a.Approve(ctx, a.customer, tx.ID)
		if err != nil || no != "" || got.Status != wallet.Success || got != a.read(t, tx.ID) {
			t.Errorf("approved: %+v %q %v", got, no, err)
		}
	}
	if a.held(t, a.holder) != 4_000 {
		t.Errorf("%d are held", a.held(t, a.holder))
	}
	if _, no, err := a.Decline(ctx, a.customer, tx.ID); no != reject.AlreadyDecided || err != nil {
		t.Errorf("declined after all: %q %v", no, err)
	}
	records, err := a.store.Operations(ctx, tx.ID)
	if err != nil || len(records) != 3 || records[1].Origin != records[2].Origin {
		t.Errorf("the approval and its completion are %+v %v", records, err)
	}

	poor := a.authorize(t, 6_000, nil)
	rich := a.authorize(t, 6_000, nil)
	got, no, err := a.Approve(ctx, a.customer, rich.ID)
	if err != nil || no != "" || got.Status != wallet.Success {
		t.Errorf("approved: %+v %q %v", got, no, err)
	}
	got, no, err = a.Approve(ctx, a.customer, poor.ID)
	if err != nil || no != "" || got.Status != wallet.Failed || got.Failure != reject.InsufficientFunds {
		t.Errorf("approved without the money: %+v %q %v", got, no, err)
	}
}

func TestDecline(t *testing.T) {
	ctx := context.Background()
	a := newAsked(t)
	tx := a.authorize(t, 4_000, nil)
	for range 2 {
		got, no, err := a.Decline(ctx, a.customer, tx.ID)
		if err != nil || no != "" || got.Failure != reject.DeclinedByOwner || got != a.read(t, tx.ID) {
			t.Errorf("declined: %+v %q %v", got, no, err)
		}
	}
	if _, no, _ := a.Approve(ctx, a.customer, tx.ID); no != reject.TransactionFailed {
		t.Errorf("approved after all: %q", no)
	}
}

// What a door that took an approval did not come to, the background does; and it fails what nobody answered.
func TestDecideCatchesUp(t *testing.T) {
	ctx := context.Background()
	a := newAsked(t)
	const waiting = 2*expireBatch + 30
	var all []wallet.Transaction
	for range waiting {
		all = append(all, a.authorize(t, 1, nil))
	}
	approved := all[:expireBatch+10]
	for _, tx := range approved {
		o, err := commit.RunOne(ctx, a.store, a.clock, machine.Instruction{
			Command: machine.Approve{Owned: machine.Owned{Customer: a.customer, ID: tx.ID}},
		})
		if err != nil || o.Transaction.Status != wallet.Processing {
			t.Fatalf("approve: %+v %v", o, err)
		}
	}
	later := a.authorize(t, 1, &wallet.Course{Status: wallet.Processing, AfterMicros: 5_000})
	doomed := a.authorize(t, 1, &wallet.Course{
		Status: wallet.Processing, AfterMicros: 5_000, Failure: reject.LimitExceeded,
	})
	decided := func(held int64, news, processing int) {
		t.Helper()
		if err := a.decide(ctx); err != nil {
			t.Fatal(err)
		}
		n := map[wallet.Status]int{}
		err := a.store.Snapshot(ctx, func(ctx context.Context, b storage.Books) error {
			return b.Transactions(ctx, func(t wallet.Transaction) error { n[t.Status]++; return nil })
		})
		if err != nil || a.held(t, a.holder) != held || n[wallet.New] != news ||
			n[wallet.Processing] != processing {
			t.Errorf("%d are held and there are %v; want %d, %d NEW and %d PROCESSING (%v)",
				a.held(t, a.holder), n, held, news, processing, err)
		}
	}
	done := int64(len(approved))
	decided(done, waiting-len(approved), 2)
	a.clock.Advance(4_999)
	decided(done, waiting-len(approved), 2)
	a.clock.Advance(1)
	decided(done+1, waiting-len(approved), 0)
	if got := a.read(t, later.ID); got.Status != wallet.Success {
		t.Errorf("what the sandbox let go on for a while is %+v", got)
	}
	if got := a.read(t, doomed.ID); got.Failure != reject.LimitExceeded {
		t.Errorf("what the sandbox let fail is %+v", got)
	}
	a.clock.Advance(merchant.Defaults().ApprovalMicros - 5_001)
	decided(done+1, waiting-len(approved), 0)
	a.clock.Advance(1)
	decided(done+1, 0, 0)
	if got := a.read(t, all[waiting-1].ID); got.Failure != reject.ApprovalExpired {
		t.Errorf("what nobody answered is %+v", got)
	}
	decided(done+1, 0, 0)
}

// An approval is on disk before its completion is asked for: when that cannot be, the answer is still yes.
func TestApproveWithoutItsCompletion(t *testing.T) {
	ctx := context.Background()
	a := newAsked(t)
	tx := a.authorize(t, 10, nil)
	down := errors.New("the disk is gone")
	a.store.SetFaults(memory.Faults{AfterCommit: func() error {
		a.store.SetFaults(memory.Faults{
			BeforeSave: func() error { return errors.Join(down, storage.ErrUnavailable) },
		})
		return nil
	}})
	got, no, err := a.Approve(ctx, a.customer, tx.ID)
	if err != nil || no != "" || got.Status != wallet.Processing {
		t.Errorf("approved: %+v %q %v", got, no, err)
	}
	if err := a.decide(ctx); err == nil {
		t.Error("a background that cannot decide says nothing")
	}
	a.store.SetFaults(memory.Faults{})
	if err := a.decide(ctx); err != nil || a.read(t, tx.ID).Status != wallet.Success {
		t.Errorf("the background left %+v, %v", a.read(t, tx.ID), err)
	}
	records, err := a.store.Operations(ctx, tx.ID)
	if err != nil || len(records) != 3 || records[2].Type != journal.Authorized {
		t.Errorf("records %+v, %v", records, err)
	}
}
