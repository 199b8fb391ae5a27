package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"plexy/internal/clock"
	"plexy/internal/core/journal"
	"plexy/internal/core/ledger"
	"plexy/internal/core/machine"
	"plexy/internal/core/money"
	"plexy/internal/core/reject"
	"plexy/internal/core/wallet"
	"plexy/internal/id"
	"plexy/internal/storage"
)

const (
	// expireEvery keeps the release of lapsed holds well within the promised minute.
	expireEvery = 5 * time.Second
	// decideEvery is how soon an approval that nobody completed, or that nobody gave, is decided.
	decideEvery = time.Second
	// expireBatch is how many holds one look asks for; they share a few commits.
	expireBatch = 256
	sweepEvery  = time.Minute
	// checkpointEvery keeps what SQLite has to move at a time small; it costs nothing while nothing grows.
	checkpointEvery = 100 * time.Millisecond
	// sweepBatch rows are deleted at a time, so that no transaction is long.
	sweepBatch  = 1000
	sweepRounds = 60
	// sweepMargin is kept beyond the 30 days, for processes whose clocks are behind: microseconds.
	sweepMargin  = int64(time.Hour / time.Microsecond)
	balanceEvery = 5 * time.Minute
	taskDeadline = 15 * time.Second
	// followEvery keeps a server less than half a second behind a change of the test clock or of a fault.
	followEvery = 300 * time.Millisecond
)

// tasks are the loops beside the requests.
type tasks struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// bell wakes every task at once. The zero bell is ready.
type bell struct {
	mu   sync.Mutex
	next chan struct{} // closed when it rings
}

// listen returns a channel that is closed when the bell rings next.
func (b *bell) listen() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// stop ends the loops and waits for them. What they have submitted is finished by the committer.
func (t *tasks) stop() {
	t.cancel()
	t.running.Wait()
}

// startTasks starts every background task. Each runs at once, which is after a stop of any length the
// moment to catch up, and then from time to time.
func (s *Server) startTasks() *tasks {
	ctx, cancel := context.WithCancel(context.Background())
	t := &tasks{cancel: cancel}
	s.every(ctx, t, "release lapsed holds", expireEvery, s.expire)
	s.every(ctx, t, "decide what waited", decideEvery, s.decide)
	s.every(ctx, t, "sweep old replies", sweepEvery, s.sweep)
	s.every(ctx, t, "sweep old deliveries", sweepEvery, s.sweepDeliveries)
	s.every(ctx, t, "sweep old events", sweepEvery, s.sweepEvents)
	s.every(ctx, t, "sweep what payments kept", sweepEvery, s.sweepShoppers)
	s.startWebhooks(ctx, t)
	s.startPayments(ctx, t)
	if s.messages != nil {
		s.every(ctx, t, "tell owners what waits", tellEvery, s.tell)
		s.every(ctx, t, "tell merchants what fails", tellFailingEvery, s.tellFailing)
		s.every(ctx, t, "sweep what pages kept", sweepEvery, s.sweepPeople)
	}
	if log, ok := s.app.Storage.(interface{ Checkpoint(context.Context) error }); ok {
		s.every(ctx, t, "move the log into the database", checkpointEvery, log.Checkpoint)
	}
	if s.app.Config.MetricsListen != "" { // nobody reads it otherwise
		s.every(ctx, t, "add up the books", balanceEvery, s.addUp)
	}
	if s.app.test != nil {
		s.every(ctx, t, "follow the sandbox", followEvery, s.app.followSandbox)
	}
	return t
}

// every runs task now, then every so often and when the bell rings, until ctx ends. Errors are logged, and
// the next run tries again.
func (s *Server) every(ctx context.Context, t *tasks, name string, d time.Duration,
	task func(context.Context) error) {
	t.running.Go(func() {
		ticks, stop := clock.Ticks(d)
		defer stop()
		for {
			rung := s.app.moved.listen() // before the task looks at the clock, so that no move of it is missed
			if err := task(ctx); err != nil && ctx.Err() == nil {
				s.log.Logger().Error("a background task failed", slog.String("alarm", "task"),
					slog.String("task", name), slog.String("error", err.Error()))
			}
			select {
			case <-ctx.Done():
				return
			case <-ticks:
			case <-rung:
			}
		}
	})
}

// expire releases every hold whose time has come, in bounded batches, as long as that gets anywhere.
func (s *Server) expire(ctx context.Context) error {
	for ctx.Err() == nil {
		ids, err := s.app.Storage.DueHolds(ctx, s.app.clock.Now(), expireBatch)
		if err != nil {
			return err
		}
		commands := make([]due, len(ids))
		for i, id := range ids {
			commands[i] = due{id, machine.Expire{ID: id}}
		}
		released, err := s.settle(ctx, commands)
		if err != nil || released == 0 || len(ids) < expireBatch {
			return err
		}
	}
	return nil
}

// decide fails what its owner has not answered in time, and completes what was approved: where a door that
// took an approval did not come to it, and what the sandbox lets go on for a while.
func (s *Server) decide(ctx context.Context) error {
	for ctx.Err() == nil {
		all, err := s.app.Storage.DueDecisions(ctx, s.app.clock.Now(), expireBatch)
		if err != nil {
			return err
		}
		commands := make([]due, len(all))
		for i, t := range all {
			if commands[i] = (due{t.ID, machine.Lapse{ID: t.ID}}); t.Status == wallet.Processing {
				commands[i].command = machine.Complete{Merchant: t.Merchant, ID: t.ID}
			}
		}
		decided, err := s.settle(ctx, commands)
		if err != nil || decided == 0 || len(all) < expireBatch {
			return err
		}
	}
	return nil
}

// due is a transaction whose time has come, and what is to be done about it.
type due struct {
	id      string
	command machine.Command
}

// settle submits all commands at once, so that they share commits, and says how many did something. What
// another process has done meanwhile is none.
func (s *Server) settle(ctx context.Context, all []due) (done int, err error) {
	ctx, cancel := context.WithTimeout(ctx, taskDeadline)
	defer cancel()
	request := s.app.ids.New(id.Request) // one request id for one look, so that the journal shows them together
	var mu sync.Mutex
	var running sync.WaitGroup
	for _, d := range all {
		running.Go(func() {
			did, failed := s.settleOne(ctx, d, request)
			mu.Lock()
			defer mu.Unlock()
			if did {
				done++
			}
			if err == nil {
				err = failed // they are seldom different
			}
		})
	}
	running.Wait()
	return done, err
}

func (s *Server) settleOne(ctx context.Context, d due, request string) (bool, error) {
	book, ok := id.Book(id.Transaction, d.id)
	if !ok {
		return false, errors.New("a transaction whose time has come has a malformed id")
	}
	o, err := s.committer.Submit(ctx, book, machine.Instruction{
		Command: d.command, Origin: journal.Origin{RequestID: request},
	})
	if err != nil {
		return false, err
	}
	switch o.Reason {
	case "":
		return true, nil
	case reject.NothingRemaining, reject.TransactionFailed, reject.TransactionPending, reject.AlreadyDecided:
		return false, nil // somebody else came first
	}
	return false, refused(o.Reason)
}

// sweep deletes replies that no key can ask for any more.
func (s *Server) sweep(ctx context.Context) error {
	before := s.app.clock.Now() - machine.Retention - sweepMargin
	return inBatches(func() (int, error) { return s.app.Storage.SweepReplies(ctx, before, sweepBatch) })
}

// inBatches sweeps a batch at a time until one is not full, or there were enough for now.
func inBatches(sweep func() (int, error)) error {
	for range sweepRounds {
		if n, err := sweep(); err != nil || n < sweepBatch {
			return err
		}
	}
	return nil
}

// addUp publishes debits minus credits of the whole book, by currency. Sums wrap on overflow, which
// leaves zero zero.
func (s *Server) addUp(ctx context.Context) error {
	sums := map[money.Currency]int64{}
	add := func(a ledger.Account) error {
		t := a.Totals
		sums[a.Currency] += t.DebitsPending + t.DebitsPosted - t.CreditsPending - t.CreditsPosted
		return nil
	}
	err := s.app.Storage.Snapshot(ctx, func(ctx context.Context, b storage.Books) error {
		if err := b.Stripes(ctx, add); err != nil {
			return err
		}
		return b.Wallets(ctx, func(w wallet.Wallet) error { return add(w.Account) })
	})
	if err != nil {
		return err
	}
	for currency, sum := range sums {
		s.metrics.Imbalance(string(currency), sum)
		if sum != 0 {
			s.log.Logger().Error("the books do not balance", slog.String("alarm", "ledger"),
				slog.String("currency", string(currency)), slog.Int64("minorUnits", sum))
		}
	}
	return nil
}
