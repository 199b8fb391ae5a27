package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"plexy/internal/core/journal"
	"plexy/internal/core/machine"
	"plexy/internal/core/wallet"
	"plexy/internal/storage"
	"plexy/internal/storage/postgres"
)

// cut is what happens to a connection when the next COMMIT comes along.
type cut int32

const (
	none        cut = iota
	beforehand      // COMMIT does not reach the server; both sides are closed
	afterwards      // COMMIT reaches the server, its answer does not come back
	late            // our side is closed at once, COMMIT reaches the server a little later
	held            // our side is closed at once, the server's side stays open and hears nothing
	unreachable     // as afterwards, and nobody can connect any more
)

// proxy stands between a keeper and its server.
type proxy struct {
	net.Listener
	server string
	next   atomic.Int32 // a cut
	closed atomic.Bool  // to new connections
	conns  sync.WaitGroup
}

// newProxy returns a proxy to the database at address, and the address through it.
func newProxy(t *testing.T, address string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{Listener: l, server: u.Host}
	u.Host = l.Addr().String()
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.conns.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		accepting.Wait()
		p.conns.Wait()
	})
	return p, u.String()
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	if p.closed.Load() {
		return
	}
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	answers := make(chan struct{})
	var mute atomic.Bool
	go func() {
		defer close(answers)
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if n > 0 && !mute.Load() {
				_, _ = client.Write(buf[:n]) // whoever is gone is seen by the other copy
			}
			if err != nil || n > 0 && mute.Load() {
				return
			}
		}
	}()
	p.requests(client, server, &mute, answers)
	_ = server.Close()
	<-answers
}

// requests copies what the keeper says until a COMMIT meets the cut that was asked for.
func (p *proxy) requests(client, server net.Conn, mute *atomic.Bool, answers <-chan struct{}) {
	buf := make([]byte, 1<<20)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		do := none
		if bytes.Contains(buf[:n], []byte("\x00commit\x00")) {
			do = cut(p.next.Swap(int32(none)))
		}
		switch do {
		case beforehand:
			return
		case unreachable, afterwards:
			p.closed.Store(do == unreachable)
			mute.Store(true)
		case late, held:
			mute.Store(true)
			_ = client.Close()
			if do == held {
				<-answers // until the server ends it
				return
			}
			time.Sleep(150 * time.Millisecond) // what a slow network does, not a wait for anything
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
		if do == afterwards || do == late || do == unreachable {
			<-answers // the server has answered: it is committed
			return
		}
	}
}

func TestConnectionLostInCommit(t *testing.T) {
	address := freshDatabase(t)
	p, through := newProxy(t, address)
	w := newShop(t, openStore(t, postgres.Config{URL: address}), 1)
	cutOff := openStore(t, postgres.Config{URL: through, Lanes: 1})
	_, err := run(t.Context(), cutOff, 0, w.authorize(0, 1, 10)) // its lane is connected
	must(t, err)
	for _, tt := range []struct {
		name string
		cut  cut
		want error // of the attempt that is cut
	}{
		{"COMMIT never arrives", beforehand, storage.ErrTransient},
		{"the answer never arrives", afterwards, nil},
		{"COMMIT arrives after we have asked", late, nil},
		{"the server's process hangs", held, storage.ErrTransient},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// No idempotency key: nothing but the keeper prevents a second effect.
			in := w.keyed("", w.authorize(0, 1, 10).Command)
			before := journalOf(t, w)
			p.next.Store(int32(tt.cut))
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			outcomes, err := run(ctx, cutOff, 0, in)
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Fatalf("the attempt returned %v, want %v", err, tt.want)
			}
			if cut(p.next.Load()) != none {
				t.Fatal("no COMMIT was seen")
			}
			if err != nil {
				o, err := insist(ctx, cutOff, 0, in)
				must(t, err)
				outcomes = []machine.Outcome{o}
			}
			o := outcomes[0]
			stored, err := w.Transaction(ctx, shopMerchant, o.Transaction.ID)
			must(t, err)
			if stored != o.Transaction || stored.Status != wallet.Success {
				t.Errorf("answered %+v, stored %+v", o.Transaction, stored)
			}
			if n := journalOf(t, w) - before; n != 1 {
				t.Errorf("one request left %d records", n)
			}
		})
	}
	inOrder(t, w)
}

// The answer is lost and the server cannot be reached any more: nothing is claimed.
func TestOutcomeStaysUnknown(t *testing.T) {
	address := freshDatabase(t)
	p, through := newProxy(t, address)
	w := newShop(t, openStore(t, postgres.Config{URL: address}), 1)
	cutOff := openStore(t, postgres.Config{URL: through, Lanes: 1})
	in := w.authorize(0, 1, 10)
	_, err := run(t.Context(), cutOff, 0, w.authorize(0, 2, 10)) // its lane is connected
	must(t, err)
	p.next.Store(int32(unreachable))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := run(ctx, cutOff, 0, in); !errors.Is(err, storage.ErrUncertain) {
		t.Fatalf("the attempt returned %v", err)
	}
	if _, err := run(ctx, cutOff, 0, in); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("without a database the next batch returned %v", err)
	}
	p.closed.Store(false)
	o, err := insist(t.Context(), cutOff, 0, in)
	must(t, err)
	if !o.Replayed {
		t.Error("the same key had a second effect")
	}
	inOrder(t, w)
}

func journalOf(t *testing.T, w *shop) (n int) {
	t.Helper()
	for try := 0; ; try++ {
		n = 0
		err := w.Snapshot(t.Context(), func(ctx context.Context, b storage.Books) error {
			return b.Journal(ctx, func(journal.Record) error { n++; return nil })
		})
		// A connection that idled through a restart of the server says so once.
		if try < 10 && errors.Is(err, storage.ErrTransient) {
			continue
		}
		must(t, err)
		return n
	}
}
