package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"plexy/internal/access"
	"plexy/internal/clock"
	"plexy/internal/commit"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
	"plexy/internal/merchant"
	"plexy/internal/storage"
)

// shop is one merchant with many customers, for tests that make instructions without a door.
type shop struct {
	storage.Storage
	ids    *id.Maker
	people int
}

const shopMerchant = "mer_1"

func newShop(tb testing.TB, s storage.Storage, people int) *shop {
	tb.Helper()
	w := &shop{Storage: s, ids: id.NewMaker(), people: people}
	ctx := context.Background()
	must(tb, s.Install(ctx, storage.Installation{Environment: "sandbox", Generation: 1, CreatedAt: 1}))
	m := merchant.Merchant{ID: shopMerchant, Name: "shop", Settings: merchant.Defaults(), CreatedAt: 1}
	k := accessKey(m.ID)
	must(tb, s.CreateMerchant(ctx, m, k, machine.Audit{ID: w.ids.New(id.Audit), At: 1}))
	for from := 0; from < people; from += 500 {
		var in []machine.Instruction
		for p := from; p < min(from+500, people); p++ {
			in = append(in, w.topUp(p, 1_000_000_000, ""))
		}
		_, err := run(ctx, s, 0, in...)
		must(tb, err)
	}
	return w
}

func bookOf(person int) int { return person * 613 % id.Books }

func who(person int) machine.Who {
	return machine.Who{
		IIN:        []string{fmt.Sprintf("iin-index-%032d", person)},
		Phone:      []string{fmt.Sprintf("phone-index-%032d", person)},
		Generation: 1,
	}
}

func (w *shop) topUp(person int, amount int64, reference string) machine.Instruction {
	return machine.Instruction{
		Command: machine.Fund{
			Direction: machine.TopUp, Who: who(person), Currency: money.KZT, Amount: amount, Reference: reference,
			Opening: machine.Opening{
				WalletStem: id.Wallet + w.ids.Stem(), Book: bookOf(person), Customer: wallet.Customer{
					ID: w.ids.New(id.Customer), KeyID: "vk_1", IINIndex: who(person).IIN[0],
					PhoneIndex: who(person).Phone[0], IINSealed: []byte("sealed"), PhoneSealed: []byte("sealed"),
				},
			},
			By: machine.By{ID: w.ids.New(id.Audit), Actor: "tester", Reason: "test"},
		},
		Origin: journal.Origin{RequestID: w.ids.New(id.Request)},
		Render: render,
	}
}

func (w *shop) authorize(person, n int, amount int64) machine.Instruction {
	return w.keyed(w.ids.Stem(), machine.Authorize{
		Stem: id.Transaction + w.ids.Stem(), Book: bookOf(person), Merchant: shopMerchant, Currency: money.KZT,
		OrderReference: fmt.Sprintf("ORDER-%06d", n), Amount: amount, Who: who(person),
	})
}

// keyed wraps a command of the merchant; an empty key is none.
func (w *shop) keyed(key string, c machine.Command) machine.Instruction {
	request := w.ids.New(id.Request)
	return machine.Instruction{
		Command: c, Scope: shopMerchant, Key: key, Fingerprint: [32]byte{1}, Render: render,
		Origin: journal.Origin{
			RequestID: request, APIKeyID: "key_01JABCDEFGHJKMNPQRSTVWXYZ0", IdempotencyKey: key,
		},
	}
}

func target(t wallet.Transaction, amount int64) machine.Target {
	return machine.Target{Merchant: t.Merchant, ID: t.ID, Amount: amount}
}

func render(o machine.Outcome) machine.Reply {
	status := 201
	if o.Reason != "" {
		status = 422
	}
	return machine.Reply{Status: status, Body: fmt.Appendf(nil,
		`{"walletTransactionId":%q,"walletTransactionStatus":"SUCCESS","amount":1,"currency":"KZT",`+
			`"reason":%q,`+
			`"state":"authorized","authorizedAmount":1,"capturedAmount":0,"canceledAmount":0,"expiredAmount":0}`,
		o.Transaction.ID, o.Reason)}
}

// run commits the instructions as one batch of a lane.
func run(
	ctx context.Context, s storage.Storage, lane int, in ...machine.Instruction,
) ([]machine.Outcome, error) {
	b := commit.Batch{Storage: s, Clock: clock.System{}, Lane: lane, Instructions: in}
	return b.Run(ctx)
}

// insist runs one instruction until it is decided.
func insist(
	ctx context.Context, s storage.Storage, lane int, in machine.Instruction,
) (machine.Outcome, error) {
	outcomes, err := insistAll(ctx, s, lane, []machine.Instruction{in})
	if err != nil {
		return machine.Outcome{}, err
	}
	return outcomes[0], nil
}

// insistAll runs a batch until it is committed: lost races and lost connections are run again.
func insistAll(
	ctx context.Context, s storage.Storage, lane int, in []machine.Instruction,
) ([]machine.Outcome, error) {
	for {
		outcomes, err := run(ctx, s, lane, in...)
		again := errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrTransient)
		if !again || ctx.Err() != nil {
			return outcomes, err
		}
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func accessKey(merchant string) access.Key {
	return access.Key{ID: "key_1", Merchant: merchant, Hash: access.HashOf(merchant)}
}
