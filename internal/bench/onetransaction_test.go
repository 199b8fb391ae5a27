package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"plexy/internal/pgtest"
)

// TestYardstickKeepsTheSameBooks plays a load against the one-transaction server and lets `plexy verify`
// recompute the books: it writes what the real batch writes, or the comparison would be unfair.
func TestYardstickKeepsTheSameBooks(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary and starts servers; the full run has it")
	}
	cfg := Quick()
	cfg.Binary, cfg.WorkDir, cfg.Connections, cfg.Wallets = build(t), t.TempDir(), 8, 20
	s := store{dir: filepath.Join(cfg.WorkDir, "data"), database: pgtest.Database(t)}
	s, err := s.furnish(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	server, err := start(t.Context(), spawn{
		binary:    cfg.Binary,
		arguments: append([]string{"bench", "one-transaction", "--listen", "LISTEN"}, s.flags()...),
		logPath:   filepath.Join(cfg.WorkDir, "log"), patience: startPatience,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer server.kill()
	const requests = 400
	outcome, err := play(t.Context(), Load{
		Address: server.address, APIKeys: s.keys, Connections: cfg.Connections,
		Payers: examplePayers(cfg.Wallets), Phases: []Phase{{Operation: Authorize, Requests: requests}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := outcome.Measures[0].Requests; got != requests {
		t.Errorf("%d requests succeeded, want %d", got, requests)
	}
	checkRepeats(t, server.address, s.keys[0])
	if err := server.stop(); err != nil {
		t.Error(err)
	}
	if _, err := run(t.Context(), cfg.Binary, nil, append([]string{"verify"}, s.flags()...)...); err != nil {
		t.Errorf("the books do not hold: %v", err)
	}
}

// checkRepeats sends one request again and again, at once: there is one answer, and whoever is refused
// meanwhile is told to come again.
func checkRepeats(t *testing.T, address, key string) {
	t.Helper()
	c := composer{apiKey: key}
	request := bytes.Clone(c.authorize(examplePayers(1)[0], 7))
	var mu sync.Mutex
	answers := map[string]int{}
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			w, err := dial(address)
			if err != nil {
				t.Error(err)
				return
			}
			defer w.conn.Close()
			for status := 409; status == 409; {
				var body []byte
				if status, body, err = w.exchange(request); err != nil {
					t.Error(err)
					return
				}
				var answered authorizeAnswer
				if status == 201 && json.Unmarshal(body, &answered) == nil {
					mu.Lock()
					answers[answered.ID]++
					mu.Unlock()
				} else if status != 409 {
					t.Errorf("answered %d %s", status, body)
				}
			}
		})
	}
	callers.Wait()
	if len(answers) != 1 {
		t.Errorf("one key had the effects %v, want one", answers)
	}
}

// TestFillOpensEveryWallet fills a SQLite store and counts by the command line what is there.
func TestFillOpensEveryWallet(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary; the full run has it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg := Quick()
	cfg.Binary, cfg.Connections, cfg.Wallets = build(t), 2, 300
	s, err := store{dir: filepath.Join(t.TempDir(), "data")}.furnish(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.keys) != fewestKeys || s.keys[0] == s.keys[1] {
		t.Errorf("%d API keys, want %d different ones", len(s.keys), fewestKeys)
	}
	for _, n := range []int{0, 255, 256, 299} {
		p := examplePayers(cfg.Wallets)[n]
		show := append([]string{"wallet", "show", "--json", "--currency", currency,
			"--phone", p.Phone, "--iin", p.IIN}, s.flags()...)
		output, err := run(ctx, cfg.Binary, nil, show...)
		if err != nil {
			t.Fatal(err)
		}
		var shown struct{ Available int64 }
		if err := json.Unmarshal(output, &shown); err != nil || shown.Available != balanceMinor {
			t.Errorf("wallet %d is %s, want %d available", n, output, int64(balanceMinor))
		}
	}
	if _, err := run(ctx, cfg.Binary, nil, append([]string{"verify"}, s.flags()...)...); err != nil {
		t.Errorf("the books do not hold: %v", err)
	}
}
