package sandbox_test

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/customer"
	"plexy/internal/sandbox"
)

// TestMagicPhones: the table is in order, stays in its range, and has every reason for which a wallet
// refuses.
func TestMagicPhones(t *testing.T) {
	last := -1
	refused := map[reject.Reason]bool{}
	statuses := map[wallet.Status]bool{}
	for _, p := range sandbox.Payers() {
		if p.Number <= last || p.Number >= customer.MagicPhones {
			t.Errorf("%d comes after %d", p.Number, last)
		}
		last = p.Number
		if _, phone := customer.Magic(p.Number); phone.Reveal() != p.Phone() {
			t.Errorf("%s is not the phone %s of its test person", p.Phone(), phone.Reveal())
		}
		if got, ok := sandbox.PayerOf(p.Phone()); !ok || got != p {
			t.Errorf("%s is found as %+v", p.Phone(), got)
		}
		if p.Course != nil && p.Course.Refusal() != p.Failure() { // it panics for a course that cannot be
			t.Errorf("%s is refused with %q and said to be with %q", p.Phone(), p.Course.Refusal(), p.Failure())
		}
		refused[p.Failure()] = true
		statuses[p.Status()] = true
	}
	for _, no := range []reject.Reason{
		reject.WalletNotFound, reject.IdentityMismatch, reject.WalletBlocked, reject.LimitExceeded,
		reject.InsufficientFunds,
	} {
		if !refused[no] {
			t.Errorf("no number is refused with %s", no)
		}
	}
	if len(statuses) != 4 {
		t.Errorf("the numbers show the statuses %v", statuses)
	}
	for _, phone := range []string{
		"", "+7700000", "+77000009999", "+770000000001", "+77010000001", "+7700000000a",
	} {
		if p, ok := sandbox.PayerOf(phone); ok {
			t.Errorf("%q is magic: %+v", phone, p)
		}
	}
}

// TestMagicAmounts: what is refused is kept under its key like any refusal of the state, and every reason
// that the operations know is there.
func TestMagicAmounts(t *testing.T) {
	known := map[string][]reject.Reason{
		"capture": {reject.TransactionFailed, reject.TransactionPending, reject.HoldExpired,
			reject.NothingRemaining, reject.AmountExceedsRemaining, reject.AmountOutOfRange},
		"refund": {reject.TransactionFailed, reject.TransactionPending, reject.NothingCaptured,
			reject.AmountExceedsCaptured, reject.AmountOutOfRange},
	}
	for operation, all := range known {
		var found []reject.Reason
		for _, a := range sandbox.Amounts() {
			got, no := sandbox.AmountOf(operation, a.Minor)
			want := map[string]reject.Reason{"capture": a.Capture, "refund": a.Refund}[operation]
			if no != want || want != "" && got != a {
				t.Errorf("%s of %d is %q", operation, a.Minor, no)
			}
			if no != "" {
				found = append(found, no)
				if reject.Of(no).Class != reject.Refused {
					t.Errorf("%s of %d: %s is not kept under a key", operation, a.Minor, no)
				}
			}
		}
		for _, no := range all {
			if !slices.Contains(found, no) {
				t.Errorf("no %s is refused with %s", operation, no)
			}
		}
	}
	for _, minor := range []int64{1, 7_700_000, 7_700_006, 7_700_013} {
		if a, no := sandbox.AmountOf("capture", minor); no != "" {
			t.Errorf("%d is magic: %+v", minor, a)
		}
	}
	if _, no := sandbox.AmountOf("cancel", 7_700_001); no != "" {
		t.Error("a cancel has magic amounts")
	}
}

// TestAmountsThatAskForACode: 20CC0 in minor units, or in whole major ones.
func TestAmountsThatAskForACode(t *testing.T) {
	for _, c := range []struct {
		minor    int64
		exponent int
		want     string
	}{
		{20_050, 2, "05"}, {20_510, 2, "51"}, {20_000, 2, "00"}, {20_990, 0, "99"}, {2_005_000, 2, "05"},
		{20_050_000, 3, "05"}, {2_005_000, 0, ""}, {20_051, 2, ""}, {2_005_001, 2, ""}, {120_050, 2, ""},
		{2_050, 2, ""}, {0, 2, ""}, {-20_050, 2, ""}, {200_500, 2, ""}, {21_050, 2, ""}, {20_050, 4, "05"},
	} {
		if got := sandbox.AmountCode(c.minor, c.exponent); got != c.want {
			t.Errorf("%d with %d digits asks for %q, want %q", c.minor, c.exponent, got, c.want)
		}
	}
	if c := sandbox.CardOf("4242424242424242"); c.Code != "" || c.Secure.Status != "Y" {
		t.Errorf("another card is %+v", c)
	}
}

// TestTheDocumentedTables: docs/sandbox.md tells of every value and of no other.
func TestTheDocumentedTables(t *testing.T) {
	page, err := os.ReadFile("../../docs/sandbox.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{}
	for line := range strings.SplitSeq(string(page), "\n") {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, rest, _ := strings.Cut(name, "`")
			lines[name] = rest
		}
	}
	expect := func(name string, words ...string) {
		t.Helper()
		line, ok := lines[name]
		delete(lines, name)
		for _, word := range words {
			ok = ok && strings.Contains(line, word)
		}
		if !ok {
			t.Errorf("%s is documented as %q, want %v", name, line, words)
		}
	}
	for _, p := range sandbox.Payers() {
		expect(p.Phone(), string(p.Status()), string(p.Failure()))
	}
	for _, a := range sandbox.Amounts() {
		expect(strconv.FormatInt(a.Minor, 10), string(a.Capture))
	}
	for _, f := range sandbox.Faults() {
		expect(string(f))
	}
	for _, c := range sandbox.Cards() {
		expect(c.Number, string(c.Secure.Screen), cmp.Or(c.Code, "00"), c.Secure.Reason)
	}
	for _, l := range sandbox.Lates() {
		expect(strconv.FormatInt(l.Minor, 10), l.Code)
	}
	for name := range lines {
		if strings.HasPrefix(name, "+7") || strings.Trim(name, "0123456789") == "" {
			t.Errorf("%s is documented and not known", name)
		}
	}
}
