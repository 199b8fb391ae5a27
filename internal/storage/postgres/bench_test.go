package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plexy/internal/clock"
	"plexy/internal/commit"
	"plexy/internal/core/wallet"
	"plexy/internal/storage/postgres"
)

// BenchmarkAuthorize measures what the keeper and the committer do for 64 callers of one hot merchant.
func BenchmarkAuthorize(b *testing.B) {
	for _, lanes := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("lanes=%d", lanes), func(b *testing.B) { benchmarkAuthorize(b, lanes) })
	}
}

func benchmarkAuthorize(b *testing.B, lanes int) {
	s := openStore(b, postgres.Config{URL: freshDatabase(b), Lanes: lanes})
	w := newShop(b, s, 10_000)
	var batches, size atomic.Int64
	c := commit.New(commit.Config{
		Storage: s, Clock: clock.System{},
		Observe: func(r commit.Report) { batches.Add(1); size.Add(int64(len(r.Instructions))) },
		Alarm:   func(what string, err error) { b.Errorf("%s: %v", what, err) },
	})
	defer c.Close()
	b.ReportAllocs()
	b.ResetTimer()
	started := time.Now()
	var next atomic.Int64
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				p := int(n*7919) % w.people
				o, err := c.Submit(context.Background(), bookOf(p), w.authorize(p, int(n), 1))
				if err != nil || o.Transaction.Status != wallet.Success {
					b.Errorf("%v %s %s", err, o.Reason, o.Transaction.Failure)
					return
				}
			}
		})
	}
	callers.Wait()
	b.ReportMetric(float64(b.N)/time.Since(started).Seconds(), "ops/s")
	b.ReportMetric(float64(size.Load())/float64(max(1, batches.Load())), "ops/batch")
}
