package notify

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"plexy/internal/clock"
)

const (
	// tryFor bounds one try of a carrier.
	tryFor = 10 * time.Second
	// underWay bounds the messages that are being sent at once; beyond it Send says no.
	underWay = 256
)

// pauses are between the tries of a message that Send took: three tries in all.
var pauses = []time.Duration{2 * time.Second, 10 * time.Second}

// Post sends messages beside the requests. It starts nothing before the first message. It is safe for any
// number of goroutines.
type Post struct {
	carrier Carrier
	log     *slog.Logger
	pauses  []time.Duration
	room    chan struct{}
	ctx     context.Context // ends the tries when the post closes
	stop    context.CancelFunc
	running sync.WaitGroup
}

// NewPost returns a post over a carrier; Close it.
func NewPost(c Carrier, log *slog.Logger) *Post { return newPost(c, log, pauses) }

func newPost(c Carrier, log *slog.Logger, pauses []time.Duration) *Post {
	p := &Post{carrier: c, log: log, pauses: pauses, room: make(chan struct{}, underWay)}
	p.ctx, p.stop = context.WithCancel(context.Background())
	return p
}

// Send sends a message in the background, in three tries at most, and logs the failure of the last. It
// answers false when so many are under way that this one was not taken, or when the post is closed.
func (p *Post) Send(m Message) bool {
	if p.ctx.Err() != nil {
		return false
	}
	select {
	case p.room <- struct{}{}:
	default:
		p.log.Error("a message was not taken: too many are under way", slog.String("alarm", "notify"),
			slog.String("message", m.ID), slog.String("kind", string(m.Kind)))
		return false
	}
	p.running.Go(func() {
		defer func() { <-p.room }()
		p.carry(m)
	})
	return true
}

func (p *Post) carry(m Message) {
	for try := 0; ; try++ {
		err := p.Try(p.ctx, m)
		if err == nil {
			return
		}
		if errors.Is(err, ErrRefused) || try == len(p.pauses) || !p.pause(p.pauses[try]) {
			p.log.Error("a message was not sent", slog.String("alarm", "notify"), slog.String("message", m.ID),
				slog.String("kind", string(m.Kind)), slog.Int("tries", try+1), slog.String("error", err.Error()))
			return
		}
	}
}

// Try tries once, in at most ten seconds, and logs nothing: for whoever keeps count of the tries.
func (p *Post) Try(ctx context.Context, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	return p.carrier.Carry(ctx, m)
}

// pause waits and reports whether the post is still open.
func (p *Post) pause(d time.Duration) bool {
	ticks, stop := clock.Ticks(d)
	defer stop()
	select {
	case <-ticks:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// Close cuts off what is under way and waits for it. A code that was not sent can be asked for again.
func (p *Post) Close() {
	p.stop()
	p.running.Wait()
}
