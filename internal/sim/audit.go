package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/storage"
	"plexy/internal/verify"
)

// observed is what the auditor saw in the books themselves, apart from what the model foretold.
type observed struct {
	running map[stripeKey]ledger.Running      // newest balance by entries; a wallet's has book -1
	weighed map[stripeKey]ledger.Running      // newest balance by rows
	trial   map[money.Currency]ledger.Running // sums of weighed
}

func newObserved() *observed {
	return &observed{
		running: map[stripeKey]ledger.Running{}, weighed: map[stripeKey]ledger.Running{},
		trial: map[money.Currency]ledger.Running{},
	}
}

// reading is what the auditor read of the books after one batch, each row once.
type reading struct {
	s            *Simulator
	store        storage.Storage
	transactions map[string]wallet.Transaction
	operations   map[string][]journal.Record
	wallets      map[string]wallet.Wallet
}

func (s *Simulator) read(store storage.Storage) *reading {
	return &reading{
		s: s, store: store, transactions: map[string]wallet.Transaction{},
		operations: map[string][]journal.Record{}, wallets: map[string]wallet.Wallet{},
	}
}

func (r *reading) transaction(merchant, id string) wallet.Transaction {
	t, known := r.transactions[id]
	if !known {
		var err error
		t, err = r.store.Transaction(r.s.ctx, merchant, id)
		r.s.must("read a transaction", err)
		r.transactions[id] = t
	}
	return t
}

// record returns a record; those of a transaction are all read at once.
func (r *reading) record(ref journal.Ref) (journal.Record, bool) {
	if !strings.HasPrefix(ref.Object, "wt_") {
		got, err := r.store.Record(r.s.ctx, ref)
		return got, !errors.Is(err, storage.ErrNotFound) && r.s.must("read a record", err)
	}
	for _, one := range r.records(ref.Object) {
		if one.Sequence == ref.Sequence {
			return one, true
		}
	}
	return journal.Record{}, false
}

func (r *reading) records(object string) []journal.Record {
	rows, known := r.operations[object]
	if !known {
		var err error
		rows, err = r.store.Operations(r.s.ctx, object)
		r.s.must("read operations", err)
		r.operations[object] = rows
	}
	return rows
}

// wallet reads a wallet, and with it all of its customer's.
func (r *reading) wallet(id, iin string) wallet.Wallet {
	if w, known := r.wallets[id]; known {
		return w
	}
	_, wallets, err := r.store.Customer(r.s.ctx, []string{iin})
	r.s.must("read wallet "+id, err)
	for _, w := range wallets {
		r.wallets[w.ID] = w
	}
	return r.wallets[id]
}

// settle judges a batch that took effect: first what is in the books, then whether it is what was
// foretold.
func (s *Simulator) settle(p *process, outcomes []machine.Outcome) {
	d, read := p.draft, s.read(p.store)
	for _, id := range s.touched(d, outcomes) {
		s.judgeTransaction(read, id)
	}
	for _, id := range s.touchedWallets(d, outcomes) {
		s.judgeWallet(d, read, id)
	}
	if s.found != nil {
		return
	}
	s.compareAnswers(p, outcomes)
	if d.writes() {
		if what := d.stale(); what != "" {
			s.fail("commit", "%s was saved although another process had changed it", what)
		}
	}
	if s.found != nil {
		return
	}
	d.commit(stripeBook(d, read))
	s.compareRecords(d, read)
	s.compareRows(d, read)
	s.effects(d)
}

// stripeBook asks the keeper where it counted the batch: which stripes a process adds to is its own
// affair, as long as it is one stripe of each account in one batch.
func stripeBook(d *draft, read *reading) int {
	for _, r := range d.records {
		if r.Posting.Move != "" {
			got, _ := read.record(journal.Ref{Object: r.Object, Sequence: r.Sequence})
			return got.StripeBook // the absence of a record is judged later
		}
	}
	return 0
}

// touched lists the transactions that a batch was to change or says that it changed.
func (s *Simulator) touched(d *draft, outcomes []machine.Outcome) []string {
	ids := slices.Clone(d.transactions.order)
	for _, o := range outcomes {
		if o.Record.Sequence > 0 && o.Transaction.ID != "" && !slices.Contains(ids, o.Transaction.ID) {
			ids = append(ids, o.Transaction.ID)
		}
	}
	return ids
}

// touchedWallets lists the wallets that a batch was to change or says that it changed.
func (s *Simulator) touchedWallets(d *draft, outcomes []machine.Outcome) []string {
	ids := slices.Clone(d.wallets.order)
	for _, o := range outcomes {
		if o.Wallet.ID != "" && !slices.Contains(ids, o.Wallet.ID) && o.Record.Sequence > 0 {
			ids = append(ids, o.Wallet.ID)
		}
	}
	return ids
}

// judgeTransaction holds a transaction's row against its records and both against the invariants.
func (s *Simulator) judgeTransaction(read *reading, id string) {
	records := read.records(id)
	if len(records) == 0 {
		s.fail("V10", "transaction %s has no record", id)
		return
	}
	t := read.transaction(records[0].Merchant, id)
	if s.found != nil {
		return
	}
	var sum wallet.Transaction
	expires := t.ExpiresAt
	if known := s.model.transactions[id]; known.Status == wallet.Success {
		expires = known.ExpiresAt
	}
	for i, r := range records {
		s.judgeRecord(r, expires)
		if r.Sequence != int64(i+1) {
			s.fail("V10", "record %d of %s has number %d", i+1, id, r.Sequence)
		}
		s.sum(&sum, r)
	}
	switch {
	case t.Captured < 0 || t.Canceled < 0 || t.Expired < 0 || t.Refunded < 0 || t.Amount <= 0:
		s.fail("V4", "%s has a negative amount: %+v", id, t)
	case sum.Captured+sum.Canceled+sum.Expired > sum.Authorized || held(t) < 0:
		s.fail("V2", "%s gave away more than was authorized: %+v", id, t)
	case sum.Refunded > sum.Captured || t.Refunded > t.Captured:
		s.fail("V3", "%s refunded more than was captured: %+v", id, t)
	case t.Status != sum.Status || records[len(records)-1].After.State != stateOf(t):
		s.fail("V7", "%s is %s and %s; its records say %s and %s", id, t.Status, stateOf(t), sum.Status,
			records[len(records)-1].After.State)
	case t.Sequence != int64(len(records)):
		s.fail("V10", "%s counts %d records, there are %d", id, t.Sequence, len(records))
	case t.Refunded != sum.Refunded:
		s.fail("V3", "%s refunded %d by its records and %d by its row", id, sum.Refunded, t.Refunded)
	case t.Captured != sum.Captured || t.Canceled != sum.Canceled || t.Expired != sum.Expired ||
		t.Authorized != sum.Authorized:
		s.fail("V2", "%s is not the sum of its records: %+v", id, t)
	}
}

// judgeRecord checks what one record shows by itself.
func (s *Simulator) judgeRecord(r journal.Record, expires int64) {
	switch {
	case r.Amount <= 0:
		s.fail("V4", "%s is of %d", r.OperationID(), r.Amount)
	case r.Posting.Move != "" && (r.Posting.Amount != r.Amount || r.Posting.Currency != r.Currency):
		s.fail("V10", "%s is of %d %s and posts %d %s", r.OperationID(), r.Amount, r.Currency,
			r.Posting.Amount, r.Posting.Currency)
	case (r.Posting.Move == "") != (r.Type == journal.Failed || r.Type == journal.Created ||
		r.Type == journal.Approved || r.Type == journal.Processing):
		s.fail("V10", "%s %s has the posting %+v", r.OperationID(), r.Type, r.Posting)
	case (r.Type == journal.Captured || r.Type == journal.Canceled) && r.At >= expires:
		s.fail("V15", "%s happened at %d, after the hold lapsed at %d", r.OperationID(), r.At, expires)
	case r.Type == journal.Approved && r.At >= s.model.deadlines[r.Object]:
		s.fail("V15", "%s happened at %d, when the owner could not answer any more: %d", r.OperationID(), r.At,
			s.model.deadlines[r.Object])
	case r.Type == journal.Expired && r.At < expires:
		s.fail("V15", "%s happened at %d, before the hold lapses at %d", r.OperationID(), r.At, expires)
	}
}

// sum adds a record to what a transaction comes to.
func (s *Simulator) sum(t *wallet.Transaction, r journal.Record) {
	was := t.Status
	may := was == wallet.Success
	switch r.Type {
	case journal.Created:
		t.Status, may = wallet.New, was == ""
	case journal.Processing:
		t.Status, may = wallet.Processing, was == ""
	case journal.Approved:
		t.Status, may = wallet.Processing, was == wallet.New
	case journal.Authorized:
		t.Status, t.Authorized = wallet.Success, t.Authorized+r.Amount
		may = was == "" || was == wallet.Processing
	case journal.Failed:
		t.Status, may = wallet.Failed, was == "" || was == wallet.New || was == wallet.Processing
	case journal.Captured:
		t.Captured += r.Amount
	case journal.Canceled:
		t.Canceled += r.Amount
	case journal.Expired:
		if t.Expired > 0 {
			s.fail("V15", "%s released the same hold again", r.OperationID())
		}
		t.Expired += r.Amount
	case journal.Refunded:
		t.Refunded += r.Amount
	}
	if !may {
		s.fail("V7", "%s %s happened to what was %q", r.OperationID(), r.Type, was)
	}
}

// judgeWallet checks the floor of a wallet.
func (s *Simulator) judgeWallet(d *draft, read *reading, id string) {
	w := s.wallet(d, read, id)
	t := w.Account.Totals
	switch {
	case w.ID == "":
		s.fail("model", "wallet %s is not there", id)
	case t.CreditsPosted-t.DebitsPosted-t.DebitsPending < 0 || t.DebitsPending < 0:
		s.fail("V5", "wallet %s is below zero: %+v", id, t)
	}
}

// wallet reads a wallet of a customer that the model or the batch knows.
func (s *Simulator) wallet(d *draft, read *reading, id string) wallet.Wallet {
	w, known := s.model.wallets[id]
	if !known {
		w = d.wallets.written[id]
	}
	iin := s.model.iinOf[w.Customer]
	if iin == "" {
		iin = d.iinOf(w.Customer)
	}
	return read.wallet(id, iin)
}

// compareAnswers holds what the clients were told against what they should have been told.
func (s *Simulator) compareAnswers(p *process, outcomes []machine.Outcome) {
	for i, o := range outcomes {
		want := p.draft.answers[i]
		if o.Replayed == want.replayed && string(o.Reason) == want.reason && o.Reply.Status == want.status &&
			string(o.Reply.Body) == want.body {
			continue
		}
		in := p.batch[i]
		invariant := "model"
		switch {
		case want.replayed && o.Record.Sequence > 0:
			invariant = "V9"
		case want.replayed:
			invariant = "V14" // what came between changed the answer to a retry
		case (want.reason == string(reject.HoldExpired)) != (o.Reason == reject.HoldExpired):
			invariant = "V15"
		}
		s.fail(invariant, "%T under key %q was answered %d %q (replayed %v), want %d %q (replayed %v)",
			in.Command, in.Key, o.Reply.Status, o.Reply.Body, o.Replayed, want.status, want.body,
			want.replayed)
	}
}

// compareRecords reads each record that was foretold and follows the running balances of its accounts.
func (s *Simulator) compareRecords(d *draft, read *reading) {
	for _, want := range d.records {
		got, found := read.record(journal.Ref{Object: want.Object, Sequence: want.Sequence})
		if !found {
			s.fail("V10", "%s happened without a record", want.OperationID())
			return
		}
		if got.Posting != want.Posting {
			s.fail("V10", "%s has the posting %+v, want %+v", want.OperationID(), got.Posting, want.Posting)
		}
		if got.Posting.Move != "" {
			s.follow(got, got.Posting.Debit, side{got.Debit, -1})
			s.follow(got, got.Posting.Credit, side{got.Credit, 1})
		}
		if got != want {
			s.fail("model", "record %s reads %+v, want %+v", want.OperationID(), got, want)
		}
	}
}

// side is one side of an entry.
type side struct {
	left ledger.Running
	sign int64
}

// follow checks that an entry goes on where the account's last one stopped.
func (s *Simulator) follow(r journal.Record, account string, at side) {
	key := stripeKey{account, r.StripeBook}
	if account == r.Wallet {
		key.book = -1
	}
	last := s.observed.running[key]
	pending, posted := effect(r.Posting)
	want := ledger.Running{
		Version: last.Version + 1, Pending: last.Pending + at.sign*pending,
		Posted: last.Posted + at.sign*posted,
	}
	if at.left != want {
		s.fail("V6", "%s left %s with %+v, want %+v", r.OperationID(), account, at.left, want)
	}
	s.observed.running[key] = want
}

// compareRows reads the rows that the batch changed, adds them to the trial balance, and holds them
// against the model.
func (s *Simulator) compareRows(d *draft, read *reading) {
	var differ []string
	for _, id := range d.wallets.order {
		got := s.wallet(d, read, id)
		s.weigh(stripeKey{id, -1}, got.Account)
		if want := s.model.wallets[id]; got != want {
			differ = append(differ, fmt.Sprintf("wallet %s reads %+v, want %+v", id, got, want))
		}
	}
	for _, account := range d.accounts() {
		stripes, err := read.store.Stripes(s.ctx, account)
		if !s.must("read stripes", err) {
			return
		}
		for _, a := range stripes {
			s.weigh(stripeKey{a.ID, a.Book}, a)
			if want := s.model.stripes[stripeKey{a.ID, a.Book}]; a != want {
				differ = append(differ, fmt.Sprintf("stripe reads %+v, want %+v", a, want))
			}
		}
	}
	s.balanced(d)
	for _, id := range d.transactions.order {
		want := s.model.transactions[id]
		if got := read.transaction(want.Merchant, id); got != want {
			differ = append(differ, fmt.Sprintf("transaction %s reads %+v, want %+v", id, got, want))
		}
	}
	for _, what := range differ {
		s.fail("model", "%s", what)
	}
}

// accounts lists the uncapped accounts of the batch's entries.
func (d *draft) accounts() []string {
	var accounts []string
	for _, r := range d.records {
		for _, account := range []string{r.Posting.Debit, r.Posting.Credit} {
			if account != "" && account != r.Wallet && !slices.Contains(accounts, account) {
				accounts = append(accounts, account)
			}
		}
	}
	return accounts
}

// weigh puts an account's row on the scales in place of what it was.
func (s *Simulator) weigh(key stripeKey, a ledger.Account) {
	now, was := balance(a), s.observed.weighed[key]
	s.observed.weighed[key] = now
	sums := s.observed.trial[a.Currency]
	sums.Pending += now.Pending - was.Pending
	sums.Posted += now.Posted - was.Posted
	s.observed.trial[a.Currency] = sums
}

// balanced checks the trial balance, and each row that the batch changed against its newest entry.
func (s *Simulator) balanced(d *draft) {
	for _, currency := range currencies {
		if sums := s.observed.trial[currency]; sums.Pending != 0 || sums.Posted != 0 {
			s.fail("V1", "the trial balance of %s is %d pending and %d posted", currency, sums.Pending,
				sums.Posted)
		}
	}
	for _, r := range d.records {
		for _, account := range []string{r.Posting.Debit, r.Posting.Credit} {
			key := stripeKey{account, r.StripeBook}
			if account == r.Wallet {
				key.book = -1
			}
			if row, entry := s.observed.weighed[key], s.observed.running[key]; row != entry {
				s.fail("V6", "%s is %+v, its newest entry left %+v", account, row, entry)
			}
		}
	}
}

// effects keeps its own list of what was done under which key.
func (s *Simulator) effects(d *draft) {
	for _, r := range d.records {
		if r.Origin.IdempotencyKey == "" {
			continue
		}
		key := machine.ReplyKey{Scope: r.Merchant, Key: r.Origin.IdempotencyKey}
		last, again := s.model.effects[key]
		if again && (r.Merchant == "" || r.At-last < thirtyDays) {
			s.fail("V9", "%s is a second effect of key %q", r.OperationID(), key.Key)
		}
		s.model.effects[key] = r.At
	}
}

// untouched checks that a batch whose process died left nothing.
func (s *Simulator) untouched(p *process) {
	if p.draft == nil {
		return
	}
	for _, r := range p.draft.records {
		_, err := p.store.Record(s.ctx, journal.Ref{Object: r.Object, Sequence: r.Sequence})
		if !errors.Is(err, storage.ErrNotFound) {
			s.fail("commit", "record %s is there although its process died before the commit (%v)",
				r.OperationID(), err)
		}
	}
}

// auditEverything recomputes the books from scratch and holds every row against the model.
func (s *Simulator) auditEverything() {
	if s.found != nil {
		return
	}
	s.tally.audits++
	s.release(s.processes[0])
	store := s.processes[1].store
	report, err := verify.RunAt(s.ctx, store, s.latest)
	if !s.must("verify", err) {
		return
	}
	for _, v := range report.Violations {
		s.fail(strings.Fields(v.Covers)[0], "verify: %s: %s", v.Object, v.What)
	}
	err = store.Snapshot(s.ctx, func(ctx context.Context, b storage.Books) error {
		return errors.Join(s.auditTransactions(ctx, b), s.auditAccounts(ctx, b), s.auditKeys(ctx, b))
	})
	s.must("walk the books", err)
	rows, err := store.Audits(s.ctx, s.model.audits+1)
	if s.must("read the audit rows", err) && len(rows) != s.model.audits {
		s.fail("model", "%d audit rows, want %d", len(rows), s.model.audits)
	}
}

func (s *Simulator) auditTransactions(ctx context.Context, b storage.Books) error {
	n := 0
	err := b.Transactions(ctx, func(t wallet.Transaction) error {
		n++
		if want := s.model.transactions[t.ID]; t != want {
			s.fail("model", "transaction %s is %+v, want %+v", t.ID, t, want)
		}
		return nil
	})
	if n != len(s.model.transactions) {
		s.fail("model", "%d transactions, want %d", n, len(s.model.transactions))
	}
	return err
}

func (s *Simulator) auditAccounts(ctx context.Context, b storage.Books) error {
	wallets, stripes := 0, 0
	err := b.Wallets(ctx, func(w wallet.Wallet) error {
		wallets++
		if want := s.model.wallets[w.ID]; w != want {
			s.fail("model", "wallet %s is %+v, want %+v", w.ID, w, want)
		}
		if last := s.observed.running[stripeKey{w.ID, -1}]; last != balance(w.Account) {
			s.fail("V6", "wallet %s is %+v, its entries left %+v", w.ID, balance(w.Account), last)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = b.Stripes(ctx, func(a ledger.Account) error {
		stripes++
		if want := s.model.stripes[stripeKey{a.ID, a.Book}]; a != want {
			s.fail("model", "stripe is %+v, want %+v", a, want)
		}
		if last := s.observed.running[stripeKey{a.ID, a.Book}]; last != balance(a) {
			s.fail("V6", "stripe %s is %+v, its entries left %+v", a.ID, balance(a), last)
		}
		return nil
	})
	if wallets != len(s.model.wallets) || stripes != len(s.model.stripes) {
		s.fail("model", "%d wallets and %d stripes, want %d and %d", wallets, stripes, len(s.model.wallets),
			len(s.model.stripes))
	}
	return err
}

func (s *Simulator) auditKeys(ctx context.Context, b storage.Books) error {
	replies, references := 0, 0
	err := b.Replies(ctx, func(k machine.ReplyKey, row machine.Stored) error {
		replies++
		got := kept{
			fingerprint: row.Fingerprint, status: row.Reply.Status, body: string(row.Reply.Body),
			request: row.RequestID, at: row.At,
		}
		if want := s.model.replies[k]; got != want {
			s.fail("V9", "the reply under %v is %+v, want %+v", k, got, want)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = b.References(ctx, func(r machine.Reference) error {
		references++
		got := reference{r.Direction, r.Wallet, r.Amount, r.Reply.Status, string(r.Reply.Body)}
		if want := s.model.references[r.Name]; got != want {
			s.fail("V9", "reference %s is %+v, want %+v", r.Name, got, want)
		}
		return nil
	})
	if replies != len(s.model.replies) || references != len(s.model.references) {
		s.fail("V9", "%d replies and %d references, want %d and %d", replies, references,
			len(s.model.replies),
			len(s.model.references))
	}
	return err
}
