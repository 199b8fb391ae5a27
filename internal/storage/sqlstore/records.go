package sqlstore

import (
	"context"

	"plexy/internal/access"
	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/merchant"
	"plexy/internal/storage"
)

// Installation returns what the database knows about itself; ErrNotFound while it is empty.
func (s *Store) Installation(ctx context.Context) (storage.Installation, error) {
	var in storage.Installation
	err := s.engine.Read(ctx, func(db DB) (err error) {
		in, err = one(ctx, db, "select environment, master_check, vault_generation, created_at from installation",
			nil, func(r Row) storage.Installation {
				return storage.Installation{
					Environment: r.Text(), MasterCheck: r.Text(), Generation: r.Int64(), CreatedAt: r.Int64(),
				}
			})
		if err != nil {
			return err
		}
		in.Keys, err = all(ctx, db, "select "+VaultKeyColumns+" from vault_keys order by created_at, id",
			nil, ScanVaultKey)
		return err
	})
	return in, wrap("read the installation", err)
}

// Install writes the installation once; ErrConflict when there is one.
func (s *Store) Install(ctx context.Context, in storage.Installation) error {
	return s.write(ctx, "write the installation", func(db DB) error {
		_, err := db.Exec(ctx, "insert into installation "+
			"(one, environment, master_check, vault_generation, created_at) values (1, $1, $2, $3, $4)",
			[]any{in.Environment, in.MasterCheck, in.Generation, in.CreatedAt})
		if err != nil {
			return err
		}
		return insertVaultKeys(ctx, db, in.Keys)
	})
}

// RotateVault replaces the set of data keys and adds one to the generation; ErrConflict when the
// generation is not the given one any more.
func (s *Store) RotateVault(
	ctx context.Context, generation int64, keys []storage.VaultKey, audit machine.Audit,
) error {
	return s.write(ctx, "rotate the vault", func(db DB) error {
		n, err := db.Exec(ctx, "update installation set vault_generation = vault_generation + 1 "+
			"where vault_generation = $1", []any{generation})
		if err != nil {
			return err
		}
		if n == 0 {
			return storage.ErrConflict
		}
		if _, err := db.Exec(ctx, "delete from vault_keys", nil); err != nil {
			return err
		}
		if err := insertVaultKeys(ctx, db, keys); err != nil {
			return err
		}
		return InsertAudit(ctx, db, audit)
	})
}

func insertVaultKeys(ctx context.Context, db DB, keys []storage.VaultKey) error {
	for _, k := range keys {
		_, err := db.Exec(ctx, "insert into vault_keys ("+VaultKeyColumns+") values ($1, $2, $3, $4)",
			[]any{k.ID, k.Wrapped, k.State, k.CreatedAt})
		if err != nil {
			return err
		}
	}
	return nil
}

// CustomersUnder returns at most limit customers that are sealed under keyID, in order of id after after.
func (s *Store) CustomersUnder(
	ctx context.Context, keyID, after string, limit int,
) ([]wallet.Customer, error) {
	return readAll(ctx, s, query[wallet.Customer]{
		what: "list customers by key",
		sql:  "select " + CustomerColumns + " from customers where key_id = $1 and id > $2 order by id limit $3",
		args: []any{keyID, after, int64(limit)}, scan: ScanCustomer,
	})
}

// Reseal replaces key, indexes and sealed data of the customers that are still sealed as was says, and
// says how many they were. was and now name the same customers in the same order.
func (s *Store) Reseal(ctx context.Context, was, now []wallet.Customer) (int, error) {
	replaced := 0
	err := s.write(ctx, "reseal customers", func(db DB) error {
		replaced = 0
		for i, c := range now {
			n, err := db.Exec(ctx, "update customers set key_id = $1, iin_index = $2, phone_index = $3, "+
				"iin_sealed = $4, phone_sealed = $5 where id = $6 and key_id = $7 and phone_index = $8",
				[]any{c.KeyID, c.IINIndex, c.PhoneIndex, c.IINSealed, c.PhoneSealed,
					was[i].ID, was[i].KeyID, was[i].PhoneIndex})
			if err != nil {
				return err
			}
			replaced += int(n)
		}
		return nil
	})
	return replaced, err
}

// CreateMerchant writes a merchant with its first key.
func (s *Store) CreateMerchant(
	ctx context.Context, m merchant.Merchant, key access.Key, audit machine.Audit,
) error {
	return s.write(ctx, "create a merchant", func(db DB) error {
		_, err := db.Exec(ctx, "insert into merchants ("+MerchantColumns+") values ("+Places(1, 13)+")",
			[]any{m.ID, m.Name, m.Settings.HoldMicros, m.Settings.RejectRepeats, m.Settings.ApprovalMicros,
				fault(m.Settings.Fault), m.Settings.ContactEmail.Reveal(), m.Settings.ContactLanguage, m.CreatedAt,
				m.Settings.ClearingAutoMicros, m.Settings.ClearingManualMicros, m.Settings.FrameOrigins,
				m.Settings.WebhookMinor})
		if err != nil {
			return err
		}
		if err := insertKey(ctx, db, key); err != nil {
			return err
		}
		return InsertAudit(ctx, db, audit)
	})
}

// Merchant returns a merchant, or ErrNotFound.
func (s *Store) Merchant(ctx context.Context, id string) (merchant.Merchant, error) {
	return readOne(ctx, s, query[merchant.Merchant]{
		what: "read a merchant",
		sql:  "select " + MerchantColumns + " from merchants where id = $1", args: []any{id}, scan: ScanMerchant,
	})
}

// Merchants returns all merchants in order of id, which is the order in which they were made.
func (s *Store) Merchants(ctx context.Context) ([]merchant.Merchant, error) {
	return readAll(ctx, s, query[merchant.Merchant]{
		what: "list merchants",
		sql:  "select " + MerchantColumns + " from merchants order by id", scan: ScanMerchant,
	})
}

// SetMerchant replaces a merchant's settings; ErrNotFound when there is no such merchant.
func (s *Store) SetMerchant(
	ctx context.Context, id string, set merchant.Settings, audit machine.Audit,
) error {
	return s.write(ctx, "change a merchant", func(db DB) error {
		n, err := db.Exec(ctx, "update merchants set hold_micros = $1, reject_repeats = $2, "+
			"approval_micros = $3, fault = $4, contact_email = $5, contact_language = $6, "+
			"clearing_auto_micros = $7, clearing_manual_micros = $8, frame_origins = $9, webhook_minor = $10 "+
			"where id = $11",
			[]any{set.HoldMicros, set.RejectRepeats, set.ApprovalMicros, fault(set.Fault),
				set.ContactEmail.Reveal(), set.ContactLanguage, set.ClearingAutoMicros, set.ClearingManualMicros,
				set.FrameOrigins, set.WebhookMinor, id})
		if err != nil {
			return err
		}
		if n == 0 {
			return storage.ErrNotFound
		}
		return InsertAudit(ctx, db, audit)
	})
}

// CreateKey writes an API key; ErrNotFound when there is no such merchant.
func (s *Store) CreateKey(ctx context.Context, key access.Key, audit machine.Audit) error {
	return s.write(ctx, "create a key", func(db DB) error {
		_, err := one(ctx, db, "select id from merchants where id = $1", []any{key.Merchant}, Row.Text)
		if err != nil {
			return err
		}
		if err := insertKey(ctx, db, key); err != nil {
			return err
		}
		return InsertAudit(ctx, db, audit)
	})
}

func insertKey(ctx context.Context, db DB, k access.Key) error {
	_, err := db.Exec(ctx, "insert into api_keys ("+KeyColumns+") values ($1, $2, $3, $4, $5)",
		[]any{k.ID, k.Merchant, k.Hash[:], k.CreatedAt, k.RevokedAt})
	return err
}

// APIKeys returns the keys of a merchant, live and revoked, in order of id.
func (s *Store) APIKeys(ctx context.Context, merchant string) ([]access.Key, error) {
	return readAll(ctx, s, query[access.Key]{
		what: "list keys",
		sql:  "select " + KeyColumns + " from api_keys where merchant_id = $1 order by id",
		args: []any{merchant}, scan: ScanKey,
	})
}

// RevokeKey sets when the key was revoked, in microseconds. A key that was revoked before keeps its time
// and gets no second audit row. ErrNotFound when there is no such key.
func (s *Store) RevokeKey(ctx context.Context, id string, at int64, audit machine.Audit) error {
	return s.write(ctx, "revoke a key", func(db DB) error {
		n, err := db.Exec(ctx, "update api_keys set revoked_at = $1 where id = $2 and revoked_at = 0",
			[]any{at, id})
		if err != nil {
			return err
		}
		if n == 0 {
			_, err := one(ctx, db, "select id from api_keys where id = $1", []any{id}, Row.Text)
			return err
		}
		return InsertAudit(ctx, db, audit)
	})
}

// KeyByHash returns the key with this hash, live or revoked, or ErrNotFound.
func (s *Store) KeyByHash(ctx context.Context, hash access.Hash) (access.Key, error) {
	return readOne(ctx, s, query[access.Key]{
		what: "read a key",
		sql:  "select " + KeyColumns + " from api_keys where hash = $1", args: []any{hash[:]}, scan: ScanKey,
	})
}

// Audits returns at most limit audit rows, newest first.
func (s *Store) Audits(ctx context.Context, limit int) ([]machine.Audit, error) {
	return readAll(ctx, s, query[machine.Audit]{
		what: "list audit rows",
		sql:  "select " + AuditColumns + " from audits order by id desc limit $1",
		args: []any{int64(limit)}, scan: ScanAudit,
	})
}

// InsertAudit writes one audit row inside the caller's transaction.
func InsertAudit(ctx context.Context, db DB, a machine.Audit) error {
	_, err := db.Exec(ctx, "insert into audits ("+AuditColumns+") values ($1, $2, $3, $4, $5, $6, $7, $8)",
		[]any{a.ID, a.At, a.Actor, a.Action, a.Object, a.Before, a.After, a.Reason})
	return err
}

func (s *Store) write(ctx context.Context, what string, fn func(DB) error) error {
	return wrap(what, s.engine.Write(ctx, fn))
}
