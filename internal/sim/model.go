package sim

import (
	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
)

// answer is what a request came to, as its sender sees it.
type answer struct {
	reason   string
	status   int
	body     string
	replayed bool
	rendered bool // somebody waits for it
}

// kept is a stored reply.
type kept struct {
	fingerprint [32]byte
	status      int
	body        string
	request     string
	at          int64
}

// reference is the one effect of a funding reference.
type reference struct {
	direction machine.Direction
	wallet    string
	amount    int64
	status    int
	body      string
}

// stripeKey names a stripe.
type stripeKey struct {
	account string
	book    int
}

// customer is what the model knows of one: its id and the phone index it has now.
type customer struct{ id, phone string }

// model is the auditor's own books: written by its own rules, which share no code with the machine's, and
// fed by what was asked and in which order it was committed. It uses the house's row types as forms to
// fill in, so that rows can be compared whole.
type model struct {
	transactions map[string]wallet.Transaction
	wallets      map[string]wallet.Wallet
	customers    map[string]customer // by IIN index
	phones       map[string]string   // phone index → customer id
	holdings     map[machine.Holding]string
	replies      map[machine.ReplyKey]kept
	references   map[string]reference
	taken        map[machine.OrderReference]bool // by a transaction that did not fail
	stripes      map[stripeKey]ledger.Account
	terms        map[string]wallet.Terms

	iinOf     map[string]string              // customer id → IIN index
	open      map[string]bool                // transactions with money held
	undecided map[string]bool                // transactions that are NEW or PROCESSING
	deadlines map[string]int64               // until when owners may answer, also after they did
	sold      map[machine.OrderReference]int // transactions that did not fail
	effects   map[machine.ReplyKey]int64
	audits    int
}

func newModel() *model {
	return &model{
		transactions: map[string]wallet.Transaction{}, wallets: map[string]wallet.Wallet{},
		customers: map[string]customer{}, phones: map[string]string{}, holdings: map[machine.Holding]string{},
		replies: map[machine.ReplyKey]kept{}, references: map[string]reference{},
		taken: map[machine.OrderReference]bool{}, stripes: map[stripeKey]ledger.Account{},
		terms: map[string]wallet.Terms{}, iinOf: map[string]string{}, open: map[string]bool{},
		undecided: map[string]bool{}, deadlines: map[string]int64{}, sold: map[machine.OrderReference]int{},
		effects: map[machine.ReplyKey]int64{},
	}
}

// draft is one batch as the model expects it: decided when the batch loaded, written when it commits.
type draft struct {
	m  *model
	at int64

	transactions layer[string, wallet.Transaction]
	wallets      layer[string, wallet.Wallet]
	customers    layer[string, customer]
	phones       layer[string, string]
	holdings     layer[machine.Holding, string]
	replies      layer[machine.ReplyKey, kept]
	references   layer[string, reference]
	taken        layer[machine.OrderReference, bool]

	records []journal.Record
	keyed   []machine.ReplyKey // one per record with a key: its effect
	audits  int
	answers []answer
}

// decide returns what the batch comes to if it loads now and is stamped at.
func (m *model) decide(at int64, batch []machine.Instruction) *draft {
	d := &draft{
		m: m, at: at, transactions: over(m.transactions), wallets: over(m.wallets),
		customers: over(m.customers), phones: over(m.phones), holdings: over(m.holdings),
		replies: over(m.replies), references: over(m.references), taken: over(m.taken),
	}
	for _, in := range batch {
		d.answers = append(d.answers, d.step(in))
	}
	return d
}

// stale says which row the batch must not have been committed on, because another batch changed it after
// it was loaded. Rows that a wallet's lock guards count when they were read, unique rows when they are
// written.
func (d *draft) stale() string {
	if id, found := d.transactions.stale(false); found {
		return "transaction " + id
	}
	if id, found := d.wallets.stale(false); found {
		return "wallet " + id
	}
	if k, found := d.replies.stale(true); found {
		return "idempotency key " + k.Key
	}
	if name, found := d.references.stale(true); found {
		return "reference " + name
	}
	if ref, found := d.taken.stale(true); found && d.m.terms[ref.Merchant].RejectRepeats {
		return "order reference " + ref.Reference
	}
	if _, found := d.customers.stale(true); found {
		return "customer"
	}
	if _, found := d.phones.stale(true); found {
		return "phone"
	}
	if h, found := d.holdings.stale(true); found {
		return "wallet of " + h.Customer
	}
	return ""
}

// writes reports whether the batch has anything to save.
func (d *draft) writes() bool {
	return len(d.records)+d.audits+len(d.replies.order) > 0
}

// commit writes the draft into the model and completes its records with the stripes, which belong to the
// lane that commits.
func (d *draft) commit(stripeBook int) {
	for i := range d.records {
		r := &d.records[i]
		if r.Posting.Move == "" {
			continue
		}
		r.StripeBook = stripeBook
		if r.Posting.Debit != r.Wallet {
			r.Debit = d.m.stripe(r.Posting, stripeKey{r.Posting.Debit, stripeBook}, -1)
		} else {
			r.Credit = d.m.stripe(r.Posting, stripeKey{r.Posting.Credit, stripeBook}, 1)
		}
	}
	free := d.recount()
	d.transactions.merge()
	d.wallets.merge()
	d.customers.merge()
	d.phones.merge()
	d.holdings.merge()
	d.replies.merge()
	d.references.merge()
	d.taken.merge()
	for _, ref := range free {
		delete(d.m.taken, ref)
	}
	d.m.audits += d.audits
	for _, index := range d.customers.order {
		d.m.iinOf[d.m.customers[index].id] = index
	}
	for _, id := range d.transactions.order {
		t := d.m.transactions[id]
		if held(t) > 0 {
			d.m.open[id] = true
		} else {
			delete(d.m.open, id)
		}
	}
}

// iinOf finds the IIN index of a customer that the batch made.
func (d *draft) iinOf(id string) string {
	for index, c := range d.customers.written {
		if c.id == id {
			return index
		}
	}
	return ""
}

// stripe moves a posting's amount on one stripe and returns the balance that it leaves.
func (m *model) stripe(p ledger.Posting, key stripeKey, sign int64) ledger.Running {
	a := m.stripes[key]
	a.ID, a.Book, a.Currency = key.account, key.book, p.Currency
	a.Version++
	pending, posted := effect(p)
	if sign < 0 {
		a.Totals.DebitsPending += pending
		a.Totals.DebitsPosted += posted
	} else {
		a.Totals.CreditsPending += pending
		a.Totals.CreditsPosted += posted
	}
	m.stripes[key] = a
	return balance(a)
}

// effect is what a posting does to the pending and the posted total of its sides.
func effect(p ledger.Posting) (pending, posted int64) {
	switch p.Move {
	case "hold":
		return p.Amount, 0
	case "settle":
		return -p.Amount, p.Amount
	case "release":
		return -p.Amount, 0
	}
	return 0, p.Amount
}

// balance is an account's balance as an entry shows it: what is owed to the account's owner.
func balance(a ledger.Account) ledger.Running {
	return ledger.Running{
		Version: a.Version,
		Pending: a.Totals.CreditsPending - a.Totals.DebitsPending,
		Posted:  a.Totals.CreditsPosted - a.Totals.DebitsPosted,
	}
}

// held is what is still reserved by a transaction.
func held(t wallet.Transaction) int64 { return t.Authorized - t.Captured - t.Canceled - t.Expired }

// stateOf says where the money of a transaction is, in the words of the contract.
func stateOf(t wallet.Transaction) string {
	rest := held(t)
	switch {
	case t.Status == "FAILED":
		return "failed"
	case t.Status == "NEW", t.Status == "PROCESSING":
		return "pending"
	case t.Refunded > 0 && t.Refunded == t.Captured && rest == 0:
		return "refunded"
	case t.Refunded > 0:
		return "partially_refunded"
	case t.Captured > 0 && rest > 0:
		return "partially_captured"
	case t.Captured > 0:
		return "captured"
	case rest > 0:
		return "authorized"
	case t.Expired > 0:
		return "expired"
	}
	return "canceled"
}

// payable, bank and adjustments are the names of the uncapped accounts.
func payable(merchant string, c money.Currency) string {
	return "merchant:" + merchant + ":payable:" + string(c)
}

func bank(c money.Currency) string { return "platform:bank:" + string(c) }

func adjustments(c money.Currency) string { return "platform:adjustments:" + string(c) }
