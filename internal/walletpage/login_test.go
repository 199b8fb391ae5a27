package walletpage_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"plexy/internal/access"
	"plexy/internal/clock"
	"plexy/internal/core/wallet"
	"plexy/internal/customer"
	"plexy/internal/notify"
	"plexy/internal/pagetest"
	"plexy/internal/storage/memory"
	"plexy/internal/storage/sqlite"
)

func TestLogInAndOut(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		v := r.visitor()
		if p := v.get("/wallet"); p.title() != "Log in to your wallet" || p.status != 200 {
			t.Fatal(p.status, p.title())
		}
		p := v.ask("8 (701) 000-00-01")
		p.says("Enter the code", "+7701*****01")
		m := r.sent.all()
		if len(m) != 1 || m[0].Kind != notify.LoginCode || m[0].To.Phone != r.person || m[0].Language != "en" {
			t.Fatalf("sent: %+v", m)
		}
		p = v.send(p, "/wallet/code", "code", " "+r.code()[:3]+" "+r.code()[3:])
		if p.title() != "Your wallet" {
			t.Fatalf("%d %s", p.status, p.body)
		}
		p.says("12 345.00 ₸", "+7701*****01", "Topped up")
		v.get("/wallet").says("12 345.00 ₸")
		if p := v.send(p, "/wallet/log-out"); p.title() != "Log in to your wallet" {
			t.Error(p.body)
		} else {
			p.says("You have logged out")
		}
		if p := v.get("/wallet/statement"); p.title() != "Log in to your wallet" {
			t.Errorf("after the log-out the statement shows %s", p.title())
		}
	})
}

// A stolen cookie is worth nothing after the log-out: the log-in ends on the server, not in the browser.
func TestLogOutEndsTheLogInItself(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		v, thief := r.visitor(), r.visitor()
		p := v.logIn()
		for _, c := range v.client.Jar.Cookies(must(http.NewRequest("GET", r.url, nil))(t).URL) {
			thief.header.Add("Cookie", c.Name+"="+c.Value)
		}
		thief.client.Jar = nil
		thief.get("/wallet").says("12 345.00 ₸")
		v.send(p, "/wallet/log-out")
		if p := thief.get("/wallet"); p.title() == "Your wallet" {
			t.Error("the cookie still opens the wallet")
		}
	})
}

// Five tries a code, whoever tries; a slip of the finger is none. Then even the right one opens nothing.
func TestTries(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		v := r.visitor()
		p := v.ask(r.person.Reveal())
		wrong := "000000"
		if r.code() == wrong {
			wrong = "000001"
		}
		for _, slip := range []string{"", "12345", "1234567", "abcdef", "12345٣"} {
			p = v.send(p, "/wallet/code", "code", slip)
			if p.status != http.StatusUnprocessableEntity {
				t.Fatalf("%q: %d", slip, p.status)
			}
			p.says("A code has 6 digits")
		}
		for left := access.CodeTries - 1; left > 0; left-- {
			p = v.send(p, "/wallet/code", "code", wrong)
			if p.status != http.StatusUnprocessableEntity {
				t.Fatalf("%d: %s", p.status, p.body)
			}
			p.says("This is not the code. Tries left: " + strconv.Itoa(left))
		}
		form := p.form("/wallet/code", "code", r.code())
		p = v.send(p, "/wallet/code", "code", wrong)
		p.says("That code cannot be used any more")
		if a := v.do("POST", "/wallet/code", form); a.location != "/wallet?notice=again" {
			t.Errorf("after five tries the right code is answered %d %s", a.status, a.location)
		}
	})
}

// Guessing from many connections at once gets no more than five tries.
func TestTriesAtOnce(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		v := r.visitor()
		p := v.ask(r.person.Reveal())
		var compared atomic.Int64
		var all sync.WaitGroup
		for n := range 12 {
			wrong := strconv.Itoa(100_000 + n)
			if wrong == r.code() {
				wrong = "999999"
			}
			all.Go(func() {
				a := v.do("POST", "/wallet/code", p.form("/wallet/code", "code", wrong))
				if a.status == http.StatusUnprocessableEntity {
					compared.Add(1)
				}
			})
		}
		all.Wait()
		if n := compared.Load(); n > access.CodeTries-1 {
			t.Errorf("%d wrong codes were told to be wrong with tries left", n)
		}
		if a := v.do("POST", "/wallet/code", p.form("/wallet/code", "code", r.code())); a.location == "/wallet" {
			t.Error("the right code still works")
		}
	})
}

func TestCodeExpires(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		v := r.visitor()
		p := v.ask(r.person.Reveal())
		r.clock.Set(noon + access.CodeLife - 1)
		v.get("/wallet/code").says("Enter the code")
		r.clock.Set(noon + access.CodeLife)
		v.send(p, "/wallet/code", "code", r.code()).says("That code cannot be used any more")
		if p := v.get("/wallet/code"); p.title() != "Log in to your wallet" {
			t.Error(p.title())
		}
	})
}

// A code opens one log-in, in the browser that asked for it.
func TestCodeIsForOneBrowserAndOnce(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		v, other := r.visitor(), r.visitor()
		p := v.ask(r.person.Reveal())
		first := r.code()
		q := other.ask(r.person.Reveal())
		if second := r.code(); first != second {
			other.send(q, "/wallet/code", "code", first).says("This is not the code")
		}
		form := p.form("/wallet/code", "code", first)
		if a := v.do("POST", "/wallet/code", form); a.location != "/wallet" {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a := v.do("POST", "/wallet/code", form); a.location == "/wallet" {
			t.Error("a form sent twice logged in twice")
		}
	})
}

// Three codes a phone in a quarter of an hour and ten a day, however the number is spelled.
func TestRateOfAPhone(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		v := r.visitor()
		asked := 0
		spellings := []string{r.person.Reveal(), "8 701 000 00 01", "701-000-00-01"}
		ask := func() int {
			asked++
			v.header.Set("X-Forwarded-For", "10.0.0."+strconv.Itoa(asked)) // each from another address
			p := v.do("POST", "/wallet/log-in", v.get("/wallet").form("/wallet/log-in", "phone",
				spellings[asked%len(spellings)]))
			if p.status == http.StatusTooManyRequests {
				p.says("Too many codes")
				if p.header.Get("Retry-After") != "900" {
					t.Errorf("Retry-After is %q", p.header.Get("Retry-After"))
				}
			}
			return p.status
		}
		granted := 0
		for window := range 5 {
			r.clock.Set(noon + int64(window)*15*minute)
			for n := range 4 {
				status := ask()
				if status == http.StatusSeeOther {
					granted++
				}
				if want := n < 3 && granted <= 10; want && window < 3 && status != http.StatusSeeOther {
					t.Errorf("code %d of window %d: %d", n+1, window, status)
				}
			}
		}
		if granted != 10 {
			t.Errorf("%d codes in a day, want 10", granted)
		}
		if n := len(r.sent.all()); n != granted {
			t.Errorf("%d messages for %d codes", n, granted)
		}
		r.clock.Set(noon + 24*60*minute)
		if status := ask(); status != http.StatusSeeOther {
			t.Errorf("the next day: %d", status)
		}
	})
}

// Thirty codes an address in a quarter of an hour, for whatever phones; of IPv6 an address is its network.
func TestRateOfAnAddress(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		for _, c := range []struct{ first, other string }{
			{"203.0.113.7", "203.0.113.8"}, {"2001:db8:1:2::", "2001:db8:1:3::"},
		} {
			v := r.visitor()
			form := v.get("/wallet").form("/wallet/log-in")
			status := func(n int, address string) int {
				_, phone := customer.Example(n)
				form.Set("phone", phone.Reveal())
				v.header.Set("X-Forwarded-For", address)
				return v.do("POST", "/wallet/log-in", form).status
			}
			from := len(c.first) * 100
			for n := range 30 {
				address := c.first
				if strings.HasSuffix(address, "::") {
					address += strconv.Itoa(n + 1)
				}
				if got := status(from+n, address); got != http.StatusSeeOther {
					t.Fatalf("code %d from %s: %d", n+1, address, got)
				}
			}
			if got := status(from+30, c.first); got != http.StatusTooManyRequests {
				t.Errorf("code 31 from %s: %d", c.first, got)
			}
			if got := status(from+30, c.other); got != http.StatusSeeOther {
				t.Errorf("from %s: %d", c.other, got)
			}
			r.clock.Set(r.clock.Now() + 15*minute)
			if got := status(from+31, c.first); got != http.StatusSeeOther {
				t.Errorf("a quarter of an hour later: %d", got)
			}
		}
	})
}

// Nothing that is answered tells whether a phone has a wallet: not while asking, not while trying, not when
// the limits are reached.
func TestAnswersTellNobodyWhoHasAWallet(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		_, stranger := customer.Example(99)
		story := func(phone string) (said []string) {
			v := r.visitor()
			note := func(p *page) *page {
				text := strings.NewReplacer(phone, "PHONE", customerMask(t, phone), "MASK").Replace(pagetest.Text(p.root))
				said = append(said, strconv.Itoa(p.status)+" "+p.location+" "+text+" "+strconv.Itoa(len(p.header)))
				return p
			}
			for range 2 {
				form := v.get("/wallet").form("/wallet/log-in", "phone", phone)
				note(v.do("POST", "/wallet/log-in", form))
				p := note(v.get("/wallet/code"))
				for n := range 6 {
					note(v.do("POST", "/wallet/code", p.form("/wallet/code", "code", strconv.Itoa(900_000+n))))
				}
			}
			for range 3 {
				note(v.do("POST", "/wallet/log-in", v.get("/wallet").form("/wallet/log-in", "phone", phone)))
			}
			return said
		}
		known, unknown := story(r.person.Reveal()), story(stranger.Reveal())
		for i := range known {
			if known[i] != unknown[i] {
				t.Errorf("step %d tells them apart:\n%s\n%s", i, known[i], unknown[i])
			}
		}
		for _, m := range r.sent.all() {
			if m.To.Phone == stranger {
				t.Error("a stranger was written to")
			}
		}
	})
}

func customerMask(t *testing.T, phone string) string {
	return must(customer.ParsePhone(phone))(t).Masked()
}

// Fifteen minutes without a page end a log-in; twelve hours end every one.
func TestLogInsEnd(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		v := r.visitor()
		v.logIn()
		at := int64(noon)
		for range 3 {
			at += 14 * minute
			r.clock.Set(at)
			v.get("/wallet").says("Available")
		}
		r.clock.Set(at + 15*minute)
		v.get("/wallet").says("You were logged out")
		v.logIn()
		began := r.clock.Now()
		for at = began; at < began+access.LogInLife; at += 14 * minute {
			r.clock.Set(at)
			v.get("/wallet").says("Available")
		}
		r.clock.Set(began + access.LogInLife - 1)
		v.get("/wallet").says("Available")
		r.clock.Set(began + access.LogInLife)
		v.get("/wallet/statement").says("You were logged out")
	})
}

// Whoever got another phone is logged out of the browser of the old one.
func TestAnotherPhoneEndsTheLogIn(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		v := r.visitor()
		v.logIn()
		r.rebind(1, 5)
		v.get("/wallet").says("You were logged out")
		v.ask(r.person.Reveal())
		if n := len(r.sent.all()); n != 1 {
			t.Errorf("the old phone was sent %d codes", n)
		}
	})
}

func TestPhonesThatAreNone(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		v := r.visitor()
		for _, phone := range []string{"", "1", "+1 202 555 0100", "<script>", strings.Repeat("7", 1000)} {
			p := v.ask(phone)
			if p.status != http.StatusUnprocessableEntity {
				t.Errorf("%q: %d", phone, p.status)
			}
			p.says("There is a problem", "Error: Enter a phone number of Kazakhstan")
		}
	})
}

// Codes, phones and cookies are in no log line and in no row of what the pages keep.
func TestNothingPersonalIsLogged(t *testing.T) {
	onEveryStore(t, func(r *rig) {
		v := r.visitor()
		p := v.ask(r.person.Reveal())
		code := r.code()
		v.send(p, "/wallet/code", "code", "111111")
		v.send(p, "/wallet/code", "code", code)
		v.get("/wallet/statement?q=" + code)
		v.get("/wallet/" + r.person.Reveal())
		r.flush()
		log := r.log.String()
		if strings.Count(log, "\n") < 8 {
			t.Fatalf("there is little to search: %s", log)
		}
		for _, secret := range []string{code, strings.TrimPrefix(r.person.Reveal(), "+7")} {
			if strings.Contains(log, secret) {
				t.Errorf("the log holds %s", secret)
			}
		}
		for _, c := range v.client.Jar.Cookies(must(http.NewRequest("GET", r.url, nil))(t).URL) {
			if c.Name != "plexy_language" && strings.Contains(log, c.Value) {
				t.Errorf("the log holds the cookie %s", c.Name)
			}
		}
	})
}

// A sandbox whose clock stands still, or is a year ahead, keeps no code alive and nobody out; what waits
// lapses by that clock.
func TestCodesDoNotFollowTheSandboxClock(t *testing.T) {
	r := newRig(t, memory.New(), func(r *rig) { r.test = clock.NewManual(noon + 365*24*60*minute) })
	r.approval(1, wallet.Owner)
	r.authorize(1, 15_000, "ORDER-AHEAD")
	v := r.visitor()
	p := v.ask(r.person.Reveal())
	r.clock.Advance(access.CodeLife)
	v.send(p, "/wallet/code", "code", r.code()).says("That code cannot be used any more")
	v.logIn().says("ORDER-AHEAD")
	r.test.Advance(11 * minute)
	v.get("/wallet").says("Nothing waits for your decision")
	r.clock.Advance(16 * minute)
	v.get("/wallet").says("You were logged out")
}

// The database holds no phone, cookie or token of what was done at the page.
func TestNothingPersonalIsKept(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "plexy.db")
	must(sqlite.Migrate(t.Context(), path, false))(t)
	store := must(sqlite.Open(t.Context(), sqlite.Config{Path: path, Owner: true}))(t)
	r := newRig(t, store)
	v := r.visitor()
	p := v.ask(r.person.Reveal())
	cookies := v.client.Jar.Cookies(must(http.NewRequest("GET", r.url, nil))(t).URL)
	v.send(p, "/wallet/code", "code", "111111")
	v.send(p, "/wallet/code", "code", r.code())
	cookies = append(cookies, v.client.Jar.Cookies(must(http.NewRequest("GET", r.url, nil))(t).URL)...)
	r.ok(store.Close())
	kept := must(os.ReadFile(path))(t)
	if !bytes.Contains(kept, []byte("+7701*****01")) {
		t.Fatal("the masked phone is not there: this proves little")
	}
	secrets := []string{strings.TrimPrefix(r.person.Reveal(), "+7"), "127.0.0.1"}
	for _, c := range cookies {
		secrets = append(secrets, c.Value)
	}
	for _, secret := range secrets {
		if bytes.Contains(kept, []byte(secret)) {
			t.Errorf("the database holds %s", secret)
		}
	}
	if len(secrets) < 6 {
		t.Errorf("only %d secrets were looked for", len(secrets))
	}
}
