package sim

import (
	"errors"
	"maps"
	"slices"

	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/storage"
)

// release does what the server does every few seconds: it asks for the holds that are due and expires
// them.
func (s *Simulator) release(p *process) {
	for s.found == nil {
		at := p.clock.Now()
		due, err := p.store.DueHolds(s.ctx, at, 100)
		if !s.must("list the holds that are due", err) {
			return
		}
		if want := s.dueAmong(s.model.open, at); !slices.Equal(due, want[:min(len(want), 100)]) {
			s.fail("V15", "the holds due at %d are %v, listed are %v", at, want, due)
			return
		}
		if len(due) == 0 {
			return
		}
		sub := submission{p: p}
		for _, id := range due {
			sub.batch = append(sub.batch, s.send(request{command: machine.Expire{ID: id}}))
		}
		if s.once(10) {
			sub.fate = dies // the next look finds them again
		}
		if _, done := s.submit(sub); !done {
			return
		}
		s.tally.expired += len(due)
	}
}

// dueAmong lists those of the transactions whose time has come, the longest due first.
func (s *Simulator) dueAmong(ids map[string]bool, at int64) []string {
	var due []wallet.Transaction
	for id := range ids {
		if t := s.model.transactions[id]; t.ExpiresAt <= at {
			due = append(due, t)
		}
	}
	slices.SortFunc(due, func(a, b wallet.Transaction) int {
		if a.ExpiresAt != b.ExpiresAt {
			return int(min(max(a.ExpiresAt-b.ExpiresAt, -1), 1))
		}
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	sorted := []string{}
	for _, t := range due {
		sorted = append(sorted, t.ID)
	}
	return sorted
}

// sweep deletes replies that are past their retention by more than any clock may be off.
func (s *Simulator) sweep(p *process) {
	before := p.clock.Now() - thirtyDays - hour
	swept := 0
	for {
		n, err := p.store.SweepReplies(s.ctx, before, 20_000)
		if !s.must("sweep replies", err) {
			return
		}
		if swept += n; n == 0 {
			break
		}
	}
	old := 0
	for k, row := range s.model.replies {
		if row.at < before {
			delete(s.model.replies, k)
			old++
		}
	}
	if swept != old {
		s.fail("V9", "swept %d replies, %d were past their retention", swept, old)
	}
	s.tally.swept += swept
}

// poll reads what somebody may have been told, through either process.
func (s *Simulator) poll(p *process) {
	s.tally.polls++
	id := s.someID()
	want := s.model.transactions[id]
	got, err := p.store.Transaction(s.ctx, want.Merchant, id)
	if want.ID == "" && errors.Is(err, storage.ErrNotFound) {
		return
	}
	if s.must("read a transaction", err) && got != want {
		s.fail("model", "transaction %s reads %+v, want %+v", id, got, want)
	}
}

// permute lets a new capture, the retry of an old request, the release and a poll of one transaction
// arrive in some order, each by itself and all at one time. Whatever the order, the same must come of it.
func (s *Simulator) permute(p *process) {
	var old request
	for _, r := range slices.Backward(s.known.sent) {
		if target(r.command) != "" && p.clock.Now()-r.at < 29*day && r.key != "" && s.answered(r) {
			if old = r; s.once(3) {
				break
			}
		}
	}
	id := target(old.command)
	t := s.model.transactions[id]
	if t.ID == "" {
		return
	}
	s.tally.permuted++
	fresh := s.send(s.keyed(t.Merchant, machine.Capture{
		Target: machine.Target{Merchant: t.Merchant, ID: id, Amount: max(1, held(t)/2)},
	}))
	batches := map[string][]machine.Instruction{
		"capture": {fresh}, "retry": {s.send(old)},
		"release": {s.send(request{command: machine.Expire{ID: id}})},
		"poll":    nil,
	}
	order := slices.Sorted(maps.Keys(batches))
	expected := s.model.decide(p.clock.Now(), slices.Concat(batches["release"], batches["capture"],
		batches["retry"]))
	want := expected.transactions.get(id)
	s.random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	s.permuting = true
	for _, name := range order {
		if name == "poll" {
			if _, err := p.store.Transaction(s.ctx, t.Merchant, id); !s.must("poll", err) {
				break
			}
			continue
		}
		outcomes, _ := s.submit(submission{p: p, batch: batches[name]})
		if k := expected.answers[len(expected.answers)-1]; name == "retry" && outcomes != nil &&
			string(outcomes[0].Reply.Body) != k.body {
			s.fail("V14", "a retry of %s in the order %v was answered %q, want %q", id, order,
				outcomes[0].Reply.Body, k.body)
		}
	}
	got, err := p.store.Transaction(s.ctx, t.Merchant, id)
	if s.must("read a transaction", err) && got != want {
		s.fail("V14", "the order %v left %+v, another order %+v", order, got, want)
	}
	s.permuting = false
}

// answered reports whether the request's reply is stored, so that a retry of it is one.
func (s *Simulator) answered(r request) bool {
	k := s.model.replies[machine.ReplyKey{Scope: r.scope, Key: r.key}]
	return k != (kept{}) && k.fingerprint == r.fingerprint
}

// target returns the id of the transaction that a command names.
func target(c machine.Command) string {
	switch c := c.(type) {
	case machine.Capture:
		return c.ID
	case machine.Cancel:
		return c.ID
	case machine.Refund:
		return c.ID
	}
	return ""
}
