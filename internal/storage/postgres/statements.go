package postgres

import (
	"maps"
	"strings"

	"plexy/internal/storage/sqlstore"
)

// Types of the migrations in which the rows of a batch travel.
const (
	typeCustomer    = "batch_customer"
	typeWallet      = "batch_wallet"
	typeTransaction = "batch_transaction"
	typeReference   = "batch_reference"
	typeReply       = "batch_reply"
	typeAudit       = "batch_audit"
	typeStripe      = "batch_stripe"
	typeRecord      = "batch_record"
)

var batchTypes = []string{
	typeCustomer, typeWallet, typeTransaction, typeReference, typeReply, typeAudit, typeStripe, typeRecord,
	typeLink, typePayment, typeOperation,
}

// Names of the statements of a batch, in the order in which they run (those of card payments are in
// payments.go: their locks come after those of wallets, their rows before the replies). That order, and the
// order of the rows within each statement, is the same in every process: it is the order of locks.
const (
	discard         = "discard_plans"
	begin           = "begin"
	lockPayers      = "lock_payers"
	lockOwners      = "lock_owners"
	lockBoth        = "lock_both"
	lockCustomers   = "lock_customers"
	readCustomers   = "read_customers"
	readTransaction = "read_transactions"
	readReplies     = "read_replies"
	readTerms       = "read_terms"
	readReferences  = "read_references"
	readRepeats     = "read_repeats"
	readPhones      = "read_phones"
	readGeneration  = "read_generation"
	holdGeneration  = "hold_generation"
	ownGeneration   = "own_generation"

	newCustomers       = "new_customers"
	changeCustomers    = "change_customers"
	countRebind        = "count_rebind"
	newWallets         = "new_wallets"
	changeWallets      = "change_wallets"
	changeApprovals    = "change_approvals"
	newTransactions    = "new_transactions"
	changeTransactions = "change_transactions"
	newClaims          = "new_claims"
	dropClaims         = "drop_claims"
	newReferences      = "new_references"
	dropReplies        = "drop_replies"
	newReplies         = "new_replies"
	newAudits          = "new_audits"
	addStripes         = "add_stripes"
	newRecords         = "new_records"
	commit             = "commit"
)

// statements are prepared on every session of a lane.
var statements = func() map[string]string {
	all := maps.Clone(batchStatements)
	maps.Copy(all, cardStatements)
	return all
}()

// batchStatements are those that know nothing of card payments. Load's reads run after the locks, each with a
// view of its own, so that they see what the former holders of the locks have committed.
var batchStatements = map[string]string{
	discard: "discard plans",
	begin:   "begin isolation level read committed read write",
	commit:  "commit",

	// $1, $2: IIN indexes and their currencies ('' for all); $3: transactions. All wallets of a batch are
	// locked by one statement, whichever of the three it is, and so in one order.
	// Payers only pay: what is sealed of them is not read, and no column of theirs is written.
	// Each wallet comes with its place, where changeWallets finds it without a search: a locked row stays put.
	lockPayers: `select ` + sqlstore.Of("w", sqlstore.WalletColumns) + `, w.ctid, ` + payerColumns +
		`, coalesce((select rebinds from installation where one = 1), 0) from ` + payers +
		` order by w.id for update of w`,
	lockOwners: `select ` + sqlstore.Of("w", sqlstore.WalletColumns) + `, w.ctid from wallet_transactions t
		join wallets w on w.id = t.wallet_id where t.id = any($1::text[]) order by w.id for update of w`,
	lockBoth: `select ` + sqlstore.Of("v", sqlstore.WalletColumns) + `, v.ctid from wallets v
		where v.id = any(array(
			select w.id from ` + payers + ` union all
			select t.wallet_id from wallet_transactions t where t.id = any($3::text[])))
		order by v.id for update of v`,
	lockCustomers: `select c.id from customers c where c.iin_index = any($1::text[]) order by c.id for update`,
	readCustomers: `select ` + sqlstore.Of("c", sqlstore.CustomerColumns) +
		` from customers c where c.iin_index = any($1::text[])`,
	readPhones: `select ` + sqlstore.Of("c", sqlstore.CustomerColumns) +
		` from customers c where c.phone_index = any($1::text[])`,
	readTransaction: `select ` + sqlstore.Of("t", sqlstore.TransactionColumns) +
		` from wallet_transactions t where t.id = any($1::text[])`,
	readReplies: `select ` + sqlstore.Of("i", sqlstore.ReplyColumns) +
		` from unnest($1::text[], $2::text[], $3::smallint[]) k (scope, key, book)
		join idempotency i on i.scope = k.scope and i.key = k.key and i.book = k.book`,
	readTerms: `select ` + sqlstore.Of("m", sqlstore.TermsColumns) +
		` from merchants m where m.id = any($1::text[])`,
	readReferences: `select ` + sqlstore.Of("f", sqlstore.ReferenceColumns) +
		` from unnest($1::text[], $2::smallint[]) k (name, book)
		join fund_references f on f.name = k.name and f.book = k.book`,
	readRepeats: `select k.merchant, k.reference
		from unnest($1::text[], $2::text[], $3::smallint[]) k (merchant, reference, book), lateral (
			(select 1 from order_reference_claims c
				where c.merchant_id = k.merchant and c.reference = k.reference and c.book = k.book limit 1)
			union all
			(select 1 from wallet_transactions t where t.merchant_id = k.merchant
				and t.order_reference = k.reference and t.status <> 'FAILED' limit 1)) taken`,
	readGeneration: `select vault_generation, rebinds from installation where one = 1`,
	holdGeneration: `select vault_generation, rebinds from installation where one = 1 for share`,
	ownGeneration:  `select vault_generation, rebinds from installation where one = 1 for update`,

	newCustomers: insert("customers", sqlstore.CustomerColumns, typeCustomer),
	changeCustomers: `update customers c set phone_index = r.phone_index, phone_sealed = r.phone_sealed
		from unnest($1::batch_customer[]) r where c.id = r.id`,
	countRebind: `update installation set rebinds = rebinds + 1 where one = 1`,
	newWallets:  insert("wallets", sqlstore.NewWalletColumns, typeWallet),
	// $2: the places. Should one not be there, the division by zero ends the transaction.
	changeWallets: `with changed as (update wallets w set condition = r.condition,
			limit_per_transaction = r.limit_per_transaction, limit_per_day = r.limit_per_day,
			spent_day = r.spent_day, spent_amount = r.spent_amount,
			debits_pending = r.debits_pending, debits_posted = r.debits_posted,
			credits_pending = r.credits_pending, credits_posted = r.credits_posted,
			version = r.version, sequence = r.sequence,
			last_object = r.last_object, last_sequence = r.last_sequence, room = ''
		from unnest($1::batch_wallet[], $2::tid[]) r (` + sqlstore.NewWalletColumns + `, place)
		where w.ctid = r.place and w.id = r.id and w.book = r.book returning 1)
		select 1 / (count(*) = cardinality($2::tid[]))::int from changed`,
	changeApprovals: `update wallets w set approve_from = r.approve_from
		from unnest($1::text[], $2::smallint[], $3::bigint[]) r (id, book, approve_from)
		where w.id = r.id and w.book = r.book`,
	newTransactions: insert("wallet_transactions", sqlstore.TransactionColumns, typeTransaction),
	changeTransactions: `update wallet_transactions t set status = r.status, failure = r.failure,
			authorized = r.authorized, captured = r.captured, canceled = r.canceled, expired = r.expired,
			refunded = r.refunded, sequence = r.sequence, updated_at = r.updated_at, expires_at = r.expires_at
		from unnest($1::batch_transaction[]) r where t.id = r.id and t.book = r.book`,
	newClaims: `insert into order_reference_claims (merchant_id, reference, book)
		select * from unnest($1::text[], $2::text[], $3::smallint[])`,
	dropClaims: `delete from order_reference_claims c
		using unnest($1::text[], $2::text[], $3::smallint[]) k (merchant, reference, book)
		where c.merchant_id = k.merchant and c.reference = k.reference and c.book = k.book`,
	newReferences: insert("fund_references", referenceColumns, typeReference),
	// Only the very row that Load saw is dropped: another process may have replaced it since.
	dropReplies: `delete from idempotency i
		using unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::text[])
			k (scope, key, book, created_at, request_id)
		where i.scope = k.scope and i.key = k.key and i.book = k.book and i.created_at = k.created_at
			and i.request_id = k.request_id`,
	newReplies: insert("idempotency", replyColumns, typeReply),
	newAudits:  insert("audits", sqlstore.AuditColumns, typeAudit),
	addStripes: insert("stripes as s", sqlstore.StripeColumns, typeStripe) +
		` on conflict (account, book) do update set
			debits_pending = s.debits_pending + excluded.debits_pending,
			debits_posted = s.debits_posted + excluded.debits_posted,
			credits_pending = s.credits_pending + excluded.credits_pending,
			credits_posted = s.credits_posted + excluded.credits_posted,
			version = s.version + excluded.version`,
	newRecords: insertRecords(false),
}

// payers joins the wallets that IIN indexes and currencies name.
const payers = `unnest($1::text[], $2::text[]) p (iin, currency)
			join customers c on c.iin_index = p.iin
			join wallets w on w.customer_id = c.id and (w.currency = p.currency or p.currency = '')`

// payerColumns are the customer columns of c without what is sealed.
var payerColumns = strings.NewReplacer("c.iin_sealed", "''::bytea", "c.phone_sealed", "''::bytea").
	Replace(sqlstore.Of("c", sqlstore.CustomerColumns))

const (
	referenceColumns = "name, book, direction, wallet_id, amount, status, body, created_at"
	replyColumns     = "scope, key, book, fingerprint, status, body, request_id, created_at"
)

func insert(table, columns, kind string) string {
	return "insert into " + table + " (" + columns + ") select " + sqlstore.Of("r", columns) +
		" from unnest($1::" + kind + "[]) r"
}

// insertRecords writes the journal. The side that is a stripe gets the balance of the stripe, as addStripes
// has left it a moment ago in this transaction, less what the later records of the batch did to it. With
// both, each side of a record may be one, and a second stripe is looked up.
func insertRecords(both bool) string {
	type side struct{ account, condition, stripe string }
	sides := []side{{"debit", "= 1", "s"}, {"credit", "= 2", "s"}}
	joins := ` left join stripes s on s.account = case r.side when 1 then r.debit when 2 then r.credit end
			and s.book = r.stripe_book`
	if both {
		sides, joins = []side{{"debit", "& 1 = 1", "s"}, {"credit", "& 2 = 2", "c"}}, ""
		for _, of := range sides {
			joins += " left join stripes " + of.stripe + " on " + of.stripe + ".account = case when r.side " +
				of.condition + " then r." + of.account + " end and " + of.stripe + ".book = r.stripe_book"
		}
	}
	columns := sqlstore.Of("r", sqlstore.RecordColumns)
	for _, of := range sides {
		for column, now := range map[string]string{
			"version": "s.version",
			"pending": "s.credits_pending - s.debits_pending",
			"posted":  "s.credits_posted - s.debits_posted",
		} {
			given := "r." + of.account + "_" + column
			now = strings.ReplaceAll(now, "s.", of.stripe+".")
			columns = strings.Replace(columns, given,
				"case when r.side "+of.condition+" then "+now+" - "+given+" else "+given+" end", 1)
		}
	}
	return "insert into journal (" + sqlstore.RecordColumns + ") select " + columns +
		` from unnest($1::batch_record[]) r` + joins
}
