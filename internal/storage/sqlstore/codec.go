package sqlstore

import (
	"plexy/internal/access"
	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/merchant"
	"plexy/internal/storage"
)

// The columns of each table, in the order in which its Scan function reads them.
const (
	TransactionColumns = "id, book, merchant_id, wallet_id, currency, order_reference, amount, status, " +
		"failure, authorized, captured, canceled, expired, refunded, sequence, created_at, updated_at, expires_at"
	WalletColumns = NewWalletColumns + ", approve_from"
	// NewWalletColumns are those that a wallet is born with: nothing to approve yet.
	NewWalletColumns = "id, book, customer_id, currency, " + WalletStateColumns + ", created_at"
	// WalletStateColumns are those of WalletColumns that change while money moves.
	WalletStateColumns = "condition, limit_per_transaction, limit_per_day, spent_day, spent_amount, " +
		"debits_pending, debits_posted, credits_pending, credits_posted, version, sequence, last_object, " +
		"last_sequence"
	CustomerColumns = "id, key_id, iin_index, phone_index, iin_sealed, phone_sealed, created_at"
	StripeColumns   = "account, book, currency, debits_pending, debits_posted, credits_pending, " +
		"credits_posted, version"
	RecordColumns = "object_id, sequence, book, type, merchant_id, wallet_id, at, amount, currency, move, " +
		"debit, credit, debit_version, debit_pending, debit_posted, credit_version, credit_pending, " +
		"credit_posted, stripe_book, state, authorized, captured, canceled, expired, refunded, " +
		"request_id, api_key_id, idempotency_key, previous_object, previous_sequence"
	ReplyColumns     = "scope, key, fingerprint, status, body, request_id, created_at"
	ReferenceColumns = "name, direction, wallet_id, amount, status, body, created_at"
	MerchantColumns  = "id, name, hold_micros, reject_repeats, approval_micros, fault, contact_email, " +
		"contact_language, created_at, clearing_auto_micros, clearing_manual_micros, frame_origins, webhook_minor"
	TermsColumns    = "id, hold_micros, reject_repeats, approval_micros"
	KeyColumns      = "id, merchant_id, hash, created_at, revoked_at"
	VaultKeyColumns = "id, wrapped, state, created_at"
	AuditColumns    = "id, at, actor, action, object, before, after, reason"
)

// ScanTransaction reads TransactionColumns.
func ScanTransaction(r Row) wallet.Transaction {
	return wallet.Transaction{
		ID: r.Text(), Book: int(r.Int64()), Merchant: r.Text(), Wallet: r.Text(),
		Currency: money.Currency(r.Text()), OrderReference: r.Text(), Amount: r.Int64(),
		Status: wallet.Status(r.Text()), Failure: reject.Reason(r.Text()),
		Authorized: r.Int64(), Captured: r.Int64(), Canceled: r.Int64(), Expired: r.Int64(), Refunded: r.Int64(),
		Sequence: r.Int64(), CreatedAt: r.Int64(), UpdatedAt: r.Int64(), ExpiresAt: r.Int64(),
	}
}

// ScanWallet reads WalletColumns. The wallet's account is capped: every wallet's is.
func ScanWallet(r Row) wallet.Wallet {
	w := wallet.Wallet{ID: r.Text(), Book: int(r.Int64()), Customer: r.Text()}
	w.Account = ledger.Account{ID: w.ID, Book: w.Book, Currency: money.Currency(r.Text()), Capped: true}
	w.Condition = wallet.Condition(r.Text())
	w.Limits = wallet.Limits{PerTransaction: r.Int64(), PerDay: r.Int64()}
	w.Spent = wallet.Spent{Day: r.Int64(), Amount: r.Int64()}
	w.Account.Totals = scanTotals(r)
	w.Account.Version = r.Int64()
	w.Sequence = r.Int64()
	w.Last = journal.Ref{Object: r.Text(), Sequence: r.Int64()}
	w.CreatedAt = r.Int64()
	w.Approval = wallet.Approval(r.Int64())
	return w
}

func scanTotals(r Row) ledger.Totals {
	return ledger.Totals{
		DebitsPending: r.Int64(), DebitsPosted: r.Int64(), CreditsPending: r.Int64(), CreditsPosted: r.Int64(),
	}
}

// ScanCustomer reads CustomerColumns.
func ScanCustomer(r Row) wallet.Customer {
	return wallet.Customer{
		ID: r.Text(), KeyID: r.Text(), IINIndex: r.Text(), PhoneIndex: r.Text(),
		IINSealed: r.Bytes(), PhoneSealed: r.Bytes(), CreatedAt: r.Int64(),
	}
}

// ScanStripe reads StripeColumns: one stripe of an uncapped account.
func ScanStripe(r Row) ledger.Account {
	a := ledger.Account{ID: r.Text(), Book: int(r.Int64()), Currency: money.Currency(r.Text())}
	a.Totals = scanTotals(r)
	a.Version = r.Int64()
	return a
}

// ScanRecord reads RecordColumns.
func ScanRecord(r Row) journal.Record {
	j := journal.Record{
		Object: r.Text(), Sequence: r.Int64(), Book: int(r.Int64()), Type: journal.Type(r.Text()),
		Merchant: r.Text(), Wallet: r.Text(), At: r.Int64(), Amount: r.Int64(), Currency: money.Currency(r.Text()),
	}
	p := ledger.Posting{Move: ledger.Move(r.Text()), Debit: r.Text(), Credit: r.Text()}
	if p.Moves() {
		p.Amount, p.Currency = j.Amount, j.Currency
	}
	j.Posting = p
	j.Debit = ledger.Running{Version: r.Int64(), Pending: r.Int64(), Posted: r.Int64()}
	j.Credit = ledger.Running{Version: r.Int64(), Pending: r.Int64(), Posted: r.Int64()}
	j.StripeBook = int(r.Int64())
	j.After = journal.After{
		State: r.Text(), Authorized: r.Int64(), Captured: r.Int64(), Canceled: r.Int64(),
		Expired: r.Int64(), Refunded: r.Int64(),
	}
	j.Origin = journal.Origin{RequestID: r.Text(), APIKeyID: r.Text(), IdempotencyKey: r.Text()}
	j.Previous = journal.Ref{Object: r.Text(), Sequence: r.Int64()}
	return j
}

// ScanReply reads ReplyColumns.
func ScanReply(r Row) (machine.ReplyKey, machine.Stored) {
	k := machine.ReplyKey{Scope: r.Text(), Key: r.Text()}
	var s machine.Stored
	copy(s.Fingerprint[:], r.Bytes())
	s.Reply = machine.Reply{Status: int(r.Int64()), Body: r.Bytes()}
	s.RequestID = r.Text()
	s.At = r.Int64()
	return k, s
}

// ScanReference reads ReferenceColumns.
func ScanReference(r Row) machine.Reference {
	return machine.Reference{
		Name: r.Text(), Direction: machine.Direction(r.Text()), Wallet: r.Text(), Amount: r.Int64(),
		Reply: machine.Reply{Status: int(r.Int64()), Body: r.Bytes()}, At: r.Int64(),
	}
}

// ScanMerchant reads MerchantColumns.
func ScanMerchant(r Row) merchant.Merchant {
	m := merchant.Merchant{
		ID: r.Text(), Name: r.Text(),
		Settings: merchant.Settings{
			HoldMicros: r.Int64(), RejectRepeats: r.Bool(), ApprovalMicros: r.Int64(), Fault: dialled(r.Text()),
			ContactEmail: merchant.Email(r.Text()), ContactLanguage: r.Text(),
		},
		CreatedAt: r.Int64(),
	}
	m.Settings.ClearingAutoMicros, m.Settings.ClearingManualMicros = r.Int64(), r.Int64()
	m.Settings.FrameOrigins = r.Text()
	m.Settings.WebhookMinor = r.Bool()
	return m
}

// ScanTerms reads TermsColumns.
func ScanTerms(r Row) wallet.Terms {
	return wallet.Terms{
		Merchant: r.Text(), HoldMicros: r.Int64(), RejectRepeats: r.Bool(), ApprovalMicros: r.Int64(),
	}
}

// ScanKey reads KeyColumns.
func ScanKey(r Row) access.Key {
	k := access.Key{ID: r.Text(), Merchant: r.Text()}
	copy(k.Hash[:], r.Bytes())
	k.CreatedAt, k.RevokedAt = r.Int64(), r.Int64()
	return k
}

// ScanVaultKey reads VaultKeyColumns.
func ScanVaultKey(r Row) storage.VaultKey {
	return storage.VaultKey{ID: r.Text(), Wrapped: r.Bytes(), State: r.Text(), CreatedAt: r.Int64()}
}

// ScanAudit reads AuditColumns.
func ScanAudit(r Row) machine.Audit {
	return machine.Audit{
		ID: r.Text(), At: r.Int64(), Actor: r.Text(), Action: r.Text(), Object: r.Text(),
		Before: r.Text(), After: r.Text(), Reason: r.Text(),
	}
}
