package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"plexy/internal/config"
	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/customer"
	"plexy/internal/pgtest"
	"plexy/internal/storage"
	"plexy/internal/vault"
)

func exampleHolder(n int) Holder {
	iin, phone := customer.Example(n)
	return Holder{Phone: phone.Reveal(), IIN: iin.Reveal(), Currency: "KZT"}
}

// settingsOf are those of an installation in a folder; database "" is SQLite there.
func settingsOf(t *testing.T, folder, database string) config.Config {
	t.Helper()
	flags := map[string]string{"data": folder}
	if database != "" {
		flags["database"] = database
	}
	cfg, err := config.Load(config.Input{Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func opened(t *testing.T, cfg config.Config) *App {
	t.Helper()
	a, err := Open(context.Background(), cfg, Options{Install: true, Actor: "tester"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func onBothStores(t *testing.T, test func(*testing.T, config.Config)) {
	t.Run("sqlite", func(t *testing.T) { test(t, settingsOf(t, t.TempDir(), "")) })
	t.Run("postgres", func(t *testing.T) { test(t, settingsOf(t, t.TempDir(), pgtest.Database(t))) })
}

// TestRotationIsResumed: a rotation that ended in its middle is finished by the next one, and meanwhile
// everybody is found, whatever keys a process has seen.
func TestRotationIsResumed(t *testing.T) {
	onBothStores(t, func(t *testing.T, cfg config.Config) {
		ctx := context.Background()
		a, old := opened(t, cfg), opened(t, cfg)
		const people = 9
		for n := range people {
			if _, err := a.Fund(ctx, Funding{Direction: TopUp, Holder: exampleHolder(n), Amount: 5}); err != nil {
				t.Fatal(err)
			}
		}
		halfRotated(t, a)
		everybodyIsFound(t, old, people) // old still has the first key alone
		everybodyIsFound(t, opened(t, cfg), people)
		if _, err := old.Rebind(ctx, exampleHolder(people-1).IIN, exampleHolder(50).Phone, ""); err != nil {
			t.Errorf("rebind in the middle of a rotation: %v", err)
		}
		if _, err := old.Rebind(ctx, exampleHolder(people-1).IIN, exampleHolder(people-1).Phone, ""); err != nil {
			t.Errorf("and back: %v", err)
		}
		r, err := opened(t, cfg).RotateVault(ctx, "")
		if err != nil || !r.Finished || r.Generation != 5 {
			t.Errorf("the next rotation is %+v, %v", r, err)
		}
		everybodyIsFound(t, old, people)
		everybodyIsFound(t, a, people)
		in, err := a.Storage.Installation(ctx)
		if err != nil || len(in.Keys) != 1 || in.Keys[0].ID != r.KeyID {
			t.Errorf("in the end there are the keys %+v, %v", in.Keys, err)
		}
		under, err := a.Storage.CustomersUnder(ctx, r.KeyID, "", 100)
		if err != nil || len(under) != people {
			t.Errorf("%d customers are under the last key, %v", len(under), err)
		}
	})
}

// halfRotated begins a rotation and seals a part of the customers anew.
func halfRotated(t *testing.T, a *App) {
	t.Helper()
	ctx := context.Background()
	in, err := a.Storage.Installation(ctx)
	if err != nil {
		t.Fatal(err)
	}
	next, err := vault.Rotate(a.master, wrapped(in.Keys))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.replaceKeys(ctx, in, next, a.audit("vault.rotate", "vault", "")); err != nil {
		t.Fatal(err)
	}
	some, err := a.Storage.CustomersUnder(ctx, in.Keys[0].ID, "", 4)
	if err != nil || len(some) != 4 {
		t.Fatalf("%d customers, %v", len(some), err)
	}
	if n, err := a.reseal(ctx, a.vaults.Current(), some); err != nil || n != 4 {
		t.Fatalf("%d sealed anew, %v", n, err)
	}
	// The same rows as they were are not there any more: they are left alone.
	if n, err := a.reseal(ctx, a.vaults.Current(), some); err != nil || n != 0 {
		t.Fatalf("%d sealed anew twice, %v", n, err)
	}
}

func everybodyIsFound(t *testing.T, a *App, people int) {
	t.Helper()
	for n := range people {
		d, err := a.ShowWallet(context.Background(), exampleHolder(n))
		if err != nil || d.Wallet.Posted != 5 {
			t.Errorf("customer %d: %+v, %v", n, d.Wallet, err)
		}
	}
}

func TestTwoRotationsAtOnce(t *testing.T) {
	onBothStores(t, func(t *testing.T, cfg config.Config) {
		ctx := context.Background()
		a, b := opened(t, cfg), opened(t, cfg)
		in, err := a.Storage.Installation(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.RotateVault(ctx, ""); err != nil {
			t.Fatal(err)
		}
		next, err := vault.Rotate(a.master, wrapped(in.Keys))
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.replaceKeys(ctx, in, next, machine.Audit{ID: "aud_1"})
		if !errors.Is(err, storage.ErrConflict) {
			t.Errorf("a rotation of keys that are gone ended with %v", err)
		}
	})
}

// TestManyFirstStarts: whoever comes first makes the installation and the others join it. Where each has a
// folder of its own, they have no way to its key: they say so, and leave no key of theirs.
func TestManyFirstStarts(t *testing.T) {
	t.Run("one folder", func(t *testing.T) {
		cfg := settingsOf(t, t.TempDir(), "")
		for _, err := range openAtOnce(cfg, cfg, cfg, cfg) {
			if err != nil {
				t.Errorf("a first start failed: %v", err)
			}
		}
	})
	t.Run("one database", func(t *testing.T) {
		database := pgtest.Database(t)
		one, two := settingsOf(t, t.TempDir(), database), settingsOf(t, t.TempDir(), database)
		var joined int
		for i, err := range openAtOnce(one, two) {
			_, lost := os.Stat([]config.Config{one, two}[i].MasterKeyFile)
			switch {
			case err == nil && lost == nil:
				joined++
			case !errors.Is(err, ErrInstallation) || !os.IsNotExist(lost):
				t.Errorf("start %d ended with %v, its key with %v", i, err, lost)
			}
		}
		if joined != 1 {
			t.Errorf("%d of two starts made the installation", joined)
		}
	})
}

func openAtOnce(settings ...config.Config) []error {
	errs := make([]error, len(settings))
	var starting sync.WaitGroup
	for i, cfg := range settings {
		starting.Go(func() {
			a, err := Open(context.Background(), cfg, Options{Install: true})
			if err == nil {
				err = a.Close()
			}
			errs[i] = err
		})
	}
	starting.Wait()
	return errs
}

func TestMasterKeyFileIsWholeOrAbsent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "master.key")
	if err := writeOnce(path, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := writeOnce(path, []byte("second")); !os.IsExist(err) {
		t.Errorf("a second write ended with %v", err)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "first" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("the folder holds %v, %v", left, err)
	}
}

// TestResealRefusesWhatDoesNotBelong: a row whose index is not of what it seals stops the rotation.
func TestResealRefusesWhatDoesNotBelong(t *testing.T) {
	ctx := context.Background()
	a := opened(t, settingsOf(t, t.TempDir(), ""))
	if _, err := a.OpenWallet(ctx, exampleHolder(1), ""); err != nil {
		t.Fatal(err)
	}
	under, err := a.Storage.CustomersUnder(ctx, a.vaults.Current().KeyID(), "", 1)
	if err != nil || len(under) != 1 {
		t.Fatalf("%d customers, %v", len(under), err)
	}
	swapped := under[0]
	swapped.PhoneIndex = swapped.IINIndex
	if _, err := a.reseal(ctx, a.vaults.Current(), []wallet.Customer{swapped}); !errors.Is(err, vault.ErrIndex) {
		t.Errorf("a foreign index was sealed anew: %v", err)
	}
}
