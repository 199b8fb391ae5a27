package postgres

import (
	"context"
	"slices"

	"plexy/internal/clock"
	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/storage/sqlstore"
)

// reading is what a batch's Load has found out so far.
type reading struct {
	keys  *machine.Keys
	state *machine.State
	seen  map[machine.ReplyKey]machine.Stored
	place map[string][]byte // of each locked wallet, see changeWallets
	// The count of rebindings: when the customers were read that came with their locked wallets (-1 when
	// none came), and when everything was read.
	before, after int64
	rebinding     bool // the batch itself rebinds somebody
	guessing      bool // see Store.Commit
}

// load reads what keys names in one round trip. A second one is needed only for payers who have no wallet
// in their currency, for phones that are not known from the customer that was found by IIN, and for order
// references of merchants that reject repeats.
//
// The order matters. The wallets are locked first, then links and payments, and transactions are read
// afterwards, so they are current: every change to a transaction goes through its wallet's lock. The vault's
// generation is read last: if it is the one that the instructions' indexes are of, then no rotation began
// before the customers were read. The customers of locked wallets come in the statement that locks, and are
// as old as the wait for the locks; if anybody was rebound meanwhile they are read again.
func (b *batch) load(ctx context.Context, keys *machine.Keys) (*machine.State, error) {
	l := &reading{
		keys: keys, state: keys.NewState(), seen: b.seen, place: b.place, before: -1, guessing: b.guessing,
	}
	r := b.session.round()
	if b.session.plans.outgrown(clock.System{}.Now()) {
		r.add(discard, nil)
	}
	r.add(begin, nil)
	l.askWallets(r)
	l.askCards(r)
	l.askTransactions(r)
	l.askReplies(r)
	l.askMerchants(r)
	l.askReferences(r)
	l.askGeneration(r)
	if _, err := r.run(ctx); err != nil {
		return nil, err
	}
	return l.state, l.again(ctx, b.session)
}

// again is the second round trip, where one is needed.
func (l *reading) again(ctx context.Context, s *session) error {
	r, asked := s.round(), 0
	if strangers := l.strangers(); len(strangers) > 0 {
		r.add(readCustomers, l.addCustomer, textArray(strangers))
		asked++
	}
	if phones := l.unknownPhones(); len(phones) > 0 {
		r.add(readPhones, l.addCustomer, textArray(phones))
		asked++
	}
	if asked > 0 {
		l.askGeneration(r)
	}
	if repeats := l.rejected(); len(repeats) > 0 {
		merchants, references, books := orderReferences(repeats)
		r.add(readRepeats, func(row sqlstore.Row) {
			l.state.OrderReferences[machine.OrderReference{Merchant: row.Text(), Reference: row.Text()}] = true
		}, textArray(merchants), textArray(references), smallArray(books))
		asked++
	}
	if asked == 0 {
		return nil
	}
	_, err := r.run(ctx)
	return err
}

// strangers returns the IIN indexes whose customers are still to be read: those of payers who were not
// found, or of all when a customer was rebound under our hands.
func (l *reading) strangers() []string {
	if l.before >= 0 && l.before != l.after { // what was read may be of before: forget it
		l.state.Customers = map[string]wallet.Customer{}
		l.state.ByIIN, l.state.ByPhone = map[string]string{}, map[string]string{}
	}
	var missing []string
	for _, p := range l.keys.Payers {
		known := slices.ContainsFunc(p.IIN, func(index string) bool {
			_, ok := l.state.ByIIN[index]
			return ok
		})
		if !known {
			missing = append(missing, p.IIN...)
		}
	}
	return unique(missing)
}

// rejected returns the order references that are looked up: those of merchants that reject repeats.
func (l *reading) rejected() []machine.OrderReference {
	var refs []machine.OrderReference
	for _, ref := range l.keys.OrderReferences {
		if l.state.Terms[ref.Merchant].RejectRepeats {
			refs = append(refs, ref)
		}
	}
	return refs
}

// askWallets locks the batch's wallets. Where they are those of payers alone, who are known already, the
// customers come with them.
func (l *reading) askWallets(r *round) {
	var iin, currency []string
	for _, p := range l.keys.Payers {
		for _, index := range p.IIN {
			iin, currency = append(iin, index), append(currency, string(p.Currency))
		}
	}
	owned := unique(l.keys.Transactions)
	read := func(row sqlstore.Row) {
		w := sqlstore.ScanWallet(row)
		l.state.AddWallet(w)
		l.place[w.ID] = row.Bytes()
	}
	switch {
	case len(iin) == 0 && len(owned) == 0:
	case len(iin) == 0:
		r.add(lockOwners, read, textArray(owned))
	case len(owned) > 0 || l.keys.Opening:
		r.add(lockBoth, read, textArray(iin), textArray(currency), textArray(owned))
		l.askCustomers(r)
	default:
		r.add(lockPayers, func(row sqlstore.Row) {
			read(row)
			l.addCustomer(row)
			l.before = row.Int64()
		}, textArray(iin), textArray(currency))
	}
}

// askCustomers reads the payers, after their wallets were locked. The row of one who is being rebound is
// going to change, so it is locked too: it must be neither rebound nor sealed anew meanwhile.
func (l *reading) askCustomers(r *round) {
	var all, rebound []string
	for _, p := range l.keys.Payers {
		all = append(all, p.IIN...)
		if p.Currency == "" {
			rebound = append(rebound, p.IIN...)
		}
	}
	if len(rebound) > 0 {
		r.add(lockCustomers, nil, textArray(unique(rebound)))
		l.rebinding = true
	}
	r.add(readCustomers, l.addCustomer, textArray(unique(all)))
}

func (l *reading) addCustomer(row sqlstore.Row) { l.state.AddCustomer(sqlstore.ScanCustomer(row)) }

// askTransactions leaves out a transaction whose wallet was not locked: it was committed after the locks
// were taken, by a request that is still under way. For this batch it does not exist yet.
func (l *reading) askTransactions(r *round) {
	if len(l.keys.Transactions) == 0 {
		return
	}
	r.add(readTransaction, func(row sqlstore.Row) {
		t := sqlstore.ScanTransaction(row)
		if _, locked := l.state.Wallets[t.Wallet]; locked || t.Wallet == "" {
			l.state.Transactions[t.ID] = t
		}
	}, textArray(unique(l.keys.Transactions)))
}

// askReplies looks the batch's idempotency keys up: all of them, or when it guesses that nobody repeats
// himself, those that the unique key does not decide in the end.
func (l *reading) askReplies(r *round) {
	keys := l.keys.Replies
	if l.guessing {
		keys = without(keys, l.keys.Kept)
	}
	if len(keys) == 0 {
		return
	}
	scopes, names, books := replyKeys(keys)
	r.add(readReplies, func(row sqlstore.Row) {
		k, stored := sqlstore.ScanReply(row)
		l.state.Replies[k] = stored
		l.seen[k] = stored
	}, textArray(scopes), textArray(names), smallArray(books))
}

// without returns what is left of keys when some of them, given in the same order, are taken out.
func without(keys, some []machine.ReplyKey) (left []machine.ReplyKey) {
	for _, k := range keys {
		if len(some) > 0 && some[0] == k {
			some = some[1:]
		} else {
			left = append(left, k)
		}
	}
	return left
}

func replyKeys(keys []machine.ReplyKey) (scopes, names []string, books []int64) {
	for _, k := range keys {
		scopes, names = append(scopes, k.Scope), append(names, k.Key)
		books = append(books, bookOfReply(k))
	}
	return scopes, names, books
}

func (l *reading) askMerchants(r *round) {
	if len(l.keys.Merchants) == 0 {
		return
	}
	r.add(readTerms, func(row sqlstore.Row) {
		terms := sqlstore.ScanTerms(row)
		l.state.Terms[terms.Merchant] = terms
	}, textArray(unique(l.keys.Merchants)))
}

func orderReferences(refs []machine.OrderReference) (merchants, references []string, books []int64) {
	for _, ref := range refs {
		merchants, references = append(merchants, ref.Merchant), append(references, ref.Reference)
		books = append(books, sqlstore.HashBook(ref.Merchant, ref.Reference))
	}
	return merchants, references, books
}

func (l *reading) askReferences(r *round) {
	if len(l.keys.References) == 0 {
		return
	}
	names := unique(l.keys.References)
	books := make([]int64, len(names))
	for i, name := range names {
		books[i] = sqlstore.HashBook(name)
	}
	r.add(readReferences, func(row sqlstore.Row) {
		reference := sqlstore.ScanReference(row)
		l.state.References[reference.Name] = reference
	}, textArray(names), smallArray(books))
}

// askGeneration reads the vault's generation and the count of rebindings. Where a customer may be made it
// holds a rotation back until this batch is committed, and where one is rebound it owns the count.
func (l *reading) askGeneration(r *round) {
	read := func(row sqlstore.Row) { l.state.Generation, l.after = row.Int64(), row.Int64() }
	switch {
	case l.rebinding:
		r.add(ownGeneration, read)
	case l.keys.Opening:
		r.add(holdGeneration, read)
	case l.keys.Vault:
		r.add(readGeneration, read)
	}
}

// unknownPhones returns the phone indexes that the customers found by IIN do not answer. While keys are
// being rotated a phone has several indexes, of which a customer has one.
func (l *reading) unknownPhones() []string {
	var unknown []string
	for group := range slices.Chunk(l.keys.Phones, liveKeys(l.keys)) {
		known := slices.ContainsFunc(group, func(index string) bool {
			_, ok := l.state.ByPhone[index]
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
