package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"plexy/internal/app"
)

// demoKey is the API key of the demo merchant, as the first start printed it.
func (s *running) demoKey() string { return regexp.MustCompile(`pr_[0-9a-f]{32}`).FindString(s.banner) }

// clock is the test clock as the API or the command line shows it.
type shownClock app.TestClock

func (c shownClock) at(t testing.TB) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// clock gets the test clock, or with a body posts a change of it. The answer must be a 200.
func (s *running) clock(key, body string) (c shownClock, err error) {
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	status, text, err := s.raw(key, method, "/v1/sandbox/clock", body)
	if err != nil {
		return c, err
	}
	if status != http.StatusOK {
		return c, fmt.Errorf("%d %s", status, text)
	}
	return c, json.Unmarshal([]byte(text), &c)
}

// raw makes one request and returns the answer as it is.
func (s *running) raw(key, method, path, body string) (status int, text string, err error) {
	request, err := http.NewRequest(method, "http://"+s.address+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Authorization", key)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	return response.StatusCode, string(all), err
}

func (s *running) mustClock(key, body string) shownClock {
	s.Helper()
	c, err := s.clock(key, body)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// TestServersAndCommandsAgreeOnTheClock: whoever changes it, the server, a command beside it and, on
// PostgreSQL, a second server show the same frozen moment; a hold lapses; a restart keeps it.
func TestServersAndCommandsAgreeOnTheClock(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve()
		key := s.demoKey()
		servers := []*running{s}
		if strings.HasPrefix(r.database, "postgres") {
			servers = append(servers, r.serve())
		}
		held := pasted(t, s.banner, 0, "")

		frozen := s.mustClock(key, `{"freeze":true}`)
		agree := func(what string, want shownClock) {
			t.Helper()
			for _, s := range servers {
				eventually(t, what, func() error {
					got, err := s.clock(key, "")
					if err == nil && (got.Now != want.Now || got.Frozen != want.Frozen) {
						err = fmt.Errorf("a server shows %+v, want %+v", got, want)
					}
					return err
				})
			}
		}
		agree("frozen by the API", frozen)
		var told shownClock
		r.record(&told, "sandbox", "clock")
		if told.Now != frozen.Now || !told.Frozen {
			t.Errorf("the command shows %+v, the server %+v", told, frozen)
		}
		var moved shownClock
		r.record(&moved, "sandbox", "clock", "--advance", "7d")
		if want := frozen.at(t).Add(168 * time.Hour); !moved.at(t).Equal(want) || !moved.Frozen {
			t.Errorf("advanced by 7d the frozen clock shows %+v, want %v", moved, want)
		}
		agree("advanced by the command", moved)
		for _, s := range servers {
			eventually(t, "the hold lapses", func() error {
				_, now, err := s.call(key, http.MethodGet, "/v1/wallet/transaction/"+held.ID, nil)
				if err == nil && now.State != "expired" {
					err = fmt.Errorf("it is %+v", now)
				}
				return err
			})
		}
		var released shownClock
		r.record(&released, "sandbox", "clock", "--unfreeze")
		if released.Frozen || released.at(t).Before(moved.at(t)) {
			t.Errorf("released it shows %+v after %+v", released, moved)
		}
		for _, s := range servers {
			s.stop()
		}
		again := r.serve().mustClock(key, "")
		offset, err := time.ParseDuration(again.Offset)
		if again.Frozen || again.at(t).Before(released.at(t)) || err != nil || offset < 167*time.Hour {
			t.Errorf("after a restart it shows %+v, before it %+v", again, released)
		}
		r.do("verify")
	})
}

// TestTheClockNeverGoesBack: while many change it, every reader of a server sees time that only grows, and
// no step is lost.
func TestTheClockNeverGoesBack(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve("--rate-limit", "0")
		key := s.demoKey()
		servers := []*running{s, s}
		if strings.HasPrefix(r.database, "postgres") {
			servers[1] = r.serve("--rate-limit", "0")
		}
		done := make(chan struct{})
		var reading, writing sync.WaitGroup
		for _, s := range servers {
			reading.Go(func() {
				for last := (shownClock{Now: "2000-01-01T00:00:00Z"}); ; {
					now, err := s.clock(key, "")
					if err != nil {
						t.Error(err)
						return
					}
					if now.at(t).Before(last.at(t)) {
						t.Errorf("the clock went back from %+v to %+v", last, now)
						return
					}
					last = now
					select {
					case <-done:
						return
					default:
					}
				}
			})
		}
		const steps = 10
		for i, s := range servers {
			for range 2 {
				writing.Go(func() {
					for n := range steps {
						if _, err := s.clock(key, `{"advance":"1h"}`); err != nil {
							t.Error(err)
						}
						if _, err := s.clock(key, fmt.Sprintf(`{"freeze":%t}`, (n+i)%2 == 0)); err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		writing.Wait()
		close(done)
		reading.Wait()
		s.mustClock(key, `{"freeze":false}`)
		offset, err := time.ParseDuration(s.mustClock(key, "").Offset)
		// Each freezing adds a second, and each moment of standing still takes a little away.
		if want := 2 * 2 * steps * time.Hour; err != nil || offset < want-time.Minute || offset > want+time.Minute {
			t.Errorf("after %d steps of an hour the offset is %v, %v", 2*2*steps, offset, err)
		}
	})
}

func TestWhatTheClockRefuses(t *testing.T) {
	r := newRig(t)
	s := r.serve()
	key := s.demoKey()
	for body, source := range map[string]string{
		`{}`: "body", `{"advance":"-1h"}`: "advance", `{"advance":"0s"}`: "advance", `{"advance":3600}`: "advance",
		`{"advance":"87601h"}`: "advance", `{"advance":"100ns"}`: "advance", `{"advance":null}`: "advance",
		`{"freeze":"yes"}`: "freeze", `{"freeze":1,"advance":"1h"}`: "freeze",
	} {
		status, text, err := s.raw(key, http.MethodPost, "/v1/sandbox/clock", body)
		if err != nil || status != 400 || !strings.Contains(text, `"reason":"clock_invalid"`) ||
			!strings.Contains(text, `"source":"`+source+`"`) {
			t.Errorf("%s: %d %s %v", body, status, text, err)
		}
	}
	if status, _, err := s.raw("", http.MethodPost, "/v1/sandbox/clock", `{"advance":"1h"}`); status != 401 {
		t.Errorf("without a key: %d %v", status, err)
	}
	if c := s.mustClock(key, ""); c.Frozen || strings.Contains(c.Offset, "h") {
		t.Errorf("what was refused changed the clock: %+v", c)
	}
	r.refuse(exitUsage, "--advance", "sandbox", "clock", "--advance", "1 week")
	r.refuse(exitUsage, "--advance", "sandbox", "clock", "--advance", "87601h")
	r.refuse(exitUsage, "freeze", "sandbox", "clock", "--freeze", "--unfreeze")
}

// TestProductionHasNoTestClock: the route is not there, and the command says why it does nothing.
func TestProductionHasNoTestClock(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve("--environment", "production")
		var m app.NewMerchant
		r.record(&m, "merchant", "create", "--name", "Shop")
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			status, text, err := s.raw(m.APIKey, method, "/v1/sandbox/clock", `{"advance":"1h"}`)
			if err != nil || status != 404 || !strings.Contains(text, "route_unknown") {
				t.Errorf("%s: %d %s %v", method, status, text, err)
			}
		}
		r.refuse(exitRefused, "only a sandbox has a test clock", "sandbox", "clock")
		r.refuse(exitRefused, "only a sandbox has a test clock", "sandbox", "clock", "--advance", "1h")
	})
}

// TestFaultsOfAMerchant: a setting reaches a running server within half a second, and goes again.
func TestFaultsOfAMerchant(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve()
		var m app.NewMerchant
		r.record(&m, "merchant", "create", "--name", "Shop")
		list := func() (int, error) {
			status, _, err := s.raw(m.APIKey, http.MethodGet, "/v1/wallet/transactions?limit=1", "")
			return status, err
		}
		var shown app.Merchant
		r.record(&shown, "merchant", "set", m.MerchantID, "fault=list:error_503")
		if shown.Settings["fault"] != "list:error_503" {
			t.Errorf("the merchant is shown with %v", shown.Settings)
		}
		eventually(t, "the list is struck", func() error {
			if status, err := list(); err != nil || status != 503 {
				return fmt.Errorf("%d %v", status, err)
			}
			return nil
		})
		r.do("merchant", "set", m.MerchantID, "fault=none")
		eventually(t, "the list is not struck any more", func() error {
			for range 2 { // every other one was
				if status, err := list(); err != nil || status != 200 {
					return fmt.Errorf("%d %v", status, err)
				}
			}
			return nil
		})
		r.refuse(exitUsage, "slow=SECONDS", "merchant", "set", m.MerchantID, "fault=slow=9")
		r.refuse(exitUsage, "operation before the colon", "merchant", "set", m.MerchantID, "fault=topup:slow")
	})
}

func TestProductionHasNoFaults(t *testing.T) {
	r := newRig(t)
	s := r.serve("--environment", "production")
	var m app.NewMerchant
	r.record(&m, "merchant", "create", "--name", "Shop")
	r.refuse(exitRefused, "only a sandbox has faults", "merchant", "set", m.MerchantID, "fault=lost_answer")
	request, err := http.NewRequest(http.MethodGet, "http://"+s.address+"/v1/wallet/transactions", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header = http.Header{"Authorization": {m.APIKey}, "Plexy-Fault": {"not_sent"}}
	response, err := http.DefaultClient.Do(request)
	if err != nil || response.StatusCode != 200 || response.Header.Get("Plexy-Fault") != "" {
		t.Fatalf("%+v %v", response, err)
	}
	response.Body.Close()
}

// TestKeysAgeByTheTestClock: after a month an Idempotency-Key is as good as new, and not a day earlier.
func TestKeysAgeByTheTestClock(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve()
		key := s.demoKey()
		ask := func() string {
			t.Helper()
			text, err := json.Marshal(order(person(0), 100, "KZT"))
			if err != nil {
				t.Fatal(err)
			}
			request, err := http.NewRequest(http.MethodPost, "http://"+s.address+"/v1/wallet/authorize",
				strings.NewReader(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			request.Header = http.Header{
				"Authorization": {key}, "Content-Type": {"application/json"}, "Idempotency-Key": {"monthly"},
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			var made sold
			if err := json.NewDecoder(response.Body).Decode(&made); err != nil || made.Status != "SUCCESS" {
				t.Fatalf("%d %+v %v", response.StatusCode, made, err)
			}
			return made.ID
		}
		first := ask()
		s.mustClock(key, `{"advance":"29d"}`)
		if again := ask(); again != first {
			t.Error("after 29 days the key is forgotten")
		}
		s.mustClock(key, `{"advance":"1d"}`)
		second := ask()
		if second == first {
			t.Error("after 30 days the key is still known")
		}
		_, text, err := s.raw(key, http.MethodGet, "/v1/wallet/transactions?createdFrom="+
			s.mustClock(key, "").at(t).Add(-time.Hour).UTC().Format(time.RFC3339), "")
		if err != nil || !strings.Contains(text, second) || strings.Contains(text, first) {
			t.Errorf("the list of the last hour is %s, %v", text, err)
		}
		r.do("verify")
	})
}
