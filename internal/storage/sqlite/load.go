package sqlite

import (
	"context"
	"errors"
	"fmt"

	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
	"plexy/internal/storage/sqlstore"
)

// batch is one transaction of the writer. What it read and wrote enters the memory only in keep.
type batch struct {
	w       *writer
	state   *machine.State
	changed bool
	opening bool                       // customers may change: they come from the tables, not from memory
	stored  map[machine.ReplyKey]int64 // rows of the replies that were found

	stripes   map[string]ledger.Account // as Save left them
	lastState int64                     // row of the last state of a wallet that was written
	swept     slice                     // of the sweep over the states
	appended  []entry                   // replies that were written
	indexed   int                       // entries of the closing run that were written
	sealed    bool                      // its filter was written
}

// Load reads what keys names, from memory where it is remembered. There is nothing to lock: the
// transaction holds the only write lock of the file.
func (b *batch) Load(ctx context.Context, keys *machine.Keys) (*machine.State, error) {
	b.state, b.opening = keys.NewState(), keys.Opening
	for _, load := range []func(context.Context, *machine.Keys) error{
		b.loadReplies, b.loadVault, b.loadTerms, b.loadPayers, b.loadPhones, b.loadTransactions,
		b.loadReferences, b.loadOrderReferences, b.loadCards,
	} {
		if err := load(ctx, keys); err != nil {
			return nil, sorted(err)
		}
	}
	if err := b.w.s.fail(AfterLoad); err != nil {
		return nil, err
	}
	return b.state, nil
}

func (b *batch) loadReplies(ctx context.Context, keys *machine.Keys) error {
	win := &b.w.window
	if len(keys.Replies) > 0 && !win.loaded {
		if err := win.refresh(ctx, b.w.link); err != nil {
			return err
		}
	}
	for _, k := range keys.Replies {
		hash := win.hash(k)
		err := win.find(hash, b.w.hot.indexed(hash), func(row int64) (bool, error) {
			return b.loadReply(k, row)
		})
		if err != nil {
			return fmt.Errorf("look up a reply: %w", err)
		}
	}
	return nil
}

// loadReply reads the reply in row and takes it if it is the key's own.
func (b *batch) loadReply(k machine.ReplyKey, row int64) (bool, error) {
	key, stored, err := b.w.hot.reply(row)
	if errors.Is(err, errNone) || err == nil && key != k {
		return false, nil // swept, or another key with the same hash
	}
	if err != nil {
		return false, err
	}
	b.state.Replies[k] = stored
	if b.stored == nil {
		b.stored = map[machine.ReplyKey]int64{}
	}
	b.stored[k] = row
	return true, nil
}

func (b *batch) loadVault(_ context.Context, keys *machine.Keys) error {
	if !keys.Vault && !keys.Opening {
		return nil
	}
	m := &b.w.memory
	if m.generation == noGeneration {
		generation, err := b.w.hot.vaultGeneration()
		if errors.Is(err, errNone) {
			return errors.New("the database has no installation")
		}
		if err != nil {
			return fmt.Errorf("read the vault's generation: %w", err)
		}
		m.generation = generation
	}
	b.state.Generation = m.generation
	return nil
}

func (b *batch) loadTerms(_ context.Context, keys *machine.Keys) error {
	for _, id := range keys.Merchants {
		if _, ok := b.state.Terms[id]; ok {
			continue
		}
		terms, ok := b.w.memory.terms[id]
		if !ok {
			var err error
			if terms, err = b.w.hot.terms(id); errors.Is(err, errNone) {
				continue
			} else if err != nil {
				return fmt.Errorf("read a merchant's terms: %w", err)
			}
			remember(b.w.memory.terms, id, terms)
		}
		b.state.Terms[id] = terms
	}
	return nil
}

func (b *batch) loadPayers(_ context.Context, keys *machine.Keys) error {
	for _, h := range keys.Payers {
		p, err := b.byIIN(h.IIN)
		if err != nil {
			return fmt.Errorf("look up a payer: %w", err)
		}
		if p == nil {
			continue
		}
		if _, ok := b.state.Customers[p.customer.ID]; !ok {
			b.state.AddCustomer(p.customer)
		}
		if b.addWallets(p, h.Currency) {
			continue
		}
		// A wallet that was not there once is not remembered as absent: the tables say so, or not.
		if p, err = b.read(b.w.hot.customer(p.customer.ID)); err != nil {
			return fmt.Errorf("look up a payer's wallet: %w", err)
		}
		if p != nil {
			b.addWallets(p, h.Currency)
		}
	}
	return nil
}

// addWallets puts the person's wallet in the currency, or all of them for "", into the working set and
// says whether there was any.
func (b *batch) addWallets(p *person, currency money.Currency) (any bool) {
	for _, w := range p.wallets {
		if currency != "" && w.Account.Currency != currency {
			continue
		}
		any = true
		if _, ok := b.state.Wallets[w.ID]; !ok {
			b.state.AddWallet(w)
		}
	}
	return any
}

// byIIN finds a person by IIN indexes: in memory under any of them, else in the tables.
func (b *batch) byIIN(indexes []string) (*person, error) {
	for _, index := range indexes {
		if p := b.known(b.w.memory.people.byIIN, index); p != nil {
			return p, nil
		}
	}
	for _, index := range indexes {
		p, err := b.read(b.w.hot.customerByIIN(index))
		if p != nil || err != nil {
			return p, err
		}
	}
	return nil, nil
}

// known finds a person in memory, unless this batch needs what memory does not keep.
func (b *batch) known(index map[string]*person, key string) *person {
	if b.opening {
		return nil
	}
	return found(index, key)
}

// read completes a customer that was just read with the wallets, and remembers the person. A batch that may
// change customers gets this one whole.
func (b *batch) read(c wallet.Customer, err error) (*person, error) {
	if errors.Is(err, errNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if b.opening {
		b.state.AddCustomer(c)
	}
	p := newPerson(c)
	if p.wallets, err = b.w.hot.walletsOf(c.ID); err != nil {
		return nil, err
	}
	for i, w := range p.wallets {
		if p.wallets[i], err = b.w.newestState(w); err != nil {
			return nil, fmt.Errorf("read the newest state of wallet %s: %w", w.ID, err)
		}
		p.share(&p.wallets[i])
	}
	b.w.memory.people.add(p)
	return p, nil
}

func (b *batch) loadPhones(_ context.Context, keys *machine.Keys) error {
	for _, index := range keys.Phones {
		if _, ok := b.state.ByPhone[index]; ok {
			continue
		}
		p := b.known(b.w.memory.people.byPhone, index)
		if p == nil {
			var err error
			if p, err = b.read(b.w.hot.customerByPhone(index)); err != nil {
				return fmt.Errorf("look up a phone: %w", err)
			}
		}
		if p != nil && !b.opening {
			b.state.AddCustomer(p.customer)
		}
	}
	return nil
}

func (b *batch) loadTransactions(_ context.Context, keys *machine.Keys) error {
	for _, id := range keys.Transactions {
		if _, ok := b.state.Transactions[id]; ok {
			continue
		}
		book, ok := sqlstore.Book(id)
		if !ok {
			continue
		}
		t, err := b.w.hot.transaction(id, book)
		if errors.Is(err, errNone) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read a transaction: %w", err)
		}
		b.state.Transactions[id] = t
		if err := b.loadWallet(t.Wallet); err != nil {
			return fmt.Errorf("read the wallet of a transaction: %w", err)
		}
	}
	return nil
}

func (b *batch) loadWallet(id string) error {
	if _, ok := b.state.Wallets[id]; ok || id == "" {
		return nil
	}
	p := found(b.w.memory.people.byWallet, id)
	if p == nil {
		owner, err := b.w.hot.ownerOf(id)
		if err != nil {
			return err
		}
		if p, err = b.read(b.w.hot.customer(owner)); err != nil {
			return err
		}
		if p == nil {
			return fmt.Errorf("wallet %s has no customer", id)
		}
	}
	for _, w := range p.wallets {
		if w.ID == id {
			b.state.AddWallet(w)
		}
	}
	return nil
}

func (b *batch) loadReferences(_ context.Context, keys *machine.Keys) error {
	for _, name := range keys.References {
		r, err := b.w.hot.reference(name)
		if errors.Is(err, errNone) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read a reference: %w", err)
		}
		b.state.References[name] = r
	}
	return nil
}

// loadOrderReferences looks at the transactions themselves, not at the claims: a merchant may have begun
// to reject repeats after some were made.
func (b *batch) loadOrderReferences(_ context.Context, keys *machine.Keys) error {
	for _, ref := range keys.OrderReferences {
		if !b.state.Terms[ref.Merchant].RejectRepeats {
			continue
		}
		taken, err := b.w.hot.taken(ref)
		if err != nil {
			return fmt.Errorf("look up an order reference: %w", err)
		}
		if taken {
			b.state.OrderReferences[ref] = true
		}
	}
	return nil
}
