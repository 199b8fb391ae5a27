package iso8583_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"plexy/internal/connector"
	"plexy/internal/connector/iso8583"
	"plexy/internal/connector/iso8583/host"
)

// disagree compares what we say of an operation with the host's books; "" when they agree.
func disagree(books host.Books, q connector.Inquiry, answer connector.Answer) string {
	if len(books.Twice) > 0 {
		return fmt.Sprintf("the host did twice: %v", books.Twice)
	}
	done := answer.Outcome == connector.Approved
	if q.Verb == connector.Authorize {
		for _, a := range books.Authorizations {
			if a.Operation != q.Operation {
				continue
			}
			has := a.Approved > 0 && !a.Reversed
			if has != done || done && a.Approved != answer.Approved {
				return fmt.Sprintf("the host has %+v", a)
			}
			return ""
		}
	} else {
		effects := 0
		for _, c := range books.Changes {
			if c.Operation == q.Operation {
				effects += c.Effects
			}
		}
		if effects == 1 == done && effects < 2 {
			return ""
		}
		return fmt.Sprintf("the host did it %d times", effects)
	}
	if done {
		return "the host has nothing"
	}
	return ""
}

// said is an operation and how it ended for us.
type said struct {
	inquiry connector.Inquiry
	answer  connector.Answer
}

// payer makes payments, one after the other, and writes down what it was told; what is unknown it asks after
// when all is quiet.
type payer struct {
	r    *rig
	dice *rand.Rand
	told []said
}

func (p *payer) note(q connector.Inquiry, a connector.Answer) connector.Answer {
	clean(p.r.t, fmt.Sprintf("%+v", a))
	p.told = append(p.told, said{q, a})
	return a
}

func (p *payer) pay(c *iso8583.Connector) {
	amounts := []int64{1_000, 1_500, 20_510, 20_910, 20_960, 777}
	a := authorization(p.r.t, amounts[p.dice.IntN(len(amounts))])
	a.OneStep = p.dice.IntN(5) == 0
	yes := p.note(asInquiry(a), c.Authorize(background, a))
	if yes.Outcome != connector.Approved {
		return
	}
	for range p.dice.IntN(4) {
		change := on(a, yes, 1+p.dice.Int64N(yes.Approved))
		q := connector.Inquiry{Order: change.Order, Original: change.Original}
		switch p.dice.IntN(3) {
		case 0:
			q.Verb = connector.Capture
			p.note(q, c.Capture(background, change))
		case 1:
			q.Verb = connector.Cancel
			p.note(q, c.Cancel(background, change))
		case 2:
			q.Verb = connector.Refund
			p.note(q, c.Refund(background, change))
		}
	}
}

// TestTheHostHasWhatWeSay: many payments while everything goes wrong, a restart in the middle; when all is
// quiet every operation is known, and the host's books say the same of each.
func TestTheHostHasWhatWeSay(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("SEED=%d", seed)
	r := newRig(t, func(o *iso8583.Options) {
		o.Connections, o.Timeout, o.Echo = 3, 150*time.Millisecond, 100*time.Millisecond
		o.Repeat, o.RepeatMost = 5*time.Millisecond, 50*time.Millisecond
	})
	payers := make([]*payer, 24)
	for n := range payers {
		payers[n] = &payer{r: r, dice: rand.New(rand.NewPCG(seed, uint64(n)))}
	}
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		storm(r, payers, rand.New(rand.NewPCG(seed, uint64(1000+round))))
		r.restart() // what the connector was about to take back is forgotten with it
	}
	r.host.do("clear")
	counts := map[connector.Outcome]int{}
	for _, p := range payers {
		for n := range p.told {
			s := &p.told[n]
			for !s.answer.Outcome.Final() {
				s.answer = r.Inquire(timed(t, patience), s.inquiry)
			}
			counts[s.answer.Outcome]++
		}
	}
	until(t, "quiet", func() bool { return r.State().Undoing == 0 && r.State().Open == 0 })
	books := r.host.books()
	bad := 0
	for _, p := range payers {
		for _, s := range p.told {
			if trouble := disagree(books, s.inquiry, s.answer); trouble != "" && bad < 10 {
				bad++
				t.Errorf("%s %s of %d ended as %s %s: %s", s.inquiry.Verb, s.inquiry.Operation, s.inquiry.Amount,
					s.answer.Outcome, s.answer.Code, trouble)
			}
		}
	}
	t.Logf("%v, %d authorizations at the host, %+v", counts, len(books.Authorizations), r.State())
	if counts[connector.Approved] == 0 || counts[connector.Declined] == 0 || counts[connector.NotSent] == 0 {
		t.Errorf("too few kinds of outcome: %v", counts)
	}
}

// storm lets all payers pay while faults of every kind are planted.
func storm(r *rig, payers []*payer, dice *rand.Rand) {
	const each = 12
	faults := []string{"drop", "refuse", "silent", "hangup", "twice", "garbage", "half", "stan", "rrn", "amount",
		"code 96", "code 22", "delay 60ms", "delay 220ms", "slow 60ms", "slow 140ms", "slow 220ms",
		"swap 80ms"}
	kinds := []string{"*", "*", "0100", "0200", "0220", "04", "0401", "08"}
	var all sync.WaitGroup
	left := make(chan struct{})
	for _, p := range payers {
		all.Go(func() {
			for range each {
				p.pay(r.Connector)
			}
		})
	}
	go func() { all.Wait(); close(left) }()
	for n := 0; ; n++ {
		select {
		case <-left:
			r.host.do("up")
			return
		case <-time.After(3 * time.Millisecond): // the weather changes
		}
		switch {
		case n%100 == 60:
			r.host.do("down")
		case n%100 == 70:
			r.host.do("up")
		case n%100 == 90:
			r.host.do("cut")
		default:
			r.host.do("fault %s 1 %s", kinds[dice.IntN(len(kinds))], faults[dice.IntN(len(faults))])
		}
	}
}
