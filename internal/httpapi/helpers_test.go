package httpapi_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"plexy/internal/access"
	"plexy/internal/clock"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
	"plexy/internal/customer"
	"plexy/internal/event"
	"plexy/internal/httpapi"
	"plexy/internal/id"
	"plexy/internal/sandbox"
	"plexy/internal/storage"
	"plexy/internal/vault"
)

// mixed is an order with one customer's IIN and another's phone.
func mixed(t *testing.T, iinOf, phoneOf int) string {
	t.Helper()
	_, wrong := customer.Example(iinOf)
	_, right := customer.Example(phoneOf)
	body := orderOf(iinOf, 10, "O")
	if !strings.Contains(body, wrong.Reveal()) {
		t.Fatal("the order does not hold the phone")
	}
	return strings.Replace(body, wrong.Reveal(), right.Reveal(), 1)
}

func auditOf(r *rig) machine.Audit { return machine.Audit{ID: r.ids.New(id.Audit)} }

func freshMaster(t *testing.T) *vault.Master {
	t.Helper()
	return must(vault.ParseMaster(vault.NewMaster()))(t)
}

// rotated is a vault of the second generation.
func rotated(t *testing.T, m *vault.Master) *vault.Vault {
	t.Helper()
	return must(vault.Open(m, 2, []vault.WrappedKey{must(vault.NewKey(m))(t)}))(t)
}

// rawOf is one raw value of the good body.
func rawOf(field string) string {
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(replaced("", "")), &all); err != nil {
		panic(err)
	}
	return string(all[field])
}

// noReader is a database that cannot be read; without a why, reading panics.
type noReader struct {
	storage.Reader
	why error
}

func (n noReader) Transaction(context.Context, string, string) (wallet.Transaction, error) {
	return wallet.Transaction{}, n.orPanic()
}

func (n noReader) Transactions(context.Context, storage.Query) ([]wallet.Transaction, error) {
	return nil, n.orPanic()
}

func (n noReader) Messages(context.Context, int) ([]storage.Message, error) { return nil, n.orPanic() }

func (n noReader) orPanic() error {
	if n.why == nil {
		panic("an assertion about a read")
	}
	return n.why
}

// noOutbox is an outbox that cannot be reached; without a why, asking panics.
type noOutbox struct {
	storage.Outbox
	why error
}

func (n noOutbox) orPanic() error { return noReader{why: n.why}.orPanic() }

func (n noOutbox) Events(context.Context, string, int64, int) ([]event.Event, error) {
	return nil, n.orPanic()
}

func (n noOutbox) Event(context.Context, string, journal.Ref) (event.Event, error) {
	return event.Event{}, n.orPanic()
}

func (n noOutbox) Endpoint(context.Context, string, string) (event.Endpoint, error) {
	return event.Endpoint{}, n.orPanic()
}

func (n noOutbox) EndpointsOf(context.Context, string) ([]event.Endpoint, error) {
	return nil, n.orPanic()
}

func (n noOutbox) CreateEndpoint(context.Context, event.Endpoint, machine.Audit) error {
	return n.orPanic()
}

// noChanges is an outbox that can be read and not changed.
type noChanges struct {
	storage.Outbox
	why error
}

func (n noChanges) CreateEndpoint(context.Context, event.Endpoint, machine.Audit) error { return n.why }
func (n noChanges) SetEndpoint(context.Context, event.Endpoint, machine.Audit) error    { return n.why }
func (n noChanges) CreateDelivery(context.Context, event.Delivery) error                { return n.why }

func (n noChanges) DeleteEndpoint(context.Context, string, string, machine.Audit) error { return n.why }

func (n noChanges) Replay(context.Context, int64, storage.ReplayQuery) (int, int64, error) {
	return 0, 0, n.why
}

// noKeys is a database whose keys cannot be read.
type noKeys struct{ why error }

func (n noKeys) KeyByHash(context.Context, access.Hash) (access.Key, error) {
	return access.Key{}, n.why
}

func jsonOf(t *testing.T, value any) string {
	t.Helper()
	return string(must(json.Marshal(value))(t))
}

// fakeSandbox is a sandbox whose clock no database keeps; with a why, it cannot say.
type fakeSandbox struct {
	*clock.Test
	machine clock.Clock
	why     error
	faults  sync.Map // merchant's id → sandbox.Dial
}

func (f *fakeSandbox) Fault(merchant string) sandbox.Dial {
	d, _ := f.faults.Load(merchant)
	dial, _ := d.(sandbox.Dial)
	return dial
}

func newFakeSandbox(machine clock.Clock) *fakeSandbox {
	return &fakeSandbox{Test: clock.NewTest(machine), machine: machine}
}

func (f *fakeSandbox) Clock(context.Context) (httpapi.TestClock, error) {
	now := clock.Time(f.Now()).Format("2006-01-02T15:04:05.000000Z")
	return httpapi.TestClock{Now: now, Frozen: f.Setting().FrozenAt != 0, Offset: "0s"}, f.why
}

func (f *fakeSandbox) SetClock(ctx context.Context, c clock.Change, _ string) (httpapi.TestClock, error) {
	next, err := f.Setting().Changed(c, f.Now(), f.machine.Now())
	if err != nil {
		return httpapi.TestClock{}, err
	}
	f.Follow(next)
	return f.Clock(ctx)
}

// Payer says that the n-th magic number is the example customer 9000+n, whose wallet the test has funded.
func (f *fakeSandbox) Payer(_ context.Context, p sandbox.Payer, _ money.Currency) (
	customer.IIN, bool, error) {
	iin, _ := customer.Example(9000 + p.Number)
	return iin, true, f.why
}

func (f *fakeSandbox) MagicWallet(context.Context, string) (bool, error) { return false, f.why }
