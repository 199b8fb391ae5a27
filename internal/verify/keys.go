package verify

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"plexy/internal/core/journal"
	paylink "plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/id"
	"plexy/internal/storage"
)

// margin is how much later than its retention a reply may be missing or present, in microseconds: clocks
// differ, and the sweeper comes when it comes.
const margin = 60 * 60 * 1_000_000

// keyHash stands for a scope and a key; with 128 bits two of them never meet by chance.
type keyHash [2]uint64

func hashKey(scope, key string) keyHash {
	return keyHash{hashText(hashText(3, scope), key), hashText(hashText(4, key), scope)}
}

// effect is one record with a key, as far as the keys need it.
type effect struct {
	at        int64
	request   uint64 // hash of the request's id
	meaning   uint64 // hash of wallet, type and amount, for funding references
	own       bool   // a wallet's own record: the key is a funding reference
	sequence  int64
	object    string
	confirmed bool // a reply or a reference says that it knows this effect
}

// id names the operation that a record is, or an operation or link of card payments.
func (e effect) id() string {
	if e.sequence == 0 {
		return e.object
	}
	return journal.OperationID(e.object, e.sequence)
}

// portion is the keys of one pass, chosen by their hash.
type portion struct {
	v       *verifier
	number  uint64
	of      uint64
	effects map[keyHash][]effect
}

// readKeys compares keys, replies and references in portions of bounded size.
func (v *verifier) readKeys(ctx context.Context, books storage.Books) error {
	of := uint64(v.keyed/v.keysAtOnce + 1)
	for number := range of {
		p := &portion{v: v, number: number, of: of, effects: map[keyHash][]effect{}}
		if err := books.Journal(ctx, p.record); err != nil {
			return fmt.Errorf("walk the keyed records: %w", err)
		}
		if err := p.cards(ctx, books); err != nil {
			return fmt.Errorf("walk the keyed operations of card payments: %w", err)
		}
		if err := books.Replies(ctx, p.reply); err != nil {
			return fmt.Errorf("walk the replies: %w", err)
		}
		if err := books.References(ctx, p.reference); err != nil {
			return fmt.Errorf("walk the references: %w", err)
		}
		p.close()
	}
	return nil
}

func (p *portion) has(h keyHash) bool { return h[0]%p.of == p.number }

func (p *portion) record(r journal.Record) error {
	if r.Origin.IdempotencyKey == "" {
		return nil
	}
	h := hashKey(r.Merchant, r.Origin.IdempotencyKey)
	if !p.has(h) {
		return nil
	}
	p.effects[h] = append(p.effects[h], effect{
		at: r.At, request: hashText(5, r.Origin.RequestID), own: ownType(r.Type),
		object: r.Object, sequence: r.Sequence, meaning: meaning(r.Wallet, r.Type, r.Signed()),
	})
	return nil
}

// cards takes the keys of requests about card payments that wrote no record: what was asked of an acquirer,
// and what was done with links.
func (p *portion) cards(ctx context.Context, books storage.Books) error {
	known, ok := books.(storage.PaymentBooks)
	if !ok {
		return nil
	}
	take := func(merchant, object string, at int64, o journal.Origin) {
		if h := hashKey(merchant, o.IdempotencyKey); o.IdempotencyKey != "" && p.has(h) {
			p.effects[h] = append(p.effects[h], effect{at: at, request: hashText(5, o.RequestID), object: object})
		}
	}
	rows := pull(func(fn func(payment.Payment) error) error {
		return known.Payments(ctx, func(p payment.Payment, _ payment.Status) error { return fn(p) })
	})
	defer rows.stop()
	var row payment.Payment // both walks are in order of payment
	err := known.Operations(ctx, func(o payment.Operation) error {
		for more := true; more && row.ID < o.Payment; {
			row, more = rows.next()
		}
		if row.ID == o.Payment && o.Verb != payment.Authorize { // that one is its payment's first record
			take(row.Merchant, o.ID, o.CreatedAt, o.Origin)
		}
		return nil
	})
	if err = cmp.Or(err, rows.err); err != nil {
		return err
	}
	return known.Links(ctx, func(l paylink.Link) error {
		take(l.Merchant, l.ID, l.CreatedAt, l.Origin)
		take(l.Merchant, l.ID, l.UpdatedAt, l.Ended)
		return nil
	})
}

func meaning(wallet string, kind journal.Type, amount int64) uint64 {
	return mix(hashText(hashText(6, wallet), string(kind)), uint64(amount))
}

// reply confirms the effect that a stored reply reports, and refuses one that a refusal denies. One with
// machine.StatusElsewhere reports none in the books.
func (p *portion) reply(k machine.ReplyKey, s machine.Stored) error {
	h := hashKey(k.Scope, k.Key)
	if !p.has(h) {
		return nil
	}
	p.v.report.checked(Keys)
	request, done := hashText(5, s.RequestID), s.Reply.Status < 300
	found := false
	for i := range p.effects[h] {
		if e := &p.effects[h][i]; e.request == request && !e.own {
			if e.confirmed {
				p.v.report.broken(Keys, e.id(), "has two stored replies")
			}
			found, e.confirmed = true, true
			switch {
			case !done:
				p.v.report.broken(Keys, e.id(), "was done although its stored reply has status %d",
					s.Reply.Status)
			case strings.HasPrefix(e.object, id.Transaction) && !bytes.Contains(s.Reply.Body, []byte(e.object)):
				p.v.report.broken(Keys, e.id(), "has a stored reply that does not name its transaction")
			}
		}
	}
	if done && !found {
		p.v.report.broken(Keys, k.Scope, "the reply to request %s has status %d and nothing was done",
			s.RequestID, s.Reply.Status)
	}
	return nil
}

var fundTypes = map[machine.Direction]journal.Type{
	machine.TopUp: journal.ToppedUp, machine.Withdraw: journal.Withdrawn, machine.Adjust: journal.Adjusted,
}

// reference confirms the one effect of a funding reference.
func (p *portion) reference(r machine.Reference) error {
	h := hashKey("", r.Name)
	if !p.has(h) {
		return nil
	}
	p.v.report.checked(References)
	want, found := meaning(r.Wallet, fundTypes[r.Direction], r.Amount), 0
	for i := range p.effects[h] {
		if e := &p.effects[h][i]; e.own && e.meaning == want {
			e.confirmed = true
			found++
		}
	}
	if found != 1 {
		p.v.report.broken(References, r.Name, "%s of %d on %s happened %d times", r.Direction, r.Amount,
			r.Wallet, found)
	}
	return nil
}

// close judges the effects that nothing confirmed, and those that share a key.
func (p *portion) close() {
	var found []Violation
	say := func(rule Rule, e effect, what string) {
		found = append(found, Violation{Rule: rule, Object: e.id(), What: what})
	}
	oldest := p.v.now - machine.Retention + margin
	for _, effects := range p.effects {
		for i, e := range effects {
			switch {
			case e.own && !e.confirmed:
				say(References, e, "names a funding reference that is not kept, or is not what it meant")
			case !e.own && !e.confirmed && e.at >= oldest:
				say(Keys, e, "was done under a key whose reply is not kept")
			}
			for _, other := range effects[:i] {
				if e.own == other.own && (e.own || apart(e.at, other.at) < machine.Retention) {
					say(Keys, e, "was done under the same key as "+other.id())
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b Violation) int { return cmp.Compare(a.Object, b.Object) })
	for _, f := range found {
		p.v.report.broken(f.Rule, f.Object, "%s", f.What)
	}
}

// apart is the distance of two times. Ids of one process grow, but its clock may have jumped back.
func apart(a, b int64) int64 { return max(a-b, b-a) }
