package sqlite

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/event"
	"plexy/internal/merchant"
	"plexy/internal/storage"
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
	want := merchant.Settings{
		HoldMicros: 5_000_000, RejectRepeats: true, ApprovalMicros: merchant.Defaults().ApprovalMicros,
	}
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
