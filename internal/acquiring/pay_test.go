package acquiring_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"plexy/internal/acquiring"
	"plexy/internal/card"
	"plexy/internal/connector"
	"plexy/internal/core/link"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/payment"
	"plexy/internal/core/reject"
	magic "plexy/internal/sandbox"
	"plexy/internal/storage/memory"
)

func (r *rig) want(what string, got, want any) {
	r.Helper()
	if got != want {
		r.Errorf("%s is %v, want %v", what, got, want)
	}
}

// TestTheLifeOfAPayment is authorized, captured in part, given up in part and refunded in parts.
func TestTheLifeOfAPayment(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) { life(r) })
}

func TestTheLifeOfAPaymentOnPostgres(t *testing.T) { life(newRig(t, onPostgres(t))) }

func life(r *rig) {
	ctx := r.Context()
	p := r.pay(r.request(payment.Auth, 1_000)).Payment
	r.want("the status", p.Status(), payment.StatusAuthorized)
	r.want("the card", p.Card, payment.Card{Brand: "visa", Last4: "4242", Expiry: "12/29"})
	r.want("the check of the CVV", p.CVVStatus, "M")
	done, err := r.Capture(ctx, r.modification(p, 600))
	r.ok(err)
	r.want("captured", done.Payment.Captured, int64(600))
	done, err = r.Capture(ctx, r.modification(p, 500))
	r.ok(err)
	r.want("the refusal", done.Reason, reject.AmountExceedsRemaining)
	done, err = r.Cancel(ctx, r.modification(p, 0))
	r.ok(err)
	r.want("released", done.Payment.Released, int64(400))
	for n := range 3 {
		done, err = r.Refund(ctx, r.modification(p, 200))
		r.ok(err)
		r.want("the refund", done.Refund.Status(), payment.StatusRefunded)
		r.want("refunded", done.Payment.Refunded, int64(n+1)*200)
	}
	r.want("the status", done.Payment.Status(), payment.StatusRefunded)
	done, err = r.Refund(ctx, r.modification(p, 0))
	r.ok(err)
	r.want("the refusal", done.Reason, reject.AlreadyRefunded)
	r.true(p.ID)

	r.want("a sale", r.pay(r.request(payment.Sale, 700)).Payment.Status(), payment.StatusCharged)
	r.want("a verification", r.pay(r.request(payment.Verification, 0)).Payment.Stage, payment.Approved)
	no := r.pay(r.request(payment.Auth, 20_510)).Payment
	r.want("a decline", []any{no.Status(), no.ResponseCode, no.Failure}[1], any("51"))
	r.want("the status", no.Status(), payment.StatusRejected)
	r.true(no.ID)
	done, err = r.Capture(ctx, acquiring.Modification{Merchant: "mer_2", Payment: p.ID})
	r.ok(err)
	r.want("another merchant's payment", done.Reason, reject.PaymentNotFound)
}

// TestApprovedForLess is no approval: what the bank approved is given up.
func TestApprovedForLess(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) {
		for _, dial := range []string{"none", "acquirer_authorize:lost_answer", "acquirer_cancel:lost_answer"} {
			r.dials(dial)
			p := r.pay(r.request(payment.Auth, 20_100)).Payment
			r.quiet()
			p = r.true(p.ID)
			r.want("the status", p.Status(), payment.StatusRejected)
			r.want("the code", p.ResponseCode, "10")
		}
	})
}

// TestFaults dials every fault for every call: after quiet the books and the bank's agree.
func TestFaults(t *testing.T) {
	faults := []string{
		"not_sent", "lost_answer", "slow=1", "duplicated", "out_of_order", "error_500", "error_503",
	}
	everywhere(t, func(t *testing.T, r *rig) {
		for _, fault := range faults {
			for _, call := range []string{"authorize", "capture", "cancel", "refund"} {
				r.TB = t
				r.struck(call, fault)
			}
		}
		if r.posted.Load() != 0 {
			t.Error("there are callbacks about what was decided at once")
		}
	})
}

func (r *rig) struck(call, fault string) {
	r.Helper()
	dial := "acquirer_" + call + ":" + fault
	if call == "authorize" {
		r.dials(dial)
	}
	done, err := r.Pay(r.Context(), r.request(payment.Auth, 900))
	r.ok(err)
	p := done.Payment
	r.quiet()
	p = r.true(p.ID)
	wantsNothing := fault == "not_sent" || fault == "error_503"
	if call == "authorize" {
		r.want(dial, p.Status() == payment.StatusFailed, wantsNothing)
		return
	}
	if call == "refund" {
		_, err := r.Capture(r.Context(), r.modification(p, 0))
		r.ok(err)
	}
	r.dials(dial)
	verb := map[string]func(context.Context, acquiring.Modification) (acquiring.Result, error){
		"capture": r.Capture, "cancel": r.Cancel, "refund": r.Refund,
	}[call]
	done, err = verb(r.Context(), r.modification(p, 400))
	r.ok(err)
	r.want(dial+" is refused because", done.Reason, reject.Reason(""))
	r.quiet()
	p = r.true(p.ID)
	moved := p.Refunded
	if call != "refund" {
		moved = p.Captured + p.Released
	}
	r.want(dial+" did nothing", moved == 0, wantsNothing)
}

// TestACrash between what was meant and what was answered: the bank may have it or not.
func TestACrash(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) {
		for _, arrived := range []bool{true, false} {
			f := r.request(payment.Auth, 500).Facts
			f.ID, f.Connector, f.ClearMicros = r.ids.UUID(), "sandbox", 1*hour
			out, err := r.commit.Submit(t.Context(), 0, machine.Instruction{
				Command: machine.BeginPayment{Facts: f, Operation: r.ids.UUID()}, Origin: r.origin(),
			})
			r.ok(err)
			o := out.Pay.Operation
			if arrived {
				c := cardOf(t, plain, "123")
				said := r.bank.Authorize(t.Context(), connector.Authorization{Card: c, Order: connector.Order{
					Operation: o.ID, Payment: f.ID, Merchant: "mer_1", At: o.CreatedAt, Amount: 500,
					Currency: money.KZT,
				}})
				r.want("the bank's answer", said.Outcome, connector.Approved)
			}
			restarted := r.beside()
			r.rounds(restarted)
			r.want("at first", r.payment(f.ID).Status(), payment.StatusCreated)
			r.clock.Advance(2 * minute)
			r.rounds(restarted)
			want := map[bool]payment.Status{true: payment.StatusAuthorized, false: payment.StatusFailed}[arrived]
			r.want("after the restart", r.true(f.ID).Status(), want)
		}
	})
}

// TestRefundsAtOnce never give back more than was captured.
func TestRefundsAtOnce(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) {
		p := r.pay(r.request(payment.Sale, 1_000)).Payment
		var running sync.WaitGroup
		for range 20 {
			m := r.modification(p, 300)
			running.Go(func() {
				if _, err := r.Refund(t.Context(), m); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
		r.quiet()
		r.want("refunded", r.true(p.ID).Refunded, int64(900))
	})
}

// TestAskedBefore: what is unknown is asked after before more is asked.
func TestAskedBefore(t *testing.T) {
	r := newRig(t, memory.New())
	p := r.pay(r.request(payment.Auth, 1_000)).Payment
	r.dials("acquirer_capture:lost_answer")
	done, err := r.Capture(t.Context(), r.modification(p, 300))
	r.ok(err)
	r.want("the operation", done.Operation.Unknown, true)
	r.dials("acquirer_inquire:not_sent")
	done, err = r.Capture(t.Context(), r.modification(p, 300))
	r.ok(err)
	r.want("the refusal", done.Reason, reject.OperationPending)
	done, err = r.Capture(t.Context(), r.modification(p, 300)) // every other attempt is struck
	r.ok(err)
	r.want("captured", done.Payment.Captured, int64(600))
	r.true(p.ID)
}

// TestClearing captures by itself when the application's clock says so.
func TestClearing(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) {
		auto, manual := r.request(payment.Auth, 400), r.request(payment.Auth, 400)
		auto.Facts.AutoClearing = true
		soon, late := r.pay(auto).Payment, r.pay(manual).Payment
		for _, c := range []struct {
			by         int64
			soon, late payment.Status
		}{
			{hour - second, payment.StatusAuthorized, payment.StatusAuthorized},
			{second, payment.StatusCharged, payment.StatusAuthorized},
			{5*day - hour - second, payment.StatusCharged, payment.StatusAuthorized},
			{second, payment.StatusCharged, payment.StatusCharged},
		} {
			r.clock.Advance(c.by)
			r.rounds(r.Acquiring)
			r.want("with automatic clearing", r.payment(soon.ID).Status(), c.soon)
			r.want("without", r.payment(late.ID).Status(), c.late)
		}
		r.true(soon.ID)
		r.true(late.ID)
	})
}

// TestKeys: the same request again shows how things are now; another one under its key is refused.
func TestKeys(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) {
		q := r.request(payment.Auth, 800)
		q.Facts.Shopper, q.Store = r.ids.UUID(), true
		first := r.pay(q)
		m := r.modification(first.Payment, 0)
		_, err := r.Capture(t.Context(), m)
		r.ok(err)
		again := r.pay(q)
		r.want("the payment", again.Payment.ID, first.Payment.ID)
		r.want("its status", again.Payment.Status(), payment.StatusCharged)
		r.want("replayed", again.Replayed, true)
		r.want("the operation", again.Operation.ID, first.Operation.ID)
		done, err := r.Capture(t.Context(), m)
		r.ok(err)
		r.want("captured again", []any{done.Replayed, done.Operation.Verb}[1], any(payment.Capture))
		back := r.modification(first.Payment, 100)
		refund, err := r.Refund(t.Context(), back)
		r.ok(err)
		done, err = r.Refund(t.Context(), back)
		r.ok(err)
		r.want("the refund", done.Refund.ID, refund.Refund.ID)
		q.Fingerprint[0] = 1
		done, err = r.Pay(t.Context(), q)
		r.ok(err)
		r.want("another request", done.Reason, reject.IdempotencyKeyReused)

		byToken := r.request(payment.Auth, 100)
		byToken.Card, byToken.Token = card.Card{}, first.Payment.CardToken
		paid := r.pay(byToken)
		r.ok(r.store.DeleteCard(t.Context(), "mer_1", byToken.Token, r.clock.Now()))
		r.want("by a card that is gone now", r.pay(byToken).Payment.ID, paid.Payment.ID)
		byToken.Key = r.key()
		done, err = r.Pay(t.Context(), byToken)
		r.ok(err)
		r.want("the refusal", done.Reason, reject.CardTokenNotFound)
	})
}

// TestTwoPayersOfALink: one pays, the other is told.
func TestTwoPayersOfALink(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) {
		l := link.Facts{
			ID: "pl_" + strings.ReplaceAll(r.ids.UUID(), "-", ""), Merchant: "mer_1", Currency: money.KZT,
			Amount: 1_500, AutoClearing: true,
		}
		_, err := r.commit.Submit(t.Context(), 0, machine.Instruction{
			Command: machine.CreateLink{Facts: l, ExpiresAt: noon + hour}, Origin: r.origin(),
		})
		r.ok(err)
		results := make([]acquiring.Result, 8)
		var running sync.WaitGroup
		for i := range results {
			q := r.request(payment.Auth, 0)
			q.Facts.Link = l.ID
			running.Go(func() {
				var err error
				if results[i], err = r.Pay(t.Context(), q); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
		paid := 0
		for _, one := range results {
			switch one.Reason {
			case "":
				paid++
				r.want("the time of clearing", one.Payment.ClearMicros, int64(hour))
				r.true(one.Payment.ID)
			case reject.LinkBusy, reject.LinkAlreadyPaid:
			default:
				t.Errorf("a payer is told %s", one.Reason)
			}
		}
		r.want("payments", paid, 1)
		other := l
		other.ID = "pl_" + strings.ReplaceAll(r.ids.UUID(), "-", "")
		_, err = r.commit.Submit(t.Context(), 0, machine.Instruction{
			Command: machine.CreateLink{Facts: other, ExpiresAt: noon + hour}, Origin: r.origin(),
		})
		r.ok(err)
		r.clock.Advance(2 * hour)
		r.rounds(r.Acquiring)
		got, err := r.store.AnyLink(t.Context(), other.ID)
		r.ok(err)
		r.want("the link", got.Status, link.Expired)
	})
}

// rude is a connector that behaves badly.
type rude struct {
	connector.Connector
	authorize func(context.Context) connector.Answer
}

func (c rude) Authorize(ctx context.Context, _ connector.Authorization) connector.Answer {
	return c.authorize(ctx)
}

// TestARudeConnector: a panic and silence are unknown; who waits no longer is shown what there is.
func TestARudeConnector(t *testing.T) {
	r := newRig(t, memory.New())
	for name, authorize := range map[string]func(context.Context) connector.Answer{
		"panic": func(context.Context) connector.Answer { panic("4242") },
		"silence": func(ctx context.Context) connector.Answer {
			<-ctx.Done()
			return connector.Answer{}
		},
	} {
		a := r.beside(rude{r.bank, authorize})
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		done, err := a.Pay(ctx, r.request(payment.Auth, 100))
		cancel()
		r.ok(err)
		r.want(name, done.Payment.Status(), payment.StatusCreated)
		over, stop := context.WithCancel(context.Background())
		stop()
		a.Close(over)
		r.want(name+" leaves unknown", r.payment(done.Payment.ID).Unknown, int64(1))
		r.quiet()
		r.want("the end", r.true(done.Payment.ID).Status(), payment.StatusFailed)
	}
}

// TestNoAcquirer: then no payment begins.
func TestNoAcquirer(t *testing.T) {
	r := newRig(t, memory.New())
	o := r.options
	o.Default = ""
	a := acquiring.New(o)
	defer r.close(a)
	done, err := a.Pay(t.Context(), r.request(payment.Auth, 100))
	r.ok(err)
	r.want("the refusal", done.Reason, reject.AcquirerMissing)
}

// counting counts inquiries.
type counting struct {
	connector.Connector
	mu    sync.Mutex
	asked map[string]int
}

func (c *counting) Inquire(_ context.Context, q connector.Inquiry) connector.Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[q.Operation]++
	return connector.Lost("still not known")
}

// TestTwoServers ask after each operation once at a time, with growing pauses, and end some day.
func TestTwoServers(t *testing.T) {
	r := newRig(t, memory.New())
	r.dials("acquirer_authorize:lost_answer")
	p := r.pay(r.request(payment.Auth, 100)).Payment
	r.dials("none")
	c := &counting{Connector: r.bank, asked: map[string]int{}}
	servers := []*acquiring.Acquiring{r.beside(c), r.beside(c)}
	all, err := r.store.OperationsOf(t.Context(), p.ID)
	r.ok(err)
	for n, pause := range []int64{
		5 * second, 30 * second, 2 * minute, 10 * minute, hour, day, day, day, day, day, day, day,
	} {
		r.clock.Advance(pause)
		var running sync.WaitGroup
		for _, a := range servers {
			running.Go(func() {
				if err := a.AskDue(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
		r.want(fmt.Sprint("inquiries after ", n+1), c.asked[all[0].ID], min(n+1, 10))
	}
	left, err := r.store.UnknownOperations(t.Context(), 9)
	r.ok(err)
	if len(left) != 1 || left[0].Operation.NextCheckAt != 0 {
		t.Errorf("left to a person: %+v", left)
	}
	_, err = r.Capture(t.Context(), r.modification(p, 0)) // which asks
	r.ok(err)
	r.want("the end", r.true(p.ID).Captured, int64(100))
}

// TestCallbacks of what the bank decides later come twice, late, and before anybody asks.
func TestCallbacks(t *testing.T) {
	stores(t, func(t *testing.T, r *rig) {
		for _, dial := range []string{"none", "callback:duplicated", "callback:lost_answer", "callback:not_sent"} {
			r.dials(dial)
			late := magic.Lates()[0]
			p := r.pay(r.request(payment.Auth, late.Minor)).Payment
			r.want("at first", p.Status(), payment.StatusCreated)
			r.clock.Advance(late.After.Microseconds())
			for range 3 {
				r.bank.CallBack(t.Context())
			}
			r.want(dial, r.true(p.ID).Stage, payment.Approved)
		}
		err := r.Callback(t.Context(), "sandbox", func(string) string { return "00" }, []byte(`{}`))
		if !errors.Is(err, connector.ErrForged) {
			t.Errorf("a forged callback: %v", err)
		}
		err = r.Callback(t.Context(), "nobody", func(string) string { return "" }, nil)
		if !errors.Is(err, acquiring.ErrNoConnector) {
			t.Errorf("nobody's callback: %v", err)
		}
	})
}
