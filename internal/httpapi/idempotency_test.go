package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"plexy/internal/commit"
	"plexy/internal/core/machine"
	"plexy/internal/customer"
	"plexy/internal/httpapi"
	"plexy/internal/server"
)

func TestAReplayIsTheFirstAnswerByteForByte(t *testing.T) {
	onEveryStore(t, testAReplayIsTheFirstAnswerByteForByte)
}

func testAReplayIsTheFirstAnswerByteForByte(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 1000)
	tx := r.authorize(1, 500, "O").text("walletTransactionId")
	path := "/v1/wallet/" + tx
	for i, q := range []ask{
		{"POST", "/v1/wallet/authorize", r.shop, orderOf(1, 100, "O"), nil},
		{"POST", "/v1/wallet/authorize", r.shop, orderOf(1, 5000, "O"), nil}, // FAILED
		{"POST", path + "/capture", r.shop, `{"amount":200}`, nil},
		{"POST", path + "/capture", r.shop, `{"amount":2000}`, nil}, // 422
		{"POST", path + "/cancel", r.shop, `{"amount":50}`, nil},
		{"POST", path + "/refund", r.shop, `{"amount":70}`, nil},
	} {
		q.header = idem("replay-" + strconv.Itoa(i))
		first := r.do(q)
		if first.header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%s: the first answer says it is a replay", q.path)
		}
		r.clock.Advance(time.Hour.Microseconds())
		again := r.do(q)
		if again.status != first.status || again.body != first.body {
			t.Errorf("%s:\nfirst %d %s\nagain %d %s", q.path, first.status, first.body, again.status, again.body)
		}
		if again.header.Get("Idempotent-Replayed") != "true" ||
			again.header.Get("Original-Request-Id") != first.header.Get("X-Request-Id") ||
			again.header.Get("X-Request-Id") == first.header.Get("X-Request-Id") {
			t.Errorf("%s: headers of the replay %v", q.path, again.header)
		}
	}
	if got := r.get("/v1/wallet/transaction/" + tx); got.number("capturedAmount") != 200 ||
		got.number("canceledAmount") != 50 || got.number("refundedAmount") != 70 {
		t.Errorf("a replay had an effect: %s", got.body)
	}
}

func TestTheSameMeaningInOtherClothesIsAReplay(t *testing.T) {
	r := newRig(t)
	iin, phone := customer.Example(1)
	r.fund(t, 1, "KZT", 1000)
	national := phone.Reveal()[2:]
	first := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, replaced("", ""), idem("k")})
	for _, body := range []string{
		" {\n\t" + replaced("", "")[1:] + "\n",
		`{"currency":"KZT","orderReference":"O","iin":"` + iin.Reveal() + `","phoneNumber":"8` + national +
			`","amount":100,"note":"unknown fields mean nothing"}`,
		replaced("phoneNumber", `"+7 (`+national[:3]+`) `+national[3:6]+`-`+national[6:8]+`-`+national[8:]+`"`),
		replaced("orderReference", `"\u004f"`),
	} {
		a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, body, idem(`"k"`)})
		if a.body != first.body || a.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if r.transactions() != 1 {
		t.Errorf("%d transactions, want 1", r.transactions())
	}
}

func TestAnotherMeaningIsRefusedAndStoresNothing(t *testing.T) {
	onEveryStore(t, testAnotherMeaningIsRefusedAndStoresNothing)
}

func testAnotherMeaningIsRefusedAndStoresNothing(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 100_000)
	r.fund(t, 2, "KZT", 100_000)
	one := r.authorize(1, 500, "O").text("walletTransactionId")
	two := r.authorize(1, 500, "O").text("walletTransactionId")
	const authorize = "/v1/wallet/authorize"
	_, other := customer.Example(2)
	otherIIN, _ := customer.Example(2)
	first := r.do(ask{"POST", authorize, r.shop, replaced("", ""), idem("k")})
	for name, q := range map[string]ask{
		"amount":    {"POST", authorize, r.shop, replaced("amount", "101"), nil},
		"phone":     {"POST", authorize, r.shop, replaced("phoneNumber", `"`+other.Reveal()+`"`), nil},
		"iin":       {"POST", authorize, r.shop, replaced("iin", `"`+otherIIN.Reveal()+`"`), nil},
		"reference": {"POST", authorize, r.shop, replaced("orderReference", `"o"`), nil},
		"currency":  {"POST", authorize, r.shop, replaced("currency", `"USD"`), nil},
		"operation": {"POST", "/v1/wallet/" + one + "/capture", r.shop, `{"amount":100}`, nil},
	} {
		q.header = idem("k")
		a := r.do(q)
		if a.status != 422 || a.reason() != "idempotency_key_reused" || a.text("source") != "Idempotency-Key" ||
			!strings.Contains(a.text("message"), "2026-02-19T10:18:58.123456Z") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	r.do(ask{"POST", "/v1/wallet/" + one + "/capture", r.shop, `{"amount":100}`, idem("op")})
	for name, path := range map[string]string{
		"another transaction": "/v1/wallet/" + two + "/capture",
		"another operation":   "/v1/wallet/" + one + "/refund",
		"no transaction":      "/v1/wallet/nonsense/capture",
	} {
		a := r.do(ask{"POST", path, r.shop, `{"amount":100}`, idem("op")})
		if a.status != 422 || a.reason() != "idempotency_key_reused" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if again := r.do(ask{"POST", authorize, r.shop, replaced("", ""), idem("k")}); again.body != first.body {
		t.Errorf("the first answer was lost: %s", again.body)
	}
}

func TestAKeyLivesThirtyDays(t *testing.T) { onEveryStore(t, testAKeyLivesThirtyDays) }

func testAKeyLivesThirtyDays(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 1000)
	q := ask{"POST", "/v1/wallet/authorize", r.shop, replaced("", ""), idem("k")}
	first := r.do(q)
	r.clock.Advance(30*24*time.Hour.Microseconds() - 1)
	if a := r.do(q); a.body != first.body {
		t.Errorf("just before 30 days: %s", a.body)
	}
	r.clock.Advance(1)
	if a := r.do(q); a.body == first.body || a.status != 201 {
		t.Errorf("after 30 days: %d %s", a.status, a.body)
	}
}

func TestTwoHundredCallersWithOneKey(t *testing.T) { onEveryStore(t, testTwoHundredCallersWithOneKey) }

func testTwoHundredCallersWithOneKey(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 100_000)
	answers := make([]*answer, 200)
	var callers sync.WaitGroup
	for i := range answers {
		callers.Go(func() {
			answers[i] = r.do(ask{"POST", "/v1/wallet/authorize", r.shop, replaced("", ""), idem("one")})
		})
	}
	callers.Wait()
	replays := 0
	for _, a := range answers {
		if a.status != 201 || a.body != answers[0].body {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a.header.Get("Idempotent-Replayed") == "true" {
			replays++
		}
	}
	if replays != 199 || r.transactions() != 1 || r.available(1, "KZT") != 99_900 {
		t.Errorf("%d replays, %d transactions, %d available", replays, r.transactions(), r.available(1, "KZT"))
	}
}

// committer answers every instruction with the same outcome or trouble.
type committer func(context.Context, machine.Instruction) (machine.Outcome, error)

func (f committer) Submit(ctx context.Context, _ int, in machine.Instruction) (machine.Outcome, error) {
	return f(ctx, in)
}

func TestTroubleOfCommitting(t *testing.T) {
	var err error
	r := newRig(t, func(_ *rig, o *httpapi.Options, _ *server.Options) {
		o.Commit = committer(func(context.Context, machine.Instruction) (machine.Outcome, error) {
			return machine.Outcome{}, err
		})
	})
	for _, c := range []struct {
		err    error
		status int
		reason string
		code   int64
		retry  string
	}{
		{commit.ErrBusy, 503, "busy", 1, "1"},
		{commit.ErrClosed, 503, "busy", 1, "1"},
		{commit.ErrStale, 503, "busy", 1, "1"},
		{commit.ErrUnknown, 503, "outcome_unknown", 1, "1"},
		{commit.ErrInProgress, 409, "idempotency_in_progress", 5, "1"},
		{commit.ErrInternal, 500, "internal", 2, ""},
		{errors.New("disk on fire"), 500, "internal", 2, ""},
	} {
		err = c.err
		a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, replaced("", ""), idem("k")})
		if a.status != c.status || a.reason() != c.reason || a.number("code") != c.code ||
			a.header.Get("Retry-After") != c.retry ||
			a.header.Get("Should-Retry") != strconv.FormatBool(c.retry != "") ||
			strings.Contains(a.body, "fire") {
			t.Errorf("%v: %d %v %s", c.err, a.status, a.header, a.body)
		}
	}
}

func TestTheDeadlineReachesTheCommitter(t *testing.T) {
	r := newRig(t, func(_ *rig, o *httpapi.Options, s *server.Options) {
		s.HandleTimeout = time.Millisecond
		o.Commit = committer(func(ctx context.Context, _ machine.Instruction) (machine.Outcome, error) {
			<-ctx.Done()
			return machine.Outcome{}, commit.ErrInProgress
		})
	})
	a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, replaced("", ""), idem("k")})
	if a.status != 409 || a.header.Get("Retry-After") != "1" || a.text("type") != "validationError" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestEntriesKnowWhoAsked(t *testing.T) { onEveryStore(t, testEntriesKnowWhoAsked) }

func testEntriesKnowWhoAsked(t *testing.T, r *rig) {
	r.fund(t, 1, "KZT", 1000)
	a := r.do(ask{"POST", "/v1/wallet/authorize", r.shop, replaced("", ""), idem(`"quoted"`)})
	records, err := r.store.Operations(t.Context(), a.text("walletTransactionId"))
	check(t, err)
	keys, err := r.store.APIKeys(t.Context(), r.shopID)
	check(t, err)
	origin := records[0].Origin
	if origin.RequestID != a.header.Get("X-Request-Id") || origin.IdempotencyKey != "quoted" ||
		origin.APIKeyID != keys[0].ID {
		t.Errorf("origin %+v", origin)
	}
}

func TestTheLogNamesNoPersonAndNoSecret(t *testing.T) {
	r := newRig(t)
	iin, phone := customer.Example(1)
	r.fund(t, 1, "KZT", 1000)
	r.do(ask{"POST", "/v1/wallet/authorize", r.shop, replaced("", ""), idem("idem-secret")})
	r.do(ask{"POST", "/v1/wallet/authorize", r.shop, replaced("amount", "0"), idem("idem-secret")})
	r.do(ask{"GET", "/v1/wallet/transactions?orderReference=" + iin.Reveal(), r.shop, "", nil})
	r.do(ask{"GET", "/v1/" + phone.Reveal(), r.shop, "", http.Header{"User-Agent": {"agent-secret"}}})
	r.flush()
	log := r.log.String()
	if strings.Count(log, "\n") != 4 || !strings.Contains(log, r.shopID) {
		t.Fatalf("log:\n%s", log)
	}
	for _, never := range []string{iin.Reveal(), phone.Reveal()[2:], r.shop, "secret"} {
		if strings.Contains(log, never) {
			t.Errorf("the log holds %s:\n%s", never, log)
		}
	}
}
