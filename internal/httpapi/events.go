package httpapi

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"sync"
	"time"

	"plexy/internal/clock"
	"plexy/internal/core/reject"
	"plexy/internal/event"
	"plexy/internal/storage"
	"plexy/internal/view"
)

const (
	// maxWait is how long a feed waits for news at most.
	maxWait = 30 * time.Second
	// askEvery is how often it asks for what other servers have numbered.
	askEvery = 500 * time.Millisecond
	// maxScan is how many events a feed of one type looks at before it answers with what it found.
	maxScan = 5000
	// scanPage is how many it reads at once.
	scanPage = 500
	// maxWaiting is how many feeds of one merchant may wait at once. Each costs a connection and some memory.
	maxWaiting = 32
	// restAfter is how long a waiting feed rests after news that were not its own: a busy merchant next door
	// must not make it read all the time.
	restAfter = 50 * time.Millisecond
)

// feedQuery is an understood query of the feed.
type feedQuery struct {
	after int64
	limit int
	kind  string
	wait  time.Duration
}

// parseFeed reads the feed's parameters. One that is sent twice or does not mean anything is refused by name.
func parseFeed(raw string) (feedQuery, problem) {
	q := feedQuery{limit: defaultLimit}
	values, err := url.ParseQuery(raw)
	if err != nil {
		values = url.Values{"after": {""}} // whichever it is, it cannot be read
	}
	for _, p := range []struct {
		name   string
		reason reject.Reason
		set    func(value string) bool
	}{
		{"after", reject.AfterInvalid, func(v string) (ok bool) { q.after, ok = wholeNumber(v, 1<<62); return ok }},
		{"limit", reject.LimitInvalid, func(v string) bool {
			n, ok := wholeNumber(v, maxLimit)
			q.limit = int(n)
			return ok && n > 0
		}},
		{"type", reject.EventTypeInvalid, func(v string) bool { q.kind = v; return event.Known(v) }},
		{"wait", reject.WaitInvalid, func(v string) bool {
			n, ok := wholeNumber(v, int64(maxWait/time.Second))
			q.wait = time.Duration(n) * time.Second
			return ok
		}},
	} {
		sent := values[p.name]
		if len(sent) > 1 || len(sent) == 1 && !p.set(sent[0]) {
			return q, problem{reason: p.reason, source: p.name}
		}
	}
	return q, problem{}
}

// wholeNumber reads a number from 0 to most, written in the only way.
func wholeNumber(text string, most int64) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0 && n <= most && strconv.FormatInt(n, 10) == text
}

// feed answers GET /v1/events: events by number, oldest first. A reader goes on after nextAfter.
func (a *API) feed(c *call) {
	q, p := parseFeed(c.request.URL.RawQuery)
	if p.reason != "" {
		refuse(c.Exchange, p)
		return
	}
	if q.wait > 0 {
		if !a.waiting.take(c.Merchant) {
			refuse(c.Exchange, problem{reason: reject.RateLimited, source: "wait",
				message: "32 requests of this merchant wait for events already; try again later."})
			return
		}
		defer a.waiting.leave(c.Merchant)
	}
	found, next, err := a.await(c, q)
	if old := (sweptError{}); errors.As(err, &old) {
		refuse(c.Exchange, old.notKept("after"))
		return
	}
	if err != nil {
		c.trouble(err, reject.QueueFull)
		return
	}
	b := append(make([]byte, 0, 64+view.EventSize*len(found)), `{"items":[`...)
	for i := range found {
		if i > 0 {
			b = append(b, ',')
		}
		b = view.Event(b, &found[i])
	}
	c.read(append(view.Minor(b, `],"nextAfter":`, next), '}'))
}

// seats counts who waits, by merchant.
type seats struct {
	mu    sync.Mutex
	taken map[string]int
}

// take reports whether the merchant may have one more wait; if so, leave gives it back.
func (s *seats) take(merchant string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[merchant] >= maxWaiting {
		return false
	}
	s.taken[merchant]++
	return true
}

func (s *seats) leave(merchant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[merchant]--; s.taken[merchant] == 0 {
		delete(s.taken, merchant)
	}
}

// await reads the next events that the query wants. When there are none it waits for them, until the query's
// time is over, the caller has gone or the server stops.
func (a *API) await(c *call, q feedQuery) (found []event.Event, next int64, err error) {
	until := clock.System{}.Now() + q.wait.Microseconds()
	for again := false; ; again = true {
		news := a.options.News() // taken before reading, so that nothing comes in between unheard
		found, next, err = a.scan(c.ctx, c.Merchant, q)
		if again && err != nil && c.ctx.Err() != nil {
			return nil, q.after, nil // interrupted in the middle of waiting: up to here there was nothing
		}
		left := time.Duration(until-clock.System{}.Now()) * time.Microsecond
		if err != nil || len(found) > 0 || next-q.after >= maxScan || left <= 0 {
			return found, next, err
		}
		q.after = next
		if again {
			clock.Pause(c.ctx, min(left, restAfter))
		}
		if !wait(c.ctx, news, min(left, askEvery)) {
			return nil, next, nil
		}
	}
}

// wait returns when there are news or the time is over; false when ctx ended.
func wait(ctx context.Context, news <-chan struct{}, d time.Duration) bool {
	limited, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	select {
	case <-news:
	case <-limited.Done():
	}
	return ctx.Err() == nil
}

// scan reads the next events that the query wants, and says after which number to go on.
func (a *API) scan(ctx context.Context, merchant string, q feedQuery) ([]event.Event, int64, error) {
	if q.kind == "" {
		found, err := a.page(ctx, merchant, q.after, q.limit)
		if len(found) > 0 {
			q.after = found[len(found)-1].Number
		}
		return found, q.after, err
	}
	var found []event.Event
	for scanned := 0; scanned < maxScan; scanned += scanPage {
		page, err := a.page(ctx, merchant, q.after, scanPage)
		if err != nil {
			return nil, q.after, err
		}
		for _, e := range page {
			q.after = e.Number
			if e.Record.Event() == q.kind {
				if found = append(found, e); len(found) == q.limit {
					return found, q.after, nil
				}
			}
		}
		if len(page) < scanPage {
			break
		}
	}
	return found, q.after, nil
}

// event answers GET /v1/events/{event_id}.
func (a *API) event(c *call) {
	missing := problem{reason: reject.EventNotFound, source: "event_id"}
	ref, ok := event.Parse(c.id)
	if !ok {
		refuse(c.Exchange, missing)
		return
	}
	e, err := a.options.Outbox.Event(c.ctx, c.Merchant, ref)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		refuse(c.Exchange, missing)
	case err != nil:
		c.trouble(err, reject.QueueFull)
	default:
		c.read(view.Event(make([]byte, 0, view.EventSize), &e))
	}
}
