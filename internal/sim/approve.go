package sim

import (
	"slices"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
)

// waits reports whether a transaction is not decided, and late whether its time has come.
func waits(t wallet.Transaction) bool { return t.Status == wallet.New || t.Status == wallet.Processing }

func late(t wallet.Transaction, at int64) bool { return at >= t.ExpiresAt }

// asked is the model of an authorize that is not decided now.
func (d *draft) asked(in machine.Instruction, c machine.Authorize, t wallet.Transaction) result {
	kind := journal.Created
	t.Status, t.ExpiresAt = wallet.New, d.at+d.m.terms[c.Merchant].ApprovalMicros
	if c.Course != nil && c.Course.Status == wallet.Processing {
		kind = journal.Processing
		t.Status, t.ExpiresAt, t.Failure = wallet.Processing, d.at+c.Course.AfterMicros, c.Course.Failure
	} else {
		d.m.deadlines[t.ID] = t.ExpiresAt
	}
	d.taken.put(machine.OrderReference{Merchant: c.Merchant, Reference: c.OrderReference}, true)
	d.transactions.put(t.ID, t)
	d.note(in, t, kind, journal.Record{Amount: t.Amount})
	return result{transaction: t, at: d.at}
}

// answer is the model of what an owner says.
func (d *draft) answer(in machine.Instruction, c machine.Owned, yes bool) result {
	t, w := d.transactions.get(c.ID), wallet.Wallet{}
	if t.Wallet != "" {
		w = d.wallets.get(t.Wallet)
	}
	at := max(d.at, t.UpdatedAt)
	switch {
	case w.ID == "" || w.Customer != c.Customer:
		return result{reason: reject.TransactionNotFound}
	case t.Status == wallet.New && late(t, at), t.Status == wallet.Failed && t.Failure == reject.ApprovalExpired:
		return result{reason: reject.ApprovalExpired, transaction: t}
	case t.Status == wallet.Failed && !yes && t.Failure == reject.DeclinedByOwner:
		return result{transaction: t}
	case t.Status == wallet.Failed:
		return result{reason: reject.TransactionFailed, transaction: t}
	case t.Status != wallet.New && yes:
		return result{transaction: t}
	case t.Status != wallet.New:
		return result{reason: reject.AlreadyDecided, transaction: t}
	case !yes:
		return d.fails(in, t, reject.DeclinedByOwner)
	}
	t.Status, t.ExpiresAt = wallet.Processing, at
	return d.noted(in, t, journal.Approved)
}

func (d *draft) lapse(in machine.Instruction, c machine.Lapse) result {
	t := d.transactions.get(c.ID)
	switch {
	case t.ID == "":
		return result{reason: reject.TransactionNotFound}
	case t.Status != wallet.New || !late(t, max(d.at, t.UpdatedAt)):
		return result{reason: undone(t), transaction: t}
	}
	return d.fails(in, t, reject.ApprovalExpired)
}

func (d *draft) complete(in machine.Instruction, c machine.Complete) result {
	terms, known := d.m.terms[c.Merchant]
	if !known {
		return result{reason: reject.MerchantNotFound}
	}
	t := d.transactions.get(c.ID)
	at := max(d.at, t.UpdatedAt)
	switch {
	case t.ID == "" || t.Merchant != c.Merchant:
		return result{reason: reject.TransactionNotFound}
	case t.Status != wallet.Processing || !late(t, at):
		return result{reason: undone(t), transaction: t}
	}
	w, no := d.wallets.get(t.Wallet), t.Failure
	if no == "" {
		no = afford(&w, t.Amount, at)
	}
	if no != "" {
		return d.fails(in, t, no)
	}
	t.Status, t.Authorized, t.ExpiresAt = wallet.Success, t.Amount, at+terms.HoldMicros
	return d.changed(in, t, w,
		move{journal.Authorized, ledger.Hold, w.ID, payable(t.Merchant, t.Currency), t.Amount})
}

// undone says why nothing happens by itself.
func undone(t wallet.Transaction) reject.Reason {
	switch t.Status {
	case wallet.Failed:
		return reject.TransactionFailed
	case wallet.Success:
		return reject.AlreadyDecided
	}
	return reject.TransactionPending
}

// fails ends what was not decided.
func (d *draft) fails(in machine.Instruction, t wallet.Transaction, no reject.Reason) result {
	t.Status, t.Failure, t.ExpiresAt = wallet.Failed, no, 0
	return d.noted(in, t, journal.Failed)
}

// noted writes a transaction's next record, which has no entry.
func (d *draft) noted(in machine.Instruction, t wallet.Transaction, kind journal.Type) result {
	t.Sequence++
	t.UpdatedAt = max(d.at, t.UpdatedAt)
	d.transactions.put(t.ID, t)
	d.note(in, t, kind, journal.Record{Amount: t.Amount})
	return result{transaction: t, at: t.UpdatedAt}
}

// recount keeps what is not decided, and which order references are taken: one whose last transaction failed
// is free from the next batch on. It runs before the batch is written.
func (d *draft) recount() (free []machine.OrderReference) {
	refs := slices.Clone(d.taken.order)
	for _, id := range d.transactions.order {
		was, now := d.m.transactions[id], d.transactions.written[id]
		ref := machine.OrderReference{Merchant: now.Merchant, Reference: now.OrderReference}
		if was.ID != "" && was.Status != wallet.Failed {
			d.m.sold[ref]--
		}
		if now.Status != wallet.Failed {
			d.m.sold[ref]++
		}
		refs = append(refs, ref)
		if waits(now) {
			d.m.undecided[id] = true
		} else {
			delete(d.m.undecided, id)
		}
	}
	return slices.DeleteFunc(refs, func(r machine.OrderReference) bool { return d.m.sold[r] > 0 })
}

// waiting lists the transactions that are NEW, oldest first.
func (m *model) waiting() []wallet.Transaction {
	var all []wallet.Transaction
	for id := range m.undecided {
		if t := m.transactions[id]; t.Status == wallet.New {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b wallet.Transaction) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return all
}

// undecidedID names a transaction that waits, most of the time.
func (s *Simulator) undecidedID() string {
	if all := s.model.waiting(); len(all) > 0 && !s.once(6) {
		return all[s.random.IntN(len(all))].ID
	}
	return s.someID()
}

// decision makes up what an owner or a clock says about a transaction.
func (s *Simulator) decision(id string, kind int) machine.Command {
	t := s.model.transactions[id]
	owned := machine.Owned{ID: id, Customer: s.model.wallets[t.Wallet].Customer}
	if s.once(20) {
		owned.Customer = s.model.customers["i-0"].id
	}
	switch kind {
	case 0, 1, 2:
		return machine.Approve{Owned: owned}
	case 3:
		return machine.Decline{Owned: owned}
	case 4:
		return machine.Lapse{ID: id}
	}
	return machine.Complete{Merchant: t.Merchant, ID: id}
}

// approval makes up what an owner must approve.
func (s *Simulator) approval() wallet.Approval {
	return [...]wallet.Approval{
		wallet.Auto, wallet.Owner, wallet.Owner, wallet.ApprovalAbove(60),
	}[s.random.IntN(4)]
}

// course makes up how the sandbox lets a transaction go; nil most of the time.
func (s *Simulator) course() *wallet.Course {
	if !s.once(30) {
		return nil
	}
	why := [...]reject.Reason{
		reject.InsufficientFunds, reject.LimitExceeded, reject.WalletBlocked, reject.WalletNotFound,
	}
	switch s.random.IntN(4) {
	case 0:
		return &wallet.Course{Status: wallet.New}
	case 1:
		return &wallet.Course{Status: wallet.Failed, Failure: why[s.random.IntN(4)]}
	case 2:
		return &wallet.Course{
			Status: wallet.Processing, AfterMicros: s.random.Int64N(minute), Failure: why[s.random.IntN(3)],
		}
	}
	return &wallet.Course{Status: wallet.Processing, AfterMicros: s.random.Int64N(minute)}
}

// race lets two processes decide about one transaction that waits, at the very end of its time: an approval
// against another one, against the lapse, the owner's no or the merchant's cancel.
func (s *Simulator) race(p *process) {
	all := s.model.waiting()
	if len(all) == 0 {
		return
	}
	t := all[s.random.IntN(len(all))]
	s.now = max(s.now, t.ExpiresAt-1)
	for _, one := range s.processes {
		one.clock.Set(s.now + s.random.Int64N(3) - 1)
		s.latest = max(s.latest, one.clock.Now())
	}
	s.tally.races++
	approve := func() []machine.Instruction {
		owned := machine.Owned{ID: t.ID, Customer: s.model.wallets[t.Wallet].Customer}
		return []machine.Instruction{s.send(request{command: machine.Approve{Owned: owned}})}
	}
	against := approve()
	switch s.random.IntN(4) {
	case 0:
		against = []machine.Instruction{s.send(request{command: machine.Lapse{ID: t.ID}})}
	case 1:
		against = []machine.Instruction{s.send(s.keyed(t.Merchant, machine.Cancel{
			Target: machine.Target{Merchant: t.Merchant, ID: t.ID, Amount: t.Amount},
		}))}
	case 2:
		owned := machine.Owned{ID: t.ID, Customer: s.model.wallets[t.Wallet].Customer}
		against = []machine.Instruction{s.send(request{command: machine.Decline{Owned: owned}})}
	}
	first, second := submission{p: p, batch: approve()}, submission{p: s.other(p), batch: against}
	if s.once(2) {
		first.batch, second.batch = second.batch, first.batch
	}
	if s.cfg.Interleave {
		first.between = func() { s.submit(second) }
		s.submit(first)
		return
	}
	s.submit(first)
	s.submit(second)
}

// decide does what the server does every second: it asks what is due to be decided, and decides it.
func (s *Simulator) decide(p *process) {
	for s.found == nil {
		at := p.clock.Now()
		due, err := p.store.DueDecisions(s.ctx, at, 100)
		if !s.must("list the decisions that are due", err) {
			return
		}
		want := s.dueAmong(s.model.undecided, at)
		sub, got := submission{p: p}, []string{}
		for _, one := range due {
			got = append(got, one.ID)
			t := s.model.transactions[one.ID]
			if one.Merchant != t.Merchant || one.Status != t.Status {
				s.fail("model", "%s is listed as due and %+v, it is %+v", one.ID, one, t)
			}
			c := machine.Command(machine.Lapse{ID: one.ID})
			if one.Status == wallet.Processing {
				c = machine.Complete{Merchant: one.Merchant, ID: one.ID}
			}
			sub.batch = append(sub.batch, s.send(request{command: c}))
		}
		if !slices.Equal(got, want[:min(len(want), 100)]) {
			s.fail("V15", "the decisions due at %d are %v, listed are %v", at, want, got)
			return
		}
		if len(due) == 0 {
			return
		}
		if s.once(10) {
			sub.fate = dies // the next look finds them again
		}
		if _, done := s.submit(sub); !done {
			return
		}
		s.tally.decided += len(due)
	}
}

// look reads what waits for an owner, through either process.
func (s *Simulator) look(p *process) {
	t := s.model.transactions[s.undecidedID()]
	at := p.clock.Now()
	got, err := p.store.Waiting(s.ctx, t.Wallet, at, 5)
	if t.Wallet == "" || !s.must("list what waits for an owner", err) {
		return
	}
	var want []wallet.Transaction
	for _, one := range slices.Backward(s.model.waiting()) {
		if one.Wallet == t.Wallet && one.ExpiresAt > at && len(want) < 5 {
			want = append(want, one)
		}
	}
	if !slices.Equal(got, want) {
		s.fail("model", "on %s wait %+v, want %+v", t.Wallet, got, want)
	}
}

// ending counts how what waited ended.
func (t *Tally) ending(r journal.Record, failure reject.Reason) {
	switch {
	case r.Type == journal.Approved:
		t.approved++
	case r.Sequence == 1:
	case r.Type == journal.Authorized:
		t.completed++
	case r.Type == journal.Failed && failure == reject.DeclinedByOwner:
		t.declined++
	case r.Type == journal.Failed && failure == reject.ApprovalExpired:
		t.lapsed++
	case r.Type == journal.Failed && failure == reject.CanceledByMerchant:
		t.givenUp++
	case r.Type == journal.Failed:
		t.broke++
	}
}
