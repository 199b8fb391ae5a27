package sim

import (
	"plexy/internal/core/ledger"
	"plexy/internal/core/payment"
	"plexy/internal/storage"
	"plexy/internal/verify"
)

// quiet ends the story: nothing new is asked for, all mail arrives, and the bank is asked until it has said
// everything.
func (s *cardStory) quiet() {
	s.between = nil
	for round := 0; s.found == nil; round++ {
		for m, ok := s.bank.deliver(); ok; m, ok = s.bank.deliver() {
			s.answer(m.attempt, m.answer)
		}
		s.clock.Advance(day)
		late := s.quietLate()
		unknown, err := s.cfg.Store.UnknownOperations(s.ctx, 100)
		due, err2 := s.cfg.Store.DueOperations(s.ctx, s.clock.Now(), 100)
		if err != nil || err2 != nil {
			s.fail("storage", "what is unknown: %v %v", err, err2)
		}
		if late+len(unknown)+len(due)+len(s.bank.mail) == 0 {
			return
		}
		for _, a := range append(unknown, due...) {
			s.inquire(a)
		}
		if round == 1_000 {
			s.fail("quiet", "%d operations are still unknown", len(unknown))
		}
	}
}

// quietLate gives up the payers that never came back, and says how many there were: what runs meanwhile may
// ask the bank for something that is not due yet.
func (s *cardStory) quietLate() int {
	late, err := s.cfg.Store.DueAuthentications(s.ctx, s.clock.Now(), 1_000)
	if err != nil {
		s.fail("storage", "late payers: %v", err)
	}
	for range late {
		s.background()
	}
	return len(late)
}

// audit verifies the books from scratch. At the end it also compares them with the bank's (V13): every
// payment, and the sums of the accounts.
func (s *cardStory) audit() {
	if s.found != nil {
		return
	}
	report, err := verify.RunAt(s.ctx, s.cfg.Store, s.clock.Now())
	if err != nil {
		s.fail("verify", "%v", err)
		return
	}
	s.tally["audits"]++
	for _, v := range report.Violations {
		s.fail(v.Covers, "%s: %s", v.Object, v.What)
	}
	if s.step > s.cfg.Steps {
		s.compareWithBank()
	}
}

func (s *cardStory) compareWithBank() {
	var captured, settled, refunded int64
	for _, id := range s.payments {
		p, err := s.cfg.Store.AnyPayment(s.ctx, id)
		if err != nil {
			s.fail("storage", "%s: %v", id, err)
			return
		}
		if p.Open != 0 || p.AuthenticateBy != 0 {
			s.fail("V14", "is not answered: %+v", p)
		}
		b := s.bank.of(id)
		if got := (account{p.Authorized, p.Captured, p.Released, p.Refunded}); got != *b {
			s.fail("V13", "%s has %+v, the bank %+v", id, got, *b)
		}
		captured, settled, refunded = captured+p.Captured, settled+p.Settled, refunded+p.Refunded
		if p.Link != "" && p.Stage == payment.Approved {
			l, err := s.cfg.Store.AnyLink(s.ctx, p.Link)
			if err != nil || l.Payment != id {
				s.fail("V7", "%s paid the link %+v (%v)", id, l, err)
			}
		}
	}
	for name, want := range map[string]int64{
		ledger.Receivable("bank", "KZT"): settled - captured, ledger.RefundTransit("KZT"): refunded,
		ledger.Payable("mer_0", "KZT"): captured - refunded,
	} {
		if got := posted(s, name); got != want {
			s.fail("V13", "%s has %d posted, the payments make %d", name, got, want)
		}
	}
}

// posted sums the stripes of an account.
func posted(s *cardStory, account string) (sum int64) {
	stripes, err := storage.Reader(s.cfg.Store).Stripes(s.ctx, account)
	if err != nil {
		s.fail("storage", "%s: %v", account, err)
	}
	for _, stripe := range stripes {
		sum += stripe.Totals.Posted()
	}
	return sum
}
