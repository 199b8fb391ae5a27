package verify

import (
	"strings"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
)

// objects follows the journal object by object and builds each transaction anew from its records.
type objects struct {
	v    *verifier
	rows *stream[wallet.Transaction]

	ahead wallet.Transaction // read from rows and not used yet
	held  bool               // ahead is one

	object string // whose records come now
	seen   int64  // of its records
	wallet *walletSum
	row    wallet.Transaction // as it is kept, when found
	found  bool
	built  wallet.Transaction // as its records make it
	ended  wallet.Status      // what it was before it failed
}

// bookOf returns the book in an id of the given kind.
func bookOf(kind, object string) (int, bool) { return id.Book(kind, object) }

// begin turns to a new object.
func (o *objects) begin(r journal.Record) {
	o.object, o.seen, o.built, o.ended = r.Object, 0, wallet.Transaction{}, ""
	o.wallet, o.found = nil, false
	o.v.report.checked(Sequences)
	if !strings.HasPrefix(r.Object, id.Transaction) {
		if o.wallet = o.v.wallets[r.Object]; o.wallet == nil {
			o.v.report.broken(Operations, r.Object, "has records and is neither a transaction nor a wallet")
		}
		return
	}
	for o.fill() && o.ahead.ID < r.Object {
		o.without()
	}
	if o.held && o.ahead.ID == r.Object {
		o.row, o.found, o.held = o.ahead, true, false
		return
	}
	o.v.report.broken(Operations, r.Object, "has records and no transaction")
}

// fill looks one transaction ahead.
func (o *objects) fill() bool {
	if !o.held {
		o.ahead, o.held = o.rows.next()
	}
	return o.held
}

// without judges a transaction that has no records.
func (o *objects) without() {
	t := o.ahead
	o.held = false
	o.v.report.broken(Operations, t.ID, "is a %s transaction without any record", t.Status)
	o.v.transaction(t)
}

// rest judges the transactions after the last one with records.
func (o *objects) rest() {
	for o.fill() {
		o.without()
	}
}

// record judges one record of the object.
func (o *objects) record(r journal.Record) {
	o.seen++
	report := &o.v.report
	if r.Sequence != o.seen {
		report.broken(Sequences, r.OperationID(), "follows number %d", o.seen-1)
		o.seen = r.Sequence
	}
	if r.Origin.IdempotencyKey != "" {
		o.v.keyed++
	}
	report.checked(Operations)
	if want, known := recipe(r); !known || r.Posting != want || r.Amount <= 0 {
		report.broken(Operations, r.OperationID(), "%s of %d has the posting %+v", r.Type, r.Amount,
			r.Posting)
	}
	if own := ownType(r.Type); own != (o.wallet != nil) && (own || o.found) {
		report.broken(Operations, r.OperationID(), "%s cannot happen to this kind of object", r.Type)
	}
	o.place(r)
	switch {
	case o.wallet != nil:
		o.wallet.sequence--
		if r.After != (journal.After{State: r.After.State}) || !condition(r.After.State) {
			report.broken(Sequences, r.OperationID(), "shows its wallet as %+v", r.After)
		}
	case o.found:
		o.apply(r)
	}
}

func condition(state string) bool {
	return state == string(wallet.Active) || state == string(wallet.Blocked)
}

// place checks that the record is where its object and its wallet are.
func (o *objects) place(r journal.Record) {
	o.v.report.checked(Places)
	kind := id.Transaction
	if o.wallet != nil {
		kind = id.Wallet
	}
	book, ok := bookOf(kind, r.Object)
	if !ok || book != r.Book {
		o.v.report.broken(Places, r.OperationID(), "is in book %d", r.Book)
	}
	w := o.v.wallets[r.Wallet]
	switch {
	case o.wallet != nil && (r.Wallet != r.Object || r.Merchant != ""):
		o.v.report.broken(Places, r.OperationID(), "names wallet %q and merchant %q", r.Wallet, r.Merchant)
	case o.found && (r.Wallet != o.row.Wallet || r.Merchant != o.row.Merchant ||
		r.Currency != o.row.Currency):
		o.v.report.broken(Places, r.OperationID(),
			"names wallet %q, merchant %q and %s; its transaction %q, %q and %s",
			r.Wallet, r.Merchant, r.Currency, o.row.Wallet, o.row.Merchant, o.row.Currency)
	case w != nil && (w.currency != r.Currency || w.book != r.Book):
		o.v.report.broken(Places, r.OperationID(), "is in %s and book %d, its wallet in %s and %d",
			r.Currency, r.Book, w.currency, w.book)
	}
}

// apply does to the built transaction what the record says, and compares what the record shows.
func (o *objects) apply(r journal.Record) {
	b, report := &o.built, &o.v.report
	next, may := follows(r.Type, b.Status)
	if !may {
		report.broken(History, r.OperationID(), "%s is number %d and happened to what was %q", r.Type, r.Sequence,
			b.Status)
	}
	if next == wallet.Failed {
		o.ended = b.Status
	}
	if b.Status = next; b.Sequence == 0 {
		b.CreatedAt = r.At
	}
	if r.At < b.UpdatedAt {
		report.broken(History, r.OperationID(), "happened %d microseconds before its predecessor",
			b.UpdatedAt-r.At)
	}
	switch r.Type {
	case journal.Authorized:
		b.Authorized = r.Amount
	case journal.Captured:
		b.Captured += r.Amount
	case journal.Canceled:
		b.Canceled += r.Amount
	case journal.Expired:
		b.Expired += r.Amount
	case journal.Refunded:
		b.Refunded += r.Amount
	}
	b.UpdatedAt, b.Sequence = r.At, r.Sequence
	o.expiry(r)
	if want := shown(*b); r.After != want {
		report.broken(Sequences, r.OperationID(), "shows its transaction as %+v, which was %+v", r.After,
			want)
	}
}

// follows returns the status that a record of the type leaves its transaction in, and whether it may happen
// to one of the given status, "" before the first record. Nothing is held without the owner's yes where the
// owner was asked.
func follows(kind journal.Type, was wallet.Status) (wallet.Status, bool) {
	switch kind {
	case journal.Created:
		return wallet.New, was == ""
	case journal.Processing:
		return wallet.Processing, was == ""
	case journal.Approved:
		return wallet.Processing, was == wallet.New
	case journal.Authorized:
		return wallet.Success, was == "" || was == wallet.Processing
	case journal.Failed:
		return wallet.Failed, was == "" || was == wallet.New || was == wallet.Processing
	}
	return was, was == wallet.Success
}

// unanswered reports whether the reason is of a transaction that ended while it waited for its owner.
func unanswered(no reject.Reason) bool {
	return no == reject.DeclinedByOwner || no == reject.ApprovalExpired || no == reject.CanceledByMerchant
}

// expiry compares the time of a record with the time of expiry of its transaction.
func (o *objects) expiry(r journal.Record) {
	late := r.At >= o.row.ExpiresAt
	switch r.Type {
	case journal.Captured, journal.Canceled:
		o.v.report.checked(Expiry)
		if late {
			o.v.report.broken(Expiry, r.OperationID(), "%s %d microseconds after the hold lapsed", r.Type,
				r.At-o.row.ExpiresAt)
		}
	case journal.Expired:
		o.v.report.checked(Expiry)
		if !late {
			o.v.report.broken(Expiry, r.OperationID(), "expired %d microseconds too early",
				o.row.ExpiresAt-r.At)
		}
	}
}

// finish compares the transaction that the records made with the row.
func (o *objects) finish() {
	if !o.found {
		return
	}
	o.found = false
	t, b, report := o.row, o.built, &o.v.report
	o.v.transaction(t)
	if got, want := shown(t), shown(b); got.Authorized != want.Authorized || got.Captured != want.Captured ||
		got.Canceled != want.Canceled || got.Expired != want.Expired || got.Refunded != want.Refunded {
		report.broken(Counters, t.ID, "the row says %+v, the records %+v", got, want)
	}
	if t.Status != b.Status || t.State() != b.State() || !wallet.MayBecome("", t.Status) {
		report.broken(History, t.ID, "is %s and %s; its records make it %s and %s", t.Status, t.State(),
			b.Status, b.State())
	}
	if t.Status == wallet.Failed && unanswered(t.Failure) != (o.ended == wallet.New) {
		report.broken(History, t.ID, "failed with %q when it was %q", t.Failure, o.ended)
	}
	if t.CreatedAt != b.CreatedAt || t.UpdatedAt != b.UpdatedAt {
		report.broken(History, t.ID, "was made at %d and changed at %d; its records say %d and %d",
			t.CreatedAt, t.UpdatedAt, b.CreatedAt, b.UpdatedAt)
	}
	if t.Sequence != b.Sequence {
		report.broken(Sequences, t.ID, "the row counts %d records, the last is number %d", t.Sequence,
			b.Sequence)
	}
}

// transaction judges a row on its own.
func (v *verifier) transaction(t wallet.Transaction) {
	report := &v.report
	report.checked(Counters)
	if t.Amount <= 0 || t.Captured < 0 || t.Canceled < 0 || t.Expired < 0 || t.Refunded < 0 ||
		t.Remaining() < 0 || t.Refundable() < 0 {
		report.broken(Counters, t.ID, "of %d shows %+v", t.Amount, shown(t))
	}
	report.checked(History)
	held := t.Status == wallet.Success
	if want := t.Amount; held && t.Authorized != want || !held && t.Authorized != 0 {
		report.broken(Counters, t.ID, "is %s, asked for %d and has %d authorized", t.Status, want,
			t.Authorized)
	}
	failed, planned := t.Status == wallet.Failed, t.Status == wallet.Processing && t.Failure != ""
	nobody := t.Failure == reject.WalletNotFound || t.Failure == reject.IdentityMismatch
	switch {
	case !planned && failed != (t.Failure != ""), planned && (nobody || unanswered(t.Failure)),
		t.Failure != "" && reject.Of(t.Failure).Class != reject.Declined, (t.Wallet == "") != nobody:
		report.broken(History, t.ID, "is %s because of %q on wallet %q", t.Status, t.Failure, t.Wallet)
	case failed != (t.ExpiresAt == 0), !failed && t.ExpiresAt < t.CreatedAt,
		t.ExpiresAt == t.CreatedAt && t.Status != wallet.Processing:
		report.broken(History, t.ID, "is %s, made at %d, expires at %d", t.Status, t.CreatedAt, t.ExpiresAt)
	}
	report.checked(Places)
	book, ok := bookOf(id.Transaction, t.ID)
	w := v.wallets[t.Wallet]
	switch {
	case !ok || book != t.Book:
		report.broken(Places, t.ID, "the row is in book %d", t.Book)
	case t.Wallet != "" && w == nil:
		report.broken(Places, t.ID, "its wallet %s is not there", t.Wallet)
	case w != nil && (w.book != t.Book || w.currency != t.Currency):
		report.broken(Places, t.ID, "is in %s and book %d, its wallet in %s and %d", t.Currency, t.Book,
			w.currency, w.book)
	}
}

// shown is what an event shows of a transaction.
func shown(t wallet.Transaction) journal.After {
	return journal.After{
		State: string(t.State()), Authorized: t.Authorized, Captured: t.Captured,
		Canceled: t.Canceled, Expired: t.Expired, Refunded: t.Refunded,
	}
}

// ownType reports whether the type is one of a wallet's own records.
func ownType(kind journal.Type) bool {
	return kind == journal.ToppedUp || kind == journal.Withdrawn || kind == journal.Adjusted
}

// recipe returns the posting that a record must have. It is written down a second time here, on purpose:
// the books are not judged by the code that wrote them.
func recipe(r journal.Record) (ledger.Posting, bool) {
	purse := r.Wallet
	payable := "merchant:" + r.Merchant + ":payable:" + string(r.Currency)
	bank := "platform:bank:" + string(r.Currency)
	adjustments := "platform:adjustments:" + string(r.Currency)
	p := ledger.Posting{Amount: r.Amount, Currency: r.Currency}
	switch r.Type {
	case journal.Authorized:
		p.Move, p.Debit, p.Credit = ledger.Hold, purse, payable
	case journal.Captured:
		p.Move, p.Debit, p.Credit = ledger.Settle, purse, payable
	case journal.Canceled, journal.Expired:
		p.Move, p.Debit, p.Credit = ledger.Release, purse, payable
	case journal.Refunded:
		p.Move, p.Debit, p.Credit = ledger.Post, payable, purse
	case journal.ToppedUp:
		p.Move, p.Debit, p.Credit = ledger.Post, bank, purse
	case journal.Withdrawn:
		p.Move, p.Debit, p.Credit = ledger.Post, purse, bank
	case journal.Adjusted:
		p.Move, p.Debit, p.Credit = ledger.Post, adjustments, purse
		if r.Posting.Debit == purse {
			p.Debit, p.Credit = p.Credit, p.Debit
		}
	case journal.Failed, journal.Created, journal.Approved, journal.Processing:
		return ledger.Posting{}, true
	default:
		return p, false
	}
	return p, true
}
