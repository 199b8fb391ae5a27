package acquiring_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"plexy/internal/acquiring"
	"plexy/internal/connector"
	"plexy/internal/connector/sandbox"
	"plexy/internal/core/machine"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
)

// everywhere runs a test on every keeper, PostgreSQL too.
func everywhere(t *testing.T, run func(*testing.T, *rig)) {
	stores(t, run)
	t.Run("postgres", func(t *testing.T) { run(t, newRig(t, onPostgres(t))) })
}

// TestRaces: capture, cancel, refund and automatic clearing of one payment at once, by two servers. Whatever
// wins, what is held is taken or given up once, and what was taken is given back once at most.
func TestRaces(t *testing.T) {
	everywhere(t, func(t *testing.T, r *rig) {
		r.TB = t
		servers := []*acquiring.Acquiring{r.Acquiring, r.beside()}
		for round := range 6 {
			q := r.request(payment.Auth, 1_000)
			q.Facts.AutoClearing = true
			p := r.pay(q).Payment
			if round%2 == 0 { // its time for clearing comes, too
				r.clock.Advance(hour)
			}
			var running sync.WaitGroup
			for n := range 18 {
				a := servers[n%2]
				verb := []func(context.Context, acquiring.Modification) (acquiring.Result, error){
					a.Capture, a.Cancel, a.Refund,
				}[n%3]
				m := r.modification(p, []int64{0, 700, 301}[n/3%3])
				running.Go(func() {
					if _, err := verb(t.Context(), m); err != nil {
						t.Error(err)
					}
				})
			}
			for _, a := range servers {
				running.Go(func() {
					if err := a.ClearDue(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			running.Wait()
			r.quiet()
			p = r.true(p.ID)
			if p.Captured+p.Released > 1_000 || p.Refunded > p.Captured || p.Captured+p.Released == 0 {
				t.Errorf("ends as %+v", p)
			}
			done, err := r.Refund(t.Context(), r.modification(p, p.Balance()+1))
			r.ok(err)
			if done.Reason == "" {
				t.Error("more was refunded than was captured")
			}
		}
	})
}

// hears lets the acquirer say something of its own accord.
func (r *rig) hears(operation string, said connector.Answer) {
	r.Helper()
	r.ok(r.Hear(r.Context(), sandbox.Name, connector.Notice{Operation: operation, Answer: said}))
}

func approved(amount int64) connector.Answer {
	return connector.Answer{Outcome: connector.Approved, Code: connector.CodeApproved, Approved: amount}
}

// TestCallbacksThatLie: about another amount, about nothing of ours, and again after what followed. Nothing
// of it moves money; what contradicts is counted.
func TestCallbacksThatLie(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) {
		p := r.pay(r.request(payment.Auth, 1_000)).Payment
		verbs := []func(context.Context, acquiring.Modification) (acquiring.Result, error){
			r.Capture, r.Cancel, r.Refund,
		}
		for n, amount := range []int64{600, 400, 250} {
			done, err := verbs[n](t.Context(), r.modification(p, amount))
			r.ok(err)
			r.want("the refusal", done.Reason, reject.Reason(""))
		}
		was := r.payment(p.ID)
		r.hears(r.ids.UUID(), approved(1_000)) // of nothing
		r.hears("not an id", approved(1_000))
		all, err := r.store.OperationsOf(t.Context(), p.ID)
		r.ok(err)
		for _, o := range all {
			r.hears(o.ID, approved(o.Amount)) // replayed
			r.hears(o.ID, approved(0))        // without an amount
			r.want("contradictions", r.operation(o.ID).Contradictions, int64(0))
			r.hears(o.ID, approved(o.Amount+1))
			r.hears(o.ID, connector.Refused(connector.CodeDoNotHonour))
			r.hears(o.ID, connector.Unsent("never"))
			r.hears(o.ID, connector.Answer{Outcome: connector.Pending})
			r.want("contradictions", r.operation(o.ID).Contradictions, int64(3))
		}
		r.want("the payment", r.payment(p.ID), was)
		r.true(p.ID)

		// Before it is answered another amount is not believed, either: of a capture it stays open.
		q := r.pay(r.request(payment.Auth, 500)).Payment
		r.dials("acquirer_capture:lost_answer")
		done, err := r.Capture(t.Context(), r.modification(q, 500))
		r.ok(err)
		r.hears(done.Operation.ID, approved(499))
		r.want("captured", r.payment(q.ID).Captured, int64(0))
		r.hears(done.Operation.ID, approved(500))
		r.want("captured", r.payment(q.ID).Captured, int64(500))
		r.dials("none")
		r.true(q.ID)
	})
}

// operation reads one operation.
func (r *rig) operation(id string) payment.Operation {
	r.Helper()
	asked, err := r.store.Asked(r.Context(), id)
	r.ok(err)
	return asked.Operation
}

// dying is a connector whose process dies: before the bank has the request, or after it has answered.
type dying struct {
	connector.Connector
	arrives bool
}

func (d dying) change(ctx context.Context, c connector.Change,
	ask func(context.Context, connector.Change) connector.Answer) connector.Answer {
	if d.arrives {
		ask(ctx, c)
	}
	panic("the process dies")
}

func (d dying) Capture(ctx context.Context, c connector.Change) connector.Answer {
	return d.change(ctx, c, d.Connector.Capture)
}

func (d dying) Cancel(ctx context.Context, c connector.Change) connector.Answer {
	return d.change(ctx, c, d.Connector.Cancel)
}

func (d dying) Refund(ctx context.Context, c connector.Change) connector.Answer {
	return d.change(ctx, c, d.Connector.Refund)
}

// TestACrashOfEachModification: between intent and call, and between call and answer.
func TestACrashOfEachModification(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) {
		for _, arrives := range []bool{false, true} {
			for _, call := range []string{"capture", "cancel", "refund"} {
				kind := payment.Auth
				if call == "refund" {
					kind = payment.Sale
				}
				p := r.pay(r.request(kind, 900)).Payment
				dead := r.beside(dying{r.bank, arrives})
				verb := map[string]func(context.Context, acquiring.Modification) (acquiring.Result, error){
					"capture": dead.Capture, "cancel": dead.Cancel, "refund": dead.Refund,
				}[call]
				done, err := verb(t.Context(), r.modification(p, 300))
				r.ok(err)
				r.want("the operation", done.Operation.State, payment.Sent)
				r.quiet()
				p = r.true(p.ID)
				moved := map[string]int64{"capture": p.Captured, "cancel": p.Released, "refund": p.Refunded}[call]
				r.want(fmt.Sprint(call, " that arrived ", arrives), moved, map[bool]int64{true: 300}[arrives])
			}
		}
	})
}

// settles is a person who settles an operation.
func (r *rig) settles(o payment.Operation, state payment.State) machine.Outcome {
	r.Helper()
	asked, err := r.store.Asked(r.Context(), o.ID)
	r.ok(err)
	out, err := r.commit.Submit(r.Context(), 0, machine.Instruction{
		Command: machine.SettleOperation{
			Attempt: machine.AttemptOf(asked.Payment, asked.Operation), Found: payment.Answer{State: state},
			By: machine.By{ID: "aud_" + r.ids.UUID(), Actor: "somebody", Reason: "a letter"},
		},
		Origin: r.origin(),
	})
	r.ok(err)
	return out
}

// TestSettledByHandAgainstALateAnswer: at the same moment a person says one thing and the acquirer another.
// One of them counts; if it is the person, the acquirer's word is a difference that everybody can see.
func TestSettledByHandAgainstALateAnswer(t *testing.T) {
	everywhere(t, func(t *testing.T, r *rig) {
		r.TB = t
		won := map[bool]int{}
		for round := range 12 {
			r.dials("acquirer_authorize:lost_answer")
			p := r.pay(r.request(payment.Auth, 1_000)).Payment
			r.dials("none")
			all, err := r.store.OperationsOf(t.Context(), p.ID)
			r.ok(err)
			o := all[0]
			var running sync.WaitGroup
			var hand machine.Outcome
			if round%3 == 0 { // the person is late
				r.hears(o.ID, approved(1_000))
			}
			running.Go(func() { hand = r.settles(o, payment.Declined) })
			if round%3 == 1 { // the acquirer is
				running.Wait()
			}
			running.Go(func() { r.hears(o.ID, approved(1_000)) })
			running.Wait()
			now, differs := r.operation(o.ID), false
			found, err := r.store.ContradictedOperations(t.Context(), 0, 100)
			r.ok(err)
			for _, d := range found {
				differs = differs || d.Operation.ID == o.ID
			}
			won[hand.Reason == ""]++
			if hand.Reason == "" {
				r.want("the payment", r.payment(p.ID).Status(), payment.StatusRejected)
				r.want("by hand", now.ByHand, true)
				r.want("a difference", differs, true)
				r.want("the same again", r.settles(o, payment.Declined).Reason, reject.Reason(""))
			} else {
				r.want("the refusal", hand.Reason, reject.AlreadyDecided)
				r.want("the payment", r.payment(p.ID).Status(), payment.StatusAuthorized)
				r.want("by hand", now.ByHand, false)
				r.want("a difference", differs, false)
			}
			r.want("another outcome", r.settles(o, payment.Undone).Reason, reject.AlreadyDecided)
		}
		if won[true] < 4 || won[false] < 4 {
			t.Errorf("the person counted %d times, the acquirer %d times", won[true], won[false])
		}
		r.addsUp()
	})
}

// TestSettledByHand: every verb, each way. What is asked afterwards follows from it.
func TestSettledByHand(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) {
		for _, state := range []payment.State{payment.Accepted, payment.Declined, payment.Undone} {
			for _, call := range []string{"authorize", "capture", "cancel", "refund"} {
				r.dials("none")
				kind := payment.Auth
				if call == "refund" {
					kind = payment.Sale
				}
				if call == "authorize" {
					r.dials("acquirer_authorize:lost_answer")
				}
				done := r.pay(r.request(kind, 900))
				p, o := done.Payment, done.Operation
				if call != "authorize" {
					r.dials("acquirer_" + call + ":lost_answer")
					verb := map[string]func(context.Context, acquiring.Modification) (acquiring.Result, error){
						"capture": r.Capture, "cancel": r.Cancel, "refund": r.Refund,
					}[call]
					asked, err := verb(t.Context(), r.modification(p, 300))
					r.ok(err)
					o = asked.Operation
				}
				r.want("unknown", o.Unknown, true)
				r.want("settled", r.settles(o, state).Reason, reject.Reason(""))
				p = r.payment(p.ID)
				moved := map[string]int64{
					"authorize": p.Authorized / 3, "capture": p.Captured, "cancel": p.Released, "refund": p.Refunded,
				}[call]
				r.want(call+" "+string(state), moved, map[bool]int64{true: 300}[state == payment.Accepted])
				r.want("in flight", p.Open+p.Unknown, int64(0))
			}
		}
		r.addsUp()
	})
}
