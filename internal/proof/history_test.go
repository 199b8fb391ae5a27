package proof_test

import (
	"fmt"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// A history is what concurrent clients saw of one wallet, with the times at which they asked and heard.
// It is right if there is an order of all operations, each at some moment between its two times, in which
// a wallet of the plainest kind (walletModel) gives the same answers.

const historySales = 32 // transactions in one history at most

// step is what was asked. Sale is a number that stands for a transaction's id.
type step struct {
	kind   string // authorize, capture, cancel, refund, get, show
	sale   int
	amount int32
}

// counters are the amounts of one transaction. They are small, because the checker keeps many states.
type counters struct {
	made, failed                             bool
	authorized, captured, canceled, refunded int32
}

func (c counters) remaining() int32 { return c.authorized - c.captured - c.canceled }

// sight is what was heard.
type sight struct {
	heard  heard
	reason string // of a refusal
	sale   counters
	// of show
	available, pending int32
}

// heard says what kind of answer came.
type heard int

const (
	done    heard = iota + 1
	refused       // 422
	nothing       // 503 busy: the promise is that nothing was done
	silence       // no answer, or 503 outcome_unknown: done now, later or never
)

// purse is a wallet of the plainest kind. It is compared with ==.
type purse struct {
	available, pending int32
	sales              [historySales]counters
}

// do is the whole of the rules: the purse after a step, and what its owner is told.
func (p purse) do(s step) (purse, sight) {
	c := &p.sales[s.sale]
	no := func(reason string) (purse, sight) { return p, sight{heard: refused, reason: reason} }
	switch {
	case s.kind == "show":
		return p, sight{heard: done, available: p.available, pending: p.pending}
	case s.kind == "get":
		return p, sight{heard: done, sale: *c}
	case s.kind == "authorize" && p.available < s.amount:
		*c = counters{made: true, failed: true}
	case s.kind == "authorize":
		*c = counters{made: true, authorized: s.amount}
		p.available -= s.amount
		p.pending += s.amount
	case c.failed:
		return no("transaction_failed")
	case s.kind == "refund" && c.captured == 0:
		return no("nothing_captured")
	case s.kind == "refund" && s.amount > c.captured-c.refunded:
		return no("amount_exceeds_captured")
	case s.kind == "refund":
		c.refunded += s.amount
		p.available += s.amount
	case c.remaining() == 0:
		return no("nothing_remaining")
	case s.amount > c.remaining():
		return no("amount_exceeds_remaining")
	case s.kind == "capture":
		c.captured += s.amount
		p.pending -= s.amount
	default: // cancel
		c.canceled += s.amount
		p.pending -= s.amount
		p.available += s.amount
	}
	return p, sight{heard: done, sale: *c}
}

// walletModel judges histories of a wallet that began with the given money.
func walletModel(start int32) porcupine.Model {
	seed := maphash.MakeSeed()
	return porcupine.Model{
		Init: func() any { return purse{available: start} },
		Step: func(state, input, output any) (bool, any) {
			was, saw := state.(purse), output.(sight)
			if saw.heard == nothing {
				return true, was
			}
			now, want := was.do(input.(step))
			return saw.heard == silence || saw == want, now
		},
		Hash: func(state any) uint64 { return maphash.Comparable(seed, state.(purse)) },
		DescribeOperation: func(input, output any) string {
			return fmt.Sprintf("%+v -> %+v", input, output)
		},
	}
}

// judge checks a history; it must be decided.
func judge(t *testing.T, start int32, history []porcupine.Operation) bool {
	t.Helper()
	switch porcupine.CheckOperationsTimeout(walletModel(start), history, time.Minute) {
	case porcupine.Ok:
		return true
	case porcupine.Unknown:
		t.Errorf("a history of %d operations could not be judged within a minute", len(history))
	}
	return false
}

// observer records the history of one wallet.
type observer struct {
	site   *site
	client *client
	payer  payer
	began  time.Time

	mu    sync.Mutex
	ops   []porcupine.Operation
	ids   [historySales]string
	made  []int // sales whose id is known
	next  int
	wrong error
}

// historyStart is what each wallet begins with: too little for everything that is asked of it.
const historyStart = 3000

// watch lets n clients loose on the wallet, each for the given number of steps.
func (o *observer) watch(n, steps int) {
	var wait sync.WaitGroup
	for who := range n {
		wait.Go(func() {
			dice := rand.New(rand.NewPCG(rand.Uint64(), uint64(who)))
			for i := range steps {
				s, ok := o.choose(dice)
				if who == 0 && i%20 == 10 {
					s, ok = step{kind: "show"}, true
				}
				if ok {
					o.observe(who, s, dice.IntN(4) > 0)
				}
			}
		})
	}
	wait.Wait()
}

// choose picks a step on a sale that is there, or a new sale.
func (o *observer) choose(dice *rand.Rand) (step, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.made) == 0 || o.next < historySales && dice.IntN(4) == 0 {
		if o.next == historySales {
			return step{}, false
		}
		o.next++
		return step{"authorize", o.next - 1, 1 + dice.Int32N(600)}, true
	}
	sale := o.made[dice.IntN(len(o.made))]
	kind := []string{"capture", "capture", "cancel", "refund", "get"}[dice.IntN(5)]
	if kind == "get" {
		return step{kind: kind, sale: sale}, true
	}
	return step{kind, sale, 1 + dice.Int32N(300)}, true
}

// observe does one step and writes down what it saw. With a key it asks until there is a decision, which
// is one operation from the first question to the last answer.
func (o *observer) observe(who int, s step, keyed bool) {
	call := time.Since(o.began).Nanoseconds()
	saw, a := o.ask(s, keyed)
	back := time.Since(o.began).Nanoseconds()
	o.mu.Lock()
	defer o.mu.Unlock()
	if a.err != nil && keyed && o.wrong == nil {
		o.wrong = fmt.Errorf("%+v: %w", s, a.err)
	}
	if bad := a.wrong(); bad != "" && o.wrong == nil {
		o.wrong = fmt.Errorf("%+v: %s", s, bad)
	}
	if saw.heard == silence {
		back = math.MaxInt64 // it may still happen
	} else if s.kind == "authorize" {
		o.ids[s.sale] = a.ID
		o.made = append(o.made, s.sale)
	}
	o.ops = append(o.ops, porcupine.Operation{ClientId: who, Input: s, Call: call, Output: saw, Return: back})
}

func (o *observer) ask(s step, keyed bool) (sight, answer) {
	var r request
	switch s.kind {
	case "show":
		b, err := o.site.wallet(o.payer)
		return sight{heard: done, available: int32(b.Available), pending: int32(b.Pending)},
			answer{err: err, status: http.StatusOK}
	case "authorize":
		r, keyed = authorize(o.payer, int64(s.amount), fmt.Sprint("SALE-", s.sale)), true
	case "get":
		r, keyed = read(o.id(s.sale)), true
	default:
		r = operate(s.kind, o.id(s.sale), int64(s.amount))
	}
	var a answer
	if keyed {
		a = o.client.settle(r)
	} else {
		a = o.client.do(r.withKey(""))
	}
	return sightOf(s, a), a
}

func (o *observer) id(sale int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ids[sale]
}

func sightOf(s step, a answer) sight {
	switch {
	case a.untouched():
		return sight{heard: nothing}
	case !a.settled():
		return sight{heard: silence}
	case a.status == http.StatusUnprocessableEntity:
		return sight{heard: refused, reason: a.Reason}
	}
	return sight{heard: done, sale: counters{
		made: true, failed: a.Status == "FAILED", authorized: int32(a.Authorized), captured: int32(a.Captured),
		canceled: int32(a.Canceled), refunded: int32(a.Refunded),
	}}
}

func TestHistories(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) { histories(t, s) })
}

// TestSeveralHistories records histories over three servers, of which one dies now and then.
func TestSeveralHistories(t *testing.T) {
	s := newCluster(t)
	stop := s.unrest()
	defer stop()
	histories(t, s)
}

// histories records several wallets at once and judges each.
func histories(t *testing.T, s *site) {
	c := newClient(s)
	var (
		watched []*observer
		wait    sync.WaitGroup
	)
	for _, p := range s.fund(volume(t, 14), historyStart) {
		o := &observer{site: s, client: c, payer: p, began: time.Now()}
		watched = append(watched, o)
		wait.Go(func() { o.watch(5, 50) })
	}
	wait.Wait()
	count, silent := 0, 0
	for n, o := range watched {
		if o.wrong != nil {
			t.Error(o.wrong)
		}
		if !judge(t, historyStart, o.ops) {
			t.Errorf("the history of wallet %d has no right order:\n%s", n, tell(o.ops))
		}
		count += len(o.ops)
		for _, op := range o.ops {
			if op.Return == math.MaxInt64 {
				silent++
			}
		}
	}
	s.verify()
	t.Logf("%d operations on %d wallets, %d of them without an answer", count, len(watched), silent)
}

// tell prints a history in the order of its answers.
func tell(ops []porcupine.Operation) string {
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return int(a.Return/2 - b.Return/2) })
	text := ""
	for _, op := range ops {
		text += fmt.Sprintf("%12d %12d client %d %+v -> %+v\n",
			op.Call, op.Return, op.ClientId, op.Input, op.Output)
	}
	return text
}

// TestHistoryCheckerCatches plants anomalies of every kind into a right history; each must be found.
func TestHistoryCheckerCatches(t *testing.T) {
	right := func() []porcupine.Operation {
		return play(1000, []step{
			{"authorize", 0, 600}, {"authorize", 1, 600}, {"capture", 0, 200}, {kind: "get", sale: 0},
			{"cancel", 0, 100}, {kind: "show"}, {"refund", 0, 50}, {"capture", 0, 300}, {kind: "get", sale: 0},
			{"capture", 0, 1}, {"authorize", 2, 400}, {kind: "show"},
		})
	}
	plants := map[string]func([]porcupine.Operation) []porcupine.Operation{
		"nothing": func(h []porcupine.Operation) []porcupine.Operation { return h },
		"a stale read": func(h []porcupine.Operation) []porcupine.Operation {
			h[8].Output = h[3].Output
			return h
		},
		"money spent twice": func(h []porcupine.Operation) []porcupine.Operation {
			h[1].Output = sight{heard: done, sale: counters{made: true, authorized: 600}}
			return h
		},
		"a lost capture": func(h []porcupine.Operation) []porcupine.Operation {
			return slices.Delete(h, 2, 3)
		},
		"a busy that was done": func(h []porcupine.Operation) []porcupine.Operation {
			h[6].Output = sight{heard: nothing}
			return h
		},
		"a refusal that was done": func(h []porcupine.Operation) []porcupine.Operation {
			h[4].Output = sight{heard: refused, reason: "amount_exceeds_remaining"}
			return h
		},
		"a refund done twice": func(h []porcupine.Operation) []porcupine.Operation {
			return slices.Insert(h, 7, porcupine.Operation{
				Input: h[6].Input, Output: h[6].Output, Call: h[6].Call, Return: h[6].Return,
			})
		},
		"a wrong balance": func(h []porcupine.Operation) []porcupine.Operation {
			h[5].Output = sight{heard: done, available: 501, pending: 300}
			return h
		},
	}
	for name, plant := range plants {
		t.Run(name, func(t *testing.T) {
			if ok := judge(t, 1000, plant(right())); ok != (name == "nothing") {
				t.Errorf("the checker says %v", ok)
			}
		})
	}
	t.Run("silence may mean either", func(t *testing.T) {
		for _, gone := range []int{6, 10} {
			h := right()
			h[gone].Output, h[gone].Return = sight{heard: silence}, math.MaxInt64
			if !judge(t, 1000, h) {
				t.Errorf("step %d without an answer, but done: the history was refused", gone)
			}
		}
	})
}

// play makes the history of one client at a plain wallet.
func play(start int32, steps []step) []porcupine.Operation {
	p := purse{available: start}
	var history []porcupine.Operation
	for i, s := range steps {
		var saw sight
		p, saw = p.do(s)
		history = append(history, porcupine.Operation{
			Input: s, Output: saw, Call: int64(10 * i), Return: int64(10*i + 5),
		})
	}
	return history
}
