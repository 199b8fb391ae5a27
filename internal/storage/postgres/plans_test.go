package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"plexy/internal/core/wallet"
	"plexy/internal/pgtest"
	"plexy/internal/storage/sqlstore"
)

// fresh opens an empty database that ends with the test.
func fresh(t *testing.T) *Store {
	t.Helper()
	url := pgtest.Database(t)
	if _, err := Migrate(t.Context(), url, false); err != nil {
		t.Fatal(err)
	}
	store, err := Open(t.Context(), Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// Plans that a session made over empty tables, and with the statistics of those, are made anew for the rows
// that came since. They must then go from key to key over the leading columns of indexes.
func TestPlans(t *testing.T) {
	ctx := t.Context()
	store := fresh(t)
	if err := exec(ctx, store, "analyze"); err != nil {
		t.Fatal(err)
	}
	s, err := open(ctx, store.lanesConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.close() }()
	for name := range statements {
		s.explain(t, name) // makes and keeps the plan
	}
	leading := map[string]string{} // column of an index
	const leadingSQL = `select i.indexrelid::regclass::text, a.attname::text from pg_index i
		join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]`
	err = s.query(ctx, leadingSQL, nil, func(r sqlstore.Row) { leading[r.Text()] = r.Text() })
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range []struct{ name, sql string }{
		{"many rows, statistics of none", manyRows},
		{"many rows, statistics of them", "analyze"},
	} {
		t.Run(stage.name, func(t *testing.T) {
			if err := exec(ctx, store, stage.sql+"; discard plans"); err != nil {
				t.Fatal(err)
			}
			r := s.round()
			r.add(discard, nil)
			if _, err := r.run(ctx); err != nil {
				t.Fatal(err)
			}
			for name := range statements {
				plan := s.explain(t, name)
				if bad := detour(plan, leading); bad != "" && !strings.Contains(name, "generation") {
					t.Errorf("%s: %s:\n%s", name, bad, plan)
				}
				if name == changeWallets && !strings.Contains(plan, "Tid Scan") {
					t.Errorf("wallets are searched for once more:\n%s", plan)
				}
			}
		})
	}
}

// TestAWalletThatIsNotAtItsPlaceEndsTheTransaction: what a batch changes is there, or nothing is saved.
func TestAWalletThatIsNotAtItsPlaceEndsTheTransaction(t *testing.T) {
	ctx := t.Context()
	store := fresh(t)
	s, err := store.lanes[0].connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r := s.round()
	r.add(begin, nil)
	saveWallets(r, changeWallets, []wallet.Wallet{{ID: "wlt_gone"}}, []byte{0, 0, 0, 0, 0, 1})
	r.add(commit, nil)
	if last, err := r.run(ctx); err == nil || last == "COMMIT" {
		t.Errorf("a wallet that is not there was changed: %s %v", last, err)
	}
}

// detour returns what in a plan is not a walk from key to key.
func detour(plan string, leading map[string]string) string {
	for _, bad := range []string{
		"Seq Scan", "Hash Join", "Hash Semi", "Hash Left", "Merge", "Bitmap", "hashed SubPlan", "JIT",
	} {
		if strings.Contains(plan, bad) {
			return bad
		}
	}
	lines := strings.Split(plan, "\n")
	for i, line := range lines {
		_, scan, found := strings.Cut(line, " using ")
		if !found {
			continue
		}
		index, _, _ := strings.Cut(scan, " ")
		if i+1 == len(lines) || !strings.Contains(lines[i+1], "Index Cond: ("+leading[index]+" =") &&
			!strings.Contains(lines[i+1], "Index Cond: (("+leading[index]+" =") {
			return "reads all of " + index
		}
	}
	return ""
}

func TestPlansAreMadeAnew(t *testing.T) {
	var p plans
	anew := 0
	for range 4096 {
		if p.outgrown(1_000_000) {
			anew++
		}
	}
	if anew < 10 || anew > 16 {
		t.Errorf("4096 batches made plans %d times", anew)
	}
	if p.outgrown(1_000_001) || !p.outgrown(11_500_000) || !p.outgrown(500_000) {
		t.Error("the age of plans does not count")
	}
}

// explain returns the generic plan of a prepared statement.
func (s *session) explain(t *testing.T, name string) string {
	t.Helper()
	if name == begin || name == commit || name == discard {
		return ""
	}
	var types, lines []string
	err := s.query(t.Context(), "select unnest(parameter_types)::text from pg_prepared_statements "+
		"where name = ($1::text[])[1]", [][]byte{textArray([]string{name})},
		func(r sqlstore.Row) { types = append(types, "'{}'::"+r.Text()) })
	if err != nil {
		t.Fatal(err)
	}
	arguments := ""
	if len(types) > 0 {
		arguments = "(" + strings.Join(types, ", ") + ")"
	}
	sql := fmt.Sprintf("explain (costs off) execute %s%s", name, arguments)
	err = s.query(t.Context(), sql, nil, func(r sqlstore.Row) { lines = append(lines, r.Text()) })
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return strings.Join(lines, "\n")
}

func exec(ctx context.Context, s *Store, sql string) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	_, err = conn.Conn().PgConn().Exec(ctx, sql).ReadAll()
	return err
}

const manyRows = `
	alter table customers set (autovacuum_enabled = off);
	alter table wallets set (autovacuum_enabled = off);
	alter table wallet_transactions set (autovacuum_enabled = off);
	alter table idempotency set (autovacuum_enabled = off);
	alter table payments set (autovacuum_enabled = off);
	alter table payment_links set (autovacuum_enabled = off);
	alter table payment_operations set (autovacuum_enabled = off);
	insert into installation values (1, 'sandbox', '', 1, 0, 1);
	insert into merchants select 'mer_' || g, 'many', 1000000, true, 1 from generate_series(1, 3000) g;
	insert into customers
		select 'cus_' || g, 'vk', 'i' || g, 'p' || g, '', '', 1 from generate_series(1, 20000) g;
	insert into wallets select 'wlt_' || g, 0, 'cus_' || g, 'KZT', 'active',
		0, 0, 0, 0, 0, 0, 0, 0, 1, 1, '', 0, 1 from generate_series(1, 20000) g;
	insert into wallet_transactions select 'wt_' || g, 0, 'mer_1', 'wlt_' || g, 'KZT', 'ORDER', 1, 'SUCCESS', '',
		1, 0, 0, 0, 0, 1, 1, 1, 1 from generate_series(1, 20000) g;
	insert into idempotency
		select 'mer_1', 'k' || g, 0, '', 201, '', 'req', 1 from generate_series(1, 20000) g;
	insert into fund_references
		select 'f' || g, 0, 'top-up', 'wlt_1', 1, 200, '', 1 from generate_series(1, 20000) g;
	insert into order_reference_claims select 'mer_1', 'r' || g, 0 from generate_series(1, 20000) g;
	insert into payment_links select 'pl_' || g, 0, 'mer_1', 'KZT', 1, '', '', '', false, false, '', '',
		'', '', '', '', 0, 'active', '', '', 0, 0, '', '', '' from generate_series(1, 20000) g;
	insert into link_references select 'mer_1', 'r' || g, 0, 'pl_' || g from generate_series(1, 20000) g;
	insert into payments select 'p' || g, 0, 'mer_1', '', '', '', '', '', '', 'KZT', 1, '', '', 'auth',
		false, 0, '', 0, 0, '', '', '', '', '', '', 0, 'opened', 'created', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, '', '', '', '', '', '', false, '', 0, 0, 0, 0, 0, 0, 0, 0 from generate_series(1, 20000) g;
	insert into payment_operations select 'o' || g, 0, 'p' || g, '', 1, 'authorize', 1, '', '', '', 0,
		'sent', false, 0, 0, 0, 0, '', '', '', '', '', 0, 0, false from generate_series(1, 20000) g;
	insert into stripes select 'merchant:' || g, 0, 'KZT', 0, 0, 0, 0, 1 from generate_series(1, 3000) g`
