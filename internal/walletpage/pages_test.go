package walletpage_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/customer"
	"plexy/internal/id"
	"plexy/internal/pagetest"
	"plexy/internal/storage/memory"
)

// sold is a rig on which something of every kind has happened, and one transaction waits.
func sold(t *testing.T) (*rig, wallet.Transaction) {
	r := newRig(t, memory.New())
	history(r)
	r.approval(1, wallet.Owner)
	return r, r.authorize(1, 15_000, "ORDER-WAITS")
}

func history(r *rig) {
	target := func(t wallet.Transaction, amount int64) machine.Target {
		return machine.Target{Merchant: r.shop, ID: t.ID, Amount: amount}
	}
	next := func() { r.clock.Advance(60 * minute) }
	next()
	a := r.authorize(1, 100_000, "ORDER-1")
	next()
	r.run(machine.Capture{Target: target(a, 60_000)})
	next()
	r.run(machine.Refund{Target: target(a, 10_000)})
	next()
	r.run(machine.Cancel{Target: target(a, 40_000)})
	next()
	r.authorize(1, 5_050, "=cmd|' /C calc'!A0")
	next()
}

// Every page keeps its structure; -update writes it anew, for a person to read.
func TestOutlines(t *testing.T) {
	r, _ := sold(t)
	pages := map[string]*page{}
	v := r.visitor()
	pages["login"] = v.get("/wallet")
	pages["login-wrong"] = v.ask("x")
	pages["code"] = v.ask(r.person.Reveal())
	pages["code-wrong"] = v.send(pages["code"], "/wallet/code", "code", "1")
	pages["overview"] = v.send(pages["code"], "/wallet/code", "code", r.code())
	pages["statement"] = v.get("/wallet/statement")
	pages["statement-wrong"] = v.get("/wallet/statement?from=x&to=2026-02-30")
	pages["sorry"] = v.get("/wallet/nothing")
	for name, p := range pages {
		pagetest.Outline(t, name, p.root, func(value string) string {
			if _, ok := id.Book(id.Transaction, value); ok {
				return "wt_…"
			}
			return value
		})
	}
}

// What every page must have, whatever its outline: no faults, a token in every form that posts, no script.
func TestEveryPageIsSound(t *testing.T) {
	r, _ := sold(t)
	for _, language := range []string{"kk", "ru", "en"} {
		v := r.visitor()
		v.header.Set("Accept-Language", language)
		r.clock.Advance(15 * minute) // another window of quotas
		code := v.ask(r.person.Reveal())
		pages := []*page{v.get("/wallet"), v.ask("x"), code, v.send(code, "/wallet/code", "code", "1"),
			v.send(code, "/wallet/code", "code", r.code()), v.get("/wallet/statement"),
			v.get("/wallet/statement?from=x&q=a"), v.get("/wallet/none"), v.do("PUT", "/wallet", nil)}
		for i, p := range pages {
			sound(t, fmt.Sprint(language, " ", i), language, p)
		}
	}
}

func sound(t *testing.T, name, language string, p *page) {
	t.Helper()
	for _, fault := range pagetest.Faults(p.root, language) {
		t.Errorf("%s (%s): %s", name, p.title(), fault)
	}
	if len(p.all("script")) > 0 || p.header.Get("Content-Language") != language {
		t.Errorf("%s (%s): a script, or another language", name, p.title())
	}
	for _, f := range p.all("form") {
		action := pagetest.Attribute(f, "action")
		if pagetest.Attribute(f, "method") == "post" && p.form(action).Get("token") == "" {
			t.Errorf("%s: the form %s has no token", name, action)
		}
	}
}

func TestLanguages(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		v := r.visitor()
		v.header.Set("Accept-Language", "de, ru;q=0.5")
		if p := v.get("/wallet"); p.title() != "Вход в кошелёк" {
			t.Error("the browser's language:", p.title())
		}
		if p := v.get("/wallet?lang=kk"); p.title() != "Әмиянға кіру" {
			t.Error("asked for:", p.title())
		}
		v.logIn().says("12 345,00 ₸", "Қолжетімді")
		c, err := r.store.CustomerByPhone(t.Context(), r.who(1).Phone)
		r.ok(err)
		chosen := func() string { return must(r.store.Language(t.Context(), c.ID))(t) }
		if chosen() != "kk" {
			t.Errorf("messages would come in %q", chosen())
		}
		p := v.get("/wallet/statement?q=x&lang=en")
		if p.title() != "Statement" || chosen() != "en" || !strings.Contains(p.body, `value="x"`) {
			t.Error(p.title(), chosen())
		}
		v.get("/wallet?lang=xx").says("12 345.00 ₸") // a language that nobody speaks changes nothing
	})
}

func TestApproveAndDecline(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		r.approval(1, wallet.Owner)
		yes, no := r.authorize(1, 15_000, "ORDER-YES"), r.authorize(1, 7_000, "ORDER-NO")
		if yes.Status != wallet.New {
			t.Fatal(yes.Status)
		}
		v := r.visitor()
		p := v.logIn()
		p.says("Waits for your decision", "150.00 ₸", "70.00 ₸", "Кофейня «Арай»", "ORDER-YES", "12 345.00 ₸")
		approve := p.form("/wallet/approve", "transaction", yes.ID)
		for range 3 { // the same form again finds it answered
			a := v.do("POST", "/wallet/approve", approve)
			if a.location != "/wallet?decided="+yes.ID {
				t.Fatalf("%d %s", a.status, a.body)
			}
			v.get(a.location).says("Approved. The money is held for the shop.", "ORDER-YES", "12 195.00 ₸")
		}
		if got := r.transaction(yes.ID); got.Status != wallet.Success || got.Authorized != 15_000 {
			t.Errorf("%+v", got)
		}
		if records := must(r.store.Operations(t.Context(), yes.ID))(t); len(records) != 3 {
			t.Errorf("three sends left %d records: created, approved and authorized are three", len(records))
		}
		v.send(p, "/wallet/decline", "transaction", no.ID).says("Declined. Nothing was taken.", "70.00 ₸")
		if got := r.transaction(no.ID); got.Status != wallet.Failed || got.Failure != reject.DeclinedByOwner {
			t.Errorf("%+v", got)
		}
		// The other answer, later, changes nothing and is shown what is.
		v.send(p, "/wallet/approve", "transaction", no.ID).says("Declined. Nothing was taken.")
		v.send(p, "/wallet/decline", "transaction", yes.ID).says("Approved. The money is held")
		v.get("/wallet").says("Nothing waits for your decision", "12 195.00 ₸")
	})
}

func TestWhyItCouldNotBePaid(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		r.approval(1, wallet.Owner)
		first, second := r.authorize(1, 1_000_000, "FIRST"), r.authorize(1, 1_000_000, "SECOND")
		third, late := r.authorize(1, 1, "THIRD"), r.authorize(1, 2, "LATE")
		v := r.visitor()
		p := v.logIn()
		v.send(p, "/wallet/approve", "transaction", first.ID).says("Approved.")
		v.send(p, "/wallet/approve", "transaction", second.ID).says("There is not enough money on the wallet.")
		r.run(machine.Cancel{Target: machine.Target{Merchant: r.shop, ID: third.ID, Amount: 1}})
		v.send(p, "/wallet/approve", "transaction", third.ID).says("The shop does not want it any more.")
		r.clock.Advance(11 * minute)
		v.get("/wallet").says("Nothing waits for your decision")
		v.send(p, "/wallet/approve", "transaction", late.ID).says("The time to answer was over.")
		r.run(machine.Lapse{ID: late.ID})
		v.send(p, "/wallet/approve", "transaction", late.ID).says("The time to answer was over.")
	})
}

// Nobody answers, or looks at, what is somebody else's.
func TestOthersAreNotFound(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		r.fund(2, 500_000)
		r.approval(2, wallet.Owner)
		theirs := r.authorize(2, 100, "THEIRS")
		v := r.visitor()
		p := v.logIn()
		r.approval(1, wallet.Owner)
		r.authorize(1, 100, "OURS")
		p = v.get("/wallet")
		for _, action := range []string{"/wallet/approve", "/wallet/decline"} {
			for _, id := range []string{theirs.ID, "", "wt_01JDM3Z7V8H8Q2X9K0R1ABCD12", "x", "../../x"} {
				if a := v.send(p, action, "transaction", id); a.status != http.StatusNotFound {
					t.Errorf("%s of %q: %d", action, id, a.status)
				}
			}
		}
		if got := r.transaction(theirs.ID); got.Status != wallet.New {
			t.Errorf("somebody else's transaction is %s", got.Status)
		}
		if p := v.get("/wallet?decided=" + theirs.ID); strings.Contains(p.body, "THEIRS") {
			t.Error("somebody else's order is shown")
		}
		them := must(r.store.CustomerByPhone(t.Context(), r.who(2).Phone))(t)
		_, wallets, err := r.store.Holdings(t.Context(), them.ID)
		r.ok(err)
		ours := must(r.store.CustomerByPhone(t.Context(), r.who(1).Phone))(t)
		_, mine, err := r.store.Holdings(t.Context(), ours.ID)
		r.ok(err)
		last := wallets[0].Last
		for _, path := range []string{
			"/wallet/statement?wallet=" + wallets[0].ID, "/wallet/statement.csv?wallet=" + wallets[0].ID,
			"/wallet/statement?before=" + last.Object + "." + strconv.FormatInt(last.Sequence, 10),
			"/wallet/statement?wallet=" + mine[0].ID + "&before=x", "/wallet/statement?before=" + theirs.ID + ".1",
		} {
			if p := v.get(path); p.status != http.StatusNotFound || strings.Contains(p.body, "5 000.00") {
				t.Errorf("%s: %d", path, p.status)
			}
		}
	})
}

func TestStatement(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		history(r)
		v := r.visitor()
		v.logIn().says("Held for a payment", "Refunded", "+100.00 ₸", "Whole statement")
		p := v.get("/wallet/statement")
		lines := func(p *page) (found []string) {
			for _, ul := range p.all("ul") {
				if pagetest.Attribute(ul, "class") == "lines" {
					for _, li := range pagetest.Within(ul, "li") {
						found = append(found, pagetest.Text(li))
					}
				}
			}
			return found
		}
		all := lines(p)
		want := []string{"Held for a payment −50.50 ₸", "Released by the shop +400.00 ₸", "Refunded +100.00 ₸",
			"Paid 600.00 ₸", "Held for a payment −1 000.00 ₸", "Topped up +12 345.00 ₸"}
		for i, w := range want {
			if len(all) != len(want) || !strings.HasPrefix(all[i], w) {
				t.Fatalf("line %d is not %q:\n%s", i, w, strings.Join(all, "\n"))
			}
		}
		if !strings.Contains(all[1], "left 11 845.00 ₸") || !strings.Contains(all[1], "ORDER-1") {
			t.Error(all[1])
		}
		for query, n := range map[string]int{
			"q=order-1": 4, "q=арай": 5, "q=400": 1, "q=1 000,00": 1, "q=" + url.QueryEscape("=CMD"): 1, "q=zzz": 0,
			"from=2026-02-19": 6, "to=2026-02-18": 0, "from=2026-02-20": 0, "from=2026-02-19&to=2026-02-19": 6,
			"q=order-1&to=2026-02-19": 4,
		} {
			if got := lines(v.get("/wallet/statement?" + strings.ReplaceAll(query, " ", "+"))); len(got) != n {
				t.Errorf("%s shows %d lines, want %d", query, len(got), n)
			}
		}
		p = v.get("/wallet/statement?from=soon")
		if p.status != http.StatusUnprocessableEntity || len(lines(p)) != 6 {
			t.Errorf("a day that is none: %d", p.status)
		}
		p.says("There is a problem", "Enter a day such as")
	})
}

// Pages of a statement hold every line once, in order.
func TestStatementPages(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		for n := range 60 {
			r.authorize(1, int64(100+n), fmt.Sprintf("ORDER-%03d", n))
		}
		v := r.visitor()
		v.logIn()
		var seen []string
		pages := 0
		for address := "/wallet/statement?q=order-"; address != ""; pages++ {
			p := v.get(address)
			address = ""
			for _, a := range p.all("a") {
				if pagetest.Text(a) == "Older" {
					address = pagetest.Attribute(a, "href")
				}
			}
			for n := range 60 {
				if name := fmt.Sprintf("ORDER-%03d", n); strings.Contains(p.body, name) {
					seen = append(seen, name)
				}
			}
		}
		slices.Sort(seen)
		if len(seen) != 60 || len(slices.Compact(seen)) != 60 || pages != 3 {
			t.Errorf("%d pages show %d lines", pages, len(seen))
		}
	})
}

func TestCSV(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		history(r)
		v := r.visitor()
		v.logIn()
		p := v.get("/wallet/statement.csv")
		if p.header.Get("Content-Type") != "text/csv; charset=utf-8" ||
			p.header.Get("Content-Disposition") != `attachment; filename="statement-KZT-2026-02-19.csv"` {
			t.Error(p.header)
		}
		text, marked := strings.CutPrefix(p.body, "\ufeff")
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || !marked || len(rows) != 7 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		want := []string{"2026-02-19 20:15:00", "Held for a payment", "Кофейня «Арай»", "'=cmd|' /C calc'!A0",
			"-50.50", "KZT", "11794.50", "50.50"}
		if !slices.Equal(rows[1][:8], want) || !strings.HasPrefix(rows[1][8], "op_") {
			t.Errorf("%q", rows[1])
		}
		filtered := v.get("/wallet/statement.csv?q=refunded&from=2026-02-19")
		if strings.Count(filtered.body, "\n") != 1 {
			t.Errorf("the filter is not the page's: %s", filtered.body)
		}
		if p := v.get("/wallet/statement.csv?from=x"); p.status != http.StatusNotFound {
			t.Errorf("a day that is none: %d", p.status)
		}
	})
}

// Text of a merchant is text: it closes no tag and runs nothing.
func TestForeignTextIsText(t *testing.T) {
	r := newRig(t, memory.New())
	nasty := `"><script>alert(1)</script><b onclick=x>`
	r.approval(1, wallet.Owner)
	r.authorize(1, 100, nasty)
	v := r.visitor()
	v.logIn()
	for _, path := range []string{"/wallet", "/wallet/statement?q=" + url.QueryEscape(nasty)} {
		p := v.get(path)
		if len(p.all("script"))+len(p.all("b")) > 0 || !strings.Contains(pagetest.Text(p.root)+p.body, "alert(1)") {
			t.Errorf("%s holds foreign elements", path)
		}
	}
}

// Every text that code asks for is there.
func TestEventsHaveTexts(t *testing.T) {
	text := must(os.ReadFile("texts/en.json"))(t)
	for _, kind := range []journal.Type{journal.Authorized, journal.Captured, journal.Canceled, journal.Refunded,
		journal.Expired, journal.ToppedUp, journal.Withdrawn, journal.Adjusted} {
		if !strings.Contains(string(text), `"event.`+string(kind)+`"`) {
			t.Errorf("%s has no text", kind)
		}
	}
}

// Staff's movements have no merchant; a correction goes the way its posting goes. A blocked wallet says so.
func TestStaffMovements(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		by := machine.By{ID: r.ids.New(id.Audit), Actor: "tester"}
		move := func(d machine.Direction, amount int64, name string) {
			r.run(machine.Fund{Direction: d, Who: r.who(1), Currency: money.KZT, Amount: amount, Reference: name,
				By: machine.By{ID: r.ids.New(id.Audit), Actor: "tester"}})
		}
		move(machine.Withdraw, 500, "w")
		move(machine.Adjust, -300, "a")
		move(machine.Adjust, 200, "b")
		r.run(machine.SetCondition{Who: r.who(1), Currency: money.KZT, Condition: wallet.Blocked, By: by})
		r.visitor().logIn().says("Corrected +2.00 ₸", "Corrected −3.00 ₸", "Withdrawn −5.00 ₸",
			"This wallet is blocked.")
	})
}

func TestLogsNameRoutesAndNoPaths(t *testing.T) {
	r := newRig(t, memory.New())
	v := r.visitor()
	_, phone := customer.Example(3)
	for _, path := range []string{"/wallet/" + phone.Reveal(), "/wallet/statement?q=" + phone.Reveal()} {
		v.get(path)
	}
	r.flush()
	for line := range strings.SplitSeq(strings.TrimSpace(r.log.String()), "\n") {
		if !strings.Contains(line, `"route":"/wallet`) {
			t.Error(line)
		}
	}
	if strings.Contains(r.log.String(), phone.Reveal()[2:]) {
		t.Error("a path is in the log")
	}
}
