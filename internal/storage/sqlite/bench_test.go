package sqlite

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/storage"
)

// keepMoving calls Checkpoint as often as the server does, until the returned function is called.
func keepMoving(b *testing.B, s *Store) func() {
	ticker := time.NewTicker(100 * time.Millisecond)
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				if err := s.Checkpoint(b.Context()); err != nil {
					b.Error(err)
				}
			}
		}
	})
	return func() {
		ticker.Stop()
		close(done)
		wait.Wait()
	}
}

// busyTime is the processor time of the process so far, in nanoseconds: unlike the time that passes it
// hardly depends on what else the machine does.
func busyTime() int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func batches(n, size int, do func(size int)) {
	for left := n; left > 0; left -= size {
		do(min(left, size))
	}
}

// One operation is one authorize in a batch of 32, durable.
func BenchmarkAuthorize(b *testing.B) {
	for _, size := range []int{1, 32, 64} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			sh := newShop(b, fresh(b, Config{Owner: true}), 10_000)
			var longest time.Duration
			stop := keepMoving(b, sh.Store)
			defer stop()
			busy := busyTime()
			b.ResetTimer()
			batches(b.N, size, func(size int) {
				in := make([]machine.Instruction, size)
				for i := range in {
					in[i] = sh.authorize()
				}
				begun := time.Now()
				for _, o := range sh.run(in...) {
					if o.Transaction.Status != wallet.Success {
						b.Fatal(o.Reason, o.Transaction.Failure)
					}
				}
				longest = max(longest, time.Since(begun))
			})
			b.ReportMetric(float64(longest.Microseconds())/1000, "ms-longest")
			b.ReportMetric(float64(busyTime()-busy)/float64(b.N), "cpu-ns/op")
		})
	}
}

// One operation is one capture in a batch of 32.
func BenchmarkCapture(b *testing.B) {
	sh := newShop(b, fresh(b, Config{Owner: true}), 10_000)
	var held []wallet.Transaction
	batches(b.N, 32, func(size int) {
		in := make([]machine.Instruction, size)
		for i := range in {
			in[i] = sh.authorize()
		}
		for _, o := range sh.run(in...) {
			held = append(held, o.Transaction)
		}
	})
	b.ResetTimer()
	batches(b.N, 32, func(size int) {
		in := make([]machine.Instruction, size)
		for i := range in {
			in[i] = sh.capture(held[i])
		}
		held = held[size:]
		for _, o := range sh.run(in...) {
			if o.Reason != "" {
				b.Fatal(o.Reason)
			}
		}
	})
}

// The yardstick: the same number of rows and bytes, by plain inserts of one statement in transactions
// of 32.
func BenchmarkPlainInserts(b *testing.B) {
	s := fresh(b, Config{})
	w := s.writer
	sh := newShop(b, s, 1)
	b.ResetTimer()
	batches(b.N, 32, func(size int) {
		err := w.transact(b.Context(), func() error {
			return w.hot.replies.insert(w.hot, size, func(q *stmt, base, _ int) {
				q.text(base+1, sh.merchant)
				q.text(base+2, uuid.NewString())
				q.int(base+3, 1)
				q.bytes(base+4, sh.body[:32])
				q.int(base+5, 201)
				q.bytes(base+6, sh.body)
				q.text(base+7, "req")
				q.int(base+8, 1)
			})
		})
		sh.ok(err)
	})
}

// One operation is a look at one transaction and its records.
func BenchmarkGet(b *testing.B) {
	sh := newShop(b, fresh(b, Config{}), 10)
	made := sh.try1(sh.authorize()).Transaction
	ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
	defer cancel()
	busy := busyTime()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := sh.Transaction(ctx, sh.merchant, made.ID); err != nil {
				b.Error(err)
			}
			if _, err := sh.Operations(ctx, made.ID); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(busyTime()-busy)/float64(b.N), "cpu-ns/op")
}

// One operation is a list of the newest 20 of 20,000 transactions.
func BenchmarkList(b *testing.B) {
	sh := newShop(b, fresh(b, Config{}), 10)
	batches(20_000, 500, func(size int) {
		in := make([]machine.Instruction, size)
		for i := range in {
			in[i] = sh.authorize()
		}
		sh.run(in...)
	})
	busy := busyTime()
	b.ResetTimer()
	for b.Loop() {
		page, err := sh.Transactions(b.Context(), storage.Query{Merchant: sh.merchant, Limit: 20})
		if err != nil || len(page) != 20 {
			b.Fatal(len(page), err)
		}
	}
	b.ReportMetric(float64(busyTime()-busy)/float64(b.N), "cpu-ns/op")
}
