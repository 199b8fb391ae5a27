package sqlstore

import (
	"context"
	"fmt"
	"strings"

	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/shopper"
	"plexy/internal/storage"
)

const (
	shopperColumns = "id, merchant_id, key_id, email_index, phone_index, email_sealed, phone_sealed, " +
		"name_sealed, metadata, created_at"
	cardColumns = "id, merchant_id, shopper_id, brand, last4, expiry_month, expiry_year, key_id, print, " +
		"number_sealed, holder_sealed, payment_id, network_reference, created_at, deleted_at"
	sessionColumns = "id, merchant_id, link_id, type, terminal, locale, success_url, failure_url, cancel_url, " +
		"callback_url, amount, currency, order_reference, cart_reference, description, key_id, signer_sealed, " +
		"created_at, expires_at"
	directKeyColumns = "id, public_key, key_id, private_sealed, created_at, retired_at"
)

func scanShopper(r Row) shopper.Shopper {
	return shopper.Shopper{
		ID: r.Text(), Merchant: r.Text(), KeyID: r.Text(), EmailIndex: r.Text(), PhoneIndex: r.Text(),
		EmailSealed: r.Bytes(), PhoneSealed: r.Bytes(), NameSealed: r.Bytes(), Metadata: r.Text(),
		CreatedAt: r.Int64(),
	}
}

func scanCard(r Row) shopper.Card {
	return shopper.Card{
		ID: r.Text(), Merchant: r.Text(), Shopper: r.Text(), Brand: r.Text(), Last4: r.Text(),
		ExpiryMonth: int(r.Int64()), ExpiryYear: int(r.Int64()), KeyID: r.Text(), Print: r.Text(),
		NumberSealed: r.Bytes(), HolderSealed: r.Bytes(), Payment: r.Text(), NetworkReference: r.Text(),
		CreatedAt: r.Int64(), DeletedAt: r.Int64(),
	}
}

func scanSession(r Row) shopper.Session {
	return shopper.Session{
		ID: r.Text(), Merchant: r.Text(), Link: r.Text(), Type: r.Text(), Terminal: r.Text(), Locale: r.Text(),
		SuccessURL: r.Text(), FailureURL: r.Text(), CancelURL: r.Text(), CallbackURL: r.Text(),
		Amount: r.Int64(), Currency: money.Currency(r.Text()), OrderReference: r.Text(),
		CartReference: r.Text(), Description: r.Text(), KeyID: r.Text(), Signer: r.Bytes(),
		CreatedAt: r.Int64(), ExpiresAt: r.Int64(),
	}
}

func scanDirectKey(r Row) shopper.DirectKey {
	return shopper.DirectKey{
		ID: r.Text(), Public: r.Text(), KeyID: r.Text(), Private: r.Bytes(), CreatedAt: r.Int64(),
		RetiredAt: r.Int64(),
	}
}

// sealed runs fn in a transaction that holds a rotation of the vault's keys back, if the generation is still
// the given one; ErrStale otherwise.
func (s *Store) sealed(ctx context.Context, what string, generation int64, fn func(DB) error) error {
	return s.aside(ctx, what, func(db DB) error {
		current, err := s.engine.VaultGeneration(ctx, db)
		if err != nil {
			return err
		}
		if current != generation {
			return storage.ErrStale
		}
		return fn(db)
	})
}

// insert writes one row.
func insert(ctx context.Context, db DB, table, columns string, args ...any) error {
	_, err := db.Exec(ctx, "insert into "+table+" ("+columns+") values ("+Places(1, len(args))+")", args)
	return err
}

// CreateShopper writes a shopper; ErrConflict when the merchant has one with one of the pairs. Two writers of
// one pair meet at the unique key of the current generation, whose indexes both of them have.
func (s *Store) CreateShopper(
	ctx context.Context, c shopper.Shopper, pairs []shopper.Pair, generation int64,
) error {
	return s.sealed(ctx, "create a shopper", generation, func(db DB) error {
		found, err := shoppersBy(ctx, db, c.Merchant, pairs)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return fmt.Errorf("shopper %s: %w", found[0].ID, storage.ErrConflict)
		}
		err = insert(ctx, db, "shoppers", shopperColumns, c.ID, c.Merchant, c.KeyID, c.EmailIndex, c.PhoneIndex,
			c.EmailSealed, c.PhoneSealed, c.NameSealed, c.Metadata, c.CreatedAt)
		if err != nil {
			return err
		}
		for _, n := range Counted(ListShoppers, c.Merchant, c.ID) {
			if _, err := db.Exec(ctx, AddCount, []any{n.List, n.Owner, n.Day, int64(0), n.Made}); err != nil {
				return err
			}
		}
		return nil
	})
}

// shoppersBy returns at most one shopper: the one with one of the pairs.
func shoppersBy(
	ctx context.Context, db DB, merchant string, pairs []shopper.Pair,
) ([]shopper.Shopper, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	w := where{}
	w.add("merchant_id = ", merchant)
	var any []string
	for _, p := range pairs {
		any = append(any, "(email_index = "+w.place(p.Email)+" and phone_index = "+w.place(p.Phone)+")")
	}
	return all(ctx, db, "select "+shopperColumns+" from shoppers where "+w.sql()+" and ("+
		strings.Join(any, " or ")+") limit 1", w.args, scanShopper)
}

// Shopper returns the merchant's shopper, or ErrNotFound.
func (s *Store) Shopper(ctx context.Context, merchant, id string) (shopper.Shopper, error) {
	return readOne(ctx, s, query[shopper.Shopper]{
		what: "read a shopper",
		sql:  "select " + shopperColumns + " from shoppers where id = $1 and merchant_id = $2",
		args: []any{id, merchant}, scan: scanShopper,
	})
}

// ShopperByPair returns the merchant's shopper with one of the pairs, or ErrNotFound.
func (s *Store) ShopperByPair(
	ctx context.Context, merchant string, pairs []shopper.Pair,
) (shopper.Shopper, error) {
	var found []shopper.Shopper
	err := s.engine.Read(ctx, func(db DB) (err error) {
		found, err = shoppersBy(ctx, db, merchant, pairs)
		return err
	})
	if err == nil && len(found) == 0 {
		err = storage.ErrNotFound
	}
	if err != nil {
		return shopper.Shopper{}, wrap("find a shopper", err)
	}
	return found[0], nil
}

// Shoppers returns a page of the merchant's shoppers, newest first, and how many there are.
func (s *Store) Shoppers(
	ctx context.Context, merchant string, offset, limit int,
) (found []shopper.Shopper, total int, err error) {
	w := where{}
	w.add("merchant_id = ", merchant)
	n := int64(0)
	err = s.engine.Read(ctx, func(db DB) error {
		found, n, err = readPage(ctx, db, pageQuery{
			table: "shoppers", columns: shopperColumns, where: w, offset: offset, limit: limit,
			counted: &list{ListShoppers, merchant, ""},
		}, scanShopper)
		return err
	})
	return found, int(n), wrap("list shoppers", err)
}

// AddCard writes a card.
func (s *Store) AddCard(ctx context.Context, c shopper.Card, generation int64) error {
	return s.sealed(ctx, "add a card", generation, func(db DB) error {
		return insert(ctx, db, "card_tokens", cardColumns, c.ID, c.Merchant, c.Shopper, c.Brand, c.Last4,
			int64(c.ExpiryMonth), int64(c.ExpiryYear), c.KeyID, c.Print, c.NumberSealed, c.HolderSealed,
			c.Payment, c.NetworkReference, c.CreatedAt, c.DeletedAt)
	})
}

// Card returns the merchant's card, deleted or not, or ErrNotFound.
func (s *Store) Card(ctx context.Context, merchant, id string) (shopper.Card, error) {
	return readOne(ctx, s, query[shopper.Card]{
		what: "read a card",
		sql:  "select " + cardColumns + " from card_tokens where id = $1 and merchant_id = $2",
		args: []any{id, merchant}, scan: scanCard,
	})
}

// CardByPrint returns the newest card of the shopper with one of these prints that is not deleted, or
// ErrNotFound.
func (s *Store) CardByPrint(
	ctx context.Context, merchant, shopperID string, prints []string,
) (shopper.Card, error) {
	if len(prints) == 0 {
		return shopper.Card{}, storage.ErrNotFound
	}
	args := []any{merchant, shopperID}
	for _, p := range prints {
		args = append(args, p)
	}
	return readOne(ctx, s, query[shopper.Card]{
		what: "find a card",
		sql: "select " + cardColumns + " from card_tokens where merchant_id = $1 and shopper_id = $2 " +
			"and deleted_at = 0 and print in (" + Places(3, len(prints)) + ") order by id desc limit 1",
		args: args, scan: scanCard,
	})
}

// Cards returns at most limit cards of the shopper that are not deleted, newest first.
func (s *Store) Cards(
	ctx context.Context, merchant, shopperID string, limit int,
) ([]shopper.Card, error) {
	return readAll(ctx, s, query[shopper.Card]{
		what: "list cards",
		sql: "select " + cardColumns + " from card_tokens where merchant_id = $1 and shopper_id = $2 " +
			"and deleted_at = 0 order by id desc limit $3",
		args: []any{merchant, shopperID, int64(limit)}, scan: scanCard,
	})
}

// DeleteCard notes when the card was deleted and erases what is sealed of it; ErrNotFound when there is none
// that is not deleted.
func (s *Store) DeleteCard(ctx context.Context, merchant, id string, at int64) error {
	return s.found(ctx, "delete a card", "update card_tokens set deleted_at = $1, key_id = '', print = '', "+
		"number_sealed = $2, holder_sealed = $3 where id = $4 and merchant_id = $5 and deleted_at = 0",
		at, []byte(nil), []byte(nil), id, merchant)
}

// found runs one statement that writes; ErrNotFound when it changed nothing.
func (s *Store) found(ctx context.Context, what, sql string, args ...any) error {
	return s.aside(ctx, what, func(db DB) error {
		n, err := db.Exec(ctx, sql, args)
		if err == nil && n == 0 {
			err = storage.ErrNotFound
		}
		return err
	})
}

// CreateSession writes a session.
func (s *Store) CreateSession(ctx context.Context, v shopper.Session, generation int64) error {
	return s.sealed(ctx, "create a session", generation, func(db DB) error {
		return insert(ctx, db, "payment_sessions", sessionColumns, v.ID, v.Merchant, v.Link, v.Type, v.Terminal,
			v.Locale, v.SuccessURL, v.FailureURL, v.CancelURL, v.CallbackURL, v.Amount, string(v.Currency),
			v.OrderReference, v.CartReference, v.Description, v.KeyID, v.Signer, v.CreatedAt, v.ExpiresAt)
	})
}

// Session returns a session by its id, or ErrNotFound.
func (s *Store) Session(ctx context.Context, id string) (shopper.Session, error) {
	return readOne(ctx, s, query[shopper.Session]{
		what: "read a session", sql: "select " + sessionColumns + " from payment_sessions where id = $1",
		args: []any{id}, scan: scanSession,
	})
}

// SweepSessions erases the signers of at most limit sessions that are over. It takes the writer's turn only
// when it found one.
func (s *Store) SweepSessions(ctx context.Context, before int64, limit int) (int, error) {
	const over = "select id from payment_sessions where key_id <> '' and expires_at < $1 " +
		"order by expires_at, id limit $2"
	args := []any{before, int64(limit)}
	ids, err := readAll(ctx, s, query[string]{what: "look for sessions", sql: over, args: args, scan: Row.Text})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	var n int64
	err = s.aside(ctx, "sweep sessions", func(db DB) (err error) {
		n, err = db.Exec(ctx, "update payment_sessions set key_id = '', signer_sealed = $3 where id in ("+
			over+")", append(args, []byte(nil)))
		return err
	})
	return int(n), err
}

// AddDirectKey writes a key of direct payments.
func (s *Store) AddDirectKey(
	ctx context.Context, k shopper.DirectKey, generation int64, audit machine.Audit,
) error {
	return s.sealed(ctx, "add a key of direct payments", generation, func(db DB) error {
		err := insert(ctx, db, "direct_keys", directKeyColumns, k.ID, k.Public, k.KeyID, k.Private, k.CreatedAt,
			k.RetiredAt)
		if err != nil {
			return err
		}
		return InsertAudit(ctx, db, audit)
	})
}

// DirectKeys returns all keys of direct payments, newest first.
func (s *Store) DirectKeys(ctx context.Context) ([]shopper.DirectKey, error) {
	return readAll(ctx, s, query[shopper.DirectKey]{
		what: "list the keys of direct payments",
		sql:  "select " + directKeyColumns + " from direct_keys order by id desc", scan: scanDirectKey,
	})
}

// RetireDirectKey notes when the key was retired, once; ErrNotFound when there is no such key.
func (s *Store) RetireDirectKey(ctx context.Context, id string, at int64, audit machine.Audit) error {
	return s.aside(ctx, "retire a key of direct payments", func(db DB) error {
		n, err := db.Exec(ctx, "update direct_keys set retired_at = $1 where id = $2 and retired_at = 0",
			[]any{at, id})
		if err != nil {
			return err
		}
		if n == 0 {
			_, err := one(ctx, db, "select id from direct_keys where id = $1", []any{id}, Row.Text)
			return err
		}
		return InsertAudit(ctx, db, audit)
	})
}

// DropDirectKeys deletes the keys that were retired before the given time, and says how many.
func (s *Store) DropDirectKeys(ctx context.Context, before int64) (int, error) {
	var n int64
	err := s.aside(ctx, "drop keys of direct payments", func(db DB) (err error) {
		n, err = db.Exec(ctx, "delete from direct_keys where retired_at > 0 and retired_at < $1", []any{before})
		return err
	})
	return int(n), err
}
