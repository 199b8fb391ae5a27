package link_test

import (
	"testing"

	"plexy/internal/core/link"
	"plexy/internal/core/reject"
)

// step is one thing that can happen to a link.
type step struct {
	name string
	run  func(l link.Link, at int64) (link.Link, reject.Reason)
}

func begins(payment string) func(link.Link, int64) (link.Link, reject.Reason) {
	return func(l link.Link, at int64) (link.Link, reject.Reason) { return link.Begin(l, payment, at) }
}

var steps = []step{
	{"p1 begins", begins("p1")},
	{"p2 begins", begins("p2")},
	{"it is paid", func(l link.Link, at int64) (link.Link, reject.Reason) {
		if l.Busy == "" {
			return l, ""
		}
		return link.Pay(l, l.Busy, at), ""
	}},
	{"p1 comes to nothing", func(l link.Link, at int64) (link.Link, reject.Reason) {
		return link.Free(l, "p1", at), ""
	}},
	{"cancel", link.Cancel},
	{"expire", link.Expire},
	{"extend", func(l link.Link, at int64) (link.Link, reject.Reason) { return link.SetExpiry(l, at+3, at) }},
}

// TestEverySequence runs every sequence of six steps: a link is paid by the one payment that had it, has one
// payment at most while it is active and none afterwards, and ends once.
func TestEverySequence(t *testing.T) {
	made, no := link.Create(link.Facts{ID: "pl_1", Amount: 1}, 4, 0)
	if no != "" {
		t.Fatal(no)
	}
	n := 0
	var walk func(l link.Link, at int64, path []string)
	walk = func(l link.Link, at int64, path []string) {
		if len(path) == 6 {
			n++
			return
		}
		for _, s := range steps {
			next, no := s.run(l, at)
			told := append(path[:len(path):len(path)], s.name)
			switch {
			case no != "" && next != l:
				t.Fatalf("%q: refused with %s and changed something", told, no)
			case l.Status != link.Active && next != l:
				t.Fatalf("%q: what was %s became %+v", told, l.Status, next)
			case next.Busy != "" && next.Status != link.Active,
				(next.Payment != "") != (next.Status == link.Paid),
				next.Payment != "" && l.Payment == "" && next.Payment != l.Busy,
				l.Busy != "" && next.Busy != "" && next.Busy != l.Busy,
				next.Status == link.Expired && l.Status == link.Active && (l.Busy != "" || at < l.ExpiresAt):
				t.Fatalf("%q: %+v became %+v at %d", told, l, next, at)
			}
			walk(next, at+1, told)
		}
	}
	walk(made, 1, nil)
	t.Logf("%d sequences", n)
}

// Only the payment that has a link can pay it: anything else is a mistake of ours.
func TestPaidByAnother(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a link was paid by a payment that did not have it")
		}
	}()
	link.Pay(link.Link{Busy: "p1", Status: link.Active}, "p2", 1)
}
