package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/event"
	"plexy/internal/merchant"
	"plexy/internal/storage"
	"plexy/internal/storage/sqlstore"
)

// firstRelease makes a database of the first release: a merchant, and a customer with a wallet that is folded
// and one that is not.
func firstRelease(t *testing.T) (path string) {
	t.Helper()
	return madeAt(t, 1,
		"insert into installation values (1, 'sandbox', '', 1, 1)",
		"insert into merchants values ('mer_1', 'Shop', 5000000, 1, 1)",
		"insert into customers values ('cus_1', 'vk_1', 'i-1', 'p-1', x'00', x'00', 1)",
		"insert into wallet_rows values ('wlt_01K9QQQQQQQQQQQQQQQQQQQQ00', 0, 'cus_1', 'KZT', 'active', "+
			"0, 0, 0, 0, 0, 0, 0, 900, 1, 1, '', 0, 1)",
		"insert into wallet_rows values ('wlt_01K9QQQQQQQQQQQQQQQQQQQR00', 0, 'cus_1', 'USD', 'active', "+
			"0, 0, 0, 0, 0, 0, 0, 7, 1, 1, '', 0, 1)",
		"insert into wallet_states values (1, 'wlt_01K9QQQQQQQQQQQQQQQQQQQQ00', 0, 'blocked', 5, 6, 0, 0, "+
			"10, 0, 0, 900, 2, 1, 'wt_1', 1)",
	)
}

// madeAt makes a database of a version, with rows.
func madeAt(t *testing.T, version int64, rows ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "plexy.db")
	if err := create(path); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", uri(path)+"?_pragma=journal_mode(wal)")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := newProvider(db)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if _, err := db.ExecContext(t.Context(), row); err != nil {
			t.Fatalf("%s: %v", row, err)
		}
	}
	if err := provider.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// A database of the first release is brought up to date with its wallets, folded and not, and its merchants.
func TestUpgradeFromTheFirstRelease(t *testing.T) {
	path := firstRelease(t)
	if _, err := Migrate(t.Context(), path, false); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{Path: path, Owner: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	_, wallets, err := s.Customer(t.Context(), []string{"i-1"})
	if err != nil || len(wallets) != 2 {
		t.Fatalf("wallets %+v, %v", wallets, err)
	}
	kzt, usd := wallets[0], wallets[1]
	if kzt.Condition != wallet.Blocked || kzt.Account.Totals.DebitsPending != 10 || kzt.Limits.PerDay != 6 ||
		kzt.Approval != wallet.Auto || usd.Account.Totals.CreditsPosted != 7 || usd.Approval != wallet.Auto {
		t.Errorf("the wallets are %+v and %+v", kzt, usd)
	}
	m, err := s.Merchant(t.Context(), "mer_1")
	want := merchant.Defaults()
	want.HoldMicros, want.RejectRepeats = 5_000_000, true
	if err != nil || m.Settings != want {
		t.Errorf("the merchant has settled %+v, %v; want %+v", m.Settings, err, want)
	}
	keys := machine.Keys{Payers: []machine.Holder{{IIN: []string{"i-1"}}}}
	var state *machine.State
	err = s.Commit(t.Context(), 0, func(ctx context.Context, b storage.Batch) (err error) {
		state, err = b.Load(ctx, &keys)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if state.Wallets[kzt.ID] != kzt || state.Wallets[usd.ID] != usd {
		t.Errorf("a batch loads %+v", state.Wallets)
	}
}

// An endpoint from before it could say how it wants to be told goes on as it was told until then.
func TestUpgradeOfEndpoints(t *testing.T) {
	path := madeAt(t, 5,
		"insert into merchants (id, name, hold_micros, reject_repeats, created_at) "+
			"values ('mer_1', 'Shop', 1, 0, 1)",
		"insert into webhook_endpoints (id, merchant_id, url, event_types, ordered, state, why, secret, "+
			"previous_until, created_at, updated_at) "+
			"values ('whe_1', 'mer_1', 'https://x', '', 1, 'enabled', '', 1, 0, 7, 7)",
	)
	if _, err := Migrate(t.Context(), path, false); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{Path: path, Owner: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	want := event.NewEndpoint("whe_1", "mer_1", 7)
	want.URL = "https://x"
	got, err := s.Endpoint(t.Context(), "mer_1", "whe_1")
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

// journalRow is a record with nothing in it but a number and an amount.
func journalRow(sequence, amount int64) string {
	return fmt.Sprintf("('wlt_01K9QQQQQQQQQQQQQQQQQQQQ00', %d, 0, 'topped_up', '', '', 1, %d, 'KZT', '', "+
		"'', '', 0, 0, 0, 0, 0, 0, 0, '', 0, 0, 0, 0, 0, '', '', '', '', 0)", sequence, amount)
}

// The check of the journal's amounts is changed in place: the file is whole, its rows are there, and 0 is an
// amount where -1 is none.
func TestUpgradeOfTheJournalsCheck(t *testing.T) {
	path := madeAt(t, 5, "insert into journal values "+journalRow(1, 900))
	if _, err := Migrate(t.Context(), path, false); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{Path: path, Owner: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if whole := column(t, s, "pragma integrity_check"); len(whole) != 1 || whole[0] != "ok" {
		t.Errorf("the file is not whole: %v", whole)
	}
	insert := func(amount int64) error {
		return s.Write(t.Context(), func(db sqlstore.DB) error {
			_, err := db.Exec(t.Context(), "insert into journal values "+journalRow(2, amount), nil)
			return err
		})
	}
	if err := insert(-1); err == nil {
		t.Error("an amount below 0 is taken")
	}
	if err := insert(0); err != nil {
		t.Errorf("the amount 0 is refused: %v", err)
	}
	got := column(t, s, "select amount from journal order by sequence")
	if !slices.Equal(got, []string{"900", "0"}) {
		t.Errorf("the amounts are %v", got)
	}
}

// Links of the release before are in the statistics, which count what becomes of them from there on.
func TestUpgradeCountsLinks(t *testing.T) {
	link := func(id string, at int, status string) string {
		return fmt.Sprintf("insert into payment_links values ('%s', 0, 'mer_1', 'KZT', 5, '', '', '', 0, 0, '', "+
			"'', '', '', '', '', %d, '%s', '', '', 0, %d, '', '', '')", id, at, status, at)
	}
	const day = 86_400_000_000
	path := madeAt(t, 13, link("pl_019a2a21f46f706ea202a75adabcbb80", 3*day, "active"),
		link("pl_019a2a21f46f706ea202a75adabcbb81", 4*day-1, "active"),
		link("pl_019a2a21f46f706ea202a75adabcbb82", 4*day, "paid"))
	if _, err := Migrate(t.Context(), path, false); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{Path: path, Owner: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	active := storage.LinkCount{Status: "active", Currency: "KZT", Links: 2, Amount: 10}
	paid := storage.LinkCount{Status: "paid", Currency: "KZT", Links: 1, Amount: 5}
	for _, c := range []struct {
		to   int64
		want []storage.LinkCount
	}{{0, []storage.LinkCount{active, paid}}, {4 * day, []storage.LinkCount{active}}} {
		got, err := s.LinkStatistics(t.Context(), "mer_1", 0, c.to)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("up to %d: %v, %v", c.to, got, err)
		}
	}
}
