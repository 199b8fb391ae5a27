package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"plexy/internal/clock"
)

// Listening is a developer's machine that follows the feed of a merchant.
type Listening struct {
	API     string // base URL of the API
	APIKey  string
	Forward string // where every event is posted to
	After   int64  // events after this number; -1 is only what happens from now on
	Print   func(format string, args ...any)
}

const (
	feedWait   = 20          // seconds that one question waits for news
	feedLimit  = 100         // events in one answer
	feedMax    = 4 << 20     // bytes of one answer
	feedRetry  = time.Second // after a question without an answer
	listenName = "listen"
	tries      = 3 // of one event; then the next one has its turn
)

// ErrFeed says that the API refused the question.
var ErrFeed = errors.New("webhook: the feed cannot be read")

// listenKey signs what is forwarded. It follows from the API key, so that a developer configures the secret
// once; nobody who has not that key can know it.
func listenKey(apiKey string) Key {
	digest := sha256.Sum256([]byte("plexy listen: " + apiKey))
	k, err := NewKey(digest[:])
	if err != nil {
		panic("webhook: a digest is not a key")
	}
	return k
}

// errSwept says that the feed does not keep what was asked for any more.
var errSwept = fmt.Errorf("%w: the next events after that number are not kept any more", ErrFeed)

// Listen forwards events as webhooks until ctx ends. An event that the receiver does not take after three
// tries is passed over: this is for trying things out.
func Listen(ctx context.Context, l Listening) error {
	sender := NewSender(Options{Rules: Rules{Sandbox: true}})
	defer sender.Close()
	if err := sender.Check(l.Forward); err != nil {
		return fmt.Errorf("the address to forward to %w", err)
	}
	if l.After < 0 {
		newest, err := l.newest(ctx)
		if err != nil {
			return err
		}
		l.After = newest
	}
	key := listenKey(l.APIKey)
	l.Print("forwarding events after number %d to %s", l.After, l.Forward)
	l.Print("secret %s, token %s", key.Secret(listenName, 1).Reveal(), key.Token(listenName, 1).Reveal())
	for ctx.Err() == nil {
		items, err := l.ask(ctx, l.After, feedLimit, feedWait)
		switch {
		case errors.Is(err, ErrFeed):
			return err
		case err != nil:
			clock.Pause(ctx, feedRetry) // the server is being restarted, perhaps
			continue
		}
		for _, body := range items {
			var e struct {
				ID     string `json:"id"`
				Number int64  `json:"number"`
				Name   string `json:"name"`
			}
			if err := json.Unmarshal(body, &e); err != nil {
				return fmt.Errorf("%w: %w", ErrFeed, err)
			}
			r := l.forward(ctx, sender, Message{
				ID: e.ID, Body: body, Token: key.Token(listenName, 1), Secrets: []Secret{key.Secret(listenName, 1)},
			})
			if ctx.Err() != nil {
				return nil
			}
			l.Print("%d %s %s: %s", e.Number, e.Name, e.ID, said(r))
			l.After = e.Number
		}
	}
	return nil
}

func said(r Result) string {
	if r.Status == 0 {
		return r.Error
	}
	return strconv.Itoa(r.Status) + " in " + r.Duration.Round(time.Millisecond).String()
}

func (l *Listening) forward(ctx context.Context, sender *Sender, m Message) (r Result) {
	for n := range tries {
		r = sender.Send(ctx, l.Forward, m)
		if r.Outcome == Delivered || n == tries-1 || !clock.Pause(ctx, feedRetry) {
			break
		}
	}
	return r
}

// newest finds the number of the newest event: 0 when there is none.
func (l *Listening) newest(ctx context.Context) (int64, error) {
	beyond := func(n int64) (bool, error) {
		items, err := l.ask(ctx, n, 1, 0)
		if errors.Is(err, errSwept) {
			return false, nil // there were some, and they are not kept any more
		}
		return len(items) == 0, err
	}
	low, high := int64(0), int64(1) // there are none after high, once that is true
	for {
		none, err := beyond(high - 1)
		if err != nil {
			return 0, err
		}
		if none {
			break
		}
		low, high = high, high*2
	}
	for low+1 < high {
		middle := low + (high-low)/2
		none, err := beyond(middle - 1)
		if err != nil {
			return 0, err
		}
		if none {
			high = middle
		} else {
			low = middle
		}
	}
	return low, nil
}

// ask reads the events after a number.
func (l *Listening) ask(ctx context.Context, after int64, limit, wait int) ([]json.RawMessage, error) {
	query := url.Values{
		"after": {strconv.FormatInt(after, 10)}, "limit": {strconv.Itoa(limit)}, "wait": {strconv.Itoa(wait)},
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(wait)*time.Second+AttemptLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		strings.TrimRight(l.API, "/")+"/v1/events?"+query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFeed, err)
	}
	request.Header.Set("Authorization", l.APIKey)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, feedMax))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusGone {
		return nil, errSwept
	}
	if answer.StatusCode >= 400 && answer.StatusCode < 500 && answer.StatusCode != http.StatusTooManyRequests {
		return nil, fmt.Errorf("%w: the API answers %d", ErrFeed, answer.StatusCode)
	}
	var page struct {
		Items []json.RawMessage `json:"items"`
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the API answers %d", answer.StatusCode)
	}
	err = json.Unmarshal(body, &page)
	return page.Items, err
}
