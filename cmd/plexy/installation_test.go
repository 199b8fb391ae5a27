package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plexy/internal/vault"
)

func TestNoInstallation(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		for _, args := range [][]string{
			{"merchant", "list"}, {"key", "list"}, {"verify"}, {"vault", "rotate"},
			person(1).of("wallet", "show"),
		} {
			r.refuse(exitInstallation, "there is none at", args...)
		}
		if _, err := os.Stat(r.data); !os.IsNotExist(err) {
			t.Errorf("looking left %s behind: %v", r.data, err)
		}
		out := r.do("migrate", "--dry-run", "--json")
		if !strings.Contains(out, "0001_books.sql") {
			t.Errorf("a dry run says %s", out)
		}
		r.refuse(exitInstallation, "there is none at", "merchant", "list")
		r.do("migrate")
		if out := r.do("migrate", "--dry-run", "--json"); !strings.Contains(out, `"migrations":[]`) {
			t.Errorf("after migrate a dry run says %s", out)
		}
		if _, err := os.Stat(filepath.Join(r.data, "master.key")); !os.IsNotExist(err) {
			t.Errorf("migrate made a master key: %v", err)
		}
		r.do("merchant", "create", "--name", "Shop") // a migrated database is still an empty one
		info, err := os.Stat(filepath.Join(r.data, "master.key"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the master key's file is %v, %v", info, err)
		}
	})
}

// TestWrongMasterKey: a process whose key does not fit says so and writes nothing.
func TestWrongMasterKey(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		r.do(person(1).of("wallet", "top-up", "--amount", "100")...)
		keyFile := filepath.Join(r.data, "master.key")
		right, err := os.ReadFile(keyFile)
		if err != nil {
			t.Fatal(err)
		}
		audits := len(r.audits())
		commands := [][]string{
			{"serve"}, {"migrate"}, {"merchant", "create", "--name", "Shop"}, {"vault", "rotate"},
			person(1).of("wallet", "top-up", "--amount", "100"), {"verify"},
		}
		for name, wrong := range map[string]struct {
			text  []byte
			words string
		}{
			"another": {vault.NewMaster(), "is not the one"},
			"no key":  {[]byte("hello"), "not a master key"},
			"missing": {nil, "is missing"},
		} {
			if err := os.Remove(keyFile); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if wrong.text != nil {
				if err := os.WriteFile(keyFile, wrong.text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, args := range commands {
				r.refuse(exitInstallation, wrong.words, args...)
			}
			if _, err := os.Stat(keyFile); wrong.text == nil && !os.IsNotExist(err) {
				t.Errorf("%s: a key was made beside a database that has one: %v", name, err)
			}
		}
		if err := os.WriteFile(keyFile, right, 0o600); err != nil {
			t.Fatal(err)
		}
		if now := len(r.audits()); now != audits {
			t.Errorf("processes that did not fit left %d audit rows", now-audits)
		}
		if out := r.do(person(1).of("wallet", "show", "--json")...); !strings.Contains(out, `"posted":100,`) {
			t.Errorf("after processes that did not fit the wallet is %s", out)
		}
	})
}

func TestMasterKeyByEnvironment(t *testing.T) {
	r := newRig(t)
	t.Setenv("PLEXY_MASTER_KEY", string(vault.NewMaster()))
	r.do("merchant", "create", "--name", "Shop")
	if _, err := os.Stat(filepath.Join(r.data, "master.key")); !os.IsNotExist(err) {
		t.Errorf("a key file was made although the key was given: %v", err)
	}
	r.do("merchant", "list")
	t.Setenv("PLEXY_MASTER_KEY", string(vault.NewMaster()))
	r.refuse(exitInstallation, "master_key", "merchant", "list")
}

func TestOneInstallationIsOneEnvironment(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		r.do("merchant", "create", "--name", "Shop", "--environment", "production")
		r.refuse(exitInstallation, "is production and this process is sandbox", "serve")
		r.refuse(exitInstallation, "is production and this process is sandbox",
			"merchant", "list", "--environment", "sandbox")
		r.do("merchant", "list") // a command that was told nothing works on either kind
		r.serve("--environment", "production")
	})
}
