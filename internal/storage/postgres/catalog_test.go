package postgres_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"plexy/internal/core/machine"
	"plexy/internal/storage/postgres"
)

// moneyTables carry the partition column in every key (docs/architecture.md).
var moneyTables = []string{
	"wallets", "stripes", "wallet_transactions", "journal", "idempotency", "fund_references",
	"order_reference_claims", "list_counts", "link_counts", "payment_links", "link_references", "payments",
	"payment_operations",
}

// recordTables are what is not money.
var recordTables = []string{
	"installation", "vault_keys", "merchants", "api_keys", "customers", "audits", "goose_db_version",
	"event_counters", "events", "event_progress", "webhook_endpoints", "deliveries", "delivery_attempts",
	"test_clock", "endpoint_tellings", "event_floors", "sandbox_bank",
	"login_codes", "login_rates", "log_ins", "languages", "messages", "tellings",
	"shoppers", "card_tokens", "payment_sessions", "direct_keys", "held_cards",
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

// column collects the first column of a query.
func column[T any](t *testing.T, conn *pgx.Conn, sql string, args ...any) []T {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql, args...)
	must(t, err)
	values, err := pgx.CollectRows(rows, pgx.RowTo[T])
	must(t, err)
	return values
}

func TestCatalog(t *testing.T) {
	conn := connect(t, freshDatabase(t))
	t.Run("every table is known", func(t *testing.T) {
		found := column[string](t, conn, "select relname::text from pg_class "+
			"where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace")
		want := slices.Concat(moneyTables, recordTables)
		slices.Sort(found)
		slices.Sort(want)
		if !slices.Equal(found, want) {
			t.Errorf("tables are %v, want %v: say which ones are money", found, want)
		}
	})
	for _, table := range moneyTables {
		t.Run(table, func(t *testing.T) {
			// The last column of the primary key, of every unique index, and of every index over ids.
			unique := column[string](t, conn, `select a.attname::text from pg_index i
				join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[i.indnkeyatts - 1]
				where i.indrelid = $1::regclass and i.indisunique`, table)
			if len(unique) == 0 || slices.ContainsFunc(unique, func(c string) bool { return c != "book" }) {
				t.Errorf("the last columns of its unique indexes are %v, not book", unique)
			}
			primary := column[int64](t, conn, "select count(*) from pg_index "+
				"where indrelid = $1::regclass and indisprimary", table)
			if primary[0] != 1 {
				t.Error("it has no primary key")
			}
			foreign := column[string](t, conn, `select conname::text from pg_constraint c where contype = 'f'
				and (conrelid = $1::regclass or confrelid = $1::regclass)
				and not exists (select from pg_attribute a where a.attrelid = c.conrelid
					and a.attnum = any(c.conkey) and a.attname = 'book')`, table)
			if len(foreign) > 0 {
				t.Errorf("foreign keys without the book: %v", foreign)
			}
			book := column[string](t, conn, "select format_type(atttypid, atttypmod) from pg_attribute "+
				"where attrelid = $1::regclass and attname = 'book' and attnotnull", table)
			if !slices.Equal(book, []string{"smallint"}) {
				t.Errorf("its book is %v, want one smallint that is never null", book)
			}
		})
	}
	t.Run("nothing hidden decides", func(t *testing.T) {
		hidden := column[string](t, conn, `select tgname::text from pg_trigger where not tgisinternal
			union all select p.proname::text from pg_proc p where p.pronamespace = 'public'::regnamespace
			union all select c.relname::text from pg_class c
				where c.relkind = 'S' and c.relname not like 'goose%'`)
		if len(hidden) > 0 {
			t.Errorf("triggers, functions or sequences on the write path: %v", hidden)
		}
	})
	t.Run("ids are ordered byte by byte", func(t *testing.T) {
		loose := column[string](t, conn, `select a.attrelid::regclass || '.' || a.attname from pg_index i
			join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
			join pg_collation c on c.oid = a.attcollation
			where i.indrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace)
				and c.collname <> 'C'`)
		if len(loose) > 0 {
			t.Errorf("indexed text that is not collate \"C\": %v", loose)
		}
	})
}

// TestInsertsAppend sells from many books and compares the indexes with freshly built ones: an index that
// is filled in random places is half as large again, and dirties a page for every row.
func TestInsertsAppend(t *testing.T) {
	url := freshDatabase(t)
	w := newShop(t, openStore(t, postgres.Config{URL: url}), 500)
	for n := range 20 {
		in := make([]machine.Instruction, 400)
		for i := range in {
			in[i] = w.authorize((n*400+i*7)%500, n*400+i, 1)
		}
		_, err := run(t.Context(), w, 0, in...)
		must(t, err)
	}
	conn := connect(t, url)
	for _, index := range []string{
		"wallet_transactions_pkey", "wallet_transactions_merchant", "wallet_transactions_reference",
		"wallet_transactions_due", "journal_pkey",
	} {
		size := func() int64 {
			return column[int64](t, conn, fmt.Sprintf("select pg_relation_size('%s')", index))[0]
		}
		grown := size()
		_, err := conn.Exec(t.Context(), "reindex index "+index)
		must(t, err)
		if built := size(); grown > built*6/5 {
			t.Errorf("%s grew to %d bytes; appended in order it has %d", index, grown, built)
		}
	}
}
