package storagetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/oklog/ulid/v2"

	"plexy/internal/access"
	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
	"plexy/internal/merchant"
	"plexy/internal/storage"
)

// start is an odd number of microseconds, so that a keeper which rounds is found out.
const start = 1_760_000_000_123_457

// second is one second in microseconds.
const second = 1_000_000

// world is one keeper under test, with a clock and a source of ids of its own.
type world struct {
	testing.TB
	storage.Storage
	ctx  context.Context
	now  int64 // microseconds
	made int   // ids so far
}

func newWorld(tb testing.TB, s storage.Storage) *world {
	return &world{TB: tb, Storage: s, ctx: context.Background(), now: start}
}

// stem returns 24 characters of a ULID that carries the world's time and grows with every call.
func (w *world) stem() string {
	w.made++
	var u ulid.ULID
	if err := u.SetTime(uint64(w.now / 1000)); err != nil {
		w.Fatal(err)
	}
	u[12], u[13], u[14] = byte(w.made>>14), byte(w.made>>6), byte(w.made<<2)
	return u.String()[:24]
}

func (w *world) audit() machine.Audit {
	return machine.Audit{ID: id.Audit + w.stem() + "00", At: w.now, Actor: "tester", Action: "test"}
}

// ok stops the test at an error that must not be.
func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// is stops the test unless err is the kind of trouble that was expected.
func (w *world) is(err, kind error) {
	w.Helper()
	if !errors.Is(err, kind) {
		w.Fatalf("got error %v, want %v", err, kind)
	}
}

// same stops the test unless both values are equal; nil and empty slices are.
func (w *world) same(got, want any) {
	w.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		w.Fatalf("difference (-want +got):\n%s", d)
	}
}

// install writes an installation of generation 1.
func (w *world) install() {
	w.Helper()
	w.ok(w.Install(w.ctx, storage.Installation{
		Environment: "sandbox", MasterCheck: "check", Generation: 1, CreatedAt: w.now,
		Keys: []storage.VaultKey{{ID: "vk_1", Wrapped: []byte{1}, State: "active", CreatedAt: w.now}},
	}))
}

// addMerchant makes a merchant with one key, whose hash is that of the id.
func (w *world) addMerchant(name string, s merchant.Settings) merchant.Merchant {
	w.Helper()
	m := merchant.Merchant{ID: id.Merchant + name, Name: name, Settings: s, CreatedAt: w.now}
	k := access.Key{ID: id.Key + name, Merchant: m.ID, Hash: access.HashOf(m.ID), CreatedAt: w.now}
	w.ok(w.CreateMerchant(w.ctx, m, k, w.audit()))
	return m
}

// person is a made-up customer; nobody's IIN or phone is needed to name one.
type person string

func (p person) who() machine.Who {
	return machine.Who{IIN: []string{"i-" + string(p)}, Phone: []string{"p-" + string(p)}, Generation: 1}
}

func (p person) customer() wallet.Customer {
	return wallet.Customer{
		ID: id.Customer + string(p), KeyID: "vk_1", IINIndex: "i-" + string(p), PhoneIndex: "p-" + string(p),
		IINSealed: []byte{0, 1, 2, 255}, PhoneSealed: []byte(p),
	}
}

// bookOf spreads people over the books.
func (p person) bookOf() int { return (len(p)*313 + int(p[0])*7) % id.Books }

// topUp is an instruction that opens p's wallet if need be.
func (w *world) topUp(p person, c money.Currency, amount int64, reference string) machine.Instruction {
	return machine.Instruction{
		Command: machine.Fund{
			Direction: machine.TopUp, Who: p.who(), Currency: c, Amount: amount, Reference: reference,
			Opening: machine.Opening{WalletStem: id.Wallet + w.stem(), Book: p.bookOf(),
				Customer: p.customer()},
			By: machine.By{ID: id.Audit + w.stem() + "00", Actor: "tester", Reason: "test"},
		},
		Origin: journal.Origin{RequestID: "req_topup"},
		Render: render,
	}
}

// sale is what a test authorizes.
type sale struct {
	merchant  string
	payer     person
	amount    int64
	reference string
	key       string
	currency  money.Currency
}

func (w *world) authorize(s sale) machine.Instruction {
	if s.currency == "" {
		s.currency = money.KZT
	}
	if s.reference == "" {
		s.reference = "ORDER-000001"
	}
	return w.keyed(s.merchant, s.key, machine.Authorize{
		Stem: id.Transaction + w.stem(), Book: 1023, Merchant: s.merchant, Currency: s.currency,
		OrderReference: s.reference, Amount: s.amount, Who: s.payer.who(),
	})
}

// keyed wraps a merchant's command with an idempotency key, which may be empty.
func (w *world) keyed(merchant, key string, c machine.Command) machine.Instruction {
	in := machine.Instruction{
		Command: c, Key: key, Scope: merchant, Render: render,
		Origin: journal.Origin{RequestID: "req_" + key, APIKeyID: "key_1", IdempotencyKey: key},
	}
	copy(in.Fingerprint[:], fmt.Sprintf("%T %s", c, key))
	return in
}

func (w *world) capture(t wallet.Transaction, amount int64) machine.Instruction {
	return w.keyed(t.Merchant, "", machine.Capture{
		Target: machine.Target{Merchant: t.Merchant, ID: t.ID, Amount: amount},
	})
}

// render is a door's pure function: the same outcome is always the same bytes.
func render(o machine.Outcome) machine.Reply {
	return machine.Reply{Status: 200, Body: []byte(o.Transaction.ID + o.Wallet.ID + string(o.Reason))}
}

// run commits the instructions as one batch in lane 0, and nothing may go wrong.
func (w *world) run(in ...machine.Instruction) []machine.Outcome {
	w.Helper()
	outcomes, err := w.try(0, in...)
	w.ok(err)
	return outcomes
}

// try commits the instructions as one batch.
func (w *world) try(lane int, in ...machine.Instruction) ([]machine.Outcome, error) {
	var keys machine.Keys
	for _, one := range in {
		keys.Add(one)
	}
	outcomes := make([]machine.Outcome, len(in))
	err := w.Commit(w.ctx, lane, func(ctx context.Context, b storage.Batch) error {
		state, err := b.Load(ctx, &keys)
		if err != nil {
			return err
		}
		for i, one := range in {
			outcomes[i] = machine.Step(state, machine.Stamp{At: w.now}, one)
		}
		if !state.Changed() {
			return nil
		}
		return b.Save(ctx, state)
	})
	return outcomes, err
}

// sell authorizes and expects it to be held.
func (w *world) sell(s sale) wallet.Transaction {
	w.Helper()
	t := w.run(w.authorize(s))[0].Transaction
	if t.Status != wallet.Success {
		w.Fatalf("authorize failed: %s", t.Failure)
	}
	return t
}

// fund tops p up by amount KZT.
func (w *world) fund(p person, amount int64) wallet.Wallet {
	w.Helper()
	o := w.run(w.topUp(p, money.KZT, amount, ""))[0]
	if o.Reason != "" {
		w.Fatalf("top-up refused: %s", o.Reason)
	}
	return o.Wallet
}

// refused stops the test unless the outcome has the reason.
func (w *world) refused(o machine.Outcome, want reject.Reason) {
	w.Helper()
	if o.Reason != want {
		w.Fatalf("got reason %q, want %q", o.Reason, want)
	}
}

// contents is everything that the walks of the books see, as text that tests compare.
func (w *world) contents() string {
	w.Helper()
	var b strings.Builder
	w.ok(w.Snapshot(w.ctx, func(ctx context.Context, books storage.Books) error {
		print := func(kind string, row any) { fmt.Fprintf(&b, "%s %+v\n", kind, row) }
		return errors.Join(
			books.Journal(ctx, func(r journal.Record) error { print("record", r); return nil }),
			books.Transactions(ctx, func(t wallet.Transaction) error { print("transaction", t); return nil }),
			books.Wallets(ctx, func(w wallet.Wallet) error { print("wallet", w); return nil }),
			books.Stripes(ctx, func(a ledger.Account) error { print("stripe", a); return nil }),
			books.Replies(ctx, func(k machine.ReplyKey, s machine.Stored) error {
				print("reply", fmt.Sprint(k, s))
				return nil
			}),
			books.References(ctx, func(r machine.Reference) error { print("reference", r); return nil }),
		)
	}))
	return b.String()
}

// load returns what one batch loads for keys, without saving.
func (w *world) load(keys machine.Keys) *machine.State {
	w.Helper()
	var state *machine.State
	w.ok(w.Commit(w.ctx, 0, func(ctx context.Context, b storage.Batch) (err error) {
		state, err = b.Load(ctx, &keys)
		return err
	}))
	return state
}
