package sqlite

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"plexy/internal/access"
	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
	"plexy/internal/merchant"
	"plexy/internal/storage"
)

// shop is a keeper with one busy merchant and many customers with money.
type shop struct {
	testing.TB
	*Store
	ids      *id.Maker
	payers   []machine.Who
	merchant string
	sold     int
	body     []byte
}

func newShop(tb testing.TB, s *Store, payers int) *shop {
	sh := &shop{TB: tb, Store: s, ids: id.NewMaker(), body: make([]byte, 700)}
	for i := range sh.body {
		sh.body[i] = 'a' + byte(i%26)
	}
	ctx := tb.Context()
	sh.ok(s.Install(ctx, storage.Installation{Environment: "sandbox", MasterCheck: "check", Generation: 1}))
	sh.merchant = sh.ids.New(id.Merchant)
	sh.ok(s.CreateMerchant(ctx, merchant.Merchant{ID: sh.merchant, Name: "shop", Settings: merchant.Defaults()},
		access.Key{ID: sh.ids.New(id.Key), Merchant: sh.merchant}, machine.Audit{ID: sh.ids.New(id.Audit)}))
	for from := 0; from < payers; from += 500 {
		var in []machine.Instruction
		for i := from; i < min(from+500, payers); i++ {
			sh.payers = append(sh.payers, payer(i))
			in = append(in, sh.topUp(i))
		}
		sh.run(in...)
	}
	return sh
}

func (sh *shop) ok(err error) {
	sh.Helper()
	if err != nil {
		sh.Fatal(err)
	}
}

// payer returns made-up indexes of the size of real ones.
func payer(i int) machine.Who {
	var b [32]byte
	r := rand.NewChaCha8([32]byte{byte(i), byte(i >> 8), byte(i >> 16)})
	binary.LittleEndian.PutUint64(b[:], r.Uint64())
	iin := hex.EncodeToString(b[:])
	binary.LittleEndian.PutUint64(b[:], r.Uint64())
	return machine.Who{IIN: []string{iin}, Phone: []string{hex.EncodeToString(b[:])}, Generation: 1}
}

func (sh *shop) topUp(i int) machine.Instruction {
	who := sh.payers[i]
	return machine.Instruction{Command: machine.Fund{
		Direction: machine.TopUp, Who: who, Currency: money.KZT, Amount: 1 << 40,
		Opening: machine.Opening{
			WalletStem: id.Wallet + sh.ids.Stem(), Book: i % id.Books,
			Customer: wallet.Customer{
				ID: sh.ids.New(id.Customer), KeyID: "vk_1", IINIndex: who.IIN[0], PhoneIndex: who.Phone[0],
				IINSealed: make([]byte, 60), PhoneSealed: make([]byte, 60),
			},
		},
		By: machine.By{ID: sh.ids.New(id.Audit), Actor: "bench", Reason: "bench"},
	}}
}

func (sh *shop) authorize() machine.Instruction {
	key := uuid.NewString()
	sh.sold++
	return sh.keyed(key, machine.Authorize{
		Stem: id.Transaction + sh.ids.Stem(), Book: 7, Merchant: sh.merchant, Currency: money.KZT,
		OrderReference: fmt.Sprintf("ORDER-%06d", sh.sold), Amount: 100,
		Who: sh.payers[rand.IntN(len(sh.payers))],
	})
}

func (sh *shop) capture(t wallet.Transaction) machine.Instruction {
	return sh.keyed(uuid.NewString(), machine.Capture{
		Target: machine.Target{Merchant: sh.merchant, ID: t.ID, Amount: t.Amount},
	})
}

func (sh *shop) keyed(key string, c machine.Command) machine.Instruction {
	return machine.Instruction{
		Command: c, Scope: sh.merchant, Key: key,
		Origin: journal.Origin{RequestID: sh.ids.New(id.Request), APIKeyID: sh.merchant, IdempotencyKey: key},
		Render: func(machine.Outcome) machine.Reply { return machine.Reply{Status: 201, Body: sh.body} },
	}
}

// try commits the instructions in one batch.
func (sh *shop) try(in ...machine.Instruction) ([]machine.Outcome, error) {
	var keys machine.Keys
	for _, one := range in {
		keys.Add(one)
	}
	outcomes := make([]machine.Outcome, len(in))
	err := sh.Commit(sh.Context(), 0, func(ctx context.Context, b storage.Batch) error {
		state, err := b.Load(ctx, &keys)
		if err != nil {
			return err
		}
		at := machine.Stamp{At: time.Now().UnixMicro()}
		for i, one := range in {
			outcomes[i] = machine.Step(state, at, one)
		}
		return b.Save(ctx, state)
	})
	return outcomes, err
}

func (sh *shop) run(in ...machine.Instruction) []machine.Outcome {
	sh.Helper()
	outcomes, err := sh.try(in...)
	sh.ok(err)
	return outcomes
}
