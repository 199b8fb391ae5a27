package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"plexy/internal/clock"
	"plexy/internal/commit"
	"plexy/internal/core/journal"
	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	"plexy/internal/storage"
)

// CardStore is a keeper that knows card payments.
type CardStore interface {
	storage.Storage
	storage.Payments
}

// CardConfig says what story of card payments to play.
type CardConfig struct {
	Seed  uint64
	Steps int
	Store CardStore
	// Interleave lets another batch commit between load and save; see Config.
	Interleave bool
	AuditEvery int // steps; 0 means 2,000
}

// CardTally counts what happened in a story of card payments.
type CardTally map[string]int

// cardStory is a world of card payments: merchants, payers, a bank that misbehaves, and the clock.
type cardStory struct {
	cfg    CardConfig
	ctx    context.Context
	random *rand.Rand
	clock  *clock.Manual
	bank   *acquirer
	ids    uint64
	step   int
	tally  CardTally
	found  *Finding

	payments, links []string
	between         func()
}

// PlayCards plays a story and returns what happened, with what was found wrong as the error. After each step
// the payment that it was about is within its bounds; now and then the books are verified from scratch; and
// at the end, when everything has been answered, the books say what the bank says.
func PlayCards(ctx context.Context, cfg CardConfig) (CardTally, error) {
	if cfg.AuditEvery == 0 {
		cfg.AuditEvery = 2_000
	}
	random := rand.New(rand.NewPCG(cfg.Seed, 0x6361726473))
	s := &cardStory{
		cfg: cfg, ctx: ctx, random: random, clock: clock.NewManual(begin), bank: newAcquirer(random),
		tally: CardTally{},
	}
	for s.step = 1; s.step <= cfg.Steps && s.found == nil; s.step++ {
		s.clock.Advance(random.Int64N(second))
		if random.IntN(60) == 0 {
			s.clock.Advance(random.Int64N(3 * hour))
		}
		s.play()
		if s.step%cfg.AuditEvery == 0 {
			s.audit()
		}
		if ctx.Err() != nil {
			return s.tally, ctx.Err()
		}
	}
	s.quiet()
	s.audit()
	if s.found != nil {
		return s.tally, s.found
	}
	return s.tally, nil
}

func (s *cardStory) fail(invariant, format string, args ...any) {
	if s.found == nil {
		s.found = &Finding{Invariant: invariant, Seed: s.cfg.Seed, Step: s.step, What: fmt.Sprintf(format, args...)}
	}
}

// uuid makes a fresh id.
func (s *cardStory) uuid() string {
	s.ids++
	ms := fmt.Sprintf("%012x", s.clock.Now()/1000)
	return fmt.Sprintf("%s-%s-7000-8000-%012x", ms[:8], ms[8:], s.ids)
}

// between is a storage that lets something else commit between load and save.
type betweenStore struct {
	storage.Storage
	s *cardStory
}

func (b betweenStore) Commit(
	ctx context.Context, lane int, fn func(context.Context, storage.Batch) error,
) error {
	return b.Storage.Commit(ctx, lane, func(ctx context.Context, batch storage.Batch) error {
		return fn(ctx, betweenBatch{batch, b.s})
	})
}

type betweenBatch struct {
	storage.Batch
	s *cardStory
}

func (b betweenBatch) Load(ctx context.Context, keys *machine.Keys) (*machine.State, error) {
	state, err := b.Batch.Load(ctx, keys)
	if between := b.s.between; between != nil && err == nil {
		b.s.between = nil
		between()
	}
	return state, err
}

// run commits one instruction, again when another one was first, and sometimes twice: whoever lost the answer
// asks again under the same key.
func (s *cardStory) run(c machine.Command, key string) machine.Outcome {
	in := machine.Instruction{
		Command: c, Key: key, Scope: "mer_0", Origin: journal.Origin{RequestID: "req_" + key, IdempotencyKey: key},
		Render: func(o machine.Outcome) machine.Reply {
			status := 200
			if o.Reason != "" {
				status = 422
			}
			return machine.Reply{Status: status, Body: []byte(o.Reason)}
		},
	}
	b := commit.Batch{
		Storage: betweenStore{s.cfg.Store, s}, Clock: s.clock, Lane: s.random.IntN(s.cfg.Store.Lanes()),
		Instructions: []machine.Instruction{in},
	}
	for {
		out, err := b.Run(s.ctx)
		switch {
		case errors.Is(err, storage.ErrConflict):
			s.tally["conflicts"]++
			continue
		case err != nil:
			s.fail("commit", "%T: %v", c, err)
			return machine.Outcome{}
		}
		o := out[0]
		if o.Reason != "" {
			s.tally["refused: "+string(o.Reason)]++
		}
		if key != "" && o.Reason == "" && s.random.IntN(5) == 0 {
			again, err := b.Run(s.ctx)
			if err != nil || !again[0].Replayed || string(again[0].Reply.Body) != string(o.Reply.Body) {
				s.fail("V9", "%T under one key again: %v %+v", c, err, again)
			}
			s.tally["replays"]++
		}
		s.bounds(o)
		return o
	}
}

// bounds holds what must be true of a payment after each step (V2, V3, V4).
func (s *cardStory) bounds(o machine.Outcome) {
	if o.Pay == nil {
		return
	}
	p := o.Pay.Payment
	for _, n := range []int64{p.Free(), p.Balance() - p.Refunding, p.Authorizing, p.Capturing, p.Releasing,
		p.Refunding, p.Open - p.Unknown, p.Unknown, p.Captured - p.Settled} {
		if n < 0 && p.Kind != payment.RefundOf {
			s.fail("V2 V3 V4", "%+v", p)
		}
	}
}

// key is an idempotency key for a merchant's request.
func (s *cardStory) key() string { return "key-" + s.uuid() }

// play does one thing.
func (s *cardStory) play() {
	acts := []func(){
		s.begin, s.begin, s.createLink, s.modify, s.modify, s.modify, s.deliver, s.deliver, s.poll, s.poll,
		s.background, s.background, s.secure, s.settle,
	}
	act := acts[s.random.IntN(len(acts))]
	if s.cfg.Interleave && s.random.IntN(4) == 0 {
		s.between = acts[s.random.IntN(len(acts))]
	}
	act()
	s.between = nil
}

func (s *cardStory) createLink() {
	l := link.Facts{
		ID: "pl_" + strings.ReplaceAll(s.uuid(), "-", ""), Merchant: "mer_0", Currency: "KZT",
		Amount: 1 + s.random.Int64N(1_000), OrderReference: fmt.Sprint("ORDER-", s.random.IntN(s.step+10)),
	}
	c := machine.CreateLink{Facts: l}
	if s.random.IntN(2) == 0 {
		c.ExpiresAt = s.clock.Now() + s.random.Int64N(2*hour)
	}
	if o := s.run(c, s.key()); o.Reason == "" {
		s.links = append(s.links, l.ID)
		s.tally["links"]++
	}
}

// recent picks one of the last few ids, so that things happen to the same ones at once.
func (s *cardStory) recent(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return ids[len(ids)-1-s.random.IntN(min(len(ids), 12))]
}

func (s *cardStory) begin() {
	f := payment.Facts{
		ID: s.uuid(), Merchant: "mer_0", Connector: "bank", Currency: "KZT", Amount: 1 + s.random.Int64N(1_000),
		Kind: payment.Auth, ClearMicros: s.random.Int64N(2 * hour),
	}
	if s.random.IntN(2) == 0 {
		f.Link = s.recent(s.links)
	}
	c := machine.BeginPayment{Facts: f, Operation: s.uuid(), Authenticate: s.random.IntN(3) == 0}
	o := s.run(c, s.key())
	if o.Reason != "" {
		return
	}
	s.payments = append(s.payments, f.ID)
	s.tally["payments"]++
	s.carryOut(o)
}

// carryOut asks the bank, unless the process dies before it does.
func (s *cardStory) carryOut(o machine.Outcome) {
	if o.Pay == nil || o.Pay.Operation.ID == "" || s.random.IntN(12) == 0 {
		return
	}
	at := attempt{o.Pay.Payment.ID, o.Pay.Operation.ID, o.Pay.Payment.Link, o.Pay.Operation.Refund}
	answer, known := s.bank.call(o.Pay.Operation, at)
	switch {
	case !known:
		s.run(machine.PutOff{Attempt: at.machine()}, "")
		s.tally["unknown"]++
	case s.random.IntN(15) > 0: // else it dies before it writes the answer down
		s.answer(at, answer)
	}
}

func (a attempt) machine() machine.Attempt {
	return machine.Attempt{Payment: a.payment, Operation: a.operation, Link: a.link, Other: a.other}
}

func (s *cardStory) answer(at attempt, a payment.Answer) {
	o := s.run(machine.RecordAnswer{Attempt: at.machine(), Answer: a, Audit: "aud_" + s.uuid()}, "")
	switch {
	case o.Pay == nil:
	case o.Pay.Contradicts:
		s.tally["not believed"]++
	case len(o.Pay.Records) == 0 && o.Pay.Operation.State == payment.Accepted:
		s.tally["said again"]++
	default:
		s.tally[string(o.Pay.Operation.Verb)+" "+string(o.Pay.Operation.State)]++
		if s.random.IntN(10) == 0 {
			s.bank.lie(at, o.Pay.Operation.State)
		}
	}
}

func (s *cardStory) modify() {
	id := s.recent(s.payments)
	m := machine.Modification{Merchant: "mer_0", Payment: id, Operation: s.uuid()}
	if s.random.IntN(2) == 0 {
		m.Amount = 1 + s.random.Int64N(600)
	}
	var c machine.Command
	switch s.random.IntN(3) {
	case 0:
		c = machine.AskCapture{Modification: m}
	case 1:
		c = machine.AskCancel{Modification: m}
	default:
		c = machine.AskRefund{Modification: m, Returning: payment.Returning{ID: s.uuid()}}
	}
	if o := s.run(c, s.key()); o.Reason == "" {
		s.carryOut(o)
	}
}

// deliver lets one of the bank's messages arrive; some are about nothing that there is.
func (s *cardStory) deliver() {
	if m, ok := s.bank.deliver(); ok {
		s.answer(m.attempt, m.answer)
	}
	if s.random.IntN(20) == 0 {
		at := machine.Attempt{Payment: s.recent(s.payments), Operation: s.uuid()}
		o := s.run(machine.RecordAnswer{Attempt: at, Answer: payment.Answer{State: payment.Accepted}}, "")
		if o.Reason != reject.PaymentNotFound {
			s.fail("V10", "an answer to nothing came to %+v", o)
		}
	}
}

// poll asks the bank after what is due.
func (s *cardStory) poll() {
	due, err := s.cfg.Store.DueOperations(s.ctx, s.clock.Now(), 3)
	if err != nil {
		s.fail("storage", "due operations: %v", err)
	}
	for _, a := range due {
		s.inquire(a)
	}
}

func (s *cardStory) inquire(a storage.Asked) {
	at := attempt{a.Payment.ID, a.Operation.ID, a.Payment.Link, a.Operation.Refund}
	if answer, known := s.bank.inquire(a.Operation); known {
		if s.random.IntN(6) == 0 { // a person asks the bank's people instead
			s.settleByHand(at, answer)
			return
		}
		s.tally["inquiries"]++
		s.answer(at, answer)
		return
	}
	s.run(machine.PutOff{Attempt: at.machine()}, "")
}

// settleByHand is a person who writes down what the bank has said, sometimes twice.
func (s *cardStory) settleByHand(at attempt, said payment.Answer) {
	for range 1 + s.random.IntN(2) {
		o := s.run(machine.SettleOperation{
			Attempt: at.machine(), Found: said, By: machine.By{ID: "aud_" + s.uuid(), Actor: "a person"},
		}, "")
		switch {
		case o.Reason == "":
			s.tally["settled by hand"]++
		case o.Reason != reject.AlreadyDecided && o.Reason != reject.OperationPending:
			s.fail("V9", "settling by hand came to %s", o.Reason)
		}
	}
}

// secure brings a payer back from 3-D Secure.
func (s *cardStory) secure() {
	verdicts := []payment.Verdict{
		payment.Passed, payment.Passed, payment.Passed, payment.Skipped, payment.Denied, payment.Broken,
	}
	id := s.recent(s.payments)
	p, err := s.cfg.Store.AnyPayment(s.ctx, id)
	if err != nil {
		return
	}
	o := s.run(machine.Authenticated{
		Attempt: machine.Attempt{Payment: id, Link: p.Link, Operation: s.uuid()},
		Verdict: verdicts[s.random.IntN(len(verdicts))],
	}, "")
	if o.Reason == "" {
		s.tally["authenticated"]++
		s.carryOut(o)
	}
}

// background is what the clock does.
func (s *cardStory) background() {
	now := s.clock.Now()
	clearings, err := s.cfg.Store.DueClearings(s.ctx, now, 2)
	late, err2 := s.cfg.Store.DueAuthentications(s.ctx, now, 2)
	links, err3 := s.cfg.Store.DueLinks(s.ctx, now, 2)
	if err := errors.Join(err, err2, err3); err != nil {
		s.fail("storage", "what is due: %v", err)
	}
	for _, p := range clearings {
		if o := s.run(machine.ClearPayment{Payment: p.ID, Operation: s.uuid()}, ""); o.Reason == "" {
			s.tally["clearings"]++
			s.carryOut(o)
		}
	}
	for _, p := range late {
		s.run(machine.Abandon{Attempt: machine.Attempt{Payment: p.ID, Link: p.Link}}, "")
		s.tally["abandoned"]++
	}
	for _, id := range links {
		s.run(machine.ExpireLink{ID: id}, "")
		s.tally["expired links"]++
	}
}

// settle is a line of the acquirer's account, or a refund that bounces.
func (s *cardStory) settle() {
	p, err := s.cfg.Store.AnyPayment(s.ctx, s.recent(s.payments))
	if err != nil {
		return
	}
	if n := p.Captured - p.Settled; n > 0 {
		s.run(machine.RecordSettlement{Payment: p.ID, Amount: n, Fee: n / 50}, "")
		s.tally["settled"]++
	}
	operations, err := s.cfg.Store.OperationsOf(s.ctx, p.ID)
	if err != nil {
		s.fail("storage", "operations: %v", err)
	}
	for _, o := range operations {
		if o.Verb != payment.Refund || o.State != payment.Accepted || s.random.IntN(2) > 0 {
			continue
		}
		bounced := s.run(machine.FailRefund{Payment: p.ID, Refund: o.Refund}, "")
		if bounced.Reason == "" && len(bounced.Pay.Records) > 0 {
			s.bank.of(p.ID).refunded -= o.Amount
			s.tally["bounced"]++
		}
	}
}

// String lists the figures by name.
func (t CardTally) String() string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(t)) {
		lines = append(lines, fmt.Sprintf("%d %s", t[name], name))
	}
	return strings.Join(lines, ", ")
}
