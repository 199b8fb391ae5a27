package machine_test

import (
	"fmt"
	"math"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
)

// kind is one kind of operation of a trial.
type kind byte

const (
	authorizing kind = iota
	capturing
	canceling
	refunding
	expiring
	waiting
	blocking
	unblocking
	withdrawing
	toppingUp
	asking // the owner, about every amount
	trusting
	approving
	declining
	lapsing
	completing
	kinds // how many there are
)

// operation is one step of a trial. Target counts back from the newest transaction.
type operation struct {
	kind   kind
	amount int64
	target int
}

// sale is a transaction as the reference model knows it.
type sale struct {
	id                                                string
	waits, approved, failed                           bool // one of them, or none
	asked                                             int64
	why                                               reject.Reason
	authorized, captured, canceled, expired, refunded int64
	expires                                           int64
}

// late reports whether nobody answered in time.
func (s *sale) late(at int64) bool { return s.waits && at >= s.expires }

func (s *sale) fail(why reject.Reason) reject.Reason {
	*s = sale{id: s.id, failed: true, asked: s.asked, why: why}
	return why
}

func (s *sale) rest() int64 { return s.authorized - s.captured - s.canceled - s.expired }

// trial runs the machine beside a reference model, which is this struct: one wallet, one shop, and the rules
// of the contract in as few lines as they take.
type trial struct {
	state   *machine.State
	at      int64
	made    int
	payable ledger.Account // of the shop, counted from the records
	counted int

	sales                    []*sale
	credits, debits, pending int64 // of the wallet
	blocked, asks            bool
	owed                     int64 // to the shop
}

const lifeOfHold, timeToAnswer = 10, 6

func newTrial() *trial {
	t := &trial{state: machine.NewState(), at: 1_000, payable: ledger.Account{Currency: money.KZT}}
	t.state.Terms["mer_shop"] = wallet.Terms{
		Merchant: "mer_shop", HoldMicros: lifeOfHold, ApprovalMicros: timeToAnswer,
	}
	t.step(machine.Fund{
		Direction: machine.TopUp, Who: who("alice", "alice"), Currency: money.KZT, Amount: 250,
		Opening: machine.Opening{WalletStem: "wlt_", Customer: wallet.Customer{
			ID: "cus_", IINIndex: "iin of alice", PhoneIndex: "phone of alice",
		}},
	})
	t.credits = 250
	return t
}

func (t *trial) step(c machine.Command) machine.Outcome {
	return machine.Step(t.state, machine.Stamp{At: t.at}, machine.Instruction{Command: c})
}

// do runs one operation on the machine and on the model, and says where they differ.
func (t *trial) do(op operation) error {
	var sold *sale
	if n := len(t.sales); n > 0 {
		sold = t.sales[n-1-op.target%n]
	}
	before := snapshot(t.state)
	want, o := t.expect(op, sold), t.run(op, sold)
	if o.Reason != want && o.Transaction.Failure != want {
		return fmt.Errorf("%+v: refused with %q %q, want %q", op, o.Reason, o.Transaction.Failure, want)
	}
	if o.Reason != "" {
		if d := unchanged(before, t.state); d != "" {
			return fmt.Errorf("%+v: the refusal %s changed something:\n%s", op, o.Reason, d)
		}
	}
	return t.compare()
}

// expect is the model: it changes itself and returns the refusal, if any.
func (t *trial) expect(op operation, s *sale) reject.Reason {
	available := t.credits - t.debits - t.pending
	switch op.kind {
	case authorizing:
		made := &sale{asked: op.amount}
		t.sales = append(t.sales, made)
		switch {
		case t.blocked:
			return made.fail(reject.WalletBlocked)
		case op.amount > available:
			return made.fail(reject.InsufficientFunds)
		case t.asks:
			*made = sale{waits: true, asked: op.amount, expires: t.at + timeToAnswer}
			return ""
		}
		*made = sale{asked: op.amount, authorized: op.amount, expires: t.at + lifeOfHold}
		t.pending += op.amount
	case waiting:
		t.at += op.amount % (2 * lifeOfHold)
	case blocking, unblocking:
		t.blocked = op.kind == blocking
	case asking, trusting:
		t.asks = op.kind == asking
	case toppingUp:
		if op.amount > math.MaxInt64-t.credits {
			return reject.AmountOutOfRange
		}
		t.credits += op.amount
	case withdrawing:
		switch {
		case t.blocked:
			return reject.WalletBlocked
		case op.amount > available:
			return reject.InsufficientFunds
		}
		t.debits += op.amount
	default:
		return t.expectOn(op, s)
	}
	return ""
}

// expectOn is the model of what is done to a transaction.
func (t *trial) expectOn(op operation, s *sale) reject.Reason {
	switch {
	case s == nil:
		return reject.TransactionNotFound
	case op.kind == approving, op.kind == declining:
		return t.expectAnswer(op.kind == approving, s)
	case op.kind == lapsing, op.kind == completing:
		return t.expectDecision(op.kind, s)
	case op.kind == canceling && s.waits && !s.late(t.at) && op.amount == s.asked:
		return s.fail(reject.CanceledByMerchant)
	case op.kind == expiring && (s.rest() == 0 || t.at < s.expires):
		return reject.NothingRemaining
	case op.kind == expiring:
		t.pending -= s.rest()
		s.expired += s.rest()
		return ""
	case s.failed, s.late(t.at):
		return reject.TransactionFailed
	case s.waits, s.approved:
		return reject.TransactionPending
	case op.kind == refunding && s.captured == 0:
		return reject.NothingCaptured
	case op.kind == refunding && op.amount > s.captured-s.refunded:
		return reject.AmountExceedsCaptured
	case op.kind == refunding && op.amount > math.MaxInt64-t.credits:
		return reject.AmountOutOfRange
	case op.kind == refunding:
		s.refunded += op.amount
		t.credits += op.amount
		t.owed -= op.amount
		return ""
	case s.expired > 0 || s.rest() > 0 && t.at >= s.expires:
		return reject.HoldExpired
	case s.rest() == 0:
		return reject.NothingRemaining
	case op.amount > s.rest():
		return reject.AmountExceedsRemaining
	}
	t.pending -= op.amount
	if op.kind == canceling {
		s.canceled += op.amount
		return ""
	}
	s.captured += op.amount
	t.debits += op.amount
	t.owed += op.amount
	return ""
}

// expectAnswer is the model of what the owner says.
func (t *trial) expectAnswer(yes bool, s *sale) reject.Reason {
	switch {
	case s.late(t.at), s.why == reject.ApprovalExpired:
		return reject.ApprovalExpired
	case s.failed && !yes && s.why == reject.DeclinedByOwner:
		return "" // said before
	case s.failed:
		return reject.TransactionFailed
	case !s.waits && !yes:
		return reject.AlreadyDecided
	case !s.waits:
		return "" // said before
	case !yes:
		return s.fail(reject.DeclinedByOwner)
	}
	s.waits, s.approved, s.expires = false, true, t.at
	return ""
}

// expectDecision is the model of what happens to a transaction by itself.
func (t *trial) expectDecision(k kind, s *sale) reject.Reason {
	switch {
	case k == lapsing && s.late(t.at):
		return s.fail(reject.ApprovalExpired)
	case s.failed:
		return reject.TransactionFailed
	case s.waits, s.approved && k == lapsing:
		return reject.TransactionPending
	case !s.approved:
		return reject.AlreadyDecided
	case t.blocked:
		return s.fail(reject.WalletBlocked)
	case s.asked > t.credits-t.debits-t.pending:
		return s.fail(reject.InsufficientFunds)
	}
	s.approved, s.authorized, s.expires = false, s.asked, t.at+lifeOfHold
	t.pending += s.asked
	return ""
}

// run gives the operation to the machine.
func (t *trial) run(op operation, s *sale) machine.Outcome {
	target := machine.Target{Merchant: "mer_shop", ID: "wt_unknown", Amount: op.amount}
	if s != nil {
		target.ID = s.id
	}
	alice := who("alice", "alice")
	switch op.kind {
	case authorizing:
		t.made++
		o := t.step(machine.Authorize{
			Stem: fmt.Sprintf("wt_%d_", t.made), Merchant: "mer_shop", Currency: money.KZT,
			OrderReference: "A", Amount: op.amount, Who: alice,
		})
		t.sales[len(t.sales)-1].id = o.Transaction.ID
		return o
	case capturing:
		return t.step(machine.Capture{Target: target})
	case canceling:
		return t.step(machine.Cancel{Target: target})
	case refunding:
		return t.step(machine.Refund{Target: target})
	case expiring:
		return t.step(machine.Expire{ID: target.ID})
	case approving, declining, lapsing, completing:
		return t.decide(op.kind, target.ID)
	case asking:
		return t.step(machine.SetApproval{Who: alice, Currency: money.KZT, Approval: wallet.Owner})
	case trusting:
		return t.step(machine.SetApproval{Who: alice, Currency: money.KZT})
	case blocking:
		return t.step(machine.SetCondition{Who: alice, Currency: money.KZT, Condition: wallet.Blocked})
	case unblocking:
		return t.step(machine.SetCondition{Who: alice, Currency: money.KZT, Condition: wallet.Active})
	case withdrawing, toppingUp:
		direction := map[kind]machine.Direction{withdrawing: machine.Withdraw, toppingUp: machine.TopUp}
		return t.step(machine.Fund{
			Direction: direction[op.kind], Who: alice, Currency: money.KZT, Amount: op.amount,
		})
	}
	return machine.Outcome{}
}

// decide runs what the owner says, and what happens by itself.
func (t *trial) decide(k kind, id string) machine.Outcome {
	owned := machine.Owned{Customer: "cus_", ID: id}
	switch k {
	case approving:
		return t.step(machine.Approve{Owned: owned})
	case declining:
		return t.step(machine.Decline{Owned: owned})
	case lapsing:
		return t.step(machine.Lapse{ID: id})
	}
	return t.step(machine.Complete{Merchant: "mer_shop", ID: id})
}

// status is a sale's, in the seed's words.
func (s *sale) status() wallet.Status {
	switch {
	case s.waits:
		return wallet.New
	case s.approved:
		return wallet.Processing
	case s.failed:
		return wallet.Failed
	}
	return wallet.Success
}

// compare holds the machine's rows, and the shop's money as its records tell it, against the model.
func (t *trial) compare() error {
	for _, w := range t.state.Wallets {
		want := ledger.Totals{DebitsPending: t.pending, DebitsPosted: t.debits, CreditsPosted: t.credits}
		if w.Account.Totals != want || w.Account.Totals.Available() < 0 {
			return fmt.Errorf("the wallet is %+v, want %+v", w.Account.Totals, want)
		}
	}
	for _, s := range t.sales {
		got := t.state.Transactions[s.id]
		if got.Status != s.status() || got.Failure != s.why || got.Authorized != s.authorized ||
			got.Captured != s.captured || got.Canceled != s.canceled || got.Expired != s.expired ||
			got.Refunded != s.refunded || got.Remaining() < 0 || got.Refundable() < 0 {
			return fmt.Errorf("transaction %+v, want %+v", got, *s)
		}
	}
	for _, r := range t.state.Changes.Records[t.counted:] {
		switch payable := ledger.Payable("mer_shop", money.KZT); payable {
		case r.Posting.Credit:
			t.payable, _ = t.payable.Credit(r.Posting)
		case r.Posting.Debit:
			t.payable, _ = t.payable.Debit(r.Posting)
		}
		if r.Type == journal.Failed && r.Posting.Moves() {
			return fmt.Errorf("a refusal posted %+v", r.Posting)
		}
	}
	t.counted = len(t.state.Changes.Records)
	if got := t.payable.Running(); got.Posted != t.owed || got.Pending != t.pending {
		return fmt.Errorf("the shop is owed %+v, want %d posted and %d pending", got, t.owed, t.pending)
	}
	return nil
}
