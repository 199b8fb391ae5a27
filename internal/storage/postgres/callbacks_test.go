package postgres

import (
	"strings"
	"testing"

	"plexy/internal/pgtest"
	"plexy/internal/storage/sqlstore"
)

// TestNumberLooksForCallbacksByKey: whoever numbers events walks past payments that name no address, however
// many there are: it looks into the index that has only those that do.
func TestNumberLooksForCallbacksByKey(t *testing.T) {
	ctx, url := t.Context(), pgtest.Database(t)
	if _, err := Migrate(ctx, url, false); err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for _, sql := range []string{manyRows, "analyze"} {
		if err := exec(ctx, s, sql); err != nil {
			t.Fatal(err)
		}
		var plan strings.Builder
		err = s.Write(ctx, func(db sqlstore.DB) error {
			explain := "explain " + numberSQL(freshSQL, " where t.ahead")
			return db.Query(ctx, explain, []any{int64(1), ""}, func(r sqlstore.Row) error {
				plan.WriteString(r.Text() + "\n")
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plan.String(), "payments_callback") ||
			strings.Contains(plan.String(), "Seq Scan on payments") {
			t.Errorf("the plan is\n%s", plan.String())
		}
	}
}
