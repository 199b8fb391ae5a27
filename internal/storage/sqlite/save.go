package sqlite

import (
	"context"
	"fmt"

	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/storage/sqlstore"
)

// stripe is the one stripe that every uncapped account has here: one writer, all books (architecture.md).
const stripe = 0

// Save writes the changes of the state and fills the stripe side of each record.
func (b *batch) Save(ctx context.Context, state *machine.State) error {
	if err := b.w.s.fail(BeforeSave); err != nil {
		return err
	}
	if !state.Changed() {
		return nil
	}
	b.state, b.changed = state, true
	for _, save := range []func(context.Context) error{
		b.saveCustomers, b.saveTransactions, b.middle, b.saveRecords, b.saveWallets, b.saveStates,
		b.saveApprovals, b.saveCards, b.saveStripes, b.saveReplies, b.saveReferences, b.saveClaims, b.saveAudits,
		b.saveIndex,
	} {
		err := ctx.Err()
		if err == nil {
			err = save(ctx)
		}
		if err != nil {
			b.w.drop()
			return sorted(err)
		}
	}
	return nil
}

func (b *batch) middle(context.Context) error { return b.w.s.fail(MiddleOfSave) }

const insertTransactions = "insert or rollback into wallet_transactions (" + sqlstore.TransactionColumns +
	") values"

const updateTransaction = "update wallet_transactions set status = $3, failure = $4, authorized = $5, " +
	"captured = $6, canceled = $7, expired = $8, refunded = $9, sequence = $10, updated_at = $11, " +
	"expires_at = $12 where id = $1 and book = $2"

func (b *batch) saveTransactions(context.Context) error {
	hot, changes := b.w.hot, &b.state.Changes
	made := changes.NewTransactions
	err := hot.transactions.insert(hot, len(made), func(q *stmt, base, i int) {
		bindTransaction(q, base, b.state.Transactions[made[i]])
	})
	if err != nil {
		return fmt.Errorf("insert transactions: %w", err)
	}
	for _, id := range changes.Transactions {
		q, err := hot.ready(&hot.changes, updateTransaction)
		if err != nil {
			return fmt.Errorf("prepare to update transactions: %w", err)
		}
		t := b.state.Transactions[id]
		q.text(1, t.ID)
		q.int(2, int64(t.Book))
		q.text(3, string(t.Status))
		q.text(4, string(t.Failure))
		q.int(5, t.Authorized)
		q.int(6, t.Captured)
		q.int(7, t.Canceled)
		q.int(8, t.Expired)
		q.int(9, t.Refunded)
		q.int(10, t.Sequence)
		q.int(11, t.UpdatedAt)
		q.int(12, t.ExpiresAt)
		if err := b.one(q); err != nil {
			return fmt.Errorf("update transaction %s: %w", id, err)
		}
	}
	return nil
}

// one runs an update that must find its row: it was loaded in this very transaction.
func (b *batch) one(q *stmt) error {
	if err := q.run(); err != nil {
		return err
	}
	if n := q.conn.Changes(); n != 1 {
		return fmt.Errorf("%d rows changed instead of one", n)
	}
	return nil
}

func bindTransaction(q *stmt, base int, t wallet.Transaction) {
	q.text(base+1, t.ID)
	q.int(base+2, int64(t.Book))
	q.text(base+3, t.Merchant)
	q.text(base+4, t.Wallet)
	q.text(base+5, string(t.Currency))
	q.text(base+6, t.OrderReference)
	q.int(base+7, t.Amount)
	q.text(base+8, string(t.Status))
	q.text(base+9, string(t.Failure))
	q.int(base+10, t.Authorized)
	q.int(base+11, t.Captured)
	q.int(base+12, t.Canceled)
	q.int(base+13, t.Expired)
	q.int(base+14, t.Refunded)
	q.int(base+15, t.Sequence)
	q.int(base+16, t.CreatedAt)
	q.int(base+17, t.UpdatedAt)
	q.int(base+18, t.ExpiresAt)
}

const insertRecords = "insert or rollback into journal (" + sqlstore.RecordColumns + ") values"

func (b *batch) saveRecords(context.Context) error {
	records := b.state.Changes.Records
	for i := range records {
		if err := b.post(&records[i]); err != nil {
			return fmt.Errorf("post record %d of %s: %w", records[i].Sequence, records[i].Object, err)
		}
	}
	err := b.w.hot.records.insert(b.w.hot, len(records), func(q *stmt, base, i int) {
		bindRecord(q, base, &records[i])
	})
	if err != nil {
		return fmt.Errorf("insert records: %w", err)
	}
	return nil
}

// post applies the record's posting to the stripes of the accounts that are no wallet, and fills those sides
// of the record.
func (b *batch) post(r *journal.Record) error {
	debit, credit := r.Stripes()
	if debit {
		if err := b.postSide(r, r.Posting.Debit, &r.Debit, ledger.Account.Debit); err != nil {
			return err
		}
	}
	if credit {
		return b.postSide(r, r.Posting.Credit, &r.Credit, ledger.Account.Credit)
	}
	return nil
}

func (b *batch) postSide(
	r *journal.Record, account string, side *ledger.Running,
	apply func(ledger.Account, ledger.Posting) (ledger.Account, reject.Reason),
) error {
	before, err := b.stripe(account, r)
	if err != nil {
		return err
	}
	after, no := apply(before, r.Posting)
	if no != "" {
		return fmt.Errorf("account %s: %s", account, no)
	}
	b.stripes[account] = after
	*side, r.StripeBook = after.Running(), stripe
	return nil
}

func (b *batch) stripe(account string, r *journal.Record) (ledger.Account, error) {
	if a, ok := b.stripes[account]; ok {
		return a, nil
	}
	if b.stripes == nil {
		b.stripes = map[string]ledger.Account{}
	}
	if a, ok := b.w.memory.stripes[account]; ok {
		return a, nil
	}
	found, err := every(b.w.link, "select "+sqlstore.StripeColumns+
		" from stripes where account = $1 and book = $2", sqlstore.ScanStripe, account, int64(stripe))
	if err != nil {
		return ledger.Account{}, fmt.Errorf("read a stripe: %w", err)
	}
	if len(found) == 0 {
		return ledger.Account{ID: account, Book: stripe, Currency: r.Currency}, nil
	}
	return found[0], nil
}

func bindRecord(q *stmt, base int, r *journal.Record) {
	q.text(base+1, r.Object)
	q.int(base+2, r.Sequence)
	q.int(base+3, int64(r.Book))
	q.text(base+4, string(r.Type))
	q.text(base+5, r.Merchant)
	q.text(base+6, r.Wallet)
	q.int(base+7, r.At)
	q.int(base+8, r.Amount)
	q.text(base+9, string(r.Currency))
	q.text(base+10, string(r.Posting.Move))
	q.text(base+11, r.Posting.Debit)
	q.text(base+12, r.Posting.Credit)
	q.int(base+13, r.Debit.Version)
	q.int(base+14, r.Debit.Pending)
	q.int(base+15, r.Debit.Posted)
	q.int(base+16, r.Credit.Version)
	q.int(base+17, r.Credit.Pending)
	q.int(base+18, r.Credit.Posted)
	q.int(base+19, int64(r.StripeBook))
	q.text(base+20, r.After.State)
	q.int(base+21, r.After.Authorized)
	q.int(base+22, r.After.Captured)
	q.int(base+23, r.After.Canceled)
	q.int(base+24, r.After.Expired)
	q.int(base+25, r.After.Refunded)
	q.text(base+26, r.Origin.RequestID)
	q.text(base+27, r.Origin.APIKeyID)
	q.text(base+28, r.Origin.IdempotencyKey)
	q.text(base+29, r.Previous.Object)
	q.int(base+30, r.Previous.Sequence)
}

const insertWallet = "insert into wallet_rows (" + sqlstore.NewWalletColumns +
	") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"

func (b *batch) saveWallets(ctx context.Context) error {
	for _, id := range b.state.Changes.NewWallets {
		w := b.state.Wallets[id]
		t := w.Account.Totals
		_, err := b.w.link.Exec(ctx, insertWallet, []any{
			w.ID, int64(w.Book), w.Customer, string(w.Account.Currency), string(w.Condition),
			w.Limits.PerTransaction, w.Limits.PerDay, w.Spent.Day, w.Spent.Amount,
			t.DebitsPending, t.DebitsPosted, t.CreditsPending, t.CreditsPosted, w.Account.Version, w.Sequence,
			w.Last.Object, w.Last.Sequence, w.CreatedAt,
		})
		if err != nil {
			return fmt.Errorf("insert a wallet: %w", err)
		}
	}
	return nil
}

// saveApprovals writes what is not in a wallet's states.
func (b *batch) saveApprovals(ctx context.Context) error {
	for _, id := range b.state.Changes.Approvals {
		w := b.state.Wallets[id]
		n, err := b.w.link.Exec(ctx, "update wallet_rows set approve_from = $3 where id = $1 and book = $2",
			[]any{w.ID, int64(w.Book), int64(w.Approval)})
		if err == nil && n != 1 {
			err = fmt.Errorf("%d rows changed instead of one", n)
		}
		if err != nil {
			return fmt.Errorf("update the approval of wallet %s: %w", id, err)
		}
	}
	return nil
}

const upsertStripe = "insert into stripes (" + sqlstore.StripeColumns +
	") values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (account, book) do update set " +
	"debits_pending = excluded.debits_pending, debits_posted = excluded.debits_posted, " +
	"credits_pending = excluded.credits_pending, credits_posted = excluded.credits_posted, " +
	"version = excluded.version"

// saveStripes writes each busy account once, however many records of the batch moved it.
func (b *batch) saveStripes(context.Context) error {
	for _, a := range b.stripes {
		q, err := b.w.hot.ready(&b.w.hot.stripes, upsertStripe)
		if err != nil {
			return fmt.Errorf("prepare to write stripes: %w", err)
		}
		q.text(1, a.ID)
		q.int(2, int64(a.Book))
		q.text(3, string(a.Currency))
		q.int(4, a.Totals.DebitsPending)
		q.int(5, a.Totals.DebitsPosted)
		q.int(6, a.Totals.CreditsPending)
		q.int(7, a.Totals.CreditsPosted)
		q.int(8, a.Version)
		if err := q.run(); err != nil {
			return fmt.Errorf("write stripe %s: %w", a.ID, err)
		}
	}
	return nil
}

const insertCustomer = "insert into customers (" + sqlstore.CustomerColumns +
	") values ($1, $2, $3, $4, $5, $6, $7)"

const updateCustomer = "update customers set key_id = $2, iin_index = $3, phone_index = $4, " +
	"iin_sealed = $5, phone_sealed = $6 where id = $1"

func (b *batch) saveCustomers(ctx context.Context) error {
	for _, id := range b.state.Changes.NewCustomers {
		c := b.state.Customers[id]
		_, err := b.w.link.Exec(ctx, insertCustomer, []any{
			c.ID, c.KeyID, c.IINIndex, c.PhoneIndex, c.IINSealed, c.PhoneSealed, c.CreatedAt,
		})
		if err != nil {
			return fmt.Errorf("insert a customer: %w", err)
		}
	}
	for _, id := range b.state.Changes.Customers {
		c := b.state.Customers[id]
		_, err := b.w.link.Exec(ctx, updateCustomer, []any{
			c.ID, c.KeyID, c.IINIndex, c.PhoneIndex, c.IINSealed, c.PhoneSealed,
		})
		if err != nil {
			return fmt.Errorf("update customer %s: %w", id, err)
		}
	}
	return nil
}

func (b *batch) saveReferences(ctx context.Context) error {
	for _, name := range b.state.Changes.References {
		r := b.state.References[name]
		_, err := b.w.link.Exec(ctx, "insert into fund_references (book, "+sqlstore.ReferenceColumns+
			") values ($1, $2, $3, $4, $5, $6, $7, $8)", []any{
			sqlstore.HashBook(name), r.Name, string(r.Direction), r.Wallet, r.Amount,
			int64(r.Reply.Status), r.Reply.Body, r.At,
		})
		if err != nil {
			return fmt.Errorf("insert a reference: %w", err)
		}
	}
	return nil
}

func (b *batch) saveClaims(ctx context.Context) error {
	for _, ref := range b.state.Changes.Claims {
		_, err := b.w.link.Exec(ctx, "insert into order_reference_claims (merchant_id, reference, book) "+
			"values ($1, $2, $3)",
			[]any{ref.Merchant, ref.Reference, sqlstore.HashBook(ref.Merchant, ref.Reference)})
		if err != nil {
			return fmt.Errorf("claim an order reference: %w", err)
		}
	}
	for _, ref := range b.state.Changes.Released {
		_, err := b.w.link.Exec(ctx, "delete from order_reference_claims "+
			"where merchant_id = $1 and reference = $2 and book = $3",
			[]any{ref.Merchant, ref.Reference, sqlstore.HashBook(ref.Merchant, ref.Reference)})
		if err != nil {
			return fmt.Errorf("release an order reference: %w", err)
		}
	}
	return nil
}

func (b *batch) saveAudits(ctx context.Context) error {
	for _, a := range b.state.Changes.Audits {
		if err := sqlstore.InsertAudit(ctx, b.w.link, a); err != nil {
			return fmt.Errorf("insert an audit row: %w", err)
		}
	}
	return nil
}
