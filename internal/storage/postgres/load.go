package postgres

import (
	"context"
	"slices"

	"plexy/internal/clock"
	"plexy/internal/core/machine"
	"plexy/internal/storage/sqlstore"
)

// load reads what keys names in one round trip. A second one is needed only where a phone is not known
// from the customer that was found by IIN, and for order references of merchants that reject repeats.
//
// The order matters. The wallets are locked first and everything else is read afterwards, so it is
// current: every change to a transaction, and every rebinding of a customer who has a wallet, goes
// through a wallet's lock. The vault's generation is read last: if it is the one that the instructions'
// indexes are of, then no rotation began before the customers were read.
func (b *batch) load(ctx context.Context, keys *machine.Keys) (*machine.State, error) {
	state := machine.NewState()
	r := b.session.round()
	if b.session.plans.outgrown(clock.System{}.Now()) {
		r.add(discard, nil)
	}
	r.add(begin, nil)
	b.askWallets(r, keys, state)
	b.askCustomers(r, keys, state)
	b.askTransactions(r, keys, state)
	b.askReplies(r, keys, state)
	b.askMerchants(r, keys, state)
	b.askReferences(r, keys, state)
	b.askGeneration(r, keys, state)
	if _, err := r.run(ctx); err != nil {
		return nil, err
	}
	phones, repeats := unknownPhones(keys, state), rejected(keys, state)
	if len(phones)+len(repeats) == 0 {
		return state, nil
	}
	r = b.session.round()
	if len(repeats) > 0 {
		merchants, references, books := orderReferences(repeats)
		r.add(readRepeats, func(row sqlstore.Row) {
			state.OrderReferences[machine.OrderReference{Merchant: row.Text(), Reference: row.Text()}] = true
		}, textArray(merchants), textArray(references), smallArray(books))
	}
	if len(phones) > 0 {
		r.add(readPhones, addCustomer(state), textArray(phones))
		b.askGeneration(r, keys, state)
	}
	_, err := r.run(ctx)
	return state, err
}

// rejected returns the order references that are looked up: those of merchants that reject repeats.
func rejected(keys *machine.Keys, state *machine.State) []machine.OrderReference {
	var refs []machine.OrderReference
	for _, ref := range keys.OrderReferences {
		if state.Terms[ref.Merchant].RejectRepeats {
			refs = append(refs, ref)
		}
	}
	return refs
}

func (b *batch) askWallets(r *round, keys *machine.Keys, state *machine.State) {
	var iin, currency []string
	for _, p := range keys.Payers {
		for _, index := range p.IIN {
			iin, currency = append(iin, index), append(currency, string(p.Currency))
		}
	}
	owned := unique(keys.Transactions)
	read := func(row sqlstore.Row) { state.AddWallet(sqlstore.ScanWallet(row)) }
	switch {
	case len(owned) == 0 && len(iin) > 0:
		r.add(lockPayers, read, textArray(iin), textArray(currency))
	case len(owned) > 0 && len(iin) == 0:
		r.add(lockOwners, read, textArray(owned))
	case len(owned) > 0:
		r.add(lockBoth, read, textArray(iin), textArray(currency), textArray(owned))
	}
}

func (b *batch) askCustomers(r *round, keys *machine.Keys, state *machine.State) {
	if len(keys.Payers) == 0 {
		return
	}
	var all, rebound []string
	for _, p := range keys.Payers {
		all = append(all, p.IIN...)
		if p.Currency == "" {
			rebound = append(rebound, p.IIN...)
		}
	}
	if len(rebound) > 0 {
		// The row itself is going to change: it must be neither rebound nor sealed anew meanwhile.
		r.add(lockCustomers, nil, textArray(unique(rebound)))
	}
	r.add(readCustomers, addCustomer(state), textArray(unique(all)))
}

func addCustomer(state *machine.State) func(sqlstore.Row) {
	return func(row sqlstore.Row) { state.AddCustomer(sqlstore.ScanCustomer(row)) }
}

// askTransactions leaves out a transaction whose wallet was not locked: it was committed after the locks
// were taken, by a request that is still under way. For this batch it does not exist yet.
func (b *batch) askTransactions(r *round, keys *machine.Keys, state *machine.State) {
	if len(keys.Transactions) == 0 {
		return
	}
	r.add(readTransaction, func(row sqlstore.Row) {
		t := sqlstore.ScanTransaction(row)
		if _, locked := state.Wallets[t.Wallet]; locked || t.Wallet == "" {
			state.Transactions[t.ID] = t
		}
	}, textArray(unique(keys.Transactions)))
}

func (b *batch) askReplies(r *round, keys *machine.Keys, state *machine.State) {
	if len(keys.Replies) == 0 {
		return
	}
	scopes, names, books := replyKeys(keys.Replies)
	r.add(readReplies, func(row sqlstore.Row) {
		k, stored := sqlstore.ScanReply(row)
		state.Replies[k] = stored
		b.seen[k] = stored
	}, textArray(scopes), textArray(names), smallArray(books))
}

func replyKeys(keys []machine.ReplyKey) (scopes, names []string, books []int64) {
	for _, k := range keys {
		scopes, names = append(scopes, k.Scope), append(names, k.Key)
		books = append(books, bookOfReply(k))
	}
	return scopes, names, books
}

func (b *batch) askMerchants(r *round, keys *machine.Keys, state *machine.State) {
	if len(keys.Merchants) == 0 {
		return
	}
	r.add(readTerms, func(row sqlstore.Row) {
		terms := sqlstore.ScanTerms(row)
		state.Terms[terms.Merchant] = terms
	}, textArray(unique(keys.Merchants)))
}

func orderReferences(refs []machine.OrderReference) (merchants, references []string, books []int64) {
	for _, ref := range refs {
		merchants, references = append(merchants, ref.Merchant), append(references, ref.Reference)
		books = append(books, sqlstore.HashBook(ref.Merchant, ref.Reference))
	}
	return merchants, references, books
}

func (b *batch) askReferences(r *round, keys *machine.Keys, state *machine.State) {
	if len(keys.References) == 0 {
		return
	}
	names := unique(keys.References)
	books := make([]int64, len(names))
	for i, name := range names {
		books[i] = sqlstore.HashBook(name)
	}
	r.add(readReferences, func(row sqlstore.Row) {
		reference := sqlstore.ScanReference(row)
		state.References[reference.Name] = reference
	}, textArray(names), smallArray(books))
}

// askGeneration reads the vault's generation; where a customer may be made it also holds a rotation back
// until this batch is committed.
func (b *batch) askGeneration(r *round, keys *machine.Keys, state *machine.State) {
	read := func(row sqlstore.Row) { state.Generation = row.Int64() }
	switch {
	case keys.Opening:
		r.add(holdGeneration, read)
	case keys.Vault:
		r.add(readGeneration, read)
	}
}

// unknownPhones returns the phone indexes that the customers found by IIN do not answer. While keys are
// being rotated a phone has several indexes, of which a customer has one.
func unknownPhones(keys *machine.Keys, state *machine.State) []string {
	var unknown []string
	for group := range slices.Chunk(keys.Phones, liveKeys(keys)) {
		known := slices.ContainsFunc(group, func(index string) bool {
			_, ok := state.ByPhone[index]
			return ok
		})
		if !known {
			unknown = append(unknown, group...)
		}
	}
	return unique(unknown)
}

// liveKeys returns how many indexes each payer's IIN and phone have, or 1 when that is not uniform.
func liveKeys(keys *machine.Keys) int {
	if len(keys.Payers) == 0 {
		return 1
	}
	n := len(keys.Payers[0].IIN)
	for _, p := range keys.Payers {
		if len(p.IIN) != n {
			return 1
		}
	}
	if n == 0 || len(keys.Phones) != n*len(keys.Payers) {
		return 1
	}
	return n
}

// unique returns the values once each and sorted.
func unique(values []string) []string {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

func bookOfReply(k machine.ReplyKey) int64 { return sqlstore.HashBook(k.Scope, k.Key) }
