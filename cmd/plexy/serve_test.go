package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"plexy/internal/app"
)

// pasted runs the n-th curl of a banner in a shell, after setting what the banner says to set.
func pasted(t *testing.T, banner string, n int, first string) sold {
	t.Helper()
	commands := regexp.MustCompile(`(?m)^curl (?:.*\\\n)*.*\n`).FindAllString(banner, -1)
	if len(commands) <= n {
		t.Fatalf("the banner has %d curls:\n%s", len(commands), banner)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "bash", "-c", first+"\n"+commands[n]).Output()
	if err != nil {
		t.Fatalf("%s: %v", commands[n], err)
	}
	var answer sold
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("%s answered %s: %v", commands[n], out, err)
	}
	return answer
}

func TestFirstStartOfASandbox(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve()
		made := pasted(t, s.banner, 0, "")
		if made.Status != "SUCCESS" || made.State != "authorized" {
			t.Fatalf("the printed curl answered %+v", made)
		}
		taken := pasted(t, s.banner, 1, "WT="+made.ID)
		if taken.State != "partially_captured" || taken.ID != made.ID {
			t.Errorf("the second curl answered %+v", taken)
		}
		key := regexp.MustCompile(`pr_[0-9a-f]{32}`).FindString(s.banner)
		if strings.Contains(s.log.String(), key) {
			t.Error("the key is in the log")
		}
		if code := s.stop(); code != 0 {
			t.Fatalf("the server ended with %d: %s", code, s.log)
		}
		again := r.serve()
		if strings.Contains(again.banner, "pr_") || strings.Contains(again.banner, "curl") ||
			!strings.Contains(again.banner, again.address) {
			t.Errorf("the second start says\n%s", again.banner)
		}
		status, kept, err := again.call(key, http.MethodGet, "/v1/wallet/transaction/"+made.ID, nil)
		if err != nil || status != 200 || kept.State != "partially_captured" || kept.Captured != 5000 {
			t.Errorf("after the second start the transaction is %d %+v %v", status, kept, err)
		}
		var all []app.Merchant
		r.record(&all, "merchant", "list")
		if len(all) != 1 || len(all[0].Payable) != 1 ||
			all[0].Payable[0] != (app.Payable{Currency: "KZT", Pending: 10_000, Posted: 5_000}) {
			t.Errorf("the merchants are %+v", all)
		}
		r.do("verify")
	})
}

// TestFirstStartThatFails: an address that is taken does not use up the demo, whose key is shown once.
func TestFirstStartThatFails(t *testing.T) {
	r := newRig(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	r.refuse(exitTrouble, "address already in use", "serve", "--listen", taken.Addr().String())
	if made := pasted(t, r.serve().banner, 0, ""); made.Status != "SUCCESS" {
		t.Errorf("the demo of the next start answered %+v", made)
	}
}

func TestProductionHasNoDemo(t *testing.T) {
	r := newRig(t)
	s := r.serve("--environment", "production")
	var all []app.Merchant
	r.record(&all, "merchant", "list")
	if len(all) != 0 || strings.Contains(s.banner, "pr_") {
		t.Errorf("production began with %+v and\n%s", all, s.banner)
	}
}

func TestASecondServerOnOneFile(t *testing.T) {
	r := newRig(t)
	r.serve()
	second := r.launch()
	code, said := <-second.ended, second.log.String()
	if code != exitInstallation || !strings.Contains(said, "another server is running") {
		t.Errorf("the second server ended with %d: %s", code, said)
	}
	close(second.ended)
	r.do("merchant", "list")
}

// TestRevokedKey: a created key works at once, a revoked one is refused within a second of the command.
func TestRevokedKey(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve()
		var m app.NewMerchant
		r.record(&m, "merchant", "create", "--name", "Shop")
		for range 3 {
			var k app.NewKey
			missing := "pr_" + strings.Repeat("0", 32)
			if status, _, err := s.call(missing, http.MethodGet, "/v1/wallet/transactions", nil); status != 401 {
				t.Fatalf("a key that is none got %d %v", status, err)
			}
			r.record(&k, "key", "create", "--merchant", m.MerchantID)
			if status, _, err := s.call(k.APIKey, http.MethodGet, "/v1/wallet/transactions", nil); status != 200 {
				t.Fatalf("a fresh key got %d %v", status, err)
			}
			r.do("key", "revoke", k.KeyID)
			deadline := time.Now().Add(time.Second)
			for {
				asked := time.Now()
				status, _, err := s.call(k.APIKey, http.MethodGet, "/v1/wallet/transactions", nil)
				if err != nil {
					t.Fatal(err)
				}
				if status == 401 {
					break
				}
				if asked.After(deadline) {
					t.Fatalf("a second after it was revoked the key still got %d", status)
				}
			}
		}
	})
}

// TestExpiryAfterAStop: a hold whose time came while the server was down is released when it is back.
func TestExpiryAfterAStop(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve()
		key := regexp.MustCompile(`pr_[0-9a-f]{32}`).FindString(s.banner)
		made := pasted(t, s.banner, 0, "")
		s.stop()
		t.Setenv("PLEXY_TEST_CLOCK_SKEW", "200h")
		s = r.serve()
		eventually(t, "the hold is released", func() error {
			_, now, err := s.call(key, http.MethodGet, "/v1/wallet/transaction/"+made.ID, nil)
			if err == nil && (now.State != "expired" || now.Status != "SUCCESS" || now.Remaining != 0) {
				err = fmt.Errorf("it is %+v", now)
			}
			return err
		})
		r.do("verify")
	})
}

// TestStopFinishesWhatItAccepted: every request that was accepted is answered, and what was answered with
// success is there afterwards.
func TestStopFinishesWhatItAccepted(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve()
		key := regexp.MustCompile(`pr_[0-9a-f]{32}`).FindString(s.banner)
		var mu sync.Mutex
		var done []string
		var callers sync.WaitGroup
		enough := make(chan struct{})
		for range 16 {
			callers.Go(func() {
				for {
					status, made, err := s.authorize(key, person(0), 1)
					if err != nil {
						return // the listener is closed
					}
					if status != 201 || made.Status != "SUCCESS" {
						t.Errorf("an accepted request was answered with %d %+v", status, made)
						return
					}
					mu.Lock()
					if done = append(done, made.ID); len(done) == 200 {
						close(enough)
					}
					mu.Unlock()
				}
			})
		}
		<-enough
		if code := s.stop(); code != 0 {
			t.Errorf("the server ended with %d: %s", code, s.log)
		}
		callers.Wait()
		if strings.Contains(s.log.String(), `"level":"ERROR"`) {
			t.Errorf("the log has errors:\n%s", s.log)
		}
		s = r.serve()
		for _, id := range done {
			if status, _, err := s.call(key, http.MethodGet, "/v1/wallet/transaction/"+id, nil); status != 200 {
				t.Fatalf("%s was answered with success and is %d %v now", id, status, err)
			}
		}
	})
}

func TestMetrics(t *testing.T) {
	r := newRig(t)
	s := r.serve("--metrics-listen", "127.0.0.1:0")
	pasted(t, s.banner, 0, "")
	at := regexp.MustCompile(`metrics +(\S+)`).FindStringSubmatch(s.banner)[1]
	eventually(t, "the metrics say what happened", func() error {
		out, err := exec.Command("curl", "-sS", at).Output()
		for _, want := range []string{
			`plexy_operations_total{kind="authorize",outcome="ok"} 1`, "plexy_commit_batch_size_count",
			"plexy_commit_queue_depth 0", `plexy_ledger_imbalance_minor_units{currency="KZT"} 0`,
			`plexy_http_requests_total{route="/v1/wallet/authorize",status="201"} 1`,
		} {
			if err == nil && !strings.Contains(string(out), want) {
				err = fmt.Errorf("%s is missing in\n%s", want, out)
			}
		}
		return err
	})
	out, err := exec.Command("curl", "-s", "http://"+s.address+"/metrics").Output()
	if err != nil || !strings.Contains(string(out), "route_unknown") {
		t.Errorf("the API's own address answers /metrics with %s %v", out, err)
	}
}

func TestFailPointOnlyWhereThereIsOne(t *testing.T) {
	r := newRig(t)
	t.Setenv("PLEXY_TEST_FAILPOINT", "nowhere")
	r.refuse(exitUsage, "PLEXY_TEST_FAILPOINT", "merchant", "create", "--name", "Shop")
	t.Setenv("PLEXY_TEST_FAILPOINT", "before-commit:1:error")
	r.do("merchant", "create", "--name", "Shop") // a record, not a batch
	a := r.try(person(1).of("wallet", "top-up", "--amount", "5")...)
	if a.code == 0 || !strings.Contains(a.err, "fail-point") {
		t.Errorf("the batch ended with %d %s", a.code, a.err)
	}
	t.Setenv("PLEXY_TEST_FAILPOINT", "")
	r.refuse(exitRefused, "wallet_not_found", person(1).of("wallet", "show")...)
	if _, err := os.Stat(filepath.Join(r.data, "plexy.db")); err != nil {
		t.Error(err)
	}
}
