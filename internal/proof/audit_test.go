package proof_test

import (
	"fmt"
	"net/http"
	"sync"
)

// audit compares everything that the tills know with what the site has: every transaction and no other,
// every operation and no other, every wallet. Then the program recomputes its own books.
func (sh *shop) audit() {
	s := sh.site
	s.Helper()
	known := sh.allSales()
	sh.readAll(known)
	if err := sh.fault(); err != nil {
		s.Fatal(err)
	}
	sh.auditList(known)
	sh.auditWallets(known)
	s.verify()
	s.Log(sh.summary())
}

// allSales gathers the sales of all tills, the doubtful ones as they turned out.
func (sh *shop) allSales() map[string]*sale {
	sh.site.Helper()
	known := map[string]*sale{}
	for _, w := range sh.tills {
		for id, s := range w.sales {
			if known[id] != nil {
				sh.site.Fatalf("two tills own %s", id)
			}
			known[id] = s
		}
		for id, either := range w.clouded {
			got := sh.client.get(id)
			no, yes := either[0].differsWhole(got), either[1].differsWhole(got)
			switch {
			case no == "":
				*known[id] = either[0]
			case yes == "":
				*known[id] = either[1]
			default:
				sh.site.Errorf("after an operation without an answer the transaction %s\nor else %s", no, yes)
			}
		}
	}
	return known
}

// readAll reads every transaction.
func (sh *shop) readAll(known map[string]*sale) {
	queue := make(chan *sale)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for s := range queue {
				a := sh.client.settle(read(s.id))
				if a.err != nil || a.status != http.StatusOK {
					sh.setFault(fmt.Errorf("acknowledged and lost: %s answers %s", s.id, a))
				} else if no := s.differsWhole(a.transaction); no != "" {
					sh.setFault(fmt.Errorf("in the end the transaction %s", no))
				}
			}
		})
	}
	for _, s := range known {
		queue <- s
	}
	close(queue)
	wait.Wait()
}

// auditList reads the whole list: every sale once, newest first, and nothing that no till made.
func (sh *shop) auditList(known map[string]*sale) {
	sh.site.Helper()
	seen := map[string]bool{}
	last := ""
	for _, got := range sh.client.list("") {
		s := known[got.ID]
		switch {
		case s == nil:
			sh.site.Errorf("nobody was told of this transaction, or it was made twice: %+v", got)
		case seen[got.ID]:
			sh.site.Errorf("%s is listed twice", got.ID)
		case last != "" && got.ID >= last:
			sh.site.Errorf("%s is listed after %s", got.ID, last)
		default:
			if no := s.differs(got); no != "" {
				sh.site.Errorf("in the list the transaction %s", no)
			}
		}
		seen[got.ID], last = true, got.ID
	}
	if len(seen) != len(known) {
		sh.site.Errorf("the list has %d transactions, the tills know %d", len(seen), len(known))
	}
}

// auditWallets adds up what must be in each wallet.
func (sh *shop) auditWallets(known map[string]*sale) {
	sh.site.Helper()
	want := make([]balance, len(sh.payers))
	for n := range want {
		want[n].Posted = sh.start
		if n == sh.poor {
			want[n].Posted = poorStart
		}
	}
	for _, s := range known {
		want[s.payer].Posted -= s.captured - s.refunded
		want[s.payer].Pending += s.remaining()
	}
	for n, p := range sh.payers {
		got, err := sh.site.wallet(p)
		if err != nil {
			sh.site.Error(err)
			continue
		}
		if got.Posted != want[n].Posted || got.Pending != want[n].Pending ||
			got.Available != want[n].Posted-want[n].Pending {
			sh.site.Errorf("wallet %d is %+v, must have posted %d and pending %d", n, got, want[n].Posted,
				want[n].Pending)
		}
	}
}

func (sh *shop) acknowledged() int {
	n := 0
	for _, w := range sh.tills {
		n += w.acknowledged
	}
	return n
}

func (sh *shop) summary() string {
	var sales, replays, unanswered, busy int
	for _, w := range sh.tills {
		sales += len(w.sales)
		replays += w.replays
		unanswered += w.unanswered
		busy += w.busy
	}
	return fmt.Sprintf("%d operations acknowledged, %d transactions, %d replays, "+
		"%d without key and without answer, %d without key and refused as busy",
		sh.acknowledged(), sales, replays, unanswered, busy)
}
