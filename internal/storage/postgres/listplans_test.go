package postgres

import (
	"strings"
	"testing"

	"plexy/internal/storage/sqlstore"
)

// TestPlansOfLists: what merchants read of card payments is found by an index in the order of the list,
// without sorting, also by a merchant beside one that has nearly all rows; with statistics and without.
func TestPlansOfLists(t *testing.T) {
	ctx := t.Context()
	store := fresh(t)
	const rows = `alter table payments set (autovacuum_enabled = off);
		insert into payments select g || '', 0, 'mer_' || 1 + (g < 100005)::int, 'pl_' || g, '',
		'shopper_' || g % 1000, '', '', '', 'KZT', 1, 'ORDER-' || g, '', 'auth', false, 0, '', 0, 0, '', '', '',
		'', '', '', 0, 'opened', 'created', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', '', '', '', '', '', false, '',
		0, 0, 0, 0, 0, 0, 0, 0 from generate_series(100000, 199999) g`
	for _, stage := range []string{rows, "analyze"} {
		if err := exec(ctx, store, stage); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ where, index string }{
			{"merchant_id = 'mer_1' and id < '150000'", "payments_"}, // nearly all rows are its own: any order of ids
			{"merchant_id = 'mer_2'", "payments_merchant"},
			{"merchant_id = 'mer_1' and shopper_id <> '' and shopper_id = 'shopper_7'", "payments_shopper"},
			{"merchant_id = 'mer_1' and order_reference <> '' and order_reference = 'ORDER-150000'",
				"payments_reference"},
			{"merchant_id = 'mer_1' and link_id <> '' and link_id = 'pl_150000'", "payments_link"},
			{"merchant_id = 'mer_1' and parent_id <> '' and parent_id = 'x'", "payments_parent"},
		} {
			plan, sql := "", "explain (costs off) select "+sqlstore.PaymentColumns+" from payments where "+c.where+
				" order by id desc limit 20 offset 5"
			err := store.Read(ctx, func(db sqlstore.DB) error {
				return db.Query(ctx, sql, nil, func(r sqlstore.Row) error {
					plan += r.Text() + "\n"
					return nil
				})
			})
			if err != nil || !strings.Contains(plan, c.index) || strings.Contains(plan, "Seq Scan") ||
				strings.Contains(plan, "Sort") {
				t.Errorf("%.9s: %s is run by (%v)\n%s", stage, c.where, err, plan)
			}
		}
	}
}
