package proof_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"plexy/internal/pgtest"
)

// revokeLimit is how soon after the command's return a revoked key must be refused everywhere.
const revokeLimit = time.Second

// TestSeveralKeys: a created key works at once on every server, a revoked one on none after a second.
func TestSeveralKeys(t *testing.T) {
	s := newCluster(t)
	c := newClient(s)
	for range volume(t, 5) {
		var made struct {
			ID  string `json:"keyId"`
			Key string `json:"apiKey"`
		}
		s.record(&made, "key", "create", "--merchant", s.merchant.ID)
		list := request{method: http.MethodGet, path: "/v1/wallet/transactions/", apiKey: made.Key}
		for _, v := range s.servers {
			if a := c.send(v, list); a.status != http.StatusOK {
				t.Errorf("a new key on %s: %s", v.address, a)
			}
		}
		stop := c.ask(list) // so that every server has the key in mind at the moment it is revoked
		s.run("key", "revoke", made.ID)
		time.Sleep(revokeLimit)
		for _, v := range s.servers {
			if a := c.send(v, list); a.status != http.StatusUnauthorized {
				t.Errorf("a revoked key on %s after %v: %s", v.address, revokeLimit, a)
			}
		}
		stop()
	}
}

// ask sends a request to every server again and again until the returned function is called.
func (c *client) ask(r request) (stop func()) {
	done := make(chan struct{})
	var wait sync.WaitGroup
	for _, v := range c.site.servers {
		wait.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(pollEvery):
					c.send(v, r)
				}
			}
		})
	}
	return func() {
		close(done)
		wait.Wait()
	}
}

// TestFirstStartAtOnce starts everything at once on an empty database. One installation comes of it, which
// all take part in, and one demo.
func TestFirstStartAtOnce(t *testing.T) {
	t.Run(onSQLite, func(t *testing.T) {
		data := t.TempDir()
		s := &site{TB: t, engine: onSQLite, data: data, database: "sqlite:" + filepath.Join(data, "plexy.db")}
		firstStart(t, s, 1)
	})
	t.Run(onPostgres, func(t *testing.T) {
		for range volume(t, 3) {
			s := &site{TB: t, engine: onPostgres, data: t.TempDir(), database: pgtest.Database(t)}
			firstStart(t, s, 3)
		}
	})
}

func firstStart(t *testing.T, s *site, servers int) {
	t.Helper()
	programPath(t)
	for range servers {
		s.addServer()
	}
	var wait sync.WaitGroup
	made := make([]merchant, 2)
	for i := range made {
		wait.Go(func() {
			out, err := s.plexy("merchant", "create", "--name", fmt.Sprint("Shop ", i), "--json")
			if err == nil {
				err = json.Unmarshal(out, &made[i])
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	for _, v := range s.servers {
		wait.Go(func() {
			if _, err := v.start(); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if t.Failed() {
		return
	}
	c := newClient(s)
	p := s.fund(1, 1000)[0]
	for _, m := range made {
		s.merchant = m
		c.hold(p, 10)
	}
	demos := strings.Count(string(s.run("merchant", "list")), "mer_") - len(made)
	if demos > 1 {
		t.Errorf("%d demo merchants were made:\n%s", demos, s.run("merchant", "list"))
	}
	s.verify()
}

// TestTopUpKilled kills the command line while it tops up under a reference, and runs it again: the money
// arrives once, however often and wherever the command is asked.
func TestTopUpKilled(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		c := newClient(s)
		p := s.fund(1, 1)[0]
		want := int64(1)
		for n := range volume(t, 20) {
			arguments := []string{"wallet", "top-up", "--phone", p.phone, "--iin", p.iin, "--currency", "KZT",
				"--amount", "1000", "--reference", fmt.Sprint("salary-", n), "--json"}
			killCommand(t, s, arguments, rand.N(80*time.Millisecond))
			var wait sync.WaitGroup
			printed := make([]string, 3)
			for i := range printed {
				wait.Go(func() {
					out, err := s.plexy(arguments...)
					if err != nil {
						t.Error(err)
					}
					printed[i] = string(out)
				})
			}
			wait.Wait()
			if printed[0] != printed[1] || printed[0] != printed[2] {
				t.Errorf("one reference, different answers: %q", printed)
			}
			want += 1000
			c.hold(p, 1000) // what has arrived can be spent at once, on the server too
			checkWallet(t, s, p, balance{Available: 1, Pending: want - 1, Posted: want})
		}
		s.verify()
	})
}

// killCommand starts a command and kills it after a while.
func killCommand(t *testing.T, s *site, arguments []string, after time.Duration) {
	t.Helper()
	cmd := exec.Command(programPath(t), append(arguments, "--data", s.data, "--database", s.database)...)
	cmd.Env = plainEnvironment()
	cmd.SysProcAttr = leashed()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	_ = cmd.Process.Kill() // it may be done already
	_ = cmd.Wait()         // how it ended is the whole point
}
