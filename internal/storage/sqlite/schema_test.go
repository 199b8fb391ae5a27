package sqlite

import (
	"os"
	"slices"
	"strings"
	"testing"

	"plexy/internal/core/machine"
	"plexy/internal/storage/sqlstore"
)

func column(tb testing.TB, s *Store, sql string, args ...any) []string {
	tb.Helper()
	var found []string
	err := s.Read(tb.Context(), func(db sqlstore.DB) error {
		return db.Query(tb.Context(), sql, args, func(r sqlstore.Row) error {
			found = append(found, r.Text())
			return nil
		})
	})
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

// Every table of money has its book, last in every key and index, so that books can move to machines of
// their own (architecture). The rows of two tables are found by number here; their book is theirs too.
func TestBooksInTheCatalog(t *testing.T) {
	s := fresh(t, Config{})
	plain := []string{"api_keys", "audits", "card_tokens", "customers", "deliveries", "delivery_attempts",
		"direct_keys", "endpoint_tellings", "event_counters", "event_floors", "event_progress", "events",
		"goose_db_version", "held_cards", "idempotency_hashes", "idempotency_runs", "installation",
		"languages", "log_ins", "login_codes", "login_rates", "merchants", "messages", "payment_sessions",
		"sandbox_bank", "shoppers", "tellings", "test_clock", "vault_keys", "webhook_endpoints"}
	tables := column(t, s, "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'")
	for _, table := range tables {
		columns := column(t, s, "select name from pragma_table_info($1)", table)
		if slices.Contains(plain, table) {
			continue
		}
		if !slices.Contains(columns, "book") {
			t.Errorf("%s has no book; if it holds no money, say so here", table)
		}
		if table == "idempotency" || table == "wallet_states" {
			continue
		}
		indexes := column(t, s, "select name from pragma_index_list($1)", table)
		if len(indexes) == 0 {
			t.Errorf("%s has no key", table)
		}
		for _, index := range indexes {
			key := column(t, s, "select name from pragma_index_info($1) order by seqno", index)
			if key[len(key)-1] != "book" {
				t.Errorf("%s: index %s ends in %s", table, index, key[len(key)-1])
			}
		}
	}
	for _, table := range append(plain, "wallet_rows", "wallet_states", "journal") {
		if !slices.Contains(tables, table) {
			t.Errorf("there is no table %s any more", table)
		}
	}
}

// Both engines have the same migrations, by number and name.
func TestMigrationsOfBothEngines(t *testing.T) {
	names := func(folder string) (found []string) {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			found = append(found, e.Name())
		}
		return found
	}
	ours, theirs := names("migrations"), names("../postgres/migrations")
	if !slices.Equal(ours, theirs) {
		t.Errorf("SQLite has %v, PostgreSQL %v", ours, theirs)
	}
}

// The hot look-ups are served by an index, whatever the planner thinks of an empty table.
func TestPlans(t *testing.T) {
	s := fresh(t, Config{})
	list := "select id from wallet_transactions where merchant_id = $1 and created_at >= $2 and id >= $3 " +
		"and id < $4 order by id desc limit 20"
	for _, c := range []struct{ sql, want string }{
		{list, "USING INDEX wallet_transactions_merchant (merchant_id=? AND id>? AND id<?)"},
		{strings.Replace(list, "created_at >=", "order_reference =", 1), "wallet_transactions_reference"},
		{"select id from wallet_transactions where authorized - captured - canceled - expired > 0 " +
			"and expires_at > 0 and expires_at <= $1 order by expires_at, id limit $2",
			"wallet_transactions_due (expires_at>? AND expires_at<?)"},
		{"select id from wallet_transactions left join tellings on transaction_id = id where authorized = 0 " +
			"and expires_at > 0 and status = 'NEW' and coalesce(told_at, 0) = 0 order by expires_at, id limit $1",
			"wallet_transactions_undecided"},
		{"select id from customers where phone_index in ($1, $2) limit 1", "INDEX"},
		{"select id from wallet_rows where customer_id = $1", "INDEX"},
		{"select id from shoppers where merchant_id = $1 and id < $2 order by id desc limit 1 offset 1",
			"shoppers_merchant (merchant_id=? AND id<?)"},
		{"select id from shoppers where merchant_id = $1 and ((email_index = $2 and phone_index = $3) or " +
			"(email_index = $4 and phone_index = $5)) limit 1", "shoppers_pair"},
		{"select id from card_tokens where merchant_id = $1 and shopper_id = $2 and deleted_at = 0 " +
			"order by id desc limit 9", "card_tokens_shopper (merchant_id=? AND shopper_id=?)"},
		{"select id from card_tokens where key_id = $1 and key_id <> '' and id > $2 order by id limit 9",
			"card_tokens_key (key_id=? AND id>?)"},
		{"select id from payment_sessions where key_id <> '' and expires_at < $1 order by expires_at, id limit 9",
			"payment_sessions_over (expires_at<?)"},
		{"select day, cast(sum(n) as bigint) from list_counts where list = $1 and owner = $2 group by day " +
			"order by day desc", "PRIMARY KEY (list=? AND owner=?)"},
		{"select day, cast(sum(n) as bigint) from list_counts where list = $1 and owner = $2 and day >= $3 and " +
			"day < $4 group by day order by day desc", "PRIMARY KEY (list=? AND owner=? AND day>? AND day<?)"},
		{"select row from idempotency_hashes where run = $1 and hash = $2 order by row", "(run=? AND hash=?)"},
	} {
		planned(t, s, c.sql, c.want)
	}
}

// planned checks that a query is run by an index and without sorting.
func planned(t *testing.T, s *Store, sql, want string) {
	t.Helper()
	plan := ""
	err := s.Read(t.Context(), func(db sqlstore.DB) error {
		return db.Query(t.Context(), "explain query plan "+sql, nil, func(r sqlstore.Row) error {
			r.Int64()
			r.Int64()
			r.Int64()
			plan += r.Text() + "; "
			return nil
		})
	})
	if err != nil || !strings.Contains(plan, want) || strings.Contains(plan, "TEMP B-TREE") {
		t.Errorf("%s\nis run by %s: %v", sql, plan, err)
	}
}

// Lists of payments and links, and what is swept of them, are served by indexes.
func TestPlansOfPayments(t *testing.T) {
	s := fresh(t, Config{})
	const asked = "select o.id, p.stage from payment_operations o join payments p on p.id = o.payment_id " +
		"and p.book = o.book where "
	for _, c := range []struct{ sql, want string }{
		{"select id from payments where merchant_id = $1 and id < $2 order by id desc limit 50 offset 1",
			"payments_merchant (merchant_id=? AND id<?)"},
		{"select id from payments where merchant_id = $1 and link_id <> '' and link_id = $2 " +
			"order by id desc limit 1", "payments_link (merchant_id=? AND link_id=?)"},
		{"select id from payments where merchant_id = $1 and parent_id <> '' and parent_id = $2 order by id desc",
			"payments_parent (merchant_id=? AND parent_id=?)"},
		{"select id from payments where merchant_id = $1 and shopper_id <> '' and shopper_id = $2 order by id desc",
			"payments_shopper (merchant_id=? AND shopper_id=?)"},
		{"select id from payments where merchant_id = $1 and order_reference <> '' and order_reference = $2 " +
			"order by id desc", "payments_reference (merchant_id=? AND order_reference=?)"},
		{"select id from payments where merchant_id = $1 and status = $2 order by id desc limit 9",
			"payments_status (merchant_id=? AND status=?)"},
		{"select id from payments where clear_at > 0 and open_operations = 0 and clear_at <= $1 " +
			"order by clear_at, id limit $2", "payments_clearing (clear_at>? AND clear_at<?)"},
		{"select id from payments where authenticate_by > 0 and authenticate_by <= $1 " +
			"order by authenticate_by, id limit $2", "payments_authenticating (authenticate_by>? AND"},
		{asked + "o.next_check_at > 0 and o.next_check_at <= $1 and o.state = 'sent' " +
			"order by o.next_check_at, o.id limit $2", "payment_operations_due (next_check_at>? AND next_check_at<?)"},
		{asked + "o.in_doubt order by o.unknown_since, o.id limit $1", "USING INDEX payment_operations_unknown"},
		{asked + "o.contradictions > 0 and o.updated_at >= $1 order by o.updated_at desc, o.id desc limit $2",
			"payment_operations_contradicted (updated_at>?)"},
		{"select b.id from sandbox_bank b where b.over_at > 0 and b.over_at < $1 order by b.over_at, b.id limit $2",
			"sandbox_bank_over (over_at>? AND over_at<?)"},
		{"select id from payment_operations where payment_id = $1 order by number",
			"payment_operations_payment (payment_id=?)"},
		{"select id from payment_links where status = 'active' and busy = '' and expires_at > 0 and " +
			"expires_at <= $1 order by expires_at, id limit $2", "payment_links_due (expires_at>? AND expires_at<?)"},
		{"select id from payment_links where merchant_id = $1 and status = $2 order by id desc limit 9",
			"payment_links_status (merchant_id=? AND status=?)"},
	} {
		planned(t, s, c.sql, c.want)
	}
}

// The index of sealed runs is made of this hash, so it must be the same for ever.
func TestHashKeyStaysTheSame(t *testing.T) {
	got := hashKey(machine.ReplyKey{Scope: "mer_1", Key: "8e03978e-40d5-43e8-bc93-6894a57f9324"})
	if want := uint64(0x95fafc8ef0b2c88a); got != want {
		t.Errorf("%#x", got)
	}
}
