package bench

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"plexy/internal/pgtest"
)

// TestFilledPaymentsAreAsMade fills a store of each engine and looks at it from outside: the books hold,
// every payment has its events, and the list, its oldest page and a single payment read as if they had been
// paid one by one.
func TestFilledPaymentsAreAsMade(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary and starts servers; the full run has it")
	}
	r := testRunner(t)
	r.Binary, r.Wallets, r.Shoppers = build(t), 10, 3
	for name, database := range map[string]string{"SQLite": "", "PostgreSQL": pgtest.Database(t)} {
		t.Run(name, func(t *testing.T) {
			const n = 600 // more than one batch of them
			s, err := store{dir: filepath.Join(t.TempDir(), "data"), database: database}.furnish(t.Context(), r.Config)
			if err != nil {
				t.Fatal(err)
			}
			all, err := r.stock(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.fillPayments(t.Context(), &all, n); err != nil {
				t.Fatal(err)
			}
			verify := append([]string{"verify", "--json"}, s.flags()...)
			if out, err := run(t.Context(), r.Binary, nil, verify...); err != nil {
				t.Errorf("the books do not hold: %v: %s", err, out)
			}
			checkFilled(t, r, all, n)
		})
	}
}

func checkFilled(t *testing.T, r *runner, s stocked, n int64) {
	t.Helper()
	server, err := start(t.Context(), r.serving(s.store))
	if err != nil {
		t.Fatal(err)
	}
	defer server.kill()
	m := merchantClient{server.address, s.keys[0]}
	var page struct {
		Data  []struct{ OrderReference, CustomerID string }
		Total int64
	}
	for _, c := range []struct {
		path  string
		order string // of the last one on the page
		total int64
	}{
		{fmt.Sprintf("/v1/transactions?size=%d", len(s.Cards)+1), filledOrder(n - 1), n + 3},
		{fmt.Sprintf("/v1/transactions?size=1&page=%d", n+3), filledOrder(0), n + 3},
		{"/v1/customers/" + s.Customers[0] + "/transactions?size=3", "", n/3 + 1},
	} {
		if err := m.ask(t.Context(), c.path, nil, &page); err != nil || len(page.Data) == 0 {
			t.Fatal(c.path, err)
		}
		last := page.Data[len(page.Data)-1]
		if page.Total != c.total || c.order != "" && last.OrderReference != c.order ||
			c.order == "" && last.CustomerID != s.Customers[0] {
			t.Errorf("%s ends with %+v of %d", c.path, last, page.Total)
		}
	}
	var one struct{ Status, CustomerID, CardTokenID string }
	path := "/v1/transactions/by-order-reference/" + filledOrder(n/2)
	if err := m.ask(t.Context(), path, nil, &one); err != nil || one.Status != "charged" ||
		!slices.Contains(s.Cards, one.CardTokenID) || !slices.Contains(s.Customers, one.CustomerID) {
		t.Errorf("the payment is %+v, %v", one, err)
	}
	var feed struct{ Items []struct{ Type string } }
	path = "/v1/events?limit=1&after=" + strconv.FormatInt(3*n, 10) // three of each, and others
	if err := m.ask(t.Context(), path, nil, &feed); err != nil || len(feed.Items) == 0 {
		t.Errorf("the last event is %+v, %v", feed, err)
	}
}
