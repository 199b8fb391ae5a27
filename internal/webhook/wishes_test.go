package webhook_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"plexy/internal/event"
	"plexy/internal/storage"
	"plexy/internal/webhook"
	"plexy/receiver"
)

// fitting counts the signatures of a delivery that fit the public key, straight with crypto/ed25519.
func fitting(t testing.TB, v visit, public string) (n int) {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(public, "whpk_"))
	if err != nil || len(key) != ed25519.PublicKeySize {
		t.Fatalf("%q is no public key: %v", public, err)
	}
	for _, signature := range strings.Split(v.Get("webhook-signature"), " ") {
		text, asymmetric := strings.CutPrefix(signature, "v1a,")
		raw, err := base64.StdEncoding.DecodeString(text)
		message := v.Get("webhook-id") + "." + v.Get("webhook-timestamp") + "." + v.body
		if asymmetric && err == nil && ed25519.Verify(key, []byte(message), raw) {
			n++
		}
	}
	return n
}

// versions are the versions of a delivery's signatures, in order.
func versions(v visit) string {
	var all []string
	for _, signature := range strings.Split(v.Get("webhook-signature"), " ") {
		version, _, _ := strings.Cut(signature, ",")
		all = append(all, version)
	}
	return strings.Join(all, " ")
}

// TestEd25519 follows an endpoint from one way to sign over both to the other, and through a rotation.
func TestEd25519(t *testing.T) {
	w, s, e := begin(t)
	token := w.hooks.Token(e.ID, 1).Reveal()
	first, second := w.hooks.PrivateKey(e.ID, 1).Public(), w.hooks.PrivateKey(e.ID, 2).Public()
	secret := w.hooks.Secret(e.ID, 1).Reveal()
	accepts := func(v visit, known ...string) bool {
		t.Helper()
		kit, err := receiver.New(token, known...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = kit.Verify(v.Header, []byte(v.body), time.Now()); err != nil &&
			!errors.Is(err, receiver.ErrSignature) {
			t.Fatal(err)
		}
		return err == nil
	}
	step := func(want string, known ...string) visit {
		t.Helper()
		w.quiet(s, 1) // the worker has seen the change
		w.hold()
		v := s.say(200)
		if versions(v) != want {
			t.Errorf("signed %s, want %s", versions(v), want)
		}
		for _, key := range []string{secret, first, second} {
			if got, want := accepts(v, key), strings.Contains(fmt.Sprint(known), key); got != want {
				t.Errorf("signed %s, it is accepted with %.10s…: %v", versions(v), key, got)
			}
		}
		return v
	}
	step("v1", secret)
	e.Signatures = []event.Signature{event.HMAC, event.Ed25519}
	w.set(e)
	if v := step("v1 v1a", secret, first); fitting(t, v, first) != 1 || fitting(t, v, second) != 0 {
		t.Errorf("the published key does not fit %s", v.Get("webhook-signature"))
	}
	e.Signatures = []event.Signature{event.Ed25519}
	w.set(e)
	step("v1a", first)
	e.Secret, e.PreviousUntil = 2, w.clock.Now()+24*3600*1_000_000
	w.set(e)
	if v := step("v1a v1a", first, second); fitting(t, v, first) != 1 || fitting(t, v, second) != 1 {
		t.Errorf("the published keys do not fit %s", v.Get("webhook-signature"))
	}
	w.later(24 * time.Hour)
	step("v1a", second)
	w.delivered(e, 5)
}

// TestOwnSchedule: an endpoint's own waits count, with the same jitter, and so many and no more.
func TestOwnSchedule(t *testing.T) {
	t.Parallel()
	w, s := newWorld(t), open(t)
	w.sandbox = false
	waits := []time.Duration{10 * time.Minute, time.Second, time.Hour}
	e := w.endpoint(s.url, func(e *event.Endpoint) { e.Waits = waits })
	w.start()
	w.hold()
	for attempt, planned := range append(waits, 0) {
		s.say(500)
		d := w.tried(e, 1, attempt+1)
		if attempt == len(waits) {
			if d.State != event.Dead {
				t.Errorf("after %d attempts the delivery is %s", attempt+1, d.State)
			}
			break
		}
		wait := time.Duration(d.DueAt-w.clock.Now()) * time.Microsecond
		if wait < planned*84/100 || wait > planned*116/100 || wait == planned {
			t.Errorf("attempt %d comes after %v, planned %v and never exactly", attempt+2, wait, planned)
		}
		w.later(wait)
	}
	if attempts := w.attempts(e, 1); len(attempts) != 4 {
		t.Errorf("attempts: %+v", attempts)
	}
}

// TestRetryAfterOfAnOwnSchedule: it makes a wait longer here as well.
func TestRetryAfterOfAnOwnSchedule(t *testing.T) {
	s := webhook.Standard(true).Of(&event.Endpoint{Waits: []time.Duration{time.Second, 2 * time.Hour}})
	for n, want := range []time.Duration{0, 5 * time.Minute, 2 * time.Hour * 84 / 100} {
		if delay, dead := s.Next(n, "whd_1", min(5*time.Minute, time.Duration(n)*time.Hour)); dead || delay < want {
			t.Errorf("attempt %d after %v (%v), want at least %v", n+1, delay, dead, want)
		}
	}
	if _, dead := s.Next(3, "whd_1", time.Hour); !dead {
		t.Error("it goes on for ever")
	}
}

// TestConcurrencyOfAnEndpoint: no more attempts than the endpoint wants, fewer or more than the usual eight.
func TestConcurrencyOfAnEndpoint(t *testing.T) {
	for _, most := range []int{1, 3, 20} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			t.Parallel()
			w, s := newWorld(t), open(t)
			e := w.endpoint(s.url, func(e *event.Endpoint) { e.Concurrency = most })
			w.start()
			events := int64(3 * most)
			for range events {
				w.hold()
			}
			open, done := []visit{s.next()}, 1
			for size := 1; ; size++ {
				for len(open) < size {
					open = append(open, s.next())
					done++
				}
				if size == most {
					break
				}
				open[0].answer <- answer{status: 200}
				open = open[1:]
			}
			w.quiet(s, 2)
			for _, v := range open {
				v.answer <- answer{status: 200}
			}
			for range int(events) - done {
				s.say(200)
			}
			w.delivered(e, events)
		})
	}
}

// TestThinBodies: little data, everything else as usual; and what was sent once is sent so again, whatever
// the endpoint wants by then.
func TestThinBodies(t *testing.T) {
	w, s, e := begin(t)
	one := w.hold()
	whole := s.say(500)
	w.tried(e, 1, 1)
	e.Form.Thin = true
	w.set(e)
	w.quiet(s, 1)
	w.later(2 * time.Second)
	if again := s.say(200); again.body != whole.body {
		t.Errorf("the body was\n%s\nand is\n%s", whole.body, again.body)
	}
	w.delivered(e, 1)
	w.capture(one)
	thin := s.say(500)
	kit, err := receiver.New(w.hooks.Token(e.ID, 1).Reveal(), w.hooks.Secret(e.ID, 1).Reveal())
	if err != nil {
		t.Fatal(err)
	}
	got, err := kit.Verify(thin.Header, []byte(thin.body), time.Now())
	if err != nil || string(got.Data) != `{"id":"`+one.ID+`","sequence":2}` || got.Number != 2 ||
		got.Version != 1 || got.Name != "wallet.transaction.captured" || got.Operation.Amount != 1 ||
		got.ID != event.ID(one.ID, 2) {
		t.Errorf("%s: %v", thin.body, err)
	}
	w.tried(e, 2, 1)
	e.Form.Thin = false
	w.set(e)
	w.quiet(s, 1)
	w.later(2 * time.Second)
	if again := s.say(200); again.body != thin.body {
		t.Errorf("the body was\n%s\nand is\n%s", thin.body, again.body)
	}
	w.delivered(e, 2)
	w.replay(storage.ReplayQuery{Endpoint: e, From: 1, To: 9, Limit: 10}, 2)
	if replayed := s.say(200); replayed.body != whole.body {
		t.Errorf("the body was\n%s\nand is\n%s", whole.body, replayed.body)
	}
	if replayed := s.say(200); !strings.Contains(replayed.body, `"capturedAmount":1`) {
		t.Errorf("a replay of what had arrived has the present form, and is\n%s", replayed.body)
	}
}
