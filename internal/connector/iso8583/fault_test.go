package iso8583_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"plexy/internal/connector"
	"plexy/internal/connector/iso8583"
)

// verbs of the matrix, and the type of the message that each is.
var verbs = []struct{ name, kind string }{
	{"authorize", "0100"}, {"one step", "0200"}, {"capture", "0220"}, {"cancel", "0400"}, {"refund", "0200"},
}

// TestEveryFaultOfEveryMessage: whatever goes wrong with a request, in the end the host has what we say, and
// nothing twice. known says what the first answer must be; for the rest it may be anything that is true.
func TestEveryFaultOfEveryMessage(t *testing.T) {
	var wait = answerIn * 3 / 2
	known := map[string]connector.Outcome{
		"drop": connector.Unknown, "refuse": connector.Unknown, "silent": connector.Unknown,
		"hangup": connector.Unknown, "half": connector.Unknown, "stan": connector.Unknown,
		"rrn": connector.Unknown, "amount": connector.Unknown, "slow " + wait.String(): connector.Unknown,
		"delay " + wait.String(): connector.Unknown, "code 96": connector.Unknown, "code 68": connector.Unknown,
		"code 6": connector.Unknown, "swap 50ms": connector.Approved, "twice": connector.Approved,
		"garbage": connector.Approved, "delay 50ms": connector.Approved, "slow 50ms": connector.Approved,
	}
	var all sync.WaitGroup
	running := make(chan struct{}, 16)
	for fault, first := range known {
		for _, verb := range verbs {
			all.Go(func() {
				running <- struct{}{}
				defer func() { <-running }()
				t.Run(fmt.Sprintf("%s/%s", verb.name, fault), func(t *testing.T) {
					r := newRig(t)
					meet(t, r, verb.name, func() { r.host.do("fault %s 1 %s", verb.kind, fault) }, first)
				})
			})
		}
	}
	all.Wait()
}

// meet brings a payment to where the verb is next, plants a fault, and follows the operation to its end.
func meet(t *testing.T, r *rig, verb string, plant func(), first connector.Outcome) {
	a := authorization(t, 1_000)
	a.OneStep = verb == "one step"
	if verb == "authorize" || verb == "one step" {
		plant()
		answer := r.Authorize(background, a)
		if answer.Outcome != first {
			t.Errorf("the answer was %+v, want %s", answer, first)
		}
		r.follow(asInquiry(a), answer)
		return
	}
	yes := r.Authorize(background, a)
	change := on(a, yes, 400)
	q := connector.Inquiry{Order: change.Order, Original: change.Original}
	var answer connector.Answer
	switch verb {
	case "capture":
		plant()
		q.Verb, answer = connector.Capture, r.Capture(background, change)
	case "cancel":
		plant()
		q.Verb, answer = connector.Cancel, r.Cancel(background, change)
	case "refund":
		want(t, r.Capture(background, on(a, yes, 1_000)), connector.Approved, "00")
		plant()
		q.Verb, answer = connector.Refund, r.Refund(background, change)
	}
	if answer.Outcome != first {
		t.Errorf("the answer was %+v, want %s", answer, first)
	}
	r.follow(q, answer)
}

// follow asks until it is known what became of an operation, and compares that with the host's books.
func (r *rig) follow(q connector.Inquiry, answer connector.Answer) {
	r.t.Helper()
	for end := time.Now().Add(patience); !answer.Outcome.Final(); {
		if time.Now().After(end) {
			r.t.Errorf("%s %s stays unknown: %s", q.Verb, q.Operation, answer.Note)
			return
		}
		answer = r.Inquire(background, q)
		clean(r.t, fmt.Sprintf("%+v", answer))
	}
	if trouble := disagree(r.host.books(), q, answer); trouble != "" {
		r.t.Errorf("%s %s ended as %s: %s", q.Verb, q.Operation, answer.Outcome, trouble)
	}
}

func TestALateYesIsTakenBack(t *testing.T) {
	r := newRig(t)
	r.host.do("fault 0100 1 delay %s", answerIn*5/4)
	a := authorization(t, 1_000)
	want(t, r.Authorize(background, a), connector.Unknown, "")
	want(t, r.told(a.Operation), connector.NotSent, "")
	if books, _ := r.host.authorization(a.Operation); !books.Reversed {
		t.Errorf("the host has %+v", books)
	}
	// The yes itself came after the reversal was confirmed, and changed nothing.
	until(t, "the late answer", func() bool { return r.State().Undoing == 0 })
	want(t, r.Inquire(background, asInquiry(a)), connector.NotSent, "")
}

func TestALateNoIsBelieved(t *testing.T) {
	r := newRig(t)
	r.host.do("fault 04 50 silent") // so that the no comes first
	r.host.do("fault 0100 1 delay %s", answerIn*5/4)
	a := authorization(t, 20_510)
	want(t, r.Authorize(background, a), connector.Unknown, "")
	want(t, r.told(a.Operation), connector.Declined, "51")
	until(t, "the end of the reversal", func() bool { return r.State().Undoing == 0 })
}

func TestALateAnswerToAChangeIsTold(t *testing.T) {
	r := newRig(t)
	a := authorization(t, 1_000)
	yes := r.Authorize(background, a)
	r.host.do("fault 0220 1 delay %s", answerIn*5/4)
	change := on(a, yes, 600)
	want(t, r.Capture(background, change), connector.Unknown, "")
	want(t, r.told(change.Operation), connector.Approved, "00")
}

func TestAReversalIsRepeatedUntilItIsConfirmed(t *testing.T) {
	r := newRig(t)
	r.host.do("fault 0400 1 drop")
	r.host.do("fault 0401 1 silent")
	r.host.do("fault 0401 1 hangup")
	r.host.do("fault 0401 2 code 12")
	r.host.do("fault 0401 1 stan")
	r.host.do("fault 0100 1 silent")
	a := authorization(t, 1_000)
	want(t, r.Authorize(background, a), connector.Unknown, "")
	want(t, r.told(a.Operation), connector.NotSent, "")
	if n := strings.Count(r.said(), "with 12"); n != 2 {
		t.Errorf("staff heard %d times of a refused reversal", n)
	}
}

// The host reads the authorization only after it has looked for it in vain: then it must refuse it.
func TestAReversalOvertakesItsAuthorization(t *testing.T) {
	r := newRig(t)
	r.host.do("fault 0100 1 slow %s", answerIn+50*time.Millisecond)
	a := authorization(t, 1_000)
	want(t, r.Authorize(background, a), connector.Unknown, "")
	if got := r.told(a.Operation); got.Outcome != connector.NotSent && got.Outcome != connector.Declined {
		t.Errorf("%+v", got)
	}
	if books, there := r.host.authorization(a.Operation); there && books.Held() != 0 {
		t.Errorf("the host holds %+v", books)
	}
}

// After a crash the operation's id and time are all that is left.
func TestAfterARestartInquireFindsTheSameMessages(t *testing.T) {
	r := newRig(t)
	r.host.do("fault 0100 1 silent")
	r.host.do("fault 04 1000 drop") // the reversal of the first connector does not come through
	a := authorization(t, 1_000)
	want(t, r.Authorize(background, a), connector.Unknown, "")
	r.restart()
	r.host.do("clear")
	want(t, r.Inquire(background, asInquiry(a)), connector.NotSent, "")
	if books, _ := r.host.authorization(a.Operation); !books.Reversed {
		t.Errorf("the host has %+v", books)
	}

	b := authorization(t, 1_000)
	yes := r.Authorize(background, b)
	r.host.do("fault 0220 1 silent")
	change := on(b, yes, 400)
	want(t, r.Capture(background, change), connector.Unknown, "")
	r.restart()
	q := connector.Inquiry{Order: change.Order, Verb: connector.Capture, Original: change.Original}
	for range 3 {
		want(t, r.Inquire(background, q), connector.Approved, "00")
	}
	if books, _ := r.host.authorization(b.Operation); books.Captured != 400 {
		t.Errorf("the host has %+v", books)
	}
}

// Another server asks while this one takes back what was not answered: both come to the same end.
func TestTwoServersTakeTheSameBack(t *testing.T) {
	r := newRig(t)
	other, err := iso8583.New(r.options)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	until(t, "its connections", func() bool { return other.State().Connected == 2 })
	r.host.do("fault 0100 1 silent")
	a := authorization(t, 1_000)
	want(t, r.Authorize(background, a), connector.Unknown, "")
	for _, c := range []*iso8583.Connector{other, r.Connector, other} {
		want(t, c.Inquire(background, asInquiry(a)), connector.NotSent, "")
	}
	if books := r.host.books(); len(books.Authorizations) != 1 || books.Authorizations[0].Held() != 0 {
		t.Errorf("the host has %+v", books)
	}
}

// Without a trace from the answer, the original is found by its id and time.
func TestAChangeWithoutATrace(t *testing.T) {
	r := newRig(t)
	a := authorization(t, 1_000)
	yes := r.Authorize(background, a)
	yes.Trace, yes.RRN = "", ""
	want(t, r.Capture(background, on(a, yes, 400)), connector.Approved, "00")
}
