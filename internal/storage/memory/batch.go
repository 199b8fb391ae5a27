package memory

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/storage"
)

// batch is one commit: what it read, and what it means to write.
type batch struct {
	s          *Store
	stripeBook int
	loaded     *loaded
	saved      *machine.State
}

// loaded is what a batch found, as the rows themselves: a row that changed since is another pointer,
// and a row that was not there is nil.
type loaded struct {
	transactions map[string]*wallet.Transaction
	wallets      map[string]*wallet.Wallet
	customers    map[string]*wallet.Customer
	replies      map[machine.ReplyKey]*machine.Stored
	links        map[string]*link.Link
	payments     map[string]*PaymentRow
	operations   map[string]*payment.Operation
	opening      bool
	generation   int64
}

func newLoaded() *loaded {
	return &loaded{
		transactions: map[string]*wallet.Transaction{}, wallets: map[string]*wallet.Wallet{},
		customers: map[string]*wallet.Customer{}, replies: map[machine.ReplyKey]*machine.Stored{},
		links: map[string]*link.Link{}, payments: map[string]*PaymentRow{},
		operations: map[string]*payment.Operation{},
	}
}

// load fills a new state from the tables; the caller holds the lock.
func (b *batch) load(keys *machine.Keys) *machine.State {
	t, state := b.s.t, keys.NewState()
	b.loaded.opening = keys.Opening
	if t.Installation != nil {
		state.Generation = t.Installation.Generation
		b.loaded.generation = state.Generation
	}
	for _, id := range keys.Merchants {
		if m := t.Merchants[id]; m != nil {
			state.Terms[id] = wallet.Terms{
				Merchant: id, HoldMicros: m.Settings.HoldMicros, RejectRepeats: m.Settings.RejectRepeats,
				ApprovalMicros: m.Settings.ApprovalMicros,
			}
		}
	}
	for _, k := range keys.Replies {
		row := t.Replies[k]
		b.loaded.replies[k] = row
		if row != nil {
			state.Replies[k] = copyStored(*row)
		}
	}
	for _, name := range keys.References {
		if row := t.References[name]; row != nil {
			state.References[name] = copyReference(*row)
		}
	}
	for _, ref := range keys.OrderReferences {
		if state.Terms[ref.Merchant].RejectRepeats && (t.Claims[ref] || t.referenced[ref] > 0) {
			state.OrderReferences[ref] = true
		}
	}
	b.loadTransactions(keys, state)
	b.loadPayers(keys, state)
	b.loadPayments(keys, state)
	return state
}

func (b *batch) loadTransactions(keys *machine.Keys, state *machine.State) {
	for _, id := range keys.Transactions {
		if row := b.s.t.Transactions[id]; row != nil {
			b.loaded.transactions[id] = row
			state.Transactions[id] = *row
			b.loadWallet(row.Wallet, state)
		}
	}
}

func (b *batch) loadPayers(keys *machine.Keys, state *machine.State) {
	t := b.s.t
	for _, p := range keys.Payers {
		for _, index := range p.IIN {
			customer, ok := t.byIIN[index]
			if !ok {
				continue
			}
			b.loadCustomer(customer, state)
			if p.Currency != "" {
				b.loadWallet(t.byHolding[machine.Holding{Customer: customer, Currency: p.Currency}], state)
				continue
			}
			for holding, id := range t.byHolding {
				if holding.Customer == customer {
					b.loadWallet(id, state)
				}
			}
		}
	}
	for _, index := range keys.Phones {
		if customer, ok := t.byPhone[index]; ok {
			b.loadCustomer(customer, state)
		}
	}
}

func (b *batch) loadWallet(id string, state *machine.State) {
	if row := b.s.t.Wallets[id]; row != nil {
		b.loaded.wallets[id] = row
		state.AddWallet(*row)
	}
}

func (b *batch) loadCustomer(id string, state *machine.State) {
	if row := b.s.t.Customers[id]; row != nil {
		b.loaded.customers[id] = row
		state.AddCustomer(copyCustomer(*row))
	}
}

// check reports ErrConflict when what was loaded changed, or when a unique key is taken by now.
func (b *batch) check(state *machine.State) error {
	t, c := b.s.t, &state.Changes
	for id, row := range b.loaded.wallets {
		if t.Wallets[id] != row {
			return conflict("wallet", id)
		}
	}
	for id, row := range b.loaded.transactions {
		if t.Transactions[id] != row {
			return conflict("transaction", id)
		}
	}
	for _, k := range c.Replies {
		if t.Replies[k] != b.loaded.replies[k] {
			return conflict("idempotency key", k.Key)
		}
	}
	for _, name := range c.References {
		if t.References[name] != nil {
			return conflict("reference", name)
		}
	}
	for _, claim := range c.Claims {
		if t.Claims[claim] {
			return conflict("order reference", claim.Reference)
		}
	}
	if b.loaded.opening && (t.Installation != nil && t.Installation.Generation != b.loaded.generation) {
		return conflict("vault", "generation")
	}
	if err := cmp.Or(b.checkRows(state), b.checkPayments(state)); err != nil {
		return err
	}
	return b.checkCustomers(state)
}

// checkRows guards the primary keys, and the one wallet a customer may have in a currency.
func (b *batch) checkRows(state *machine.State) error {
	t, c := b.s.t, &state.Changes
	for _, id := range c.NewTransactions {
		if t.Transactions[id] != nil {
			return conflict("transaction", id)
		}
	}
	for _, id := range c.NewWallets {
		w := state.Wallets[id]
		holding := machine.Holding{Customer: w.Customer, Currency: w.Account.Currency}
		if _, taken := t.byHolding[holding]; taken || t.Wallets[id] != nil {
			return conflict("wallet", id)
		}
	}
	for _, r := range c.Records {
		if _, taken := t.record(journal.Ref{Object: r.Object, Sequence: r.Sequence}); taken {
			return conflict("record", r.OperationID())
		}
	}
	for _, a := range c.Audits {
		if t.audited[a.ID] {
			return conflict("audit", a.ID)
		}
	}
	return nil
}

// checkCustomers guards changed customers and the unique indexes of IIN and phone. A phone that another
// customer gives up in the same batch is free.
func (b *batch) checkCustomers(state *machine.State) error {
	t, c := b.s.t, &state.Changes
	taken := func(id, phone string) bool {
		owner, known := t.byPhone[phone]
		return known && owner != id &&
			!(slices.Contains(c.Customers, owner) && state.Customers[owner].PhoneIndex != phone)
	}
	for _, id := range c.Customers {
		if t.Customers[id] != b.loaded.customers[id] || taken(id, state.Customers[id].PhoneIndex) {
			return conflict("customer", id)
		}
	}
	for _, id := range c.NewCustomers {
		row := state.Customers[id]
		_, iin := t.byIIN[row.IINIndex]
		if iin || t.Customers[id] != nil || taken(id, row.PhoneIndex) {
			return conflict("customer", id)
		}
	}
	return nil
}

func conflict(kind, id string) error {
	return fmt.Errorf("memory: %s %s: %w", kind, id, storage.ErrConflict)
}

// fillStripes computes what the records do to the stripes, in order, and fills their stripe side.
func (b *batch) fillStripes(state *machine.State) (map[StripeKey]*ledger.Account, error) {
	changed := map[StripeKey]*ledger.Account{}
	for i := range state.Changes.Records {
		r := &state.Changes.Records[i]
		debit, credit := r.Stripes()
		if !debit && !credit {
			continue
		}
		r.StripeBook = b.stripeBook
		if debit {
			next, no := b.stripe(changed, r.Posting.Debit, r.Posting).Debit(r.Posting)
			if no != "" {
				return nil, overflow(r.Posting.Debit, no)
			}
			changed[StripeKey{next.ID, next.Book}], r.Debit = &next, next.Running()
		}
		if credit {
			next, no := b.stripe(changed, r.Posting.Credit, r.Posting).Credit(r.Posting)
			if no != "" {
				return nil, overflow(r.Posting.Credit, no)
			}
			changed[StripeKey{next.ID, next.Book}], r.Credit = &next, next.Running()
		}
	}
	return changed, nil
}

// stripe returns a stripe as the records before left it.
func (b *batch) stripe(changed map[StripeKey]*ledger.Account, id string, p ledger.Posting) ledger.Account {
	key := StripeKey{id, b.stripeBook}
	if a := changed[key]; a != nil {
		return *a
	}
	if a := b.s.t.Stripes[key]; a != nil {
		return *a
	}
	return ledger.Account{ID: id, Book: b.stripeBook, Currency: p.Currency}
}

// overflow is a stripe that cannot count any further: a database refuses the row.
func overflow(account string, no reject.Reason) error {
	return fmt.Errorf("memory: stripe of %s: %s", account, no)
}

// apply makes what was saved visible, all of it or nothing.
func (b *batch) apply() error {
	if b.saved == nil {
		return nil
	}
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if err := b.check(b.saved); err != nil {
		return err
	}
	stripes, err := b.fillStripes(b.saved)
	if err != nil {
		return err
	}
	t, c := b.s.t, &b.saved.Changes
	maps.Copy(t.Stripes, stripes)
	b.applyTransactions()
	b.applyHolders()
	b.applyPayments()
	for _, r := range c.Records {
		t.addRecord(r)
	}
	for _, k := range c.Replies {
		row := copyStored(b.saved.Replies[k])
		t.Replies[k] = &row
	}
	for _, name := range c.References {
		row := copyReference(b.saved.References[name])
		t.References[name] = &row
	}
	for _, claim := range c.Claims {
		t.Claims[claim] = true
	}
	for _, ref := range c.Released {
		delete(t.Claims, ref)
	}
	for _, a := range c.Audits {
		t.audit(a)
	}
	return nil
}

func (b *batch) applyTransactions() {
	t := b.s.t
	for _, id := range b.saved.Changes.NewTransactions {
		row := b.saved.Transactions[id]
		t.Transactions[id] = &row
		t.addTransaction(&row)
	}
	for _, id := range b.saved.Changes.Transactions {
		row := b.saved.Transactions[id]
		if t.Transactions[id].Status != wallet.Failed && row.Status == wallet.Failed {
			t.referenced[machine.OrderReference{Merchant: row.Merchant, Reference: row.OrderReference}]--
		}
		t.Transactions[id] = &row
		t.hold(&row)
	}
}

func (b *batch) applyHolders() {
	t, c := b.s.t, &b.saved.Changes
	for _, id := range slices.Concat(c.NewCustomers, c.Customers) {
		row := copyCustomer(b.saved.Customers[id])
		t.putCustomer(&row)
	}
	for _, id := range slices.Concat(c.NewWallets, c.Wallets) {
		row := b.saved.Wallets[id]
		t.Wallets[id] = &row
		t.byHolding[machine.Holding{Customer: row.Customer, Currency: row.Account.Currency}] = id
	}
}

func copyStored(s machine.Stored) machine.Stored {
	s.Reply.Body = bytes.Clone(s.Reply.Body)
	return s
}

func copyReference(r machine.Reference) machine.Reference {
	r.Reply.Body = bytes.Clone(r.Reply.Body)
	return r
}

func copyCustomer(c wallet.Customer) wallet.Customer {
	c.IINSealed, c.PhoneSealed = bytes.Clone(c.IINSealed), bytes.Clone(c.PhoneSealed)
	return c
}
