package verify

import (
	"maps"
	"math/big"
	"slices"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
)

// stripeKey names one stripe.
type stripeKey struct {
	account string
	book    int
}

// accountSum is what is left of an account's row after each of its entries was taken away from it. All of
// it must come to zero.
type accountSum struct {
	id       string
	currency money.Currency
	row      ledger.Running // as it is kept
	totals   ledger.Totals
	version  int64
	// chain is a sum of hashes: of every balance that an entry left, less every balance that one found.
	// In a chain without gaps all cancel out but the first and the last, which the row gives.
	chain uint64
}

// walletSum is an accountSum and what only a wallet has.
type walletSum struct {
	accountSum
	book      int
	sequence  int64 // of its own records, counted down
	last      journal.Ref
	statement uint64 // like chain, for the references of the statement
}

func newAccountSum(a ledger.Account) accountSum {
	r := a.Running()
	return accountSum{
		id: a.ID, currency: a.Currency, row: r, totals: a.Totals, version: a.Version,
		chain: hashRunning(ledger.Running{}) - hashRunning(r),
	}
}

func (v *verifier) addWallet(w wallet.Wallet) {
	v.wallets[w.ID] = &walletSum{
		accountSum: newAccountSum(w.Account), book: w.Book, sequence: w.Sequence, last: w.Last,
		statement: hashRef(0, journal.Ref{}) - hashRef(w.Account.Version, w.Last),
	}
	v.report.checked(Floor)
	t := w.Account.Totals
	if t.Available() < 0 || t.DebitsPending < 0 || t.CreditsPending < 0 || t.DebitsPosted < 0 ||
		t.CreditsPosted < 0 {
		v.report.broken(Floor, w.ID, "the wallet has %d available, its totals are %+v", t.Available(), t)
	}
	v.report.checked(Places)
	if book, ok := bookOf("wlt_", w.ID); !ok || book != w.Book || w.Account.Book != w.Book {
		v.report.broken(Places, w.ID, "the row is in book %d", w.Book)
	}
	holding := machine.Holding{Customer: w.Customer, Currency: w.Account.Currency}
	if other, taken := v.holders[holding]; taken {
		v.report.broken(Places, w.ID, "the customer has another %s wallet, %s", holding.Currency, other)
	}
	v.holders[holding] = w.ID
}

func (v *verifier) addStripe(a ledger.Account) {
	sum := newAccountSum(a)
	v.stripes[stripeKey{a.ID, a.Book}] = &sum
	v.report.checked(Floor)
	if a.Totals.DebitsPosted < 0 || a.Totals.CreditsPosted < 0 {
		v.report.broken(Floor, a.ID, "posted totals of the stripe in book %d are %+v", a.Book, a.Totals)
	}
}

// entry takes one record away from the sums of its two accounts.
func (v *verifier) entry(r journal.Record) {
	if !r.Posting.Moves() {
		return
	}
	v.side(r, r.Posting.Debit, side{running: r.Debit, sign: -1})
	v.side(r, r.Posting.Credit, side{running: r.Credit, sign: 1})
	w := v.wallets[r.Wallet]
	if w == nil {
		return // said by side
	}
	version := r.Debit.Version
	if r.Posting.Credit == r.Wallet {
		version = r.Credit.Version
	}
	w.statement += hashRef(version, journal.Ref{Object: r.Object, Sequence: r.Sequence})
	w.statement -= hashRef(version-1, r.Previous)
}

// side is one side of a posting.
type side struct {
	running ledger.Running
	sign    int64 // of what the side does to a credit-positive balance
}

func (v *verifier) side(r journal.Record, account string, s side) {
	var sum *accountSum
	if w := v.wallets[account]; w != nil {
		sum = &w.accountSum
		v.report.checked(Floor)
		if s.running.Pending > 0 || s.running.Posted+s.running.Pending < 0 {
			v.report.broken(Floor, r.OperationID(), "left wallet %s with posted %d and pending %d",
				account, s.running.Posted, s.running.Pending)
		}
	} else if sum = v.stripes[stripeKey{account, r.StripeBook}]; sum == nil {
		v.report.broken(Totals, r.OperationID(), "is an entry of %s (stripe %d), which is not there",
			account, r.StripeBook)
		return
	}
	if sum.currency != r.Posting.Currency {
		v.report.broken(Places, r.OperationID(), "moves %s on %s, which is in %s", r.Posting.Currency,
			account, sum.currency)
	}
	pending, posted := sum.take(r.Posting, s.sign)
	sum.version--
	v.report.checked(Running)
	found := ledger.Running{
		Version: s.running.Version - 1, Pending: s.running.Pending - pending,
		Posted: s.running.Posted - posted,
	}
	sum.chain += hashRunning(s.running) - hashRunning(found)
}

// take subtracts the posting from the totals of one side and returns what it did to the credit-positive
// pending and posted balances.
func (a *accountSum) take(p ledger.Posting, sign int64) (pending, posted int64) {
	held, final := &a.totals.DebitsPending, &a.totals.DebitsPosted
	if sign > 0 {
		held, final = &a.totals.CreditsPending, &a.totals.CreditsPosted
	}
	switch p.Move {
	case ledger.Hold:
		pending = p.Amount
	case ledger.Settle:
		pending, posted = -p.Amount, p.Amount
	case ledger.Release:
		pending = -p.Amount
	case ledger.Post:
		posted = p.Amount
	}
	*held -= pending
	*final -= posted
	return sign * pending, sign * posted
}

// closeAccounts says which sums did not come to zero, and remembers broken chains for a closer look.
func (v *verifier) closeAccounts() {
	for _, id := range slices.Sorted(maps.Keys(v.wallets)) {
		w := v.wallets[id]
		v.closeAccount(stripeKey{id, walletBook}, &w.accountSum)
		v.report.checked(Statement)
		if w.statement != 0 {
			v.suspect(Statement, stripeKey{id, walletBook}, &w.accountSum)
		}
		if w.sequence != 0 {
			v.report.broken(Sequences, id, "the row counts %d events more than there are", w.sequence)
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(v.stripes), compareStripes) {
		v.closeAccount(key, v.stripes[key])
	}
}

func (v *verifier) closeAccount(key stripeKey, a *accountSum) {
	v.report.checked(Totals)
	if a.totals != (ledger.Totals{}) {
		v.report.broken(Totals, a.id, "the row says this much more than the entries: %+v", a.totals)
	}
	if a.version != 0 {
		v.report.broken(Totals, a.id, "the row counts %d entries more than there are", a.version)
	}
	if a.chain != 0 {
		v.suspect(Running, key, a)
	}
}

// trial is the trial balance: per currency what is pending and what is posted, which come to zero. The
// sums of many accounts may not fit 64 bits.
type trial struct{ pending, posted map[string]*big.Int }

func newTrial() *trial {
	return &trial{pending: map[string]*big.Int{}, posted: map[string]*big.Int{}}
}

func (t *trial) add(a ledger.Account) {
	grow(t.pending, string(a.Currency), a.Totals.Pending())
	grow(t.posted, string(a.Currency), a.Totals.Posted())
}

// addAccount sums the two pending totals of the stripes of one account.
func (t *trial) addAccount(a ledger.Account) {
	grow(t.pending, a.ID+" (debits)", a.Totals.DebitsPending)
	grow(t.pending, a.ID+" (credits)", a.Totals.CreditsPending)
}

func grow(sums map[string]*big.Int, of string, by int64) {
	if sums[of] == nil {
		sums[of] = new(big.Int)
	}
	sums[of].Add(sums[of], big.NewInt(by))
}

func (t *trial) close(r *Report) {
	for _, currency := range slices.Sorted(maps.Keys(t.pending)) {
		r.checked(Balance)
		if pending, posted := t.pending[currency], t.posted[currency]; pending.Sign() != 0 ||
			posted.Sign() != 0 {
			r.broken(Balance, currency, "the trial balance is %s pending and %s posted", pending, posted)
		}
	}
}

func (t *trial) closeAccounts(r *Report) {
	for _, account := range slices.Sorted(maps.Keys(t.pending)) {
		if pending := t.pending[account]; pending.Sign() < 0 {
			r.broken(Floor, account, "its stripes have %s pending", pending)
		}
	}
}
