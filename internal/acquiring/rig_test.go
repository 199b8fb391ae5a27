package acquiring_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"plexy/internal/access"
	"plexy/internal/acquiring"
	"plexy/internal/card"
	"plexy/internal/clock"
	"plexy/internal/commit"
	"plexy/internal/connector"
	"plexy/internal/connector/sandbox"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/id"
	"plexy/internal/merchant"
	"plexy/internal/pgtest"
	magic "plexy/internal/sandbox"
	"plexy/internal/storage"
	"plexy/internal/storage/memory"
	"plexy/internal/storage/postgres"
	"plexy/internal/storage/sqlite"
	"plexy/internal/vault"
	"plexy/internal/verify"
)

// noon is a moment in 2026, in microseconds.
var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC).UnixMicro()

const (
	second = 1_000_000
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour

	plain     = "4242424242424242" // frictionless, and nothing speaks against it
	challenge = "4111111111111111" // asks the payer for a code
)

// rig is a merchant of a sandbox: books, bank and everything between.
type rig struct {
	testing.TB
	*acquiring.Acquiring
	store   storage.Storage
	clock   *clock.Manual
	ids     *id.Maker
	bank    *sandbox.Acquirer
	commit  *commit.Committer
	vaults  *vaults
	options acquiring.Options
	dial    atomic.Pointer[magic.Dial]
	posted  atomic.Int32
	keys    int
}

// vaults opens the vault that the database speaks of.
type vaults struct {
	master  *vault.Master
	records storage.Records
	current atomic.Pointer[vault.Vault]
}

func (v *vaults) Current() *vault.Vault { return v.current.Load() }

func (v *vaults) Refresh(ctx context.Context) error {
	in, err := v.records.Installation(ctx)
	if err != nil {
		return err
	}
	var keys []vault.WrappedKey
	for _, k := range in.Keys {
		keys = append(keys, vault.WrappedKey{ID: k.ID, Wrapped: k.Wrapped, State: k.State})
	}
	opened, err := vault.Open(v.master, in.Generation, keys)
	v.current.Store(opened)
	return err
}

// stores runs a test on every keeper that there is.
func stores(t *testing.T, run func(*testing.T, *rig)) {
	t.Run("memory", func(t *testing.T) { run(t, newRig(t, memory.New())) })
	t.Run("sqlite", func(t *testing.T) { run(t, newRig(t, onDisk(t))) })
}

func onDisk(t testing.TB) storage.Storage {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plexy.db")
	if _, err := sqlite.Migrate(t.Context(), path, false); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func onPostgres(t testing.TB) storage.Storage {
	t.Helper()
	url := pgtest.Database(t)
	if _, err := postgres.Migrate(t.Context(), url, false); err != nil {
		t.Fatal(err)
	}
	s, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newRig(t testing.TB, s storage.Storage) *rig {
	t.Helper()
	r := &rig{TB: t, store: s, clock: clock.NewManual(noon)}
	r.ids = id.NewMakerAt(r.clock.Now)
	master, err := vault.ParseMaster(vault.NewMaster())
	r.ok(err)
	key, err := vault.NewKey(master)
	r.ok(err)
	r.ok(s.Install(t.Context(), storage.Installation{
		Environment: "sandbox", MasterCheck: master.Check(), Generation: 1, CreatedAt: noon,
		Keys: []storage.VaultKey{{ID: key.ID, Wrapped: key.Wrapped, State: key.State, CreatedAt: noon}},
	}))
	r.vaults = &vaults{master: master, records: s}
	r.ok(r.vaults.Refresh(t.Context()))
	m := merchant.Merchant{ID: "mer_1", Name: "Arai", Settings: merchant.Defaults(), CreatedAt: noon}
	r.ok(s.CreateMerchant(t.Context(), m, access.Key{ID: "key_1", Merchant: m.ID, CreatedAt: noon},
		machine.Audit{ID: "aud_1", At: noon, Actor: "test", Action: "test"}))
	r.commit = commit.New(commit.Config{Storage: s, Clock: r.clock, Alarm: func(what string, err error) {
		t.Errorf("%s: %v", what, err)
	}})
	r.dial.Store(&magic.Dial{})
	r.bank = sandbox.New(sandbox.Options{
		Books: s, Clock: r.clock, Key: []byte("a key of thirty-two bytes, or so"), Address: "http://bank.test/acs",
		Fault: func(string) magic.Dial { return *r.dial.Load() },
		Post: func(ctx context.Context, header func(string) string, body []byte) error {
			r.posted.Add(1)
			return r.Callback(ctx, sandbox.Name, header, body)
		},
	})
	r.options = acquiring.Options{
		Commit: r.commit, Keeper: s, Vaults: r.vaults, Clock: r.clock, NewID: r.ids.UUID,
		Connectors: []connector.Connector{r.bank}, Default: sandbox.Name,
	}
	r.Acquiring = acquiring.New(r.options)
	t.Cleanup(func() {
		r.close(r.Acquiring)
		r.commit.Close()
	})
	return r
}

// beside is another server on the same books, with the given connectors.
func (r *rig) beside(connectors ...connector.Connector) *acquiring.Acquiring {
	o := r.options
	if len(connectors) > 0 {
		o.Connectors, o.Default = connectors, connectors[0].Name()
	}
	other := acquiring.New(o)
	r.Cleanup(func() { r.close(other) })
	return other
}

func (r *rig) close(a *acquiring.Acquiring) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	a.Close(ctx)
}

func (r *rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) dials(text string) {
	r.Helper()
	d, err := magic.ParseDial(text)
	r.ok(err)
	r.dial.Store(&d)
}

func (r *rig) origin() journal.Origin {
	return journal.Origin{RequestID: r.ids.New(id.Request), APIKeyID: "key_1"}
}

// key is a fresh idempotency key.
func (r *rig) key() string {
	r.keys++
	return "key-" + r.ids.UUID()
}

func cardOf(t testing.TB, digits, cvv string) card.Card {
	t.Helper()
	number, err := card.ParseNumber(digits)
	if err != nil {
		t.Fatal(err)
	}
	c := card.Card{Number: number, Expiry: card.Expiry{Year: 2029, Month: 12}, Holder: "A Payer"}
	if cvv != "" {
		if c.CVV, err = card.ParseCVV(cvv); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// request is a payment by a plain card, without 3-D Secure.
func (r *rig) request(kind payment.Kind, amount int64) acquiring.Request {
	r.Helper()
	return acquiring.Request{
		Key: r.key(), Origin: r.origin(), Card: cardOf(r, plain, "123"), SkipThreeDS: true,
		Facts: payment.Facts{
			Merchant: "mer_1", Currency: money.KZT, Amount: amount, Kind: kind, OrderReference: "order",
		},
		Return: "https://shop.test/3ds",
	}
}

func (r *rig) pay(q acquiring.Request) acquiring.Result {
	r.Helper()
	done, err := r.Pay(r.Context(), q)
	r.ok(err)
	if done.Reason != "" {
		r.Fatalf("a payment is refused: %s", done.Reason)
	}
	return done
}

func (r *rig) modification(p payment.Payment, amount int64) acquiring.Modification {
	return acquiring.Modification{
		Key: r.key(), Origin: r.origin(), Merchant: p.Merchant, Payment: p.ID, Amount: amount,
	}
}

// quiet lets time pass until nothing is under way: every round is run as a server would.
func (r *rig) quiet() {
	r.Helper()
	r.dials("none")
	for range 12 {
		r.rounds(r.Acquiring)
		unknown, err := r.store.UnknownOperations(r.Context(), 100)
		r.ok(err)
		due, err := r.store.DueOperations(r.Context(), r.clock.Now()+day, 100)
		r.ok(err)
		if len(unknown)+len(due) == 0 {
			return
		}
		r.clock.Advance(3 * minute)
	}
	r.Fatal("something stays unknown")
}

func (r *rig) rounds(a *acquiring.Acquiring) {
	r.Helper()
	for _, one := range []func(context.Context) error{
		a.AskDue, a.AbandonDue, a.ClearDue, a.ExpireDue, a.SweepCards,
	} {
		r.ok(one(r.Context()))
	}
	r.bank.CallBack(r.Context())
}

func (r *rig) payment(id string) payment.Payment {
	r.Helper()
	p, err := r.store.AnyPayment(r.Context(), id)
	r.ok(err)
	return p
}

// true compares a payment with what the bank has booked of it, and the books with themselves.
func (r *rig) true(id string) payment.Payment {
	r.Helper()
	p := r.payment(id)
	if p.Open+p.Unknown+p.Authorizing+p.Capturing+p.Releasing+p.Refunding != 0 {
		r.Errorf("something is in flight: %+v", p)
	}
	all, err := r.store.OperationsOf(r.Context(), id)
	r.ok(err)
	if len(all) > 0 {
		b, err := r.bank.Booked(r.Context(), all[0].ID)
		r.ok(err)
		ours := sandbox.Booked{
			Authorized: p.Authorized, Captured: p.Captured, Released: p.Released, Refunded: p.Refunded,
		}
		if p.Authorized == 0 { // what was approved for another amount is given up again
			b.Authorized, b.Released = b.Authorized-b.Released, 0
		}
		if b != ours {
			r.Errorf("the bank has %+v, our books %+v", b, ours)
		}
	}
	r.addsUp()
	return p
}

func (r *rig) addsUp() {
	r.Helper()
	report, err := verify.RunAt(r.Context(), r.store, r.clock.Now())
	r.ok(err)
	if !report.OK() {
		r.Errorf("the books do not add up: %+v", report.Violations)
	}
}
