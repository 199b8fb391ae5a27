package acquiring_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"plexy/internal/acquiring"
	"plexy/internal/connector"
	"plexy/internal/connector/sandbox"
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

// TestCallbacksThatLie: about another amount, about nothing of ours, and again after what followed. Nothing of
// it moves money; what contradicts is counted.
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
