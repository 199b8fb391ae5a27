package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"plexy/internal/app"
)

// often is how many rounds a test goes: fewer in its short form.
func often(rounds int) int {
	if testing.Short() {
		return 2
	}
	return rounds
}

// spenders are callers that spend from the same wallets until they are told to stop.
type spenders struct {
	callers sync.WaitGroup
	stop    atomic.Bool
	ok      atomic.Int64 // authorizations that held
	cases   sync.Map     // what else was answered → true
}

// spend starts callers. allowed says which answers are right.
func (s *running) spend(key string, callers int, people []payer, allowed func(int, sold) bool) *spenders {
	sp := &spenders{}
	for i := range callers {
		sp.callers.Go(func() {
			for n := i; !sp.stop.Load(); n++ {
				status, made, err := s.authorize(key, people[n%len(people)], 1)
				switch {
				case err != nil:
					s.Errorf("a request was not answered: %v", err)
					return
				case !allowed(status, made):
					s.Errorf("an authorize was answered with %d %+v", status, made)
					return
				case status == 201 && made.Status == "SUCCESS":
					sp.ok.Add(1)
				default:
					sp.cases.Store(made.Failure+made.Reason, true)
				}
			}
		})
	}
	return sp
}

// reach waits until so many more authorizations held.
func (sp *spenders) reach(t testing.TB, more int64) {
	t.Helper()
	goal := sp.ok.Load() + more
	eventually(t, "callers get on", func() error {
		if n := sp.ok.Load(); n < goal {
			return fmt.Errorf("%d of %d", n, goal)
		}
		return nil
	})
}

func (sp *spenders) end() {
	sp.stop.Store(true)
	sp.callers.Wait()
}

// TestStaffBesideSpenders: the command line tops up, blocks wallets and changes keys while 64 callers spend
// from the same wallets. On SQLite it is a second writer of the server's file.
func TestStaffBesideSpenders(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve("--rate-limit", "0")
		var shop app.NewMerchant
		r.record(&shop, "merchant", "create", "--name", "Shop")
		people := []payer{person(1), person(2), person(3), person(4)}
		const first, each = 100_000, 1_000
		rounds := often(5)
		for _, p := range people {
			r.do(p.of("wallet", "top-up", "--amount", strconv.Itoa(first))...)
		}
		sp := s.spend(shop.APIKey, 64, people, func(status int, made sold) bool {
			return status == 201 && (made.Status == "SUCCESS" || made.Failure == "wallet_blocked")
		})
		for range rounds {
			for _, p := range people {
				r.do(p.of("wallet", "top-up", "--amount", strconv.Itoa(each))...)
			}
			s.blocksAtOnce(shop.APIKey, people[0])
			s.changesKeysAtOnce(shop)
			sp.reach(t, 50)
		}
		sp.end()
		var held int64
		for _, p := range people {
			var w app.Wallet
			r.record(&w, p.of("wallet", "show")...)
			if w.Posted != first+int64(rounds*each) || w.Available != w.Posted-w.Pending || w.Status != "active" {
				t.Errorf("a wallet ended as %+v", w)
			}
			held += w.Pending
		}
		// people[0] is also spent from by blocksAtOnce, with one success each.
		if want := sp.ok.Load() + int64(rounds); held != want {
			t.Errorf("%d is held and %d authorizations held 1 each", held, want)
		}
		if _, blocked := sp.cases.Load("wallet_blocked"); !blocked {
			t.Log("no caller met the blocked wallet; that is luck, not an error")
		}
		r.do("verify")
	})
}

// blocksAtOnce: from the return of the command on, nobody spends.
func (s *running) blocksAtOnce(key string, p payer) {
	s.Helper()
	s.do(p.of("wallet", "block", "--reason", "test")...)
	for range 5 {
		if status, made, err := s.authorize(key, p, 1); status != 201 || made.Failure != "wallet_blocked" {
			s.Errorf("after block the wallet was spent from: %d %+v %v", status, made, err)
		}
	}
	s.do(p.of("wallet", "unblock", "--reason", "test")...)
	if status, made, err := s.authorize(key, p, 1); status != 201 || made.Status != "SUCCESS" {
		s.Errorf("after unblock the wallet was refused: %d %+v %v", status, made, err)
	}
}

// changesKeysAtOnce: a new key works at once, a revoked one soon does not.
func (s *running) changesKeysAtOnce(m app.NewMerchant) {
	s.Helper()
	var k app.NewKey
	s.record(&k, "key", "create", "--merchant", m.MerchantID)
	if status, _, err := s.call(k.APIKey, http.MethodGet, "/v1/wallet/transactions", nil); status != 200 {
		s.Errorf("a fresh key got %d %v", status, err)
	}
	s.do("key", "revoke", k.KeyID)
	eventually(s, "the revoked key is refused", func() error {
		status, _, err := s.call(k.APIKey, http.MethodGet, "/v1/wallet/transactions", nil)
		if err == nil && status != 401 {
			err = fmt.Errorf("it got %d", status)
		}
		return err
	})
}

// TestRotationUnderLoad: while the keys of personal data are changed, again and again, no payer is ever
// taken for a stranger, and staff find every wallet.
func TestRotationUnderLoad(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		s := r.serve("--rate-limit", "0")
		var shop app.NewMerchant
		r.record(&shop, "merchant", "create", "--name", "Shop")
		var people []payer
		for n := range 12 {
			people = append(people, person(n))
			r.do(person(n).of("wallet", "top-up", "--amount", "1000000")...)
		}
		sp := s.spend(shop.APIKey, 16, people, func(status int, made sold) bool {
			return status == 201 && made.Status == "SUCCESS"
		})
		var last app.Rotation
		rounds := often(4)
		for n := range rounds {
			r.record(&last, "vault", "rotate", "--reason", "yearly")
			if last.Generation != int64(3+2*n) || last.Resealed != len(people)+n || last.Finished {
				t.Errorf("rotation %d is %+v", n, last)
			}
			p := person(100 + n) // opened under the new key
			r.do(p.of("wallet", "top-up", "--amount", "5")...)
			for _, p := range append(people, p) {
				r.do(p.of("wallet", "show")...)
			}
			sp.reach(t, 20)
		}
		sp.end()
		r.do("verify")
	})
}

// TestBackupAndRestore follows docs/operating.md on SQLite: a copy taken while the server works, put in
// the place of a database that was lost.
func TestBackupAndRestore(t *testing.T) {
	r := newRig(t)
	s := r.serve("--rate-limit", "0")
	var shop app.NewMerchant
	r.record(&shop, "merchant", "create", "--name", "Shop")
	p := person(1)
	r.do(p.of("wallet", "top-up", "--amount", "1000000")...)
	sp := s.spend(shop.APIKey, 8, []payer{p}, func(status int, made sold) bool {
		return status == 201 && made.Status == "SUCCESS"
	})
	sp.reach(t, 50)
	_, before, err := s.authorize(shop.APIKey, p, 7)
	if err != nil || before.Status != "SUCCESS" {
		t.Fatalf("%+v %v", before, err)
	}
	copyFile := filepath.Join(t.TempDir(), "plexy-backup.db")
	r.do("backup", copyFile)
	info, err := os.Stat(copyFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup is %v, %v", info, err)
	}
	r.refuse(exitTrouble, "exists", "backup", copyFile)
	sp.reach(t, 20)
	sp.end()
	s.stop()
	for _, name := range []string{"plexy.db", "plexy.db-wal", "plexy.db-shm"} {
		if err := os.Remove(filepath.Join(r.data, name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if err := os.Rename(copyFile, filepath.Join(r.data, "plexy.db")); err != nil {
		t.Fatal(err)
	}
	r.do("verify")
	s = r.serve("--rate-limit", "0")
	status, now, err := s.call(shop.APIKey, http.MethodGet, "/v1/wallet/transaction/"+before.ID, nil)
	if status != 200 {
		t.Errorf("what was there before the backup is %d %+v %v", status, now, err)
	}
	if status, made, err := s.authorize(shop.APIKey, p, 1); status != 201 || made.Status != "SUCCESS" {
		t.Errorf("the restored server answers %d %+v %v", status, made, err)
	}
	r.do("verify")
}
