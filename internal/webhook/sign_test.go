package webhook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"plexy/internal/webhook"
	"plexy/receiver"
)

const (
	at   = 1_795_000_000_900_000
	body = `{"id":"evt_1","number":7,"sequence":2,"name":"wallet.transaction.captured","version":1,` +
		`"merchantId":"mer_1","createdAt":"2026-11-27T10:00:00.123456Z","data":{"id":"wt_1","amount":1000}}`
)

func newKey(t testing.TB) webhook.Key {
	t.Helper()
	key, err := webhook.NewKey(bytes.Repeat([]byte{'k'}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// message returns a message to an endpoint, signed by the secrets of the given versions.
func message(t testing.TB, versions ...int64) webhook.Message {
	t.Helper()
	key := newKey(t)
	m := webhook.Message{ID: "evt_1", Body: []byte(body), Token: key.Token("we_1", 1)}
	for _, version := range versions {
		m.Secrets = append(m.Secrets, key.Secret("we_1", version))
	}
	return m
}

// TestDerivedTexts: the values were computed by another program. Merchants keep them, so they never change.
func TestDerivedTexts(t *testing.T) {
	key := newKey(t)
	for got, want := range map[string]string{
		key.Secret("we_1", 1).Reveal(): "whsec_CQgz6L0Tq9ucDAiz0ja7ugmU28Ptc5JvLgKtw7ouhEs=",
		key.Secret("we_1", 2).Reveal(): "whsec_u1by2erAnKDY25dEE9Oe4K6dNxolxWK7PLczpIt/mTo=",
		key.Token("we_1", 1).Reveal():  "whtok_t4a9-gBxascF16OmEkPEAH8O38k3u_lC0nNxN_gJhjY",
		key.Token("we_1", 2).Reveal():  "whtok_kCqRaP-0VQfsNIFB-ktPDr7CDdGb_eTfHaunRBBrTb4",

		key.PrivateKey("we_1", 1).Public(): "whpk_heS9Jaiu8C3vznR47EH6MWtjHGlMia/xQXaL8P1RH2c=",
		key.PrivateKey("we_1", 2).Public(): "whpk_XsnwEovHBMCK5TfUUyx7RSKG8O9lh+t6PSscz++iDZ4=",
	} {
		if got != want {
			t.Errorf("derived %s, want %s", got, want)
		}
	}
	seen := map[string]bool{}
	for _, endpoint := range []string{"we_1", "we_2", "1 we_1", ""} {
		for version := range int64(20) {
			seen[key.Secret(endpoint, version).Reveal()[6:]] = true
			seen[key.Token(endpoint, version).Reveal()[6:]] = true
			seen[key.PrivateKey(endpoint, version).Public()[5:]] = true
		}
	}
	if len(seen) != 240 {
		t.Errorf("%d different values of 240", len(seen))
	}
	for _, n := range []int{0, 31, 33} {
		if _, err := webhook.NewKey(make([]byte, n)); err == nil {
			t.Errorf("a key of %d bytes is taken", n)
		}
	}
}

func TestNothingShowsSecrets(t *testing.T) {
	key := newKey(t)
	secret, token, private := key.Secret("we_1", 1), key.Token("we_1", 1), key.PrivateKey("we_1", 1)
	var log bytes.Buffer
	for _, v := range []any{
		key, secret, token, private, &secret, &private, []webhook.Secret{secret}, message(t, 1),
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%b", "%t"} {
			fmt.Fprintf(&log, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		log.Write(text)
	}
	for what, shown := range map[string]string{
		"the key in bytes": "107 107", "the key in letters": "kkkk", "the key in hex": "6b6b6b",
		"the secret": secret.Reveal()[6:], "the token": token.Reveal()[6:],
		"the secret in bytes": "9 8 51", "the secret in hex": "090833",
		"the private key in bytes": "44 153 101", "the private key in hex": "2c9965",
	} {
		if strings.Contains(strings.ToLower(log.String()), strings.ToLower(shown)) {
			t.Errorf("%s is shown", what)
		}
	}
	if !strings.Contains(log.String(), "(hidden)") {
		t.Error("no mask is shown")
	}
}

// TestJudged: the library of those who wrote the standard accepts what we sign, with either secret.
func TestJudged(t *testing.T) {
	m := message(t, 2, 1)
	h, err := webhook.Headers(m, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range m.Secrets {
		judge, err := standardwebhooks.NewWebhook(s.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if err := judge.VerifyIgnoringTimestamp(m.Body, h); err != nil {
			t.Errorf("the judge says: %v", err)
		}
		if judge.VerifyIgnoringTimestamp([]byte(body+" "), h) == nil {
			t.Error("the judge accepts another body: it judges nothing")
		}
	}
	third, err := standardwebhooks.NewWebhook(newKey(t).Secret("we_2", 1).Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if third.VerifyIgnoringTimestamp(m.Body, h) == nil {
		t.Error("the secret of another endpoint fits")
	}
}

// TestReceived: what we send is what the merchant's package accepts, and old or altered copies are not.
func TestReceived(t *testing.T) {
	m := message(t, 2, 1)
	now := time.UnixMicro(at)
	for name, secrets := range map[string][]string{
		"old":  {m.Secrets[1].Reveal()},
		"new":  {m.Secrets[0].Reveal()},
		"both": {m.Secrets[1].Reveal(), m.Secrets[0].Reveal()},
	} {
		r, err := receiver.New(m.Token.Reveal(), secrets...)
		if err != nil {
			t.Fatal(err)
		}
		h, err := webhook.Headers(m, at)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := r.Verify(h, m.Body, now); err != nil || e.ID != "evt_1" || e.Number != 7 {
			t.Errorf("%s: %v", name, err)
		}
		altered := slices.Clone(m.Body)
		altered[len(altered)/2] ^= 1
		if _, err := r.Verify(h, altered, now); !errors.Is(err, receiver.ErrSignature) {
			t.Errorf("%s: one byte altered: %v", name, err)
		}
		late := now.Add(5 * time.Minute)
		if _, err := r.Verify(h, m.Body, late); !errors.Is(err, receiver.ErrTime) {
			t.Errorf("%s: a copy of five minutes ago: %v", name, err)
		}
		// Each attempt is signed afresh, so a retry at that time is as good as the first was.
		again, err := webhook.Headers(m, late.UnixMicro())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Verify(again, m.Body, late); err != nil {
			t.Errorf("%s: a retry: %v", name, err)
		}
		if again.Get("webhook-id") != h.Get("webhook-id") {
			t.Error("a retry has another id")
		}
	}
}

func TestUnsignedIsImpossible(t *testing.T) {
	for what, alter := range map[string]func(*webhook.Message){
		"no secret":             func(m *webhook.Message) { m.Secrets = nil },
		"a secret of nobody":    func(m *webhook.Message) { m.Secrets = []webhook.Secret{{}} },
		"one of two is nobody":  func(m *webhook.Message) { m.Secrets = append(m.Secrets, webhook.Secret{}) },
		"a key of nobody":       func(m *webhook.Message) { m.PrivateKeys = []webhook.PrivateKey{{}} },
		"a token of nobody":     func(m *webhook.Message) { m.Token = webhook.Token{} },
		"no id":                 func(m *webhook.Message) { m.ID = "" },
		"an id with a dot":      func(m *webhook.Message) { m.ID = "evt.1" },
		"an id with a new line": func(m *webhook.Message) { m.ID = "evt_1\r\nX: y" },
	} {
		m := message(t, 1)
		alter(&m)
		if h, err := webhook.Headers(m, at); !errors.Is(err, webhook.ErrUnsigned) || h != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestMarksReplaceNothing(t *testing.T) {
	m := message(t, 1)
	plain, err := webhook.Headers(m, at)
	if err != nil {
		t.Fatal(err)
	}
	m.Marks = http.Header{"plexy-replay": {"true"}}
	for name := range plain {
		m.Marks[strings.ToLower(name)] = []string{"x"}
	}
	marked, err := webhook.Headers(m, at)
	if err != nil {
		t.Fatal(err)
	}
	if marked.Get("Plexy-Replay") != "true" {
		t.Error("the mark is not there")
	}
	for name := range plain {
		if !slices.Equal(plain[name], marked[name]) {
			t.Errorf("%s is %q", name, marked[name])
		}
	}
}
