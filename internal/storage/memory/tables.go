package memory

import (
	"cmp"
	"maps"
	"slices"
	"sort"

	"plexy/internal/access"
	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/merchant"
	"plexy/internal/shopper"
	"plexy/internal/storage"
)

// StripeKey names one stripe of an uncapped account.
type StripeKey struct {
	Account string
	Book    int
}

// Tables are all rows. A row is never changed in place: a new one takes its place, so that a snapshot
// is a copy of the maps and a row that was loaded is unchanged as long as it is the same pointer.
type Tables struct {
	Journal      map[string][]journal.Record // by object, in order of sequence
	Transactions map[string]*wallet.Transaction
	Wallets      map[string]*wallet.Wallet
	Stripes      map[StripeKey]*ledger.Account
	Replies      map[machine.ReplyKey]*machine.Stored
	References   map[string]*machine.Reference
	Claims       map[machine.OrderReference]bool
	Customers    map[string]*wallet.Customer
	Merchants    map[string]*merchant.Merchant
	Keys         map[string]*access.Key
	Audits       []machine.Audit
	Installation *storage.Installation
	Outbox       *outbox
	Clock        storage.TestClock
	People       people
	Bank         map[string]storage.BankRow // by id
	Payments     Payments
	Shoppers     shoppers
	Held         map[string]shopper.Held // by payment

	// What follows is computed from the rows above.
	objects    []string            // keys of Journal, sorted
	byMerchant map[string][]string // ids of transactions, sorted
	referenced map[machine.OrderReference]int
	held       map[string]int64 // transactions with money held: when the hold lapses
	undecided  map[string]int64 // transactions that are NEW or PROCESSING: when they are due
	byIIN      map[string]string
	byPhone    map[string]string
	byHolding  map[machine.Holding]string
	byHash     map[access.Hash]string
	audited    map[string]bool
}

func newTables() *Tables {
	t := &Tables{
		Journal:      map[string][]journal.Record{},
		Transactions: map[string]*wallet.Transaction{},
		Wallets:      map[string]*wallet.Wallet{},
		Stripes:      map[StripeKey]*ledger.Account{},
		Replies:      map[machine.ReplyKey]*machine.Stored{},
		References:   map[string]*machine.Reference{},
		Claims:       map[machine.OrderReference]bool{},
		Customers:    map[string]*wallet.Customer{},
		Merchants:    map[string]*merchant.Merchant{},
		Keys:         map[string]*access.Key{},
		Outbox:       newOutbox(),
		People:       newPeople(),
		Bank:         map[string]storage.BankRow{},
		Payments:     newPayments(),
		Shoppers:     newShoppers(),
		Held:         map[string]shopper.Held{},
	}
	t.reindex()
	return t
}

// reindex computes everything that is computed, from the rows.
func (t *Tables) reindex() {
	t.objects = sorted(t.Journal)
	t.byMerchant = map[string][]string{}
	t.referenced = map[machine.OrderReference]int{}
	t.held, t.undecided = map[string]int64{}, map[string]int64{}
	t.byIIN, t.byPhone = map[string]string{}, map[string]string{}
	t.byHolding = map[machine.Holding]string{}
	t.byHash = map[access.Hash]string{}
	t.audited = map[string]bool{}
	for _, id := range sorted(t.Transactions) {
		t.addTransaction(t.Transactions[id])
	}
	for _, w := range t.Wallets {
		t.byHolding[machine.Holding{Customer: w.Customer, Currency: w.Account.Currency}] = w.ID
	}
	for _, c := range t.Customers {
		t.byIIN[c.IINIndex], t.byPhone[c.PhoneIndex] = c.ID, c.ID
	}
	t.Payments.reindex()
	for _, k := range t.Keys {
		t.byHash[k.Hash] = k.ID
	}
	for _, a := range t.Audits {
		t.audited[a.ID] = true
	}
}

// snapshot returns tables that no later commit changes.
func (t *Tables) snapshot() *Tables {
	return &Tables{
		Journal: maps.Clone(t.Journal), Transactions: maps.Clone(t.Transactions),
		Wallets: maps.Clone(t.Wallets), Stripes: maps.Clone(t.Stripes), Replies: maps.Clone(t.Replies),
		References: maps.Clone(t.References), objects: slices.Clone(t.objects),
		Payments: Payments{
			Payments: maps.Clone(t.Payments.Payments), Operations: maps.Clone(t.Payments.Operations),
			Links: maps.Clone(t.Payments.Links),
		},
	}
}

// addTransaction indexes a new transaction.
func (t *Tables) addTransaction(row *wallet.Transaction) {
	t.byMerchant[row.Merchant] = insert(t.byMerchant[row.Merchant], row.ID)
	if row.Status != wallet.Failed {
		t.referenced[machine.OrderReference{Merchant: row.Merchant, Reference: row.OrderReference}]++
	}
	t.hold(row)
}

// hold keeps the lists of transactions with money held and of those that are not decided.
func (t *Tables) hold(row *wallet.Transaction) {
	if row.Remaining() > 0 {
		t.held[row.ID] = row.ExpiresAt
	} else {
		delete(t.held, row.ID)
	}
	if row.Status == wallet.New || row.Status == wallet.Processing {
		t.undecided[row.ID] = row.ExpiresAt
	} else {
		delete(t.undecided, row.ID)
	}
}

func (t *Tables) addRecord(r journal.Record) {
	rows, known := t.Journal[r.Object]
	if !known {
		t.objects = insert(t.objects, r.Object)
	}
	t.Journal[r.Object] = append(rows, r)
	if r.Merchant != "" {
		t.Outbox.fresh = append(t.Outbox.fresh, journal.Ref{Object: r.Object, Sequence: r.Sequence})
	}
}

// record returns a record of the journal.
func (t *Tables) record(ref journal.Ref) (journal.Record, bool) {
	rows := t.Journal[ref.Object]
	i := sort.Search(len(rows), func(i int) bool { return rows[i].Sequence >= ref.Sequence })
	if i == len(rows) || rows[i].Sequence != ref.Sequence {
		return journal.Record{}, false
	}
	return rows[i], true
}

// insert puts id into its place among sorted ids. Ids grow, so it is nearly always the last.
func insert(ids []string, id string) []string {
	if n := len(ids); n == 0 || ids[n-1] < id {
		return append(ids, id)
	}
	i, _ := slices.BinarySearch(ids, id)
	return slices.Insert(ids, i, id)
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func compareStripes(a, b StripeKey) int {
	return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Book, b.Book))
}
