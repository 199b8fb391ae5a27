package sqlstore

import (
	"context"
	"errors"

	"plexy/internal/access"
	"plexy/internal/core/wallet"
	"plexy/internal/storage"
)

const (
	codeColumns    = "hash, customer_id, phone, shown, digits, tries, created_at, expires_at"
	logInColumns   = "hash, customer_id, phone, created_at, seen_at"
	messageColumns = "id, kind, recipient, language, subject, body, created_at, sweep_at"

	// live says of a code that it may be tried; $1 is the hash, $2 the time.
	live = "hash = $1 and expires_at > $2 and used_at = 0 and tries < $3"

	// tellings are tried this often; see storage.People.Untold.
	tellTries = 6
	// keepTellings is for how long a row says that somebody was told, in microseconds: longer than anything
	// waits.
	keepTellings = 30 * 24 * 60 * 60 * 1_000_000
)

// errUsedUp rolls a code back whose quota is used up.
var errUsedUp = errors.New("a quota is used up")

func scanHash(r Row) (h access.Hash) {
	copy(h[:], r.Bytes())
	return h
}

func scanCode(r Row) access.Code {
	return access.Code{
		Hash: scanHash(r), Customer: r.Text(), Phone: scanHash(r), Shown: r.Text(), Digits: scanHash(r),
		Tries: int(r.Int64()), CreatedAt: r.Int64(), ExpiresAt: r.Int64(),
	}
}

func scanLogIn(r Row) access.LogIn {
	return access.LogIn{
		Hash: scanHash(r), Customer: r.Text(), Phone: scanHash(r), CreatedAt: r.Int64(), SeenAt: r.Int64(),
	}
}

func scanMessage(r Row) storage.Message {
	return storage.Message{
		ID: r.Text(), Kind: r.Text(), To: r.Text(), Language: r.Text(), Subject: r.Text(), Text: r.Text(),
		CreatedAt: r.Int64(), SweepAt: r.Int64(),
	}
}

// CustomerByPhone returns the customer with one of these phone indexes, or ErrNotFound.
func (s *Store) CustomerByPhone(ctx context.Context, phone []string) (wallet.Customer, error) {
	if len(phone) == 0 {
		return wallet.Customer{}, storage.ErrNotFound
	}
	args := make([]any, len(phone))
	for i, index := range phone {
		args[i] = index
	}
	return readOne(ctx, s, query[wallet.Customer]{
		what: "find a customer by phone",
		sql: "select " + CustomerColumns + " from customers where phone_index in (" +
			Places(1, len(phone)) + ") limit 1",
		args: args, scan: ScanCustomer,
	})
}

// Holdings returns a customer by id and all wallets in order of currency, or ErrNotFound.
func (s *Store) Holdings(ctx context.Context, customer string) (wallet.Customer, []wallet.Wallet, error) {
	var found wallet.Customer
	var wallets []wallet.Wallet
	err := s.engine.Read(ctx, func(db DB) (err error) {
		sql := "select " + CustomerColumns + " from customers where id = $1"
		if found, err = one(ctx, db, sql, []any{customer}, ScanCustomer); err != nil {
			return err
		}
		sql = "select " + WalletColumns + " from wallets where customer_id = $1 order by currency"
		wallets, err = all(ctx, db, sql, []any{customer}, ScanWallet)
		return err
	})
	return found, wallets, wrap("read a customer's wallets", err)
}

// Holder returns the customer of a wallet, or ErrNotFound.
func (s *Store) Holder(ctx context.Context, walletID string) (wallet.Customer, error) {
	book, ok := Book(walletID)
	if !ok {
		return wallet.Customer{}, storage.ErrNotFound
	}
	var found wallet.Customer
	err := s.engine.Read(ctx, func(db DB) error {
		sql := "select customer_id from wallets where id = $1 and book = $2"
		customer, err := one(ctx, db, sql, []any{walletID, book}, Row.Text)
		if err != nil {
			return err
		}
		sql = "select " + CustomerColumns + " from customers where id = $1"
		found, err = one(ctx, db, sql, []any{customer}, ScanCustomer)
		return err
	})
	return found, wrap("read the customer of a wallet", err)
}

// AddCode counts the code against every quota and writes it; false, and nothing written, when one of them
// is used up. The row of a quota is its lock: two processes cannot both take the last one.
func (s *Store) AddCode(ctx context.Context, c access.Code, quotas []storage.Quota) (bool, error) {
	err := s.aside(ctx, "add a code", func(db DB) error {
		for _, q := range quotas {
			n, err := db.Exec(ctx, "insert into login_rates (name, until_at, n) values ($1, $2, 1) "+
				"on conflict (name, until_at) do update set n = login_rates.n + 1 where login_rates.n < $3",
				[]any{q.Name, q.Until, int64(q.Most)})
			if err != nil {
				return err
			}
			if n == 0 {
				return errUsedUp
			}
		}
		_, err := db.Exec(ctx, "insert into login_codes ("+codeColumns+", used_at) "+
			"values ($1, $2, $3, $4, $5, $6, $7, $8, 0)",
			[]any{c.Hash[:], c.Customer, c.Phone[:], c.Shown, c.Digits[:], int64(c.Tries), c.CreatedAt,
				c.ExpiresAt})
		return err
	})
	if errors.Is(err, errUsedUp) {
		return false, nil
	}
	return err == nil, err
}

// TryCode counts one try at the live code of a token and returns the code; ErrNotFound when there is none. It
// is counted before anybody compares, so that two tries at once are two.
func (s *Store) TryCode(ctx context.Context, token access.Hash, at int64) (access.Code, error) {
	var c access.Code
	err := s.aside(ctx, "try a code", func(db DB) error {
		n, err := db.Exec(ctx, "update login_codes set tries = tries + 1 where "+live,
			[]any{token[:], at, int64(access.CodeTries)})
		if err != nil {
			return err
		}
		if n == 0 {
			return storage.ErrNotFound
		}
		c, err = one(ctx, db, "select "+codeColumns+" from login_codes where hash = $1",
			[]any{token[:]}, scanCode)
		return err
	})
	return c, err
}

// CodeOf returns the live code of a token, or ErrNotFound.
func (s *Store) CodeOf(ctx context.Context, token access.Hash, at int64) (access.Code, error) {
	return readOne(ctx, s, query[access.Code]{
		what: "read a code", sql: "select " + codeColumns + " from login_codes where " + live,
		args: []any{token[:], at, int64(access.CodeTries)}, scan: scanCode,
	})
}

// LogIn uses the code of a token up and writes the log-in; ErrNotFound when the code was used before.
func (s *Store) LogIn(ctx context.Context, token access.Hash, l access.LogIn) error {
	return s.aside(ctx, "log in", func(db DB) error {
		n, err := db.Exec(ctx, "update login_codes set used_at = $1 where hash = $2 and used_at = 0",
			[]any{l.CreatedAt, token[:]})
		if err != nil {
			return err
		}
		if n == 0 {
			return storage.ErrNotFound
		}
		_, err = db.Exec(ctx, "insert into log_ins ("+logInColumns+") values ($1, $2, $3, $4, $5)",
			[]any{l.Hash[:], l.Customer, l.Phone[:], l.CreatedAt, l.SeenAt})
		return err
	})
}

// LogInByHash returns a log-in, live or not, or ErrNotFound.
func (s *Store) LogInByHash(ctx context.Context, hash access.Hash) (access.LogIn, error) {
	return readOne(ctx, s, query[access.LogIn]{
		what: "read a log-in", sql: "select " + logInColumns + " from log_ins where hash = $1",
		args: []any{hash[:]}, scan: scanLogIn,
	})
}

// SeeLogIn notes that a log-in was used at a time.
func (s *Store) SeeLogIn(ctx context.Context, hash access.Hash, at int64) error {
	return s.exec(ctx, "note a log-in", "update log_ins set seen_at = $1 where hash = $2 and seen_at < $1",
		[]any{at, hash[:]})
}

// EndLogIn forgets a log-in.
func (s *Store) EndLogIn(ctx context.Context, hash access.Hash) error {
	return s.exec(ctx, "end a log-in", "delete from log_ins where hash = $1", []any{hash[:]})
}

// SetLanguage notes the language that a customer chose.
func (s *Store) SetLanguage(ctx context.Context, customer, language string) error {
	return s.exec(ctx, "note a language", "insert into languages (customer_id, language) values ($1, $2) "+
		"on conflict (customer_id) do update set language = excluded.language", []any{customer, language})
}

// Language returns the language that a customer chose last, "" for none.
func (s *Store) Language(ctx context.Context, customer string) (string, error) {
	found, err := readAll(ctx, s, query[string]{
		what: "read a language", sql: "select language from languages where customer_id = $1",
		args: []any{customer}, scan: Row.Text,
	})
	if len(found) == 0 {
		return "", err
	}
	return found[0], err
}

// KeepMessage writes a message of a sandbox.
func (s *Store) KeepMessage(ctx context.Context, m storage.Message) error {
	return s.exec(ctx, "keep a message", "insert into messages ("+messageColumns+
		") values ($1, $2, $3, $4, $5, $6, $7, $8)",
		[]any{m.ID, m.Kind, m.To, m.Language, m.Subject, m.Text, m.CreatedAt, m.SweepAt})
}

// Messages returns at most limit messages, newest first: their ids grow.
func (s *Store) Messages(ctx context.Context, limit int) ([]storage.Message, error) {
	return readAll(ctx, s, query[storage.Message]{
		what: "list messages", sql: "select " + messageColumns + " from messages order by id desc limit $1",
		args: []any{int64(limit)}, scan: scanMessage,
	})
}

// Untold returns at most limit waiting transactions of which the owner is to be told at the given time.
func (s *Store) Untold(ctx context.Context, at int64, limit int) ([]storage.Telling, error) {
	return readAll(ctx, s, query[storage.Telling]{
		what: "list what owners were not told",
		sql: "select " + TransactionColumns + ", coalesce(tries, 0) from wallet_transactions " +
			"left join tellings on transaction_id = id where authorized = 0 and expires_at > 0 and " +
			"status = 'NEW' and coalesce(told_at, 0) = 0 and coalesce(next_at, 0) <= $1 and " +
			"coalesce(tries, 0) < $2 order by expires_at, id limit $3",
		args: []any{at, int64(tellTries), int64(limit)},
		scan: func(r Row) storage.Telling {
			t := storage.Telling{Transaction: ScanTransaction(r)}
			t.Tries = int(r.Int64())
			return t
		},
	})
}

// ClaimTelling takes the next try at telling; false when somebody else took it.
func (s *Store) ClaimTelling(ctx context.Context, t storage.Telling, next int64) (bool, error) {
	var n int64
	err := s.aside(ctx, "claim a telling", func(db DB) (err error) {
		n, err = db.Exec(ctx, "insert into tellings (transaction_id, tries, next_at, told_at) "+
			"values ($1, 1, $2, 0) on conflict (transaction_id) do update "+
			"set tries = tellings.tries + 1, next_at = excluded.next_at "+
			"where tellings.tries = $3 and tellings.told_at = 0",
			[]any{t.Transaction.ID, next, int64(t.Tries)})
		return err
	})
	return n > 0, err
}

// Told notes that the owner was told.
func (s *Store) Told(ctx context.Context, transaction string, at int64) error {
	return s.exec(ctx, "note a telling", "update tellings set told_at = $1 where transaction_id = $2",
		[]any{at, transaction})
}

// SweepPeople deletes at most limit rows of each kind that nobody can ask for any more.
// It takes the writer's turn only when it found one.
func (s *Store) SweepPeople(ctx context.Context, at int64, limit int) (int, error) {
	tables := []struct {
		table, key, column string
		before             int64
	}{
		{"login_codes", "hash", "expires_at", at},
		{"login_rates", "name", "until_at", at},
		{"log_ins", "hash", "created_at", at - access.LogInLife},
		{"messages", "id", "sweep_at", at},
		{"tellings", "transaction_id", "next_at", at - keepTellings},
	}
	found := false
	err := s.engine.Read(ctx, func(db DB) error {
		for _, old := range tables {
			some, err := all(ctx, db, "select 1 from "+old.table+" where "+old.column+" <= $1 limit 1",
				[]any{old.before}, Row.Int64)
			if err != nil || len(some) > 0 {
				found = true
				return err
			}
		}
		return nil
	})
	if err != nil || !found {
		return 0, wrap("look for what pages kept", err)
	}
	swept := 0
	err = s.aside(ctx, "sweep what pages kept", func(db DB) error {
		swept = 0
		for _, old := range tables {
			// A name of login_rates may have a row that is needed still: the column is asked twice.
			n, err := db.Exec(ctx, "delete from "+old.table+" where "+old.column+" <= $1 and "+old.key+
				" in (select "+old.key+" from "+old.table+" where "+old.column+" <= $1 order by "+
				old.column+" limit $2)", []any{old.before, int64(limit)})
			if err != nil {
				return err
			}
			swept += int(n)
		}
		return nil
	})
	return swept, err
}

// exec runs one statement that writes.
func (s *Store) exec(ctx context.Context, what, sql string, args []any) error {
	return s.aside(ctx, what, func(db DB) error {
		_, err := db.Exec(ctx, sql, args)
		return err
	})
}
