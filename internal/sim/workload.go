package sim

import (
	"fmt"
	"math"
	"slices"

	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/wallet"
	"plexy/internal/merchant"
)

// people is how many customers there may be. Few, so that their wallets are fought over.
const people = 14

// clients is what merchants and staff remember.
type clients struct {
	merchants []string
	made      []string  // ids of transactions
	sent      []request // with a key or a reference: may be sent again
	numbers   int
}

// request is what a client means; each sending of it becomes an instruction of its own.
type request struct {
	command     machine.Command
	scope, key  string
	fingerprint [32]byte
	at          int64
}

// play lets one thing happen.
func (s *Simulator) play() {
	p := s.processes[s.random.IntN(2)]
	switch {
	case s.once(40):
		s.release(p)
	case s.once(40):
		s.decide(p)
	case s.once(60):
		s.race(p)
	case s.once(300):
		s.permute(p)
	case s.once(500):
		s.sweep(p)
	case s.once(700):
		s.agree()
	case s.once(10):
		s.poll(p)
	case s.once(40):
		s.look(p)
	default:
		s.trade(p)
	}
}

// trade submits a batch, which may meet any fate.
func (s *Simulator) trade(p *process) {
	requests, sub := s.requests(), submission{p: p}
	for _, r := range requests {
		sub.batch = append(sub.batch, s.send(r))
	}
	switch {
	case s.once(100):
		sub.fate = dies
	case s.once(100):
		sub.fate = stumbles
	case s.once(50):
		sub.fate = losesAnswer
	}
	if s.cfg.Interleave && !s.nested && s.once(4) {
		sub.between = func() {
			s.nested = true
			s.trade(s.other(p))
			s.nested = false
		}
	}
	outcomes, _ := s.submit(sub)
	for _, o := range outcomes {
		if o.Record.Sequence == 1 && o.Transaction.ID != "" {
			s.known.made = append(s.known.made, o.Transaction.ID)
		}
	}
	if outcomes == nil {
		// Nobody knows what came of it: the clients ask again, now or later.
		s.known.sent = append(s.known.sent, slices.DeleteFunc(requests,
			func(r request) bool { return !r.again() })...)
	}
}

// again reports whether the request may be sent twice without harm.
func (r request) again() bool {
	f, ok := r.command.(machine.Fund)
	return r.key != "" || ok && f.Reference != ""
}

func (s *Simulator) other(p *process) *process {
	if p == s.processes[0] {
		return s.processes[1]
	}
	return s.processes[0]
}

// requests makes the requests of one batch.
func (s *Simulator) requests() []request {
	n := 1
	switch {
	case s.once(10):
		n = 1 + s.random.IntN(12)
	case s.once(2):
		n = 2 + s.random.IntN(3)
	}
	var batch []request
	for range n {
		r := s.request()
		if _, alone := r.command.(machine.Rebind); alone {
			return []request{r} // staff's tool commits it by itself
		}
		batch = append(batch, r)
		if r.again() {
			if s.once(25) {
				batch = append(batch, r) // a double click
			}
			s.known.sent = append(s.known.sent, r)
		}
	}
	if extra := len(s.known.sent) - 600; extra > 0 {
		s.known.sent = slices.Delete(s.known.sent, 0, extra+100)
	}
	return batch
}

// request makes up what somebody wants.
func (s *Simulator) request() request {
	switch n := s.random.IntN(100); {
	case n < 30:
		return s.keyed(s.authorize())
	case n < 44:
		t := s.target()
		return s.keyed(t.Merchant, machine.Capture{Target: t})
	case n < 52:
		t := s.target()
		return s.keyed(t.Merchant, machine.Cancel{Target: t})
	case n < 62:
		t := s.target()
		return s.keyed(t.Merchant, machine.Refund{Target: t})
	case n < 68:
		return request{command: s.decision(s.undecidedID(), s.random.IntN(8))}
	case n < 82 && len(s.known.sent) > 0:
		return s.repeat()
	case n < 84:
		return request{command: machine.Expire{ID: s.someID()}}
	case n < 93:
		return s.numbered(request{command: s.fund()})
	}
	return s.numbered(request{command: s.staff()})
}

// keyed gives a merchant's request a key, most of the time.
func (s *Simulator) keyed(merchant string, c machine.Command) request {
	r := s.numbered(request{command: c, scope: merchant})
	if _, authorize := c.(machine.Authorize); authorize || !s.once(5) {
		r.key = fmt.Sprintf("%08x-%d", s.random.Uint32(), s.known.numbers)
	}
	return r
}

// numbered gives a request a meaning of its own.
func (s *Simulator) numbered(r request) request {
	s.known.numbers++
	copy(r.fingerprint[:], fmt.Sprint(s.known.numbers))
	r.at = s.now
	return r
}

// repeat sends something again, or something else under an old key.
func (s *Simulator) repeat() request {
	n := len(s.known.sent)
	r := s.known.sent[n-1-s.random.IntN(n)]
	if s.once(2) {
		r = s.known.sent[n-1-s.random.IntN(min(n, 30))]
	}
	if r.key == "" || !s.once(8) {
		return r
	}
	other := s.keyed(s.authorize())
	other.scope, other.key = r.scope, r.key
	c := other.command.(machine.Authorize)
	c.Merchant = r.scope
	other.command = c
	return other
}

// who names a person by IIN and, nearly always, by the right phone.
func (s *Simulator) who(i int) machine.Who {
	iin := fmt.Sprint("i-", i)
	phone := fmt.Sprint("p-", i)
	if c := s.model.customers[iin]; c.id != "" {
		phone = c.phone
	}
	if s.once(25) {
		phone = fmt.Sprint("p-", s.random.IntN(2*people))
	}
	return machine.Who{IIN: []string{iin}, Phone: []string{phone}, Generation: 1}
}

func (s *Simulator) person() int { return s.random.IntN(people) }

func (s *Simulator) currency() money.Currency {
	if s.once(4) {
		return currencies[s.random.IntN(len(currencies))]
	}
	return currencies[0]
}

func (s *Simulator) amount(most int64) int64 {
	if s.once(60) {
		return math.MaxInt64 - s.random.Int64N(2)
	}
	return 1 + s.random.Int64N(most)
}

func (s *Simulator) authorize() (string, machine.Command) {
	m := s.known.merchants[s.random.IntN(len(s.known.merchants))]
	if s.once(200) {
		m = "mer_nobody"
	}
	return m, machine.Authorize{
		Merchant: m, Currency: s.currency(), OrderReference: fmt.Sprint("ORDER-", s.random.IntN(400)),
		Amount: s.amount(200), Who: s.who(s.person()), Book: s.random.IntN(1024), Course: s.course(),
	}
}

// someID names a transaction, a recent one most of the time.
func (s *Simulator) someID() string {
	n := len(s.known.made)
	switch {
	case n == 0 || s.once(100):
		return "wt_" + s.stem() + "00"
	case s.once(10):
		return s.known.made[s.random.IntN(n)]
	}
	return s.known.made[n-1-s.random.IntN(min(n, 30))]
}

// target names a transaction and an amount of it, often just what is there or a little more.
func (s *Simulator) target() machine.Target {
	t := s.model.transactions[s.someID()]
	m := t.Merchant
	if m == "" || s.once(50) {
		m = s.known.merchants[s.random.IntN(len(s.known.merchants))]
	}
	amount := s.amount(120)
	switch rest := held(t); s.random.IntN(5) {
	case 0:
		amount = rest
	case 1:
		amount = t.Captured - t.Refunded
	case 2:
		amount = rest + 1
	case 3:
		if t.Status == wallet.New {
			amount = t.Amount
		}
	}
	return machine.Target{Merchant: m, ID: t.ID, Amount: max(amount, 1)}
}

func (s *Simulator) fund() machine.Command {
	i := s.person()
	f := machine.Fund{
		Direction: machine.TopUp, Who: s.who(i), Currency: s.currency(), Amount: 1 + s.random.Int64N(1_500),
		Opening: machine.Opening{Book: (i * 37) % 1024},
	}
	switch s.random.IntN(8) {
	case 0:
		f.Direction, f.Amount = machine.Withdraw, 1+s.random.Int64N(200)
	case 1:
		f.Direction, f.Amount = machine.Adjust, 1+s.random.Int64N(100)
		if s.once(2) {
			f.Amount = -f.Amount
		}
	}
	if !s.once(3) {
		f.Reference = fmt.Sprintf("%s-%d", f.Direction, s.random.IntN(1_000_000))
	}
	return f
}

// staff makes a change by hand of something that is not money.
func (s *Simulator) staff() machine.Command {
	i := s.person()
	who, currency := s.who(i), s.currency()
	switch s.random.IntN(7) {
	case 0:
		condition := wallet.Active
		if s.once(3) {
			condition = wallet.Blocked
		}
		return machine.SetCondition{Who: who, Currency: currency, Condition: condition}
	case 1:
		limits := wallet.Limits{PerTransaction: s.random.Int64N(3) * 90, PerDay: s.random.Int64N(3) * 400}
		return machine.SetLimits{Who: who, Currency: currency, Limits: limits}
	case 3, 4:
		return machine.SetApproval{Who: who, Currency: currency, Approval: s.approval()}
	case 2:
		return machine.Open{Who: who, Currency: currency, Opening: machine.Opening{Book: (i * 37) % 1024}}
	}
	c := s.model.customers[who.IIN[0]]
	who.Phone = []string{fmt.Sprint("p-", s.random.IntN(2*people))}
	if c.id == "" {
		c.id = "cus_nobody"
	}
	return machine.Rebind{Who: who, Customer: c.id, KeyID: "vk_1", Sealed: []byte("-")}
}

// send makes the instruction that one sending of a request is: every sending has its own ids.
func (s *Simulator) send(r request) machine.Instruction {
	in := machine.Instruction{
		Command: r.command, Scope: r.scope, Key: r.key, Fingerprint: r.fingerprint, Render: render,
		Origin: journal.Origin{RequestID: "req_" + s.stem(), IdempotencyKey: r.key},
	}
	by := machine.By{ID: s.auditID(), Actor: "sim", Reason: "-"}
	switch c := r.command.(type) {
	case machine.Authorize:
		c.Stem = "wt_" + s.stem()
		in.Command, in.Origin.APIKeyID = c, "key_of_"+c.Merchant
	case machine.Fund:
		c.By, c.Opening = by, s.opening(c.Who, c.Opening.Book)
		in.Command = c
	case machine.Open:
		c.By, c.Opening = by, s.opening(c.Who, c.Opening.Book)
		in.Command = c
	case machine.SetCondition:
		c.By = by
		in.Command = c
	case machine.SetLimits:
		c.By = by
		in.Command = c
	case machine.SetApproval:
		c.By = by
		in.Command = c
	case machine.Rebind:
		c.By = by
		in.Command = c
	case machine.Expire, machine.Approve, machine.Decline, machine.Lapse, machine.Complete:
		in.Render = nil
	}
	return in
}

func (s *Simulator) opening(who machine.Who, book int) machine.Opening {
	return machine.Opening{
		WalletStem: "wlt_" + s.stem(), Book: book,
		Customer: wallet.Customer{
			ID: "cus_" + s.stem() + "00", KeyID: "vk_1", IINIndex: who.IIN[0], PhoneIndex: who.Phone[0],
			IINSealed: []byte("-"), PhoneSealed: []byte("-"),
		},
	}
}

// agree changes what a merchant has settled.
func (s *Simulator) agree() {
	m := s.known.merchants[s.random.IntN(len(s.known.merchants))]
	set := merchant.Settings{
		HoldMicros: holds[s.random.IntN(len(holds))], RejectRepeats: s.once(2),
		ApprovalMicros: holds[s.random.IntN(3)],
	}
	if s.must("change a merchant", s.processes[0].store.SetMerchant(s.ctx, m, set, s.audit())) {
		s.model.agree(m, set)
	}
}

func (m *model) agree(id string, set merchant.Settings) {
	m.terms[id] = wallet.Terms{
		Merchant: id, HoldMicros: set.HoldMicros, RejectRepeats: set.RejectRepeats,
		ApprovalMicros: set.ApprovalMicros,
	}
}
