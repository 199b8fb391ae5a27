package postgres

import (
	"cmp"
	"slices"

	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/storage/sqlstore"
)

// saveRows appends what is the batch's alone or is locked by it already. Rows that another process may
// insert at the same time are sorted by their key, here and in every other statement of the round, so
// that two batches wait for each other in one direction only.
func saveRows(
	r *round, state *machine.State, seen map[machine.ReplyKey]machine.Stored, place map[string][]byte,
) {
	c := &state.Changes
	saveCustomers(r, newCustomers, pick(c.NewCustomers, state.Customers, func(a, b wallet.Customer) int {
		return cmp.Compare(a.IINIndex, b.IINIndex)
	}))
	saveCustomers(r, changeCustomers, pick(c.Customers, state.Customers, func(a, b wallet.Customer) int {
		return cmp.Compare(a.ID, b.ID)
	}))
	if len(c.Customers) > 0 {
		r.add(countRebind, nil)
	}
	byHolding := func(a, b wallet.Wallet) int {
		return cmp.Or(cmp.Compare(a.Customer, b.Customer), cmp.Compare(a.Account.Currency, b.Account.Currency))
	}
	saveWallets(r, newWallets, pick(c.NewWallets, state.Wallets, byHolding))
	changed := pick(c.Wallets, state.Wallets, func(a, b wallet.Wallet) int { return cmp.Compare(a.ID, b.ID) })
	places := make([][]byte, len(changed))
	for i, w := range changed {
		places[i] = place[w.ID]
	}
	saveWallets(r, changeWallets, changed, places...)
	saveApprovals(r, pick(slices.Compact(slices.Sorted(slices.Values(c.Approvals))), state.Wallets,
		func(a, b wallet.Wallet) int { return cmp.Compare(a.ID, b.ID) }))
	byID := func(a, b wallet.Transaction) int { return cmp.Compare(a.ID, b.ID) }
	saveTransactions(r, newTransactions, pick(c.NewTransactions, state.Transactions, byID))
	saveTransactions(r, changeTransactions, pick(c.Transactions, state.Transactions, byID))
	saveClaims(r, newClaims, c.Claims)
	saveClaims(r, dropClaims, c.Released)
	saveReferences(r, pick(c.References, state.References, func(a, b machine.Reference) int {
		return cmp.Compare(a.Name, b.Name)
	}))
	saveCards(r, state)
	saveReplies(r, state, seen)
}

// pick returns the final values of the listed rows, sorted.
func pick[T any](ids []string, from map[string]T, order func(a, b T) int) []T {
	values := make([]T, len(ids))
	for i, id := range ids {
		values[i] = from[id]
	}
	slices.SortFunc(values, order)
	return values
}

func saveCustomers(r *round, statement string, customers []wallet.Customer) {
	if len(customers) == 0 {
		return
	}
	w := r.rows()
	for _, c := range customers {
		w.next()
		w.text(c.ID, c.KeyID, c.IINIndex, c.PhoneIndex)
		w.bytes(c.IINSealed)
		w.bytes(c.PhoneSealed)
		w.int64(c.CreatedAt)
	}
	r.add(statement, nil, w.param(r.s.types[typeCustomer]))
}

func saveWallets(r *round, statement string, wallets []wallet.Wallet, places ...[]byte) {
	if len(wallets) == 0 {
		return
	}
	w := r.rows()
	for _, v := range wallets {
		t := v.Account.Totals
		w.next()
		w.text(v.ID)
		w.small(int64(v.Book))
		w.text(v.Customer, string(v.Account.Currency), string(v.Condition))
		w.int64(v.Limits.PerTransaction, v.Limits.PerDay, v.Spent.Day, v.Spent.Amount,
			t.DebitsPending, t.DebitsPosted, t.CreditsPending, t.CreditsPosted, v.Account.Version, v.Sequence)
		w.text(v.Last.Object)
		w.int64(v.Last.Sequence, v.CreatedAt)
	}
	params := [][]byte{w.param(r.s.types[typeWallet])}
	if places != nil {
		params = append(params, placeArray(places))
	}
	r.add(statement, nil, params...)
}

// saveApprovals writes what does not travel with a wallet.
func saveApprovals(r *round, wallets []wallet.Wallet) {
	if len(wallets) == 0 {
		return
	}
	ids, books, from := make([]string, 0, len(wallets)), []int64(nil), []int64(nil)
	for _, w := range wallets {
		ids, books, from = append(ids, w.ID), append(books, int64(w.Book)), append(from, int64(w.Approval))
	}
	r.add(changeApprovals, nil, textArray(ids), smallArray(books), int64Array(from))
}

func saveTransactions(r *round, statement string, transactions []wallet.Transaction) {
	if len(transactions) == 0 {
		return
	}
	w := r.rows()
	for _, t := range transactions {
		w.next()
		w.text(t.ID)
		w.small(int64(t.Book))
		w.text(t.Merchant, t.Wallet, string(t.Currency), t.OrderReference)
		w.int64(t.Amount)
		w.text(string(t.Status), string(t.Failure))
		w.int64(t.Authorized, t.Captured, t.Canceled, t.Expired, t.Refunded, t.Sequence,
			t.CreatedAt, t.UpdatedAt, t.ExpiresAt)
	}
	r.add(statement, nil, w.param(r.s.types[typeTransaction]))
}

func saveClaims(r *round, statement string, claims []machine.OrderReference) {
	if len(claims) == 0 {
		return
	}
	claims = slices.Clone(claims)
	slices.SortFunc(claims, func(a, b machine.OrderReference) int {
		return cmp.Or(cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Reference, b.Reference))
	})
	merchants, references, books := orderReferences(claims)
	r.add(statement, nil, textArray(merchants), textArray(references), smallArray(books))
}

func saveReferences(r *round, references []machine.Reference) {
	if len(references) == 0 {
		return
	}
	w := r.rows()
	for _, f := range references {
		w.next()
		w.text(f.Name)
		w.small(sqlstore.HashBook(f.Name))
		w.text(string(f.Direction), f.Wallet)
		w.int64(f.Amount)
		w.small(int64(f.Reply.Status))
		w.bytes(f.Reply.Body)
		w.int64(f.At)
	}
	r.add(newReferences, nil, w.param(r.s.types[typeReference]))
}

// saveReplies stores the batch's replies. A key that Load had seen is stored again only when what it saw
// was past its retention: exactly that row makes room.
func saveReplies(r *round, state *machine.State, seen map[machine.ReplyKey]machine.Stored) {
	keys := slices.Clone(state.Changes.Replies)
	if len(keys) == 0 {
		return
	}
	slices.SortFunc(keys, func(a, b machine.ReplyKey) int {
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Key, b.Key))
	})
	var expired []machine.ReplyKey
	var at []int64
	var requests []string
	w := r.rows()
	for _, k := range keys {
		if was, ok := seen[k]; ok {
			expired, at, requests = append(expired, k), append(at, was.At), append(requests, was.RequestID)
		}
		stored := state.Replies[k]
		w.next()
		w.text(k.Scope, k.Key)
		w.small(bookOfReply(k))
		w.bytes(stored.Fingerprint[:])
		w.small(int64(stored.Reply.Status))
		w.bytes(stored.Reply.Body)
		w.text(stored.RequestID)
		w.int64(stored.At)
	}
	if len(expired) > 0 {
		scopes, names, books := replyKeys(expired)
		r.add(dropReplies, nil, textArray(scopes), textArray(names), smallArray(books),
			int64Array(at), textArray(requests))
	}
	r.add(newReplies, nil, w.param(r.s.types[typeReply]))
}

// saveBooks appends the audit rows, the stripes and the journal. The stripes are the only rows that
// batches of several processes share when all goes well, so they are locked last and held shortest.
func saveBooks(r *round, state *machine.State, stripes *stripes) {
	c := &state.Changes
	if len(c.Audits) > 0 {
		w := r.rows()
		for _, a := range c.Audits {
			w.next()
			w.text(a.ID)
			w.int64(a.At)
			w.text(a.Actor, a.Action, a.Object, a.Before, a.After, a.Reason)
		}
		r.add(newAudits, nil, w.param(r.s.types[typeAudit]))
	}
	saveCounts(r, state, stripes.book)
	if deltas := stripes.sorted(); len(deltas) > 0 {
		w := r.rows()
		for _, d := range deltas {
			t := d.Totals
			w.next()
			w.text(d.ID)
			w.small(int64(d.Book))
			w.text(string(d.Currency))
			w.int64(t.DebitsPending, t.DebitsPosted, t.CreditsPending, t.CreditsPosted, d.Version)
		}
		r.add(addStripes, nil, w.param(r.s.types[typeStripe]))
	}
	if len(stripes.records) > 0 {
		w := r.rows()
		statement := newRecords
		for i := range stripes.records {
			saveRecord(w, &stripes.records[i], stripes.sides[i])
			if stripes.sides[i] == debitSide|creditSide {
				statement = newPaymentRecords
			}
		}
		r.add(statement, nil, w.param(r.s.types[typeRecord]))
	}
}

func saveRecord(w *rows, j *journal.Record, side int64) {
	w.next()
	w.small(side)
	w.text(j.Object)
	w.int64(j.Sequence)
	w.small(int64(j.Book))
	w.text(string(j.Type), j.Merchant, j.Wallet)
	w.int64(j.At, j.Amount)
	w.text(string(j.Currency), string(j.Posting.Move), j.Posting.Debit, j.Posting.Credit)
	w.int64(j.Debit.Version, j.Debit.Pending, j.Debit.Posted)
	w.int64(j.Credit.Version, j.Credit.Pending, j.Credit.Posted)
	w.small(int64(j.StripeBook))
	w.text(j.After.State)
	w.int64(j.After.Authorized, j.After.Captured, j.After.Canceled, j.After.Expired, j.After.Refunded)
	w.text(j.Origin.RequestID, j.Origin.APIKeyID, j.Origin.IdempotencyKey, j.Previous.Object)
	w.int64(j.Previous.Sequence)
}
