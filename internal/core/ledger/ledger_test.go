package ledger_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"plexy/internal/core/ledger"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
)

const most = math.MaxInt64

func posting(m ledger.Move, amount int64) ledger.Posting {
	return ledger.Posting{Move: m, Debit: "from", Credit: "to", Amount: amount, Currency: money.KZT}
}

func TestMoves(t *testing.T) {
	start := ledger.Totals{DebitsPending: 10, DebitsPosted: 20, CreditsPending: 30, CreditsPosted: 100}
	for _, c := range []struct {
		move          ledger.Move
		debit, credit ledger.Totals
	}{
		{ledger.Hold, ledger.Totals{14, 20, 30, 100}, ledger.Totals{10, 20, 34, 100}},
		{ledger.Settle, ledger.Totals{6, 24, 30, 100}, ledger.Totals{10, 20, 26, 104}},
		{ledger.Release, ledger.Totals{6, 20, 30, 100}, ledger.Totals{10, 20, 26, 100}},
		{ledger.Post, ledger.Totals{10, 24, 30, 100}, ledger.Totals{10, 20, 30, 104}},
	} {
		a := ledger.Account{ID: "a", Currency: money.KZT, Capped: true, Totals: start, Version: 7}
		debited, no := a.Debit(posting(c.move, 4))
		if no != "" || debited.Totals != c.debit || debited.Version != 8 {
			t.Errorf("debit by %s: %+v %q", c.move, debited, no)
		}
		credited, no := a.Credit(posting(c.move, 4))
		if no != "" || credited.Totals != c.credit || credited.Version != 8 {
			t.Errorf("credit by %s: %+v %q", c.move, credited, no)
		}
		if a.Totals != start || a.Version != 7 {
			t.Errorf("%s changed the account it was given", c.move)
		}
	}
}

func TestBalances(t *testing.T) {
	a := ledger.Account{Totals: ledger.Totals{10, 20, 30, 100}, Version: 3}
	if got := a.Running(); got != (ledger.Running{Version: 3, Pending: 20, Posted: 80}) {
		t.Errorf("running balance %+v", got)
	}
	if got := a.Totals.Available(); got != 70 {
		t.Errorf("available %d", got)
	}
}

func TestFloor(t *testing.T) {
	for _, c := range []struct {
		name   string
		totals ledger.Totals
		capped bool
		p      ledger.Posting
		want   reject.Reason
	}{
		{"all of it", ledger.Totals{CreditsPosted: 5}, true, posting(ledger.Hold, 5), ""},
		{"one too many", ledger.Totals{CreditsPosted: 5}, true, posting(ledger.Hold, 6),
			reject.InsufficientFunds},
		{"posted one too many", ledger.Totals{CreditsPosted: 5}, true, posting(ledger.Post, 6),
			reject.InsufficientFunds},
		{"beside a hold", ledger.Totals{DebitsPending: 3, CreditsPosted: 5}, true, posting(ledger.Post, 3),
			reject.InsufficientFunds},
		{"what is promised cannot be spent", ledger.Totals{CreditsPending: 5}, true, posting(ledger.Hold, 1),
			reject.InsufficientFunds},
		{"settling needs no new money", ledger.Totals{DebitsPending: 5, CreditsPosted: 5}, true,
			posting(ledger.Settle, 5), ""},
		{"beyond 64 bits", ledger.Totals{DebitsPosted: 1, CreditsPosted: 5}, true, posting(ledger.Post, most),
			reject.InsufficientFunds},
		{"uncapped", ledger.Totals{}, false, posting(ledger.Post, most), ""},
		{"pending overflow", ledger.Totals{DebitsPending: 1}, false, posting(ledger.Hold, most),
			reject.AmountOutOfRange},
		{"posted overflow", ledger.Totals{DebitsPosted: 1}, false, posting(ledger.Post, most),
			reject.AmountOutOfRange},
		{"a stripe that did not count the hold", ledger.Totals{}, false, posting(ledger.Release, most), ""},
		{"and one that cannot count down further", ledger.Totals{DebitsPending: -2}, false,
			posting(ledger.Release, most), reject.AmountOutOfRange},
	} {
		a := ledger.Account{Currency: money.KZT, Capped: c.capped, Totals: c.totals}
		after, no := a.Debit(c.p)
		if no != c.want {
			t.Errorf("%s: refused with %q, want %q", c.name, no, c.want)
		}
		if no != "" && after != a {
			t.Errorf("%s: a refusal changed the account", c.name)
		}
	}
	full := ledger.Account{Currency: money.KZT, Totals: ledger.Totals{CreditsPosted: most}}
	if after, no := full.Credit(posting(ledger.Post, 1)); no != reject.AmountOutOfRange || after != full {
		t.Errorf("a credit beyond 64 bits: %+v %q", after, no)
	}
}

func TestMistakesPanic(t *testing.T) {
	wallet := ledger.Account{Currency: money.KZT, Capped: true, Totals: ledger.Totals{CreditsPosted: 100}}
	usd := posting(ledger.Hold, 1)
	usd.Currency = "USD"
	for name, p := range map[string]ledger.Posting{
		"nothing": posting(ledger.Hold, 0), "less than nothing": posting(ledger.Post, -1),
		"another currency": usd, "no move": posting("", 1),
		"released more than held": posting(ledger.Release, 1),
		"settled more than held":  posting(ledger.Settle, 1),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: a mistake of ours went through", name)
				}
			}()
			wallet.Debit(p)
		}()
	}
}

// Whatever is posted between two accounts, what one loses the other gains, and a capped one keeps its
// floor.
func TestPostingsBalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := ledger.Account{ID: "from", Currency: money.KZT, Capped: true}
		to := ledger.Account{ID: "to", Currency: money.KZT}
		from.Totals.CreditsPosted = rapid.Int64Range(0, most).Draw(t, "funds")
		funds, held, moved := from.Totals.CreditsPosted, int64(0), int64(0)
		for range rapid.IntRange(1, 30).Draw(t, "postings") {
			p := posting(rapid.SampledFrom([]ledger.Move{
				ledger.Hold, ledger.Settle, ledger.Release, ledger.Post,
			}).Draw(t, "move"), rapid.Int64Range(1, most).Draw(t, "amount"))
			if p.Move == ledger.Settle || p.Move == ledger.Release {
				if held == 0 {
					continue
				}
				p.Amount = min(p.Amount, held)
			}
			nextFrom, no := from.Debit(p)
			if affordable := p.Amount <= funds-held-moved; no != "" {
				if affordable {
					t.Fatalf("%+v was refused with %q on %+v", p, no, from)
				}
				continue
			}
			nextTo, no := to.Credit(p)
			if no != "" {
				t.Fatalf("the other side refused %q", no)
			}
			from, to = nextFrom, nextTo
			held, moved = after(p, held, moved)
			a, b := from.Running(), to.Running()
			if a.Pending != -held || b.Pending != held || a.Posted != funds-moved || b.Posted != moved {
				t.Fatalf("after %+v: %+v and %+v, held %d, moved %d", p, a, b, held, moved)
			}
			if from.Totals.Available() < 0 || a.Version != b.Version {
				t.Fatalf("below zero, or versions apart: %+v %+v", from, to)
			}
		}
	})
}

func after(p ledger.Posting, held, moved int64) (int64, int64) {
	switch p.Move {
	case ledger.Hold:
		return held + p.Amount, moved
	case ledger.Settle:
		return held - p.Amount, moved + p.Amount
	case ledger.Release:
		return held - p.Amount, moved
	}
	return held, moved + p.Amount
}
