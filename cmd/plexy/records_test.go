package main

import (
	"os/user"
	"slices"
	"strings"
	"testing"

	"plexy/internal/app"
)

func TestMerchantsAndKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		var made app.NewMerchant
		out := r.record(&made, "merchant", "create", "--name", "Fish & Chips <1>")
		if made.Name != "Fish & Chips <1>" || len(made.APIKey) != 35 ||
			!strings.HasPrefix(out, `{"merchantId":"mer_`) || !strings.Contains(out, "Fish & Chips <1>") {
			t.Errorf("merchant create printed %s", out)
		}
		var key app.NewKey
		r.record(&key, "key", "create", "--merchant", made.MerchantID, "--reason", "a second shop")
		if !strings.HasPrefix(key.KeyID, "key_") || key.APIKey == made.APIKey {
			t.Errorf("key create printed %+v", key)
		}
		var revoked struct {
			KeyID   string
			Revoked bool
		}
		r.record(&revoked, "key", "revoke", key.KeyID, "--reason", "lost")
		var keys []app.Key
		r.record(&keys, "key", "list", "--merchant", made.MerchantID)
		if len(keys) != 2 || keys[0].RevokedAt != nil || keys[1].KeyID != key.KeyID || keys[1].RevokedAt == nil {
			t.Errorf("key list printed %+v", keys)
		}
		var m app.Merchant
		r.record(&m, "merchant", "set", made.MerchantID, "hold_expiry=2d", "order_reference=reject",
			"approval_expiry=5m")
		if m.Settings["hold_expiry"] != "48h0m0s" || m.Settings["order_reference"] != "reject" ||
			m.Settings["approval_expiry"] != "5m0s" {
			t.Errorf("merchant set printed %+v", m)
		}
		var shown app.Merchant
		r.record(&shown, "merchant", "show", made.MerchantID)
		if shown.Settings["hold_expiry"] != "48h0m0s" || shown.Payable == nil || len(shown.Payable) != 0 {
			t.Errorf("merchant show printed %+v", shown)
		}
		var all []app.Merchant
		r.record(&all, "merchant", "list")
		if len(all) != 1 || all[0].MerchantID != made.MerchantID {
			t.Errorf("merchant list printed %+v", all)
		}
		checkMerchantAudits(t, r, made, key)
	})
}

func checkMerchantAudits(t *testing.T, r *rig, made app.NewMerchant, key app.NewKey) {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	rows := r.audits()
	const clearing = " clearing_auto=1h0m0s clearing_manual=120h0m0s "
	want := []struct{ action, object, before, after, reason string }{
		{"merchant.set", made.MerchantID,
			"approval_expiry=10m0s" + clearing + "hold_expiry=168h0m0s order_reference=allow",
			"approval_expiry=5m0s" + clearing + "hold_expiry=48h0m0s order_reference=reject", ""},
		{"key.revoke", key.KeyID, "live", "revoked", "lost"},
		{"key.create", key.KeyID, "", "merchant=" + made.MerchantID, "a second shop"},
	}
	if len(rows) != len(want)+1 {
		t.Fatalf("there are %d audit rows: %+v", len(rows), rows)
	}
	for i, w := range want {
		got := rows[i]
		if got.Action != w.action || got.Object != w.object || got.Before != w.before || got.After != w.after ||
			got.Reason != w.reason || got.Actor != me.Username || got.At == 0 {
			t.Errorf("audit row %d is %+v, want %+v", i, got, w)
		}
	}
	for _, row := range rows {
		if text := row.Before + row.After + row.Reason; strings.Contains(text, "pr_") {
			t.Errorf("an audit row holds a key: %+v", row)
		}
	}
}

func TestWalletOfStaff(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p := person(7)
		var w app.Wallet
		r.record(&w, p.of("wallet", "open")...)
		if !strings.HasPrefix(w.WalletID, "wlt_") || w.Currency != "KZT" || w.Posted != 0 || w.Status != "active" {
			t.Errorf("wallet open printed %+v", w)
		}
		bank := func(p payer, amount string) []string {
			return p.of("wallet", "top-up", "--amount", amount, "--reference", "bank-1")
		}
		first := r.record(&w, bank(p, "5000")...)
		if w.Available != 5000 || w.Posted != 5000 || w.Pending != 0 {
			t.Errorf("top-up printed %+v", w)
		}
		r.do(p.of("wallet", "top-up", "--amount", "700")...)
		r.do(p.of("wallet", "top-up", "--amount", "700")...) // without a reference each is a new one
		if again := r.do(append(bank(p, "5000"), "--json")...); again != first {
			t.Errorf("the reference answered %s first and %s then", first, again)
		}
		r.refuse(exitRefused, "reference_reused", bank(p, "5001")...)
		other := person(8)
		r.do(other.of("wallet", "open")...)
		r.refuse(exitRefused, "reference_reused", bank(other, "5000")...)
		nobody := person(9)
		r.refuse(exitRefused, "reference_reused", bank(nobody, "5000")...)
		r.refuse(exitRefused, "wallet_not_found", nobody.of("wallet", "show")...)

		r.record(&w, p.of("wallet", "withdraw", "--amount", "400", "--reference", "out-1",
			"--reason", "asked for it")...)
		r.record(&w, p.of("wallet", "adjust", "--amount", "-1300", "--reference", "fix-1",
			"--reason", "typed twice")...)
		r.record(&w, p.of("wallet", "adjust", "--amount", "300", "--reference", "fix-2",
			"--reason", "took too much")...)
		if w.Available != 5000 || w.Posted != 5000 {
			t.Errorf("after withdraw and adjust there is %+v", w)
		}
		r.refuse(exitRefused, "insufficient_funds",
			p.of("wallet", "withdraw", "--amount", "5001", "--reference", "out-2", "--reason", "too much")...)
		r.record(&w, p.of("wallet", "show")...)
		if w.Available != 5000 {
			t.Errorf("a refused withdrawal left %+v", w)
		}
		checkStatement(t, r, p)
		checkFundAudits(t, r, w.WalletID)
		r.do("verify")
	})
}

func checkStatement(t *testing.T, r *rig, p payer) {
	t.Helper()
	var s app.Statement
	r.record(&s, p.of("wallet", "statement")...)
	want := []struct {
		event          string
		amount, posted int64
	}{
		{"wallet.adjusted", 300, 5000}, {"wallet.adjusted", -1300, 4700}, {"wallet.withdrawn", 400, 6000},
		{"wallet.topped_up", 700, 6400}, {"wallet.topped_up", 700, 5700}, {"wallet.topped_up", 5000, 5000},
	}
	if len(s.Items) != len(want) {
		t.Fatalf("the statement has %d lines: %+v", len(s.Items), s)
	}
	for i, line := range s.Items {
		if line.Event != want[i].event || line.Amount != want[i].amount || line.Posted != want[i].posted ||
			line.Available != want[i].posted || line.Pending != 0 {
			t.Errorf("line %d of the statement is %+v, want %+v", i, line, want[i])
		}
	}
	r.record(&s, p.of("wallet", "statement", "--limit", "2")...)
	if len(s.Items) != 2 || s.Items[0].Event != "wallet.adjusted" {
		t.Errorf("a statement of two lines is %+v", s)
	}
}

func checkFundAudits(t *testing.T, r *rig, walletID string) {
	t.Helper()
	seen := map[string]int{}
	for _, row := range r.audits() {
		seen[row.Action]++
		if row.Action == "wallet.withdraw" && (row.Object != walletID || row.Before != "posted=6400" ||
			row.After != "posted=6000" || row.Reason != "asked for it" || row.Actor == "") {
			t.Errorf("the withdrawal's audit row is %+v", row)
		}
	}
	for action, n := range map[string]int{
		"wallet.open": 2, "wallet.top-up": 3, "wallet.withdraw": 1, "wallet.adjust": 2,
	} {
		if seen[action] != n {
			t.Errorf("there are %d audit rows of %s, want %d", seen[action], action, n)
		}
	}
}

func TestApprovalOfAWallet(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p := person(1)
		r.do(p.of("wallet", "top-up", "--amount", "9000")...)
		r.refuse(exitRefused, "wallet_not_found", person(2).of("wallet", "approval", "--mode", "owner")...)
		shows := func(want string) {
			t.Helper()
			if text := r.do(p.of("wallet", "show")...); !strings.Contains(text, want+"\n") {
				t.Errorf("wallet show does not say %q:\n%s", want, text)
			}
		}
		shows("auto")
		var w app.Wallet
		r.record(&w, p.of("wallet", "approval", "--mode", "owner", "--reason", "she asked")...)
		if w.Status != "active" || w.Available != 9000 {
			t.Errorf("approval printed %+v", w)
		}
		shows("owner")
		r.do(p.of("wallet", "approval", "--mode", "above", "--above", "12345")...)
		r.do(p.of("wallet", "top-up", "--amount", "1")...) // money that moves leaves it as it is
		shows("owner above 123.45 KZT")
		r.do(p.of("wallet", "approval", "--mode", "above", "--above", "0")...)
		shows("owner")
		r.do(p.of("wallet", "approval", "--mode", "auto")...)
		shows("auto")
		var told []string
		for _, row := range r.audits() { // newest first
			if row.Action == "wallet.approval" {
				told = append(told, row.Before+" → "+row.After+" "+row.Reason)
			}
		}
		if want := []string{
			"owner → auto ", "owner above 12345 → owner ", "owner → owner above 12345 ", "auto → owner she asked",
		}; !slices.Equal(told, want) {
			t.Errorf("the audit rows say %q, want %q", told, want)
		}
	})
}

func TestBlockLimitRebind(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		p, other := person(1), person(2)
		r.do(p.of("wallet", "top-up", "--amount", "9000")...)
		r.do(other.of("wallet", "open")...)
		var w app.Wallet
		r.record(&w, p.of("wallet", "block", "--reason", "card stolen")...)
		if w.Status != "blocked" {
			t.Errorf("block printed %+v", w)
		}
		r.refuse(exitRefused, "wallet_blocked",
			p.of("wallet", "withdraw", "--amount", "1", "--reference", "w", "--reason", "x")...)
		r.record(&w, p.of("wallet", "unblock", "--reason", "it was found")...)
		r.do(p.of("wallet", "limit", "--per-transaction", "100", "--per-day", "250")...)
		r.do(p.of("wallet", "limit", "--per-day", "300")...) // the other one stays
		text := r.do(p.of("wallet", "show")...)
		for _, want := range []string{"active", "1.00 KZT", "3.00 KZT", "90.00 KZT"} {
			if !strings.Contains(text, want) {
				t.Errorf("wallet show does not say %q:\n%s", want, text)
			}
		}
		if strings.Contains(text, p.phone) || strings.Contains(text, p.iin) {
			t.Errorf("wallet show says who it is:\n%s", text)
		}
		r.refuse(exitRefused, "phone_taken", "wallet", "rebind", "--iin", p.iin, "--phone", other.phone)
		fresh := person(3).phone
		out := r.do("wallet", "rebind", "--iin", p.iin, "--phone", fresh, "--json")
		if strings.Contains(out, fresh) {
			t.Errorf("rebind printed the phone: %s", out)
		}
		r.refuse(exitRefused, "identity_mismatch", p.of("wallet", "show")...)
		p.phone = fresh
		r.record(&w, p.of("wallet", "show")...)
		r.do("wallet", "rebind", "--iin", other.iin, "--phone", person(1).phone) // the old one is free
		for _, row := range r.audits() {
			if strings.Contains(row.Before+row.After+row.Object, "+7") {
				t.Errorf("an audit row holds a phone: %+v", row)
			}
		}
	})
}

// TestPayments: there are none, so the queue of what is unknown is empty.
func TestPayments(t *testing.T) {
	r := newRig(t)
	var made app.NewMerchant
	r.record(&made, "merchant", "create", "--name", "Arai")
	var queue []app.UnknownOperation
	if out := r.record(&queue, "payments", "unknown"); strings.TrimSpace(out) != "[]" {
		t.Errorf("the queue is %s", out)
	}
	nobody := "0192aaaa-0000-7000-8000-000000000001"
	r.refuse(exitRefused, "There is no such transaction", "payments", "show", nobody)
}
